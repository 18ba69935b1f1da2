//! The parts of a report. `schemas/report.schema.json` is made from them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::{Exception, Head, LeftOut, Purpose};
use crate::model::{DeviceName, Digest, Op, OwnerRole, Problem, PublicKey, RunId, WaveName};
use crate::run::Status;

/// Name and version of the shape.
pub const FORMAT: &str = "opsole.report/1";

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// [`FORMAT`].
    pub format: &'static str,
    /// The run.
    #[schemars(with = "String")]
    pub run: RunId,
    /// Name of the plan.
    pub plan: String,
    /// Digest of the plan file with what it includes.
    #[schemars(with = "String")]
    pub plan_digest: Digest,
    /// The wave.
    #[schemars(with = "String")]
    pub wave: WaveName,
    /// What it was begun for.
    pub purpose: Purpose,
    /// IANA time zone in which people read the moments; moments themselves are UTC.
    pub zone: String,
    /// How it stands.
    pub standing: Standing,
    /// When it began.
    #[schemars(with = "String")]
    pub began: Timestamp,
    /// When its last journal entry was written; for a run that ended, its end.
    #[schemars(with = "String")]
    pub last: Timestamp,
    /// Entries in its journal.
    pub entries: u64,
    /// Who began it; none for a run of an earlier version.
    pub by: Option<String>,
    /// Version of the program that began it; none for a run of an earlier version.
    pub tool: Option<String>,
    /// Who had it in hand, and when.
    pub turns: Vec<Turn>,
    /// The sealed plan; none where it was begun without one.
    pub sealed: Option<SealedPart>,
    /// Exceptions that were accepted.
    pub exceptions: Vec<Exception>,
    /// Devices by how they stand.
    pub devices_by_outcome: Counts,
    /// Operations of devices that were planned.
    pub planned: u64,
    /// Operations of devices that were planned and done.
    pub done: u64,
    /// What was planned and isn't done.
    pub not_done: Vec<NotDone>,
    /// What was done and wasn't planned. There must be none.
    pub unplanned: Vec<Unplanned>,
    /// Operations that were put back.
    pub undone: Vec<Undone>,
    /// Devices that were sealed and left out, because they had changed.
    pub left_out: Vec<LeftOut>,
    /// Why the wave stopped.
    pub stopped: Option<Issue>,
    /// Exclusions in tenants, with when they were opened and closed in this run.
    pub exclusions: Vec<ExclusionRow>,
    /// Operations of tenants.
    pub tenant: Vec<TenantRow>,
    /// What went wrong, each code once.
    pub problems: Vec<ProblemRow>,
    /// Devices in order of their names.
    pub devices: Vec<DeviceRow>,
    /// The head of the audit list when the report was made: keep it, and `opsole audit verify --head` proves later that
    /// nothing before it was changed.
    pub audit_head: Head,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It isn't finished: the report goes as far as its journal does.
    Open,
    /// It ended.
    Ended,
}

/// Somebody had the run in hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Turn {
    /// `run-begun`, `run-resumed`, `run-stopped`, `run-ended`.
    pub what: String,
    /// Who.
    pub actor: String,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

/// The sealed plan that a run was begun from.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SealedPart {
    /// Digest of its content.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// When it was sealed.
    #[schemars(with = "String")]
    pub sealed_at: Timestamp,
    /// Until when it was good.
    #[schemars(with = "String")]
    pub not_after: Timestamp,
    /// Approvals that it needed.
    pub required: u32,
    /// Signed lines of the file; the first is the seal.
    pub statements: Vec<ApprovalRow>,
}

/// A signed line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ApprovalRow {
    /// `seal`, `approval`, `revocation`, `rejection`.
    pub kind: String,
    /// Name that the signer gave.
    pub by: String,
    /// In which role.
    #[schemars(with = "Option<String>")]
    pub role: Option<OwnerRole>,
    /// With which key.
    #[schemars(with = "String")]
    pub key: PublicKey,
    /// When, by the signer's clock.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Ticket.
    pub ticket: Option<String>,
    /// Remark.
    pub note: Option<String>,
    /// It was an approval that counted when the run began.
    pub counted: bool,
}

/// Devices by how they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Counts {
    /// All of the run.
    pub total: u64,
    /// Complete.
    pub complete: u64,
    /// A person is needed.
    pub recovery_required: u64,
    /// Failed and put back.
    pub undone: u64,
    /// Moved; the cloud isn't there yet.
    pub pending_verification: u64,
    /// Never started.
    pub not_started: u64,
    /// Under way or waiting: the run is open.
    pub open: u64,
}

