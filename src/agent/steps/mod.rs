//! The agent's part of each operation, as pure functions over facts: is it so, and what makes it so.
//!
//! | operation | holds when | act | undo |
//! |---|---|---|---|
//! | preflight | no device check fails | - | - |
//! | escrow-bitlocker(-new) | a protector exists and its backup was asked for in this attempt | ensure, escrow | - |
//! | stage | the old facts are recorded | stage | unstage |
//! | arm | boot start, recovery admin proven with this order's password, banner | arm | disarm |
//! | unjoin-domain | no domain, or leaving at the restart | unjoin | - |
//! | leave-entra | no old registration, automatic re-join off | leave | - |
//! | remove-mdm | no enrolment of before | remove | - |
//! | remove-configmgr | no client | remove | - |
//! | apply-package | this package accepted and no domain any more, or moved | place, install, restart | - |
//! | verify-join | moved, and the package is wiped | wait, install again, wipe | - |
//! | swap-profile | the new SID owns the old path on disk too | swap | swap back |
//! | restore-local-groups | the new SID is in every recorded group | add | remove |
//! | clean-identity-caches | no entry of the old SID | clean | - |
//! | restore-logon-surface | banner gone, surface as recorded | restore, restart | - |
//! | await-sign-in | the new SID signed in with a token | wait | - |
//! | verify-enrolment | Intune of the target, newer than the record | wait | - |
//! | verify-exit | join, profile, sign-in and enrolment together | wait | - |
//! | clean-up | nothing of the migration is left | clean up | - |
//!
//! *Moved* means: joined to the target tenant and to nothing else, by another registration than the old one.
//! The same `check` decides before acting and on reading back.

mod check;
mod moves;

use jiff::Timestamp;

use super::package::Opened;
use crate::model::{DeviceFacts, Op, Problem, RecoveryPassword, RunId, Survey};
use crate::port::DeviceAction;
use crate::wire::Task;

pub use check::{check, undone};
pub use moves::{act, undo};

/// What a step decides on.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The run.
    pub run: RunId,
    /// What the step needs to know.
    pub task: &'a Task,
    /// Fresh facts.
    pub facts: &'a DeviceFacts,
    /// A fresh survey; only the preflight takes one.
    pub survey: Option<&'a Survey>,
    /// The package, where it was delivered.
    pub delivery: Option<&'a Opened>,
    /// Password of the recovery administrator, where the order holds one.
    pub recovery: Option<&'a RecoveryPassword>,
    /// Why the last join didn't work.
    pub join_error: Option<&'a Problem>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// What was carried out without an error in this attempt, without the package's bytes.
    pub performed: &'a [DeviceAction],
}

/// Whether a postcondition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Holds,
    /// It doesn't, and why; part of a sentence.
    No(String),
    /// The facts don't tell, and why.
    Unknown(String),
}

/// What comes next towards a postcondition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// These actions, in order.
    Act(Vec<DeviceAction>),
    /// Nothing but looking again; what is waited for.
    Wait(String),
    /// It can't go on like this.
    Refuse(Problem),
    /// A newer order has to come first.
    NeedsOrder(String),
}

impl Context<'_> {
    /// Says whether the device left the old join behind and is joined to the target.
    #[must_use]
    pub fn is_moved(&self) -> bool {
        self.facts.domain.is_none()
            && self.facts.entra.as_ref().is_some_and(|join| {
                join.tenant == self.task.target_tenant && Some(join.device_id) != self.task.old_device
            })
    }
    /// Says whether a migration began on the device and hasn't been cleaned up.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        let staging = &self.facts.staging;
        staging.banner || staging.boot_start || staging.installed_package.is_some()
    }
    /// Returns the moment the old facts were recorded, which is before the first change.
    #[must_use]
    pub fn recorded_at(&self) -> Option<Timestamp> {
        self.facts.staging.recorded.as_ref().map(|recorded| recorded.at)
    }
}

/// Says whether two paths are the same to Windows.
#[must_use]
pub fn same_path(a: &str, b: &str) -> bool {
    a.trim_end_matches('\\').eq_ignore_ascii_case(b.trim_end_matches('\\'))
}

/// Returns how long the effect of an operation's actions may take to be seen, in seconds; none where it may
/// take the whole time limit. Most changes are made when the call returns, and waiting longer for one that
/// wasn't only delays the next attempt.
#[must_use]
pub fn settle_secs(op: Op) -> Option<u32> {
    match op {
        Op::RemoveConfigmgr | Op::VerifyJoin | Op::AwaitSignIn | Op::VerifyEnrolment | Op::VerifyExit => None,
        // Leaving is polled ten times two seconds, a new owner five times ten (domain.md B15).
        _ => Some(60),
    }
}
