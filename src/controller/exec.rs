//! The one writer: puts everything that happens in a row, journals it, then acts.
//!
//! It holds no decision. Each turn asks the machine for effects, writes their events as one unit, and carries
//! them out. Where a write fails nothing is acted upon and the controller stops; the run stays open.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::agents::Refusal;
use super::ops::{self, RETIRED_AT_A_TIME, Scene, Shared};
use super::records::Records;
use super::{Config, Ports, RunReport, Taken, telling};
use crate::audit::{JournalHash, Note};
use crate::model::{DeviceName, Op, Problem, RunId};
use crate::port::{Clock, Result, Store};
use crate::run::{AgentNote, Effect, Event, Machine, Progress, TenantMark};
use crate::state::{Evidence, Outcome};
use crate::wire::{AgentEventKind, EventReport, StepKind, WorkOrder};

/// Messages that are taken before the machine is asked what follows from them.
const AT_A_TIME: usize = 64;

/// Which secrets belong to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    /// The package.
    pub(super) package: bool,
    /// The recovery administrator's password.
    pub(super) recovery: bool,
}

/// What comes to the writer.
pub(super) enum Message {
    /// An agent asks for an order newer than a generation. Answered when there is one.
    Order { device: DeviceName, after: u64, reply: oneshot::Sender<(WorkOrder, Needs)> },
    /// An agent reports.
    Events { device: DeviceName, report: Box<EventReport>, reply: oneshot::Sender<std::result::Result<u64, Refusal>> },
    /// A device operation ended.
    Ended { device: DeviceName, op: Op, result: Result<()> },
    /// A tenant operation ended.
    TenantEnded { index: u16, undo: bool, result: Result<()> },
    /// An operation has to remember something; answered when it is on disk.
    Note { event: Box<Event>, reply: oneshot::Sender<()> },
    /// Begin nothing new.
    Drain,
}

/// Lets an operation put something into the journal.
#[derive(Clone)]
pub(super) struct Notes {
    pub(super) device: Option<DeviceName>,
    pub(super) index: u16,
    pub(super) op: Op,
    inbox: mpsc::Sender<Message>,
    noted: Arc<std::sync::atomic::AtomicBool>,
}

impl Notes {
    /// Returns when the note is on disk.
    pub(super) async fn add(&self, note: &str) -> Result<()> {
        let gone = || Problem::new("run.stopped-short", "the controller stopped").next("`opsole apply --resume`");
        let (reply, written) = oneshot::channel();
        let (device, note) = (self.device.clone(), note.to_owned());
        let event = Box::new(Event::Noted { device, index: self.index, op: self.op, note });
        self.inbox.send(Message::Note { event, reply }).await.map_err(|_| gone())?;
        written.await.map_err(|_| gone())
    }
    /// Adds a note unless this piece of work has added one.
    pub(super) async fn add_once(&self, note: &str) -> Result<()> {
        if self.noted.swap(true, std::sync::atomic::Ordering::Relaxed) { Ok(()) } else { self.add(note).await }
    }
}

/// The writer.
pub(super) struct Core {
    machine: Machine,
    journal: JournalHash,
    /// Another controller had the run before this one.
    resumed: bool,
    actor: String,
    written: u64,
    config: Config,
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    run: RunId,
    inbox: mpsc::Sender<Message>,
    waiters: BTreeMap<DeviceName, (u64, oneshot::Sender<(WorkOrder, Needs)>)>,
    stopped: CancellationToken,
    ended: Option<Timestamp>,
}

