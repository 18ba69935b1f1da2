//! Reads what a plan needs of a tenant: parts side by side, each of them able to fail alone.
//!
//! | part | calls |
//! |---|---|
//! | organization | 2 |
//! | users | pages of 999, directory roles |
//! | devices, managed devices | pages of 999 and 1000 |
//! | groups | a filter for 15 names and one read an id, in batches of 20; members' first pages in batches |
//! | recovery keys, LAPS, Autopilot, policies | pages |
//! | profiles | pages, assignments of the wanted ones in batches |
//! | primary users | batches of 20, after the managed devices |
//! | settings, application, package accounts | `settings` |
//!
//! So the number of calls grows with devices by pages and batches alone.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join3, join4, join5, try_join_all};
use uuid::Uuid;

use super::batch::Item;
use super::call::{self, NAMES_PER_FILTER};
use super::page::malformed;
use super::shape::{self, Principal};
use super::transport::Transport;
use crate::model::{Known, PolicyId, Problem, Retry, UserId};
use crate::port::{Result, Wanted};
use crate::state::{
    Assignment, ConfigurationProfile, Group, ManagedDevice, Organization, RegistrationPolicy, TenantState,
    TokenRefusal, User,
};

/// Collections read side by side whose first pages came in a batch.
const CONCURRENT: usize = 4;

/// Says why a part couldn't be read, with code and request id. The rest of the detail changes with every request and
/// would only make two plans differ.
pub(super) fn reason(problem: &Problem) -> String {
    tracing::debug!(%problem, detail = problem.detail, "a part of the tenant couldn't be read");
    let detail = problem.detail.as_deref().and_then(|detail| detail.split(", client-request-id").next());
    match detail {
        Some(detail) => format!("{} ({}); {detail}", problem.message, problem.code),
        None => format!("{} ({})", problem.message, problem.code),
    }
}

pub(super) fn part<T>(result: Result<T>) -> Known<T> {
    result.map_or_else(|problem| Known::Unknown(reason(&problem)), Known::Known)
}

async fn if_wanted<T>(read: Option<impl Future<Output = Result<T>>>) -> Known<T> {
    match read {
        Some(read) => part(read.await),
        None => Known::Absent,
    }
}

/// Reads a list in the order of its ids, or nothing where it isn't wanted.
async fn wanted_part<T, K: Ord>(
    wanted: bool,
    read: impl Future<Output = Result<Vec<T>>>,
    key: impl Fn(&T) -> K,
) -> Known<Vec<T>> {
    if !wanted {
        return Known::Absent;
    }
    part(read.await.map(|mut items| {
        items.sort_by_key(key);
        items
    }))
}

impl Transport {
    /// Reads the parts that are wanted.
    pub(super) async fn observe(&self, wanted: &Wanted) -> TenantState {
        // Without a token every part would ask for one of its own and fail alike.
        let claims = match self.tokens.get().await {
            Ok(token) => token.claims().cloned(),
            Err(problem) => return failed(wanted, &problem),
        };
        let settings = join5(
            if_wanted(wanted.app.as_deref().map(|client_id| self.app(client_id))),
            if_wanted(wanted.enrolment.then(|| self.enrolment())),
            self.access(wanted),
            if_wanted(wanted.cross_tenant.then(|| self.cross_tenant())),
            self.accounts(wanted),
        );
        let parts = join3(
            join4(
                self.organization(),
                self.registration_policy(),
                wanted_part(wanted.users, self.users(), |user| user.id),
                wanted_part(true, async { self.pages(&call::devices(), shape::device).await }, |device| device.id),
            ),
            join3(
                self.managed_and_primary(wanted),
                wanted_part(wants_groups(wanted), self.groups(wanted), |group| group.id),
                wanted_part(!wanted.profiles.is_empty(), self.profiles(wanted), |profile| profile.id),
            ),
            join3(
                wanted_part(wanted.autopilot, async { self.pages(&call::autopilot(), shape::autopilot).await }, |i| {
                    i.id
                }),
                wanted_part(
                    wanted.recovery_keys,
                    async { self.pages(&call::recovery_keys(), shape::recovery_key).await },
                    |key| key.id,
                ),
                wanted_part(wanted.laps, async { self.pages(&call::laps(), shape::laps).await }, |laps| laps.device_id),
            ),
        );
        let (parts, (app, enrolment, (conditional_access, named_locations), cross_tenant, accounts)) =
            join(parts, settings).await;
        let ((organization, registration_policy, users, mut devices), (managed, groups, profiles), rest) = parts;
        let (autopilot, recovery_keys, laps) = rest;
        let (managed_devices, primary_users) = managed;
        accounts.own(&mut devices, &users);
        TenantState {
            organization: part(organization),
            granted: claims.as_ref().map_or_else(
                || Known::Unknown("the token doesn't say what it is granted".to_owned()),
                |claims| Known::Known(claims.roles.clone()),
            ),
            users,
            devices,
            managed_devices,
            groups,
            autopilot,
            recovery_keys,
            laps,
            conditional_access,
            registration_policy: part(registration_policy),
            profiles,
            primary_users,
            token_tenant: claims.map_or_else(
                || Known::Unknown("the token doesn't say of which tenant it is".to_owned()),
                |claims| Known::Known(claims.tenant),
            ),
            app: match app {
                Known::Known(found) => Known::found(found),
                Known::Absent => Known::Absent,
                Known::Unknown(why) => Known::Unknown(why),
            },
            enrolment,
            named_locations,
            cross_tenant,
            account_groups: accounts.groups,
            refused: None,
        }
    }

