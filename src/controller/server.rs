//! The agents' API over HTTP (`wire`): thin, bounded in body, time and number of waiting calls.

use std::future::Future;
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
    axum::serve(listener, router(agents, limits)).with_graceful_shutdown(shutdown).await
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
