//! Formats of Windows: security identifiers and descriptors, registry hives, and the output of its programs.
//!
//! Pure functions over bytes and text. Each is total: whatever comes in, out comes a value or a clear error, never a
//! panic. No format is written by its own guess of what is allowed; what isn't understood is left as it was.

use std::fmt;

pub mod access;
pub mod ad;
pub mod descriptor;
pub mod dsregcmd;
pub mod hive;
pub mod manage_bde;
pub mod reg;
pub mod sid;
mod text;
pub mod tpm;

pub use text::decode;

/// Why bytes or text aren't of the format that they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// What is wrong, as part of a sentence: `the value has no name`.
    pub what: &'static str,
    /// Where: the number of a byte, or of a line where it is text. From 0.
    pub at: usize,
}

impl FormatError {
    /// Returns what is wrong at a place.
    #[must_use]
    pub fn new(what: &'static str, at: usize) -> Self {
        Self { what, at }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at {})", self.what, self.at)
    }
}
impl std::error::Error for FormatError {}
