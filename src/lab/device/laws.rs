//! What Windows does to a device that is handled wrongly, on the emulated one.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use uuid::Uuid;

use super::{DeviceSeed, FakeCloud, LabDevice, StepClock};
use crate::lab::packages::package_of;
use crate::lab::seed::device_ids;
use crate::lab::store::LabStore;
use crate::lab::world::{Fault, FaultKind, World};
use crate::model::{DeviceFacts, Digest, JoinState, PackageName, Problem, ProfileHealth, RunId, Sid, TenantId, UserId};
use crate::port::{Clock as _, DeviceAction, DeviceOs as _};

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const USER: UserId = UserId(Uuid::from_u128(7));

struct Rig {
    _folder: tempfile::TempDir,
    clock: Arc<StepClock>,
    cloud: Arc<FakeCloud>,
    store: Arc<LabStore>,
    world: World,
    device: LabDevice,
}

fn world(join: &str) -> World {
    serde_json::from_value(json!({
        "lab": 1, "name": "w", "starts": "2026-12-02T18:30:00Z",
        "tenants": {"contoso": {"id": TENANT.0, "domain": "contoso.com", "users": [{"upn": "anna@contoso.com", "id": USER.0}]}},
        "directory": {"domain": "corp.contoso.com", "computers": "OU=W", "sync-to": "contoso"},
        "devices": [{"name": "lon-it-001", "serial": "PF-0001", "join": join, "tenant": "contoso", "user": "anna@contoso.com"}]
    }))
    .expect("a world")
}

impl Rig {
    fn new(world: World) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(StepClock::new(world.starts));
        let cloud = Arc::new(FakeCloud::new(TENANT, "token"));
        let store = Arc::new(LabStore::open(folder.path()).expect("a store"));
        let seed = DeviceSeed::from(device_ids(&world, &world.devices[0]));
        let device =
            LabDevice::open_with(store.clone(), clock.clone(), cloud.clone(), &world, &world.devices[0], &seed)
                .expect("a device");
        Self { _folder: folder, clock, cloud, store, world, device }
    }
    async fn act(&self, action: DeviceAction) -> Result<(), Problem> {
        self.device.perform(&action).await
    }
    async fn all(&self, actions: Vec<DeviceAction>) {
        for action in actions {
            self.device.up().await.expect("up");
            self.act(action).await.expect("works");
        }
    }
    async fn facts(&self) -> DeviceFacts {
        self.device.up().await.expect("up");
        self.device.inspect().await.expect("facts")
    }
    fn pass(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }
    fn old(&self) -> Sid {
        device_ids(&self.world, &self.world.devices[0]).old_user_sid
    }
    fn swap(&self) -> DeviceAction {
        DeviceAction::SwapProfile { from: self.old(), to: Sid::of_entra_user(USER), path: "c:\\users\\ANNA".to_owned() }
    }
    fn stage(&self) -> DeviceAction {
        DeviceAction::Stage { run: RunId(Uuid::from_u128(9)), profile: self.old() }
    }
}

fn package(expires: &str) -> [DeviceAction; 2] {
    let token = json!({"format": "opsole.lab-package/1", "account": "package_x", "token": "token", "tenant": TENANT, "expires": expires});
    let bytes = package_of(&token);
    let name = PackageName::from("bulk");
    let content = STANDARD.encode(&bytes);
    [
        DeviceAction::PlacePackage { name: name.clone(), sha256: Digest::of(&bytes), content: content.into() },
        DeviceAction::InstallPackage(name),
    ]
}

fn code(outcome: Result<(), Problem>) -> String {
    outcome.expect_err("refused").code
}

