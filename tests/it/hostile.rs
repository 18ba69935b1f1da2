//! Attackers, by hand: raw HTTP against a controller that runs, and a proxy that reads and changes everything between a
//! real agent and its controller. Each attempt is refused, told in the audit list, and changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opsole::model::{DeviceName, PublicKey};
use opsole::trust::{BoxedFor, Envelope, Opener, Purpose, Signer};
use opsole::wire::{
    Admission, DEVICE_TOKEN, EnrolAnswer, EnrolCall, EnrolRequest, EnrolmentToken, FORMAT, OrderAnswer, Release,
    SIGNATURE, call_text,
};
use serde_json::{Value, json};

use crate::support::TestEnv;

const DEVICE: &str = "LON-IT-001";
const OTHER: &str = "LON-IT-002";
/// Calls of a device: method, path, and a body that is one for it.
const CALLS: &[(&str, &str)] = &[
    ("POST", "/agent/v1/evidence"),
    ("POST", "/agent/v1/events"),
    ("POST", "/agent/v1/refusals"),
    ("GET", "/agent/v1/order?after=0"),
];

/// A controller that waits for agents which never come.
struct Stage {
    env: TestEnv,
    controller: Child,
    address: SocketAddr,
    tokens: BTreeMap<String, EnrolmentToken>,
}

/// What an agent would report of a device.
fn evidence(env: &TestEnv, device: &str) -> Value {
    let found = env.opsole(&format!("agent inspect --device {device} -o json")).expect(0).json();
    json!({"at": found["at"], "facts": found["facts"], "survey": found["survey"]})
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.controller.kill());
        drop(self.controller.wait());
    }
}

struct Answer {
    status: u16,
    body: String,
}

impl Stage {
    fn new(speed: &str) -> Self {
        Self::of(TestEnv::example("hybrid-to-entra"), speed)
    }
    fn of(env: TestEnv, speed: &str) -> Self {
        let args = ["apply", "--wave", "pilot", "--yes", "--agents", "external", "--enrolment", "agents.json"];
        let mut command = env.command(args.iter().copied().chain(["--lab-speed", speed]));
        let controller = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a controller");
        let until = Instant::now() + Duration::from_secs(60);
        while !env.path("agents.json").exists() {
            assert!(Instant::now() < until, "no controller");
            std::thread::sleep(Duration::from_millis(20));
        }
        let settings: Value = serde_json::from_str(&env.read("agents.json")).expect("JSON");
        let address = settings["controller"].as_str().and_then(|url| url.strip_prefix("http://")).expect("an address");
        let address = address.parse().expect("an address");
        let tokens = settings["tokens"].as_object().expect("tokens").iter();
        let tokens = tokens.map(|(name, text)| (name.clone(), text.as_str().expect("text").parse().expect("a token")));
        Self { controller, address, tokens: tokens.collect(), env }
    }

    fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: opsole\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        raw(self.address, &[head.as_bytes(), body].concat())
    }

    fn told(&self, kind: &str) -> Vec<Value> {
        let list = self.env.opsole("audit list -o json").expect(0).json();
        let entries = list["entries"].as_array().expect("entries").clone();
        entries.into_iter().filter(|entry| entry["kind"] == kind).map(|entry| entry["body"].clone()).collect()
    }
}

/// Sends bytes as they are and reads what comes back.
fn raw(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    // The server may have answered and hung up before all was sent.
    drop(stream.write_all(bytes));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    let text = String::from_utf8_lossy(&answer);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, body: text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default() }
}

/// What a device has, in the hands of somebody who speaks for it.
struct Device {
    name: DeviceName,
    signer: Signer,
    opener: Opener,
    token: String,
}

