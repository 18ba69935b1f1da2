//! What holds for every run: twice is once, a failure is never half and silent, a crash anywhere changes
//! nothing, a drained run can be resumed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::fake::World;
use super::{Begin, Config, Controller, Handle, RunReport};
use crate::audit::{self, Fact};
use crate::dag::{self, Phase};
use crate::model::{DeviceName, Digest, Op, RetirePolicy, Side};
use crate::port::{RunState, Store};
use crate::run::{Budget, RunPlan, Settings};
use crate::run::{device_run_for_tests as device_run, run_plan_for_tests as run_plan};
use crate::state::Outcome;
use crate::store::{MemoryStore, SqliteStore};
use crate::wire::{Step, StepKind};

pub(super) struct Case {
    pub(super) world: Arc<World>,
    pub(super) store: Arc<dyn Store>,
    pub(super) plan: RunPlan,
}

pub(super) fn case(devices: usize) -> Case {
    let mut runs: Vec<_> = (0..devices).map(|n| device_run(&format!("D-{n}"), &BTreeSet::new())).collect();
    let mut tasks: Vec<_> = runs.iter().map(|run| run.task.clone()).collect();
    let world = World::new(&mut tasks);
    for (run, task) in runs.iter_mut().zip(tasks) {
        run.task = task;
    }
    let mut plan = run_plan(runs, 2, Budget::default());
    plan.created = crate::port::Clock::now(&*world.clock);
    plan.settings = Settings {
        retire: RetirePolicy::Disable,
        group_restore_exclude: vec!["all-staff-*".to_owned()],
        profiles: Some((vec!["Wi-Fi".to_owned()], "App-CAD".to_owned())),
        autopilot_tag: None,
    };
    Case { world, store: Arc::new(MemoryStore::new()), plan }
}

impl Case {
    pub(super) async fn start(&self, begin: Begin, config: Config) -> Handle {
        let ports = self.world.ports(Arc::clone(&self.store));
        let handle = Controller::start(begin, ports, config).await.expect("a controller");
        self.world.start_agents(&handle.agents());
        handle
    }
    pub(super) fn begin(&self) -> Begin {
        Begin::New(Box::new(self.plan.clone()), Box::default())
    }
    pub(super) async fn finish(&self, handle: &Handle) -> crate::port::Result<RunReport> {
        let mut finished = handle.finished.clone();
        self.world.clock.drive(|| finished.borrow_and_update().is_some()).await;
        handle.finished().await
    }
    pub(super) async fn run(&self, config: Config) -> RunReport {
        let handle = self.start(self.begin(), config).await;
        self.finish(&handle).await.expect("a report")
    }
}

/// Runs a test on one thread, on which the fake clock knows when everybody waits.
pub(super) fn on_one_thread(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}

async fn undisturbed(devices: usize) -> (String, u64) {
    let case = case(devices);
    let report = case.run(Config::default()).await;
    assert_eq!(report.counts.complete as usize, devices, "{report:?}");
    (case.world.summary(), case.store.journal(report.run).expect("a journal").len() as u64)
}

/// Catches a chain that says it is complete while something in the world isn't.
#[test]
fn a_run_leaves_the_world_as_planned() {
    on_one_thread(async {
        let case = case(3);
        let report = case.run(Config::default()).await;
        assert_eq!((report.counts.complete, report.drained), (3, false));
        let clouds = case.world.clouds.lock().expect("no panic");
        let (old, new) = (&clouds[&Side::Origin], &clouds[&Side::Destination]);
        assert!(old.devices.is_empty() && old.managed.is_empty() && old.autopilot.is_empty());
        assert_eq!((new.devices.len(), new.managed.len(), new.autopilot.len()), (3, 3, 3));
        assert!(new.autopilot.iter().all(|identity| identity.group_tag.as_deref() == Some("Kiosk")));
        // Static and not excluded: the one group; the others are dynamic, excluded by glob or not there.
        let members: Vec<usize> = new.groups.iter().map(|group| group.devices.len()).collect();
        assert_eq!(members, [3, 0, 0]);
        assert_eq!(new.policies[0].exclude_users, ["GuestsOrExternalUsers"]);
        assert_eq!(new.profiles[0].assignments.len(), 2, "the others' assignment is kept");
        assert!(new.users.is_empty(), "the package is revoked");
        drop(clouds);
        assert!(case.world.computers.lock().expect("no panic").iter().all(|computer| !computer.enabled));
        let record = case.store.record(&"D-0".into()).expect("a read").expect("a record");
        assert_eq!(record.outcome, Some(Outcome::Complete));
        assert!(record.committed_at.is_some() && record.new_device.is_some() && record.done.contains(&Op::CleanUp));
        assert_eq!(record.hardware_hash.as_deref(), Some("aGFzaA=="));
        assert_eq!(case.store.runs().expect("runs")[0].state, RunState::Ended);
    });
}

