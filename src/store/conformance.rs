//! What every store has to do; the fake passes the same suite as the real one.

use jiff::Timestamp;

use super::{MemoryStore, SqliteStore};
use crate::audit::{Fact, Note, verify};
use crate::model::{DeviceName, OwnerRole, RunId};
use crate::port::{RecoveryRow, RunRow, RunState, Store};
use crate::state::SignOff;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn each(check: impl Fn(&dyn Store)) {
    check(&MemoryStore::new());
    let folder = tempfile::tempdir().expect("a folder");
    check(&SqliteStore::open(folder.path()).expect("a store"));
}
fn run(number: u128) -> RunId {
    RunId(uuid::Uuid::from_u128(number))
}
fn row(number: u128) -> RunRow {
    RunRow {
        run: run(number),
        created: AT,
        state: RunState::Open,
        plan: vec![1, 2, 3],
        origin: Some("origin".to_owned()),
    }
}
fn entry(body: &str) -> (Timestamp, String) {
    (AT, body.to_owned())
}

/// Catches runs that come back in the wrong order or don't end.
#[test]
fn runs_are_listed_newest_first() {
    each(|store| {
        store.create_run(&row(2), &[]).expect("a run");
        store.create_run(&row(1), &[]).expect("a run");
        assert_eq!(store.create_run(&row(1), &[]).unwrap_err().code, "store.run-exists");
        store.end_run(run(2), &[]).expect("an end");
        assert_eq!(store.end_run(run(7), &[]).unwrap_err().code, "store.run-unknown");
        let runs = store.runs().expect("runs");
        assert_eq!(
            runs.iter().map(|row| (row.run, row.state)).collect::<Vec<_>>(),
            [(run(1), RunState::Open), (run(2), RunState::Ended)]
        );
        assert_eq!((&runs[0].plan[..], runs[0].origin.as_deref()), (&[1, 2, 3][..], Some("origin")));
    });
}

/// Catches two controllers that write one journal, and a batch of which half stays.
#[test]
fn journals_have_one_writer_and_no_gaps() {
    each(|store| {
        store.create_run(&row(1), &[]).expect("a run");
        store.append(run(1), 1, &[entry("a"), entry("b")], &[]).expect("entries");
        for first in [1, 2, 4] {
            let problem = store.append(run(1), first, &[entry("x"), entry("y")], &[]).unwrap_err();
            assert_eq!(problem.code, "store.journal-moved");
        }
        assert_eq!(store.append(run(9), 1, &[entry("a")], &[]).unwrap_err().code, "store.run-unknown");
        store.append(run(1), 3, &[entry("c")], &[]).expect("an entry");
        let bodies: Vec<(u64, String)> =
            store.journal(run(1)).expect("a journal").into_iter().map(|row| (row.seq, row.body)).collect();
        assert_eq!(bodies, [(1, "a".to_owned()), (2, "b".to_owned()), (3, "c".to_owned())]);
        assert_eq!(store.journal(run(9)).unwrap_err().code, "store.run-unknown");
    });
}

/// Catches an event that is acknowledged and not journalled, or journalled twice because it wasn't.
#[test]
fn entries_of_agents_move_with_their_number() {
    each(|store| {
        let device = DeviceName::new("D-1");
        store.create_run(&row(1), &[]).expect("a run");
        assert_eq!(store.acknowledged(run(1), &device).expect("a number"), 0);
        store.append_from_agent(run(1), 1, &[entry("a"), entry("b")], &device, 2).expect("entries");
        let lost = store.append_from_agent(run(1), 2, &[entry("c")], &device, 3).unwrap_err();
        assert_eq!(lost.code, "store.journal-moved");
        assert_eq!(store.acknowledged(run(1), &device).expect("a number"), 2);
        store.append_from_agent(run(1), 3, &[], &device, 1).expect("nothing");
        assert_eq!(store.acknowledged(run(1), &device).expect("a number"), 2, "it never goes back");
        assert_eq!(store.acknowledged(run(1), &"D-2".into()).expect("a number"), 0);
        assert_eq!(store.journal(run(1)).expect("a journal").len(), 2);
    });
}

