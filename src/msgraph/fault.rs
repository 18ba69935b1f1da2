//! Graph's error answers as problems: what failed, on which object, what to do, and the ids that support asks for.
//!
//! Nothing branches on Graph's message, with one exception that [`already_a_member`] names.

use serde_json::Value;

use super::call::Call;
use crate::model::{Permission, Problem, Retry};

/// Longest piece of Graph's text that is passed on.
const TEXT_MAX: usize = 400;

/// What identifies one answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    /// `client-request-id` that was sent.
    pub(super) client_request_id: String,
    /// `request-id` of the answer.
    pub(super) request_id: Option<String>,
    /// `Date` of the answer.
    pub(super) date: Option<String>,
    /// `x-ms-ags-diagnostic`: data centre and server.
    pub(super) diagnostic: Option<String>,
}

/// What an error body says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Said {
    pub(super) code: String,
    pub(super) message: String,
    request_id: Option<String>,
}

impl Said {
    /// Reads an error body of any service. Another shape gives empty texts.
    pub(super) fn of(body: &Value) -> Self {
        let error = body.get("error").unwrap_or(body);
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(clean);
        let mut said = Self {
            code: text(error, "code").unwrap_or_default(),
            message: error.get("message").and_then(Value::as_str).map(message).unwrap_or_default(),
            request_id: None,
        };
        // Spelled both ways, and nested: the deepest request id is the one of the service that failed.
        let mut inner = error;
        for _ in 0..8 {
            let Some(next) = inner.get("innerError").or_else(|| inner.get("innererror")) else { break };
            inner = next;
            said.request_id = text(inner, "request-id").or(said.request_id);
        }
        said
    }
}

/// Returns Graph's message; Intune puts a document of its own into that string (msgraph.md 3).
fn message(text: &str) -> String {
    let inner = serde_json::from_str::<Value>(text).ok();
    match inner.as_ref().and_then(|json| json.get("Message")).and_then(Value::as_str) {
        Some(said) => clean(said),
        None => clean(text),
    }
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TEXT_MAX).collect()
}

/// Says whether a 400 means that the member is there already. Only the text tells (msgraph.md 3).
pub(super) fn already_a_member(body: &Value) -> bool {
    let said = Said::of(body);
    said.code == "Request_BadRequest" && said.message.contains("object references already exist")
}

/// Returns the problem for an answer that refuses a call.
pub(super) fn refusal(
    label: &str,
    call: &Call,
    status: u16,
    body: &Value,
    trace: &Trace,
    granted: Option<&[Permission]>,
) -> Problem {
    let said = Said::of(body);
    let what = call.what();
    let problem = match status {
        401 => Problem::new("graph.unauthorized", format!("tenant {label} doesn't accept the token: can't {what}"))
            .next(
                "check that authority, Graph root and tenant in the plan belong together, and that the app is enabled",
            ),
        403 => forbidden(label, call, &said, granted),
        404 => Problem::new("graph.not-found", format!("can't {what} in tenant {label}: it isn't there"))
            .next("plan again: it was deleted, or a new object can't be seen yet")
            // A new object may take a while to be seen (msgraph.md 0.9).
            .retry(if call.is_write() { Retry::Soon } else { Retry::No }),
        409 | 412 => Problem::new("graph.conflict", format!("can't {what} in tenant {label}: it is being changed"))
            .next("plan again; somebody else may be changing the same object")
            .retry(Retry::Soon),
        423 => Problem::new("graph.locked", format!("can't {what} in tenant {label}: it is locked")).retry(Retry::Soon),
        408 | 500..=599 => unavailable(label, call, &format!("HTTP {status}")),
        _ => Problem::new("graph.refused", format!("can't {what} in tenant {label}: {}", words(&said, status)))
            .next("look at the detail; this is a mistake in the request or an object that can't be changed"),
    };
    problem.detail(detail(call, status, &said, trace))
}

fn words(said: &Said, status: u16) -> String {
    match (said.message.as_str(), said.code.as_str()) {
        ("", "") => format!("HTTP {status}"),
        ("", code) => code.to_owned(),
        (message, _) => message.trim_end_matches('.').to_owned(),
    }
}

/// Returns the problem for a service that doesn't answer as it should.
pub(super) fn unavailable(label: &str, call: &Call, why: &str) -> Problem {
    let what = call.what();
    if call.is_write() {
        // The write may have happened: what is there decides.
        return Problem::new("graph.outcome-unknown", format!("it isn't known whether this happened: {what} ({why})"))
            .next(format!("read the object in tenant {label} before doing it again; the next plan does"))
            .retry(Retry::ReadFirst);
    }
    Problem::new("graph.unavailable", format!("can't {what}: tenant {label} doesn't answer ({why})"))
        .next("check the network and the service's health, and run the command again")
        .retry(Retry::Soon)
}

