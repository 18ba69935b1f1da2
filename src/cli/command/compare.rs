//! `opsole diff A B`: what changed between two reviews.

use crate::cli::args::{CompareArgs, CompareFormat};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::ui::Ui;
use crate::cli::{names, sealing};
use crate::render::compare::{CompareOptions, compare_json, compare_markdown, compare_text};
use crate::sealed::compare;

/// Compares two sealed plans, from the files alone.
///
/// # Errors
/// `sealed.*`; `cli.unknown-device`.
pub fn run(ui: &Ui, args: &CompareArgs) -> Result<Exit, Failure> {
    let (before, after) = (sealing::read(&args.before)?, sealing::read(&args.after)?);
    let mut all = compare(&before, &after);
    let device = match &args.device {
        None => None,
        Some(wanted) => {
            let both = before.body.devices.iter().chain(&after.body.devices).map(|device| device.name.as_str());
            let known: std::collections::BTreeSet<&str> = both.collect();
            let at = names::device(wanted, known.iter().copied(), "neither sealed plan holds")?;
            known.iter().nth(at).copied()
        }
    };
    let differs = match device {
        Some(name) => all.devices.iter().any(|one| one.device == name),
        None => !all.is_empty(),
    };
    let default = if ui.json() { CompareFormat::Json } else { CompareFormat::Text };
    match args.format.unwrap_or(default) {
        CompareFormat::Text => {
            let options = CompareOptions { width: ui.width, color: ui.color, ascii: !ui.unicode, device };
            ui.answer(&compare_text(&all, &options))?;
        }
        CompareFormat::Markdown => ui.answer(&compare_markdown(&all, device))?,
        CompareFormat::Json => {
            if let Some(name) = device {
                all.plan.clear();
                all.devices.retain(|one| one.device == name);
            }
            ui.answer_json(&compare_json(&all))?;
        }
    }
    Ok(if args.detailed_exitcode && differs { Exit::CHANGES } else { Exit::OK })
}
