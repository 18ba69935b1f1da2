//! The agent's journal on the device: JSON lines, appended and synced before anything is done.
//!
//! | entry | written |
//! |---|---|
//! | `order` | when an order is accepted; without the package's bytes |
//! | `event` | before acting (`Started`, `Restarting`) and after reading back (`Done`, `Failed`, `Pending`) |
//! | `attempt` | before every attempt but the first, and whenever a step is taken up again |
//! | `evidence` | when the evidence was taken that lets the device pass the point of no return |
//! | `acknowledged` | when the controller has events on its disk |
//! | `recovered` | when a person had something done on the device itself, `opsole agent recover` |
//!
//! A line that a power cut tore is dropped: it was never acted on. Damage anywhere else is an error.
//!
//! Runs of before go to one file beside it, [`ARCHIVE`], once the controller has all of them: a device that is moved
//! again and again doesn't fill its disk.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::ledger::{Entry, Ledger, Recovered, StepState};
use crate::model::{DeviceName, Problem, Retry, RunId};
use crate::port::Result;
use crate::wire::{AgentEvent, AgentEventKind, FORMAT, Step, WorkOrder};
use jiff::Timestamp;

/// Code of the problem that an order of another run took the place of the one that is worked on.
pub const SUPERSEDED: &str = "order.superseded";

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

/// Where runs of before go; what lay there is replaced.
pub const ARCHIVE: &str = "journal.old.jsonl";
/// Runs of before stay where they are while they are smaller than this, in bytes.
const ARCHIVE_FROM: usize = 256 << 10;
/// Name of the journal in the agent's folder.
const NAME: &str = "journal.jsonl";
/// Who holds this file works on the device. The journal itself isn't locked: Windows lets nobody read what is.
const LOCK: &str = "agent.lock";

/// The journal of one device. Only one process can hold it.
#[derive(Debug)]
pub struct Journal {
    /// Held until the journal is dropped.
    _lock: File,
    file: File,
    path: PathBuf,
    device: DeviceName,
    ledger: Ledger,
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

/// Takes a lock. A program that this process starts just now holds every open file of it for some milliseconds, between its
/// fork and its exec: that isn't another agent.
fn locked(lock: &File) -> bool {
    const LOOKS: u32 = 20;
    (0..LOOKS).any(|look| {
        if look > 0 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        lock.try_lock().is_ok()
    })
}

impl Journal {
    /// Opens or makes the journal of a device in the agent's folder.
    ///
    /// # Errors
    /// `agent.journal` where the disk refuses, `agent.second` where another agent holds it,
    /// `agent.journal-damaged` where a line can't be read.
    pub fn open(folder: &Path, device: &DeviceName, durability: Durability, crash: Option<Crash>) -> Result<Self> {
        let path = folder.join(NAME);
        let failed = |what: &'static str| {
            let path = path.clone();
            move |e: std::io::Error| io_problem(&path, what, &e)
        };
        make_folder(folder).map_err(failed("making the folder of"))?;
        let lock = private_file().write(true).create(true).truncate(false).open(folder.join(LOCK));
        let lock = lock.map_err(failed("making the lock of"))?;
        if !locked(&lock) {
            return Err(Problem::new(
                "agent.second",
                format!("another agent works on {device} with {}", path.display()),
            )
            .next("end the other agent, or give this one its own folder"));
        }
        let mut file = private_file().read(true).append(true).create(true).open(&path).map_err(failed("opening"))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed("reading"))?;
        let whole = whole_lines(&text);
        if whole < text.len() {
            file.set_len(whole as u64).map_err(failed("mending"))?;
            file.seek(SeekFrom::End(0)).map_err(failed("mending"))?;
            file.sync_all().map_err(failed("mending"))?;
        }
        let mut ledger = Ledger::read(&text[..whole]).map_err(|line| damaged(&path, line))?;
        if ledger.begins() >= ARCHIVE_FROM {
            drop(file);
            let (before, current) = text[..whole].split_at(ledger.begins());
            archive(folder, before, current).map_err(failed("archiving"))?;
            ledger = Ledger::read(current).map_err(|line| damaged(&path, line))?;
            file = private_file().read(true).append(true).open(&path).map_err(failed("opening"))?;
        }
        Ok(Self { _lock: lock, file, path, device: device.clone(), ledger, durability, crash, dead: false })
    }

    /// Reads the journal of a device as it stands, also while an agent writes it; none where there is none.
    ///
    /// # Errors
    /// `agent.journal` where it can't be read, `agent.journal-damaged` where a line can't be.
    pub fn look(folder: &Path) -> Result<Option<Ledger>> {
        let path = folder.join(NAME);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io_problem(&path, "reading", &e)),
        };
        Ledger::read(&text[..whole_lines(&text)]).map(Some).map_err(|line| damaged(&path, line))
    }

    /// Returns what the journal comes to.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
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
        self.ledger.take(entry);
        if let Some(crash) = self.crash.filter(|crash| crash.entry == self.ledger.entries()) {
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
        self.ledger.order()
    }
    /// Returns how a step stands.
    #[must_use]
    pub fn step(&self, step: Step) -> StepState {
        self.ledger.step(step)
    }
    /// Returns what an entry survives.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }
    /// Returns how many entries the file has.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.ledger.entries()
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
        if let Some(old) = self.order().filter(|old| old.run == order.run) {
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
        if self.order().is_some_and(|order| order.run == run) {
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
        let event = AgentEvent { seq: self.ledger.last_seq() + 1, at, step, kind };
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
        self.ledger.evidence_at()
    }

    /// Returns the oldest events that the controller doesn't have, all of one run.
    #[must_use]
    pub fn unsent(&self, events_max: usize) -> Option<(RunId, Vec<AgentEvent>)> {
        let unsent = self.ledger.unsent();
        let run = unsent.first()?.0;
        let events = unsent.iter().take_while(|(of, _)| *of == run).take(events_max);
        Some((run, events.map(|(_, event)| event.clone()).collect()))
    }
    /// Notes what the controller has on its disk.
    ///
    /// # Errors
    /// `agent.journal`.
    pub fn acknowledge(&mut self, run: RunId, seq: u64) -> Result<()> {
        if self.ledger.unsent().iter().any(|(of, event)| *of == run && event.seq <= seq) {
            self.append(Entry::Acknowledged { run, seq })?;
        }
        Ok(())
    }
}