/// Catches a lab in which the classic disaster can't happen: nobody held the sign-in, so the user gets a new,
/// empty profile beside the old one.
#[tokio::test]
async fn without_a_banner_a_sign_in_makes_an_empty_profile() {
    let rig = Rig::new(world("entra"));
    rig.all(vec![rig.stage(), DeviceAction::LeaveEntra, DeviceAction::RemoveMdm]).await;
    rig.all(package("2027-04-29T00:00:00Z").into()).await;
    rig.all(vec![DeviceAction::Restart]).await;
    rig.pass(1200);
    let facts = rig.facts().await;
    assert_eq!(facts.join_state(), JoinState::Entra);
    // An Entra device of the same tenant signs the same SID in; a device that was in a domain doesn't.
    let rig = Rig::new(world("hybrid"));
    rig.all(vec![rig.stage(), DeviceAction::UnjoinDomain, DeviceAction::LeaveEntra, DeviceAction::RemoveMdm]).await;
    rig.all(package("2027-04-29T00:00:00Z").into()).await;
    rig.all(vec![DeviceAction::Restart]).await;
    rig.pass(1200);
    let facts = rig.facts().await;
    let fresh = facts.profile_of(&Sid::of_entra_user(USER)).expect("a profile of the new SID");
    assert_eq!((fresh.path.as_str(), fresh.loaded), ("C:\\Users\\anna.000", true));
    assert_eq!(facts.profile_of(&rig.old()).map(|old| old.size_mib), Some(20_000), "the old one is still there");
    assert_eq!(code(rig.act(rig.swap()).await), "device.profile-in-use");
}

/// Catches a sign-in that accepts a profile whose files belong to somebody else.
#[tokio::test]
async fn a_profile_with_a_wrong_owner_gives_a_temporary_one() {
    let rig = Rig::new(world("hybrid"));
    rig.all(vec![rig.stage(), DeviceAction::Arm { suspend_reboots: 2, recovery: None }, DeviceAction::UnjoinDomain])
        .await;
    rig.all(vec![DeviceAction::LeaveEntra, DeviceAction::RemoveMdm]).await;
    rig.all(package("2027-04-29T00:00:00Z").into()).await;
    rig.all(vec![DeviceAction::Restart]).await;
    rig.pass(1200);
    rig.facts().await;
    rig.all(vec![rig.swap()]).await;
    let mut state = rig.device.peek().expect("a state");
    state.facts.profiles[0].acl_owner = rig.old();
    rig.store.put("device", "LON-IT-001", &serde_json::to_string(&state).expect("JSON")).expect("a write");
    rig.all(vec![DeviceAction::RestoreLogonSurface, DeviceAction::Restart]).await;
    rig.pass(1200);
    let facts = rig.facts().await;
    let used = facts.profile_of(&Sid::of_entra_user(USER)).expect("a profile");
    assert_eq!((used.health, used.path.as_str()), (ProfileHealth::Temporary, "C:\\Users\\TEMP"));
}

/// Catches actions that Windows would refuse and the lab lets through, or the other way round.
#[tokio::test]
async fn refusals() {
    let rig = Rig::new(world("hybrid"));
    assert_eq!(code(rig.act(rig.swap()).await), "device.profile-in-use", "the user is signed in");
    assert_eq!(code(rig.act(DeviceAction::Arm { suspend_reboots: 1, recovery: None }).await), "device.not-staged");
    let [place, install] = package("2027-04-29T00:00:00Z");
    assert_eq!(code(rig.act(place.clone()).await), "device.not-staged");
    rig.all(vec![rig.stage()]).await;
    assert_eq!(code(rig.act(install).await), "device.package-missing");
    let DeviceAction::PlacePackage { name, content, .. } = place else { panic!("a placing") };
    let wrong = DeviceAction::PlacePackage { name, sha256: Digest::of(b"else"), content };
    assert_eq!(code(rig.act(wrong).await), "device.package-digest");
    rig.all(vec![DeviceAction::Arm { suspend_reboots: 1, recovery: None }]).await;
    assert_eq!(code(rig.act(DeviceAction::Unstage).await), "device.still-armed");
    let missing = DeviceAction::EscrowProtector(crate::model::KeyId(Uuid::from_u128(99)));
    assert_eq!(code(rig.act(missing).await), "device.no-such-protector");
    rig.all(vec![DeviceAction::Restart]).await;
    rig.facts().await;
    let elsewhere =
        DeviceAction::SwapProfile { from: rig.old(), to: Sid::of_entra_user(USER), path: "C:\\Users\\ben".to_owned() };
    assert_eq!(code(rig.act(elsewhere).await), "device.profile-path");
    rig.all(vec![DeviceAction::Restart]).await;
    assert_eq!(rig.device.inspect().await.expect_err("restarting").code, "device.down");
    assert!(!rig.device.is_online());
    rig.pass(90);
    assert!(rig.device.is_online());
    let workgroup = Rig::new(world("workgroup"));
    workgroup.all(vec![DeviceAction::UnjoinDomain]).await;
    assert_eq!(workgroup.facts().await.join_state(), JoinState::Workgroup, "not joined is a success");
}

