//! One suite for every adapter of `port::DeviceOs`: what agents rely on, whatever Windows is behind it.
//!
//! An adapter passes [`conforms`] a maker of devices that are ready for a migration: domain joined and
//! registered in Entra, one healthy profile with data, an encrypted volume. Each part gets a device of its own.

use std::future::Future;
use std::sync::Arc;

use opsole::lab::device::{DeviceSeed, FakeCloud, LabDevice, StepClock};
use opsole::lab::seed::device_ids;
use opsole::lab::store::LabStore;
use opsole::lab::world::World;
use opsole::model::{Digest, KeyId, LocalMembership, PackageName, Problem, RecoveryPassword, RunId, Sid, UserId};
use opsole::port::{DeviceAction, DeviceOs};
use opsole::windows::device::{Options, WindowsDevice};
use opsole::windows::memory::{Ids, Memory};
use uuid::Uuid;

/// A device under test, and how to wait until it is up again after a restart.
pub struct Bench<D> {
    /// The device.
    pub os: Arc<dyn DeviceOs>,
    /// Whatever has to live as long.
    pub keep: D,
    /// A device that is certainly another machine, where making a second one doesn't give that.
    pub elsewhere: Option<Arc<dyn DeviceOs>>,
}

fn run() -> RunId {
    RunId(Uuid::from_u128(1))
}
fn password() -> RecoveryPassword {
    RecoveryPassword::new("Correct7Horse8Battery9".to_owned())
}
fn new_sid() -> Sid {
    Sid::of_entra_user(UserId(Uuid::from_u128(2)))
}

async fn twice(os: &dyn DeviceOs, action: &DeviceAction) {
    let once = async {
        os.perform(action).await?;
        os.inspect().await
    };
    let first = once.await.unwrap_or_else(|problem| panic!("{action:?}: {problem}"));
    os.perform(action).await.unwrap_or_else(|problem| panic!("{action:?} again: {problem}"));
    assert_eq!(os.inspect().await.expect("facts"), first, "{action:?} twice isn't once");
}

fn refused(outcome: Result<(), Problem>, what: &str) {
    let problem = outcome.expect_err(what);
    assert!(problem.code.starts_with("device."), "{what}: {}", problem.code);
    assert!(problem.next.is_some() || problem.retry != opsole::model::Retry::No, "{what} says what to do");
}

/// Reading changes nothing and agrees with itself.
async fn reading(os: &dyn DeviceOs) {
    let facts = os.inspect().await.expect("facts");
    assert_eq!(os.inspect().await.expect("facts"), facts);
    assert_eq!(os.registration().await.expect("a join"), facts.entra.map(|join| join.device_id));
    assert_eq!(os.recorded().await.expect("a record"), facts.staging.recorded);
    assert!(os.last_join_error().await.expect("a log").is_none());
}

/// A survey says the same twice, and leaves the device as it was: the canary takes away what it made.
async fn surveying(os: &dyn DeviceOs) {
    let before = os.inspect().await.expect("facts");
    let first = os.survey().await.expect("a survey");
    let second = os.survey().await.expect("a survey");
    assert!(second.at >= first.at);
    assert_eq!(opsole::model::Survey { at: first.at, ..second }, first);
    let canary = first.canary.known().expect("a canary was tried");
    assert!(canary.is_whole(), "{canary:?}");
    assert_eq!(os.inspect().await.expect("facts"), before);
}

/// Staging and arming are put back without a trace, and the first record is the one that counts.
async fn there_and_back(os: &dyn DeviceOs) {
    let before = os.inspect().await.expect("facts");
    let old = before.profiles[0].sid.clone();
    let stage = DeviceAction::Stage { run: run(), profile: old };
    twice(os, &stage).await;
    twice(os, &DeviceAction::Arm { suspend_reboots: 2, recovery: Some(password()) }).await;
    let armed = os.inspect().await.expect("facts");
    assert!(armed.staging.boot_start && armed.staging.recovery_admin_proven && armed.staging.banner);
    let recorded = os.recorded().await.expect("a record").expect("staged");
    assert_eq!(recorded.logon, before.logon, "the sign-in screen as it was");
    os.perform(&stage).await.expect("staged");
    assert_eq!(os.recorded().await.expect("a record"), Some(recorded), "never written over once armed");
    assert_eq!(armed.logon.dns_servers, before.logon.dns_servers, "DNS is never touched");
    twice(os, &DeviceAction::Disarm).await;
    twice(os, &DeviceAction::Unstage).await;
    assert_eq!(os.inspect().await.expect("facts"), before);
}

