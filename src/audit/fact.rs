//! What entries tell. Names and members are stable: entries are kept for years.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::anchor::Anchor;
use super::head::Head;
use super::origin::Purpose;
use crate::model::{Check, DeviceName, Digest, OwnerRole, PublicKey, RunId, WaveName};
use crate::operators::{How, RefusedCalls, Right, Role, UserName};
use crate::sealed::{Statement, StatementKind};
use crate::state::{Outcome, SignOff};
use crate::trust::canonical;

/// What was decided or done. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "kebab-case")]
pub enum Fact {
    /// A plan was sealed.
    PlanSealed(SealedPlan),
    /// A sealed plan was approved.
    PlanApproved(Signed),
    /// An approval was taken back.
    ApprovalTakenBack(Signed),
    /// A sealed plan was sent back.
    PlanSentBack(Signed),
    /// `apply` refused a sealed plan, or to go without one.
    ApplyRefused(Refused),
    /// A run began.
    RunBegun(Box<RunBegun>),
    /// A run that was open was taken up again.
    RunResumed(RunMark),
    /// `apply` stopped in good order; the run is open, or had ended before and agents still said something.
    RunStopped(RunMark),
    /// A run ended.
    RunEnded(RunMark),
    /// A device has its outcome.
    DeviceEnded(DeviceEnd),
    /// An exclusion was opened in a tenant.
    ExclusionOpened(ExclusionChange),
    /// An exclusion was closed in a tenant.
    ExclusionClosed(ExclusionChange),
    /// A wave's exit was signed off.
    GateSignedOff(Gate),
    /// A sign-off was taken back.
    SignOffTakenBack(Gate),
    /// Devices were given tokens to enrol with.
    EnrolmentsIssued(EnrolmentsIssued),
    /// A device enrolled, and its keys are known from now on.
    DeviceEnrolled(DeviceEnrolled),
    /// What a device had to prove itself with isn't good any more.
    DeviceRevoked(DeviceRevoked),
    /// A device refused an order.
    OrderRefused(OrderRefused),
    /// The controller turned calls away.
    CallsRefused(CallsRefused),
    /// The controller has another signing key.
    ControllerKeyChanged(ControllerKeyChanged),
    /// Somebody was shown the password of a device's recovery administrator.
    RecoveryPasswordShown(RecoveryShown),
    /// A computer object that a run disabled is deleted; told before it is.
    ComputerDeleted(ComputerDeleted),
    /// The list was found cut: it was shorter than, or not the same as, what the file beside it said.
    ListCut {
        /// What the file said; none where it was gone or couldn't be read.
        said: Option<Head>,
        /// What was found.
        found: Head,
    },
    /// Somebody was let in to the controller's API.
    OperatorSignedIn(SignedIn),
    /// Calls of the controller's API were refused: the first of a kind, or those that followed it.
    OperatorRefused(RefusedCalls),
    /// Somebody did something over the controller's API.
    OperatorActed(Acted),
    /// A user of the API was added.
    UserAdded(UserChange),
    /// A user of the API was changed.
    UserChanged(UserChange),
    /// A user of the API was disabled; his sessions ended.
    UserDisabled(UserChange),
}

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// How.
    pub how: How,
    /// What for.
    pub role: Role,
    /// The immutable id at the identity provider, where it was one's token.
    pub subject: Option<String>,
    /// Where the call came from.
    pub peer: String,
}

/// Something that was done over the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acted {
    /// The right that it took.
    pub right: Right,
    /// The call: method and path as the table of calls has them.
    pub route: String,
    /// What it was done to, such as a device; none where there is only one.
    pub object: Option<String>,
    /// The immutable id at the identity provider of whoever did it, where it was one's token.
    pub subject: Option<String>,
}

/// A user of the API who was added or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserChange {
    /// The user.
    pub name: UserName,
    /// The role from now on.
    pub role: Role,
    /// What changed: `role`, `password`, `enabled`, `unlocked`; nothing where the user was added or disabled.
    pub changed: Vec<String>,
}

