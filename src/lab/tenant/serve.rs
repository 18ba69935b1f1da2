//! The emulated tenants over HTTP: one server for all of a world's tenants.
//!
//! | path | what |
//! |---|---|
//! | `POST /{tenant id or domain}/oauth2/v2.0/token` | tokens |
//! | `/v1.0/…`, `/beta/…` | Microsoft Graph of the token's tenant |
//! | `/lab/v1/…` | devices, time and counters ([`protocol`](crate::lab::protocol)) |
//!
//! Faults of a tenant hit tokens and Graph; devices have faults of their own.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::serve::{IncomingStream, Listener};
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::device_calls::DeviceCalls;
use super::emulation::Emulation;
use super::graph;
use super::reply::{Refused, Reply, Request};
use super::token;
use crate::lab::folder::{Lab, LabLock, held};
use crate::lab::protocol::{ClockAnswer, StatsAnswer};
use crate::lab::seed::derive;
use crate::lab::store::Write;
use crate::lab::world::FaultKind;
use crate::model::Problem;
use crate::port::Result;

/// Bytes of a request's body at most: a batch import is the largest thing there is.
const BODY_MAX: usize = 8 << 20;
/// How long open requests may go on after the stop.
const DRAIN: Duration = Duration::from_secs(2);

/// A running server. Dropped, it stops without waiting.
#[derive(Debug)]
pub struct TenantServer {
    base: String,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    shared: Arc<Shared>,
    _lock: LabLock,
}

impl TenantServer {
    /// Returns what was asked for so far.
    #[must_use]
    pub fn stats(&self) -> StatsAnswer {
        let emulation = held(&self.shared.emulation);
        StatsAnswer { requests: emulation.served, calls: emulation.calls.clone() }
    }
    /// Returns `http://host:port`: authority of the token endpoint and root of Graph alike.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }
    /// Takes no more connections, lets open requests end and what is due happen, and keeps the time.
    ///
    /// # Errors
    /// `lab.store` where the world or the time can't be kept.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(stop) = self.stop.take() {
            // The other end is gone only when the server is.
            let _ = stop.send(());
        }
        // An idle client that holds its connection open isn't waited for.
        if tokio::time::timeout(DRAIN, &mut self.task).await.is_err() {
            self.task.abort();
        }
        let stats = self.stats();
        tracing::debug!(requests = stats.requests, calls = ?stats.calls, "the lab's tenants were asked");
        // What has become due happens now: the next process finds the world as this one leaves it.
        let now = self.shared.lab.end_clock()?;
        let mut emulation = held(&self.shared.emulation);
        emulation.advance(&self.shared.lab, now)?;
        emulation.flush(&self.shared.lab)
    }
}

impl Drop for TenantServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a lab's tenants on a listener, in the time of the lab's latest clock.
///
/// # Errors
/// `lab.locked` where another process serves them, `lab.store`, `lab.serve` where the listener has no address.
pub fn serve(lab: Arc<Lab>, listener: TcpListener) -> Result<TenantServer> {
    let lock = lab.lock()?;
    let address = listener
        .local_addr()
        .map_err(|e| Problem::new("lab.serve", "the lab's listener has no address").detail(e.to_string()))?;
    let emulation = Emulation::load(&lab)?;
    let shared = Arc::new(Shared { lab, emulation: Mutex::new(emulation) });
    let service =
        Router::new().fallback(handle).with_state(shared.clone()).into_make_service_with_connect_info::<Link>();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let serving = axum::serve(Lines(listener), service).with_graceful_shutdown(async move {
            // A dropped sender is a stop as well.
            let _ = stopped.await;
        });
        if let Err(error) = serving.await {
            tracing::error!(%error, "the lab's server ended");
        }
    });
    Ok(TenantServer { base: format!("http://{address}"), stop: Some(stop), task, shared, _lock: lock })
}

#[derive(Debug)]
struct Shared {
    lab: Arc<Lab>,
    emulation: Mutex<Emulation>,
}

/// Accepts connections that can be cut.
struct Lines(TcpListener);

