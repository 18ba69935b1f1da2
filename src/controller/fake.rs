//! Small working fakes for the controller's tests: two tenants, a directory, devices with their agents, and a
//! clock that moves on only when nobody has anything to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Agents, Ports};
use crate::model::{
    AutopilotId, BitLocker, DeviceFacts, DeviceName, EntraDeviceId, EntraJoin, EntraObjectId, GroupId, Identity,
    IntuneId, KeyId, LapsTarget, LogonSurface, Op, PackageName, Permission, PolicyId, Problem, Protector, RunId, Side,
    Staging, TenantId, UserId,
};
use crate::port::{
    AutopilotImport, Clock, Directory, ImportState, Packages, Result, Retirement, Store, SystemEntropy, Tenant, Vault,
    Wanted,
};
use crate::state::{
    AdComputer, Assignment, AutopilotIdentity, ConditionalAccessPolicy, ConfigurationProfile, DirectoryState,
    EntraDevice, Group, LapsBackup, ManagedDevice, RecoveryKey, TenantState, TrustType, User,
};
use crate::trust::{ControllerKey, test_signer};
use crate::wire::{AgentEvent, AgentEventKind, EventReport, Step, StepKind, Task};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Turns bits over: enough to tell what is locked from what isn't.
struct FakeVault;

impl Vault for FakeVault {
    fn lock(&self, about: &str, plain: &[u8]) -> Result<Vec<u8>> {
        Ok(about.bytes().chain([0]).chain(plain.iter().map(|byte| !byte)).collect())
    }
    fn unlock(&self, about: &str, locked: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let body = locked.strip_prefix(about.as_bytes()).and_then(|rest| rest.strip_prefix(&[0]));
        let body = body.ok_or_else(|| Problem::new("vault.key", "locked for something else"))?;
        Ok(Zeroizing::new(body.iter().map(|byte| !byte).collect()))
    }
}

/// A clock whose time passes only when every task waits.
#[derive(Default)]
pub(super) struct FakeClock {
    state: Mutex<Sleepers>,
}

#[derive(Default)]
struct Sleepers {
    /// Milliseconds since the world began.
    now: i64,
    count: u64,
    waiting: BTreeMap<(i64, u64), oneshot::Sender<()>>,
}

impl FakeClock {
    /// Lets time pass until `done`. Only on a runtime with one thread: yielding then runs every ready task.
    pub(super) async fn drive(&self, mut done: impl FnMut() -> bool) {
        for _ in 0..200_000 {
            for _ in 0..40 {
                tokio::task::yield_now().await;
            }
            if done() {
                return;
            }
            let mut state = lock(&self.state);
            while let Some(((at, _), sleeper)) = state.waiting.pop_first() {
                if !sleeper.is_closed() {
                    state.now = state.now.max(at);
                    sleeper.send(()).ok();
                    break;
                }
            }
        }
        panic!("nothing happens any more");
    }
}

#[async_trait]
impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-12-02T18:30:00Z".parse().expect("a moment");
        start + SignedDuration::from_millis(lock(&self.state).now)
    }
    async fn sleep(&self, duration: Duration) {
        let (wake, slept) = oneshot::channel();
        {
            let mut state = lock(&self.state);
            let at = state.now + i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2);
            state.count += 1;
            let key = (at, state.count);
            state.waiting.insert(key, wake);
        }
        slept.await.ok();
    }
}

/// What one tenant holds.
#[derive(Default)]
pub(super) struct Cloud {
    pub(super) users: Vec<User>,
    pub(super) devices: Vec<EntraDevice>,
    pub(super) managed: Vec<ManagedDevice>,
    pub(super) groups: Vec<Group>,
    pub(super) user_members: BTreeSet<(GroupId, UserId)>,
    pub(super) keys: Vec<RecoveryKey>,
    pub(super) laps: Vec<LapsBackup>,
    pub(super) autopilot: Vec<AutopilotIdentity>,
    pub(super) primary: BTreeMap<IntuneId, Vec<UserId>>,
    pub(super) policies: Vec<ConditionalAccessPolicy>,
    pub(super) profiles: Vec<ConfigurationProfile>,
    pub(super) imports: Vec<AutopilotImport>,
}

