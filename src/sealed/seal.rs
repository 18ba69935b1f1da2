//! Makes the body of a sealed plan from what was decided for one wave.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::body::{
    BlockerLine, Body, ChangeLine, DeviceLine, EffectLine, ExclusionLine, FORMAT, FindingLine, Input, OperationLine,
    PackageLine, PermissionLine, PlanRef, Reliance, RelianceKind, TenantLine, WaveLine,
};
use super::rules::{judge, night};
use crate::dag::{Blocker, Index, Need, Phase, Place, needs, spec};
use crate::diag::Severity;
use crate::diff::{Action, ChangeSet, DeviceChanges, Standing, effect, tenant_effect};
use crate::model::{Digest, Op, RunId, Side};
use crate::plan::{ExclusionKind, MigrationPlan, WaveSpec};
use crate::readiness::{Finding, Outcome, Subject};
use crate::run::RunPlan;
use crate::trust::digest_of;

/// How far back nights are counted.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a body is made from.
#[derive(Debug)]
pub struct SealInput<'a> {
    /// Plan and snapshot.
    pub index: &'a Index<'a>,
    /// What would change, with one wave selected.
    pub changes: &'a ChangeSet,
    /// The run of that wave.
    pub run: RunPlan,
    /// Version of the program.
    pub tool: &'a str,
    /// Now.
    pub sealed_at: Timestamp,
    /// After this moment it is refused.
    pub not_after: Timestamp,
    /// Files that the plan was made from.
    pub inputs: Vec<Input>,
    /// Digest of the snapshot.
    pub snapshot: Digest,
    /// The newest run before it.
    pub parent: Option<RunId>,
}

/// Makes the body.
#[must_use]
pub fn seal(input: SealInput<'_>) -> Body {
    let (plan, changes) = (input.index.plan, input.changes);
    let mut texts = Texts::default();
    let mut chains = Chains::default();
    let own = |device: &&DeviceChanges| device.wave == changes.selected;
    let devices = changes
        .devices
        .iter()
        .filter(own)
        .map(|device| device_line(input.index, device, &mut texts, &mut chains))
        .collect();
    let mut inputs = input.inputs;
    inputs.sort();
    let mut body = Body {
        format: FORMAT,
        tool: input.tool.to_owned(),
        plan: PlanRef {
            name: plan.name.clone(),
            digest: plan.digest,
            scenario: plan.scenario,
            zone: plan.zone.clone(),
        },
        wave: input.run.wave.to_string(),
        as_of: changes.as_of,
        sealed_at: input.sealed_at,
        not_after: input.not_after,
        inputs,
        snapshot: input.snapshot,
        parent: input.parent,
        owners: plan.owners.clone(),
        approvals_required: plan.policy.required,
        approvals_from: plan.policy.from.clone(),
        relies_on: relies_on(plan, changes),
        findings: findings(changes),
        rules: Vec::new(),
        nights: nights(input.index, input.sealed_at),
        waves: wave_lines(plan, changes),
        packages: packages(plan),
        exclusions: plan.exclusions.iter().map(exclusion_line).collect(),
        operations: operations(changes, &chains.list),
        tenant: tenant(input.index, changes),
        texts: texts.list,
        chains: chains.list,
        devices,
        run: input.run,
    };
    body.rules = judge(&body, &plan.policy.rules, input.sealed_at);
    body
}

/// Nights of the last week in which devices passed the point of no return.
fn nights(index: &Index<'_>, now: Timestamp) -> BTreeMap<Date, u32> {
    let zone = TimeZone::get(&index.plan.zone).unwrap_or(TimeZone::UTC);
    let since = now.checked_sub(WEEK).unwrap_or(Timestamp::MIN);
    let committed = index.snapshot.ledger.values().filter_map(|record| record.committed_at);
    let mut nights = BTreeMap::new();
    for night in committed.filter(|at| *at >= since).filter_map(|at| night(at, &zone)) {
        *nights.entry(night).or_default() += 1;
    }
    nights
}

/// Texts by position, each once.
#[derive(Default)]
struct Texts {
    list: Vec<String>,
    at: HashMap<String, u32>,
}

impl Texts {
    fn put(&mut self, text: String) -> u32 {
        if let Some(at) = self.at.get(&text) {
            return *at;
        }
        let at = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(text.clone());
        self.at.insert(text, at);
        at
    }
}

/// Lists of changes by position, each once.
#[derive(Default)]
struct Chains {
    list: Vec<Vec<ChangeLine>>,
    at: HashMap<Vec<crate::diff::Change>, u32>,
}

impl Chains {
    fn put(&mut self, changes: &[crate::diff::Change]) -> u32 {
        if let Some(at) = self.at.get(changes) {
            return *at;
        }
        let at = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(changes.iter().map(|change| ChangeLine(change.op, change.action, change.reason)).collect());
        self.at.insert(changes.to_vec(), at);
        at
    }
}

