//! Requests and answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Step;
use crate::model::{DeviceFacts, DeviceName, Problem, RunId, Survey};

/// A device asks to be let in.
#[derive(Clone, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// [`super::FORMAT`].
    pub format: u32,
    /// One-time enrolment token. A secret.
    pub token: String,
    /// Computer name.
    pub device: DeviceName,
    /// Serial number.
    pub serial: String,
    /// Version of the agent.
    pub agent: String,
}

/// The device is let in.
#[derive(Clone, Serialize, Deserialize)]
pub struct EnrolAnswer {
    /// Bearer token of this device. A secret; the controller keeps a hash of it.
    pub device_token: String,
}

/// Fresh facts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EvidenceReport {
    /// When the agent looked, by the device's clock.
    pub at: Timestamp,
    /// What it found.
    pub facts: DeviceFacts,
    /// What its last survey found. Agents of before there were surveys send none.
    #[serde(default)]
    pub survey: Option<Survey>,
}

/// What an agent did, from its own journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentEvent {
    /// Position in the agent's journal of this run, from 1 without gaps. Reported again after a lost answer.
    pub seq: u64,
    /// By the device's clock.
    pub at: Timestamp,
    /// Which step.
    pub step: Step,
    /// What happened.
    pub kind: AgentEventKind,
}

/// What happened to a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentEventKind {
    /// The agent is about to act.
    Started,
    /// The postcondition was read back. The facts are those of that reading.
    Done {
        /// Evidence of the reading.
        facts: Box<DeviceFacts>,
        /// It held already; nothing was done.
        already: bool,
        /// Hardware hash, base64; with `device.preflight` only, where Autopilot is on.
        hardware_hash: Option<String>,
    },
    /// Every attempt failed.
    Failed(Problem),
    /// The time limit of a step that may pend ran out; the agent goes on looking with the next order.
    Pending(Problem),
    /// The device restarts; the agent comes back by itself.
    Restarting,
}

/// Events in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventReport {
    /// The run.
    pub run: RunId,
    /// Events in order of `seq`.
    pub events: Vec<AgentEvent>,
}

/// What the controller has on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventAnswer {
    /// Highest `seq` that is journalled; the agent need not send it again.
    pub acknowledged: u64,
}
