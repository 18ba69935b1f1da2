//! May we: every prerequisite as a check, measured where it can be measured, attested where only people know,
//! excepted where an exclusion covers it, and addressed to the role that has to act.
//!
//! ```text
//! Index + views --assess--> Readiness { findings, tallies }     the whole plan; what speaks is kept, what holds is counted
//! facts + survey + Expect --device checks--> Judged             the same functions in plan, check and the agent's preflight
//! Judged + attestations + exclusions --Cover--> Finding
//! ```
//!
//! One file an area; [`spec`] is the register that docs and reports read. Everything here is a pure function of what
//! was observed: unknown is never a pass, and nothing that could be measured is attested away.

mod access;
mod app;
mod assess;
mod cover;
mod device;
mod directory;
mod finding;
mod join;
#[cfg(test)]
mod laws_device;
mod life;
mod machine;
mod network;
mod nine;
mod package;
#[cfg(test)]
mod package_tests;
mod people;
pub mod permissions;
#[cfg(test)]
mod permissions_laws;
mod person;
mod pilot;
mod profile;
mod records;
mod recovery;
mod register;
mod security;
mod tenant;
#[cfg(test)]
mod tenant_tests;
mod timetable;
mod unread;

pub use access::{Caller, Category, PolicyVerdict, Reviewed, SignIn, Verdict, review};
pub use assess::{Readiness, Tally, assess, one_device};
pub use cover::Cover;
pub(crate) use cover::today;
pub use device::{Expect, ExpectedProfile, device_checks};
pub use directory::disjoin_account;
pub use finding::{Attested, Excepted, Finding, Judged, Measured, Outcome, OutcomeKind, Subject, Text};
pub use life::{EndsBy, PackageLife, WaveCover, WaveNeed, package_life};
pub use nine::{BEYOND, ListedPermission, NINE};
pub use package::{package_lives, package_points};
pub use person::check_of_mapping;
pub use pilot::{
    Criterion, ExitException, ExitKind, Measure, WaveExit, asks_for_exit, device_exit, judge_exit, wave_exit,
};
pub use register::{CheckScope, CheckSeverity, CheckSpec, Source, spec};
pub use timetable::{Timetable, WaveTimes};
use unread::unread;
