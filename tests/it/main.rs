//! All integration tests, in one binary: linking is the slow part.

mod plan_files;
mod schema_agrees;
mod schemas;
