//! How a call of Windows fails.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{Problem, Retry};

/// Outcome of a call.
pub type Sys<T> = Result<T, SysError>;

/// What kind of failure it is: what decisions are made on. The code stays for the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// ERROR_ACCESS_DENIED and its kin.
    Denied,
    /// Somebody else has it open, or the service is busy; it may pass.
    Busy,
    /// This Windows doesn't have the call: the function isn't exported, the namespace or program isn't there.
    NotThere,
    /// It took longer than allowed.
    TimedOut,
    /// What came back can't be understood.
    Unreadable,
    /// Anything else.
    Other,
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysError {
    /// The function, method or program, as Microsoft names it.
    pub call: &'static str,
    /// What it was asked about: a key, a file, an account. Never a secret.
    pub object: String,
    /// What kind of failure it is.
    pub cause: Cause,
    /// Win32, HRESULT, NERR or NTSTATUS code; 0 where there is none.
    pub code: u32,
    /// What Windows says of it, where it says anything.
    pub text: String,
}

impl SysError {
    /// Returns a failed call.
    #[must_use]
    pub fn new(
        call: &'static str,
        object: impl Into<String>,
        cause: Cause,
        code: u32,
        text: impl Into<String>,
    ) -> Self {
        Self { call, object: object.into(), cause, code, text: text.into() }
    }
    /// Says that this Windows doesn't have the call.
    #[must_use]
    pub fn not_there(call: &'static str, object: impl Into<String>) -> Self {
        Self::new(call, object, Cause::NotThere, 0, "this Windows doesn't have it")
    }
}

impl fmt::Display for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.call, self.object)?;
        if self.code != 0 {
            write!(f, " gave {:#010x}", self.code)?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}
impl std::error::Error for SysError {}

impl From<SysError> for Problem {
    fn from(error: SysError) -> Self {
        let (code, next, retry) = match error.cause {
            Cause::Denied => {
                ("windows.denied", "run the agent as SYSTEM, and look whether security software blocks it", Retry::No)
            }
            Cause::Busy => ("windows.busy", "it is tried again; else find out what holds it", Retry::Soon),
            Cause::NotThere => ("windows.not-there", "update Windows to a version that is supported", Retry::No),
            Cause::TimedOut => ("windows.timed-out", "read the state before it is tried again", Retry::ReadFirst),
            Cause::Unreadable => ("windows.unreadable", "look at what is named; another program wrote it", Retry::No),
            Cause::Other => ("windows.failed", "explain the code: `opsole explain CODE`", Retry::Soon),
        };
        let message = format!("Windows refused {} of {}", error.call, error.object);
        Self::new(code, message).next(next).retry(retry).detail(format!("{:#010x} {}", error.code, error.text))
    }
}
