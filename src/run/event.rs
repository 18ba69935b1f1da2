//! What the journal of a run holds.
//!
//! The journal is a list of intents and outcomes, not a log for debugging: replaying it gives the machine
//! back. Times in it are never used to decide what happened, only for waiting and for people.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{DeviceFacts, DeviceName, EntraDeviceId, IntuneId, KeyId, Op, Problem, TenantId};
use crate::state::Outcome;
use crate::wire::{AgentEventKind, Step};

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The run begins. Always the first entry, and only there.
    Begun,
    /// A controller takes the run up again: whatever its predecessor had in hand is begun anew.
    Resumed,
    /// Nothing new is begun any more; the run stays open.
    Draining,
    /// Something about an operation of the tenant: those before the devices first, then those after.
    Tenant {
        /// Index into `tenant_before`, then on into `tenant_after`.
        index: u16,
        /// What.
        mark: TenantMark,
    },
    /// A device takes one of the wave's places.
    DeviceStarted {
        /// Which.
        device: DeviceName,
    },
    /// Steps go into the device's work order, which gets its next generation.
    Released {
        /// Which device.
        device: DeviceName,
        /// The new steps.
        steps: Vec<Step>,
    },
    /// The device's agent reported something.
    Agent {
        /// Which device.
        device: DeviceName,
        /// Position in the agent's own journal of this run.
        seq: u64,
        /// Which step.
        step: Step,
        /// What happened.
        note: AgentNote,
    },
    /// The controller begins its part of an operation.
    Started {
        /// Which device.
        device: DeviceName,
        /// Which operation.
        op: Op,
    },
    /// The controller read its postcondition back.
    Done {
        /// Which device.
        device: DeviceName,
        /// Which operation.
        op: Op,
    },
    /// The controller's attempts are used up.
    Failed {
        /// Which device.
        device: DeviceName,
        /// Which operation.
        op: Op,
        /// Why.
        problem: Problem,
    },
    /// Something that an operation has to remember before or right after it acts.
    Noted {
        /// Which device; none for an operation of the tenant.
        device: Option<DeviceName>,
        /// Index of the tenant operation; 0 for a device's.
        index: u16,
        /// Which operation.
        op: Op,
        /// What; never a secret.
        note: String,
    },
    /// The agent was silent for too long.
    GaveUp {
        /// Which device.
        device: DeviceName,
        /// The step it should have reported.
        step: Step,
        /// Why.
        problem: Problem,
    },
    /// The device has its outcome and gives its place free.
    DeviceFinished {
        /// Which.
        device: DeviceName,
        /// How it ended.
        outcome: Outcome,
    },
    /// Nothing is left to do. Always the last entry but for late words of agents.
    Finished,
}

/// Something about an operation of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TenantMark {
    /// It begins.
    Started,
    /// Its postcondition was read back.
    Done,
    /// Its attempts are used up.
    Failed(Problem),
    /// Putting it back begins.
    UndoStarted,
    /// It was put back.
    Undone,
    /// It couldn't be put back.
    UndoFailed(Problem),
}

/// What an agent reported about a step; [`AgentEventKind`] with its facts cut down to [`Seen`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentNote {
    /// It is about to act.
    Started,
    /// The postcondition was read back.
    Done {
        /// It held already.
        already: bool,
        /// What the controller's part needs of the reading.
        seen: Box<Seen>,
    },
    /// Every attempt failed.
    Failed(Problem),
    /// Out of time, where the step may pend.
    Pending(Problem),
    /// The device restarts.
    Restarting,
}

impl From<&AgentEventKind> for AgentNote {
    fn from(kind: &AgentEventKind) -> Self {
        match kind {
            AgentEventKind::Started => Self::Started,
            AgentEventKind::Done { facts, already, .. } => {
                Self::Done { already: *already, seen: Box::new(Seen::from(&**facts)) }
            }
            AgentEventKind::Failed(problem) => Self::Failed(problem.clone()),
            AgentEventKind::Pending(problem) => Self::Pending(problem.clone()),
            AgentEventKind::Restarting => Self::Restarting,
        }
    }
}

/// What the controller needs to know of an agent's reading. The whole reading is kept as evidence, outside of
/// the journal: it is ten times as long and only the latest is of use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Seen {
    /// Tenant the device is joined to or registered in.
    pub tenant: Option<TenantId>,
    /// Its registration there.
    pub device_id: Option<EntraDeviceId>,
    /// It is a member of a domain.
    pub domain: bool,
    /// Its managed device, where it is enrolled into Intune.
    pub intune: Option<IntuneId>,
    /// The system volume is encrypted.
    pub encrypted: bool,
    /// Recovery password protectors of the system volume.
    pub protectors: Vec<KeyId>,
}

impl From<&DeviceFacts> for Seen {
    fn from(facts: &DeviceFacts) -> Self {
        Self {
            tenant: facts.entra.as_ref().map(|entra| entra.tenant),
            device_id: facts.entra.as_ref().map(|entra| entra.device_id),
            domain: facts.domain.is_some(),
            intune: facts.mdm.as_ref().and_then(|mdm| mdm.device),
            encrypted: facts.bitlocker.encrypted,
            protectors: facts.bitlocker.protectors.iter().map(|protector| protector.id).collect(),
        }
    }
}

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Position, from 1 without gaps.
    pub seq: u64,
    /// When, by the world's clock.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

impl Entry {
    /// Reads an entry's body.
    ///
    /// # Errors
    /// Where the body isn't an event of this version.
    pub fn parse(seq: u64, at: Timestamp, body: &str) -> Result<Self, CorruptJournal> {
        let event = serde_json::from_str(body).map_err(|e| CorruptJournal { seq, reason: e.to_string() })?;
        Ok(Self { seq, at, event })
    }
}

impl Event {
    /// Returns the device that it is about.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceName> {
        match self {
            Self::DeviceStarted { device }
            | Self::Released { device, .. }
            | Self::Agent { device, .. }
            | Self::Started { device, .. }
            | Self::Done { device, .. }
            | Self::Failed { device, .. }
            | Self::GaveUp { device, .. }
            | Self::DeviceFinished { device, .. } => Some(device),
            Self::Noted { device, .. } => device.as_ref(),
            Self::Begun | Self::Resumed | Self::Draining | Self::Tenant { .. } | Self::Finished => None,
        }
    }
    /// Returns the body of the journal entry.
    #[must_use]
    pub fn body(&self) -> String {
        serde_json::to_string(self).expect("events hold nothing that JSON can't")
    }
}

/// An event that can't happen in the state that the machine is in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IllegalEvent(pub String);

/// A journal that can't have been written by a run of this plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("journal entry {seq}: {reason}")]
pub struct CorruptJournal {
    /// The entry.
    pub seq: u64,
    /// What is wrong with it.
    pub reason: String,
}