impl Core {
    pub(super) fn new(
        taken: Taken,
        ports: Ports,
        config: Config,
        inbox: mpsc::Sender<Message>,
        stopped: CancellationToken,
    ) -> Self {
        let plan = Arc::clone(taken.machine.plan());
        let records = Records::new(Arc::clone(&ports.store));
        let shared = Shared {
            tenants: ports.tenants,
            directory: ports.directory,
            clock: Arc::clone(&ports.clock),
            records,
            retiring: tokio::sync::Semaphore::new(RETIRED_AT_A_TIME),
            lists: tokio::sync::Mutex::default(),
            plan: Arc::clone(&plan),
        };
        Self {
            machine: taken.machine,
            journal: taken.journal,
            resumed: taken.resumed,
            actor: ports.actor,
            written: 0,
            config,
            shared: Arc::new(shared),
            store: ports.store,
            clock: ports.clock,
            run: plan.run,
            inbox,
            waiters: BTreeMap::new(),
            stopped,
            ended: None,
        }
    }

    pub(super) async fn run(
        mut self,
        mut messages: mpsc::Receiver<Message>,
        progress: watch::Sender<Progress>,
        done: watch::Sender<Option<Result<RunReport>>>,
    ) {
        if let Err(problem) = self.serve(&mut messages, &progress, &done).await {
            tracing::warn!(%problem, "the controller stops; the run stays open");
            done.send_replace(Some(Err(problem)));
        }
        self.stopped.cancel();
    }

    async fn serve(
        &mut self,
        messages: &mut mpsc::Receiver<Message>,
        progress: &watch::Sender<Progress>,
        done: &watch::Sender<Option<Result<RunReport>>>,
    ) -> Result<()> {
        blocking(|| self.begin())?;
        loop {
            blocking(|| self.turn())?;
            progress.send_replace(self.machine.progress());
            if done.borrow().is_none() && (self.machine.is_finished() || self.is_drained()) {
                done.send_replace(Some(Ok(self.report())));
            }
            let now = self.clock.now();
            let wake = self.machine.wake(now);
            let clock = Arc::clone(&self.clock);
            let message = tokio::select! {
                biased;
                () = self.stopped.cancelled() => return Ok(()),
                message = messages.recv() => message,
                () = sleep_until(&*clock, now, wake) => continue,
            };
            let Some(message) = message else { return Ok(()) };
            blocking(|| self.handle(message))?;
            // What came in the meantime is journalled and answered one by one too, but the machine, whose every look goes
            // over all devices, is asked once for all of it.
            for _ in 1..AT_A_TIME {
                match messages.try_recv() {
                    Ok(message) => blocking(|| self.handle(message))?,
                    Err(_) => break,
                }
            }
        }
    }

    fn begin(&mut self) -> Result<()> {
        let now = self.clock.now();
        let resumed = telling::resumed(self.run, now, &self.actor, self.journal.anchor());
        // A crash came between the last entry and the end of the run in the store.
        if self.machine.is_finished() {
            return self.store.end_run(self.run, &[resumed, telling::ended(self.run, now, self.journal.anchor())]);
        }
        let first = super::first_event(&self.machine);
        self.machine.apply(&first, now).map_err(|illegal| own_fault(&illegal.0))?;
        let told = if self.resumed { vec![resumed] } else { Vec::new() };
        self.write_telling(now, &[first], None, told)?;
        // A crash may have come between the journal and the records that follow from it.
        for device in self.machine.in_flight() {
            self.sync(&device)?;
        }
        Ok(())
    }

    fn is_drained(&self) -> bool {
        self.machine.is_draining() && self.machine.is_quiet()
    }

    fn report(&self) -> RunReport {
        let progress = self.machine.progress();
        RunReport {
            run: self.run,
            wave: progress.wave,
            devices: self.machine.outcomes(),
            counts: progress.counts,
            tenant: progress.tenant,
            stop: progress.stop,
            drained: !progress.finished,
            began: self.machine.plan().created,
            ended: self.ended.unwrap_or_else(|| self.clock.now()),
        }
    }

