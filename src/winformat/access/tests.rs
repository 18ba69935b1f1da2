//! Rules one by one, then what holds for any list. That Samba decides alike is in `tests/it/directory`.

use proptest::prelude::*;

use super::*;

const ME: &str = "S-1-5-21-1-2-3-1104";
const GROUP: &str = "S-1-5-21-1-2-3-1200";
const OTHER: &str = "S-1-5-21-1-2-3-1300";
const ALLOW: u8 = 0;
const DENY: u8 = 1;

fn sid(text: &str) -> Sid {
    text.parse().expect("a SID")
}

fn token() -> Token {
    Token::new(&sid(ME), [sid(GROUP)])
}

fn entry(kind: u8, mask: u32, who: &str) -> Ace {
    Ace::plain(kind, 0, mask, sid(who))
}

/// The same for one kind of property or child.
fn object(kind: u8, mask: u32, of: Uuid, who: &str) -> Ace {
    Ace { object: Some(of), ..entry(kind + 5, mask, who) }
}

fn list(aces: Vec<Ace>) -> Descriptor {
    Descriptor { control: 0x8004, owner: Some(sid(OTHER)), group: None, dacl: Some(aces), sacl: None }
}

fn may(descriptor: &Descriptor, rights: u32, of: &[Uuid]) -> bool {
    allowed(Target { descriptor, class: COMPUTER, sid: None }, &token(), rights, of)
}

/// What it is about, the list, the rights that are wanted, the kinds they are wanted for, whether they are there.
type Row<'a> = (&'a str, Vec<Ace>, u32, &'a [Uuid], bool);

/// Catches each rule broken alone.
#[test]
fn rules() {
    let control = &ACCOUNT_CONTROL;
    let [property, set] = ACCOUNT_CONTROL;
    let table: &[Row<'_>] = &[
        ("an empty list", vec![], DELETE, &[], false),
        ("to the account", vec![entry(ALLOW, DELETE, ME)], DELETE, &[], true),
        ("to a group", vec![entry(ALLOW, DELETE, GROUP)], DELETE, &[], true),
        ("to everybody", vec![entry(ALLOW, DELETE, "S-1-1-0")], DELETE, &[], true),
        ("to somebody else", vec![entry(ALLOW, DELETE, OTHER)], DELETE, &[], false),
        ("another right", vec![entry(ALLOW, WRITE_PROPERTY, ME)], DELETE, &[], false),
        ("deny first", vec![entry(DENY, DELETE, GROUP), entry(ALLOW, DELETE, ME)], DELETE, &[], false),
        ("deny last", vec![entry(ALLOW, DELETE, ME), entry(DENY, DELETE, GROUP)], DELETE, &[], true),
        ("deny of another right", vec![entry(DENY, DELETE_TREE, ME), entry(ALLOW, DELETE, ME)], DELETE, &[], true),
        ("from two entries", vec![entry(ALLOW, DELETE, ME), entry(ALLOW, 0x10, GROUP)], DELETE | 0x10, &[], true),
        ("only one of two", vec![entry(ALLOW, DELETE, ME)], DELETE | 0x10, &[], false),
        ("all", vec![entry(ALLOW, 0x1000_0000, ME)], DELETE | WRITE_DAC | DELETE_TREE, &[], true),
        ("generic write", vec![entry(ALLOW, 0x4000_0000, ME)], WRITE_PROPERTY, control, true),
        ("generic write deletes not", vec![entry(ALLOW, 0x4000_0000, ME)], DELETE, &[], false),
        ("all properties", vec![entry(ALLOW, WRITE_PROPERTY, ME)], WRITE_PROPERTY, control, true),
        ("the property", vec![object(ALLOW, WRITE_PROPERTY, property, ME)], WRITE_PROPERTY, control, true),
        ("its set", vec![object(ALLOW, WRITE_PROPERTY, set, ME)], WRITE_PROPERTY, control, true),
        ("another", vec![object(ALLOW, WRITE_PROPERTY, DESCRIPTION[0], ME)], WRITE_PROPERTY, control, false),
        ("one isn't all", vec![object(ALLOW, WRITE_PROPERTY, property, ME)], WRITE_PROPERTY, &[], false),
        (
            "the property denied, all allowed",
            vec![object(DENY, WRITE_PROPERTY, property, ME), entry(ALLOW, WRITE_PROPERTY, ME)],
            WRITE_PROPERTY,
            control,
            false,
        ),
        (
            "another denied, all allowed",
            vec![object(DENY, WRITE_PROPERTY, DESCRIPTION[0], ME), entry(ALLOW, WRITE_PROPERTY, ME)],
            WRITE_PROPERTY,
            control,
            true,
        ),
        ("the class itself", vec![object(ALLOW, DELETE, COMPUTER, ME)], DELETE, &[], true),
        ("another class", vec![object(ALLOW, DELETE, ORGANIZATIONAL_UNIT, ME)], DELETE, &[], false),
        ("inherit only", vec![Ace { flags: 0x0a, ..entry(ALLOW, DELETE, ME) }], DELETE, &[], false),
        ("inherited", vec![Ace { flags: 0x12, ..entry(ALLOW, DELETE, ME) }], DELETE, &[], true),
        (
            "for heirs of another class",
            vec![Ace { inheritor: Some(ORGANIZATIONAL_UNIT), ..entry(ALLOW + 5, DELETE, ME) }],
            DELETE,
            &[],
            false,
        ),
        ("a condition that allows", vec![entry(9, DELETE, ME)], DELETE, &[], false),
        ("a condition that denies", vec![entry(10, DELETE, ME), entry(ALLOW, DELETE, ME)], DELETE, &[], false),
        ("an audit entry", vec![entry(2, DELETE, ME)], DELETE, &[], false),
    ];
    for (what, aces, rights, of, wanted) in table {
        assert_eq!(may(&list(aces.clone()), *rights, of), *wanted, "{what}");
    }
}

