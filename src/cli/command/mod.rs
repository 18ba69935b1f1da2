//! One file a command.

pub mod accept;
pub mod agent;
pub mod apply;
pub mod approve;
pub mod check;
pub mod compare;
pub mod drift;
pub mod exclusions;
pub mod explain;
pub mod gate;
pub mod generate_docs;
pub mod graph;
pub mod init;
pub mod inspect;
pub mod keys;
pub mod lab;
pub mod package;
pub mod permissions;
pub mod plan;
pub mod schema;
mod sealed;
pub mod show;
pub mod snapshot;
pub mod status;
pub mod validate;
pub mod why;
