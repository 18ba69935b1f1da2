//! What the token endpoint refuses, in words that say what to do.
//!
//! Microsoft asks clients not to depend on its numbers (msgraph.md 1.2): a known one gives a better hint, an unknown
//! one falls back to the OAuth error name.

use serde_json::Value;

use crate::model::{Problem, Retry};

/// Known refusals: AADSTS number, our code, what it means, what to do.
const KNOWN: &[(u64, &str, &str, &str)] = &[
    (
        7_000_215,
        "token.wrong-secret",
        "the client secret is wrong",
        "use the secret's value, not its id: the value is shown once when the secret is made; make a new one if it is lost",
    ),
    (7_000_222, "token.secret-expired", "the client secret has expired", "make a new secret for the application"),
    (
        700_016,
        "token.unknown-app",
        "the application isn't in this tenant",
        "check client_id and tenant; in a target tenant an administrator has to consent to the application first",
    ),
    (
        700_027,
        "token.wrong-assertion",
        "the certificate or federated credential isn't registered for the application",
        "add it to the application's credentials",
    ),
    (
        700_021,
        "token.wrong-assertion",
        "the assertion names another application",
        "issue the federated token for this client_id",
    ),
    (
        700_023,
        "token.wrong-assertion",
        "the assertion is for another audience",
        "issue the federated token for this cloud's audience",
    ),
    (
        70_011,
        "token.wrong-scope",
        "the scope isn't valid in this cloud",
        "use `{graph root}/.default` of the tenant's own cloud",
    ),
    (
        90_002,
        "token.unknown-tenant",
        "the tenant doesn't exist in this cloud",
        "check the tenant's id and cloud in the plan",
    ),
    (
        53_003,
        "token.blocked",
        "Conditional Access blocks the application",
        "take the application out of the workload identity policy, or run from an allowed place",
    ),
    (
        500_011,
        "token.no-graph",
        "Microsoft Graph isn't known in this tenant",
        "check that authority and Graph root belong to the same cloud",
    ),
    (
        7_000_112,
        "token.app-disabled",
        "the application is disabled in this tenant",
        "let an administrator enable its enterprise application",
    ),
    (
        900_023,
        "token.unknown-tenant",
        "the tenant's name isn't valid",
        "write the tenant's id or a verified domain in the plan",
    ),
];

/// Returns the problem for an answer of the token endpoint. `secret` is removed wherever it is echoed.
pub(super) fn refusal(label: &str, status: u16, body: &[u8], secret: &str) -> Problem {
    let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let said = json.get("error_description").and_then(Value::as_str).unwrap_or_default();
    let number = json
        .get("error_codes")
        .and_then(Value::as_array)
        .and_then(|codes| codes.first())
        .and_then(Value::as_u64)
        .or_else(|| number_in(said));
    let name = json.get("error").and_then(Value::as_str).unwrap_or("no error name");
    let known = number.and_then(|number| KNOWN.iter().find(|row| row.0 == number));
    let problem = match known {
        Some((_, code, meaning, next)) => {
            Problem::new(*code, format!("tenant {label} gives no token: {meaning}")).next(*next)
        }
        None if status == 429 || status >= 500 => {
            Problem::new("token.unavailable", format!("tenant {label} gives no token now: HTTP {status}"))
                .next("try again in some minutes")
                .retry(Retry::Soon)
        }
        None => Problem::new("token.refused", format!("tenant {label} gives no token: {name}"))
            .next("look the AADSTS number up, and check tenant, client_id and credential in the plan"),
    };
    let trace = json.get("trace_id").and_then(Value::as_str).unwrap_or("none");
    let correlation = json.get("correlation_id").and_then(Value::as_str).unwrap_or("none");
    // The first line says it; the rest repeats the ids.
    let line = said.lines().next().unwrap_or_default();
    let number = number.map_or_else(String::new, |number| format!(" AADSTS{number}"));
    let detail =
        format!("token endpoint: {status} {name}{number} \"{line}\", trace {trace}, correlation {correlation}");
    problem.detail(without(&detail, secret))
}

/// Returns the number after `AADSTS`.
fn number_in(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("AADSTS")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).take(12).collect();
    digits.parse().ok()
}

fn without(text: &str, secret: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(600).collect();
    if secret.len() < 4 { clean } else { clean.replace(secret, "***") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(number: u64) -> Vec<u8> {
        serde_json::json!({
            "error": "invalid_client",
            "error_description": format!("AADSTS{number}: secret s3cr3t-value refused.\r\nTrace ID: 1"),
            "error_codes": [number],
            "trace_id": "t-1",
            "correlation_id": "c-1",
        })
        .to_string()
        .into_bytes()
    }

    /// Catches a secret that the authority echoes and that ends in a log, and a row without a next step.
    #[test]
    fn known_rows() {
        for (number, code, _, next) in KNOWN {
            let problem = refusal("contoso", 401, &body(*number), "s3cr3t-value");
            assert_eq!((problem.code.as_str(), problem.next.as_deref()), (*code, Some(*next)));
            let detail = problem.detail.expect("a detail");
            assert!(detail.contains("t-1") && detail.contains(&number.to_string()), "{detail}");
            assert!(!detail.contains("s3cr3t"), "{detail}");
        }
    }

    /// Catches a body of another shape taken for success or ending in a panic.
    #[test]
    fn other_bodies() {
        for body in ["", "<html>", "[]", "{\"error_codes\":[\"x\"]}", "{\"error_description\":\"AADSTS\"}"] {
            assert_eq!(refusal("t", 400, body.as_bytes(), "").code, "token.refused");
            assert_eq!(refusal("t", 503, body.as_bytes(), "").retry, Retry::Soon);
        }
        let text = r#"{"error":"x","error_description":"AADSTS7000222: The provided client secret keys are expired."}"#;
        assert_eq!(refusal("t", 401, text.as_bytes(), "").code, "token.secret-expired");
    }
}
