//! Microsoft Graph application permissions: those that calls ask for, and wider ones that may stand in for them.

use serde::{Deserialize, Serialize};

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $id:literal;)*) => {
        /// An application permission of Microsoft Graph, by its value in the token's `roles` claim.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Permission { $($(#[$doc])* #[serde(rename = $text)] $name),* }

        impl Permission {
            /// Every permission that the tool knows.
            pub const ALL: &[Self] = &[$(Self::$name),*];
            /// Returns the value, as it stands in tokens and consent screens.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
            /// Returns the id of the app role, which is the same in every tenant (app-roles.json).
            #[must_use]
            pub fn role_id(self) -> &'static str {
                match self { $(Self::$name => $id),* }
            }
        }
    };
}

permissions! {
    /// Users with their on-premises identifiers.
    UserReadAll = "User.Read.All", "df021288-bdef-4463-88db-98f22de89214";
    /// Entra devices.
    DeviceReadAll = "Device.Read.All", "7438b122-aefc-4978-80ed-43db9fcc7715";
    /// Writing and deleting Entra devices; also needed to add a device to a group.
    DeviceReadWriteAll = "Device.ReadWrite.All", "1138cb37-bd11-4084-a2b7-9f71582aeddb";
    /// Groups and their members.
    GroupMemberReadAll = "GroupMember.Read.All", "98830695-27a2-44f7-8c18-0c3ebc9698f6";
    /// Adding and removing group members. It doesn't let anybody read a group (msgraph.md 5.1).
    GroupMemberReadWriteAll = "GroupMember.ReadWrite.All", "dbaae8cf-10b5-4b86-a4a1-f871c94c6695";
    /// Everything in the directory, for reading.
    DirectoryReadAll = "Directory.Read.All", "7ab1d382-f21e-4acd-a863-ba3e13f7da61";
    /// The tenant itself.
    OrganizationReadAll = "Organization.Read.All", "498476ce-e0fe-48b0-b801-37ba7e2685c6";
    /// Intune devices.
    ManagedDevicesReadAll = "DeviceManagementManagedDevices.Read.All", "2f51be20-0bb4-4fed-bf7b-db946066c75e";
    /// Deleting Intune devices, setting primary users. Also authorises wipe, which the tool never calls.
    ManagedDevicesReadWriteAll = "DeviceManagementManagedDevices.ReadWrite.All", "243333ab-4d21-40cb-a475-36241daa0842";
    /// Autopilot and enrolment configuration.
    ServiceConfigReadAll = "DeviceManagementServiceConfig.Read.All", "06a5fe6d-c49d-46a7-b082-56b1b14103c7";
    /// Deleting, importing and tagging Autopilot identities.
    ServiceConfigReadWriteAll = "DeviceManagementServiceConfig.ReadWrite.All", "5ac13192-7ace-4fcf-b828-1a26f28068ee";
    /// Configuration profiles.
    ConfigurationReadAll = "DeviceManagementConfiguration.Read.All", "dc377aa6-52d8-4e23-b271-2a7ae04cedf3";
    /// Assigning configuration profiles.
    ConfigurationReadWriteAll = "DeviceManagementConfiguration.ReadWrite.All", "9241abd9-d0e6-425a-bd4f-47ba86e767a4";
    /// Which recovery keys are in escrow, never the keys.
    BitlockerKeyReadBasicAll = "BitlockerKey.ReadBasic.All", "f690d423-6b29-4d04-98c6-694c42282419";
    /// When LAPS passwords were backed up, never the passwords.
    DeviceLocalCredentialReadBasicAll = "DeviceLocalCredential.ReadBasic.All", "db51be59-e728-414b-b800-e0f010df1a79";
    /// Conditional Access and cross-tenant policies.
    PolicyReadAll = "Policy.Read.All", "246dd0d5-5bd0-4def-940b-0421030a5b68";
    /// Writing Conditional Access policies; needs `Policy.Read.All` and `Application.Read.All` beside it.
    PolicyReadWriteConditionalAccess = "Policy.ReadWrite.ConditionalAccess", "01c0a623-fc9b-48e9-b794-0756f8e8f067";
    /// Applications and what they are granted; needed beside the one above.
    ApplicationReadAll = "Application.Read.All", "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30";
    /// The device registration policy; `Policy.Read.All` isn't accepted for it.
    PolicyReadDeviceConfiguration = "Policy.Read.DeviceConfiguration", "bdba4817-6ba1-4a7c-8a01-be9bc7c242dd";
    /// Deleting the package account, which revokes the package.
    UserDeleteRestoreAll = "User.DeleteRestore.All", "eccc023d-eccf-4e7b-9683-8813ab36cecc";
    /// Who holds directory roles: such a user is never mapped to a profile. `Directory.Read.All` covers it.
    RoleManagementReadDirectory = "RoleManagement.Read.Directory", "483bed4a-2ad3-4361-a73b-c83ccdbdc53c";
    /// Writing everything in the directory. Never asked for, like all that follow.
    DirectoryReadWriteAll = "Directory.ReadWrite.All", "19dbc75e-c2e2-444c-a770-ec69d8559fc7";
    /// Writing users.
    UserReadWriteAll = "User.ReadWrite.All", "741f803b-c850-494e-b5df-cde7c675a1ca";
    /// Groups with all that is in them.
    GroupReadAll = "Group.Read.All", "5b567255-7703-4780-807c-7be8301ae99b";
    /// Writing groups.
    GroupReadWriteAll = "Group.ReadWrite.All", "62a82d76-70ea-41e2-9197-370581804d09";
    /// Writing the tenant itself.
    OrganizationReadWriteAll = "Organization.ReadWrite.All", "292d869f-3427-49a8-9dab-8c70152b74e9";
    /// The recovery keys themselves.
    BitlockerKeyReadAll = "BitlockerKey.Read.All", "57f1cf28-c0c4-4ec3-9a30-19a2eaaf2f6e";
    /// The LAPS passwords themselves.
    DeviceLocalCredentialReadAll = "DeviceLocalCredential.Read.All", "884b599e-4d48-43a5-ba94-15c414d00588";
    /// Writing applications.
    ApplicationReadWriteAll = "Application.ReadWrite.All", "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9";
    /// Writing the device registration policy.
    PolicyReadWriteDeviceConfiguration = "Policy.ReadWrite.DeviceConfiguration", "230fb2d5-aa21-49c1-bfa7-ae1be179d867";
    /// Roles of every kind.
    RoleManagementReadAll = "RoleManagement.Read.All", "c7fbd983-d9aa-4fa7-84b8-17382c103bc4";
    /// Giving directory roles.
    RoleManagementReadWriteDirectory = "RoleManagement.ReadWrite.Directory", "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8";
}