/// Returns the problem for a service that goes on asking for patience.
pub(super) fn throttled(label: &str, call: &Call, wait_secs: u32, body: &Value, trace: &Trace) -> Problem {
    Problem::new("graph.throttled", format!("can't {}: tenant {label} throttles", call.what()))
        .next(format!(
            "wait {} and run the command again; nothing is lost, and other tools on the same quota slow this one",
            if wait_secs <= 60 { "a minute".to_owned() } else { format!("{} minutes", wait_secs.div_ceil(60)) }
        ))
        .retry(Retry::AfterSecs(wait_secs))
        .detail(detail(call, 429, &Said::of(body), trace))
}

fn forbidden(label: &str, call: &Call, said: &Said, granted: Option<&[Permission]>) -> Problem {
    let missing: Vec<Permission> = call
        .needs()
        .iter()
        .copied()
        .filter(|need| granted.is_none_or(|granted| !granted.iter().any(|one| one.covers(*need))))
        .collect();
    let what = call.what();
    if missing.is_empty() {
        let names = list(call.needs());
        return Problem::new(
            "graph.forbidden",
            format!("tenant {label} doesn't let the app {what}, although it has {names}"),
        )
        .next("the object may be protected (a restricted administrative unit, a role); look at the detail");
    }
    let names = list(&missing);
    let problem = Problem::new("graph.forbidden", format!("can't {what} in tenant {label}: the app needs {names}"))
        .next(format!("let an administrator grant and consent to {names} (application permission), then run again"));
    // Intune names the permission itself, sometimes another one than the documentation.
    if said.message.contains("scopes:") && !missing.iter().any(|need| said.message.contains(need.as_str())) {
        return problem.next(format!("grant {names}, or what the service asks for: {}", said.message));
    }
    problem
}

fn list(permissions: &[Permission]) -> String {
    permissions.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(" and ")
}

fn detail(call: &Call, status: u16, said: &Said, trace: &Trace) -> String {
    let path = call.path().split('?').next().unwrap_or_default();
    let mut text = format!("{} /{}{path}: {status}", call.verb().as_str(), call.version().as_str());
    for part in [&said.code, &said.message] {
        if !part.is_empty() {
            text.push(' ');
            text.push_str(part);
        }
    }
    let request_id = said.request_id.as_ref().or(trace.request_id.as_ref()).map_or("none", String::as_str);
    text.push_str(&format!("; request-id {request_id}"));
    if !trace.client_request_id.is_empty() {
        text.push_str(&format!(", client-request-id {}", trace.client_request_id));
    }
    for (name, value) in [("date", &trace.date), ("x-ms-ags-diagnostic", &trace.diagnostic)] {
        if let Some(value) = value {
            text.push_str(&format!(", {name} {}", clean(value)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msgraph::call;
    use serde_json::json;

    /// Catches an Intune error whose text stays a document inside a string, and request ids that get lost.
    #[test]
    fn shapes_of_errors() {
        let intune = json!({"error": {"code": "Forbidden", "message":
            "{\r\n \"_version\": 3, \"Message\": \"Application must have: X\", \"HttpHeaders\": \"{}\"}",
            "innererror": {"request-id": "outer", "innerError": {"request-id": "inner"}}}});
        let said = Said::of(&intune);
        assert_eq!((said.message.as_str(), said.request_id.as_deref()), ("Application must have: X", Some("inner")));
        for odd in [json!(null), json!([]), json!({"error": 3}), json!({"error": {"message": {}}})] {
            assert_eq!(Said::of(&odd).message, "");
        }
    }

    /// Catches a 403 that doesn't name what is missing, or names what the app has.
    #[test]
    fn forbidden_names_what_is_missing() {
        let id = crate::model::EntraObjectId(uuid::Uuid::nil());
        let call = call::remove_member(crate::model::GroupId(uuid::Uuid::nil()), id);
        let has = [Permission::DeviceReadWriteAll];
        let problem = refusal("contoso", &call, 403, &json!({}), &Trace::default(), Some(&has));
        assert!(problem.message.contains("GroupMember.ReadWrite.All"), "{problem}");
        assert!(!problem.message.contains("Device.ReadWrite.All"), "{problem}");
        let all = [Permission::DeviceReadWriteAll, Permission::GroupMemberReadWriteAll];
        let problem = refusal("contoso", &call, 403, &json!({}), &Trace::default(), Some(&all));
        assert!(problem.message.contains("although"), "{problem}");
    }

    /// Catches a write of unknown outcome that a caller would repeat without looking.
    #[test]
    fn lost_writes_are_read_first() {
        let id = crate::model::IntuneId(uuid::Uuid::nil());
        let write = refusal("t", &call::delete_managed_device(id), 502, &json!({}), &Trace::default(), None);
        assert_eq!(write.retry, Retry::ReadFirst);
        let read = refusal("t", &call::managed_device(id), 502, &json!({}), &Trace::default(), None);
        assert_eq!(read.retry, Retry::Soon);
    }

    /// Catches any other 400 taken for "already a member".
    #[test]
    fn member_exists() {
        let body = |message: &str| json!({"error": {"code": "Request_BadRequest", "message": message}});
        assert!(already_a_member(&body(
            "One or more added object references already exist for the following modified properties: 'members'."
        )));
        assert!(!already_a_member(&body("Unsupported resource type.")));
    }
}
