//! What is in one tenant: the parts of Microsoft Graph that a migration depends on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    AutopilotId, EntraDeviceId, EntraObjectId, GroupId, IntuneId, KeyId, Known, Permission, PolicyId, Sid, TenantId,
    UserId,
};

use super::{ConditionalAccessPolicy, CrossTenantAccess, NamedLocation};

/// One tenant, as far as the plan needs it. Lists are in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantState {
    /// The tenant itself.
    pub organization: Known<Organization>,
    /// Application permissions in the token's `roles` claim.
    pub granted: Known<Vec<Permission>>,
    /// Users.
    pub users: Known<Vec<User>>,
    /// Entra device objects.
    pub devices: Known<Vec<EntraDevice>>,
    /// Intune devices.
    pub managed_devices: Known<Vec<ManagedDevice>>,
    /// Groups that the plan names, and groups that hold planned devices; with device members only.
    pub groups: Known<Vec<Group>>,
    /// Autopilot identities; read only where the feature is on.
    pub autopilot: Known<Vec<AutopilotIdentity>>,
    /// Recovery keys in escrow; read only where the feature is on.
    pub recovery_keys: Known<Vec<RecoveryKey>>,
    /// LAPS backups; read only where the feature is on.
    pub laps: Known<Vec<LapsBackup>>,
    /// Conditional Access policies.
    pub conditional_access: Known<Vec<ConditionalAccessPolicy>>,
    /// The device registration policy.
    pub registration_policy: Known<RegistrationPolicy>,
    /// Configuration profiles that the plan names; read only where the feature is on.
    pub profiles: Known<Vec<ConfigurationProfile>>,
    /// Primary users of the managed devices that a migration has already produced.
    pub primary_users: Known<BTreeMap<IntuneId, Vec<UserId>>>,
    /// Tenant that the token is of (`tid`).
    #[serde(default = "unread")]
    pub token_tenant: Known<TenantId>,
    /// The application that the controller signs in as; absent where the tenant has no service principal of it.
    /// Read with the permission to read applications.
    #[serde(default = "unread")]
    pub app: Known<AppRegistration>,
    /// Enrolment restrictions and status pages.
    #[serde(default = "unread")]
    pub enrolment: Known<EnrolmentSettings>,
    /// Named locations; absent where no policy in force names one.
    #[serde(default = "unread")]
    pub named_locations: Known<Vec<NamedLocation>>,
    /// Cross-tenant access; read for tenant-to-tenant.
    #[serde(default = "unread")]
    pub cross_tenant: Known<CrossTenantAccess>,
    /// Groups that a package account of the plan is a member of, directly or through others, by UPN in lower case.
    #[serde(default = "unread")]
    pub account_groups: Known<BTreeMap<String, Vec<GroupId>>>,
    /// Why the application was refused a token, where it was: then everything else is unknown for that reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<TokenRefusal>,
}

/// A token that isn't given, however often it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRefusal {
    /// What the authority says, with our code; the same from one observation to the next.
    pub why: String,
    /// What to do about it.
    pub next: Option<String>,
}

fn unread<T>() -> Known<T> {
    Known::Unknown("this part wasn't read".to_owned())
}

/// `servicePrincipal` of the application, and its `application` where the tenant is its home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRegistration {
    /// Client id.
    pub app_id: String,
    /// Display name.
    pub name: String,
    /// The service principal is enabled.
    pub enabled: bool,
    /// Object id of the service principal.
    pub principal: uuid::Uuid,
    /// Graph application permissions that the registration asks for, by value; ones that this version doesn't know
    /// are here too. Absent outside the application's home tenant.
    pub requested: Known<Vec<String>>,
    /// Graph application permissions that are assigned: consented to.
    pub assigned: Vec<String>,
    /// Secrets and certificates of the registration. Absent outside its home tenant.
    pub credentials: Known<Vec<AppCredential>>,
}

/// A secret or certificate of an application, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppCredential {
    /// `secret` or `certificate`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// End of its validity.
    pub ends: Option<Timestamp>,
}

/// `deviceEnrollmentConfiguration`s that decide about a bulk enrolment (msgraph.md 0.6: the default ones alone).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EnrolmentSettings {
    /// The default platform restriction blocks Windows; none where no default restriction was found.
    pub windows_blocked: Option<bool>,
    /// The default limit of devices a user may enrol.
    pub device_limit: Option<u32>,
    /// Enrollment Status Pages.
    pub status_pages: Vec<StatusPage>,
}

/// `windows10EnrollmentCompletionPageConfiguration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusPage {
    /// Display name.
    pub name: String,
    /// Shown, and device use is blocked until it is done. Only beta tells; v1.0's own words are taken for unknown.
    pub blocks: Known<bool>,
    /// Assigned to everybody, or the one that everybody without another one gets.
    pub to_all: bool,
    /// Groups that it is assigned to.
    pub groups: Vec<GroupId>,
}

/// `organization`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Tenant id.
    pub id: TenantId,
    /// Display name.
    pub display_name: String,
    /// Verified domains, in lower case.
    pub verified_domains: Vec<String>,
    /// `mobileDeviceManagementAuthority`, a permission of its own: absent where the tenant names none.
    pub mdm_authority: Known<String>,
}

