//! What holds for every list: whole where nobody touched it, and each touch is found where it is.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    Anchor, ExclusionChange, Fact, Gate, Head, HeadFile, HeadState, JournalFault, JournalHash, Link, Note, Origin,
    Purpose, Refused, RunBegun, RunMark, StoredRun, What, verify, verify_head, verify_runs,
};
use crate::model::{Digest, OwnerRole, Problem, RunId};
use crate::state::Outcome;

const RUN: RunId = RunId(uuid::Uuid::from_u128(5));

fn fact(kind: u8, text: &str) -> Fact {
    match kind % 4 {
        0 => Fact::of_outcome(RUN, &"PC-1".into(), &Outcome::Undone(Problem::new("device.x", text))),
        1 => Fact::ExclusionOpened(ExclusionChange {
            run: RUN,
            account: text.to_owned(),
            policy: Some("Require MFA".to_owned()),
            group: None,
        }),
        2 => Fact::ApplyRefused(Refused {
            digest: Some(Digest::of(text.as_bytes())),
            wave: Some("pilot".into()),
            codes: vec!["sealed.expired".to_owned()],
        }),
        _ => Fact::GateSignedOff(Gate {
            wave: "pilot".into(),
            role: OwnerRole::ProjectLead,
            evidence: text.to_owned(),
            seen: "9 of 9 criteria".to_owned(),
        }),
    }
}

fn note(seconds: i64, kind: u8, text: &str) -> Note {
    let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
    Note { at, actor: "jane@desk".to_owned(), fact: fact(kind, text) }
}

/// A list, as it is written: each note gets its place after the last.
fn chain(notes: &[Note]) -> Vec<Link> {
    let mut head = Head::start();
    notes
        .iter()
        .map(|note| {
            let link = note.link(&head);
            head = link.head().expect("its own hash");
            link
        })
        .collect()
}

fn notes() -> impl Strategy<Value = Vec<Note>> {
    let one = (0..1_000_i64, any::<u8>(), "[a-zé\"\\\\\n]{0,12}");
    proptest::collection::vec(one.prop_map(|(at, kind, text)| note(at, kind, &text)), 2..24)
}

fn head_of(links: &[Link]) -> HeadFile {
    HeadFile::Says(links.last().expect("a list").head().expect("a head"))
}

/// Row, and what is wrong there first.
fn first(links: &[Link]) -> Option<(usize, What)> {
    let verdict = verify(links);
    let fault = verdict.faults.first()?;
    assert_eq!(verdict.sound + 1, fault.row, "what stands before the first fault is sound");
    Some((usize::try_from(fault.row).expect("a row") - 1, fault.what))
}

