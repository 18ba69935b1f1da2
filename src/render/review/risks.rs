//! What can't be undone, what puts the rest back, and with which rights: from the operations that a body holds.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::diff::Action;
use crate::model::Op;
use crate::sealed::{Body, OperationLine};

/// An operation that would run.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    /// Its name.
    pub(super) op: &'static str,
    /// What it does.
    pub(super) action: String,
    /// What is read back before it counts.
    pub(super) done_when: String,
    /// Devices on which it would run; 0 for one of a tenant.
    pub(super) devices: usize,
    /// What puts it back; empty where nothing does.
    pub(super) undo: String,
    /// A failure puts it back by itself; else a person would have to.
    pub(super) by_itself: bool,
    /// It only goes forward from here.
    pub(super) committed: bool,
    /// Nothing puts it back, and it changes something: what it does stays.
    pub(super) stays: bool,
    /// The device restarts at its end.
    pub(super) restarts: bool,
    /// Who carries it out.
    pub(super) place: String,
    /// Permissions that can change something, as `tenant: permission`.
    pub(super) writes: Vec<String>,
}

/// A permission that can change something, and what uses it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Privilege {
    /// `origin` or `destination`.
    pub(super) tenant: String,
    /// Its name in Microsoft Graph.
    pub(super) permission: String,
    /// Operations that would run and need it.
    pub(super) ops: Vec<&'static str>,
}

/// Returns the operations that would run, in the order of the catalogue.
pub(super) fn steps(body: &Body) -> Vec<Step> {
    // Devices by chain first: a fleet has few chains.
    let mut by_chain = vec![0_usize; body.chains.len()];
    for device in body.devices.iter().filter(|device| runs(&device.standing)) {
        if let Some(count) = by_chain.get_mut(device.chain as usize) {
            *count += 1;
        }
    }
    let mut due: BTreeMap<Op, usize> = BTreeMap::new();
    for (chain, devices) in body.chains.iter().zip(&by_chain).filter(|(_, devices)| **devices > 0) {
        for change in chain.iter().filter(|change| change.1 == Action::Do) {
            *due.entry(change.0).or_default() += devices;
        }
    }
    for line in body.tenant.iter().filter(|line| line.action == Action::Do) {
        due.entry(line.op).or_default();
    }
    let known: BTreeMap<Op, &OperationLine> = body.operations.iter().map(|line| (line.op, line)).collect();
    due.into_iter().filter_map(|(op, devices)| known.get(&op).map(|line| step(line, devices))).collect()
}

/// Says whether devices that stand so run.
pub(super) fn runs(standing: &str) -> bool {
    matches!(standing, "migrate" | "resume")
}

fn step(line: &OperationLine, devices: usize) -> Step {
    let writes: Vec<String> = line
        .permissions
        .iter()
        .filter(|permission| permission.writes)
        .map(|permission| format!("{}: {}", permission.tenant, permission.permission))
        .collect();
    let committed = line.phase == "committed";
    Step {
        op: line.op.name(),
        action: line.action.clone(),
        done_when: line.done_when.clone(),
        devices,
        undo: line.undo.clone().unwrap_or_default(),
        by_itself: line.phase == "reversible",
        committed,
        stays: !committed && line.undo.is_none() && !writes.is_empty(),
        restarts: line.restarts,
        place: line.place.clone(),
        writes,
    }
}

/// Returns the permissions that can change something, with what would use them.
pub(super) fn privileges(steps: &[Step]) -> Vec<Privilege> {
    let mut by: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
    for step in steps {
        for write in &step.writes {
            by.entry(write).or_default().push(step.op);
        }
    }
    let split = |(name, ops): (&str, Vec<&'static str>)| {
        let (tenant, permission) = name.split_once(": ").unwrap_or(("", name));
        Privilege { tenant: tenant.to_owned(), permission: permission.to_owned(), ops }
    };
    by.into_iter().map(split).collect()
}

/// Returns what puts an operation back, and who does it: past the point of no return nothing is put back by itself.
pub(super) fn undo_words(line: &OperationLine) -> String {
    match (&line.undo, line.phase.as_str()) {
        (None, _) => String::new(),
        (Some(undo), "reversible") => undo.clone(),
        (Some(undo), _) => format!("by hand: {undo}"),
    }
}
