//! Views of one diff for people who have to understand it and sign it: Markdown for a ticket, one HTML page to read.
//!
//! ```text
//! Body (+ digest and statements) --fold--> Fold --markdown | html--> text
//! ```
//!
//! Both say the same, since both are made from the same `fold::Fold`. Everything that comes from data is escaped by
//! the writer that puts it into its notation.

mod data;
mod fold;
mod graphs;
mod html;
mod markdown;
mod risks;
mod signed;
#[cfg(test)]
mod tests;
mod timeline;

pub use html::html;
pub use markdown::{LIMIT, markdown, markdown_device};

use crate::model::Digest;
use crate::sealed::{Body, Sealed, Statement};

/// What is shown: a sealed plan, or a wave as it would be sealed now.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The content.
    pub body: &'a Body,
    /// Digest that people sign; none where it isn't sealed.
    pub digest: Option<Digest>,
    /// Signed lines; the first is the seal. Empty where it isn't sealed.
    pub statements: &'a [Statement],
}

impl<'a> Shown<'a> {
    /// Shows a sealed plan.
    #[must_use]
    pub fn sealed(sealed: &'a Sealed) -> Self {
        Self { body: &sealed.body, digest: Some(sealed.digest()), statements: &sealed.statements }
    }
    /// Shows what isn't sealed, and can't be applied as it is.
    #[must_use]
    pub fn unsealed(body: &'a Body) -> Self {
        Self { body, digest: None, statements: &[] }
    }
}