    async fn organization(&self) -> Result<Organization> {
        let call = call::organization();
        let mut all = self.pages(&call, shape::organization).await?;
        let mut organization = all.pop().ok_or_else(|| malformed(self, &call, "the list is empty"))?;
        // Another permission than the organization's: where it is refused the rest is known all the same.
        organization.mdm_authority = match self.json(&call::mdm_authority(organization.id)).await {
            Ok(json) => shape::mdm_authority(&shape::entity(json)),
            Err(problem) => Known::Unknown(reason(&problem)),
        };
        Ok(organization)
    }

    async fn registration_policy(&self) -> Result<RegistrationPolicy> {
        let call = call::registration_policy();
        let json = shape::entity(self.json(&call).await?);
        match shape::registration_policy(&json) {
            Ok(Some(policy)) => Ok(policy),
            Ok(None) => Err(malformed(self, &call, "the policy is empty")),
            Err(why) => Err(malformed(self, &call, &why)),
        }
    }

    async fn users(&self) -> Result<Vec<User>> {
        let call = call::users();
        let (users, privileged) = join(self.pages(&call, shape::user), self.privileged()).await;
        // A user whose roles aren't known may be an administrator: then no user is known well enough.
        let (mut users, privileged) = (users?, privileged?);
        users.iter_mut().for_each(|user| user.privileged = privileged.contains(&user.id));
        Ok(users)
    }

    /// Returns who holds a directory role, directly or through a group.
    pub(super) async fn privileged(&self) -> Result<BTreeSet<UserId>> {
        let principals = self.pages(&call::role_assignments(), shape::principal).await?;
        let (mut ids, mut groups) = (BTreeSet::new(), BTreeSet::new());
        for principal in principals {
            match principal {
                Principal::Account(id) => drop(ids.insert(UserId(id))),
                Principal::Group(id) => drop(groups.insert(id)),
            }
        }
        let calls: Vec<_> = groups.into_iter().map(call::all_members).collect();
        let members = self.collections(&calls, shape::object_id).await?;
        ids.extend(members.into_iter().flatten().flatten().map(UserId));
        Ok(ids)
    }

    /// Reads several collections, their first pages in batches. One that isn't there (and may be absent) is `None`.
    pub(super) async fn collections<T>(
        &self,
        calls: &[call::Call],
        shape: shape::Shape<T>,
    ) -> Result<Vec<Option<Vec<T>>>> {
        let mut items = self.batch(calls).await.into_iter();
        let mut collections = Vec::with_capacity(calls.len());
        for together in calls.chunks(CONCURRENT) {
            let rest: Vec<_> =
                together.iter().zip(items.by_ref()).map(|(call, item)| self.collection(call, item, shape)).collect();
            collections.extend(try_join_all(rest).await?);
        }
        Ok(collections)
    }

    async fn collection<T>(
        &self,
        call: &call::Call,
        first: Result<Item>,
        shape: shape::Shape<T>,
    ) -> Result<Option<Vec<T>>> {
        let first = first?;
        if first.status == 404 {
            return Ok(None);
        }
        self.pages_from(call, first.body, shape).await.map(Some)
    }

    async fn groups(&self, wanted: &Wanted) -> Result<Vec<Group>> {
        let names: Vec<&str> = wanted.groups.iter().map(String::as_str).collect();
        let by_name: Vec<_> = names.chunks(NAMES_PER_FILTER).map(call::groups_named).collect();
        let by_id: Vec<_> = wanted.group_ids.iter().copied().map(call::group).collect();
        let (named, single) = join(self.collections(&by_name, shape::group), self.batch(&by_id)).await;
        let mut groups: BTreeMap<_, _> =
            named?.into_iter().flatten().flatten().map(|group| (group.id, group)).collect();
        for (call, item) in by_id.iter().zip(single) {
            let item = item?;
            if item.status != 404 {
                let group = shape::group(&item.body).map_err(|why| malformed(self, call, &why))?;
                groups.extend(group.map(|group| (group.id, group)));
            }
        }
        let calls: Vec<_> = groups.keys().copied().map(call::device_members).collect();
        let members = self.collections(&calls, shape::object_id).await?;
        for (group, members) in groups.values_mut().zip(members) {
            let mut devices: Vec<Uuid> = members.unwrap_or_default();
            devices.sort_unstable();
            devices.dedup();
            group.devices = devices.into_iter().map(crate::model::EntraObjectId).collect();
        }
        Ok(groups.into_values().collect())
    }

