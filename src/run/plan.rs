//! The plan of one run: what `apply` agreed to, as a value that is stored with the journal.
//!
//! Everything that a resume needs is in it, so that nothing is decided twice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Windows;
use crate::dag::{self, Phase, Scope};
use crate::diff::{Action, ChangeSet, DeviceChanges, Reason, Standing, TenantChange};
use crate::model::{Check, DeviceName, Digest, Op, PackageName, Problem, RetirePolicy, RunId, Scenario, WaveName};
use crate::plan::MigrationPlan;
use crate::state::{DeviceRecord, Outcome};
use crate::wire::Task;

/// Version of the stored plan. A reader refuses a higher one.
pub const FORMAT: u32 = 1;

/// The plan of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunPlan {
    /// Version, [`FORMAT`].
    pub format: u32,
    /// The run.
    #[schemars(with = "String")]
    pub run: RunId,
    /// Name of the migration plan.
    pub plan: String,
    /// Its digest.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// From where to where.
    pub scenario: Scenario,
    /// The wave.
    #[schemars(with = "String")]
    pub wave: WaveName,
    /// When the run was made.
    #[schemars(with = "String")]
    pub created: Timestamp,
    /// Devices in flight at a time, at least one.
    pub concurrency: u32,
    /// When the wave stops.
    pub budget: Budget,
    /// When devices may be started; none is always.
    pub windows: Option<Windows>,
    /// What controller operations need to know.
    pub settings: Settings,
    /// Tenant operations that come before any device.
    pub tenant_before: Vec<TenantRun>,
    /// Tenant operations that come after all devices.
    pub tenant_after: Vec<TenantRun>,
    /// Checks that don't hold and that whoever applied accepted, each under an exclusion of the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub accepted: Vec<Check>,
    /// Devices in order of their names.
    pub devices: Vec<DeviceRun>,
}

/// How many failures stop the wave; see [`crate::plan::FailureBudget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Budget {
    /// More than this many devices.
    pub max: Option<u32>,
    /// More than this share of the run's devices.
    pub percent: Option<u32>,
    /// More than this many devices with the same code.
    pub same_cause: Option<u32>,
}

/// What controller operations need to know besides the device's task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// What becomes of old computer objects.
    pub retire: RetirePolicy,
    /// Groups that aren't restored: globs over display names, without case.
    pub group_restore_exclude: Vec<String>,
    /// Configuration profiles by display name, and the group they are assigned to.
    pub profiles: Option<(Vec<String>, String)>,
    /// Group tag in the target; the old tag is kept where none is given.
    pub autopilot_tag: Option<String>,
}

/// A tenant operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantRun {
    /// Which operation.
    #[schemars(with = "String")]
    pub op: Op,
    /// Package account (UPN).
    pub account: String,
    /// Package.
    #[schemars(with = "String")]
    pub package: PackageName,
    /// Conditional Access policy by display name.
    pub policy: Option<String>,
    /// The policy's exclusion group, where the account is put into it and the policy stays as it is.
    #[serde(default)]
    pub group: Option<String>,
    /// It only runs if every device of the run ended complete; otherwise a later plan decides it anew.
    pub needs_complete: bool,
    /// From this moment on it runs whatever became of the devices: the exclusion that it closes has run out.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub due: Option<Timestamp>,
    /// It only runs if it is due when the devices are through: later waves still need what it closes.
    #[serde(default)]
    pub only_due: bool,
}

/// One device's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceRun {
    /// What the agent needs to know.
    pub task: Task,
    /// An earlier run took it past the point of no return: it only goes forward.
    pub committed: bool,
    /// Operations in the order of the catalogue.
    pub ops: Vec<OpRun>,
}

/// One operation of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpRun {
    /// Which.
    #[schemars(with = "String")]
    pub op: Op,
    /// Operations of the same device that have to be done before; all stand earlier in the list.
    #[schemars(with = "Vec<String>")]
    pub after: Vec<Op>,
}

