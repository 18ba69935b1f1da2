//! The token endpoint, and tokens as clients see them: a JWT that they may decode and only the lab can sign.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::emulation::Emulation;
use super::reply::{Reply, decode};
use crate::lab::seed::derive;

/// Seconds a token lives, of the world's.
const LIFE_SECS: i64 = 3599;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) aud: String,
    pub(super) iss: String,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) tid: Uuid,
    pub(super) appid: String,
    pub(super) oid: Uuid,
    pub(super) idtyp: String,
    /// Left out where nothing is granted, as Entra does (msgraph.md 1.3).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) roles: Vec<String>,
}

/// HMAC-SHA-256 (RFC 2104) with a key that is shorter than a block.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    for (own, byte) in block.iter_mut().zip(key) {
        *own = *byte;
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

fn key(world: &str) -> [u8; 16] {
    *derive(world, "token-key", "").as_bytes()
}

/// Returns a signed token.
pub(super) fn sign(world: &str, claims: &Claims) -> serde_json::Result<String> {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(&json!({"typ": "JWT", "alg": "HS256", "kid": "lab"}));
    let body = format!("{head}.{}", part(&serde_json::to_value(claims)?));
    let signature = URL_SAFE_NO_PAD.encode(hmac(&key(world), body.as_bytes()));
    Ok(format!("{body}.{signature}"))
}

/// Returns a token's claims where it is the lab's own and still lives.
pub(super) fn verify(world: &str, token: &str, now: Timestamp) -> Result<Claims, &'static str> {
    let malformed = "CompactToken parsing failed with error code: 80049217";
    let (body, signature) = token.rsplit_once('.').ok_or(malformed)?;
    let (_, payload) = body.split_once('.').ok_or(malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed)?;
    if signature != hmac(&key(world), body.as_bytes()) {
        return Err("Access token validation failure. Invalid signature.");
    }
    let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|_| malformed)?;
    let claims: Claims = serde_json::from_slice(&bytes).map_err(|_| malformed)?;
    if claims.exp <= now.as_second() {
        return Err("Lifetime validation failed, the token is expired.");
    }
    Ok(claims)
}

/// A refusal of the token endpoint.
struct Error {
    status: u16,
    error: &'static str,
    code: u32,
    text: String,
}

fn refuse(status: u16, error: &'static str, code: u32, text: impl Into<String>) -> Error {
    Error { status, error, code, text: text.into() }
}

/// Answers `POST /{tenant}/oauth2/v2.0/token`.
pub(super) fn issue(emulation: &Emulation, tenant: &str, form: &str, base: &str, now: Timestamp, id: Uuid) -> Reply {
    match token(emulation, tenant, form, base, now) {
        Ok(body) => Reply::ok(body),
        Err(error) => {
            let time = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
            let correlation = Uuid::from_u128(id.as_u128().wrapping_add(1));
            let description = format!(
                "AADSTS{}: {} Trace ID: {id} Correlation ID: {correlation} Timestamp: {time}",
                error.code, error.text
            );
            let body = json!({"error": error.error, "error_description": description, "error_codes": [error.code],
                              "timestamp": time, "trace_id": id, "correlation_id": correlation,
                              "error_uri": format!("{base}/error?code={}", error.code)});
            Reply { status: error.status, body: Some(body), retry_after: None }
        }
    }
}

