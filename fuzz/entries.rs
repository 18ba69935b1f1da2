//! One function for every parser of foreign bytes. None may panic, hang or take memory out of proportion,
//! whatever the bytes. `cargo fuzz` calls them from `fuzz/targets`, and `tests/it/parsers.rs` in every test run.

use std::path::Path;

use jiff::Timestamp;
use opsole::agent::{Durability, Journal};
use opsole::lab::packages::PackageContent;
use opsole::lab::world::World;
use opsole::model::{DeviceName, Sid};
use opsole::run::{Entry, Machine, RunPlan};
use opsole::sealed::{Body, Sealed, compare_bodies};
use opsole::state::Snapshot;
use opsole::trust::{BoxedFor, Opener, Purpose, SealedBox, follow};
use opsole::winformat::descriptor::{self as security, Substitution};
use opsole::winformat::hive::{Hive, substitute_security};
use opsole::winformat::{access, decode, dsregcmd, manage_bde, reg, sid, tpm};
use opsole::{diff, knowledge, lab, msgraph, plan, render, wire};

/// A function that takes any bytes, and says whether they are what it reads.
pub type Target = fn(&[u8]) -> bool;

/// All of them, by name.
pub const ALL: &[(&str, Target)] = &[
    ("plan", plan_file),
    ("tables", tables),
    ("world", world),
    ("graph", graph),
    ("snapshot", snapshot),
    ("messages", messages),
    ("run_journal", run_journal),
    ("agent_journal", agent_journal),
    ("filter", filter),
    ("package", package),
    ("explain", explain),
    ("ppkg", ppkg),
    ("sealed", sealed),
    ("reports", reports),
    ("descriptor", descriptor),
    ("hive", hive),
];

/// A plan that reads tables, and that snapshots are held against.
const PLAN: &str = include_str!("../examples/tenant-to-tenant/plan.yaml");
const DEVICES: &str = include_str!("../examples/tenant-to-tenant/devices.csv");
const USERS: &str = include_str!("../examples/tenant-to-tenant/users.csv");

/// When plans are resolved.
fn as_of() -> Timestamp {
    Timestamp::UNIX_EPOCH.saturating_add(jiff::SignedDuration::from_hours(499_000)).unwrap_or(Timestamp::MAX)
}

fn file_of_example(name: &str) -> Result<String, String> {
    match name {
        "devices.csv" => Ok(DEVICES.to_owned()),
        "users.csv" => Ok(USERS.to_owned()),
        _ => Err("there is no such file".to_owned()),
    }
}

/// A plan file; what it includes or reads is the same text.
#[must_use]
pub fn plan_file(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let parsed = plan::parse("plan.yaml", text, &mut |_| Ok(text.to_owned()));
    drop(plan::resolve(&parsed, as_of()));
    let parsed = plan::parse("plan.yaml", text, &mut file_of_example);
    plan::resolve(&parsed, as_of()).0.is_some()
}

/// An inventory, and a mapping of users.
#[must_use]
pub fn tables(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut taken = false;
    for table in ["devices.csv", "users.csv"] {
        let mut load = |name: &str| if name == table { Ok(text.to_owned()) } else { file_of_example(name) };
        let parsed = plan::parse("plan.yaml", PLAN, &mut load);
        taken |= plan::resolve(&parsed, as_of()).0.is_some();
    }
    taken
}

/// A world file.
#[must_use]
pub fn world(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    World::parse("world.yaml", text).is_ok_and(|world| !world.to_yaml().is_empty())
}

/// An object or a page of Graph.
#[must_use]
pub fn graph(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else { return false };
    let items = value.get("value").and_then(serde_json::Value::as_array).into_iter().flatten();
    let taken: usize = items.chain([&value]).map(msgraph::read_as_anything).sum();
    taken > 0
}

/// A snapshot file, and a plan that is held against what it says.
#[must_use]
pub fn snapshot(bytes: &[u8]) -> bool {
    let Ok(snapshot) = serde_json::from_slice::<Snapshot>(bytes) else { return false };
    let parsed = plan::parse("plan.yaml", PLAN, &mut file_of_example);
    let (Some(plan), _) = plan::resolve(&parsed, snapshot.taken_at) else { return false };
    diff::decide(&plan, &snapshot).is_ok()
}