/// `user`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Object id.
    pub id: UserId,
    /// User principal name, in lower case.
    pub upn: String,
    /// `accountEnabled`.
    pub enabled: bool,
    /// `onPremisesSecurityIdentifier`.
    pub on_premises_sid: Option<Sid>,
    /// `securityIdentifier`, as Graph says it.
    pub sid: Option<Sid>,
    /// Holds an active Intune service plan.
    pub intune: bool,
    /// Holds an active Entra ID P1 or P2 service plan.
    pub premium: bool,
    /// Creation time; bounds the life of a package account.
    pub created: Option<Timestamp>,
    /// Holds a directory role: such an account is never mapped to a profile.
    pub privileged: bool,
}

/// `device.trustType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustType {
    /// `Workplace`: Entra registered.
    Registered,
    /// `AzureAd`: Entra joined.
    Joined,
    /// `ServerAd`: hybrid joined. Deleting such an object loses its keys at once (msgraph.md 2.9).
    Hybrid,
    /// Null: a hybrid registration that isn't complete.
    Pending,
    /// A value this version doesn't know.
    Other,
}

/// `device`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntraDevice {
    /// Directory object id.
    pub id: EntraObjectId,
    /// Registration id.
    pub device_id: EntraDeviceId,
    /// Display name.
    pub name: String,
    /// How it is joined.
    pub trust: TrustType,
    /// `accountEnabled`.
    pub enabled: bool,
    /// Registered owner, whose quota it counts against, where it is a package account of the plan. Owners that no
    /// plan names aren't read.
    #[serde(default)]
    pub owner: Option<UserId>,
}

impl EntraDevice {
    /// Says whether it is the Entra half of a hybrid device: what synchronises Active Directory makes it and takes it away.
    #[must_use]
    pub fn is_synchronised(&self) -> bool {
        matches!(self.trust, TrustType::Hybrid | TrustType::Pending)
    }
}

/// `managedDevice`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedDevice {
    /// Intune id.
    pub id: IntuneId,
    /// `azureADDeviceId`.
    pub device_id: Option<EntraDeviceId>,
    /// Device name.
    pub name: String,
    /// Serial number.
    pub serial: String,
    /// `lastSyncDateTime`.
    pub last_sync: Option<Timestamp>,
    /// `enrolledDateTime`.
    pub enrolled: Option<Timestamp>,
}

/// `group`, with its device members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Object id.
    pub id: GroupId,
    /// Display name.
    pub name: String,
    /// Membership is computed by a rule.
    pub dynamic: bool,
    /// Synchronised from Active Directory.
    pub synced: bool,
    /// Can hold directory roles.
    pub role_assignable: bool,
    /// Mail-enabled.
    pub mail_enabled: bool,
    /// Device members, by object id, sorted.
    pub devices: Vec<EntraObjectId>,
}

impl Group {
    /// Says whether a device can be put into it by the tool (msgraph.md 2.4).
    #[must_use]
    pub fn restorable(&self) -> bool {
        !self.dynamic && !self.synced && !self.role_assignable && !self.mail_enabled
    }
}

/// `windowsAutopilotDeviceIdentity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutopilotIdentity {
    /// Identity id.
    pub id: AutopilotId,
    /// Serial number.
    pub serial: String,
    /// Group tag.
    pub group_tag: Option<String>,
    /// The managed device it belongs to.
    pub managed_device: Option<IntuneId>,
}

/// `bitlockerRecoveryKey`, without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryKey {
    /// Key id.
    pub id: KeyId,
    /// Device it was escrowed for.
    pub device_id: EntraDeviceId,
    /// When.
    pub created: Timestamp,
}

/// `deviceLocalCredentialInfo`, without credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LapsBackup {
    /// Registration id of the device.
    pub device_id: EntraDeviceId,
    /// `lastBackupDateTime`.
    pub backed_up: Timestamp,
}

/// `deviceRegistrationPolicy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationPolicy {
    /// `userDeviceQuota`.
    pub user_device_quota: u32,
    /// `multiFactorAuthConfiguration` is `required`.
    pub mfa_required: bool,
    /// `azureADJoin.allowedToJoin`.
    pub join: JoinScope,
}

/// Who may join devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JoinScope {
    /// Everybody.
    All,
    /// Nobody.
    None,
    /// These users and groups.
    Some {
        /// Users by id.
        users: Vec<UserId>,
        /// Groups by id.
        groups: Vec<GroupId>,
    },
}

/// `deviceConfiguration`, with its assignments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationProfile {
    /// Profile id.
    pub id: PolicyId,
    /// Display name.
    pub name: String,
    /// Targets.
    pub assignments: Vec<Assignment>,
}

/// One target of an assignment. `assign` replaces the whole list, so all of it is kept (msgraph.md 2.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// `@odata.type` of the target.
    pub kind: String,
    /// Group, where the target is one.
    pub group: Option<GroupId>,
}
