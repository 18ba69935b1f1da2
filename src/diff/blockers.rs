//! What keeps a device from being migrated and is no prerequisite: another machine of its name, a person who has to
//! act first, lists that couldn't be read and are needed: unknown never leads to a change.
//!
//! What a device, its user and its profile have to be is readiness'.

use crate::dag::{Blocker, Chain, Index, OpSet, Retiring, View, retiring};
use crate::model::{DeviceFacts, Known, Op, OwnerRole, Scenario, words};
use crate::state::Outcome;

fn endpoint(code: &'static str, message: String, next: &str) -> Blocker {
    Blocker::new(code, OwnerRole::Endpoint, message, next)
}

/// Returns the facts, or why there are none.
pub(crate) fn evidence<'a>(view: &View<'a>) -> Result<&'a DeviceFacts, Blocker> {
    let device = &view.device;
    match view.evidence {
        Some(Known::Known(_)) if view.past && view.has_stale_evidence() => Err(endpoint(
            "device.no-evidence",
            format!("{device}: its last report is older than the point where an earlier run committed it"),
            "let the agent on the device report again, or go on with `opsole apply --resume`",
        )),
        Some(Known::Known(evidence)) => Ok(&evidence.facts),
        Some(Known::Unknown(why)) => Err(endpoint(
            "device.no-evidence",
            format!("{device}: its agent's report couldn't be read: {why}"),
            "start the agent on the device and plan again",
        )),
        Some(Known::Absent) | None if view.seen => Err(endpoint(
            "device.no-evidence",
            format!("{device}: no agent on it has reported yet"),
            "install and start the agent on the device, then plan again",
        )),
        Some(Known::Absent) | None => Err(endpoint(
            "device.not-observed",
            format!("{device}: neither an agent nor the tenant nor the directory knows it"),
            "check the name in the inventory, or start the agent on the device",
        )),
    }
}

/// Collects what is wrong with the device itself. `past` devices are only held up by what a person has to do.
pub(crate) fn device(index: &Index<'_>, view: &View<'_>, facts: &DeviceFacts, into: &mut Vec<Blocker>) {
    recovery(index, view, into);
    if let Some(expected) = view.row.and_then(|row| row.serial.as_deref())
        && !expected.eq_ignore_ascii_case(&facts.identity.serial)
    {
        into.push(endpoint(
            "device.serial-mismatch",
            format!("{}: the inventory says serial {expected}, the device says {}", view.device, facts.identity.serial),
            "two machines share the name, or the inventory is wrong: mend one of them",
        ));
    }
    if view.past {
        return;
    }
    if view.computer.is_some_and(|computer| computer.domain_controller) {
        into.push(endpoint(
            "device.domain-controller",
            format!("{} is a domain controller, and those are never touched", view.device),
            "take it out of the inventory",
        ));
    }
}

fn recovery(index: &Index<'_>, view: &View<'_>, into: &mut Vec<Blocker>) {
    let Some(Outcome::RecoveryRequired(problem)) = view.record.and_then(|record| record.outcome.as_ref()) else {
        return;
    };
    let check = format!("recovery.{}", view.device);
    if super::gate::is_attested(index.plan, &check) {
        return;
    }
    let next = problem.next.as_deref().unwrap_or("look at the device with `opsole status`");
    into.push(Blocker::new(
        "device.recovery-required",
        OwnerRole::ProjectLead,
        format!("{}: {}", view.device, problem.message),
        format!("{next}; then attest it in the plan as check `{check}`, so that the rest is done"),
    ));
}

/// Collects what the remaining operations need to know and what couldn't be read.
pub(crate) fn unread(index: &Index<'_>, view: &View<'_>, chain: &Chain, satisfied: OpSet, into: &mut Vec<Blocker>) {
    let due = |op: Op| chain.ops.has(op) && !satisfied.has(op);
    let mut gap = |code, what: &str, tenant: &str, why: Option<&str>, owner| {
        if let Some(why) = why {
            let message = format!("{what} of `{tenant}` couldn't be read: {}", words::brief(why));
            into.push(Blocker::new(code, owner, message, "mend what stops the reading and plan again"));
        }
    };
    let who = OwnerRole::Identity;
    if let Some(origin) = index.origin() {
        let before = due(Op::SnapshotCloud);
        if before || due(Op::RetireOldObject) {
            gap("observation.devices", "Entra devices", origin.name, origin.devices.gap, who);
        }
        if before || due(Op::RetireOldIntune) {
            gap("observation.managed-devices", "Intune devices", origin.name, origin.managed.gap, who);
        }
        let restores = index.plan.features.on.has(crate::model::Feature::GroupRestore);
        if restores && (before || due(Op::RestoreGroups)) {
            gap("observation.groups", "groups", origin.name, origin.groups.gap, who);
        }
        if due(Op::EscrowBitlocker) {
            gap("observation.recovery-keys", "recovery keys", origin.name, origin.keys.gap, who);
        }
        let moves_autopilot = index.plan.scenario == Scenario::TenantToTenant
            && index.plan.features.on.has(crate::model::Feature::Autopilot);
        if moves_autopilot && (before || due(Op::RetireOldAutopilot)) {
            gap("observation.autopilot", "Autopilot identities", origin.name, origin.autopilot.gap, who);
        }
    }
    if let Some(to) = index.destination() {
        if due(Op::VerifyEnrolment) && !index.one_tenant() {
            gap("observation.managed-devices", "Intune devices", to.name, to.managed.gap, who);
        }
        if due(Op::EscrowBitlockerNew) && !due(Op::EscrowBitlocker) {
            gap("observation.recovery-keys", "recovery keys", to.name, to.keys.gap, who);
        }
        if due(Op::VerifyLaps) {
            gap("observation.laps", "LAPS backups", to.name, to.laps.gap, who);
        }
        if due(Op::AssignConfiguration) {
            gap("observation.profiles", "configuration profiles", to.name, to.profiles.gap, who);
        }
        if due(Op::ImportAutopilot) {
            gap("observation.autopilot", "Autopilot identities", to.name, to.autopilot.gap, who);
        }
    }
    if due(Op::RetireOldObject) && matches!(retiring(index, view), Retiring::Computer(_)) {
        let domain = index.plan.directory.as_ref().map_or("the directory", |directory| &directory.domain);
        gap("observation.directory", "computers", domain, index.computers.gap, OwnerRole::Directory);
    }
}