/// A password that Windows wouldn't take is refused, and the administrator isn't proven by it.
async fn weak_passwords(os: &dyn DeviceOs) {
    let old = os.inspect().await.expect("facts").profiles[0].sid.clone();
    os.perform(&DeviceAction::Stage { run: run(), profile: old }).await.expect("staged");
    let before = os.inspect().await.expect("facts");
    for weak in ["", "short-1A", "nothingbutlowercase", "Opsole-Recovery-1234"] {
        let recovery = Some(RecoveryPassword::new(weak.to_owned()));
        let outcome = os.perform(&DeviceAction::Arm { suspend_reboots: 1, recovery }).await;
        let problem = outcome.expect_err("a weak password");
        assert!(problem.code.starts_with("device.") && problem.next.is_some(), "{problem:?}");
        assert!(weak.is_empty() || !format!("{problem:?}").contains(weak), "{problem:?}");
        assert_eq!(os.inspect().await.expect("facts"), before, "{weak}");
    }
}

/// What is protected comes back on the same device and nowhere else, and isn't there in clear.
fn protecting(os: &dyn DeviceOs, other: &dyn DeviceOs) {
    for plain in [&b""[..], b"hunter2hunter2", &[0; 5000]] {
        let protected = os.protect(plain).expect("protected");
        assert_eq!(os.unprotect(&protected).expect("open").as_slice(), plain);
        assert!(plain.is_empty() || !protected.windows(plain.len()).any(|part| part == plain));
        assert!(other.unprotect(&protected).is_err(), "another device");
        let mut broken = protected.clone();
        *broken.last_mut().expect("a byte") ^= 1;
        assert!(os.unprotect(&broken).is_err() && os.unprotect(&protected[1..]).is_err(), "changed bytes");
    }
    assert!(os.unprotect(b"").is_err());
}

/// Leaving is idempotent, and leaving what one isn't in is a success.
async fn leaving(os: &dyn DeviceOs) {
    for action in
        [DeviceAction::UnjoinDomain, DeviceAction::LeaveEntra, DeviceAction::RemoveMdm, DeviceAction::RemoveConfigmgr]
    {
        twice(os, &action).await;
    }
    let facts = os.inspect().await.expect("facts");
    assert!(facts.domain.is_none_or(|domain| domain.leaving), "gone, or gone at the restart");
    assert!(facts.entra.is_none() && facts.mdm.is_none() && !facts.configmgr && facts.staging.auto_rejoin_off);
}

/// What can't be done safely is refused, and changes nothing.
async fn refusing(os: &dyn DeviceOs) {
    let before = os.inspect().await.expect("facts");
    let profile = before.profiles[0].clone();
    let swap =
        |from: &Sid, path: &str| DeviceAction::SwapProfile { from: from.clone(), to: new_sid(), path: path.to_owned() };
    refused(os.perform(&swap(&new_sid(), &profile.path)).await, "a profile that isn't there");
    refused(os.perform(&swap(&profile.sid, "C:\\Users\\nobody")).await, "another path");
    if profile.loaded {
        refused(os.perform(&swap(&profile.sid, &profile.path)).await, "a loaded profile");
    }
    refused(os.perform(&DeviceAction::EscrowProtector(KeyId(Uuid::nil()))).await, "a protector that isn't there");
    refused(os.perform(&DeviceAction::InstallPackage(PackageName::from("none"))).await, "a package that isn't there");
    let place = DeviceAction::PlacePackage {
        name: "p".into(),
        sha256: Digest::of(b"other"),
        content: "e30=".to_owned().into(),
    };
    refused(os.perform(&place).await, "a package without a folder, or with another digest");
    assert_eq!(os.inspect().await.expect("facts"), before);
}

