//! Sign-offs: a person who says that a gate may open.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{OwnerRole, WaveName};

/// One sign-off of a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignOff {
    /// The wave whose gate it is.
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
    /// Taken back again.
    #[serde(default)]
    pub revoked: bool,
}
