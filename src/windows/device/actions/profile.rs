//! Giving a profile to another owner. The engine looks, refuses and goes on where it stopped; here is said what loads
//! the profile, and where the engine keeps its record.

use super::super::{Inner, Result};
use crate::model::Sid;
use crate::windows::profile;

impl Inner {
    pub(super) fn swap(&self, from: &Sid, to: &Sid, path: &str) -> Result<()> {
        self.ensure_private()?;
        profile::swap(&*self.machine, &self.private()?, from, to, path).map_err(|problem| {
            // Best effort: a problem is told also where what loads the profile can't be found out.
            let loaders = self.loaders(from).unwrap_or_default();
            if problem.code == "device.profile-in-use" && !loaders.is_empty() {
                return problem.detail(format!("it is loaded by {}", loaders.join(", ")));
            }
            problem
        })
    }
}
