//! Every parser of foreign bytes takes any bytes: no panic, no endless work. The functions are those that
//! `cargo fuzz` drives; here they get whole documents, broken in small ways, and bytes that mean nothing.
//!
//! `OPSOLE_FUZZ_CASES=5000 cargo test parsers` looks longer.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use opsole::lab::wim::{Packing, write};
use opsole::model::Sid;
use opsole::trust::{BoxedFor, ControllerKey, Envelope, Opener, Purpose, SealedBox, Signer};
use opsole::winformat::access;
use opsole::winformat::descriptor::{Ace, Descriptor};
use opsole::winformat::hive::build;
use opsole::wire;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use crate::support::{TestEnv, root};

#[path = "../../fuzz/entries.rs"]
mod entries;

/// What one input may take at most. Far above what any takes: the machine may be busy.
const LONGEST: Duration = Duration::from_secs(30);

/// Pieces that break documents in ways that chance doesn't find.
const PIECES: &[&str] = &[
    "",
    "\0",
    "\u{feff}",
    "\r",
    "\n",
    "\t",
    "'",
    "\"",
    "\"\"",
    "&a",
    "*a",
    "<<: *a",
    "? ",
    "- ",
    ": ",
    "|",
    ">",
    "#",
    "---\n",
    "...\n",
    "!!binary ",
    "{",
    "}",
    "[",
    "]",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
    "null",
    "true",
    "~",
    "-1",
    "0",
    "1e999",
    "18446744073709551616",
    "9223372036854775807",
    "NaN",
    ".inf",
    "-0",
    "0x7fffffffffffffff",
    "2026-02-30",
    "9999-12-31T23:59:60Z",
    "-009999-01-01T00:00:00Z",
    "\\u0000",
    "\\ud800",
    "%00",
    "\u{202e}",
    "\u{1f600}",
    " eq ",
    " or ",
    " and not(",
    "(((((((((((((((",
    "a/any(x:x eq 'b')",
    "startswith(",
    ",",
    ",,",
    ";",
    "S-1-5-21-4294967296",
    "S-1-12-1-0-0-0-0",
    "../../etc/passwd",
    "25h",
    "P1Y",
];

/// Values that take the place of another in JSON.
fn strangers() -> Vec<Value> {
    vec![
        Value::Null,
        false.into(),
        0.into(),
        (-1).into(),
        u64::MAX.into(),
        i64::MIN.into(),
        65_536.into(),
        1e300.into(),
        "".into(),
        "x".into(),
        "0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11".into(),
        "00000000-0000-0000-0000-000000000000".into(),
        "9999-12-30T22:00:00.999999999Z".into(),
        "-009999-01-02T01:59:59Z".into(),
        "S-1-12-1-1-2-3-4".into(),
        "device.swap-profile".into(),
        Value::Array(Vec::new()),
        serde_json::json!({}),
        serde_json::json!([[[[]]]]),
        serde_json::json!({"unknown": "x"}),
    ]
}

/// One way of breaking a document.
#[derive(Debug, Clone)]
enum Break {
    /// Other bits in a byte.
    Flip(usize, u8),
    /// A piece is put in.
    Put(usize, usize),
    /// Bytes are left out.
    Cut(usize, usize),
    /// Bytes stand there twice.
    Twice(usize, usize),
    /// The rest is lost.
    End(usize),
    /// A line is left out, or stands there twice, or comes later.
    Line(usize, usize),
    /// In the JSON of a line another value takes a place, or an entry is left out.
    Value(usize, usize, usize),
}

fn breaks() -> impl Strategy<Value = Break> {
    let at = any::<usize>;
    prop_oneof![
        2 => (at(), any::<u8>()).prop_map(|(at, bits)| Break::Flip(at, bits)),
        3 => (at(), at()).prop_map(|(at, piece)| Break::Put(at, piece)),
        1 => (at(), 1..200_usize).prop_map(|(at, length)| Break::Cut(at, length)),
        1 => (at(), 1..200_usize).prop_map(|(at, length)| Break::Twice(at, length)),
        1 => at().prop_map(Break::End),
        2 => (at(), at()).prop_map(|(at, how)| Break::Line(at, how)),
        6 => (at(), at(), at()).prop_map(|(line, at, what)| Break::Value(line, at, what)),
    ]
}

