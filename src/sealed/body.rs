//! What is sealed: everything that was shown, and the run that will carry out exactly that.
//!
//! Texts are kept once and referred to by position, and lists of changes likewise: a device takes some 3.5 KB, most of it
//! its part of the run. [`Body`] is also what policies are written against: `schemas/sealed.schema.json`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diff::{Action, Reason};
use crate::model::{Digest, Op, OwnerRole, RunId, Scenario};
use crate::run::RunPlan;

/// Version of the body. A reader refuses another one.
pub const FORMAT: u32 = 1;

/// A sealed plan without its signatures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the program that sealed it.
    pub tool: String,
    /// The plan file's meaning.
    pub plan: PlanRef,
    /// The wave that is sealed.
    pub wave: String,
    /// When tenants, directory and devices were observed.
    #[schemars(with = "String")]
    pub as_of: Timestamp,
    /// When it was sealed.
    #[schemars(with = "String")]
    pub sealed_at: Timestamp,
    /// After this moment it is refused.
    #[schemars(with = "String")]
    pub not_after: Timestamp,
    /// Plan file, includes, tables and packages by digest, in the order of their names.
    pub inputs: Vec<Input>,
    /// Digest of the snapshot.
    #[schemars(with = "String")]
    pub snapshot: Digest,
    /// The newest run before it.
    #[schemars(with = "Option<String>")]
    pub parent: Option<RunId>,
    /// Owner roles and who they are.
    #[schemars(with = "BTreeMap<String, String>")]
    pub owners: BTreeMap<OwnerRole, String>,
    /// Approvals that it needs.
    pub approvals_required: u32,
    /// Roles that may give them; none is every role.
    #[schemars(with = "Vec<String>")]
    pub approvals_from: Vec<OwnerRole>,
    /// What ends and would make it untrue.
    pub relies_on: Vec<Reliance>,
    /// What was found: readiness and diagnostics, the gravest first.
    pub findings: Vec<FindingLine>,
    /// Rules of the plan's policy, and whether each holds.
    pub rules: Vec<RuleLine>,
    /// Devices that earlier runs took past the point of no return, by the night (noon to noon in the plan's zone, named
    /// by its evening); the last week.
    #[schemars(with = "BTreeMap<String, u32>")]
    pub nights: BTreeMap<Date, u32>,
    /// All waves of the plan, for the calendar.
    pub waves: Vec<WaveLine>,
    /// Packages that waves use.
    pub packages: Vec<PackageLine>,
    /// Exclusions of the plan.
    pub exclusions: Vec<ExclusionLine>,
    /// What each operation that stands in it is: whoever reads the file needs no other table.
    pub operations: Vec<OperationLine>,
    /// Operations of the tenants.
    pub tenant: Vec<TenantLine>,
    /// Texts that devices refer to by position.
    pub texts: Vec<String>,
    /// Distinct lists of changes that devices refer to by position.
    pub chains: Vec<Vec<ChangeLine>>,
    /// Devices of the wave in the order of their names.
    pub devices: Vec<DeviceLine>,
    /// The run itself. Its id makes the file good for one use.
    pub run: RunPlan,
}

/// Which plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRef {
    /// Its name.
    pub name: String,
    /// Over its text, includes and tables.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// From where to where.
    pub scenario: Scenario,
    /// IANA time zone of its dates.
    pub zone: String,
}

/// One file that the plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its name as the plan has it.
    pub name: String,
    /// Digest of its bytes.
    #[schemars(with = "String")]
    pub sha256: Digest,
}

/// What a sealed plan relies on until a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RelianceKind {
    /// An exclusion of the plan.
    Exclusion,
    /// A package's bulk token.
    Package,
    /// The application's credential.
    Credential,
    /// A person's attestation.
    Attestation,
}

/// Something that ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reliance {
    /// What it is.
    pub kind: RelianceKind,
    /// Its name.
    pub name: String,
    /// When it ends.
    #[schemars(with = "String")]
    pub until: Timestamp,
}

/// One finding, of readiness or of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingLine {
    /// Check id or diagnostic code.
    pub code: String,
    /// `fail`, `unknown`, `excepted`, `warn`; `error`, `warning`, `advice` for diagnostics.
    pub outcome: String,
    /// What it is about; empty for the plan.
    pub subject: String,
    /// What was seen.
    pub seen: String,
    /// What to do.
    pub next: String,
    /// Who acts.
    #[schemars(with = "Option<String>")]
    pub owner: Option<OwnerRole>,
    /// It keeps something from being applied.
    pub blocks: bool,
}

/// One rule of `policy.rules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleLine {
    /// Its name in the plan file.
    pub rule: String,
    /// `block` or `warn`.
    pub effect: String,
    /// What it is set to; empty where it takes nothing.
    pub setting: String,
    /// It holds.
    pub holds: bool,
    /// What was seen.
    pub seen: String,
    /// What to do where it doesn't hold.
    pub next: String,
}

/// One wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaveLine {
    /// Name.
    pub name: String,
    /// Devices in it.
    pub devices: u32,
    /// Waves before it.
    pub needs: Vec<String>,
    /// First and last moment of its window.
    #[schemars(with = "Option<(String, String)>")]
    pub window: Option<(Timestamp, Timestamp)>,
    /// Daily hours and days, in words.
    pub hours: Option<String>,
    /// Package.
    pub package: String,
    /// Devices in flight at a time.
    pub concurrency: u32,
    /// What its gate lacked; each a clause for people.
    pub missing: Vec<String>,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageLine {
    /// Name.
    pub name: String,
    /// Its account.
    pub account: String,
    /// Life of its token.
    #[schemars(with = "(String, String)")]
    pub life: (Timestamp, Timestamp),
}

