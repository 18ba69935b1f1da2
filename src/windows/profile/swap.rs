//! The swap itself: steps that are each done once or again without harm.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::list::{expand, is_loaded, one};
use super::record::{Bytes, Record, Stage, Stored, export};
use super::tree::{Tree, walk};
use super::{BROKER, HIVE_MAX, HIVES, IMAGE_PATH, PACKAGES, PROFILE_GUID, PROFILE_LIST, same_path};
use crate::model::{Problem, Profile, ProfileHealth, Retry, Sid};
use crate::port::Result;
use crate::windows::machine::{Cause, Files, Key, Machine, Sys, SysError, Value};
use crate::winformat::descriptor::Substitution;
use crate::winformat::hive::rewrite_security;
use crate::winformat::{FormatError, sid};

/// Gives the profile in `path` from one person to another; see the module's own text for the steps. `private_folder` is
/// there and private: the record, which holds descriptors and one key, and copies of the hives go into it.
///
/// Asked for again it goes on where it stopped, and does nothing once all is done. With the two people the other way
/// round it takes the swap back, also one that stopped half-way: descriptors and hives are as they were, byte for byte
/// but for what was changed since. Only the removed tokens and the new owner's empty profile don't come back.
///
/// # Errors
/// `device.profile-*` with nothing changed: the profile isn't there, lies elsewhere, isn't healthy, is loaded, something
/// in it can't be read, the new owner has one with data. After that `device.profile-files` where a file can't be given
/// over now (all others are), and `windows.*` where a call fails: it goes on when it is asked for again.
pub fn swap<M: Machine + ?Sized>(machine: &M, private_folder: &str, from: &Sid, to: &Sid, path: &str) -> Result<()> {
    let swap = Swap { machine, folder: private_folder, from, to, path: path.trim_end_matches('\\') };
    let Some(mut record) = swap.begin()? else { return Ok(()) };
    let substitution = Substitution::new(from, to).map_err(|error| swap.hive_problem("the SIDs", error))?;
    swap.unloaded(from)?;
    swap.unloaded(to)?;
    // Copies are of the hives as they were at home: a way back, or a swap that turns round twice, keeps them.
    if !record.copied && *to != record.home {
        swap.copy_hives()?;
        record.copied = true;
        record.save(machine, private_folder)?;
    }
    if record.stage < Stage::Reowned {
        swap.keep_new_hives(&mut record, &substitution)?;
        let owners = Owners::of(&record, substitution).map_err(|error| swap.hive_problem("the SIDs", error))?;
        swap.give_files(&owners)?;
        swap.give_hives(&owners)?;
        record.reach(Stage::Reowned, machine, private_folder)?;
    }
    if record.stage < Stage::Moved {
        swap.remove_spare()?;
        swap.move_key(&record)?;
        record.reach(Stage::Moved, machine, private_folder)?;
    }
    swap.remove_tokens()?;
    if *to == record.home {
        // All is as it was: nothing is left to take back.
        machine.remove(&hive_copies(private_folder))?;
        return Ok(machine.remove(&Record::file(private_folder))?);
    }
    record.reach(Stage::Done, machine, private_folder)
}

/// Where the copies of the hives lie, which may hold secrets of their owner.
fn hive_copies(folder: &str) -> String {
    format!("{folder}\\hives")
}

struct Swap<'a, M: ?Sized> {
    machine: &'a M,
    folder: &'a str,
    from: &'a Sid,
    to: &'a Sid,
    path: &'a str,
}

/// What a descriptor becomes.
struct Owners<'a> {
    substitution: Substitution,
    /// From the first owner to the other.
    away: Substitution,
    homewards: bool,
    originals: &'a BTreeMap<String, Bytes>,
}

impl<'a> Owners<'a> {
    fn of(record: &'a Record, substitution: Substitution) -> std::result::Result<Self, FormatError> {
        let homewards = record.to == record.home;
        let away = if homewards { Substitution::new(&record.to, &record.from)? } else { substitution.clone() };
        Ok(Self { substitution, away, homewards, originals: &record.originals })
    }
    /// Returns what the descriptor of something becomes. One that was written down isn't only substituted: the new owner
    /// was named in it before, and has to keep on the way back what was his.
    fn target(&self, name: &str, current: &[u8]) -> std::result::Result<Vec<u8>, FormatError> {
        if let Some(Bytes(original)) = self.originals.get(name) {
            let moved = self.away.apply(original)?.bytes;
            if current == original.as_slice() || current == moved {
                return Ok(if self.homewards { original.clone() } else { moved });
            }
        }
        Ok(self.substitution.apply(current)?.bytes)
    }
    /// Returns what the descriptor of a hive's file becomes: a hive is written anew, and has lost its own by then.
    fn target_of_hive(&self, name: &str, current: &[u8]) -> std::result::Result<Vec<u8>, FormatError> {
        match self.originals.get(name) {
            Some(Bytes(original)) if self.homewards => Ok(original.clone()),
            Some(Bytes(original)) => Ok(self.away.apply(original)?.bytes),
            None => Ok(self.substitution.apply(current)?.bytes),
        }
    }
}

