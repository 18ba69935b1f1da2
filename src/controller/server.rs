//! The agents' API over HTTP (`wire`): thin, bounded in body, time and number of waiting calls.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::agents::{Agents, Caller, Refusal};
use super::credentials::Enrolled;
use super::serve::{self, Gate, Limits, Security};
use crate::model::{DeviceName, Problem};
use crate::port::Clock;
use crate::wire::{EnrolCall, EventReport, EvidenceReport, RefusalReport, SIGNATURE, TIME, call_text};

#[derive(Clone)]
struct Server {
    agents: Agents,
    waiting: Arc<Semaphore>,
    gate: Arc<Gate>,
    limits: Limits,
}

/// Serves agents on a listener until `shutdown` is done.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(
    agents: Agents,
    listener: TcpListener,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    serve_with(agents, Router::new(), listener, Security::Plain, limits, shutdown).await
}

/// Serves agents, secured as said, and beside them what else there is for others: the operators' API.
///
/// # Errors
/// Where the listener fails.
pub async fn serve_with(
    agents: Agents,
    others: Router,
    listener: TcpListener,
    security: Security,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    serve::run(router(agents, limits).merge(others), listener, security, limits, shutdown).await
}

fn router(agents: Agents, limits: Limits) -> Router {
    let gate = Arc::new(Gate::new(&limits));
    let clock = agents.clock();
    let server = Server { agents, waiting: Arc::new(Semaphore::new(limits.waiting)), gate: Arc::clone(&gate), limits };
    let quick = Router::new()
        .route("/agent/v1/enrol", post(enrol))
        .route("/agent/v1/evidence", post(evidence))
        .route("/agent/v1/events", post(events))
        .route("/agent/v1/refusals", post(refusals))
        .layer(middleware::from_fn_with_state((Arc::clone(&gate), limits), serve::in_turn));
    Router::new()
        .route("/agent/v1/order", get(order))
        .merge(quick)
        .layer(middleware::from_fn_with_state(gate, serve::counted))
        .fallback(async || {
            Refusal::new(404, Problem::new("agent.no-such-call", "there is no such call").next("update the agent"))
        })
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .layer(middleware::map_response(move |response| std::future::ready(dated(&*clock, response))))
        .with_state(server)
}

/// Says when it was answered.
fn dated(clock: &dyn Clock, mut response: Response) -> Response {
    if let Ok(now) = HeaderValue::from_str(&clock.now().to_string()) {
        response.headers_mut().insert(TIME, now);
    }
    response
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.problem)).into_response();
        if let Some(secs) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}

type Answer<T> = Result<T, Refusal>;

/// What of a call says who calls. The token is taken from the header and never shown again.
struct Call {
    parts: Parts,
    body: Bytes,
}

impl FromRequest<Server> for Call {
    type Rejection = Response;
    async fn from_request(request: Request, server: &Server) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let limited = Request::from_parts(parts.clone(), body);
        // Nobody has said yet who calls: also where no body is wanted, one that doesn't come mustn't be waited for.
        let limit = Duration::from_secs(server.limits.body_secs);
        let read = tokio::time::timeout(limit, Bytes::from_request(limited, server)).await;
        match read {
            Ok(body) => Ok(Self { parts, body: body.map_err(IntoResponse::into_response)? }),
            Err(_) => {
                let problem = Problem::new("agent.bad-body", "the body didn't come in time");
                let problem = problem.next("look at the network between agent and controller");
                Err(Refusal::new(408, problem).into_response())
            }
        }
    }
}