/// Catches an operation that does something else the second time.
#[test]
fn every_operation_twice_is_once() {
    on_one_thread(async {
        let (expected, _) = undisturbed(2).await;
        let case = case(2);
        let report = case.run(Config { repeat_acts: true, ..Config::default() }).await;
        assert_eq!(report.counts.complete, 2, "{report:?}");
        assert_eq!(case.world.summary(), expected);
    });
}

/// Catches a crash that loses, doubles or forgets something: the controller stops right after, and right
/// before, every entry that it would write.
#[test]
fn a_crash_at_any_entry_changes_nothing() {
    on_one_thread(async {
        let (expected, entries) = undisturbed(2).await;
        for entry in 1..=entries {
            for before in [true, false] {
                let config = Config {
                    kill_before_entry: before.then_some(entry),
                    kill_after_entry: (!before).then_some(entry),
                    halt: true,
                    ..Config::default()
                };
                let case = case(2);
                let handle = case.start(case.begin(), config).await;
                match case.finish(&handle).await {
                    Err(problem) => assert_eq!(problem.code, "run.halted"),
                    Ok(report) => {
                        assert!(report.counts.complete == 2, "the schedule may differ by an entry");
                        continue;
                    }
                }
                drop(handle);
                let ended = case.store.runs().expect("runs")[0].state == RunState::Ended;
                if !ended {
                    let handle = case.start(Begin::Resume(case.plan.run), Config::default()).await;
                    let report = case.finish(&handle).await.expect("a report");
                    assert_eq!(report.counts.complete, 2, "entry {entry}: {report:?}");
                }
                assert_eq!(case.world.summary(), expected, "entry {entry}, before: {before}");
                told(&case, &format!("entry {entry}, before: {before}"));
            }
        }
    });
}

/// The list of what was decided and done is whole, every journal is as it says, and each device's outcome is told once.
fn told(case: &Case, when: &str) {
    let links = case.store.audit().expect("a list");
    assert!(audit::verify(&links).is_whole(), "{when}");
    let entries: Vec<audit::Entry> = links.iter().filter_map(audit::Link::entry).collect();
    let stored = case.store.runs().expect("runs").into_iter().map(|row| {
        let journal = case.store.journal(row.run).expect("a journal");
        let run = audit::StoredRun {
            created: row.created,
            run_plan: Digest::of(&row.plan),
            origin: row.origin.map(|text| Digest::of(text.as_bytes())),
            journal: Ok(journal.into_iter().map(|entry| (entry.at, entry.body)).collect()),
        };
        (row.run, run)
    });
    for run in audit::verify_runs(&entries, &stored.collect()) {
        assert!(run.faults.is_empty(), "{when}: {:?}", run.faults);
    }
    let of = |is: fn(&Fact) -> bool| entries.iter().filter(|entry| is(&entry.fact)).count();
    assert_eq!(of(|fact| matches!(fact, Fact::RunBegun(_))), 1, "{when}");
    assert_eq!(of(|fact| matches!(fact, Fact::RunEnded(_))), 1, "{when}");
    assert_eq!(of(|fact| matches!(fact, Fact::DeviceEnded(_))), case.plan.devices.len(), "{when}");
    assert_eq!(of(|fact| matches!(fact, Fact::ExclusionOpened(_))), 1, "{when}");
    assert_eq!(of(|fact| matches!(fact, Fact::ExclusionClosed(_))), 1, "{when}");
}

