//! All integration tests, in one binary: linking is the slow part.

mod agent;
mod device_os;
mod lab_tenant;
