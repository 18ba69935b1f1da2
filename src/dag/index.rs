//! Lookup tables over one snapshot, built once and in linear time.
//!
//! The tables hash; nothing ever iterates over them, so results don't depend on hashing. Where several
//! records answer to one key, callers sort by id before they choose or speak.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use uuid::Uuid;

use crate::model::{DeviceName, EntraDeviceId, EntraObjectId, GroupId, IntuneId, KeyId, Known, Sid, TenantId, UserId};
use crate::plan::{MigrationPlan, TenantSpec};
use crate::state::{
    AdComputer, AdUser, AutopilotIdentity, ConditionalAccessPolicy, ConfigurationProfile, EntraDevice, Group,
    LapsBackup, ManagedDevice, RecoveryKey, Snapshot, TenantState, User,
};

const END: u32 = u32::MAX;

/// Positions in a list by a key that several items may share.
#[derive(Debug)]
pub(crate) struct Multi<K> {
    heads: HashMap<K, u32>,
    next: Vec<u32>,
}

impl<K: Hash + Eq> Multi<K> {
    fn new<I: DoubleEndedIterator<Item = Option<K>> + ExactSizeIterator>(keys: I) -> Self {
        let mut heads = HashMap::with_capacity(keys.len());
        let mut next = vec![END; keys.len()];
        for (at, key) in keys.enumerate().rev() {
            if let (Some(key), Ok(short)) = (key, u32::try_from(at))
                && let Some(later) = heads.insert(key, short)
            {
                next[at] = later;
            }
        }
        Self { heads, next }
    }

    /// Returns the positions of a key's items, in order of the list.
    pub(crate) fn get<'s, Q>(&'s self, key: &Q) -> impl Iterator<Item = usize> + use<'s, K, Q>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut at = self.heads.get(key).copied().unwrap_or(END);
        std::iter::from_fn(move || {
            let here = (at != END).then_some(at as usize)?;
            at = self.next[here];
            Some(here)
        })
    }
}

/// A list of the snapshot, and why it couldn't be read where it couldn't. Absent lists are empty.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a, T> {
    pub(crate) items: &'a [T],
    pub(crate) gap: Option<&'a str>,
}

impl<'a, T> Part<'a, T> {
    fn of(known: &'a Known<Vec<T>>) -> Self {
        match known {
            Known::Known(items) => Self { items, gap: None },
            Known::Absent => Self { items: &[], gap: None },
            Known::Unknown(why) => Self { items: &[], gap: Some(why) },
        }
    }
    fn missing() -> Self {
        Self { items: &[], gap: Some("the snapshot doesn't hold this tenant") }
    }
}

/// One tenant with its tables.
#[derive(Debug)]
pub(crate) struct TenantIndex<'a> {
    pub(crate) name: &'a str,
    pub(crate) id: TenantId,
    pub(crate) state: Option<&'a TenantState>,
    pub(crate) users: Part<'a, User>,
    pub(crate) devices: Part<'a, EntraDevice>,
    pub(crate) managed: Part<'a, ManagedDevice>,
    pub(crate) groups: Part<'a, Group>,
    pub(crate) autopilot: Part<'a, AutopilotIdentity>,
    pub(crate) keys: Part<'a, RecoveryKey>,
    pub(crate) laps: Part<'a, LapsBackup>,
    pub(crate) policies: Part<'a, ConditionalAccessPolicy>,
    pub(crate) profiles: Part<'a, ConfigurationProfile>,
    user_by_id: HashMap<UserId, u32>,
    user_by_upn: Multi<&'a str>,
    user_by_sid: Multi<&'a Sid>,
    device_by_id: HashMap<EntraDeviceId, u32>,
    device_by_object: HashMap<EntraObjectId, u32>,
    device_by_name: Multi<DeviceName>,
    managed_by_id: HashMap<IntuneId, u32>,
    managed_by_device: Multi<EntraDeviceId>,
    managed_by_name: Multi<DeviceName>,
    autopilot_by_serial: Multi<&'a str>,
    keys_by_id: Multi<KeyId>,
    laps_by_device: Multi<EntraDeviceId>,
    group_by_id: HashMap<GroupId, u32>,
    group_by_name: Multi<&'a str>,
    /// Device object and group, sorted: one table for all memberships.
    members: Vec<(EntraObjectId, u32)>,
}

fn by_id<K: Hash + Eq>(keys: impl ExactSizeIterator<Item = K>) -> HashMap<K, u32> {
    keys.zip(0_u32..).collect()
}

