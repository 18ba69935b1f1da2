//! The port of tenants over Graph: each method is one or two calls, and says what a status means.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::call::{self, Call};
use super::config::Config;
use super::fault;
use super::page::malformed;
use super::shape::{self, Shape};
use super::transport::Transport;
use crate::model::{
    AutopilotId, EntraDeviceId, EntraObjectId, GroupId, IntuneId, Permission, PolicyId, Problem, Retry, TenantId,
    UserId,
};
use crate::port::{AutopilotImport, Clock, ImportState, Result, Tenant, Wanted};
use crate::state::{
    Assignment, AutopilotIdentity, ConditionalAccessPolicy, ConfigurationProfile, EntraDevice, Group, LapsBackup,
    ManagedDevice, RecoveryKey, TenantState, TrustType, User,
};

/// What the names of package accounts begin with (msgraph.md 2.2).
const PACKAGE_PREFIX: &str = "package_";

/// One app's connection to one tenant. Clones share token, quotas and connections; a second client for the same app
/// and tenant would not.
#[derive(Clone)]
pub struct Client {
    transport: Arc<Transport>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("tenant", &self.transport.label())
            .field("graph", &self.transport.root())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Returns a client. Nothing is sent yet.
    ///
    /// # Errors
    /// `graph.endpoint` for an address that a secret must not be sent to, `token.credential-unsupported`, `graph.tls`.
    pub fn new(config: Config, clock: Arc<dyn Clock>) -> Result<Self> {
        Ok(Self { transport: Arc::new(Transport::new(config, clock)?) })
    }

    /// Reads one object; 404 is `None` where the call takes it.
    async fn one<T>(&self, call: &Call, shape: Shape<T>) -> Result<Option<T>> {
        let answer = self.transport.send(call).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let malformed = |why: String| malformed(&self.transport, call, &why);
        shape(&shape::entity(answer.json().map_err(malformed)?)).map_err(malformed)
    }

    /// Returns the only one of a list.
    fn only<T>(&self, mut items: Vec<T>, what: &str, name: &str) -> Result<Option<T>> {
        let found = items.pop();
        if items.is_empty() {
            return Ok(found);
        }
        let count = items.len() + 1;
        let label = self.transport.label();
        Err(Problem::new("graph.ambiguous", format!("{count} {what} in tenant {label} are called {name}"))
            .next("rename all but one: the tool doesn't choose"))
    }

    /// Adds a member to a group: 400 is a success where it says that it is one already.
    async fn add(&self, call: &Call) -> Result<()> {
        let answer = self.transport.send(call).await?;
        let body = answer.json().unwrap_or_default();
        if answer.status == 400 && !fault::already_a_member(&body) {
            let label = self.transport.label();
            return Err(fault::refusal(label, call, 400, &body, &fault::Trace::default(), None));
        }
        Ok(())
    }

    async fn user_of(&self, key: &str) -> Result<Option<User>> {
        let Some(mut user) = self.one(&call::user(key), shape::user).await? else { return Ok(None) };
        user.privileged = self.transport.privileged().await?.contains(&user.id);
        Ok(Some(user))
    }

    /// Returns which targets to write: what is there stays as it is read, since it may hold filters and
    /// collections that [`Assignment`] doesn't know.
    fn targets(there: &[Value], wanted: &[Assignment]) -> Vec<Value> {
        let mut there: Vec<&Value> = there.iter().collect();
        wanted
            .iter()
            .map(|assignment| match there.iter().position(|target| shape::assignment(target) == *assignment) {
                Some(at) => there.remove(at).clone(),
                None => {
                    let mut target = serde_json::Map::new();
                    target.insert("@odata.type".to_owned(), assignment.kind.as_str().into());
                    if let Some(group) = assignment.group {
                        target.insert("groupId".to_owned(), group.to_string().into());
                    }
                    Value::Object(target)
                }
            })
            .collect()
    }
}

#[async_trait]
impl Tenant for Client {
    async fn observe(&self, wanted: &Wanted) -> TenantState {
        self.transport.observe(wanted).await
    }

    async fn grants(&self) -> Result<(TenantId, Vec<Permission>)> {
        let claims = self.transport.tokens.fresh_claims().await?;
        Ok((claims.tenant, claims.roles))
    }

    async fn user(&self, id: UserId) -> Result<Option<User>> {
        self.user_of(&id.to_string()).await
    }

    async fn user_by_upn(&self, upn: &str) -> Result<Option<User>> {
        self.user_of(upn).await
    }

    async fn delete_package_account(&self, upn: &str) -> Result<()> {
        let is_package = upn.get(..PACKAGE_PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(PACKAGE_PREFIX));
        if !is_package || !upn.contains('@') {
            return Err(Problem::new("graph.not-a-package", format!("{upn} isn't a package account and stays"))
                .next("name the package's own account, package_…, in the plan"));
        }
        self.transport.send(&call::delete_user(upn)).await.map(drop)
    }

