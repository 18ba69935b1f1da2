//! Sign-offs: a person who says that a wave's exit is good enough for the waves that need it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{OwnerRole, WaveName};

/// One sign-off of a wave's exit. The gate of every wave that needs this one, and that names the role, asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignOff {
    /// The wave whose exit is signed off: the pilot, not the wave that waits for it.
    pub wave: WaveName,
    /// In which role.
    pub role: OwnerRole,
    /// Who: the account of the person at the terminal.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Reference, such as a ticket.
    pub evidence: String,
    /// What the criteria came to then, in words, so that the record says what was signed.
    pub seen: String,
    /// The role takes its earlier sign-off back: the newest entry of a wave and role is the one that counts.
    #[serde(default)]
    pub revoked: bool,
}