/// A device, with what its agent keeps on it.
pub(super) struct FakeDevice {
    pub(super) task: Task,
    pub(super) state: BTreeSet<Op>,
    pub(super) key: KeyId,
    journal: Vec<AgentEvent>,
    steps: Vec<Step>,
    next: usize,
    generation: u64,
    failed: bool,
}

/// The world, shared by everything.
pub(super) struct World {
    pub(super) clock: Arc<FakeClock>,
    pub(super) clouds: Mutex<BTreeMap<Side, Cloud>>,
    pub(super) computers: Mutex<Vec<AdComputer>>,
    /// How long after a computer was retired the synchronisation takes the Entra half of a hybrid device; never where none.
    pub(super) sync_after: Mutex<Option<SignedDuration>>,
    retired: Mutex<Vec<(Timestamp, Uuid)>>,
    /// A change of the directory takes so long.
    pub(super) directory_takes: Mutex<Option<Duration>>,
    /// Changes of the directory that are under way, and the most that ever were.
    pub(super) changes: Mutex<(usize, usize)>,
    pub(super) devices: Mutex<BTreeMap<DeviceName, FakeDevice>>,
    /// Calls that fail for good, as `Side:method`.
    pub(super) denied: Mutex<BTreeSet<String>>,
    /// Steps that fail on every device.
    pub(super) faults: Mutex<BTreeSet<Step>>,
}

fn id(kind: u128, number: usize) -> Uuid {
    Uuid::from_u128(kind << 64 | number as u128)
}
pub(super) const SIDES: [Side; 2] = [Side::Origin, Side::Destination];

impl World {
    /// Makes a world for these tasks; their old registrations are filled in.
    pub(super) fn new(tasks: &mut [Task]) -> Arc<Self> {
        let clock = Arc::new(FakeClock::default());
        let mut clouds: BTreeMap<Side, Cloud> = SIDES.into_iter().map(|side| (side, Cloud::default())).collect();
        let mut devices = BTreeMap::new();
        let mut computers = Vec::new();
        for (number, task) in tasks.iter_mut().enumerate() {
            let (object, device) = (EntraObjectId(id(1, number)), EntraDeviceId(id(2, number)));
            let (intune, key) = (IntuneId(id(3, number)), KeyId(id(4, number)));
            task.old_device = Some(device);
            let serial = task.serial.clone().unwrap_or_default();
            let cloud = clouds.get_mut(&Side::Origin).expect("both sides");
            cloud.devices.push(entra(object, device, &task.device));
            cloud.managed.push(managed(intune, device, task, clock.now()));
            cloud.keys.push(RecoveryKey { id: key, device_id: device, created: clock.now() });
            cloud.autopilot.push(AutopilotIdentity {
                id: AutopilotId(id(5, number)),
                serial,
                group_tag: Some("Kiosk".to_owned()),
                managed_device: None,
            });
            cloud.primary.insert(intune, vec![task.user]);
            let sid = format!("S-1-5-21-1-2-3-{}", 2000 + number).parse().expect("a SID");
            let dn = format!("CN={},OU=Workstations", task.device);
            computers.push(AdComputer {
                password_set: Some(clock.now() - SignedDuration::from_hours(24)),
                ..AdComputer::new(id(6, number), sid, task.device.to_string(), dn)
            });
            let fake = FakeDevice {
                task: task.clone(),
                state: BTreeSet::new(),
                key,
                journal: Vec::new(),
                steps: Vec::new(),
                next: 0,
                generation: 0,
                failed: false,
            };
            devices.insert(task.device.clone(), fake);
        }
        let members: Vec<EntraObjectId> = (0..tasks.len()).map(|number| EntraObjectId(id(1, number))).collect();
        for (side, cloud) in &mut clouds {
            let offset = if *side == Side::Origin { 0 } else { 100 };
            let inside = if *side == Side::Origin { members.clone() } else { Vec::new() };
            for (number, (name, dynamic)) in
                [("App-CAD", false), ("All-Staff-Devices", false), ("Dyn", true), ("Origin-Only", false)]
                    .into_iter()
                    .enumerate()
            {
                if *side == Side::Destination && name == "Origin-Only" {
                    continue;
                }
                cloud.groups.push(Group {
                    id: GroupId(id(7, number + offset)),
                    name: name.to_owned(),
                    dynamic,
                    synced: false,
                    role_assignable: false,
                    mail_enabled: false,
                    devices: inside.clone(),
                });
            }
            cloud.users.push(user("package_1@contoso.com", id(8, 1)));
            cloud.policies.push(ConditionalAccessPolicy {
                id: PolicyId(id(9, 1)),
                name: "Require MFA".to_owned(),
                state: "enabled".to_owned(),
                exclude_users: vec!["GuestsOrExternalUsers".to_owned()],
                exclude_groups: Vec::new(),
                ..ConditionalAccessPolicy::default()
            });
            cloud.profiles.push(ConfigurationProfile {
                id: PolicyId(id(9, 2)),
                name: "Wi-Fi".to_owned(),
                assignments: vec![Assignment {
                    kind: "#microsoft.graph.allDevicesAssignmentTarget".to_owned(),
                    group: None,
                }],
            });
        }
        Arc::new(Self {
            clock,
            clouds: Mutex::new(clouds),
            computers: Mutex::new(computers),
            sync_after: Mutex::default(),
            retired: Mutex::default(),
            directory_takes: Mutex::default(),
            changes: Mutex::default(),
            devices: Mutex::new(devices),
            denied: Mutex::default(),
            faults: Mutex::default(),
        })
    }