impl Call {
    fn header(&self, name: &str) -> &str {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
    fn peer(&self) -> Option<IpAddr> {
        self.parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
    }
    fn device(&self, server: &Server, call: &'static str) -> Answer<(DeviceName, Enrolled)> {
        let token = self.header("authorization").split_once(' ');
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let target = self.parts.uri.path_and_query().map(|target| target.as_str()).unwrap_or_default();
        let signed = call_text(self.parts.method.as_str(), target, &self.body);
        server.agents.authenticate(&Caller {
            call,
            token: token.map(|(_, token)| token.trim()).unwrap_or_default(),
            signed: &signed,
            signature: self.header(SIGNATURE),
            peer: self.peer(),
        })
    }
}

fn body<T: DeserializeOwned>(bytes: &Bytes) -> Answer<T> {
    serde_json::from_slice(bytes).map_err(|e| {
        let problem = Problem::new("agent.bad-body", "the body isn't what this call takes");
        // The text of the error may quote the body, which may hold a token: its place is enough.
        let place = format!("line {}, column {}", e.line(), e.column());
        Refusal::new(400, problem.next("update the agent or the controller").detail(place))
    })
}

async fn enrol(State(server): State<Server>, call: Call) -> Answer<Response> {
    let request: EnrolCall = body(&call.body)?;
    Ok(Json(server.agents.enrol(&request, call.peer())?).into_response())
}

async fn evidence(State(server): State<Server>, call: Call) -> Answer<StatusCode> {
    let (device, _) = call.device(&server, "evidence")?;
    let report: EvidenceReport = body(&call.body)?;
    server.agents.evidence(&device, report)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn events(State(server): State<Server>, call: Call) -> Answer<Response> {
    let (device, _) = call.device(&server, "events")?;
    let report: EventReport = body(&call.body)?;
    Ok(Json(server.agents.events(&device, report).await?).into_response())
}

async fn refusals(State(server): State<Server>, call: Call) -> Answer<StatusCode> {
    let (device, _) = call.device(&server, "refusals")?;
    let report: RefusalReport = body(&call.body)?;
    server.agents.order_refused(&device, report)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct OrderQuery {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait_secs: u64,
}

async fn order(State(server): State<Server>, Query(query): Query<OrderQuery>, call: Call) -> Answer<Response> {
    let (device, enrolled) = call.device(&server, "order")?;
    let Ok(_place) = server.waiting.try_acquire() else {
        return Err(Refusal::busy_for("too many agents wait for orders", server.gate.later()));
    };
    // Also without a wait the writer gets a moment to answer.
    let wait = Duration::from_secs(query.wait_secs.min(server.limits.wait_secs)).max(Duration::from_millis(250));
    match tokio::time::timeout(wait, server.agents.order(&device, &enrolled, query.after)).await {
        Ok(Ok(Some(order))) => Ok(Json(order).into_response()),
        Ok(Err(refusal)) => Err(refusal),
        Ok(Ok(None)) | Err(_) => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::controller::fake::World;
    use crate::controller::{Begin, Config, Controller, Handle};
    use crate::model::PublicKey;
    use crate::model::{Op, RunId};
    use crate::run::{Budget, device_run_for_tests, run_plan_for_tests};
    use crate::store::MemoryStore;
    use crate::trust::{BoxedFor, Envelope, Opener, Purpose, Signer, test_signer};
    use crate::wire::{
        Acknowledged, Admission, AgentEvent, AgentEventKind, DEVICE_TOKEN, EnrolAnswer, EnrolRequest, EnrolmentToken,
        EventAnswer, FORMAT, OrderAnswer, Release, Step, StepKind,
    };
    use secrecy::ExposeSecret as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const AT: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

    /// A device's side, by hand.
    struct Client {
        http: reqwest::Client,
        root: String,
        token: String,
        signer: Signer,
        opener: Opener,
        controller: PublicKey,
    }

    impl Client {
        async fn call(&self, method: &str, call: &str, body: Vec<u8>) -> reqwest::Response {
            let target = format!("/agent/v1/{call}");
            let signature = Purpose::Call.sign(&call_text(method, &target, &body), &self.signer);
            let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
            let request = self.http.request(method, format!("{}{target}", self.root)).bearer_auth(&self.token);
            request.header(SIGNATURE, signature).body(body).send().await.expect("an answer")
        }
        async fn post<T: serde::Serialize>(&self, call: &str, body: &T) -> reqwest::Response {
            self.call("POST", call, serde_json::to_vec(body).expect("JSON")).await
        }
        async fn get(&self, call: &str) -> reqwest::Response {
            self.call("GET", call, Vec::new()).await
        }
        async fn events(&self, seqs: &[u64], op: Op) -> reqwest::Response {
            let step = Step { op, kind: StepKind::Do };
            let event = |seq: &u64| AgentEvent { seq: *seq, at: AT, step, kind: AgentEventKind::Started };
            let run = RunId(uuid::Uuid::from_u128(9));
            self.post("events", &EventReport { run, events: seqs.iter().map(event).collect() }).await
        }
        async fn acknowledged(&self, response: reqwest::Response) -> u64 {
            let answer: EventAnswer = parse(response).await;
            let said: Acknowledged =
                answer.acknowledgement.open(Purpose::Acknowledgement, self.controller).expect("signed");
            said.acknowledged
        }
    }

    async fn parse<T: DeserializeOwned>(response: reqwest::Response) -> T {
        serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON")
    }

    async fn server(limits: Limits) -> (Handle, Client, Arc<World>) {
        // The client wants a crypto provider also where it speaks no TLS; the first test installs it.
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut run = device_run_for_tests("D-1", &BTreeSet::new());
        let world = World::new(std::slice::from_mut(&mut run.task));
        let mut plan = run_plan_for_tests(vec![run], 1, Budget::default());
        plan.tenant_before.clear();
        plan.created = Clock::now(&*world.clock);
        let ports = world.ports(Arc::new(MemoryStore::new()));
        let controller = ports.key.public();
        let handle = Controller::start(Begin::New(Box::new(plan), Box::default()), ports, Config::default())
            .await
            .expect("a controller");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let root = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(serve(handle.agents(), listener, limits, std::future::pending()));
        let (signer, opener) = (test_signer(7), Opener::from_seed([8; 32]));
        let client = Client { http: reqwest::Client::new(), root, token: String::new(), signer, opener, controller };
        (handle, client, world)
    }

    fn token(handle: &Handle) -> EnrolmentToken {
        let tokens = handle.enrolment_tokens(&["D-1".into()], crate::controller::ENROLMENT).expect("a token");
        tokens[&"D-1".into()].expose_secret().parse().expect("a token")
    }

    fn enrolment(client: &Client, token: &EnrolmentToken) -> EnrolRequest {
        EnrolRequest {
            format: FORMAT,
            device: token.device().clone(),
            serial: "pf-d-1".to_owned(),
            registration: None,
            agent: "test".to_owned(),
            key: client.signer.public(),
            boxes: client.opener.public(),
        }
    }

    fn signed(request: &EnrolRequest, signer: &Signer) -> EnrolCall {
        let request_envelope = Envelope::sign(Purpose::Enrolment, request, signer).expect("JSON");
        EnrolCall { device: request.device.clone(), request: request_envelope }
    }

    async fn enrol(handle: &Handle, client: &mut Client) {
        let token = token(handle);
        let answer = client.post("enrol", &signed(&enrolment(client, &token), &token.signer())).await;
        assert_eq!(answer.status(), 200);
        let answer: EnrolAnswer = parse(answer).await;
        let admission: Admission = answer.admission.open(Purpose::Admission, token.controller()).expect("signed");
        let about = BoxedFor { device: &admission.device, run: None, what: DEVICE_TOKEN };
        let opened = client.opener.open(&about, &admission.token).expect("sealed for it");
        client.token = String::from_utf8(opened.to_vec()).expect("text");
    }

    /// Catches an answer without the controller's time, also one that refuses: a device has no other clock to compare
    /// its own with.
    #[tokio::test]
    async fn every_answer_is_dated() {
        let (_handle, client, world) = server(Limits::default()).await;
        let begin = Clock::now(&*world.clock);
        for path in ["order", "events", "nothing"] {
            let answer = client.http.get(format!("{}/agent/v1/{path}", client.root)).send().await.expect("an answer");
            assert!(!answer.status().is_success(), "{path}");
            let time = answer.headers().get(TIME).expect("a time").to_str().expect("text");
            let time: jiff::Timestamp = time.parse().expect("a time");
            assert!(time >= begin && time <= Clock::now(&*world.clock), "{path}: {time}");
        }
    }

    /// Catches a server that lets strangers in, or says more to them than no.
    #[tokio::test]
    async fn strangers_are_turned_away() {
        let (handle, mut client, _world) = server(Limits::default()).await;
        let old = token(&handle);
        let token = token(&handle);
        let good = enrolment(&client, &token);
        let strange = [
            signed(&EnrolRequest { device: "D-2".into(), ..good.clone() }, &token.signer()),
            EnrolCall {
                device: "D-1".into(),
                ..signed(&EnrolRequest { device: "D-2".into(), ..good.clone() }, &token.signer())
            },
            signed(&EnrolRequest { serial: "PF-X".to_owned(), ..good.clone() }, &token.signer()),
            signed(&good, &test_signer(9)),
            signed(&good, &old.signer()),
        ];
        let mut said = BTreeSet::new();
        for call in &strange {
            let answer = client.post("enrol", call).await;
            assert_eq!(answer.status(), 403);
            said.insert(answer.text().await.expect("a body"));
        }
        assert_eq!(said.len(), 1, "one answer for all: {said:?}");
        let newer = EnrolRequest { format: FORMAT + 1, ..good.clone() };
        assert_eq!(client.post("enrol", &signed(&newer, &token.signer())).await.status(), 400);
        assert_eq!(client.get("order?after=0").await.status(), 401);
        assert_eq!(client.events(&[1], Op::Preflight).await.status(), 401);
        assert_eq!(client.get("nothing").await.status(), 404);
        assert!(handle.enrolment_tokens(&["NOBODY".into()], crate::controller::ENROLMENT).is_err());

        assert_eq!(client.post("enrol", &signed(&good, &token.signer())).await.status(), 200);
        let other = EnrolRequest { key: test_signer(9).public(), ..good };
        assert_eq!(client.post("enrol", &signed(&other, &token.signer())).await.status(), 403, "used by another key");
        enrol(&handle, &mut client).await;
        assert_eq!(client.get("order?after=0&wait_secs=10").await.status(), 200);
        client.signer = test_signer(9);
        assert_eq!(client.get("order?after=0").await.status(), 401, "the token without the key");
    }

    /// Catches events that are lost, counted twice, or taken for steps that nobody ordered.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn events_are_taken_once_and_in_order() {
        let (handle, mut client, _world) = server(Limits::default()).await;
        enrol(&handle, &mut client).await;
        let answer: OrderAnswer = parse(client.get("order?after=0&wait_secs=10").await).await;
        let order = answer.release.open::<Release>(Purpose::Order, client.controller).expect("signed").order;
        assert_eq!((order.generation, order.steps.len()), (1, 1));
        assert!(order.package.is_none());
        assert_eq!(client.get("order?after=1&wait_secs=0").await.status(), 204, "nothing newer");

        assert_eq!(client.events(&[2], Op::Preflight).await.status(), 409);
        let acknowledged = client.acknowledged(client.events(&[1], Op::Preflight).await).await;
        assert_eq!(acknowledged, 1);
        let again = client.acknowledged(client.events(&[1, 2], Op::Preflight).await).await;
        assert_eq!(again, 2);
        let refused = client.events(&[3], Op::UnjoinDomain).await;
        assert_eq!(refused.status(), 409);
        assert_eq!(parse::<Problem>(refused).await.code, "agent.event-refused");
    }

    /// Catches a server that can be filled up: bodies and waiting calls have a bound.
    #[tokio::test]
    async fn limits_hold() {
        let (handle, mut client, _world) =
            server(Limits { body_bytes: 2000, waiting: 0, body_secs: 1, ..Limits::default() }).await;
        enrol(&handle, &mut client).await;
        let full = client.get("order?after=0&wait_secs=10").await;
        assert_eq!(full.status(), 503);
        assert!(full.headers().contains_key("retry-after"));
        assert_eq!(client.post("events", &"x".repeat(5000)).await.status(), 413);
        let slow = tokio::net::TcpStream::connect(client.root.trim_start_matches("http://")).await;
        let mut slow = slow.expect("a connection");
        let half = "GET /agent/v1/order?after=0 HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc";
        slow.write_all(half.as_bytes()).await.expect("sent");
        let mut said = vec![0; 12];
        slow.read_exact(&mut said).await.expect("an answer");
        assert_eq!(said, b"HTTP/1.1 408", "also where no body is wanted, and before anybody is known");
        let bad = client.post("events", &"not a report").await;
        assert_eq!(bad.status(), 400);
        assert!(!bad.text().await.expect("a body").contains("not a report"));
    }
}
