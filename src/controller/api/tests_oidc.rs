//! Access tokens of an issuer that the test runs itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jiff::Timestamp;
use jsonwebtoken::signature::Verifier as _;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::tests::Desk;
use super::*;
use crate::operators::Role;
use crate::port::Store as _;

struct Issuer {
    url: String,
    key: EcdsaKeyPair,
    asked: Arc<AtomicU32>,
    up: Arc<AtomicBool>,
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).expect("a key")
}

impl Issuer {
    async fn start() -> Self {
        let key = key();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let point = key.public_key().as_ref();
        let jwk = |kid: &str, usage: &str| {
            json!({
                "kty": "EC", "crv": "P-256", "use": usage, "kid": kid,
                "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..]),
            })
        };
        let keys = json!({"keys": [jwk("one", "sig"), jwk("two", "enc"), {"kty": "new", "kid": "three"}]});
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/keys"), "more": [1]});
        let (asked, up) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(true)));
        let (count, is_up) = (Arc::clone(&asked), Arc::clone(&up));
        let answer = async move || {
            count.fetch_add(1, Ordering::SeqCst);
            let status = if is_up.load(Ordering::SeqCst) { 200 } else { 500 };
            (axum::http::StatusCode::from_u16(status).expect("a status"), Json(keys))
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(discovery)))
            .route("/keys", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, key, asked, up }
    }
    fn claims(&self, now: Timestamp) -> Value {
        let now = now.as_second();
        json!({
            "iss": self.url, "aud": "api://opsole", "sub": "pairwise", "oid": "0001", "exp": now + 600, "nbf": now,
            "preferred_username": "jane@example.com", "roles": ["opsole.operator"],
        })
    }
    fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        format!("{message}.{}", BASE64.encode(signature.as_ref()))
    }
    fn good(&self, now: Timestamp) -> String {
        self.token(&json!({"alg": "ES256", "kid": "one", "typ": "JWT"}), &self.claims(now))
    }
    fn oidc(&self) -> Oidc {
        let config = OidcConfig { issuer: self.url.clone(), audience: "api://opsole".to_owned() };
        Oidc::new(config).expect("an issuer")
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(2_000_000_000).expect("a moment")
}

/// Catches every way in that isn't a good token: forged, for somebody else, of another time, without a role, with two.
#[tokio::test]
async fn only_good_tokens_are_taken() {
    let issuer = Issuer::start().await;
    let oidc = issuer.oidc();
    let who = oidc.who(&issuer.good(now()), now()).await.expect("a good token");
    assert_eq!((who.actor.as_str(), who.role), ("jane@example.com@oidc", Role::Operator));
    assert_eq!(who.subject.as_deref(), Some("0001"));

    let header = json!({"alg": "ES256", "kid": "one"});
    let changed = |member: &str, value: Value| {
        let mut claims = issuer.claims(now());
        claims[member] = value;
        issuer.token(&header, &claims)
    };
    let at = |secs: i64| json!(now().as_second() + secs);
    assert!(oidc.who(&changed("exp", at(-59)), now()).await.is_ok(), "clocks differ");
    assert!(oidc.who(&changed("nbf", at(60)), now()).await.is_ok(), "clocks differ");
    assert!(oidc.who(&changed("aud", json!(["other", "api://opsole"])), now()).await.is_ok());
    let mut bad = vec![
        changed("exp", at(-60)),
        changed("exp", Value::Null),
        changed("exp", json!(i64::MAX)),
        changed("nbf", at(61)),
        changed("aud", json!("api://other")),
        changed("aud", Value::Null),
        changed("iss", json!("https://issuer.example.com")),
        changed("iss", Value::Null),
        changed("sub", Value::Null),
        changed("roles", json!([])),
        changed("roles", json!(["admin"])),
        changed("roles", json!(["opsole.operator", "opsole.approver"])),
        changed("oid", json!("a\nb")),
    ];
    for header in [
        json!({"alg": "ES256"}),
        json!({"alg": "ES256", "kid": "two"}),
        json!({"alg": "ES256", "kid": "three"}),
        json!({"alg": "RS256", "kid": "one"}),
        json!({"alg": "ES384", "kid": "one"}),
        json!({"alg": "none", "kid": "one"}),
        json!({"alg": "HS256", "kid": "one"}),
    ] {
        bad.push(issuer.token(&header, &issuer.claims(now())));
    }
    // Signed by somebody else, with the public key as a shared secret, and not at all.
    bad.push(Issuer { key: key(), ..Issuer::start().await }.token(&header, &issuer.claims(now())));
    let part = |value: &Value| BASE64.encode(value.to_string());
    let message = format!("{}.{}", part(&json!({"alg": "HS256", "kid": "one"})), part(&issuer.claims(now())));
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, issuer.key.public_key().as_ref());
    bad.push(format!("{message}.{}", BASE64.encode(ring::hmac::sign(&secret, message.as_bytes()).as_ref())));
    let good = issuer.good(now());
    let (unsigned, _) = good.rsplit_once('.').expect("three parts");
    bad.extend([format!("{unsigned}."), unsigned.to_owned(), String::new(), "..".to_owned(), format!("{good}.x")]);
    for token in bad {
        assert!(oidc.who(&token, now()).await.is_err(), "{token}");
    }
}

