//! Microsoft Graph over HTTPS: the [`port::Tenant`](crate::port::Tenant) of real tenants and of the lab's.
//!
//! Only this module builds Graph URLs; a test holds them to the table of [`GraphCall`](crate::model::GraphCall)s that
//! permissions come from. Values flow through it like this:
//!
//! ```text
//! call (typed URL, service, repeat rule, permissions)
//!   --limit--> token --transport: send, retry--> Answer --page | batch--> JSON --shape--> state::*
//! ```
//!
//! - `call` builds every request; what it has no function for can't be asked. There is no wipe, no retire, and
//!   no delete of a group member without `/$ref` (msgraph.md 0.3).
//! - `transport` repeats only what may be repeated; a lost answer to anything else is `Retry::ReadFirst`.
//! - `limit` keeps to the documented quotas in [`quota`], in the time of the world's clock.
//! - `shape` turns JSON into [`state`](crate::state) values; nothing in it panics on any JSON.

mod batch;
mod call;
mod config;
mod fault;
mod limit;
mod observe;
mod page;
pub mod quota;
mod settings;
mod shape;
mod signin;
mod tenant;
mod token;
mod transport;

pub use config::{Config, Credential, TenantRef};
#[doc(hidden)]
pub use shape::read_as_anything;
pub use tenant::Client;
