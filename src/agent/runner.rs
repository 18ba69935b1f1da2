//! Carries an order's steps out, strictly in order: check, write down, act, read back, write down.
//!
//! ```text
//!            +-- holds, not begun --------------------------------> Done{already}
//!  step --> check -- no --> Started --> act --> read back --holds--> Done
//!                             ^          |         |
//!                             |       restart      +-- time is up --> next attempt --> Failed | Pending
//!                             |          v
//!                             +--- Restarting ... the process ends, and the journal tells where it was
//! ```
//!
//! Whatever is read from the journal after a crash leads to the same end: a step that was begun is checked
//! first and acted on again, which is harmless since every action is idempotent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::journal::{Accepted, Journal, SUPERSEDED};
use super::ledger::{Ended, StepState};
use super::package::{Opened, PackageFile};
use super::preflight;
use super::skew::Skew;
use super::steps::{self, Context, Move, Verdict};
use crate::dag::{Phase, spec};
use crate::model::{DeviceFacts, Feature, Op, Problem, RecoveryPassword, Retry, SURVEY_SECS_MAX, Survey};
use crate::port::{Clock, DeviceAction, DeviceOs, Result};
use crate::trust::{BoxedFor, Opener};
use crate::wire::{AgentEventKind, NOT_READY, ORDER_EXPIRED, RECOVERY_PASSWORD, Step, StepKind, Task, WorkOrder};

/// First wait between two readings, in seconds.
const POLL_SECS: u64 = 2;

/// Returns the longest wait between two readings: seldom enough to cost nothing, often enough to lose little.
fn poll_secs_max(time_limit_secs: u32) -> u64 {
    u64::from(time_limit_secs / 60).clamp(30, 120)
}

/// Longest time that a restart waits for events to be sent; a restart is announced for longer (domain.md B15).
const DRAIN_SECS: u64 = 10;
/// How often a step may be taken up beyond its attempts: a device that dies of a step mustn't do so for ever.
const RESUMES_MAX: u32 = 20;

/// Why the runner stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The device restarts.
    Restarting,
    /// Nothing of the order in hand is left that may be done.
    Idle,
    /// It was asked to stop, and did so between two actions.
    Cancelled,
}

/// Carries orders out on one device.
pub struct Runner {
    os: Arc<dyn DeviceOs>,
    clock: Arc<dyn Clock>,
    journal: Mutex<Journal>,
    package: PackageFile,
    recovery: Mutex<Option<RecoveryPassword>>,
    opener: Arc<Opener>,
    skew: Arc<Skew>,
    cancel: CancellationToken,
    /// A new order is in hand.
    pub(super) ordered: Notify,
    /// A new event waits to be sent.
    pub(super) happened: Notify,
    /// The controller has events on its disk.
    pub(super) sent: Notify,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").finish_non_exhaustive()
    }
}

/// How one attempt ended.
enum Attempt {
    Done(Seen),
    Failed(Problem),
    /// Nothing but time was missing.
    TimeOut(Problem),
    Stopped(Stop),
}

/// What one look at the device showed.
struct Look {
    facts: DeviceFacts,
    error: Option<Problem>,
    delivery: Option<Opened>,
    survey: Option<Survey>,
    recovery: Option<RecoveryPassword>,
}

/// What the reading that counts showed.
struct Seen {
    facts: Box<DeviceFacts>,
    /// When the survey of a preflight was taken.
    surveyed: Option<Timestamp>,
}

/// Whether the point of no return may be passed.
enum Boundary {
    Open,
    Closed(Problem),
    Stopped(Stop),
}

/// One attempt at one step.
struct Attempted<'a> {
    order: &'a WorkOrder,
    step: Step,
    attempt: u32,
    since: Timestamp,
    restarted: bool,
}

