//! `opsole recover DEVICE`: where a device came to a halt, what to do next, and the way onto it. Reads the disk alone.

use std::sync::Arc;

use serde_json::json;

use crate::cli::args::RecoverArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::names;
use crate::cli::session::{actor, moment_or_now};
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::controller::{
    self,
    recovery::{self, Recovery},
};
use crate::model::{DeviceName, Problem, RecoveryPassword};
use crate::port::{RecoveryRow, RunState, Store as _};
use crate::render::run::{RunView, short};
use crate::state::Outcome;
use crate::store::{FileVault, SqliteStore};

/// Shows what is known of a device, and its recovery password where somebody says why.
///
/// # Errors
/// `cli.unknown-device`; `cli.not-confirmed`; `recovery.none`; `store.*`, `vault.*`, `audit.*`.
pub fn run(settings: &Settings, args: &RecoverArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let state = settings.state()?;
    let store = Arc::new(SqliteStore::open(&state)?);
    let wanted = DeviceName::new(&args.device);
    let (view, outcome) = found(&store, &wanted)?;
    let kept = store.recovery(&wanted)?;
    let password = match (&args.reason, args.show_password) {
        (Some(reason), true) => {
            // Before anybody is asked, and before a key is made that nothing was encrypted with.
            if kept.is_none() {
                return Err(recovery::none(&wanted).into());
            }
            if !confirmed(ui, args, &wanted)? {
                ui.note("Nothing was shown.");
                return Ok(Exit::DECLINED);
            }
            let recovery = Recovery::new(store, Arc::new(FileVault::own(&state)?));
            Some(recovery.show(&wanted, reason, moment_or_now(settings), &actor())?)
        }
        _ => None,
    };
    answer(ui, &wanted, &view, kept.as_ref(), password.as_ref())?;
    Ok(match outcome {
        Some(Outcome::RecoveryRequired(_)) => Exit::RECOVERY,
        _ => Exit::OK,
    })
}

/// Finds the newest run that the device is in, and what became of it there.
fn found(store: &SqliteStore, wanted: &DeviceName) -> Result<(RunView, Option<Outcome>), Failure> {
    let mut known = Vec::new();
    for row in store.runs()? {
        let machine = controller::replay(store, &row)?;
        if machine.device(wanted).is_some() {
            let entries = store.journal(row.run)?.len() as u64;
            let view = RunView::new(&machine, row.state == RunState::Ended, entries, Some(wanted));
            return Ok((view, machine.outcomes().remove(wanted)));
        }
        known.extend(machine.plan().devices.iter().map(|device| device.task.device.to_string()));
    }
    let known = known.iter().map(String::as_str);
    names::device(wanted.as_str(), known, "the runs of this folder hold")?;
    Err(Problem::new("cli.unknown-device", format!("no run holds {wanted}"))
        .next("`opsole status` lists the runs")
        .into())
}

fn confirmed(ui: &Ui, args: &RecoverArgs, device: &DeviceName) -> Result<bool, Failure> {
    if args.yes {
        return Ok(true);
    }
    if !ui.interactive {
        let message = "nobody is there to confirm this: standard input isn't a terminal";
        let problem =
            Problem::new("cli.not-confirmed", message).next("add `--yes` where the password is really wanted");
        return Err(Failure::Exit(Box::new(problem), Exit::DECLINED));
    }
    let question = format!(
        "The password of the recovery administrator of {device} will be shown, and the audit list will tell that you \
         saw it.\nShow it? Only `yes` does it:"
    );
    Ok(ui.confirm(&question)?)
}

fn answer(
    ui: &Ui,
    device: &DeviceName,
    view: &RunView,
    kept: Option<&RecoveryRow>,
    password: Option<&RecoveryPassword>,
) -> Result<(), Failure> {
    if ui.json() {
        let recovery = kept.map(|kept| json!({"account": kept.account, "made": kept.made, "run": kept.run}));
        let mut document = json!({"format": "opsole.recover/1", "device": device, "run": view, "recovery": recovery});
        if let Some(password) = password {
            document["password"] = json!(password.expose());
        }
        ui.answer_json(&document)?;
        return Ok(());
    }
    let mut text = view.text();
    match kept {
        None => text.push_str("\nNo recovery password is kept for this device.\n"),
        Some(kept) => {
            let made = format!(
                "\nRecovery administrator: .\\{} with a password made at {} for run {}\n",
                kept.account,
                kept.made,
                short(kept.run)
            );
            text.push_str(&made);
            match password {
                Some(password) => text.push_str(&format!("Password: {}\n", password.expose())),
                None => text.push_str(&format!(
                    "`opsole recover {device} --show-password --reason TEXT` shows it; the audit list tells who asked and why.\n"
                )),
            }
        }
    }
    ui.answer(&text)?;
    Ok(())
}
