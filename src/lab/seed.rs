//! Ids of a world's first moment. They are derived from names, so that every part of the lab (tenants,
//! directory, devices) computes the same ones without asking another, and a world is the same in every run.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::world::{World, WorldDevice, WorldTenant, WorldUser};
use crate::model::{
    AutopilotId, EntraDeviceId, EntraObjectId, GroupId, IntuneId, JoinState, KeyId, PolicyId, Sid, TenantId, UserId,
};

/// Namespace of derived ids; any constant does, as long as it never changes.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f70_736f_6c65_4c61_8b00_0000_0000_0001);

/// Ids of a device's first state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceIds {
    /// Directory object in Entra.
    pub entra_object: EntraObjectId,
    /// Registration in Entra. Of a hybrid device it is the computer's `objectGUID`, as Entra Connect makes it.
    pub device_id: EntraDeviceId,
    /// Intune record.
    pub intune: IntuneId,
    /// Autopilot identity.
    pub autopilot: AutopilotId,
    /// `objectGUID` of the computer in Active Directory.
    pub computer: Uuid,
    /// `objectSid` of the computer.
    pub computer_sid: Sid,
    /// Recovery password protector.
    pub bitlocker_key: KeyId,
    /// Owner of the profile before the move: the AD SID on `ad` and `hybrid` devices, the Entra SID on `entra` ones.
    pub old_user_sid: Sid,
    /// Who will sign in after the move; `None` where no tenant knows the person.
    pub new_user: Option<UserId>,
    /// Tenant that the device is joined to or registered in.
    pub tenant: Option<TenantId>,
}

/// Returns the derived id of something in a world.
#[must_use]
pub fn derive(world: &str, kind: &str, name: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{world}\n{kind}\n{name}").as_bytes())
}

/// Returns a user's object id.
#[must_use]
pub fn user_id(world: &World, tenant: &str, user: &WorldUser) -> UserId {
    let name = || format!("{tenant}\n{}", user.upn.to_lowercase());
    UserId(user.id.unwrap_or_else(|| derive(&world.name, "user", &name())))
}

/// Returns a group's object id.
#[must_use]
pub fn group_id(world: &World, tenant: &str, name: &str, given: Option<Uuid>) -> GroupId {
    GroupId(given.unwrap_or_else(|| derive(&world.name, "group", &format!("{tenant}\n{name}"))))
}

/// Returns the id of a policy or a configuration profile.
#[must_use]
pub fn policy_id(world: &World, tenant: &str, kind: &str, name: &str) -> PolicyId {
    PolicyId(derive(&world.name, kind, &format!("{tenant}\n{name}")))
}

/// Answers questions about a world's names without searching it: for worlds with many devices.
#[derive(Debug)]
pub struct Index<'a> {
    world: &'a World,
    /// Tenant and lower-case UPN to the user's place; `None` searches instead.
    users: Option<BTreeMap<(&'a str, String), usize>>,
    /// Upper-case name to the device's place; `None` searches instead.
    devices: Option<BTreeMap<String, usize>>,
    domain_sid: String,
}

