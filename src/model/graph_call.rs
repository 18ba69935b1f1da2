//! The requests to Microsoft Graph that the program can make, by what they do: each with the documented operation
//! behind it and the permissions that it asks for.
//!
//! `msgraph::call` builds the requests and asks for the same permissions; `dag` says which operation and which part
//! of a plan makes which request. Tests hold all three together, and this table to Microsoft's own data.

use super::Permission;

macro_rules! calls {
    ($(#[doc = $what:literal] $name:ident = $operation:literal, $method:literal $version:literal $path:literal, [$($need:ident),+];)*) => {
        /// One kind of request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum GraphCall { $(#[doc = $what] $name),* }

        impl GraphCall {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),*];
            fn row(self) -> &'static Row {
                match self {
                    $(Self::$name => &Row {
                        what: $what,
                        operation: $operation,
                        method: $method,
                        version: $version,
                        path: $path,
                        needs: &[$(Permission::$need),+],
                    }),*
                }
            }
        }
    };
}

struct Row {
    what: &'static str,
    operation: &'static str,
    method: &'static str,
    version: &'static str,
    path: &'static str,
    needs: &'static [Permission],
}

calls! {
    /// read the organization
    Organization = "organization-list", "GET" "v1.0" "/organization", [OrganizationReadAll];
    /// read the MDM authority
    MdmAuthority = "intune-organization-get", "GET" "v1.0" "/organization/{id}", [ServiceConfigReadAll];
    /// read the device registration policy
    RegistrationPolicy = "deviceregistrationpolicy-get", "GET" "v1.0" "/policies/deviceRegistrationPolicy", [PolicyReadDeviceConfiguration];
    /// read users
    Users = "user-list", "GET" "v1.0" "/users", [UserReadAll];
    /// read one user
    User = "user-get", "GET" "v1.0" "/users/{id}", [UserReadAll];
    /// read the groups of the package account
    UserGroups = "user-list-transitivememberof", "GET" "v1.0" "/users/{id}/transitiveMemberOf", [UserReadAll];
    /// read the devices that the package account owns
    UserDevices = "user-list-owneddevices", "GET" "v1.0" "/users/{id}/ownedDevices", [UserReadAll];
    /// delete the package account
    DeleteUser = "user-delete", "DELETE" "v1.0" "/users/{id}", [UserDeleteRestoreAll];
    /// read who holds directory roles
    RoleAssignments = "rolemanagement-list-roleassignments", "GET" "v1.0" "/roleManagement/directory/roleAssignments", [RoleManagementReadDirectory];
    /// read who is in a group that holds a role
    AllMembers = "group-list-transitivemembers", "GET" "v1.0" "/groups/{id}/transitiveMembers", [GroupMemberReadAll];
    /// read Entra devices
    Devices = "device-list", "GET" "v1.0" "/devices", [DeviceReadAll];
    /// read a registration
    Registration = "device-get", "GET" "v1.0" "/devices(deviceId='{id}')", [DeviceReadAll];
    /// read a device object
    DeviceObject = "device-get", "GET" "v1.0" "/devices/{id}", [DeviceReadAll];
    /// delete the old device object
    DeleteDevice = "device-delete", "DELETE" "v1.0" "/devices/{id}", [DeviceReadWriteAll];
    /// read the groups that a device is in
    DeviceGroups = "device-list-memberof", "GET" "v1.0" "/devices/{id}/memberOf", [DeviceReadAll];
    /// look groups up by name
    GroupsNamed = "group-list", "GET" "v1.0" "/groups", [GroupMemberReadAll];
    /// read a group
    Group = "group-get", "GET" "v1.0" "/groups/{id}", [GroupMemberReadAll];
    /// read which devices are in a group
    DeviceMembers = "group-list-members", "GET" "v1.0" "/groups/{id}/members/microsoft.graph.device", [GroupMemberReadAll];
    /// add a device to a group
    AddMember = "group-post-members", "POST" "v1.0" "/groups/{id}/members/$ref", [GroupMemberReadWriteAll, DeviceReadWriteAll];
    /// take a device out of a group
    RemoveMember = "group-delete-members", "DELETE" "v1.0" "/groups/{id}/members/{id}/$ref", [GroupMemberReadWriteAll, DeviceReadWriteAll];
    /// add the package account to a group
    AddUserMember = "group-post-members", "POST" "v1.0" "/groups/{id}/members/$ref", [GroupMemberReadWriteAll];
    /// take the package account out of a group
    RemoveUserMember = "group-delete-members", "DELETE" "v1.0" "/groups/{id}/members/{id}/$ref", [GroupMemberReadWriteAll];
    /// read which recovery keys are in escrow
    RecoveryKeys = "bitlocker-list-recoverykeys", "GET" "v1.0" "/informationProtection/bitlocker/recoveryKeys", [BitlockerKeyReadBasicAll];
    /// read LAPS backups
    Laps = "devicelocalcredentialinfo-list", "GET" "v1.0" "/directory/deviceLocalCredentials", [DeviceLocalCredentialReadBasicAll];
    /// read the LAPS backup of a device, without its password
    LapsOf = "devicelocalcredentialinfo-get", "GET" "v1.0" "/directory/deviceLocalCredentials/{id}", [DeviceLocalCredentialReadBasicAll];
    /// read Intune devices
    ManagedDevices = "manageddevice-list", "GET" "v1.0" "/deviceManagement/managedDevices", [ManagedDevicesReadAll];
    /// read an Intune device
    ManagedDevice = "manageddevice-get", "GET" "v1.0" "/deviceManagement/managedDevices/{id}", [ManagedDevicesReadAll];
    /// delete the old Intune device
    DeleteManagedDevice = "manageddevice-delete", "DELETE" "v1.0" "/deviceManagement/managedDevices/{id}", [ManagedDevicesReadWriteAll];
    /// read primary users
    PrimaryUsers = "manageddevice-list-users", "GET" "v1.0" "/deviceManagement/managedDevices/{id}/users", [ManagedDevicesReadAll];
    /// set the primary user
    SetPrimaryUser = "manageddevice-post-users-ref", "POST" "beta" "/deviceManagement/managedDevices/{id}/users/$ref", [ManagedDevicesReadWriteAll];
    /// read configuration profiles
    Profiles = "deviceconfiguration-list", "GET" "v1.0" "/deviceManagement/deviceConfigurations", [ConfigurationReadAll];
    /// read what a configuration profile is assigned to
    ProfileAssignments = "deviceconfigurationassignment-list", "GET" "v1.0" "/deviceManagement/deviceConfigurations/{id}/assignments", [ConfigurationReadAll];
    /// assign a configuration profile
    AssignProfile = "deviceconfiguration-assign", "POST" "v1.0" "/deviceManagement/deviceConfigurations/{id}/assign", [ConfigurationReadWriteAll];
    /// read enrolment restrictions
    EnrolmentConfigurations = "deviceenrollmentconfiguration-list", "GET" "v1.0" "/deviceManagement/deviceEnrollmentConfigurations", [ServiceConfigReadAll];
    /// read what Enrollment Status Pages block
    StatusPages = "deviceenrollmentconfiguration-list", "GET" "beta" "/deviceManagement/deviceEnrollmentConfigurations", [ServiceConfigReadAll];
    /// read what an Enrollment Status Page is assigned to
    StatusPageAssignments = "deviceenrollmentconfiguration-assignments", "GET" "v1.0" "/deviceManagement/deviceEnrollmentConfigurations/{id}/assignments", [ServiceConfigReadAll];
    /// read Autopilot identities
    Autopilot = "windowsautopilotdeviceidentity-list", "GET" "v1.0" "/deviceManagement/windowsAutopilotDeviceIdentities", [ServiceConfigReadAll];
    /// delete the old Autopilot identity
    DeleteAutopilot = "windowsautopilotdeviceidentity-delete", "DELETE" "v1.0" "/deviceManagement/windowsAutopilotDeviceIdentities/{id}", [ServiceConfigReadWriteAll];
    /// import an Autopilot identity
    ImportAutopilot = "importedwindowsautopilotdeviceidentity-create", "POST" "v1.0" "/deviceManagement/importedWindowsAutopilotDeviceIdentities", [ServiceConfigReadWriteAll];
    /// see what became of an Autopilot import
    AutopilotImport = "importedwindowsautopilotdeviceidentity-get", "GET" "v1.0" "/deviceManagement/importedWindowsAutopilotDeviceIdentities/{id}", [ServiceConfigReadAll];
    /// synchronise Autopilot
    SyncAutopilot = "windowsautopilotsettings-sync", "POST" "beta" "/deviceManagement/windowsAutopilotSettings/sync", [ServiceConfigReadWriteAll];
    /// read Conditional Access policies
    Policies = "conditionalaccesspolicy-list", "GET" "v1.0" "/identity/conditionalAccess/policies", [PolicyReadAll];
    /// read a Conditional Access policy
    Policy = "conditionalaccesspolicy-get", "GET" "v1.0" "/identity/conditionalAccess/policies/{id}", [PolicyReadAll];
    /// change the excluded users of a Conditional Access policy
    SetExcluded = "conditionalaccesspolicy-update", "PATCH" "v1.0" "/identity/conditionalAccess/policies/{id}", [PolicyReadAll, PolicyReadWriteConditionalAccess, ApplicationReadAll];
    /// read named locations
    NamedLocations = "conditionalaccess-namedlocations-list", "GET" "v1.0" "/identity/conditionalAccess/namedLocations", [PolicyReadAll];
    /// read the cross-tenant access settings
    CrossTenantDefault = "crosstenantaccesspolicy-default-get", "GET" "v1.0" "/policies/crossTenantAccessPolicy/default", [PolicyReadAll];
    /// read the cross-tenant access settings of other tenants
    CrossTenantPartners = "crosstenantaccesspolicy-list-partners", "GET" "v1.0" "/policies/crossTenantAccessPolicy/partners", [PolicyReadAll];
    /// read the application's service principal, and Graph's own with the names of permissions
    ServicePrincipal = "serviceprincipal-get", "GET" "v1.0" "/servicePrincipals(appId='{id}')", [ApplicationReadAll];
    /// read which permissions the application is granted
    AppRoleAssignments = "serviceprincipal-list-approleassignments", "GET" "v1.0" "/servicePrincipals/{id}/appRoleAssignments", [ApplicationReadAll];
    /// read the application's registration: what it asks for, and the ends of its credentials
    Application = "application-get", "GET" "v1.0" "/applications(appId='{id}')", [ApplicationReadAll];
}

