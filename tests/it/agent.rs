//! The agent over real HTTP: a small controller, the emulated tenants, and an emulated device between them.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use opsole::agent::{AgentConfig, Crash, Durability, Exit, Journal, http_client, supervise};
use opsole::lab::device::LabDevice;
use opsole::lab::packages::LabPackages;
use opsole::lab::seed::{DeviceIds, device_ids};
use opsole::lab::{Lab, tenant};
use opsole::model::{
    DeviceName, Digest, FeatureSet, JoinState, Mode, Op, PackageName, PublicKey, RunId, Scenario, Sid,
};
use opsole::port::{DeviceOs as _, Packages as _};
use opsole::trust::{BoxedFor, ControllerKey, Purpose, SealedBox, Signer};
use opsole::wire::{
    Acknowledged, Admission, AgentEvent, AgentEventKind, DEVICE_TOKEN, EnrolAnswer, EnrolCall, EnrolRequest,
    EnrolmentToken, EventAnswer, EventReport, EvidenceReport, FORMAT, OrderAnswer, PackageDelivery, RECOVERY_PASSWORD,
    RefusalReport, Release, SIGNATURE, Step, StepKind, Task, WorkOrder, call_text,
};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::device_os::example;

const CHAIN: &[Op] = &[
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

/// A controller with one device and bad manners.
struct Controller {
    order: WorkOrder,
    package: Vec<u8>,
    key: ControllerKey,
    /// The key that the enrolment request has to be signed with.
    token: PublicKey,
    device: Mutex<Option<EnrolRequest>>,
    seen: Mutex<Seen>,
    finished: CancellationToken,
}

#[derive(Default)]
struct Seen {
    enrolled: u32,
    ordered: bool,
    refused: Vec<String>,
    evidence: u32,
    event_calls: u32,
    events: Vec<AgentEvent>,
}

impl Controller {
    fn seen<T>(&self, f: impl FnOnce(&mut Seen) -> T) -> T {
        f(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
    /// The token changes once, as when a controller was restarted for another run.
    fn let_in(&self, headers: &HeaderMap, signed: &[u8]) -> bool {
        let key = self.device.lock().expect("a device").as_ref().expect("enrolled").key;
        let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).expect("a signature");
        assert!(Purpose::Call.is_signed(signed, key, signature), "signed by the device");
        let wanted = format!("Bearer token-{}", self.seen(|seen| seen.enrolled.max(2)));
        headers.get("authorization").and_then(|value| value.to_str().ok()) == Some(wanted.as_str())
    }
}

async fn enrol(State(it): State<Arc<Controller>>, Json(call): Json<EnrolCall>) -> Response {
    let request: EnrolRequest = call.request.open(Purpose::Enrolment, it.token).expect("signed with the token's key");
    assert_eq!(request.serial.as_str(), "PF-0001");
    let n = it.seen(|seen| {
        seen.enrolled += 1;
        seen.enrolled
    });
    let about = BoxedFor { device: &request.device, run: None, what: DEVICE_TOKEN };
    let token = SealedBox::seal(request.boxes, &about, format!("token-{n}").as_bytes(), [1; 32]).expect("a box");
    let admission = Admission { device: request.device.clone(), key: request.key, token };
    let admission = it.key.sign(Purpose::Admission, &admission).expect("signed");
    *it.device.lock().expect("a device") = Some(request);
    Json(EnrolAnswer { admission, changes: Vec::new() }).into_response()
}
async fn evidence(State(it): State<Arc<Controller>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let _: EvidenceReport = serde_json::from_slice(&body).expect("a report");
    if !it.let_in(&headers, &call_text("POST", "/agent/v1/evidence", &body)) {
        return StatusCode::UNAUTHORIZED;
    }
    it.seen(|seen| seen.evidence += 1);
    StatusCode::NO_CONTENT
}
async fn order(State(it): State<Arc<Controller>>, headers: HeaderMap, uri: axum::http::Uri) -> Response {
    if !it.let_in(&headers, &call_text("GET", &uri.to_string(), b"")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if uri.query().is_some_and(|query| query.contains("after=0")) {
        let boxes = it.device.lock().expect("a device").as_ref().expect("enrolled").boxes;
        let (name, sha256) = (it.order.task.package.clone(), Digest::of(&it.package));
        let what = PackageDelivery::what(&name, sha256);
        let about = BoxedFor { device: &it.order.task.device, run: Some(it.order.run), what: &what };
        let content = SealedBox::seal(boxes, &about, &it.package, [2; 32]).expect("a box");
        let about = BoxedFor { what: RECOVERY_PASSWORD, ..about };
        let recovery = Some(SealedBox::seal(boxes, &about, b"Correct7Horse8Battery", [3; 32]).expect("a box"));
        let package = Some(PackageDelivery { name, sha256, content });
        let order = WorkOrder { package, recovery, ..it.order.clone() };
        // The first is one that somebody kept for a year.
        let first = it.seen(|seen| std::mem::replace(&mut seen.ordered, true));
        let (issued, expires) =
            (jiff::Timestamp::UNIX_EPOCH, if first { jiff::Timestamp::MAX } else { jiff::Timestamp::UNIX_EPOCH });
        let release = it.key.sign(Purpose::Order, &Release { order, issued, expires }).expect("signed");
        return Json(OrderAnswer { release, changes: Vec::new() }).into_response();
    }
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    StatusCode::NO_CONTENT.into_response()
}
async fn events(State(it): State<Arc<Controller>>, headers: HeaderMap, body: Bytes) -> Response {
    let report: EventReport = serde_json::from_slice(&body).expect("a report");
    if !it.let_in(&headers, &call_text("POST", "/agent/v1/events", &body)) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let acknowledged = it.seen(|seen| {
        seen.event_calls += 1;
        for event in report.events {
            // Repeated after a lost answer: what is known is left out, and there are never gaps.
            assert!(event.seq <= seen.events.len() as u64 + 1, "a gap before {}", event.seq);
            if event.seq == seen.events.len() as u64 + 1 {
                seen.events.push(event);
            }
        }
        // Every third answer is lost.
        (!seen.event_calls.is_multiple_of(3)).then_some(seen.events.len() as u64)
    });
    let last = it.seen(|seen| seen.events.last().cloned());
    if last.is_some_and(|e| e.step.op == Op::CleanUp && matches!(e.kind, AgentEventKind::Done { .. })) {
        it.finished.cancel();
    }
    match acknowledged {
        Some(acknowledged) => {
            let said = Acknowledged { device: it.order.task.device.clone(), run: it.order.run, acknowledged };
            let acknowledgement = it.key.sign(Purpose::Acknowledgement, &said).expect("signed");
            Json(EventAnswer { acknowledgement, changes: Vec::new() }).into_response()
        }
        None => StatusCode::BAD_GATEWAY.into_response(),
    }
}

fn order_of(ids: &DeviceIds, package: &PackageName, bytes: &[u8]) -> WorkOrder {
    WorkOrder {
        format: FORMAT,
        run: RunId(Uuid::from_u128(5)),
        plan: Digest::of(b"plan"),
        generation: 1,
        not_after: "2026-12-03T06:00:00Z".parse().expect("a moment"),
        task: Task {
            device: DeviceName::new("LON-IT-001"),
            serial: Some("PF-0001".to_owned()),
            scenario: Scenario::HybridToEntra,
            features: FeatureSet::default(),
            mode: Mode::UserInitiated,
            origin_tenant: ids.tenant.expect("a tenant"),
            target_tenant: ids.tenant.expect("a tenant"),
            old_sid: ids.old_user_sid.clone(),
            profile_path: "C:\\Users\\anna".to_owned(),
            user: ids.new_user.expect("a user"),
            upn: "anna@contoso.com".to_owned(),
            new_sid: Sid::of_entra_user(ids.new_user.expect("a user")),
            package: package.clone(),
            package_sha256: Some(Digest::of(bytes)),
            old_device: Some(ids.device_id),
            excepted: Vec::new(),
            attested: Vec::new(),
        },
        steps: CHAIN.iter().map(|op| Step { op: *op, kind: StepKind::Do }).collect(),
        package: None,
        recovery: None,
    }
}

async fn refusals(State(it): State<Arc<Controller>>, Json(report): Json<RefusalReport>) -> StatusCode {
    it.seen(|seen| seen.refused.push(report.code));
    StatusCode::NO_CONTENT
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// Catches an agent that only works while everything answers: its token is unknown once, every third answer
/// to its events is lost, and the device restarts twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_migrates_its_device_over_http() {
    let mut world = example();
    world.speed = 3000.0;
    let folder = tempfile::tempdir().expect("a folder");
    let lab = Arc::new(Lab::open(&folder.path().join("lab"), &world).expect("a lab"));
    let clock = lab.clock(false);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let tenants = tenant::serve(lab.clone(), listener).expect("served");
    let ids = device_ids(&world, &world.devices[0]);
    let (old_device, user) = (ids.device_id, ids.new_user.expect("a user"));
    let package = PackageName::from("bulk-2026q4");
    let bytes = LabPackages::new(lab.clone()).read(&package).expect("a package");
    let finished = CancellationToken::new();
    let key = ControllerKey::new(Signer::from_seed(&[1; 32]).expect("a key"), Vec::new());
    let token = EnrolmentToken::new(DeviceName::new("LON-IT-001"), [2; 32], key.public());
    let controller = Arc::new(Controller {
        order: order_of(&ids, &package, &bytes),
        package: bytes,
        key,
        token: token.signer().public(),
        device: Mutex::default(),
        seen: Mutex::default(),
        finished: finished.clone(),
    });
    let url = serve(
        Router::new()
            .route("/agent/v1/enrol", post(enrol))
            .route("/agent/v1/evidence", post(evidence))
            .route("/agent/v1/order", get(order))
            .route("/agent/v1/events", post(events))
            .route("/agent/v1/refusals", post(refusals))
            .with_state(controller.clone()),
    )
    .await;

    let device = LabDevice::open(lab.store().clone(), clock.clone(), tenants.base(), &world, &world.devices[0]);
    let device = device.expect("a device");
    let device = Arc::new(device);
    let config = AgentConfig {
        controller: url,
        enrolment_token: Some(SecretString::from(token.expose().as_str())),
        state: folder.path().join("agent"),
        device: device.name().clone(),
        durability: Durability::PowerLoss,
        poll_secs: 1,
        spread_secs: 0,
        http: http_client().expect("a client"),
        kill_after_entry: None,
        online: None,
        enrolled: None,
    };
    let exit = supervise(config, device.clone(), clock, finished).await;
    assert_eq!(exit, Exit::Cancelled);

    let facts = device.inspect().await.expect("facts");
    assert_eq!(facts.join_state(), JoinState::Entra);
    assert_eq!(facts.profile_of(&Sid::of_entra_user(user)).map(|p| p.path.as_str()), Some("C:\\Users\\anna"));
    assert_eq!(device.peek().expect("a state").boots, 2);
    controller.seen(|seen| {
        assert_eq!(seen.enrolled, 2, "let in again after its token was unknown");
        assert!(seen.evidence >= 3, "after each start");
        assert_eq!(seen.refused, ["order.outdated"]);
        let restarts = seen.events.iter().filter(|event| event.kind == AgentEventKind::Restarting).count();
        assert_eq!(restarts, 2);
        let done = seen.events.iter().filter(|event| matches!(event.kind, AgentEventKind::Done { .. })).count();
        assert_eq!(done, CHAIN.len());
    });
    let new = facts.entra.expect("joined").device_id;
    assert_ne!(new, old_device);
    let tenants_say = lab.export().expect("the world").to_string();
    assert!(tenants_say.contains(&new.to_string()), "the tenant knows the new registration");
    tenants.stop().await.expect("stopped");
}

/// Name of the variable that tells the test below that it is the process to be ended.
const VICTIM: &str = "OPSOLE_TEST_JOURNAL";

/// Catches an entry that isn't on disk when the process dies right after writing it, or a process that goes on.
#[test]
fn a_process_that_dies_after_an_entry_has_it_on_disk() {
    let device = DeviceName::new("LON-IT-001");
    if let Some(folder) = std::env::var_os(VICTIM) {
        let crash = Some(Crash { entry: 2, abort: true });
        let mut journal =
            Journal::open(std::path::Path::new(&folder), &device, Durability::Kill, crash).expect("a journal");
        let world = example();
        let order = order_of(&device_ids(&world, &world.devices[0]), &PackageName::from("bulk-2026q4"), b"");
        let run = order.run;
        journal.accept(&order).expect("a write");
        for op in [Op::Preflight, Op::Stage] {
            let step = Step { op, kind: StepKind::Do };
            journal.event(run, jiff::Timestamp::UNIX_EPOCH, step, AgentEventKind::Started).expect("a write");
        }
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let status = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "agent::a_process_that_dies_after_an_entry_has_it_on_disk"])
        .env(VICTIM, folder.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .expect("a process");
    assert!(!status.success());
    let journal = Journal::open(folder.path(), &device, Durability::PowerLoss, None).expect("a journal");
    let begun = |op| journal.step(Step { op, kind: StepKind::Do }).started.is_some();
    assert_eq!((journal.entries(), begun(Op::Preflight), begun(Op::Stage)), (2, true, false));
}