impl Listener for Lines {
    type Io = Line;
    type Addr = SocketAddr;
    async fn accept(&mut self) -> (Line, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (Line { stream, cut: Arc::default() }, address)
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection; once cut, nothing is written to it any more.
struct Line {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
}

impl Line {
    fn whole(&self) -> io::Result<()> {
        if self.cut.load(Ordering::Acquire) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}
impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.whole()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A request's connection.
#[derive(Debug, Clone)]
struct Link(Arc<AtomicBool>);

impl Connected<IncomingStream<'_, Lines>> for Link {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        Self(stream.io().cut.clone())
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(link): ConnectInfo<Link>,
    request: HttpRequest,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return response;
    };
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut emulation = held(&shared.emulation);
    let lab = &shared.lab;
    let now = lab.now();
    emulation.served += 1;
    let id = derive(&emulation.world.name, "request", &emulation.served.to_string());
    let mut incoming = Incoming {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        base: format!("http://{}", header("host").unwrap_or_default()),
        client_id: header("client-request-id"),
        body,
        headers: parts.headers,
        id,
        now,
    };
    let mut reply = match emulation.advance(lab, now) {
        Ok(()) => incoming.answer(&mut emulation, lab),
        Err(problem) => Some(incoming.trouble(problem)),
    };
    // What isn't on disk hasn't happened: nothing is answered before.
    if let Err(problem) = emulation.flush(lab) {
        reply = Some(incoming.trouble(problem));
    }
    drop(emulation);
    match reply {
        Some(reply) => incoming.response(reply),
        None => {
            link.0.store(true, Ordering::Release);
            Response::new(Body::empty())
        }
    }
}

/// A request as it came in.
struct Incoming {
    method: String,
    path: String,
    query: String,
    base: String,
    client_id: Option<String>,
    headers: HeaderMap,
    body: Bytes,
    id: Uuid,
    now: Timestamp,
}

impl Incoming {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns this as a request for Graph, with the path below the version.
    fn graph(&self, beta: bool, path: &str) -> Request {
        Request {
            method: self.method.clone(),
            beta,
            base: self.base.clone(),
            path: path.to_owned(),
            query: self.query.clone(),
            eventual: self.header("ConsistencyLevel").is_some_and(|level| level.eq_ignore_ascii_case("eventual")),
            user_agent: self.header("User-Agent").is_some_and(|agent| !agent.trim().is_empty()),
            body: serde_json::from_slice(&self.body).ok(),
            id: self.id,
            client_id: self.client_id.clone(),
            now: self.now,
            step: false,
        }
    }

    fn trouble(&self, problem: Problem) -> Reply {
        graph::trouble(problem).reply(&self.graph(false, &self.path))
    }

    /// Answers; `None` cuts the connection.
    fn answer(&mut self, emulation: &mut Emulation, lab: &Lab) -> Option<Reply> {
        let path = self.path.clone();
        if let Some(call) = path.strip_prefix("/lab/v1/") {
            return Some(self.lab_call(emulation, lab, call));
        }
        for (prefix, beta) in [("/v1.0", false), ("/beta", true)] {
            if let Some(rest) = path.strip_prefix(prefix).filter(|rest| rest.starts_with('/')) {
                return self.graph_call(emulation, lab, &self.graph(beta, rest));
            }
        }
        if let Some(tenant) = path.strip_suffix("/oauth2/v2.0/token").and_then(|head| head.strip_prefix('/'))
            && self.method == "POST"
        {
            let known = emulation.tenant_name(tenant).map(str::to_owned);
            if let Some(fault) = known.and_then(|name| fault(emulation, &name)) {
                return fault.map(|status| refusal(status).reply(&self.graph(false, &path)));
            }
            emulation.count("POST token");
            let form = String::from_utf8_lossy(&self.body).into_owned();
            return Some(token::issue(emulation, tenant, &form, &self.base, self.now, self.id));
        }
        Some(Refused::new(404, "NotFound", "There is nothing here.").reply(&self.graph(false, &path)))
    }