    /// Carries out what the machine asks for, until it asks for nothing more.
    fn turn(&mut self) -> Result<()> {
        loop {
            let now = self.clock.now();
            let mut events = Vec::new();
            let mut accepted = Vec::new();
            for effect in self.machine.effects(now) {
                if let Effect::FinishDevice { device, outcome } = &effect {
                    self.record_outcome(device, outcome)?;
                }
                let event = effect.event();
                match self.machine.apply(&event, now) {
                    Ok(()) => {}
                    // An effect before it in this answer changed the ground: the machine is asked again.
                    Err(_) if !accepted.is_empty() => break,
                    Err(illegal) => return Err(own_fault(&illegal.0)),
                }
                events.push(event);
                accepted.push(effect);
            }
            if accepted.is_empty() {
                return Ok(());
            }
            self.write(now, &events, None)?;
            for effect in accepted {
                self.act(effect)?;
            }
        }
    }

    fn record_outcome(&self, device: &DeviceName, outcome: &Outcome) -> Result<()> {
        // A device that was never touched has nothing to record; there may be very many of them.
        if matches!(outcome, Outcome::NotStarted(_)) {
            return Ok(());
        }
        match self.machine.plan().device(device) {
            Some(run) => self.shared.records.finish(self.run, &self.machine, &run.task, outcome)?,
            None => return Ok(()),
        }
        super::recovery::retire(&*self.store, device, outcome)
    }

    fn sync(&self, device: &DeviceName) -> Result<()> {
        match self.machine.plan().device(device) {
            Some(run) => self.shared.records.sync(self.run, &self.machine, &run.task),
            None => Ok(()),
        }
    }

    fn act(&mut self, effect: Effect) -> Result<()> {
        match effect {
            Effect::StartDevice { .. } | Effect::FinishDevice { .. } | Effect::GiveUp { .. } => {}
            Effect::Release { device, steps } => {
                if steps.iter().any(|step| step.kind == StepKind::Do) {
                    self.sync(&device)?;
                }
                self.answer_waiter(&device);
            }
            Effect::Run { device, op } => self.run_device(device, op),
            Effect::Tenant { index, undo } => self.run_tenant(index, undo),
            Effect::FinishRun => {
                let now = self.clock.now();
                self.ended = Some(now);
                self.store.end_run(self.run, &[telling::ended(self.run, now, self.journal.anchor())])?;
            }
        }
        Ok(())
    }

    fn notes(&self, device: Option<DeviceName>, index: u16, op: Op) -> Notes {
        Notes { device, index, op, inbox: self.inbox.clone(), noted: Arc::default() }
    }

    fn run_device(&self, device: DeviceName, op: Op) {
        let Some(run) = self.machine.plan().device(&device) else { return };
        let scene = Scene {
            shared: Arc::clone(&self.shared),
            task: run.task.clone(),
            ops: run.ops.iter().map(|step| step.op).collect(),
            seen: self.machine.seen(&device).cloned(),
            new_device: self.machine.new_device(&device),
            notes: self.notes(Some(device.clone()), 0, op),
            noted: self.machine.notes(Some(&device), 0, op),
        };
        let work = ops::device_work(op, scene);
        self.spawn(op, work, move |result| Message::Ended { device, op, result });
    }

    fn run_tenant(&self, index: u16, undo: bool) {
        let plan = self.machine.plan();
        let all: Vec<_> = plan.tenant_before.iter().chain(&plan.tenant_after).collect();
        let Some(run) = all.get(usize::from(index)).copied() else { return };
        // What the exclusion of the same policy noted belongs to its restoration too.
        let related = (0..).zip(&all).filter(|(_, other)| {
            other.op == Op::ExcludePackageAccount
                && (&other.policy, &other.group, &other.account) == (&run.policy, &run.group, &run.account)
        });
        let noted = related.flat_map(|(other, run)| self.machine.notes(None, other, run.op)).collect();
        let notes = self.notes(None, index, run.op);
        let work = ops::tenant_work(Arc::clone(&self.shared), run.clone(), undo, notes, noted);
        self.spawn(run.op, work, move |result| Message::TenantEnded { index, undo, result });
    }

