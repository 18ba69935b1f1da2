//! The JSON Schema of `opsole.plan/1`, which `opsole plan --output json` prints: the shape in words, for those who read it.
//!
//! The types here are never made; a test holds every answer of the program to them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

/// What a plan would change, and why the rest won't.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes what `plan_json` writes piece by piece")]
struct PlanOutput {
    /// `opsole.plan/1`. New members may be added under the same name; a reader ignores those that it doesn't know.
    format: String,
    /// Which plan.
    plan: Plan,
    /// The wave that is looked at; null is all of them. `summary`, `devices` and `findings` are then those of the wave.
    selected: Option<String>,
    /// Something would run now.
    has_changes: bool,
    /// Totals.
    summary: Summary,
    /// Waves in the order of the plan.
    waves: Vec<Wave>,
    /// Operations of the tenants.
    tenant: Vec<Tenant>,
    /// Each distinct list of changes once, in the order of the catalogue of operations.
    chains: Vec<Vec<Change>>,
    /// Devices in the order of their names.
    devices: Vec<Device>,
    /// What was found while compiling.
    findings: Vec<Finding>,
    /// Prerequisites that want a look.
    readiness: Readiness,
}

/// Which plan.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct Plan {
    /// Its name.
    name: String,
    /// SHA-256 over its text, includes and tables, in hexadecimal.
    digest: String,
    /// `ad-to-entra`, `hybrid-to-entra` or `tenant-to-tenant`.
    scenario: String,
    /// The moment that it was decided for, in UTC.
    as_of: String,
}

/// Totals.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct Summary {
    /// All devices.
    devices: usize,
    /// Devices that run from the start.
    migrate: usize,
    /// Devices that are finished from where they are.
    resume: usize,
    /// Devices whose wave may not start them now.
    waiting: usize,
    /// Devices with nothing left.
    done: usize,
    /// Devices that an exclusion covers.
    excluded: usize,
    /// Devices that need a person first.
    blocked: usize,
    /// Devices that no wave selects.
    no_wave: usize,
    /// Operations of devices and tenants that would run.
    operations: usize,
    /// Devices that would pass the point of no return.
    irreversible: usize,
}

/// A wave.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct Wave {
    /// Its name.
    name: String,
    /// Devices in it, whatever their standing.
    devices: u32,
    /// When its window opens or closes next.
    next_window: Option<String>,
    /// What its gate lacks; each a clause for people.
    missing: Vec<String>,
    /// Gate and window.
    changes: Vec<Change>,
}

/// One operation, what becomes of it, and why.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct Change {
    /// Its name, such as `device.swap-profile`; docs/operations.md.
    op: String,
    /// What becomes of it.
    action: Action,
    /// Why: `not-yet-so`, `already-so`, `done-before`, `chain-incomplete`, `chain-complete`, `nothing-there`, `feature-off`,
    /// `kept`, `excluded`, `blocked`, `unknown`, `later-waves`, `first-device`, `expired`, `other-wave`, `gate-closed`,
    /// `window-closed`, `no-wave`.
    reason: String,
}

/// What becomes of an operation.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "as above")]
enum Action {
    /// It runs.
    Do,
    /// Its postcondition holds already.
    Nothing,
    /// It isn't due in this run.
    Wait,
    /// It is left out on purpose.
    Skip,
    /// It can't run until something is mended.
    Blocked,
}

/// An operation of a tenant.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct Tenant {
    /// As in a change.
    op: String,
    /// As in a change.
    action: Action,
    /// As in a change.
    reason: String,
    /// Package account (UPN).
    account: String,
    /// Package.
    package: String,
    /// Conditional Access policy by display name.
    policy: Option<String>,
    /// The policy's exclusion group, where the account is put into it.
    #[schemars(default)]
    group: Option<String>,
    /// End of the exclusion that asks for it.
    #[schemars(default)]
    until: Option<String>,
    /// Only if every device of the run ends complete.
    needs_complete: bool,
}

/// A device.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct Device {
    /// Its name.
    name: String,
    /// Its wave.
    wave: Option<String>,
    /// Where it stands.
    standing: Standing,
    /// Its list of changes, as a position in `chains`.
    chain: u32,
    /// Who gets the profile; only where it runs.
    #[schemars(default)]
    user: Option<String>,
    /// The exclusion that covers it.
    #[schemars(default)]
    exclusion: Option<Exclusion>,
    /// What keeps it back.
    #[schemars(default)]
    blockers: Vec<Blocker>,
    /// What changes on it, in words for people; only with `--device`.
    #[schemars(default)]
    effects: Option<Vec<Effect>>,
}

/// Where a device stands.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "as above")]
enum Standing {
    /// It runs from the start.
    Migrate,
    /// It is finished from where it is.
    Resume,
    /// Its wave may not start it now.
    Waiting,
    /// Nothing is left.
    Done,
    /// An exclusion covers it.
    Excluded,
    /// It needs a person first.
    Blocked,
    /// No wave selects it.
    NoWave,
}

/// The exclusion that covers a device.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct Exclusion {
    /// Its id in the plan.
    id: String,
    /// Who acts when it ends.
    owner: String,
    /// Why.
    reason: String,
    /// Its end, in UTC.
    until: String,
}

/// What keeps a device back.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct Blocker {
    /// `opsole explain CODE` tells more.
    code: String,
    /// The check that it is a finding of.
    #[schemars(default)]
    check: Option<String>,
    /// Who acts.
    owner: String,
    /// What is wrong.
    message: String,
    /// What to do.
    next: String,
}

/// What an operation changes on a device.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct Effect {
    /// Which operation.
    op: String,
    /// What is there before.
    before: String,
    /// What will be there.
    after: String,
}

/// What was found while compiling.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct Finding {
    /// `error`, `warning` or `advice`.
    severity: String,
    /// `OPS0301` and the like; docs/codes.
    code: String,
    /// What was found.
    message: String,
    /// What to do.
    help: Option<String>,
}

/// Prerequisites.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct Readiness {
    /// Something blocks what it covers.
    blocked: bool,
    /// Findings that want a look, as `opsole check --output json` has them, without mailboxes.
    findings: Vec<BTreeMap<String, serde_json::Value>>,
}

/// Returns the JSON schema of `opsole.plan/1`.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<PlanOutput>();
    schema.insert("title".to_owned(), "plan of opsole as JSON".into());
    schema.to_value()
}
