//! The list of what was decided and done: its entries, and what came of following it.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::run::short;
use super::words::count;
use crate::audit::{Entry, Fact, Fault, Head, HeadState, JournalFault, Link, RunMark, RunState, Signed, Verdict, What};
use crate::model::{Digest, RunId};

/// Name and version of the shape of a list.
pub const LIST_FORMAT: &str = "opsole.audit/1";
/// Name and version of the shape of a verdict.
pub const VERIFY_FORMAT: &str = "opsole.audit-verify/1";
/// Places that are named in text.
const SHOWN_MAX: usize = 50;

/// Entries, as `opsole.audit/1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditList {
    /// [`LIST_FORMAT`].
    pub format: &'static str,
    /// The head of the whole list.
    pub head: Head,
    /// Entries, the oldest first.
    pub entries: Vec<ListEntry>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListEntry {
    /// Place in the list.
    pub seq: u64,
    /// When.
    pub at: String,
    /// Who.
    pub actor: String,
    /// What it tells.
    pub kind: String,
    /// The members of what it tells; as text where it isn't JSON.
    pub body: Value,
    /// Digest of the entry before.
    pub prev: String,
    /// Digest of the entry.
    pub hash: String,
    #[serde(skip)]
    words: String,
}

impl AuditList {
    /// Takes the list, or what of it is about one run.
    #[must_use]
    pub fn new(links: &[Link], head: Head, run: Option<RunId>) -> Self {
        let entry = |link: &Link| {
            let entry = link.entry();
            if run.is_some() && entry.as_ref().and_then(|entry| entry.fact.run()) != run {
                return None;
            }
            Some(ListEntry {
                seq: link.seq,
                at: link.at.clone(),
                actor: link.actor.clone(),
                kind: link.kind.clone(),
                body: serde_json::from_str(&link.body).unwrap_or_else(|_| Value::String(link.body.clone())),
                prev: link.prev.clone(),
                hash: link.hash.clone(),
                words: entry.as_ref().map_or_else(|| "(unknown to this version)".to_owned(), words),
            })
        };
        Self { format: LIST_FORMAT, head, entries: links.iter().filter_map(entry).collect() }
    }

    /// Returns it as text: one line an entry.
    #[must_use]
    pub fn text(&self) -> String {
        if self.entries.is_empty() {
            return "Nothing was told yet.\n".to_owned();
        }
        let mut text = String::new();
        for entry in &self.entries {
            let line =
                format!("{:>6}  {}  {:<22}  {:<20}  {}", entry.seq, entry.at, entry.actor, entry.kind, entry.words);
            line_of(&mut text, &line);
        }
        line_of(&mut text, &format!("Head: {}", self.head));
        text
    }
}

