//! One tenant's objects and memberships in memory, written through to the store, and made from the world.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::due::later;
use super::object::{
    Autopilot, Deleted, Device, Group, Import, Laps, ManagedDevice, Object, Policy, Profile, RecoveryKey, Trust, User,
};
use super::table::{Row, Table};
use crate::lab::seed::{Index, derive, group_id, policy_id, user_id};
use crate::lab::store::{LabStore, Write};
use crate::lab::world::{WorldDevice, WorldPolicy, WorldTenant};
use crate::model::{JoinState, Problem};
use crate::port::Result;

/// A tenant.
#[derive(Debug)]
pub(super) struct TenantData {
    /// Name in the world.
    pub(super) name: String,
    pub(super) spec: WorldTenant,
    /// Whether Entra Connect feeds it.
    pub(super) synced: bool,
    /// Users at the start: decides the size of quotas.
    pub(super) user_count: usize,
    pub(super) users: Table<User>,
    pub(super) groups: Table<Group>,
    pub(super) devices: Table<Device>,
    pub(super) managed: Table<ManagedDevice>,
    pub(super) autopilot: Table<Autopilot>,
    pub(super) imports: Table<Import>,
    pub(super) laps: Table<Laps>,
    pub(super) keys: Table<RecoveryKey>,
    pub(super) deleted: Table<Deleted>,
    pub(super) policies: Table<Policy>,
    pub(super) profiles: Table<Profile>,
    members: BTreeMap<Uuid, BTreeMap<Uuid, Row<()>>>,
    groups_of: BTreeMap<Uuid, BTreeSet<Uuid>>,
    /// Upper-case names of devices that dynamic groups take in.
    pub(super) dynamic: BTreeMap<String, Vec<Uuid>>,
    /// Users and groups that alone may join, where the world names some.
    pub(super) joiners: (Vec<Uuid>, Vec<Uuid>),
    pub(super) last_autopilot_sync: Option<Timestamp>,
    /// What has to be written before a request is answered.
    pub(super) writes: Vec<Write>,
}

/// A type of object that a tenant keeps.
pub(super) trait Kept: Object {
    /// Returns its table.
    fn table_mut(data: &mut TenantData) -> &mut Table<Self>;
}

macro_rules! kept {
    ($($type:ty => $field:ident;)*) => {$(
        impl Kept for $type {
            fn table_mut(data: &mut TenantData) -> &mut Table<Self> {
                &mut data.$field
            }
        }
    )*};
}

kept! {
    User => users;
    Group => groups;
    Device => devices;
    ManagedDevice => managed;
    Autopilot => autopilot;
    Import => imports;
    Laps => laps;
    RecoveryKey => keys;
    Deleted => deleted;
    Policy => policies;
    Profile => profiles;
}

impl TenantData {
    /// Returns a tenant's first moment, changed as the store says.
    pub(super) fn load(index: &Index<'_>, name: &str, spec: &WorldTenant, store: &LabStore) -> Result<Self> {
        let world = index.world();
        let mut data = Self {
            name: name.to_owned(),
            // Users and groups live in tables; only their settings are needed from the description.
            spec: WorldTenant { users: Vec::new(), groups: Vec::new(), ..spec.clone() },
            synced: world.directory.as_ref().is_some_and(|directory| directory.sync_to.as_deref() == Some(name)),
            user_count: spec.users.len(),
            users: Table::new(),
            groups: Table::new(),
            devices: Table::new(),
            managed: Table::new(),
            autopilot: Table::new(),
            imports: Table::new(),
            laps: Table::new(),
            keys: Table::new(),
            deleted: Table::new(),
            policies: Table::new(),
            profiles: Table::new(),
            members: BTreeMap::new(),
            groups_of: BTreeMap::new(),
            dynamic: BTreeMap::new(),
            joiners: (Vec::new(), Vec::new()),
            last_autopilot_sync: None,
            writes: Vec::new(),
        };
        data.seed_users(index, spec);
        for device in world.devices.iter().filter(|device| device.tenant.as_deref() == Some(name)) {
            data.seed_device(index, device);
        }
        data.seed_groups(index, spec);
        data.seed_policies(index, spec);
        data.overlay::<User>(store)?;
        data.overlay::<Group>(store)?;
        data.overlay::<Device>(store)?;
        data.overlay::<ManagedDevice>(store)?;
        data.overlay::<Autopilot>(store)?;
        data.overlay::<Import>(store)?;
        data.overlay::<Laps>(store)?;
        data.overlay::<RecoveryKey>(store)?;
        data.overlay::<Deleted>(store)?;
        data.overlay::<Policy>(store)?;
        data.overlay::<Profile>(store)?;
        for (id, body) in store.all(&data.kind("members"))? {
            let pair = id.split_once('/').and_then(|(g, m)| Some((g.parse().ok()?, m.parse().ok()?)));
            let (group, member) = pair.ok_or_else(|| {
                Problem::new("lab.store", format!("membership {id} of tenant `{name}` can't be read"))
            })?;
            data.place_member(group, member, (body == "true").then_some(()));
        }
        let synced = store.get(&data.kind("settings"), "autopilot-sync")?;
        data.last_autopilot_sync = synced.and_then(|text| text.parse().ok());
        Ok(data)
    }

