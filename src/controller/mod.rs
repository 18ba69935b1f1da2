//! The controller: drives the machine of a run against the ports, and serves the agents.
//!
//! ```text
//! agents ──HTTP── server ── Agents ──┐
//! operations (ops/) ── results ──────┼──► exec: one writer ──► journal ──► act
//! clock, drain ──────────────────────┘
//! ```
//!
//! `exec` is the only one that touches the machine and the journal. Whatever happens is put in a row there,
//! journalled, and only then acted upon or answered. It decides nothing: `run::Machine` does.

mod agents;
pub mod api;
mod credentials;
mod exec;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod laws_report;
mod operations;
mod ops;
mod records;
pub mod recovery;
mod refusals;
mod report;
#[cfg(test)]
mod retirement_laws;
mod serve;
mod server;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use agents::{Agents, Caller, Refusal};
pub use credentials::{Credentials, ENROLMENT, Enrolled, Enrolment, Invited, Known as KnownAgent, Turned};
pub use operations::{Operations, Revoke};
pub use refusals::Refusals;
pub use report::record_of;
pub use serve::{Limits, Security, listen};
pub use server::{serve, serve_with};
pub use telling::stopped;

use crate::audit::{JournalHash, Origin};
use crate::model::{DeviceName, Digest, Op, Problem, RunId, Side, WaveName};
use crate::port::{Clock, Directory, Packages, Result, RunRow, RunState, Store, Tenant, Vault};
use crate::run::{Counts, Entry, Event, Machine, Progress, RunPlan, Status, Stop};
use crate::state::Outcome;
use crate::trust::{ControllerKey, Entropy};

/// Messages that may wait for the writer. A full row makes the server answer 503, which is what an
/// overloaded controller should say; each message is worth one journal write, so the row is short in time.
const INBOX: usize = 1024;

/// What a controller works with.
#[derive(Clone)]
pub struct Ports {
    /// The tenant on each side; with one tenant both sides are the same.
    pub tenants: BTreeMap<Side, Arc<dyn Tenant>>,
    /// Active Directory, where the plan has one.
    pub directory: Option<Arc<dyn Directory>>,
    /// Runs, journal, records.
    pub store: Arc<dyn Store>,
    /// Provisioning packages.
    pub packages: Arc<dyn Packages>,
    /// The world's clock.
    pub clock: Arc<dyn Clock>,
    /// The key that this controller's orders are signed with.
    pub key: Arc<ControllerKey>,
    /// What encrypts the secrets that the controller has to be able to give back.
    pub vault: Arc<dyn Vault>,
    /// Where unpredictable bytes come from.
    pub entropy: Arc<dyn Entropy>,
    /// Who has it carried out: `person@machine`.
    pub actor: String,
}

/// How a controller runs; all of it is for tests of crashes and repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Config {
    /// Abort the process right after this process's n-th journal entry is on disk, before it is acted upon.
    pub kill_after_entry: Option<u64>,
    /// Abort the process right before this process's n-th journal entry is written: what it records is done.
    pub kill_before_entry: Option<u64>,
    /// Stop the controller where the process would be aborted, for tests inside one process.
    pub halt: bool,
    /// Make every change twice in a row: each operation done twice has to equal once.
    pub repeat_acts: bool,
}

/// A new run, or one that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// Begin this one, which goes back to that.
    New(Box<RunPlan>, Box<Origin>),
    /// Take this one up again.
    Resume(RunId),
}

/// How a run ended, or how far it came where it was drained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunReport {
    /// The run.
    pub run: RunId,
    /// The wave.
    pub wave: WaveName,
    /// Outcomes of the devices that have one.
    pub devices: BTreeMap<DeviceName, Outcome>,
    /// Devices by how they stand.
    pub counts: Counts,
    /// Tenant operations with their state and what went wrong.
    pub tenant: Vec<(Op, Status, Option<Problem>)>,
    /// Why the wave stopped.
    pub stop: Option<Stop>,
    /// It was drained: the run is open and can be resumed.
    pub drained: bool,
    /// When it was made, by the world's clock.
    pub began: Timestamp,
    /// When it ended or was drained, by the world's clock.
    pub ended: Timestamp,
}

/// The controller.
pub struct Controller;

impl Controller {
    /// Begins or resumes a run. It goes on by itself until it is finished, drained or dropped.
    ///
    /// # Errors
    /// `run.open` where another run is open, `run.unknown`, `run.ended`, `run.journal-damaged`, `package.*`
    /// where a package isn't the one that was agreed to, `store.*`.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start(begin: Begin, ports: Ports, config: Config) -> Result<Handle> {
        let taken = exec::blocking(|| {
            let taken = match begin {
                Begin::New(plan, origin) => {
                    check_packages(&plan, &*ports.packages)?;
                    return new_run(&*ports.store, *plan, &origin);
                }
                Begin::Resume(run) => resume(&*ports.store, run)?,
            };
            check_packages(taken.machine.plan(), &*ports.packages)?;
            Ok(taken)
        })?;
        let machine = &taken.machine;
        let run = machine.plan().run;
        let (inbox, messages) = mpsc::channel(INBOX);
        let (progress, seen) = watch::channel(machine.progress());
        let (done, finished) = watch::channel(None);
        let stopped = CancellationToken::new();
        let agents = Agents::new(inbox.clone(), &ports, machine.plan());
        let core = exec::Core::new(taken, ports, config, inbox.clone(), stopped.clone());
        tokio::spawn(core.run(messages, progress, done));
        Ok(Handle { run, inbox, agents, progress: seen, finished, stopped })
    }
}

