//! The change record of a run: for a terminal, a ticket, a browser, a spreadsheet. JSON is the report itself.
//!
//! Text, Markdown and HTML are drawn from one outline, so that they say the same.

mod csv;
mod html;
mod markdown;
mod outline;
#[cfg(test)]
mod tests;
mod text;

pub use csv::csv;
pub use html::html;
pub use markdown::{MARKDOWN_MAX, markdown};
pub use text::{ReportTextOptions, text};