    async fn profiles(&self, wanted: &Wanted) -> Result<Vec<ConfigurationProfile>> {
        let mut profiles = self.pages(&call::profiles(), shape::profile).await?;
        profiles.retain(|profile| wanted.profiles.contains(&profile.name));
        let calls: Vec<_> = profiles.iter().map(|profile| call::profile_assignments(profile.id)).collect();
        let targets = self.collections(&calls, shape::target).await?;
        for (profile, targets) in profiles.iter_mut().zip(targets) {
            profile.assignments = targets.unwrap_or_default().iter().map(shape::assignment).collect();
        }
        Ok(profiles)
    }

    /// Returns a profile's assignments.
    pub(super) async fn assignments(&self, id: PolicyId) -> Result<Vec<Assignment>> {
        let targets = self.pages(&call::profile_assignments(id), shape::target).await?;
        Ok(targets.iter().map(shape::assignment).collect())
    }

    async fn managed_and_primary(
        &self,
        wanted: &Wanted,
    ) -> (Known<Vec<ManagedDevice>>, Known<BTreeMap<crate::model::IntuneId, Vec<UserId>>>) {
        let managed =
            wanted_part(true, async { self.pages(&call::managed_devices(), shape::managed_device).await }, |d| d.id)
                .await;
        let primary = match &managed {
            _ if wanted.migrated.is_empty() => Known::Absent,
            Known::Known(devices) => part(self.primary_users_of(devices, wanted).await),
            Known::Unknown(why) => Known::Unknown(why.clone()),
            Known::Absent => Known::Absent,
        };
        (managed, primary)
    }

    async fn primary_users_of(
        &self,
        devices: &[ManagedDevice],
        wanted: &Wanted,
    ) -> Result<BTreeMap<crate::model::IntuneId, Vec<UserId>>> {
        let migrated = |device: &&ManagedDevice| device.device_id.is_some_and(|id| wanted.migrated.contains(&id));
        let ids: Vec<_> = devices.iter().filter(migrated).map(|device| device.id).collect();
        let calls: Vec<_> = ids.iter().copied().map(call::primary_users).collect();
        let users = self.collections(&calls, shape::object_id).await?;
        let sorted = |users: Option<Vec<Uuid>>| {
            let mut users: Vec<UserId> = users.unwrap_or_default().into_iter().map(UserId).collect();
            users.sort_unstable();
            users
        };
        Ok(ids.into_iter().zip(users.into_iter().map(sorted)).collect())
    }
}

fn wants_groups(wanted: &Wanted) -> bool {
    !wanted.groups.is_empty() || !wanted.group_ids.is_empty()
}

/// The state of a tenant that gives no token: what is wanted is unknown, for one reason. What the authority says more
/// is kept once, and without its own text: that holds ids and times, which change with every request.
fn failed(wanted: &Wanted, problem: &Problem) -> TenantState {
    fn unless<T>(wanted: bool, why: &str) -> Known<T> {
        if wanted { Known::Unknown(why.to_owned()) } else { Known::Absent }
    }
    tracing::debug!(%problem, detail = problem.detail, "the tenant gives no token");
    let why = &problem.to_string();
    let said = problem.detail.as_deref().and_then(|detail| detail.split(" \"").next());
    let full = said.map_or_else(|| why.clone(), |said| format!("{why}; {said}"));
    // What may pass by itself says nothing of the credential.
    let refused = (problem.retry == Retry::No).then(|| TokenRefusal { why: full, next: problem.next.clone() });
    TenantState {
        refused,
        organization: unless(true, why),
        granted: unless(true, why),
        users: unless(wanted.users, why),
        devices: unless(true, why),
        managed_devices: unless(true, why),
        groups: unless(wants_groups(wanted), why),
        autopilot: unless(wanted.autopilot, why),
        recovery_keys: unless(wanted.recovery_keys, why),
        laps: unless(wanted.laps, why),
        conditional_access: unless(wanted.conditional_access, why),
        registration_policy: unless(true, why),
        profiles: unless(!wanted.profiles.is_empty(), why),
        primary_users: unless(!wanted.migrated.is_empty(), why),
        token_tenant: unless(true, why),
        app: unless(wanted.app.is_some(), why),
        enrolment: unless(wanted.enrolment, why),
        named_locations: unless(wanted.conditional_access, why),
        cross_tenant: unless(wanted.cross_tenant, why),
        account_groups: unless(!wanted.accounts.is_empty(), why),
    }
}
