//! The state of a run, and how events change it.
//!
//! Invariants: an operation moves only by [`next_status`]; a device is in flight from `DeviceStarted` to
//! `DeviceFinished`; what follows from an event by rule alone (skips, the stop of the wave) is done here and
//! not journalled, so that replay does the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{
    AgentNote, CorruptJournal, Counts, Entry, Event, IllegalEvent, Mark, RunPlan, Seen, Status, TenantMark, next_status,
};
use crate::dag::{self, Phase};
use crate::model::{DeviceName, EntraDeviceId, Op, Problem};
use crate::state::Outcome;
use crate::wire::{NOT_READY, ORDER_EXPIRED, Step, StepKind};

/// Why a wave stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// What broke the budget.
    pub problem: Problem,
    /// Devices that were in flight then.
    pub in_flight: u32,
    /// How many of them were past the point of no return and are finished.
    pub committed: u32,
}

/// What the machine knows about one device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Device {
    /// Parallel to the plan's operations.
    pub(super) status: Vec<Status>,
    /// Problems by index of the operation.
    pub(super) problems: BTreeMap<usize, Problem>,
    /// Notes by operation.
    pub(super) notes: BTreeMap<Op, Vec<String>>,
    /// It took a place.
    pub(super) started: bool,
    /// Steps of its work order.
    pub(super) steps: Vec<Step>,
    /// Releases so far, which is the order's generation.
    pub(super) generation: u64,
    /// When the last release was made.
    pub(super) released_at: Option<Timestamp>,
    /// The order of this generation carries the package.
    pub(super) package: bool,
    /// When its commit was released in this run, or the run's beginning where an earlier run did it.
    pub(super) committed_at: Option<Timestamp>,
    /// Why it is put back; also what stops it after the boundary.
    pub(super) cause: Option<Problem>,
    /// The agent never said a word.
    pub(super) absent: bool,
    /// When its agent was last heard, or could have been.
    pub(super) heard: Option<Timestamp>,
    /// Agent events so far.
    pub(super) seq: u64,
    /// What the agent last read.
    pub(super) seen: Option<Seen>,
    /// The new registration.
    pub(super) new_device: Option<EntraDeviceId>,
    /// How it ended.
    pub(super) outcome: Option<Outcome>,
}

/// A tenant operation's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TenantOp {
    pub(super) status: Status,
    pub(super) problem: Option<Problem>,
    pub(super) notes: Vec<String>,
}

/// The machine of one run. Cheap to ask, and the same after a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    pub(super) plan: Arc<RunPlan>,
    pub(super) begun: bool,
    pub(super) finished: bool,
    pub(super) draining: bool,
    pub(super) tenant: Vec<TenantOp>,
    pub(super) devices: Vec<Device>,
    /// In flight, by index. All that `effects` has to look at.
    pub(super) active: BTreeSet<usize>,
    /// Of these, the ones of which nothing is left but to wait.
    pub(super) resting: BTreeSet<usize>,
    /// Not started yet, by index.
    pub(super) waiting: BTreeSet<usize>,
    pub(super) failures: BTreeMap<String, u32>,
    pub(super) stop: Option<Stop>,
    /// Ended devices by outcome; the other fields stay zero.
    pub(super) ended: Counts,
}

impl Machine {
    /// Makes the machine of a new run.
    #[must_use]
    pub fn new(plan: RunPlan) -> Self {
        let devices: Vec<Device> = plan
            .devices
            .iter()
            .map(|device| Device {
                status: vec![Status::Pending; device.ops.len()],
                committed_at: device.committed.then_some(plan.created),
                ..Device::default()
            })
            .collect();
        let fresh = TenantOp { status: Status::Pending, problem: None, notes: Vec::new() };
        Self {
            begun: false,
            finished: false,
            draining: false,
            tenant: vec![fresh; plan.tenant_before.len() + plan.tenant_after.len()],
            active: BTreeSet::new(),
            resting: BTreeSet::new(),
            waiting: (0..devices.len()).collect(),
            failures: BTreeMap::new(),
            stop: None,
            ended: Counts::default(),
            devices,
            plan: Arc::new(plan),
        }
    }