/// Returns what an entry tells, in words.
fn words(entry: &Entry) -> String {
    match &entry.fact {
        Fact::PlanSealed(plan) => {
            let there = if plan.learnt { ", learnt from the file" } else { "" };
            let devices = count(usize::try_from(plan.devices).unwrap_or(usize::MAX), "device");
            format!("{} of {}, {devices}, by {}{there}", plan.digest.short(), plan.wave, plan.by)
        }
        Fact::PlanApproved(signed) | Fact::ApprovalTakenBack(signed) | Fact::PlanSentBack(signed) => said(signed),
        Fact::ApplyRefused(refused) => {
            let what = refused.digest.map_or_else(|| "no sealed plan".to_owned(), |digest| digest.short());
            let wave = refused.wave.as_ref().map_or_else(String::new, |wave| format!(" of {wave}"));
            format!("{what}{wave}: {}", refused.codes.join(", "))
        }
        Fact::RunBegun(begun) => {
            let devices = count(usize::try_from(begun.devices).unwrap_or(usize::MAX), "device");
            let sealed: String = begun.sealed.chars().take(12).collect();
            format!("run {} of {}, {devices}, {sealed}, opsole {}", short(begun.run), begun.wave, begun.tool)
        }
        Fact::RunResumed(mark) | Fact::RunStopped(mark) | Fact::RunEnded(mark) => anchored(mark),
        Fact::DeviceEnded(end) => {
            let code = end.code.as_ref().map_or_else(String::new, |code| format!(" ({code})"));
            format!("{} {}{code}", end.device, end.outcome)
        }
        Fact::ExclusionOpened(change) | Fact::ExclusionClosed(change) => {
            let policy = change.policy.as_deref().unwrap_or_default();
            let group = change.group.as_ref().map(|group| format!(" by group `{group}`")).unwrap_or_default();
            format!("{} in `{policy}`{group}", change.account)
        }
        Fact::GateSignedOff(gate) | Fact::SignOffTakenBack(gate) => {
            format!("{} as {}: {}", gate.wave, gate.role.as_str(), gate.evidence)
        }
        Fact::EnrolmentsIssued(issued) => {
            let devices = count(usize::try_from(issued.devices).unwrap_or(usize::MAX), "device");
            format!("{devices} of {}, good until {}", issued.wave, issued.expires)
        }
        Fact::DeviceEnrolled(enrolled) => format!("{} with key {}", enrolled.device, enrolled.key.short()),
        Fact::DeviceRevoked(revoked) => {
            let key = revoked.key.map_or_else(String::new, |key| format!(" with key {}", key.short()));
            format!("{}{key}: {}", revoked.device, revoked.reason)
        }
        Fact::OrderRefused(refused) => {
            let run = refused.run.map_or_else(String::new, |run| format!(" of run {}", short(run)));
            let generation = refused.generation.map_or_else(String::new, |n| format!(", generation {n}"));
            format!("{}: {} for {}{run}{generation}", refused.device, refused.code, refused.order.short())
        }
        Fact::CallsRefused(refused) => {
            let device = refused.device.as_ref().map_or_else(String::new, |device| format!(" as {device}"));
            let peer = refused.peer.map_or_else(String::new, |peer| format!(" from {peer}"));
            let calls = count(usize::try_from(refused.count).unwrap_or(usize::MAX), "call");
            format!("{calls} of {}{device}{peer}: {}", refused.call, refused.reason)
        }
        Fact::ControllerKeyChanged(changed) => format!("{} gave way to {}", changed.from.short(), changed.to.short()),
        Fact::RecoveryPasswordShown(shown) => format!("{}: {}", shown.device, shown.reason),
        Fact::ComputerDeleted(deleted) => {
            let on = deleted.disabled_on.strftime("%Y-%m-%d");
            format!("{} of {}, disabled on {on} by run {}", deleted.name, deleted.domain, short(deleted.run))
        }
        Fact::ListCut { said, found } => match said {
            Some(said) => format!("audit.head said {} entries, and {} were found", said.seq, found.seq),
            None => format!("audit.head was gone, and {} entries were found", found.seq),
        },
        Fact::OperatorSignedIn(one) => format!("as {} from {}", one.role, one.peer),
        Fact::OperatorRefused(calls) => {
            let number = count(usize::try_from(calls.count).unwrap_or(usize::MAX), "call");
            let listed =
                |names: &std::collections::BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
            let people = if calls.people.is_empty() { String::new() } else { format!(" of {}", listed(&calls.people)) };
            let more = if calls.more { " and others" } else { "" };
            format!("{}: {number}{people} from {}{more}", calls.why.word(), listed(&calls.peers))
        }
        Fact::OperatorActed(acted) => {
            let object = acted.object.as_ref().map_or_else(String::new, |object| format!(": {object}"));
            format!("{}{object}", acted.route)
        }
        Fact::UserAdded(user) => format!("{} as {}", user.name, user.role),
        Fact::UserChanged(user) => format!("{} as {}: {}", user.name, user.role, user.changed.join(", ")),
        Fact::UserDisabled(user) => format!("{}, {}", user.name, user.role),
    }
}

fn said(signed: &Signed) -> String {
    let role = signed.role.map_or_else(String::new, |role| format!(" as {}", role.as_str()));
    let ticket = signed.ticket.as_ref().map_or_else(String::new, |ticket| format!(", {ticket}"));
    let note = signed.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
    format!("{} by {}{role} with key {}{ticket}{note}", signed.digest.short(), signed.by, signed.key.short())
}

fn anchored(mark: &RunMark) -> String {
    let entries = usize::try_from(mark.journal.entries).unwrap_or(usize::MAX);
    let noun = if entries == 1 { "entry" } else { "entries" };
    format!("run {} with {entries} journal {noun} {}", short(mark.run), mark.journal.digest.short())
}

/// What came of following the list, as `opsole.audit-verify/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditVerdict {
    /// [`VERIFY_FORMAT`].
    pub format: &'static str,
    /// Nothing is wrong.
    pub whole: bool,
    /// The list by itself.
    pub list: Verdict,
    /// The list against the file beside the database.
    pub file: HeadState,
    /// The head that was given.
    pub given: Option<GivenHead>,
    /// Runs against the list.
    pub runs: Vec<RunState>,
}

/// A head that somebody had noted down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GivenHead {
    /// Its digest.
    pub hash: Digest,
    /// The list against it; none where the list has no entry with that digest.
    pub found: Option<HeadState>,
}

impl AuditVerdict {
    /// Puts it together.
    #[must_use]
    pub fn new(list: Verdict, file: HeadState, given: Option<GivenHead>, runs: Vec<RunState>) -> Self {
        let noted = given.is_none_or(|given| given.found.is_some_and(HeadState::fits_note));
        let sound = runs.iter().all(|run| run.faults.is_empty());
        let whole = list.is_whole() && file.fits_file() && noted && sound;
        Self { format: VERIFY_FORMAT, whole, list, file, given, runs }
    }