/// Counts the values below one, itself among them.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

/// Replaces the value at a place, counted from the top.
fn replace(value: &mut Value, at: &mut usize, by: &Value) -> bool {
    if *at == 0 {
        *value = by.clone();
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(list) => list.iter_mut().any(|inner| replace(inner, at, by)),
        Value::Object(map) => map.values_mut().any(|inner| replace(inner, at, by)),
        _ => false,
    }
}

fn apply(bytes: &mut Vec<u8>, how: &Break) {
    let place = |at: usize, length: usize| if length == 0 { 0 } else { at % length };
    match *how {
        Break::Flip(at, bits) if !bytes.is_empty() => {
            let at = place(at, bytes.len());
            bytes[at] ^= bits;
        }
        Break::Flip(..) => {}
        Break::Put(at, piece) => {
            let at = place(at, bytes.len() + 1);
            bytes.splice(at..at, PIECES[piece % PIECES.len()].bytes());
        }
        Break::Cut(at, length) => {
            let at = place(at, bytes.len() + 1);
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        Break::Twice(at, length) => {
            let at = place(at, bytes.len() + 1);
            let part = bytes[at..(at + length).min(bytes.len())].to_vec();
            bytes.splice(at..at, part);
        }
        Break::End(at) => bytes.truncate(place(at, bytes.len() + 1)),
        Break::Line(at, what) => {
            let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let at = place(at, lines.len());
            let line = lines.remove(at);
            let later = at + place(what / 3, lines.len() - at + 1);
            match what % 3 {
                0 => {}
                1 => lines.splice(at..at, [line.clone(), line]).for_each(drop),
                _ => lines.insert(later, line),
            }
            *bytes = lines.join(&b'\n');
        }
        Break::Value(line, at, what) => {
            let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let line = place(line, lines.len());
            let Ok(mut value) = serde_json::from_slice::<Value>(&lines[line]) else { return };
            let strangers = strangers();
            let mut at = place(at, count(&value));
            replace(&mut value, &mut at, &strangers[what % strangers.len()]);
            lines[line] = value.to_string().into_bytes();
            *bytes = lines.join(&b'\n');
        }
    }
}

/// Calls a target and says whether it took the bytes; a panic is told with the bytes that made it.
fn call(name: &str, target: entries::Target, bytes: &[u8]) -> bool {
    let start = Instant::now();
    let done = catch_unwind(AssertUnwindSafe(|| target(bytes)));
    let took = start.elapsed();
    let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(20_000)]).into_owned();
    assert!(done.is_ok(), "{name} panics at {} bytes:\n{}", bytes.len(), shown());
    assert!(took < LONGEST, "{name} took {took:?} for {} bytes:\n{}", bytes.len(), shown());
    done.unwrap_or(false)
}

