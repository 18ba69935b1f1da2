//! Requests as handlers see them, and answers in Graph's shapes (error-bodies.json, msgraph.md 3).

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use uuid::Uuid;

/// A request for Graph: one of HTTP, or one of a batch.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Method in upper case.
    pub(super) method: String,
    /// `v1.0` or `beta`.
    pub(super) beta: bool,
    /// `http://host`, without a slash at the end.
    pub(super) base: String,
    /// Path below the version as it was sent, with a slash at its start.
    pub(super) path: String,
    /// Query as it was sent.
    pub(super) query: String,
    /// `ConsistencyLevel: eventual` was sent.
    pub(super) eventual: bool,
    /// `User-Agent` was sent.
    pub(super) user_agent: bool,
    /// Body, where it is JSON.
    pub(super) body: Option<Value>,
    /// Id of this request.
    pub(super) id: Uuid,
    /// The client's own id.
    pub(super) client_id: Option<String>,
    /// The world's time.
    pub(super) now: Timestamp,
    /// A step of a batch.
    pub(super) step: bool,
}

impl Request {
    /// Returns `v1.0` or `beta`.
    pub(super) fn version(&self) -> &'static str {
        if self.beta { "beta" } else { "v1.0" }
    }
    /// Returns `@odata.context` of something.
    pub(super) fn context(&self, of: &str) -> Value {
        Value::String(format!("{}/{}/$metadata#{of}", self.base, self.version()))
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    /// HTTP status.
    pub(super) status: u16,
    /// Body; none with 204.
    pub(super) body: Option<Value>,
    /// `Retry-After` in seconds.
    pub(super) retry_after: Option<u64>,
}

impl Reply {
    /// Returns a body with 200.
    pub(super) fn ok(body: Value) -> Self {
        Self { status: 200, body: Some(body), retry_after: None }
    }
    /// Returns a body with 201.
    pub(super) fn created(body: Value) -> Self {
        Self { status: 201, body: Some(body), retry_after: None }
    }
    /// Returns 204.
    pub(super) fn done() -> Self {
        Self { status: 204, body: None, retry_after: None }
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// HTTP status.
    pub(super) status: u16,
    /// Code in `error.code`.
    pub(super) code: &'static str,
    /// Message.
    pub(super) message: String,
    /// Written as Intune does: a JSON document as text in `message`.
    pub(super) intune: bool,
    /// Seconds after which to come back.
    pub(super) retry_after: Option<u64>,
}

/// What a handler answers.
pub(super) type Answer = Result<Reply, Refused>;

impl Refused {
    /// Returns a refusal of the directory.
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), intune: false, retry_after: None }
    }
    /// Returns a refusal of Intune.
    pub(super) fn intune(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { intune: true, ..Self::new(status, code, message) }
    }
    /// Returns 400 `Request_BadRequest`.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "Request_BadRequest", message)
    }
    /// Returns 400 `BadRequest`, as the gateway says it.
    pub(super) fn gateway(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }
    /// Returns 400 `Request_UnsupportedQuery`.
    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(400, "Request_UnsupportedQuery", message)
    }
    /// Returns 404 of the directory.
    pub(super) fn missing(id: &str) -> Self {
        let message =
            format!("Resource '{id}' does not exist or one of its queried reference-property objects are not present.");
        Self::new(404, "Request_ResourceNotFound", message)
    }
    /// Returns 404 of Intune.
    pub(super) fn intune_missing() -> Self {
        Self::intune(404, "ResourceNotFound", "Resource not found.")
    }
    /// Returns 403 of the directory.
    pub(super) fn forbidden() -> Self {
        Self::new(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    }

    /// Returns the answer for a request.
    pub(super) fn reply(self, request: &Request) -> Reply {
        let message = if self.intune {
            let said = format!(
                "{} - Operation ID (for customer support): {} - Activity ID: {} - Url: {}",
                self.message,
                Uuid::nil(),
                request.id,
                request.path
            );
            let inner = json!({"_version": 3, "Message": said, "CustomApiErrorPhrase": "", "RetryAfter": null,
                               "ErrorSourceService": "", "HttpHeaders": "{}"});
            inner.to_string()
        } else {
            self.message
        };
        let mut inner = serde_json::Map::new();
        let date = request.now.to_zoned(TimeZone::UTC).datetime();
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = write!(text, "{}T{:02}:{:02}:{:02}", date.date(), date.hour(), date.minute(), date.second());
        inner.insert("date".to_owned(), text.into());
        inner.insert("request-id".to_owned(), request.id.to_string().into());
        let client = request.client_id.clone().unwrap_or_else(|| request.id.to_string());
        inner.insert("client-request-id".to_owned(), client.into());
        let body = json!({"error": {"code": self.code, "message": message, "innerError": inner}});
        Reply { status: self.status, body: Some(body), retry_after: self.retry_after }
    }
}

/// Splits a path into decoded segments; a key in parentheses becomes a segment of its own:
/// `devices(deviceId='x')/memberOf` is `devices`, `(deviceId='x')`, `memberOf`, and `users('x')` is `users`, `x`.
pub(super) fn segments(path: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    for raw in path.split('/').filter(|part| !part.is_empty()) {
        let part = decode(raw, false)?;
        match part.split_once('(').and_then(|(head, key)| Some((head, key.strip_suffix(')')?))) {
            Some((head, key)) if !head.is_empty() => {
                found.push(head.to_owned());
                match key.strip_prefix('\'').and_then(|key| key.strip_suffix('\'')) {
                    Some(plain) => found.push(plain.replace("''", "'")),
                    None => found.push(format!("({key})")),
                }
            }
            _ => found.push(part),
        }
    }
    Some(found)
}

/// Decodes percent signs, and plus signs in a query.
pub(super) fn decode(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let pair = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?
            }
            b'+' if plus => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a key that is taken for a name, and a broken escape that panics.
    #[test]
    fn splits_paths() {
        let split = |path: &str| segments(path).expect(path);
        assert_eq!(split("/devices(deviceId='x-1')/memberOf"), ["devices", "(deviceId='x-1')", "memberOf"]);
        assert_eq!(split("/users('a%40b')/licenseDetails"), ["users", "a@b", "licenseDetails"]);
        assert_eq!(split("/groups/g/members/$ref"), ["groups", "g", "members", "$ref"]);
        assert_eq!(segments("/a/%zz"), None);
        assert_eq!(segments("/a/%f"), None);
        assert_eq!(decode("a+b%20c", true).as_deref(), Some("a b c"));
    }
}