fn device_line(index: &Index<'_>, device: &DeviceChanges, texts: &mut Texts, chains: &mut Chains) -> DeviceLine {
    let runs = |change: &&crate::diff::Change| matches!(change.action, Action::Do | Action::Wait);
    let effects = device
        .changes
        .iter()
        .filter(runs)
        .filter_map(|change| {
            let (before, after) = effect(change.op, device, index)?;
            Some(EffectLine(change.op, texts.put(before), texts.put(after)))
        })
        .collect();
    let blocker = |one: &Blocker, texts: &mut Texts| BlockerLine {
        code: one.code.to_owned(),
        message: texts.put(one.message.clone()),
        next: texts.put(one.next.clone()),
        owner: one.owner,
    };
    let (standing, exclusion, blockers) = match &device.standing {
        Standing::Migrate => ("migrate", None, Vec::new()),
        Standing::Resume => ("resume", None, Vec::new()),
        Standing::Done => ("done", None, Vec::new()),
        Standing::NoWave => ("no-wave", None, Vec::new()),
        Standing::Excluded { exclusion, .. } => ("excluded", Some(exclusion.clone()), Vec::new()),
        Standing::Blocked(list) => {
            let list: Vec<BlockerLine> = list.iter().map(|one| blocker(one, texts)).collect();
            ("blocked", None, list)
        }
    };
    DeviceLine {
        name: device.device.to_string(),
        standing: standing.to_owned(),
        chain: chains.put(&device.changes),
        user: device.task.as_ref().map(|task| task.upn.clone()),
        exclusion,
        blockers,
        effects,
    }
}

/// Returns the end of a day in the plan's zone.
fn end_of(day: Date, zone: &TimeZone) -> Timestamp {
    let next = day.tomorrow().unwrap_or(day);
    next.to_zoned(zone.clone()).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

fn relies_on(plan: &MigrationPlan, changes: &ChangeSet) -> Vec<Reliance> {
    let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
    let own = changes.selected.and_then(|at| plan.waves.get(usize::from(at)));
    let package = own.and_then(|wave| plan.package(&wave.package));
    let mut all: BTreeSet<Reliance> = BTreeSet::new();
    let mut add = |kind, name: &str, until| {
        all.insert(Reliance { kind, name: name.to_owned(), until });
    };
    if let Some(package) = package {
        add(RelianceKind::Package, package.name.as_str(), end_of(package.expires.value, &zone));
    }
    for tenant in &plan.tenants {
        if let Some(end) = tenant.app.expires {
            add(RelianceKind::Credential, tenant.name.as_str(), end_of(end, &zone));
        }
    }
    let concerns = |finding: &&Finding| finding.wave.is_none() || finding.wave == changes.selected;
    for finding in changes.readiness.findings.iter().filter(concerns) {
        match &finding.outcome {
            Outcome::Excepted(word) => add(RelianceKind::Exclusion, &word.exclusion, word.until),
            Outcome::Attested(word) => {
                if let Some(until) = word.until {
                    add(RelianceKind::Attestation, finding.check.id(), end_of(until, &zone));
                }
            }
            _ => {}
        }
    }
    let excluded: BTreeSet<&str> = changes
        .devices
        .iter()
        .filter(|device| device.wave == changes.selected)
        .filter_map(|device| match &device.standing {
            Standing::Excluded { exclusion, .. } => Some(exclusion.as_str()),
            _ => None,
        })
        .collect();
    for exclusion in &plan.exclusions {
        let opens = match &exclusion.of {
            ExclusionKind::ConditionalAccess(ca) => package.is_some_and(|package| package.account == ca.account),
            _ => false,
        };
        if opens || excluded.contains(exclusion.id.value.as_str()) {
            add(RelianceKind::Exclusion, &exclusion.id.value, exclusion.until);
        }
    }
    all.into_iter().collect()
}

fn findings(changes: &ChangeSet) -> Vec<FindingLine> {
    let concerns = |finding: &&Finding| finding.wave.is_none() || finding.wave == changes.selected;
    let shown = changes.readiness.findings.iter().filter(|f| f.speaks()).filter(concerns);
    let mut lines: Vec<FindingLine> = shown
        .map(|finding| FindingLine {
            code: finding.code.to_owned(),
            outcome: finding.outcome.kind().as_str().to_owned(),
            subject: match &finding.subject {
                Subject::Plan => String::new(),
                other => format!("{} {}", other.kind(), other.name()),
            },
            seen: finding.seen.to_string(),
            next: finding.remedy.to_string(),
            owner: Some(finding.owner),
            blocks: finding.blocks(),
        })
        .collect();
    lines.extend(changes.findings.0.iter().map(|finding| {
        FindingLine {
            code: finding.code.id.to_owned(),
            outcome: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Advice => "advice",
            }
            .to_owned(),
            subject: String::new(),
            seen: finding.message.clone(),
            next: finding.help.clone().unwrap_or_default(),
            owner: None,
            blocks: false,
        }
    }));
    lines.sort_by_key(|line| !line.blocks);
    lines
}