    /// Makes the machine that a journal leads to.
    ///
    /// # Errors
    /// Where an entry is missing, doubled, out of order or can't have happened.
    pub fn replay(plan: RunPlan, entries: impl IntoIterator<Item = Entry>) -> Result<Self, CorruptJournal> {
        let mut machine = Self::new(plan);
        for (expected, entry) in (1..).zip(entries) {
            if entry.seq != expected {
                return Err(CorruptJournal { seq: entry.seq, reason: format!("entry {expected} was expected") });
            }
            machine
                .apply(&entry.event, entry.at)
                .map_err(|illegal| CorruptJournal { seq: entry.seq, reason: illegal.0 })?;
        }
        Ok(machine)
    }

    /// Applies one event. The machine is unchanged where it isn't legal.
    ///
    /// # Errors
    /// Where the event can't happen now.
    pub fn apply(&mut self, event: &Event, at: Timestamp) -> Result<(), IllegalEvent> {
        if self.begun == matches!(event, Event::Begun) {
            return Err(IllegalEvent("a run begins once, and first of all".to_owned()));
        }
        if self.finished && !matches!(event, Event::Agent { .. }) {
            return Err(IllegalEvent("the run is finished".to_owned()));
        }
        match event {
            Event::Begun => self.begun = true,
            Event::Resumed => self.resume(at),
            Event::Draining if self.draining => return Err(IllegalEvent("the run is draining already".to_owned())),
            Event::Draining => self.draining = true,
            Event::Tenant { index, mark } => self.tenant_mark(usize::from(*index), mark)?,
            Event::DeviceStarted { device } => self.start(device, at)?,
            Event::Released { device, steps } => self.release(device, steps, at)?,
            Event::Agent { device, seq, step, note } => self.hear(device, *seq, *step, note, at)?,
            Event::Started { device, op } => {
                let index = self.flying(device)?;
                if !self.runnable(index).contains(op) {
                    return Err(IllegalEvent(format!("{device}: {op} isn't due")));
                }
                self.mark(index, *op, Mark::Start)?;
            }
            Event::Done { device, op } => {
                let index = self.flying(device)?;
                self.mark(index, *op, Mark::Succeed)?;
                self.settle(index);
            }
            Event::Failed { device, op, problem } => {
                let index = self.flying(device)?;
                let position = self.mark(index, *op, Mark::Fail)?;
                self.fail(index, position, problem, false);
            }
            Event::Noted { device, index, op, note } => self.note(device.as_ref(), *index, *op, note)?,
            Event::GaveUp { device, step, problem } => self.give_up(device, *step, problem)?,
            Event::DeviceFinished { device, outcome } => self.finish_device(device, outcome, at)?,
            Event::Finished if !self.all_finished() => {
                return Err(IllegalEvent("something is left to do".to_owned()));
            }
            Event::Finished => self.finished = true,
        }
        if let Some(index) = event.device().and_then(|name| self.index(name).ok()) {
            self.note_rest(index);
        }
        Ok(())
    }

    fn resume(&mut self, at: Timestamp) {
        self.draining = false;
        for (index, tenant) in self.tenant.iter_mut().enumerate() {
            let op = tenant_op(&self.plan, index);
            if let Some(next) = next_status(dag::spec(op), tenant.status, Mark::Interrupt) {
                tenant.status = next;
            }
        }
        for index in self.active.clone() {
            let (device, run) = (&mut self.devices[index], &self.plan.devices[index]);
            for (status, step) in device.status.iter_mut().zip(&run.ops) {
                if let Some(next) = next_status(dag::spec(step.op), *status, Mark::Interrupt) {
                    *status = next;
                }
            }
            // Nobody was there to hear the agents in between.
            device.heard = device.heard.max(Some(at));
            // What was interrupted isn't begun anew on a device that is turned back.
            self.settle(index);
            self.note_rest(index);
        }
    }

    fn tenant_mark(&mut self, index: usize, mark: &TenantMark) -> Result<(), IllegalEvent> {
        let out_of_turn = || IllegalEvent(format!("tenant operation {index} isn't due"));
        let (mark, problem) = match mark {
            TenantMark::Started if self.tenant_due() == Some((index, false)) => (Mark::Start, None),
            TenantMark::UndoStarted if self.tenant_due() == Some((index, true)) => (Mark::Undo, None),
            TenantMark::Started | TenantMark::UndoStarted => return Err(out_of_turn()),
            TenantMark::Done => (Mark::Succeed, None),
            TenantMark::Undone => (Mark::UndoDone, None),
            TenantMark::Failed(problem) => (Mark::Fail, Some(problem)),
            TenantMark::UndoFailed(problem) => (Mark::UndoFailed, Some(problem)),
        };
        let state = self.tenant.get(index).ok_or_else(out_of_turn)?;
        let op = tenant_op(&self.plan, index);
        let next = next_status(dag::spec(op), state.status, mark)
            .ok_or_else(|| IllegalEvent(format!("{op} can't go on from {:?} with {mark:?}", state.status)))?;
        let state = &mut self.tenant[index];
        state.status = next;
        if let Some(problem) = problem {
            state.problem = Some(problem.clone());
        }
        Ok(())
    }