impl Journal {
    /// Writes down what a person had done on the device.
    ///
    /// # Errors
    /// `agent.journal`.
    pub fn recovered(&mut self, recovered: Recovered) -> Result<()> {
        self.append(Entry::Recovered(Box::new(recovered)))
    }
}

/// Returns the length of the whole lines; what comes after was torn by a power cut.
fn whole_lines(text: &[u8]) -> usize {
    text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

fn damaged(path: &Path, line: u64) -> Problem {
    // The line may hold names of people, so the parser's words aren't told.
    Problem::new("agent.journal-damaged", format!("line {line} of {} can't be read", path.display()))
        .next("keep the file for support, and let the controller decide from fresh evidence")
}

/// Puts runs of before into the archive, and keeps the rest. A kill in between leaves both whole: they are in both.
fn archive(folder: &Path, before: &[u8], current: &[u8]) -> std::io::Result<()> {
    for (name, bytes) in [(ARCHIVE, before), (NAME, current)] {
        let draft = folder.join(format!("{name}.new"));
        let mut file = private_file().write(true).create(true).truncate(true).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        std::fs::rename(&draft, folder.join(name))?;
    }
    Ok(())
}

fn refused(code: &str, message: String) -> Problem {
    Problem::new(code, message).next("look at the controller: an agent goes on with the order in hand")
}

/// What a journal answers once a test has ended the agent.
fn killed() -> Problem {
    Problem::new("agent.killed", "the agent was ended here").retry(Retry::No)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::laws::{order_of, starts};
    use super::*;
    use crate::model::Op;
    use crate::wire::StepKind;

    /// Catches a journal that grows for ever, an archive that takes along what the controller lacks or what the run in
    /// hand needs, and one that nobody can look into while an agent holds it.
    #[test]
    fn runs_of_before_are_archived_once_they_are_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let device = DeviceName::new("LON-IT-001");
        let open = || Journal::open(folder.path(), &device, Durability::Kill, None).expect("a journal");
        let (first, second) = (RunId(Uuid::from_u128(1)), RunId(Uuid::from_u128(2)));
        let step = Step { op: Op::Stage, kind: StepKind::Do };
        let mut journal = open();
        journal.accept(&order_of(first, &[Op::Stage])).expect("accepted");
        let mut count = 0;
        while std::fs::metadata(folder.path().join(NAME)).expect("a file").len() < ARCHIVE_FROM as u64 {
            journal.event(first, starts(), step, AgentEventKind::Restarting).expect("written");
            count += 1;
        }
        journal.accept(&order_of(second, &[Op::Stage])).expect("accepted");
        journal.event(second, starts(), step, AgentEventKind::Started).expect("written");
        drop(journal);
        let mut journal = open();
        assert_eq!(journal.unsent(usize::MAX).map(|(run, events)| (run, events.len())), Some((first, count)));
        journal.acknowledge(first, count as u64).expect("written");
        drop(journal);
        let mut journal = open();
        assert!(std::fs::metadata(folder.path().join(NAME)).expect("a file").len() < 20_000);
        assert!(std::fs::metadata(folder.path().join(ARCHIVE)).expect("a file").len() >= ARCHIVE_FROM as u64);
        assert!(journal.step(step).started.is_some() && journal.order().is_some_and(|order| order.run == second));
        journal.event(second, starts(), step, AgentEventKind::Restarting).expect("written");
        let looked = Journal::look(folder.path()).expect("readable").expect("a journal");
        assert_eq!((looked.last_seq(), looked.entries()), (2, journal.entries()));
    }
}