/// Catches a hybrid device that stays out of Entra although nothing keeps it from registering again (E29).
#[tokio::test]
async fn a_hybrid_device_registers_again_by_itself() {
    let rig = Rig::new(world("hybrid"));
    rig.all(vec![DeviceAction::LeaveEntra]).await;
    let mut state = rig.device.peek().expect("a state");
    state.facts.staging.auto_rejoin_off = false;
    rig.store.put("device", "LON-IT-001", &serde_json::to_string(&state).expect("JSON")).expect("a write");
    rig.all(vec![DeviceAction::Restart]).await;
    rig.pass(600);
    assert_eq!(rig.facts().await.join_state(), JoinState::Hybrid);
    rig.all(vec![DeviceAction::LeaveEntra, DeviceAction::Restart]).await;
    rig.pass(600);
    assert_eq!(rig.facts().await.join_state(), JoinState::Ad, "unless it is switched off");
}

/// Catches a join that happens while the device is still joined, with a dead token or while offline.
#[tokio::test]
async fn joins_that_dont_happen() {
    let rig = Rig::new(world("hybrid"));
    rig.all(vec![rig.stage()]).await;
    rig.all(package("2027-04-29T00:00:00Z").into()).await;
    rig.all(vec![DeviceAction::Restart]).await;
    rig.pass(600);
    assert_eq!(rig.facts().await.join_state(), JoinState::Hybrid);
    assert!(rig.device.last_join_error().await.expect("a log").is_some(), "still joined to the old");
    let rig = Rig::new(world("entra"));
    rig.all(vec![rig.stage(), DeviceAction::LeaveEntra]).await;
    rig.all(package("2026-12-01T00:00:00Z").into()).await;
    rig.pass(600);
    let error = rig.device.last_join_error().await.expect("a log").expect("refused");
    assert_eq!(error.detail.as_deref(), Some("AADSTS240001"));
    rig.cloud.refuse_joins(1, "0x801c03ed");
    rig.all(package("2027-04-29T00:00:00Z").into()).await;
    rig.pass(600);
    assert_eq!(
        rig.device.last_join_error().await.expect("a log").and_then(|e| e.detail).as_deref(),
        Some("0x801c03ed")
    );
    rig.all(package("2027-04-29T00:00:00Z").into()).await;
    rig.pass(600);
    assert!(rig.facts().await.entra.is_some() && rig.device.last_join_error().await.expect("a log").is_none());
}

/// Catches state that lives in a process: another opening of the device has to see the same.
#[tokio::test]
async fn a_device_outlives_its_process() {
    let mut world = world("hybrid");
    let power_cut = Fault { device: None, tenant: None, at: None, kind: FaultKind::PowerCut, times: Some(1) };
    world.faults.push(power_cut);
    let rig = Rig::new(world);
    tokio::select! {
        outcome = rig.act(rig.stage()) => panic!("{outcome:?}: power went, nobody answers"),
        () = rig.device.ended() => {}
    }
    let index = crate::lab::seed::Index::new(&rig.world);
    let again =
        LabDevice::open_indexed(rig.store.clone(), rig.clock.clone(), rig.cloud.clone(), &index, &rig.world.devices[0])
            .expect("a device");
    assert_eq!(again.peek().expect("a state"), rig.device.peek().expect("a state"));
    again.up().await.expect("up");
    let facts = again.inspect().await.expect("facts");
    assert!(facts.staging.recorded.is_some(), "what was written before the cut is there");
    rig.act(rig.stage()).await.expect("the fault struck once, also for another opening");
    assert!(rig.clock.now() > rig.world.starts);
}

/// Catches things that are due and don't happen because nobody looks at the device.
#[tokio::test]
async fn time_passes_by_itself() {
    let rig = Rig::new(world("hybrid"));
    rig.all(vec![rig.stage(), DeviceAction::UnjoinDomain, DeviceAction::LeaveEntra, DeviceAction::RemoveMdm]).await;
    rig.all(package("2027-04-29T00:00:00Z").into()).await;
    rig.act(DeviceAction::Restart).await.expect("works");
    tokio::select! {
        outcome = rig.device.live() => panic!("{outcome:?}"),
        () = async {
            while rig.cloud.record().laps.is_empty() {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    assert_eq!(rig.cloud.record().sign_ins.len(), 1);
}
