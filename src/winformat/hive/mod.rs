//! Registry hives: the files NTUSER.DAT and UsrClass.dat of a profile.
//!
//! The format is described publicly by those who took it apart, not by Microsoft; what is used here of it is `[K]`, and
//! proven against hives that hivex writes and reads, not against a running Windows:
//!
//! ```text
//! header 4096 bytes   "regf", two sequence numbers, root cell, size of all bins, XOR of its first 508 bytes
//! bins                "hbin", 32 bytes, then cells; a cell is a length (negative: in use) and its content
//! nk key   vk value   lf lh li ri lists of keys   sk security, in a ring   db data of more than 16344 bytes
//! ```
//!
//! Offsets in a hive count from the first bin. Nothing here changes the length of a hive or of a cell: all keys with
//! the same security share one cell, and people of Active Directory and of Entra take 28 bytes both, so a hive
//! changes hands by writing over its few security cells.

use super::FormatError;

mod build;
mod keys;
mod security;

pub use build::build;
pub use keys::{HiveValue, Key};
pub use security::{Rewritten, rewrite_security, substitute_security};

const HEADER: usize = 4096;
const BIN_HEADER: usize = 32;
/// No cell.
const NONE: u32 = u32::MAX;

/// A hive that can be read: its header and its bins are what they should be.
#[derive(Debug, Clone, Copy)]
pub struct Hive<'a> {
    /// The bins, without the header.
    bins: &'a [u8],
    root: u32,
    minor: u32,
    dirty: bool,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Returns the checksum that a header has to hold: the XOR of its first 508 bytes as numbers, never 0 or all ones.
fn checksum(header: &[u8]) -> u32 {
    let sum = header[..508].as_chunks::<4>().0.iter().fold(0, |sum, word| sum ^ u32::from_le_bytes(*word));
    match sum {
        0 => 1,
        u32::MAX => u32::MAX - 1,
        sum => sum,
    }
}

impl<'a> Hive<'a> {
    /// Reads the header, and walks the bins once.
    ///
    /// # Errors
    /// Where it isn't a hive of version 1, is cut off, or a bin isn't where it should be.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let wrong = |what: &'static str, at: usize| Err(FormatError::new(what, at));
        if !bytes.starts_with(b"regf") {
            return wrong("it isn't a registry hive", 0);
        }
        if bytes.len() < HEADER + BIN_HEADER {
            return wrong("the hive is cut off", bytes.len());
        }
        let field = |at: usize| u32_at(bytes, at).unwrap_or_default();
        if field(20) != 1 || field(28) != 0 || field(32) != 1 {
            return wrong("the hive is of a version or kind that isn't known", 20);
        }
        let size = field(40) as usize;
        let Some(bins) = bytes.get(HEADER..HEADER.saturating_add(size)) else {
            return wrong("the hive is cut off", bytes.len());
        };
        let mut at = 0;
        while at < bins.len() {
            let length = u32_at(bins, at + 8).unwrap_or_default() as usize;
            let whole = bins[at..].starts_with(b"hbin") && u32_at(bins, at + 4) == u32::try_from(at).ok();
            if !whole || length == 0 || !length.is_multiple_of(4096) || length > bins.len() - at {
                return wrong("a bin of the hive is damaged", HEADER + at);
            }
            at += length;
        }
        let dirty = field(4) != field(8) || checksum(bytes) != field(508);
        Ok(Self { bins, root: field(36), minor: field(24), dirty })
    }
    /// Says whether changes of it still lie in its log files (the sequence numbers differ), or its header isn't what
    /// its checksum says. Windows repairs such a hive when it loads it; what it holds now isn't all.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }
    /// Returns the root key.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn root(&self) -> Result<Key<'a>, FormatError> {
        Key::at(*self, self.root)
    }
    /// Returns the key of a path from the root, names compared without case as Windows does (ASCII and Latin-1 here);
    /// none where there is none. The empty path is the root.
    ///
    /// # Errors
    /// Where a key on the way can't be read.
    pub fn key(&self, path: &str) -> Result<Option<Key<'a>>, FormatError> {
        let mut key = self.root()?;
        for name in path.split('\\').filter(|name| !name.is_empty()) {
            let name = name.to_lowercase();
            let mut below = None;
            for child in key.keys()? {
                if child.name()?.to_lowercase() == name {
                    below = Some(child);
                    break;
                }
            }
            let Some(below) = below else { return Ok(None) };
            key = below;
        }
        Ok(Some(key))
    }
    /// Returns the content of a cell in use.
    fn cell(&self, offset: u32) -> Result<&'a [u8], FormatError> {
        let at = offset as usize;
        let wrong = |what| FormatError::new(what, HEADER.saturating_add(at));
        let length = u32_at(self.bins, at).ok_or_else(|| wrong("a cell lies outside of the hive"))?;
        let length = i32::from_le_bytes(length.to_le_bytes());
        if length >= 0 || !at.is_multiple_of(8) {
            return Err(wrong("a cell isn't in use"));
        }
        let end = at.saturating_add(length.unsigned_abs() as usize);
        self.bins.get(at + 4..end).ok_or_else(|| wrong("a cell reaches beyond the hive"))
    }
}

#[cfg(test)]
mod tests;
