//! Laws of hives, on small ones made here. Those that another program makes are in tests/it/hives.rs.

use proptest::prelude::*;

use super::*;
use crate::model::Sid;
use crate::winformat::descriptor::{Ace, Descriptor, parse};

const OLD: &str = "S-1-5-21-1-2-3-1104";
const NEW: &str = "S-1-12-1-910410835-1306523740-2996082354-1245529378";
const OTHER: &str = "S-1-5-21-1-2-3-1105";
const ADMINS: &str = "S-1-5-32-544";

fn person(text: &str) -> Sid {
    text.parse().expect("a SID")
}

fn descriptor(owner: &str, people: &[&str]) -> Vec<u8> {
    let ace = |who: &&str| Ace::plain(0, 3, 0xf003f, person(who));
    let dacl = Some(people.iter().map(ace).collect());
    let owner = Some(person(owner));
    Descriptor { control: 4, group: owner.clone(), owner, dacl, sacl: None }.to_bytes().expect("a descriptor")
}

fn hive() -> Vec<u8> {
    let list = [
        descriptor(ADMINS, &[OLD, ADMINS]),
        descriptor(OLD, &[OTHER]),
        descriptor(OTHER, &[OTHER, ADMINS]),
        descriptor(ADMINS, &[OLD, OTHER, OLD]),
    ];
    build(&list).expect("a hive")
}

fn mended(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&bytes);
    bytes[508..512].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Catches a walk that misses keys, values or their security.
#[test]
fn keys_and_values_are_read() {
    let bytes = hive();
    let hive = Hive::parse(&bytes).expect("a hive");
    assert!(!hive.is_dirty());
    let root = hive.root().expect("a root");
    assert_eq!((root.name().as_deref(), root.keys().expect("keys").len()), (Ok("ROOT"), 4));
    let key = hive.key(r"0002").expect("read").expect("a key");
    assert_eq!(key.value("NAME").expect("read").map(|value| (value.kind, value.text())), Some((1, "0002".to_owned())));
    assert_eq!(parse(key.security().expect("security")).expect("a descriptor").owner, Some(person(OTHER)));
    assert!(hive.key("0004").expect("read").is_none() && key.value("Else").expect("read").is_none());
}

/// Catches a security cell that keeps its old owner, anybody else's that changes, and a header that no longer holds.
#[test]
fn a_hive_changes_hands_and_back() {
    let before = hive();
    let there = substitute_security(&before, &person(OLD), &person(NEW)).expect("rewritten");
    // One in the first, owner and group of the second, two entries of the fourth.
    assert_eq!((there.cells, there.places, there.held), (3, 5, 0));
    let hive = Hive::parse(&there.bytes).expect("a hive");
    assert!(!hive.is_dirty() && there.bytes.len() == before.len());
    let owner = |name: &str| {
        let key = hive.key(name).expect("read").expect("a key");
        parse(key.security().expect("security")).expect("a descriptor").owner
    };
    assert_eq!(
        (owner("0001"), owner("0002"), owner("0003")),
        (Some(person(NEW)), Some(person(OTHER)), Some(person(ADMINS)))
    );
    let back = substitute_security(&there.bytes, &person(NEW), &person(OLD)).expect("rewritten");
    assert_eq!(back.bytes, before);
}

/// Catches a hive that is rewritten while half of it lies in its logs, and one that the checksum says is damaged.
#[test]
fn a_dirty_hive_is_left_alone() {
    for (at, mend) in [(4, true), (8, true), (100, false)] {
        let mut bytes = hive();
        bytes[at] ^= 1;
        let bytes = if mend { mended(bytes) } else { bytes };
        assert!(Hive::parse(&bytes).expect("a hive").is_dirty(), "{at}");
        let refused = substitute_security(&bytes, &person(OLD), &person(NEW)).expect_err("dirty");
        assert!(refused.what.contains("log files"), "{refused}");
    }
}

/// Catches an owner of another length that would write over the next cell.
#[test]
fn another_length_is_refused() {
    let refused = substitute_security(&hive(), &person(OLD), &person(ADMINS)).expect_err("another length");
    assert!(refused.what.contains("number of bytes"), "{refused}");
    let grown = rewrite_security(&hive(), |_, bytes| Ok(Some([bytes, &[0; 4]].concat())));
    assert!(grown.is_err());
}

/// Catches a way back that is taken for exact where it isn't.
#[test]
fn whoever_was_named_before_is_counted() {
    let both = build(&[descriptor(ADMINS, &[OLD, NEW]), descriptor(NEW, &[NEW])]).expect("a hive");
    let there = substitute_security(&both, &person(OLD), &person(NEW)).expect("rewritten");
    assert_eq!((there.cells, there.held), (1, 2));
}

/// Catches a reader that hangs in a circle of keys or of security cells, or takes bytes of a value for security.
#[test]
fn circles_end() {
    let bytes = hive();
    let parsed = Hive::parse(&bytes).expect("a hive");
    let root = parsed.root().expect("a root");
    let first = root.keys().expect("keys")[0];
    let mut circle = bytes.clone();
    let at = HEADER + first.place() as usize + 4;
    // The first key has the root's list below it.
    circle.copy_within(HEADER + 36 + 20..HEADER + 36 + 32, at + 20);
    assert!(substitute_security(&circle, &person(OLD), &person(NEW)).is_err());
    let mut ring = bytes.clone();
    let second = HEADER + first.security_cell() as usize + 4;
    let next = u32_at(&ring, second + 4).expect("an offset") as usize;
    ring.copy_within(second + 4..second + 8, HEADER + next + 4 + 4);
    assert!(substitute_security(&ring, &person(OLD), &person(NEW)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// Catches a panic or an endless walk on broken hives.
    #[test]
    fn broken_hives(spots in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>()) {
        let mut bytes = hive();
        for (at, byte) in spots {
            // Most bytes of a bin are free: strike where the cells are.
            let at = HEADER + at.index(1800);
            bytes[at] = byte;
        }
        let cut = cut.index(bytes.len() + 1);
        let _ = substitute_security(&bytes[..cut], &person(OLD), &person(NEW));
        if let Ok(hive) = Hive::parse(&bytes) {
            for key in hive.root().and_then(|root| root.keys()).into_iter().flatten() {
                let _ = (key.name(), key.values(), key.security(), key.keys());
            }
        }
        let _ = substitute_security(&bytes, &person(OLD), &person(NEW));
    }
    /// Catches a hive that isn't the same after there and back, whatever its people.
    #[test]
    fn there_and_back(people in proptest::collection::vec(proptest::sample::select(vec![OLD, OTHER, ADMINS]), 1..40)) {
        let list: Vec<Vec<u8>> = people.iter().map(|who| descriptor(who, &[who, OTHER])).collect();
        let before = build(&list).expect("a hive");
        let there = substitute_security(&before, &person(OLD), &person(NEW)).expect("rewritten");
        prop_assert_eq!(there.cells, people.iter().filter(|who| **who == OLD).count());
        let back = substitute_security(&there.bytes, &person(NEW), &person(OLD)).expect("rewritten");
        prop_assert_eq!(back.bytes, before);
    }
}
