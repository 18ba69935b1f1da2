//! One file a command.

pub mod agent;
pub mod apply;
pub mod explain;
pub mod generate_docs;
pub mod init;
pub mod lab;
pub mod package;
pub mod plan;
pub mod schema;
pub mod snapshot;
pub mod status;
pub mod validate;