/// Local groups and caches of identities change by SID, and only those that are named.
async fn identities(os: &dyn DeviceOs) {
    let before = os.inspect().await.expect("facts");
    let group: Sid = "S-1-5-32-544".parse().expect("a SID");
    let added = vec![LocalMembership { group, member: new_sid() }];
    twice(os, &DeviceAction::AddLocalMembers(added.clone())).await;
    assert!(os.inspect().await.expect("facts").local_members.contains(&added[0]));
    twice(os, &DeviceAction::RemoveLocalMembers(added)).await;
    assert_eq!(os.inspect().await.expect("facts"), before);
    let old = before.profiles[0].sid.clone();
    twice(os, &DeviceAction::CleanIdentity(old.clone())).await;
    assert!(!os.inspect().await.expect("facts").cached_identities.contains(&old));
}

/// Clean-up takes everything away, on an armed device and on an untouched one.
async fn cleaning_up(os: &dyn DeviceOs) {
    let before = os.inspect().await.expect("facts");
    twice(os, &DeviceAction::CleanUp { keep_recovery_admin: false }).await;
    assert_eq!(os.inspect().await.expect("facts"), before);
    let old = before.profiles[0].sid.clone();
    os.perform(&DeviceAction::Stage { run: run(), profile: old }).await.expect("staged");
    os.perform(&DeviceAction::Arm { suspend_reboots: 1, recovery: Some(password()) }).await.expect("armed");
    twice(os, &DeviceAction::CleanUp { keep_recovery_admin: false }).await;
    assert_eq!(os.inspect().await.expect("facts"), before, "nothing of it is left");
}

/// Runs the whole suite.
pub async fn conforms<D, F: Future<Output = Bench<D>>>(make: impl Fn() -> F) {
    let bench = make().await;
    reading(bench.os.as_ref()).await;
    surveying(bench.os.as_ref()).await;
    let bench = make().await;
    there_and_back(bench.os.as_ref()).await;
    let bench = make().await;
    weak_passwords(bench.os.as_ref()).await;
    let (bench, other) = (make().await, make().await);
    protecting(bench.os.as_ref(), bench.elsewhere.as_ref().unwrap_or(&other.os).as_ref());
    let bench = make().await;
    leaving(bench.os.as_ref()).await;
    let bench = make().await;
    refusing(bench.os.as_ref()).await;
    let bench = make().await;
    identities(bench.os.as_ref()).await;
    let bench = make().await;
    cleaning_up(bench.os.as_ref()).await;
    drop(bench.keep);
}

/// The world of the first example, whose devices are ready for a migration.
pub fn example() -> World {
    World::parse("world.yaml", include_str!("../../examples/hybrid-to-entra/world.yaml")).expect("a world")
}

/// Catches an emulated device that agents can't rely on as on a real one.
#[tokio::test]
async fn the_emulated_device_conforms() {
    let world = example();
    conforms(|| async {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(LabStore::open(folder.path()).expect("a store"));
        let clock = Arc::new(StepClock::new(world.starts));
        let ids = device_ids(&world, &world.devices[0]);
        let cloud = Arc::new(FakeCloud::new(ids.tenant.expect("a tenant"), "token"));
        let seed = DeviceSeed::from(ids);
        let device = LabDevice::open_with(store, clock, cloud, &world, &world.devices[0], &seed).expect("a device");
        Bench { os: Arc::new(device), keep: folder, elsewhere: None }
    })
    .await;
}

/// Catches an adapter of Windows that agents can't rely on as on the emulated device.
#[tokio::test]
async fn the_windows_device_conforms() {
    conforms(|| async {
        let options = Options { pause: std::time::Duration::ZERO, looks: 3, ..Options::default() };
        let device = WindowsDevice::with_options(Arc::new(Memory::sample(&Ids::default())), options);
        Bench { os: Arc::new(device), keep: (), elsewhere: None }
    })
    .await;
}