impl GraphCall {
    /// Returns what it does, in the imperative.
    #[must_use]
    pub fn what(self) -> &'static str {
        self.row().what.trim()
    }
    /// Returns the documented operation's id, as in permissions-by-operation.json.
    #[must_use]
    pub fn operation(self) -> &'static str {
        self.row().operation
    }
    /// Returns the HTTP method.
    #[must_use]
    pub fn method(self) -> &'static str {
        self.row().method
    }
    /// Returns the version of Graph: `v1.0` or `beta`.
    #[must_use]
    pub fn version(self) -> &'static str {
        self.row().version
    }
    /// Returns the path after the version, with `{id}` where an id or a name stands, and without a query.
    #[must_use]
    pub fn path(self) -> &'static str {
        self.row().path
    }
    /// Returns the permissions that it asks for, all of which it needs.
    #[must_use]
    pub fn needs(self) -> &'static [Permission] {
        self.row().needs
    }
    /// Says whether it changes anything.
    #[must_use]
    pub fn writes(self) -> bool {
        self.method() != "GET"
    }
    /// Says whether nothing wider stands in for what it asks for: a policy's change takes these three together and no
    /// others (permission-data-anomalies.json).
    #[must_use]
    pub fn is_exact(self) -> bool {
        self == Self::SetExcluded
    }
    /// Says whether a granted permission covers one that this call needs.
    #[must_use]
    pub fn takes(self, granted: Permission, needed: Permission) -> bool {
        granted == needed || (!self.is_exact() && granted.covers(needed))
    }
    /// Returns what it needs and nothing that is granted covers.
    pub fn lacks(self, granted: &[Permission]) -> impl Iterator<Item = Permission> {
        let needs = self.needs().iter().copied();
        needs.filter(move |need| !granted.iter().any(|granted| self.takes(*granted, *need)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::{BTreeMap, BTreeSet};

    /// Rows that Microsoft's data doesn't decide, with the reason.
    const NOT_IN_THE_DATA: &[(&str, &str)] = &[
        ("rolemanagement-list-roleassignments", "the collection has no such path; its page names the permission [K]"),
        ("importedwindowsautopilotdeviceidentity-get", "the collection has the list alone, which asks for the same"),
        ("group-post-members", "the path is absent; anomalies: both permissions for a device"),
        ("group-delete-members", "the data has the group's half; the device's as for adding one"),
        ("devicelocalcredentialinfo-get", "the data's row selects the password; without it the list's permission does"),
        ("conditionalaccesspolicy-update", "anomalies: all three together"),
    ];

    /// Narrower or shorter permissions that the data accepts and that aren't asked for, with the reason.
    const NOT_TAKEN: &[(&str, &[&str], &str)] = &[
        (
            "organization-list",
            &["DeviceManagementServiceConfig.Read.All", "DeviceManagementConfiguration.Read.All", "User.Read.All"],
            "they stand there for Intune's and a user's view of the same path; domains are the organization's [I]",
        ),
        (
            "intune-organization-get",
            &["DeviceManagementConfiguration.Read.All", "User.Read.All"],
            "the authority's own page names the service configuration",
        ),
        (
            "user-list",
            &[
                "User.ReadBasic.All",
                "DeviceManagementServiceConfig.Read.All",
                "DeviceManagementConfiguration.Read.All",
                "DeviceManagementManagedDevices.Read.All",
                "DeviceManagementApps.Read.All",
            ],
            "anomalies: basic profiles have no on-premises SID, and Intune's pages share the path",
        ),
        (
            "user-get",
            &[
                "User.ReadBasic.All",
                "DeviceManagementServiceConfig.Read.All",
                "DeviceManagementConfiguration.Read.All",
                "DeviceManagementManagedDevices.Read.All",
                "DeviceManagementApps.Read.All",
            ],
            "as for the list",
        ),
        (
            "user-list-transitivememberof",
            &["GroupMember.Read.All", "GroupMember.ReadBasic.All", "Group.ReadBasic.All", "Group.Read.All"],
            "the users' own permission is the data's least, and is there in any case",
        ),
        (
            "user-delete",
            &[
                "DeviceManagementServiceConfig.ReadWrite.All",
                "DeviceManagementConfiguration.ReadWrite.All",
                "DeviceManagementManagedDevices.ReadWrite.All",
            ],
            "anomalies: Intune's pages share the path",
        ),
        ("group-list", &["Group.ReadBasic.All"], "no members, and no properties that restoring looks at [I]"),
        ("group-get", &["Group.ReadBasic.All"], "as for the list"),
        (
            "group-list-members",
            &["GroupMember.ReadBasic.All", "Group.ReadBasic.All", "GroupMember.ReadWrite.All"],
            "reading groups is asked for in any case",
        ),
        (
            "group-list-transitivemembers",
            &["GroupMember.ReadBasic.All", "Group.ReadBasic.All", "GroupMember.ReadWrite.All"],
            "reading groups is asked for in any case",
        ),
        (
            "manageddevice-list",
            &["DeviceManagementConfiguration.Read.All"],
            "documented for managed devices' own alone",
        ),
        ("manageddevice-get", &["DeviceManagementConfiguration.Read.All"], "documented for managed devices' own alone"),
        (
            "manageddevice-delete",
            &["DeviceManagementConfiguration.ReadWrite.All"],
            "anomalies: the documentation names the managed devices' own alone",
        ),
        (
            "deviceenrollmentconfiguration-list",
            &["DeviceManagementConfiguration.Read.All"],
            "the service configuration is the data's least, and is there in any case",
        ),
        (
            "deviceenrollmentconfiguration-assignments",
            &["DeviceManagementConfiguration.Read.All"],
            "the service configuration is the data's least, and is there in any case",
        ),
    ];

    /// Accepted permissions by operation.
    fn published() -> Option<BTreeMap<String, BTreeSet<String>>> {
        let text = crate::model::published("permissions-by-operation.json")?;
        let json: Value = serde_json::from_str(&text).expect("JSON");
        let rows = json["operations"].as_array().expect("a list").iter().map(|row| {
            let list = row["application"]["accepted"].as_array().map(Vec::as_slice).unwrap_or_default();
            let accepted = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            (row["id"].as_str().expect("an id").to_owned(), accepted)
        });
        Some(rows.collect())
    }

    fn exempt(operation: &str) -> bool {
        NOT_IN_THE_DATA.iter().any(|(id, _)| *id == operation)
    }

    /// Catches a call that asks for a permission with which Graph would refuse it; and a wider one that is taken to
    /// cover it and doesn't.
    #[test]
    fn what_is_asked_for_is_accepted() {
        let Some(published) = published() else {
            println!("skipped: the published permissions aren't here");
            return;
        };
        let mut compared = 0;
        for call in GraphCall::ALL.iter().filter(|call| !exempt(call.operation())) {
            let accepted = published.get(call.operation()).unwrap_or_else(|| panic!("{call:?} isn't published"));
            let [need] = call.needs() else { panic!("{call:?}: the data lists alternatives, never several at once") };
            for one in need.wider().iter().chain([need]) {
                assert!(accepted.contains(one.as_str()), "{call:?}: {} isn't accepted", one.as_str());
            }
            compared += 1;
        }
        assert!(compared > 40, "{compared}");
        // An exception that the data has come to decide is one no more.
        for (id, _) in NOT_IN_THE_DATA {
            let own = GraphCall::ALL.iter().filter(|call| call.operation() == *id);
            let decided = own.clone().all(|call| {
                let row = published.get(*id);
                call.needs().len() == 1
                    && row.is_some_and(|row| {
                        call.needs()[0].wider().iter().chain(call.needs()).all(|p| row.contains(p.as_str()))
                    })
            });
            assert!(own.count() > 0 && !decided, "{id} needs no exception");
        }
    }

    /// Catches a call that asks for more than Microsoft's data says is enough: no other accepted permission is
    /// narrower than the one that is asked for, which is to say that it only reads where this one writes, shows a part
    /// of what this one shows, or is needed by every plan anyway. Those that aren't taken are named with the reason.
    #[test]
    fn what_is_asked_for_is_least() {
        let Some(published) = published() else {
            println!("skipped: the published permissions aren't here");
            return;
        };
        // Every plan needs these, whatever it does: to make do with one of them would be to ask for less.
        let always = [
            "User.Read.All",
            "Device.Read.All",
            "GroupMember.Read.All",
            "DeviceManagementManagedDevices.Read.All",
            "DeviceManagementServiceConfig.Read.All",
        ];
        let mut used = BTreeSet::new();
        for call in GraphCall::ALL.iter().filter(|call| !exempt(call.operation())) {
            let accepted = &published[call.operation()];
            let asked = call.needs()[0];
            for other in accepted.iter().filter(|other| other.as_str() != asked.as_str()) {
                let writes = ["Write", "Delete", "Manage"].iter().any(|word| other.contains(word));
                let narrower =
                    (!writes && (asked.writes() || other.contains("Basic"))) || always.contains(&other.as_str());
                let more = writes && !asked.writes();
                let wider = asked.wider().iter().any(|wider| wider.as_str() == other.as_str());
                if !narrower || more || wider {
                    continue;
                }
                let not_taken =
                    NOT_TAKEN.iter().find(|(id, list, _)| *id == call.operation() && list.contains(&other.as_str()));
                assert!(not_taken.is_some(), "{call:?} asks for {}, and {other} would do", asked.as_str());
                used.insert(call.operation());
            }
        }
        assert!(used.len() > 5, "{used:?}");
        for (id, list, why) in NOT_TAKEN {
            let accepted = &published[*id];
            assert!(list.iter().all(|one| accepted.contains(*one)), "{id} accepts no such permission any more");
            assert!(why.len() > 10 && GraphCall::ALL.iter().any(|call| call.operation() == *id), "{id}");
        }
    }

    /// Catches a write that is authorised by a permission to read, and a read that asks for a permission to write.
    #[test]
    fn reads_ask_to_read() {
        for call in GraphCall::ALL {
            assert_eq!(call.writes(), call.needs().iter().any(|need| need.writes()), "{call:?}");
            assert!(call.path().starts_with('/') && !call.path().contains('?'), "{call:?}");
            assert!(call.what().starts_with(char::is_lowercase), "{call:?}");
        }
    }

    /// Catches two rows for one request: they could disagree. Members of a group are devices or users, with other needs.
    #[test]
    fn a_request_has_one_row() {
        let rows: BTreeSet<_> = GraphCall::ALL.iter().map(|c| (c.method(), c.version(), c.path(), c.needs())).collect();
        assert_eq!(rows.len(), GraphCall::ALL.len());
    }

    /// Catches a wider permission that is taken for the exact ones that a policy's change wants, and one that isn't
    /// taken where it does.
    #[test]
    fn exact_calls_take_nothing_wider() {
        use Permission as P;
        let lacks = |call: GraphCall, granted: &[P]| call.lacks(granted).collect::<Vec<_>>();
        let granted = [P::DirectoryReadAll, P::PolicyReadAll, P::PolicyReadWriteConditionalAccess];
        assert_eq!(lacks(GraphCall::SetExcluded, &granted), [P::ApplicationReadAll]);
        assert!(lacks(GraphCall::Application, &granted).is_empty());
        assert_eq!(lacks(GraphCall::GroupsNamed, &[P::GroupMemberReadWriteAll]), [P::GroupMemberReadAll]);
    }
}