    fn kind(&self, table: &str) -> String {
        format!("tenant/{}/{table}", self.name)
    }

    fn overlay<T: Kept>(&mut self, store: &LabStore) -> Result<()> {
        for (id, body) in store.all(&self.kind(T::TABLE))? {
            let broken = |detail: String| {
                let message = format!("{} {id} of tenant `{}` can't be read", T::TYPE, self.name);
                Problem::new("lab.store", message).next("start anew with `opsole lab reset`").detail(detail)
            };
            let key: Uuid = id.parse().map_err(|e: uuid::Error| broken(e.to_string()))?;
            match serde_json::from_str::<Option<T>>(&body).map_err(|e| broken(e.to_string()))? {
                Some(object) => T::table_mut(self).seed(object),
                None => T::table_mut(self).unseed(key),
            }
        }
        Ok(())
    }

    fn until(&self, now: Timestamp) -> Timestamp {
        later(now, self.spec.service.visibility_secs)
    }

    /// Puts an object in force.
    pub(super) fn put<T: Kept>(&mut self, object: T, now: Timestamp) -> Result<()> {
        let body = serde_json::to_string(&object).map_err(|e| {
            Problem::new("lab.store", format!("{} can't be written as JSON", T::TYPE)).detail(e.to_string())
        })?;
        let kind = self.kind(T::TABLE);
        self.writes.push(Write { kind, id: object.id().to_string(), body: Some(body) });
        let until = self.until(now);
        T::table_mut(self).put(object, now, until);
        Ok(())
    }
    /// Takes an object out of force.
    pub(super) fn remove<T: Kept>(&mut self, id: Uuid, now: Timestamp) {
        let kind = self.kind(T::TABLE);
        self.writes.push(Write { kind, id: id.to_string(), body: Some("null".to_owned()) });
        let until = self.until(now);
        T::table_mut(self).remove(id, now, until);
        T::table_mut(self).tidy(id, now);
    }
    /// Keeps when Autopilot was synchronised by hand.
    pub(super) fn set_autopilot_sync(&mut self, now: Timestamp) {
        self.last_autopilot_sync = Some(now);
        let (kind, id) = (self.kind("settings"), "autopilot-sync".to_owned());
        self.writes.push(Write { kind, id, body: Some(now.to_string()) });
    }