fn text(path: impl AsRef<Path>) -> Vec<u8> {
    fs::read(path.as_ref()).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

/// Whole documents for a target: those of the repository, and those that a run leaves behind.
fn seeds(name: &str, run: &TestEnv) -> Vec<Vec<u8>> {
    let examples = |file: &str| {
        let all = ["ad-to-entra", "hybrid-to-entra", "tenant-to-tenant"];
        let paths = all.iter().map(|example| root().join("examples").join(example).join(file));
        paths.filter(|path| path.exists()).map(text).collect::<Vec<_>>()
    };
    let owned = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    match name {
        "plan" => [examples("plan.yaml"), vec![text(root().join("tests/it/plan_files/bad.yaml"))]].concat(),
        "tables" => [examples("devices.csv"), examples("users.csv")].concat(),
        "world" => examples("world.yaml"),
        "graph" => owned(GRAPH),
        "snapshot" => vec![text(run.path("before.json")), text(run.path("after.json"))],
        "messages" => {
            let journal = String::from_utf8(journals(run).remove(0)).expect("text");
            let lines = journal.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut all: Vec<Vec<u8>> = Vec::new();
            let mut events = Vec::new();
            for mut line in lines {
                if let Some(order) = line.get("order") {
                    all.push(order.to_string().into_bytes());
                }
                if let Some(event) = line.get_mut("event") {
                    events.push(event["event"].take());
                }
            }
            assert!(!all.is_empty() && !events.is_empty(), "{journal}");
            let run = "0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11";
            all.push(serde_json::json!({"format": 1, "run": run, "events": events}).to_string().into_bytes());
            all.extend(signed_messages());
            all
        }
        "run_journal" => {
            let database = rusqlite::Connection::open(run.path(".opsole/state.db")).expect("the store");
            let plan: Vec<u8> =
                database.query_row("SELECT plan FROM runs ORDER BY created", [], |row| row.get(0)).expect("a run");
            let mut entries = database.prepare("SELECT body FROM entries ORDER BY run, seq").expect("a table");
            let bodies = entries.query_map([], |row| row.get::<_, String>(0)).expect("entries");
            let bodies: Vec<String> = bodies.map(|body| body.expect("a body")).collect();
            assert!(bodies.len() > 50, "{}", bodies.len());
            let lines = |count: usize| {
                let entries = bodies[..count].iter().map(|body| body.as_bytes().to_vec());
                [plan.clone()].into_iter().chain(entries).collect::<Vec<_>>().join(&b'\n')
            };
            vec![lines(bodies.len()), lines(bodies.len() / 2), lines(10), lines(1)]
        }
        "agent_journal" => journals(run),
        "filter" => owned(FILTERS),
        "explain" => owned(PASTED),
        "sealed" => {
            let file = text(run.path("pilot.opsole"));
            let body = file.split(|byte| *byte == b'\n').nth(1).expect("a content").to_vec();
            vec![file, body]
        }
        "reports" => reports(),
        "descriptor" => descriptors(),
        "hive" => vec![build(&descriptors()).expect("a hive")],
        "package" => vec![lab_package(), STANDARD.encode(TOKEN).into_bytes()],
        _ => {
            vec![lab_package(), text(packages().join("other-writer.ppkg")), text(packages().join("customizations.xml"))]
        }
    }
}

/// What Windows' programs print, as published.
fn reports() -> Vec<Vec<u8>> {
    let folder = root().join("tests/samples");
    let mut names: Vec<PathBuf> =
        fs::read_dir(folder).expect("samples").map(|entry| entry.expect("a file").path()).collect();
    names.sort();
    let samples = names.into_iter().filter(|path| path.extension().is_some_and(|end| end == "txt")).map(text);
    let volume =
        "Volume C: [x]\n[OS Volume]\n\n    Conversion Status: Fully Encrypted\n    Key Protectors:\n        TPM\n";
    let export =
        "Windows Registry Editor Version 5.00\n\n[HKEY_USERS\\x]\n\"a\"=hex(2):61,00,\\\n  00,00\n@=dword:0000000f\n";
    let query = "HKEY_USERS\\x\n    Name    REG_EXPAND_SZ    %a%\n    Sid    REG_BINARY    0105\n";
    samples.chain([volume, export, query].map(|text| text.as_bytes().to_vec())).collect()
}

/// Descriptors of people's files.
fn descriptors() -> Vec<Vec<u8>> {
    let people: Vec<Sid> =
        ["S-1-5-21-1-2-3-1104", "S-1-5-32-544"].iter().map(|sid| sid.parse().expect("a SID")).collect();
    let entry = |kind: u8, sid: &Sid| Ace::plain(kind, 3, 0x1f_01ff, sid.clone());
    let class = |kind: u8, sid: &Sid| Ace {
        object: Some(access::COMPUTER),
        inheritor: Some(access::COMPUTER),
        ..entry(kind, sid)
    };
    let of = |dacl: Option<Vec<Ace>>, sacl: Option<Vec<Ace>>| {
        let (owner, group) = (Some(people[0].clone()), Some(people[1].clone()));
        Descriptor { control: 0x14, owner, group, dacl, sacl }.to_bytes().expect("a descriptor")
    };
    let list = vec![entry(1, &people[0]), entry(0, &people[1]), entry(0, &people[0]), class(5, &people[0])];
    vec![of(Some(list), Some(vec![entry(2, &people[0])])), of(None, None), of(Some(Vec::new()), None)]
}

/// Messages as they are signed and sealed.
fn signed_messages() -> Vec<Vec<u8>> {
    let signer = Signer::from_seed(&[1; 32]).expect("a key");
    let key = ControllerKey::new(Signer::from_seed(&[2; 32]).expect("a key"), Vec::new());
    let key = key.give_way(signer, Timestamp::UNIX_EPOCH).expect("a change");
    let (device, opener) = (opsole::model::DeviceName::new("LAB-001"), Opener::from_seed([1; 32]));
    let about = BoxedFor { device: &device, run: None, what: wire::DEVICE_TOKEN };
    let token = SealedBox::seal(opener.public(), &about, b"a token", [3; 32]).expect("a box");
    let enrolment = wire::EnrolmentToken::new(device.clone(), [4; 32], key.public());
    let asked = wire::EnrolRequest {
        format: wire::FORMAT,
        device: device.clone(),
        serial: "PF-1".to_owned(),
        registration: None,
        agent: "0.1.0".to_owned(),
        key: key.public(),
        boxes: opener.public(),
    };
    let request = Envelope::sign(Purpose::Enrolment, &asked, &enrolment.signer()).expect("JSON");
    let admission = wire::Admission { device: device.clone(), key: key.public(), token: token.clone() };
    let answer = wire::EnrolAnswer {
        admission: key.sign(Purpose::Admission, &admission).expect("JSON"),
        changes: key.changes().to_vec(),
    };
    let json = |value: &Value| value.to_string().into_bytes();
    vec![
        json(&serde_json::to_value(wire::EnrolCall { device, request }).expect("JSON")),
        json(&serde_json::to_value(answer).expect("JSON")),
        json(&serde_json::to_value(token).expect("JSON")),
        enrolment.expose().as_bytes().to_vec(),
    ]
}

const TOKEN: &str = r#"{"format":"opsole.lab-package/1","account":"package_1@contoso.com","token":"t","tenant":"0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11","expires":"2027-04-29T00:00:00Z"}"#;

/// A package as the lab makes it.
fn lab_package() -> Vec<u8> {
    let xml = fs::read_to_string(packages().join("customizations.xml")).expect("text");
    let xml = xml.replace("0.AXQAopaque", &STANDARD.encode(TOKEN));
    write(&[("customizations.xml", xml.as_bytes())], Packing::Xpress, uuid::Uuid::from_u128(7), Timestamp::UNIX_EPOCH)
}

fn packages() -> PathBuf {
    root().join("tests/it/package_files")
}

fn journals(run: &TestEnv) -> Vec<Vec<u8>> {
    let agents = fs::read_dir(run.path(".opsole/lab/agents")).expect("agents' folders").flatten();
    let mut found: Vec<_> =
        agents.map(|agent| agent.path().join("journal.jsonl")).filter(|path| path.exists()).collect();
    found.sort();
    let texts: Vec<Vec<u8>> = found.into_iter().map(text).filter(|text| !text.is_empty()).collect();
    assert!(!texts.is_empty(), "a run leaves journals behind");
    texts
}

const PASTED: &[&str] = &[
    "0x801c03ed",
    "-2145647635",
    "Error: 0x801c03ed AADSTS240001, then 0x80070005 and AADSTS99999",
    "    DRS Discovery Test : FAIL [0x801c0021/0x80072ee2]\n    Attempt Status : 0xc000006d\nEvent ID: 1508, 304, 305",
    r#"{"deviceErrorCode":806,"error_codes":[50126],"code":"device.profile-in-use","op":"device.swap-profile"}"#,
];

const FILTERS: &[&str] = &[
    "displayName eq 'LON-1' or displayName in ('a','b','it''s') and not(accountEnabled eq true)",
    "startswith(displayName,'x') and physicalIds/any(p:startswith(p,'[ZTDID]'))",
    "lastSyncDateTime ge 2026-01-01T00:00:00Z and deviceId eq 0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11",
];

const GRAPH: &[&str] = &[
    r##"{"value":[{"id":"0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11","userPrincipalName":"a@b.c","accountEnabled":true,"onPremisesSecurityIdentifier":"S-1-5-21-1-2-3-4","securityIdentifier":"S-1-12-1-1-2-3-4","assignedPlans":[{"capabilityStatus":"Enabled","servicePlanId":"c1ec4a95-1f05-45b3-a911-aa3fa01094f5"}],"createdDateTime":"2026-01-01T00:00:00Z"}],"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skiptoken=x"}"##,
    r##"{"id":"0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11","deviceId":"0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11","displayName":"LON-1","trustType":"ServerAd","accountEnabled":true,"azureADDeviceId":"0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11","deviceName":"LON-1","serialNumber":"1","lastSyncDateTime":"0001-01-01T00:00:00Z","enrolledDateTime":"2026-01-01T00:00:00Z"}"##,
    r##"{"id":"0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11","displayName":"P","state":"enabled","conditions":{"users":{"includeUsers":["All"],"excludeUsers":["x"],"excludeGroups":[]},"applications":{"includeUserActions":["urn:user:registerdevice"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}"##,
    r##"{"id":"0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11","userDeviceQuota":50,"multiFactorAuthConfiguration":"notRequired","azureADJoin":{"isAdminConfigurable":true,"allowedToJoin":{"@odata.type":"#microsoft.graph.enumeratedDeviceRegistrationMembership","users":["x"],"groups":[]}}}"##,
    r##"{"value":[{"id":"x","principalId":"0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11","principal":{"@odata.type":"#microsoft.graph.group"},"importStatus":"complete","state":{"deviceImportStatus":"error","deviceErrorCode":806}}]}"##,
];

/// Deep, wide and long ones: what a hostile sender would try.
fn hostile() -> Vec<Vec<u8>> {
    let long = |piece: &str, times: usize| piece.repeat(times).into_bytes();
    let mut aliases = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for n in 1..30 {
        let before = n - 1;
        aliases.push_str(&format!("a{n}: &a{n} [*a{before},*a{before},*a{before},*a{before},*a{before},*a{before}]\n"));
    }
    vec![
        Vec::new(),
        vec![0xff; 4096],
        aliases.into_bytes(),
        long("[", 200_000),
        long("{\"a\":", 100_000),
        long("- ", 100_000),
        long("a:\n  ", 50_000),
        long("(", 100_000),
        long("not(", 50_000),
        long("a eq 'b' or ", 20_000),
        long("a/any(a:", 20_000),
        long("'", 100_001),
        long("name,serial,site,user\n", 20_000),
        long("\"", 99_999),
        long("x", 3_000_000),
        long("\n", 1_000_000),
        long("1", 500_000),
    ]
}

/// Catches a parser that panics, overflows the stack or works for ever on bytes that somebody else wrote: a
/// hostile file would end the program, and one torn journal would end every later run.
#[test]
fn any_bytes_are_taken() {
    let run = TestEnv::example("tenant-to-tenant");
    drop(run.opsole("snapshot --out before.json").expect(0));
    drop(run.opsole("plan --wave pilot --out pilot.opsole").expect(0));
    drop(run.opsole("apply --wave pilot --yes").expect(0));
    drop(run.opsole("snapshot --out after.json").expect(0));
    let cases = std::env::var("OPSOLE_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150);
    for (name, target) in entries::ALL {
        let seeds = seeds(name, &run);
        let whole = seeds.iter().filter(|bytes| call(name, *target, bytes)).count();
        assert!(whole > 0, "{name}: no document is read at all, so that breaking them would try nothing");
        for bytes in hostile() {
            call(name, *target, &bytes);
        }
        // The same inputs in every run.
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let broken = (0..seeds.len(), vec(breaks(), 1..6));
        TestRunner::new_with_rng(config.clone(), rng.clone())
            .run(&broken, |(seed, breaks)| {
                let mut bytes = seeds[seed].clone();
                breaks.iter().for_each(|how| apply(&mut bytes, how));
                call(name, *target, &bytes);
                Ok(())
            })
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let noise = prop_oneof![vec(any::<u8>(), 0..400), "\\PC{0,200}".prop_map(String::into_bytes)];
        TestRunner::new_with_rng(config, rng)
            .run(&noise, |bytes| {
                call(name, *target, &bytes);
                Ok(())
            })
            .unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}
