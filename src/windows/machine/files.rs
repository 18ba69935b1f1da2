//! Files, folders and their security.

use serde::{Deserialize, Serialize};

use super::Sys;

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Name without the folder.
    pub name: String,
    /// A folder.
    pub is_folder: bool,
    /// A junction, symbolic link or placeholder of a cloud file: nothing below it belongs to the folder.
    pub is_reparse: bool,
    /// Size in bytes; 0 for folders.
    pub bytes: u64,
}

/// Space on a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Free for SYSTEM, in MiB.
    pub free_mib: u64,
    /// Size in MiB.
    pub size_mib: u64,
}

/// Files. Paths are Windows' own with a drive; longer ones than 260 characters are allowed.
pub trait Files {
    /// Returns a file's bytes; none where there is none.
    ///
    /// # Errors
    /// Where it can't be read, also where it is longer than `limit` bytes.
    fn read(&self, path: &str, limit: u64) -> Sys<Option<Vec<u8>>>;
    /// Writes a file as a whole or not at all, and durably: beside it, flushed, then renamed over it. It has the rights
    /// of its folder.
    ///
    /// # Errors
    /// Where it can't be written.
    fn write(&self, path: &str, bytes: &[u8]) -> Sys<()>;
    /// Copies a file with its security, over an existing one.
    ///
    /// # Errors
    /// Where it can't be copied.
    fn copy(&self, from: &str, to: &str) -> Sys<()>;
    /// Gives a file or folder another name on the same volume; an existing file of that name is replaced.
    ///
    /// # Errors
    /// Where it can't be renamed.
    fn rename(&self, from: &str, to: &str) -> Sys<()>;
    /// Makes a folder with those above it, that only SYSTEM and Administrators can read and write, with nothing
    /// inherited. An existing folder gets these rights too.
    ///
    /// # Errors
    /// Where it can't be made.
    fn create_private(&self, path: &str) -> Sys<()>;
    /// Says whether a file or folder is there.
    ///
    /// # Errors
    /// Where that can't be found out.
    fn exists(&self, path: &str) -> Sys<bool>;
    /// Returns what lies right in a folder, in no order; none where there is no such folder.
    ///
    /// # Errors
    /// Where it can't be read.
    fn list(&self, path: &str) -> Sys<Option<Vec<Entry>>>;
    /// Removes a file, or a folder with all in it; of a reparse point only the point.
    ///
    /// # Errors
    /// Where it can't be removed.
    fn remove(&self, path: &str) -> Sys<()>;
    /// Returns the self-relative security descriptor (owner, group, DACL) of a file, a folder or a reparse point itself;
    /// none where there is none. With SeBackupPrivilege, since files may deny SYSTEM.
    ///
    /// # Errors
    /// Where it can't be read.
    fn security(&self, path: &str) -> Sys<Option<Vec<u8>>>;
    /// Gives it the owner, group and DACL of a self-relative security descriptor, to itself alone: nothing is inherited
    /// downwards by this call. With SeRestorePrivilege, since owners other than oneself are set.
    ///
    /// # Errors
    /// Where it can't be written.
    fn set_security(&self, path: &str, descriptor: &[u8]) -> Sys<()>;
    /// Returns space on the volume of a path.
    ///
    /// # Errors
    /// Where it can't be read.
    fn volume(&self, path: &str) -> Sys<Volume>;
}
