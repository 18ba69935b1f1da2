//! Sends calls: token, quota, correlation ids, and repetition where it is safe.
//!
//! | what comes back | read or idempotent write | other write |
//! |---|---|---|
//! | 429 | again, after the pause | again: it wasn't carried out |
//! | connection never made | again | again |
//! | connection lost, 408, 500, 502, 503, 504 | again | `Retry::ReadFirst` |
//! | 401 | once more with a new token | once more with a new token |
//! | any other failure | a problem | a problem |

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use super::call::{Call, Verb};
use super::config::{Config, is_loopback};
use super::fault::{self, Trace};
use super::limit::Limiter;
use super::token::{Token, Tokens};
use crate::model::{Permission, Problem};
use crate::port::{Clock, Result};

/// Longest body of one answer. A page of 999 users with their plans stays below a tenth of it.
const BODY_MAX: usize = 128 * 1024 * 1024;
/// Wait before the first repetition where the service names none; doubled each time (msgraph.md 3).
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// Longest single wait of our own choice.
const OWN_WAIT_MAX: Duration = Duration::from_secs(180);
/// Most time of the world that one call waits for a service that throttles.
const TOTAL_WAIT_MAX: Duration = Duration::from_secs(900);
/// Repetitions after 429. Calls that wait for the same quota come back together and only one gets through, so
/// short waits must not use up the patience: the time above is the bound that counts.
const THROTTLED_MAX: u32 = 40;
/// Repetitions after a lost connection or a failing service: a dead tenant is told within a minute.
const LOST_MAX: u32 = 4;

/// How long one call goes on trying.
#[derive(Debug)]
pub(super) struct Patience {
    throttled: u32,
    lost: u32,
    waited: Duration,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { throttled: 0, lost: 0, waited: Duration::ZERO }
    }
    /// Returns how long to wait after a 429, or nothing where it has waited enough.
    pub(super) fn throttled(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let wait = asked.unwrap_or_else(|| own_wait(self.throttled));
        self.throttled += 1;
        self.spend(wait, self.throttled <= THROTTLED_MAX)
    }
    /// Returns how long to wait after a failure of service or network, or nothing where it has waited enough.
    pub(super) fn lost(&mut self) -> Option<Duration> {
        let wait = own_wait(self.lost);
        self.lost += 1;
        self.spend(wait, self.lost <= LOST_MAX)
    }
    fn failing(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let own = self.lost()?;
        Some(asked.map_or(own, |asked| asked.min(OWN_WAIT_MAX)))
    }
    fn spend(&mut self, wait: Duration, more: bool) -> Option<Duration> {
        self.waited = self.waited.saturating_add(wait);
        (more && self.waited <= TOTAL_WAIT_MAX).then_some(wait)
    }
    fn repetitions(&self) -> u32 {
        self.throttled + self.lost
    }
}

/// 3 s, 6 s, 12 s, … with up to a quarter more, so that callers don't come back together.
fn own_wait(repetition: u32) -> Duration {
    let wait = FIRST_WAIT.saturating_mul(1 << repetition.min(10)).min(OWN_WAIT_MAX);
    wait.mul_f64(1.0 + fastrand::f64() / 4.0)
}

/// A success, or a status that the call takes as an answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Returns the body as JSON; an empty one is null.
    pub(super) fn json(&self) -> std::result::Result<Value, String> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).map_err(|error| format!("the answer isn't JSON: {error}"))
    }
}

struct Raw {
    status: u16,
    body: Vec<u8>,
    trace: Trace,
    retry_after: Option<Duration>,
}

enum Failure {
    /// It never left.
    NotSent(String),
    /// It left, and no answer came.
    Lost(String),
}

/// The connection to one tenant, as one app.
pub(super) struct Transport {
    http: reqwest::Client,
    graph: Url,
    label: String,
    pub(super) tokens: Tokens,
    pub(super) limiter: Arc<Limiter>,
    service_time: Mutex<Option<Timestamp>>,
}

impl Transport {
    pub(super) fn new(config: Config, clock: Arc<dyn Clock>) -> Result<Self> {
        let (endpoint, graph) = config.endpoints()?;
        let local = is_loopback(&graph) && is_loopback(&endpoint);
        let http = http_client(local).map_err(|error| {
            Problem::new("graph.tls", "the HTTPS client can't be made")
                .next("check that the system's certificate store is there and readable")
                .detail(cause(&error))
        })?;
        let limiter = Arc::new(Limiter::new(clock));
        let label = config.label.clone();
        let tokens = Tokens::new(http.clone(), endpoint, config, Arc::clone(&limiter));
        Ok(Self { http, graph, label, tokens, limiter, service_time: Mutex::new(None) })
    }