    pub(super) fn ports(self: &Arc<Self>, store: Arc<dyn Store>) -> Ports {
        let tenant = |side| -> Arc<dyn Tenant> { Arc::new(FakeTenant { world: Arc::clone(self), side }) };
        Ports {
            tenants: SIDES.into_iter().map(|side| (side, tenant(side))).collect(),
            directory: Some(Arc::new(FakeDirectory(Arc::clone(self)))),
            store,
            packages: Arc::new(FakePackages),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            key: Arc::new(ControllerKey::new(test_signer(1), Vec::new())),
            vault: Arc::new(FakeVault),
            entropy: Arc::new(SystemEntropy),
            actor: "jane@desk".to_owned(),
        }
    }

    /// Starts one agent for each device; they end with the controller.
    pub(super) fn start_agents(self: &Arc<Self>, agents: &Agents) {
        let names: Vec<DeviceName> = lock(&self.devices).keys().cloned().collect();
        for device in names {
            tokio::spawn(agent(Arc::clone(self), agents.clone(), device));
        }
    }

    /// Takes the Entra halves of computers that were retired long enough ago.
    fn synchronise(&self) {
        let Some(after) = *lock(&self.sync_after) else { return };
        let due = |(at, guid): &(Timestamp, Uuid)| (*at + after <= self.clock.now()).then_some(*guid);
        let due: Vec<Uuid> = lock(&self.retired).iter().filter_map(due).collect();
        for number in (0..lock(&self.computers).len()).filter(|number| due.contains(&id(6, *number))) {
            let cloud = &mut *lock(&self.clouds);
            let origin = cloud.get_mut(&Side::Origin).expect("both sides");
            origin
                .devices
                .retain(|device| device.id != EntraObjectId(id(1, number)) || device.trust != TrustType::Hybrid);
        }
    }

    /// Makes every device a hybrid one.
    pub(super) fn make_hybrid(&self) {
        let mut clouds = lock(&self.clouds);
        let origin = clouds.get_mut(&Side::Origin).expect("both sides");
        origin.devices.iter_mut().for_each(|device| device.trust = TrustType::Hybrid);
    }

