//! What holds for the record of every run: it agrees with what the machine says, whatever went wrong on the way.

use super::laws::{Case, case, on_one_thread};
use super::{Begin, Config, replay};
use crate::audit::{Link, Origin};
use crate::model::Op;
use crate::port::RunState;
use crate::record::{Input, Report, Standing, report};
use crate::run::{Entry, Status};
use crate::wire::{Step, StepKind};

/// Makes the record of the newest run, as `opsole report` does.
fn record(case: &Case) -> Report {
    let row = case.store.runs().expect("runs").remove(0);
    let machine = replay(&*case.store, &row).expect("a machine");
    let journal = case.store.journal(row.run).expect("a journal").into_iter();
    let entries: Vec<Entry> =
        journal.map(|entry| Entry::parse(entry.seq, entry.at, &entry.body).expect("an entry")).collect();
    let origin = Origin::parse(row.origin.as_deref().expect("an origin")).expect("an origin");
    let links = case.store.audit().expect("a list");
    let told: Vec<_> = links.iter().filter_map(Link::entry).collect();
    report(&Input {
        machine: &machine,
        entries: &entries,
        ended: row.state == RunState::Ended,
        origin: Some(&origin),
        evidence: &case.store.evidence().expect("evidence"),
        told: &told,
        head: case.store.audit_head().expect("a head"),
    })
}

/// What holds for each.
fn sound(report: &Report) {
    assert_eq!(report.unplanned, []);
    let left: u64 = report.not_done.iter().map(|one| one.devices).sum();
    assert_eq!(report.planned, report.done + left);
    let of = &report.devices_by_outcome;
    let ended = of.complete + of.undone + of.recovery_required + of.pending_verification + of.not_started;
    assert_eq!((of.total, of.total), (report.devices.len() as u64, ended + of.open));
    for device in &report.devices {
        let times = device.operations.iter().flat_map(|op| [op.started, op.ended, op.undone]);
        for at in times.flatten() {
            assert!(report.began <= at && at <= report.last, "{}: {at}", device.device);
            assert!(device.started.is_none_or(|started| started <= at), "{}: {at}", device.device);
        }
        for op in &device.operations {
            assert!(op.started.is_none_or(|started| op.ended.is_none_or(|ended| started <= ended)), "{op:?}");
            assert!(op.status != Status::Done || op.ended.is_some(), "done without a time: {op:?}");
            let after = crate::dag::spec(op.op).after;
            let before = device.operations.iter().filter(|other| after.contains(&other.op));
            for other in before.filter(|other| other.status == Status::Done && op.status == Status::Done) {
                assert!(other.ended <= op.ended, "{}: {} ended after {}", device.device, other.op, op.op);
            }
        }
        assert!(device.outcome != "complete" || device.operations.iter().all(|op| op.status == Status::Done));
    }
}

/// Catches a clean run that isn't told as one: something planned that isn't done, an exclusion without its times.
#[test]
fn a_clean_run_did_what_was_planned() {
    on_one_thread(async {
        let case = case(3);
        drop(case.run(Config::default()).await);
        let report = record(&case);
        sound(&report);
        assert_eq!((report.standing, report.planned), (Standing::Ended, report.done));
        assert_eq!((report.devices_by_outcome.complete, report.problems.len()), (3, 0));
        let [exclusion] = &report.exclusions[..] else { panic!("{:?}", report.exclusions) };
        assert!(exclusion.opened.is_some() && exclusion.opened < exclusion.closed, "{exclusion:?}");
        assert!(report.devices.iter().all(|row| row.evidence.is_some() && row.started < row.ended));
        let turns: Vec<&str> = report.turns.iter().map(|turn| turn.what.as_str()).collect();
        assert_eq!(turns, ["run-begun", "run-ended"]);
        assert_eq!(crate::record::groups(&report).len(), 1, "devices that are alike stand together");
    });
}

/// Catches an outcome in the record that isn't the run's, and what was put back and isn't told: every step of the agent
/// fails in turn.
#[test]
fn failures_are_told_as_they_were() {
    on_one_thread(async {
        for op in Op::ALL.iter().copied().filter(|op| crate::dag::spec(*op).place.has_agent()) {
            let case = case(2);
            case.world.faults.lock().expect("no panic").insert(Step { op, kind: StepKind::Do });
            let run = case.run(Config::default()).await;
            let report = record(&case);
            sound(&report);
            for row in &report.devices {
                let outcome = serde_json::to_value(&run.devices[&row.device]).expect("JSON");
                let word = outcome.as_str().or_else(|| Some(outcome.as_object()?.keys().next()?));
                assert_eq!(word, Some(row.outcome.as_str()), "{op}");
                let code = outcome.as_object().and_then(|map| map.values().next()).map(|problem| &problem["code"]);
                assert_eq!(row.problem.as_ref().map(|p| p.code.as_str()), code.and_then(|code| code.as_str()), "{op}");
                let named = report.problems.iter().any(|problem| problem.devices.contains(&row.device));
                assert_eq!(named, row.problem.is_some() || row.operations.iter().any(|op| op.problem.is_some()));
            }
            let undone = report.devices.iter().flat_map(|row| &row.operations);
            let undone = undone.filter(|op| op.status == Status::Undone);
            assert!(undone.clone().all(|op| op.undone.is_some()), "{op}");
            let told = report.undone.iter().filter(|one| one.device.is_some() && one.status == Status::Undone);
            assert_eq!(told.count(), undone.count(), "{op}");
        }
    });
}

/// Catches a run of two processes that is told as two, or whose first half is lost; and an open one that is told as ended.
#[test]
fn killed_and_resumed_is_one_record() {
    on_one_thread(async {
        let whole = case(1);
        drop(whole.run(Config::default()).await);
        let whole = record(&whole);
        for entry in (3..whole.entries).step_by(9) {
            let case = case(1);
            let config = Config { kill_after_entry: Some(entry), halt: true, ..Config::default() };
            let handle = case.start(case.begin(), config).await;
            if case.finish(&handle).await.is_ok() {
                continue;
            }
            drop(handle);
            let cut = record(&case);
            sound(&cut);
            assert_eq!((cut.standing, cut.entries), (Standing::Open, entry));
            let handle = case.start(Begin::Resume(case.plan.run), Config::default()).await;
            drop(case.finish(&handle).await.expect("a report"));
            let report = record(&case);
            sound(&report);
            assert_eq!(case.store.runs().expect("runs").len(), 1);
            assert_eq!((report.done, report.planned), (whole.done, whole.planned), "entry {entry}");
            assert!(report.turns.iter().any(|turn| turn.what == "run-resumed"), "entry {entry}");
            let begun = cut.devices[0].operations.iter().zip(&report.devices[0].operations);
            assert!(begun.clone().all(|(then, now)| then.started.is_none_or(|at| now.started == Some(at))));
        }
    });
}
