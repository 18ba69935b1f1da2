//! Who has which profile, and in what state it is (domain.md B1.3).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::owners::acl_owner;
use super::tree::{Tree, walk};
use super::{HIVES, IMAGE_PATH, PROFILE_LIST};
use crate::model::{Problem, Profile, ProfileHealth, Sid};
use crate::port::Result;
use crate::windows::machine::{Key, Machine, Value};

/// Bits of `State` that name what isn't a healthy local profile. 0x8000 was seen with a temporary one (domain.md B1.3);
/// the others are \[K].
const STATES: [(u64, ProfileHealth); 4] = [
    (0x0001, ProfileHealth::Mandatory),
    (0x0100, ProfileHealth::Mandatory),
    (0x0800, ProfileHealth::Temporary),
    (0x8000, ProfileHealth::Temporary),
];
/// Seconds between 1601 and 1970.
const EPOCH_SECS: i64 = 11_644_473_600;

/// Sizes that were added up before, by folder.
///
/// Adding up is a walk through every file of a profile, some seconds of disk for each, and a waiting agent looks often.
/// Only what isn't empty by far is kept, and for [`Sizes::KEPT_SECS`]: whether a profile is empty decides whether it may
/// be removed, so that is always added up anew.
#[derive(Debug, Default)]
pub struct Sizes {
    known: BTreeMap<String, (Timestamp, u64)>,
}

impl Sizes {
    /// How long a size counts, in seconds.
    pub const KEPT_SECS: i64 = 1800;
    /// A profile of at least this size in MiB is kept in mind: nobody empties it meanwhile by using it.
    const LARGE_MIB: u64 = 5 * Profile::EMPTY_MIB;

    /// Forgets everything: something was done to the device.
    pub fn forget(&mut self) {
        self.known.clear();
    }
    fn of<M: Machine + ?Sized>(&mut self, machine: &M, path: &str) -> Result<u64> {
        let now = machine.now();
        let fresh = |at: Timestamp| (0..Self::KEPT_SECS).contains(&now.duration_since(at).as_secs());
        if let Some((_, size)) = self.known.get(path).filter(|(at, _)| fresh(*at)) {
            return Ok(*size);
        }
        let size = size_mib(machine, path)?;
        if size >= Self::LARGE_MIB {
            self.known.insert(path.to_owned(), (now, size));
        } else {
            self.known.remove(path);
        }
        Ok(size)
    }
}

/// Returns the profiles of people, by SID. What loads them besides their owners is left empty: tasks and services say
/// that. Services' own profiles (S-1-5-18, S-1-5-80-…) are left out.
///
/// [`Profile::acl_owner`] is S-1-0-0, nobody, where the folder and both hives don't name the same person, or can't be
/// read as what they are: a swap that stopped half-way leaves them so.
///
/// # Errors
/// Where ProfileList or a folder can't be read: a profile is never left out for that.
pub fn list<M: Machine + ?Sized>(machine: &M, sizes: &mut Sizes) -> Result<Vec<Profile>> {
    let list = Key::machine(PROFILE_LIST);
    let names = machine.keys(&list)?.ok_or_else(|| unreadable(&list.to_string(), "it isn't there"))?;
    let mut found = Vec::new();
    for name in &names {
        let Ok(sid) = name.parse::<Sid>() else { continue };
        if !is_person(&sid) {
            continue;
        }
        let twin = names.iter().any(|other| other.eq_ignore_ascii_case(&format!("{name}.bak")));
        found.extend(profile_of(machine, &list.join(sid.as_str()), &sid, twin, sizes)?);
    }
    // A person's key may be there as a twin alone: Windows renames the one that it couldn't load (domain.md C4).
    for name in &names {
        let lower = name.to_ascii_lowercase();
        let Some(sid) = lower.strip_suffix(".bak").and_then(|name| name.parse::<Sid>().ok()) else { continue };
        if is_person(&sid) && !found.iter().any(|profile: &Profile| profile.sid == sid) {
            let twin = profile_of(machine, &list.join(name), &sid, true, sizes)?;
            found.extend(twin);
        }
    }
    found.sort_by(|a, b| a.sid.cmp(&b.sid));
    Ok(found)
}

/// Returns one person's profile, everything read anew.
pub(super) fn one<M: Machine + ?Sized>(machine: &M, sid: &Sid, twin: bool) -> Result<Option<Profile>> {
    profile_of(machine, &Key::machine(PROFILE_LIST).join(sid.as_str()), sid, twin, &mut Sizes::default())
}

/// Accounts of a directory or of the machine, and those of Entra.
pub(super) fn is_person(sid: &Sid) -> bool {
    sid.is_entra() || sid.is_domain_or_local()
}

/// Says whether a person's hive is loaded.
pub(super) fn is_loaded<M: Machine + ?Sized>(machine: &M, sid: &Sid) -> Result<bool> {
    let there = |name: String| machine.keys(&Key::users(name)).map(|keys| keys.is_some());
    Ok(there(sid.to_string())? || there(format!("{sid}_Classes"))?)
}

