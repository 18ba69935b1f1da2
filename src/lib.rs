//! `opsole` moves fleets of Windows devices, in place, to Microsoft Entra ID.
//!
//! Values flow one way, from the plan file to a verified device:
//!
//! ```text
//! plan.yaml --plan::parse--> PlanFile --plan::resolve(as_of)--> MigrationPlan
//! tenants, directory, agents --observe--> state::Snapshot
//! MigrationPlan + Snapshot --readiness::assess--> Readiness      may we
//! MigrationPlan + Snapshot --dag::compile--> OpGraph --diff::diff--> ChangeSet
//! ChangeSet --run::RunPlan--> run::Machine --controller + agents--> journal --render--> report
//! ```
//!
//! The modules below stand in layer order: a module names only modules above its own line.
//! `tests/it/architecture.rs` holds that table and fails on an upward import.

pub mod diag;
pub mod model;

pub mod winformat;

pub mod trust;

pub mod plan;
pub mod state;

pub mod dag;
pub mod ppkg;

pub mod readiness;

pub mod knowledge;

pub mod wire;

pub mod diff;

pub mod run;

pub mod sealed;

pub mod operators;

pub mod audit;

pub mod record;

pub mod render;

pub mod port;

pub mod net;

pub mod directory;
pub mod lab;
pub mod msgraph;
pub mod store;
pub mod windows;

pub mod agent;
pub mod controller;

pub mod cli;
