//! Permissions of the application, held against what the operations that are due need.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, ChangeSet};
use crate::dag::{Index, spec};
use crate::diag::{Code, Diagnostic};
use crate::model::{Op, Permission, Side};

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

/// Adds a finding for each permission that an operation needs and the token lacks.
pub(crate) fn check(index: &Index<'_>, changes: &mut ChangeSet) {
    let mut due: BTreeMap<Op, bool> = BTreeMap::new();
    let devices = changes.devices.iter().flat_map(|device| &device.changes);
    for change in devices.chain(changes.tenant.iter().map(|tenant| &tenant.change)) {
        if matches!(change.action, Action::Do | Action::Wait) {
            *due.entry(change.op).or_default() |= change.action == Action::Do;
        }
    }
    // What runs now speaks first: its findings are errors, those of later operations are warnings.
    let mut due: Vec<(Op, bool)> = due.into_iter().collect();
    due.sort_by_key(|(op, now)| (!*now, *op));
    let mut said: BTreeSet<(&str, Permission)> = BTreeSet::new();
    for (op, now) in due {
        for need in spec(op).needs {
            let side = match need.side {
                Side::Origin => index.origin(),
                Side::Destination => index.destination(),
            };
            // An old computer is the directory's; only another tenant's Entra object needs Graph.
            if op == Op::RetireOldObject && index.one_tenant() {
                continue;
            }
            let Some((tenant, state)) = side.and_then(|tenant| Some((tenant, tenant.state?))) else { continue };
            let Some(granted) = state.granted.known() else { continue };
            let has = granted.iter().any(|granted| covers(*granted, need.permission));
            if !has && said.insert((tenant.name, need.permission)) {
                let permission = need.permission.as_str();
                let message = format!("the application in `{}` lacks {permission}, which {op} needs", tenant.name);
                let help = format!("grant the application permission {permission} and consent to it, then plan again");
                let code = Code::PERMISSION_MISSING;
                let finding = if now { Diagnostic::error(code, message) } else { Diagnostic::warning(code, message) };
                changes.findings.push(finding.help(help));
            }
        }
    }
}
