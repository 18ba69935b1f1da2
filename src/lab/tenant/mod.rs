//! The emulated tenants: Entra, Intune and Graph in memory, written through to the lab's store, over HTTP.
//!
//! Made to be recognised by any Graph client: what is checked, refused, paged, throttled and delayed follows
//! the documentation, not the calls of one tool.

mod access;
mod apps;
mod autopilot;
mod device_calls;
mod devices;
mod directory;
mod due;
mod emulation;
mod enrolment;
mod export;
mod filter;
mod graph;
mod groups;
mod intune;
mod object;
mod permissions;
mod policies;
mod query;
mod reply;
mod serve;
mod state;
mod support;
mod table;
mod throttle;
mod token;

pub(in crate::lab) use due::{Due, Task};
pub(in crate::lab) use export::export;
#[doc(hidden)]
pub use filter::is_filter;
pub use serve::{TenantServer, serve};