impl<'a> TenantIndex<'a> {
    fn new(spec: &'a TenantSpec, state: Option<&'a TenantState>) -> Self {
        let users = state.map_or(Part::missing(), |s| Part::of(&s.users));
        let devices = state.map_or(Part::missing(), |s| Part::of(&s.devices));
        let managed = state.map_or(Part::missing(), |s| Part::of(&s.managed_devices));
        let groups: Part<'a, Group> = state.map_or(Part::missing(), |s| Part::of(&s.groups));
        let autopilot = state.map_or(Part::missing(), |s| Part::of(&s.autopilot));
        let keys = state.map_or(Part::missing(), |s| Part::of(&s.recovery_keys));
        let laps = state.map_or(Part::missing(), |s| Part::of(&s.laps));
        let mut members: Vec<(EntraObjectId, u32)> = Vec::new();
        for (group, at) in groups.items.iter().zip(0..) {
            members.extend(group.devices.iter().map(|device| (*device, at)));
        }
        members.sort_unstable();
        Self {
            name: spec.name.as_str(),
            id: spec.id,
            state,
            user_by_id: by_id(users.items.iter().map(|user| user.id)),
            user_by_upn: Multi::new(users.items.iter().map(|user| Some(user.upn.as_str()))),
            user_by_sid: Multi::new(users.items.iter().map(|user| user.on_premises_sid.as_ref())),
            device_by_id: by_id(devices.items.iter().map(|device| device.device_id)),
            device_by_object: by_id(devices.items.iter().map(|device| device.id)),
            device_by_name: Multi::new(devices.items.iter().map(|device| Some(DeviceName::new(&device.name)))),
            managed_by_id: by_id(managed.items.iter().map(|device| device.id)),
            managed_by_device: Multi::new(managed.items.iter().map(|device| device.device_id)),
            managed_by_name: Multi::new(managed.items.iter().map(|device| Some(DeviceName::new(&device.name)))),
            autopilot_by_serial: Multi::new(autopilot.items.iter().map(|identity| Some(identity.serial.as_str()))),
            keys_by_id: Multi::new(keys.items.iter().map(|key| Some(key.id))),
            laps_by_device: Multi::new(laps.items.iter().map(|backup| Some(backup.device_id))),
            group_by_id: by_id(groups.items.iter().map(|group| group.id)),
            group_by_name: Multi::new(groups.items.iter().map(|group| Some(group.name.as_str()))),
            policies: state.map_or(Part::missing(), |s| Part::of(&s.conditional_access)),
            profiles: state.map_or(Part::missing(), |s| Part::of(&s.profiles)),
            users,
            devices,
            managed,
            groups,
            autopilot,
            keys,
            laps,
            members,
        }
    }

    pub(crate) fn user(&self, id: UserId) -> Option<&'a User> {
        self.user_by_id.get(&id).map(|at| &self.users.items[*at as usize])
    }
    pub(crate) fn users_named(&self, upn: &str) -> impl Iterator<Item = &'a User> {
        self.user_by_upn.get(upn).map(|at| &self.users.items[at])
    }
    pub(crate) fn users_of_sid(&self, sid: &Sid) -> impl Iterator<Item = &'a User> {
        self.user_by_sid.get(sid).map(|at| &self.users.items[at])
    }
    pub(crate) fn device(&self, id: EntraDeviceId) -> Option<&'a EntraDevice> {
        self.device_by_id.get(&id).map(|at| &self.devices.items[*at as usize])
    }
    pub(crate) fn object(&self, id: EntraObjectId) -> Option<&'a EntraDevice> {
        self.device_by_object.get(&id).map(|at| &self.devices.items[*at as usize])
    }
    pub(crate) fn devices_named(&self, name: &DeviceName) -> impl Iterator<Item = &'a EntraDevice> {
        self.device_by_name.get(name).map(|at| &self.devices.items[at])
    }
    pub(crate) fn managed_device(&self, id: IntuneId) -> Option<&'a ManagedDevice> {
        self.managed_by_id.get(&id).map(|at| &self.managed.items[*at as usize])
    }
    pub(crate) fn managed_of(&self, id: EntraDeviceId) -> impl Iterator<Item = &'a ManagedDevice> {
        self.managed_by_device.get(&id).map(|at| &self.managed.items[at])
    }
    pub(crate) fn managed_named(&self, name: &DeviceName) -> impl Iterator<Item = &'a ManagedDevice> {
        self.managed_by_name.get(name).map(|at| &self.managed.items[at])
    }
    pub(crate) fn autopilot_of(&self, serial: &str) -> impl Iterator<Item = &'a AutopilotIdentity> {
        self.autopilot_by_serial.get(serial).map(|at| &self.autopilot.items[at])
    }
    /// Says whether a key is in escrow for a registration.
    pub(crate) fn has_key(&self, key: KeyId, device: EntraDeviceId) -> bool {
        self.keys_by_id.get(&key).any(|at| self.keys.items[at].device_id == device)
    }
    pub(crate) fn laps_of(&self, device: EntraDeviceId) -> impl Iterator<Item = &'a LapsBackup> {
        self.laps_by_device.get(&device).map(|at| &self.laps.items[at])
    }
    pub(crate) fn group(&self, id: GroupId) -> Option<&'a Group> {
        self.group_by_id.get(&id).map(|at| &self.groups.items[*at as usize])
    }
    pub(crate) fn groups_named(&self, name: &str) -> impl Iterator<Item = &'a Group> {
        self.group_by_name.get(name).map(|at| &self.groups.items[at])
    }
    /// Says whether a device object is a direct member of a group.
    pub(crate) fn is_member(&self, object: EntraObjectId, group: GroupId) -> bool {
        let at = self.group_by_id.get(&group);
        at.is_some_and(|at| self.members.binary_search(&(object, *at)).is_ok())
    }
    /// Returns the groups that hold a device object, in order of the list.
    pub(crate) fn groups_of(&self, object: EntraObjectId) -> impl Iterator<Item = &'a Group> {
        let start = self.members.partition_point(|(member, _)| *member < object);
        self.members[start..]
            .iter()
            .take_while(move |(member, _)| *member == object)
            .map(|(_, group)| &self.groups.items[*group as usize])
    }
}