impl Device {
    fn new(name: &str, seed: u8) -> Self {
        let signer = Signer::from_seed(&[seed; 32]).expect("a key");
        Self { name: name.into(), signer, opener: Opener::from_seed([seed; 32]), token: String::new() }
    }
    fn request(&self, serial: &str) -> EnrolRequest {
        EnrolRequest {
            format: FORMAT,
            device: self.name.clone(),
            serial: serial.to_owned(),
            registration: None,
            agent: "hostile".to_owned(),
            key: self.signer.public(),
            boxes: self.opener.public(),
        }
    }
    fn enrol(&mut self, stage: &Stage, token: &EnrolmentToken, serial: &str) -> Answer {
        let answer = enrol(stage, &self.name, &self.request(serial), &token.signer());
        if answer.status == 200 {
            let parsed: EnrolAnswer = serde_json::from_str(&answer.body).expect("JSON");
            let admission: Admission =
                parsed.admission.open(Purpose::Admission, token.controller()).expect("the controller's");
            let about = BoxedFor { device: &self.name, run: None, what: DEVICE_TOKEN };
            let opened = self.opener.open(&about, &admission.token).expect("sealed for it");
            self.token = String::from_utf8(opened.to_vec()).expect("text");
        }
        answer
    }
    fn call(&self, stage: &Stage, method: &str, target: &str, body: &[u8]) -> Answer {
        let signature = Purpose::Call.sign(&call_text(method, target, body), &self.signer);
        let bearer = format!("Bearer {}", self.token);
        loop {
            let answer = stage.send(method, target, &[("Authorization", &bearer), (SIGNATURE, &signature)], body);
            // Whoever calls too often is slowed; here every answer counts.
            if answer.status != 429 {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

fn enrol(stage: &Stage, name: &DeviceName, request: &EnrolRequest, signer: &Signer) -> Answer {
    let request = Envelope::sign(Purpose::Enrolment, request, signer).expect("JSON");
    let call = EnrolCall { device: name.clone(), request };
    stage.send("POST", "/agent/v1/enrol", &[], &serde_json::to_vec(&call).expect("JSON"))
}

fn serial(device: &str) -> String {
    format!("PF-0{}", &device[device.len() - 3..])
}

/// Catches a call that is answered to somebody who isn't a device, an answer that says more to one stranger than to
/// another, and knocking that nobody hears of.
#[test]
fn strangers_learn_nothing() {
    let stage = Stage::new("1");
    let key = Signer::from_seed(&[1; 32]).expect("a key");
    let enrolment = stage.tokens[DEVICE].expose();
    let names = ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer LON-IT-001.00", "Bearer NOBODY.00"];
    let mut bearers: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    bearers.push(format!("Bearer {}", enrolment.as_str()));
    bearers.push(format!("Bearer {DEVICE}.{}", "0".repeat(64)));
    let mut bodies = BTreeSet::new();
    for (method, target) in CALLS {
        for bearer in &bearers {
            let signature = Purpose::Call.sign(&call_text(method, target, b"{}"), &key);
            let body: &[u8] = if *method == "GET" { b"" } else { b"{}" };
            let answer = stage.send(method, target, &[("Authorization", bearer), (SIGNATURE, &signature)], body);
            assert_eq!(answer.status, 401, "{method} {target} as `{bearer}`: {}", answer.body);
            bodies.insert(answer.body);
        }
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let calls: BTreeSet<String> =
        stage.told("calls-refused").iter().map(|body| body["call"].as_str().expect("a call").to_owned()).collect();
    assert!(calls.iter().map(String::as_str).eq(["events", "evidence", "order", "refusals"]), "{calls:?}");
}

/// Catches an enrolment token that works for another device, another machine, twice, or for whoever read the wire; and a
/// device that was set up anew and slips in without anybody's decision.
#[test]
fn a_token_lets_one_device_in_once() {
    let stage = Stage::new("1");
    let (token, other) = (&stage.tokens[DEVICE], &stage.tokens[OTHER]);
    let mut device = Device::new(DEVICE, 1);
    let thief = Device::new(DEVICE, 9);
    let good = device.request(&serial(DEVICE));
    let refused = [
        enrol(&stage, &device.name, &good, &other.signer()),
        enrol(&stage, &device.name, &good, &Signer::from_seed(&[7; 32]).expect("a key")),
        enrol(&stage, &OTHER.into(), &good, &other.signer()),
        enrol(&stage, &device.name, &device.request(&serial(OTHER)), &token.signer()),
        enrol(&stage, &device.name, &device.request("' or 1=1 --"), &token.signer()),
        enrol(&stage, &"../../LON-IT-001".into(), &good, &token.signer()),
        enrol(&stage, &"".into(), &good, &token.signer()),
    ];
    let bodies: BTreeSet<&str> = refused.iter().map(|answer| answer.body.as_str()).collect();
    assert!(refused.iter().all(|answer| answer.status == 403) && bodies.len() == 1, "{bodies:?}");

    assert_eq!(device.enrol(&stage, token, &serial(DEVICE)).status, 200);
    let request = thief.request(&serial(DEVICE));
    assert_eq!(enrol(&stage, &thief.name, &request, &token.signer()).status, 403, "the token belongs to the first key");
    assert_eq!(device.call(&stage, "GET", "/agent/v1/order?after=0&wait_secs=20", b"").status, 200);
    // What a proxy recorded, sent again.
    assert_eq!(enrol(&stage, &device.name, &good, &token.signer()).status, 403, "spent");

    // Revoking shuts the keys out.
    drop(stage.env.opsole("devices revoke LON-IT-001 --reason stolen --yes").expect(0));
    assert_eq!(
        device.call(&stage, "GET", "/agent/v1/order?after=0", b"").status,
        401,
        "at once, in a run that goes on"
    );
    let reasons: Vec<String> =
        stage.told("calls-refused").iter().map(|body| body["reason"].as_str().expect("why").to_owned()).collect();
    for wanted in
        ["not signed with the token's key", "another serial number", "another device used the token", "no device of"]
    {
        assert!(reasons.iter().any(|reason| reason.contains(wanted)), "{wanted}: {reasons:?}");
    }
    assert_eq!(stage.told("device-revoked")[0]["reason"], "stolen");
    assert_eq!(stage.told("device-enrolled")[0]["device"], DEVICE);
}

/// Catches a token that is good without its device's key, and a signature that is good for another call.
#[test]
fn a_stolen_token_is_no_good() {
    let env = TestEnv::example("hybrid-to-entra");
    let theirs = evidence(&env, OTHER);
    let stage = Stage::of(env, "1");
    let (mut device, mut other) = (Device::new(DEVICE, 1), Device::new(OTHER, 2));
    assert_eq!(device.enrol(&stage, &stage.tokens[DEVICE], &serial(DEVICE)).status, 200);
    assert_eq!(other.enrol(&stage, &stage.tokens[OTHER], &serial(OTHER)).status, 200);
    let refusal = br#"{"code":"order.older","order":"0000000000000000000000000000000000000000000000000000000000000000","run":null,"generation":null}"#;
    assert_eq!(device.call(&stage, "POST", "/agent/v1/refusals", refusal).status, 204, "it is a good call");
    // The token in the hands of another enrolled device, and of somebody without any key.
    let stolen = Device { token: device.token.clone(), ..Device::new(OTHER, 2) };
    assert_eq!(stolen.call(&stage, "GET", "/agent/v1/order?after=0", b"").status, 401);
    let bearer = format!("Bearer {}", device.token);
    let good = Purpose::Call.sign(&call_text("POST", "/agent/v1/refusals", refusal), &device.signer);
    let changed = String::from_utf8_lossy(refusal).replace("older", "forged");
    for (target, signature, body) in [
        ("/agent/v1/refusals", "", refusal.as_slice()),
        ("/agent/v1/refusals", "!!!", refusal),
        ("/agent/v1/refusals", good.as_str(), changed.as_bytes()),
        ("/agent/v1/events", good.as_str(), refusal),
        ("/agent/v1/refusals?x=1", good.as_str(), refusal),
    ] {
        let answer = stage.send("POST", target, &[("Authorization", &bearer), (SIGNATURE, signature)], body);
        assert_eq!(answer.status, 401, "{target} {signature}");
    }
    // Another purpose's signature over the very same text.
    let text = call_text("POST", "/agent/v1/refusals", refusal);
    let foreign = Purpose::Enrolment.sign(&text, &device.signer);
    let answer =
        stage.send("POST", "/agent/v1/refusals", &[("Authorization", &bearer), (SIGNATURE, &foreign)], refusal);
    assert_eq!(answer.status, 401);
    // An enrolled device speaks for itself alone: facts of another one are refused.
    let answer = device.call(&stage, "POST", "/agent/v1/evidence", theirs.to_string().as_bytes());
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(other.call(&stage, "POST", "/agent/v1/evidence", theirs.to_string().as_bytes()).status, 204);
}

/// Catches a malicious device that makes the controller fall over, or that gets anything in which isn't a report.
#[test]
fn malformed_calls_are_refused() {
    let env = TestEnv::example("hybrid-to-entra");
    let good = evidence(&env, DEVICE);
    let stage = Stage::of(env, "1");
    let mut device = Device::new(DEVICE, 1);
    assert_eq!(device.enrol(&stage, &stage.tokens[DEVICE], &serial(DEVICE)).status, 200);
    let run = "01a202fe-0000-7000-8000-000000000001";
    let step = json!({"op": "device.preflight", "kind": "do"});
    let reports = [
        ("evidence", good),
        (
            "events",
            json!({"run": run, "events": [{"seq": 1, "at": "2026-12-02T18:30:00Z", "step": step, "kind": "started"}]}),
        ),
        ("refusals", json!({"code": "order.older", "order": "00", "run": run, "generation": 1})),
    ];
    let strange = [json!(null), json!(-1), json!("\u{0}../..\u{202e}"), json!([[]]), json!({"a": {}}), json!(1e300)];
    for (call, good) in &reports {
        let target = format!("/agent/v1/{call}");
        for place in places(good) {
            for value in &strange {
                let mut report = good.clone();
                *report.pointer_mut(&place).expect("a place") = value.clone();
                let answer = device.call(&stage, "POST", &target, report.to_string().as_bytes());
                let ok = matches!(answer.status, 204 | 400 | 403 | 409);
                assert!(ok, "{call} {place} {value}: {} {}", answer.status, answer.body);
            }
        }
        let text = good.to_string();
        for body in
            [&b""[..], b"\xff\xfe", b"[", b"null", "[".repeat(100_000).as_bytes(), &text.as_bytes()[..text.len() / 2]]
        {
            assert_eq!(device.call(&stage, "POST", &target, body).status, 400, "{call}");
        }
    }
    for query in ["after=-1", "after=x", "after=99999999999999999999", "wait_secs=x"] {
        assert_eq!(device.call(&stage, "GET", &format!("/agent/v1/order?{query}"), b"").status, 400, "{query}");
    }
    let enrolment = serde_json::to_value(EnrolCall {
        device: DEVICE.into(),
        request: Envelope::sign(Purpose::Enrolment, &device.request("x"), &device.signer).expect("JSON"),
    });
    let enrolment = enrolment.expect("JSON");
    for place in places(&enrolment) {
        for value in &strange {
            let mut call = enrolment.clone();
            *call.pointer_mut(&place).expect("a place") = value.clone();
            let answer = stage.send("POST", "/agent/v1/enrol", &[], call.to_string().as_bytes());
            assert!(matches!(answer.status, 400 | 403), "{place} {value}: {}", answer.status);
        }
    }
    // However much one device complains, the list takes so much of it and no more.
    for number in 0..60 {
        let report = json!({"code": "order.older", "order": format!("{number:064x}"), "run": null, "generation": null});
        let answer = device.call(&stage, "POST", "/agent/v1/refusals", report.to_string().as_bytes());
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
    assert_eq!(stage.told("order-refused").len(), 50);
    assert_eq!(device.call(&stage, "POST", "/agent/v1/events", &vec![b'x'; 2 << 20]).status, 413);
    assert_eq!(device.call(&stage, "GET", "/agent/v1/order?after=0&wait_secs=20", b"").status, 200, "still there");
}

fn places(value: &Value) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut add =
        |key: String, value: &Value| all.extend(places(value).into_iter().map(|rest| format!("/{key}{rest}")));
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| add(key.clone(), value)),
        Value::Array(list) => list.iter().enumerate().for_each(|(at, value)| add(at.to_string(), value)),
        _ => {}
    }
    all
}

/// Catches a path that leads out of what the controller serves, and requests that aren't HTTP.
#[test]
fn there_is_no_way_out_of_the_routes() {
    let stage = Stage::new("1");
    for target in [
        "/../../etc/passwd",
        "/agent/v1/../../../etc/passwd",
        "/agent/v1/%2e%2e/%2e%2e/etc/passwd",
        "/agent/v1/..%2f..%2fstate.db",
        "//etc/passwd",
        "/agent/v1/order/../enrol",
        "/.opsole/state.db",
        "/agent/v2/order",
        "/AGENT/V1/ORDER",
    ] {
        let answer = stage.send("GET", target, &[], b"");
        assert!(matches!(answer.status, 401 | 404), "{target}: {}", answer.status);
    }
    for method in ["PUT", "DELETE", "TRACE", "CONNECT", "PATCH"] {
        let answer = stage.send(method, "/agent/v1/order?after=0", &[], b"");
        assert!(matches!(answer.status, 400 | 404 | 405), "{method}: {}", answer.status);
    }
    for bytes in [&b"\x16\x03\x01\x02\x00\x01"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0\0\0\0\r\n\r\n"] {
        let answer = raw(stage.address, bytes);
        assert!(matches!(answer.status, 0 | 400 | 404 | 505), "{}", answer.status);
    }
    let two = b"POST /agent/v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /agent/v1/order HTTP/1.1\r\nHost: x\r\n\r\n";
    assert!(matches!(raw(stage.address, two).status, 0 | 400), "two lengths are none");
}

/// What the proxy does with the answers to one agent.
struct Proxy {
    upstream: SocketAddr,
    /// The answer with another device's order.
    foreign: String,
    controller: PublicKey,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    orders: usize,
    acknowledgements: usize,
    first: Option<String>,
    text: String,
}

impl Proxy {
    /// Changes an answer on its way.
    fn change(&self, target: &str, answer: String) -> String {
        let mut seen = self.seen.lock().expect("a lock");
        let own = Signer::from_seed(&[66; 32]).expect("a key");
        if target.starts_with("/agent/v1/order") {
            let Ok(parsed) = serde_json::from_str::<OrderAnswer>(&answer) else { return answer };
            seen.orders += 1;
            let first = seen.first.get_or_insert_with(|| answer.clone()).clone();
            let send = |release: Envelope| {
                serde_json::to_string(&OrderAnswer { release, changes: parsed.changes.clone() }).expect("JSON")
            };
            return match seen.orders {
                1 => send(Envelope {
                    text: parsed.release.text.replace("\"generation\":1", "\"generation\":7"),
                    ..parsed.release.clone()
                }),
                2 => send(Envelope {
                    text: parsed.release.text.replace("device.preflight", "device.clean-up"),
                    ..parsed.release.clone()
                }),
                3 => {
                    let release: Release =
                        parsed.release.open(Purpose::Order, self.controller).expect("the controller's");
                    send(Envelope::sign(Purpose::Order, &release, &own).expect("JSON"))
                }
                4 => self.foreign.clone(),
                // Once a newer one went through, the oldest again.
                n if n % 2 == 0 && first != answer => first,
                _ => answer,
            };
        }
        if target == "/agent/v1/events" && answer.contains("acknowledgement") {
            seen.acknowledgements += 1;
            if seen.acknowledgements % 2 == 1 {
                let said = json!({"device": DEVICE, "run": uuid::Uuid::nil(), "acknowledged": 1_000_000});
                let acknowledgement = Envelope::sign(Purpose::Acknowledgement, &said, &own).expect("JSON");
                return json!({"acknowledgement": acknowledgement, "changes": []}).to_string();
            }
        }
        answer
    }

    fn serve(self: &Arc<Self>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let proxy = Arc::clone(self);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let proxy = Arc::clone(&proxy);
                std::thread::spawn(move || proxy.pass(stream));
            }
        });
        address
    }

