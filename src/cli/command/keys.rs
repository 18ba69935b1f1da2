//! `opsole keys`: key pairs of people who seal and approve.

use std::path::Path;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::ui::Ui;
use crate::model::PublicKey;
use crate::store::keys;

/// Makes a key pair.
///
/// # Errors
/// `key.*`.
pub fn new(ui: &Ui, path: &Path) -> Result<Exit, Failure> {
    let public = keys::create(path)?;
    ui.note(&format!("Wrote {}. Only you can read it; it is asked for when you approve.", path.display()));
    show_public(ui, public)
}

/// Shows the public half of a key.
///
/// # Errors
/// `key.*`.
pub fn show(ui: &Ui, path: &Path) -> Result<Exit, Failure> {
    show_public(ui, keys::read(path)?.public())
}

fn show_public(ui: &Ui, public: PublicKey) -> Result<Exit, Failure> {
    if ui.json() {
        ui.answer_json(&serde_json::json!({"format": "opsole.key/1", "public": public}))?;
    } else {
        ui.answer(&format!(
            "{public}\n\nList it in the plan, so that what it signs counts:\n\npolicy:\n  keys:\n    - \
             {{name: you@example.com, role: change-management, key: \"{public}\"}}"
        ))?;
    }
    Ok(Exit::OK)
}