/// A plan that was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPlan {
    /// Digest of its content.
    pub digest: Digest,
    /// The plan's name.
    pub plan: String,
    /// Digest of the plan file with what it includes.
    pub plan_digest: Digest,
    /// The wave.
    pub wave: WaveName,
    /// Devices that would run.
    pub devices: u64,
    /// Who sealed it.
    pub by: String,
    /// With which key.
    pub key: PublicKey,
    /// When it was sealed.
    pub sealed_at: Timestamp,
    /// Until when it is good.
    pub not_after: Timestamp,
    /// It was sealed elsewhere, and this folder learnt of it when the file was applied.
    pub learnt: bool,
}

/// A signed line of a sealed plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Digest of the sealed plan.
    pub digest: Digest,
    /// Name that the signer gives.
    pub by: String,
    /// In which role.
    pub role: Option<OwnerRole>,
    /// With which key.
    pub key: PublicKey,
    /// Ticket.
    pub ticket: Option<String>,
    /// Remark, or why it was sent back.
    pub note: Option<String>,
    /// When, by the signer's clock.
    pub signed_at: Timestamp,
    /// The signature: what tells one statement from another.
    pub signature: String,
    /// It was signed elsewhere, and this folder learnt of it when the file was applied.
    pub learnt: bool,
}

/// What `apply` refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Digest of the sealed plan; none where there was none, or it couldn't be read.
    pub digest: Option<Digest>,
    /// The wave, where it is known.
    pub wave: Option<WaveName>,
    /// Codes of all reasons, in order, each once.
    pub codes: Vec<String>,
}

/// A run that began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunBegun {
    /// The run.
    pub run: RunId,
    /// What for.
    pub purpose: Purpose,
    /// The wave.
    pub wave: WaveName,
    /// Digest of the sealed plan, or `unsealed`.
    pub sealed: String,
    /// Digest of the plan file with what it includes.
    pub plan_digest: Digest,
    /// Digest of the run's plan as it is stored.
    pub run_plan: Digest,
    /// Digest of the origin as it is stored.
    pub origin: Digest,
    /// Version of the program.
    pub tool: String,
    /// Checks that don't hold and were accepted.
    pub accepted: Vec<Check>,
    /// Approvals that counted.
    pub approvals: u32,
    /// Devices of the run.
    pub devices: u64,
}

/// A moment of a run, with what its journal was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunMark {
    /// The run.
    pub run: RunId,
    /// Its journal up to here.
    pub journal: Anchor,
}

/// A device's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceEnd {
    /// The run.
    pub run: RunId,
    /// The device.
    pub device: DeviceName,
    /// Word of the outcome.
    pub outcome: String,
    /// Code of the problem, where there is one.
    pub code: Option<String>,
}

/// Whose recovery password was shown, and why. Never the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryShown {
    /// The device.
    pub device: DeviceName,
    /// The run that the password was made for.
    pub run: RunId,
    /// The reason that was given.
    pub reason: String,
}

/// A computer object that is deleted long after a run disabled it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComputerDeleted {
    /// `objectGUID`.
    pub guid: uuid::Uuid,
    /// Its name.
    pub name: String,
    /// DNS name of the domain.
    pub domain: String,
    /// The run that disabled it.
    pub run: RunId,
    /// The day on which it did.
    pub disabled_on: Timestamp,
}

/// An exclusion in a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExclusionChange {
    /// The run.
    pub run: RunId,
    /// Who is excluded.
    pub account: String,
    /// From which policy.
    pub policy: Option<String>,
    /// By membership of which group, where it isn't the policy itself.
    pub group: Option<String>,
}

/// A sign-off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// The wave whose exit it is.
    pub wave: WaveName,
    /// In which role.
    pub role: OwnerRole,
    /// What it rests on.
    pub evidence: String,
    /// What the criteria came to then.
    pub seen: String,
}

/// Tokens that were issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentsIssued {
    /// The wave that they are for.
    pub wave: WaveName,
    /// How many devices got one.
    pub devices: u64,
    /// Until when they are good.
    pub expires: Timestamp,
}

/// A device that enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceEnrolled {
    /// Which.
    pub device: DeviceName,
    /// The key that signs its calls.
    pub key: PublicKey,
}

/// A device that has to enrol anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRevoked {
    /// Which.
    pub device: DeviceName,
    /// The key that was good until then; none where it hadn't enrolled.
    pub key: Option<PublicKey>,
    /// Why, in the words of whoever did it.
    pub reason: String,
}