    /// Passes one call on; an error ends the connection, as a bad network does.
    fn pass(&self, mut stream: TcpStream) -> Option<()> {
        let (head, body) = message(&mut stream)?;
        let target = head.split(' ').nth(1)?.to_owned();
        let mut upstream = TcpStream::connect(self.upstream).ok()?;
        let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        upstream.write_all(head.as_bytes()).and_then(|()| upstream.write_all(&body)).ok()?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8(answer).ok()?;
        {
            let mut seen = self.seen.lock().expect("a lock");
            seen.text.push_str(&head);
            seen.text.push_str(&String::from_utf8_lossy(&body));
            seen.text.push_str(&answer);
        }
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.lines().next()?;
        let body = if head.contains("chunked") { return None } else { self.change(&target, body.to_owned()) };
        let length =
            if status.contains(" 204 ") { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let answer = format!("{status}\r\nContent-Type: application/json\r\nConnection: close\r\n{length}\r\n{body}");
        stream.write_all(answer.as_bytes()).ok()
    }
}

/// Reads one HTTP message with its body.
fn message(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    stream.set_read_timeout(Some(Duration::from_secs(120))).ok()?;
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end + 4].to_vec()).ok()?;
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0_usize) {
                return Some((head, bytes[end + 4..].to_vec()));
            }
        }
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
    }
}

