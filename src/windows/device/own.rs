//! What this tool knows of its own work on the device: one document in the private folder, written as a whole.

use serde::{Deserialize, Serialize};

use super::{Inner, Result, tables};
use crate::model::{PackageName, PackageRecord, Problem, Recorded};
use crate::windows::machine::{Files, Key};

/// Version of the document.
const FORMAT: u32 = 1;
/// Longest document that is read, in bytes.
pub(super) const DOCUMENT_MAX: u64 = 16 << 20;

/// An unjoin that takes effect at the restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leaving {
    /// DNS name of the domain.
    pub domain: String,
    /// The boot in which it was asked for.
    pub boot: u64,
}

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Own {
    /// [`FORMAT`].
    pub format: u32,
    /// What was recorded before the first change.
    pub recorded: Option<Recorded>,
    /// The boot start is ours.
    pub armed: bool,
    /// The notice and the held sign-in are ours.
    pub banner: bool,
    /// A logon with the recovery administrator's password worked.
    pub recovery_proven: bool,
    /// The package in the folder.
    pub package: Option<PackageName>,
    /// The package that Windows accepted last.
    pub installed: Option<PackageRecord>,
    /// Joining again by itself is off.
    pub rejoin_off: bool,
    /// An unjoin.
    pub leaving: Option<Leaving>,
}

impl Inner {
    fn own_path(&self) -> Result<String> {
        Ok(format!("{}\\own.json", self.private()?))
    }
    /// Returns the document; an empty one where nothing was done yet.
    pub(super) fn own(&self) -> Result<Own> {
        let path = self.own_path()?;
        let Some(bytes) = self.machine.read(&path, DOCUMENT_MAX)? else { return Ok(Own::default()) };
        let damaged = |why: String| {
            Problem::new("device.own-record", format!("{path} can't be read"))
                .next("another program changed it; put the sign-in screen back by hand and report the device")
                .detail(why)
        };
        let own: Own = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        if own.format > FORMAT {
            return Err(damaged(format!("format {} is newer than this program", own.format)));
        }
        Ok(own)
    }
    /// Changes the document, where that changes anything.
    pub(super) fn set_own(&self, change: impl FnOnce(&mut Own)) -> Result<()> {
        let before = self.own()?;
        let mut own = before.clone();
        change(&mut own);
        if own == before {
            return Ok(());
        }
        own.format = FORMAT;
        self.ensure_private()?;
        let bytes = serde_json::to_vec(&own).map_err(|e| unwritable(&e))?;
        Ok(self.machine.write(&self.own_path()?, &bytes)?)
    }
    /// Makes the private folder, with its rights. The rights come before any content: whoever could write into a
    /// folder that was there earlier can't any more.
    pub(super) fn ensure_private(&self) -> Result<()> {
        self.private_folder(&self.private()?)
    }
    /// Makes a folder that only SYSTEM and Administrators can read and write.
    pub(super) fn private_folder(&self, path: &str) -> Result<()> {
        Ok(Files::create_private(&*self.machine, path)?)
    }
    /// Removes the private folder with all in it, and our keys.
    pub(super) fn drop_private(&self) -> Result<()> {
        // The document goes first: without it nothing counts as done, so that a cut-off removal is repeated.
        self.machine.remove(&self.own_path()?)?;
        self.machine.remove(&self.private()?)?;
        self.machine.remove(&self.path("ProgramData", tables::PROBES)?)?;
        self.machine.remove_tasks(tables::TASKS)?;
        self.drop_own_key()?;
        // What else lies beside it, such as the agent's own folder, isn't its to remove.
        let parent = self.path("ProgramData", tables::PRIVATE_PARENT)?;
        if self.machine.list(&parent)?.is_some_and(|entries| entries.is_empty()) {
            self.machine.remove(&parent)?;
        }
        Ok(())
    }
    /// Removes our key, and the one above it where nothing else is in it.
    pub(super) fn drop_own_key(&self) -> Result<()> {
        self.machine.remove_tree(&Key::machine(tables::OWN_KEY))?;
        let parent = Key::machine(tables::OWN_PARENT);
        let values = self.machine.values(&parent)?.is_some_and(|values| values.is_empty());
        if values && self.machine.keys(&parent)?.is_some_and(|keys| keys.is_empty()) {
            self.machine.remove_tree(&parent)?;
        }
        Ok(())
    }
}

/// Says that a document can't be put into bytes.
pub(super) fn unwritable(why: &serde_json::Error) -> Problem {
    Problem::new("device.own-record", "this tool's own record can't be written").detail(why.to_string())
}
