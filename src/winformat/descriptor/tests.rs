//! Laws of substitution, on descriptors with every kind of entry.

use proptest::prelude::*;

use super::*;

const OLD: &str = "S-1-5-21-1-2-3-1104";
const NEW: &str = "S-1-12-1-910410835-1306523740-2996082354-1245529378";
const OTHER: &str = "S-1-5-21-1-2-3-1105";
const ADMINS: &str = "S-1-5-32-544";
const SYSTEM: &str = "S-1-5-18";

fn person(text: &str) -> Sid {
    text.parse().expect("a SID")
}

fn binary(text: &str) -> Vec<u8> {
    sid::to_bytes(&person(text)).expect("bytes")
}

/// An entry with anything between mask and SID, and anything after it.
fn ace(kind: u8, between: &[u8], person: &str, after: &[u8]) -> Vec<u8> {
    let body = [&0x1f01ff_u32.to_le_bytes(), between, &binary(person), after].concat();
    let size = u16::try_from(4 + body.len()).expect("a size");
    [&[kind, 0x13], size.to_le_bytes().as_slice(), &body].concat()
}

fn acl(aces: &[Vec<u8>], slack: usize) -> Vec<u8> {
    let body = aces.concat();
    let size = u16::try_from(8 + body.len() + slack).expect("a size").to_le_bytes();
    let count = u16::try_from(aces.len()).expect("a count").to_le_bytes();
    [&[4, 0], size.as_slice(), &count, &[0, 0], &body, &vec![0xee; slack]].concat()
}

/// Owner, group, audit list, list.
fn descriptor(owner: &str, group: &str, sacl: &[Vec<u8>], dacl: &[Vec<u8>], slack: usize) -> Vec<u8> {
    let (owner, group) = (binary(owner), binary(group));
    let (sacl, dacl) = (acl(sacl, 0), acl(dacl, slack));
    let at = [20, owner.len(), group.len(), sacl.len()].into_iter().scan(0, |sum, length| {
        *sum += length;
        u32::try_from(*sum).ok()
    });
    let offsets: Vec<u8> = at.flat_map(u32::to_le_bytes).collect();
    [&[1, 0, 0x14, 0x94], offsets.as_slice(), &owner, &group, &sacl, &dacl].concat()
}

fn every_kind(who: &str, slack: usize) -> Vec<u8> {
    let guid = [7; 16];
    let object = |flags: u32, guids: usize| [&flags.to_le_bytes(), guid.repeat(guids).as_slice()].concat();
    let dacl = vec![
        ace(1, &[], OTHER, &[]),
        ace(1, &[], who, &[]),
        ace(0, &[], SYSTEM, &[]),
        ace(0, &[], who, &[]),
        ace(5, &object(0, 0), who, &[]),
        ace(5, &object(1, 1), who, &[]),
        ace(6, &object(3, 2), who, &[]),
        ace(9, &[], who, b"artx\0\0\0\0"),
        ace(11, &object(2, 1), who, b"artx"),
        // A compound entry is left as it is.
        ace(4, &[1, 0, 0, 0], OLD, &[]),
    ];
    let sacl = vec![ace(2, &[], who, &[]), ace(7, &object(1, 1), who, &[]), ace(0x11, &[], "S-1-16-8192", &[])];
    descriptor(who, who, &sacl, &dacl, slack)
}

/// Catches a kind of entry that keeps the old owner, and a place that isn't one.
#[test]
fn every_kind_of_entry() {
    let before = every_kind(OLD, 12);
    let after = substitute(&before, &person(OLD), &person(NEW)).expect("a descriptor");
    assert_eq!((after.places, after.held), (11, 0));
    assert_eq!(after.bytes, every_kind(NEW, 12));
    let parsed = parse(&after.bytes).expect("a descriptor");
    assert_eq!((&parsed.owner, &parsed.group), (&Some(person(NEW)), &Some(person(NEW))));
    assert!(parsed.allows(&person(NEW), 0x1f01ff) && !parsed.allows(&person(OLD), 1));
}

