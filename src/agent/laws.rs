//! Laws of the runner, on an emulated device and a tenant in memory; no HTTP, no waiting.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::journal::{Crash, Durability, Journal};
use super::ledger::Ended;
use super::runner::{Runner, Stop};
use super::skew::Skew;
use crate::lab::device::{DeviceSeed, FakeCloud, LabDevice, StepClock};
use crate::lab::packages::package_of;
use crate::lab::store::LabStore;
use crate::lab::world::{Fault, FaultKind, World};
use crate::model::{
    DeviceFacts, DeviceName, Digest, EntraDeviceId, Feature, FeatureSet, IntuneId, JoinState, KeyId, Mode, Op,
    PackageName, ProfileHealth, RunId, Scenario, Sid, TenantId, UserId,
};
use crate::port::{Clock, DeviceAction, DeviceOs, Result};
use crate::trust::{BoxedFor, Opener, SealedBox};
use crate::wire::{AgentEventKind, FORMAT, PackageDelivery, RECOVERY_PASSWORD, Step, StepKind, Task, WorkOrder};

pub(super) const CHAIN: &[Op] = &[
    Op::Preflight,
    Op::EscrowBitlocker,
    Op::Stage,
    Op::Arm,
    Op::UnjoinDomain,
    Op::LeaveEntra,
    Op::RemoveMdm,
    Op::RemoveConfigmgr,
    Op::ApplyPackage,
    Op::VerifyJoin,
    Op::SwapProfile,
    Op::RestoreLocalGroups,
    Op::CleanIdentityCaches,
    Op::RestoreLogonSurface,
    Op::AwaitSignIn,
    Op::VerifyEnrolment,
    Op::EscrowBitlockerNew,
    Op::VerifyExit,
    Op::CleanUp,
];
const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const USER: UserId = UserId(Uuid::from_u128(7));
const RUN: RunId = RunId(Uuid::from_u128(9));
const OLD_SID: &str = "S-1-5-21-1004336348-1177238915-682003330-1104";

pub(super) fn starts() -> Timestamp {
    "2026-12-02T18:30:00Z".parse().expect("a moment")
}

pub(super) fn world(faults: Vec<Fault>) -> World {
    let mut world: World = serde_json::from_value(json!({
        "lab": 1, "name": "w", "starts": starts(),
        "tenants": {"contoso": {"id": TENANT.0, "domain": "contoso.com"}},
        "directory": {"domain": "corp.contoso.com", "computers": "OU=W,DC=corp"},
        "devices": [{
            "name": "LON-IT-001", "serial": "PF-0001", "join": "hybrid", "tenant": "contoso",
            "user": "anna@contoso.com", "configmgr": true, "local-groups": ["administrators"],
            "legal-notice": ["Contoso", "Authorised use only"]
        }]
    }))
    .expect("a world");
    world.faults = faults;
    world
}

fn seed() -> DeviceSeed {
    DeviceSeed {
        tenant: Some(TENANT),
        device_id: EntraDeviceId(Uuid::from_u128(2)),
        intune: IntuneId(Uuid::from_u128(3)),
        bitlocker_key: KeyId(Uuid::from_u128(4)),
        computer_sid: "S-1-5-21-1004336348-1177238915-682003330-2001".parse().expect("a SID"),
        old_user_sid: OLD_SID.parse().expect("a SID"),
        new_user: Some(USER),
    }
}

fn package(expires: &str) -> PackageDelivery {
    let token = json!({"format": "opsole.lab-package/1", "account": "package_x@contoso.com", "token": "s3cret-token", "tenant": TENANT, "expires": expires});
    sealed(RUN, &package_of(&token))
}

/// Returns an order of another run, with the package sealed for that one.
pub(super) fn order_of(run: RunId, ops: &[Op]) -> WorkOrder {
    let token = json!({"format": "opsole.lab-package/1", "account": "package_x@contoso.com", "token": "s3cret-token", "tenant": TENANT, "expires": "2027-04-29T00:00:00Z"});
    WorkOrder {
        run,
        package: Some(sealed(run, &package_of(&token))),
        recovery: Some(sealed_password(run)),
        ..order(ops)
    }
}

/// The keys of the device.
pub(super) fn opener() -> Arc<Opener> {
    Arc::new(Opener::from_seed([5; 32]))
}

/// Seals the recovery administrator's password for the device, as the controller does.
fn sealed_password(run: RunId) -> SealedBox {
    let device = DeviceName::new("LON-IT-001");
    let about = BoxedFor { device: &device, run: Some(run), what: RECOVERY_PASSWORD };
    SealedBox::seal(opener().public(), &about, b"Correct7Horse8Battery", [4; 32]).expect("a box")
}

