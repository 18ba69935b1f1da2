//! Devices that take the same operations, as blocks: the first list is written out, later ones are told by how
//! they differ from it.

use std::collections::BTreeMap;

use super::page::{Page, Paint};
use super::plan_group::{Group, Kind};
use super::words::count;
use crate::dag::{OpSet, Phase, spec};
use crate::diff::{Action, Change, Reason};
use crate::model::Op;

/// Blocks that are shown for one wave.
const GROUPS_MAX: usize = 6;
/// Operations that are named as a difference; beyond it the list itself is clearer.
const DIFFERENCE_MAX: usize = 4;

/// What is on the page already.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// The list that was written out.
    base: Option<OpSet>,
    /// Lists that were told in any way.
    told: Vec<OpSet>,
}

fn due(kind: Kind) -> Action {
    if kind == Kind::Waiting { Action::Wait } else { Action::Do }
}

fn names(ops: OpSet) -> String {
    ops.iter().map(Op::name).collect::<Vec<_>>().join(", ")
}

impl Blocks {
    /// Writes what a wave's devices take. Devices that wait for what is told already take no line: the wave's
    /// title counts them.
    pub(super) fn wave(&mut self, page: &mut Page, groups: &[&Group<'_>], chains: &[&[Change]]) {
        // Reasons may differ where operations don't: those are one block.
        let mut blocks: Vec<(Kind, OpSet, Vec<&Group<'_>>)> = Vec::new();
        for group in groups.iter().filter(|g| matches!(g.kind, Kind::Migrate | Kind::Resume | Kind::Waiting)) {
            let Some(chain) = chains.get(group.chain as usize) else { continue };
            let due = due(group.kind);
            let ops: OpSet = chain.iter().filter(|change| change.action == due).map(|change| change.op).collect();
            if group.kind == Kind::Waiting && self.told.contains(&ops) {
                continue;
            }
            match blocks.iter_mut().find(|(kind, known, _)| (*kind, *known) == (group.kind, ops)) {
                Some((.., list)) => list.push(group),
                None => blocks.push((group.kind, ops, vec![group])),
            }
        }
        // The largest block is what the others are compared with.
        let size = |list: &[&Group<'_>]| list.iter().map(|group| group.devices.len()).sum::<usize>();
        blocks.sort_by_key(|(kind, _, list)| (*kind, std::cmp::Reverse(size(list))));
        let rest = blocks.split_off(blocks.len().min(GROUPS_MAX));
        for (kind, ops, list) in &blocks {
            let mut devices: Vec<&str> =
                list.iter().flat_map(|group| &group.devices).map(|device| device.device.as_str()).collect();
            devices.sort_unstable();
            let Some(chain) = list.first().and_then(|group| chains.get(group.chain as usize)) else { continue };
            self.block(page, *kind, *ops, &devices, chain);
        }
        if !rest.is_empty() {
            let devices: usize = rest.iter().map(|(.., list)| size(list)).sum();
            let words = format!(
                "{} take {} more lists of operations; `opsole plan --device D` shows one.",
                count(devices, "device"),
                rest.len()
            );
            page.line(2, &words);
        }
    }

    fn block(&mut self, page: &mut Page, kind: Kind, ops: OpSet, devices: &[&str], chain: &[Change]) {
        let one = devices.len() == 1;
        let verb = match (kind, one) {
            (Kind::Waiting, _) => "would take",
            (Kind::Resume, true) => "goes on with",
            (Kind::Resume, false) => "go on with",
            (_, true) => "takes",
            (_, false) => "take",
        };
        let what = match self.base {
            None => Some(count(ops.len(), "operation")),
            Some(base) => difference(base, ops),
        };
        let (what, list) = match what {
            Some(what) => (what, false),
            None => (count(ops.len(), "operation"), true),
        };
        page.blank();
        page.line(2, &format!("{} {verb} {what}:", count(devices.len(), "device")));
        page.names(4, devices.iter().copied());
        self.told.push(ops);
        if list {
            page.wrapped("    ", 4, &names(ops), Paint::Dim);
        }
        if self.base.is_some() {
            return;
        }
        self.base = Some(ops);
        let due = due(kind);
        let mut crossed = false;
        for change in chain.iter().filter(|change| change.action == due) {
            if !crossed && spec(change.op).phase == Phase::Committed {
                crossed = true;
                page.boundary();
            }
            page.operation(change);
        }
        let mut reasons: BTreeMap<Reason, Vec<Op>> = BTreeMap::new();
        for change in chain.iter().filter(|change| change.action != due) {
            reasons.entry(change.reason).or_default().push(change.op);
        }
        for (reason, ops) in reasons {
            page.left_alone(reason, &ops);
        }
    }
}

/// Returns how a list of operations differs from the one that was written out; none where that is no shorter
/// than the list.
fn difference(base: OpSet, ops: OpSet) -> Option<String> {
    let less: OpSet = base.iter().filter(|op| !ops.has(*op)).collect();
    let more: OpSet = ops.iter().filter(|op| !base.has(*op)).collect();
    if less.is_empty() && more.is_empty() {
        return Some(format!("the same {}", count(ops.len(), "operation")));
    }
    if less.len() + more.len() <= DIFFERENCE_MAX {
        let mut parts = Vec::new();
        if !less.is_empty() {
            parts.push(format!("without {}", names(less)));
        }
        if !more.is_empty() {
            parts.push(format!("with {}", names(more)));
        }
        return Some(format!("the same operations {}", parts.join(" and ")));
    }
    // What an earlier run left is most often the end of the list.
    let first = ops.iter().next()?;
    let end: OpSet = base.iter().filter(|op| *op >= first).collect();
    (end == ops).then(|| format!("the last {} of these, from {first} on", count(ops.len(), "operation")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a difference that is told wrong: what is missing as what is more, or an end that isn't one.
    #[test]
    fn lists_are_told_by_their_difference() {
        let base: OpSet = Op::ALL.iter().copied().filter(|op| *op < Op::RestorePackageAccount).collect();
        assert_eq!(difference(base, base).expect("short"), format!("the same {} operations", base.len()));
        let less = base.without(Op::RemoveConfigmgr);
        let words = difference(base, less).expect("short");
        assert_eq!(words, "the same operations without device.remove-configmgr");
        let words = difference(less, base).expect("short");
        assert_eq!(words, "the same operations with device.remove-configmgr");
        let end: OpSet = base.iter().filter(|op| *op >= Op::VerifyExit).collect();
        let words = difference(base, end).expect("short");
        assert_eq!(words, format!("the last {} operations of these, from device.verify-exit on", end.len()));
        assert_eq!(difference(base, end.without(Op::RetireOldObject)), None);
    }
}