fn check(case: &Case, failing: &str, op: Op, outcome: &Outcome) {
    let spec = dag::spec(op);
    let fits = match outcome {
        Outcome::Undone(_) => spec.phase == Phase::Reversible,
        Outcome::RecoveryRequired(problem) => !spec.may_pend && problem.next.is_some(),
        Outcome::PendingVerification(problem) => spec.may_pend && !problem.message.is_empty(),
        Outcome::Complete | Outcome::NotStarted(_) => false,
    };
    assert!(fits, "{failing}: {outcome:?}");
    if matches!(outcome, Outcome::Undone(_)) {
        let devices = case.world.devices.lock().expect("no panic");
        let left: Vec<_> =
            devices[&DeviceName::new("D-0")].state.iter().filter(|op| dag::spec(**op).undo.is_some()).collect();
        assert!(left.is_empty(), "{failing}: {left:?} is left on the device");
    }
    // The old objects stay unless the new state was verified.
    let clouds = case.world.clouds.lock().expect("no panic");
    if op < Op::RetireOldIntune {
        assert_eq!(clouds[&Side::Origin].managed.len(), 1, "{failing}");
    }
    let record = case.store.record(&"D-0".into()).expect("a read").expect("a record");
    assert_eq!(record.outcome.as_ref(), Some(outcome), "{failing}");
}

/// Catches a failed step that is neither undone nor named: every step of the agent fails in turn.
#[test]
fn a_failing_agent_is_never_half_and_silent() {
    on_one_thread(async {
        for op in Op::ALL.iter().copied().filter(|op| dag::spec(*op).place.has_agent()) {
            let case = case(1);
            case.world.faults.lock().expect("no panic").insert(Step { op, kind: StepKind::Do });
            let report = case.run(Config::default()).await;
            check(&case, op.name(), op, &report.devices[&"D-0".into()]);
        }
    });
}

/// Catches the same on the controller's side: every call that an operation needs is denied in turn.
#[test]
fn a_denying_tenant_is_never_half_and_silent() {
    let calls = [
        ("Origin:groups_of", Op::SnapshotCloud),
        ("Destination:device", Op::VerifyEnrolment),
        ("Destination:primary_users", Op::SetPrimaryUser),
        ("Destination:add_member", Op::RestoreGroups),
        ("Destination:recovery_keys", Op::EscrowBitlockerNew),
        ("Destination:laps", Op::VerifyLaps),
        ("Destination:assign_profile", Op::AssignConfiguration),
        ("Origin:delete_managed_device", Op::RetireOldIntune),
        ("Origin:delete_autopilot", Op::RetireOldAutopilot),
        ("Destination:import_autopilot", Op::ImportAutopilot),
        ("Origin:delete_device", Op::RetireOldObject),
    ];
    on_one_thread(async {
        for (call, op) in calls {
            let case = case(1);
            case.world.denied.lock().expect("no panic").insert(call.to_owned());
            let report = case.run(Config::default()).await;
            check(&case, call, op, &report.devices[&"D-0".into()]);
        }
    });
}

/// Catches a device that is started although the tenant isn't ready, and an exclusion that stays behind.
#[test]
fn a_tenant_that_is_not_ready_starts_no_device() {
    on_one_thread(async {
        let case = case(1);
        case.world.denied.lock().expect("no panic").insert("Destination:set_excluded_users".to_owned());
        let report = case.run(Config::default()).await;
        assert!(matches!(report.devices[&"D-0".into()], Outcome::NotStarted(_)));
        let clouds = case.world.clouds.lock().expect("no panic");
        assert_eq!(clouds[&Side::Destination].policies[0].exclude_users, ["GuestsOrExternalUsers"]);
        assert_eq!(clouds[&Side::Destination].users.len(), 1, "the package is still needed");
    });
}

