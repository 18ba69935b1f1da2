//! The agents' API over HTTP (`wire`): thin, bounded in body, time and number of waiting calls.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::agents::{Agents, Refusal};
use crate::model::{DeviceName, Problem};
use crate::wire::{EnrolRequest, EventReport, EvidenceReport};

/// What the server bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Agents that wait for an order at the same time; more are told to come back.
    pub waiting: usize,
    /// Longest wait for an order, in seconds of the wall clock.
    pub wait_secs: u64,
    /// Longest time for any other call, in seconds of the wall clock.
    pub call_secs: u64,
}

impl Default for Limits {
    /// 1 MiB holds the facts of a device a hundred times; a minute is what proxies leave open.
    fn default() -> Self {
        Self { body_bytes: 1 << 20, waiting: 10_000, wait_secs: 60, call_secs: 30 }
    }
}

#[derive(Clone)]
struct Server {
    agents: Agents,
    waiting: Arc<Semaphore>,
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
    serve_with(agents, Router::new(), listener, limits, shutdown).await
}

/// Serves agents, and beside them what else there is for others: the operators' API.
///
/// # Errors
/// Where the listener fails.
pub async fn serve_with(
    agents: Agents,
    others: Router,
    listener: TcpListener,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let service = router(agents, limits).merge(others).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(shutdown).await
}

fn router(agents: Agents, limits: Limits) -> Router {
    let server = Server { agents, waiting: Arc::new(Semaphore::new(limits.waiting)), limits };
    let quick = Router::new()
        .route("/agent/v1/enrol", post(enrol))
        .route("/agent/v1/evidence", post(evidence))
        .route("/agent/v1/events", post(events))
        .layer(middleware::from_fn_with_state(server.clone(), in_time));
    Router::new()
        .route("/agent/v1/order", get(order))
        .merge(quick)
        .fallback(async || {
            Refusal::new(404, Problem::new("agent.no-such-call", "there is no such call").next("update the agent"))
        })
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .with_state(server)
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

async fn in_time(State(server): State<Server>, request: Request, next: Next) -> Response {
    let limit = Duration::from_secs(server.limits.call_secs);
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        let problem = Problem::new("controller.slow", "the call took too long").next("the agent comes back by itself");
        Refusal { status: 503, problem, retry_after: Some(5) }.into_response()
    })
}

/// The token is taken from the header and never shown again.
fn device(server: &Server, headers: &HeaderMap) -> Answer<DeviceName> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    server.agents.authenticate(token.map(|(_, token)| token.trim()).unwrap_or_default())
}

fn body<T: DeserializeOwned>(bytes: &Bytes) -> Answer<T> {
    serde_json::from_slice(bytes).map_err(|e| {
        let problem = Problem::new("agent.bad-body", "the body isn't what this call takes");
        // The text of the error may quote the body, which may hold a token: its place is enough.
        let place = format!("line {}, column {}", e.line(), e.column());
        Refusal::new(400, problem.next("update the agent or the controller").detail(place))
    })
}

async fn enrol(State(server): State<Server>, bytes: Bytes) -> Answer<Response> {
    let request: EnrolRequest = body(&bytes)?;
    Ok(Json(server.agents.enrol(&request)?).into_response())
}