impl Runner {
    /// Returns a runner on an open journal.
    #[must_use]
    pub fn new(
        os: Arc<dyn DeviceOs>,
        clock: Arc<dyn Clock>,
        journal: Journal,
        folder: &std::path::Path,
        opener: Arc<Opener>,
        skew: Arc<Skew>,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            os,
            clock,
            package: PackageFile::in_folder(folder, journal.durability(), Arc::clone(&opener)),
            journal: Mutex::new(journal),
            recovery: Mutex::default(),
            opener,
            skew,
            cancel,
            ordered: Notify::new(),
            happened: Notify::new(),
            sent: Notify::new(),
        }
    }

    /// Gives access to the journal, for as long as the closure runs.
    pub fn journal<T>(&self, f: impl FnOnce(&mut Journal) -> T) -> T {
        f(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Accepts an order and keeps its package while it is still needed.
    ///
    /// # Errors
    /// `order.*` where it is refused, `agent.*` where the disk refuses.
    pub fn accept(&self, order: &WorkOrder) -> Result<Accepted> {
        self.package.check(order)?;
        let password = self.password(order)?;
        let accepted = self.journal(|journal| {
            let other_run = journal.order().is_some_and(|old| old.run != order.run);
            let accepted = journal.accept(order)?;
            if other_run {
                self.package.wipe()?;
            }
            let joined = journal.step(Step { op: Op::VerifyJoin, kind: StepKind::Do }).outcome == Some(Ended::Done);
            // The bytes come after the order: an order that is known and whose package isn't gets it again.
            match &order.package {
                Some(package) if !joined && !puts_back(order) && !package.content.is_empty() => {
                    self.package.keep(order, package)?;
                }
                _ => {}
            }
            Ok::<_, Problem>(accepted)
        })?;
        if password.is_some() && !puts_back(order) {
            self.set_recovery(password);
        }
        self.ordered.notify_one();
        Ok(accepted)
    }

    /// Opens the recovery administrator's password of an order.
    fn password(&self, order: &WorkOrder) -> Result<Option<RecoveryPassword>> {
        let Some(sealed) = &order.recovery else { return Ok(None) };
        let about = BoxedFor { device: &order.task.device, run: Some(order.run), what: RECOVERY_PASSWORD };
        let wrong = |why: String| {
            Problem::new("order.sealed", format!("a secret of the order for {} can't be opened", order.task.device))
                .detail(why)
                .next("the controller seals it anew with the next order")
        };
        let bytes = self.opener.open(&about, sealed).map_err(wrong)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it isn't text".to_owned()))?;
        Ok(Some(RecoveryPassword::new(text.to_owned())))
    }

    fn event(&self, order: &WorkOrder, step: Step, kind: AgentEventKind) -> Result<()> {
        let at = self.clock.now();
        self.journal(|journal| journal.event(order.run, at, step, kind))?;
        self.happened.notify_one();
        Ok(())
    }

    /// Carries out what the order in hand still asks for.
    ///
    /// # Errors
    /// `agent.*` where the journal can't be written: nothing may be done then.
    pub async fn work(&self) -> Result<Stop> {
        loop {
            if self.cancel.is_cancelled() {
                return Ok(Stop::Cancelled);
            }
            let Some(order) = self.journal(|journal| journal.order().cloned()) else { return Ok(Stop::Idle) };
            let Some(step) = self.next_step(&order) else {
                return Ok(Stop::Idle);
            };
            match self.carry_out(&order, step).await {
                Ok(None) => {}
                Ok(Some(stop)) => return Ok(stop),
                Err(problem) if problem.code == SUPERSEDED => {}
                Err(problem) => return Err(problem),
            }
        }
    }

    /// Returns the first step that has to be looked at; none where the order is done or has come to a halt.
    fn next_step(&self, order: &WorkOrder) -> Option<Step> {
        // An order that puts back begins nothing any more.
        let putting_back = puts_back(order);
        for step in order.steps.iter().filter(|step| !putting_back || step.kind == StepKind::Undo) {
            match self.journal(|journal| journal.step(*step)).outcome {
                Some(Ended::Done) => {}
                Some(Ended::Pending(generation)) if generation < order.generation => return Some(*step),
                Some(Ended::Failed | Ended::Pending(_)) => return None,
                None => return Some(*step),
            }
        }
        None
    }

    /// Carries one step out. `None` means that its outcome is in the journal.
    async fn carry_out(&self, order: &WorkOrder, step: Step) -> Result<Option<Stop>> {
        let mut state = self.journal(|journal| journal.step(step));
        if state.started.is_none() || state.outcome.is_some() {
            if let Some(problem) = self.too_late(order, step) {
                self.event(order, step, AgentEventKind::Failed(problem))?;
                return Ok(None);
            }
            match self.boundary(order, step).await? {
                Boundary::Open => {}
                Boundary::Closed(problem) => {
                    // Before `Started`: nothing was done, so the device can still be put back.
                    self.event(order, step, AgentEventKind::Failed(problem))?;
                    return Ok(None);
                }
                Boundary::Stopped(stop) => return Ok(Some(stop)),
            }
            if let Some(seen) = self.holds_already(order, step).await {
                return self.done(order, step, seen, true).await.map(|()| None);
            }
            self.event(order, step, AgentEventKind::Started)?;
            state = self.journal(|journal| journal.step(step));
        } else {
            let attempt = state.attempt.map_or(1, |(attempt, _)| attempt);
            let since = state.attempt.map_or(self.clock.now(), |(_, since)| since);
            self.journal(|journal| journal.attempt(order.run, since, step, attempt))?;
        }
        self.attempts(order, step, state).await
    }

    fn too_late(&self, order: &WorkOrder, step: Step) -> Option<Problem> {
        let late =
            step.kind == StepKind::Do && spec(step.op).phase == Phase::Reversible && self.clock.now() > order.not_after;
        late.then(|| {
            let message = format!(
                "the order for {} ended at {}, before {} was begun",
                order.task.device, order.not_after, step.op
            );
            Problem::new(ORDER_EXPIRED, message).next("apply again")
        })
    }

    async fn holds_already(&self, order: &WorkOrder, step: Step) -> Option<Seen> {
        let look = Look { delivery: None, ..self.look(surveys(step)).await.ok()? };
        let holds = verdict(step, &context(order, 1, &look, &[])) == Verdict::Holds;
        holds.then(|| look.into())
    }

    /// Passes the point of no return on fresh evidence alone: what is older than an hour is taken again, and a device
    /// that isn't ready any more begins nothing (domain.md B3 step 1, B15).
    async fn boundary(&self, order: &WorkOrder, step: Step) -> Result<Boundary> {
        if !self.is_boundary(order, step) {
            return Ok(Boundary::Open);
        }
        let now = self.clock.now();
        let fresh = self.journal(|journal| journal.evidence_at()).is_some_and(|at| {
            let age = now.duration_since(at).as_secs();
            (0..SURVEY_SECS_MAX).contains(&age)
        });
        if fresh {
            return Ok(Boundary::Open);
        }
        let row = spec(Op::Preflight);
        let mut problem = None;
        for attempt in 0..row.attempts.max(1) {
            if attempt > 0 && !self.wait(u64::from(row.backoff_secs) << attempt.min(10)).await {
                return Ok(Boundary::Stopped(Stop::Cancelled));
            }
            match self.look(true).await {
                Err(failed) => problem = Some(failed),
                Ok(look) => {
                    let failed = preflight::failed_checks(&context(order, 1, &look, &[]), false);
                    if failed.is_empty() {
                        let at = look.survey.as_ref().map_or(now, |survey| survey.at);
                        self.journal(|journal| journal.evidence(order.run, at))?;
                        return Ok(Boundary::Open);
                    }
                    return Ok(Boundary::Closed(not_ready(&order.task, &failed.join("; "))));
                }
            }
        }
        let why = problem.map_or_else(|| "it couldn't be looked at".to_owned(), |problem| problem.to_string());
        Ok(Boundary::Closed(not_ready(&order.task, &why)))
    }

    /// Says whether a step is the first past the point of no return, of an order that began before it.
    fn is_boundary(&self, order: &WorkOrder, step: Step) -> bool {
        let past = |step: &Step| step.kind == StepKind::Do && spec(step.op).phase != Phase::Reversible;
        let begun = |step: &Step| {
            let state = self.journal(|journal| journal.step(*step));
            state.started.is_some() || state.outcome.is_some()
        };
        past(&step)
            && order.steps.contains(&Step { op: Op::Preflight, kind: StepKind::Do })
            && !order.steps.iter().any(|step| past(step) && begun(step))
    }

    async fn attempts(&self, order: &WorkOrder, step: Step, state: StepState) -> Result<Option<Stop>> {
        let row = spec(step.op);
        let (mut attempt, mut since) = state.attempt.unwrap_or((1, self.clock.now()));
        let mut restarted = state.restarting && self.came_up_again(&state).await;
        let taken_up = state.taken_up;
        loop {
            if taken_up > row.attempts + RESUMES_MAX {
                let message =
                    format!("{} was taken up {taken_up} times on {} without an end", step.op, order.task.device);
                let problem = Problem::new("step.crash-loop", message).next("look at the device: it ends in this step");
                self.event(order, step, AgentEventKind::Failed(problem))?;
                return Ok(None);
            }
            let outcome = self.attempt(&Attempted { order, step, attempt, since, restarted }).await?;
            let (problem, timed_out) = match outcome {
                Attempt::Done(seen) => return self.done(order, step, seen, false).await.map(|()| None),
                Attempt::Stopped(stop) => return Ok(Some(stop)),
                Attempt::Failed(problem) => (problem, false),
                Attempt::TimeOut(problem) => (problem, true),
            };
            if attempt >= row.attempts || problem.retry == Retry::No {
                // What only lacks time in the cloud isn't broken; the next order looks again.
                let pends = row.may_pend && step.kind == StepKind::Do && (timed_out || problem.retry != Retry::No);
                let kind = if pends { AgentEventKind::Pending(problem) } else { AgentEventKind::Failed(problem) };
                self.event(order, step, kind)?;
                return Ok(None);
            }
            let pause = u64::from(row.backoff_secs) << (attempt - 1).min(10);
            if !self.wait(pause).await {
                return Ok(Some(Stop::Cancelled));
            }
            attempt += 1;
            since = self.clock.now();
            restarted = false;
            self.journal(|journal| journal.attempt(order.run, since, step, attempt))?;
        }
    }

    /// Reads, and moves on, until the postcondition holds or the attempt's time is up.
    async fn attempt(&self, it: &Attempted<'_>) -> Result<Attempt> {
        let (step, task) = (it.step, &it.order.task);
        let row = spec(step.op);
        let limit = later(it.since, u64::from(row.time_limit_secs));
        let settle = u64::from(steps::settle_secs(step.op).unwrap_or(row.time_limit_secs));
        let mut performed: Vec<DeviceAction> = Vec::new();
        let mut last: Vec<DeviceAction> = Vec::new();
        // After a restart the effect gets its time before anything is done again.
        let mut quiet_until = it.restarted.then(|| later(self.clock.now(), settle).min(limit));
        let mut pause = POLL_SECS;
        loop {
            if self.cancel.is_cancelled() {
                return Ok(Attempt::Stopped(Stop::Cancelled));
            }
            if self.journal(|journal| journal.order().is_none_or(|order| order.run != it.order.run)) {
                return Ok(Attempt::Stopped(Stop::Idle));
            }
            let waiting_for = match self.look(surveys(step)).await {
                Err(problem) => problem,
                Ok(look) => {
                    let context = context(it.order, it.attempt, &look, &performed);
                    let verdict = verdict(step, &context);
                    if verdict == Verdict::Holds && (it.restarted || !restarts(step)) {
                        return Ok(Attempt::Done(look.into()));
                    }
                    let quiet = quiet_until.is_some_and(|until| self.clock.now() < until);
                    match next_move(step, &context) {
                        Move::Refuse(problem) => return Ok(Attempt::Failed(problem)),
                        Move::NeedsOrder(_) => return Ok(Attempt::Stopped(Stop::Idle)),
                        Move::Act(actions) if !quiet && stripped(&actions) != last => {
                            match self.perform(it, &actions).await? {
                                Ok(()) => {
                                    last = stripped(&actions);
                                    performed.extend(last.iter().cloned());
                                    quiet_until = Some(later(self.clock.now(), settle).min(limit));
                                    pause = POLL_SECS;
                                    continue;
                                }
                                // Nobody answered: what came of it is read before it is done again, in this attempt.
                                Err(Attempt::Failed(problem)) if problem.retry == Retry::ReadFirst => {
                                    quiet_until = None;
                                    problem
                                }
                                Err(other) => return Ok(other),
                            }
                        }
                        Move::Act(_) => not_so(step, task, &verdict),
                        Move::Wait(what) => {
                            quiet_until = None;
                            waited_for(step, task, &verdict, &what)
                        }
                    }
                }
            };
            let end = quiet_until.unwrap_or(limit);
            if self.clock.now() >= end {
                return Ok(Attempt::TimeOut(waiting_for));
            }
            if !self.wait(pause).await {
                return Ok(Attempt::Stopped(Stop::Cancelled));
            }
            pause = (pause * 2).min(poll_secs_max(row.time_limit_secs));
        }
    }

    /// Carries actions out in order, up to one that fails or ends the process.
    async fn perform(&self, it: &Attempted<'_>, actions: &[DeviceAction]) -> Result<std::result::Result<(), Attempt>> {
        for action in actions {
            if self.cancel.is_cancelled() {
                return Ok(Err(Attempt::Stopped(Stop::Cancelled)));
            }
            if *action == DeviceAction::Restart {
                return self.restart(it).await.map(Err);
            }
            if let Err(problem) = self.os.perform(action).await {
                return Ok(Err(Attempt::Failed(problem)));
            }
        }
        Ok(Ok(()))
    }

    async fn restart(&self, it: &Attempted<'_>) -> Result<Attempt> {
        let boot = match self.os.boot().await {
            Ok(boot) => boot,
            Err(problem) => return Ok(Attempt::Failed(problem)),
        };
        self.journal(|journal| journal.restart(it.order.run, it.step, boot))?;
        self.event(it.order, it.step, AgentEventKind::Restarting)?;
        self.drain().await;
        Ok(match self.os.perform(&DeviceAction::Restart).await {
            Ok(()) => Attempt::Stopped(Stop::Restarting),
            Err(problem) => Attempt::Failed(problem),
        })
    }

    /// Says whether the device was restarted since the restart was ordered. Where that can't be read it counts as
    /// not restarted: one restart too many harms nobody, a missing one leaves the join undone.
    async fn came_up_again(&self, state: &StepState) -> bool {
        match (state.boot, self.os.boot().await) {
            (Some(ordered_in), Ok(boot)) => boot != ordered_in,
            (None, _) | (_, Err(_)) => false,
        }
    }

    /// Gives the events a moment to be sent before the device goes down; what isn't is sent afterwards.
    async fn drain(&self) {
        let sent = async {
            loop {
                let sent = self.sent.notified();
                if self.journal(|journal| journal.unsent(1)).is_none() {
                    return;
                }
                sent.await;
            }
        };
        tokio::select! {
            () = sent => {}
            () = self.cancel.cancelled() => {}
            () = self.clock.sleep(Duration::from_secs(DRAIN_SECS)) => {}
        }
    }

    async fn look(&self, survey: bool) -> Result<Look> {
        let facts = self.os.inspect().await?;
        let error = self.os.last_join_error().await?;
        let mut survey = if survey { Some(self.os.survey().await?) } else { None };
        if let Some(survey) = &mut survey {
            self.skew.fill(survey);
        }
        Ok(Look { facts, error, delivery: self.package.read()?, survey, recovery: self.recovery() })
    }

    /// Returns the recovery administrator's password of the order in hand. It is never on disk: an agent that was
    /// restarted has none until the order comes again.
    fn recovery(&self) -> Option<RecoveryPassword> {
        self.recovery.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the password out of an order, or forgets the one in hand.
    fn set_recovery(&self, password: Option<RecoveryPassword>) {
        *self.recovery.lock().unwrap_or_else(PoisonError::into_inner) = password;
    }

    async fn done(&self, order: &WorkOrder, step: Step, seen: Seen, already: bool) -> Result<()> {
        let Seen { facts, surveyed } = seen;
        if let Some(at) = surveyed {
            self.journal(|journal| journal.evidence(order.run, at))?;
        }
        let wants_hash = step.op == Op::Preflight && order.task.features.has(Feature::Autopilot);
        let hardware_hash = if wants_hash { self.os.hardware_hash().await.unwrap_or_default() } else { None };
        if step.op == Op::Arm {
            self.set_recovery(None);
        }
        // Before the outcome is written: a crash in between wipes again, and the other order might never.
        if matches!((step.op, step.kind), (Op::VerifyJoin | Op::CleanUp, StepKind::Do) | (Op::Stage, StepKind::Undo)) {
            self.package.wipe()?;
        }
        self.event(order, step, AgentEventKind::Done { facts, already, hardware_hash })
    }

    /// Waits, and says whether it may go on.
    async fn wait(&self, secs: u64) -> bool {
        tokio::select! {
            () = self.cancel.cancelled() => false,
            () = self.clock.sleep(Duration::from_secs(secs)) => true,
        }
    }
}

fn later(from: Timestamp, secs: u64) -> Timestamp {
    let secs = i64::try_from(secs).unwrap_or(i64::MAX);
    from.saturating_add(SignedDuration::from_secs(secs)).unwrap_or(Timestamp::MAX)
}

impl From<Look> for Seen {
    fn from(look: Look) -> Self {
        Self { facts: Box::new(look.facts), surveyed: look.survey.map(|survey| survey.at) }
    }
}

fn context<'a>(order: &'a WorkOrder, attempt: u32, look: &'a Look, performed: &'a [DeviceAction]) -> Context<'a> {
    Context {
        run: order.run,
        task: &order.task,
        facts: &look.facts,
        survey: look.survey.as_ref(),
        delivery: look.delivery.as_ref(),
        recovery: look.recovery.as_ref(),
        join_error: look.error.as_ref(),
        attempt,
        performed,
    }
}

