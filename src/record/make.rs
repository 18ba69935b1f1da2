//! Makes the report: states from the machine that the journal leads to, times from the journal's entries.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::report::{
    ApprovalRow, Counts, DeviceRow, ExclusionRow, FORMAT, Issue, NotDone, OpRow, ProblemRow, Report, SealedPart,
    Standing, TenantRow, Turn, Undone, Unplanned,
};
use crate::audit::{self, Fact, Head, Origin};
use crate::dag::{self, Place};
use crate::model::{DeviceName, Op};
use crate::run::{AgentNote, Entry, Event, Machine, RunPlan, Status, TenantMark};
use crate::sealed::Statement;
use crate::state::{Evidence, Outcome};
use crate::trust::digest_of;
use crate::wire::{Step, StepKind};

/// What a report is made from.
#[derive(Debug)]
pub struct Input<'a> {
    /// The machine that the journal leads to.
    pub machine: &'a Machine,
    /// The journal.
    pub entries: &'a [Entry],
    /// The run ended in the store.
    pub ended: bool,
    /// What the run goes back to; none for a run of an earlier version.
    pub origin: Option<&'a Origin>,
    /// The latest evidence of devices.
    pub evidence: &'a BTreeMap<DeviceName, Evidence>,
    /// What the audit list tells of the run.
    pub told: &'a [audit::Entry],
    /// The head of the audit list.
    pub head: Head,
}

/// Times of one operation.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    undone: Option<Timestamp>,
    already: bool,
}

#[derive(Debug, Default)]
struct Device {
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    ops: BTreeMap<Op, Times>,
}

/// What the journal's entries say about times.
struct Fold<'p> {
    plan: &'p RunPlan,
    devices: Vec<Device>,
    tenant: BTreeMap<u16, Times>,
    unplanned: Vec<Unplanned>,
}

impl Fold<'_> {
    /// Returns the place of a device, and notes what nobody planned: an operation that isn't the device's, or a device
    /// that isn't the run's.
    fn place(&mut self, device: &DeviceName, op: Option<Op>, entry: u64) -> Option<usize> {
        let found = self.plan.devices.binary_search_by(|one| one.task.device.cmp(device)).ok();
        let known = found.is_some_and(|at| op.is_none_or(|op| self.plan.devices[at].ops.iter().any(|s| s.op == op)));
        if let (false, Some(op)) = (known, op) {
            self.unplanned.push(Unplanned { device: device.clone(), op, entry });
        }
        found.filter(|_| known)
    }

    fn take(&mut self, entry: &Entry) {
        let (seq, at) = (entry.seq, entry.at);
        match &entry.event {
            Event::DeviceStarted { device } => {
                if let Some(place) = self.place(device, None, seq) {
                    self.devices[place].started = Some(at);
                }
            }
            Event::DeviceFinished { device, .. } => {
                if let Some(place) = self.place(device, None, seq) {
                    self.devices[place].ended = Some(at);
                }
            }
            Event::Released { device, steps } => {
                for step in steps {
                    self.place(device, Some(step.op), seq);
                }
            }
            Event::Started { device, op } => self.mark(device, *op, seq, |times| begin(times, at)),
            Event::Done { device, op } | Event::Failed { device, op, .. } => {
                self.mark(device, *op, seq, |times| times.ended = Some(at));
            }
            Event::GaveUp { device, step, .. } => self.mark(device, step.op, seq, |times| end(times, *step, at)),
            Event::Agent { device, step, note, .. } => {
                self.mark(device, step.op, seq, |times| hear(times, *step, note, at));
            }
            Event::Tenant { index, mark } => {
                let times = self.tenant.entry(*index).or_default();
                match mark {
                    TenantMark::Started => begin(times, at),
                    TenantMark::UndoStarted => {}
                    TenantMark::Done | TenantMark::Failed(_) => times.ended = Some(at),
                    TenantMark::Undone | TenantMark::UndoFailed(_) => times.undone = Some(at),
                }
            }
            Event::Begun | Event::Resumed | Event::Draining | Event::Noted { .. } | Event::Finished => {}
        }
    }

    fn mark(&mut self, device: &DeviceName, op: Op, seq: u64, change: impl FnOnce(&mut Times)) {
        if let Some(place) = self.place(device, Some(op), seq) {
            let device = &mut self.devices[place];
            // What an agent says after the outcome changes nothing any more.
            if device.ended.is_none() {
                change(device.ops.entry(op).or_default());
            }
        }
    }
}

/// The first beginning counts: an operation that a crash interrupted is begun again.
fn begin(times: &mut Times, at: Timestamp) {
    times.started.get_or_insert(at);
}

fn end(times: &mut Times, step: Step, at: Timestamp) {
    match step.kind {
        StepKind::Do => times.ended = Some(at),
        StepKind::Undo => times.undone = Some(at),
    }
}

