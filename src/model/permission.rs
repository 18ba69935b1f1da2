//! Microsoft Graph application permissions that operations need.

use serde::{Deserialize, Serialize};

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
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
        }
    };
}

permissions! {
    /// Users with their on-premises identifiers.
    UserReadAll = "User.Read.All";
    /// Entra devices.
    DeviceReadAll = "Device.Read.All";
    /// Writing and deleting Entra devices; also needed to add a device to a group.
    DeviceReadWriteAll = "Device.ReadWrite.All";
    /// Groups and their members.
    GroupMemberReadAll = "GroupMember.Read.All";
    /// Adding and removing group members.
    GroupMemberReadWriteAll = "GroupMember.ReadWrite.All";
    /// Everything in the directory, for reading.
    DirectoryReadAll = "Directory.Read.All";
    /// The tenant itself.
    OrganizationReadAll = "Organization.Read.All";
    /// Intune devices.
    ManagedDevicesReadAll = "DeviceManagementManagedDevices.Read.All";
    /// Deleting Intune devices, setting primary users. Also authorises wipe, which the tool never calls.
    ManagedDevicesReadWriteAll = "DeviceManagementManagedDevices.ReadWrite.All";
    /// Autopilot and enrolment configuration.
    ServiceConfigReadAll = "DeviceManagementServiceConfig.Read.All";
    /// Deleting, importing and tagging Autopilot identities.
    ServiceConfigReadWriteAll = "DeviceManagementServiceConfig.ReadWrite.All";
    /// Configuration profiles.
    ConfigurationReadAll = "DeviceManagementConfiguration.Read.All";
    /// Assigning configuration profiles.
    ConfigurationReadWriteAll = "DeviceManagementConfiguration.ReadWrite.All";
    /// Which recovery keys are in escrow, never the keys.
    BitlockerKeyReadBasicAll = "BitlockerKey.ReadBasic.All";
    /// When LAPS passwords were backed up, never the passwords.
    DeviceLocalCredentialReadBasicAll = "DeviceLocalCredential.ReadBasic.All";
    /// Conditional Access and cross-tenant policies.
    PolicyReadAll = "Policy.Read.All";
    /// Writing Conditional Access policies; needs `Policy.Read.All` and `Application.Read.All` beside it.
    PolicyReadWriteConditionalAccess = "Policy.ReadWrite.ConditionalAccess";
    /// Applications; needed beside the one above.
    ApplicationReadAll = "Application.Read.All";
    /// The device registration policy; `Policy.Read.All` isn't accepted for it.
    PolicyReadDeviceConfiguration = "Policy.Read.DeviceConfiguration";
    /// Deleting the package account, which revokes the package.
    UserDeleteRestoreAll = "User.DeleteRestore.All";
    /// Who holds directory roles: such a user is never mapped to a profile. `Directory.Read.All` covers it.
    RoleManagementReadDirectory = "RoleManagement.Read.Directory";
}