/// Catches offsets and sizes that don't follow where the new SID is longer or shorter.
#[test]
fn other_lengths() {
    for short in [ADMINS, SYSTEM, "S-1-5-21-1-2-3-4-5-6-7-8-9-10-11-12-13-14"] {
        let before = every_kind(OLD, 8);
        let there = substitute(&before, &person(OLD), &person(short)).expect("a descriptor");
        assert_eq!((there.places, there.held), (11, usize::from(short == SYSTEM)));
        let parsed = parse(&there.bytes).expect("a descriptor");
        assert_eq!(parsed.dacl.as_ref().map(Vec::len), Some(10));
        assert_eq!(parsed.owner, Some(person(short)));
        if there.held == 0 {
            assert_eq!(substitute(&there.bytes, &person(short), &person(OLD)).expect("a descriptor").bytes, before);
        }
    }
}

/// Catches owner and group in one place that is changed twice.
#[test]
fn owner_and_group_may_be_one() {
    let mut bytes = descriptor(OLD, OTHER, &[], &[], 0);
    bytes[8..12].copy_from_slice(&20_u32.to_le_bytes());
    let after = substitute(&bytes, &person(OLD), &person(SYSTEM)).expect("a descriptor");
    assert_eq!(after.places, 1);
    let parsed = parse(&after.bytes).expect("a descriptor");
    assert_eq!((parsed.owner, parsed.group), (Some(person(SYSTEM)), Some(person(SYSTEM))));
}

/// Catches no list, which lets everybody in, taken for an empty one, which lets nobody in.
#[test]
fn no_list_is_not_an_empty_one() {
    let mut bytes = descriptor(OLD, OLD, &[], &[], 0);
    assert_eq!(parse(&bytes).expect("a descriptor").dacl, Some(Vec::new()));
    bytes[16..20].fill(0);
    assert_eq!(parse(&bytes).expect("a descriptor").dacl, None);
    let after = substitute(&bytes, &person(OLD), &person(ADMINS)).expect("a descriptor");
    assert_eq!(parse(&after.bytes).expect("a descriptor").dacl, None);
}

/// Catches parts that lie in each other, sizes that leave the list, and what isn't self-relative.
#[test]
fn refuses_what_is_no_descriptor() {
    let good = every_kind(OLD, 0);
    let broken = |at: usize, bytes: &[u8]| {
        let mut copy = good.clone();
        copy[at..at + bytes.len()].copy_from_slice(bytes);
        substitute(&copy, &person(OLD), &person(NEW))
    };
    let dacl = u32_at(&good, 16).expect("an offset") as usize;
    for (at, bytes) in [
        (0, &[2_u8] as &[u8]),
        (3, &[0]),
        (4, &[8, 0, 0, 0]),
        (4, &[0xff, 0xff, 0xff, 0xff]),
        (16, &[0xf0, 0xff, 0, 0]),
        (dacl + 2, &[7, 0]),
        (dacl + 2, &[0xff, 0xff]),
        (dacl + 4, &[0xff, 0xff]),
        (dacl + 10, &[0, 0]),
        (dacl + 10, &[9, 0]),
        (dacl + 16, &[9]),
        // The owner is what an entry names.
        (4, &u32::try_from(dacl + 16).expect("an offset").to_le_bytes()),
    ] {
        assert!(broken(at, bytes).is_err(), "{at} {bytes:?}");
    }
    assert!(substitute(&[], &person(OLD), &person(NEW)).is_err());
}

fn anybody() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![OLD, OTHER, ADMINS, SYSTEM, "S-1-1-0", "S-1-5-21-1-2-3-110"])
}

