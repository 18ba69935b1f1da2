//! A change set as JSON for other programs: `opsole.plan/1`.
//!
//! ```json
//! {
//!   "format": "opsole.plan/1",
//!   "plan": {"name": "…", "digest": "…", "scenario": "hybrid-to-entra", "as_of": "2026-12-02T18:30:00Z"},
//!   "selected": null,
//!   "has_changes": true,
//!   "summary": {"devices": 4, "migrate": 2, "…": 0, "operations": 44, "irreversible": 2},
//!   "waves": [{"name": "pilot", "devices": 2, "next_window": null, "missing": [], "changes": [{"op": "wave.gate", "action": "nothing", "reason": "already-so"}]}],
//!   "tenant": [{"op": "tenant.revoke-package", "action": "wait", "reason": "later-waves", "account": "…", "package": "bulk", "policy": null, "needs_complete": false}],
//!   "chains": [[{"op": "device.preflight", "action": "do", "reason": "not-yet-so"}]],
//!   "devices": [{"name": "PC-1", "wave": "pilot", "standing": "migrate", "chain": 0, "user": "anna@contoso.com"}],
//!   "findings": [{"severity": "warning", "code": "OPS0303", "message": "…", "help": "…"}],
//!   "readiness": {"blocked": false, "findings": [{"check": "app.excess", "outcome": "warn", "…": "…"}]}
//! }
//! ```
//!
//! `chains` holds each distinct list of changes once; a device names its list by position. That keeps the
//! file linear and small for a hundred thousand devices. `exclusion` and `blockers` stand with the devices
//! that have them. Where one wave is `selected`, `summary`, `devices` and `findings` are those of the wave.
//!
//! `readiness.findings` are those of `opsole.check/1` that want a look (`render::check`), without mailboxes.
//!
//! `drift` is what others changed since the last state that was reviewed or applied, where there is one: `changes` and
//! `not_known` as in `opsole.drift/1`.
//!
//! A device that is unfolded (`--device`) also has what is there before and after each operation that changes
//! something and runs or waits:
//!
//! ```json
//! "effects": [{"op": "device.unjoin-domain", "before": "joined to corp.contoso.com", "after": "in no domain"}]
//! ```
//!
//! Both are words for people; nothing else should be read from them. New keys may be added; a reader ignores those that it doesn't know.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::plan_group::{Folded, Kind, Summary, fold, is_shown};
use crate::dag::Index;
use crate::diag::Severity;
use crate::diff::{Action, Blocker, Change, ChangeSet, DeviceChanges, DriftReport, Standing, effect};
use crate::model::{Op, Scenario};
use crate::plan::MigrationPlan;
use crate::state::Snapshot;

/// Name and version of the shape.
pub const FORMAT: &str = "opsole.plan/1";

/// A change set that serialises as `opsole.plan/1`, piece by piece.
#[derive(Debug)]
pub struct PlanJson<'a> {
    changes: &'a ChangeSet,
    folded: Folded<'a>,
    unfold: Option<Index<'a>>,
    drift: Option<&'a DriftReport>,
}

impl<'a> PlanJson<'a> {
    /// Prepares a change set.
    #[must_use]
    pub fn new(changes: &'a ChangeSet) -> Self {
        Self { changes, folded: fold(changes), unfold: None, drift: None }
    }

    /// Adds what others changed, as `drift`.
    #[must_use]
    pub fn with_drift(mut self, drift: &'a DriftReport) -> Self {
        self.drift = Some(drift);
        self
    }

    /// Adds `effects` to each device.
    #[must_use]
    pub fn unfolded(mut self, plan: &'a MigrationPlan, snapshot: &'a Snapshot) -> Self {
        self.unfold = Some(Index::new(plan, snapshot));
        self
    }
}

/// Returns a change set as JSON text on one line.
///
/// # Errors
/// None that a change set can cause; serialising says so in its type.
pub fn plan_json(changes: &ChangeSet) -> Result<String, serde_json::Error> {
    serde_json::to_string(&PlanJson::new(changes))
}

