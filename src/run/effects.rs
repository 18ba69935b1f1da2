//! What may happen now. Pure: the same machine and moment give the same answer.
//!
//! Effects of one answer are not independent: a caller applies each one's event in turn, and asks again where
//! one has become illegal through another (a device that is given up may stop the wave).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::machine::tenant_op;
use super::{Event, Machine, RunPlan, Seen, Status, TenantMark, next_status};
use crate::dag::{self, OpSpec, Phase, Place};
use crate::model::{DeviceName, EntraDeviceId, Op, Problem};
use crate::run::Mark;
use crate::state::Outcome;
use crate::wire::{self, Step, StepKind, WorkOrder};

/// How long an agent may be silent beyond the time that its step may take. Before the point of no return a
/// device that is switched off costs its place in the wave: a working day, as long as its order may be begun.
/// After it nothing else can be done for the device than to wait: a long weekend.
const PATIENCE: SignedDuration = AUTHORISATION;
const PATIENCE_COMMITTED: SignedDuration = SignedDuration::from_hours(72);

/// How long a released order may be begun where the wave has no window (domain.md B15: 8 hours).
const AUTHORISATION: SignedDuration = SignedDuration::from_hours(8);

/// Something to do. [`Effect::event`] is journalled before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Run or put back a tenant operation.
    Tenant {
        /// Index into `tenant_before`, then on into `tenant_after`.
        index: u16,
        /// Put it back.
        undo: bool,
    },
    /// Give a device one of the wave's places.
    StartDevice {
        /// Which.
        device: DeviceName,
    },
    /// Put steps into a device's work order.
    Release {
        /// Which device.
        device: DeviceName,
        /// New steps.
        steps: Vec<Step>,
    },
    /// Carry out the controller's part of an operation.
    Run {
        /// Which device.
        device: DeviceName,
        /// Which operation.
        op: Op,
    },
    /// Stop waiting for an agent.
    GiveUp {
        /// Which device.
        device: DeviceName,
        /// The step it should have reported.
        step: Step,
        /// What to record.
        problem: Problem,
    },
    /// Record how a device ended.
    FinishDevice {
        /// Which.
        device: DeviceName,
        /// How.
        outcome: Outcome,
    },
    /// End the run.
    FinishRun,
}

impl Effect {
    /// Returns the event that is journalled before the effect is carried out.
    #[must_use]
    pub fn event(&self) -> Event {
        match self.clone() {
            Self::Tenant { index, undo } => {
                Event::Tenant { index, mark: if undo { TenantMark::UndoStarted } else { TenantMark::Started } }
            }
            Self::StartDevice { device } => Event::DeviceStarted { device },
            Self::Release { device, steps } => Event::Released { device, steps },
            Self::Run { device, op } => Event::Started { device, op },
            Self::GiveUp { device, step, problem } => Event::GaveUp { device, step, problem },
            Self::FinishDevice { device, outcome } => Event::DeviceFinished { device, outcome },
            Self::FinishRun => Event::Finished,
        }
    }
}

impl Machine {
    /// Returns what may happen now, in a fixed order. While the run drains, only what has ended is recorded.
    #[must_use]
    pub fn effects(&self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !self.begun || self.finished {
            return effects;
        }
        if let Some((index, undo)) = self.tenant_due().filter(|_| !self.draining) {
            effects.push(Effect::Tenant { index: u16::try_from(index).unwrap_or(u16::MAX), undo });
        }
        for index in &self.active {
            self.device_effects(*index, now, &mut effects);
        }
        if self.draining {
            return effects;
        }
        let mut places = self.free_places();
        let open = self.plan.windows.as_ref().is_none_or(|windows| windows.at(now).is_some());
        for index in &self.waiting {
            let device = || self.name(*index);
            if let Some(outcome) = self.not_started(now) {
                effects.push(Effect::FinishDevice { device: device(), outcome });
            } else if places > 0 && open && self.may_start() {
                effects.push(Effect::StartDevice { device: device() });
                places -= 1;
            } else {
                break;
            }
        }
        let nothing_left = self.active.is_empty() && self.waiting.is_empty();
        if nothing_left && self.tenant_due().is_none() && self.tenant_is_settled() {
            effects.push(Effect::FinishRun);
        }
        effects
    }

