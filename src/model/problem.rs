//! A failure of one operation, as it is journalled, sent over the wire and shown.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// The same call would fail again.
    No,
    /// It may pass; the usual back-off applies.
    Soon,
    /// It may pass after this many seconds, as the other side said.
    AfterSecs(u32),
    /// The outcome is unknown: the state has to be read before anything is repeated.
    ReadFirst,
}

/// What happened, to which object, why, and what to do next. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable code, such as `graph.forbidden` or `device.profile-in-use`.
    pub code: String,
    /// What happened, to which object, in one sentence without a full stop.
    pub message: String,
    /// What to do next.
    pub next: Option<String>,
    /// Whether trying again can help.
    pub retry: Retry,
    /// What the other side said: status, its own code, `request-id`. For support.
    pub detail: Option<String>,
}

impl Problem {
    /// Returns a problem that trying again won't mend.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), next: None, retry: Retry::No, detail: None }
    }
    /// Adds what to do next.
    #[must_use]
    pub fn next(mut self, text: impl Into<String>) -> Self {
        self.next = Some(text.into());
        self
    }
    /// Says whether trying again can help.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }
    /// Adds what the other side said.
    #[must_use]
    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.detail = Some(text.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}
impl std::error::Error for Problem {}
