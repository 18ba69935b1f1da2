//! What the user wants: YAML → [`PlanFile`] → [`MigrationPlan`]. The only module that knows YAML.
//!
//! ```text
//! text --yaml--> nodes with places --decode--> PlanFile, with holes where it was wrong --lint--> diagnostics
//!                                                                                      --build--> MigrationPlan
//! ```
//!
//! [`parse`] reads the plan, its includes, inventory and mapping through a callback; [`resolve`] decides it
//! against a moment. Neither stops at the first mistake, and neither does any IO: one run reports all.

mod build;
mod decode;
mod file;
mod lint;
mod migration;
mod parse;
mod resolve;
mod secret;
mod sections;
mod select;
mod shape;
mod table;
mod tables;
mod template;
mod waves;
mod when;
mod words;
mod yaml;

pub use decode::parse_duration;
pub use file::{PlanFile, PlanPart};
pub use migration::{
    AppSpec, ApprovalPolicy, Attestation, CaExclusion, Cloud, CloudSpec, Credential, DeviceRow, DeviceSource,
    DirectoryAccount, DirectorySpec, Exclusion, ExclusionKind, FailureBudget, FeatureSpec, GateSpec, KeyRole,
    MigrationPlan, PackageSpec, Rule, RuleEffect, RuleKind, SecretRef, Selector, TenantRole, TenantSpec, TrustedKey,
    UserMatch, Validation, WaveSpec, Weekday, Window,
};
pub use parse::{MAX_TOTAL_BYTES, Parsed, parse};
pub use resolve::resolve;
pub use select::{Candidate, Matcher};
pub use shape::{part_schema, schema};
pub use template::{starter, template};
pub use words::Word;
pub use yaml::{MAX_YAML_BYTES, from_yaml};
