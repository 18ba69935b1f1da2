//! What the entries of a journal come to: the order in hand, how each of its steps stands, what the controller lacks.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dag::{Phase, spec};
use crate::model::{Op, Problem, RunId};
use crate::wire::{AgentEvent, AgentEventKind, Step, StepKind, WorkOrder};

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Entry {
    Order(Box<WorkOrder>),
    Event { run: RunId, event: AgentEvent },
    Attempt { step: Step, attempt: u32, at: Timestamp },
    Restart { step: Step, boot: u64 },
    Evidence { at: Timestamp },
    Acknowledged { run: RunId, seq: u64 },
    Recovered(Box<Recovered>),
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

/// What a person had done on a device without its controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// When, by the device's clock.
    pub at: Timestamp,
    /// The run whose order was in hand.
    pub run: RunId,
    /// What was agreed to, as it was shown.
    pub what: String,
    /// The operation that it serves.
    pub op: Option<Op>,
    /// Why it didn't work or wasn't read back; none where it was.
    pub problem: Option<Problem>,
}

/// Where a run came to a halt on the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    /// In which step.
    pub step: Step,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub problem: Problem,
    /// It may go on by itself with a newer order: only time was missing.
    pub pends: bool,
}

/// A journal, read.
#[derive(Debug, Default)]
pub struct Ledger {
    order: Option<WorkOrder>,
    steps: BTreeMap<Step, StepState>,
    problems: BTreeMap<Step, (Timestamp, Problem)>,
    last_seq: u64,
    last_event: Option<Timestamp>,
    /// When the evidence was taken on which the device was found ready in this run.
    evidence: Option<Timestamp>,
    /// Events that the controller doesn't have yet, in order.
    unsent: Vec<(RunId, AgentEvent)>,
    recovered: Vec<Recovered>,
    entries: u64,
    /// Where the first line of the run in hand begins, once the controller has all before it.
    begins: usize,
}

impl Ledger {
    /// Reads whole lines; where one can't be read, its number from 1 is the error.
    pub(super) fn read(text: &[u8]) -> Result<Self, u64> {
        let mut ledger = Self::default();
        let (mut at, mut number) = (0, 0_u64);
        let mut begins = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            number += 1;
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            if !bare.is_empty() {
                let before = ledger.order.as_ref().map(|order| order.run);
                ledger.take(serde_json::from_slice(bare).map_err(|_| number)?);
                if ledger.order.as_ref().map(|order| order.run) != before {
                    begins = at;
                }
            }
            at += line.len();
        }
        let run = ledger.order.as_ref().map(|order| order.run);
        if ledger.unsent.iter().all(|(of, _)| Some(*of) == run) {
            ledger.begins = begins;
        }
        Ok(ledger)
    }

    /// Takes an entry into the picture; the only place that does.
    pub(super) fn take(&mut self, entry: Entry) {
        self.entries += 1;
        match entry {
            Entry::Order(order) => {
                if self.order.as_ref().is_none_or(|old| old.run != order.run) {
                    self.steps.clear();
                    self.problems.clear();
                    self.recovered.clear();
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
            Entry::Recovered(recovered) => self.recovered.push(*recovered),
        }
    }
    fn take_event(&mut self, event: &AgentEvent) {
        let generation = self.order.as_ref().map_or(0, |order| order.generation);
        self.last_seq = event.seq;
        self.last_event = Some(event.at);
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
            AgentEventKind::Failed(problem) => {
                state.outcome = Some(Ended::Failed);
                self.problems.insert(event.step, (event.at, problem.clone()));
            }
            AgentEventKind::Pending(problem) => {
                state.outcome = Some(Ended::Pending(generation));
                self.problems.insert(event.step, (event.at, problem.clone()));
            }
        }
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
    /// Returns how many entries there are.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }
    /// Returns when something of the run in hand happened last.
    #[must_use]
    pub fn last_event(&self) -> Option<Timestamp> {
        self.last_event
    }
    /// Returns the events that the controller doesn't have, in order.
    #[must_use]
    pub fn unsent(&self) -> &[(RunId, AgentEvent)] {
        &self.unsent
    }
    /// Returns what people had done since the order in hand came.
    #[must_use]
    pub fn recovered(&self) -> &[Recovered] {
        &self.recovered
    }
    pub(super) fn last_seq(&self) -> u64 {
        self.last_seq
    }
    pub(super) fn evidence_at(&self) -> Option<Timestamp> {
        self.evidence
    }
    /// Returns where the run in hand begins, in bytes; 0 where the controller lacks something of before.
    pub(super) fn begins(&self) -> usize {
        self.begins
    }

    /// Returns the steps of the order that count: all of them, or only those that put back where it does so.
    pub fn wanted(&self) -> impl Iterator<Item = Step> {
        let steps = self.order.as_ref().map(|order| order.steps.as_slice()).unwrap_or_default();
        let back = steps.iter().any(|step| step.kind == StepKind::Undo);
        steps.iter().copied().filter(move |step| !back || step.kind == StepKind::Undo)
    }
    /// Returns the first step that isn't done; none where there is no order or all of it is.
    #[must_use]
    pub fn current(&self) -> Option<Step> {
        self.wanted().find(|step| self.step(*step).outcome != Some(Ended::Done))
    }
    /// Returns where the run came to a halt, if it did.
    #[must_use]
    pub fn halt(&self) -> Option<Halt> {
        let step = self.current()?;
        let outcome = self.step(step).outcome?;
        let (at, problem) = self.problems.get(&step)?.clone();
        Some(Halt { step, at, problem, pends: matches!(outcome, Ended::Pending(_)) })
    }
    /// Says whether a step past the point of no return was begun.
    #[must_use]
    pub fn is_past_boundary(&self) -> bool {
        self.steps.iter().any(|(step, state)| {
            step.kind == StepKind::Do
                && spec(step.op).phase != Phase::Reversible
                && (state.started.is_some() || state.outcome == Some(Ended::Done))
        })
    }
    /// Says whether a run changed the device and neither finished nor put it back.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        let began = self.steps.iter().any(|(step, state)| {
            step.kind == StepKind::Do && !matches!(step.op, Op::Preflight) && state.started.is_some()
        });
        let cleaned = self.step(Step { op: Op::CleanUp, kind: StepKind::Do }).outcome == Some(Ended::Done);
        let back = self.wanted().any(|step| step.kind == StepKind::Undo) && self.current().is_none();
        began && !cleaned && !back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a damaged line that is passed over, and one that is told by the wrong number.
    #[test]
    fn a_line_that_cant_be_read_is_named() {
        let good = br#"{"evidence":{"at":"2026-11-02T08:00:00Z"}}"#;
        let text = [good.as_slice(), b"\n", good, b"\n{}\n"].concat();
        assert_eq!(Ledger::read(&text).map(|_| ()), Err(3));
        assert_eq!(Ledger::read(&text[..text.len() - 3]).map(|ledger| ledger.entries()), Ok(2));
    }
}