    fn device_effects(&self, index: usize, now: Timestamp, effects: &mut Vec<Effect>) {
        let device = || self.name(index);
        if let Some(outcome) = self.outcome(index) {
            effects.push(Effect::FinishDevice { device: device(), outcome });
            return;
        }
        if let (Some(step), Some(deadline)) = (self.outstanding(index), self.deadline(index))
            && now >= deadline
        {
            effects.push(Effect::GiveUp { device: device(), step, problem: silent(&device(), step) });
        }
        if self.draining {
            return;
        }
        effects.extend(self.runnable(index).into_iter().map(|op| Effect::Run { device: device(), op }));
        let steps = self.releasable(index);
        if !steps.is_empty() {
            effects.push(Effect::Release { device: device(), steps });
        }
    }

    /// Returns the next moment at which [`Machine::effects`] may say more without a new event.
    #[must_use]
    pub fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        let deadlines = self.active.iter().filter_map(|index| self.deadline(*index));
        let windows = self.plan.windows.as_ref().filter(|_| !self.waiting.is_empty() && !self.draining);
        let window = windows.and_then(|windows| match windows.at(now) {
            Some(open) => Some(open.to),
            None => windows.next_after(now),
        });
        let exclusion = self.exclusion_ends().filter(|_| !self.waiting.is_empty() && !self.draining);
        deadlines.chain(window).chain(exclusion).filter(|moment| *moment > now).min()
    }

    /// Says whether a draining run has nothing in hand any more: no controller operation is under way and no
    /// device past the point of no return is at work on its order.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let busy = |index: &usize| {
            let device = &self.devices[*index];
            // What only waits is looked at again by whoever resumes.
            (device.status.contains(&Status::Controlling) && !self.resting.contains(index))
                || (device.committed_at.is_some() && device.status.iter().any(|status| status.is_with_agent()))
        };
        !self.active.iter().any(busy)
            && !self.tenant.iter().any(|tenant| matches!(tenant.status, Status::Controlling | Status::Undoing))
    }

    fn name(&self, index: usize) -> DeviceName {
        self.plan.devices[index].task.device.clone()
    }

    /// Returns the controller's parts that are due.
    pub(super) fn runnable(&self, index: usize) -> Vec<Op> {
        let (device, run) = (&self.devices[index], &self.plan.devices[index]);
        if device.cause.is_some() || self.draining {
            return Vec::new();
        }
        let due = |status: Status, spec: &OpSpec, after: &[Op]| match status {
            Status::AgentDone => true,
            Status::Pending => !spec.place.has_agent() && self.all_done(index, after),
            _ => false,
        };
        run.ops
            .iter()
            .zip(&device.status)
            .filter(|(step, status)| due(**status, dag::spec(step.op), &step.after))
            .map(|(step, _)| step.op)
            .collect()
    }

    fn all_done(&self, index: usize, ops: &[Op]) -> bool {
        ops.iter().all(|op| self.status_of(index, *op) == Some(Status::Done))
    }

    /// Returns the steps that the agent gets next: whole segments, so that a device which has begun to leave
    /// goes on to its sign-in without the controller (operations.md).
    pub(super) fn releasable(&self, index: usize) -> Vec<Step> {
        let (device, run) = (&self.devices[index], &self.plan.devices[index]);
        if self.draining {
            return Vec::new();
        }
        if device.cause.is_some() {
            return self.way_back(index);
        }
        let mut steps: Vec<Step> = Vec::new();
        for (step, status) in run.ops.iter().zip(&device.status) {
            let (spec, segment) = (dag::spec(step.op), Segment::of(step.op));
            if *status != Status::Pending || !spec.place.has_agent() {
                continue;
            }
            let ready = step.after.iter().all(|op| {
                self.status_of(index, *op) == Some(Status::Done)
                    || (Segment::of(*op) == segment && steps.iter().any(|earlier| earlier.op == *op))
            });
            if ready && (segment != Segment::Commit || self.may_commit(index)) {
                steps.push(Step { op: step.op, kind: StepKind::Do });
            }
        }
        steps
    }

    fn may_commit(&self, index: usize) -> bool {
        let (device, run) = (&self.devices[index], &self.plan.devices[index]);
        let reversible_done = run
            .ops
            .iter()
            .zip(&device.status)
            .all(|(step, status)| dag::spec(step.op).phase != Phase::Reversible || *status == Status::Done);
        device.committed_at.is_some() || (reversible_done && self.stop.is_none())
    }

    /// Returns the undo steps of a device that is turned back, once nothing of it is under way.
    fn way_back(&self, index: usize) -> Vec<Step> {
        let (device, run) = (&self.devices[index], &self.plan.devices[index]);
        let busy = |status: &Status| status.is_with_agent() || *status == Status::Controlling;
        if device.committed_at.is_some() || device.status.iter().any(busy) {
            return Vec::new();
        }
        let undoable = |(step, status): &(&crate::run::OpRun, &Status)| {
            let ordered = device.steps.contains(&Step { op: step.op, kind: StepKind::Do });
            ordered && next_status(dag::spec(step.op), **status, Mark::Undo).is_some()
        };
        let steps = run.ops.iter().zip(&device.status).rev().filter(undoable);
        steps.map(|(step, _)| Step { op: step.op, kind: StepKind::Undo }).collect()
    }

    /// Returns the step that the agent is to report next.
    pub(super) fn outstanding(&self, index: usize) -> Option<Step> {
        let device = &self.devices[index];
        device.steps.iter().copied().find(|step| {
            self.status_of(index, step.op).is_some_and(|status| match step.kind {
                StepKind::Do => status.is_with_agent(),
                StepKind::Undo => status == Status::Undoing,
            })
        })
    }

    /// Returns when the controller gives up on the agent.
    fn deadline(&self, index: usize) -> Option<Timestamp> {
        let (device, step) = (&self.devices[index], self.outstanding(index)?);
        let spec = dag::spec(step.op);
        let patience =
            if device.committed_at.is_some() || step.kind == StepKind::Undo { PATIENCE_COMMITTED } else { PATIENCE };
        let waits = u64::from(spec.backoff_secs) << spec.attempts.min(16);
        let secs = u64::from(spec.time_limit_secs) * u64::from(spec.attempts) + waits;
        let allowed = patience + SignedDuration::from_secs(i64::try_from(secs).unwrap_or(i64::MAX / 2));
        device.heard?.saturating_add(allowed).ok()
    }

    /// Returns how a started device ended, once nothing of it is left to do.
    pub(super) fn outcome(&self, index: usize) -> Option<Outcome> {
        let device = &self.devices[index];
        if !device.status.iter().all(|status| status.is_settled()) {
            return None;
        }
        if let Some(cause) = &device.cause {
            if !self.way_back(index).is_empty() {
                return None;
            }
            let undo = device.status.iter().position(|status| *status == Status::UndoFailed);
            if let Some(position) = undo {
                let problem = device.problems.get(&position).unwrap_or(cause);
                return Some(Outcome::RecoveryRequired(self.with_next(index, problem)));
            }
            if device.absent {
                return Some(Outcome::NotStarted(cause.message.clone()));
            }
            if device.committed_at.is_some() {
                return Some(Outcome::RecoveryRequired(self.with_next(index, cause)));
            }
            return Some(Outcome::Undone(cause.clone()));
        }
        let pending = device.status.iter().position(|status| *status == Status::PendingVerification);
        let Some(position) = pending else { return Some(Outcome::Complete) };
        Some(
            device
                .problems
                .get(&position)
                .map_or(Outcome::Complete, |problem| Outcome::PendingVerification(problem.clone())),
        )
    }

    /// A person gets the exact next action, also where the problem's origin had none to give.
    fn with_next(&self, index: usize, problem: &Problem) -> Problem {
        if problem.next.is_some() {
            return problem.clone();
        }
        let name = self.name(index);
        problem.clone().next(format!(
            "sign in on {name} with its recovery administrator, mend what the message names, then apply wave `{}` again",
            self.plan.wave
        ))
    }

    /// Returns how a device ends that was never started, where it can't be any more.
    pub(super) fn not_started(&self, now: Timestamp) -> Option<Outcome> {
        if let Some(stop) = &self.stop {
            return Some(Outcome::NotStarted(stop.problem.message.clone()));
        }
        if let Some(problem) = self.tenant_failed() {
            return Some(Outcome::NotStarted(format!("the tenant wasn't ready: {}", problem.message)));
        }
        if self.plan.windows.as_ref().is_some_and(|windows| windows.over(now)) {
            return Some(Outcome::NotStarted("the wave's window has closed".to_owned()));
        }
        let over = self.exclusion_ends().is_some_and(|end| end <= now);
        over.then(|| Outcome::NotStarted("the exclusion that its join needs has run out".to_owned()))
    }

    /// Returns when an exclusion of the run's package runs out that held when the run was made: from then on no
    /// device is started that would need it, so that it can be closed once those under way are through.
    fn exclusion_ends(&self) -> Option<Timestamp> {
        let package = &self.plan.devices.first()?.task.package;
        let own = self.plan.tenant_after.iter().filter(|tenant| tenant.package == *package);
        own.filter_map(|tenant| tenant.due).filter(|due| *due > self.plan.created).min()
    }

    /// Returns the tenant operation that is due, and whether to put it back.
    pub(super) fn tenant_due(&self) -> Option<(usize, bool)> {
        let before = self.plan.tenant_before.len();
        if self.tenant.iter().any(|t| matches!(t.status, Status::Controlling | Status::Undoing)) {
            return None;
        }
        let undoable = |index: &usize| {
            next_status(dag::spec(tenant_op(&self.plan, *index)), self.tenant[*index].status, Mark::Undo).is_some()
        };
        if self.tenant_failed().is_some() {
            if let Some(index) = (0..before).rev().find(undoable) {
                return Some((index, true));
            }
        } else if let Some(index) = (0..before).find(|index| self.tenant[*index].status == Status::Pending) {
            return Some((index, false));
        }
        let devices_left = !self.active.is_empty() || !self.waiting.is_empty();
        (before..self.tenant.len())
            .find(|index| !devices_left && self.tenant[*index].status == Status::Pending)
            .map(|index| (index, false))
    }
}