/// One exclusion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExclusionLine {
    /// Id.
    pub id: String,
    /// What it covers, in words.
    pub covers: String,
    /// Owner.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Ticket.
    pub ticket: Option<String>,
    /// Its end.
    #[schemars(with = "String")]
    pub until: Timestamp,
}

/// What an operation is, as the catalogue had it when it was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationLine {
    /// Which.
    #[schemars(with = "String")]
    pub op: Op,
    /// What it does, in the imperative.
    pub action: String,
    /// What is read back before it counts as done.
    pub done_when: String,
    /// What puts it back; none where nothing is changed or nothing can be put back.
    pub undo: Option<String>,
    /// Who carries it out: `controller`, `tenant`, `directory`, `agent`, `agent-then-tenant`.
    pub place: String,
    /// `reversible`: a failure puts everything back. `committed`: it only goes forward. `finishing`: the device is
    /// migrated, and a failure leaves it usable.
    pub phase: String,
    /// The device restarts at its end.
    pub restarts: bool,
    /// Permissions of the controller's requests in its name.
    pub permissions: Vec<PermissionLine>,
    /// Operations of the same device that come before, whether or not they are due.
    #[schemars(with = "Vec<String>")]
    pub after: Vec<Op>,
}

/// A permission that an operation uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionLine {
    /// `origin` or `destination`.
    pub tenant: String,
    /// Its name in Microsoft Graph.
    pub permission: String,
    /// It can change something.
    pub writes: bool,
}

/// One operation of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantLine {
    /// Which.
    #[schemars(with = "String")]
    pub op: Op,
    /// What becomes of it.
    #[schemars(with = "String")]
    pub action: Action,
    /// Why.
    #[schemars(with = "String")]
    pub reason: Reason,
    /// Package account.
    pub account: String,
    /// Package.
    pub package: String,
    /// Conditional Access policy.
    pub policy: Option<String>,
    /// The policy's exclusion group, where the account is put into it.
    pub group: Option<String>,
    /// Only if every device ends complete.
    pub needs_complete: bool,
    /// What is there before.
    pub before: String,
    /// What will be there.
    pub after: String,
    /// Digest of the policy that it edits, as it was observed.
    #[schemars(with = "Option<String>")]
    pub object: Option<Digest>,
}

/// One operation of a device: which, what becomes of it, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ChangeLine(
    /// Operation.
    #[schemars(with = "String")]
    pub Op,
    /// What becomes of it.
    #[schemars(with = "String")]
    pub Action,
    /// Why.
    #[schemars(with = "String")]
    pub Reason,
);

/// What an operation changes on a device, as positions among the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EffectLine(
    /// Operation.
    #[schemars(with = "String")]
    pub Op,
    /// What is there before.
    pub u32,
    /// What will be there.
    pub u32,
);

/// What keeps a device back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockerLine {
    /// Code.
    pub code: String,
    /// What is wrong.
    pub message: u32,
    /// What to do.
    pub next: u32,
    /// Who acts.
    #[schemars(with = "String")]
    pub owner: OwnerRole,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceLine {
    /// Name.
    pub name: String,
    /// Where it stands: `migrate`, `resume`, `done`, `excluded`, `blocked`.
    pub standing: String,
    /// Its list of changes.
    pub chain: u32,
    /// Who gets the profile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<String>,
    /// The exclusion that covers it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exclusion: Option<String>,
    /// What keeps it back.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub blockers: Vec<BlockerLine>,
    /// What changes on it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub effects: Vec<EffectLine>,
}

impl Body {
    /// Returns a text by position; empty where there is none.
    #[must_use]
    pub fn text(&self, at: u32) -> &str {
        self.texts.get(at as usize).map_or("", String::as_str)
    }
    /// Returns a device's list of changes.
    #[must_use]
    pub fn chain(&self, device: &DeviceLine) -> &[ChangeLine] {
        self.chains.get(device.chain as usize).map_or(&[], Vec::as_slice)
    }
    /// Returns what an operation is.
    #[must_use]
    pub fn operation(&self, op: Op) -> Option<&OperationLine> {
        self.operations.iter().find(|line| line.op == op)
    }
    /// Returns a device by name.
    #[must_use]
    pub fn device(&self, name: &str) -> Option<&DeviceLine> {
        let at = self.devices.binary_search_by(|device| device.name.as_str().cmp(name)).ok()?;
        self.devices.get(at)
    }
    /// Checks what readers rely on: positions that lead somewhere, names in order and once.
    ///
    /// # Errors
    /// In words, what is wrong.
    pub fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("it has format {}, and this version reads {FORMAT}", self.format));
        }
        let texts = self.texts.len();
        let leads = |at: u32| (at as usize) < texts;
        let mut last: Option<&str> = None;
        for device in &self.devices {
            if last.is_some_and(|last| last >= device.name.as_str()) {
                return Err(format!("device {} stands in it twice or out of order", device.name));
            }
            last = Some(&device.name);
            let effects = device.effects.iter().all(|EffectLine(_, before, after)| leads(*before) && leads(*after));
            let blockers = device.blockers.iter().all(|one| leads(one.message) && leads(one.next));
            if device.chain as usize >= self.chains.len() || !effects || !blockers {
                return Err(format!("device {} refers to something that isn't in it", device.name));
            }
        }
        self.run.check()
    }
}