    fn lab_call(&self, emulation: &mut Emulation, lab: &Lab, call: &str) -> Reply {
        if call == "clock" && self.method == "GET" {
            let answer = ClockAnswer { now: self.now, speed: lab.speed() };
            return Reply { status: 200, body: serde_json::to_value(answer).ok(), retry_after: None };
        }
        if call == "stats" && self.method == "GET" {
            let answer = StatsAnswer { requests: emulation.served, calls: emulation.calls.clone() };
            return Reply { status: 200, body: serde_json::to_value(answer).ok(), retry_after: None };
        }
        if self.method != "POST" {
            return Reply { status: 405, body: None, retry_after: None };
        }
        let (status, body) = match (DeviceCalls { emulation, lab, now: self.now }).answer(call, &self.body) {
            Ok(answer) => answer,
            Err((status, refusal)) => (status, serde_json::to_value(refusal).ok()),
        };
        // Only calls that there are: others could name anything.
        if status != 404 {
            emulation.count(&format!("lab {call}"));
        }
        Reply { status, body, retry_after: None }
    }

    fn graph_call(&self, emulation: &mut Emulation, lab: &Lab, request: &Request) -> Option<Reply> {
        let bearer = self.header("Authorization").and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let claims = match bearer.filter(|token| !token.is_empty()) {
            None => Err("Access token is empty."),
            Some(token) => token::verify(&emulation.world.name, token, self.now),
        };
        let unauthorised = |message: &str| Refused::new(401, "InvalidAuthenticationToken", message).reply(request);
        let claims = match claims {
            Ok(claims) => claims,
            Err(message) => return Some(unauthorised(message)),
        };
        let Some(tenant) = emulation.tenant_name(&claims.tid.to_string()).map(str::to_owned) else {
            return Some(unauthorised("The tenant of the token isn't here."));
        };
        if let Some(fault) = fault(emulation, &tenant) {
            return fault.map(|status| refusal(status).reply(request));
        }
        Some(graph::answer(emulation, lab, (&tenant, &claims.appid, &claims.roles), request))
    }

    fn response(&self, reply: Reply) -> Response<Body> {
        let mut response = match &reply.body {
            // `/$count` answers a number as plain text.
            Some(Value::Number(number)) => {
                let mut response = Response::new(Body::from(number.to_string()));
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
                response
            }
            Some(body) => {
                let mut response = Response::new(Body::from(body.to_string()));
                let kind = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
                response
            }
            None => Response::new(Body::empty()),
        };
        *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let date = self.now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let client = self.client_id.clone().unwrap_or_else(|| self.id.to_string());
        let mut named = vec![("date", date), ("request-id", self.id.to_string()), ("client-request-id", client)];
        named.extend(reply.retry_after.map(|seconds| ("retry-after", seconds.to_string())));
        for (name, value) in named {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

fn refusal(status: u16) -> Refused {
    let (code, message) = match status {
        429 => ("TooManyRequests", "This request is throttled."),
        500 => ("InternalServerError", "An internal server error occurred."),
        502 => ("BadGateway", "The service answered in a way that can't be used."),
        504 => ("GatewayTimeout", "The service didn't answer in time."),
        401 => ("InvalidAuthenticationToken", "Access token validation failure."),
        403 => ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
        _ => ("ServiceUnavailable", "The service is temporarily unavailable."),
    };
    Refused::new(status, code, message)
}

/// Counts a request of a tenant and returns the fault that hits it: a status, or the end of the connection.
fn fault(emulation: &mut Emulation, tenant: &str) -> Option<Option<u16>> {
    let world = emulation.world.clone();
    let mut own = world.faults.iter().filter(|fault| fault.tenant.as_deref() == Some(tenant)).peekable();
    own.peek()?;
    let count = emulation.requests.entry(tenant.to_owned()).or_default();
    *count += 1;
    let count = *count;
    let (kind, id) = ("meta".to_owned(), format!("requests/{tenant}"));
    emulation.writes.push(Write { kind, id, body: Some(count.to_string()) });
    own.find_map(|fault| {
        let (from, what) = match fault.kind {
            FaultKind::Status { status, from_request } => (from_request, Some(status)),
            FaultKind::Dies { from_request } => (from_request, None),
            _ => return None,
        };
        let until = fault.times.map_or(u64::MAX, |times| from.saturating_add(u64::from(times)));
        (count >= from && count < until).then_some(what)
    })
}