/// What the controller asks the machine for while it acts.
impl Machine {
    /// Returns the plan of the run.
    #[must_use]
    pub fn plan(&self) -> &Arc<RunPlan> {
        &self.plan
    }
    /// Says whether the first entry is journalled.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun
    }
    /// Returns a device's work order without the package, or nothing before its first release. The same
    /// generation always has the same content, also after a restart.
    #[must_use]
    pub fn order(&self, device: &DeviceName) -> Option<WorkOrder> {
        let index = self.index(device).ok()?;
        let state = &self.devices[index];
        let released = state.released_at?;
        let closes = self.plan.windows.as_ref().and_then(|windows| windows.at(released)).map(|open| open.to);
        let not_after = closes.or_else(|| released.saturating_add(AUTHORISATION).ok()).unwrap_or(Timestamp::MAX);
        Some(WorkOrder {
            format: wire::FORMAT,
            run: self.plan.run,
            plan: self.plan.digest,
            generation: state.generation,
            not_after,
            task: self.plan.devices[index].task.clone(),
            steps: state.steps.clone(),
            package: None,
            recovery: None,
        })
    }
    /// Says whether the present order of a device carries the package.
    #[must_use]
    pub fn order_has_package(&self, device: &DeviceName) -> bool {
        self.index(device).is_ok_and(|index| self.devices[index].package)
    }
    /// Says whether the present order of a device needs its recovery administrator's password: making that
    /// administrator is released, not done, and not to be put back.
    #[must_use]
    pub fn order_has_recovery(&self, device: &DeviceName) -> bool {
        self.index(device).is_ok_and(|index| {
            let steps = &self.devices[index].steps;
            steps.contains(&Step { op: Op::Arm, kind: StepKind::Do })
                && !steps.iter().any(|step| step.kind == StepKind::Undo)
                && self.status_of(index, Op::Arm) != Some(Status::Done)
        })
    }
    /// Returns what a device's agent read last.
    #[must_use]
    pub fn seen(&self, device: &DeviceName) -> Option<&Seen> {
        self.devices[self.index(device).ok()?].seen.as_ref()
    }
    /// Returns the new registration of a device, once its agent saw the join.
    #[must_use]
    pub fn new_device(&self, device: &DeviceName) -> Option<EntraDeviceId> {
        self.devices[self.index(device).ok()?].new_device
    }
    /// Returns when this run released a device's commit.
    #[must_use]
    pub fn committed_at(&self, device: &DeviceName) -> Option<Timestamp> {
        let index = self.index(device).ok()?;
        self.devices[index].committed_at.filter(|_| !self.plan.devices[index].committed)
    }
    /// Says whether a device is past the point of no return, by this run or an earlier one.
    #[must_use]
    pub fn is_committed(&self, device: &DeviceName) -> bool {
        self.index(device).is_ok_and(|index| self.devices[index].committed_at.is_some())
    }
    /// Returns the number of agent events of a device that are journalled.
    #[must_use]
    pub fn heard(&self, device: &DeviceName) -> u64 {
        self.index(device).map_or(0, |index| self.devices[index].seq)
    }
    /// Returns the operations of a device that are done.
    #[must_use]
    pub fn done(&self, device: &DeviceName) -> Vec<Op> {
        let Ok(index) = self.index(device) else { return Vec::new() };
        let pairs = self.plan.devices[index].ops.iter().zip(&self.devices[index].status);
        pairs.filter(|(_, status)| **status == Status::Done).map(|(step, _)| step.op).collect()
    }
    /// Returns what an operation noted in this run, oldest first.
    #[must_use]
    pub fn notes(&self, device: Option<&DeviceName>, index: u16, op: Op) -> Vec<String> {
        match device {
            Some(name) => {
                self.index(name).ok().and_then(|index| self.devices[index].notes.get(&op).cloned()).unwrap_or_default()
            }
            None => self.tenant.get(usize::from(index)).map(|tenant| tenant.notes.clone()).unwrap_or_default(),
        }
    }
}

/// Parts of the chain that go to the agent in one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    /// Staging and arming.
    Prepare,
    /// From the first committed operation to the enrolment.
    Commit,
    /// Any other operation goes by itself.
    Single(Op),
}

impl Segment {
    fn of(op: Op) -> Self {
        match op {
            Op::Stage | Op::Arm => Self::Prepare,
            Op::AwaitSignIn | Op::VerifyEnrolment => Self::Commit,
            op if dag::spec(op).phase == Phase::Committed && dag::spec(op).place == Place::Agent => Self::Commit,
            op => Self::Single(op),
        }
    }
}

fn silent(device: &DeviceName, step: Step) -> Problem {
    let verb = if step.kind == StepKind::Do { "carry out" } else { "put back" };
    Problem::new("agent.silent", format!("{device} was to {verb} {} and its agent hasn't called", step.op))
        .next(format!("see that {device} is switched on, that its agent runs and that it reaches the controller"))
}