/// A run under way. Dropping it stops the controller where it stands; the run stays open.
pub struct Handle {
    run: RunId,
    inbox: mpsc::Sender<exec::Message>,
    agents: Agents,
    progress: watch::Receiver<Progress>,
    finished: watch::Receiver<Option<Result<RunReport>>>,
    stopped: CancellationToken,
}

impl Handle {
    /// Returns the run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }
    /// Returns the run as people see it; the receiver always has the latest.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }
    /// Returns the agents' side, for [`serve`].
    #[must_use]
    pub fn agents(&self) -> Agents {
        self.agents.clone()
    }
    /// Returns what people may do to the run, for [`api::Api`].
    #[must_use]
    pub fn operations(&self) -> Operations {
        Operations::new(self.run, self.inbox.clone(), self.progress(), Arc::new(self.agents()))
    }
    /// Issues a one-time enrolment token for each of some devices of the run. Earlier ones are void.
    ///
    /// # Errors
    /// `agent.unknown-device`, `agent.no-randomness`, `store.*`.
    pub fn enrolment_tokens(
        &self,
        devices: &[DeviceName],
        valid: SignedDuration,
    ) -> Result<BTreeMap<DeviceName, SecretString>> {
        self.agents.enrolment_tokens(devices, valid)
    }
    /// Begins nothing new: no device, no commit. What is past the boundary finishes its order; then
    /// [`Handle::finished`] returns, and the run stays open.
    pub async fn drain(&self) {
        // A controller that has stopped has nothing to drain.
        drop(self.inbox.send(exec::Message::Drain).await);
    }
    /// Waits until the run is finished or drained. Agents are answered further on until the handle is dropped.
    ///
    /// # Errors
    /// Where the controller had to stop: `store.*`; the run stays open.
    pub async fn finished(&self) -> Result<RunReport> {
        let mut finished = self.finished.clone();
        let stopped = || Problem::new("run.stopped-short", "the controller stopped").next("`opsole apply --resume`");
        let result = finished.wait_for(Option::is_some).await.map_err(|_| stopped())?;
        result.clone().ok_or_else(stopped)?
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.agents.refusals().flush();
        self.stopped.cancel();
    }
}

/// A run that a controller takes in hand.
struct Taken {
    machine: Machine,
    /// Its journal so far.
    journal: JournalHash,
    /// Another controller had it before.
    resumed: bool,
}

fn new_run(store: &dyn Store, plan: RunPlan, origin: &Origin) -> Result<Taken> {
    plan.check().map_err(|why| Problem::new("run.plan-damaged", "the run's plan contradicts itself").detail(why))?;
    if let Some(open) = store.runs()?.into_iter().find(|row| row.state == RunState::Open) {
        return Err(Problem::new("run.open", format!("run {} of {} isn't finished", open.run, open.created))
            .next("finish it with `opsole apply --resume`"));
    }
    let (bytes, text) = (plan.to_bytes(), origin.to_text());
    let note = telling::begun(&plan, &bytes, origin, &text);
    let row = RunRow { run: plan.run, created: plan.created, state: RunState::Open, plan: bytes, origin: Some(text) };
    store.create_run(&row, &[note])?;
    Ok(Taken { machine: Machine::new(plan), journal: JournalHash::default(), resumed: false })
}

fn resume(store: &dyn Store, run: RunId) -> Result<Taken> {
    let row = store.runs()?.into_iter().find(|row| row.run == run).ok_or_else(|| {
        Problem::new("run.unknown", format!("run {run} isn't in the store")).next("`opsole status` lists the runs")
    })?;
    if row.state == RunState::Ended {
        return Err(
            Problem::new("run.ended", format!("run {run} has ended")).next("begin a new one with `opsole apply`")
        );
    }
    let machine = replay(store, &row)?;
    let mut journal = JournalHash::default();
    store.journal(run)?.iter().for_each(|entry| journal.push(entry.at, &entry.body));
    Ok(Taken { machine, journal, resumed: true })
}

/// Returns the machine of a stored run, for `opsole status` and for resuming.
///
/// # Errors
/// `run.plan-damaged`, `run.plan-newer`, `run.journal-damaged`, `store.*`.
pub fn replay(store: &dyn Store, row: &RunRow) -> Result<Machine> {
    let plan = RunPlan::parse(&row.plan)?;
    let damaged = |why: String| {
        Problem::new("run.journal-damaged", format!("the journal of run {} can't be replayed", row.run))
            .next("restore `.opsole/` from a backup; don't go on with this run")
            .detail(why)
    };
    let rows = store.journal(row.run)?;
    let entries = rows.into_iter().map(|entry| Entry::parse(entry.seq, entry.at, &entry.body));
    let entries = entries.collect::<std::result::Result<Vec<_>, _>>().map_err(|e| damaged(e.to_string()))?;
    Machine::replay(plan, entries).map_err(|e| damaged(e.to_string()))
}

/// Returns the entry that a controller writes when it takes a run in hand.
fn first_event(machine: &Machine) -> Event {
    if machine.has_begun() { Event::Resumed } else { Event::Begun }
}

/// A package that is missing or was replaced is found before any device is touched.
fn check_packages(plan: &RunPlan, packages: &dyn Packages) -> Result<()> {
    let installs = plan.devices.iter().filter(|device| device.ops.iter().any(|step| step.op == Op::ApplyPackage));
    let wanted: BTreeSet<_> = installs.map(|device| (&device.task.package, device.task.package_sha256)).collect();
    for (name, sha256) in wanted {
        let found = Digest::of(&packages.read(name)?);
        if sha256.is_some_and(|agreed| agreed != found) {
            return Err(Problem::new("package.changed", format!("package `{name}` isn't the one that was agreed to"))
                .next("put the right file back, or plan again with the new digest")
                .detail(format!("SHA-256 is {found}")));
        }
    }
    Ok(())
}
