//! Access tokens: one per client, renewed in time, asked for by one caller at once.
//!
//! Tokens are decoded, never verified: they are read for their `tid`, `roles` and end alone (msgraph.md 1.3). A token
//! that isn't a JWT still works for requests.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::config::{Config, Credential, TenantRef};
use super::limit::Limiter;
use super::signin;
use super::transport::Patience;
use crate::model::{Permission, Problem, Retry, TenantId};
use crate::port::Result;

/// A token is renewed this long before it ends.
const MARGIN: Duration = Duration::from_secs(300);
/// Longest answer of a token endpoint.
const BODY_MAX: usize = 256 * 1024;

/// What a token says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) tenant: TenantId,
    /// Granted application permissions that this tool knows, sorted. The claim is absent where there is none.
    pub(super) roles: Vec<Permission>,
}

/// A token in use.
pub(super) struct Token {
    value: SecretString,
    renew_at: Timestamp,
    claims: Option<Claims>,
}

impl Token {
    /// Returns the `Authorization` header.
    pub(super) fn header(&self) -> Result<HeaderValue> {
        let mut header = HeaderValue::try_from(format!("Bearer {}", self.value.expose_secret()))
            .map_err(|_| Problem::new("token.malformed", "the token endpoint sent a token that can't be a header"))?;
        header.set_sensitive(true);
        Ok(header)
    }
    pub(super) fn claims(&self) -> Option<&Claims> {
        self.claims.as_ref()
    }
}

/// Where tokens come from.
pub(super) struct Tokens {
    http: reqwest::Client,
    endpoint: Url,
    config: Config,
    limiter: Arc<Limiter>,
    current: Mutex<Option<Arc<Token>>>,
}

impl Tokens {
    pub(super) fn new(http: reqwest::Client, endpoint: Url, config: Config, limiter: Arc<Limiter>) -> Self {
        Self { http, endpoint, config, limiter, current: Mutex::new(None) }
    }

    /// Returns a token that is good for some minutes.
    pub(super) async fn get(&self) -> Result<Arc<Token>> {
        // Held while asking, so that many callers make one request.
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_ref().filter(|token| self.limiter.now() < token.renew_at) {
            return Ok(Arc::clone(token));
        }
        let token = Arc::new(self.ask().await?);
        *current = Some(Arc::clone(&token));
        Ok(token)
    }

    /// Returns another token than one that was refused. Callers with the same refused token share the new one.
    pub(super) async fn renew(&self, refused: &Arc<Token>) -> Result<Arc<Token>> {
        let mut current = self.current.lock().await;
        match current.as_ref() {
            Some(token) if !Arc::ptr_eq(token, refused) => Ok(Arc::clone(token)),
            _ => {
                let token = Arc::new(self.ask().await?);
                *current = Some(Arc::clone(&token));
                Ok(token)
            }
        }
    }

    /// Returns the claims of a new token: a cached one doesn't show what was granted since (msgraph.md 1.3).
    pub(super) async fn fresh_claims(&self) -> Result<Claims> {
        let mut current = self.current.lock().await;
        let token = Arc::new(self.ask().await?);
        *current = Some(Arc::clone(&token));
        token.claims.clone().ok_or_else(|| {
            Problem::new(
                "token.malformed",
                format!("tenant {}: the token doesn't say what it is granted", self.config.label),
            )
            .next("check that the authority is a Microsoft Entra one")
        })
    }

    async fn ask(&self) -> Result<Token> {
        let mut patience = Patience::new();
        loop {
            let problem = match self.ask_once().await {
                Ok(token) => return Ok(token),
                Err(problem) => problem,
            };
            let wait = match problem.retry {
                Retry::Soon => patience.lost(),
                Retry::AfterSecs(secs) => patience.throttled(Some(Duration::from_secs(u64::from(secs)))),
                Retry::No | Retry::ReadFirst => None,
            };
            let Some(wait) = wait else { return Err(problem) };
            tracing::debug!(tenant = %self.config.label, code = %problem.code, ?wait, "asking for a token again");
            self.limiter.sleep(wait).await;
        }
    }

