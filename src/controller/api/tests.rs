//! Every call as everybody: what is let in, what is refused, and what is told of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::audit::Link;
use crate::controller::fake::World;
use crate::controller::{Begin, Config, Controller, Handle, Limits, Security, serve_with};
use crate::operators::{How, PasswordHash, Role, Token, User};
use crate::port::Store as _;
use crate::run::{Budget, device_run_for_tests, run_plan_for_tests};
use crate::store::MemoryStore;

pub(super) const PASSWORD: &str = "three blind mice ran";
/// What four rounds of Argon2 in each test would cost is spared: all users have this one's hash.
static HASH: std::sync::OnceLock<PasswordHash> = std::sync::OnceLock::new();

/// A clock that stands until it is moved.
pub(super) struct Hands(Mutex<Timestamp>);

#[async_trait::async_trait]
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    async fn sleep(&self, _: Duration) {
        std::future::pending().await
    }
}
impl Hands {
    pub(super) fn pass(&self, time: SignedDuration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }
}

pub(super) struct Desk {
    pub(super) api: Api,
    pub(super) clock: Arc<Hands>,
    pub(super) store: Arc<MemoryStore>,
    pub(super) local: Token,
    http: reqwest::Client,
    root: String,
    _handle: Handle,
    _world: Arc<World>,
}

impl Desk {
    pub(super) async fn new(limits: ApiLimits, oidc: Option<Oidc>, now: Timestamp) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut run = device_run_for_tests("D-1", &BTreeSet::new());
        let world = World::new(std::slice::from_mut(&mut run.task));
        let mut plan = run_plan_for_tests(vec![run], 1, Budget::default());
        plan.tenant_before.clear();
        plan.created = Clock::now(&*world.clock);
        let store = Arc::new(MemoryStore::new());
        let handle = Controller::start(
            Begin::New(Box::new(plan), Box::default()),
            world.ports(store.clone()),
            Config::default(),
        )
        .await
        .expect("a controller");
        let clock = Arc::new(Hands(Mutex::new(now)));
        let (one_time, local) = OneTimeToken::new("jane@desk").expect("a token");
        let config = ApiConfig { limits, local: Some(one_time), oidc, this_machine_only: false };
        let api = Api::new(handle.operations(), store.clone(), clock.clone(), clock.clone(), config);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let root = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(serve_with(
            handle.agents(),
            api.router(),
            listener,
            Security::Plain,
            Limits::default(),
            std::future::pending(),
        ));
        Self { api, clock, store, local, http: reqwest::Client::new(), root, _handle: handle, _world: world }
    }

    async fn plain() -> Self {
        let limits = ApiLimits { calls: Bucket { size: 100_000, ..Bucket::default() }, ..ApiLimits::default() };
        Self::new(limits, None, Timestamp::from_second(1_000_000).expect("a moment")).await
    }

    fn add(&self, name: &str, role: Role) -> User {
        let password = HASH.get_or_init(|| PasswordHash::of(PASSWORD, &[1; 16]).expect("a hash")).clone();
        let (name, now) = (name.parse().expect("a name"), self.clock.now());
        let user = User { name, role, password, disabled: false, created: now, changed: now, unlocked: None };
        self.store.add_user(&user, &[]).expect("a write");
        user
    }

    /// Signs somebody in without asking for a password.
    fn signed_in(&self, user: &User) -> String {
        let token = Token::of(random().expect("random bytes"));
        let session = crate::operators::Session::begin(&token, user.name.clone(), self.clock.now());
        self.store.begin_session(&session, user, Timestamp::MIN, &[]).expect("a write");
        token.expose().to_owned()
    }

    pub(super) async fn call(&self, verb: &str, path: &str, token: Option<&str>, body: Option<Value>) -> (u16, String) {
        let method = verb.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.root));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        if path.starts_with("/api/v1/") {
            assert_eq!(response.headers().get("cache-control").map(|v| v.as_bytes()), Some(&b"no-store"[..]), "{path}");
        }
        (status, response.text().await.expect("a body"))
    }

    async fn make(&self, route: &Route, token: Option<&str>) -> (u16, String) {
        let name = route.name();
        let (verb, path) = name.split_once(' ').expect("two words");
        let run = crate::model::RunId(uuid::Uuid::from_u128(9)).to_string();
        let path = path.replace("{run}", &run);
        let path =
            if path.contains("/users/") { path.replace("{name}", "spare") } else { path.replace("{name}", "D-1") };
        self.call(verb, &path, token, (verb != "GET").then(|| json!({}))).await
    }

    async fn login(&self, name: &str, password: &str) -> (u16, String) {
        self.call("POST", "/api/v1/login", None, Some(json!({"name": name, "password": password}))).await
    }

    /// How often each reason was told, once everything is.
    pub(super) fn told(&self) -> std::collections::BTreeMap<Why, u64> {
        self.api.close();
        let mut told = std::collections::BTreeMap::new();
        for link in self.store.audit().expect("a list") {
            if let Some(Fact::OperatorRefused(calls)) = link.entry().map(|entry| entry.fact) {
                *told.entry(calls.why).or_default() += calls.count;
            }
        }
        told
    }
}