fn resealed(link: &Link, change: impl FnOnce(&mut Link)) -> Link {
    let mut link = link.clone();
    change(&mut link);
    link.hash = link.digest().to_string();
    link
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Catches a list that isn't whole by itself, and facts that don't come back from what is kept of them.
    #[test]
    fn an_untouched_list_is_whole(notes in notes()) {
        let links = chain(&notes);
        let verdict = verify(&links);
        prop_assert!(verdict.is_whole() && verdict.sound == links.len() as u64);
        prop_assert_eq!(verify_head(&links, head_of(&links)), HeadState::Agrees);
        for (link, note) in links.iter().zip(&notes) {
            let entry = link.entry().expect("an entry");
            prop_assert_eq!((entry.at, &entry.actor, &entry.fact), (note.at, &note.actor, &note.fact));
        }
    }

    /// Catches a field that isn't covered by the hash: each of them changed, in any entry, is named there.
    #[test]
    fn each_altered_field_is_found(notes in notes(), at in any::<prop::sample::Index>(), field in 0..7_usize) {
        let links = chain(&notes);
        let at = at.index(links.len());
        let mut touched = links.clone();
        let link = &mut touched[at];
        match field {
            0 => link.seq += 1000,
            1 => link.at.push(' '),
            2 => link.actor.push('x'),
            3 => link.kind.push('x'),
            4 => link.body.push(' '),
            5 => link.prev = Digest::of(b"other").to_string(),
            _ => link.hash = Digest::of(b"other").to_string(),
        }
        prop_assert_eq!(first(&touched).map(|(row, _)| row), Some(at));
        // Whoever makes a new hash for it too is found one further on, or by the head where it was the last.
        if (1..5).contains(&field) {
            touched[at] = resealed(&touched[at], |_| {});
            if at + 1 < touched.len() {
                prop_assert_eq!(first(&touched), Some((at + 1, What::Broken)));
            } else {
                let said = verify_head(&touched, head_of(&links));
                let named = matches!(said, HeadState::Differs { seq, .. } if seq == links.len() as u64);
                prop_assert!(named, "{:?}", said);
            }
        }
    }

    /// Catches an entry that can be taken out, at the end too.
    #[test]
    fn a_removed_entry_is_missed(notes in notes(), at in any::<prop::sample::Index>()) {
        let links = chain(&notes);
        let at = at.index(links.len());
        let mut touched = links.clone();
        touched.remove(at);
        if at + 1 < links.len() {
            prop_assert_eq!(first(&touched), Some((at, What::Missing)));
        } else {
            // The list alone can't tell; the head does.
            prop_assert!(verify(&touched).is_whole());
            prop_assert_eq!(verify_head(&touched, head_of(&links)), HeadState::Shorter { by: 1 });
        }
    }

    /// Catches two entries that change places, one that stands twice, and a new one between two others.
    #[test]
    fn order_is_kept(notes in notes(), at in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let links = chain(&notes);
        let (at, other) = (at.index(links.len()), other.index(links.len()));
        if at != other {
            let mut swapped = links.clone();
            swapped.swap(at, other);
            prop_assert_eq!(first(&swapped).map(|(row, _)| row), Some(at.min(other)));
            // Also where their numbers are put right.
            let (seq, second) = (swapped[at].seq, swapped[other].seq);
            (swapped[at].seq, swapped[other].seq) = (second, seq);
            prop_assert_eq!(first(&swapped), Some((at.min(other), What::Altered)));
        }
        let mut doubled = links.clone();
        doubled.insert(at + 1, links[at].clone());
        prop_assert_eq!(first(&doubled), Some((at + 1, What::OutOfOrder)));
        let forged = note(7, 1, "forged").link(&links[at].head().expect("a head"));
        let mut inserted = links.clone();
        inserted.insert(at + 1, forged);
        if at + 1 < links.len() {
            prop_assert_eq!(first(&inserted), Some((at + 2, What::OutOfOrder)));
        } else {
            let said = verify_head(&inserted, head_of(&links));
            prop_assert!(matches!(said, HeadState::Behind { by: 1, .. }), "nothing but the file can tell: {:?}", said);
        }
    }

    /// Catches one change that makes everything after it look changed: the rest is told apart from it.
    #[test]
    fn one_touch_is_one_place(notes in notes(), at in any::<prop::sample::Index>()) {
        let mut links = chain(&notes);
        let at = at.index(links.len());
        links[at].body.push(' ');
        let rows: Vec<u64> = verify(&links).faults.iter().map(|fault| fault.row).collect();
        prop_assert_eq!(rows, vec![at as u64 + 1]);
    }

    /// Catches a journal entry that can be changed, taken out or cut off behind the list's back, and a wrong part that is
    /// named.
    #[test]
    fn journals_are_held(bodies in proptest::collection::vec("[a-z]{1,4}", 4..20), cut in 1..3_usize, at in any::<prop::sample::Index>()) {
        let journal: Vec<(Timestamp, String)> = bodies.into_iter().map(|body| (Timestamp::UNIX_EPOCH, body)).collect();
        let first = journal.len() / 2;
        let anchors = [anchor(&journal[..first]), anchor(&journal)];
        let entries = told(&anchors);
        let state = |journal: Vec<(Timestamp, String)>| {
            let runs = BTreeMap::from([(RUN, stored(Ok(journal)))]);
            verify_runs(&entries, &runs).remove(0)
        };
        let whole = state(journal.clone());
        prop_assert!(whole.faults.is_empty() && whole.sound == journal.len() as u64 && whole.loose == 0);
        let mut touched = journal.clone();
        let at = at.index(touched.len());
        touched[at].1.push('!');
        let found = state(touched);
        let part = if at < first { (1, first as u64) } else { (first as u64 + 1, journal.len() as u64) };
        let named = matches!(found.faults[..], [JournalFault::Changed { first, last, .. }] if (first, last) == part);
        prop_assert!(named, "{:?}", found.faults);
        let short = state(journal[..journal.len() - cut].to_vec());
        let named = matches!(short.faults[..], [JournalFault::Cut { expected, .. }] if expected == journal.len() as u64);
        prop_assert!(named, "{:?}", short.faults);
        let mut longer = journal;
        longer.push((Timestamp::UNIX_EPOCH, "late".to_owned()));
        let longer = state(longer);
        prop_assert!(longer.faults.is_empty() && longer.loose == 1);
    }
}

