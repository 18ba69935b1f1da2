//! Diagnostics about the user's documents and the fleet's state: plain values with a code and places.
//!
//! Two families of bad news exist. A [`Diagnostic`] is about a document or about what was observed; many
//! are reported at once. A [`crate::model::Problem`] is one operation that failed while running.
//! Nothing here knows how a diagnostic is shown; `render` does.

mod codes;
mod collect;
mod span;

pub use codes::{ALL_CODES, Code};
pub use collect::{Diagnostic, Diagnostics, Label, Severity};
pub use span::{Source, SourceId, Sources, Span, Spanned};