fn hear(times: &mut Times, step: Step, note: &AgentNote, at: Timestamp) {
    match note {
        AgentNote::Started if step.kind == StepKind::Do => begin(times, at),
        AgentNote::Done { already, .. } if step.kind == StepKind::Do => {
            begin(times, at);
            times.already = *already;
            // The controller's part is to come: it ends when that is read back.
            if dag::spec(step.op).place != Place::AgentThenTenant {
                // An agent that came back looks again at what it has done: the first reading counts.
                times.ended.get_or_insert(at);
            }
        }
        AgentNote::Done { .. } | AgentNote::Failed(_) | AgentNote::Pending(_) => end(times, step, at),
        AgentNote::Started | AgentNote::Restarting => {}
    }
}

/// Makes the report.
#[must_use]
pub fn report(input: &Input<'_>) -> Report {
    let plan = input.machine.plan();
    let devices = plan.devices.iter().map(|_| Device::default()).collect();
    let mut fold = Fold { plan, devices, tenant: BTreeMap::new(), unplanned: Vec::new() };
    input.entries.iter().for_each(|entry| fold.take(entry));
    let rows: Vec<DeviceRow> = plan
        .devices
        .iter()
        .zip(&fold.devices)
        .map(|(run, device)| device_row(input, &run.task.device, device))
        .collect();
    let tenant = tenant_rows(input.machine, &fold.tenant);
    let operations = || rows.iter().flat_map(|device| device.operations.iter().map(move |op| (device, op)));
    let mut not_done: BTreeMap<(Op, Status), u64> = BTreeMap::new();
    for (_, op) in operations().filter(|(_, op)| op.status != Status::Done) {
        *not_done.entry((op.op, op.status)).or_default() += 1;
    }
    let is_undo = |status| matches!(status, Status::Undoing | Status::Undone | Status::UndoFailed);
    let of_devices = operations().filter(|(_, op)| is_undo(op.status)).map(|(device, op)| Undone {
        device: Some(device.device.clone()),
        op: op.op,
        status: op.status,
        at: op.undone,
    });
    let of_tenants = tenant.iter().filter(|row| is_undo(row.status));
    let of_tenants = of_tenants.map(|row| Undone { device: None, op: row.op, status: row.status, at: row.ended });
    let origin = input.origin;
    Report {
        format: FORMAT,
        run: plan.run,
        plan: plan.plan.clone(),
        plan_digest: plan.digest,
        wave: plan.wave.clone(),
        purpose: origin.map(|origin| origin.purpose).unwrap_or_default(),
        zone: origin.map_or_else(|| "UTC".to_owned(), |origin| origin.zone.clone()),
        standing: if input.ended { Standing::Ended } else { Standing::Open },
        began: plan.created,
        last: input.entries.last().map_or(plan.created, |entry| entry.at),
        entries: input.entries.len() as u64,
        by: origin.map(|origin| origin.by.clone()),
        tool: origin.map(|origin| origin.tool.clone()),
        turns: input.told.iter().filter_map(turn).collect(),
        sealed: origin.and_then(sealed_part),
        exceptions: origin.map(|origin| origin.exceptions.clone()).unwrap_or_default(),
        devices_by_outcome: counts(&rows),
        planned: operations().count() as u64,
        done: operations().filter(|(_, op)| op.status == Status::Done).count() as u64,
        not_done: not_done.into_iter().map(|((op, status), devices)| NotDone { op, status, devices }).collect(),
        undone: of_devices.chain(of_tenants).collect(),
        left_out: origin.and_then(|origin| origin.sealed.as_ref()).map(|s| s.left_out.clone()).unwrap_or_default(),
        stopped: input.machine.stop().map(|stop| Issue::from(&stop.problem)),
        exclusions: exclusions(input.told),
        problems: problems(&rows, &tenant),
        unplanned: {
            fold.unplanned.sort();
            fold.unplanned
        },
        tenant,
        devices: rows,
        audit_head: input.head,
    }
}

fn device_row(input: &Input<'_>, name: &DeviceName, device: &Device) -> DeviceRow {
    let known = input.machine.device(name);
    let (mut reason, mut problem) = (None, None);
    let outcome = match known.and_then(|known| known.outcome) {
        None => "open",
        Some(Outcome::Complete) => "complete",
        Some(Outcome::NotStarted(why)) => {
            reason = Some(why);
            "not-started"
        }
        Some(Outcome::Undone(why)) => {
            problem = Some(Issue::from(&why));
            "undone"
        }
        Some(Outcome::PendingVerification(why)) => {
            problem = Some(Issue::from(&why));
            "pending-verification"
        }
        Some(Outcome::RecoveryRequired(why)) => {
            problem = Some(Issue::from(&why));
            "recovery-required"
        }
    };
    let evidence = input.evidence.get(name);
    let operations = input.machine.operations(name).into_iter().map(|(op, status, problem)| {
        let times = device.ops.get(&op).copied().unwrap_or_default();
        let seconds = times.started.zip(times.ended).map(|(from, to)| to.duration_since(from).as_secs());
        OpRow {
            op,
            status,
            already: times.already,
            started: times.started,
            ended: times.ended,
            seconds: seconds.and_then(|secs| u64::try_from(secs).ok()),
            undone: times.undone,
            problem: problem.as_ref().map(Issue::from),
        }
    });
    DeviceRow {
        device: name.clone(),
        outcome: outcome.to_owned(),
        reason,
        problem,
        started: device.started,
        committed: input.machine.committed_at(name),
        ended: device.ended,
        evidence_at: evidence.map(|evidence| evidence.at),
        evidence: evidence.and_then(|evidence| digest_of(&evidence.facts).ok()),
        operations: operations.collect(),
    }
}

