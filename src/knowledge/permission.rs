//! Facts about application permissions (msgraph.md 5.1, 5.2; graph/app-roles.json).

use crate::model::Permission;

/// What is known of one permission.
#[derive(Debug)]
pub(super) struct Fact {
    /// What it lets the application do.
    pub(super) lets: &'static str,
    /// Its app role in the public cloud; other clouds name it the same and may number it otherwise.
    pub(super) role: &'static str,
    /// Broader ones that cover it.
    pub(super) covered_by: &'static [Permission],
}

/// Returns the facts about a permission.
pub(super) fn fact(permission: Permission) -> Fact {
    use Permission as P;
    let (lets, role, covered_by): (_, _, &[P]) = match permission {
        P::UserReadAll => (
            "read users with their on-premises identifiers",
            "df021288-bdef-4463-88db-98f22de89214",
            &[P::DirectoryReadAll],
        ),
        P::DeviceReadAll => (
            "read Entra devices",
            "7438b122-aefc-4978-80ed-43db9fcc7715",
            &[P::DeviceReadWriteAll, P::DirectoryReadAll],
        ),
        P::DeviceReadWriteAll => {
            ("write and delete Entra devices, and add a device to a group", "1138cb37-bd11-4084-a2b7-9f71582aeddb", &[])
        }
        P::GroupMemberReadAll => (
            "read groups and their members",
            "98830695-27a2-44f7-8c18-0c3ebc9698f6",
            &[P::GroupMemberReadWriteAll, P::DirectoryReadAll],
        ),
        P::GroupMemberReadWriteAll => ("add and remove group members", "dbaae8cf-10b5-4b86-a4a1-f871c94c6695", &[]),
        P::DirectoryReadAll => ("read everything in the directory", "7ab1d382-f21e-4acd-a863-ba3e13f7da61", &[]),
        P::OrganizationReadAll => {
            ("read the tenant itself", "498476ce-e0fe-48b0-b801-37ba7e2685c6", &[P::DirectoryReadAll])
        }
        P::ManagedDevicesReadAll => {
            ("read Intune devices", "2f51be20-0bb4-4fed-bf7b-db946066c75e", &[P::ManagedDevicesReadWriteAll])
        }
        P::ManagedDevicesReadWriteAll => (
            "delete Intune devices and set primary users; it also lets wipe them, which the tool never does",
            "243333ab-4d21-40cb-a475-36241daa0842",
            &[],
        ),
        P::ServiceConfigReadAll => (
            "read Autopilot and enrolment configuration",
            "06a5fe6d-c49d-46a7-b082-56b1b14103c7",
            &[P::ServiceConfigReadWriteAll],
        ),
        P::ServiceConfigReadWriteAll => {
            ("delete, import and tag Autopilot identities", "5ac13192-7ace-4fcf-b828-1a26f28068ee", &[])
        }
        P::ConfigurationReadAll => {
            ("read configuration profiles", "dc377aa6-52d8-4e23-b271-2a7ae04cedf3", &[P::ConfigurationReadWriteAll])
        }
        P::ConfigurationReadWriteAll => ("assign configuration profiles", "9241abd9-d0e6-425a-bd4f-47ba86e767a4", &[]),
        P::BitlockerKeyReadBasicAll => {
            ("see which recovery keys are in escrow, never the keys", "f690d423-6b29-4d04-98c6-694c42282419", &[])
        }
        P::DeviceLocalCredentialReadBasicAll => {
            ("see when LAPS passwords were backed up, never the passwords", "db51be59-e728-414b-b800-e0f010df1a79", &[])
        }
        P::PolicyReadAll => {
            ("read Conditional Access and cross-tenant policies", "246dd0d5-5bd0-4def-940b-0421030a5b68", &[])
        }
        P::PolicyReadWriteConditionalAccess => (
            "write Conditional Access policies, beside Policy.Read.All and Application.Read.All",
            "01c0a623-fc9b-48e9-b794-0756f8e8f067",
            &[],
        ),
        P::ApplicationReadAll => (
            "read applications, which writing Conditional Access policies needs too",
            "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
            &[],
        ),
        P::PolicyReadDeviceConfiguration => (
            "read the device registration policy, for which Policy.Read.All isn't accepted",
            "bdba4817-6ba1-4a7c-8a01-be9bc7c242dd",
            &[],
        ),
        P::UserDeleteRestoreAll => {
            ("delete the package account, which revokes the package", "eccc023d-eccf-4e7b-9683-8813ab36cecc", &[])
        }
        P::RoleManagementReadDirectory => (
            "see who holds directory roles: such a user is never mapped to a profile",
            "483bed4a-2ad3-4361-a73b-c83ccdbdc53c",
            &[P::DirectoryReadAll],
        ),
    };
    Fact { lets, role, covered_by }
}
