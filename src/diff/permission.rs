//! Permissions of the application, held against what the operations that are due need.

use std::collections::BTreeSet;

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
    let devices = changes.devices.iter().flat_map(|device| &device.changes);
    let tenant = changes.tenant.iter().map(|tenant| &tenant.change);
    let due: BTreeSet<Op> =
        devices.chain(tenant).filter(|c| matches!(c.action, Action::Do | Action::Wait)).map(|c| c.op).collect();
    let mut said: BTreeSet<(&str, Permission)> = BTreeSet::new();
    for op in due {
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
                changes.findings.push(Diagnostic::error(Code::PERMISSION_MISSING, message).help(help));
            }
        }
    }
}