/// Catches an agent that does what somebody between it and its controller wants: orders that were changed, that another
/// key signed, another device's or an older one, and acknowledgements that would make it forget what it did. It tells of
/// each, and its device still gets where it should. Whoever reads all of the wire reads no package and no token's secret.
#[test]
fn a_proxy_reads_and_changes_nothing() {
    let stage = Stage::new("2000");
    let mut other = Device::new(OTHER, 2);
    assert_eq!(other.enrol(&stage, &stage.tokens[OTHER], &serial(OTHER)).status, 200);
    let foreign = other.call(&stage, "GET", "/agent/v1/order?after=0&wait_secs=60", b"");
    assert_eq!(foreign.status, 200, "{}", foreign.body);
    let controller = stage.tokens[DEVICE].controller();
    let proxy = Proxy { upstream: stage.address, foreign: foreign.body, controller, seen: Mutex::default() };
    let proxy = Arc::new(proxy);
    let address = proxy.serve();
    let mut settings: Value = serde_json::from_str(&stage.env.read("agents.json")).expect("JSON");
    settings["controller"] = json!(format!("http://{address}"));
    stage.env.write("through.json", &settings.to_string());
    let mut agent = stage
        .env
        .command(["agent", "run", "--enrolment", "through.json", "--device", DEVICE])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("an agent");
    let until = Instant::now() + Duration::from_secs(150);
    loop {
        let status = stage.env.opsole("status -o json").expect(0);
        let done = device_is(&status.json(), "complete");
        if done {
            break;
        }
        assert!(Instant::now() < until, "{}", status.out);
        std::thread::sleep(Duration::from_millis(300));
    }
    drop(agent.kill());
    drop(agent.wait());
    let told = stage.told("order-refused");
    let codes: BTreeSet<&str> = told.iter().filter_map(|body| body["code"].as_str()).collect();
    for code in ["order.forged", "order.other-key", "order.other-device", "order.older"] {
        assert!(codes.contains(code), "{code}: {codes:?}");
    }
    assert!(told.iter().all(|body| body["device"] == DEVICE));
    let seen = proxy.seen.lock().expect("a lock");
    assert!(seen.acknowledgements > 2 && seen.text.len() > 10_000);
    // The package of the lab is JSON: its words would be seen, in clear or in base64.
    for secret in
        ["opsole.lab-package", "b3Bzb2xlLmxhYi1wYWNrYWdl", "BzbsxsLmxhYi", stage.tokens[DEVICE].expose().as_str()]
    {
        assert!(!seen.text.contains(secret), "{secret} is on the wire");
    }
}

