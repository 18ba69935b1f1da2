//! Readiness for people and programs: one view, and a file for each form of it.
//!
//! A row is a check of one subject, or a check of all devices that came to the same: so the length depends on the
//! plan and not on the fleet.

mod beside;
mod json;
mod junit;
mod markdown;
#[cfg(test)]
mod tests;
mod text;
mod view;

pub use beside::Beside;
pub(super) use json::finding;
pub use json::{FORMAT, document};
pub use junit::junit;
pub(in crate::render) use markdown::escape;
pub use markdown::markdown;
pub use text::{TextOptions, text};
pub use view::{CheckView, Grouping, Row, Verdict};
