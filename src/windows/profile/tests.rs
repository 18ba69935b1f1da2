//! Laws of the swap, over a Windows in memory that fails and dies at every call.

use std::collections::BTreeMap;

use super::*;
use crate::model::{ProfileHealth, Sid};
use crate::windows::machine::{Key, Value};
use crate::windows::memory::{Content, Memory, SAMPLE_NOW, State, descriptor};
use crate::winformat::hive::{Hive, build};
use crate::winformat::sid;

const OLD: &str = "S-1-5-21-1-2-3-1104";
const NEW: &str = "S-1-12-1-910410835-1306523740-2996082354-1245529378";
const OTHER: &str = "S-1-5-21-1-2-3-1105";
const SYSTEM: &str = "S-1-5-18";
const ADMINS: &str = "S-1-5-32-544";
const HOME: &str = r"C:\Users\anna";
const PRIVATE: &str = r"C:\ProgramData\opsole\private";
const GUID: &str = "{aaaaaaaa-0000-4000-8000-000000000001}";

fn person(text: &str) -> Sid {
    text.parse().expect("a SID")
}

fn rights(owner: &str, people: &[&str]) -> Vec<u8> {
    descriptor(&person(owner), people, true)
}

fn hive(owner: &str) -> Vec<u8> {
    let own = [SYSTEM, ADMINS, owner];
    // The last key lets the new owner in already, as somebody who prepared the move would have done it.
    build(&[rights(ADMINS, &own), rights(owner, &own), rights(OTHER, &[OTHER, SYSTEM]), rights(owner, &[owner, NEW])])
        .expect("a hive")
}

fn put(state: &mut State, path: &str, content: Content, security: Vec<u8>) {
    state.put_file_node(path, content);
    state.files.get_mut(&path.to_lowercase()).expect("a file").security = security;
}

fn key_of(owner: &str) -> Key {
    Key::machine(PROFILE_LIST).join(owner)
}

fn profile(state: &mut State, owner: &str, path: &str) {
    let own = [SYSTEM, ADMINS, owner];
    put(state, path, Content::Folder, rights(owner, &own));
    for file in HIVES {
        put(state, &format!("{path}\\{file}"), Content::File(hive(owner)), rights(SYSTEM, &own));
    }
    let key = key_of(owner);
    state.put_value(&key, IMAGE_PATH, Value::ExpandSz(path.replace("C:", "%SystemDrive%")));
    state.put_value(&key, "State", Value::Dword(0));
    state.put_value(&key, "Sid", Value::Binary(sid::to_bytes(&person(owner)).expect("bytes")));
}

/// A person with a profile, another person, and what lies about in profiles.
fn machine() -> Memory {
    let memory = Memory::new(SAMPLE_NOW);
    memory.with(|state| {
        state.put_folder(PRIVATE);
        profile(state, OTHER, r"C:\Users\bert");
        profile(state, OLD, HOME);
        let own = [SYSTEM, ADMINS, OLD];
        let key = key_of(OLD);
        state.put_value(&key, "Guid", Value::Sz(GUID.to_owned()));
        state.put_value(&key, "Odd", Value::Other(9, vec![1, 2]));
        state.put_value(&key.join("Preference"), "Texts", Value::MultiSz(vec!["a".to_owned()]));
        state.put_value(&Key::machine(PROFILE_GUID).join(GUID), "SidString", Value::Sz(OLD.to_owned()));
        state.put_value(
            &Key::machine(PROFILE_LIST).join(SYSTEM),
            IMAGE_PATH,
            Value::ExpandSz(r"%SystemRoot%\x".into()),
        );
        let mut file = |path: &str, owner: &str, people: &[&str]| {
            put(state, &format!("{HOME}\\{path}"), Content::File(b"x".to_vec()), rights(owner, people));
        };
        file(r"Documents\letter.txt", OLD, &own);
        file(r"Documents\shared.txt", OLD, &[OLD, NEW]);
        file(r"Documents\theirs.txt", NEW, &[NEW, OTHER]);
        file(r"Documents\bert.txt", OTHER, &[OTHER]);
        file(r"AppData\Local\Packages\Microsoft.AAD.BrokerPlugin_cw5n1h2txyewy\AC\a.tbacct", OLD, &own);
        put(state, &format!("{HOME}\\Application Data"), Content::Reparse, rights(OLD, &own));
        // Whoever follows the link finds this.
        put(state, &format!("{HOME}\\Application Data\\outside.txt"), Content::File(Vec::new()), rights(OLD, &own));
        put(state, r"D:\data.txt", Content::File(Vec::new()), rights(OLD, &own));
    });
    memory
}

