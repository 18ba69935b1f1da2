//! `opsole agent run|enroll`: the agent of one emulated device in a process of its own.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::agent::{self, AgentConfig, Exit as AgentExit};
use crate::cli::agents::{EnrolmentFile, external_config};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::lab_session;
use crate::cli::signals::Interrupts;
use crate::cli::ui::Ui;
use crate::lab::Lab;
use crate::lab::device::LabDevice;
use crate::lab::protocol::ClockAnswer;
use crate::model::{DeviceName, Problem};
use crate::port::Clock;

/// Runs until it is interrupted.
///
/// # Errors
/// `cli.enrolment`, `lab.*`, and whatever keeps the agent from going on.
pub async fn run(ui: &Ui, enrolment: &Path, device: &str, kill: Option<u64>) -> Result<Exit, Failure> {
    let file = EnrolmentFile::read(enrolment)?;
    let (config, device, clock) = open(&file, device, kill).await?;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let mut interrupts = Interrupts::listen()?;
    tokio::spawn(async move {
        interrupts.next().await;
        stop.cancel();
    });
    ui.note(&format!("Agent of {} calls {}; Ctrl-C stops it.", config.device, file.controller));
    match agent::supervise(config, device, clock, cancel).await {
        AgentExit::Failed(problem) => Err(problem.into()),
        AgentExit::Cancelled | AgentExit::Restarting => Ok(Exit::OK),
    }
}

/// Enrols a device, and does nothing else.
///
/// # Errors
/// `cli.enrolment`, `lab.*`, `agent.*`, `controller.*`.
pub async fn enroll(ui: &Ui, enrolment: &Path, device: &str) -> Result<Exit, Failure> {
    let file = EnrolmentFile::read(enrolment)?;
    let (config, device, clock) = open(&file, device, None).await?;
    let (name, controller) = (config.device.clone(), agent::enrol(config, device, clock).await?);
    if ui.json() {
        let answer = serde_json::json!({"format": "opsole.agent-enroll/1", "device": name, "controller": controller});
        ui.answer_json(&answer)?;
    } else {
        ui.answer(&format!("{name} is enrolled, and trusts the controller with key {}.", controller.short()))?;
    }
    Ok(Exit::OK)
}

/// Opens a device of the lab that `apply` serves.
async fn open(
    file: &EnrolmentFile,
    device: &str,
    kill: Option<u64>,
) -> Result<(AgentConfig, Arc<LabDevice>, Arc<dyn Clock>), Failure> {
    let name = DeviceName::new(device);
    let config = external_config(file, &name, kill)?;
    let time = lab_time(&agent::http_client()?, &file.lab).await?;
    let world = lab_session::read_world(&file.world)?;
    // The controller's process serves the tenants; this one only lives on the device's own state.
    let lab = Lab::open(&file.lab_folder, &world)?;
    let clock: Arc<dyn Clock> = lab.follow(time.now, time.speed);
    let mut devices = lab_session::open_devices(&lab, &file.lab, &clock, [&name])?;
    let device = devices.pop().ok_or_else(|| Problem::new("lab.no-device", format!("the lab has no device {name}")))?;
    Ok((config, device, clock))
}

async fn lab_time(http: &reqwest::Client, lab: &str) -> Result<ClockAnswer, Problem> {
    let failed = |e: reqwest::Error| {
        Problem::new("lab.unreachable", format!("the lab at {lab} can't be asked for its time"))
            .detail(e.to_string())
            .next("start `opsole apply --agents external` first")
    };
    let answer = http.get(format!("{lab}/lab/v1/clock")).send().await.map_err(failed)?;
    answer.error_for_status().map_err(failed)?.json().await.map_err(failed)
}
