//! What exactly will happen, as bytes that people sign: the sealed plan.
//!
//! ```text
//! ChangeSet + Readiness + RunPlan --seal--> Body --canonical--> bytes + signature = FILE.opsole
//! FILE.opsole --read--> Sealed        every byte accounted for: what isn't canonical isn't read
//! Sealed --approve--> one more signed line
//! Sealed + plan + fresh ChangeSet --hold--> Verdict { refusals, devices that still are as they were }
//! ```
//!
//! Pure: keys, clocks and files come from outside. No secret is in a body: it is made of values that hold none.

mod body;
mod compare;
#[cfg(test)]
mod compare_laws;
mod document;
mod file;
mod hold;
#[cfg(test)]
mod laws;
mod rules;
#[cfg(test)]
mod rules_laws;
#[cfg(test)]
mod sample;
mod seal;
mod sign;

pub use body::{
    BlockerLine, Body, ChangeLine, DeviceLine, EffectLine, ExclusionLine, FORMAT, FindingLine, Input, OperationLine,
    PackageLine, PermissionLine, PlanRef, Reliance, RelianceKind, RuleLine, TenantLine, WaveLine,
};
pub use compare::{Comparison, DeviceDifference, DevicePart, Difference, Fate, Part, compare, compare_bodies};
pub use document::{Document, schema};
pub use file::{MAX_BYTES, Sealed, SealedError};
pub use hold::{Asked, Drift, Refusal, Verdict, broken_rules, hold};
#[cfg(test)]
pub(crate) use sample::{fleet, sample, sample_of};
pub use seal::{SealInput, operation_line, seal, wave_lines};
pub use sign::{Statement, StatementKind};