    async fn device(&self, id: EntraDeviceId) -> Result<Option<EntraDevice>> {
        self.one(&call::device(id), shape::device).await
    }

    async fn device_object(&self, id: EntraObjectId) -> Result<Option<EntraDevice>> {
        self.one(&call::device_object(id), shape::device).await
    }

    async fn delete_device(&self, id: EntraObjectId) -> Result<()> {
        let Some(device) = self.device_object(id).await? else { return Ok(()) };
        let refused = |code: &str, what: &str, next: &str| {
            Err(Problem::new(code, format!("the device object {id} ({}) {what} and stays", device.name)).next(next))
        };
        match device.trust {
            TrustType::Joined | TrustType::Registered => self.transport.send(&call::delete_device(id)).await.map(drop),
            // Deleting it would lose its keys at once, and Entra Connect would make it again (msgraph.md 0.4).
            TrustType::Hybrid | TrustType::Pending => refused(
                "graph.hybrid-device",
                "is the Entra half of a hybrid device",
                "disable or delete the computer in Active Directory; synchronisation removes this object",
            ),
            TrustType::Other => refused(
                "graph.unknown-device",
                "is joined in a way that this version doesn't know",
                "look at it in the Entra admin center and delete it there",
            ),
        }
    }

    async fn groups_of(&self, device: EntraObjectId) -> Result<Vec<Group>> {
        let mut groups = self.transport.pages(&call::memberships_of_device(device), shape::group_membership).await?;
        groups.iter_mut().for_each(|group| group.devices = vec![device]);
        groups.sort_by_key(|group| group.id);
        Ok(groups)
    }

    async fn group_by_name(&self, name: &str) -> Result<Option<Group>> {
        let groups = self.transport.pages(&call::groups_named(&[name]), shape::group).await?;
        self.only(groups, "groups", name)
    }

    async fn is_member(&self, group: GroupId, device: EntraObjectId) -> Result<bool> {
        Ok(self.groups_of(device).await?.iter().any(|found| found.id == group))
    }

    async fn add_member(&self, group: GroupId, device: EntraObjectId) -> Result<()> {
        self.add(&call::add_member(self.transport.root(), group, device)).await
    }

    async fn remove_member(&self, group: GroupId, device: EntraObjectId) -> Result<()> {
        self.transport.send(&call::remove_member(group, device)).await.map(drop)
    }

    async fn groups_of_user(&self, user: UserId) -> Result<Vec<GroupId>> {
        let groups = self.transport.pages(&call::groups_of_account(&user.to_string()), shape::object_id).await?;
        Ok(groups.into_iter().map(GroupId).collect())
    }

    async fn add_user_member(&self, group: GroupId, user: UserId) -> Result<()> {
        self.add(&call::add_user_member(self.transport.root(), group, user)).await
    }

    async fn remove_user_member(&self, group: GroupId, user: UserId) -> Result<()> {
        self.transport.send(&call::remove_user_member(group, user)).await.map(drop)
    }

    async fn managed_device(&self, id: IntuneId) -> Result<Option<ManagedDevice>> {
        self.one(&call::managed_device(id), shape::managed_device).await
    }

    async fn managed_devices_of(&self, id: EntraDeviceId) -> Result<Vec<ManagedDevice>> {
        let mut devices = self.transport.pages(&call::managed_devices_of(id), shape::managed_device).await?;
        // The filter isn't documented (msgraph.md 2.5): one that is ignored must not show other devices as this one.
        devices.retain(|device| device.device_id == Some(id));
        devices.sort_by_key(|device| device.id);
        Ok(devices)
    }

    async fn delete_managed_device(&self, id: IntuneId) -> Result<()> {
        self.transport.send(&call::delete_managed_device(id)).await.map(drop)
    }

    async fn primary_users(&self, id: IntuneId) -> Result<Vec<UserId>> {
        let ids = self.transport.pages(&call::primary_users(id), shape::object_id).await?;
        let mut users: Vec<UserId> = ids.into_iter().map(UserId).collect();
        users.sort_unstable();
        Ok(users)
    }

    async fn set_primary_user(&self, id: IntuneId, user: UserId) -> Result<()> {
        self.transport.send(&call::set_primary_user(self.transport.root(), id, user)).await.map(drop)
    }

    async fn recovery_keys(&self, device: EntraDeviceId) -> Result<Vec<RecoveryKey>> {
        let mut keys = self.transport.pages(&call::recovery_keys_of(device), shape::recovery_key).await?;
        keys.retain(|key| key.device_id == device);
        keys.sort_by_key(|key| key.id);
        Ok(keys)
    }

