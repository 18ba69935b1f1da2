//! `opsole status`: runs, and where each device stands. Reads the disk alone, also beside a running `apply`.

use crate::cli::args::StatusArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::settings::Settings;
use crate::controller;
use crate::model::{DeviceName, Problem};
use crate::port::{RunState, Store};
use crate::render::run::{RunView, short};
use crate::store::SqliteStore;

/// Shows one run, and the list of the others.
///
/// # Errors
/// `store.*`; `cli.unknown-run`, `cli.unknown-device`.
pub fn run(settings: &Settings, args: &StatusArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let state = settings.state()?;
    let runs = if state.join("state.db").exists() { SqliteStore::open(&state)?.runs()? } else { Vec::new() };
    if runs.is_empty() {
        if ui.json() {
            ui.answer_json(&serde_json::json!({"format": "opsole.status/1", "run": null, "runs": []}))?;
        } else {
            ui.answer("No wave was applied yet.")?;
        }
        return Ok(Exit::OK);
    }
    let row = match &args.run {
        None => &runs[0],
        Some(wanted) => runs.iter().find(|row| row.run.to_string().starts_with(wanted.as_str())).ok_or_else(|| {
            Problem::new("cli.unknown-run", format!("there is no run `{wanted}`")).next("`opsole status` lists them")
        })?,
    };
    let store = SqliteStore::open(&state)?;
    let machine = controller::replay(&store, row)?;
    let entries = store.journal(row.run)?.len() as u64;
    let device = args.device.as_deref().map(DeviceName::new);
    if let Some(name) = &device
        && machine.device(name).is_none()
    {
        let names: Vec<&str> = machine.plan().devices.iter().map(|device| device.task.device.as_str()).collect();
        let near = super::plan::did_you_mean(name.as_str(), &names);
        return Err(Problem::new("cli.unknown-device", format!("run {} has no device {name}", short(row.run)))
            .next(format!("{near}`opsole status` lists its devices; `--run` names another run"))
            .into());
    }
    let view = RunView::new(&machine, row.state == RunState::Ended, entries, device.as_ref());
    if ui.json() {
        let list: Vec<_> = runs
            .iter()
            .map(|row| serde_json::json!({"run": row.run, "created": row.created, "state": row.state}))
            .collect();
        ui.answer_json(&serde_json::json!({"format": "opsole.status/1", "run": view, "runs": list}))?;
        return Ok(Exit::OK);
    }
    let mut text = view.text();
    let others: Vec<String> = runs
        .iter()
        .filter(|other| other.run != row.run)
        .map(|other| {
            format!(
                "  {} began {}{}",
                short(other.run),
                other.created,
                if other.state == RunState::Open { ", open" } else { "" }
            )
        })
        .collect();
    if !others.is_empty() {
        text.push_str(&format!("Other runs (`--run ID`):\n{}\n", others.join("\n")));
    }
    ui.answer(&text)?;
    Ok(Exit::OK)
}
