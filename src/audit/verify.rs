//! Finds where a list isn't whole.

use serde::Serialize;

use super::chain::Link;
use super::fact::Fact;
use super::head::{Head, HeadFile};
use crate::model::Digest;

/// What is wrong at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Entries are missing before it.
    Missing,
    /// It stands after one with the same or a higher number: repeated, or moved.
    OutOfOrder,
    /// Its content isn't what its hash was made over.
    Altered,
    /// It doesn't follow the entry before it.
    Broken,
}

/// One place where the list isn't whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Row in the list, from 1, as it is stored.
    pub row: u64,
    /// Number that the entry there has.
    pub seq: u64,
    /// What is wrong.
    pub what: What,
    /// What should stand there: a number for `missing` and `out-of-order`, a digest otherwise.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Entries in the list.
    pub entries: u64,
    /// Entries from the first on that are whole, in order and linked.
    pub sound: u64,
    /// The last of those.
    pub sound_head: Head,
    /// Where it isn't whole, in the order of the list.
    pub faults: Vec<Fault>,
    /// Entries which tell that the list was found cut when they were written.
    pub cuts: Vec<u64>,
}

impl Verdict {
    /// Says whether nothing is wrong in it and nothing ever was.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty() && self.cuts.is_empty()
    }
}

/// Follows the list from its first entry to its last.
#[must_use]
pub fn verify(links: &[Link]) -> Verdict {
    let cut = |link: &&Link| matches!(link.entry().map(|entry| entry.fact), Some(Fact::ListCut { .. }));
    let mut verdict = Verdict {
        entries: links.len() as u64,
        sound: 0,
        sound_head: Head::start(),
        faults: Vec::new(),
        cuts: links.iter().filter(|link| link.kind == "list-cut").filter(cut).map(|link| link.seq).collect(),
    };
    let (mut seq, mut hash) = (0_u64, Head::start().hash.to_string());
    for (row, link) in (1..).zip(links) {
        let mut fault = |what, expected: String, found: String| {
            verdict.faults.push(Fault { row, seq: link.seq, what, expected, found });
        };
        let expected = seq.saturating_add(1);
        if link.seq > expected {
            fault(What::Missing, expected.to_string(), link.seq.to_string());
        } else if link.seq < expected {
            fault(What::OutOfOrder, expected.to_string(), link.seq.to_string());
        }
        let content = link.digest().to_string();
        if content != link.hash {
            fault(What::Altered, link.hash.clone(), content);
        }
        if link.prev != hash {
            fault(What::Broken, hash, link.prev.clone());
        }
        if verdict.faults.is_empty() {
            verdict.sound = row;
            if let Ok(head) = link.head() {
                verdict.sound_head = head;
            }
        }
        // One bad entry must not make all that follow it look bad.
        (seq, hash) = (link.seq, link.hash.clone());
    }
    verdict
}

/// How the list stands to a head that was kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum HeadState {
    /// It ends there.
    Agrees,
    /// It goes on after it.
    Behind {
        /// Entries after it.
        by: u64,
        /// All of them were written at one moment, as one write does.
        one_write: bool,
    },
    /// It is shorter: what came after was cut off.
    Shorter {
        /// Entries that are gone at the least.
        by: u64,
    },
    /// It has another entry there.
    Differs {
        /// Which.
        seq: u64,
        /// Digest that stands there.
        found: Digest,
    },
    /// The head isn't there although the list has entries.
    Missing,
    /// The head can't be read.
    Unreadable,
}

impl HeadState {
    /// Says whether it fits the file beside the database: the file is written right after each entry, so that a crash
    /// between the two leaves it behind by the entries of one write.
    #[must_use]
    pub fn fits_file(self) -> bool {
        matches!(self, Self::Agrees | Self::Behind { one_write: true, .. })
    }
    /// Says whether it fits a head that somebody noted down: everything up to there is as it was then.
    #[must_use]
    pub fn fits_note(self) -> bool {
        matches!(self, Self::Agrees | Self::Behind { .. })
    }
}

/// Returns the head of the entry with a digest, as people note it down; nothing where the list has no such entry.
#[must_use]
pub fn find_head(links: &[Link], hash: Digest) -> Option<Head> {
    let text = hash.to_string();
    let seq = if hash == Head::start().hash { Some(0) } else { links.iter().find(|l| l.hash == text).map(|l| l.seq) };
    seq.map(|seq| Head { seq, hash })
}

/// Holds the list against a head.
#[must_use]
pub fn verify_head(links: &[Link], file: HeadFile) -> HeadState {
    let head = match file {
        HeadFile::Says(head) => head,
        HeadFile::Missing if links.is_empty() => return HeadState::Agrees,
        HeadFile::Missing => return HeadState::Missing,
        HeadFile::Unreadable => return HeadState::Unreadable,
    };
    let last = links.last().map_or(0, |link| link.seq);
    if head.seq > last {
        return HeadState::Shorter { by: head.seq - last };
    }
    let found = match head.seq {
        0 => Some(Head::start().hash),
        seq => links.iter().find(|link| link.seq == seq).and_then(|link| link.hash.parse().ok()),
    };
    match found {
        Some(found) if found == head.hash && head.seq == last => HeadState::Agrees,
        Some(found) if found == head.hash => {
            let mut after = links.iter().filter(|link| link.seq > head.seq).map(|link| &link.at);
            let first = after.next();
            HeadState::Behind { by: last - head.seq, one_write: after.all(|at| Some(at) == first) }
        }
        Some(found) => HeadState::Differs { seq: head.seq, found },
        None => HeadState::Shorter { by: 1 },
    }
}
