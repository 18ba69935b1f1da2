//! What keeps a device from being migrated, found on the device and in its records.
//!
//! Users and profiles are `dag::map`'s; what couldn't be read and is needed blocks too: unknown never
//! leads to a change.

use crate::dag::{Blocker, Chain, Index, OpSet, Retiring, View, retiring};
use crate::model::{DeviceFacts, JoinState, Known, Op, OwnerRole, Scenario};
use crate::plan::ExclusionKind;
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
    join(index, view, facts, into);
    mdm(index, view, facts, into);
    let edition = facts.identity.edition.as_str();
    if edition.to_ascii_lowercase().starts_with("core") || edition.to_ascii_lowercase().contains("home") {
        into.push(endpoint(
            "device.home-edition",
            format!("{}: Windows edition {edition} can't join Microsoft Entra ID", view.device),
            "upgrade it to Pro, Enterprise or Education, or exclude it",
        ));
    }
    if facts.bitlocker.converting {
        into.push(endpoint(
            "device.bitlocker-converting",
            format!("{}: its volume is being encrypted or decrypted", view.device),
            "wait until that has ended, then let the agent report again",
        ));
    }
    if view.old.device_id.is_some() && view.old.device.is_none() {
        let gap = index.origin().is_none_or(|origin| origin.devices.gap.is_some());
        if !gap {
            into.push(endpoint(
                "device.entra-object-missing",
                format!("{}: the tenant has no object for its registration any more", view.device),
                "find out who removed it and restore it; old records stay until the move is verified",
            ));
        }
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

fn join(index: &Index<'_>, view: &View<'_>, facts: &DeviceFacts, into: &mut Vec<Blocker>) {
    let device = &view.device;
    let state = facts.join_state();
    let supported = match index.plan.scenario {
        Scenario::AdToEntra => state == JoinState::Ad,
        Scenario::HybridToEntra => state == JoinState::Hybrid,
        Scenario::TenantToTenant => state != JoinState::Workgroup,
    };
    if !supported {
        let next = match state {
            JoinState::Workgroup => "join it to the domain again, or set it up afresh",
            JoinState::Ad => "complete its hybrid registration, or put it into an `ad-to-entra` plan",
            JoinState::Hybrid => "put it into a `hybrid-to-entra` plan",
            JoinState::Entra => "exclude it, or put it into a `tenant-to-tenant` plan",
        };
        let message = format!("{device} is {}, which {} doesn't move", state.as_str(), index.plan.scenario.as_str());
        into.push(endpoint("device.join-unsupported", message, next));
    }
    let origin = index.origin().map(|tenant| (tenant.id, tenant.name));
    if let (Some(entra), Some((id, name))) = (&facts.entra, origin)
        && entra.tenant != id
    {
        let message = format!("{device} is registered in tenant {}, not in `{name}` ({id})", entra.tenant);
        into.push(endpoint("device.wrong-tenant", message, "take it out of this plan, or mend the tenant's id"));
    }
    if let (Some(domain), Some(directory)) = (&facts.domain, &index.plan.directory)
        && !domain.domain.eq_ignore_ascii_case(&directory.domain)
    {
        let message = format!("{device} is joined to {}, not to {}", domain.domain, directory.domain);
        into.push(endpoint("device.wrong-domain", message, "take it out of this plan, or mend the directory section"));
    }
}

fn mdm(index: &Index<'_>, view: &View<'_>, facts: &DeviceFacts, into: &mut Vec<Blocker>) {
    let Some(mdm) = &facts.mdm else { return };
    let excepted = |e: &crate::plan::Exclusion| {
        e.is_live(index.plan.as_of) && matches!(&e.of, ExclusionKind::Check(check) if check == "dev.mdm")
    };
    // Intune's provider id (domain.md B1.1); anything else is another vendor's.
    if mdm.provider != "MS DM Server" && !index.plan.exclusions.iter().any(excepted) {
        into.push(endpoint(
            "device.third-party-mdm",
            format!("{}: it is managed by `{}`", view.device, mdm.provider),
            "remove that management, or add an exclusion for check `dev.mdm` with an owner and an end",
        ));
    }
    let origin = index.origin().map(|tenant| tenant.id);
    if let (Some(tenant), Some(origin)) = (mdm.tenant, origin)
        && tenant != origin
    {
        let message = format!("{}: it is enrolled with tenant {tenant}, not with {origin}", view.device);
        into.push(endpoint("device.wrong-tenant", message, "end that enrolment, or take the device out of this plan"));
    }
}

/// Returns the beginning of a reason: the finding of the whole plan says the rest, with request ids.
fn brief(why: &str) -> &str {
    why.split("; ").next().unwrap_or(why)
}

/// Collects what the remaining operations need to know and what couldn't be read.
pub(crate) fn unread(index: &Index<'_>, view: &View<'_>, chain: &Chain, satisfied: OpSet, into: &mut Vec<Blocker>) {
    let due = |op: Op| chain.ops.has(op) && !satisfied.has(op);
    let mut gap = |code, what: &str, tenant: &str, why: Option<&str>, owner| {
        if let Some(why) = why {
            let message = format!("{what} of `{tenant}` couldn't be read: {}", brief(why));
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