impl RunPlan {
    /// Makes the run of one wave from what would change.
    ///
    /// # Errors
    /// `run.unknown-wave` where the plan has no such wave, `run.window` where its window can't be resolved.
    pub fn from_changes(
        changes: &ChangeSet,
        plan: &MigrationPlan,
        wave: &WaveName,
        run: RunId,
        created: Timestamp,
    ) -> Result<Self, Problem> {
        let unknown = || {
            Problem::new("run.unknown-wave", format!("the plan has no wave `{wave}`"))
                .next("name one of the plan's waves with `--wave`")
        };
        let spec = plan.wave(wave).ok_or_else(unknown)?;
        let index = changes.waves.iter().position(|change| change.wave == *wave).ok_or_else(unknown)?;
        let windows = spec.window.as_ref().map(|window| Windows::resolve(window, created)).transpose()?;
        let mut devices: Vec<DeviceRun> = changes
            .devices
            .iter()
            .filter(|device| device.wave.map(usize::from) == Some(index))
            .filter_map(device_run)
            .collect();
        devices.sort_by(|a, b| a.task.device.cmp(&b.task.device));
        let tenant = |after: bool| {
            let runs = |tenant: &TenantChange| match tenant.change.action {
                Action::Do => Some(false),
                // Its day may come while the devices are under way.
                Action::Wait if closes(tenant) && tenant.package == spec.package && !devices.is_empty() => Some(true),
                _ => None,
            };
            changes
                .tenant
                .iter()
                .filter(|tenant| (dag::spec(tenant.change.op).phase != Phase::Reversible) == after)
                .filter_map(|tenant| Some((tenant, runs(tenant)?)))
                .map(|(tenant, only_due)| TenantRun {
                    op: tenant.change.op,
                    account: tenant.account.clone(),
                    package: tenant.package.clone(),
                    policy: tenant.policy.clone(),
                    group: tenant.group.clone(),
                    needs_complete: tenant.needs_complete,
                    due: tenant.until.filter(|_| closes(tenant)),
                    only_due,
                })
                .collect()
        };
        Ok(Self {
            format: FORMAT,
            run,
            plan: changes.plan.clone(),
            digest: changes.plan_digest,
            scenario: changes.scenario,
            wave: wave.clone(),
            created,
            concurrency: spec.concurrency.max(1),
            budget: Budget {
                max: spec.failure_budget.max,
                percent: spec.failure_budget.percent,
                same_cause: spec.failure_budget.same_cause,
            },
            windows,
            settings: Settings {
                retire: plan.directory.as_ref().map_or(RetirePolicy::Keep, |directory| directory.retire),
                group_restore_exclude: plan.features.group_restore_exclude.clone(),
                profiles: plan.features.profiles.clone(),
                autopilot_tag: plan.features.autopilot_tag.clone(),
            },
            tenant_before: tenant(false),
            tenant_after: tenant(true),
            accepted: Vec::new(),
            devices,
        })
    }

    /// Keeps nothing but the closing of exclusions that have run out.
    #[must_use]
    pub fn only_expired(mut self) -> Self {
        let created = self.created;
        self.devices.clear();
        self.windows = None;
        self.tenant_before.clear();
        self.tenant_after.retain(|tenant| tenant.due.is_some_and(|due| due <= created) && !tenant.only_due);
        self
    }

    /// Marks the devices that an earlier run took past the point of no return. The change set alone can't
    /// always tell: a device that failed right at the boundary looks as before.
    #[must_use]
    pub fn with_ledger(mut self, ledger: &BTreeMap<DeviceName, DeviceRecord>) -> Self {
        for device in &mut self.devices {
            let record = ledger.get(&device.task.device);
            device.committed |= record.is_some_and(|record| {
                record.committed_at.is_some() && !matches!(record.outcome, Some(Outcome::Undone(_) | Outcome::Complete))
            });
        }
        self
    }

