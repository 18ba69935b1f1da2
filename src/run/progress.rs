//! What people see of a run.

use std::collections::BTreeMap;

use super::machine::tenant_op;
use super::{Machine, Status, Stop};
use crate::dag::{self, Phase};
use crate::model::{DeviceName, Op, Problem, WaveName};
use crate::state::Outcome;

/// Beyond this many devices a view holds only those in flight: nobody reads a longer list while it moves,
/// and building it at every step would cost more than the step.
const DEVICES_SHOWN: usize = 500;

/// A run at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The wave.
    pub wave: WaveName,
    /// Counts over all devices.
    pub counts: Counts,
    /// Devices in order of their names; where there are more than 500, only those in flight.
    pub devices: Vec<DeviceProgress>,
    /// Tenant operations with their state and what went wrong.
    pub tenant: Vec<(Op, Status, Option<Problem>)>,
    /// Why the wave stopped.
    pub stop: Option<Stop>,
    /// The run drains.
    pub draining: bool,
    /// Nothing is left to do.
    pub finished: bool,
}

/// Devices by how they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All.
    pub total: u32,
    /// Not started yet.
    pub waiting: u32,
    /// In flight.
    pub in_flight: u32,
    /// Ended complete.
    pub complete: u32,
    /// Ended pending verification.
    pub pending: u32,
    /// Ended and put back.
    pub undone: u32,
    /// Ended and a person has to act.
    pub recovery: u32,
    /// Ended before they were started.
    pub not_started: u32,
}

/// Where a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceStage {
    /// Waits for a place or the window.
    Waiting,
    /// Before the point of no return.
    Preparing,
    /// Leaves, joins, gets its profile.
    Moving,
    /// Moved; the cloud is finished.
    Finishing,
    /// Nothing is left but its old object: it is retired, and a hybrid one's Entra half is waited for, up to hours.
    Retiring,
    /// Is put back.
    Undoing,
    /// Has its outcome.
    Ended,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceProgress {
    /// Which.
    pub device: DeviceName,
    /// Where it is.
    pub stage: DeviceStage,
    /// What is under way or next.
    pub current: Option<Op>,
    /// Operations that are done.
    pub done: u32,
    /// All its operations.
    pub total: u32,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

impl Machine {
    /// Returns the run as people see it now.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let all = self.devices.len() <= DEVICES_SHOWN;
        let shown: Vec<usize> =
            if all { (0..self.devices.len()).collect() } else { self.active.iter().copied().collect() };
        Progress {
            wave: self.plan.wave.clone(),
            counts: self.counts(),
            devices: shown.into_iter().map(|index| self.device_at(index)).collect(),
            tenant: (0..self.tenant.len())
                .map(|index| {
                    let state = &self.tenant[index];
                    (tenant_op(&self.plan, index), state.status, state.problem.clone())
                })
                .collect(),
            stop: self.stop.clone(),
            draining: self.draining,
            finished: self.finished,
        }
    }

    /// Returns one device.
    #[must_use]
    pub fn device(&self, name: &DeviceName) -> Option<DeviceProgress> {
        self.index(name).ok().map(|index| self.device_at(index))
    }

    /// Returns the outcomes that are recorded.
    #[must_use]
    pub fn outcomes(&self) -> BTreeMap<DeviceName, Outcome> {
        let pairs = self.plan.devices.iter().zip(&self.devices);
        pairs.filter_map(|(run, device)| Some((run.task.device.clone(), device.outcome.clone()?))).collect()
    }

    /// Returns where each operation of a device stands, with what went wrong.
    #[must_use]
    pub fn operations(&self, name: &DeviceName) -> Vec<(Op, Status, Option<Problem>)> {
        let Ok(index) = self.index(name) else { return Vec::new() };
        let (run, device) = (&self.plan.devices[index], &self.devices[index]);
        let rows = run.ops.iter().zip(&device.status).enumerate();
        rows.map(|(at, (step, status))| (step.op, *status, device.problems.get(&at).cloned())).collect()
    }

    /// Returns the devices in flight.
    #[must_use]
    pub fn in_flight(&self) -> Vec<DeviceName> {
        self.active.iter().map(|index| self.plan.devices[*index].task.device.clone()).collect()
    }

    /// Says whether nothing is left to do.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }
    /// Says whether nothing new is begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining
    }
    /// Returns why the wave stopped.
    #[must_use]
    pub fn stop(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    fn counts(&self) -> Counts {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Counts {
            total: count(self.devices.len()),
            waiting: count(self.waiting.len()),
            in_flight: count(self.active.len()),
            ..self.ended
        }
    }

    fn device_at(&self, index: usize) -> DeviceProgress {
        let (run, device) = (&self.plan.devices[index], &self.devices[index]);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let open = |status: &Status| !status.is_settled();
        let busy = device.status.iter().position(|status| open(status) && *status != Status::Pending);
        let position = busy.or_else(|| device.status.iter().position(open));
        let current = position.map(|position| run.ops[position].op).filter(|_| device.outcome.is_none());
        let moved = device.new_device.is_some() || current.is_some_and(|op| dag::spec(op).phase == Phase::Finishing);
        let stage = if device.outcome.is_some() {
            DeviceStage::Ended
        } else if !device.started {
            DeviceStage::Waiting
        } else if self.resting.contains(&index) {
            DeviceStage::Retiring
        } else if device.committed_at.is_some() {
            if moved { DeviceStage::Finishing } else { DeviceStage::Moving }
        } else if device.cause.is_some() {
            DeviceStage::Undoing
        } else {
            DeviceStage::Preparing
        };
        DeviceProgress {
            device: run.task.device.clone(),
            stage,
            current,
            done: count(device.status.iter().filter(|status| **status == Status::Done).count()),
            total: count(device.status.len()),
            outcome: device.outcome.clone(),
        }
    }
}
