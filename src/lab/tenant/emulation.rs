//! All tenants of a world together, and what happens to them as time passes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::due::Task;
use super::object::{Autopilot, Deleted, Device, Import, ImportStatus, Laps, ManagedDevice, RecoveryKey, Trust, User};
use super::state::TenantData;
use super::throttle::Throttle;
use crate::lab::folder::{Lab, held};
use crate::lab::seed::{Index, derive};
use crate::lab::store::Write;
use crate::lab::world::World;
use crate::port::Result;

/// The tenants.
#[derive(Debug)]
pub(in crate::lab) struct Emulation {
    pub(super) world: Arc<World>,
    pub(super) tenants: BTreeMap<String, TenantData>,
    pub(super) throttle: Throttle,
    /// Requests so far, of tenants that faults are declared for.
    pub(super) requests: BTreeMap<String, u64>,
    /// Requests so far in this process, for their ids.
    pub(super) served: u64,
    /// Requests so far in this process by what they asked for; steps of a batch begin with `$batch `.
    pub(super) calls: BTreeMap<String, u64>,
    /// What has to be written besides the tenants' own.
    pub(super) writes: Vec<Write>,
}

impl Emulation {
    /// Returns the tenants of a lab as they were left.
    pub(in crate::lab) fn load(lab: &Lab) -> Result<Self> {
        let world = lab.world().clone();
        let index = Index::new(&world);
        let mut tenants = BTreeMap::new();
        let mut requests = BTreeMap::new();
        for (name, spec) in &world.tenants {
            tenants.insert(name.clone(), TenantData::load(&index, name, spec, lab.store())?);
            let count = lab.store().get("meta", &format!("requests/{name}"))?;
            requests.insert(name.clone(), count.and_then(|count| count.parse().ok()).unwrap_or(0));
        }
        drop(index);
        Ok(Self {
            world,
            tenants,
            throttle: Throttle::default(),
            requests,
            served: 0,
            calls: BTreeMap::new(),
            writes: Vec::new(),
        })
    }

    /// Counts a request.
    pub(super) fn count(&mut self, call: &str) {
        match self.calls.get_mut(call) {
            Some(count) => *count += 1,
            None => drop(self.calls.insert(call.to_owned(), 1)),
        }
    }

    /// Returns the tenant with an id or a domain.
    pub(super) fn tenant_name(&self, id_or_domain: &str) -> Option<&str> {
        let wanted = id_or_domain.to_lowercase();
        let found = self.tenants.iter().find(|(name, data)| {
            let initial = format!("{}.onmicrosoft.com", name.to_lowercase());
            data.spec.id.to_string() == wanted || data.spec.domain.to_lowercase() == wanted || initial == wanted
        });
        found.map(|(name, _)| name.as_str())
    }

    /// Lets everything happen whose moment has come.
    pub(super) fn advance(&mut self, lab: &Lab, now: Timestamp) -> Result<()> {
        loop {
            let Some((at, task, write)) = held(&lab.due).take(now) else { return Ok(()) };
            self.writes.push(write);
            match task {
                Task::Connect { computer } => self.connect(lab, computer, at)?,
                Task::AutopilotGone { tenant, id } => {
                    if let Some(data) = self.tenants.get_mut(&tenant) {
                        data.remove::<Autopilot>(id, at);
                    }
                }
                Task::ImportEnds { tenant, id } => self.import_goes_on(lab, &tenant, id, at)?,
                Task::LapsArrives { tenant, device } => {
                    if let Some(data) = self.tenants.get_mut(&tenant)
                        && let Some(name) = data.device_by_registration(device).map(|object| object.name.clone())
                    {
                        data.put(Laps { id: device, name, backed_up: at }, at)?;
                    }
                }
            }
        }
    }

    /// Entra Connect looks at a computer: one that is gone or disabled takes its device object along, and one
    /// whose object was deleted alone gets it back, not registered (msgraph.md 0.4).
    fn connect(&mut self, lab: &Lab, computer: Uuid, at: Timestamp) -> Result<()> {
        let Some(sync_to) = self.world.directory.as_ref().and_then(|directory| directory.sync_to.clone()) else {
            return Ok(());
        };
        let Some(data) = self.tenants.get_mut(&sync_to) else { return Ok(()) };
        let object = held(&lab.computers).get(computer).map(|computer| computer.object.clone());
        let device = data.device_by_registration(computer).filter(|device| device.trust != Trust::AzureAd).cloned();
        match (object.filter(|object| object.enabled), device) {
            (None, Some(device)) => delete_device(data, &device, at)?,
            (Some(object), None) => data.put(
                Device {
                    // Another object than the deleted one, and the same in every run of the story.
                    id: derive(&self.world.name, "entra-object", &format!("{}\nconnect", object.name)),
                    device_id: computer,
                    name: object.name,
                    trust: Trust::Pending,
                    enabled: true,
                    managed: false,
                    registered: at,
                    last_sign_in: at,
                    physical_ids: Vec::new(),
                    extension: BTreeMap::new(),
                    registered_by: None,
                },
                at,
            )?,
            _ => {}
        }
        Ok(())
    }