    /// Everything that has to be the same after a disturbed run, without times.
    pub(super) fn summary(&self) -> String {
        let mut text = String::new();
        for (side, cloud) in lock(&self.clouds).iter() {
            let names = |ids: Vec<String>| ids.join(",");
            let devices = names(cloud.devices.iter().map(|d| format!("{}:{}", d.name, d.device_id)).collect());
            let managed = names(cloud.managed.iter().map(|d| d.id.to_string()).collect());
            let groups = names(cloud.groups.iter().map(|g| format!("{}{:?}", g.name, g.devices)).collect());
            let keys = names(cloud.keys.iter().map(|k| format!("{}@{}", k.id, k.device_id)).collect());
            let autopilot = names(cloud.autopilot.iter().map(|a| format!("{}{:?}", a.serial, a.group_tag)).collect());
            let excluded = names(cloud.policies.iter().map(|p| p.exclude_users.join("+")).collect());
            let assigned = names(cloud.profiles.iter().map(|p| format!("{:?}", p.assignments)).collect());
            let users = names(cloud.users.iter().map(|u| u.upn.clone()).collect());
            let users = format!("{users} {:?}", cloud.user_members);
            text += &format!(
                "{side:?}\n {devices}\n {managed}\n {groups}\n {keys}\n {autopilot}\n {excluded}\n {assigned}\n {users}\n {:?} {}\n",
                cloud.primary,
                cloud.imports.len()
            );
        }
        for computer in lock(&self.computers).iter() {
            text += &format!("{} {}\n", computer.name, computer.enabled);
        }
        for (name, device) in lock(&self.devices).iter() {
            text += &format!("{name} {:?}\n", device.state);
        }
        text
    }

    fn facts(&self, device: &FakeDevice) -> DeviceFacts {
        let task = &device.task;
        let left = device.state.contains(&Op::LeaveEntra);
        let joined = device.state.contains(&Op::ApplyPackage);
        let entra = match (joined, left) {
            (true, _) => Some((task.target_tenant, new_ids(device).1)),
            (false, true) => None,
            (false, false) => task.old_device.map(|id| (task.origin_tenant, id)),
        };
        DeviceFacts {
            identity: Identity {
                name: task.device.to_string(),
                serial: task.serial.clone().unwrap_or_default(),
                edition: "Enterprise".to_owned(),
                build: 22631,
            },
            entra: entra.map(|(tenant, device_id)| EntraJoin { tenant, device_id, healthy: true }),
            domain: None,
            mdm: None,
            configmgr: false,
            profiles: Vec::new(),
            bitlocker: BitLocker {
                encrypted: true,
                converting: false,
                suspended_reboots: 0,
                protectors: vec![Protector { id: device.key }],
            },
            laps: LapsTarget::Entra,
            local_members: Vec::new(),
            logon: LogonSurface::default(),
            cached_identities: Vec::new(),
            staging: Staging::default(),
            sign_in: None,
            pending_reboot: false,
            on_ac: true,
            free_mib: 50_000,
        }
    }

    /// What a step does to the device and its clouds; twice is once.
    fn perform(&self, device: &mut FakeDevice, step: Step) {
        if step.kind == StepKind::Undo {
            device.state.remove(&step.op);
            return;
        }
        device.state.insert(step.op);
        let now = self.clock.now();
        let (object, new) = new_ids(device);
        let mut clouds = lock(&self.clouds);
        let cloud = clouds.get_mut(&Side::Destination).expect("both sides");
        match step.op {
            Op::ApplyPackage if !cloud.devices.iter().any(|found| found.id == object) => {
                cloud.devices.push(entra(object, new, &device.task.device));
            }
            Op::VerifyEnrolment if !cloud.managed.iter().any(|found| found.device_id == Some(new)) => {
                cloud.managed.push(managed(IntuneId(new.0), new, &device.task, now));
                cloud.laps.push(LapsBackup { device_id: new, backed_up: now });
            }
            Op::EscrowBitlockerNew if !cloud.keys.iter().any(|key| key.device_id == new) => {
                cloud.keys.push(RecoveryKey { id: device.key, device_id: new, created: now });
            }
            _ => {}
        }
    }
}

fn new_ids(device: &FakeDevice) -> (EntraObjectId, EntraDeviceId) {
    (
        EntraObjectId(Uuid::from_u128(device.key.0.as_u128() + (1 << 100))),
        EntraDeviceId(Uuid::from_u128(device.key.0.as_u128() + (2 << 100))),
    )
}
fn entra(id: EntraObjectId, device_id: EntraDeviceId, name: &DeviceName) -> EntraDevice {
    EntraDevice { id, device_id, name: name.to_string(), trust: TrustType::Joined, enabled: true, owner: None }
}
fn managed(id: IntuneId, device: EntraDeviceId, task: &Task, at: Timestamp) -> ManagedDevice {
    ManagedDevice {
        id,
        device_id: Some(device),
        name: task.device.to_string(),
        serial: task.serial.clone().unwrap_or_default(),
        last_sync: Some(at),
        enrolled: Some(at),
    }
}
fn user(upn: &str, id: Uuid) -> User {
    User {
        id: UserId(id),
        upn: upn.to_owned(),
        enabled: true,
        on_premises_sid: None,
        sid: None,
        intune: false,
        premium: false,
        created: None,
        privileged: false,
    }
}

