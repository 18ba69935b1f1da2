//! The graph of one list of changes: operations by phase, in the order in which they may run.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cluster, Edge, Graph, Look, Node, settle};
use crate::dag::{Phase, spec};
use crate::diff::{Action, Change};
use crate::model::Op;
use crate::render::plan_group::reason_text;
use crate::render::words::{brief, count};
use crate::sealed::{Body, ChangeLine, DeviceLine, OperationLine, operation_line};

/// Returns the chain of one device of a sealed plan, with what each operation changes on it.
#[must_use]
pub fn of_device(body: &Body, device: &DeviceLine) -> Graph {
    let effects = device.effects.iter().map(|line| (line.0, (body.text(line.1), body.text(line.2)))).collect();
    build(&device.name, body.chain(device), &|op| body.operation(op).cloned(), &effects)
}

/// Returns one of the distinct chains of a sealed plan, by its position; empty where there is none.
#[must_use]
pub fn of_chain(body: &Body, at: u32) -> Graph {
    let changes = body.chains.get(at as usize).map_or(&[][..], Vec::as_slice);
    let devices = body.devices.iter().filter(|device| device.chain == at).count();
    build(&count(devices, "device"), changes, &|op| body.operation(op).cloned(), &BTreeMap::new())
}

/// Returns the chain of a device as it was decided, without a sealed plan. Effects are what is there before and after an
/// operation.
#[must_use]
pub fn of_changes(subject: &str, changes: &[Change], effects: &BTreeMap<Op, (String, String)>) -> Graph {
    let changes: Vec<ChangeLine> =
        changes.iter().map(|change| ChangeLine(change.op, change.action, change.reason)).collect();
    let effects = effects.iter().map(|(op, (before, after))| (*op, (before.as_str(), after.as_str()))).collect();
    build(subject, &changes, &|op| Some(operation_line(op)), &effects)
}

fn build(
    subject: &str,
    changes: &[ChangeLine],
    operation: &dyn Fn(Op) -> Option<OperationLine>,
    effects: &BTreeMap<Op, (&str, &str)>,
) -> Graph {
    // What is left out on purpose says little in a picture; a device that is left out altogether says just that.
    let all = changes.iter().all(|change| change.1 == Action::Skip);
    let shown: Vec<&ChangeLine> = changes.iter().filter(|change| all || change.1 != Action::Skip).collect();
    let place: BTreeMap<Op, usize> = shown.iter().enumerate().map(|(at, change)| (change.0, at)).collect();
    let rows: Vec<(Op, Option<OperationLine>)> = shown.iter().map(|change| (change.0, operation(change.0))).collect();
    let phases: Vec<usize> = rows.iter().map(|(op, row)| phase(*op, row.as_ref())).collect();
    let used: BTreeSet<usize> = phases.iter().copied().collect();
    let clusters: Vec<Cluster> = used.iter().map(|phase| cluster(*phase)).collect();
    let nodes = shown
        .iter()
        .zip(&rows)
        .zip(&phases)
        .map(|((change, (_, row)), phase)| Node {
            cluster: used.iter().position(|one| one == phase),
            committed: *phase == 1,
            ..node(change, row.as_ref(), effects.get(&change.0).copied())
        })
        .collect();
    let mut edges = BTreeSet::new();
    for (to, (op, row)) in rows.iter().enumerate() {
        for before in before(*op, row.as_ref(), &place, operation) {
            edges.insert(Edge { from: before, to });
        }
    }
    let (nodes, edges) = settle(nodes, &edges);
    let due = shown.iter().filter(|change| change.1 == Action::Do).count();
    let hidden = changes.len() - shown.len();
    let hidden =
        if hidden > 0 { format!(" {} left out on purpose and not shown.", is_are(hidden)) } else { String::new() };
    Graph {
        title: format!("Operations of {subject}"),
        description: format!(
            "{} in an order of execution, {due} of them due.{hidden}",
            count(nodes.len(), "operation")
        ),
        clusters,
        nodes,
        edges,
    }
}

fn is_are(number: usize) -> String {
    if number == 1 { "1 more is".to_owned() } else { format!("{number} more are") }
}

/// Returns what comes before an operation among those that are shown: where a predecessor isn't, its own predecessors
/// stand in for it. A sealed plan tells of the operations that stand in it; the catalogue tells of the rest.
fn before(
    op: Op,
    row: Option<&OperationLine>,
    place: &BTreeMap<Op, usize>,
    operation: &dyn Fn(Op) -> Option<OperationLine>,
) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open: Vec<Op> = row.map_or_else(|| spec(op).after.to_vec(), |row| row.after.clone());
    let mut seen = BTreeSet::new();
    while let Some(one) = open.pop() {
        if !seen.insert(one) {
            continue;
        }
        match place.get(&one) {
            Some(at) => {
                found.insert(*at);
            }
            None => open.extend(operation(one).map_or_else(|| spec(one).after.to_vec(), |row| row.after)),
        }
    }
    found
}

fn phase(op: Op, row: Option<&OperationLine>) -> usize {
    match row.map(|row| row.phase.as_str()) {
        Some("reversible") => 0,
        Some("committed") => 1,
        Some("finishing") => 2,
        _ => match spec(op).phase {
            Phase::Reversible => 0,
            Phase::Committed => 1,
            Phase::Finishing => 2,
        },
    }
}

fn cluster(phase: usize) -> Cluster {
    let (id, label, no_return) = match phase {
        0 => ("reversible", "a failure puts everything back", false),
        1 => ("committed", "only forward", true),
        _ => ("finishing", "migrated: the device can be used", false),
    };
    Cluster { id: id.to_owned(), label: label.to_owned(), no_return }
}

fn node(change: &ChangeLine, row: Option<&OperationLine>, effect: Option<(&str, &str)>) -> Node {
    let ChangeLine(op, action, reason) = *change;
    let look = match action {
        Action::Do => Look::Do,
        Action::Nothing => Look::Nothing,
        Action::Wait => Look::Wait,
        Action::Skip => Look::Skip,
        Action::Blocked => Look::Blocked,
    };
    let mut more = vec![format!("{}: {}", look.words(), reason_text(reason))];
    if let Some(row) = row {
        more.push(format!("does: {}", row.action));
        more.push(format!("done when: {}", row.done_when));
        more.extend(row.undo.as_ref().map(|undo| format!("undo: {undo}")));
    }
    if let Some((before, after)) = effect {
        more.push(format!("before: {before}"));
        more.push(format!("after: {after}"));
    }
    let name = op.name();
    Node {
        id: name.to_owned(),
        label: name.strip_prefix("device.").unwrap_or(name).to_owned(),
        lines: vec![brief(op).to_owned()],
        more,
        look,
        committed: false,
        own: false,
        cluster: None,
    }
}
