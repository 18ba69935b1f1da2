//! The agent's calls to the controller (`wire`), with everything that a network does to them.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::{Position, Url};

use super::identity::Identity;
use super::run::Online;
use super::skew::Skew;
use crate::model::{DeviceFacts, DeviceName, Problem, PublicKey, Retry};
use crate::port::Result;
use crate::trust::{BoxedFor, Envelope, Purpose, follow};
use crate::wire::{
    Acknowledged, Admission, DEVICE_TOKEN, EnrolAnswer, EnrolCall, EnrolRequest, EnrolmentToken, EventAnswer,
    EventReport, EvidenceReport, FORMAT, OrderAnswer, RefusalReport, SIGNATURE, TIME, call_text,
};

/// Returns an HTTP client that several agents of one process can share.
///
/// # Errors
/// `agent.http` where no client can be made.
pub fn http_client() -> Result<reqwest::Client> {
    // Another part of the process may have installed it already; either is the same provider.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .user_agent(concat!("opsole-agent/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| Problem::new("agent.http", "the agent's HTTP client can't be made").detail(e.to_string()))
}

/// The controller, as one device calls it.
pub struct Client {
    base: String,
    http: reqwest::Client,
    online: Option<Arc<Online>>,
    skew: Arc<Skew>,
}

/// Whether the controller doesn't know the device's token (any more).
pub fn is_unknown_token(problem: &Problem) -> bool {
    problem.code == "controller.unknown-device"
}

