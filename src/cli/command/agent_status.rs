//! `opsole agent status`: how the agent of a device stands, from the device alone.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use crate::agent::Journal;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::real::OpenDevice;
use crate::cli::settings::Settings;
use crate::model::{DeviceName, Problem, RunId};
use crate::windows::install::{self, Places, SERVICE};
use crate::windows::machine::Machine;
use crate::wire::StepKind;

/// The answer, as `opsole.agent-status/1`.
#[derive(Debug, Serialize)]
struct Status {
    format: &'static str,
    device: DeviceName,
    version: &'static str,
    /// `running`, `stopped`, `not-installed`; none for lab devices, which have no service.
    service: Option<&'static str>,
    controller: Option<String>,
    /// A token waits to be used.
    token: bool,
    /// The device has keys of its own; whether the controller still knows them only the controller can tell.
    identity: bool,
    run: Option<Run>,
    /// Bytes that the agent keeps and logs.
    disk_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Run {
    run: RunId,
    generation: u64,
    /// Steps that are done, of those that are ordered.
    done: usize,
    ordered: usize,
    step: Option<String>,
    undo: bool,
    problem: Option<Problem>,
    under_way: bool,
    last_event: Option<Timestamp>,
    /// Events that the controller doesn't have yet.
    unsent: usize,
    /// What people had done on the device since.
    recovered: Vec<crate::agent::Recovered>,
}

/// Shows how the agent stands.
///
/// # Errors
/// `agent.no-windows`, `agent.journal*`, `agent.settings`, `lab.*`, `windows.*`.
pub async fn run(settings: &Settings, device: Option<&str>) -> Result<Exit, Failure> {
    let open = OpenDevice::open(settings, device).await?;
    let status = status(&open);
    open.close().await?;
    let status = status?;
    let ui = &settings.ui;
    if ui.json() {
        ui.answer_json(&status)?
    } else {
        ui.answer(&text(&status))?
    }
    Ok(Exit::OK)
}

fn status(open: &OpenDevice) -> Result<Status, Problem> {
    let mut status = Status {
        format: "opsole.agent-status/1",
        device: open.name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        service: None,
        controller: None,
        token: false,
        identity: open.folder.join("identity.json").exists(),
        run: run_of(&open.folder)?,
        disk_bytes: bytes_below(&open.folder),
    };
    if let Some(machine) = &open.machine {
        of_windows(&**machine, &mut status)?;
    }
    Ok(status)
}

fn of_windows(machine: &dyn Machine, status: &mut Status) -> Result<(), Problem> {
    let places = Places::of(machine)?;
    status.service = Some(match machine.service(SERVICE)? {
        None => "not-installed",
        Some(service) if service.running => "running",
        Some(_) => "stopped",
    });
    if let Some(stored) = install::read(machine, &places)? {
        status.controller = Some(stored.settings.controller);
        status.token = stored.token.is_some();
    }
    status.disk_bytes = bytes_below(Path::new(&places.data));
    Ok(())
}

fn run_of(folder: &Path) -> Result<Option<Run>, Problem> {
    let Some(ledger) = Journal::look(folder)? else { return Ok(None) };
    let Some(order) = ledger.order() else { return Ok(None) };
    let wanted: Vec<_> = ledger.wanted().collect();
    let done = wanted.iter().filter(|step| ledger.step(**step).outcome == Some(crate::agent::Ended::Done)).count();
    let current = ledger.current();
    Ok(Some(Run {
        run: order.run,
        generation: order.generation,
        done,
        ordered: wanted.len(),
        step: current.map(|step| step.op.to_string()),
        undo: current.is_some_and(|step| step.kind == StepKind::Undo),
        problem: ledger.halt().map(|halt| halt.problem),
        under_way: ledger.is_under_way(),
        last_event: ledger.last_event(),
        unsent: ledger.unsent().len(),
        recovered: ledger.recovered().to_vec(),
    }))
}

/// Returns what the files below a folder come to, in bytes; what can't be read counts nothing.
fn bytes_below(folder: &Path) -> u64 {
    let (mut folders, mut bytes) = (vec![folder.to_owned()], 0_u64);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) => bytes = bytes.saturating_add(entry.metadata().map_or(0, |about| about.len())),
                Err(_) => {}
            }
        }
    }
    bytes
}

fn text(status: &Status) -> String {
    let mut lines = vec![format!("{}, opsole {}", status.device, status.version)];
    if let Some(service) = status.service {
        lines.push(format!("  service     {service}"));
        let controller = status.controller.as_deref().unwrap_or("none: `opsole agent install` tells it");
        lines.push(format!("  controller  {controller}"));
    }
    lines.push(format!(
        "  identity    {}{}",
        if status.identity { "has keys of its own" } else { "none yet" },
        if status.token { "; a token waits to be used" } else { "" }
    ));
    match &status.run {
        None => lines.push("  run         none".to_owned()),
        Some(run) => {
            lines.push(format!(
                "  run         {} generation {}, {} of {} steps",
                run.run, run.generation, run.done, run.ordered
            ));
            if let Some(step) = &run.step {
                lines.push(format!("  step        {}{step}", if run.undo { "undo " } else { "" }));
            }
            if let Some(problem) = &run.problem {
                lines.push(format!("  halted by   {} ({})", problem.message, problem.code));
                lines.push("  next        opsole agent recover".to_owned());
            }
            if let Some(at) = run.last_event {
                lines.push(format!("  last event  {at}; {} not reported yet", run.unsent));
            }
            lines.extend(run.recovered.iter().map(|one| format!("  by hand     {}: {}", one.at, one.what)));
        }
    }
    lines.push(format!("  disk        {} KiB", status.disk_bytes.div_ceil(1024)));
    lines.join("\n")
}