/// An agent that keeps its own journal and repeats what wasn't acknowledged.
async fn agent(world: Arc<World>, agents: Agents, name: DeviceName) {
    let mut acknowledged = 0;
    loop {
        let (run, unsent, generation) = {
            let devices = lock(&world.devices);
            let device = &devices[&name];
            let unsent: Vec<AgentEvent> = device.journal.iter().filter(|e| e.seq > acknowledged).cloned().collect();
            (RunId(Uuid::from_u128(9)), unsent, device.generation)
        };
        if !unsent.is_empty() {
            let report = EventReport { run, events: unsent };
            let Ok(journalled) = agents.journalled(&name, report).await else { return };
            acknowledged = journalled;
        }
        if work(&world, &name) {
            // A step takes its time.
            world.clock.sleep(Duration::from_secs(20)).await;
            continue;
        }
        let Ok(Some((order, _))) = agents.released(&name, generation).await else { return };
        let mut devices = lock(&world.devices);
        let device = devices.get_mut(&name).expect("a device");
        assert!(order.steps.starts_with(&device.steps), "an order holds the older ones");
        (device.steps, device.generation) = (order.steps, order.generation);
    }
}

/// Does the next thing of an agent's order; says whether there was one.
fn work(world: &World, name: &DeviceName) -> bool {
    let mut devices = lock(&world.devices);
    let device = devices.get_mut(name).expect("a device");
    let Some(step) = device.steps.get(device.next).copied() else { return false };
    if device.failed && step.kind == StepKind::Do {
        device.next += 1;
        return true;
    }
    let note = |device: &mut FakeDevice, kind| {
        let seq = device.journal.len() as u64 + 1;
        device.journal.push(AgentEvent { seq, at: world.clock.now(), step, kind });
    };
    let begun = device.journal.last().is_some_and(|e| e.step == step && e.kind == AgentEventKind::Started);
    if !begun {
        note(device, AgentEventKind::Started);
        return true;
    }
    device.next += 1;
    if lock(&world.faults).contains(&step) {
        device.failed = true;
        note(device, AgentEventKind::Failed(Problem::new("test.agent", "it failed")));
        return true;
    }
    world.perform(device, step);
    let hardware_hash = (step.op == Op::Preflight).then(|| "aGFzaA==".to_owned());
    let facts = Box::new(world.facts(device));
    note(device, AgentEventKind::Done { facts, already: false, hardware_hash });
    true
}

struct FakePackages;
impl Packages for FakePackages {
    fn read(&self, _: &PackageName) -> Result<Vec<u8>> {
        Ok(b"a package".to_vec())
    }
}

struct FakeDirectory(Arc<World>);
#[async_trait]
impl Directory for FakeDirectory {
    async fn observe(&self) -> Result<DirectoryState> {
        let computers = lock(&self.0.computers).clone();
        Ok(DirectoryState::of("corp.contoso.com", computers, crate::model::Known::Absent))
    }
    async fn computer(&self, guid: Uuid) -> Result<Option<AdComputer>> {
        Ok(lock(&self.0.computers).iter().find(|computer| computer.guid == guid).cloned())
    }
    async fn disable(&self, guid: Uuid, _: &Retirement) -> Result<()> {
        let takes = *lock(&self.0.directory_takes);
        if let Some(takes) = takes {
            let begun = |(now, most): (usize, usize)| (now + 1, most.max(now + 1));
            let changed = |change: &dyn Fn((usize, usize)) -> (usize, usize)| {
                let mut changes = lock(&self.0.changes);
                *changes = change(*changes);
            };
            changed(&begun);
            self.0.clock.sleep(takes).await;
            changed(&|(now, most)| (now - 1, most));
        }
        lock(&self.0.retired).push((self.0.clock.now(), guid));
        for computer in lock(&self.0.computers).iter_mut().filter(|computer| computer.guid == guid) {
            computer.enabled = false;
        }
        Ok(())
    }
    async fn delete(&self, guid: Uuid, _: &Retirement) -> Result<()> {
        lock(&self.0.retired).push((self.0.clock.now(), guid));
        lock(&self.0.computers).retain(|computer| computer.guid != guid);
        Ok(())
    }
}