    /// Returns the bytes that are stored with the run.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a run plan holds nothing that JSON can't")
    }

    /// Reads a stored plan and checks that a machine can trust it.
    ///
    /// # Errors
    /// `run.plan-newer` for a higher version, `run.plan-damaged` for anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let damaged = |why: String| {
            Problem::new("run.plan-damaged", "the stored plan of the run can't be read")
                .next("restore `.opsole/` from a backup, or begin a new run with `opsole apply`")
                .detail(why)
        };
        let head: Head = serde_json::from_slice(bytes).map_err(|e| damaged(e.to_string()))?;
        if head.format > FORMAT {
            return Err(Problem::new(
                "run.plan-newer",
                format!("the run was made by a newer version (format {})", head.format),
            )
            .next("resume it with that version of opsole"));
        }
        let plan: Self = serde_json::from_slice(bytes).map_err(|e| damaged(e.to_string()))?;
        plan.check().map_err(damaged)?;
        Ok(plan)
    }

    /// Checks what the machine relies on: names are unique, every operation comes after what it needs.
    ///
    /// # Errors
    /// In words, what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let mut last: Option<&DeviceName> = None;
        for device in &self.devices {
            let name = &device.task.device;
            if last.is_some_and(|last| last >= name) {
                return Err(format!("device {name} stands in it twice or out of order"));
            }
            last = Some(name);
            let mut before = BTreeSet::new();
            for step in &device.ops {
                if dag::spec(step.op).scope != Scope::Device || before.contains(&step.op) {
                    return Err(format!("device {name} can't have {} there", step.op));
                }
                if let Some(missing) = step.after.iter().find(|op| !before.contains(*op)) {
                    return Err(format!("device {name}: {} needs {missing}, which doesn't come before", step.op));
                }
                before.insert(step.op);
            }
        }
        let wrong = |tenant: &&TenantRun| dag::spec(tenant.op).scope != Scope::Tenant;
        match self.tenant_before.iter().chain(&self.tenant_after).find(wrong) {
            Some(tenant) => Err(format!("{} isn't an operation of the tenant", tenant.op)),
            None => Ok(()),
        }
    }

    /// Returns a device's part.
    #[must_use]
    pub fn device(&self, name: &DeviceName) -> Option<&DeviceRun> {
        let index = self.devices.binary_search_by(|device| device.task.device.cmp(name)).ok()?;
        self.devices.get(index)
    }
}

/// Says whether an operation closes an exclusion.
fn closes(tenant: &TenantChange) -> bool {
    tenant.change.op == Op::RestorePackageAccount
}

fn device_run(changes: &DeviceChanges) -> Option<DeviceRun> {
    if !matches!(changes.standing, Standing::Migrate | Standing::Resume) {
        return None;
    }
    let task = changes.task.as_deref()?.clone();
    let wanted: BTreeSet<Op> = changes
        .changes
        .iter()
        .filter(|change| change.action == Action::Do && dag::spec(change.op).scope == Scope::Device)
        .map(|change| change.op)
        .collect();
    // A device of an earlier run whose world shows something of the far side of the boundary.
    let committed = changes.standing == Standing::Resume
        && changes.changes.iter().any(|change| {
            dag::spec(change.op).phase != Phase::Reversible
                && matches!(change.reason, Reason::DoneBefore | Reason::AlreadySo)
        });
    let ops = wanted.iter().map(|op| OpRun { op: *op, after: predecessors(*op, &wanted) }).collect::<Vec<_>>();
    (!ops.is_empty()).then_some(DeviceRun { task, committed, ops })
}