    /// Returns it as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let entries = self.list.entries;
        let noun = if entries == 1 { "entry" } else { "entries" };
        line_of(
            &mut text,
            &match self.whole {
                true => format!("The audit list is whole: {entries} {noun}."),
                false => format!("The audit list isn't whole: {entries} {noun}, sound up to {}.", self.list.sound),
            },
        );
        for fault in self.list.faults.iter().take(SHOWN_MAX) {
            write_fault(&mut text, fault);
        }
        let more = self.list.faults.len().saturating_sub(SHOWN_MAX);
        if more > 0 {
            line_of(&mut text, &format!("  and {more} more places; `--output json` has all"));
        }
        for seq in &self.list.cuts {
            line_of(&mut text, &format!("  entry {seq}: the list was found cut when it was written"));
        }
        line_of(&mut text, &format!("  audit.head: {}", file_words(self.file)));
        if let Some(given) = self.given {
            line_of(&mut text, &format!("  head {}: {}", given.hash.short(), given_words(given.found)));
        }
        self.run_lines(&mut text);
        if !self.list.faults.is_empty() {
            line_of(&mut text, &format!("  sound: entries 1 to {}, head {}", self.list.sound, self.list.sound_head));
        } else if entries > 0 {
            line_of(&mut text, &format!("  head: {}", self.list.sound_head));
        }
        text
    }

    fn run_lines(&self, text: &mut String) {
        let sound: u64 = self.runs.iter().map(|run| run.sound).sum();
        let loose: u64 = self.runs.iter().map(|run| run.loose).sum();
        let runs = count(self.runs.len(), "run");
        line_of(text, &format!("  {runs}: {sound} journal entries are as the list says"));
        if loose > 0 {
            let why = "nothing says yet what they were; the end of the run, or `opsole apply --resume`, does";
            line_of(text, &format!("  {loose} journal entries came after that: {why}"));
        }
        let older = self.runs.iter().filter(|run| run.older).count();
        if older > 0 {
            line_of(text, &format!("  {} began before there was a list", count(older, "run")));
        }
        let faults = self.runs.iter().flat_map(|run| run.faults.iter().map(move |fault| (run.run, fault)));
        for (run, fault) in faults.take(SHOWN_MAX) {
            line_of(text, &format!("  run {}: {}", short(run), run_words(fault)));
        }
    }
}

fn write_fault(text: &mut String, fault: &Fault) {
    let Fault { row, seq, expected, found, .. } = fault;
    line_of(
        text,
        &match fault.what {
            What::Missing => {
                format!("  row {row}: entry {seq} stands where {expected} should: some before it are gone")
            }
            What::OutOfOrder => format!("  row {row}: entry {seq} stands where {expected} should: repeated or moved"),
            What::Altered => format!("  row {row}, entry {seq}: its content isn't what its hash was made over"),
            What::Broken => format!("  row {row}, entry {seq}: it doesn't follow the entry before it"),
        },
    );
    if matches!(fault.what, What::Altered | What::Broken) {
        line_of(text, &format!("      expected {expected}"));
        line_of(text, &format!("      found    {found}"));
    }
}

fn file_words(state: HeadState) -> String {
    match state {
        HeadState::Agrees => "agrees".to_owned(),
        HeadState::Behind { by, one_write: true } => {
            format!("behind by {by}: a crash came between the two writes; the next entry mends it")
        }
        HeadState::Behind { by, one_write: false } => {
            format!("behind by {by}, of more than one write: something else than opsole wrote entries, or put it back")
        }
        HeadState::Shorter { by } => format!("the list is shorter than it says: at least {by} were cut off its end"),
        HeadState::Differs { seq, found } => format!("entry {seq} isn't the one that it names; found {found}"),
        HeadState::Missing => "it is gone: whether entries were cut off the end can't be seen".to_owned(),
        HeadState::Unreadable => "it can't be read: whether entries were cut off the end can't be seen".to_owned(),
    }
}

fn given_words(state: Option<HeadState>) -> String {
    match state {
        Some(HeadState::Agrees) => "it is the last entry".to_owned(),
        Some(HeadState::Behind { by, .. }) => format!("it is in the list; {by} were added since"),
        _ => "the list has no such entry: it was cut, or written anew".to_owned(),
    }
}

fn run_words(fault: &JournalFault) -> String {
    match fault {
        JournalFault::Gone => "the list tells of it, and it isn't in the store any more".to_owned(),
        JournalFault::Untold => "it is in the store, and the list doesn't tell of its beginning".to_owned(),
        JournalFault::Plan { seq, expected, found } => {
            format!("its plan isn't the one of entry {seq}; expected {expected}, found {found}")
        }
        JournalFault::Origin { seq, expected, found } => {
            let found = found.map_or_else(|| "nothing".to_owned(), |found| found.to_string());
            format!("what it goes back to isn't as in entry {seq}; expected {expected}, found {found}")
        }
        JournalFault::Unreadable { why } => format!("its journal can't be read: {why}"),
        JournalFault::Cut { seq, expected, found } => {
            format!("its journal has {found} entries, and entry {seq} of the list says {expected}")
        }
        JournalFault::Changed { seq, first, last, expected, found } => format!(
            "journal entries {first} to {last} aren't as entry {seq} of the list says; expected {expected}, found {found}"
        ),
    }
}

/// Writes a line. Names come from tenants and people: what would move the cursor is shown as `?`.
fn line_of(text: &mut String, line: &str) {
    let line: String = line.trim_end().chars().map(|sign| if sign.is_control() { '?' } else { sign }).collect();
    // Writing to a string can't fail.
    let _ = writeln!(text, "{line}");
}