    /// An import is looked at, then decided (domain.md B10: 806 and 808).
    fn import_goes_on(&mut self, lab: &Lab, tenant: &str, id: Uuid, at: Timestamp) -> Result<()> {
        let held_by = |emulation: &Self, serial: &str| {
            emulation
                .tenants
                .iter()
                .find_map(|(name, data)| data.autopilot.having("serialNumber", serial).next().map(|_| name.clone()))
        };
        let Some(mut import) = self.tenants.get(tenant).and_then(|data| data.imports.get(id)).cloned() else {
            return Ok(());
        };
        let holder = held_by(self, &import.serial);
        let world = self.world.clone();
        let Some(data) = self.tenants.get_mut(tenant) else { return Ok(()) };
        import.status = match (&import.status, holder) {
            (ImportStatus::Unknown, _) => {
                let secs = data.spec.service.autopilot_secs * 2 / 3;
                let task = Task::ImportEnds { tenant: tenant.to_owned(), id };
                self.writes.push(held(&lab.due).schedule(at, secs, task)?);
                ImportStatus::Pending
            }
            (ImportStatus::Pending, None) => {
                let identity = derive(&world.name, "autopilot", &format!("{tenant}\n{id}"));
                let managed = data.managed.having("serialNumber", &import.serial).next();
                let (managed_device, device_id) = (managed.map(|own| own.id), managed.map(|own| own.device_id));
                let autopilot = Autopilot {
                    id: identity,
                    serial: import.serial.clone(),
                    group_tag: import.group_tag.clone(),
                    managed_device,
                    device_id,
                    user: import.user.clone(),
                    leaving: false,
                };
                data.put(autopilot, at)?;
                ImportStatus::Complete(identity)
            }
            (ImportStatus::Pending, Some(name)) if name == tenant => {
                ImportStatus::Error(806, "ZtdDeviceAlreadyAssigned".to_owned())
            }
            (ImportStatus::Pending, Some(_)) => ImportStatus::Error(808, "ZtdDeviceAssignedToOtherTenant".to_owned()),
            (done, _) => done.clone(),
        };
        data.put::<Import>(import, at)
    }

    /// Keeps everything that was changed.
    pub(super) fn flush(&mut self, lab: &Lab) -> Result<()> {
        for data in self.tenants.values_mut() {
            self.writes.append(&mut data.writes);
        }
        lab.commit(&mut self.writes)
    }
}

/// Deletes a device object with what goes down with it: memberships always, keys and LAPS of a hybrid one
/// (msgraph.md 2.9; those of a joined one are kept for 30 days but can't be found through the object).
pub(super) fn delete_device(data: &mut TenantData, device: &Device, now: Timestamp) -> Result<()> {
    data.leave_groups(device.id, now);
    data.remove::<Device>(device.id, now);
    if device.trust == Trust::AzureAd {
        let (id, name) = (device.id, device.name.clone());
        return data.put(Deleted { id, name, device_id: Some(device.device_id), deleted: now }, now);
    }
    let keys: Vec<Uuid> = data.keys.having("deviceId", &device.device_id.to_string()).map(|key| key.id).collect();
    for key in keys {
        data.remove::<RecoveryKey>(key, now);
    }
    if data.laps.get(device.device_id).is_some() {
        data.remove::<Laps>(device.device_id, now);
    }
    Ok(())
}

/// Deletes a user, softly.
pub(super) fn delete_user(data: &mut TenantData, user: &User, now: Timestamp) -> Result<()> {
    data.leave_groups(user.id, now);
    data.remove::<User>(user.id, now);
    data.put(Deleted { id: user.id, name: user.upn.clone(), device_id: None, deleted: now }, now)
}

/// Deletes an Intune record, and unties what pointed at it.
pub(super) fn delete_managed(data: &mut TenantData, managed: &ManagedDevice, now: Timestamp) -> Result<()> {
    data.remove::<ManagedDevice>(managed.id, now);
    if let Some(mut device) = data.device_by_registration(managed.device_id).cloned() {
        device.managed = false;
        data.put(device, now)?;
    }
    let tied: Vec<Autopilot> = data
        .autopilot
        .having("serialNumber", &managed.serial)
        .filter(|a| a.managed_device == Some(managed.id))
        .cloned()
        .collect();
    for mut identity in tied {
        identity.managed_device = None;
        data.put(identity, now)?;
    }
    Ok(())
}
