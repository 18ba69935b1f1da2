//! A tenant, seen by the controller: the calls of Microsoft Graph that operations make.
//!
//! Reads may lag behind writes (msgraph.md 0.9): callers poll with a predicate and a bound, and never take
//! a write's echo for proof. Deleting what isn't there and adding what is there are successes.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::model::{
    AutopilotId, EntraDeviceId, EntraObjectId, GroupId, IntuneId, Permission, PolicyId, TenantId, UserId,
};
use crate::state::{
    Assignment, AutopilotIdentity, ConditionalAccessPolicy, ConfigurationProfile, EntraDevice, Group, LapsBackup,
    ManagedDevice, RecoveryKey, TenantState, User,
};

/// Which parts of a tenant a plan needs. What isn't wanted is `Absent` in the answer and costs no call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Users.
    pub users: bool,
    /// Display names of groups that the plan names.
    pub groups: BTreeSet<String>,
    /// Autopilot identities.
    pub autopilot: bool,
    /// Recovery keys in escrow.
    pub recovery_keys: bool,
    /// LAPS backups.
    pub laps: bool,
    /// Conditional Access policies.
    pub conditional_access: bool,
    /// Display names of configuration profiles.
    pub profiles: BTreeSet<String>,
    /// Registrations that a migration produced: their managed devices' primary users are read, in batches.
    pub migrated: BTreeSet<EntraDeviceId>,
    /// Groups by id whose members are read although the plan doesn't name them: groups to restore.
    pub group_ids: BTreeSet<GroupId>,
    /// Client id of the application whose registration and grants are read.
    pub app: Option<String>,
    /// What decides whether devices may enrol: restrictions, limit, status pages.
    pub enrolment: bool,
    /// Cross-tenant access.
    pub cross_tenant: bool,
    /// UPNs of package accounts, lower case: their groups and the devices that they own are read.
    pub accounts: BTreeSet<String>,
}

/// What an Autopilot import needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutopilotImport {
    /// Serial number.
    pub serial: String,
    /// Hardware hash, base64.
    pub hardware_hash: String,
    /// Group tag.
    pub group_tag: Option<String>,
}

/// State of an import (`deviceImportStatus`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportState {
    /// Unknown, pending or partial.
    Running,
    /// The identity is there.
    Complete(Option<AutopilotId>),
    /// `deviceErrorCode` and `deviceErrorName`, such as 808 `ZtdDeviceAssignedToOtherTenant`.
    Failed(i64, String),
}

/// One tenant.
#[async_trait]
pub trait Tenant: Send + Sync {
    /// Reads everything a plan needs, in pages and batches. A part that fails is `Unknown`, not an error.
    async fn observe(&self, wanted: &Wanted) -> TenantState;
    /// Gets a new token and returns its tenant and granted application permissions.
    ///
    /// # Errors
    /// `token.*` codes: wrong secret, unknown tenant, …
    async fn grants(&self) -> Result<(TenantId, Vec<Permission>)>;

    /// `users/{id}`.
    async fn user(&self, id: UserId) -> Result<Option<User>>;
    /// `users/{upn}`.
    async fn user_by_upn(&self, upn: &str) -> Result<Option<User>>;
    /// Deletes a user. Only package accounts (`package_…`) are accepted.
    async fn delete_package_account(&self, upn: &str) -> Result<()>;

    /// `devices(deviceId='…')`.
    async fn device(&self, id: EntraDeviceId) -> Result<Option<EntraDevice>>;
    /// `devices/{id}`, to see that it is gone.
    async fn device_object(&self, id: EntraObjectId) -> Result<Option<EntraDevice>>;
    /// Deletes a device object. Refuses a hybrid one: that is Active Directory's to retire.
    async fn delete_device(&self, id: EntraObjectId) -> Result<()>;

    /// Groups that a device is a direct member of.
    async fn groups_of(&self, device: EntraObjectId) -> Result<Vec<Group>>;
    /// A group by display name.
    async fn group_by_name(&self, name: &str) -> Result<Option<Group>>;
    /// Says whether a device is a direct member.
    async fn is_member(&self, group: GroupId, device: EntraObjectId) -> Result<bool>;
    /// Adds a device; one that is a member already is a success.
    async fn add_member(&self, group: GroupId, device: EntraObjectId) -> Result<()>;
    /// Removes a device's membership, never the device.
    async fn remove_member(&self, group: GroupId, device: EntraObjectId) -> Result<()>;
    /// Groups that a user is in, directly or through other groups; directory roles may stand among them.
    async fn groups_of_user(&self, user: UserId) -> Result<Vec<GroupId>>;
    /// Adds a user; one that is a member already is a success.
    async fn add_user_member(&self, group: GroupId, user: UserId) -> Result<()>;
    /// Removes a user's membership, never the user; one that isn't there is a success.
    async fn remove_user_member(&self, group: GroupId, user: UserId) -> Result<()>;

    /// `managedDevices/{id}`.
    async fn managed_device(&self, id: IntuneId) -> Result<Option<ManagedDevice>>;
    /// Managed devices with this registration.
    async fn managed_devices_of(&self, id: EntraDeviceId) -> Result<Vec<ManagedDevice>>;
    /// Deletes an Intune record.
    async fn delete_managed_device(&self, id: IntuneId) -> Result<()>;
    /// `managedDevices/{id}/users`.
    async fn primary_users(&self, id: IntuneId) -> Result<Vec<UserId>>;
    /// Sets the primary user (beta).
    async fn set_primary_user(&self, id: IntuneId, user: UserId) -> Result<()>;

    /// Recovery keys in escrow for a device, without the keys.
    async fn recovery_keys(&self, device: EntraDeviceId) -> Result<Vec<RecoveryKey>>;
    /// LAPS backup of a device, without credentials.
    async fn laps(&self, device: EntraDeviceId) -> Result<Option<LapsBackup>>;

    /// Autopilot identity with exactly this serial number.
    async fn autopilot(&self, serial: &str) -> Result<Option<AutopilotIdentity>>;
    /// Deletes an Autopilot identity; it is gone some minutes later.
    async fn delete_autopilot(&self, id: AutopilotId) -> Result<()>;
    /// Starts an import and returns the import's id. Not idempotent: read before repeating.
    async fn import_autopilot(&self, import: &AutopilotImport) -> Result<String>;
    /// Asks how an import is.
    async fn import_state(&self, import: &str) -> Result<ImportState>;
    /// Asks for an Autopilot synchronisation; too soon after the last one is a success.
    async fn sync_autopilot(&self) -> Result<()>;

    /// Conditional Access policy by display name.
    async fn policy_by_name(&self, name: &str) -> Result<Option<ConditionalAccessPolicy>>;
    /// Replaces `excludeUsers` of a policy.
    async fn set_excluded_users(&self, policy: PolicyId, users: &[String]) -> Result<()>;

    /// Configuration profile by display name.
    async fn profile_by_name(&self, name: &str) -> Result<Option<ConfigurationProfile>>;
    /// Replaces the assignments of a profile.
    async fn assign_profile(&self, profile: PolicyId, assignments: &[Assignment]) -> Result<()>;
    /// When the tenant's service says it is, from the `Date` header of the last answer.
    fn service_time(&self) -> Option<Timestamp>;
}