/// What agent and controller say to each other, what is signed or sealed in it, and the token that it begins with.
#[must_use]
pub fn messages(bytes: &[u8]) -> bool {
    let plain = serde_json::from_slice::<wire::EnrolRequest>(bytes).is_ok()
        | serde_json::from_slice::<wire::EvidenceReport>(bytes).is_ok()
        | serde_json::from_slice::<wire::WorkOrder>(bytes).is_ok()
        | serde_json::from_slice::<wire::EventReport>(bytes).is_ok()
        | serde_json::from_slice::<wire::RefusalReport>(bytes).is_ok()
        | std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<wire::EnrolmentToken>().is_ok());
    plain | signed(bytes)
}

/// Signed messages. The key that they name is taken for the trusted one, so that what is inside is looked at as well.
fn signed(bytes: &[u8]) -> bool {
    let call = serde_json::from_slice::<wire::EnrolCall>(bytes).map(|call| {
        drop(call.request.open::<wire::EnrolRequest>(Purpose::Enrolment, call.request.key));
    });
    let enrolled = serde_json::from_slice::<wire::EnrolAnswer>(bytes).map(|answer| {
        let trusted = follow(answer.admission.key, &answer.changes);
        if let Ok(admission) = answer.admission.open::<wire::Admission>(Purpose::Admission, trusted) {
            unseal(&admission.token);
        }
    });
    let heard = serde_json::from_slice::<wire::EventAnswer>(bytes).map(|answer| {
        let trusted = follow(answer.acknowledgement.key, &answer.changes);
        drop(answer.acknowledgement.open::<wire::Acknowledged>(Purpose::Acknowledgement, trusted));
    });
    let order = serde_json::from_slice::<wire::OrderAnswer>(bytes).map(|answer| {
        let trusted = follow(answer.release.key, &answer.changes);
        drop(answer.release.open::<wire::Release>(Purpose::Order, trusted));
    });
    let boxed = serde_json::from_slice::<SealedBox>(bytes).map(|sealed| unseal(&sealed));
    call.is_ok() | enrolled.is_ok() | heard.is_ok() | order.is_ok() | boxed.is_ok()
}

fn unseal(sealed: &SealedBox) {
    let device = DeviceName::new("LAB-001");
    let about = BoxedFor { device: &device, run: None, what: wire::DEVICE_TOKEN };
    drop(Opener::from_seed([1; 32]).open(&about, sealed));
}

/// A run as it lies in the store: the plan of the run in the first line, then one entry a line. What could be
/// replayed is asked what comes next.
#[must_use]
pub fn run_journal(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut lines = text.lines();
    let Some(Ok(plan)) = lines.next().map(serde_json::from_str::<RunPlan>) else { return false };
    let written = text.lines().count() - 1;
    let entries: Vec<Entry> = (1..).zip(lines).map_while(|(seq, line)| Entry::parse(seq, as_of(), line).ok()).collect();
    // A journal that can't have happened is refused at its first wrong entry; what stands before it can be replayed.
    let mut machine = Machine::new(plan);
    let replayed = entries.iter().take_while(|entry| machine.apply(&entry.event, entry.at).is_ok()).count();
    drop((machine.effects(as_of()), machine.progress()));
    replayed == written
}

/// The journal of an agent on its device.
#[must_use]
pub fn agent_journal(bytes: &[u8]) -> bool {
    tempfile::tempdir().is_ok_and(|folder| open_journal(folder.path(), bytes))
}

fn open_journal(folder: &Path, bytes: &[u8]) -> bool {
    if std::fs::write(folder.join("journal.jsonl"), bytes).is_err() {
        return false;
    }
    let device = DeviceName::new("LAB-001");
    let Ok(journal) = Journal::open(folder, &device, Durability::Kill, None) else { return false };
    drop((journal.unsent(100), journal.order().is_some()));
    drop(journal);
    // What was taken once is taken again. A process that another test starts at this moment holds a copy of the lock
    // until it has become the program that it starts.
    let opens = |_| match Journal::open(folder, &device, Durability::Kill, None) {
        Err(problem) if problem.code == "agent.second" => {
            std::thread::sleep(std::time::Duration::from_millis(20));
            false
        }
        opened => opened.is_ok(),
    };
    assert!((0..250).any(opens), "a journal can be opened again");
    true
}

/// A `$filter` that a client of the emulated tenants sends.
#[must_use]
pub fn filter(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    lab::tenant::is_filter(text)
}

/// A provisioning package of the lab, and its token alone: in a container its digest would be looked at first.
#[must_use]
pub fn package(bytes: &[u8]) -> bool {
    let token = std::str::from_utf8(bytes).is_ok_and(|text| PackageContent::of_token(text).is_ok());
    PackageContent::parse(bytes).is_ok() | token
}

