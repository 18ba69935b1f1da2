//! All integration tests, in one binary: linking is the slow part.

mod architecture;
mod plan_files;
mod schema_agrees;
mod schemas;
mod msgraph;
mod lab_tenant;
mod agent;
mod device_os;
mod lab_tenant;
