//! What a run goes back to: who began it, with which version, and what had been sealed, approved and accepted.
//! Stored with the run, so that its report can tell.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Check, DeviceName, Digest, OwnerRole};
use crate::sealed::Statement;

/// What a run was begun for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A wave's devices.
    #[default]
    Wave,
    /// Nothing but exclusions that have run out: `apply --close-expired`.
    CloseExpired,
}

/// What a run goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Origin {
    /// Who began it: `person@machine`.
    pub by: String,
    /// Version of the program.
    pub tool: String,
    /// IANA time zone of the plan, in which people read its moments.
    pub zone: String,
    /// What for.
    pub purpose: Purpose,
    /// Exceptions that whoever applied accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
    /// The sealed plan; none where the run was begun without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedOrigin>,
}

/// A check that doesn't hold and that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exception {
    /// Which check.
    #[schemars(with = "String")]
    pub check: Check,
    /// The exclusion of the plan that covers it.
    pub exclusion: String,
    /// Who owns the exclusion.
    pub owner: String,
    /// For how many devices of the run, where it is a check of devices.
    pub devices: u64,
}

/// The sealed plan that a run was begun from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedOrigin {
    /// Digest of its content: what people signed.
    pub digest: Digest,
    /// When it was sealed.
    pub sealed_at: Timestamp,
    /// Until when it was good.
    pub not_after: Timestamp,
    /// Approvals that it needed.
    pub required: u32,
    /// Roles that could give them; none is every role.
    pub from: Vec<OwnerRole>,
    /// Every signed line of the file; the first is the seal.
    pub statements: Vec<Statement>,
    /// Signatures of the approvals that counted.
    pub counted: Vec<String>,
    /// Devices that were sealed and left out, because they weren't as they were any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A device that was sealed and left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// Which.
    #[schemars(with = "String")]
    pub device: DeviceName,
    /// Why, as clauses.
    pub why: String,
}

impl Origin {
    /// Returns the text that is stored with the run.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("an origin holds nothing that JSON can't")
    }
    /// Reads a stored text.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|e| e.to_string())
    }
}