    fn start(&mut self, name: &DeviceName, at: Timestamp) -> Result<(), IllegalEvent> {
        let index = self.index(name)?;
        if self.devices[index].started || self.devices[index].outcome.is_some() || !self.may_start() {
            return Err(IllegalEvent(format!("{name} can't be started now")));
        }
        let device = &mut self.devices[index];
        device.started = true;
        device.heard = Some(at);
        self.active.insert(index);
        self.waiting.remove(&index);
        Ok(())
    }

    fn release(&mut self, name: &DeviceName, steps: &[Step], at: Timestamp) -> Result<(), IllegalEvent> {
        let index = self.flying(name)?;
        if steps.is_empty() || self.releasable(index) != steps {
            return Err(IllegalEvent(format!("{name}: these steps aren't due")));
        }
        for step in steps {
            let mark = if step.kind == StepKind::Do { Mark::Release } else { Mark::Undo };
            self.mark(index, step.op, mark)?;
        }
        let commits = steps.iter().any(|s| s.kind == StepKind::Do && dag::spec(s.op).phase == Phase::Committed);
        let installed = self.status_of(index, Op::ApplyPackage) == Some(Status::Done);
        let device = &mut self.devices[index];
        device.steps.extend_from_slice(steps);
        device.generation += 1;
        device.released_at = Some(at);
        device.heard = device.heard.max(Some(at));
        device.package = !installed && device.steps.contains(&Step { op: Op::ApplyPackage, kind: StepKind::Do });
        if commits && device.committed_at.is_none() {
            device.committed_at = Some(at);
        }
        Ok(())
    }

    fn hear(
        &mut self,
        name: &DeviceName,
        seq: u64,
        step: Step,
        note: &AgentNote,
        at: Timestamp,
    ) -> Result<(), IllegalEvent> {
        let index = self.index(name)?;
        let device = &self.devices[index];
        if seq != device.seq + 1 {
            return Err(IllegalEvent(format!("{name}: event {} was expected, not {seq}", device.seq + 1)));
        }
        let Some(place) = device.steps.iter().position(|released| *released == step) else {
            return Err(IllegalEvent(format!("{name}: {} wasn't ordered", step.op)));
        };
        // After its outcome a device may still say what it did; nothing depends on that any more.
        if device.outcome.is_none() {
            let mark = agent_mark(step.kind, note)
                .ok_or_else(|| IllegalEvent(format!("{name}: an undo of {} can't pend", step.op)))?;
            let before = &device.steps[..place];
            let skipped = before.iter().any(|earlier| {
                earlier.kind == StepKind::Do && self.status_of(index, earlier.op).is_some_and(Status::is_with_agent)
            });
            if skipped && step.kind == StepKind::Do && self.status_of(index, step.op).is_some_and(Status::is_with_agent)
            {
                return Err(IllegalEvent(format!("{name}: {} comes after steps that aren't done", step.op)));
            }
            let was = self.status_of(index, step.op);
            if let AgentNote::Failed(problem) = note
                && problem.code == NOT_READY
                && self.never_left(index, step)
            {
                let position = self.mark(index, step.op, Mark::Skip)?;
                self.turn_back(index, position, problem);
                return self.heard_until(index, seq, at);
            }
            let position = self.mark(index, step.op, mark)?;
            let changed = was != self.status_of(index, step.op);
            self.learn(index, step.op, note);
            if let (AgentNote::Failed(problem) | AgentNote::Pending(problem), true) = (note, changed) {
                self.fail(index, position, problem, true);
            } else {
                self.settle(index);
            }
        }
        self.heard_until(index, seq, at)
    }

    fn heard_until(&mut self, index: usize, seq: u64, at: Timestamp) -> Result<(), IllegalEvent> {
        let device = &mut self.devices[index];
        device.seq = seq;
        device.heard = device.heard.max(Some(at));
        Ok(())
    }