fn tenant_rows(machine: &Machine, times: &BTreeMap<u16, Times>) -> Vec<TenantRow> {
    let plan = machine.plan();
    let states = machine.progress().tenant;
    let runs = plan.tenant_before.iter().chain(&plan.tenant_after);
    (0..)
        .zip(runs.zip(states))
        .map(|(index, (run, (op, status, problem)))| {
            let times = times.get(&index).copied().unwrap_or_default();
            TenantRow {
                op,
                account: run.account.clone(),
                package: run.package.to_string(),
                policy: run.policy.clone(),
                group: run.group.clone(),
                status,
                started: times.started,
                ended: times.undone.or(times.ended),
                problem: problem.as_ref().map(Issue::from),
            }
        })
        .collect()
}

fn turn(entry: &audit::Entry) -> Option<Turn> {
    let what = match &entry.fact {
        Fact::RunBegun(_) => "run-begun",
        Fact::RunResumed(_) => "run-resumed",
        Fact::RunStopped(_) => "run-stopped",
        Fact::RunEnded(_) => "run-ended",
        _ => return None,
    };
    Some(Turn { what: what.to_owned(), actor: entry.actor.clone(), at: entry.at })
}

fn sealed_part(origin: &Origin) -> Option<SealedPart> {
    let sealed = origin.sealed.as_ref()?;
    let row = |one: &Statement| ApprovalRow {
        kind: match serde_json::to_value(one.kind) {
            Ok(serde_json::Value::String(word)) => word,
            _ => String::new(),
        },
        by: one.by.clone(),
        role: one.role,
        key: one.key,
        at: one.at,
        ticket: one.ticket.clone(),
        note: one.note.clone(),
        counted: sealed.counted.contains(&one.signature),
    };
    Some(SealedPart {
        digest: sealed.digest,
        sealed_at: sealed.sealed_at,
        not_after: sealed.not_after,
        required: sealed.required,
        statements: sealed.statements.iter().map(row).collect(),
    })
}

fn counts(rows: &[DeviceRow]) -> Counts {
    let mut counts = Counts { total: rows.len() as u64, ..Counts::default() };
    for row in rows {
        let count = match row.outcome.as_str() {
            "complete" => &mut counts.complete,
            "recovery-required" => &mut counts.recovery_required,
            "undone" => &mut counts.undone,
            "pending-verification" => &mut counts.pending_verification,
            "not-started" => &mut counts.not_started,
            _ => &mut counts.open,
        };
        *count += 1;
    }
    counts
}

/// Returns the exclusions that the run changed, as the audit list tells.
fn exclusions(told: &[audit::Entry]) -> Vec<ExclusionRow> {
    type Key = (String, Option<String>, Option<String>);
    let mut rows: BTreeMap<Key, ExclusionRow> = BTreeMap::new();
    for entry in told {
        let (change, opens) = match &entry.fact {
            Fact::ExclusionOpened(change) => (change, true),
            Fact::ExclusionClosed(change) => (change, false),
            _ => continue,
        };
        let key = (change.account.clone(), change.policy.clone(), change.group.clone());
        let row = rows.entry(key).or_insert_with(|| ExclusionRow {
            account: change.account.clone(),
            policy: change.policy.clone(),
            group: change.group.clone(),
            opened: None,
            closed: None,
        });
        if opens { row.opened = Some(entry.at) } else { row.closed = Some(entry.at) }
    }
    rows.into_values().collect()
}

fn problems(rows: &[DeviceRow], tenant: &[TenantRow]) -> Vec<ProblemRow> {
    fn row<'r>(known: &'r mut BTreeMap<String, ProblemRow>, issue: &Issue) -> &'r mut ProblemRow {
        let new = || ProblemRow { issue: issue.clone(), devices: Vec::new(), tenant: Vec::new() };
        known.entry(issue.code.clone()).or_insert_with(new)
    }
    let mut known = BTreeMap::new();
    for device in rows {
        let each = device.operations.iter().filter_map(|op| op.problem.as_ref());
        for issue in each.chain(&device.problem) {
            let row = row(&mut known, issue);
            if row.devices.last() != Some(&device.device) {
                row.devices.push(device.device.clone());
            }
        }
    }
    for one in tenant {
        if let Some(issue) = &one.problem {
            row(&mut known, issue).tenant.push(one.op);
        }
    }
    known.into_values().collect()
}