/// Seals a package for the device, as the controller does.
fn sealed(run: RunId, bytes: &[u8]) -> PackageDelivery {
    let (name, sha256) = (PackageName::from("bulk"), Digest::of(bytes));
    let (device, what) = (DeviceName::new("LON-IT-001"), PackageDelivery::what(&name, sha256));
    let about = BoxedFor { device: &device, run: Some(run), what: &what };
    let content = SealedBox::seal(opener().public(), &about, bytes, [3; 32]).expect("a box");
    PackageDelivery { name, sha256, content }
}

pub(super) fn steps(ops: &[Op], kind: StepKind) -> Vec<Step> {
    ops.iter().map(|op| Step { op: *op, kind }).collect()
}

pub(super) fn order(ops: &[Op]) -> WorkOrder {
    WorkOrder {
        format: FORMAT,
        run: RUN,
        plan: Digest::of(b"plan"),
        generation: 1,
        not_after: "2026-12-03T06:00:00Z".parse().expect("a moment"),
        task: Task {
            device: DeviceName::new("LON-IT-001"),
            serial: Some("PF-0001".to_owned()),
            scenario: Scenario::HybridToEntra,
            features: FeatureSet::default().with(Feature::Autopilot),
            mode: Mode::Silent,
            origin_tenant: TENANT,
            target_tenant: TENANT,
            old_sid: OLD_SID.parse().expect("a SID"),
            profile_path: "C:\\Users\\anna".to_owned(),
            user: USER,
            upn: "anna@contoso.com".to_owned(),
            new_sid: Sid::of_entra_user(USER),
            package: PackageName::from("bulk"),
            package_sha256: None,
            old_device: Some(EntraDeviceId(Uuid::from_u128(2))),
            excepted: Vec::new(),
            attested: Vec::new(),
        },
        steps: steps(ops, StepKind::Do),
        package: Some(package("2027-04-29T00:00:00Z")),
        recovery: Some(sealed_password(RUN)),
    }
}

/// One device, its tenant and the agent's folder.
pub(super) struct Rig {
    pub(super) folder: tempfile::TempDir,
    pub(super) clock: Arc<StepClock>,
    pub(super) cloud: Arc<FakeCloud>,
    pub(super) device: Arc<LabDevice>,
}

impl Rig {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self::of_world(&world(faults))
    }
    pub(super) fn of_world(world: &World) -> Self {
        Self::of_seed(world, &seed())
    }
    fn of_seed(world: &World, seed: &DeviceSeed) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(StepClock::new(starts()));
        let cloud = Arc::new(FakeCloud::new(TENANT, "s3cret-token"));
        let store = Arc::new(LabStore::open(&folder.path().join("lab")).expect("a store"));
        let device = LabDevice::open_with(store, clock.clone(), cloud.clone(), world, &world.devices[0], seed);
        Self { folder, clock, cloud, device: Arc::new(device.expect("a device")) }
    }
    pub(super) fn agent(&self) -> std::path::PathBuf {
        self.folder.path().join("agent")
    }
    fn runner(&self, os: Arc<dyn DeviceOs>, crash: Option<Crash>) -> Runner {
        let journal = Journal::open(&self.agent(), self.device.name(), Durability::Kill, crash).expect("a journal");
        Runner::new(
            os,
            self.clock.clone(),
            journal,
            &self.agent(),
            opener(),
            Skew::new(self.clock.clone()),
            CancellationToken::new(),
        )
    }
    /// Runs an order to its end, through restarts and whatever ends the agent on the way.
    pub(super) async fn finish_with(
        &self,
        os: Arc<dyn DeviceOs>,
        order: &WorkOrder,
        mut crash: Option<Crash>,
    ) -> Runner {
        for _life in 0..200 {
            self.device.up().await.expect("a store");
            let runner = self.runner(os.clone(), crash);
            if runner.accept(order).is_err_and(|problem| problem.code == "agent.killed") {
                crash = None;
                continue;
            }
            let stop = tokio::select! {
                stop = runner.work() => stop,
                () = self.device.ended() => continue,
            };
            match stop {
                Ok(Stop::Restarting) => {}
                Ok(_) => return runner,
                Err(problem) if problem.code == "agent.killed" => crash = None,
                Err(problem) => panic!("{problem} {:?}", problem.detail),
            }
        }
        panic!("the agent never comes to an end")
    }
    pub(super) async fn finish(&self, order: &WorkOrder) -> Runner {
        self.finish_with(self.device.clone(), order, None).await
    }
    /// Returns the facts once all that was under way has happened.
    pub(super) async fn facts(&self) -> DeviceFacts {
        self.clock.advance(std::time::Duration::from_secs(3600));
        self.device.up().await.expect("a store");
        self.device.inspect().await.expect("facts")
    }
}

