//! `opsole keys`: key pairs of people who seal and approve.

use std::path::Path;

use crate::audit::{ControllerKeyChanged, Fact, Note};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{self, now};
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::model::PublicKey;
use crate::port::Store as _;
use crate::store::{self, ApplyLock, Holder, SqliteStore, keys};

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

/// Gives this folder's controller a new signing key.
///
/// # Errors
/// `apply.locked` while a run goes on; `key.*`, `store.*`, `cli.not-confirmed`.
pub fn rotate_controller(settings: &Settings, yes: bool) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let state = settings.state()?;
    let store = SqliteStore::open(&state)?;
    // A controller that runs has the old key in its memory.
    let _lock = ApplyLock::take(&state, &Holder::this_process(None, now()))?;
    let old = store::controller_key(&state)?.public();
    if !yes && !ui.confirm(&format!("Replace the controller's key {}? Only `yes` does it:", old.short()))? {
        ui.note("Nothing was done.");
        return Ok(Exit::DECLINED);
    }
    let at = session::moment_or_now(settings);
    let (from, to) = store::rotate_controller_key(&state, at)?;
    let fact = Fact::ControllerKeyChanged(ControllerKeyChanged { from, to });
    store.add_audit(&[Note { at, actor: session::actor(), fact }])?;
    if ui.json() {
        ui.answer_json(&serde_json::json!({"format": "opsole.controller-key/1", "from": from, "to": to}))?;
    } else {
        ui.answer(&format!("{from}\ngave way to\n{to}\n\nEnrolled devices follow with their next call."))?;
    }
    Ok(Exit::OK)
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
