//! What keeps one device from being migrated: a code, a sentence, who acts, what to do next.
//!
//! It stands here and not in `diff` because matching records and users already finds such things.

use crate::model::{Check, OwnerRole};

/// Something that keeps a device from being migrated, and who has to act.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Blocker {
    /// Stable code, such as `user.ambiguous`.
    pub code: &'static str,
    /// What is wrong, with which object, in one sentence.
    pub message: String,
    /// What to do next.
    pub next: String,
    /// Who has to act.
    pub owner: OwnerRole,
    /// The readiness check that it belongs to, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// It stands for something that couldn't be measured.
    #[serde(skip)]
    pub unmeasured: bool,
}

impl Blocker {
    /// Returns a blocker.
    pub fn new(code: &'static str, owner: OwnerRole, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code, message: message.into(), next: next.into(), owner, check: None, unmeasured: false }
    }
    /// Says which readiness check it belongs to.
    #[must_use]
    pub fn of(mut self, check: Check) -> Self {
        self.check = Some(check);
        self
    }
    /// Says that what it stands for couldn't be measured.
    #[must_use]
    pub fn unmeasured(mut self) -> Self {
        self.unmeasured = true;
        self
    }
    /// Says whether it stands for something that couldn't be read, and not for something that is wrong.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.unmeasured
            || self.code.starts_with("observation.")
            || self.code.ends_with("-unknown")
            || self.code == "device.no-evidence"
    }
}