fn anchor(journal: &[(Timestamp, String)]) -> Anchor {
    let mut hash = JournalHash::default();
    journal.iter().for_each(|(at, body)| hash.push(*at, body));
    hash.anchor()
}

fn stored(journal: Result<Vec<(Timestamp, String)>, String>) -> StoredRun {
    let origin = Some(Digest::of(Origin::default().to_text().as_bytes()));
    StoredRun { created: Timestamp::UNIX_EPOCH, run_plan: Digest::of(b"plan"), origin, journal }
}

/// The entries of one run with these anchors.
fn told(anchors: &[Anchor]) -> Vec<super::Entry> {
    let begun = Fact::RunBegun(Box::new(RunBegun {
        run: RUN,
        purpose: Purpose::Wave,
        wave: "pilot".into(),
        sealed: "unsealed".to_owned(),
        plan_digest: Digest::of(b"plan file"),
        run_plan: Digest::of(b"plan"),
        origin: Digest::of(Origin::default().to_text().as_bytes()),
        tool: "1".to_owned(),
        accepted: Vec::new(),
        approvals: 0,
        devices: 1,
    }));
    let marks = anchors.iter().map(|journal| Fact::RunResumed(RunMark { run: RUN, journal: *journal }));
    let facts = std::iter::once(begun).chain(marks);
    let notes: Vec<Note> =
        facts.map(|fact| Note { at: Timestamp::UNIX_EPOCH, actor: "controller".to_owned(), fact }).collect();
    chain(&notes).iter().filter_map(Link::entry).collect()
}

/// Catches a run that can be taken out of the store or put into it, and a plan or an origin that is changed in it.
#[test]
fn runs_are_held() {
    let entries = told(&[]);
    let faults = |run: RunId, stored: Option<StoredRun>| {
        let runs = stored.map(|stored| (run, stored)).into_iter().collect();
        verify_runs(&entries, &runs).into_iter().find(|state| state.run == run).expect("a run").faults
    };
    assert_eq!(faults(RUN, Some(stored(Ok(Vec::new())))), []);
    assert_eq!(faults(RUN, None), [JournalFault::Gone]);
    assert_eq!(faults(RunId(uuid::Uuid::from_u128(6)), Some(stored(Ok(Vec::new())))), [JournalFault::Untold]);
    let other = StoredRun { run_plan: Digest::of(b"x"), origin: None, ..stored(Err("entry 2 is missing".to_owned())) };
    let found = faults(RUN, Some(other));
    assert!(
        matches!(found[..], [JournalFault::Plan { .. }, JournalFault::Origin { .. }, JournalFault::Unreadable { .. }]),
        "{found:?}"
    );
    let older = StoredRun { created: Timestamp::MIN, ..stored(Ok(Vec::new())) };
    let runs = BTreeMap::from([(RunId(uuid::Uuid::from_u128(6)), older)]);
    assert!(verify_runs(&entries, &runs).iter().any(|state| state.older && state.faults.is_empty()));
}

/// Catches a crash between the two writes that is taken for a list which was cut, and the other way round.
#[test]
fn a_file_that_is_behind_is_no_cut() {
    let links = chain(&[note(1, 0, "a"), note(2, 1, "b"), note(2, 2, "c"), note(3, 3, "d")]);
    let head = |n: usize| HeadFile::Says(links[n - 1].head().expect("a head"));
    assert_eq!(verify_head(&links, head(4)), HeadState::Agrees);
    assert_eq!(verify_head(&links, head(3)), HeadState::Behind { by: 1, one_write: true });
    assert_eq!(verify_head(&links[..3], head(1)), HeadState::Behind { by: 2, one_write: true });
    assert_eq!(verify_head(&links, head(1)), HeadState::Behind { by: 3, one_write: false });
    assert_eq!(verify_head(&links[..2], head(4)), HeadState::Shorter { by: 2 });
    assert_eq!(verify_head(&links, HeadFile::Missing), HeadState::Missing);
    assert_eq!(verify_head(&[], HeadFile::Missing), HeadState::Agrees);
    assert_eq!(verify_head(&links, HeadFile::Says(Head::start())), HeadState::Behind { by: 4, one_write: false });
    assert_eq!(verify_head(&[], head(1)), HeadState::Shorter { by: 1 });
}
