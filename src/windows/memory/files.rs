//! Files in memory.

use super::security::private_descriptor;
use super::state::{Content, FileNode};
use super::{Memory, State, lower};
use crate::windows::machine::{Cause, Entry, Files, Sys, SysError, Volume};

/// ERROR_FILE_NOT_FOUND.
const NOT_FOUND: u32 = 2;
/// ERROR_PATH_NOT_FOUND.
const NO_FOLDER: u32 = 3;
/// ERROR_FILE_TOO_LARGE.
const TOO_LARGE: u32 = 223;

fn failed(call: &'static str, path: &str, code: u32, text: &str) -> SysError {
    SysError::new(call, path, Cause::Other, code, text)
}

/// Looks up the folder of a path, which has to be there.
fn folder_of(state: &State, call: &'static str, path: &str) -> Sys<()> {
    let parent = path.rsplit_once('\\').map_or("", |(parent, _)| parent);
    match state.files.get(&lower(parent)).map(|node| &node.content) {
        Some(Content::Folder | Content::Reparse) => Ok(()),
        _ if parent.ends_with(':') => Ok(()),
        _ => Err(failed(call, path, NO_FOLDER, "ERROR_PATH_NOT_FOUND")),
    }
}

fn bytes_of(node: &FileNode) -> u64 {
    match &node.content {
        Content::File(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        Content::Bulk(length) => *length,
        Content::Folder | Content::Reparse => 0,
    }
}

impl Files for Memory {
    fn read(&self, path: &str, limit: u64) -> Sys<Option<Vec<u8>>> {
        let state = Self::read(self, "ReadFile", path)?;
        let Some(node) = state.files.get(&lower(path)) else { return Ok(None) };
        if bytes_of(node) > limit {
            return Err(failed("ReadFile", path, TOO_LARGE, "ERROR_FILE_TOO_LARGE"));
        }
        match &node.content {
            Content::File(bytes) => Ok(Some(bytes.clone())),
            Content::Bulk(length) => Ok(Some(vec![0; usize::try_from(*length).unwrap_or(0)])),
            Content::Folder | Content::Reparse => {
                Err(SysError::new("ReadFile", path, Cause::Denied, 5, "ERROR_ACCESS_DENIED"))
            }
        }
    }
    fn write(&self, path: &str, bytes: &[u8]) -> Sys<()> {
        let mut state = Self::write(self, "WriteFile", path)?;
        folder_of(&state, "WriteFile", path)?;
        // A new file takes the place of the old one, so the old one's rights go with it.
        state.drop_file(path);
        state.put_file(path, bytes);
        Ok(())
    }
    fn copy(&self, from: &str, to: &str) -> Sys<()> {
        let mut state = Self::write(self, "CopyFileEx", &format!("{from} to {to}"))?;
        folder_of(&state, "CopyFileEx", to)?;
        let Some(node) = state.files.get(&lower(from)).cloned() else {
            return Err(failed("CopyFileEx", from, NOT_FOUND, "ERROR_FILE_NOT_FOUND"));
        };
        state.files.insert(lower(to), FileNode { path: to.to_owned(), ..node });
        Ok(())
    }
    fn rename(&self, from: &str, to: &str) -> Sys<()> {
        let mut state = Self::write(self, "MoveFileEx", &format!("{from} to {to}"))?;
        folder_of(&state, "MoveFileEx", to)?;
        let (old, new) = (lower(from), lower(to));
        if !state.files.contains_key(&old) {
            return Err(failed("MoveFileEx", from, NOT_FOUND, "ERROR_FILE_NOT_FOUND"));
        }
        if matches!(state.files.get(&new).map(|node| &node.content), Some(Content::Folder)) && old != new {
            return Err(SysError::new("MoveFileEx", to, Cause::Denied, 5, "ERROR_ACCESS_DENIED"));
        }
        let below = format!("{old}\\");
        let moved: Vec<String> =
            state.files.keys().filter(|path| **path == old || path.starts_with(&below)).cloned().collect();
        for path in moved {
            if let Some(node) = state.files.remove(&path) {
                let tail = node.path.get(from.len()..).unwrap_or_default();
                let name = format!("{to}{tail}");
                state.files.insert(lower(&name), FileNode { path: name, ..node });
            }
        }
        Ok(())
    }
    fn create_private(&self, path: &str) -> Sys<()> {
        let mut state = Self::write(self, "CreateDirectory", path)?;
        state.put_folder(path);
        if let Some(node) = state.files.get_mut(&lower(path)) {
            node.security = private_descriptor();
        }
        Ok(())
    }
    fn exists(&self, path: &str) -> Sys<bool> {
        Ok(Self::read(self, "GetFileAttributes", path)?.files.contains_key(&lower(path)))
    }
    fn list(&self, path: &str) -> Sys<Option<Vec<Entry>>> {
        let state = Self::read(self, "FindFirstFile", path)?;
        let root = lower(path.trim_end_matches('\\'));
        if !state.files.contains_key(&root) && !root.ends_with(':') {
            return Ok(None);
        }
        let below = format!("{root}\\");
        let mut entries = Vec::new();
        for (other, node) in state.files.range(below.clone()..) {
            if !other.starts_with(&below) {
                break;
            }
            if let Some(name) = node.path.get(below.len()..).filter(|name| !name.contains('\\')) {
                entries.push(Entry {
                    name: name.to_owned(),
                    is_folder: matches!(node.content, Content::Folder | Content::Reparse),
                    is_reparse: matches!(node.content, Content::Reparse),
                    bytes: bytes_of(node),
                });
            }
        }
        Ok(Some(entries))
    }
    fn remove(&self, path: &str) -> Sys<()> {
        let mut state = Self::write(self, "RemoveDirectory", path)?;
        state.drop_file(path);
        Ok(())
    }
    fn security(&self, path: &str) -> Sys<Option<Vec<u8>>> {
        let state = Self::read(self, "GetFileSecurity", path)?;
        Ok(state.files.get(&lower(path)).map(|node| node.security.clone()))
    }
    fn set_security(&self, path: &str, descriptor: &[u8]) -> Sys<()> {
        let mut state = Self::write(self, "SetFileSecurity", path)?;
        match state.files.get_mut(&lower(path)) {
            Some(node) => {
                node.security = descriptor.to_vec();
                Ok(())
            }
            None => Err(failed("SetFileSecurity", path, NOT_FOUND, "ERROR_FILE_NOT_FOUND")),
        }
    }
    fn volume(&self, path: &str) -> Sys<Volume> {
        let state = Self::read(self, "GetDiskFreeSpaceEx", path)?;
        let drive = lower(path.split('\\').next().unwrap_or_default());
        let found = state.volumes.get(&drive).copied();
        found.ok_or_else(|| failed("GetDiskFreeSpaceEx", path, NO_FOLDER, "ERROR_PATH_NOT_FOUND"))
    }
}