/// Catches an exclusion group that is passed over for the policy, a membership that stays behind or that somebody else
/// gave and that is taken away, and one in a group that gives more than the exclusion.
#[test]
fn an_exclusion_through_a_group_leaves_the_policy_alone() {
    on_one_thread(async {
        for (dynamic, before, repeat_acts) in
            [(false, false, false), (false, false, true), (false, true, false), (true, false, false)]
        {
            let mut case = case(1);
            for run in case.plan.tenant_before.iter_mut().chain(&mut case.plan.tenant_after) {
                run.group = Some("CA-Excluded".to_owned());
            }
            // The account stays, so that what it is a member of can be seen afterwards.
            case.plan.tenant_after.truncate(1);
            let (group, user) = {
                let mut clouds = case.world.clouds.lock().expect("no panic");
                let cloud = clouds.get_mut(&Side::Destination).expect("a cloud");
                let mut group = cloud.groups[0].clone();
                (group.name, group.dynamic) = ("CA-Excluded".to_owned(), dynamic);
                group.id = crate::model::GroupId(uuid::Uuid::from_u128(0xCA));
                cloud.policies[0].exclude_groups.push(group.id);
                let (id, user) = (group.id, cloud.users[0].id);
                cloud.groups.push(group);
                if before {
                    cloud.user_members.insert((id, user));
                }
                (id, user)
            };
            case.world.denied.lock().expect("no panic").insert("Destination:set_excluded_users".to_owned());
            let report = case.run(Config { repeat_acts, ..Config::default() }).await;
            let outcome = &report.devices[&"D-0".into()];
            if dynamic {
                assert!(matches!(outcome, Outcome::NotStarted(why) if why.contains("static group")), "{outcome:?}");
            } else {
                assert_eq!(outcome, &Outcome::Complete);
                let noted =
                    case.store.journal(report.run).expect("a journal").iter().any(|entry| {
                        entry.body.contains(if before { "\"was-excluded\"" } else { "\"was-not-excluded\"" })
                    });
                assert!(noted, "it was looked at before it was written");
            }
            let clouds = case.world.clouds.lock().expect("no panic");
            let left = clouds[&Side::Destination].user_members.contains(&(group, user));
            assert_eq!(left, before, "dynamic {dynamic}, member before {before}");
        }
    });
}

/// Catches an escrow that is taken for granted: without the key in the old tenant nothing is begun.
#[test]
fn no_device_moves_without_its_key_in_escrow() {
    on_one_thread(async {
        let case = case(1);
        case.world.clouds.lock().expect("no panic").get_mut(&Side::Origin).expect("a cloud").keys.clear();
        let report = case.run(Config::default()).await;
        assert!(matches!(&report.devices[&"D-0".into()], Outcome::Undone(p) if p.code == "bitlocker.not-in-escrow"));
    });
}

/// Catches a domain controller that is treated as a workstation.
#[test]
fn a_domain_controller_is_refused() {
    on_one_thread(async {
        let case = case(1);
        case.world.computers.lock().expect("no panic")[0].domain_controller = true;
        let report = case.run(Config::default()).await;
        assert!(
            matches!(&report.devices[&"D-0".into()], Outcome::Undone(p) if p.code == "directory.domain-controller")
        );
    });
}

/// Catches a drain that loses devices, commits new ones, or can't be resumed.
#[test]
fn a_drained_run_is_resumed_to_the_same_end() {
    on_one_thread(async {
        let (expected, entries) = undisturbed(3).await;
        for stop in (5..entries).step_by(9) {
            let case = case(3);
            let handle = case.start(case.begin(), Config::default()).await;
            let store = Arc::clone(&case.store);
            let run = case.plan.run;
            case.world.clock.drive(|| store.journal(run).expect("a journal").len() as u64 >= stop).await;
            handle.drain().await;
            let report = case.finish(&handle).await.expect("a report");
            drop(handle);
            if report.drained {
                // The run is open: a second apply is refused.
                let ports = case.world.ports(Arc::clone(&case.store));
                let second = Controller::start(case.begin(), ports, Config::default()).await;
                assert_eq!(second.err().map(|problem| problem.code).as_deref(), Some("run.open"));
                let handle = case.start(Begin::Resume(run), Config::default()).await;
                let report = case.finish(&handle).await.expect("a report");
                assert_eq!((report.counts.complete, report.drained), (3, false));
            }
            assert_eq!(case.world.summary(), expected, "after {stop} entries");
        }
    });
}