    /// Says whether somebody is a direct member, in force.
    pub(super) fn is_member(&self, group: Uuid, member: Uuid) -> bool {
        self.members.get(&group).and_then(|members| members.get(&member)).is_some_and(|row| row.now().is_some())
    }
    fn place_member(&mut self, group: Uuid, member: Uuid, value: Option<()>) {
        let row = value.map_or_else(Row::absent, Row::settled);
        self.members.entry(group).or_default().insert(member, row);
        self.groups_of.entry(member).or_default().insert(group);
    }
    /// Adds or removes a member.
    pub(super) fn set_member(&mut self, group: Uuid, member: Uuid, present: bool, now: Timestamp) {
        let until = self.until(now);
        let row = self.members.entry(group).or_default().entry(member).or_insert_with(Row::absent);
        row.set(present.then_some(()), now, until);
        self.groups_of.entry(member).or_default().insert(group);
        let kind = self.kind("members");
        self.writes.push(Write { kind, id: format!("{group}/{member}"), body: Some(present.to_string()) });
    }
    /// Returns the members that readers see, after an id.
    pub(super) fn members_seen(
        &self,
        group: Uuid,
        after: Option<Uuid>,
        at: Timestamp,
    ) -> impl Iterator<Item = Uuid> + use<'_> {
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let members = self.members.get(&group).into_iter();
        let rows = members.flat_map(move |members| members.range((from, std::ops::Bound::Unbounded)));
        rows.filter(move |(_, row)| row.seen(at).is_some()).map(|(id, _)| *id)
    }
    /// Returns the members in force.
    pub(super) fn members(&self, group: Uuid) -> impl Iterator<Item = Uuid> + use<'_> {
        let rows = self.members.get(&group).into_iter().flatten();
        rows.filter(|(_, row)| row.now().is_some()).map(|(id, _)| *id)
    }
    /// Returns the groups that readers see somebody in.
    pub(super) fn groups_seen(&self, member: Uuid, at: Timestamp) -> Vec<Uuid> {
        let groups = self.groups_of.get(&member).into_iter().flatten();
        let seen = |group: &&Uuid| {
            let row = self.members.get(*group).and_then(|members| members.get(&member));
            row.is_some_and(|row| row.seen(at).is_some())
        };
        groups.filter(seen).copied().collect()
    }
    /// Takes somebody out of all groups.
    pub(super) fn leave_groups(&mut self, member: Uuid, now: Timestamp) {
        let groups: Vec<Uuid> = self.groups_of.get(&member).into_iter().flatten().copied().collect();
        for group in groups.into_iter().filter(|group| self.is_member(*group, member)).collect::<Vec<_>>() {
            self.set_member(group, member, false, now);
        }
    }
    /// Returns the device object in force with a registration.
    pub(super) fn device_by_registration(&self, device_id: Uuid) -> Option<&Device> {
        self.devices.having("deviceId", &device_id.to_string()).next()
    }
    /// Returns the user in force with a UPN.
    pub(super) fn user_by_upn(&self, upn: &str) -> Option<&User> {
        self.users.having("userPrincipalName", upn).next()
    }

    fn seed_users(&mut self, index: &Index<'_>, spec: &WorldTenant) {
        let world = index.world();
        for user in &spec.users {
            self.users.seed(User {
                id: user_id(world, &self.name, user).0,
                upn: user.upn.to_lowercase(),
                enabled: user.enabled,
                on_premises_sid: user.on_premises_sid.clone(),
                licences: user.licences.clone(),
                roles: user.roles.clone(),
                created: user.created.unwrap_or(world.starts),
            });
        }
    }

    fn seed_device(&mut self, index: &Index<'_>, device: &WorldDevice) {
        let world = index.world();
        let ids = index.device_ids(device);
        let ago = |hours: i64| world.starts.saturating_sub(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MIN);
        // Autopilot knows hardware, whatever the device is joined to.
        if let Some(tag) = &device.autopilot {
            self.autopilot.seed(Autopilot {
                id: ids.autopilot.0,
                serial: device.serial.clone(),
                group_tag: tag.clone(),
                managed_device: device.intune.then_some(ids.intune.0),
                device_id: Some(ids.device_id.0),
                user: String::new(),
                leaving: false,
            });
        }
        if !matches!(device.join, JoinState::Hybrid | JoinState::Entra) {
            return;
        }
        let hybrid = device.join == JoinState::Hybrid;
        let name = device.name.to_uppercase();
        let ztd = device.autopilot.as_ref().map(|tag| {
            let order = (!tag.is_empty()).then(|| format!("[OrderID]:{tag}"));
            [Some(format!("[ZTDID]:{}", ids.autopilot)), order].into_iter().flatten()
        });
        let user =
            index.home(device).and_then(|(tenant, _)| index.user(tenant, &device.user).map(|user| (tenant, user)));
        let user = user.map(|(tenant, user)| (user_id(world, tenant, user).0, user.upn.to_lowercase()));
        self.devices.seed(Device {
            id: ids.entra_object.0,
            device_id: ids.device_id.0,
            name: name.clone(),
            trust: if hybrid { Trust::ServerAd } else { Trust::AzureAd },
            enabled: true,
            managed: device.intune,
            registered: ago(24 * 200),
            last_sign_in: ago(24 * 3),
            physical_ids: ztd.into_iter().flatten().collect(),
            extension: BTreeMap::new(),
            registered_by: (!hybrid).then(|| user.as_ref().map(|(id, _)| *id)).flatten(),
        });
        if device.intune {
            self.managed.seed(ManagedDevice {
                id: ids.intune.0,
                device_id: ids.device_id.0,
                name,
                serial: device.serial.clone(),
                encrypted: device.bitlocker,
                configmgr: device.configmgr,
                hybrid,
                autopilot: device.autopilot.is_some(),
                edition: device.edition.clone(),
                enrolled: ago(24 * 200),
                last_sync: ago(2),
                primary_user: user.as_ref().map(|(id, _)| *id),
                enrolled_by: user,
            });
        }
        if device.bitlocker && device.survey.is_in_escrow() {
            let created = ago(24 * 190);
            self.keys.seed(RecoveryKey::new(ids.bitlocker_key.0, ids.device_id.0, created));
        }
    }

    fn seed_groups(&mut self, index: &Index<'_>, spec: &WorldTenant) {
        let world = index.world();
        for group in &spec.groups {
            let id = group_id(world, &self.name, &group.name, group.id).0;
            self.groups.seed(Group {
                id,
                name: group.name.clone(),
                dynamic: group.dynamic,
                synced: group.synced,
                role_assignable: group.role_assignable,
                mail_enabled: group.mail_enabled,
                created: world.starts,
            });
            for member in &group.members {
                if member.contains('@') {
                    if let Some(user) = index.user(&self.name, member) {
                        self.place_member(id, user_id(world, &self.name, user).0, Some(()));
                    }
                } else if let Some(device) = index.device(member) {
                    if group.dynamic {
                        self.dynamic.entry(member.to_uppercase()).or_default().push(id);
                    }
                    // A device without an object in this tenant is nobody's member, like in Entra.
                    let object = index.entra_object(device).0;
                    if self.devices.get(object).is_some() {
                        self.place_member(id, object, Some(()));
                    }
                }
            }
        }
    }

    fn seed_policies(&mut self, index: &Index<'_>, spec: &WorldTenant) {
        let world = index.world();
        let registration = &spec.registration;
        self.joiners = self.ids(index, spec, &registration.join_users, &registration.join_groups);
        for policy in &spec.conditional_access {
            let id = policy_id(world, &self.name, "conditional-access", &policy.name).0;
            let body = self.policy_body(index, spec, policy);
            self.policies.seed(Policy { id, body });
        }
        for profile in &spec.configuration_profiles {
            let target = |name: &String| {
                let given = spec.groups.iter().find(|group| group.name == *name).and_then(|group| group.id);
                json!({"@odata.type": "#microsoft.graph.groupAssignmentTarget",
                       "groupId": group_id(world, &self.name, name, given).0})
            };
            let profile = Profile {
                id: policy_id(world, &self.name, "profile", &profile.name).0,
                name: profile.name.clone(),
                created: world.starts,
                modified: world.starts,
                targets: profile.groups.iter().map(target).collect(),
                version: 1,
            };
            self.profiles.seed(profile);
        }
    }

    fn ids(&self, index: &Index<'_>, spec: &WorldTenant, upns: &[String], groups: &[String]) -> (Vec<Uuid>, Vec<Uuid>) {
        let world = index.world();
        let users = upns.iter().filter_map(|upn| index.user(&self.name, upn));
        let groups = groups.iter().filter_map(|name| spec.groups.iter().find(|group| group.name == *name));
        (
            users.map(|user| user_id(world, &self.name, user).0).collect(),
            groups.map(|group| group_id(world, &self.name, &group.name, group.id).0).collect(),
        )
    }
    /// Returns the id of a named location.
    pub(super) fn location_id(&self, name: &str) -> Uuid {
        derive(&self.spec.id.to_string(), "named-location", name)
    }

    fn policy_body(&self, index: &Index<'_>, spec: &WorldTenant, policy: &WorldPolicy) -> Value {
        let world = index.world();
        let (excluded, excluded_groups) = self.ids(index, spec, &policy.exclude_users, &policy.exclude_groups);
        let (named, included_groups) = self.ids(index, spec, &policy.include_users, &policy.include_groups);
        let word = |name: &&String| !name.contains('@');
        let mut included: Vec<String> = policy.include_users.iter().filter(word).cloned().collect();
        included.extend(named.iter().map(Uuid::to_string));
        let aimed = !included.is_empty() || !included_groups.is_empty() || !policy.include_roles.is_empty();
        if !aimed {
            // A policy for workloads is for no user.
            included.push(if policy.service_principals.is_some() { "None" } else { "All" }.to_owned());
        }
        let all = || if policy.user_actions.is_empty() { vec!["All".to_owned()] } else { Vec::new() };
        let (applications, but) = policy
            .applications
            .as_ref()
            .map_or_else(|| (all(), Vec::new()), |of| (of.include.clone(), of.exclude.clone()));
        let principal = |client: &String| match client.as_str() {
            "ServicePrincipalsInMyTenant" => client.clone(),
            _ => derive(&world.name, "service-principal", &format!("{}\n{}", self.name, client.to_lowercase()))
                .to_string(),
        };
        let place = |name: &String| match name.as_str() {
            "All" | "AllTrusted" => name.clone(),
            _ => self.location_id(name).to_string(),
        };
        let principals = policy.service_principals.as_ref().map(|of| {
            json!({"includeServicePrincipals": of.include.iter().map(principal).collect::<Vec<_>>(),
                   "excludeServicePrincipals": of.exclude.iter().map(principal).collect::<Vec<_>>()})
        });
        let locations = policy.locations.as_ref().map(|of| {
            json!({"includeLocations": of.include.iter().map(place).collect::<Vec<_>>(),
                   "excludeLocations": of.exclude.iter().map(place).collect::<Vec<_>>()})
        });
        let platforms = policy.platforms.as_ref();
        let filter = policy.device_filter.as_ref();
        let strength = policy.authentication_strength.as_ref();
        let terms = policy.terms_of_use.then(|| derive(&world.name, "terms-of-use", &policy.name));
        let grants = !policy.grant.is_empty() || strength.is_some() || terms.is_some();
        json!({
            "displayName": policy.name,
            "createdDateTime": world.starts.to_string(),
            "modifiedDateTime": null,
            "state": policy.state,
            "sessionControls": null,
            "conditions": {
                "clientAppTypes": policy.client_app_types,
                "signInRiskLevels": policy.sign_in_risk,
                "userRiskLevels": policy.user_risk,
                "platforms": platforms.map(|of| json!({"includePlatforms": of.include, "excludePlatforms": of.exclude})),
                "locations": locations,
                "devices": filter.map(|of| json!({"deviceFilter": {"mode": of.mode, "rule": of.rule}})),
                "clientApplications": principals,
                "applications": {"includeApplications": applications, "excludeApplications": but,
                                 "includeUserActions": policy.user_actions},
                "users": {"includeUsers": included, "excludeUsers": excluded, "includeGroups": included_groups,
                          "excludeGroups": excluded_groups, "includeRoles": policy.include_roles, "excludeRoles": []},
            },
            "grantControls": grants.then(|| json!({
                "operator": policy.operator, "builtInControls": policy.grant, "customAuthenticationFactors": [],
                "termsOfUse": terms.into_iter().collect::<Vec<_>>(),
                "authenticationStrength": strength.map(|name| json!({
                    "id": derive(&world.name, "authentication-strength", name), "displayName": name})),
            })),
        })
    }
}