/// As [`machine`], and the new owner has signed in once.
fn with_spare() -> Memory {
    let memory = machine();
    memory.with(|state| profile(state, NEW, r"C:\Users\anna.AzureAD"));
    memory
}

fn swap_there(memory: &Memory) -> crate::port::Result<()> {
    swap(memory, PRIVATE, &person(OLD), &person(NEW), HOME)
}

fn swap_back(memory: &Memory) -> crate::port::Result<()> {
    swap(memory, PRIVATE, &person(NEW), &person(OLD), HOME)
}

/// Everything on the machine, files byte for byte, without our own folder and the tokens that don't come back.
fn all(memory: &Memory) -> BTreeMap<String, String> {
    let mut all = memory.dump();
    memory.with(|state| {
        for (path, node) in &state.files {
            if let Content::File(bytes) = &node.content {
                all.insert(format!("bytes {path}"), format!("{bytes:?}"));
            }
        }
    });
    all.retain(|name, _| !name.contains("brokerplugin") && !name.contains(r"opsole\private\"));
    all
}

fn without_spare(mut all: BTreeMap<String, String>) -> BTreeMap<String, String> {
    all.retain(|name, _| !name.contains("anna.azuread") && !name.contains(&NEW.to_lowercase()));
    all
}

fn owner_of(memory: &Memory, path: &str) -> Option<Sid> {
    let bytes = memory.with(|state| state.files[&path.to_lowercase()].security.clone());
    crate::winformat::descriptor::parse(&bytes).expect("a descriptor").owner
}

/// Catches a file, a key of a hive or a value that stays with the old owner, and anybody else's that doesn't.
#[test]
fn a_profile_changes_hands() {
    let memory = with_spare();
    let before = all(&memory);
    swap_there(&memory).expect("swapped");
    let after = all(&memory);
    let changed: Vec<&String> = before.keys().filter(|name| after.get(*name) != before.get(*name)).collect();
    for name in &changed {
        let ours = [r"c:\users\anna", "profilelist", "profileguid"].iter().any(|part| name.contains(part));
        assert!(ours && !name.contains("bert") && !name.contains("outside") && !name.contains(OTHER), "{name}");
    }
    for path in ["", r"\Documents", r"\Documents\letter.txt", r"\Application Data"] {
        assert_eq!(owner_of(&memory, &format!("{HOME}{path}")), Some(person(NEW)), "{path}");
    }
    let hive = memory.with(|state| state.files[&format!("{HOME}\\{}", HIVES[1]).to_lowercase()].content.clone());
    let Content::File(bytes) = hive else { panic!("no file") };
    let key = Hive::parse(&bytes).and_then(|hive| hive.key("0001")).expect("read").expect("a key");
    let security = crate::winformat::descriptor::parse(key.security().expect("security")).expect("a descriptor");
    assert_eq!(security.owner, Some(person(NEW)));
    let value = |key: &Key, name: &str| {
        memory.with(|state| {
            let node = state.keys.get(&(key.root, key.path.to_lowercase()));
            node.and_then(|node| node.values.get(&name.to_lowercase()).map(|(_, value)| value.clone()))
        })
    };
    let key = key_of(NEW);
    assert_eq!(value(&key, "Sid"), Some(Value::Binary(sid::to_bytes(&person(NEW)).expect("bytes"))));
    assert_eq!(value(&key, IMAGE_PATH), Some(Value::ExpandSz(r"%SystemDrive%\Users\anna".to_owned())));
    assert_eq!(value(&key, "Odd"), Some(Value::Other(9, vec![1, 2])));
    assert_eq!(value(&key.join("Preference"), "Texts"), Some(Value::MultiSz(vec!["a".to_owned()])));
    assert_eq!(value(&key_of(OLD), IMAGE_PATH), None);
    assert_eq!(value(&Key::machine(PROFILE_GUID).join(GUID), "SidString"), Some(Value::Sz(NEW.to_owned())));
    assert!(memory.with(|state| !state.files.keys().any(|path| path.contains("brokerplugin"))));
    assert!(memory.with(|state| !state.files.keys().any(|path| path.contains("anna.azuread"))));
    let found = list(&memory, &mut Sizes::default()).expect("listed");
    let own = found.iter().find(|profile| profile.sid == person(NEW)).expect("a profile");
    assert_eq!((own.acl_owner.as_str(), own.health, own.path.as_str()), (NEW, ProfileHealth::Healthy, HOME));
}

/// Catches a walk through every file each time somebody looks, and a profile that counts as empty when it isn't any more.
#[test]
fn large_sizes_are_kept_for_a_while() {
    let memory = machine();
    let mut sizes = Sizes::default();
    let mut size =
        || list(&memory, &mut sizes).expect("listed").iter().find(|p| p.sid == person(OLD)).map(|p| p.size_mib);
    let put = |name: &str, mib: u64| {
        memory.with(|state| state.put_file_node(&format!("{HOME}\\Documents\\{name}"), Content::Bulk(mib << 20)));
    };
    put("a.bin", 100);
    let small = size().expect("there");
    put("b.bin", 5000);
    assert_eq!(size(), Some(small + 5000), "a small size is never kept");
    put("c.bin", 7000);
    assert_eq!(size(), Some(small + 5000), "a large one is");
    memory.with(|state| state.now += jiff::SignedDuration::from_secs(Sizes::KEPT_SECS));
    assert_eq!(size(), Some(small + 12_000), "for half an hour");
}

/// Catches a second call that changes anything.
#[test]
fn done_is_done() {
    let memory = machine();
    swap_there(&memory).expect("swapped");
    let before = memory.dump();
    swap_there(&memory).expect("nothing to do");
    assert_eq!(memory.dump(), before);
}

/// Catches a way back that leaves a byte of a hive, a descriptor or a value other than it was.
#[test]
fn there_and_back() {
    let memory = machine();
    let before = all(&memory);
    for _ in 0..2 {
        swap_there(&memory).expect("swapped");
        assert_ne!(all(&memory), before);
        swap_back(&memory).expect("taken back");
        assert_eq!(all(&memory), before);
        swap_back(&memory).expect("nothing to do");
    }
    assert!(memory.with(|state| !state.files.keys().any(|path| path.contains(r"opsole\private\"))), "left behind");
}

/// Catches what the new owner made meanwhile and that stays his when the profile goes back.
#[test]
fn what_came_meanwhile_goes_back_too() {
    let memory = machine();
    swap_there(&memory).expect("swapped");
    let new = format!("{HOME}\\Documents\\new.txt");
    memory.with(|state| put(state, &new, Content::File(Vec::new()), rights(NEW, &[NEW, SYSTEM])));
    swap_back(&memory).expect("taken back");
    assert_eq!(owner_of(&memory, &new), Some(person(OLD)));
}

/// Catches a swap that a kill leaves where neither going on nor going back leads to a whole profile, at any write.
#[test]
fn killed_at_every_write() {
    let whole = with_spare();
    swap_there(&whole).expect("swapped");
    let (begin, end) = (without_spare(all(&with_spare())), all(&whole));
    let mut writes = 0;
    loop {
        writes += 1;
        let memory = with_spare();
        memory.die_after(writes);
        let outcome = swap_there(&memory);
        if !memory.heal() {
            outcome.expect("swapped");
            break;
        }
        // Half of the kills go on, both go back; every third dies again on the way.
        if writes % 2 == 0 {
            swap_there(&memory).expect("went on");
            assert_eq!(all(&memory), end, "killed after write {writes}");
        }
        if writes % 3 == 0 {
            memory.die_after(writes / 2);
            let _ = swap_back(&memory);
            memory.heal();
        }
        swap_back(&memory).expect("went back");
        assert_eq!(without_spare(all(&memory)), begin, "killed after write {writes}");
    }
    assert!(writes > 30, "{writes}");
}

/// Catches a swap that turns round twice before it is whole.
#[test]
fn turned_round_twice() {
    let whole = machine();
    swap_there(&whole).expect("swapped");
    let end = all(&whole);
    for there in 1..30 {
        for back in [1, 2, 5, 9, 14] {
            let memory = machine();
            memory.die_after(there);
            let _ = swap_there(&memory);
            memory.heal();
            memory.die_after(back);
            let _ = swap_back(&memory);
            memory.heal();
            swap_there(&memory).expect("swapped");
            assert_eq!(all(&memory), end, "{there} there, {back} back");
        }
    }
}

/// Catches a call whose failure is taken for a success, or that leaves something which can't be gone on from.
#[test]
fn every_call_fails_once() {
    let whole = with_spare();
    whole.forget_calls();
    swap_there(&whole).expect("swapped");
    let (end, calls) = (all(&whole), whole.calls().len());
    for n in (1..=u64::try_from(calls).expect("a count")).step_by(3) {
        let memory = with_spare();
        memory.fail_at(n);
        let outcome = swap_there(&memory);
        let struck = memory.heal();
        assert!(!struck || outcome.is_err(), "call {n} of {calls}");
        swap_there(&memory).unwrap_or_else(|error| panic!("call {n}: {error:?}"));
        assert_eq!(all(&memory), end, "call {n}");
    }
}

/// Catches a swap that begins where it may not, or refuses after it has changed something.
#[test]
fn refuses_with_nothing_changed() {
    type Change = fn(&mut State);
    let cases: [(&str, Change); 12] = [
        ("device.profile-missing", |state| state.drop_key(&key_of(OLD))),
        ("device.profile-path", |state| state.put_value(&key_of(OLD), IMAGE_PATH, Value::Sz(r"C:\Users\x".into()))),
        ("device.profile-health", |state| state.put_value(&key_of(OLD), "State", Value::Dword(0x8000))),
        ("device.profile-health", |state| {
            state.put_key(&key_of(&format!("{OLD}.bak")), false);
        }),
        ("device.profile-health", |state| state.put_file(&format!("{HOME}\\NTUSER.DAT"), b"no hive")),
        ("device.profile-in-use", |state| {
            state.put_key(&Key::users(OLD), false);
        }),
        ("device.profile-in-use", |state| {
            state.put_key(&Key::users(format!("{OLD}_Classes")), false);
        }),
        ("device.profile-in-use", |state| {
            state.put_key(&Key::users(NEW), false);
        }),
        ("device.profile-target-exists", |state| {
            profile(state, NEW, r"C:\Users\new");
            state.put_file_node(r"C:\Users\new\film.mp4", Content::Bulk(201 << 20));
        }),
        // Empty, but no folder of a profile: nothing that is removed with all in it.
        ("device.profile-target-exists", |state| profile(state, NEW, r"D:\data")),
        ("device.profile-files", |state| {
            put(state, &format!("{HOME}\\Documents\\odd.txt"), Content::File(Vec::new()), vec![9; 30]);
        }),
        ("device.profile-hive", |state| {
            let mut dirty = hive(OLD);
            dirty[4] ^= 1;
            state.put_file(&format!("{HOME}\\NTUSER.DAT"), &dirty);
        }),
    ];
    for (code, change) in cases {
        let memory = machine();
        memory.with(change);
        let before = memory.dump();
        let refused = swap_there(&memory).expect_err(code);
        assert_eq!(refused.code, code, "{refused:?}");
        assert_eq!(memory.dump(), before, "{code}");
    }
    // A swap that stopped half-way keeps any other from beginning.
    let memory = machine();
    memory.die_after(6);
    assert!(swap_there(&memory).is_err() && memory.heal());
    let refused = swap(&memory, PRIVATE, &person(OTHER), &person(NEW), r"C:\Users\bert").expect_err("open");
    assert_eq!(refused.code, "device.profile-swap-open");
}

/// Catches a folder outside of a profile that is given over with more or less than what lies in it.
#[test]
fn a_folder_elsewhere() {
    let memory = machine();
    let before = all(&memory);
    let there = give_tree(&memory, &format!("{HOME}\\Documents"), &person(OLD), &person(SYSTEM)).expect("given");
    assert_eq!((there.visited, there.changed, there.failed), (5, 3, 0));
    let changed = all(&memory).into_iter().filter(|(name, value)| before.get(name) != Some(value)).count();
    assert_eq!(changed, 3);
}

/// Catches profiles that are passed over or called healthy: twins, temporary, roaming, mandatory, containers, missing.
#[test]
fn every_kind_of_profile_is_listed() {
    let memory = machine();
    memory.with(|state| {
        let mut add = |number: u32, path: &str, name: &str, value: Value| {
            let owner = format!("S-1-5-21-1-2-3-{number}");
            profile(state, &owner, path);
            state.put_value(&key_of(&owner), name, value);
        };
        add(1, r"C:\Users\TEMP", "State", Value::Dword(0));
        add(2, r"C:\Users\temporary", "State", Value::Dword(0x8000));
        add(3, r"C:\Users\mandatory", "State", Value::Dword(1));
        add(4, r"C:\Users\roaming", "CentralProfile", Value::Sz(r"\\server\profiles\x".into()));
        add(5, r"C:\Users\twin", "State", Value::Dword(0));
        add(6, r"C:\Users\gone", "State", Value::Dword(0));
        add(7, r"C:\Users\container", "State", Value::Dword(0));
        state.put_key(&key_of("S-1-5-21-1-2-3-5.bak"), false);
        state.drop_file(r"C:\Users\gone");
        state.drop_file(r"C:\Users\container");
        state.put_file_node(r"C:\Users\container", Content::Reparse);
        // Only the twin is left.
        state.put_value(&key_of("S-1-5-21-1-2-3-8.bak"), IMAGE_PATH, Value::Sz(r"C:\Users\gone".into()));
        // The folder went to somebody else, the hives didn't.
        profile(state, "S-1-5-21-1-2-3-9", r"C:\Users\half");
        put(state, r"C:\Users\half", Content::Folder, rights(NEW, &[NEW]));
        for service in ["S-1-5-19", "S-1-5-80-1-2-3-4-5", "S-1-5-82-1", "S-1-5-99-1"] {
            state.put_value(&key_of(service), IMAGE_PATH, Value::Sz(r"C:\Windows\x".into()));
        }
    });
    let found = list(&memory, &mut Sizes::default()).expect("listed");
    let kinds: BTreeMap<&str, (ProfileHealth, &str)> =
        found.iter().map(|found| (found.sid.as_str(), (found.health, found.acl_owner.as_str()))).collect();
    let nobody = "S-1-0-0";
    for (number, health) in [
        (1, ProfileHealth::Temporary),
        (2, ProfileHealth::Temporary),
        (3, ProfileHealth::Mandatory),
        (4, ProfileHealth::Roaming),
        (5, ProfileHealth::Corrupt),
        (6, ProfileHealth::Corrupt),
        (7, ProfileHealth::Container),
        (8, ProfileHealth::Corrupt),
        (9, ProfileHealth::Healthy),
    ] {
        assert_eq!(kinds[format!("S-1-5-21-1-2-3-{number}").as_str()], (health, nobody), "{number}");
    }
    assert_eq!(kinds[OLD], (ProfileHealth::Healthy, OLD));
    assert_eq!(found.len(), 11);
}
