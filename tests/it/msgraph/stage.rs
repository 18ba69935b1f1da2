//! The scripted server, its client, and a clock that never waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use opsole::msgraph::{Client, Config, Credential, TenantRef};
use opsole::port::Clock;
use serde_json::{Value, json};
use uuid::Uuid;

pub const TENANT: &str = "0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11";
pub const SECRET: &str = "the-secret-itself";

/// A clock whose waits pass at once.
pub struct TestClock {
    now: Mutex<Timestamp>,
    slept: Mutex<Vec<Duration>>,
}

impl TestClock {
    pub fn new() -> Arc<Self> {
        let now = "2026-12-02T18:30:00Z".parse().expect("a time");
        Arc::new(Self { now: Mutex::new(now), slept: Mutex::default() })
    }
    pub fn slept(&self) -> Vec<Duration> {
        self.slept.lock().expect("unpoisoned").clone()
    }
    pub fn total(&self) -> f64 {
        self.slept().iter().map(Duration::as_secs_f64).sum()
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().expect("unpoisoned")
    }
    async fn sleep(&self, duration: Duration) {
        self.slept.lock().expect("unpoisoned").push(duration);
        {
            let mut now = self.now.lock().expect("unpoisoned");
            *now = now.checked_add(duration).expect("in range");
        }
        tokio::task::yield_now().await;
    }
}

/// A request that the server saw.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    /// Path with query, decoded.
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

/// What the server says.
pub struct Reply(pub u16, pub Vec<(&'static str, String)>, pub Value);

pub fn ok(body: Value) -> Reply {
    Reply(200, Vec::new(), body)
}
pub fn status(status: u16) -> Reply {
    Reply(
        status,
        Vec::new(),
        json!({"error": {"code": "Code", "message": "Text.",
        "innerError": {"request-id": "11111111-aaaa"}}}),
    )
}
pub fn page(items: Value) -> Reply {
    ok(json!({"value": items}))
}

type Script = Box<dyn Fn(&Seen, usize) -> Reply + Send + Sync>;

struct Shared {
    script: Script,
    seen: Mutex<Vec<Seen>>,
}

/// The server and a client for it.
pub struct Stage {
    shared: Arc<Shared>,
    pub clock: Arc<TestClock>,
    pub client: Client,
    pub root: String,
}

impl Stage {
    /// The script gets a request and how many with the same method and path came before. Tokens are given unless
    /// the script is asked for them in `tokens`.
    pub async fn new(script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_clock(TestClock::new(), script).await
    }
    /// The same, where the script looks at the clock too.
    pub async fn with_clock(
        clock: Arc<TestClock>,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared { script: Box::new(script), seen: Mutex::default() });
        let root = serve(Arc::clone(&shared)).await;
        let client = client(&root, &root, &clock);
        Self { shared, clock, client, root }
    }
    pub fn seen(&self, what: &str) -> Vec<Seen> {
        let seen = self.shared.seen.lock().expect("unpoisoned");
        seen.iter().filter(|seen| format!("{} {}", seen.method, seen.path).contains(what)).cloned().collect()
    }
}

pub fn config(authority: &str, graph: &str) -> Config {
    Config {
        label: "contoso".into(),
        tenant: TenantRef::Id(TENANT.parse().expect("an id")),
        authority: authority.into(),
        graph: graph.into(),
        scope: format!("{graph}/.default"),
        client_id: "app".into(),
        credential: Credential::ClientSecret(SECRET.into()),
    }
}

pub fn client(authority: &str, graph: &str, clock: &Arc<TestClock>) -> Client {
    Client::new(config(authority, graph), Arc::clone(clock) as Arc<dyn Clock>).expect("a client")
}

async fn serve(shared: Arc<Shared>) -> String {
    let app = Router::new().fallback(answer).with_state(shared);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let root = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    root
}

pub fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next().expect("a digit"), bytes.next().expect("a digit")];
            let text = std::str::from_utf8(&digits).expect("digits");
            out.push(u8::from_str_radix(text, 16).expect("hexadecimal"));
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).expect("UTF-8")
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.expect("a body");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let header = |name: &axum::http::HeaderName| parts.headers[name].to_str().unwrap_or_default().to_owned();
    let seen = Seen {
        method: parts.method.to_string(),
        path: decoded(parts.uri.path_and_query().map_or("/", |path| path.as_str())),
        headers: parts.headers.keys().map(|name| (name.to_string(), header(name))).collect(),
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    };
    let before = {
        let mut all = shared.seen.lock().expect("unpoisoned");
        let before = all.iter().filter(|old| old.method == seen.method && old.path == seen.path).count();
        all.push(seen.clone());
        before
    };
    let Reply(status, headers, body) = (shared.script)(&seen, before);
    let mut response = Response::builder().status(status).header("request-id", "22222222-bbbb");
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    response.body(body).expect("a response")
}

pub fn token(roles: &[&str]) -> Reply {
    let mut claims = json!({"tid": TENANT});
    if !roles.is_empty() {
        claims["roles"] = json!(roles);
    }
    let jwt = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()));
    ok(json!({"token_type": "Bearer", "expires_in": 3599, "access_token": jwt}))
}

pub fn is_token(seen: &Seen) -> bool {
    seen.path.ends_with("/oauth2/v2.0/token")
}

pub fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub fn device(n: u128) -> Value {
    json!({"id": id(n), "deviceId": id(n + 1000), "displayName": format!("D{n}"), "trustType": "AzureAd",
        "accountEnabled": true, "newMember": {"x": 1}})
}