impl Serialize for PlanJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let changes = self.changes;
        Document {
            format: FORMAT,
            plan: Plan {
                name: &changes.plan,
                digest: changes.plan_digest,
                scenario: changes.scenario,
                as_of: changes.as_of,
            },
            selected: changes.selected.and_then(|at| changes.waves.get(usize::from(at))).map(|wave| wave.wave.as_str()),
            has_changes: changes.has_changes(),
            summary: self.folded.summary,
            waves: Waves(changes),
            tenant: Tenant(changes),
            chains: &self.folded.chains,
            devices: Devices(self),
            findings: Findings(changes),
            readiness: Ready(changes),
            drift: self.drift,
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    plan: Plan<'a>,
    selected: Option<&'a str>,
    has_changes: bool,
    summary: Summary,
    waves: Waves<'a>,
    tenant: Tenant<'a>,
    chains: &'a [&'a [Change]],
    devices: Devices<'a>,
    findings: Findings<'a>,
    readiness: Ready<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<&'a DriftReport>,
}

#[derive(Serialize)]
struct Plan<'a> {
    name: &'a str,
    digest: crate::model::Digest,
    scenario: Scenario,
    as_of: Timestamp,
}

struct Waves<'a>(&'a ChangeSet);

impl Serialize for Waves<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wave<'a> {
            name: &'a str,
            devices: u32,
            next_window: Option<Timestamp>,
            missing: &'a [String],
            changes: &'a [Change],
        }
        serializer.collect_seq(self.0.waves.iter().map(|wave| Wave {
            name: wave.wave.as_str(),
            devices: wave.devices,
            next_window: wave.next_window,
            missing: &wave.missing,
            changes: &wave.changes,
        }))
    }
}

struct Tenant<'a>(&'a ChangeSet);

impl Serialize for Tenant<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct One<'a> {
            #[serde(flatten)]
            change: Change,
            account: &'a str,
            package: &'a str,
            policy: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            group: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            until: Option<Timestamp>,
            needs_complete: bool,
        }
        serializer.collect_seq(self.0.tenant.iter().map(|tenant| One {
            change: tenant.change,
            account: &tenant.account,
            package: tenant.package.as_str(),
            policy: tenant.policy.as_deref(),
            group: tenant.group.as_deref(),
            until: tenant.until,
            needs_complete: tenant.needs_complete,
        }))
    }
}

struct Devices<'a>(&'a PlanJson<'a>);

#[derive(Serialize)]
struct Device<'a> {
    name: &'a str,
    wave: Option<&'a str>,
    standing: Kind,
    chain: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exclusion: Option<Exclusion<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    blockers: &'a [Blocker],
    #[serde(skip_serializing_if = "Option::is_none")]
    effects: Option<Vec<Effect>>,
}

#[derive(Serialize)]
struct Effect {
    op: Op,
    before: String,
    after: String,
}

fn effects(device: &DeviceChanges, index: &Index<'_>) -> Vec<Effect> {
    let due = device.changes.iter().filter(|change| matches!(change.action, Action::Do | Action::Wait));
    due.filter_map(|change| {
        let (before, after) = effect(change.op, device, index)?;
        Some(Effect { op: change.op, before, after })
    })
    .collect()
}

#[derive(Serialize)]
struct Exclusion<'a> {
    id: &'a str,
    owner: &'a str,
    reason: &'a str,
    until: Timestamp,
}

impl Serialize for Devices<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let PlanJson { changes, folded, unfold, drift: _ } = self.0;
        let waves = &changes.waves;
        let devices = changes.devices.iter().zip(&folded.chain_of);
        let devices = devices.filter(|(device, _)| is_shown(changes, device));
        serializer.collect_seq(devices.map(|(device, chain)| Device {
            name: device.device.as_str(),
            wave: device.wave.and_then(|wave| waves.get(usize::from(wave))).map(|wave| wave.wave.as_str()),
            standing: Kind::of(device),
            chain: *chain,
            user: device.task.as_deref().map(|task| task.upn.as_str()),
            exclusion: match &device.standing {
                Standing::Excluded { exclusion, owner, reason, until } => {
                    Some(Exclusion { id: exclusion, owner, reason, until: *until })
                }
                _ => None,
            },
            blockers: match &device.standing {
                Standing::Blocked(blockers) => blockers,
                _ => &[],
            },
            effects: unfold.as_ref().map(|index| effects(device, index)),
        }))
    }
}

