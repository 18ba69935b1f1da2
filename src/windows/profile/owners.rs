//! Whom the security of a profile's folder and hives names.

use super::list::{is_person, nobody};
use super::{HIVE_MAX, HIVES};
use crate::model::Sid;
use crate::port::Result;
use crate::windows::machine::{Key, Machine};
use crate::winformat::descriptor::{self, Descriptor};
use crate::winformat::hive::Hive;

/// FILE_ALL_ACCESS, KEY_ALL_ACCESS and GENERIC_ALL.
const ALL_OF_FILE: u32 = 0x001f_01ff;
const ALL_OF_KEY: u32 = 0x000f_003f;
const GENERIC_ALL: u32 = 0x1000_0000;

/// Returns the person that the folder and both hives name, S-1-0-0 where they name different ones, and none where one of
/// them isn't what it should be.
pub(super) fn acl_owner<M: Machine + ?Sized>(machine: &M, sid: &Sid, path: &str, loaded: bool) -> Result<Option<Sid>> {
    let Some(root) = machine.security(path)? else { return Ok(None) };
    let Ok(root) = descriptor::parse(&root) else { return Ok(None) };
    let mut named = vec![person(&root, sid, ALL_OF_FILE)];
    for (hive, suffix) in HIVES.iter().zip(["", "_Classes"]) {
        let bytes = if loaded {
            // A loaded hive can't be read as a file; its key is there instead.
            machine.key_security(&Key::users(format!("{sid}{suffix}")))?
        } else {
            match machine.read(&format!("{path}\\{hive}"), HIVE_MAX)? {
                Some(bytes) => match root_security(&bytes) {
                    Some(security) => Some(security),
                    None => return Ok(None),
                },
                None => None,
            }
        };
        // A profile that nobody signed in to yet has no UsrClass.dat \[I].
        if let Some(bytes) = bytes {
            let Ok(parsed) = descriptor::parse(&bytes) else { return Ok(None) };
            named.push(person(&parsed, sid, ALL_OF_KEY));
        }
    }
    let first = named.first().cloned().flatten();
    match first {
        Some(first) if named.iter().all(|other| other.as_ref() == Some(&first)) => Ok(Some(first)),
        _ => nobody().map(Some),
    }
}

fn root_security(bytes: &[u8]) -> Option<Vec<u8>> {
    let hive = Hive::parse(bytes).ok()?;
    hive.root().ok()?.security().ok().map(<[u8]>::to_vec)
}

/// Returns whom a descriptor gives everything: the expected one where it is among them, since administrators of a
/// directory may be there too.
fn person(parsed: &Descriptor, expected: &Sid, all: u32) -> Option<Sid> {
    let entries = parsed
        .dacl
        .iter()
        .flatten()
        .filter(|ace| ace.allows() && (ace.mask & all == all || ace.mask & GENERIC_ALL != 0));
    let people: Vec<&Sid> =
        parsed.owner.iter().chain(entries.filter_map(|ace| ace.sid.as_ref())).filter(|sid| is_person(sid)).collect();
    people.iter().find(|sid| **sid == expected).or(people.first()).map(|sid| (*sid).clone())
}