/// Catches no list, which lets everybody do everything, taken for an empty one.
#[test]
fn no_list() {
    assert!(may(&Descriptor { dacl: None, ..list(vec![]) }, DELETE, &[]));
}

/// Catches an owner that may delete, one that may not hand out rights, and `OWNER RIGHTS` that takes nothing away.
#[test]
fn the_owner() {
    let own = |aces| Descriptor { owner: Some(sid(GROUP)), ..list(aces) };
    assert!(may(&own(vec![]), WRITE_DAC | READ_CONTROL, &[]));
    assert!(!may(&own(vec![]), DELETE, &[]) && !may(&list(vec![]), WRITE_DAC, &[]));
    assert!(!may(&own(vec![entry(ALLOW, READ_CONTROL, OWNER_RIGHTS)]), WRITE_DAC, &[]));
    assert!(may(&own(vec![entry(ALLOW, DELETE, OWNER_RIGHTS)]), DELETE, &[]));
    assert!(!may(&list(vec![entry(ALLOW, DELETE, OWNER_RIGHTS)]), DELETE, &[]));
}

/// Catches `SELF` taken for whoever asks.
#[test]
fn self_is_the_object() {
    let descriptor = list(vec![entry(ALLOW, WRITE_PROPERTY, PRINCIPAL_SELF)]);
    let of = |own: &str| {
        let own = sid(own);
        allowed(Target { descriptor: &descriptor, class: COMPUTER, sid: Some(&own) }, &token(), WRITE_PROPERTY, &[])
    };
    assert!(of(ME) && !of(OTHER));
}

/// Catches a protected object that its container's delegation deletes all the same, and the reverse.
#[test]
fn deletion_by_either_way() {
    let unit = |aces| list(aces);
    let object_of = |descriptor| Target { descriptor, class: COMPUTER, sid: None };
    let unit_of = |descriptor| Target { descriptor, class: ORGANIZATIONAL_UNIT, sid: None };
    let (none, own) = (list(vec![]), list(vec![entry(ALLOW, DELETE, ME)]));
    let children = unit(vec![object(ALLOW, DELETE_CHILD, COMPUTER, ME)]);
    let others = unit(vec![object(ALLOW, DELETE_CHILD, ORGANIZATIONAL_UNIT, ME)]);
    let kept = unit(vec![entry(DENY, DELETE_CHILD, "S-1-1-0"), object(ALLOW, DELETE_CHILD, COMPUTER, ME)]);
    let denied = list(vec![entry(DENY, DELETE, "S-1-1-0")]);
    for (what, object, parent, wanted) in [
        ("neither", &none, &none, false),
        ("by itself", &own, &none, true),
        ("by the unit", &none, &children, true),
        ("children of another class", &none, &others, false),
        ("denied on the object, allowed on the unit", &denied, &children, true),
        ("denied on both", &denied, &kept, false),
    ] {
        assert_eq!(may_delete(object_of(object), unit_of(parent), &token()), wanted, "{what}");
    }
}

