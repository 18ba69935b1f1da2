//! `opsole drift`: what others changed since the plan was last reviewed or applied.

use crate::cli::args::{CompareFormat, DriftArgs};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::settings::Settings;
use crate::cli::{baseline, observe};
use crate::diff::drift;
use crate::model::Problem;
use crate::render::drift::{DriftOptions, drift_json, drift_markdown, drift_text};

/// Compares what is there now with an earlier state, and keeps what is there now where that is asked for.
///
/// # Errors
/// As opening a session and observing; `snapshot.*`; `drift.no-state` where there is nothing to compare with.
pub async fn run(settings: &Settings, args: &DriftArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let state = settings.state()?;
    let file = baseline::file(&state);
    let before = match &args.since {
        Some(file) => Some(observe::read(file)?),
        None if file.exists() => Some(observe::read(&file)?),
        None if args.accept => None,
        None => {
            return Err(Problem::new(
                "drift.no-state",
                "no state was reviewed or applied yet, so nothing can have drifted",
            )
            .next("keep what is there now with `opsole drift --accept`, or name a snapshot with `--since FILE`")
            .into());
        }
    };
    let (plan, now) = super::check::look(settings, args.snapshot.as_deref()).await?;
    // The first state that is kept has nothing before it.
    let before = before.unwrap_or_else(|| now.clone());
    let ops = baseline::ops_since(&state, before.taken_at)?;
    let report = drift(&before, &now, &plan, &ops);
    let default = if ui.json() { CompareFormat::Json } else { CompareFormat::Text };
    match args.format.unwrap_or(default) {
        CompareFormat::Text => {
            let options = DriftOptions { width: ui.width, color: ui.color, ascii: !ui.unicode, zone: &plan.zone };
            ui.answer(&drift_text(&report, &options))?;
        }
        CompareFormat::Markdown => ui.answer(&drift_markdown(&report, &plan.zone))?,
        CompareFormat::Json => ui.answer_json(&drift_json(&report))?,
    }
    if args.accept {
        baseline::keep(&state, &now)?;
        ui.note(&format!("Kept what is there at {} as reviewed.", now.taken_at));
    }
    if !args.detailed_exitcode {
        return Ok(Exit::OK);
    }
    if !report.is_empty() {
        return Ok(Exit::CHANGES);
    }
    // "Nothing drifted" has to be known.
    Ok(if report.not_known.is_empty() { Exit::OK } else { Exit::ERROR })
}
