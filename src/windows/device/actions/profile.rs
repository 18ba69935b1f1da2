//! Giving a profile to another owner: what has to hold before it, and what of the old identity goes with it.

use super::super::{Inner, Result};
use crate::model::{Problem, Profile, ProfileHealth, Retry, Sid};

impl Inner {
    pub(super) fn swap(&self, from: &Sid, to: &Sid, path: &str) -> Result<()> {
        let name = self.machine.computer_name()?;
        let profiles = self.profiles()?;
        let of = |sid: &Sid| profiles.iter().find(|profile| profile.sid == *sid);
        let same = |other: &str| other.eq_ignore_ascii_case(path);
        if of(to).is_some_and(|profile| same(&profile.path) && profile.acl_owner == *to) && of(from).is_none() {
            return Ok(());
        }
        let in_use = |profile: &Profile| {
            let by = if profile.loaders.is_empty() {
                "somebody who is signed in".to_owned()
            } else {
                profile.loaders.join(", ")
            };
            Problem::new("device.profile-in-use", format!("the profile of {} on {name} is loaded by {by}", profile.sid))
                .next("sign the user out, stop what loads the profile, or restart the device")
                .retry(Retry::Soon)
        };
        let Some(old) = of(from) else {
            return Err(Problem::new("device.profile-missing", format!("{from} has no profile on {name}"))
                .next("compare ProfileList with the plan's evidence and plan again"));
        };
        if !same(&old.path) {
            let message = format!("the profile of {from} on {name} lies in {}, not in {path}", old.path);
            return Err(Problem::new("device.profile-path", message).next("plan again with fresh evidence"));
        }
        if old.health != ProfileHealth::Healthy {
            return Err(Problem::new(
                "device.profile-health",
                format!("the profile of {from} on {name} isn't healthy"),
            )
            .next("repair the profile first"));
        }
        if old.loaded {
            return Err(in_use(old));
        }
        if let Some(target) = of(to) {
            if target.loaded {
                return Err(in_use(target));
            }
            if !same(&target.path) && !target.is_empty() {
                let message = format!("{to} already has a profile with data on {name}, in {}", target.path);
                return Err(Problem::new("device.profile-target-exists", message)
                    .next("save that profile's files and remove it, or leave the device out"));
            }
        }
        for folder in self.broker_folders(path)? {
            self.remove_file(&folder)?;
        }
        self.give_profile(from, to, path)
    }
    /// The seam to the profile engine: hives, access lists and ProfileList are its part.
    fn give_profile(&self, from: &Sid, _to: &Sid, path: &str) -> Result<()> {
        Err(Problem::new("device.profile-engine", format!("the profile of {from} in {path} can't be given away yet"))
            .next("update this program to one that has the profile engine"))
    }
}