impl std::str::FromStr for Permission {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::named(text).ok_or_else(|| format!("`{text}` isn't a permission that anything here uses"))
    }
}

impl Permission {
    /// Returns the permission with a value; none where this version doesn't know it.
    #[must_use]
    pub fn named(value: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == value)
    }

    /// Returns the wider permissions that stand in for this one in every call that asks for it, but for calls that
    /// take nothing else ([`GraphCall::is_exact`](super::GraphCall::is_exact)). From Microsoft's data (msgraph.md 5,
    /// permissions-by-operation.json), which a test holds it to; roles aren't in that data `[K]`.
    #[must_use]
    pub fn wider(self) -> &'static [Self] {
        match self {
            Self::UserReadAll => &[Self::DirectoryReadAll, Self::DirectoryReadWriteAll],
            Self::DeviceReadAll => &[Self::DeviceReadWriteAll, Self::DirectoryReadAll, Self::DirectoryReadWriteAll],
            Self::GroupMemberReadAll => &[Self::GroupReadAll, Self::GroupReadWriteAll, Self::DirectoryReadAll],
            Self::GroupMemberReadWriteAll => &[Self::GroupReadWriteAll],
            Self::OrganizationReadAll => {
                &[Self::OrganizationReadWriteAll, Self::DirectoryReadAll, Self::DirectoryReadWriteAll]
            }
            Self::ManagedDevicesReadAll => &[Self::ManagedDevicesReadWriteAll],
            Self::ServiceConfigReadAll => &[Self::ServiceConfigReadWriteAll],
            Self::ConfigurationReadAll => &[Self::ConfigurationReadWriteAll],
            Self::BitlockerKeyReadBasicAll => &[Self::BitlockerKeyReadAll],
            Self::DeviceLocalCredentialReadBasicAll => &[Self::DeviceLocalCredentialReadAll],
            Self::ApplicationReadAll => &[Self::ApplicationReadWriteAll, Self::DirectoryReadAll],
            Self::PolicyReadDeviceConfiguration => &[Self::PolicyReadWriteDeviceConfiguration],
            Self::UserDeleteRestoreAll => &[Self::UserReadWriteAll],
            Self::RoleManagementReadDirectory => {
                &[Self::RoleManagementReadAll, Self::RoleManagementReadWriteDirectory, Self::DirectoryReadAll]
            }
            _ => &[],
        }
    }

    /// Says whether this permission, granted, covers one that is needed: it is the same or a wider one.
    #[must_use]
    pub fn covers(self, needed: Self) -> bool {
        self == needed || needed.wider().contains(&self)
    }

    /// Says whether it lets its holder change something. Names that say `ReadWrite`, `DeleteRestore` or the like do.
    #[must_use]
    pub fn writes(self) -> bool {
        !self.as_str().split('.').any(|part| part == "Read" || part == "ReadBasic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Catches an id or a value that two permissions share, and a permission that is taken for one that only reads.
    #[test]
    fn values_and_ids_are_their_own() {
        let values: BTreeSet<&str> = Permission::ALL.iter().map(|one| one.as_str()).collect();
        let ids: BTreeSet<uuid::Uuid> =
            Permission::ALL.iter().map(|one| one.role_id().parse().expect("a GUID")).collect();
        assert_eq!((values.len(), ids.len()), (Permission::ALL.len(), Permission::ALL.len()));
        assert!(Permission::ALL.iter().all(|one| Permission::named(one.as_str()) == Some(*one)));
        let writes = |one: &&Permission| one.as_str().contains("Write") || one.as_str().contains("Delete");
        for one in Permission::ALL {
            assert_eq!(one.writes(), writes(&one), "{}", one.as_str());
        }
    }

    /// Catches an app role's id that isn't Microsoft's, where the published ones are at hand: a script would grant
    /// something else.
    #[test]
    fn ids_are_the_published_ones() {
        let Some(text) = crate::model::published("app-roles.json") else {
            println!("skipped: the published app roles aren't here");
            return;
        };
        let published: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for one in Permission::ALL {
            let roles = published["appRoles"][one.as_str()].as_array().expect("a permission of Graph");
            assert!(roles.iter().any(|role| role["id"] == one.role_id()), "{}", one.as_str());
        }
    }
}
