//! The whole decision: graph, devices, gates, tenants, in one change set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::gate::{self, Tally};
use super::{Action, ChangeSet, DeviceChanges, Reason, Standing, WaveChange, device, permission, register, tenant};
use crate::dag::{Assignment, Blocker, Cycle, Index, OpGraph, View, assign, compile, known_ops, views};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::model::{Feature, Op, Scenario, WaveName, words};
use crate::plan::MigrationPlan;
use crate::readiness::{Readiness, assess};
use crate::state::Snapshot;

/// A change set with the graph that it was read from.
#[derive(Debug)]
pub struct Decision<'a> {
    /// Tables over the plan and what was observed.
    pub index: Index<'a>,
    /// Each device over all sources, in the order of the assignment.
    pub views: Vec<View<'a>>,
    /// Which devices are in which wave; positions in the graph refer to it.
    pub assignment: Assignment,
    /// The graph of operations.
    pub graph: OpGraph,
    /// What would change.
    pub changes: ChangeSet,
}

/// Decides what a plan would change in what was observed: assign, join, compile and diff.
///
/// # Errors
/// Where waves wait for each other, which a resolved plan doesn't allow.
pub fn decide<'a>(plan: &'a MigrationPlan, snapshot: &'a Snapshot) -> Result<Decision<'a>, Cycle> {
    decide_ahead(plan, snapshot, None)
}

/// Decides as if one wave were open: gates and windows hold it back no longer. For plans that are reviewed before.
///
/// # Errors
/// As [`decide`].
pub fn decide_ahead<'a>(
    plan: &'a MigrationPlan,
    snapshot: &'a Snapshot,
    open: Option<&WaveName>,
) -> Result<Decision<'a>, Cycle> {
    let index = Index::new(plan, snapshot);
    let assignment = assign(&index);
    let views = views(&index, &assignment);
    let graph = compile(&index, &assignment, &views)?;
    let readiness = Arc::new(assess(&index, &assignment, &views, &graph));
    let changes = diff(&index, &assignment, &views, &graph, readiness, open);
    Ok(Decision { index, views, assignment, graph, changes })
}