/// An operation that was planned and isn't done, with how many devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NotDone {
    /// Which.
    #[schemars(with = "String")]
    pub op: Op,
    /// Where it stands.
    #[schemars(with = "String")]
    pub status: Status,
    /// On how many devices.
    pub devices: u64,
}

/// Something in the journal that wasn't planned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Unplanned {
    /// On which device.
    #[schemars(with = "String")]
    pub device: DeviceName,
    /// Which operation.
    #[schemars(with = "String")]
    pub op: Op,
    /// Entry of the journal.
    pub entry: u64,
}

/// An operation that was put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Undone {
    /// On which device; none for an operation of a tenant.
    #[schemars(with = "Option<String>")]
    pub device: Option<DeviceName>,
    /// Which.
    #[schemars(with = "String")]
    pub op: Op,
    /// `undone`, or how far it came.
    #[schemars(with = "String")]
    pub status: Status,
    /// When that was known.
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Issue {
    /// Stable code; `opsole explain CODE` says more.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub next: Option<String>,
    /// What the other side said.
    pub detail: Option<String>,
}

impl From<&Problem> for Issue {
    fn from(problem: &Problem) -> Self {
        Self {
            code: problem.code.clone(),
            message: problem.message.clone(),
            next: problem.next.clone(),
            detail: problem.detail.clone(),
        }
    }
}

/// A problem code with whom it hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProblemRow {
    /// The problem, as it was said of the first.
    #[serde(flatten)]
    pub issue: Issue,
    /// Devices that have it.
    #[schemars(with = "Vec<String>")]
    pub devices: Vec<DeviceName>,
    /// Operations of tenants that have it.
    #[schemars(with = "Vec<String>")]
    pub tenant: Vec<Op>,
}

/// An exclusion in a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExclusionRow {
    /// Who is excluded.
    pub account: String,
    /// From which policy.
    pub policy: Option<String>,
    /// By membership of which group.
    pub group: Option<String>,
    /// When this run opened it; none where it was open before.
    #[schemars(with = "Option<String>")]
    pub opened: Option<Timestamp>,
    /// When this run closed it; none where it is still open.
    #[schemars(with = "Option<String>")]
    pub closed: Option<Timestamp>,
}

/// An operation of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TenantRow {
    /// Which.
    #[schemars(with = "String")]
    pub op: Op,
    /// Package account.
    pub account: String,
    /// Package.
    pub package: String,
    /// Policy.
    pub policy: Option<String>,
    /// The policy's exclusion group.
    pub group: Option<String>,
    /// Where it stands.
    #[schemars(with = "String")]
    pub status: Status,
    /// When it began.
    #[schemars(with = "Option<String>")]
    pub started: Option<Timestamp>,
    /// When it was read back, failed, or was put back.
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
    /// What went wrong.
    pub problem: Option<Issue>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeviceRow {
    /// Which.
    #[schemars(with = "String")]
    pub device: DeviceName,
    /// `complete`, `undone`, `pending-verification`, `recovery-required`, `not-started`; `open` where it has none yet.
    pub outcome: String,
    /// Why it wasn't started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Issue>,
    /// When it took a place in the wave.
    #[schemars(with = "Option<String>")]
    pub started: Option<Timestamp>,
    /// When it was released over the point of no return; for a device that an earlier run took over it, the run's
    /// beginning.
    #[schemars(with = "Option<String>")]
    pub committed: Option<Timestamp>,
    /// When it had its outcome.
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
    /// When its agent's latest evidence was taken, which may be after the run.
    #[schemars(with = "Option<String>")]
    pub evidence_at: Option<Timestamp>,
    /// Digest of the facts in that evidence.
    #[schemars(with = "Option<String>")]
    pub evidence: Option<Digest>,
    /// Its operations in their order.
    pub operations: Vec<OpRow>,
}

/// An operation of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OpRow {
    /// Which.
    #[schemars(with = "String")]
    pub op: Op,
    /// Where it stands.
    #[schemars(with = "String")]
    pub status: Status,
    /// The agent found it so already.
    pub already: bool,
    /// When it began.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it was read back, or failed.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Seconds between the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// When putting it back was over.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undone: Option<Timestamp>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Issue>,
}