/// A package file, and each of its layers alone: a compressed chunk, the settings.
#[must_use]
pub fn ppkg(bytes: &[u8]) -> bool {
    let facts = opsole::ppkg::look(bytes);
    assert_eq!(facts.broken.is_none(), opsole::ppkg::read(bytes).is_ok(), "a file is a package or says why not");
    let mut chunk = Vec::new();
    drop(opsole::ppkg::xpress::decompress(bytes, 32 << 10, &mut chunk));
    assert!(chunk.len() <= 32 << 10, "a chunk has a length");
    facts.broken.is_none() | opsole::ppkg::is_customizations(bytes)
}

/// What somebody pasted to have it explained: a line of a log, or the whole of it.
#[must_use]
pub fn explain(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let found = knowledge::find(&text);
    drop(knowledge::nearest(&text));
    let style = render::explain::Style { width: 80, color: false };
    drop((render::explain::text(&found, style), render::explain::found_json(&found)));
    !found.is_empty()
}

/// A sealed plan, and a content alone: whoever holds a key that is trusted may put anything into one, and every view has
/// to stand it.
#[must_use]
pub fn sealed(bytes: &[u8]) -> bool {
    let taken = Sealed::read(bytes).is_ok();
    let Ok(body) = serde_json::from_slice::<Body>(bytes) else { return taken };
    if body.check().is_err() {
        return taken;
    }
    let shown = render::review::Shown::unsealed(&body);
    assert!(render::review::markdown(&shown).len() <= render::review::LIMIT, "a ticket has a bound");
    drop(render::review::html(&shown, None));
    assert!(compare_bodies(&body, &body).is_empty(), "nothing differs from itself");
    for device in body.devices.iter().take(2) {
        let graph = render::graph::of_device(&body, device);
        drop((render::graph::svg(&graph), render::graph::mermaid(&graph), render::graph::dot(&graph)));
        drop(render::review::markdown_device(&shown, device));
    }
    true
}

/// What Windows' programs print, and registry files: support bundles have them from anybody.
#[must_use]
pub fn reports(bytes: &[u8]) -> bool {
    let text = decode(bytes);
    let status = dsregcmd::Status::parse(&text).map(|status| status.view());
    let volumes = manage_bde::parse(&text);
    for volume in volumes.iter().flatten() {
        drop((volume.conversion(), volume.protection(), volume.permille()));
    }
    let keys = [reg::parse_export(&text), reg::parse_query(&text)];
    status.is_ok() || volumes.is_ok() || tpm::TpmText::parse(&text).is_ok() || keys.iter().any(Result::is_ok)
}

/// Two people whose SIDs are equally long, and one whose isn't.
fn people() -> Vec<Sid> {
    ["S-1-5-21-1-2-3-1104", "S-1-12-1-1-2-3-4", "S-1-5-18"].iter().filter_map(|sid| sid.parse().ok()).collect()
}

/// A security descriptor, and a SID alone.
#[must_use]
pub fn descriptor(bytes: &[u8]) -> bool {
    let alone = sid::from_bytes(bytes).is_ok_and(|found| sid::to_bytes(&found).as_deref() == Ok(bytes));
    for pair in people().windows(2) {
        let (Ok(there), Ok(back)) = (Substitution::new(&pair[0], &pair[1]), Substitution::new(&pair[1], &pair[0]))
        else {
            continue;
        };
        let Ok(after) = there.apply(bytes) else { continue };
        if after.held == 0 {
            assert_eq!(back.apply(&after.bytes).map(|home| home.bytes).as_deref(), Ok(bytes), "there and back");
        }
    }
    let Ok(parsed) = security::parse(bytes) else { return alone };
    let people = people();
    let token = access::Token::new(&people[0], [people[2].clone()]);
    for descriptor in [&parsed, &access::inherited(&parsed, access::COMPUTER)] {
        let target = access::Target { descriptor, class: access::COMPUTER, sid: Some(&people[1]) };
        let all = access::allowed(target, &token, 0x000f_01ff, &[]);
        assert!(!all || access::allowed(target, &token, access::DELETE, &[]), "the whole holds its parts");
    }
    true
}

/// A registry hive.
#[must_use]
pub fn hive(bytes: &[u8]) -> bool {
    let people = people();
    let rewritten = substitute_security(bytes, &people[0], &people[1]);
    if let Ok(after) = &rewritten {
        assert_eq!(after.bytes.len(), bytes.len(), "nothing grows");
    }
    let Ok(hive) = Hive::parse(bytes) else { return false };
    for key in hive.root().and_then(|root| root.keys()).unwrap_or_default() {
        drop((key.name(), key.values(), key.keys()));
    }
    hive.root().is_ok()
}
