//! What an entry says of a run's journal: how many entries it had, and the digest over all of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::Entry;
use super::fact::Fact;
use crate::model::{Digest, RunId};
use crate::trust::canonical;

/// Stands before every text that is hashed.
const DOMAIN: &str = "opsole-journal/1\n";

/// A journal up to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Entries, from 1 without gaps.
    pub entries: u64,
    /// Digest over all of them.
    pub digest: Digest,
}

/// The digest over a journal that grows: each entry is hashed with the digest of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalHash(Anchor);

impl Default for JournalHash {
    fn default() -> Self {
        Self(Anchor { entries: 0, digest: Digest::of(DOMAIN.as_bytes()) })
    }
}

impl JournalHash {
    /// Takes the next entry in.
    pub fn push(&mut self, at: Timestamp, body: &str) {
        let seq = self.0.entries + 1;
        let text = serde_json::json!([self.0.digest, seq, at.to_string(), body]);
        let mut bytes = DOMAIN.as_bytes().to_vec();
        bytes.extend(canonical(&text).expect("texts and a number are JSON"));
        self.0 = Anchor { entries: seq, digest: Digest::of(&bytes) };
    }
    /// Returns what an entry of the list says of it.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        self.0
    }
}

/// A run as it lies in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRun {
    /// When it began.
    pub created: Timestamp,
    /// Digest of its plan's bytes.
    pub run_plan: Digest,
    /// Digest of its origin's text; none where it has none.
    pub origin: Option<Digest>,
    /// Its journal: moment and body of each entry, or why it can't be read.
    pub journal: Result<Vec<(Timestamp, String)>, String>,
}

/// What is wrong with a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum JournalFault {
    /// The list tells of it, and it isn't in the store.
    Gone,
    /// It is in the store, and the list, which is older, doesn't tell of it.
    Untold,
    /// Its plan isn't the one that was begun.
    Plan {
        /// Entry of the list.
        seq: u64,
        /// Digest there.
        expected: Digest,
        /// Digest of what is stored.
        found: Digest,
    },
    /// What it goes back to isn't what was stored when it began.
    Origin {
        /// Entry of the list.
        seq: u64,
        /// Digest there.
        expected: Digest,
        /// Digest of what is stored.
        found: Option<Digest>,
    },
    /// Its journal can't be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// Its journal is shorter than an entry of the list says.
    Cut {
        /// Entry of the list.
        seq: u64,
        /// Entries there.
        expected: u64,
        /// Entries that are stored.
        found: u64,
    },
    /// Something in a part of its journal isn't as it was.
    Changed {
        /// Entry of the list.
        seq: u64,
        /// First entry of the part: those before it are as they were.
        first: u64,
        /// Last entry of the part.
        last: u64,
        /// Digest in the list.
        expected: Digest,
        /// Digest of what is stored.
        found: Digest,
    },
}

/// A run held against the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunState {
    /// The run.
    pub run: RunId,
    /// Entries of its journal that are as an entry of the list says.
    pub sound: u64,
    /// Entries after those: nothing says what they were. The next `apply --resume` does.
    pub loose: u64,
    /// It began before the list did, so the list can't tell of its beginning.
    pub older: bool,
    /// What is wrong.
    pub faults: Vec<JournalFault>,
}

/// Holds every run against the list.
#[must_use]
pub fn verify_runs(entries: &[Entry], runs: &BTreeMap<RunId, StoredRun>) -> Vec<RunState> {
    let mut told: BTreeMap<RunId, Vec<&Entry>> = runs.keys().map(|run| (*run, Vec::new())).collect();
    for entry in entries {
        if let Some(run) = entry.fact.run() {
            told.entry(run).or_default().push(entry);
        }
    }
    let start = entries.first().map(|entry| entry.at);
    told.into_iter().map(|(run, told)| verify_run(run, &told, runs.get(&run), start)).collect()
}

fn verify_run(run: RunId, told: &[&Entry], stored: Option<&StoredRun>, start: Option<Timestamp>) -> RunState {
    let mut state = RunState { run, sound: 0, loose: 0, older: false, faults: Vec::new() };
    let Some(stored) = stored else {
        state.faults.push(JournalFault::Gone);
        return state;
    };
    let begun = told.iter().find_map(|entry| match &entry.fact {
        Fact::RunBegun(begun) => Some((entry.seq, begun)),
        _ => None,
    });
    match begun {
        None => {
            state.older = start.is_none_or(|start| stored.created < start);
            if !state.older {
                state.faults.push(JournalFault::Untold);
            }
        }
        Some((seq, begun)) => {
            if begun.run_plan != stored.run_plan {
                let (expected, found) = (begun.run_plan, stored.run_plan);
                state.faults.push(JournalFault::Plan { seq, expected, found });
            }
            if Some(begun.origin) != stored.origin {
                let (expected, found) = (begun.origin, stored.origin);
                state.faults.push(JournalFault::Origin { seq, expected, found });
            }
        }
    }
    let journal = match &stored.journal {
        Ok(journal) => journal,
        Err(why) => {
            state.faults.push(JournalFault::Unreadable { why: why.clone() });
            return state;
        }
    };
    let mut marks: Vec<(u64, Anchor)> =
        told.iter().filter_map(|entry| Some((entry.seq, entry.fact.mark()?.journal))).collect();
    marks.sort_by_key(|(seq, anchor)| (anchor.entries, *seq));
    let mut hash = JournalHash::default();
    let mut rows = journal.iter();
    for (seq, anchor) in marks {
        while hash.0.entries < anchor.entries
            && let Some((at, body)) = rows.next()
        {
            hash.push(*at, body);
        }
        let found = hash.anchor();
        if found.entries < anchor.entries {
            state.faults.push(JournalFault::Cut { seq, expected: anchor.entries, found: found.entries });
            break;
        }
        if found.digest != anchor.digest {
            state.faults.push(JournalFault::Changed {
                seq,
                first: state.sound + 1,
                last: anchor.entries,
                expected: anchor.digest,
                found: found.digest,
            });
            // What comes after is hashed over what changed: it would be named too, though nothing is wrong with it.
            break;
        }
        state.sound = anchor.entries;
    }
    state.loose = journal.len() as u64 - state.sound.min(journal.len() as u64);
    state
}