    /// Says whether a step is one that a device was released over the boundary with and hasn't begun, nor any other.
    fn never_left(&self, index: usize, step: Step) -> bool {
        let (device, run) = (&self.devices[index], &self.plan.devices[index]);
        let past = |op: Op| dag::spec(op).phase != Phase::Reversible;
        step.kind == StepKind::Do
            && past(step.op)
            && self.status_of(index, step.op) == Some(Status::Released)
            && !run.committed
            && device.cause.is_none()
            && run
                .ops
                .iter()
                .zip(&device.status)
                .filter(|(run, _)| past(run.op))
                .all(|(_, status)| matches!(status, Status::Pending | Status::Released | Status::Skipped))
    }

    /// Takes a device's commit back: its agent found it unfit before the first step past the boundary.
    fn turn_back(&mut self, index: usize, position: usize, problem: &Problem) {
        let device = &mut self.devices[index];
        device.committed_at = None;
        device.problems.insert(position, problem.clone());
        device.cause = Some(problem.clone());
        self.count_failure(&problem.code);
        self.skip(index, Status::is_with_agent);
        self.settle(index);
        self.stop_if_broken();
    }

    fn learn(&mut self, index: usize, op: Op, note: &AgentNote) {
        let AgentNote::Done { seen, .. } = note else { return };
        let task = &self.plan.devices[index].task;
        let device = &mut self.devices[index];
        let joined = device.committed_at.is_some()
            && op >= Op::VerifyJoin
            && !seen.domain
            && seen.tenant == Some(task.target_tenant);
        // The old registration is never taken for the new one, also where both tenants are the same.
        if joined && seen.device_id != task.old_device {
            device.new_device = seen.device_id.or(device.new_device);
        }
        device.seen = Some((**seen).clone());
    }

    fn note(&mut self, device: Option<&DeviceName>, tenant: u16, op: Op, note: &str) -> Result<(), IllegalEvent> {
        let Some(name) = device else {
            let index = usize::from(tenant);
            if index >= self.tenant.len() || tenant_op(&self.plan, index) != op {
                return Err(IllegalEvent(format!("tenant operation {tenant} isn't {op}")));
            }
            self.tenant[index].notes.push(note.to_owned());
            return Ok(());
        };
        let index = self.flying(name)?;
        if self.status_of(index, op) != Some(Status::Controlling) {
            return Err(IllegalEvent(format!("{name}: {op} isn't under way")));
        }
        self.devices[index].notes.entry(op).or_default().push(note.to_owned());
        Ok(())
    }

    fn give_up(&mut self, name: &DeviceName, step: Step, problem: &Problem) -> Result<(), IllegalEvent> {
        let index = self.flying(name)?;
        if self.outstanding(index) != Some(step) {
            return Err(IllegalEvent(format!("{name}: nobody waits for {}", step.op)));
        }
        let mark = if step.kind == StepKind::Do { Mark::AgentFailed } else { Mark::UndoFailed };
        let position = self.mark(index, step.op, mark)?;
        // A device that never called hasn't failed: it was off. Nothing was done on it.
        let device = &mut self.devices[index];
        device.absent = device.seq == 0 && device.generation == 1 && device.committed_at.is_none();
        self.fail(index, position, problem, true);
        Ok(())
    }

    fn finish_device(&mut self, name: &DeviceName, outcome: &Outcome, at: Timestamp) -> Result<(), IllegalEvent> {
        let index = self.index(name)?;
        let expected = if self.devices[index].started { self.outcome(index) } else { self.not_started(at) };
        if self.devices[index].outcome.is_some() || expected.as_ref() != Some(outcome) {
            return Err(IllegalEvent(format!("{name} can't end like that now")));
        }
        self.devices[index].outcome = Some(outcome.clone());
        *match outcome {
            Outcome::Complete => &mut self.ended.complete,
            Outcome::PendingVerification(_) => &mut self.ended.pending,
            Outcome::Undone(_) => &mut self.ended.undone,
            Outcome::RecoveryRequired(_) => &mut self.ended.recovery,
            Outcome::NotStarted(_) => &mut self.ended.not_started,
        } += 1;
        self.active.remove(&index);
        self.waiting.remove(&index);
        if self.active.is_empty() && self.waiting.is_empty() {
            self.skip_closing(at);
        }
        Ok(())
    }

