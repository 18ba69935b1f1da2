//! What was observed: known, absent, or unknown with a reason. Unknown is never absent.

use serde::{Deserialize, Serialize};

/// The outcome of looking for something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known<T> {
    /// It was read.
    Known(T),
    /// It was looked for in the right place, and isn't there.
    Absent,
    /// It couldn't be read; the text says why. Nothing may be created or deleted on this ground.
    Unknown(String),
}

impl<T> Known<T> {
    /// Returns the value if it was read.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
    /// Returns why it couldn't be read.
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Self::Unknown(reason) => Some(reason),
            Self::Known(_) | Self::Absent => None,
        }
    }
    /// Returns `Known` or `Absent` for a value that was looked for with success.
    pub fn found(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Known)
    }
}
