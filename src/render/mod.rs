//! What people and other programs see: text and JSON, made from values and from nothing else.

pub mod diagnostics;
pub mod package;
mod page;
mod plan_blocks;
pub mod plan_group;
pub mod plan_json;
pub mod plan_text;
pub mod run;
mod when;
pub mod words;