    /// A package is closed with its last devices only where each of them got through: one that isn't across
    /// yet would be locked out of its next attempt. An exclusion that ran out meanwhile is closed all the same.
    fn skip_closing(&mut self, at: Timestamp) {
        let open = self.devices.len().saturating_sub(self.ended.complete as usize);
        let before = self.plan.tenant_before.len();
        for (run, state) in self.plan.tenant_after.iter().zip(&mut self.tenant[before..]) {
            if state.status != Status::Pending || run.due.is_some_and(|due| due <= at) {
                continue;
            }
            if run.only_due {
                state.status = Status::Skipped;
            } else if run.needs_complete && open > 0 {
                state.status = Status::Skipped;
                let devices = if open == 1 { "1 device".to_owned() } else { format!("{open} devices") };
                let message = format!(
                    "{} of {} waits: {devices} of the wave didn't end complete and may need the package",
                    run.op, run.account
                );
                state.problem = Some(
                    Problem::new("run.package-needed", message).next("mend these devices and apply the wave again"),
                );
            }
        }
    }

    /// Moves one operation by the table.
    fn mark(&mut self, index: usize, op: Op, mark: Mark) -> Result<usize, IllegalEvent> {
        let name = &self.plan.devices[index].task.device;
        let position = self.position(index, op).ok_or_else(|| IllegalEvent(format!("{name} has no {op}")))?;
        let status = self.devices[index].status[position];
        let next = next_status(dag::spec(op), status, mark)
            .ok_or_else(|| IllegalEvent(format!("{name}: {op} can't go on from {status:?} with {mark:?}")))?;
        self.devices[index].status[position] = next;
        Ok(position)
    }

    /// Draws the consequences of an operation that won't be done.
    fn fail(&mut self, index: usize, position: usize, problem: &Problem, agent: bool) {
        let device = &mut self.devices[index];
        device.problems.insert(position, problem.clone());
        let stops = matches!(device.status[position], Status::Failed | Status::UndoFailed);
        if stops && device.cause.is_none() {
            device.cause = Some(problem.clone());
            // A window that closed before the device's turn is nobody's failure: the budget is for devices that break.
            if !device.absent && problem.code != ORDER_EXPIRED {
                self.count_failure(&problem.code);
            }
        }
        if agent && stops {
            // An agent stops at the step that failed; what it was given after that step isn't begun.
            self.skip(index, Status::is_with_agent);
            if device_status_is(&self.devices[index], position, Status::UndoFailed) {
                self.leave_undone(index);
            }
        }
        self.settle(index);
        self.stop_if_broken();
    }

    /// Skips what can't run any more.
    fn settle(&mut self, index: usize) {
        if self.devices[index].cause.is_some() {
            self.skip(index, |status| matches!(status, Status::Pending | Status::AgentDone));
            return;
        }
        for position in 0..self.devices[index].status.len() {
            let run = &self.plan.devices[index].ops[position];
            let lost = run.after.iter().any(|op| {
                self.status_of(index, *op).is_none_or(|status| status.is_settled() && status != Status::Done)
            });
            let (op, status) = (run.op, &mut self.devices[index].status[position]);
            if lost && let Some(next) = next_status(dag::spec(op), *status, Mark::Skip) {
                *status = next;
            }
        }
    }

    fn skip(&mut self, index: usize, which: impl Fn(Status) -> bool) {
        let (device, run) = (&mut self.devices[index], &self.plan.devices[index]);
        for (status, step) in device.status.iter_mut().zip(&run.ops) {
            if which(*status)
                && let Some(next) = next_status(dag::spec(step.op), *status, Mark::Skip)
            {
                *status = next;
            }
        }
    }

    /// An undo that failed ends the way back: what stands behind it in the order isn't put back either.
    fn leave_undone(&mut self, index: usize) {
        for status in &mut self.devices[index].status {
            if *status == Status::Undoing {
                *status = Status::UndoFailed;
            }
        }
    }

    fn count_failure(&mut self, code: &str) {
        *self.failures.entry(code.to_owned()).or_default() += 1;
    }

    /// Stops the wave where the budget is broken, and turns back every device before the boundary.
    fn stop_if_broken(&mut self) {
        if self.stop.is_some() {
            return;
        }
        let Some(problem) = self.broken_budget() else { return };
        let committed = self.active.iter().filter(|index| self.devices[**index].committed_at.is_some()).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.stop =
            Some(Stop { problem: problem.clone(), in_flight: count(self.active.len()), committed: count(committed) });
        for index in self.active.clone() {
            let device = &mut self.devices[index];
            if device.committed_at.is_none() && device.cause.is_none() {
                device.cause = Some(problem.clone());
                self.settle(index);
            }
        }
    }