/// An order that a device refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRefused {
    /// Which device.
    pub device: DeviceName,
    /// Code of its problem.
    pub code: String,
    /// Digest of what it was given.
    pub order: Digest,
    /// The run that this named, where it could be read.
    pub run: Option<RunId>,
    /// Its generation, where it could be read.
    pub generation: Option<u64>,
}

/// Calls that were turned away. Repeats of one kind are counted together, so that nobody can fill the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsRefused {
    /// What was called, such as `events`.
    pub call: String,
    /// Why: more than the caller was told.
    pub reason: String,
    /// The device that the caller said it was, where the run has such a one.
    pub device: Option<DeviceName>,
    /// Address of the caller, where it is known.
    pub peer: Option<core::net::IpAddr>,
    /// How many.
    pub count: u64,
}

/// A controller's key that gave way to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerKeyChanged {
    /// Until then.
    pub from: PublicKey,
    /// From then on.
    pub to: PublicKey,
}

impl Fact {
    /// Returns its name and its body as canonical JSON.
    #[must_use]
    pub fn parts(&self) -> (String, String) {
        let value = serde_json::to_value(self).expect("a fact holds nothing that JSON can't");
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        let body = canonical(value.get("body").unwrap_or(&Value::Null)).expect("JSON is JSON");
        (kind, String::from_utf8_lossy(&body).into_owned())
    }

    /// Returns the run that it is about.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::RunBegun(begun) => Some(begun.run),
            Self::RunResumed(mark) | Self::RunStopped(mark) | Self::RunEnded(mark) => Some(mark.run),
            Self::DeviceEnded(end) => Some(end.run),
            Self::RecoveryPasswordShown(shown) => Some(shown.run),
            Self::ComputerDeleted(deleted) => Some(deleted.run),
            Self::ExclusionOpened(change) | Self::ExclusionClosed(change) => Some(change.run),
            _ => None,
        }
    }

    /// Returns what it says of a run's journal.
    #[must_use]
    pub fn mark(&self) -> Option<&RunMark> {
        match self {
            Self::RunResumed(mark) | Self::RunStopped(mark) | Self::RunEnded(mark) => Some(mark),
            _ => None,
        }
    }

    /// Returns the signature of the statement that it tells.
    #[must_use]
    pub fn signature(&self) -> Option<&str> {
        match self {
            Self::PlanApproved(signed) | Self::ApprovalTakenBack(signed) | Self::PlanSentBack(signed) => {
                Some(&signed.signature)
            }
            _ => None,
        }
    }

    /// Tells a signed line of a sealed plan; nothing for the seal.
    #[must_use]
    pub fn of_statement(statement: &Statement, learnt: bool) -> Option<Self> {
        let signed = Signed {
            digest: statement.over,
            by: statement.by.clone(),
            role: statement.role,
            key: statement.key,
            ticket: statement.ticket.clone(),
            note: statement.note.clone(),
            signed_at: statement.at,
            signature: statement.signature.clone(),
            learnt,
        };
        match statement.kind {
            StatementKind::Seal => None,
            StatementKind::Approval => Some(Self::PlanApproved(signed)),
            StatementKind::Revocation => Some(Self::ApprovalTakenBack(signed)),
            StatementKind::Rejection => Some(Self::PlanSentBack(signed)),
        }
    }

    /// Tells a sign-off, or that it was taken back.
    #[must_use]
    pub fn of_sign_off(sign_off: &SignOff) -> Self {
        let gate = Gate {
            wave: sign_off.wave.clone(),
            role: sign_off.role,
            evidence: sign_off.evidence.clone(),
            seen: sign_off.seen.clone(),
        };
        if sign_off.revoked { Self::SignOffTakenBack(gate) } else { Self::GateSignedOff(gate) }
    }

    /// Tells a device's outcome.
    #[must_use]
    pub fn of_outcome(run: RunId, device: &DeviceName, outcome: &Outcome) -> Self {
        let (word, code) = match outcome {
            Outcome::Complete => ("complete", None),
            Outcome::Undone(problem) => ("undone", Some(problem.code.clone())),
            Outcome::PendingVerification(problem) => ("pending-verification", Some(problem.code.clone())),
            Outcome::RecoveryRequired(problem) => ("recovery-required", Some(problem.code.clone())),
            Outcome::NotStarted(_) => ("not-started", None),
        };
        Self::DeviceEnded(DeviceEnd { run, device: device.clone(), outcome: word.to_owned(), code })
    }
}