fn device_is(status: &Value, outcome: &str) -> bool {
    let devices = status["run"]["devices"].as_array();
    devices
        .is_some_and(|devices| devices.iter().any(|device| device["device"] == DEVICE && device["outcome"] == outcome))
}

/// Catches a new controller's key that devices in the middle of their migration don't follow, or that they have to be
/// touched for.
#[test]
fn devices_follow_a_new_controller_key() {
    let env = TestEnv::example("hybrid-to-entra");
    let killed = env.opsole("apply --wave pilot --yes --kill-after-entry 30");
    assert_ne!(killed.code, Some(0), "{}", killed.err);
    for _ in 0..2 {
        drop(env.opsole("keys rotate-controller --yes").expect(0));
    }
    drop(env.opsole("apply --resume --yes").expect(0));
    let list = env.opsole("audit list -o json").expect(0).json();
    let of = |kind: &str| -> Vec<&Value> {
        list["entries"].as_array().expect("entries").iter().filter(|entry| entry["kind"] == kind).collect()
    };
    let changed = of("controller-key-changed");
    assert_eq!(changed.len(), 2);
    assert_eq!(changed[0]["body"]["to"], changed[1]["body"]["from"]);
    let enrolled = of("device-enrolled").into_iter().filter(|entry| entry["body"]["device"] == DEVICE).count();
    assert_eq!(enrolled, 1, "it was touched once");
    assert!(of("order-refused").is_empty(), "{:?}", of("order-refused"));
}

