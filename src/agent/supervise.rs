//! The boot loop of an emulated device: starts the agent, and starts it again after every restart.
//!
//! On a real device the service control manager does this. Nothing but what is on disk goes from one life of
//! the agent to the next: where a fault of the world ends it, it is dropped in the middle of what it does.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::journal::Durability;
use super::run::{AgentConfig, Exit, run};
use crate::lab::device::LabDevice;
use crate::port::Clock;

/// Seconds until the agent runs after a boot (domain.md B15).
const BOOT_DELAY_SECS: u64 = 30;
/// Seconds until management starts an agent that doesn't start at boot [I].
const NOT_ARMED_SECS: u64 = 300;

/// Runs the agent of an emulated device through all its restarts, and lets time pass on the device.
///
/// Returns when the agent is cancelled or can't go on.
pub async fn supervise(
    config: AgentConfig,
    device: Arc<LabDevice>,
    clock: Arc<dyn Clock>,
    cancel: CancellationToken,
) -> Exit {
    let watched = device.clone();
    let online: Arc<super::Online> = Arc::new(move || watched.is_online());
    let config = AgentConfig { online: Some(online), durability: Durability::Kill, ..config };
    tokio::select! {
        exit = lives(config, &device, &clock, &cancel) => exit,
        problem = device.live() => match problem {
            Err(problem) => Exit::Failed(problem),
            // `live` ends only with an error.
            Ok(()) => Exit::Cancelled,
        },
    }
}

async fn lives(
    config: AgentConfig,
    device: &Arc<LabDevice>,
    clock: &Arc<dyn Clock>,
    cancel: &CancellationToken,
) -> Exit {
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Exit::Cancelled,
            outcome = come_up(device, clock) => if let Err(problem) = outcome {
                return Exit::Failed(problem);
            },
        }
        let life = run(config.clone(), device.clone(), clock.clone(), cancel.clone());
        let exit = tokio::select! {
            exit = life => exit,
            () = device.ended() => continue,
        };
        if exit != Exit::Restarting {
            return exit;
        }
    }
}

/// Waits until the device runs, and after a boot until the agent is started on it.
async fn come_up(device: &LabDevice, clock: &Arc<dyn Clock>) -> crate::port::Result<()> {
    let was_up = device.peek()?.power == crate::lab::device::Power::Up;
    device.up().await?;
    if !was_up {
        let armed = device.peek()?.facts.staging.boot_start;
        clock.sleep(Duration::from_secs(if armed { BOOT_DELAY_SECS } else { NOT_ARMED_SECS })).await;
    }
    Ok(())
}
