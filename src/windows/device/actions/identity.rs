//! Cached names and tokens of an identity, by SID alone (domain.md B3 step 11): in one tenant the name is the same
//! before and after, and removing by name would take the new identity too.

use super::super::before::Purpose;
use super::super::{Inner, Result, tables};
use crate::model::Sid;
use crate::windows::machine::Key;

impl Inner {
    pub(super) fn clean_identity(&self, sid: &Sid) -> Result<()> {
        for (key, sids) in self.logon_cache()? {
            if sids.contains(sid) {
                self.remove_key(Purpose::Move, &key)?;
            }
        }
        let root = Key::machine(tables::IDENTITY_CACHE);
        for name in self.machine.keys(&root)?.unwrap_or_default() {
            if name.parse::<Sid>().as_ref() == Ok(sid) {
                self.remove_key(Purpose::Move, &root.join(&name).path)?;
            }
        }
        // Tokens lie in the profile that the identity owns; a profile that has another owner by now isn't its own.
        let profile = format!("{}\\{sid}", tables::PROFILE_LIST);
        if let Some(path) = self.profile_path(&profile)? {
            for folder in self.broker_folders(&path)? {
                self.remove_file(&folder)?;
            }
        }
        Ok(())
    }
}
