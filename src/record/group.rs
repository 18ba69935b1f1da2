//! Devices that came to the same, together: a report's length depends on what happened and not on how many devices it
//! happened to.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::report::{DeviceRow, Issue, Report};
use crate::model::{DeviceName, Op};
use crate::run::Status;

/// Devices with one outcome, one cause, and the same states of the same operations.
#[derive(Debug, Clone, PartialEq)]
pub struct Group<'r> {
    /// Outcome.
    pub outcome: &'r str,
    /// What went wrong, as it was said of the first of them.
    pub problem: Option<&'r Issue>,
    /// Why they weren't started.
    pub reason: Option<&'r str>,
    /// Their names, in order.
    pub devices: Vec<&'r DeviceName>,
    /// Their operations: state, first beginning, last end.
    pub operations: Vec<(Op, Status, Option<Timestamp>, Option<Timestamp>)>,
}

type Key<'r> = (usize, Option<&'r str>, Option<&'r str>, Vec<(Op, Status)>);

/// Puts devices that are alike together: what needs a person first, what is complete last.
#[must_use]
pub fn groups(report: &Report) -> Vec<Group<'_>> {
    let mut known: BTreeMap<Key<'_>, Group<'_>> = BTreeMap::new();
    for device in &report.devices {
        let states = device.operations.iter().map(|op| (op.op, op.status)).collect();
        let code = device.problem.as_ref().map(|problem| problem.code.as_str());
        let key = (rank(&device.outcome), code, device.reason.as_deref(), states);
        match known.get_mut(&key) {
            Some(group) => join(group, device),
            None => {
                known.insert(key, group_of(device));
            }
        }
    }
    known.into_values().collect()
}

fn rank(outcome: &str) -> usize {
    let order = ["recovery-required", "undone", "pending-verification", "open", "not-started", "complete"];
    order.iter().position(|word| *word == outcome).unwrap_or(order.len())
}

fn group_of(device: &DeviceRow) -> Group<'_> {
    Group {
        outcome: &device.outcome,
        problem: device.problem.as_ref(),
        reason: device.reason.as_deref(),
        devices: vec![&device.device],
        operations: device.operations.iter().map(|op| (op.op, op.status, op.started, op.ended)).collect(),
    }
}

fn join<'r>(group: &mut Group<'r>, device: &'r DeviceRow) {
    group.devices.push(&device.device);
    for ((_, _, first, last), op) in group.operations.iter_mut().zip(&device.operations) {
        *first = first.iter().chain(&op.started).min().copied();
        *last = last.iter().chain(&op.ended).max().copied();
    }
}