async fn evidence(State(server): State<Server>, headers: HeaderMap, bytes: Bytes) -> Answer<StatusCode> {
    let device = device(&server, &headers)?;
    let report: EvidenceReport = body(&bytes)?;
    server.agents.evidence(&device, report)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn events(State(server): State<Server>, headers: HeaderMap, bytes: Bytes) -> Answer<Response> {
    let device = device(&server, &headers)?;
    let report: EventReport = body(&bytes)?;
    Ok(Json(server.agents.events(&device, report).await?).into_response())
}

#[derive(Deserialize)]
struct OrderQuery {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait_secs: u64,
}

async fn order(State(server): State<Server>, headers: HeaderMap, Query(query): Query<OrderQuery>) -> Answer<Response> {
    let device = device(&server, &headers)?;
    let Ok(_place) = server.waiting.try_acquire() else {
        return Err(Refusal::busy("too many agents wait for orders"));
    };
    // Also without a wait the writer gets a moment to answer.
    let wait = Duration::from_secs(query.wait_secs.min(server.limits.wait_secs)).max(Duration::from_millis(250));
    match tokio::time::timeout(wait, server.agents.order(&device, query.after)).await {
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
    use crate::model::{Op, RunId};
    use crate::run::{Budget, device_run_for_tests, run_plan_for_tests};
    use crate::store::MemoryStore;
    use crate::wire::{AgentEvent, AgentEventKind, EnrolAnswer, EventAnswer, FORMAT, Step, StepKind, WorkOrder};

    const AT: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

    struct Client {
        http: reqwest::Client,
        root: String,
        token: String,
    }

    impl Client {
        async fn post<T: serde::Serialize>(&self, call: &str, body: &T) -> reqwest::Response {
            let request = self.http.post(format!("{}/agent/v1/{call}", self.root)).bearer_auth(&self.token);
            request.body(serde_json::to_vec(body).expect("JSON")).send().await.expect("an answer")
        }
        async fn get(&self, call: &str) -> reqwest::Response {
            let request = self.http.get(format!("{}/agent/v1/{call}", self.root)).bearer_auth(&self.token);
            request.send().await.expect("an answer")
        }
        async fn events(&self, seqs: &[u64], op: Op) -> reqwest::Response {
            let step = Step { op, kind: StepKind::Do };
            let event = |seq: &u64| AgentEvent { seq: *seq, at: AT, step, kind: AgentEventKind::Started };
            let run = RunId(uuid::Uuid::from_u128(9));
            self.post("events", &EventReport { run, events: seqs.iter().map(event).collect() }).await
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
        plan.created = crate::port::Clock::now(&*world.clock);
        let ports = world.ports(Arc::new(MemoryStore::new()));
        let handle = Controller::start(Begin::New(Box::new(plan), Box::default()), ports, Config::default())
            .await
            .expect("a controller");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let root = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(serve(handle.agents(), listener, limits, std::future::pending()));
        let client = Client { http: reqwest::Client::new(), root, token: String::new() };
        (handle, client, world)
    }

    async fn enrol(handle: &Handle, client: &mut Client) {
        let token = handle.enrolment_token(&"D-1".into()).expect("a token");
        let request = EnrolRequest {
            format: FORMAT,
            token,
            device: "d-1".into(),
            serial: "pf-d-1".to_owned(),
            agent: "test".to_owned(),
        };
        let answer = client.post("enrol", &request).await;
        assert_eq!(answer.status(), 200);
        client.token = parse::<EnrolAnswer>(answer).await.device_token;
    }

    /// Catches a server that lets strangers in, or says more to them than no.
    #[tokio::test]
    async fn strangers_are_turned_away() {
        let (handle, client, _world) = server(Limits::default()).await;
        let token = handle.enrolment_token(&"D-1".into()).expect("a token");
        let request = |device: &str, serial: &str, token: &str| EnrolRequest {
            format: FORMAT,
            token: token.to_owned(),
            device: device.into(),
            serial: serial.to_owned(),
            agent: "test".to_owned(),
        };
        for (device, serial, token) in
            [("D-2", "PF-D-1", token.as_str()), ("D-1", "PF-X", token.as_str()), ("D-1", "PF-D-1", "D-1.00")]
        {
            let answer = client.post("enrol", &request(device, serial, token)).await;
            assert_eq!(answer.status(), 403);
            assert_eq!(parse::<Problem>(answer).await.code, "agent.not-let-in");
        }
        let newer = EnrolRequest { format: FORMAT + 1, ..request("D-1", "PF-D-1", &token) };
        assert_eq!(client.post("enrol", &newer).await.status(), 400);
        assert_eq!(client.get("order?after=0").await.status(), 401);
        assert_eq!(client.events(&[1], Op::Preflight).await.status(), 401);
        assert_eq!(client.get("nothing").await.status(), 404);
        assert!(handle.enrolment_token(&"NOBODY".into()).is_err());
    }

    /// Catches events that are lost, counted twice, or taken for steps that nobody ordered.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn events_are_taken_once_and_in_order() {
        let (handle, mut client, _world) = server(Limits::default()).await;
        enrol(&handle, &mut client).await;
        let order: WorkOrder = parse(client.get("order?after=0&wait_secs=10").await).await;
        assert_eq!((order.generation, order.steps.len()), (1, 1));
        assert!(order.package.is_none());
        assert_eq!(client.get("order?after=1&wait_secs=0").await.status(), 204, "nothing newer");

        assert_eq!(client.events(&[2], Op::Preflight).await.status(), 409);
        let acknowledged = parse::<EventAnswer>(client.events(&[1], Op::Preflight).await).await.acknowledged;
        assert_eq!(acknowledged, 1);
        let again = parse::<EventAnswer>(client.events(&[1, 2], Op::Preflight).await).await.acknowledged;
        assert_eq!(again, 2);
        let refused = client.events(&[3], Op::UnjoinDomain).await;
        assert_eq!(refused.status(), 409);
        assert_eq!(parse::<Problem>(refused).await.code, "agent.event-refused");
    }

    /// Catches a server that can be filled up: bodies and waiting calls have a bound.
    #[tokio::test]
    async fn limits_hold() {
        let (handle, mut client, _world) = server(Limits { body_bytes: 2000, waiting: 0, ..Limits::default() }).await;
        enrol(&handle, &mut client).await;
        let full = client.get("order?after=0&wait_secs=10").await;
        assert_eq!(full.status(), 503);
        assert!(full.headers().contains_key("retry-after"));
        assert_eq!(client.post("events", &"x".repeat(5000)).await.status(), 413);
        let bad = client.post("events", &"not a report").await;
        assert_eq!(bad.status(), 400);
        assert!(!bad.text().await.expect("a body").contains("not a report"));
    }
}
