//! Names and tokens of identities that Windows keeps.

use std::collections::BTreeSet;

use super::super::{Inner, Result, tables};
use crate::model::{Profile, Sid};
use crate::windows::machine::Key;

impl Inner {
    /// Returns the entries of LogonCache, each with the SIDs that its name or its texts are \[I].
    pub(in crate::windows::device) fn logon_cache(&self) -> Result<Vec<(String, Vec<Sid>)>> {
        let root = Key::machine(tables::LOGON_CACHE);
        let mut found = Vec::new();
        for provider in self.machine.keys(&root)?.unwrap_or_default() {
            for kind in tables::LOGON_CACHE_KINDS {
                let kind = root.join(&provider).join(kind);
                for entry in self.machine.keys(&kind)?.unwrap_or_default() {
                    let key = kind.join(&entry);
                    let values = self.machine.values(&key)?.unwrap_or_default();
                    let texts = values.iter().filter_map(|(_, value)| value.text());
                    let sids = texts.chain([entry.as_str()]).filter_map(|text| text.parse().ok()).collect();
                    found.push((key.path, sids));
                }
            }
        }
        Ok(found)
    }
    /// Returns the folders of the token broker in a profile.
    pub(in crate::windows::device) fn broker_folders(&self, profile: &str) -> Result<Vec<String>> {
        let packages = format!("{profile}\\{}", tables::PACKAGES);
        let entries = self.machine.list(&packages)?.unwrap_or_default();
        let own = entries.into_iter().filter(|e| e.is_folder && e.name.to_lowercase().starts_with(tables::BROKER));
        Ok(own.map(|entry| format!("{packages}\\{}", entry.name)).collect())
    }
    /// The SIDs that have entries anywhere.
    pub(super) fn cached_identities(&self, profiles: &[Profile]) -> Result<Vec<Sid>> {
        let mut all: BTreeSet<Sid> = self.logon_cache()?.into_iter().flat_map(|(_, sids)| sids).collect();
        for name in self.machine.keys(&Key::machine(tables::IDENTITY_CACHE))?.unwrap_or_default() {
            all.extend(name.parse::<Sid>());
        }
        for profile in profiles {
            if !self.broker_folders(&profile.path)?.is_empty() {
                all.insert(profile.sid.clone());
            }
        }
        Ok(all.into_iter().filter(|sid| sid.is_entra() || sid.is_domain_or_local()).collect())
    }
}
