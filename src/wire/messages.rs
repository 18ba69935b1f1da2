//! Requests and answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Step;
use crate::model::{DeviceFacts, DeviceName, Digest, EntraDeviceId, Problem, PublicKey, RunId, Survey};
use crate::trust::{BoxKey, Envelope, SealedBox};

/// A device asks to be let in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnrolCall {
    /// Which token it uses.
    pub device: DeviceName,
    /// [`EnrolRequest`], signed with the token's key.
    pub request: Envelope,
}

/// What a device says of itself to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// [`super::FORMAT`].
    pub format: u32,
    /// Computer name.
    pub device: DeviceName,
    /// Serial number.
    pub serial: String,
    /// Registration that its join information names, where it is joined to Entra.
    pub registration: Option<EntraDeviceId>,
    /// Version of the agent.
    pub agent: String,
    /// The key that signs this device's calls from now on. Its private half never leaves the device.
    pub key: PublicKey,
    /// The key that this device's secrets are sealed for.
    pub boxes: BoxKey,
}

/// The device is let in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnrolAnswer {
    /// [`Admission`], signed with the controller's key.
    pub admission: Envelope,
    /// Changes of the controller's key, the oldest first.
    pub changes: Vec<Envelope>,
}

/// What a device gets when it is let in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Admission {
    /// Which device.
    pub device: DeviceName,
    /// Its own key, as it asked.
    pub key: PublicKey,
    /// Bearer token of this device, sealed for it. The controller keeps a hash of it.
    pub token: SealedBox,
}

/// What [`Admission::token`] is sealed as.
pub const DEVICE_TOKEN: &str = "device token";

/// What [`super::WorkOrder::recovery`] is sealed as.
pub const RECOVERY_PASSWORD: &str = "recovery password";

/// Header with the controller's time when it answered, RFC 3339: the other clock that a device is compared with.
pub const TIME: &str = "opsole-time";

/// Header with the signature of a device's call: over [`call_text`], for [`Purpose::Call`].
///
/// [`Purpose::Call`]: crate::trust::Purpose::Call
pub const SIGNATURE: &str = "opsole-signature";

/// Returns what a device signs when it calls: method, path with query, and the digest of the body.
///
/// There is no time and no number in it: whoever repeats a call changes nothing, since events are counted, evidence
/// has its time, and an order is only ever the newest.
#[must_use]
pub fn call_text(method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    format!("{method} {target}\n{}", Digest::of(body)).into_bytes()
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
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventAnswer {
    /// [`Acknowledged`], signed with the controller's key: nobody on the way can make a device forget an event.
    pub acknowledgement: Envelope,
    /// Changes of the controller's key, the oldest first.
    pub changes: Vec<Envelope>,
}

/// Up to where the controller has a device's events on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Whose events.
    pub device: DeviceName,
    /// Of which run.
    pub run: RunId,
    /// Highest `seq` that is journalled; the agent need not send it again.
    pub acknowledged: u64,
}

/// A device refused an order, and says why. The controller tells it in the audit list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalReport {
    /// Code of the problem: `order.…`.
    pub code: String,
    /// Digest of the order's text, as it came.
    pub order: Digest,
    /// The run that it named, where it could be read.
    pub run: Option<RunId>,
    /// Its generation, where it could be read.
    pub generation: Option<u64>,
}
