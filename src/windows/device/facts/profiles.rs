//! Profiles of people (domain.md B1.3).

use jiff::Timestamp;

use super::super::{Inner, Result, tables, unreadable};
use crate::model::{Profile, ProfileHealth, Sid};
use crate::windows::machine::Key;
use crate::winformat::descriptor;

/// Bits of `State` that name what isn't a healthy local profile. 0x8000 was seen with a temporary one; the others are
/// \[K].
const STATES: [(u64, ProfileHealth); 4] = [
    (0x1, ProfileHealth::Mandatory),
    (0x100, ProfileHealth::Mandatory),
    (0x800, ProfileHealth::Temporary),
    (0x8000, ProfileHealth::Temporary),
];
/// Hives of a profile.
const HIVES: [&str; 2] = ["NTUSER.DAT", r"AppData\Local\Microsoft\Windows\UsrClass.dat"];
/// Seconds between 1601 and 1970.
const EPOCH_SECS: i64 = 11_644_473_600;

impl Inner {
    /// Reads them.
    pub(in crate::windows::device) fn profiles(&self) -> Result<Vec<Profile>> {
        let list = Key::machine(tables::PROFILE_LIST);
        let names = self.machine.keys(&list)?.ok_or_else(|| unreadable(&list, "it isn't there"))?;
        let tasks = self.machine.tasks("\\")?;
        let mut profiles: Vec<Profile> = Vec::new();
        for name in &names {
            let Ok(sid) = name.parse::<Sid>() else { continue };
            if !sid.is_entra() && !sid.is_domain_or_local() {
                continue;
            }
            let key = list.join(name).path;
            let Some(path) = self.profile_path(&key)? else { continue };
            let twin = names.iter().any(|other| other.eq_ignore_ascii_case(&format!("{name}.bak")));
            let loaded = self.machine.values(&Key::users(sid.as_str()))?.is_some();
            let user_id = format!("<UserId>{sid}</UserId>");
            let loaders = tasks.iter().filter(|task| task.enabled && task.xml.contains(&user_id));
            // Ours is a probe that ends by itself.
            let loaders = loaders.filter(|task| !task.path.starts_with(tables::TASKS));
            profiles.push(Profile {
                health: self.health(&key, &path, twin)?,
                acl_owner: self.acl_owner(&sid, &path, loaded)?,
                size_mib: self.size_mib(&path)?,
                loaders: loaders.map(|task| format!("task {}", task.path)).collect(),
                last_used: self.last_used(&key)?,
                sid,
                path,
                loaded,
            });
        }
        Ok(profiles)
    }
    /// Returns the folder of an entry of ProfileList, expanded.
    pub(in crate::windows::device) fn profile_path(&self, key: &str) -> Result<Option<String>> {
        self.text(key, "ProfileImagePath")?.map(|path| self.expand(&path)).transpose()
    }
    /// Replaces the variables that stand in ProfileImagePath.
    fn expand(&self, path: &str) -> Result<String> {
        let mut out = path.to_owned();
        for variable in ["SystemDrive", "SystemRoot", "ProgramData"] {
            let name = format!("%{}%", variable.to_lowercase());
            while let Some(at) = out.to_lowercase().find(&name) {
                // Lower case may have another length in other scripts; such a path has no variable of this kind.
                if !out.is_char_boundary(at) || !out.is_char_boundary(at + name.len()) {
                    break;
                }
                out.replace_range(at..at + name.len(), &self.machine.folder(variable)?);
            }
        }
        Ok(out)
    }
    fn health(&self, key: &str, path: &str, twin: bool) -> Result<ProfileHealth> {
        let state = self.number(key, "State")?.unwrap_or(0);
        if let Some((_, health)) = STATES.iter().find(|(bit, _)| state & bit != 0) {
            return Ok(*health);
        }
        if path.to_lowercase().ends_with(r"\temp") {
            return Ok(ProfileHealth::Temporary);
        }
        if self.text(key, "CentralProfile")?.is_some() {
            return Ok(ProfileHealth::Roaming);
        }
        // FSLogix and its kin put a link to a container in the profile's place \[K].
        if let Some((parent, name)) = path.rsplit_once('\\') {
            let entries = self.machine.list(parent)?.unwrap_or_default();
            if entries.iter().any(|entry| entry.is_reparse && entry.name.eq_ignore_ascii_case(name)) {
                return Ok(ProfileHealth::Container);
            }
        }
        let hive = self.machine.exists(&format!("{path}\\{}", HIVES[0]))?;
        Ok(if twin || !hive { ProfileHealth::Corrupt } else { ProfileHealth::Healthy })
    }
    /// Returns whom the access lists name: the owner where all name it, else whoever is named instead of it.
    fn acl_owner(&self, sid: &Sid, path: &str, loaded: bool) -> Result<Sid> {
        let mut lists = Vec::new();
        for place in [path.to_owned()].into_iter().chain(HIVES.iter().map(|hive| format!("{path}\\{hive}"))) {
            lists.extend(self.machine.security(&place)?.map(|bytes| (place, bytes)));
        }
        if loaded {
            // What stands inside a hive is seen where it is loaded; of one that isn't the file's rights are the word.
            for key in [Key::users(sid.as_str()), Key::users(format!("{sid}_Classes"))] {
                let own = self.machine.key_security(&key)?.map(|bytes| (key.to_string(), bytes));
                lists.extend(own);
            }
        }
        let mut other = None;
        for (place, bytes) in lists {
            let parsed = descriptor::parse(&bytes).map_err(|e| unreadable(format!("the rights of {place}"), e))?;
            let named: Vec<Sid> = parsed.dacl.unwrap_or_default().into_iter().filter_map(|ace| ace.sid).collect();
            if named.contains(sid) {
                continue;
            }
            let person = named.into_iter().find(|named| named.is_entra() || named.is_domain_or_local());
            other = other.or(person);
        }
        Ok(other.unwrap_or_else(|| sid.clone()))
    }
    /// Adds up a profile. What a link or a cloud file's placeholder points to doesn't lie in it.
    fn size_mib(&self, path: &str) -> Result<u64> {
        let (mut bytes, mut folders) = (0_u64, vec![path.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in self.machine.list(&folder)?.unwrap_or_default() {
                if entry.is_folder && !entry.is_reparse {
                    folders.push(format!("{folder}\\{}", entry.name));
                } else if !entry.is_reparse {
                    bytes = bytes.saturating_add(entry.bytes);
                }
            }
        }
        Ok(bytes >> 20)
    }
    pub(super) fn last_used(&self, key: &str) -> Result<Option<Timestamp>> {
        // LocalProfileLoadTime, a FILETIME in two halves \[K].
        let (Some(low), Some(high)) =
            (self.number(key, "LocalProfileLoadTimeLow")?, self.number(key, "LocalProfileLoadTimeHigh")?)
        else {
            return Ok(None);
        };
        let ticks = (high << 32) | (low & 0xffff_ffff);
        let secs = i64::try_from(ticks / 10_000_000).ok().and_then(|secs| secs.checked_sub(EPOCH_SECS));
        Ok(secs.filter(|secs| *secs > 0).and_then(|secs| Timestamp::from_second(secs).ok()))
    }
}
