//! Which operations a device takes: scenario, features, and what it has to leave or to carry along.

use super::{Index, OpSet, Scope, View, spec};
use crate::model::{Feature, JoinState, Op, RetirePolicy, Scenario};

/// What `device.retire-old-object` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retiring {
    /// Nothing is known to retire.
    Nothing,
    /// The directory section says to keep computers.
    Kept,
    /// The computer object, as the directory section says.
    Computer(RetirePolicy),
    /// The old tenant's Entra object.
    EntraObject,
}

/// Returns the device operations that a plan knows, before looking at any device.
#[must_use]
pub fn known_ops(scenario: Scenario) -> OpSet {
    Op::ALL
        .iter()
        .copied()
        .filter(|op| spec(*op).scope == Scope::Device && spec(*op).scenarios.contains(&scenario))
        .collect()
}

/// Returns what the old object is that goes last. The Entra half of a hybrid device never goes alone: it
/// follows its computer by synchronisation, and would come back otherwise (domain.md B8, B10).
#[must_use]
pub fn retiring(index: &Index<'_>, view: &View<'_>) -> Retiring {
    let join = view.origin_join.or_else(|| expected(index.plan.scenario));
    match join {
        Some(JoinState::Ad | JoinState::Hybrid) => {
            let Some(directory) = &index.plan.directory else { return Retiring::Nothing };
            let has = view.computer.is_some() || view.record.is_some_and(|record| record.old_computer.is_some());
            match directory.retire {
                RetirePolicy::Keep => Retiring::Kept,
                // Without the directory nothing can be said; the device is blocked for it elsewhere.
                policy if has || index.computers.gap.is_some() => Retiring::Computer(policy),
                _ => Retiring::Nothing,
            }
        }
        Some(JoinState::Entra) => {
            let has = view.old.device_id.is_some() || view.old.device.is_some();
            if has { Retiring::EntraObject } else { Retiring::Nothing }
        }
        Some(JoinState::Workgroup) | None => Retiring::Nothing,
    }
}

fn expected(scenario: Scenario) -> Option<JoinState> {
    match scenario {
        Scenario::AdToEntra => Some(JoinState::Ad),
        Scenario::HybridToEntra => Some(JoinState::Hybrid),
        Scenario::TenantToTenant => None,
    }
}

/// Returns the operations that a device's graph holds.
#[must_use]
pub fn present(index: &Index<'_>, view: &View<'_>) -> OpSet {
    let features = index.plan.features.on;
    let mut ops: OpSet =
        known_ops(index.plan.scenario).iter().filter(|op| spec(*op).feature.is_none_or(|f| features.has(f))).collect();
    let mut only_if = |op: Op, has: bool| {
        if !has {
            ops = ops.without(op);
        }
    };
    let join = view.origin_join.or_else(|| expected(index.plan.scenario));
    let facts = view.facts();
    let record = view.record;
    only_if(Op::UnjoinDomain, matches!(join, Some(JoinState::Ad | JoinState::Hybrid)));
    only_if(Op::LeaveEntra, matches!(join, Some(JoinState::Hybrid | JoinState::Entra)));
    let target = index.destination().map(|tenant| tenant.id);
    let enrolled = facts
        .and_then(|facts| facts.mdm.as_ref())
        .is_some_and(|mdm| target.is_none_or(|target| !view.is_new_enrolment(mdm, target)));
    let old_intune = view.old.managed.is_some() || record.is_some_and(|r| r.old_intune.is_some());
    only_if(Op::RemoveMdm, enrolled || (old_intune && (facts.is_none() || view.past)));
    let configmgr = facts.is_some_and(|f| f.configmgr) || record.is_some_and(|r| r.done.contains(&Op::RemoveConfigmgr));
    only_if(Op::RemoveConfigmgr, configmgr);
    // One and the same record before and after would be the new enrolment's.
    let same =
        view.past && view.old.managed.is_some() && view.old.managed.map(|m| m.id) == view.new.managed.map(|m| m.id);
    only_if(Op::RetireOldIntune, old_intune && !same);
    let encrypted = facts.is_none_or(|facts| facts.bitlocker.encrypted);
    only_if(Op::EscrowBitlocker, encrypted);
    only_if(Op::EscrowBitlockerNew, encrypted);
    let autopilot = view.old.autopilot.is_some() || record.is_some_and(|r| r.old_autopilot.is_some());
    only_if(Op::RetireOldAutopilot, autopilot);
    only_if(Op::ImportAutopilot, autopilot);
    only_if(Op::AssignConfiguration, index.plan.features.profiles.is_some());
    // Observing reads the groups that the plan names and no others: before the move nobody knows in which ones a
    // device is, and what isn't known isn't absent. The record that is taken then tells.
    let in_groups = super::groups::has_groups(index, view) || (!view.past && view.old.device.is_some());
    only_if(Op::RestoreGroups, features.has(Feature::GroupRestore) && in_groups);
    only_if(Op::RetireOldObject, matches!(retiring(index, view), Retiring::Computer(_) | Retiring::EntraObject));
    ops
}
