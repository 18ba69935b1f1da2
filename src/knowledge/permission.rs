//! What application permissions let an application do (msgraph.md 5.1, 5.2).

use crate::model::Permission;

/// Returns what a permission lets its holder do, to be read after "lets an application".
pub(super) fn lets(permission: Permission) -> &'static str {
    use Permission as P;
    match permission {
        P::UserReadAll => "read users with their on-premises identifiers",
        P::DeviceReadAll => "read Entra devices",
        P::DeviceReadWriteAll => "write and delete Entra devices, and add a device to a group",
        P::GroupMemberReadAll => "read groups and their members",
        P::GroupMemberReadWriteAll => "add and remove group members",
        P::DirectoryReadAll => "read everything in the directory",
        P::OrganizationReadAll => "read the tenant itself",
        P::ManagedDevicesReadAll => "read Intune devices",
        P::ManagedDevicesReadWriteAll => {
            "delete Intune devices and set primary users; it also lets wipe them, which the tool never does"
        }
        P::ServiceConfigReadAll => "read Autopilot and enrolment configuration",
        P::ServiceConfigReadWriteAll => "delete, import and tag Autopilot identities",
        P::ConfigurationReadAll => "read configuration profiles",
        P::ConfigurationReadWriteAll => "assign configuration profiles",
        P::BitlockerKeyReadBasicAll => "see which recovery keys are in escrow, never the keys",
        P::DeviceLocalCredentialReadBasicAll => "see when LAPS passwords were backed up, never the passwords",
        P::PolicyReadAll => "read Conditional Access and cross-tenant policies",
        P::PolicyReadWriteConditionalAccess => {
            "write Conditional Access policies, beside Policy.Read.All and Application.Read.All"
        }
        P::ApplicationReadAll => "read applications, which writing Conditional Access policies needs too",
        P::PolicyReadDeviceConfiguration => {
            "read the device registration policy, for which Policy.Read.All isn't accepted"
        }
        P::UserDeleteRestoreAll => "delete the package account, which revokes the package",
        P::RoleManagementReadDirectory => "see who holds directory roles: such a user is never mapped to a profile",
        P::DirectoryReadWriteAll => "write everything in the directory; the tool never asks for it",
        P::UserReadWriteAll => "write every user; the tool never asks for it",
        P::GroupReadAll => "read groups with all that is in them, mail and files too; the tool never asks for it",
        P::GroupReadWriteAll => "write groups; the tool never asks for it",
        P::OrganizationReadWriteAll => "write the tenant itself; the tool never asks for it",
        P::BitlockerKeyReadAll => "read the recovery keys themselves; the tool never asks for it",
        P::DeviceLocalCredentialReadAll => "read the LAPS passwords themselves; the tool never asks for it",
        P::ApplicationReadWriteAll => "write applications; the tool never asks for it",
        P::PolicyReadWriteDeviceConfiguration => "write the device registration policy; the tool never asks for it",
        P::RoleManagementReadAll => "read roles of every kind; the tool never asks for it",
        P::RoleManagementReadWriteDirectory => "give directory roles; the tool never asks for it",
    }
}
