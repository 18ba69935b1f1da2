//! The nine permissions that the prerequisites list (1.6), and what least privilege makes of them (msgraph.md 5.1-5.3).

use serde::Serialize;

use crate::model::Permission;

/// One row of the prerequisites' list.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ListedPermission {
    /// Which.
    #[serde(serialize_with = "value")]
    pub permission: Permission,
    /// `Required`, or else `Feature-dependent`.
    pub required: bool,
    /// What it is for, there.
    pub listed_for: &'static str,
    /// What is asked for in its place.
    #[serde(serialize_with = "values")]
    pub instead: &'static [Permission],
    /// Why, and when.
    pub why: &'static str,
}

fn value<S: serde::Serializer>(permission: &Permission, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(permission.as_str())
}
fn values<S: serde::Serializer>(permissions: &&'static [Permission], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(permissions.iter().map(|permission| permission.as_str()))
}

impl ListedPermission {
    /// Returns the list's word for when it is to be granted.
    #[must_use]
    pub fn scope(&self) -> &'static str {
        if self.required { "Required" } else { "Feature-dependent" }
    }
}

use Permission as P;

/// The list, in its order.
pub static NINE: [ListedPermission; 9] = [
    ListedPermission {
        permission: P::UserReadAll,
        required: true,
        listed_for: "user attributes that match identities",
        instead: &[P::UserReadAll],
        why: "the same: on-premises SIDs, licences and account states aren't in a basic profile",
    },
    ListedPermission {
        permission: P::DeviceReadWriteAll,
        required: true,
        listed_for: "changing devices, and deleting old ones in the source tenant",
        instead: &[P::DeviceReadAll, P::DeviceReadWriteAll],
        why: "reading is enough to plan; writing is asked for in the source tenant, where old objects are deleted, and where \
              group-restore adds devices to groups",
    },
    ListedPermission {
        permission: P::DirectoryReadAll,
        required: true,
        listed_for: "directory objects that mapping looks at",
        instead: &[
            P::RoleManagementReadDirectory,
            P::GroupMemberReadAll,
            P::OrganizationReadAll,
            P::ApplicationReadAll,
        ],
        why: "it opens the whole directory; these four are what the program reads of it",
    },
    ListedPermission {
        permission: P::ManagedDevicesReadWriteAll,
        required: true,
        listed_for: "deleting old Intune records and setting primary users",
        instead: &[P::ManagedDevicesReadAll, P::ManagedDevicesReadWriteAll],
        why: "reading is enough to plan; writing is asked for where old records are deleted or primary-user is on. It also \
              authorises wipe, which the program has no call for",
    },
    ListedPermission {
        permission: P::ServiceConfigReadWriteAll,
        required: true,
        listed_for: "reading the Intune service configuration",
        instead: &[P::ServiceConfigReadAll, P::ServiceConfigReadWriteAll],
        why: "reading is enough for what it is listed for; writing is asked for with autopilot alone",
    },
    ListedPermission {
        permission: P::ConfigurationReadWriteAll,
        required: false,
        listed_for: "reading and assigning configuration profiles",
        instead: &[P::ConfigurationReadAll, P::ConfigurationReadWriteAll],
        why: "with configuration-profiles alone, in the tenant that devices go to; reading is enough to plan",
    },
    ListedPermission {
        permission: P::GroupMemberReadWriteAll,
        required: false,
        listed_for: "putting devices back into their groups",
        instead: &[P::GroupMemberReadAll, P::GroupMemberReadWriteAll, P::DeviceReadWriteAll],
        why: "with group-restore alone. It doesn't let anybody read a group, and a device as a member needs its own \
              permission beside it",
    },
    ListedPermission {
        permission: P::DeviceLocalCredentialReadAll,
        required: false,
        listed_for: "fetching LAPS passwords",
        instead: &[P::DeviceLocalCredentialReadBasicAll],
        why: "the program never fetches a password; it looks at when one was backed up",
    },
    ListedPermission {
        permission: P::DeviceLocalCredentialReadBasicAll,
        required: false,
        listed_for: "when LAPS passwords were backed up",
        instead: &[P::DeviceLocalCredentialReadBasicAll],
        why: "the same, with laps, in the tenant that devices go to; beside the row above it would be redundant",
    },
];

/// Permissions that features need and the list doesn't have (msgraph.md 5.2), with what for.
pub static BEYOND: [(Permission, &str); 5] = [
    (P::PolicyReadDeviceConfiguration, "who may join devices, how many, and whether with a second factor"),
    (P::PolicyReadAll, "Conditional Access, named locations and cross-tenant access, which may refuse a join"),
    (P::PolicyReadWriteConditionalAccess, "exclusions that the program opens and closes, beside the one above"),
    (P::BitlockerKeyReadBasicAll, "recovery keys are in escrow before and after the move"),
    (P::UserDeleteRestoreAll, "a package is revoked by deleting its account"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag::uses;
    use std::collections::BTreeSet;

    /// The list as it stands in the prerequisites, 1.6.
    const LISTED: [(&str, &str); 9] = [
        ("User.Read.All", "Required"),
        ("Device.ReadWrite.All", "Required"),
        ("Directory.Read.All", "Required"),
        ("DeviceManagementManagedDevices.ReadWrite.All", "Required"),
        ("DeviceManagementServiceConfig.ReadWrite.All", "Required"),
        ("DeviceManagementConfiguration.ReadWrite.All", "Feature-dependent"),
        ("GroupMember.ReadWrite.All", "Feature-dependent"),
        ("DeviceLocalCredential.Read.All", "Feature-dependent"),
        ("DeviceLocalCredential.ReadBasic.All", "Feature-dependent"),
    ];

    /// Catches a list that differs from the prerequisites', in what it holds or in when it is to be granted.
    #[test]
    fn the_nine_are_the_prerequisites() {
        let own = NINE.each_ref().map(|row| (row.permission.as_str(), row.scope()));
        assert_eq!(own, LISTED);
        let source = ["../shared", "../../shared"].iter().find_map(|up| {
            let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(here.join(up).join("reference/prerequisites-source.txt")).ok()
        });
        let Some(source) = source else {
            println!("skipped: the prerequisites aren't here");
            return;
        };
        let rows: Vec<(&str, &str)> = source
            .lines()
            .filter_map(|line| {
                let mut cells = line.split('|').map(str::trim).filter(|cell| !cell.is_empty());
                let (name, kind, scope) = (cells.next()?, cells.next()?, cells.next()?);
                (kind == "Application").then_some((name, scope))
            })
            .collect();
        assert_eq!(rows, LISTED);
    }

    /// Catches an explanation that promises what isn't asked for, and a permission that nobody explains: every one
    /// that is asked for is in the list, stands in for a row of it, or is named as missing there.
    #[test]
    fn together_they_are_what_is_asked_for() {
        let asked: BTreeSet<P> = uses().iter().flat_map(|one| one.call.needs().iter().copied()).collect();
        let told: BTreeSet<P> = NINE
            .iter()
            .flat_map(|row| row.instead.iter().copied())
            .chain(BEYOND.iter().map(|(permission, _)| *permission))
            .collect();
        assert_eq!(told, asked);
    }
}