impl<'a> Index<'a> {
    /// Returns the index of a world.
    #[must_use]
    pub fn new(world: &'a World) -> Self {
        let users = world.tenants.iter().flat_map(|(name, tenant)| {
            tenant.users.iter().enumerate().map(move |(at, user)| ((name.as_str(), user.upn.to_lowercase()), at))
        });
        let devices = world.devices.iter().enumerate().map(|(at, device)| (device.name.to_uppercase(), at));
        Self { users: Some(users.collect()), devices: Some(devices.collect()), ..Self::searching(world) }
    }
    /// Returns an index that searches: cheap to make, for a few questions.
    #[must_use]
    pub fn searching(world: &'a World) -> Self {
        let domain = world.directory.as_ref().map_or("", |directory| directory.domain.as_str());
        let bytes = *derive(&world.name, "domain", domain).as_bytes();
        let part = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        // Computers belong to the same domain as the users that the world names.
        let mut named = world.tenants.values().flat_map(|tenant| &tenant.users);
        let of_users = named
            .find_map(|user| user.on_premises_sid.as_deref()?.rsplit_once('-'))
            .map(|(domain, _)| domain.to_owned())
            .filter(|domain| domain.parse::<Sid>().is_ok());
        let domain_sid = of_users.unwrap_or_else(|| format!("S-1-5-21-{}-{}-{}", part(0), part(4), part(8)));
        Self { world, users: None, devices: None, domain_sid }
    }
    /// Returns the world.
    #[must_use]
    pub fn world(&self) -> &'a World {
        self.world
    }
    /// Returns a user of a tenant by UPN, without case.
    #[must_use]
    pub fn user(&self, tenant: &str, upn: &str) -> Option<&'a WorldUser> {
        let (name, spec) = self.world.tenants.get_key_value(tenant)?;
        let at = match &self.users {
            Some(users) => users.get(&(name.as_str(), upn.to_lowercase())).copied(),
            None => spec.users.iter().position(|user| user.upn.eq_ignore_ascii_case(upn)),
        };
        at.and_then(|at| spec.users.get(at))
    }
    fn place(&self, name: &str) -> Option<usize> {
        match &self.devices {
            Some(devices) => devices.get(&name.to_uppercase()).copied(),
            None => self.world.devices.iter().position(|device| device.name.eq_ignore_ascii_case(name)),
        }
    }
    /// Returns a device by name, without case.
    #[must_use]
    pub fn device(&self, name: &str) -> Option<&'a WorldDevice> {
        self.place(name).and_then(|at| self.world.devices.get(at))
    }
    /// Returns the tenant whose directory holds the person who uses a device now.
    #[must_use]
    pub fn home(&self, device: &'a WorldDevice) -> Option<(&'a str, &'a WorldTenant)> {
        let synced = || self.world.directory.as_ref().and_then(|directory| directory.sync_to.as_deref());
        let name = device.tenant.as_deref().or_else(synced)?;
        self.world.tenants.get_key_value(name).map(|(name, tenant)| (name.as_str(), tenant))
    }
    /// Returns who will sign in after the move, with the tenant. A given name is looked for in the other
    /// tenants first: people move between tenants.
    #[must_use]
    pub fn signs_in(&self, device: &'a WorldDevice) -> Option<(&'a str, &'a WorldUser)> {
        let home = self.home(device).map(|(name, _)| name);
        let found = |name: &'a str, upn: &str| self.user(name, upn).map(|user| (name, user));
        match &device.signs_in_as {
            None => home.and_then(|name| found(name, &device.user)),
            Some(upn) => {
                let others = self.world.tenants.keys().map(String::as_str).filter(|name| Some(*name) != home);
                others.chain(home).find_map(|name| found(name, upn))
            }
        }
    }
    /// Returns the SID of the domain.
    #[must_use]
    pub fn domain_sid(&self) -> Sid {
        self.domain_sid.parse().expect("three numbers make a SID")
    }
    fn sid(&self, rid: usize) -> Sid {
        let text = format!("{}-{rid}", self.domain_sid);
        text.parse().expect("three numbers and a relative id make a SID")
    }
    /// Returns the directory object of a device's first state alone: groups ask for it once a member.
    #[must_use]
    pub fn entra_object(&self, device: &WorldDevice) -> EntraObjectId {
        EntraObjectId(derive(&self.world.name, "entra-object", &device.name.to_uppercase()))
    }
    /// Returns the ids of a device's first state.
    #[must_use]
    pub fn device_ids(&self, device: &'a WorldDevice) -> DeviceIds {
        let name = device.name.to_uppercase();
        let id = |kind: &str| derive(&self.world.name, kind, &name);
        // Relative ids by place, in ranges that can't meet: derived ones would collide in a large domain.
        let place = self.place(&name).unwrap_or(0);
        let computer = id("computer");
        let home = self.home(device);
        let user = home.and_then(|(tenant, _)| self.user(tenant, &device.user).map(|user| (tenant, user)));
        let on_premises = || {
            let given = user.and_then(|(_, user)| user.on_premises_sid.as_deref()).and_then(|sid| sid.parse().ok());
            given.unwrap_or_else(|| self.sid(2_000_000 + place))
        };
        let old_user_sid = match (device.join, user) {
            (JoinState::Entra, Some((tenant, user))) => Sid::of_entra_user(user_id(self.world, tenant, user)),
            (JoinState::Entra, None) => Sid::of_entra_user(UserId(id("unknown-user"))),
            (JoinState::Ad | JoinState::Hybrid | JoinState::Workgroup, _) => on_premises(),
        };
        DeviceIds {
            entra_object: self.entra_object(device),
            device_id: EntraDeviceId(if device.join == JoinState::Hybrid { computer } else { id("registration") }),
            intune: IntuneId(id("intune")),
            autopilot: AutopilotId(id("autopilot")),
            computer,
            computer_sid: self.sid(1_000_000 + place),
            bitlocker_key: KeyId(id("recovery-key")),
            old_user_sid,
            new_user: self.signs_in(device).map(|(tenant, user)| user_id(self.world, tenant, user)),
            tenant: device.tenant.as_deref().and_then(|name| self.world.tenants.get(name)).map(|t| TenantId(t.id)),
        }
    }
}

/// Returns the ids of one device's first state. Searches the world: use [`Index::new`] for many devices.
#[must_use]
pub fn device_ids(world: &World, device: &WorldDevice) -> DeviceIds {
    Index::searching(world).device_ids(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::world::World;

    fn world() -> World {
        World::parse("w", include_str!("../../examples/hybrid-to-entra/world.yaml")).expect("the example is a world")
    }

    /// Catches two ways of finding ids that don't agree: agent and tenant would speak of different devices.
    #[test]
    fn searching_and_indexed_agree() {
        let world = world();
        let index = Index::new(&world);
        for device in &world.devices {
            assert_eq!(index.device_ids(device), device_ids(&world, device));
        }
    }

    /// Catches a hybrid device whose registration isn't the computer's GUID, and a profile owned by nobody.
    #[test]
    fn hybrid_ids_hang_together() {
        let world = world();
        let ids = device_ids(&world, &world.devices[0]);
        assert_eq!(ids.device_id.0, ids.computer);
        assert_eq!(ids.old_user_sid.as_str(), "S-1-5-21-1004336348-1177238915-682003330-1104");
        assert_eq!(ids.new_user, Some(user_id(&world, "contoso", &world.tenants["contoso"].users[1])));
        // Where the plan has no inventory, the profile of the computer's own domain is the one that moves.
        let domain = |sid: &Sid| sid.as_str().rsplit_once('-').map(|(domain, _)| domain.to_owned());
        assert_eq!(domain(&ids.computer_sid), domain(&ids.old_user_sid));
    }
}