pub(super) fn outcome(runner: &Runner, op: Op, kind: StepKind) -> Option<Ended> {
    runner.journal(|journal| journal.step(Step { op, kind }).outcome)
}

/// Facts without what differs from run to run: moments, and ids that grow with attempts.
pub(super) fn timeless(mut facts: DeviceFacts) -> serde_json::Value {
    for profile in &mut facts.profiles {
        profile.last_used = None;
        profile.loaded = false;
    }
    if let Some(mdm) = &mut facts.mdm {
        mdm.since = starts();
        mdm.device = None;
    }
    if let Some(join) = &mut facts.entra {
        join.device_id = EntraDeviceId(Uuid::nil());
    }
    facts.sign_in = None;
    serde_json::to_value(facts).expect("JSON")
}

fn assert_migrated(facts: &DeviceFacts, what: &str) {
    let new = Sid::of_entra_user(USER);
    let profile = facts.profile_of(&new).unwrap_or_else(|| panic!("{what}: no profile of the new SID"));
    assert_eq!(profile.path, "C:\\Users\\anna", "{what}");
    assert_eq!(profile.acl_owner, new, "{what}");
    assert_eq!(facts.profiles.len(), 1, "{what}");
    assert_eq!(facts.join_state(), JoinState::Entra, "{what}");
    assert_eq!(facts.logon.legal_notice, Some(("Contoso".to_owned(), "Authorised use only".to_owned())), "{what}");
    assert_eq!(facts.staging, crate::model::Staging::default(), "{what}");
    assert!(facts.sign_in.as_ref().is_some_and(|sign_in| sign_in.sid == new && sign_in.prt), "{what}");
    assert!(facts.mdm.is_some() && !facts.configmgr, "{what}");
    assert!(!facts.cached_identities.contains(&OLD_SID.parse().expect("a SID")), "{what}");
}

async fn undisturbed() -> serde_json::Value {
    let rig = Rig::new(vec![]);
    rig.finish(&order(CHAIN)).await;
    timeless(rig.facts().await)
}

fn fault(op: Op, kind: FaultKind, times: Option<u32>) -> Vec<Fault> {
    vec![Fault { device: Some("lon-it-001".to_owned()), tenant: None, at: Some(op), kind, times }]
}

/// Catches a chain that doesn't end in a migrated device, or that says so before it is.
#[tokio::test]
async fn the_whole_chain_migrates_a_device() {
    let rig = Rig::new(vec![]);
    let runner = rig.finish(&order(CHAIN)).await;
    for op in CHAIN {
        assert_eq!(outcome(&runner, *op, StepKind::Do), Some(Ended::Done), "{op}");
    }
    let facts = rig.facts().await;
    assert_migrated(&facts, "undisturbed");
    let new = facts.entra.expect("joined").device_id;
    let record = rig.cloud.record();
    assert!(record.escrow.contains(&(new, KeyId(Uuid::from_u128(4)))), "the key is in the new escrow");
    assert!(record.left.contains(&EntraDeviceId(Uuid::from_u128(2))) && record.enrolled.contains_key(&new));
    assert_eq!(facts.bitlocker.suspended_reboots, 0);
}

/// Catches a scenario whose devices start from another join and aren't moved.
#[tokio::test]
async fn every_scenario_ends_entra_joined() {
    let source = TenantId(Uuid::from_u128(77));
    for (scenario, join) in [
        (Scenario::AdToEntra, JoinState::Ad),
        (Scenario::TenantToTenant, JoinState::Entra),
        (Scenario::TenantToTenant, JoinState::Hybrid),
        (Scenario::TenantToTenant, JoinState::Ad),
    ] {
        let mut world = world(vec![]);
        world.devices[0].join = join;
        let mut seed = seed();
        seed.tenant = Some(source);
        let mut order = order(CHAIN);
        if join == JoinState::Ad {
            order.steps.retain(|step| !matches!(step.op, Op::EscrowBitlocker));
        }
        if scenario == Scenario::AdToEntra {
            order.steps.retain(|step| step.op != Op::LeaveEntra);
            order.task.old_device = None;
        }
        order.task.scenario = scenario;
        order.task.origin_tenant = source;
        let rig = Rig::of_seed(&world, &seed);
        let runner = rig.finish(&order).await;
        for step in &order.steps {
            assert_eq!(outcome(&runner, step.op, StepKind::Do), Some(Ended::Done), "{scenario:?} {join:?} {}", step.op);
        }
        assert_migrated(&rig.facts().await, &format!("{scenario:?} from {join:?}"));
    }
}