fn any_descriptor() -> impl Strategy<Value = Vec<u8>> {
    let entry = || {
        (proptest::sample::select(vec![0_u8, 1, 2, 9, 0x11]), anybody())
            .prop_map(|(kind, who)| ace(kind, &[], who, &[]))
    };
    let list = || proptest::collection::vec(entry(), 0..12);
    (anybody(), anybody(), list(), list(), 0..4_usize)
        .prop_map(|(owner, group, sacl, dacl, slack)| descriptor(owner, group, &sacl, &dacl, slack * 4))
}

proptest! {
    /// Catches a substitution that can't be undone: there and back is the same bytes where the other wasn't named.
    #[test]
    fn there_and_back(bytes in any_descriptor(), to in proptest::sample::select(vec![NEW, "S-1-5-7", "S-1-5-21-9-9-9-9-9"])) {
        let there = substitute(&bytes, &person(OLD), &person(to)).expect("a descriptor");
        prop_assert_eq!(there.held, 0);
        let back = substitute(&there.bytes, &person(to), &person(OLD)).expect("a descriptor");
        prop_assert_eq!((back.bytes, back.places), (bytes, there.places));
    }
    /// Catches anybody else's entry, an order, a right or a flag that changes.
    #[test]
    fn nobody_else(bytes in any_descriptor(), to in anybody()) {
        let after = substitute(&bytes, &person(OLD), &person(to)).expect("a descriptor");
        let swap = |sid: Option<Sid>| sid.map(|sid| if sid == person(OLD) { person(to) } else { sid });
        let list = |aces: Option<Vec<Ace>>| {
            aces.map(|aces| aces.into_iter().map(|ace| Ace { sid: swap(ace.sid), ..ace }).collect::<Vec<_>>())
        };
        let wanted = parse(&bytes).expect("a descriptor");
        let wanted = Descriptor {
            owner: swap(wanted.owner),
            group: swap(wanted.group),
            dacl: list(wanted.dacl),
            sacl: list(wanted.sacl),
            ..wanted
        };
        prop_assert_eq!(parse(&after.bytes).expect("a descriptor"), wanted);
    }
    /// Catches a writer whose descriptors its reader reads otherwise.
    #[test]
    fn written_and_read(owner in anybody(), list in proptest::collection::vec((0..=3_u8, any::<u8>(), any::<u32>(), anybody()), 0..9)) {
        let aces = list.into_iter().map(|(kind, flags, mask, who)| Ace::plain(kind, flags, mask, person(who)));
        let made = Descriptor {
            control: SELF_RELATIVE | DACL_PRESENT,
            owner: Some(person(owner)),
            group: None,
            dacl: Some(aces.collect()),
            sacl: None,
        };
        prop_assert_eq!(parse(&made.to_bytes().expect("bytes")).expect("a descriptor"), made);
    }
    /// Catches object and inheritor that change places, and a size without them.
    #[test]
    fn object_entries_too(kind in 5..=6_u8, mask in any::<u32>(), object in any::<Option<u128>>(), inheritor in any::<Option<u128>>()) {
        let [object, inheritor] = [object, inheritor].map(|guid| guid.map(Uuid::from_u128));
        let ace = Ace { object, inheritor, ..Ace::plain(kind, 2, mask, person(OTHER)) };
        let last = Ace::plain(0, 0, 1, person(OLD));
        let control = SELF_RELATIVE | DACL_PRESENT;
        let made = Descriptor { control, owner: None, group: None, dacl: Some(vec![ace, last]), sacl: None };
        prop_assert_eq!(parse(&made.to_bytes().expect("bytes")).expect("a descriptor"), made);
    }
    /// Catches a panic on broken bytes.
    #[test]
    fn any_bytes(mut bytes in any_descriptor(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let cut = cut.index(bytes.len());
        for part in [&bytes[..], &bytes[..cut]] {
            let _ = parse(part);
            let _ = substitute(part, &person(OLD), &person(NEW));
            let _ = substitute(part, &person(OLD), &person(SYSTEM));
        }
    }
}