/// Says whether a step is decided on a survey.
fn surveys(step: Step) -> bool {
    step == Step { op: Op::Preflight, kind: StepKind::Do }
}

fn not_ready(task: &Task, why: &str) -> Problem {
    Problem::new(NOT_READY, format!("{} isn't ready any more, and hasn't left anything yet: {why}", task.device))
        .next("mend what is named and apply again; the device is put back")
}

fn verdict(step: Step, context: &Context<'_>) -> Verdict {
    match step.kind {
        StepKind::Do => steps::check(step.op, context),
        StepKind::Undo => steps::undone(step.op, context),
    }
}
fn next_move(step: Step, context: &Context<'_>) -> Move {
    match step.kind {
        StepKind::Do => steps::act(step.op, context),
        StepKind::Undo => steps::undo(step.op, context),
    }
}
fn puts_back(order: &WorkOrder) -> bool {
    order.steps.iter().any(|step| step.kind == StepKind::Undo)
}
fn restarts(step: Step) -> bool {
    step.kind == StepKind::Do && spec(step.op).reboots
}

/// Returns the actions as they may be kept: without the package's bytes and the recovery password.
fn stripped(actions: &[DeviceAction]) -> Vec<DeviceAction> {
    let strip = |action: &DeviceAction| match action {
        DeviceAction::PlacePackage { name, sha256, .. } => {
            DeviceAction::PlacePackage { name: name.clone(), sha256: *sha256, content: String::new().into() }
        }
        DeviceAction::Arm { suspend_reboots, .. } => {
            DeviceAction::Arm { suspend_reboots: *suspend_reboots, recovery: None }
        }
        other => other.clone(),
    };
    actions.iter().map(strip).collect()
}

fn what(step: Step) -> String {
    match step.kind {
        StepKind::Do => step.op.to_string(),
        StepKind::Undo => format!("putting {} back", step.op),
    }
}
fn why(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Holds => "the device hasn't restarted",
        Verdict::No(why) | Verdict::Unknown(why) => why,
    }
}
/// The actions said they worked, and the facts say they didn't.
fn not_so(step: Step, task: &Task, verdict: &Verdict) -> Problem {
    Problem::new("step.not-so", format!("{} had no effect on {}: {}", what(step), task.device, why(verdict)))
        .next("look at the device: something undoes or blocks the change")
        .retry(Retry::Soon)
}
fn waited_for(step: Step, task: &Task, verdict: &Verdict, what_for: &str) -> Problem {
    Problem::new("step.time-out", format!("{} on {} waited for {what_for}: {}", what(step), task.device, why(verdict)))
        .next("the next run looks again")
        .retry(Retry::Soon)
}