/// Catches a step that goes on for hours for a run that is over, and one that is written into another run.
#[tokio::test]
async fn an_order_of_another_run_takes_over() {
    let mut world = world(vec![]);
    world.devices[0].sign_in_secs = None;
    let rig = Rig::of_world(&world);
    let next = order_of(RunId(Uuid::from_u128(12)), &[Op::VerifyJoin]);
    let until_sign_in: Vec<Op> = CHAIN.iter().copied().take_while(|op| *op != Op::AwaitSignIn).collect();
    rig.finish(&order(&until_sign_in)).await;
    let runner = rig.runner(rig.device.clone(), None);
    runner.accept(&WorkOrder { generation: 2, ..order(CHAIN) }).expect("accepted");
    let (stop, accepted) = tokio::join!(runner.work(), async {
        // Somewhere in the four hours of waiting.
        while rig.clock.now() < starts() + jiff::SignedDuration::from_hours(2) {
            tokio::task::yield_now().await;
        }
        runner.accept(&next)
    });
    assert_eq!((stop, accepted.is_ok()), (Ok(Stop::Idle), true));
    assert!(rig.clock.now() < starts() + jiff::SignedDuration::from_hours(3));
    assert_eq!(runner.work().await, Ok(Stop::Idle));
    assert_eq!(outcome(&runner, Op::VerifyJoin, StepKind::Do), Some(Ended::Done));
    assert_eq!(outcome(&runner, Op::AwaitSignIn, StepKind::Do), None);
}

/// Catches events with gaps or out of order, a hash that isn't sent, and a package or a token's bytes in the journal.
#[tokio::test]
async fn events_are_numbered_and_hold_no_secret() {
    let rig = Rig::new(vec![]);
    let order = order(CHAIN);
    let runner = rig.finish(&order).await;
    let (run, events) = runner.journal(|journal| journal.unsent(1000)).expect("events");
    assert_eq!(run, RUN);
    assert!(events.iter().map(|event| event.seq).eq(1..=events.len() as u64));
    let hash = |kind: &AgentEventKind| matches!(kind, AgentEventKind::Done { hardware_hash: Some(_), .. });
    assert!(hash(&events[0].kind) && events.iter().filter(|event| hash(&event.kind)).count() == 1);
    let text = std::fs::read_to_string(rig.agent().join("journal.jsonl")).expect("a journal");
    assert!(!text.contains("s3cret-token") && !text.contains(&order.package.expect("a package").content.content));
    assert!(!rig.agent().join("package.json").exists(), "the package is wiped");
}

/// Performs every action twice.
struct Twice(Arc<LabDevice>);