/// Catches an issuer that is asked at every forged token, keys that are gone with the issuer, and keys that are never
/// looked at again.
#[tokio::test]
async fn keys_are_kept_and_looked_at_again() {
    let issuer = Issuer::start().await;
    let oidc = issuer.oidc();
    let asked = || issuer.asked.load(Ordering::SeqCst);
    issuer.up.store(false, Ordering::SeqCst);
    assert!(oidc.who(&issuer.good(now()), now()).await.is_err(), "no keys yet");
    issuer.up.store(true, Ordering::SeqCst);
    let later = |secs: i64| now() + jiff::SignedDuration::from_secs(secs);
    assert!(oidc.who(&issuer.good(now()), later(59)).await.is_err(), "asked a moment ago");
    assert!(oidc.who(&issuer.good(now()), later(60)).await.is_ok());
    assert_eq!(asked(), 2);
    let unknown = issuer.token(&json!({"alg": "ES256", "kid": "nine"}), &issuer.claims(now()));
    for _ in 0..10 {
        assert!(oidc.who(&unknown, later(90)).await.is_err());
    }
    assert_eq!(asked(), 2, "at most once a minute");
    assert!(oidc.who(&unknown, later(120)).await.is_err());
    assert_eq!(asked(), 3);
    issuer.up.store(false, Ordering::SeqCst);
    let day = later(120 + 23 * 3600);
    assert!(oidc.who(&issuer.good(day), day).await.is_ok(), "the issuer is down");
    let day = later(120 + 24 * 3600);
    assert!(oidc.who(&issuer.good(day), day).await.is_err(), "keys of yesterday");
}

/// Catches an issuer whose word anybody on the way can change.
#[test]
fn issuers_are_https() {
    let make = |issuer: &str, audience: &str| {
        Oidc::new(OidcConfig { issuer: issuer.to_owned(), audience: audience.to_owned() }).err().map(|one| one.code)
    };
    assert_eq!(make("https://login.microsoftonline.com/t/v2.0", "a"), None);
    for issuer in ["http://issuer.example.com", "http://localhost", "ftp://127.0.0.1", "nothing"] {
        assert_eq!(make(issuer, "a").as_deref(), Some("api.oidc"), "{issuer}");
    }
    assert_eq!(make("https://issuer.example.com", " ").as_deref(), Some("api.oidc"));
}

/// Catches RS256, which Entra signs with, verified in another way than the standard says: the example of RFC 7515,
/// appendix A.2.
#[test]
fn rs256_is_the_standards() {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS\
         -pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2C\
         apHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb\
         54h4FRWyuXpoQ";
    let message = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290\
         Ijp0cnVlfQ";
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9\
         CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d\
         O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN\
         _IoypGlUPQGe77Rw";
    let key = jsonwebtoken::DecodingKey::from_rsa_components(n, "AQAB").expect("a key");
    let mut signature = BASE64.decode(signature).expect("base64");
    let verifier = oidc::Verifier { alg: jsonwebtoken::Algorithm::RS256, key };
    assert!(verifier.verify(message.as_bytes(), &signature).is_ok());
    assert!(verifier.verify(&message.as_bytes()[1..], &signature).is_err());
    signature[7] ^= 1;
    assert!(verifier.verify(message.as_bytes(), &signature).is_err());
}

/// Catches a good token that opens more than its role, or isn't told of, and an answer that tells why another isn't good.
#[tokio::test]
async fn tokens_open_what_their_role_does() {
    let issuer = Issuer::start().await;
    let desk = Desk::new(ApiLimits::default(), Some(issuer.oidc()), now()).await;
    let good = issuer.good(now());
    for (path, status) in [("/api/v1/run", 200), ("/api/v1/session", 200), ("/api/v1/users", 403)] {
        assert_eq!(desk.call("GET", path, Some(&good), None).await.0, status, "{path}");
    }
    let nobody = desk.call("GET", "/api/v1/run", None, None).await;
    let forged = format!("{good}x");
    assert_eq!(desk.call("GET", "/api/v1/run", Some(&forged), None).await, nobody);
    let list = serde_json::to_string(&desk.store.audit().expect("a list")).expect("JSON");
    assert_eq!(list.matches("operator-signed-in").count(), 1);
    assert_eq!(desk.told().get(&Why::BadAccessToken), Some(&1));
}
