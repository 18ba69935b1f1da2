//! What people and other programs see: texts and JSON documents made from values, without any IO.
pub mod diagnostics;
//! What people and other programs see: text and JSON, made from values and from nothing else.

pub mod plan_group;
pub mod plan_json;
pub mod plan_text;