#[async_trait]
impl DeviceOs for Twice {
    async fn inspect(&self) -> Result<DeviceFacts> {
        self.0.inspect().await
    }
    async fn survey(&self) -> Result<crate::model::Survey> {
        self.0.survey().await
    }
    async fn perform(&self, action: &DeviceAction) -> Result<()> {
        self.0.perform(action).await?;
        if *action == DeviceAction::Restart { Ok(()) } else { self.0.perform(action).await }
    }
    fn protect(&self, plain: &[u8]) -> Result<Vec<u8>> {
        self.0.protect(plain)
    }
    fn unprotect(&self, protected: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>> {
        self.0.unprotect(protected)
    }
    async fn boot(&self) -> Result<u64> {
        self.0.boot().await
    }
    async fn recorded(&self) -> Result<Option<crate::model::Recorded>> {
        self.0.recorded().await
    }
    async fn last_join_error(&self) -> Result<Option<crate::model::Problem>> {
        self.0.last_join_error().await
    }
    async fn hardware_hash(&self) -> Result<Option<String>> {
        self.0.hardware_hash().await
    }
}

/// Catches an action that isn't idempotent: a crash between acting and writing down repeats it.
#[tokio::test]
async fn every_action_twice_is_once() {
    let rig = Rig::new(vec![]);
    rig.finish_with(Arc::new(Twice(rig.device.clone())), &order(CHAIN), None).await;
    assert_eq!(timeless(rig.facts().await), undisturbed().await);
}

/// Catches a second run that does something to a device that is done.
#[tokio::test]
async fn a_second_order_finds_the_postconditions() {
    let rig = Rig::new(vec![]);
    let done = [
        Op::UnjoinDomain,
        Op::LeaveEntra,
        Op::RemoveMdm,
        Op::RemoveConfigmgr,
        Op::ApplyPackage,
        Op::VerifyJoin,
        Op::SwapProfile,
        Op::CleanIdentityCaches,
        Op::AwaitSignIn,
        Op::VerifyEnrolment,
        Op::VerifyExit,
        Op::CleanUp,
    ];
    rig.finish(&order(CHAIN)).await;
    let before = rig.device.peek().expect("a state");
    let again = order_of(RunId(Uuid::from_u128(10)), &done);
    let runner = rig.finish(&again).await;
    for op in done {
        assert_eq!(outcome(&runner, op, StepKind::Do), Some(Ended::Done), "{op}");
    }
    let (_, events) = runner
        .journal(|journal| {
            journal.acknowledge(RUN, u64::MAX)?;
            Ok::<_, crate::model::Problem>(journal.unsent(1000))
        })
        .expect("a journal")
        .expect("events");
    assert!(events.iter().all(|event| matches!(event.kind, AgentEventKind::Done { already: true, .. })));
    assert_eq!(rig.device.peek().expect("a state").boots, before.boots, "nothing restarted");
}

/// Catches every crash window: an entry after which the next life does something else, twice or never.
#[tokio::test]
async fn killed_after_every_journal_entry() {
    let wanted = undisturbed().await;
    let rig = Rig::new(vec![]);
    let entries = rig.finish(&order(CHAIN)).await.journal(|journal| journal.entries());
    let boots = rig.device.peek().expect("a state").boots;
    assert!(entries > 30, "{entries}");
    for entry in 1..=entries {
        let rig = Rig::new(vec![]);
        let crash = Crash { entry, abort: false };
        let runner = rig.finish_with(rig.device.clone(), &order(CHAIN), Some(crash)).await;
        for op in CHAIN {
            assert_eq!(outcome(&runner, *op, StepKind::Do), Some(Ended::Done), "{op}, killed after {entry}");
        }
        assert_eq!(timeless(rig.facts().await), wanted, "killed after entry {entry}");
        // An agent that is ended right before the device goes down must not take that for the restart.
        assert_eq!(rig.device.peek().expect("a state").boots, boots, "killed after entry {entry}");
    }
}

/// Catches a step that gives up, or ends differently, where something passing happens once.
#[tokio::test]
async fn one_fault_anywhere_changes_nothing() {
    let wanted = undisturbed().await;
    for op in CHAIN {
        for kind in [
            FaultKind::Fail("0x801c03ed".to_owned()),
            FaultKind::Lie,
            FaultKind::PowerCut,
            FaultKind::Killed,
            FaultKind::Offline(200),
        ] {
            // A power cut before the device is armed signs the user in again, and the profile stays loaded.
            let rig = Rig::new(fault(*op, kind.clone(), Some(1)));
            let runner = rig.finish(&order(CHAIN)).await;
            for step in CHAIN {
                assert_eq!(outcome(&runner, *step, StepKind::Do), Some(Ended::Done), "{step} with {kind:?} at {op}");
            }
            let facts = rig.facts().await;
            assert_migrated(&facts, &format!("{kind:?} at {op}"));
            assert_eq!(timeless(facts), wanted, "{kind:?} at {op}");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    /// Catches two passing faults that only together leave a device half way, silently.
    #[test]
    fn passing_faults_in_any_mixture(
        picks in proptest::collection::vec((0..CHAIN.len(), 0_usize..5, 1_u32..3), 1..4),
        killed in proptest::option::of(1_u64..60),
    ) {
        let kinds = [FaultKind::Fail("0x801c03ed".to_owned()), FaultKind::Lie, FaultKind::PowerCut, FaultKind::Killed, FaultKind::Offline(90)];
        let faults = picks.iter().flat_map(|(op, kind, times)| fault(CHAIN[*op], kinds[*kind].clone(), Some(*times)));
        let rig = Rig::new(faults.collect());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let crash = killed.map(|entry| Crash { entry, abort: false });
            let runner = rig.finish_with(rig.device.clone(), &order(CHAIN), crash).await;
            let ends: Vec<_> = CHAIN.iter().map(|op| outcome(&runner, *op, StepKind::Do)).collect();
            drop(runner);
            if ends.iter().all(|end| *end == Some(Ended::Done)) {
                assert_migrated(&rig.facts().await, &format!("{picks:?}"));
            } else {
                // It stopped: exactly one step tells why, and nothing after it was begun.
                let at = ends.iter().position(|end| *end != Some(Ended::Done)).expect("one that isn't done");
                assert!(matches!(ends[at], Some(Ended::Failed | Ended::Pending(_))), "{picks:?}: {ends:?}");
                assert!(ends[at + 1..].iter().all(Option::is_none), "{picks:?}: {ends:?}");
            }
        });
    }
}

/// Catches a failure before the point of no return that leaves something behind, and one after it that is
/// silent or goes on.
#[tokio::test]
async fn a_lasting_failure_is_put_back_or_told() {
    let before = timeless(Rig::new(vec![]).facts().await);
    for op in CHAIN.iter().filter(|op| !matches!(op, Op::Preflight | Op::VerifyExit)) {
        let rig = Rig::new(fault(*op, FaultKind::Fail("device.broken".to_owned()), None));
        let runner = rig.finish(&order(CHAIN)).await;
        let ended = outcome(&runner, *op, StepKind::Do);
        let later = CHAIN.iter().skip_while(|other| *other != op).skip(1);
        // The enrolment's last part is a synchronisation that Windows makes by itself anyway.
        let told = matches!(ended, Some(Ended::Failed | Ended::Pending(_)));
        assert!(told, "{op}: {ended:?}");
        for other in later {
            assert_eq!(outcome(&runner, *other, StepKind::Do), None, "{other} after a failed {op}");
        }
        drop(runner);
        if crate::dag::spec(*op).phase == crate::dag::Phase::Reversible {
            let mut back = order(CHAIN);
            back.generation = 2;
            let undo: Vec<Op> = CHAIN.iter().copied().take_while(|other| other <= op).collect();
            back.steps.extend(steps(&undo, StepKind::Undo).into_iter().rev());
            let runner = rig.finish(&back).await;
            for other in undo {
                assert_eq!(outcome(&runner, other, StepKind::Undo), Some(Ended::Done), "{other} put back after {op}");
            }
            assert_eq!(timeless(rig.facts().await), before, "put back after {op}");
            assert!(!rig.agent().join("package.json").exists() || op < &Op::Stage);
        }
    }
}

/// Catches an agent that believes an answer: what was said to work and didn't is never `Done`.
#[tokio::test]
async fn a_lasting_lie_is_found() {
    // What only the tenant sees is the controller's to find: the escrow and the synchronisation.
    let unseen = [Op::Preflight, Op::EscrowBitlocker, Op::EscrowBitlockerNew, Op::VerifyExit];
    for op in CHAIN.iter().filter(|op| !unseen.contains(op)) {
        let rig = Rig::new(fault(*op, FaultKind::Lie, None));
        let runner = rig.finish(&order(CHAIN)).await;
        let ended = outcome(&runner, *op, StepKind::Do);
        assert!(matches!(ended, Some(Ended::Failed | Ended::Pending(_))), "{op}: {ended:?}");
    }
}

/// Catches a device that dies of the same step for ever: nobody would ever hear of it.
#[tokio::test]
async fn a_step_that_always_ends_the_agent_is_told() {
    for kind in [FaultKind::Killed, FaultKind::PowerCut] {
        for op in [Op::Stage, Op::UnjoinDomain, Op::SwapProfile, Op::RestoreLogonSurface] {
            let rig = Rig::new(fault(op, kind.clone(), None));
            let runner = rig.finish(&order(CHAIN)).await;
            // What was done before the power went is found done by the next life.
            let wanted = match (&kind, op) {
                (FaultKind::PowerCut, Op::Stage | Op::UnjoinDomain | Op::SwapProfile) => Ended::Done,
                _ => Ended::Failed,
            };
            assert_eq!(outcome(&runner, op, StepKind::Do), Some(wanted), "{kind:?} at {op}");
        }
    }
}

/// Catches a resumption after `Pending` that never looks again, or looks without being asked.
#[tokio::test]
async fn pending_is_looked_at_with_the_next_order() {
    let mut world = world(vec![]);
    world.devices[0].sign_in_secs = Some(6 * 3600);
    let rig = Rig::of_world(&world);
    let runner = rig.finish(&order(CHAIN)).await;
    assert_eq!(outcome(&runner, Op::AwaitSignIn, StepKind::Do), Some(Ended::Pending(1)));
    drop(runner);
    let runner = rig.finish(&order(CHAIN)).await;
    assert_eq!(outcome(&runner, Op::AwaitSignIn, StepKind::Do), Some(Ended::Pending(1)), "the same order");
    drop(runner);
    let next = WorkOrder { generation: 2, ..order(CHAIN) };
    let runner = rig.finish(&next).await;
    assert_eq!(outcome(&runner, Op::CleanUp, StepKind::Do), Some(Ended::Done));
}

/// Catches the disaster that the whole order of steps is about, and a swap that makes it worse: a user who
/// signed in before the swap gets an empty profile, which the swap may replace, and one with data, which it may not.
#[tokio::test]
async fn a_sign_in_before_the_swap() {
    for (size_mib, ended) in [(40, Ended::Done), (5_000, Ended::Failed)] {
        let rig = Rig::new(vec![]);
        let until_join = &CHAIN[..10];
        rig.finish(&order(until_join)).await;
        let mut state = rig.device.peek().expect("a state");
        state.facts.profiles.push(crate::model::Profile {
            sid: Sid::of_entra_user(USER),
            path: "C:\\Users\\anna.000".to_owned(),
            health: ProfileHealth::Healthy,
            loaded: false,
            acl_owner: Sid::of_entra_user(USER),
            size_mib,
            loaders: vec![],
            last_used: None,
        });
        let store = LabStore::open(&rig.folder.path().join("lab")).expect("a store");
        store.put("device", "LON-IT-001", &serde_json::to_string(&state).expect("JSON")).expect("a write");
        let next = WorkOrder { generation: 2, ..order(CHAIN) };
        let runner = rig.finish(&next).await;
        assert_eq!(outcome(&runner, Op::SwapProfile, StepKind::Do), Some(ended), "{size_mib} MiB");
        let old = rig.facts().await.profiles.into_iter().find(|profile| profile.path == "C:\\Users\\anna");
        assert!(old.is_some_and(|profile| profile.size_mib == 20_000), "the old data is there");
    }
}

/// Catches a profile that is swapped although the join didn't work (domain.md B13, 8), and a refusal that
/// isn't named.
#[tokio::test]
async fn no_join_no_swap() {
    let rig = Rig::new(vec![]);
    rig.cloud.refuse_joins(99, "0x801c03ed");
    let runner = rig.finish(&order(CHAIN)).await;
    assert_eq!(outcome(&runner, Op::VerifyJoin, StepKind::Do), Some(Ended::Failed));
    let (_, events) = runner.journal(|journal| journal.unsent(1000)).expect("events");
    let Some(AgentEventKind::Failed(problem)) = events.last().map(|event| &event.kind) else { panic!("{events:?}") };
    assert_eq!(problem.detail.as_deref(), Some("0x801c03ed"));
    let facts = rig.facts().await;
    assert!(facts.profile_of(&OLD_SID.parse().expect("a SID")).is_some());
    drop(runner);
    // Refused twice and then let in: the agent goes forward by itself.
    let rig = Rig::new(vec![]);
    rig.cloud.refuse_joins(2, "0x801c03ed");
    rig.finish(&order(CHAIN)).await;
    assert_migrated(&rig.facts().await, "refused twice");
}

/// Catches an agent that begins before the boundary with an order that has ended, and one that stops what
/// it began.
#[tokio::test]
async fn an_order_that_ended_begins_nothing() {
    let rig = Rig::new(vec![]);
    let late = WorkOrder { not_after: starts(), ..order(&CHAIN[..4]) };
    rig.clock.advance(std::time::Duration::from_secs(1));
    let runner = rig.finish(&late).await;
    assert_eq!(outcome(&runner, Op::Preflight, StepKind::Do), Some(Ended::Failed));
    drop(runner);
    let rig = Rig::new(vec![]);
    rig.finish(&order(&CHAIN[..4])).await;
    rig.clock.advance(std::time::Duration::from_secs(24 * 3600));
    let runner = rig.finish(&WorkOrder { generation: 2, ..order(CHAIN) }).await;
    assert_eq!(outcome(&runner, Op::CleanUp, StepKind::Do), Some(Ended::Done), "the boundary's other side is open");
}

/// Catches an installation without the package, and a package that isn't the agreed one.
#[tokio::test]
async fn the_package_is_the_agreed_one() {
    let rig = Rig::new(vec![]);
    let without = WorkOrder { package: None, ..order(CHAIN) };
    let runner = rig.finish(&without).await;
    assert_eq!(outcome(&runner, Op::ApplyPackage, StepKind::Do), None, "it waits for the package");
    drop(runner);
    let runner = rig.finish(&WorkOrder { generation: 2, ..order(CHAIN) }).await;
    assert_eq!(outcome(&runner, Op::CleanUp, StepKind::Do), Some(Ended::Done));
    drop(runner);

    let rig = Rig::new(vec![]);
    let mut other = order(CHAIN);
    other.task.package_sha256 = Some(Digest::of(b"another"));
    let runner = rig.finish(&other).await;
    assert_eq!(outcome(&runner, Op::ApplyPackage, StepKind::Do), Some(Ended::Failed));
    drop(runner);

    let rig = Rig::new(vec![]);
    let runner = rig.runner(rig.device.clone(), None);
    let mut elsewhere = WorkOrder { run: RunId(Uuid::from_u128(10)), ..order(CHAIN) };
    assert_eq!(runner.accept(&elsewhere).expect_err("of another run").code, "order.sealed");
    elsewhere = order(CHAIN);
    if let Some(package) = &mut elsewhere.package {
        package.sha256 = Digest::of(b"another");
    }
    assert_eq!(runner.accept(&elsewhere).expect_err("of another package").code, "order.sealed");
    drop(runner);

    let rig = Rig::new(vec![]);
    let stale = WorkOrder { package: Some(package("2026-12-01T00:00:00Z")), ..order(CHAIN) };
    let runner = rig.finish(&stale).await;
    assert_eq!(outcome(&runner, Op::VerifyJoin, StepKind::Do), Some(Ended::Failed), "a token that ran out");
}

fn problem_code(folder: &Path, order: &WorkOrder) -> String {
    let mut journal =
        Journal::open(folder, &DeviceName::new("LON-IT-001"), Durability::PowerLoss, None).expect("a journal");
    journal.accept(order).err().map(|problem| problem.code).unwrap_or_default()
}

/// Catches an agent that takes an order which isn't its next one.
#[test]
fn orders_that_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = WorkOrder { generation: 3, ..order(&CHAIN[..4]) };
    assert_eq!(problem_code(folder.path(), &first), "");
    assert_eq!(problem_code(folder.path(), &first), "", "the same again");
    let mut other = first.clone();
    other.task.device = DeviceName::new("LON-IT-002");
    other.generation = 4;
    assert_eq!(problem_code(folder.path(), &other), "order.other-device");
    assert_eq!(problem_code(folder.path(), &WorkOrder { generation: 2, ..first.clone() }), "order.older");
    assert_eq!(problem_code(folder.path(), &WorkOrder { generation: 3, ..order(CHAIN) }), "order.changed");
    assert_eq!(problem_code(folder.path(), &WorkOrder { format: FORMAT + 1, ..first.clone() }), "order.format");
    let dropped = WorkOrder { generation: 4, ..order(&CHAIN[..2]) };
    assert_eq!(problem_code(folder.path(), &dropped), "order.steps-dropped");
    let plan = WorkOrder { generation: 4, plan: Digest::of(b"other"), ..first };
    assert_eq!(problem_code(folder.path(), &plan), "order.other-plan");
    let next_run = WorkOrder { run: RunId(Uuid::from_u128(11)), generation: 1, ..order(CHAIN) };
    assert_eq!(problem_code(folder.path(), &next_run), "", "a new run counts from 1 again");
}

