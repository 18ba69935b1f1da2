//! The agent's journal on the device: JSON lines, appended and synced before anything is done.
//!
//! | entry | written |
//! |---|---|
//! | `order` | when an order is accepted; without the package's bytes |
//! | `event` | before acting (`Started`, `Restarting`) and after reading back (`Done`, `Failed`, `Pending`) |
//! | `attempt` | before every attempt but the first, and whenever a step is taken up again |
//! | `evidence` | when the evidence was taken that lets the device pass the point of no return |
//! | `acknowledged` | when the controller has events on its disk |
//!
//! A line that a power cut tore is dropped: it was never acted on. Damage anywhere else is an error.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{DeviceName, Problem, Retry, RunId};
use crate::port::Result;
use crate::wire::{AgentEvent, AgentEventKind, FORMAT, Step, WorkOrder};

/// Code of the problem that an order of another run took the place of the one that is worked on.
pub const SUPERSEDED: &str = "order.superseded";

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Entry {
    Order(Box<WorkOrder>),
    Event { run: RunId, event: AgentEvent },
    Attempt { step: Step, attempt: u32, at: Timestamp },
    Restart { step: Step, boot: u64 },
    Evidence { at: Timestamp },
    Acknowledged { run: RunId, seq: u64 },
}

/// How a step stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepState {
    /// It was begun.
    pub started: Option<Timestamp>,
    /// Which attempt is under way, from 1, and since when.
    pub attempt: Option<(u32, Timestamp)>,
    /// How often it was taken up: attempts and resumptions.
    pub taken_up: u32,
    /// A restart was ordered in this attempt.
    pub restarting: bool,
    /// Which boot the restart was ordered in.
    pub boot: Option<u64>,
    /// How it ended, if it did.
    pub outcome: Option<Ended>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Read back.
    Done,
    /// Given up.
    Failed,
    /// Not there yet, as of an order of this generation.
    Pending(u64),
}

/// What came of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is newer than what was there.
    New,
    /// It is the one in hand.
    Same,
}

/// Where a test ends the agent: right after an entry was written and synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crash {
    /// Number of the entry in the file, from 1.
    pub entry: u64,
    /// End the process, as a kill does; or else fail everything from then on, for tests in one process.
    pub abort: bool,
}

/// What an entry survives once it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The machine's power going: every entry is synced to the disk. For devices.
    PowerLoss,
    /// The process being killed. For emulated devices, whose power cuts are only played.
    Kill,
}

/// The journal of one device. Only one process can hold it.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    device: DeviceName,
    order: Option<WorkOrder>,
    steps: BTreeMap<Step, StepState>,
    last_seq: u64,
    /// When the evidence was taken on which the device was found ready in this run.
    evidence: Option<Timestamp>,
    /// Events that the controller doesn't have yet, in order.
    unsent: Vec<(RunId, AgentEvent)>,
    entries: u64,
    durability: Durability,
    crash: Option<Crash>,
    dead: bool,
}

fn io_problem(path: &Path, what: &str, error: &std::io::Error) -> Problem {
    Problem::new("agent.journal", format!("{what} {} failed", path.display()))
        .next("free space on the disk and check the rights of the agent's folder")
        .detail(error.to_string())
}

/// Returns options that make files which only the agent's account reads. On Windows the folder's access list,
/// which the installation sets to SYSTEM and Administrators, is inherited.
pub(super) fn private_file() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Makes the agent's folder, readable by its own account alone.
pub(super) fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