/// Catches a store on disk that forgets what the fake remembers: the file is closed and opened again at crashes
/// all along the run.
#[test]
fn a_crash_with_the_real_store_changes_nothing() {
    on_one_thread(async {
        let (expected, entries) = undisturbed(1).await;
        for entry in (2..entries).step_by(11) {
            let folder = tempfile::tempdir().expect("a folder");
            let mut case = case(1);
            case.store = Arc::new(SqliteStore::open(folder.path()).expect("a store"));
            let config = Config { kill_after_entry: Some(entry), halt: true, ..Config::default() };
            let handle = case.start(case.begin(), config).await;
            assert_eq!(case.finish(&handle).await.map_err(|problem| problem.code), Err("run.halted".to_owned()));
            drop(handle);
            case.store = Arc::new(SqliteStore::open(folder.path()).expect("a store"));
            let handle = case.start(Begin::Resume(case.plan.run), Config::default()).await;
            let report = case.finish(&handle).await.expect("a report");
            assert_eq!(report.counts.complete, 1, "entry {entry}: {report:?}");
            assert_eq!(case.world.summary(), expected, "entry {entry}");
        }
    });
}

/// Catches a package that was replaced after it was agreed to: no device may be touched.
#[test]
fn a_changed_package_begins_nothing() {
    on_one_thread(async {
        let mut case = case(1);
        case.plan.devices[0].task.package_sha256 = Some(Digest::of(b"another package"));
        let begun = Controller::start(case.begin(), case.world.ports(Arc::clone(&case.store)), Config::default()).await;
        assert_eq!(begun.err().map(|problem| problem.code).as_deref(), Some("package.changed"));
        assert!(case.store.runs().expect("runs").is_empty());
    });
}

/// Catches a controller that goes on after a write of its journal failed.
#[test]
fn a_store_that_fails_stops_the_run_and_loses_nothing() {
    on_one_thread(async {
        let (expected, _) = undisturbed(1).await;
        let case = case(1);
        let handle = case.start(case.begin(), Config::default()).await;
        let store = Arc::clone(&case.store);
        let run = case.plan.run;
        case.world.clock.drive(|| store.journal(run).expect("a journal").len() > 12).await;
        // Somebody else writes to the journal: the next own write is refused.
        let next = case.store.journal(run).expect("a journal").len() as u64 + 1;
        let resumed = crate::run::Event::Resumed.body();
        case.store.append(run, next, &[(case.plan.created, resumed)], &[]).expect("an entry");
        let problem = case.finish(&handle).await.unwrap_err();
        assert_eq!(problem.code, "store.journal-moved");
        drop(handle);
        let handle = case.start(Begin::Resume(run), Config::default()).await;
        assert_eq!(case.finish(&handle).await.expect("a report").counts.complete, 1);
        assert_eq!(case.world.summary(), expected);
    });
}

/// Catches a way back that a crash cuts in half: the device is armed, fails, and is put back across crashes.
#[test]
fn a_crash_on_the_way_back_leaves_nothing() {
    on_one_thread(async {
        for entry in 8..60 {
            let case = case(1);
            case.world.faults.lock().expect("no panic").insert(Step { op: Op::Arm, kind: StepKind::Do });
            let config = Config { kill_after_entry: Some(entry), halt: true, ..Config::default() };
            let handle = case.start(case.begin(), config).await;
            let mut end = case.finish(&handle).await;
            drop(handle);
            if end.is_err() && case.store.runs().expect("runs")[0].state == RunState::Open {
                let handle = case.start(Begin::Resume(case.plan.run), Config::default()).await;
                end = case.finish(&handle).await;
            }
            let report = end.expect("a report");
            check(&case, "arm", Op::Arm, &report.devices[&"D-0".into()]);
            assert_eq!(report.counts.undone, 1, "entry {entry}");
        }
    });
}