/// The plan and the snapshot, with tables. Everything that decides takes it.
#[derive(Debug)]
pub struct Index<'a> {
    /// The plan.
    pub plan: &'a MigrationPlan,
    /// What was observed.
    pub snapshot: &'a Snapshot,
    tenants: Vec<TenantIndex<'a>>,
    origin: usize,
    destination: usize,
    pub(crate) computers: Part<'a, AdComputer>,
    computer_by_name: Multi<DeviceName>,
    computer_by_guid: HashMap<Uuid, u32>,
    ad_users: &'a [AdUser],
    ad_user_by_sid: HashMap<&'a Sid, u32>,
    restorable: HashSet<GroupId>,
}

impl<'a> Index<'a> {
    /// Builds the tables.
    ///
    /// A plan without a tenant can't be resolved; such a plan gives an index that knows nothing.
    #[must_use]
    pub fn new(plan: &'a MigrationPlan, snapshot: &'a Snapshot) -> Self {
        let tenants: Vec<TenantIndex<'a>> =
            plan.tenants.iter().map(|spec| TenantIndex::new(spec, snapshot.tenants.get(&spec.name))).collect();
        let side = |side| {
            let name = plan.tenant(side).map(|spec| &spec.name);
            plan.tenants.iter().position(|spec| Some(&spec.name) == name).unwrap_or(usize::MAX)
        };
        let computers = match &snapshot.directory {
            Known::Known(directory) => Part { items: directory.computers.as_slice(), gap: None },
            Known::Absent => Part { items: &[][..], gap: None },
            Known::Unknown(why) => Part { items: &[][..], gap: Some(why.as_str()) },
        };
        let ad_users = snapshot.directory.known().and_then(|directory| directory.users.known());
        let ad_users: &[AdUser] = ad_users.map_or(&[], Vec::as_slice);
        let origin = side(crate::model::Side::Origin);
        let groups: &[Group] = tenants.get(origin).map_or(&[], |tenant| tenant.groups.items);
        let restorable = super::groups::restorable(groups, plan);
        Self {
            plan,
            snapshot,
            restorable,
            origin,
            destination: side(crate::model::Side::Destination),
            tenants,
            computer_by_name: Multi::new(computers.items.iter().map(|c| Some(DeviceName::new(&c.name)))),
            computer_by_guid: by_id(computers.items.iter().map(|c| c.guid)),
            computers,
            ad_user_by_sid: by_id(ad_users.iter().map(|user| &user.sid)),
            ad_users,
        }
    }

    /// Returns a person's account of the directory, where it was read and has one.
    pub(crate) fn ad_user(&self, sid: &Sid) -> Option<&'a AdUser> {
        self.ad_user_by_sid.get(sid).map(|at| &self.ad_users[*at as usize])
    }
    /// Returns the tenant that devices come from.
    pub(crate) fn origin(&self) -> Option<&TenantIndex<'a>> {
        self.tenants.get(self.origin)
    }
    /// Returns the tenant that devices go to.
    pub(crate) fn destination(&self) -> Option<&TenantIndex<'a>> {
        self.tenants.get(self.destination)
    }
    /// Says whether both sides are one tenant.
    pub(crate) fn one_tenant(&self) -> bool {
        self.origin == self.destination
    }
    /// Says whether the plan restores memberships of a group of the origin.
    pub(crate) fn may_restore(&self, group: GroupId) -> bool {
        self.restorable.contains(&group)
    }
    pub(crate) fn computers_named(&self, name: &DeviceName) -> impl Iterator<Item = &'a AdComputer> {
        self.computer_by_name.get(name).map(|at| &self.computers.items[at])
    }
    pub(crate) fn computer(&self, guid: Uuid) -> Option<&'a AdComputer> {
        self.computer_by_guid.get(&guid).map(|at| &self.computers.items[*at as usize])
    }
}
