//! `opsole show FILE`: a sealed plan, read from the file alone.

use crate::cli::args::ShowArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::sealing;
use crate::cli::ui::Ui;
use crate::render::sealed_text::{SealedTextOptions, sealed_text};
use crate::sealed::Document;

/// Shows it. No network, no tenant, no state folder.
///
/// # Errors
/// `sealed.*`.
pub fn run(ui: &Ui, args: &ShowArgs) -> Result<Exit, Failure> {
    let sealed = sealing::read(&args.file)?;
    if ui.json() {
        ui.answer_json(&Document::sealed(&sealed))?;
        return Ok(Exit::OK);
    }
    let options =
        SealedTextOptions { width: ui.width, color: ui.color, ascii: !ui.unicode, device: args.device.as_deref() };
    ui.answer(&sealed_text(&sealed, &options))?;
    Ok(Exit::OK)
}