/// Catches a call that is open to somebody without the right, a reason that strangers can tell, and a refusal that nobody
/// is told of.
#[tokio::test]
async fn every_call_as_everybody() {
    let desk = Desk::plain().await;
    desk.add("spare", Role::Viewer);
    let left = desk.add("left", Role::Admin);
    let ended = desk.signed_in(&left);
    desk.clock.pass(SignedDuration::from_mins(31));
    let disabled = desk.add("gone", Role::Admin);
    let gone = desk.signed_in(&disabled);
    desk.store.change_user(&User { disabled: true, ..disabled }, false, &[]).expect("a write");
    let users: Vec<User> = Role::ALL.iter().map(|role| desk.add(&format!("the-{role}"), *role)).collect();

    let mut table = String::new();
    let (mut bodies, mut strangers, mut forbidden) = (BTreeSet::new(), 0, 0);
    let wrong = Token::of([9; 32]);
    for route in ROUTES.iter().filter(|route| route.access != Access::Open) {
        let once = desk.signed_in(&left);
        drop(desk.store.end_session(&Token::digest(&once)));
        for token in [None, Some(""), Some("x.y.z"), Some(wrong.expose()), Some(&gone), Some(&ended), Some(&once)] {
            let (status, body) = desk.make(route, token).await;
            assert_eq!(status, 401, "{} {body}", route.name());
            bodies.insert(body);
            strangers += 1;
        }
        let mut row = Vec::new();
        for user in &users {
            let (status, body) = desk.make(route, Some(&desk.signed_in(user))).await;
            let may = match route.access {
                Access::Needs(right) => user.role.has(right),
                Access::Open | Access::SignedIn => true,
            };
            assert_eq!(status == 403, !may, "{} as {}: {status} {body}", route.name(), user.role);
            assert!(status != 401 && status < 500, "{} as {}: {status} {body}", route.name(), user.role);
            forbidden += u64::from(status == 403);
            row.push(status.to_string());
        }
        table += &format!("{:<38} {}\n", route.name(), row.join(" "));
    }
    assert_eq!(bodies.len(), 1, "one body for every reason");
    insta::assert_snapshot!(table, @r"
    POST /api/v1/logout                    204 204 204 204
    GET /api/v1/session                    200 200 200 200
    POST /api/v1/password                  400 400 400 400
    GET /api/v1/run                        200 200 200 200
    POST /api/v1/run/drain                 403 202 403 403
    GET /api/v1/runs                       200 200 200 200
    GET /api/v1/report/{run}               200 200 200 200
    GET /api/v1/devices                    200 200 200 200
    GET /api/v1/devices/{name}             200 200 200 200
    POST /api/v1/devices/{name}/revoke     403 404 403 403
    GET /api/v1/audit                      403 200 200 200
    GET /api/v1/users                      403 403 403 200
    POST /api/v1/users                     403 403 403 400
    PATCH /api/v1/users/{name}             403 403 403 200
    ");
    let told = desk.told();
    assert_eq!(told.get(&Why::Forbidden), Some(&forbidden));
    assert_eq!(told.iter().filter(|(why, _)| **why != Why::Forbidden).map(|(_, count)| count).sum::<u64>(), strangers);
    assert!(told.contains_key(&Why::Disabled) && told.contains_key(&Why::NoToken) && told.contains_key(&Why::Ended));
    assert!(crate::audit::verify(&desk.store.audit().expect("a list")).is_whole());
}

/// Catches a stranger who can tell which calls there are.
#[tokio::test]
async fn unknown_calls_are_told_to_nobody() {
    let desk = Desk::plain().await;
    let token = desk.local.expose().to_owned();
    for (verb, path) in
        [("GET", "/api/v1/nothing"), ("GET", "/api/v1/login"), ("DELETE", "/api/v1/users"), ("POST", "/api/v1/run")]
    {
        let (_, unauthorised) = desk.call("GET", "/api/v1/run", None, None).await;
        assert_eq!(desk.call(verb, path, None, None).await, (401, unauthorised), "{verb} {path}");
        assert_eq!(desk.call(verb, path, Some(&token), None).await.0, 404, "{verb} {path}");
    }
}

/// Catches an answer that tells who is a user or that a name is locked, a lock that doesn't hold against the right
/// password, and one that locks for ever.
#[tokio::test]
async fn wrong_passwords_lock_and_tell_nothing() {
    let desk = Desk::plain().await;
    let user = desk.add("jane", Role::Admin);
    desk.store.change_user(&User { disabled: true, ..desk.add("gone", Role::Admin) }, false, &[]).expect("a write");
    let mut answers = BTreeSet::new();
    answers.insert(desk.login("nobody", PASSWORD).await);
    answers.insert(desk.login("a password typed here", PASSWORD).await);
    answers.insert(desk.login("gone", PASSWORD).await);
    answers.insert(desk.call("GET", "/api/v1/run", None, None).await);
    for _ in 0..5 {
        answers.insert(desk.login("Jane", "three blind mice").await);
    }
    answers.insert(desk.login("jane", PASSWORD).await);
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(desk.told().get(&Why::Locked), Some(&1));

    desk.store
        .change_user(&User { unlocked: Some(desk.clock.now()), ..user }, false, &[])
        .expect("an administrator lets her in");
    let (status, body) = desk.login("jane", PASSWORD).await;
    assert_eq!(status, 200, "{body}");
    let token: Value = serde_json::from_str(&body).expect("JSON");
    let token = token["token"].as_str().expect("a token");
    assert_eq!(desk.call("GET", "/api/v1/session", Some(token), None).await.0, 200);
    assert_eq!(desk.call("POST", "/api/v1/logout", Some(token), None).await.0, 204);
    assert_eq!(desk.call("GET", "/api/v1/session", Some(token), None).await.0, 401);
    let text = serde_json::to_string(&desk.store.audit().expect("a list")).expect("JSON");
    for secret in [token, PASSWORD, "three blind mice", "a password typed here", "nobody"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(text.contains("operator-signed-in") && text.contains("jane@api"));
}

/// Catches a lock of one address that the next name gets around.
#[tokio::test]
async fn a_peer_is_locked_too() {
    let desk = Desk::plain().await;
    desk.add("jane", Role::Viewer);
    for n in 0..20 {
        assert_eq!(desk.login(&format!("made-up-{n}"), "no such password").await.0, 401);
    }
    assert_eq!(desk.login("jane", PASSWORD).await.0, 401);
    desk.clock.pass(SignedDuration::from_mins(15));
    assert_eq!(desk.login("jane", PASSWORD).await.0, 200);
}

/// Catches rights that outlive the change that took them, a password that is kept when it was changed, and somebody who
/// makes himself what he isn't.
#[tokio::test]
async fn users_are_managed() {
    let desk = Desk::plain().await;
    let (admin, john) = (desk.add("boss", Role::Admin), desk.add("john", Role::Operator));
    let (boss, johns) = (desk.signed_in(&admin), desk.signed_in(&john));
    let patch = async |name: &str, body: Value| {
        desk.call("PATCH", &format!("/api/v1/users/{name}"), Some(&boss), Some(body)).await.0
    };
    assert_eq!(patch("boss", json!({"role": "approver"})).await, 409);
    assert_eq!(patch("boss", json!({"disabled": true})).await, 409);
    assert_eq!(patch("nobody", json!({"unlock": true})).await, 404);
    assert_eq!(patch("john", json!({"password": "short"})).await, 422);
    assert_eq!(patch("john", json!({"rôle": "admin"})).await, 400);
    let new = json!({"name": "Ann", "role": "approver", "password": "a long way to go"});
    assert_eq!(desk.call("POST", "/api/v1/users", Some(&boss), Some(new.clone())).await.0, 201);
    assert_eq!(desk.call("POST", "/api/v1/users", Some(&boss), Some(new)).await.0, 409);
    assert_eq!(desk.login("ann", "a long way to go").await.0, 200);

    assert_eq!(desk.call("GET", "/api/v1/audit", Some(&johns), None).await.0, 200);
    assert_eq!(patch("john", json!({"role": "viewer"})).await, 200);
    assert_eq!(desk.call("GET", "/api/v1/audit", Some(&johns), None).await.0, 403, "at once");
    let own = json!({"password": PASSWORD, "new": "over the hills and far"});
    let wrong = json!({"password": "something else", "new": "over the hills and far"});
    assert_eq!(desk.call("POST", "/api/v1/password", Some(&johns), Some(wrong)).await.0, 401);
    assert_eq!(desk.call("POST", "/api/v1/password", Some(&johns), Some(own)).await.0, 204);
    assert_eq!(desk.call("GET", "/api/v1/session", Some(&johns), None).await.0, 401, "ended by the new password");
    assert_eq!(desk.login("john", "over the hills and far").await.0, 200);
    assert_eq!(patch("john", json!({"disabled": true})).await, 200);
    assert_eq!(desk.login("john", "over the hills and far").await.0, 401);
    let kinds: Vec<String> = desk.store.audit().expect("a list").into_iter().map(|link: Link| link.kind).collect();
    for kind in ["user-added", "user-changed", "user-disabled"] {
        assert!(kinds.iter().any(|one| one == kind), "{kind}: {kinds:?}");
    }
    let (_, users) = desk.call("GET", "/api/v1/users", Some(&boss), None).await;
    assert!(users.contains("ann") && !users.contains("argon2"), "{users}");
}

/// Catches a device whose token works on after it was taken away, and an act without an entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acts_are_told() {
    let desk = Desk::plain().await;
    let token = Some(desk.local.expose());
    drop(desk._handle.enrolment_tokens(&["D-1".into()], crate::controller::ENROLMENT).expect("a token"));
    assert_eq!(desk.call("POST", "/api/v1/devices/d-1/revoke", token, None).await.0, 200);
    assert_eq!(desk.call("POST", "/api/v1/devices/d-9/revoke", token, None).await.0, 404);
    assert_eq!(desk.call("POST", "/api/v1/run/drain", token, None).await.0, 202);
    let mut progress = desk._handle.progress();
    progress.wait_for(|progress| progress.draining).await.expect("a run that drains");
    let acts: Vec<(String, Fact)> = desk
        .store
        .audit()
        .expect("a list")
        .iter()
        .filter_map(Link::entry)
        .filter(|entry| matches!(entry.fact, Fact::OperatorActed(_) | Fact::OperatorSignedIn(_)))
        .map(|entry| (entry.actor, entry.fact))
        .collect();
    assert_eq!(acts.len(), 4, "let in once, acted three times: {acts:?}");
    assert!(acts.iter().all(|(actor, _)| actor == "jane@desk"));
    assert!(matches!(&acts[0].1, Fact::OperatorSignedIn(one) if one.how == How::Local && one.role == Role::Operator));
}

/// Catches what looks at runs giving nothing, or more than was asked for.
#[tokio::test]
async fn runs_are_seen() {
    let desk = Desk::plain().await;
    let token = Some(desk.local.expose());
    let get = async |path: &str| {
        let (status, body) = desk.call("GET", &format!("/api/v1/{path}"), token, None).await;
        (status, serde_json::from_str::<Value>(&body).expect("JSON"))
    };
    let (_, run) = get("run").await;
    assert_eq!((run["format"].as_str(), run["counts"]["total"].as_u64()), (Some("opsole.api-run/1"), Some(1)));
    assert_eq!(get("devices").await.1["devices"][0]["device"], "D-1");
    assert_eq!(get("devices?after=D-1").await.1["devices"], json!([]));
    assert!(get("devices/d-1").await.1["device"]["operations"].as_array().is_some_and(|all| !all.is_empty()));
    assert_eq!(get("runs").await.1["runs"][0]["state"], "open");
    let id = run["run"].as_str().expect("an id").to_owned();
    assert_eq!(get(&format!("report/{id}")).await.0, 200);
    assert_eq!(get("audit?limit=1").await.1["entries"].as_array().map(Vec::len), Some(1));
    let long = "x".repeat(100);
    for (path, status) in [
        ("devices/d-2", 404),
        ("report/00000000-0000-0000-0000-000000000001", 404),
        ("report/x", 400),
        ("audit?after=x", 400),
        ("audit?limit=-1", 400),
        ("devices?limit=99999999999", 400),
        ("devices?order=name", 400),
        ("devices/%00", 400),
        (&format!("devices?after={long}"), 400),
        (&format!("devices/{long}"), 400),
    ] {
        assert_eq!(get(path).await.0, status, "{path}");
    }
}

/// Catches an API that can be filled up: bodies, calls of a peer and the time of a call have bounds.
#[tokio::test]
async fn limits_hold() {
    let calls = Bucket { size: 12, every: SignedDuration::from_secs(1) };
    let limits = ApiLimits { body_bytes: 1000, call_millis: 5_000, calls, ..ApiLimits::default() };
    let desk = Desk::new(limits, None, Timestamp::UNIX_EPOCH).await;
    let (status, _) = desk.login("jane", &"x".repeat(2000)).await;
    assert_eq!(status, 413);
    assert_eq!(desk.login("jane", "x").await.0, 429, "a password costs ten calls");
    desk.clock.pass(SignedDuration::from_secs(60));
    let garbage = desk.call("POST", "/api/v1/login", None, Some(json!({"name": 1, "password": "p-a-s-s"}))).await;
    assert_eq!(garbage.0, 400);
    assert!(!garbage.1.contains("p-a-s-s"));
    assert_eq!(desk.told().get(&Why::TooMany), Some(&1));

    let slow =
        Desk::new(ApiLimits { call_millis: 50, reads: 0, ..ApiLimits::default() }, None, Timestamp::UNIX_EPOCH).await;
    let (status, body) = slow.call("GET", "/api/v1/devices", Some(slow.local.expose()), None).await;
    assert_eq!(status, 503, "{body}");
}

/// Catches a one-time token that is good from another machine, or where nobody knows from where it comes.
#[tokio::test]
async fn the_one_time_token_stays_here() {
    let desk = Desk::plain().await;
    let mut headers = axum::http::HeaderMap::new();
    let bearer = format!("Bearer {}", desk.local.expose());
    headers.insert("authorization", bearer.parse().expect("a header"));
    for (peer, good) in [(Some("127.0.0.1"), true), (Some("::1"), true), (Some("192.0.2.7"), false), (None, false)] {
        let peer = Peer::of(peer.map(|text| text.parse().expect("an address")));
        assert_eq!(guard::who(&desk.api, &headers, peer).await.is_ok(), good, "{peer}");
    }
}