/// Catches a lock that somebody holds for a moment, as a program between its fork and its exec does, taken for another agent.
#[test]
fn a_lock_of_a_moment_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = DeviceName::new("LON-IT-001");
    let open = || Journal::open(folder.path(), &device, Durability::PowerLoss, None);
    let held = open().expect("a journal");
    let other = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(40));
        drop(held);
    });
    open().expect("free again");
    other.join().expect("no panic");
}

/// Catches a journal that a power cut makes unreadable, and one that reads over damage.
#[test]
fn a_torn_tail_is_dropped_and_damage_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = DeviceName::new("LON-IT-001");
    let path = folder.path().join("journal.jsonl");
    let step = Step { op: Op::Stage, kind: StepKind::Do };
    {
        let mut journal = Journal::open(folder.path(), &device, Durability::PowerLoss, None).expect("a journal");
        assert_eq!(
            Journal::open(folder.path(), &device, Durability::PowerLoss, None).err().map(|p| p.code).as_deref(),
            Some("agent.second")
        );
        journal.accept(&order(CHAIN)).expect("a write");
        journal.event(RUN, starts(), step, AgentEventKind::Started).expect("a write");
    }
    let whole = std::fs::read(&path).expect("bytes");
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("lines") + 1;
    for cut in last..whole.len() {
        std::fs::write(&path, &whole[..cut]).expect("a write");
        let mut journal = Journal::open(folder.path(), &device, Durability::PowerLoss, None).expect("a journal");
        assert!(journal.step(step).started.is_none(), "cut at {cut}");
        journal.event(RUN, starts(), step, AgentEventKind::Started).expect("a write");
        drop(journal);
        assert_eq!(std::fs::read(&path).expect("bytes"), whole, "cut at {cut}");
    }
    let mut damaged = whole;
    damaged[3] = b'!';
    std::fs::write(&path, damaged).expect("a write");
    let problem = Journal::open(folder.path(), &device, Durability::PowerLoss, None).expect_err("damage");
    assert_eq!(problem.code, "agent.journal-damaged");
}

/// Catches a token or a package that other accounts of the device can read.
#[cfg(unix)]
#[tokio::test]
async fn files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let rig = Rig::new(vec![]);
    let runner = rig.runner(rig.device.clone(), None);
    runner.accept(&order(CHAIN)).expect("accepted");
    let kept = std::fs::read_to_string(rig.agent().join("package.json")).expect("a package");
    assert!(!kept.contains("s3cret") && kept.contains("content"), "it is sealed on disk");
    for (path, mode) in [("", 0o700), ("journal.jsonl", 0o600), ("package.json", 0o600)] {
        let metadata = std::fs::metadata(rig.agent().join(path)).expect("a file");
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
    }
    assert!(rig.clock.now() >= starts());
}