/// Returns the waves of a plan as a sealed plan tells of them.
#[must_use]
pub fn wave_lines(plan: &MigrationPlan, changes: &ChangeSet) -> Vec<WaveLine> {
    plan.waves.iter().zip(&changes.waves).map(|(wave, change)| wave_line(wave, change)).collect()
}

fn wave_line(wave: &WaveSpec, change: &crate::diff::WaveChange) -> WaveLine {
    let hours = wave.window.as_ref().and_then(|window| {
        let hours = window.hours.map(|(from, to)| format!("{}-{}", from.strftime("%H:%M"), to.strftime("%H:%M")));
        let days: Vec<String> = window.days.iter().map(|day| format!("{day:?}").to_lowercase()).collect();
        let days = (!days.is_empty()).then(|| days.join(", "));
        match (hours, days) {
            (None, None) => None,
            (hours, days) => Some([hours, days].into_iter().flatten().collect::<Vec<_>>().join("; ")),
        }
    });
    WaveLine {
        name: wave.name.value.to_string(),
        devices: change.devices,
        needs: wave.needs.iter().map(|need| need.value.to_string()).collect(),
        window: wave.window.as_ref().map(|window| (window.from, window.to)),
        hours,
        package: wave.package.to_string(),
        concurrency: wave.concurrency,
        missing: change.missing.clone(),
    }
}

fn packages(plan: &MigrationPlan) -> Vec<PackageLine> {
    let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
    let used = plan.packages.iter().filter(|package| plan.waves.iter().any(|wave| wave.package == package.name));
    let begin = |day: Date| day.to_zoned(zone.clone()).map_or(Timestamp::MIN, |zoned| zoned.timestamp());
    used.map(|package| PackageLine {
        name: package.name.to_string(),
        account: package.account.clone(),
        life: (begin(package.issued), end_of(package.expires.value, &zone)),
    })
    .collect()
}

fn exclusion_line(exclusion: &crate::plan::Exclusion) -> ExclusionLine {
    let covers = match &exclusion.of {
        ExclusionKind::Devices(_) => "devices".to_owned(),
        ExclusionKind::ConditionalAccess(ca) => format!("{} from policy `{}`", ca.account, ca.policy),
        ExclusionKind::Area(area) => area.clone(),
        ExclusionKind::Check(check) => format!("check {check}"),
    };
    ExclusionLine {
        id: exclusion.id.value.clone(),
        covers,
        owner: exclusion.owner.clone(),
        reason: exclusion.reason.clone(),
        ticket: exclusion.ticket.clone(),
        until: exclusion.until,
    }
}

fn operations(changes: &ChangeSet, chains: &[Vec<ChangeLine>]) -> Vec<OperationLine> {
    let of_tenant = changes.tenant.iter().map(|tenant| tenant.change.op);
    let mut all: BTreeSet<Op> = chains.iter().flatten().map(|change| change.0).chain(of_tenant).collect();
    // What comes before is in it as well, so that a reader can tell the order of two operations from the file alone.
    let mut open: Vec<Op> = all.iter().copied().collect();
    while let Some(op) = open.pop() {
        open.extend(spec(op).after.iter().filter(|before| all.insert(**before)));
    }
    all.into_iter().map(operation_line).collect()
}

/// Returns what an operation is, as the catalogue has it.
#[must_use]
pub fn operation_line(op: Op) -> OperationLine {
    let row = spec(op);
    let permission = |need: Need| PermissionLine {
        tenant: match need.side {
            Side::Origin => "origin",
            Side::Destination => "destination",
        }
        .to_owned(),
        permission: need.permission.as_str().to_owned(),
        writes: need.permission.writes(),
    };
    OperationLine {
        op,
        action: row.action.to_owned(),
        done_when: row.done_when.to_owned(),
        undo: row.undo.map(str::to_owned),
        place: match row.place {
            Place::Controller => "controller",
            Place::Tenant => "tenant",
            Place::Directory => "directory",
            Place::Agent => "agent",
            Place::AgentThenTenant => "agent-then-tenant",
        }
        .to_owned(),
        phase: match row.phase {
            Phase::Reversible => "reversible",
            Phase::Committed => "committed",
            Phase::Finishing => "finishing",
        }
        .to_owned(),
        restarts: row.reboots,
        permissions: needs(op).into_iter().map(permission).collect(),
        after: row.after.to_vec(),
    }
}

fn tenant(index: &Index<'_>, changes: &ChangeSet) -> Vec<TenantLine> {
    let line = |tenant: &crate::diff::TenantChange| {
        let (before, after, policy) = tenant_effect(tenant, index).unwrap_or_default();
        TenantLine {
            op: tenant.change.op,
            action: tenant.change.action,
            reason: tenant.change.reason,
            account: tenant.account.clone(),
            package: tenant.package.to_string(),
            policy: tenant.policy.clone(),
            group: tenant.group.clone(),
            needs_complete: tenant.needs_complete,
            before,
            after,
            object: policy.and_then(|policy| digest_of(policy).ok()),
        }
    };
    changes.tenant.iter().map(line).collect()
}
