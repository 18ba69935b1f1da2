//! All integration tests, in one binary: linking is the slow part.

mod adversity;
mod agent;
mod architecture;
mod checks;
mod cli;
mod device_os;
mod docs;
mod docs_explain;
mod drift;
mod exclusions;
mod gates;
mod lab_tenant;
mod laws;
mod msgraph;
mod package;
mod parsers;
mod permissions;
mod plan_files;
mod scale;
mod schema_agrees;
mod schemas;
mod settings;
mod stories;
mod support;