    async fn ask_once(&self) -> Result<Token> {
        let secret = self.secret().await?;
        let body = self.form(&secret);
        let unreachable = |error: &reqwest::Error| {
            Problem::new(
                "token.unreachable",
                format!("the sign-in authority of tenant {} can't be reached", self.config.label),
            )
            .next(format!("check the network, the proxy and DNS for {}", self.endpoint.host_str().unwrap_or("it")))
            .detail(super::transport::cause(error))
            .retry(Retry::Soon)
        };
        let answer = self
            .http
            .post(self.endpoint.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .map_err(|error| unreachable(&error))?;
        let status = answer.status().as_u16();
        let wait = super::transport::retry_after(answer.headers(), self.limiter.now());
        let body = super::transport::read(answer, BODY_MAX).await.map_err(|why| {
            Problem::new("token.unreachable", format!("the answer of tenant {}'s authority was cut", self.config.label))
                .detail(why)
                .retry(Retry::Soon)
        })?;
        if status != 200 {
            let problem = signin::refusal(&self.config.label, status, &body, secret.expose_secret());
            let secs = wait.and_then(|wait| u32::try_from(wait.as_secs()).ok());
            return Err(match secs {
                Some(secs) if problem.retry == Retry::Soon => problem.retry(Retry::AfterSecs(secs)),
                _ => problem,
            });
        }
        self.token(&body)
    }

    /// Reads the secret, or the token of the other identity provider.
    async fn secret(&self) -> Result<SecretString> {
        match &self.config.credential {
            Credential::ClientSecret(secret) => Ok(secret.clone()),
            Credential::Federated(file) => match tokio::fs::read_to_string(file).await {
                Ok(text) => Ok(text.trim().to_owned().into()),
                Err(error) => Err(Problem::new(
                    "token.no-assertion",
                    format!("tenant {}: the token file {} can't be read", self.config.label, file.display()),
                )
                .next("check that the identity provider mounts the file and that it may be read")
                .detail(error.to_string())),
            },
            // `Config::endpoints` refuses these before a client exists.
            Credential::Certificate(_) | Credential::ManagedIdentity => {
                Err(Problem::new("token.credential-unsupported", "this credential isn't supported by this version"))
            }
        }
    }

    fn form(&self, secret: &SecretString) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", &self.config.client_id)
            .append_pair("scope", &self.config.scope)
            .append_pair("grant_type", "client_credentials");
        match self.config.credential {
            Credential::Federated(_) => form
                .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                .append_pair("client_assertion", secret.expose_secret()),
            _ => form.append_pair("client_secret", secret.expose_secret()),
        };
        form.finish()
    }

    fn token(&self, body: &[u8]) -> Result<Token> {
        let malformed = || {
            Problem::new(
                "token.malformed",
                format!("tenant {}: the token endpoint's answer isn't one", self.config.label),
            )
            .next("check the authority in the plan; a proxy may answer in its place")
        };
        let json: Value = serde_json::from_slice(body).map_err(|_| malformed())?;
        let value = json.get("access_token").and_then(Value::as_str).filter(|v| !v.is_empty()).ok_or_else(malformed)?;
        // Seconds, as a number or as text in older endpoints.
        let expires = json.get("expires_in");
        let secs = expires.and_then(Value::as_u64).or_else(|| expires.and_then(Value::as_str)?.parse().ok());
        let life = Duration::from_secs(secs.unwrap_or(600).min(86_400));
        let claims = claims(value);
        if let (Some(claims), TenantRef::Id(id)) = (&claims, &self.config.tenant)
            && claims.tenant != *id
        {
            return Err(Problem::new(
                "token.wrong-tenant",
                format!("tenant {}: the token is for tenant {}, not {id}", self.config.label, claims.tenant),
            )
            .next("check the tenant's id in the plan"));
        }
        let renew_at = self.limiter.now().checked_add(life - MARGIN.min(life / 2)).unwrap_or(Timestamp::MAX);
        Ok(Token { value: value.to_owned().into(), renew_at, claims })
    }
}

/// Decodes a JWT's claims without verifying it.
fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload).or_else(|_| URL_SAFE.decode(payload)).ok()?;
    let json: Value = serde_json::from_slice(&bytes).ok()?;
    let tenant = json.get("tid")?.as_str()?.parse().ok()?;
    let roles = json.get("roles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut roles: Vec<Permission> = roles.iter().filter_map(Value::as_str).filter_map(Permission::named).collect();
    roles.sort_unstable();
    roles.dedup();
    Some(Claims { tenant, roles })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn jwt(payload: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(payload))
    }

    /// Catches an absent `roles` claim taken for a broken token, and unknown roles taken for an error.
    #[test]
    fn reads_claims() {
        let tid = "0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11";
        let none = claims(&jwt(&format!(r#"{{"tid":"{tid}"}}"#))).expect("claims");
        assert!(none.roles.is_empty());
        let some = claims(&jwt(&format!(r#"{{"tid":"{tid}","roles":["User.Read.All","Mail.Send",3]}}"#)));
        assert_eq!(some.expect("claims").roles, [Permission::UserReadAll]);
        assert!(claims("opaque").is_none());
        assert!(claims(&jwt(r#"{"tid":7}"#)).is_none());
    }

    proptest! {
        /// Catches a panic on a token of any text.
        #[test]
        fn never_panics(text in ".{0,80}", payload in ".{0,80}") {
            claims(&text);
            claims(&jwt(&payload));
        }
    }
}
