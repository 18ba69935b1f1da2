//! The agent's calls to the controller (`wire`), with everything that a network does to them.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::run::Online;
use crate::model::{DeviceName, Problem, Retry};
use crate::port::Result;
use crate::wire::{EnrolAnswer, EnrolRequest, EventAnswer, EventReport, EvidenceReport, FORMAT, WorkOrder};

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
}

/// Whether the controller doesn't know the device's token (any more).
pub fn is_unknown_token(problem: &Problem) -> bool {
    problem.code == "controller.unknown-device"
}

impl Client {
    pub fn new(base: &str, http: reqwest::Client, online: Option<Arc<Online>>) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), http, online }
    }

    fn unreachable(&self, detail: String) -> Problem {
        Problem::new("controller.unreachable", format!("the controller at {} can't be reached", self.base))
            .next("nothing: the agent goes on with the order in hand and tries again")
            .detail(detail)
            .retry(Retry::Soon)
    }

    async fn send(&self, request: reqwest::RequestBuilder, timeout_secs: u64) -> Result<reqwest::Response> {
        if self.online.as_ref().is_some_and(|online| !online()) {
            return Err(self.unreachable("the device is offline".to_owned()));
        }
        let request = request.timeout(Duration::from_secs(timeout_secs));
        let response = request.send().await.map_err(|e| self.unreachable(e.without_url().to_string()))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok());
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

    fn post(&self, path: &str, token: Option<&str>, body: &impl Serialize) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{}/agent/v1/{path}", self.base)).json(body);
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, response: reqwest::Response) -> Result<T> {
        response.json().await.map_err(|e| {
            // A cut answer and a wrong one look alike; both may pass.
            Problem::new("controller.answer", "the controller's answer can't be read")
                .detail(e.without_url().to_string())
                .retry(Retry::Soon)
        })
    }

    /// Asks to be let in, and returns the device's token.
    pub async fn enrol(&self, token: &SecretString, device: &DeviceName, serial: &str) -> Result<String> {
        let request = EnrolRequest {
            format: FORMAT,
            token: token.expose_secret().to_owned(),
            device: device.clone(),
            serial: serial.to_owned(),
            agent: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let response = self.send(self.post("enrol", None, &request), 30).await?;
        Ok(self.read::<EnrolAnswer>(response).await?.device_token)
    }
    /// Reports fresh facts.
    pub async fn evidence(&self, token: &str, report: &EvidenceReport) -> Result<()> {
        self.send(self.post("evidence", Some(token), report), 30).await.map(drop)
    }
    /// Reports events, and returns up to which one the controller has them on disk.
    pub async fn events(&self, token: &str, report: &EventReport) -> Result<u64> {
        let response = self.send(self.post("events", Some(token), report), 60).await?;
        Ok(self.read::<EventAnswer>(response).await?.acknowledged)
    }
    /// Waits for an order that is newer than a generation; none where the wait ends first.
    pub async fn order(&self, token: &str, after: u64, wait_secs: u64) -> Result<Option<WorkOrder>> {
        let url = format!("{}/agent/v1/order?after={after}&wait_secs={wait_secs}", self.base);
        let response = self.send(self.http.get(url).bearer_auth(token), wait_secs + 30).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        self.read(response).await.map(Some)
    }
}
