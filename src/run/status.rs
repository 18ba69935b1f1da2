//! The states of one operation and the one table of what may follow what.
//!
//! ```text
//! agent's part        Pending ─► Released ─► Running ─► AgentDone ─► (controller's part) or Done
//! controller's part   Pending | AgentDone ─► Controlling ─► Done
//! out of time         Released | Running | Controlling ─► PendingVerification   where the operation may pend
//! failure             Released | Running | Controlling ─► Failed                where it may not
//! never reached       Pending | Released | Running | AgentDone ─► Skipped
//! put back            all but Pending ─► Undoing ─► Undone | UndoFailed         before the point of no return
//! ```

use serde::{Deserialize, Serialize};

use crate::dag::{OpSpec, Phase, Place, Scope};

/// Where one operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Not begun.
    Pending,
    /// In a work order of the device.
    Released,
    /// The agent is at it.
    Running,
    /// The agent has done its part; the controller's is to come.
    AgentDone,
    /// The controller is at it.
    Controlling,
    /// The postcondition was read back.
    Done,
    /// The world isn't there yet; a later run looks again.
    PendingVerification,
    /// It failed for good.
    Failed,
    /// It won't run: something that it needs isn't done.
    Skipped,
    /// It is being put back.
    Undoing,
    /// It was put back.
    Undone,
    /// It couldn't be put back.
    UndoFailed,
}

impl Status {
    /// Says whether the agent has it in hand.
    #[must_use]
    pub fn is_with_agent(self) -> bool {
        matches!(self, Self::Released | Self::Running)
    }
    /// Says whether nothing more happens to it by itself.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(
            self,
            Self::Done | Self::PendingVerification | Self::Failed | Self::Skipped | Self::Undone | Self::UndoFailed
        )
    }
}

/// What happens to one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// It goes into a work order.
    Release,
    /// The agent begins, or begins again after a restart.
    AgentStarted,
    /// The device restarts.
    AgentRestarting,
    /// The agent has read back its part.
    AgentDone,
    /// The agent's attempts are used up, or the controller gave up on the agent.
    AgentFailed,
    /// The agent's time is used up and the operation may pend.
    AgentPending,
    /// The controller begins its part.
    Start,
    /// The controller has read back its part.
    Succeed,
    /// The controller's attempts are used up.
    Fail,
    /// The controller's process ended in the middle of its part, which will be begun again.
    Interrupt,
    /// Something that it needs isn't done.
    Skip,
    /// Its undo goes into a work order, or the controller begins it.
    Undo,
    /// The agent begins to put it back.
    UndoStarted,
    /// It is put back.
    UndoDone,
    /// It can't be put back.
    UndoFailed,
}

/// Returns the state after `mark`, or nothing where that can't happen. The only place where states change.
#[must_use]
pub fn next_status(spec: &OpSpec, status: Status, mark: Mark) -> Option<Status> {
    use Mark as M;
    use Status as S;
    let agent = spec.place.has_agent();
    let failed = if spec.may_pend { S::PendingVerification } else { S::Failed };
    Some(match (status, mark) {
        (S::Pending, M::Release) if agent => S::Released,
        (S::Released | S::Running, M::AgentStarted) => S::Running,
        // Some steps restart at their end, some in the middle: a restart proves nothing.
        (S::Released | S::Running | S::AgentDone | S::Controlling | S::Done, M::AgentRestarting) => status,
        // An agent that came back may look again at what it has done, and finds it done.
        (S::AgentDone | S::Controlling | S::Done, M::AgentStarted | M::AgentDone) if agent => status,
        (S::Undone, M::UndoStarted | M::UndoDone) if agent => status,
        (S::Released | S::Running, M::AgentDone) if spec.place == Place::AgentThenTenant => S::AgentDone,
        (S::Released | S::Running, M::AgentDone) => S::Done,
        (S::Released | S::Running, M::AgentFailed) => failed,
        (S::Released | S::Running, M::AgentPending) if spec.may_pend => S::PendingVerification,
        // An operation that was given up may still report; that comes too late to change anything.
        (
            S::Skipped | S::Failed | S::PendingVerification | S::Undoing | S::UndoFailed,
            M::AgentStarted | M::AgentRestarting | M::AgentDone | M::AgentFailed | M::AgentPending,
        ) if agent => status,
        (S::Pending, M::Start) if !agent => S::Controlling,
        (S::AgentDone, M::Start) => S::Controlling,
        (S::Controlling, M::Succeed) => S::Done,
        (S::Controlling, M::Fail) => failed,
        (S::Controlling, M::Interrupt) if agent => S::AgentDone,
        (S::Controlling, M::Interrupt) => S::Pending,
        // Only the controller's own undo is interrupted; an agent goes on with its order.
        (S::Undoing, M::Interrupt) if !agent => S::Failed,
        (S::Pending | S::Released | S::Running | S::AgentDone, M::Skip) => S::Skipped,
        (S::Released | S::Running | S::AgentDone | S::Done | S::Failed | S::Skipped, M::Undo)
            if spec.undo.is_some() && spec.phase == Phase::Reversible && (agent || spec.scope == Scope::Tenant) =>
        {
            S::Undoing
        }
        (S::UndoFailed, M::UndoStarted | M::UndoDone | M::UndoFailed) if agent => status,
        (S::Undoing, M::UndoStarted) => S::Undoing,
        (S::Undoing, M::UndoDone) => S::Undone,
        (S::Undoing, M::UndoFailed) => S::UndoFailed,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag::spec;
    use crate::model::Op;

    /// Catches a reversible device operation whose undo nobody would carry out: only agents put devices back.
    #[test]
    fn every_undo_before_the_boundary_is_the_agents() {
        for spec in Op::ALL.iter().map(|op| spec(*op)) {
            if spec.scope == Scope::Device && spec.phase == Phase::Reversible && spec.undo.is_some() {
                assert!(spec.place.has_agent(), "{}", spec.op);
            }
        }
    }

    /// Catches a table that lets a finished operation come back to life.
    #[test]
    fn ends_are_ends() {
        for op in Op::ALL {
            for mark in [Mark::Release, Mark::Start, Mark::Succeed, Mark::Fail, Mark::Interrupt, Mark::Skip] {
                for status in [Status::Done, Status::PendingVerification, Status::Undone, Status::UndoFailed] {
                    assert_eq!(next_status(spec(*op), status, mark), None, "{op} {status:?} {mark:?}");
                }
            }
        }
    }

    /// Catches a failure after the point of no return that is put back although it can't be.
    #[test]
    fn nothing_committed_is_undone() {
        for op in Op::ALL.iter().filter(|op| spec(**op).phase != Phase::Reversible) {
            for status in [Status::Done, Status::Failed, Status::Released] {
                assert_eq!(next_status(spec(*op), status, Mark::Undo), None, "{op}");
            }
        }
    }
}