/// Catches tokens in a file that others read or that overwrites one, tokens for devices that don't run, and a device that
/// is shut out without anybody having said yes.
#[test]
fn tokens_are_issued_and_taken_back() {
    let env = TestEnv::example("hybrid-to-entra");
    let issued = env.opsole("devices issue --wave pilot --device lon-it-001 --out one.json -o json").expect(0).json();
    assert_eq!((&issued["devices"], &issued["enrolled_already"]), (&json!([DEVICE]), &json!([])));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(env.path("one.json")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let before = env.read("one.json");
    let token: Value = serde_json::from_str(&before).expect("JSON");
    let token: EnrolmentToken = token["tokens"][DEVICE].as_str().expect("a token").parse().expect("a token");
    assert_eq!(token.device().as_str(), DEVICE);
    let again = env.opsole("devices issue --wave pilot --out one.json").expect(1);
    assert!(again.err.contains("cli.write") && env.read("one.json") == before, "{}", again.err);
    let nobody = env.opsole("devices issue --wave pilot --device NOBODY --out two.json").expect(1);
    assert!(nobody.err.contains("enrolment.none") && !env.path("two.json").exists(), "{}", nobody.err);
    let list = env.opsole("devices list -o json").expect(0).json();
    let one = &list["devices"][0];
    assert_eq!(
        (&one["device"], &one["enrolled"], &one["token"]["wave"]),
        (&json!(DEVICE), &json!(null), &json!("pilot"))
    );
    assert!(!list.to_string().contains(&before[before.find("opsole1").expect("a token")..][..40]));

    assert!(env.opsole("devices revoke NOBODY --reason x --yes").expect(1).err.contains("enrolment.unknown"));
    let unasked = env.opsole("devices revoke LON-IT-001 --reason x");
    assert!(unasked.code != Some(0) && unasked.err.contains("cli.not-confirmed"), "{}", unasked.err);
    drop(env.opsole("apply --wave pilot --yes").expect(0));
    let list = env.opsole("devices list").expect(0);
    assert!(list.out.contains("2 devices enrolled"), "{}", list.out);
    drop(env.opsole("devices revoke LON-IT-001 LON-IT-002 --reason done --yes").expect(0));
    assert!(env.opsole("devices list").expect(0).out.contains("No device"));
}

/// Catches settings of one device that hold another's token, that others can read, or that the agent refuses; and an old
/// file that stays beside a token that is void.
#[cfg(unix)]
#[test]
fn each_device_gets_settings_of_its_own() {
    use std::os::unix::fs::PermissionsExt as _;

    use opsole::windows::install::AgentSettings;

    let env = TestEnv::example("hybrid-to-entra");
    let issue = |out: &str| {
        let line = format!(
            "devices issue --wave pilot --out {out} --settings agents --url https://opsole.contoso.com:8443 -o json"
        );
        env.opsole(&line).expect(0).json()
    };
    let read = |device: &str| {
        let path = env.path(format!("agents/{device}.json"));
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600, "{device}");
        AgentSettings::parse(&std::fs::read(&path).expect("readable")).expect("settings")
    };
    let first = issue("one.json");
    assert_eq!(first["settings"].as_array().map(Vec::len), Some(2), "{first}");
    let tokens: Value = serde_json::from_str(&env.read("one.json")).expect("JSON");
    for device in ["LON-IT-001", "LON-IT-002"] {
        let settings = read(device);
        assert_eq!(settings.controller, "https://opsole.contoso.com:8443");
        assert_eq!(settings.device.as_ref().map(|name| name.as_str()), Some(device));
        assert_eq!(settings.token.as_ref().map(|token| token.as_str()), tokens["tokens"][device].as_str());
        assert!(!first.to_string().contains(tokens["tokens"][device].as_str().expect("a token")), "shown");
    }
    let before = read("LON-IT-001").token;
    drop(issue("two.json"));
    assert_ne!(read("LON-IT-001").token, before, "a new token makes the one before void");
    let mut left: Vec<_> =
        std::fs::read_dir(env.path("agents")).expect("a folder").flatten().map(|e| e.file_name()).collect();
    left.sort();
    assert_eq!(left, ["LON-IT-001.json", "LON-IT-002.json"], "no draft is left");
    let lonely = env.opsole("devices issue --wave pilot --out three.json --settings agents").expect(64);
    assert!(lonely.err.contains("--url"), "{}", lonely.err);
}
