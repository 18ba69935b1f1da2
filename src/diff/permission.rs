//! Permissions of the application, held against what the operations that are due need.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Change, ChangeSet, DeviceChanges, Standing};
use crate::dag::{Blocker, Index, needs};
use crate::diag::{Code, Diagnostic};
use crate::model::{Op, OwnerRole, Permission, Side};

/// Says whether a granted permission covers a needed one (msgraph.md 5).
fn covers(granted: Permission, needed: Permission) -> bool {
    use Permission as P;
    let stronger: &[P] = match needed {
        P::UserReadAll | P::OrganizationReadAll => &[P::DirectoryReadAll],
        P::DeviceReadAll => &[P::DeviceReadWriteAll, P::DirectoryReadAll],
        P::GroupMemberReadAll => &[P::GroupMemberReadWriteAll, P::DirectoryReadAll],
        P::ManagedDevicesReadAll => &[P::ManagedDevicesReadWriteAll],
        P::ServiceConfigReadAll => &[P::ServiceConfigReadWriteAll],
        P::ConfigurationReadAll => &[P::ConfigurationReadWriteAll],
        _ => &[],
    };
    granted == needed || stronger.contains(&granted)
}

/// Permissions that operations need and the tokens lack, by operation.
pub(crate) type Missing<'a> = BTreeMap<Op, Vec<(&'a str, Permission)>>;

/// Code of the blocker of a device that needs a permission which isn't granted.
const BLOCKER: &str = "permission.missing";

/// Holds what was granted against what every operation needs. A token that doesn't say what it is granted
/// lacks nothing: the service will say so.
pub(crate) fn missing<'a>(index: &Index<'a>) -> Missing<'a> {
    let mut missing = Missing::new();
    for op in Op::ALL.iter().copied() {
        // An old computer is the directory's; only another tenant's Entra object needs Graph.
        if op == Op::RetireOldObject && index.one_tenant() {
            continue;
        }
        for need in needs(index.plan, op) {
            let side = match need.side {
                Side::Origin => index.origin(),
                Side::Destination => index.destination(),
            };
            let Some((tenant, state)) = side.and_then(|tenant| Some((tenant, tenant.state?))) else { continue };
            let Some(granted) = state.granted.known() else { continue };
            if !granted.iter().any(|granted| covers(*granted, need.permission)) {
                missing.entry(op).or_default().push((tenant.name, need.permission));
            }
        }
    }
    missing
}

fn lacks(tenant: &str, permission: Permission, op: Op) -> (String, String) {
    let permission = permission.as_str();
    (
        format!("the application in `{tenant}` lacks {permission}, which {op} needs"),
        format!("grant the application permission {permission} and consent to it, then plan again"),
    )
}

/// Blocks a device before its point of no return where an operation that it comes to would be refused: what
/// can't be ended isn't begun.
pub(crate) fn block(missing: &Missing<'_>, device: &mut DeviceChanges) {
    if missing.is_empty() || !matches!(device.standing, Standing::Migrate | Standing::Resume) {
        return;
    }
    let mut said = BTreeSet::new();
    let mut blockers = Vec::new();
    for change in device.changes.iter().filter(|change| change.action == Action::Do) {
        for (tenant, permission) in missing.get(&change.op).into_iter().flatten() {
            if said.insert((*tenant, *permission)) {
                let (message, next) = lacks(tenant, *permission, change.op);
                blockers.push(Blocker::new(BLOCKER, OwnerRole::Identity, message, next));
            }
        }
    }
    if !blockers.is_empty() {
        device.block(blockers);
    }
}

/// Adds a finding for each permission that an operation needs and the token lacks.
pub(crate) fn report(missing: &Missing<'_>, changes: &mut ChangeSet) {
    let mut due: BTreeMap<Op, bool> = BTreeMap::new();
    let mut add = |change: &Change, blocked: bool| {
        let now = change.action == Action::Do || (blocked && change.action == Action::Blocked);
        if now || change.action == Action::Wait {
            *due.entry(change.op).or_default() |= now;
        }
    };
    for device in &changes.devices {
        let blocked = matches!(&device.standing, Standing::Blocked(why) if why.iter().any(|one| one.code == BLOCKER));
        device.changes.iter().for_each(|change| add(change, blocked));
    }
    changes.tenant.iter().for_each(|tenant| add(&tenant.change, false));
    // What runs now speaks first: its findings are errors, those of later operations are warnings.
    let mut due: Vec<(Op, bool)> = due.into_iter().collect();
    due.sort_by_key(|(op, now)| (!*now, *op));
    let mut said: BTreeSet<(&str, Permission)> = BTreeSet::new();
    for (op, now) in due {
        for (tenant, permission) in missing.get(&op).into_iter().flatten() {
            if said.insert((*tenant, *permission)) {
                let (message, help) = lacks(tenant, *permission, op);
                let code = Code::PERMISSION_MISSING;
                let finding = if now { Diagnostic::error(code, message) } else { Diagnostic::warning(code, message) };
                changes.findings.push(finding.help(help));
            }
        }
    }
}
