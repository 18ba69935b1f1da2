//! Hives that another program writes and reads: hivex, which knows the format from elsewhere than this crate does.
//!
//! Needs /usr/bin/python3 with python3-hivex; without them it says so and proves nothing.

use std::path::Path;
use std::process::Command;

use opsole::model::Sid;
use opsole::winformat::descriptor::{Ace, Descriptor, parse};
use opsole::winformat::hive::{Hive, Key, build, substitute_security};

const OLD: &str = "S-1-5-21-1-2-3-1104";
const NEW: &str = "S-1-12-1-910410835-1306523740-2996082354-1245529378";

/// Opens the hive, checks what was made here, and puts keys and values of every kind into it.
const FILL: &str = r"
import hivex, struct, sys
h = hivex.Hivex(sys.argv[1], write=True)
root = h.root()
assert [h.node_name(k) for k in h.node_children(root)] == ['0000', '0001'], 'keys'
assert h.value_string(h.node_get_value(h.node_children(root)[1], 'Name')) == '0001', 'value'
software = h.node_add_child(root, 'Software')
for i in range(700):
    key = h.node_add_child(software, 'Key %04d' % i)
    h.node_set_values(key, [
        {'key': 'Number', 't': 4, 'value': struct.pack('<I', i)},
        {'key': 'Text', 't': 1, 'value': ('text %d\0' % i).encode('utf-16le')},
        {'key': '', 't': 3, 'value': b'sk' * (i % 50)},
    ])
h.commit(None)
";

/// Prints every key and value of the hive.
const DUMP: &str = r"
import hivex, sys
h = hivex.Hivex(sys.argv[1])
def walk(key, path):
    for value in sorted(h.node_values(key), key=h.value_key):
        kind, data = h.value_value(value)
        print(path, h.value_key(value), kind, data.hex())
    for child in h.node_children(key):
        walk(child, path + '\\' + h.node_name(child))
walk(h.root(), '')
";

fn python(script: &str, hive: &Path) -> Option<String> {
    let out = Command::new("/usr/bin/python3").arg("-c").arg(script).arg(hive).output().ok()?;
    let error = String::from_utf8_lossy(&out.stderr);
    if error.contains("No module named 'hivex'") {
        return None;
    }
    assert!(out.status.success(), "{error}");
    Some(String::from_utf8_lossy(&out.stdout).into_owned())
}

fn person(text: &str) -> Sid {
    text.parse().expect("a SID")
}

fn descriptor(owner: &str) -> Vec<u8> {
    let ace = |who: &str| Ace::plain(0, 2, 0xf_003f, person(who));
    let dacl = Some(vec![ace("S-1-5-18"), ace("S-1-5-32-544"), ace(owner)]);
    let owner = Some(person(owner));
    Descriptor { control: 4, group: owner.clone(), owner, dacl, sacl: None }.to_bytes().expect("a descriptor")
}

/// Prints what this crate reads, in the form of [`DUMP`].
fn dump(key: &Key<'_>, path: &str, out: &mut String) {
    let mut values = key.values().expect("values");
    values.sort_by(|a, b| a.name.cmp(&b.name));
    for value in values {
        let data: String = value.data.iter().map(|byte| format!("{byte:02x}")).collect();
        out.push_str(&format!("{path} {} {} {data}\n", value.name, value.kind));
    }
    for child in key.keys().expect("keys") {
        dump(&child, &format!("{path}\\{}", child.name().expect("a name")), out);
    }
}

/// Catches a format that only this crate understands: a hive that hivex filled is read as hivex reads it, is given over
/// without a value changing, and comes back byte for byte.
#[test]
fn hivex_and_this_crate_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("NTUSER.DAT");
    let made = build(&[descriptor(OLD), descriptor("S-1-5-21-1-2-3-1105")]).expect("a hive");
    std::fs::write(&path, made).expect("written");
    if python(FILL, &path).is_none() {
        println!("left out: there is no /usr/bin/python3 with python3-hivex");
        return;
    }
    let before = std::fs::read(&path).expect("read");
    let theirs = python(DUMP, &path).expect("a dump");
    let hive = Hive::parse(&before).expect("a hive");
    let mut ours = String::new();
    dump(&hive.root().expect("a root"), "", &mut ours);
    assert!(!hive.is_dirty() && ours.lines().count() > 2000, "{}", ours.lines().count());
    assert_eq!(ours, theirs);
    let there = substitute_security(&before, &person(OLD), &person(NEW)).expect("rewritten");
    std::fs::write(&path, &there.bytes).expect("written");
    assert_eq!(python(DUMP, &path).expect("a dump"), theirs);
    let hive = Hive::parse(&there.bytes).expect("a hive");
    let key = hive.key(r"software\key 0699").expect("read").expect("a key");
    assert_eq!(parse(key.security().expect("security")).expect("a descriptor").owner, Some(person(NEW)));
    let back = substitute_security(&there.bytes, &person(NEW), &person(OLD)).expect("rewritten");
    assert!(back.bytes == before, "not the same bytes");
}
