//! Permissions of the application, held against what the operations that are due need.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Change, ChangeSet, DeviceChanges, Standing, TenantChange};
use crate::dag::{Blocker, Index, Maker, uses};
use crate::diag::{Code, Diagnostic};
use crate::model::{Check, Op, OwnerRole, Permission, Side};

/// Permissions that the tokens lack, by who needs them.
pub(crate) type Missing<'a> = BTreeMap<Maker, Vec<(&'a str, Permission)>>;

/// Code of the blocker of a device that needs a permission which isn't granted.
const BLOCKER: &str = "permission.missing";

/// Holds what was granted against what planning and every operation need. A token that doesn't say what it is granted
/// lacks nothing: the service will say so.
pub(crate) fn missing<'a>(index: &Index<'a>) -> Missing<'a> {
    let mut missing = Missing::new();
    for one in uses().iter().filter(|one| one.applies(index.plan)) {
        let side = match one.side {
            Side::Origin => index.origin(),
            Side::Destination => index.destination(),
        };
        let Some((tenant, state)) = side.and_then(|tenant| Some((tenant, tenant.state?))) else { continue };
        let Some(granted) = state.granted.known() else { continue };
        for permission in one.call.lacks(granted) {
            let list = missing.entry(one.maker).or_default();
            if !list.contains(&(tenant.name, permission)) {
                list.push((tenant.name, permission));
            }
        }
    }
    missing
}

fn lacks(tenant: &str, permission: Permission, maker: Maker) -> (String, String) {
    let permission = permission.as_str();
    let for_what = match maker {
        Maker::Part(part) => format!("reading {} needs", part.as_str()),
        Maker::Op(op) => format!("{op} needs"),
    };
    (
        format!("the application in `{tenant}` lacks {permission}, which {for_what}"),
        format!("grant the application permission {permission} and consent to it, then plan again"),
    )
}

fn of_reads<'m, 'a>(missing: &'m Missing<'a>) -> impl Iterator<Item = (Maker, &'m Vec<(&'a str, Permission)>)> {
    missing.iter().filter(|(maker, _)| matches!(maker, Maker::Part(_))).map(|(maker, list)| (*maker, list))
}

/// Blocks a device before its point of no return where an operation that it comes to would be refused: what
/// can't be ended isn't begun. Every device rests on what planning reads.
pub(crate) fn block(missing: &Missing<'_>, device: &mut DeviceChanges) {
    if missing.is_empty() || !matches!(device.standing, Standing::Migrate | Standing::Resume) {
        return;
    }
    let due = device.changes.iter().filter(|change| change.action == Action::Do).map(|change| Maker::Op(change.op));
    let due: Vec<Maker> = due.collect();
    if due.is_empty() {
        return;
    }
    let ops = due.into_iter().filter_map(|maker| Some((maker, missing.get(&maker)?)));
    block_for(ops.chain(of_reads(missing)), device);
}

/// Blocks a device that would join with a package whose exclusion is to be opened first, where that would be refused.
pub(crate) fn block_opening(missing: &Missing<'_>, openings: &[TenantChange], device: &mut DeviceChanges) {
    let maker = Maker::Op(Op::ExcludePackageAccount);
    let Some(list) = missing.get(&maker) else { return };
    let joins = device.changes.iter().any(|change| change.op == Op::ApplyPackage && change.action == Action::Do);
    let Some(task) = device.task.as_ref().filter(|_| joins) else { return };
    let opens = |one: &TenantChange| {
        one.change.op == Op::ExcludePackageAccount
            && matches!(one.change.action, Action::Do | Action::Wait)
            && one.package == task.package
    };
    if openings.iter().any(opens) {
        block_for(std::iter::once((maker, list)), device);
    }
}

fn block_for<'m, 'a: 'm>(
    lists: impl Iterator<Item = (Maker, &'m Vec<(&'a str, Permission)>)>,
    device: &mut DeviceChanges,
) {
    let mut said = BTreeSet::new();
    let mut blockers = Vec::new();
    for (maker, list) in lists {
        for (tenant, permission) in list {
            if said.insert((*tenant, *permission)) {
                let (message, next) = lacks(tenant, *permission, maker);
                let blocker = Blocker::new(BLOCKER, OwnerRole::Identity, message, next);
                blockers.push(blocker.of(Check::AppPermissions));
            }
        }
    }
    if !blockers.is_empty() {
        device.block(blockers);
    }
}

/// Adds a finding for each permission that an operation or planning needs and the token lacks.
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
    let mut due: Vec<(Maker, bool)> = due.into_iter().map(|(op, now)| (Maker::Op(op), now)).collect();
    if due.iter().any(|(_, now)| *now) {
        due.extend(of_reads(missing).map(|(maker, _)| (maker, true)));
    }
    due.sort_by_key(|(maker, now)| (!*now, matches!(maker, Maker::Part(_)), *maker));
    let mut said: BTreeSet<(&str, Permission)> = BTreeSet::new();
    for (maker, now) in due {
        for (tenant, permission) in missing.get(&maker).into_iter().flatten() {
            if said.insert((*tenant, *permission)) {
                let (message, help) = lacks(tenant, *permission, maker);
                let code = Code::PERMISSION_MISSING;
                let finding = if now { Diagnostic::error(code, message) } else { Diagnostic::warning(code, message) };
                changes.findings.push(finding.help(help));
            }
        }
    }
}