    fn spawn(
        &self,
        op: Op,
        work: Option<Box<dyn ops::Work>>,
        message: impl FnOnce(Result<()>) -> Message + Send + 'static,
    ) {
        let (clock, inbox, stopped) = (Arc::clone(&self.clock), self.inbox.clone(), self.stopped.clone());
        let acts = if self.config.repeat_acts { 2 } else { 1 };
        tokio::spawn(async move {
            let work = async {
                match &work {
                    Some(work) => ops::carry_out(op, &**work, &*clock, acts).await,
                    None => Err(own_fault(&format!("{op} has no part of the controller"))),
                }
            };
            tokio::select! {
                biased;
                () = stopped.cancelled() => {}
                // A controller that is gone needs no answer: the next one begins the operation again.
                result = work => drop(inbox.send(message(result)).await),
            }
        });
    }

    fn handle(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Order { device, after, reply } => {
                self.waiters.insert(device.clone(), (after, reply));
                self.answer_waiter(&device);
                Ok(())
            }
            Message::Events { device, report, reply } => {
                let answer = self.hear(&device, &report)?;
                // An agent that hung up asks again and gets the same answer.
                drop(reply.send(answer));
                Ok(())
            }
            Message::Ended { device, op, result } => {
                let event = match result {
                    Ok(()) => Event::Done { device, op },
                    Err(problem) => Event::Failed { device, op, problem },
                };
                self.record(&event)
            }
            Message::TenantEnded { index, undo, result } => {
                let mark = match (undo, result) {
                    (false, Ok(())) => TenantMark::Done,
                    (false, Err(problem)) => TenantMark::Failed(problem),
                    (true, Ok(())) => TenantMark::Undone,
                    (true, Err(problem)) => TenantMark::UndoFailed(problem),
                };
                self.record(&Event::Tenant { index, mark })
            }
            Message::Note { event, reply } => {
                self.record(&event)?;
                if reply.send(()).is_err() {
                    tracing::debug!("an operation ended before its note was written");
                }
                Ok(())
            }
            Message::Drain if self.machine.is_draining() || self.machine.is_finished() => Ok(()),
            Message::Drain => self.record(&Event::Draining),
        }
    }

    fn answer_waiter(&mut self, device: &DeviceName) {
        let Some(order) = self.machine.order(device) else { return };
        if self.waiters.get(device).is_some_and(|(after, _)| order.generation > *after)
            && let Some((_, reply)) = self.waiters.remove(device)
        {
            let needs = Needs {
                package: self.machine.order_has_package(device),
                recovery: self.machine.order_has_recovery(device),
            };
            drop(reply.send((order, needs)));
        }
    }

    /// Takes an agent's report: what is known is passed over, a gap or a step that wasn't ordered is refused.
    fn hear(&mut self, device: &DeviceName, report: &EventReport) -> Result<std::result::Result<u64, Refusal>> {
        if report.run != self.run {
            return Ok(Err(Refusal::conflict(
                "agent.other-run",
                format!("this is run {}, not {}", self.run, report.run),
            )));
        }
        let known = self.machine.heard(device);
        let fresh: Vec<_> = report.events.iter().filter(|event| event.seq > known).collect();
        if let Some((expected, _)) = (known + 1..).zip(&fresh).find(|(expected, event)| event.seq != *expected) {
            let what = format!("event {expected} of {device} is expected next");
            return Ok(Err(Refusal::conflict("agent.event-gap", what)));
        }
        let now = self.clock.now();
        let (mut events, mut refusal, mut latest) = (Vec::new(), None, None);
        for reported in fresh {
            let note = AgentNote::from(&reported.kind);
            let event = Event::Agent { device: device.clone(), seq: reported.seq, step: reported.step, note };
            if let Err(illegal) = self.machine.apply(&event, now) {
                refusal = Some(Refusal::conflict("agent.event-refused", illegal.0));
                break;
            }
            events.push(event);
            if let AgentEventKind::Done { facts, hardware_hash, .. } = &reported.kind {
                latest = Some((reported.at, facts));
                if let Some(hash) = hardware_hash {
                    self.shared.records.update(self.run, device, |record| record.hardware_hash = Some(hash.clone()))?;
                }
            }
        }
        // Before the journal: the agent repeats what wasn't acknowledged, so nothing is lost in between.
        if let Some((at, facts)) = latest {
            let survey = self.store.evidence_of(device)?.and_then(|kept| kept.survey);
            self.store.set_evidence(device, &Evidence { at, facts: (**facts).clone(), survey })?;
        }
        if !events.is_empty() {
            self.write(now, &events, Some(device))?;
            if self.machine.new_device(device).is_some() {
                self.sync(device)?;
            }
        }
        Ok(refusal.map_or_else(|| Ok(self.machine.heard(device)), Err))
    }

    fn record(&mut self, event: &Event) -> Result<()> {
        let now = self.clock.now();
        self.machine.apply(event, now).map_err(|illegal| own_fault(&illegal.0))?;
        self.write(now, std::slice::from_ref(event), None)
    }

    /// Writes events that the machine has taken. Nothing is acted upon before this returned.
    fn write(&mut self, at: Timestamp, events: &[Event], agent: Option<&DeviceName>) -> Result<()> {
        self.write_telling(at, events, agent, Vec::new())
    }

    /// The same, with what goes into the list besides what the events tell by themselves.
    fn write_telling(
        &mut self,
        at: Timestamp,
        events: &[Event],
        agent: Option<&DeviceName>,
        mut told: Vec<Note>,
    ) -> Result<()> {
        let watched = self.config.kill_after_entry.is_some() || self.config.kill_before_entry.is_some();
        if !watched {
            return self.append(at, events, agent, told);
        }
        for event in events {
            self.die_at(self.config.kill_before_entry)?;
            self.append(at, std::slice::from_ref(event), agent, std::mem::take(&mut told))?;
            self.die_at(self.config.kill_after_entry.map(|entry| entry + 1))?;
        }
        Ok(())
    }

    fn append(
        &mut self,
        at: Timestamp,
        events: &[Event],
        agent: Option<&DeviceName>,
        mut told: Vec<Note>,
    ) -> Result<()> {
        let entries: Vec<(Timestamp, String)> = events.iter().map(|event| (at, event.body())).collect();
        let acknowledged = events.iter().rev().find_map(|event| match event {
            Event::Agent { seq, .. } => Some(*seq),
            _ => None,
        });
        let next = self.journal.anchor().entries + 1;
        match (agent, acknowledged) {
            // What agents report is in the journal alone: what comes of it is told when the machine says so.
            (Some(device), Some(seq)) => self.store.append_from_agent(self.run, next, &entries, device, seq)?,
            _ => {
                told.extend(telling::of_events(&self.machine, at, events));
                self.store.append(self.run, next, &entries, &told)?;
            }
        }
        entries.iter().for_each(|(at, body)| self.journal.push(*at, body));
        self.written += events.len() as u64;
        Ok(())
    }

    fn die_at(&self, entry: Option<u64>) -> Result<()> {
        if entry != Some(self.written + 1) {
            return Ok(());
        }
        if !self.config.halt {
            std::process::abort();
        }
        self.stopped.cancel();
        Err(Problem::new("run.halted", "the controller was halted by a test"))
    }
}

/// Runs a store call where it may block: beside the other tasks of a runtime that has several threads.
pub(super) fn blocking<T>(f: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(f),
        _ => f(),
    }
}

async fn sleep_until(clock: &dyn Clock, now: Timestamp, wake: Option<Timestamp>) {
    match wake {
        Some(wake) => {
            let millis = u64::try_from(wake.duration_since(now).as_millis()).unwrap_or(0);
            clock.sleep(Duration::from_millis(millis.max(1))).await;
        }
        None => std::future::pending().await,
    }
}

fn own_fault(why: &str) -> Problem {
    Problem::new("run.illegal", "the controller asked its machine for something impossible")
        .next("this is a bug in opsole: report it; the run is open and `opsole apply --resume` may go on")
        .detail(why)
}