fn profile_of<M: Machine + ?Sized>(
    machine: &M,
    key: &Key,
    sid: &Sid,
    twin: bool,
    sizes: &mut Sizes,
) -> Result<Option<Profile>> {
    let Some(path) = machine.value(key, IMAGE_PATH)? else { return Ok(None) };
    let path = match path.text() {
        Some(text) => expand(machine, text)?,
        None => return Err(unreadable(&key.to_string(), "ProfileImagePath isn't a text")),
    };
    let loaded = is_loaded(machine, sid)?;
    let (health, owner) = match health(machine, key, &path, twin)? {
        ProfileHealth::Healthy => match acl_owner(machine, sid, &path, loaded)? {
            Some(owner) => (ProfileHealth::Healthy, owner),
            None => (ProfileHealth::Corrupt, nobody()?),
        },
        other => (other, nobody()?),
    };
    Ok(Some(Profile {
        sid: sid.clone(),
        health,
        loaded,
        acl_owner: owner,
        size_mib: sizes.of(machine, &path)?,
        loaders: Vec::new(),
        last_used: last_used(machine, key)?,
        path,
    }))
}

/// S-1-0-0: nobody.
pub(super) fn nobody() -> Result<Sid> {
    "S-1-0-0".parse().map_err(|_| unreadable("S-1-0-0", "it isn't a SID"))
}

/// Replaces the variables that stand in a path of `REG_EXPAND_SZ`; only those of the machine do in ProfileList.
pub(super) fn expand<M: Machine + ?Sized>(machine: &M, path: &str) -> Result<String> {
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        match after.split_once('%') {
            Some((name, behind)) if !name.is_empty() && !name.contains('\\') => {
                out.push_str(&machine.folder(name)?);
                rest = behind;
            }
            _ => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn health<M: Machine + ?Sized>(machine: &M, key: &Key, path: &str, twin: bool) -> Result<ProfileHealth> {
    let state = machine.value(key, "State")?.and_then(|value| value.number()).unwrap_or(0);
    if let Some((_, health)) = STATES.iter().find(|(bit, _)| state & bit != 0) {
        return Ok(*health);
    }
    let (parent, name) = path.trim_end_matches('\\').rsplit_once('\\').unwrap_or(("", path));
    if name.eq_ignore_ascii_case("TEMP") || name.to_ascii_uppercase().starts_with("TEMP.") {
        return Ok(ProfileHealth::Temporary);
    }
    if machine.value(key, "CentralProfile")?.is_some_and(|value| value.text().is_some_and(|text| !text.is_empty())) {
        return Ok(ProfileHealth::Roaming);
    }
    // Containers (FSLogix, UPM) put a link in the place of the folder \[K].
    let entries = machine.list(parent)?.unwrap_or_default();
    match entries.iter().find(|entry| entry.name.eq_ignore_ascii_case(name)) {
        Some(entry) if entry.is_reparse => Ok(ProfileHealth::Container),
        Some(entry) if entry.is_folder && !twin && machine.exists(&format!("{path}\\{}", HIVES[0]))? => {
            Ok(ProfileHealth::Healthy)
        }
        _ => Ok(ProfileHealth::Corrupt),
    }
}

fn size_mib<M: Machine + ?Sized>(machine: &M, path: &str) -> Result<u64> {
    if machine.list(path)?.is_none() {
        return Ok(0);
    }
    let bytes = std::sync::atomic::AtomicU64::new(0);
    let tree = walk(machine, path, |_, entry| {
        bytes.fetch_add(entry.map_or(0, |entry| entry.bytes), std::sync::atomic::Ordering::Relaxed);
        Ok(())
    });
    let Tree { failures, .. } = tree;
    match failures.first() {
        Some((_, error)) => Err(error.clone().into()),
        None => Ok(bytes.into_inner() >> 20),
    }
}

/// `LocalProfileLoadTime`, a FILETIME in two halves \[K].
fn last_used<M: Machine + ?Sized>(machine: &M, key: &Key) -> Result<Option<Timestamp>> {
    let half = |name: &str| -> Result<Option<u64>> {
        Ok(machine.value(key, name)?.as_ref().and_then(Value::number).map(|half| half & 0xffff_ffff))
    };
    let (Some(low), Some(high)) = (half("LocalProfileLoadTimeLow")?, half("LocalProfileLoadTimeHigh")?) else {
        return Ok(None);
    };
    let secs = i64::try_from(((high << 32) | low) / 10_000_000).ok().and_then(|secs| secs.checked_sub(EPOCH_SECS));
    Ok(secs.filter(|secs| *secs > 0).and_then(|secs| Timestamp::from_second(secs).ok()))
}

pub(super) fn unreadable(object: &str, why: impl std::fmt::Display) -> Problem {
    Problem::new("windows.unreadable", format!("{object} can't be read"))
        .next("look at what is named; another program wrote it")
        .detail(why.to_string())
}