    fn broken_budget(&self) -> Option<Problem> {
        let (budget, total) = (self.plan.budget, self.plan.devices.len() as u64);
        let failed: u32 = self.failures.values().sum();
        let cause = self.failures.iter().find(|(_, count)| budget.same_cause.is_some_and(|most| **count > most));
        let why = if let Some((code, count)) = cause {
            format!("{count} devices failed with {code}")
        } else if budget.max.is_some_and(|most| failed > most)
            || budget.percent.is_some_and(|most| u64::from(failed) * 100 > u64::from(most) * total)
        {
            format!("{failed} of {total} devices failed")
        } else {
            return None;
        };
        Some(
            Problem::new("run.stopped", format!("{why}, more than its failure budget allows"))
                .next("look at the devices that failed, mend the cause and apply the wave again"),
        )
    }
}

/// Questions that events and effects share.
impl Machine {
    pub(super) fn index(&self, name: &DeviceName) -> Result<usize, IllegalEvent> {
        self.plan
            .devices
            .binary_search_by(|device| device.task.device.cmp(name))
            .map_err(|_| IllegalEvent(format!("{name} isn't in this run")))
    }
    fn flying(&self, name: &DeviceName) -> Result<usize, IllegalEvent> {
        let index = self.index(name)?;
        if self.active.contains(&index) { Ok(index) } else { Err(IllegalEvent(format!("{name} isn't in flight"))) }
    }
    pub(super) fn position(&self, index: usize, op: Op) -> Option<usize> {
        self.plan.devices[index].ops.iter().position(|step| step.op == op)
    }
    pub(super) fn status_of(&self, index: usize, op: Op) -> Option<Status> {
        self.position(index, op).map(|position| self.devices[index].status[position])
    }
    pub(super) fn may_start(&self) -> bool {
        let before = &self.tenant[..self.plan.tenant_before.len()];
        !self.draining
            && self.stop.is_none()
            && self.free_places() > 0
            && before.iter().all(|tenant| tenant.status == Status::Done)
    }
    fn all_finished(&self) -> bool {
        self.active.is_empty() && self.waiting.is_empty() && self.tenant_due().is_none() && self.tenant_is_settled()
    }
    pub(super) fn tenant_is_settled(&self) -> bool {
        let started = self.tenant_failed().is_none();
        let (before, after) = self.tenant.split_at(self.plan.tenant_before.len());
        before.iter().all(|t| t.status.is_settled() || (!started && t.status == Status::Pending))
            && after.iter().all(|t| t.status.is_settled())
    }
    /// Returns the problem of a tenant operation before the devices that failed.
    pub(super) fn tenant_failed(&self) -> Option<&Problem> {
        self.tenant[..self.plan.tenant_before.len()].iter().find_map(|tenant| tenant.problem.as_ref())
    }
}

pub(super) fn tenant_op(plan: &RunPlan, index: usize) -> Op {
    let before = plan.tenant_before.len();
    if index < before { plan.tenant_before[index].op } else { plan.tenant_after[index - before].op }
}

fn device_status_is(device: &Device, position: usize, status: Status) -> bool {
    device.status.get(position) == Some(&status)
}

fn agent_mark(kind: StepKind, note: &AgentNote) -> Option<Mark> {
    Some(match (kind, note) {
        (StepKind::Do, AgentNote::Started) => Mark::AgentStarted,
        (StepKind::Do, AgentNote::Done { .. }) => Mark::AgentDone,
        (StepKind::Do, AgentNote::Failed(_)) => Mark::AgentFailed,
        (StepKind::Do, AgentNote::Pending(_)) => Mark::AgentPending,
        (StepKind::Do, AgentNote::Restarting) => Mark::AgentRestarting,
        (StepKind::Undo, AgentNote::Started | AgentNote::Restarting) => Mark::UndoStarted,
        (StepKind::Undo, AgentNote::Done { .. }) => Mark::UndoDone,
        (StepKind::Undo, AgentNote::Failed(_)) => Mark::UndoFailed,
        (StepKind::Undo, AgentNote::Pending(_)) => return None,
    })
}