/// Holds the graph against the snapshot. A wave that is `open` isn't held back. `views`, `graph` and `readiness` have to be made from the same assignment.
#[must_use]
pub fn diff(
    index: &Index<'_>,
    assignment: &Assignment,
    views: &[View<'_>],
    graph: &OpGraph,
    readiness: Arc<Readiness>,
    open: Option<&WaveName>,
) -> ChangeSet {
    let plan = index.plan;
    let known = known_ops(plan.scenario);
    let mut findings = assignment.findings.clone();
    gaps(index, &mut findings);
    let mut devices: Vec<DeviceChanges> = Vec::with_capacity(views.len());
    let mut tallies = vec![Tally::default(); plan.waves.len()];
    for (at, (assigned, view)) in assignment.devices.iter().zip(views).enumerate() {
        let changes =
            device::decide(index, assigned, view, graph.chain(at), known, device::Ready { of: &readiness, at });
        if let Some(tally) = changes.wave.and_then(|wave| tallies.get_mut(usize::from(wave))) {
            tally.devices += 1;
            match changes.standing {
                Standing::Done => {
                    tally.done += 1;
                    tally.last = tally.last.max(view.committed_at());
                }
                Standing::Excluded { .. } => tally.excluded += 1,
                Standing::Migrate | Standing::Resume | Standing::Blocked(_) | Standing::NoWave => {}
            }
        }
        devices.push(changes);
    }
    findings.0.extend(counted(devices.iter()));
    let waves = gate::waves(index, &tallies, &readiness, &mut findings);
    let missing = permission::missing(index);
    let not_ready_waves: Vec<Vec<Blocker>> =
        (0_u16..).zip(&plan.waves).map(|(at, _)| readiness.wave_blockers(plan, at)).collect();
    for (changes, view) in devices.iter_mut().zip(views) {
        let Some(at) = changes.wave.map(usize::from).filter(|at| *at < waves.len()) else { continue };
        // What has been started is finished, whatever the window says.
        if !view.past {
            if open != Some(&waves[at].wave) {
                hold_back(changes, &waves[at]);
            }
            not_ready(changes, &not_ready_waves[at]);
            permission::block(&missing, changes);
        }
    }
    // Whether an exclusion can be opened doesn't depend on who runs; who runs depends on it.
    let openings = tenant::changes(index, graph, &tallies, &mut Diagnostics::default());
    for (changes, view) in devices.iter_mut().zip(views) {
        if !view.past {
            tenant::block(&openings, changes);
            permission::block_opening(&missing, &openings, changes);
        }
        if let Some(tally) = changes.wave.and_then(|wave| tallies.get_mut(usize::from(wave))) {
            tally.running += u32::from(changes.changes.iter().any(|change| change.action == Action::Do));
        }
    }
    let tenant = tenant::changes(index, graph, &tallies, &mut findings);
    let came_back = came_back(plan, assignment, &devices);
    findings.0.extend(came_back.iter().map(|(_, finding)| finding.clone()));
    let mut changes = ChangeSet {
        plan: plan.name.clone(),
        plan_digest: plan.digest,
        scenario: plan.scenario,
        as_of: plan.as_of,
        selected: None,
        waves,
        tenant,
        devices,
        findings,
        wave_findings: came_back,
        readiness,
    };
    let register = register::of(index, assignment, &changes);
    register::report(plan, &register, &mut changes.findings);
    permission::report(&missing, &mut changes);
    changes
}

/// Blocks a device whose tenant, package, wave or plan isn't ready.
fn not_ready(device: &mut DeviceChanges, blockers: &[Blocker]) {
    let runs = device.changes.iter().any(|change| change.action == Action::Do);
    if runs && !blockers.is_empty() && matches!(device.standing, Standing::Migrate | Standing::Resume) {
        device.block(blockers.to_vec());
    }
}

/// Lets a device wait, or blocks it, where its wave may not start devices now.
fn hold_back(device: &mut DeviceChanges, wave: &WaveChange) {
    let Some(closed) = wave.changes.iter().find(|change| change.action != Action::Nothing) else { return };
    for change in device.changes.iter_mut().filter(|change| change.action == Action::Do) {
        change.action = closed.action;
        change.reason = closed.reason;
    }
}

/// Reports the devices that are back in their waves because their exclusion ran out, for each exclusion and wave.
fn came_back(plan: &MigrationPlan, assignment: &Assignment, devices: &[DeviceChanges]) -> Vec<(u16, Diagnostic)> {
    let mut back: BTreeMap<(u32, u16), Vec<&str>> = BTreeMap::new();
    for (at, device) in devices.iter().enumerate() {
        let (Some(which), Some(wave)) = (assignment.came_back(plan, at), device.wave) else { continue };
        if matches!(device.standing, Standing::Migrate | Standing::Resume | Standing::Blocked(_)) {
            back.entry((which, wave)).or_default().push(device.device.as_str());
        }
    }
    let finding = |((which, wave), names): ((u32, u16), Vec<&str>)| {
        let exclusion = plan.exclusions.get(which as usize)?;
        let name = &plan.waves.get(usize::from(wave))?.name.value;
        let (id, day) = (&exclusion.id.value, exclusion.expires.value);
        let who = words::some(&names, 3);
        let count = if names.len() == 1 { "1 device is".to_owned() } else { format!("{} devices are", names.len()) };
        let message = format!("exclusion `{id}` ran out on {day}: {count} back in wave `{name}`: {who}");
        let help =
            format!("remove the exclusion if that is right; else let {} decide on a new last day", exclusion.owner);
        let finding = Diagnostic::warning(Code::EXCLUSION_EXPIRED, message).at(exclusion.expires.span, "");
        Some((wave, finding.help(help)))
    };
    back.into_iter().filter_map(finding).collect()
}

/// Returns the findings that count devices: they differ between a plan and one of its waves.
fn counted<'d>(devices: impl Iterator<Item = &'d DeviceChanges> + Clone) -> Vec<Diagnostic> {
    let unknown =
        name_some(devices.clone(), "device.not-observed", Code::DEVICE_NOT_FOUND, "aren't known to any source");
    let several = name_some(devices, "device.ambiguous", Code::DEVICE_AMBIGUOUS, "can't be told from namesakes");
    unknown.into_iter().chain(several).collect()
}

/// Reports once, with a few names, that devices are blocked by something the whole plan should know.
fn name_some<'d>(
    devices: impl Iterator<Item = &'d DeviceChanges>,
    blocker: &str,
    code: &'static Code,
    what: &str,
) -> Option<Diagnostic> {
    let has = |device: &&DeviceChanges| match &device.standing {
        Standing::Blocked(blockers) => blockers.iter().any(|one| one.code == blocker),
        _ => false,
    };
    let hits: Vec<&str> = devices.filter(has).map(|device| device.device.as_str()).collect();
    let count = hits.len();
    if count == 0 {
        return None;
    }
    let noun = if count == 1 { "device" } else { "devices" };
    let message = format!("{count} {noun} of the plan {what}: {}", words::some(hits, 3));
    let help = "`opsole plan --device D` says what to do for each; the others go on without them";
    Some(Diagnostic::warning(code, message).help(help))
}