fn token(emulation: &Emulation, tenant: &str, form: &str, base: &str, now: Timestamp) -> Result<Value, Error> {
    let field = |name: &str| {
        let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.filter(|(own, _)| *own == name).find_map(|(_, value)| decode(value, true));
        found.filter(|value| !value.is_empty())
    };
    let data = emulation.tenant_name(tenant).and_then(|name| emulation.tenants.get(name)).ok_or_else(|| {
        refuse(400, "invalid_request", 90002, format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."))
    })?;
    match field("grant_type").as_deref() {
        Some("client_credentials") => {}
        Some(other) => {
            let text = format!("The app requested an unsupported grant type '{other}'.");
            return Err(refuse(400, "unsupported_grant_type", 70003, text));
        }
        None => {
            let text = "The request body must contain the following parameter: 'grant_type'.";
            return Err(refuse(400, "invalid_request", 900144, text));
        }
    }
    let client = field("client_id").ok_or_else(|| {
        refuse(400, "invalid_request", 900144, "The request body must contain the following parameter: 'client_id'.")
    })?;
    let app = data.spec.apps.iter().find(|app| app.client_id.eq_ignore_ascii_case(&client)).ok_or_else(|| {
        let text = format!("Application with identifier '{client}' was not found in the directory '{}'.", data.spec.id);
        refuse(400, "unauthorized_client", 700_016, text)
    })?;
    let scope = field("scope").unwrap_or_default();
    let resource = scope.strip_suffix("/.default").filter(|resource| {
        // One resource: this Graph, by its public names or where it really is.
        let graphs = [
            "https://graph.microsoft.com",
            "https://graph.microsoft.us",
            "https://dod-graph.microsoft.us",
            "https://microsoftgraph.chinacloudapi.cn",
            base,
        ];
        graphs.contains(resource)
    });
    let resource = resource.ok_or_else(|| {
        let text =
            format!("The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid.");
        refuse(400, "invalid_scope", 70011, text)
    })?;
    let Some(secret) = field("client_secret") else {
        let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        return Err(refuse(401, "invalid_client", 7_000_218, text));
    };
    if secret != app.secret {
        let text = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'."
        );
        return Err(refuse(401, "invalid_client", 7_000_215, text));
    }
    if app.secret_ends(emulation.world.starts) <= now {
        let text = format!(
            "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new keys for your app."
        );
        return Err(refuse(401, "invalid_client", 7_000_222, text));
    }
    if !app.enabled {
        let text = format!("Application '{client}'({}) is disabled.", app.display_name);
        return Err(refuse(400, "unauthorized_client", 7_000_112, text));
    }
    let mut roles = app.permissions.clone();
    // One without a name is of another cloud's Graph and in no token of this one.
    roles.retain(|role| role.parse::<Uuid>().is_err());
    roles.sort();
    roles.dedup();
    let issued = now.as_second();
    let principal = format!("{}\n{}", data.name, app.client_id.to_lowercase());
    let claims = Claims {
        aud: resource.to_owned(),
        iss: format!("https://sts.windows.net/{}/", data.spec.id),
        iat: issued,
        exp: issued + LIFE_SECS,
        tid: data.spec.id,
        appid: app.client_id.clone(),
        oid: derive(&emulation.world.name, "service-principal", &principal),
        idtyp: "app".to_owned(),
        roles,
    };
    let token = sign(&emulation.world.name, &claims)
        .map_err(|e| refuse(500, "server_error", 90033, format!("The token can't be written: {e}")))?;
    Ok(json!({"token_type": "Bearer", "expires_in": LIFE_SECS, "ext_expires_in": LIFE_SECS, "access_token": token}))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches an HMAC that is home-made in the wrong way: RFC 4231, test case 2.
    #[test]
    fn published_vector() {
        let mac = hmac(b"Jefe", b"what do ya want for nothing?");
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    /// Catches a token that is taken although it was changed or its time is over.
    #[test]
    fn only_own_and_living() {
        let claims = Claims {
            aud: String::new(),
            iss: String::new(),
            iat: 0,
            exp: 100,
            tid: Uuid::nil(),
            appid: "a".to_owned(),
            oid: Uuid::nil(),
            idtyp: "app".to_owned(),
            roles: Vec::new(),
        };
        let token = sign("w", &claims).expect("JSON");
        let at = |second| Timestamp::from_second(second).expect("in range");
        assert_eq!(verify("w", &token, at(99)), Ok(claims));
        assert!(verify("w", &token, at(100)).is_err());
        assert!(verify("other", &token, at(0)).is_err());
        for broken in ["", "a.b", "a.b.c", &token[1..]] {
            assert!(verify("w", broken, at(0)).is_err(), "{broken}");
        }
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("three parts")).expect("base64");
        assert!(!String::from_utf8_lossy(&payload).contains("roles"));
    }
}
