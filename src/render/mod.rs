//! What people and other programs see: text and JSON, made from values and from nothing else.

pub mod audit;
pub mod calendar;
pub mod check;
pub mod compare;
pub mod diagnostics;
pub mod drift;
pub mod evidence;
pub mod exclusions;
pub mod explain;
pub mod gate;
pub mod grant_script;
pub mod graph;
pub mod package;
mod page;
pub mod permissions;
mod plan_blocks;
pub mod plan_group;
pub mod plan_json;
pub mod plan_schema;
pub mod plan_text;
pub mod report;
pub mod review;
pub mod run;
pub mod sealed_text;
mod when;
pub mod why;
pub mod words;
