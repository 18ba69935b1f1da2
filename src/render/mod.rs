//! What people and other programs see: texts and JSON documents made from values, without any IO.
pub mod diagnostics;