impl Client {
    pub fn new(base: &str, http: reqwest::Client, online: Option<Arc<Online>>, skew: Arc<Skew>) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), http, online, skew }
    }

    fn unreachable(&self, detail: String) -> Problem {
        Problem::new("controller.unreachable", format!("the controller at {} can't be reached", self.base))
            .next("nothing: the agent goes on with the order in hand and tries again")
            .detail(detail)
            .retry(Retry::Soon)
    }

    async fn send(&self, request: RequestBuilder, timeout_secs: u64) -> Result<reqwest::Response> {
        if self.online.as_ref().is_some_and(|online| !online()) {
            return Err(self.unreachable("the device is offline".to_owned()));
        }
        let request = request.timeout(Duration::from_secs(timeout_secs));
        let response = request.send().await.map_err(|e| self.unreachable(e.without_url().to_string()))?;
        self.skew.hear(response.headers().get(TIME).and_then(|time| time.to_str().ok()));
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
        // A proxy's own page isn't a problem of ours; the status says enough then.
        let said: Option<Problem> = response.json().await.ok();
        Err(self.refused(status, after, said))
    }

    fn refused(&self, status: StatusCode, after: Option<u32>, said: Option<Problem>) -> Problem {
        if status == StatusCode::UNAUTHORIZED {
            let problem = Problem::new("controller.unknown-device", "the controller doesn't know this device's token");
            let problem = problem.next("enrol the device again with a fresh enrolment token");
            return match said {
                Some(said) => problem.detail(said.message),
                None => problem,
            };
        }
        let mut problem = said.unwrap_or_else(|| {
            Problem::new("controller.refused", format!("the controller answered {status}")).next("look at its log")
        });
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            problem.retry = after.map_or(Retry::Soon, Retry::AfterSecs);
        }
        problem
    }

    /// Prepares a call of this device: with its token, and signed with its key.
    fn call(&self, method: reqwest::Method, path: &str, body: Vec<u8>, identity: &Identity) -> Result<RequestBuilder> {
        let url = self.url(path)?;
        let text = call_text(method.as_str(), &url[Position::BeforePath..Position::AfterQuery], &body);
        let mut request = self.http.request(method, url).header(SIGNATURE, identity.sign(&text));
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        Ok(match identity.token() {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        })
    }
    fn post(&self, path: &str, body: &impl Serialize, identity: &Identity) -> Result<RequestBuilder> {
        self.call(reqwest::Method::POST, path, json(body)?, identity)
    }
    fn url(&self, path: &str) -> Result<Url> {
        Url::parse(&format!("{}/agent/v1/{path}", self.base)).map_err(|e| {
            Problem::new("agent.address", format!("`{}` isn't the address of a controller", self.base))
                .detail(e.to_string())
                .next("give the agent an address such as `https://opsole.contoso.com`")
        })
    }

    async fn read<T: DeserializeOwned>(&self, response: reqwest::Response) -> Result<T> {
        response.json().await.map_err(|e| {
            // A cut answer and a wrong one look alike; both may pass.
            Problem::new("controller.answer", "the controller's answer can't be read")
                .detail(e.without_url().to_string())
                .retry(Retry::Soon)
        })
    }

    /// Opens what the controller signed. One who can't sign isn't the controller: the call is repeated.
    fn opened<T: DeserializeOwned>(
        &self,
        envelope: &Envelope,
        purpose: Purpose,
        trusted: Option<PublicKey>,
    ) -> Result<T> {
        let wrong = |why: String| {
            Problem::new("controller.unsigned", format!("the answer from {} isn't the controller's own", self.base))
                .detail(why)
                .next("look for what stands between device and controller; where the controller was set up anew, enrol again")
                .retry(Retry::Soon)
        };
        let trusted = trusted.ok_or_else(|| wrong("no controller is trusted yet".to_owned()))?;
        envelope.open(purpose, trusted).map_err(|broken| wrong(broken.to_string()))
    }

    /// Asks to be let in, and keeps token and controller's key.
    pub async fn enrol(&self, token: &EnrolmentToken, facts: &DeviceFacts, identity: &Identity) -> Result<()> {
        let asked = EnrolRequest {
            format: FORMAT,
            device: token.device().clone(),
            serial: facts.identity.serial.clone(),
            registration: facts.entra.as_ref().map(|join| join.device_id),
            agent: env!("CARGO_PKG_VERSION").to_owned(),
            key: identity.signer().public(),
            boxes: identity.opener().public(),
        };
        let request = Envelope::sign(Purpose::Enrolment, &asked, &token.signer()).map_err(|e| unwritable(&e))?;
        let call = EnrolCall { device: token.device().clone(), request };
        let request = self.http.post(self.url("enrol")?).header(CONTENT_TYPE, "application/json").body(json(&call)?);
        let answer: EnrolAnswer = self.read(self.send(request, 30).await?).await?;
        let trusted = follow(token.controller(), &answer.changes);
        let admission: Admission = self.opened(&answer.admission, Purpose::Admission, Some(trusted))?;
        if admission.device != *token.device() || admission.key != asked.key {
            return Err(self.foreign("another device was let in"));
        }
        let about = BoxedFor { device: token.device(), run: None, what: DEVICE_TOKEN };
        let opened = identity.opener().open(&about, &admission.token).map_err(|why| self.foreign(&why))?;
        let text = std::str::from_utf8(&opened).map_err(|_| self.foreign("the token isn't text"))?;
        identity.enrolled(SecretString::from(text.to_owned()), trusted)
    }
    fn foreign(&self, why: &str) -> Problem {
        Problem::new("controller.unsigned", format!("the answer from {} isn't for this device", self.base))
            .detail(why)
            .next("look for what stands between device and controller")
            .retry(Retry::Soon)
    }
    /// Reports fresh facts.
    pub async fn evidence(&self, report: &EvidenceReport, identity: &Identity) -> Result<()> {
        self.send(self.post("evidence", report, identity)?, 30).await.map(drop)
    }
    /// Reports that an order was refused.
    pub async fn refused_order(&self, report: &RefusalReport, identity: &Identity) -> Result<()> {
        self.send(self.post("refusals", report, identity)?, 30).await.map(drop)
    }
    /// Reports events, and returns up to which one the controller has them on disk.
    pub async fn events(&self, report: &EventReport, device: &DeviceName, identity: &Identity) -> Result<u64> {
        let response = self.send(self.post("events", report, identity)?, 60).await?;
        let answer: EventAnswer = self.read(response).await?;
        let trusted = identity.follow(&answer.changes)?;
        let said: Acknowledged = self.opened(&answer.acknowledgement, Purpose::Acknowledgement, trusted)?;
        if said.device != *device || said.run != report.run {
            return Err(self.foreign("it acknowledges the events of another device or run"));
        }
        Ok(said.acknowledged)
    }
    /// Waits for an order that is newer than a generation; none where the wait ends first. Nothing of it is checked yet.
    pub async fn order(&self, after: u64, wait_secs: u64, identity: &Identity) -> Result<Option<OrderAnswer>> {
        let path = format!("order?after={after}&wait_secs={wait_secs}");
        let request = self.call(reqwest::Method::GET, &path, Vec::new(), identity)?;
        let response = self.send(request, wait_secs + 30).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        self.read(response).await.map(Some)
    }
}

fn json(body: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(body).map_err(|e| unwritable(&e))
}
fn unwritable(error: &serde_json::Error) -> Problem {
    Problem::new("agent.http", "a call can't be written").detail(error.to_string())
}
