//! `opsole agent recover`: a device that came to a halt, on the device itself and without its controller.

use serde::Serialize;

use crate::agent::{self, Diagnosis, Remedy, Rescue, Who};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::real::OpenDevice;
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::model::{DeviceName, Problem};
use crate::windows::install::{SERVICE, STOP_SECS};
use crate::wire::StepKind;

/// The list, as `opsole.agent-recover/1`.
#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    device: &'a DeviceName,
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
}

/// Shows what to do, and does what is agreed to.
///
/// # Errors
/// `agent.no-windows`, `agent.second` where the agent runs, `agent.journal*`, `device.*`, `lab.*`, `windows.*`.
pub async fn run(settings: &Settings, device: Option<&str>, dry_run: bool) -> Result<Exit, Failure> {
    let open = OpenDevice::open(settings, device).await?;
    let outcome = of(&settings.ui, &open, dry_run).await;
    open.close().await?;
    outcome
}

async fn of(ui: &Ui, open: &OpenDevice, dry_run: bool) -> Result<Exit, Failure> {
    let diagnosis = agent::look_for_rescue(&open.folder, &open.name, &open.os).await?;
    if ui.json() {
        let document = Document { format: "opsole.agent-recover/1", device: &open.name, diagnosis: &diagnosis };
        ui.answer_json(&document)?;
        return Ok(exit(&diagnosis));
    }
    ui.answer(&text(&open.name, &diagnosis))?;
    let offered = diagnosis.remedies.iter().any(|remedy| remedy.who == Who::Tool);
    if dry_run || !offered {
        return Ok(exit(&diagnosis));
    }
    if !ui.interactive {
        ui.note("Nothing was done: nobody is there to agree to each action.");
        return Ok(exit(&diagnosis));
    }
    let was_running = stop_service(open)?;
    let outcome = carry_out(ui, open).await;
    if was_running && let Some(machine) = &open.machine {
        machine.start_service(SERVICE).map_err(Problem::from)?;
    }
    outcome
}

/// Stops the agent: two mustn't work on one device.
fn stop_service(open: &OpenDevice) -> Result<bool, Problem> {
    let Some(machine) = &open.machine else { return Ok(false) };
    let running = machine.service(SERVICE)?.is_some_and(|service| service.running);
    if running {
        machine.stop_service(SERVICE, STOP_SECS)?;
    }
    Ok(running)
}

async fn carry_out(ui: &Ui, open: &OpenDevice) -> Result<Exit, Failure> {
    let mut rescue = Rescue::begin(&open.folder, &open.name, open.durability)?;
    // What was declined or didn't work isn't asked for again in this session.
    let mut passed: Vec<String> = Vec::new();
    loop {
        // After each action the list is another one.
        let diagnosis = rescue.look(&open.os).await?;
        let next = diagnosis.remedies.iter().find(|one| one.who == Who::Tool && !passed.contains(&one.what));
        let Some(remedy) = next else {
            ui.answer(&text(&open.name, &diagnosis))?;
            return Ok(exit(&diagnosis));
        };
        passed.push(remedy.what.clone());
        let only = remedy.only.map_or_else(String::new, |only| format!(" Only where {only}."));
        if !ui.confirm(&format!("{}.{only} Only `yes` does it:", remedy.what))? {
            continue;
        }
        match rescue.carry_out(remedy, &open.os, &*open.clock).await {
            Ok(true) => {
                ui.note("The device restarts. Run `opsole agent recover` again once it is up.");
                return Ok(Exit::RECOVERY);
            }
            Ok(false) => ui.note("Done, and read back."),
            Err(problem) => ui.problem(&problem),
        }
    }
}

/// A device that needs a person ends like one of `recover` and `apply`.
fn exit(diagnosis: &Diagnosis) -> Exit {
    if diagnosis.remedies.is_empty() { Exit::OK } else { Exit::RECOVERY }
}

fn text(device: &DeviceName, diagnosis: &Diagnosis) -> String {
    let mut lines = Vec::new();
    match &diagnosis.run {
        None => lines.push(format!("{device} never took up an order: there is nothing to recover from.")),
        Some(run) => lines.push(format!("{device}, run {run}")),
    }
    if let Some(stopped) = &diagnosis.stopped {
        let undo = if stopped.kind == StepKind::Undo { "undo " } else { "" };
        lines.push(format!("  at            {undo}{} (attempt {})", stopped.op, stopped.attempt));
        if let Some(problem) = &stopped.problem {
            lines.push(format!("  because       {} ({})", problem.message, problem.code));
            lines.extend(problem.detail.iter().map(|detail| format!("                {detail}")));
        }
        lines.extend(stopped.explained.iter().map(|line| format!("  explained     {line}")));
    }
    let standing = &diagnosis.standing;
    let yes = |it: bool| if it { "yes" } else { "no" };
    let tenant = standing.tenant.map_or_else(String::new, |tenant| format!(", tenant {tenant}"));
    let leaving = if standing.leaving { ", leaving its domain at the next restart" } else { "" };
    lines.push(format!("  join          {}{tenant}{leaving}", standing.join.as_str()));
    lines.push(format!(
        "  profile       owned by {}{}",
        standing.profile,
        if standing.profile_files_agree { "" } else { ", and its files say otherwise" }
    ));
    lines.push(format!("  recovery administrator tried: {}", yes(standing.recovery_administrator)));
    lines.push(format!(
        "  sign-in held: {}; starts at boot: {}",
        yes(standing.sign_in_held),
        yes(standing.starts_at_boot)
    ));
    if !diagnosis.remedies.is_empty() {
        lines.push("What to do, in order:".to_owned());
        lines.extend(diagnosis.remedies.iter().zip(1..).map(|(remedy, n): (&Remedy, u32)| {
            let who = if remedy.who == Who::Tool { "this command" } else { "you" };
            let only = remedy.only.map_or_else(String::new, |only| format!("\n     only where {only}"));
            format!("{n:>3}. [{who}] {}\n     because {}{only}", remedy.what, remedy.why)
        }));
    }
    lines.join("\n")
}