/// Returns what comes before an operation among those that run: where a predecessor doesn't run, its own
/// predecessors stand in for it.
pub(super) fn predecessors(op: Op, running: &BTreeSet<Op>) -> Vec<Op> {
    let mut found = BTreeSet::new();
    let mut open: Vec<Op> = dag::spec(op).after.to_vec();
    let mut seen = BTreeSet::new();
    while let Some(before) = open.pop() {
        if running.contains(&before) {
            found.insert(before);
        } else if seen.insert(before) {
            open.extend(dag::spec(before).after);
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a gap in the chain: with no ConfigMgr client the package must still wait for the MDM removal.
    #[test]
    fn predecessors_stand_in_for_what_does_not_run() {
        let running = BTreeSet::from([Op::Arm, Op::RemoveMdm, Op::ApplyPackage]);
        assert_eq!(predecessors(Op::ApplyPackage, &running), [Op::RemoveMdm]);
        assert_eq!(predecessors(Op::RemoveMdm, &running), [Op::Arm]);
        assert_eq!(predecessors(Op::Arm, &running), []);
    }

    /// Catches a catalogue whose order isn't an order of execution: the lists of a run rely on it.
    #[test]
    fn the_catalogue_order_is_an_order_of_execution() {
        for op in Op::ALL {
            assert!(dag::spec(*op).after.iter().all(|before| before < op), "{op}");
        }
    }

    /// Catches a plan of a newer version that is read as far as it goes.
    #[test]
    fn newer_plans_are_refused() {
        assert_eq!(RunPlan::parse(br#"{"format": 99}"#).unwrap_err().code, "run.plan-newer");
        assert_eq!(RunPlan::parse(b"{").unwrap_err().code, "run.plan-damaged");
    }

    fn migration() -> MigrationPlan {
        use crate::diag::{Span, Spanned};
        use crate::plan::{DeviceSource, FailureBudget, FeatureSpec, Selector, UserMatch, WaveSpec};
        let wave = WaveSpec {
            name: Spanned::new("pilot".into(), Span::default()),
            package: "bulk".into(),
            devices: Selector::Everything,
            size: (None, None),
            mode: crate::model::Mode::Silent,
            window: None,
            concurrency: 0,
            failure_budget: FailureBudget { max: Some(1), percent: None, same_cause: None },
            needs: Vec::new(),
            gate: None,
        };
        MigrationPlan {
            name: "contoso".to_owned(),
            scenario: Scenario::HybridToEntra,
            zone: "UTC".to_owned(),
            owners: BTreeMap::new(),
            tenants: Vec::new(),
            directory: None,
            packages: Vec::new(),
            features: FeatureSpec::default(),
            devices: DeviceSource::Selector(Selector::Everything),
            users: UserMatch::OnPremisesSid,
            waves: vec![wave],
            exclusions: Vec::new(),
            attestations: Vec::new(),
            policy: crate::plan::ApprovalPolicy::default(),
            as_of: Timestamp::UNIX_EPOCH,
            digest: Digest::of(b"plan"),
        }
    }

    fn changes(devices: Vec<DeviceChanges>) -> ChangeSet {
        use crate::diff::{Change, WaveChange};
        let tenant = |op, action| TenantChange {
            change: Change { op, action, reason: Reason::NotYetSo },
            account: "package_1@contoso.com".to_owned(),
            package: "bulk".into(),
            policy: None,
            group: None,
            until: None,
            needs_complete: op == Op::RestorePackageAccount,
        };
        ChangeSet {
            plan: "contoso".to_owned(),
            plan_digest: Digest::of(b"plan"),
            scenario: Scenario::HybridToEntra,
            as_of: Timestamp::UNIX_EPOCH,
            selected: None,
            waves: vec![WaveChange {
                wave: "pilot".into(),
                changes: Vec::new(),
                devices: 1,
                next_window: None,
                missing: Vec::new(),
                needs: Vec::new(),
            }],
            tenant: vec![
                tenant(Op::ExcludePackageAccount, Action::Do),
                tenant(Op::RestorePackageAccount, Action::Do),
                tenant(Op::RevokePackage, Action::Wait),
            ],
            devices,
            findings: crate::diag::Diagnostics::default(),
            wave_findings: Vec::new(),
            readiness: std::sync::Arc::default(),
        }
    }

    fn device(name: &str, standing: Standing, rows: &[(Op, Action, Reason)]) -> DeviceChanges {
        let change = |(op, action, reason): &(Op, Action, Reason)| crate::diff::Change {
            op: *op,
            action: *action,
            reason: *reason,
        };
        DeviceChanges {
            device: name.into(),
            wave: Some(0),
            standing,
            task: Some(Box::new(super::super::laws::task(name))),
            changes: rows.iter().map(change).collect(),
        }
    }

    /// Catches devices that run although they are excluded, operations that run although they are done, and a
    /// plan that reads back as another one.
    #[test]
    fn only_what_is_to_do_gets_into_a_run() {
        let rows = [
            (Op::Arm, Action::Nothing, Reason::DoneBefore),
            (Op::UnjoinDomain, Action::Nothing, Reason::AlreadySo),
            (Op::RemoveMdm, Action::Do, Reason::NotYetSo),
            (Op::RemoveConfigmgr, Action::Skip, Reason::NothingThere),
            (Op::ApplyPackage, Action::Do, Reason::NotYetSo),
        ];
        let excluded = Standing::Excluded {
            exclusion: "vip".to_owned(),
            owner: "x".to_owned(),
            reason: "y".to_owned(),
            until: Timestamp::UNIX_EPOCH,
        };
        let changes = changes(vec![
            device("D-3", Standing::Migrate, &[(Op::Preflight, Action::Do, Reason::NotYetSo)]),
            device("D-1", Standing::Resume, &rows),
            device("D-2", excluded, &rows),
            device("D-4", Standing::Migrate, &[(Op::Preflight, Action::Nothing, Reason::AlreadySo)]),
        ]);
        let run = RunId(uuid::Uuid::from_u128(1));
        let made = |wave: &str| RunPlan::from_changes(&changes, &migration(), &wave.into(), run, Timestamp::UNIX_EPOCH);
        assert_eq!(made("none").unwrap_err().code, "run.unknown-wave");
        let plan = made("pilot").expect("a run");
        let names: Vec<&str> = plan.devices.iter().map(|device| device.task.device.as_str()).collect();
        assert_eq!(names, ["D-1", "D-3"]);
        assert_eq!((plan.devices[0].committed, plan.devices[1].committed), (true, false));
        let ops: Vec<_> = plan.devices[0].ops.iter().map(|step| (step.op, step.after.clone())).collect();
        assert_eq!(ops, [(Op::RemoveMdm, vec![]), (Op::ApplyPackage, vec![Op::RemoveMdm])]);
        assert_eq!(plan.tenant_before.iter().map(|t| t.op).collect::<Vec<_>>(), [Op::ExcludePackageAccount]);
        assert_eq!(plan.tenant_after.iter().map(|t| t.op).collect::<Vec<_>>(), [Op::RestorePackageAccount]);
        assert!(plan.tenant_after[0].needs_complete && !plan.tenant_before[0].needs_complete);
        assert_eq!((plan.concurrency, plan.settings.retire), (1, RetirePolicy::Keep));
        assert_eq!(RunPlan::parse(&plan.to_bytes()).expect("a plan"), plan);
    }

    /// Catches a device that failed right at the boundary and would be put back by the next run.
    #[test]
    fn the_ledger_says_who_only_goes_forward() {
        let record = |committed: bool, outcome: Option<Outcome>| DeviceRecord {
            committed_at: committed.then_some(Timestamp::UNIX_EPOCH),
            outcome,
            ..DeviceRecord::new(RunId(uuid::Uuid::from_u128(1)), "D-1".into())
        };
        let problem = || Problem::new("x", "y");
        for (committed, outcome, forward) in [
            (true, None, true),
            (true, Some(Outcome::RecoveryRequired(problem())), true),
            (true, Some(Outcome::Complete), false),
            (false, Some(Outcome::Undone(problem())), false),
        ] {
            let run = super::super::laws::device_run("D-1", &BTreeSet::new());
            let plan = super::super::laws::run_plan(vec![run], 1, Budget::default());
            let ledger = BTreeMap::from([("D-1".into(), record(committed, outcome))]);
            assert_eq!(plan.with_ledger(&ledger).devices[0].committed, forward);
        }
    }

    /// Catches a run that can't close an exclusion whose day comes while its devices are under way, because a later
    /// wave still needed it when the run was made; and one that closes anything else without a wave.
    #[test]
    fn an_exclusion_can_be_closed_by_any_run() {
        let devices = vec![device("D-1", Standing::Migrate, &[(Op::Preflight, Action::Do, Reason::NotYetSo)])];
        let mut changes = changes(devices);
        let end: Timestamp = "2026-12-03T00:00:00Z".parse().expect("a moment");
        changes.tenant[1].change.action = Action::Wait;
        changes.tenant[1].until = Some(end);
        let run = RunId(uuid::Uuid::from_u128(1));
        let at = |created| RunPlan::from_changes(&changes, &migration(), &"pilot".into(), run, created).expect("a run");
        let made = at(Timestamp::UNIX_EPOCH);
        assert_eq!(made.tenant_after.len(), 1);
        let one = &made.tenant_after[0];
        assert_eq!((one.op, one.due, one.only_due), (Op::RestorePackageAccount, Some(end), true));
        assert!(made.clone().only_expired().tenant_after.is_empty());
        // Without a device nothing is under way, and what waits goes on waiting.
        let mut none = changes.clone();
        none.devices.clear();
        let none = RunPlan::from_changes(&none, &migration(), &"pilot".into(), run, end).expect("a run");
        assert!(none.tenant_after.is_empty(), "{none:?}");
        // On its day it stands among the changes by itself.
        changes.tenant[1].change =
            crate::diff::Change { action: Action::Do, reason: Reason::Expired, ..changes.tenant[1].change };
        let made =
            RunPlan::from_changes(&changes, &migration(), &"pilot".into(), run, end).expect("a run").only_expired();
        assert!(made.devices.is_empty() && made.tenant_before.is_empty(), "{made:?}");
        assert_eq!(made.tenant_after.len(), 1);
        assert_eq!(RunPlan::parse(&made.to_bytes()), Ok(made));
    }
}