struct Findings<'a>(&'a ChangeSet);

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Finding<'a> {
            severity: Severity,
            code: &'static str,
            message: &'a str,
            help: Option<&'a str>,
        }
        serializer.collect_seq(self.0.findings.0.iter().map(|finding| Finding {
            severity: finding.severity,
            code: finding.code.id,
            message: &finding.message,
            help: finding.help.as_deref(),
        }))
    }
}

/// What readiness says of the plan, or of the wave that is selected.
struct Ready<'a>(&'a ChangeSet);

impl Serialize for Ready<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Document {
            blocked: bool,
            findings: Vec<serde_json::Value>,
        }
        let changes = self.0;
        let wave = |at: u16| changes.waves.get(usize::from(at)).map(|wave| wave.wave.as_str());
        let concerns = |at: Option<u16>| at.is_none() || changes.selected.is_none() || at == changes.selected;
        let shown = || changes.readiness.findings.iter().filter(|f| f.speaks() && concerns(f.wave));
        let findings = shown().map(|found| super::check::finding(found, found.wave.and_then(wave), None)).collect();
        Document { blocked: shown().any(crate::readiness::Finding::blocks), findings }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag::fixture::{Fleet, Join, exclusion, named};
    use crate::diff::{decide, select};

    fn json(fleet: &Fleet) -> String {
        plan_json(&decide(&fleet.plan, &fleet.snapshot).expect("no cycle").changes).expect("serialises")
    }

    /// Catches bytes that change from run to run, and a device whose list is another's.
    #[test]
    fn same_inputs_same_bytes() {
        let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 6);
        fleet.user(3).enabled = false;
        fleet.facts(4).configmgr = true;
        fleet.plan.exclusions.push(exclusion(named("pc-005")));
        let text = json(&fleet);
        assert_eq!(text, json(&fleet.clone()));
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["format"], FORMAT);
        assert_eq!(value["summary"]["devices"], 6);
        let device = |n: usize| &value["devices"][n];
        assert_eq!(device(3)["blockers"][0]["code"], "user.disabled");
        assert_eq!(device(5)["exclusion"]["owner"], "lead@contoso.com");
        assert_eq!(device(0)["chain"], device(1)["chain"]);
        let chain = |n: usize| {
            value["chains"][usize::try_from(device(n)["chain"].as_u64().expect("a number")).expect("small")].clone()
        };
        let action = |n: usize| {
            let list = chain(n);
            let one = list.as_array().expect("a list").iter().find(|c| c["op"] == "device.remove-configmgr").cloned();
            one.expect("answered")["action"].clone()
        };
        assert_eq!((action(0), action(4)), ("skip".into(), "do".into()));
    }

    /// Catches a wave's view that counts other waves, and an unfolded device without what changes on it.
    #[test]
    fn one_wave_and_one_device() {
        let fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 6);
        let all = decide(&fleet.plan, &fleet.snapshot).expect("no cycle").changes;
        let pilot = select(&all, &"pilot".into()).expect("a wave");
        let read = |json: &PlanJson<'_>| serde_json::to_value(json).expect("serialises");
        let value = read(&PlanJson::new(&pilot));
        assert_eq!((&value["selected"], &value["summary"]["devices"]), (&"pilot".into(), &2.into()));
        assert_eq!(value["devices"].as_array().map(Vec::len), Some(2));
        assert!(value["devices"][0]["effects"].is_null());
        let value = read(&PlanJson::new(&pilot).unfolded(&fleet.plan, &fleet.snapshot));
        let effects = value["devices"][0]["effects"].as_array().expect("a list");
        let unjoin = effects.iter().find(|one| one["op"] == "device.unjoin-domain").expect("it leaves");
        assert_eq!(
            (&unjoin["before"], &unjoin["after"]),
            (&"joined to corp.contoso.com".into(), &"in no domain".into())
        );
    }
}
