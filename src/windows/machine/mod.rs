//! What is asked of Windows: one trait an area, one function a call, no decision.
//!
//! Every function is synchronous, as Windows' are; whoever is asynchronous runs them on a thread of its own. Missing
//! things are `None`, not errors; what can't be read is an error, never `None`. Writes are idempotent: setting what
//! is set and removing what is gone are successes.

mod accounts;
mod error;
mod files;
mod host;
mod joins;
mod registry;
mod services;
mod wmi;

pub use accounts::{Accounts, LocalUser, Session};
pub use error::{Cause, Sys, SysError};
pub use files::{Entry, Files, Volume};
pub use host::{Adapter, Host, LogEvent, Program, Programs, Ran};
pub use joins::{AadJoin, AadJoinKind, Certificate, Certificates, Joins};
pub use registry::{Key, Registry, Root, Value};
pub use services::{ScheduledTask, Service, ServiceSpec, Services, StartKind, Tasks};
pub use wmi::{Cell, Row, Wmi};

/// All of one Windows.
pub trait Machine:
    Registry + Files + Programs + Joins + Certificates + Accounts + Services + Tasks + Wmi + Host + Send + Sync
{
}

impl<T> Machine for T where
    T: Registry + Files + Programs + Joins + Certificates + Accounts + Services + Tasks + Wmi + Host + Send + Sync
{
}
