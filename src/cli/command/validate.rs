//! `opsole validate`: the plan file alone.

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session;
use crate::cli::settings::Settings;
use crate::render::diagnostics;

/// Reads and resolves the plan and shows what is wrong with it.
///
/// # Errors
/// Every mistake of the plan, in one list.
pub fn run(settings: &Settings) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let text = session::read_plan(settings)?;
    // A world that can't be read is no mistake of the plan's text; the machine's clock does then.
    let as_of = session::moment(&text, settings).unwrap_or_else(|_| session::now());
    let (plan, warnings) = text.resolve(as_of)?;
    if ui.json() {
        ui.answer_json(&diagnostics::document(&warnings.0, &warnings.1))?;
    } else {
        ui.warnings(&warnings);
        ui.answer(&format!("The plan {} is valid: {}.", plan.name, diagnostics::summary(&warnings.0)))?;
    }
    Ok(Exit::OK)
}
