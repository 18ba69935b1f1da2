//! The registry.

use super::{cause, unique, windows};
use crate::windows::machine::{Cause, Key, Registry, Root, Value};

/// A key of its own that is gone after the test.
struct Own(Key);

impl Own {
    fn new() -> Self {
        Self(Key::machine(format!(r"SOFTWARE\{}", unique())))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        windows().remove_tree(&self.0).expect("removed");
    }
}

fn samples() -> Vec<(String, Value)> {
    let long: String = "ä€😀".repeat(2000);
    [
        ("sz", Value::Sz(long)),
        ("", Value::Sz("the value without a name".to_owned())),
        ("empty", Value::Sz(String::new())),
        ("expand", Value::ExpandSz(r"%SystemRoot%\x".to_owned())),
        ("multi", Value::MultiSz(vec!["a".to_owned(), "b c".to_owned()])),
        ("none", Value::MultiSz(Vec::new())),
        ("dword", Value::Dword(0xFFFF_FFFE)),
        ("qword", Value::Qword(u64::MAX - 1)),
        ("binary", Value::Binary((0..=255).collect())),
        ("no bytes", Value::Binary(Vec::new())),
        ("REG_NONE", Value::Other(0, vec![1, 2, 3])),
        ("big endian", Value::Other(5, vec![0, 0, 1, 0])),
        ("short dword", Value::Other(4, vec![7, 7])),
        ("odd text", Value::Other(1, vec![0x41, 0, 0x42])),
        ("half a surrogate", Value::Other(1, vec![0x00, 0xD8, 0, 0])),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// Catches a kind that comes back as another, a long text that is cut, and a list that ends early.
#[test]
fn every_kind_of_value_comes_back_as_it_was_set() {
    let (windows, own) = (windows(), Own::new());
    for (name, value) in samples() {
        windows.set(&own.0, &name, &value).expect("set");
        assert_eq!(windows.value(&own.0, &name).expect("read"), Some(value), "{name}");
    }
    let mut all = windows.values(&own.0).expect("read").expect("the key is there");
    let mut wanted = samples();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    wanted.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(all, wanted);
    windows.set(&own.0, "dword", &Value::Sz("now text".to_owned())).expect("set over another kind");
    assert_eq!(windows.value(&own.0, "dword").expect("read"), Some(Value::Sz("now text".to_owned())));
}

/// Catches "not there" that comes as an error, or an error that comes as "not there"; and removing that isn't idempotent.
#[test]
fn what_is_gone_is_none_and_removing_it_again_succeeds() {
    let (windows, own) = (windows(), Own::new());
    let below = own.0.join("a").join("b");
    assert_eq!(windows.value(&below, "x").expect("read"), None);
    assert_eq!(windows.values(&below).expect("read"), None);
    assert_eq!(windows.keys(&own.0).expect("read"), None);
    assert_eq!(windows.key_security(&below).expect("read"), None);
    windows.remove_value(&below, "x").expect("nothing to remove");
    windows.remove_tree(&below).expect("nothing to remove");
    windows.set(&below, "x", &Value::Dword(1)).expect("set");
    windows.set(&own.0.join("c"), "x", &Value::Dword(1)).expect("set");
    let mut keys = windows.keys(&own.0).expect("read").expect("there");
    keys.sort();
    assert_eq!(keys, ["a", "c"]);
    windows.remove_value(&below, "x").expect("removed");
    windows.remove_value(&below, "x").expect("removed again");
    assert_eq!(windows.values(&below).expect("read"), Some(Vec::new()));
    windows.remove_tree(&own.0).expect("removed with all below");
    assert_eq!(windows.keys(&own.0).expect("read"), None);
}

/// Catches a removal that empties HKLM, and a name that is cut at a zero and so hits another key or value.
#[test]
fn what_would_hit_something_else_is_refused() {
    let (windows, own) = (windows(), Own::new());
    for path in ["", "\\", "\\\\"] {
        for root in [Root::Machine, Root::Users] {
            assert_eq!(cause(windows.remove_tree(&Key { root, path: path.to_owned() })), Cause::Other, "{path:?}");
        }
    }
    windows.set(&own.0, "x", &Value::Dword(1)).expect("set");
    let cut = Key::machine(format!("{}\0\\deeper", own.0.path));
    assert!(windows.remove_tree(&cut).is_err() && windows.set(&cut, "x", &Value::Dword(2)).is_err());
    assert!(windows.set(&own.0, "x\0y", &Value::Dword(2)).is_err());
    assert!(windows.remove_value(&own.0, "x\0y").is_err());
    for value in [Value::Sz("a\0b".to_owned()), Value::MultiSz(vec!["a".to_owned(), String::new()])] {
        assert!(windows.set(&own.0, "x", &value).is_err(), "it couldn't be read back");
    }
    assert_eq!(windows.value(&own.0, "x").expect("read"), Some(Value::Dword(1)));
}

/// Catches a volatile key that is taken for made by both of two, which is what a lock across processes stands on.
#[test]
fn a_volatile_key_is_made_once() {
    let (windows, own) = (windows(), Own::new());
    windows.set(&own.0, "x", &Value::Dword(1)).expect("set");
    let lock = own.0.join("volatile");
    assert!(windows.create_volatile(&lock).expect("made"));
    assert!(!windows.create_volatile(&lock).expect("there already"));
    assert!(windows.set(&lock.join("kept"), "x", &Value::Dword(1)).is_err(), "a lasting key below a volatile one");
}

/// Catches rights that are inherited, a key left to its old rights, and security that isn't put back byte for byte.
#[test]
fn rights_are_set_and_put_back() {
    let (windows, own) = (windows(), Own::new());
    windows.set(&own.0, "x", &Value::Dword(1)).expect("set");
    let before = windows.key_security(&own.0).expect("read").expect("there");
    windows.create_private(&own.0).expect("an existing key");
    let private = windows.key_security(&own.0).expect("read").expect("there");
    assert_ne!(private, before);
    windows.create_private(&own.0.join("new")).expect("a new key");
    assert_eq!(windows.key_security(&own.0.join("new")).expect("read").as_ref(), Some(&private));
    assert_eq!(windows.value(&own.0, "x").expect("read"), Some(Value::Dword(1)), "its values stay");
    windows.set_key_security(&own.0, &before).expect("put back");
    assert_eq!(windows.key_security(&own.0).expect("read"), Some(before));
    assert_eq!(cause(windows.set_key_security(&own.0.join("gone"), &private)), Cause::Other);
}

/// Catches a descriptor whose offsets lead out of its bytes: Windows would follow them.
#[test]
fn a_broken_descriptor_is_never_handed_to_windows() {
    let (windows, own) = (windows(), Own::new());
    windows.create_private(&own.0).expect("made");
    let good = windows.key_security(&own.0).expect("read").expect("there");
    for length in 0..good.len() {
        let cut = windows.set_key_security(&own.0, &good[..length]);
        assert!(cut.is_err(), "cut after {length} of {}", good.len());
    }
    for at in [0, 4, 8, 16] {
        let mut wrong = good.clone();
        wrong[at + 1] ^= 0x40;
        wrong[at] ^= 0x80;
        assert_eq!(cause(windows.set_key_security(&own.0, &wrong)), Cause::Unreadable, "byte {at}");
    }
    assert_eq!(windows.key_security(&own.0).expect("read"), Some(good));
}
