//! Profiles of people (domain.md B1.3): the engine's list, and what else loads them.

use std::sync::PoisonError;

use jiff::Timestamp;

use super::super::{Inner, Result, tables};
use crate::model::{Profile, Sid};
use crate::windows::machine::ScheduledTask;
use crate::windows::profile;

/// Seconds between 1601 and 1970.
const EPOCH_SECS: i64 = 11_644_473_600;

impl Inner {
    /// Reads them.
    pub(super) fn profiles(&self) -> Result<Vec<Profile>> {
        let mut profiles = {
            let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
            profile::list(&*self.machine, &mut sizes)?
        };
        let tasks = self.machine.tasks("\\")?;
        for profile in &mut profiles {
            profile.loaders = loaders(&tasks, &profile.sid);
        }
        Ok(profiles)
    }
    /// Returns what loads one person's profile.
    pub(in crate::windows::device) fn loaders(&self, sid: &Sid) -> Result<Vec<String>> {
        Ok(loaders(&self.machine.tasks("\\")?, sid))
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

/// Returns the tasks that run as a person: they load the profile without anybody at the screen.
fn loaders(tasks: &[ScheduledTask], sid: &Sid) -> Vec<String> {
    let user_id = format!("<UserId>{sid}</UserId>");
    let own = tasks.iter().filter(|task| task.enabled && task.xml.contains(&user_id));
    // Ours is a probe that ends by itself.
    own.filter(|task| !task.path.starts_with(tables::TASKS)).map(|task| format!("task {}", task.path)).collect()
}