/// Reports once what couldn't be read; the devices that need it are blocked one by one.
fn gaps(index: &Index<'_>, findings: &mut Diagnostics) {
    let on = |feature| index.plan.features.on.has(feature);
    let mut report = |what: &str, of: &str, gap: Option<&str>| {
        if let Some(why) = gap {
            let message = format!("{what} of `{of}` couldn't be read: {why}");
            let help = "devices that depend on it stay as they are until it is read; mend it and plan again";
            findings.push(Diagnostic::warning(Code::OBSERVATION_FAILED, message).help(help));
        }
    };
    let sides = [index.origin(), index.destination().filter(|_| !index.one_tenant())];
    for tenant in sides.into_iter().flatten() {
        report("users", tenant.name, tenant.users.gap);
        report("Entra devices", tenant.name, tenant.devices.gap);
        report("Intune devices", tenant.name, tenant.managed.gap);
        report("groups", tenant.name, tenant.groups.gap);
        report("recovery keys", tenant.name, tenant.keys.gap.filter(|_| on(Feature::Bitlocker)));
        report("LAPS backups", tenant.name, tenant.laps.gap.filter(|_| on(Feature::Laps)));
        let moves = on(Feature::Autopilot) && index.plan.scenario == Scenario::TenantToTenant;
        report("Autopilot identities", tenant.name, tenant.autopilot.gap.filter(|_| moves));
        report(
            "configuration profiles",
            tenant.name,
            tenant.profiles.gap.filter(|_| on(Feature::ConfigurationProfiles)),
        );
    }
    let domain = index.plan.directory.as_ref().map(|directory| directory.domain.as_str());
    report("computers", domain.unwrap_or("the directory"), index.computers.gap);
}

/// Returns the change set as seen by a run of one wave: what other waves would do waits, and findings about other
/// waves are left out. None where the plan has no such wave.
#[must_use]
pub fn select(changes: &ChangeSet, wave: &WaveName) -> Option<ChangeSet> {
    let at = changes.waves.iter().position(|one| one.wave == *wave)?;
    let at = u16::try_from(at).ok()?;
    let mut selected = changes.clone();
    selected.selected = Some(at);
    // Packages by who would use them now: this wave, and those that are put off.
    let (mut own, mut put_off) = (BTreeSet::new(), BTreeSet::new());
    for device in &mut selected.devices {
        let package = device.task.as_ref().map(|task| task.package.clone());
        if device.wave == Some(at) {
            own.extend(package);
            continue;
        }
        for change in device.changes.iter_mut().filter(|change| change.action == Action::Do) {
            change.action = Action::Wait;
            change.reason = Reason::OtherWave;
            put_off.extend(package.clone());
        }
    }
    for tenant in selected.tenant.iter_mut().filter(|tenant| tenant.change.action == Action::Do) {
        let waits = if tenant.change.op == Op::ExcludePackageAccount {
            (!own.contains(&tenant.package)).then_some(Reason::OtherWave)
        } else {
            // It was to close with the last waves, and some of these aren't in this run.
            (tenant.needs_complete && put_off.contains(&tenant.package)).then_some(Reason::LaterWaves)
        };
        if let Some(reason) = waits {
            (tenant.change.action, tenant.change.reason, tenant.needs_complete) = (Action::Wait, reason, false);
        }
    }
    let of_all = counted(changes.devices.iter());
    let gate = selected.waves.get(usize::from(at)).map(|wave| gate::gate_message(&wave.wave, &wave.missing));
    let elsewhere =
        |finding: &Diagnostic| changes.wave_findings.iter().any(|(wave, of_wave)| *wave != at && of_wave == finding);
    selected.findings.0.retain(|finding| {
        !of_all.contains(finding)
            && !elsewhere(finding)
            && (finding.code != Code::GATE_CLOSED || gate.as_ref().is_some_and(|gate| *gate == finding.message))
    });
    selected.findings.0.extend(counted(changes.devices.iter().filter(|device| device.wave == Some(at))));
    Some(selected)
}
