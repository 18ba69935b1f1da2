//! `opsole snapshot`: observe once, plan as often as you like.

use crate::cli::args::SnapshotArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::observe;
use crate::cli::session::Session;
use crate::cli::settings::Settings;

/// Observes and writes the snapshot.
///
/// # Errors
/// As opening a session; `snapshot.write`.
pub async fn run(settings: &Settings, args: &SnapshotArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let session = Session::open(settings).await?;
    ui.warnings(&session.warnings);
    let snapshot = observe::observe(&session).await?;
    observe::write(&args.out, &snapshot)?;
    session.close().await?;
    let gaps: Vec<String> = observe::gaps(&snapshot);
    if ui.json() {
        ui.answer_json(&serde_json::json!({
            "format": "opsole.snapshot-written/1",
            "file": args.out,
            "taken_at": snapshot.taken_at,
            "devices_with_evidence": snapshot.evidence.len(),
            "unknown": gaps,
        }))?;
    } else {
        let mut text = format!(
            "Wrote {}: {} tenants and {} devices with evidence, as of {}.",
            args.out.display(),
            snapshot.tenants.len(),
            snapshot.evidence.len(),
            snapshot.taken_at
        );
        for gap in gaps {
            text.push_str(&format!("\nunknown: {gap}"));
        }
        ui.answer(&text)?;
    }
    Ok(Exit::OK)
}