fn malformed(path: &str, error: &FormatError) -> SysError {
    SysError::new("GetFileSecurity", path, Cause::Unreadable, 0, error.to_string())
}

fn cell_name(hive: &str, cell: u32) -> String {
    format!("{}#{cell}", hive.to_lowercase())
}

impl<M: Machine + ?Sized> Swap<'_, M> {
    /// Returns the record to go on with; none where there is nothing to do.
    fn begin(&self) -> Result<Option<Record>> {
        if let Some(last) = Record::load(self.machine, self.folder)? {
            let here = same_path(&last.path, self.path);
            let people = (&last.from, &last.to);
            if here && people == (self.from, self.to) && last.stage != Stage::Done {
                return Ok(Some(last));
            }
            if here && people == (self.to, self.from) {
                return self.turn_round(last).map(Some);
            }
            if last.stage != Stage::Done {
                return Err(self.open(&last)?);
            }
        }
        if self.is_done()? {
            return Ok(None);
        }
        self.refuse()?;
        let mut record = Record::new(self.from, self.to, self.path);
        record.originals = self.look(true)?;
        record.keys = export(self.machine, &self.key(self.from))?;
        record.save(self.machine, self.folder)?;
        Ok(Some(record))
    }
    /// Makes the way back out of the record of the way there. What was written down of the beginning stays.
    fn turn_round(&self, mut record: Record) -> Result<Record> {
        (record.from, record.to, record.stage) = (self.from.clone(), self.to.clone(), Stage::Seen);
        self.unloaded(self.from)?;
        self.unloaded(self.to)?;
        self.look(false)?;
        // Where the key wasn't moved yet, what was written down of it is what it was.
        let owned = one(self.machine, self.from, false)?.filter(|profile| same_path(&profile.path, self.path));
        if owned.is_some() {
            record.keys = export(self.machine, &self.key(self.from))?;
        } else if one(self.machine, self.to, false)?.is_none_or(|profile| !same_path(&profile.path, self.path)) {
            return Err(self.missing()?);
        }
        record.save(self.machine, self.folder)?;
        Ok(record)
    }
    fn open(&self, last: &Record) -> Result<Problem> {
        let name = self.machine.computer_name()?;
        let what = format!("another swap on {name} stopped half-way: {} from {} to {}", last.path, last.from, last.to);
        Ok(Problem::new("device.profile-swap-open", what).next("finish that swap, or take it back, before this one"))
    }
    fn missing(&self) -> Result<Problem> {
        let what = format!("{} has no profile on {}", self.from, self.machine.computer_name()?);
        let next = "compare ProfileList with the plan's evidence and plan again";
        Ok(Problem::new("device.profile-missing", what).next(next))
    }
    fn key(&self, owner: &Sid) -> Key {
        Key::machine(PROFILE_LIST).join(owner.as_str())
    }
    fn is_done(&self) -> Result<bool> {
        let owned = one(self.machine, self.to, false)?;
        Ok(owned.is_some_and(|profile| same_path(&profile.path, self.path) && profile.acl_owner == *self.to))
    }
    fn twin(&self, owner: &Sid) -> Result<bool> {
        Ok(self.machine.keys(&self.twin_key(owner))?.is_some())
    }
    fn twin_key(&self, owner: &Sid) -> Key {
        Key::machine(PROFILE_LIST).join(&format!("{owner}.bak"))
    }
    fn unloaded(&self, owner: &Sid) -> Result<()> {
        if !is_loaded(self.machine, owner)? {
            return Ok(());
        }
        let name = self.machine.computer_name()?;
        Err(Problem::new("device.profile-in-use", format!("the profile of {owner} on {name} is loaded"))
            .next("sign the user out, stop what loads the profile, or restart the device")
            .retry(Retry::Soon))
    }
    /// Says why it may not begin. The same answers as a device of the lab gives.
    fn refuse(&self) -> Result<()> {
        let (from, to, path, name) = (self.from, self.to, self.path, self.machine.computer_name()?);
        let Some(old) = one(self.machine, from, self.twin(from)?)? else {
            return Err(self.missing()?);
        };
        if !same_path(&old.path, path) {
            let what = format!("the profile of {from} on {name} lies in {}, not in {path}", old.path);
            return Err(Problem::new("device.profile-path", what).next("plan again with fresh evidence"));
        }
        if old.health != ProfileHealth::Healthy {
            return Err(Problem::new(
                "device.profile-health",
                format!("the profile of {from} on {name} isn't healthy"),
            )
            .next("repair the profile first"));
        }
        self.unloaded(from)?;
        self.unloaded(to)?;
        self.spare().map(|_| ())
    }
    /// Returns the profile that the new owner has elsewhere, which has to be empty.
    fn spare(&self) -> Result<Option<Profile>> {
        let Some(spare) = one(self.machine, self.to, false)?.filter(|spare| !same_path(&spare.path, self.path)) else {
            return Ok(None);
        };
        let list = Key::machine(PROFILE_LIST);
        let all = self.machine.value(&list, "ProfilesDirectory")?;
        let all = all.as_ref().and_then(Value::text).unwrap_or(r"%SystemDrive%\Users");
        let all = expand(self.machine, all)?;
        // What is removed with all in it has to be a profile: a folder right below that of all profiles.
        let parent = spare.path.trim_end_matches('\\').rsplit_once('\\').map_or("", |(parent, _)| parent);
        if spare.is_empty() && same_path(parent, &all) {
            return Ok(Some(spare));
        }
        let name = self.machine.computer_name()?;
        let what = format!("{} already has a profile with data on {name}, in {}", self.to, spare.path);
        Err(Problem::new("device.profile-target-exists", what)
            .next("save that profile's files and remove it, or leave the device out"))
    }
    fn hives(&self) -> [String; 2] {
        HIVES.map(|hive| format!("{}\\{hive}", self.path))
    }
    fn is_hive(&self, path: &str) -> bool {
        self.hives().iter().any(|hive| same_path(hive, path))
    }
    /// Reads everything that will change, so that what can't be is found before anything has. Returns the descriptors
    /// that have to be kept, where the swap begins here.
    fn look(&self, keep: bool) -> Result<BTreeMap<String, Bytes>> {
        let substitution = Substitution::new(self.from, self.to).map_err(|e| self.hive_problem("the SIDs", e))?;
        let kept = Mutex::new(BTreeMap::new());
        let tree = walk(self.machine, self.path, |path, _| {
            let Some(current) = self.machine.security(path)? else { return Ok(()) };
            let after = substitution.apply(&current).map_err(|error| malformed(path, &error))?;
            if keep && (after.held > 0 || self.is_hive(path)) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.insert(path.to_lowercase(), Bytes(current));
            }
            Ok(())
        });
        self.whole(&tree, "read")?;
        let mut kept = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        for hive in self.hives() {
            let Some(bytes) = self.machine.read(&hive, HIVE_MAX)? else { continue };
            rewrite_security(&bytes, |cell, current| {
                let after = substitution.apply(current)?;
                if keep && after.held > 0 {
                    kept.insert(cell_name(&hive, cell), Bytes(current.to_vec()));
                }
                Ok((after.places > 0).then_some(after.bytes))
            })
            .map_err(|error| self.hive_problem(&hive, error))?;
        }
        Ok(kept)
    }
    fn whole(&self, tree: &Tree, what: &str) -> Result<()> {
        if tree.failed == 0 {
            return Ok(());
        }
        let name = self.machine.computer_name()?;
        let message = format!("{} of {} files in {} on {name} can't be {what}", tree.failed, tree.visited, self.path);
        let details: Vec<String> = tree.failures.iter().map(|(path, error)| format!("{path}: {error}")).collect();
        Err(Problem::new("device.profile-files", message)
            .next("look what holds them or denies SYSTEM access, then apply again")
            .retry(Retry::Soon)
            .detail(details.join("; ")))
    }
    fn hive_problem(&self, hive: &str, error: FormatError) -> Problem {
        Problem::new("device.profile-hive", format!("{hive} can't be given to {}", self.to))
            .next("sign the user in and out once, or restart the device, so that Windows repairs the hive")
            .detail(error.to_string())
    }
    fn copy_hives(&self) -> Result<()> {
        let folder = hive_copies(self.folder);
        Files::create_private(self.machine, &folder)?;
        for hive in self.hives() {
            if self.machine.exists(&hive)? {
                let name = hive.rsplit_once('\\').map_or(hive.as_str(), |(_, name)| name);
                self.machine.copy(&hive, &format!("{folder}\\{name}_opsole"))?;
            }
        }
        Ok(())
    }
    fn give_files(&self, owners: &Owners<'_>) -> Result<()> {
        let give = |path: &str| -> Sys<()> {
            if self.is_hive(path) {
                return Ok(());
            }
            let Some(current) = self.machine.security(path)? else { return Ok(()) };
            let wanted = owners.target(&path.to_lowercase(), &current).map_err(|error| malformed(path, &error))?;
            if wanted == current { Ok(()) } else { self.machine.set_security(path, &wanted) }
        };
        self.whole(&walk(self.machine, self.path, |path, _| give(path)), "given over")
    }
    /// Writes down the descriptors of hives that came after the first look: a hive loses its own when it is written.
    fn keep_new_hives(&self, record: &mut Record, substitution: &Substitution) -> Result<()> {
        for hive in self.hives() {
            let name = hive.to_lowercase();
            if record.originals.contains_key(&name) {
                continue;
            }
            let Some(current) = self.machine.security(&hive)? else { continue };
            let homewards = *self.to == record.home;
            let after = substitution.apply(&current).map_err(|error| Problem::from(malformed(&hive, &error)))?;
            record.originals.insert(name, Bytes(if homewards { after.bytes } else { current }));
            record.save(self.machine, self.folder)?;
        }
        Ok(())
    }
    fn give_hives(&self, owners: &Owners<'_>) -> Result<()> {
        for hive in self.hives() {
            let Some(bytes) = self.machine.read(&hive, HIVE_MAX)? else { continue };
            let current = self.machine.security(&hive)?.unwrap_or_default();
            let (after, _) =
                rewrite_security(&bytes, |cell, current| owners.target(&cell_name(&hive, cell), current).map(Some))
                    .map_err(|error| self.hive_problem(&hive, error))?;
            let name = hive.to_lowercase();
            let wanted =
                owners.target_of_hive(&name, &current).map_err(|error| Problem::from(malformed(&hive, &error)))?;
            if after != bytes {
                self.machine.write(&hive, &after)?;
            }
            if self.machine.security(&hive)?.is_some_and(|current| current != wanted) {
                self.machine.set_security(&hive, &wanted)?;
            }
        }
        Ok(())
    }
    fn remove_spare(&self) -> Result<()> {
        if let Some(spare) = self.spare()? {
            self.machine.remove(&spare.path)?;
            if let Some(guid) = self.machine.value(&self.key(self.to), "Guid")?.as_ref().and_then(Value::text) {
                self.machine.remove_tree(&Key::machine(PROFILE_GUID).join(guid))?;
            }
            self.machine.remove_tree(&self.key(self.to))?;
        }
        if self.twin(self.to)? {
            self.machine.remove_tree(&self.twin_key(self.to))?;
        }
        Ok(())
    }
    /// Makes the new owner's key and removes the old one's. The path comes last: until then it is nobody's profile.
    fn move_key(&self, record: &Record) -> Result<()> {
        let binary = sid::to_bytes(self.to).map_err(|error| self.hive_problem("the SID", error))?;
        let own = self.key(self.to);
        let mut path = None;
        for (below, values) in &record.keys {
            let key = if below.is_empty() { own.clone() } else { own.join(below) };
            for (name, stored) in values {
                let is = |other: &str| below.is_empty() && name.eq_ignore_ascii_case(other);
                if is(IMAGE_PATH) {
                    path = Some(Value::from(stored.clone()));
                } else if is("Sid") {
                    self.machine.set(&key, name, &Value::Binary(binary.clone()))?;
                } else {
                    self.machine.set(&key, name, &stored.clone().into())?;
                }
                if let (true, Stored::Sz(guid)) = (is("Guid"), stored) {
                    let guid = Key::machine(PROFILE_GUID).join(guid);
                    self.machine.set(&guid, "SidString", &Value::Sz(self.to.to_string()))?;
                }
            }
        }
        let path = path.unwrap_or_else(|| Value::ExpandSz(self.path.to_owned()));
        self.machine.set(&own, IMAGE_PATH, &path)?;
        let old = one(self.machine, self.from, false)?;
        // A key that names another folder is another profile.
        if old.is_none_or(|old| same_path(&old.path, self.path)) {
            self.machine.remove_tree(&self.key(self.from))?;
        }
        Ok(())
    }
    fn remove_tokens(&self) -> Result<()> {
        let packages = format!("{}\\{PACKAGES}", self.path);
        for entry in self.machine.list(&packages)?.unwrap_or_default() {
            if entry.name.to_lowercase().starts_with(BROKER) {
                self.machine.remove(&format!("{packages}\\{}", entry.name))?;
            }
        }
        Ok(())
    }
}