    /// Returns the Graph root without a slash at its end.
    pub(super) fn root(&self) -> &str {
        self.graph.as_str().trim_end_matches('/')
    }
    pub(super) fn label(&self) -> &str {
        &self.label
    }
    /// Says whether a link leads to this Graph: the token goes with every request.
    pub(super) fn is_ours(&self, link: &Url) -> bool {
        link.origin() == self.graph.origin() && link.username().is_empty() && link.password().is_none()
    }
    pub(super) fn service_time(&self) -> Option<Timestamp> {
        *self.service_time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the address of a call.
    pub(super) fn url(&self, call: &Call) -> Result<Url> {
        let text = format!("{}/{}{}", self.root(), call.version().as_str(), call.path());
        Url::parse(&text).map_err(|error| {
            Problem::new("graph.url", format!("can't {}: its address isn't valid", call.what()))
                .detail(error.to_string())
        })
    }

    /// Sends a call.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer> {
        self.limiter.acquire(call.service(), call.cost(), call.is_write()).await;
        self.send_to(call, &self.url(call)?).await
    }

    /// Sends a call to an address. The caller has taken its cost from the quota.
    pub(super) async fn send_to(&self, call: &Call, url: &Url) -> Result<Answer> {
        let mut token = self.tokens.get().await?;
        let mut renewed = false;
        let mut patience = Patience::new();
        loop {
            let outcome = self.once(call, url, &token, patience.repetitions()).await?;
            let wait = match outcome {
                Ok(raw) if (200..300).contains(&raw.status) || call.takes(raw.status) => {
                    self.limiter.answered(call.service());
                    tracing::info!(tenant = %self.label, what = call.what(), status = raw.status, "called");
                    return Ok(Answer { status: raw.status, body: raw.body });
                }
                Ok(raw) if raw.status == 401 && !renewed => {
                    renewed = true;
                    token = self.tokens.renew(&token).await?;
                    Duration::ZERO
                }
                Ok(raw) if raw.status == 429 => match patience.throttled(raw.retry_after) {
                    Some(wait) => self.pause(call, wait),
                    None => return Err(self.throttled(call, &raw)),
                },
                Ok(raw) if matches!(raw.status, 408 | 500 | 502 | 503 | 504) && call.may_repeat() => {
                    match patience.failing(raw.retry_after) {
                        Some(wait) => wait,
                        None => return Err(self.refused(call, &raw, &token)),
                    }
                }
                Ok(raw) => return Err(self.refused(call, &raw, &token)),
                Err(Failure::NotSent(why)) => match patience.lost() {
                    Some(wait) => wait,
                    None => return Err(self.unreachable(call, &why)),
                },
                Err(Failure::Lost(why)) if call.may_repeat() => match patience.lost() {
                    Some(wait) => wait,
                    None => return Err(fault::unavailable(&self.label, call, &why)),
                },
                Err(Failure::Lost(why)) => return Err(fault::unavailable(&self.label, call, &why)),
            };
            if wait > Duration::ZERO {
                tracing::debug!(tenant = %self.label, what = call.what(), ?wait, "repeating");
                self.limiter.sleep(wait).await;
            }
            self.limiter.acquire(call.service(), call.cost(), call.is_write()).await;
        }
    }

    /// Holds everything for this service, and returns no wait of this call's own: it waits with the others.
    fn pause(&self, call: &Call, wait: Duration) -> Duration {
        self.limiter.pause(call.service(), wait);
        tracing::debug!(tenant = %self.label, service = call.service().quota().title, ?wait, "throttled");
        Duration::ZERO
    }