/// Catches an heir of another class, an entry that says nothing to children, and flags that would hand it on for ever.
#[test]
fn what_children_inherit() {
    let heirs = |class| Ace { flags: 0x0a, inheritor: Some(class), ..entry(5, WRITE_PROPERTY, ME) };
    let once = Ace { flags: 0x06, ..entry(ALLOW, DELETE, ME) };
    let parent = list(vec![heirs(COMPUTER), heirs(ORGANIZATIONAL_UNIT), entry(ALLOW, DELETE, ME), once]);
    let child = inherited(&parent, COMPUTER);
    let flags: Vec<u8> = child.dacl.iter().flatten().map(|ace| ace.flags).collect();
    assert_eq!(flags, [0x12, 0x10]);
    assert!(may(&child, WRITE_PROPERTY, &[]) && may(&child, DELETE, &[]));
    let creators = list(vec![Ace { flags: 2, ..entry(ALLOW, DELETE, "S-1-3-0") }]);
    assert_eq!(inherited(&creators, COMPUTER).dacl, Some(Vec::new()));
}

fn any_ace() -> impl Strategy<Value = Ace> {
    let kinds = proptest::sample::select(vec![0_u8, 1, 2, 5, 6, 9, 10, 11, 12]);
    let people = proptest::sample::select(vec![ME, GROUP, OTHER, "S-1-1-0", OWNER_RIGHTS, PRINCIPAL_SELF]);
    let types =
        || proptest::option::of(proptest::sample::select(vec![COMPUTER, ACCOUNT_CONTROL[0], ACCOUNT_CONTROL[1]]));
    let made = |(kind, flags, mask, who, object, inheritor)| Ace {
        object,
        inheritor,
        ..Ace::plain(kind, flags, mask, sid(who))
    };
    (kinds, 0..32_u8, any::<u32>(), people, types(), types()).prop_map(made)
}

proptest! {
    /// Catches rights that come from nowhere: more allowing entries take nothing away, and a denial put before all others
    /// decides; whoever is named nowhere has nothing.
    #[test]
    fn monotonous(aces in proptest::collection::vec(any_ace(), 0..10), rights in any::<u32>()) {
        let rights = mapped(rights) & 0x000f_01ff;
        prop_assume!(rights != 0);
        let had = may(&list(aces.clone()), rights, &ACCOUNT_CONTROL);
        let more: Vec<Ace> = aces.iter().cloned().chain([entry(ALLOW, 0x1000_0000, ME)]).collect();
        prop_assert!(!had || may(&list(more), rights, &ACCOUNT_CONTROL));
        let denied: Vec<Ace> = std::iter::once(entry(DENY, 0x000f_01ff, "S-1-5-11")).chain(aces.iter().cloned()).collect();
        prop_assert!(!may(&list(denied), rights, &ACCOUNT_CONTROL));
        let strangers: Vec<Ace> =
            aces.into_iter().map(|ace| Ace { sid: Some(sid(OTHER)), ..ace }).collect();
        prop_assert!(!may(&list(strangers), rights, &ACCOUNT_CONTROL));
    }
    /// Catches a right on all properties that isn't one on each of them.
    #[test]
    fn the_whole_holds_each_part(aces in proptest::collection::vec(any_ace(), 0..10), rights in 1..0x1000_u32) {
        let allows: Vec<Ace> = aces.into_iter().filter(|ace| matches!(ace.kind, 0 | 5)).collect();
        prop_assert!(!may(&list(allows.clone()), rights, &[]) || may(&list(allows), rights, &ACCOUNT_CONTROL));
    }
}