/// Catches tokens of one device that overwrite another's.
#[test]
fn agents_are_kept_by_device() {
    each(|store| {
        let one = |device: &str, text: &str| (device.into(), text.to_owned());
        store.set_agents(&[one("d-1", "one"), one("D-2", "two")], &[]).expect("tokens");
        store.set_agents(&[one("D-1", "three")], &[]).expect("a token");
        assert_eq!(store.agent(&"d-1".into()).expect("a read").as_deref(), Some("three"), "seen at once");
        assert_eq!(store.agent(&"D-3".into()).expect("a read"), None);
        let agents = store.agents().expect("agents");
        assert_eq!(agents.values().map(String::as_str).collect::<Vec<_>>(), ["three", "two"]);
        assert!(store.record(&"D-1".into()).expect("a read").is_none());
        assert!(store.ledger().expect("a read").is_empty() && store.evidence().expect("a read").is_empty());
    });
}

/// Catches a recovery password that is written over by a second one, that another device gets, or that stays for ever.
#[test]
fn recovery_passwords_stay_until_they_are_retired() {
    each(|store| {
        let row = |device: &str, number, locked: &[u8]| RecoveryRow {
            device: device.into(),
            run: run(number),
            account: "opsole-recovery".to_owned(),
            made: AT,
            locked: locked.to_vec(),
        };
        let first = row("D-1", 1, b"one");
        assert_eq!(store.set_recovery(&first).expect("a write"), first);
        assert_eq!(store.set_recovery(&row("d-1", 2, b"two")).expect("a write"), first, "the first one counts");
        assert_eq!(store.recovery(&"D-1".into()).expect("a read"), Some(first));
        assert_eq!(store.recovery(&"D-2".into()).expect("a read"), None);
        store.retire_recovery(&"D-2".into()).expect("nothing there");
        store.retire_recovery(&"D-1".into()).expect("a write");
        assert_eq!(store.recovery(&"D-1".into()).expect("a read"), None);
        let again = row("D-1", 3, b"three");
        assert_eq!(store.set_recovery(&again).expect("a write"), again);
    });
}

/// Catches an approval that counts again after it was taken back, and one that can be taken back once only.
#[test]
fn approvals_stay_taken_back() {
    each(|store| {
        for signature in ["b", "a", "b"] {
            store.take_back_approvals(&[signature.to_owned()], &[]).expect("a write");
        }
        assert_eq!(store.approvals_taken_back().expect("a read"), ["a", "b"]);
    });
}

/// Catches sign-offs that come back in another order, or a second one that takes the place of the first.
#[test]
fn sign_offs_are_kept_in_order() {
    each(|store| {
        let sign_off = |role, revoked| SignOff {
            wave: "london".into(),
            role,
            by: "lead".to_owned(),
            at: AT,
            evidence: "CHG-1".to_owned(),
            seen: "9 of 9 criteria".to_owned(),
            revoked,
        };
        let all = [sign_off(OwnerRole::ProjectLead, false), sign_off(OwnerRole::ProjectLead, true)];
        all.iter().for_each(|one| store.add_sign_off(one, &[]).expect("a write"));
        assert_eq!(store.sign_offs().expect("a read"), all);
        assert!(store.evidence_of(&"D-1".into()).expect("a read").is_none());
    });
}

/// Catches a write that the list tells of and that leaves no entry, or an entry without its write.
#[test]
fn the_list_tells_what_was_written() {
    each(|store| {
        let outcome = |name: &str| Fact::of_outcome(run(1), &name.into(), &crate::state::Outcome::Complete);
        let note = |name: &str| [Note { at: AT, actor: "jane@desk".to_owned(), fact: outcome(name) }];
        store.create_run(&row(1), &note("A")).expect("a run");
        assert_eq!(store.create_run(&row(1), &note("X")).unwrap_err().code, "store.run-exists");
        store.append(run(1), 1, &[entry("a")], &note("B")).expect("an entry");
        assert_eq!(store.append(run(1), 1, &[entry("a")], &note("X")).unwrap_err().code, "store.journal-moved");
        store.take_back_approvals(&["s".to_owned()], &note("C")).expect("a write");
        store.end_run(run(1), &note("D")).expect("an end");
        store.add_audit(&note("E")).expect("an entry");
        let links = store.audit().expect("a list");
        let told: Vec<Fact> = links.iter().filter_map(|link| link.entry().map(|entry| entry.fact)).collect();
        assert_eq!(told, ["A", "B", "C", "D", "E"].map(outcome));
        assert!(verify(&links).is_whole());
        assert_eq!(links.last().map(|link| link.head()), Some(Ok(store.audit_head().expect("a head"))));
    });
}
