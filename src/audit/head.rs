//! The head of the list, which says how long it is: as people write it down, and as it lies beside the database.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::chain::DOMAIN;
use crate::model::Digest;

/// First word of the file.
const MAGIC: &str = "opsole-audit-head/1";

/// How far the list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Head {
    /// Entries.
    pub seq: u64,
    /// Digest of the last one.
    #[schemars(with = "String")]
    pub hash: Digest,
}

/// What the file beside the database says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadFile {
    /// It isn't there.
    Missing,
    /// It isn't one.
    Unreadable,
    /// The head as it was written last.
    Says(Head),
}

impl Head {
    /// Returns the head of a list without entries.
    #[must_use]
    pub fn start() -> Self {
        Self { seq: 0, hash: Digest::of(DOMAIN.as_bytes()) }
    }

    /// Returns the bytes of the file. They are always as many, so that writing over it needs no room on the disk.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        format!("{MAGIC} {:020} {}\n", self.seq, self.hash).into_bytes()
    }

    /// Reads the file's bytes.
    #[must_use]
    pub fn read(bytes: &[u8]) -> HeadFile {
        let parse = || {
            let line = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
            let mut words = line.split(' ');
            let (magic, seq, hash) = (words.next()?, words.next()?, words.next()?);
            let whole = magic == MAGIC && seq.len() == 20 && words.next().is_none();
            let head = Self { seq: seq.parse().ok()?, hash: hash.parse().ok()? };
            (whole && head.to_bytes() == bytes).then_some(head)
        };
        parse().map_or(HeadFile::Unreadable, HeadFile::Says)
    }
}

impl fmt::Display for Head {
    /// Writes it as people note it down.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a head file that reads as another one, and one that grows.
    #[test]
    fn files_are_read_as_written() {
        let head = Head { seq: 1_234, hash: Digest::of(b"x") };
        assert_eq!(Head::read(&head.to_bytes()), HeadFile::Says(head));
        assert_eq!(head.to_bytes().len(), Head::start().to_bytes().len());
        for bytes in [&b""[..], b"opsole-audit-head/1 7 x\n", &head.to_bytes()[..60], &[0xff; 106]] {
            assert_eq!(Head::read(bytes), HeadFile::Unreadable);
        }
    }
}
