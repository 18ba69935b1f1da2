//! The agent of this very machine: in the foreground, or as the Windows service that starts it with the device.
//!
//! ```text
//! service control manager -> scm (Windows alone) -> serve: settings -> agent::run -> after: again, wait, or end
//! ```

mod after;
#[cfg(any(windows, test))]
mod logs;
#[cfg(windows)]
mod scm;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::failure::Failure;
use super::real;
use super::signals::Interrupts;
use super::ui::Ui;
use crate::agent::{self, AgentConfig, Durability};
use crate::model::{DeviceName, Problem};
use crate::net;
use crate::port::{Clock, DeviceOs};
use crate::windows::install::{self, Places};
use crate::windows::machine::Machine;
use after::{Next, after};

/// Runs the agent of this machine in the foreground until it is interrupted.
///
/// # Errors
/// `agent.no-windows`, `windows.*`.
pub async fn foreground(ui: &Ui) -> Result<Exit, Failure> {
    let real::This { machine, os, clock } = real::this()?;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let mut interrupts = Interrupts::listen()?;
    tokio::spawn(async move {
        interrupts.next().await;
        stop.cancel();
    });
    ui.note("The agent of this device runs; Ctrl-C stops it.");
    serve(machine, os, clock, cancel).await;
    Ok(Exit::OK)
}

/// Runs as the service; returns once the service has stopped.
///
/// # Errors
/// `agent.no-windows`; `agent.not-a-service` where nobody but the service control manager may start it so.
pub fn service() -> Result<Exit, Failure> {
    #[cfg(windows)]
    return scm::dispatch().map(|()| Exit::OK).map_err(Failure::from);
    #[cfg(not(windows))]
    real::this().map(|_| Exit::OK)
}

/// Runs the agent again and again until it is told to stop.
async fn serve(machine: Arc<dyn Machine>, os: Arc<dyn DeviceOs>, clock: Arc<dyn Clock>, cancel: CancellationToken) {
    let mut failures = 0;
    loop {
        let exit = match config(&machine) {
            Ok(config) => agent::run(config, Arc::clone(&os), Arc::clone(&clock), cancel.clone()).await,
            Err(problem) => agent::Exit::Failed(problem),
        };
        let secs = match after(&exit, failures) {
            Next::End => return,
            Next::AfterSecs(secs) => secs,
        };
        match &exit {
            agent::Exit::Failed(problem) => {
                failures += 1;
                tracing::error!(%problem, detail = problem.detail, next = problem.next, secs, "the agent can't go on");
            }
            agent::Exit::Restarting | agent::Exit::Cancelled => {
                failures = 0;
                tracing::info!(secs, "the device restarts");
            }
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(secs)) => {}
        }
    }
}

/// Reads what this device was told. Each time anew: an administrator may have told it something else.
fn config(machine: &Arc<dyn Machine>) -> Result<AgentConfig, Problem> {
    let places = Places::of(&**machine)?;
    let device = DeviceName::new(&machine.computer_name()?);
    let stored = install::read(&**machine, &places)?.ok_or_else(|| {
        Problem::new("agent.settings", format!("{device} wasn't told its controller"))
            .next("run `opsole agent install` with its settings")
    })?;
    stored.settings.check(&device)?;
    let (kept, at) = (Arc::clone(machine), places.clone());
    let forget = move || {
        if let Err(problem) = install::forget_token(&*kept, &at) {
            tracing::warn!(%problem, "the used enrolment token stays");
        }
    };
    Ok(AgentConfig {
        http: net::client(&stored.settings.controller, &stored.settings.connection())?,
        controller: stored.settings.controller,
        enrolment_token: stored.token,
        state: PathBuf::from(places.state),
        device,
        durability: Durability::PowerLoss,
        poll_secs: stored.settings.poll_secs,
        spread_secs: stored.settings.spread_secs,
        kill_after_entry: None,
        online: None,
        enrolled: Some(Arc::new(forget)),
    })
}
