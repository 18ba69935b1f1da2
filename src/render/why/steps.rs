//! Operations with their reasons: what live plans and sealed plans have in common.

use std::collections::{BTreeMap, BTreeSet};

use super::{CheckWhy, PermissionWhy, Step};
use crate::dag::spec;
use crate::diff::{Action, Change};
use crate::knowledge::guards;
use crate::model::{Check, Op, Scenario};
use crate::render::plan_group::reason_text;
use crate::sealed::OperationLine;

/// Where the parts of a step come from.
pub(super) struct Source<'a> {
    pub(super) scenario: Scenario,
    pub(super) operation: &'a dyn Fn(Op) -> OperationLine,
    pub(super) effect: &'a dyn Fn(Op) -> Option<(String, String)>,
    pub(super) checks: &'a dyn Fn(Check) -> Vec<CheckWhy>,
    pub(super) granted: &'a dyn Fn(&str, &str) -> Option<bool>,
}

/// Returns the operations that were asked for; all where none was.
pub(super) fn steps(changes: &[Change], only: Option<Op>, source: &Source<'_>) -> Vec<Step> {
    // What has to come first is told among what really runs; an operation that doesn't run waits for nothing.
    let runs: BTreeSet<Op> =
        changes.iter().filter(|change| change.action != Action::Skip).map(|change| change.op).collect();
    let waits: BTreeMap<Op, Vec<Op>> = runs.iter().map(|op| (*op, before(*op, &runs, source.operation))).collect();
    let step = |change: &Change| {
        let row = (source.operation)(change.op);
        // What doesn't run changes nothing.
        let runs = matches!(change.action, Action::Do | Action::Wait);
        let effect = if runs { (source.effect)(change.op) } else { None };
        let needed = waits.iter().filter(|(_, before)| before.contains(&change.op)).map(|(op, _)| *op);
        let (before, after) = effect.map_or((None, None), |(before, after)| (Some(before), Some(after)));
        Step {
            op: change.op,
            action: change.action,
            reason: change.reason,
            because: reason_text(change.reason).to_owned(),
            due: due(change.op, source.scenario),
            does: row.action,
            done_when: row.done_when,
            undo: row.undo,
            phase: row.phase,
            place: row.place,
            before,
            after,
            waits_for: waits.get(&change.op).cloned().unwrap_or_default(),
            needed_by: needed.collect(),
            checks: guards(change.op).iter().flat_map(|check| (source.checks)(*check)).collect(),
            permissions: row
                .permissions
                .into_iter()
                .map(|one| PermissionWhy {
                    granted: (source.granted)(&one.tenant, &one.permission),
                    tenant: one.tenant,
                    permission: one.permission,
                    writes: one.writes,
                })
                .collect(),
        }
    };
    changes.iter().filter(|change| only.is_none_or(|only| only == change.op)).map(step).collect()
}

/// Returns what comes right before an operation among those that are there: what isn't is stood in for by what comes
/// before it.
fn before(op: Op, there: &BTreeSet<Op>, operation: &dyn Fn(Op) -> OperationLine) -> Vec<Op> {
    let mut found = BTreeSet::new();
    let mut open = operation(op).after;
    let mut seen = BTreeSet::new();
    while let Some(one) = open.pop() {
        if there.contains(&one) {
            found.insert(one);
        } else if seen.insert(one) {
            open.extend(operation(one).after);
        }
    }
    found.into_iter().collect()
}

/// Says what makes an operation part of a plan.
fn due(op: Op, scenario: Scenario) -> String {
    let row = spec(op);
    let all = [Scenario::AdToEntra, Scenario::HybridToEntra, Scenario::TenantToTenant];
    let scenario = if all.iter().all(|one| row.scenarios.contains(one)) {
        "part of every move".to_owned()
    } else {
        format!("part of {}", scenario.as_str())
    };
    match row.feature {
        Some(feature) => format!("{scenario}, where the feature `{}` is on", feature.as_str()),
        None => scenario,
    }
}