    fn throttled(&self, call: &Call, raw: &Raw) -> Problem {
        let secs = raw.retry_after.map_or(60, |wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).max(1));
        fault::throttled(&self.label, call, secs, &json_of(&raw.body), &raw.trace)
    }

    fn refused(&self, call: &Call, raw: &Raw, token: &Token) -> Problem {
        let granted = token.claims().map(|claims| claims.roles.as_slice());
        fault::refusal(&self.label, call, raw.status, &json_of(&raw.body), &raw.trace, granted)
    }

    fn unreachable(&self, call: &Call, why: &str) -> Problem {
        Problem::new("graph.unreachable", format!("can't {}: tenant {} can't be reached", call.what(), self.label))
            .next(format!("check the network, the proxy and DNS for {}, and run again", self.root()))
            .detail(why)
            .retry(crate::model::Retry::Soon)
    }

    /// Returns what the token in use is granted, where it says so.
    pub(super) async fn granted(&self) -> Option<Vec<Permission>> {
        let token = self.tokens.get().await.ok()?;
        token.claims().map(|claims| claims.roles.clone())
    }

    async fn once(
        &self,
        call: &Call,
        url: &Url,
        token: &Token,
        repetition: u32,
    ) -> Result<std::result::Result<Raw, Failure>> {
        let client_request_id = Uuid::new_v4().to_string();
        let method = match call.verb() {
            Verb::Get => reqwest::Method::GET,
            Verb::Post => reqwest::Method::POST,
            Verb::Patch => reqwest::Method::PATCH,
            Verb::Delete => reqwest::Method::DELETE,
        };
        let mut request = self
            .http
            .request(method, url.clone())
            .header(AUTHORIZATION, token.header()?)
            .header(ACCEPT, "application/json")
            .header("client-request-id", &client_request_id);
        if call.is_eventual() {
            request = request.header("ConsistencyLevel", "eventual");
        }
        if repetition > 0 {
            request = request.header("Retry-Attempt", repetition.to_string());
        }
        if let Some(body) = call.body() {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Ok(Err(Failure::NotSent(cause(&error)))),
            Err(error) => return Ok(Err(Failure::Lost(cause(&error)))),
        };
        let headers = answer.headers();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        if let Some(date) = date(headers) {
            *self.service_time.lock().unwrap_or_else(PoisonError::into_inner) = Some(date);
        }
        let trace = Trace {
            client_request_id,
            request_id: text("request-id"),
            date: text("date"),
            diagnostic: text("x-ms-ags-diagnostic"),
        };
        let status = answer.status().as_u16();
        let retry_after = retry_after(headers, self.limiter.now());
        Ok(match read(answer, BODY_MAX).await {
            Ok(body) => Ok(Raw { status, body, trace, retry_after }),
            Err(why) => Err(Failure::Lost(why)),
        })
    }
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

fn http_client(local: bool) -> reqwest::Result<reqwest::Client> {
    // Another part of the program may have installed it before; either way one is there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("opsole/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(15))
        .timeout(Duration::from_secs(100))
        // A connection that the other side closes as it is used again looks like a lost write.
        .pool_idle_timeout(Duration::from_secs(30));
    if local {
        // The lab on this machine: HTTP, no proxy, and no need for a certificate store.
        return builder.no_proxy().tls_certs_only([]).build();
    }
    builder.https_only(true).build()
}

/// Reads a body up to a size.
pub(super) async fn read(mut answer: reqwest::Response, max: usize) -> std::result::Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| cause(&error))? {
        if body.len() + chunk.len() > max {
            return Err(format!("the answer is larger than {max} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// Returns what `Retry-After` asks for: seconds, or a date against the service's own clock.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    wait_of(text, date(headers).unwrap_or(now))
}

/// Reads the value of a `Retry-After` header.
pub(super) fn wait_of(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(secs) = text.trim().parse::<u64>() {
        return Some(Duration::from_secs(secs));
    }
    let wait = http_date(text.trim())?.duration_since(now);
    Some(wait.try_into().unwrap_or(Duration::ZERO))
}

/// Returns an error with its causes, and without the address: it may hold names.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut source = error.source();
    while let Some(inner) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    if text.is_empty() { "the request failed".to_owned() } else { text }
}

/// Headers of an item in a batch: names in any case, values as text.
pub(super) fn item_wait(headers: &BTreeMap<String, Value>, now: Timestamp) -> Option<Duration> {
    let value = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?.1;
    match value {
        Value::String(text) => wait_of(text, now),
        Value::Number(number) => number.as_u64().map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches one form of `Retry-After` that isn't understood and a date in the past that waits for ever.
    #[test]
    fn forms_of_retry_after() {
        let now: Timestamp = "2026-12-02T18:30:00Z".parse().expect("a time");
        assert_eq!(wait_of("17", now), Some(Duration::from_secs(17)));
        assert_eq!(wait_of("Wed, 02 Dec 2026 18:30:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(wait_of("Wed, 02 Dec 2026 18:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(wait_of("soon", now), None);
        assert_eq!(wait_of("-1", now), None);
    }

    /// Catches a call that never gives up, or gives up before a service that asks for an ordinary pause.
    #[test]
    fn patience_ends() {
        let mut patience = Patience::new();
        assert_eq!(std::iter::from_fn(|| patience.throttled(Some(Duration::from_secs(60)))).count(), 15);
        let mut patience = Patience::new();
        assert_eq!(std::iter::from_fn(|| patience.throttled(Some(Duration::ZERO))).count(), 40);
        assert_eq!(Patience::new().throttled(Some(Duration::from_secs(3600))), None);
        let mut patience = Patience::new();
        let waits: Vec<Duration> = std::iter::from_fn(|| patience.lost()).collect();
        assert_eq!(waits.len(), 4);
        assert!(waits.windows(2).all(|pair| pair[1] > pair[0]), "{waits:?}");
    }
}