struct FakeTenant {
    world: Arc<World>,
    side: Side,
}

impl FakeTenant {
    fn with<T>(&self, call: &str, f: impl FnOnce(&mut Cloud) -> T) -> Result<T> {
        if lock(&self.world.denied).contains(&format!("{:?}:{call}", self.side)) {
            return Err(Problem::new("test.denied", format!("{call} is denied")));
        }
        Ok(f(lock(&self.world.clouds).get_mut(&self.side).expect("both sides")))
    }
}

#[async_trait]
impl Tenant for FakeTenant {
    async fn observe(&self, _: &Wanted) -> TenantState {
        unreachable!("the controller never observes a whole tenant")
    }
    async fn grants(&self) -> Result<(TenantId, Vec<Permission>)> {
        Ok((TenantId(Uuid::from_u128(2)), Vec::new()))
    }
    async fn user(&self, id: UserId) -> Result<Option<User>> {
        self.with("user", |cloud| cloud.users.iter().find(|user| user.id == id).cloned())
    }
    async fn user_by_upn(&self, upn: &str) -> Result<Option<User>> {
        self.with("user_by_upn", |cloud| cloud.users.iter().find(|user| user.upn == upn).cloned())
    }
    async fn delete_package_account(&self, upn: &str) -> Result<()> {
        self.with("delete_package_account", |cloud| cloud.users.retain(|user| user.upn != upn))
    }
    async fn device(&self, id: EntraDeviceId) -> Result<Option<EntraDevice>> {
        self.with("device", |cloud| cloud.devices.iter().find(|device| device.device_id == id).cloned())
    }
    async fn device_object(&self, id: EntraObjectId) -> Result<Option<EntraDevice>> {
        self.world.synchronise();
        self.with("device_object", |cloud| cloud.devices.iter().find(|device| device.id == id).cloned())
    }
    async fn delete_device(&self, id: EntraObjectId) -> Result<()> {
        self.with("delete_device", |cloud| cloud.devices.retain(|device| device.id != id))
    }
    async fn groups_of(&self, device: EntraObjectId) -> Result<Vec<Group>> {
        self.with("groups_of", |cloud| cloud.groups.iter().filter(|g| g.devices.contains(&device)).cloned().collect())
    }
    async fn group_by_name(&self, name: &str) -> Result<Option<Group>> {
        self.with("group_by_name", |cloud| cloud.groups.iter().find(|group| group.name == name).cloned())
    }
    async fn is_member(&self, group: GroupId, device: EntraObjectId) -> Result<bool> {
        self.with("is_member", |cloud| cloud.groups.iter().any(|g| g.id == group && g.devices.contains(&device)))
    }
    async fn add_member(&self, group: GroupId, device: EntraObjectId) -> Result<()> {
        self.with("add_member", |cloud| {
            for group in cloud.groups.iter_mut().filter(|g| g.id == group && !g.devices.contains(&device)) {
                group.devices.push(device);
                group.devices.sort_unstable();
            }
        })
    }
    async fn remove_member(&self, group: GroupId, device: EntraObjectId) -> Result<()> {
        self.with("remove_member", |cloud| {
            cloud.groups.iter_mut().filter(|g| g.id == group).for_each(|g| g.devices.retain(|id| *id != device));
        })
    }
    async fn groups_of_user(&self, user: UserId) -> Result<Vec<GroupId>> {
        self.with("groups_of_user", |cloud| {
            cloud.user_members.iter().filter(|(_, member)| *member == user).map(|(group, _)| *group).collect()
        })
    }
    async fn add_user_member(&self, group: GroupId, user: UserId) -> Result<()> {
        self.with("add_user_member", |cloud| {
            cloud.user_members.insert((group, user));
        })
    }
    async fn remove_user_member(&self, group: GroupId, user: UserId) -> Result<()> {
        self.with("remove_user_member", |cloud| {
            cloud.user_members.remove(&(group, user));
        })
    }
    async fn managed_device(&self, id: IntuneId) -> Result<Option<ManagedDevice>> {
        self.with("managed_device", |cloud| cloud.managed.iter().find(|device| device.id == id).cloned())
    }
    async fn managed_devices_of(&self, id: EntraDeviceId) -> Result<Vec<ManagedDevice>> {
        self.with("managed_devices_of", |cloud| {
            cloud.managed.iter().filter(|device| device.device_id == Some(id)).cloned().collect()
        })
    }
    async fn delete_managed_device(&self, id: IntuneId) -> Result<()> {
        self.with("delete_managed_device", |cloud| cloud.managed.retain(|device| device.id != id))
    }
    async fn primary_users(&self, id: IntuneId) -> Result<Vec<UserId>> {
        self.with("primary_users", |cloud| cloud.primary.get(&id).cloned().unwrap_or_default())
    }
    async fn set_primary_user(&self, id: IntuneId, user: UserId) -> Result<()> {
        self.with("set_primary_user", |cloud| drop(cloud.primary.insert(id, vec![user])))
    }
    async fn recovery_keys(&self, device: EntraDeviceId) -> Result<Vec<RecoveryKey>> {
        self.with("recovery_keys", |cloud| cloud.keys.iter().filter(|key| key.device_id == device).cloned().collect())
    }
    async fn laps(&self, device: EntraDeviceId) -> Result<Option<LapsBackup>> {
        self.with("laps", |cloud| cloud.laps.iter().find(|backup| backup.device_id == device).cloned())
    }
    async fn autopilot(&self, serial: &str) -> Result<Option<AutopilotIdentity>> {
        self.with("autopilot", |cloud| cloud.autopilot.iter().find(|identity| identity.serial == serial).cloned())
    }
    async fn delete_autopilot(&self, id: AutopilotId) -> Result<()> {
        self.with("delete_autopilot", |cloud| cloud.autopilot.retain(|identity| identity.id != id))
    }
    async fn import_autopilot(&self, import: &AutopilotImport) -> Result<String> {
        self.with("import_autopilot", |cloud| {
            // A second import of the same device is refused by the service, and changes nothing.
            if !cloud.imports.contains(import) {
                cloud.imports.push(import.clone());
            }
            import.serial.clone()
        })
    }
    async fn import_state(&self, import: &str) -> Result<ImportState> {
        self.with("import_state", |cloud| {
            let Some(found) = cloud.imports.iter().find(|found| found.serial == import).cloned() else {
                return ImportState::Failed(1, "unknown".to_owned());
            };
            let number = cloud.autopilot.len();
            cloud.autopilot.push(AutopilotIdentity {
                id: AutopilotId(id(50, number)),
                serial: found.serial,
                group_tag: found.group_tag,
                managed_device: None,
            });
            cloud.autopilot.sort_by(|a, b| a.serial.cmp(&b.serial));
            ImportState::Running
        })
    }
    async fn sync_autopilot(&self) -> Result<()> {
        Ok(())
    }
    async fn policy_by_name(&self, name: &str) -> Result<Option<ConditionalAccessPolicy>> {
        self.with("policy_by_name", |cloud| cloud.policies.iter().find(|policy| policy.name == name).cloned())
    }
    async fn set_excluded_users(&self, policy: PolicyId, users: &[String]) -> Result<()> {
        self.with("set_excluded_users", |cloud| {
            cloud.policies.iter_mut().filter(|p| p.id == policy).for_each(|p| p.exclude_users = users.to_vec());
        })
    }
    async fn profile_by_name(&self, name: &str) -> Result<Option<ConfigurationProfile>> {
        self.with("profile_by_name", |cloud| cloud.profiles.iter().find(|profile| profile.name == name).cloned())
    }
    async fn assign_profile(&self, profile: PolicyId, assignments: &[Assignment]) -> Result<()> {
        self.with("assign_profile", |cloud| {
            cloud.profiles.iter_mut().filter(|p| p.id == profile).for_each(|p| p.assignments = assignments.to_vec());
        })
    }
    fn service_time(&self) -> Option<Timestamp> {
        None
    }
}