impl Journal {
    /// Opens or makes the journal of a device in the agent's folder.
    ///
    /// # Errors
    /// `agent.journal` where the disk refuses, `agent.second` where another agent holds it,
    /// `agent.journal-damaged` where a line can't be read.
    pub fn open(folder: &Path, device: &DeviceName, durability: Durability, crash: Option<Crash>) -> Result<Self> {
        let path = folder.join("journal.jsonl");
        let failed = |what: &'static str| {
            let path = path.clone();
            move |e: std::io::Error| io_problem(&path, what, &e)
        };
        make_folder(folder).map_err(failed("making the folder of"))?;
        let mut file = private_file().read(true).append(true).create(true).open(&path).map_err(failed("opening"))?;
        if file.try_lock().is_err() {
            return Err(Problem::new(
                "agent.second",
                format!("another agent works on {device} with {}", path.display()),
            )
            .next("end the other agent, or give this one its own folder"));
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed("reading"))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            file.set_len(whole as u64).map_err(failed("mending"))?;
            file.seek(SeekFrom::End(0)).map_err(failed("mending"))?;
            file.sync_all().map_err(failed("mending"))?;
        }
        let mut journal = Self {
            file,
            path,
            device: device.clone(),
            order: None,
            steps: BTreeMap::new(),
            last_seq: 0,
            evidence: None,
            unsent: Vec::new(),
            entries: 0,
            durability,
            crash,
            dead: false,
        };
        for line in text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            journal.entries += 1;
            // The line may hold names of people, so the parser's words aren't told.
            let entry = serde_json::from_slice(line).map_err(|_| journal.damaged())?;
            journal.take(entry);
        }
        Ok(journal)
    }

    fn damaged(&self) -> Problem {
        Problem::new("agent.journal-damaged", format!("line {} of {} can't be read", self.entries, self.path.display()))
            .next("keep the file for support, and let the controller decide from fresh evidence")
    }

    /// Takes an entry into the picture; the only place that does.
    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Order(order) => {
                if self.order.as_ref().is_none_or(|old| old.run != order.run) {
                    self.steps.clear();
                    self.last_seq = 0;
                    self.evidence = None;
                }
                self.order = Some(*order);
            }
            Entry::Attempt { step, attempt, at } => {
                let state = self.steps.entry(step).or_default();
                state.restarting = state.restarting && state.attempt.is_some_and(|(n, _)| n == attempt);
                state.attempt = Some((attempt, at));
                state.taken_up += 1;
            }
            Entry::Evidence { at } => self.evidence = Some(at),
            Entry::Restart { step, boot } => self.steps.entry(step).or_default().boot = Some(boot),
            Entry::Acknowledged { run, seq } => self.unsent.retain(|(of, event)| *of != run || event.seq > seq),
            Entry::Event { run, event } => {
                self.take_event(&event);
                self.unsent.push((run, event));
            }
        }
    }
    fn take_event(&mut self, event: &AgentEvent) {
        let generation = self.order.as_ref().map_or(0, |order| order.generation);
        self.last_seq = event.seq;
        let state = self.steps.entry(event.step).or_default();
        match &event.kind {
            AgentEventKind::Started => {
                *state = StepState {
                    started: Some(event.at),
                    attempt: Some((1, event.at)),
                    taken_up: 1,
                    ..StepState::default()
                };
            }
            AgentEventKind::Restarting => state.restarting = true,
            AgentEventKind::Done { .. } => state.outcome = Some(Ended::Done),
            AgentEventKind::Failed(_) => state.outcome = Some(Ended::Failed),
            AgentEventKind::Pending(_) => state.outcome = Some(Ended::Pending(generation)),
        }
    }

    fn append(&mut self, entry: Entry) -> Result<()> {
        if self.dead {
            return Err(killed());
        }
        let mut line = serde_json::to_vec(&entry)
            .map_err(|e| Problem::new("agent.journal", "an entry can't be written").detail(e.to_string()))?;
        line.push(b'\n');
        let before = self.file.metadata().map_err(|e| io_problem(&self.path, "reading", &e))?.len();
        let written = self.file.write_all(&line).and_then(|()| match self.durability {
            Durability::PowerLoss => self.file.sync_data(),
            Durability::Kill => Ok(()),
        });
        if let Err(error) = written {
            // A half line in the middle would be damage; where the disk takes nothing more, cut it off.
            drop(self.file.set_len(before));
            return Err(io_problem(&self.path, "writing", &error));
        }
        self.entries += 1;
        self.take(entry);
        if let Some(crash) = self.crash.filter(|crash| crash.entry == self.entries) {
            if crash.abort {
                std::process::abort();
            }
            self.dead = true;
            return Err(killed());
        }
        Ok(())
    }

    /// Returns the order in hand, without the package's bytes.
    #[must_use]
    pub fn order(&self) -> Option<&WorkOrder> {
        self.order.as_ref()
    }
    /// Returns how a step stands.
    #[must_use]
    pub fn step(&self, step: Step) -> StepState {
        self.steps.get(&step).cloned().unwrap_or_default()
    }
    /// Returns what an entry survives.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }
    /// Returns how many entries the file has.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Accepts an order, or says why it is refused.
    ///
    /// # Errors
    /// `order.*` where the order can't be this device's next one, and `agent.journal`.
    pub fn accept(&mut self, order: &WorkOrder) -> Result<Accepted> {
        let order = order.without_secrets();
        if order.format > FORMAT {
            return Err(refused(
                "order.format",
                format!("the order has format {}, newer than this agent", order.format),
            )
            .next("update the agent"));
        }
        if order.task.device != self.device {
            return Err(refused(
                "order.other-device",
                format!("the order is for {}, not {}", order.task.device, self.device),
            ));
        }
        if let Some(old) = self.order.as_ref().filter(|old| old.run == order.run) {
            if *old == order {
                return Ok(Accepted::Same);
            }
            let message = |what: &str| {
                format!(
                    "generation {} of the order for {} {what} (in hand: {})",
                    order.generation, self.device, old.generation
                )
            };
            if order.generation < old.generation {
                return Err(refused("order.older", message("is older")));
            }
            if order.generation == old.generation {
                return Err(refused("order.changed", message("has other content")));
            }
            if order.plan != old.plan || order.task != old.task {
                return Err(refused("order.other-plan", message("belongs to another plan or task")));
            }
            if !order.steps.starts_with(&old.steps) {
                return Err(refused("order.steps-dropped", message("doesn't hold the steps of the one before")));
            }
        }
        self.append(Entry::Order(Box::new(order)))?;
        Ok(Accepted::New)
    }

    /// Says that a step belongs to a run whose order isn't in hand any more.
    fn current(&self, run: RunId) -> Result<()> {
        if self.order.as_ref().is_some_and(|order| order.run == run) {
            return Ok(());
        }
        Err(Problem::new(SUPERSEDED, format!("{} has an order of another run than {run}", self.device)))
    }

    /// Writes down what happens to a step of the order in hand.
    ///
    /// # Errors
    /// `agent.journal`, and `order.superseded` where the order in hand is of another run.
    pub fn event(&mut self, run: RunId, at: Timestamp, step: Step, kind: AgentEventKind) -> Result<()> {
        self.current(run)?;
        let event = AgentEvent { seq: self.last_seq + 1, at, step, kind };
        self.append(Entry::Event { run, event })
    }
    /// Writes down that a step is taken up: another attempt, or the same one after an interruption.
    ///
    /// # Errors
    /// As [`Journal::event`].
    pub fn attempt(&mut self, run: RunId, at: Timestamp, step: Step, attempt: u32) -> Result<()> {
        self.current(run)?;
        self.append(Entry::Attempt { step, attempt, at })
    }

    /// Writes down in which boot a restart is ordered: an agent that is ended before the device goes down
    /// mustn't believe that it came up again.
    ///
    /// # Errors
    /// As [`Journal::event`].
    pub fn restart(&mut self, run: RunId, step: Step, boot: u64) -> Result<()> {
        self.current(run)?;
        self.append(Entry::Restart { step, boot })
    }

    /// Writes down when the evidence was taken on which the device was found ready.
    ///
    /// # Errors
    /// As [`Journal::event`].
    pub fn evidence(&mut self, run: RunId, at: Timestamp) -> Result<()> {
        self.current(run)?;
        self.append(Entry::Evidence { at })
    }
    /// Returns when the evidence was taken on which the device was found ready in the run in hand.
    #[must_use]
    pub fn evidence_at(&self) -> Option<Timestamp> {
        self.evidence
    }

    /// Returns the oldest events that the controller doesn't have, all of one run.
    #[must_use]
    pub fn unsent(&self, events_max: usize) -> Option<(RunId, Vec<AgentEvent>)> {
        let run = self.unsent.first()?.0;
        let events = self.unsent.iter().take_while(|(of, _)| *of == run).take(events_max);
        Some((run, events.map(|(_, event)| event.clone()).collect()))
    }
    /// Notes what the controller has on its disk.
    ///
    /// # Errors
    /// `agent.journal`.
    pub fn acknowledge(&mut self, run: RunId, seq: u64) -> Result<()> {
        if self.unsent.iter().any(|(of, event)| *of == run && event.seq <= seq) {
            self.append(Entry::Acknowledged { run, seq })?;
        }
        Ok(())
    }
}

fn refused(code: &str, message: String) -> Problem {
    Problem::new(code, message).next("look at the controller: an agent goes on with the order in hand")
}

/// What a journal answers once a test has ended the agent.
fn killed() -> Problem {
    Problem::new("agent.killed", "the agent was ended here").retry(Retry::No)
}
