//! Faults that a world orders: which one strikes at an action, and how often it has.

use super::state::DeviceState;
use crate::lab::world::{Fault, FaultKind};
use crate::model::{DeviceName, Op, Sid};
use crate::port::DeviceAction;

/// Returns the operation that an action belongs to while it is carried out; none for actions that put back.
///
/// The port doesn't say which step is under way, and a world orders faults by step. Where several steps
/// make the same action the device's state tells them apart.
#[must_use]
pub fn op_of(state: &DeviceState, action: &DeviceAction) -> Option<Op> {
    let moved = state.is_entra_only() && state.facts.staging.installed_package.is_some();
    Some(match action {
        DeviceAction::Stage { .. } => Op::Stage,
        DeviceAction::Arm { .. } => Op::Arm,
        DeviceAction::EnsureRecoveryProtector => Op::EscrowBitlocker,
        DeviceAction::EscrowProtector(_) if moved => Op::EscrowBitlockerNew,
        DeviceAction::EscrowProtector(_) => Op::EscrowBitlocker,
        DeviceAction::UnjoinDomain => Op::UnjoinDomain,
        DeviceAction::LeaveEntra => Op::LeaveEntra,
        DeviceAction::RemoveMdm => Op::RemoveMdm,
        DeviceAction::RemoveConfigmgr => Op::RemoveConfigmgr,
        DeviceAction::PlacePackage { .. } | DeviceAction::InstallPackage(_) => Op::ApplyPackage,
        DeviceAction::WipePackage => Op::VerifyJoin,
        DeviceAction::Restart if state.facts.staging.banner => Op::ApplyPackage,
        DeviceAction::Restart => Op::RestoreLogonSurface,
        DeviceAction::SwapProfile { to, .. } if *to == state.habits.old_user => return None,
        DeviceAction::SwapProfile { .. } => Op::SwapProfile,
        DeviceAction::AddLocalMembers(_) => Op::RestoreLocalGroups,
        DeviceAction::CleanIdentity(_) => Op::CleanIdentityCaches,
        DeviceAction::RestoreLogonSurface => Op::RestoreLogonSurface,
        DeviceAction::SyncMdm => Op::VerifyEnrolment,
        DeviceAction::CleanUp { .. } => Op::CleanUp,
        DeviceAction::Unstage | DeviceAction::Disarm | DeviceAction::RemoveLocalMembers(_) => return None,
    })
}

/// Returns the faults of a world that can strike a device, with their places in the world's list.
pub fn of_device(faults: &[Fault], device: &DeviceName) -> Vec<(usize, Fault)> {
    faults
        .iter()
        .enumerate()
        .filter(|(_, fault)| fault.tenant.is_none())
        .filter(|(_, fault)| !matches!(fault.kind, FaultKind::Status { .. } | FaultKind::Dies { .. }))
        .filter(|(_, fault)| fault.device.as_deref().is_none_or(|name| DeviceName::new(name) == *device))
        .map(|(at, fault)| (at, fault.clone()))
        .collect()
}

/// Returns the first fault that strikes now, and counts it.
///
/// A fault without an operation strikes at every action, also at those that put back.
pub fn strike(
    state: &mut DeviceState,
    faults: &[(usize, Fault)],
    op: Option<Op>,
    fits: impl Fn(&FaultKind) -> bool,
) -> Option<FaultKind> {
    let (at, fault) = faults.iter().find(|(at, fault)| {
        fault.at.is_none_or(|wanted| Some(wanted) == op)
            && fits(&fault.kind)
            && fault.times.is_none_or(|times| state.faults_used.get(at).copied().unwrap_or(0) < times)
    })?;
    *state.faults_used.entry(*at).or_default() += 1;
    Some(fault.kind.clone())
}

/// Says whether the device is where a preflight would look at it: nothing of a migration is on it.
#[must_use]
pub fn before_stage(state: &DeviceState) -> bool {
    state.facts.staging.recorded.is_none() && state.facts.staging.installed_package.is_none()
}

/// Says whether the profile of a SID is still the one that was there at the start.
#[must_use]
pub fn owns(state: &DeviceState, sid: &Sid) -> bool {
    state.facts.profile_of(sid).is_some_and(|profile| profile.acl_owner == *sid)
}