    async fn laps(&self, device: EntraDeviceId) -> Result<Option<LapsBackup>> {
        self.one(&call::laps_of(device), shape::laps).await
    }

    async fn autopilot(&self, serial: &str) -> Result<Option<AutopilotIdentity>> {
        let serial = serial.trim();
        // Graph refuses hyphens here and knows no `eq` (msgraph.md 2.6), so the rest is compared on this side.
        let parts = serial.split(|c: char| !c.is_ascii_alphanumeric());
        let Some(part) = parts.max_by_key(|part| part.len()).filter(|part| !part.is_empty()) else {
            return Err(Problem::new(
                "graph.serial",
                format!("`{serial}` isn't a serial number that Autopilot can find"),
            )
            .next("check the serial number that the device reports"));
        };
        let mut found = self.transport.pages(&call::autopilot_containing(part), shape::autopilot).await?;
        found.retain(|identity| identity.serial.eq_ignore_ascii_case(serial));
        self.only(found, "Autopilot identities", serial)
    }

    async fn delete_autopilot(&self, id: AutopilotId) -> Result<()> {
        self.transport.send(&call::delete_autopilot(id)).await.map(drop)
    }

    async fn import_autopilot(&self, import: &AutopilotImport) -> Result<String> {
        let call = call::import_autopilot(import);
        let json = self.transport.send(&call).await?.json().unwrap_or_default();
        let id = shape::entity(json).get("id").and_then(Value::as_str).map(str::to_owned);
        // It was accepted, so it must not be sent again without looking.
        id.ok_or_else(|| malformed(&self.transport, &call, "the import has no id").retry(Retry::ReadFirst))
    }

    async fn import_state(&self, import: &str) -> Result<ImportState> {
        let json = self.transport.json(&call::autopilot_import(import)).await?;
        Ok(shape::import_state(&shape::entity(json)))
    }

    async fn sync_autopilot(&self) -> Result<()> {
        self.transport.send(&call::sync_autopilot()).await.map(drop)
    }

    async fn policy_by_name(&self, name: &str) -> Result<Option<ConditionalAccessPolicy>> {
        let mut policies = self.transport.pages(&call::policies(), shape::policy).await?;
        policies.retain(|policy| policy.name == name);
        self.only(policies, "Conditional Access policies", name)
    }

    async fn set_excluded_users(&self, policy: PolicyId, users: &[String]) -> Result<()> {
        // A PATCH replaces `conditions` as a whole, so the rest is sent as it was read (unproven).
        let read = call::policy(policy);
        let json = shape::entity(self.transport.json(&read).await?);
        let conditions = shape::conditions_excluding(&json, users)
            .ok_or_else(|| malformed(&self.transport, &read, "the policy has no `conditions.users`"))?;
        self.transport.send(&call::set_conditions(policy, conditions)).await.map(drop)
    }

    async fn profile_by_name(&self, name: &str) -> Result<Option<ConfigurationProfile>> {
        let mut profiles = self.transport.pages(&call::profiles(), shape::profile).await?;
        profiles.retain(|profile| profile.name == name);
        let Some(mut profile) = self.only(profiles, "configuration profiles", name)? else { return Ok(None) };
        profile.assignments = self.transport.assignments(profile.id).await?;
        Ok(Some(profile))
    }

    async fn assign_profile(&self, profile: PolicyId, assignments: &[Assignment]) -> Result<()> {
        let there = self.transport.pages(&call::profile_assignments(profile), shape::target).await?;
        self.transport.send(&call::assign_profile(profile, &Self::targets(&there, assignments))).await.map(drop)
    }

    fn service_time(&self) -> Option<Timestamp> {
        self.transport.service_time()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Catches a rewritten list of assignments that loses a filter or a collection of another tool's target.
    #[test]
    fn targets_keep_what_they_hold() {
        let group = "0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11";
        let kind = "#microsoft.graph.groupAssignmentTarget";
        let there = [
            json!({"@odata.type": kind, "groupId": group, "deviceAndAppManagementAssignmentFilterId": "f"}),
            json!({"@odata.type": "#microsoft.graph.configurationManagerCollectionAssignmentTarget", "collectionId": "c"}),
        ];
        let mut wanted: Vec<Assignment> = there.iter().map(shape::assignment).collect();
        let new = GroupId(uuid::Uuid::from_u128(9));
        wanted.push(Assignment { kind: kind.into(), group: Some(new) });
        let targets = Client::targets(&there, &wanted);
        assert_eq!(targets[..2], there);
        assert_eq!(targets[2], json!({"@odata.type": kind, "groupId": new.to_string()}));
    }
}
