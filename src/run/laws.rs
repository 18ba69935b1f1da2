//! The machine under any schedule and any failures.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::plan::predecessors;
use super::{
    AgentNote, Budget, DeviceRun, Effect, Entry, Event, FORMAT, Machine, OpRun, RunPlan, Seen, Settings, Status,
    TenantMark, TenantRun,
};
use crate::dag::{self, Phase, Place, Scope};
use crate::model::{DeviceName, Digest, Feature, Mode, Op, Problem, RunId, Scenario, Sid, TenantId, UserId};
use crate::state::Outcome;
use crate::wire::{Step, StepKind, Task};

pub(crate) fn task(name: &str) -> Task {
    let user = UserId(uuid::Uuid::from_u128(7));
    Task {
        device: DeviceName::new(name),
        serial: Some(format!("PF-{name}")),
        scenario: Scenario::TenantToTenant,
        features: Feature::ALL.into_iter().collect(),
        mode: Mode::Silent,
        origin_tenant: TenantId(uuid::Uuid::from_u128(1)),
        target_tenant: TenantId(uuid::Uuid::from_u128(2)),
        old_sid: "S-1-5-21-1-2-3-1104".parse().expect("a SID"),
        profile_path: r"C:\Users\anna".to_owned(),
        user,
        upn: "anna@contoso.com".to_owned(),
        new_sid: Sid::of_entra_user(user),
        package: "bulk".into(),
        package_sha256: None,
        old_device: None,
        excepted: Vec::new(),
        attested: Vec::new(),
    }
}

pub(crate) fn device_run(name: &str, leave_out: &BTreeSet<Op>) -> DeviceRun {
    let device_op = |op: &Op| dag::spec(*op).scope == Scope::Device && !leave_out.contains(op);
    let ops: BTreeSet<Op> = Op::ALL.iter().copied().filter(device_op).collect();
    let runs = ops.iter().map(|op| OpRun { op: *op, after: predecessors(*op, &ops) }).collect();
    DeviceRun { task: task(name), committed: false, ops: runs }
}

pub(crate) fn run_plan(devices: Vec<DeviceRun>, concurrency: u32, budget: Budget) -> RunPlan {
    let tenant = |op| TenantRun {
        op,
        account: "package_1@contoso.com".to_owned(),
        package: "bulk".into(),
        policy: Some("Require MFA".to_owned()),
        group: None,
        needs_complete: op == Op::RevokePackage,
        due: None,
        only_due: false,
    };
    RunPlan {
        format: FORMAT,
        run: RunId(uuid::Uuid::from_u128(9)),
        plan: "contoso".to_owned(),
        digest: Digest::of(b"plan"),
        scenario: Scenario::TenantToTenant,
        wave: "pilot".into(),
        created: Timestamp::UNIX_EPOCH,
        concurrency,
        budget,
        windows: None,
        settings: Settings::default(),
        tenant_before: vec![tenant(Op::ExcludePackageAccount)],
        tenant_after: vec![tenant(Op::RestorePackageAccount), tenant(Op::RevokePackage)],
        accepted: Vec::new(),
        devices,
    }
}

/// Dice for a step whose order ran out.
const EXPIRES: u8 = 99;

/// A world that does what the machine asks for, in any order, and fails now and then.
struct Sim {
    machine: Machine,
    journal: Vec<Entry>,
    now: Timestamp,
    /// Controller operations under way.
    running: Vec<Work>,
    /// Next step of each device's agent, and what its journal has.
    agents: BTreeMap<DeviceName, (usize, u64, bool)>,
    limit: usize,
}

#[derive(Clone)]
enum Work {
    Device(DeviceName, Op),
    Tenant(u16, bool),
}

fn problem(code: &str) -> Problem {
    Problem::new(format!("test.{code}"), "it failed")
}

impl Sim {
    fn new(plan: RunPlan) -> Self {
        let limit = plan.concurrency as usize;
        let mut sim = Self {
            machine: Machine::new(plan),
            journal: Vec::new(),
            now: Timestamp::UNIX_EPOCH,
            running: Vec::new(),
            agents: BTreeMap::new(),
            limit,
        };
        sim.record(Event::Begun);
        sim
    }
    fn record(&mut self, event: Event) {
        self.machine.apply(&event, self.now).unwrap_or_else(|e| panic!("{event:?}: {e}"));
        self.journal.push(Entry { seq: self.journal.len() as u64 + 1, at: self.now, event });
    }
    /// Carries out what the machine asks for; says whether it asked for anything.
    fn turn(&mut self) -> bool {
        let effects = self.machine.effects(self.now);
        let some = !effects.is_empty();
        for (position, effect) in effects.into_iter().enumerate() {
            if let Err(illegal) = self.machine.apply(&effect.event(), self.now) {
                assert!(position > 0, "{effect:?}: {illegal}");
                break; // another effect of the same answer came in between
            }
            self.journal.push(Entry { seq: self.journal.len() as u64 + 1, at: self.now, event: effect.event() });
            match effect {
                Effect::Run { device, op } => self.running.push(Work::Device(device, op)),
                Effect::Tenant { index, undo } => self.running.push(Work::Tenant(index, undo)),
                _ => {}
            }
            let worked_on = |device: &DeviceName| {
                let mut states = self.machine.operations(device).into_iter();
                let waits = states.all(|(op, status, _)| {
                    status.is_settled() || (op == Op::RetireOldObject && status == Status::Controlling)
                });
                !waits
            };
            let flying = self.machine.in_flight();
            assert!(flying.iter().filter(|device| worked_on(device)).count() <= self.limit, "too many in flight");
        }
        some
    }
    /// One thing happens in the world; says whether anything could.
    fn world(&mut self, pick: usize, dice: u8) -> bool {
        let ready: Vec<DeviceName> = self
            .machine
            .in_flight()
            .into_iter()
            .filter(|device| {
                let steps = self.machine.order(device).map_or(0, |order| order.steps.len());
                self.agents.get(device).is_none_or(|(next, ..)| *next < steps) && steps > 0
            })
            .collect();
        let choices = self.running.len() + ready.len();
        if choices == 0 {
            return false;
        }
        let choice = pick % choices;
        if choice < self.running.len() {
            let work = self.running.swap_remove(choice);
            self.finish(work, dice);
        } else {
            self.agent(&ready[choice - self.running.len()], dice);
        }
        true
    }
    fn finish(&mut self, work: Work, dice: u8) {
        let failed = dice == 0;
        let event = match work {
            Work::Device(device, op) if failed => Event::Failed { device, op, problem: problem("controller") },
            Work::Device(device, op) => Event::Done { device, op },
            Work::Tenant(index, undo) => Event::Tenant {
                index,
                mark: match (undo, failed) {
                    (false, false) => TenantMark::Done,
                    (false, true) => TenantMark::Failed(problem("tenant")),
                    (true, false) => TenantMark::Undone,
                    (true, true) => TenantMark::UndoFailed(problem("tenant")),
                },
            },
        };
        self.record(event);
    }
    fn agent(&mut self, device: &DeviceName, dice: u8) {
        let order = self.machine.order(device).expect("a release");
        let (mut next, seq, failed) = self.agents.get(device).copied().unwrap_or((0, 0, false));
        let step = order.steps[next];
        // An agent that failed does nothing more but put back.
        if failed && step.kind == StepKind::Do {
            self.agents.insert(device.clone(), (next + 1, seq, failed));
            return;
        }
        let may_pend = dag::spec(step.op).may_pend && step.kind == StepKind::Do;
        let seen = Box::new(Seen::default());
        let (note, ends, fails) = match dice {
            0 => (AgentNote::Failed(problem("agent")), true, true),
            EXPIRES => (AgentNote::Failed(Problem::new(crate::wire::ORDER_EXPIRED, "late")), true, true),
            // Only the first step past the boundary may say so; of any other it is a failure like others.
            5 => (AgentNote::Failed(Problem::new(crate::wire::NOT_READY, "a disk fails")), true, true),
            1 if may_pend => (AgentNote::Pending(problem("late")), true, true),
            2 => (AgentNote::Started, false, false),
            3 => (AgentNote::Restarting, false, false),
            _ => (AgentNote::Done { already: dice == 4, seen }, true, false),
        };
        next += usize::from(ends);
        self.record(Event::Agent { device: device.clone(), seq: seq + 1, step, note });
        self.agents.insert(device.clone(), (next, seq + 1, failed || fails));
    }
    fn crash(&mut self) {
        self.running.clear();
        self.machine = Machine::replay((*self.machine.plan).clone(), self.journal.clone()).expect("own journal");
        self.record(Event::Resumed);
    }
    fn check(&self) {
        for run in &self.machine.plan.devices {
            let name = &run.task.device;
            let states: BTreeMap<Op, Status> =
                self.machine.operations(name).into_iter().map(|(op, status, _)| (op, status)).collect();
            for step in &run.ops {
                let done = |op: &Op| {
                    matches!(states[op], Status::Done | Status::Undoing | Status::Undone | Status::UndoFailed)
                };
                if states[&step.op] == Status::Done {
                    assert!(step.after.iter().all(done), "{name}: {} is done before what it needs", step.op);
                }
            }
        }
    }
}

/// Never half and silent: what was touched is either complete, put back, or named in the outcome.
fn check_outcome(sim: &Sim, name: &DeviceName, outcome: &Outcome) {
    let states = sim.machine.operations(name);
    let committed_steps = states.iter().filter(|(op, status, _)| {
        dag::spec(*op).phase != Phase::Reversible && !matches!(status, Status::Pending | Status::Skipped)
    });
    match outcome {
        Outcome::Complete => assert!(states.iter().all(|(_, status, _)| *status == Status::Done)),
        Outcome::Undone(_) => {
            assert_eq!(committed_steps.count(), 0, "{name} was undone past the boundary");
            for (op, status, _) in &states {
                let left = dag::spec(*op).undo.is_some() && *status == Status::Done;
                assert!(!left, "{name}: {op} is left behind");
            }
        }
        Outcome::PendingVerification(problem) => assert!(!problem.code.is_empty()),
        Outcome::RecoveryRequired(problem) => assert!(problem.next.is_some()),
        Outcome::NotStarted(_) => {
            let touched = states.iter().any(|(op, status, _)| *status == Status::Done && *op != Op::Preflight);
            assert!(!touched);
        }
    }
    // The old objects go last: never without the exit criteria.
    let state = |wanted: Op| states.iter().find(|(op, ..)| *op == wanted).map(|(_, status, _)| *status);
    for old in [Op::RetireOldIntune, Op::RetireOldObject] {
        if state(old) == Some(Status::Done) && state(Op::VerifyExit).is_some() {
            assert_eq!(state(Op::VerifyExit), Some(Status::Done));
        }
    }
}

fn optional() -> Vec<Op> {
    vec![
        Op::EscrowBitlocker,
        Op::RemoveConfigmgr,
        Op::SetPrimaryUser,
        Op::RestoreGroups,
        Op::VerifyLaps,
        Op::ImportAutopilot,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    /// Any schedule, any failures, crashes anywhere: the limit and the dependencies hold, every device ends in
    /// exactly one outcome, and replaying the journal gives the same machine.
    #[test]
    fn any_schedule_is_safe(
        devices in 1usize..6,
        limit in 1u32..4,
        left_out in prop::collection::btree_set(prop::sample::select(optional()), 0..4),
        max in prop::option::of(0u32..3),
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0u8..40, 0u8..60), 300),
    ) {
        let runs = (0..devices).map(|n| device_run(&format!("D-{n}"), &left_out)).collect();
        let plan = run_plan(runs, limit, Budget { max, percent: None, same_cause: None });
        plan.check().expect("a plan");
        let mut sim = Sim::new(plan);
        let mut picks = picks.into_iter().cycle();
        for _ in 0..4_000 {
            while sim.turn() {}
            sim.check();
            if sim.machine.is_finished() {
                break;
            }
            let (pick, dice, trouble) = picks.next().expect("a cycle");
            if trouble == 0 {
                sim.crash();
            } else if trouble == 1 && !sim.machine.is_draining() {
                sim.record(Event::Draining);
                for (pick, dice, _) in picks.by_ref().take(300) {
                    if sim.machine.is_quiet() || !sim.world(pick.index(1000), dice) {
                        break;
                    }
                    sim.turn();
                }
                sim.crash();
            } else if !sim.world(pick.index(1000), dice) {
                let wake = sim.machine.wake(sim.now);
                let stuck = || {
                    let states = sim.machine.in_flight().into_iter().map(|name| (sim.machine.operations(&name), name));
                    panic!("nothing to do and nothing to wait for: {:?}", states.collect::<Vec<_>>())
                };
                sim.now = wake.unwrap_or_else(stuck);
            } else {
                sim.now += SignedDuration::from_secs(5);
            }
        }
        prop_assert!(sim.machine.is_finished(), "it doesn't end: {:?}", sim.machine.progress());
        let outcomes = sim.machine.outcomes();
        prop_assert_eq!(outcomes.len(), devices);
        for (name, outcome) in &outcomes {
            check_outcome(&sim, name, outcome);
        }
        let replayed = Machine::replay((*sim.machine.plan).clone(), sim.journal.clone()).expect("own journal");
        prop_assert_eq!(&replayed, &sim.machine);
    }

    /// A journal that lost, doubled or shuffled entries is an error or a shorter history, never a panic.
    #[test]
    fn damaged_journals_are_errors(swap in (0usize..60, 0usize..60), kind in 0u8..4) {
        let plan = run_plan(vec![device_run("D-1", &BTreeSet::new())], 1, Budget::default());
        let mut sim = Sim::new(plan.clone());
        while !sim.machine.is_finished() {
            while sim.turn() {}
            sim.world(0, 10);
        }
        let mut entries = sim.journal.clone();
        let (a, b) = (swap.0 % entries.len(), swap.1 % entries.len());
        match kind {
            0 => entries.swap(a, b),
            1 => { entries.remove(a); }
            2 => entries.insert(a, entries[b].clone()),
            _ => {
                // With the numbers mended the order itself has to give it away.
                entries.remove(a);
                for (seq, entry) in (1..).zip(&mut entries) { entry.seq = seq; }
            }
        }
        let replayed = Machine::replay(plan, entries.clone());
        if entries == sim.journal {
            prop_assert!(replayed.is_ok());
        } else if kind == 3 {
            let lost = &sim.journal[a].event;
            let harmless = a + 1 == sim.journal.len() || matches!(lost, Event::Noted { .. });
            prop_assert!(harmless || replayed.is_err(), "{lost:?} can be taken away");
        } else if kind != 1 || a + 1 < sim.journal.len() {
            prop_assert!(replayed.is_err());
        }
    }

    /// Events out of nowhere are refused, and leave the machine as it was.
    #[test]
    fn illegal_events_change_nothing(op in 0usize..Op::ALL.len(), kind in 0u8..7, seq in 0u64..3, begun in any::<bool>()) {
        let mut machine = Machine::new(run_plan(vec![device_run("D-1", &BTreeSet::new())], 1, Budget::default()));
        if begun { machine.apply(&Event::Begun, Timestamp::UNIX_EPOCH).expect("begins"); }
        let (device, op) = (DeviceName::new(if seq == 0 { "NOBODY" } else { "D-1" }), Op::ALL[op]);
        let step = Step { op, kind: StepKind::Do };
        let event = match kind {
            0 => Event::DeviceStarted { device },
            1 => Event::Released { device, steps: vec![step] },
            2 => Event::Agent { device, seq, step, note: AgentNote::Started },
            3 => Event::Started { device, op },
            4 => Event::Done { device, op },
            5 => Event::GaveUp { device, step, problem: problem("x") },
            _ => Event::DeviceFinished { device, outcome: Outcome::Complete },
        };
        let before = machine.clone();
        prop_assert!(machine.apply(&event, Timestamp::UNIX_EPOCH).is_err());
        prop_assert_eq!(machine, before);
    }
}

fn drive(sim: &mut Sim, dice: impl Fn(Step) -> u8) {
    for _ in 0..5000 {
        while sim.turn() {}
        if sim.machine.is_finished() {
            return;
        }
        let device = sim.machine.in_flight().into_iter().find(|device| {
            let steps = sim.machine.order(device).map_or(0, |order| order.steps.len());
            sim.agents.get(device).map_or(0, |(next, ..)| *next) < steps
        });
        if let Some(work) = sim.running.pop() {
            let score = match &work {
                Work::Device(_, op) if dag::spec(*op).place != Place::AgentThenTenant => {
                    dice(Step { op: *op, kind: StepKind::Do })
                }
                _ => 10,
            };
            sim.finish(work, score);
        } else if let Some(device) = device {
            let order = sim.machine.order(&device).expect("an order");
            let step = order.steps[sim.agents.get(&device).map_or(0, |(next, ..)| *next)];
            sim.agent(&device, dice(step));
        } else {
            sim.now = sim.machine.wake(sim.now).expect("something to wait for");
        }
    }
    panic!("it doesn't end");
}

/// Catches a failure that is neither put back nor named: each operation fails in turn.
#[test]
fn a_failure_anywhere_has_one_of_three_ends() {
    let everything = device_run("D-1", &BTreeSet::new());
    for failing in everything.ops.iter().map(|step| step.op) {
        let mut sim = Sim::new(run_plan(vec![everything.clone()], 1, Budget::default()));
        drive(&mut sim, |step| if step.op == failing && step.kind == StepKind::Do { 0 } else { 10 });
        let outcomes = sim.machine.outcomes();
        let (name, outcome) = outcomes.first_key_value().expect("a device");
        check_outcome(&sim, name, outcome);
        let spec = dag::spec(failing);
        let fits = match outcome {
            Outcome::Undone(_) => spec.phase == Phase::Reversible,
            Outcome::RecoveryRequired(_) => spec.phase != Phase::Reversible && !spec.may_pend,
            Outcome::PendingVerification(_) => spec.may_pend,
            _ => false,
        };
        assert!(fits, "{failing}: {outcome:?}");
    }
}

/// Catches a device that needs a person although it never left, and one that is put back although it did.
#[test]
fn who_refuses_to_leave_is_put_back() {
    for begun in [false, true] {
        let mut sim = Sim::new(run_plan(vec![device_run("D-1", &BTreeSet::new())], 1, Budget::default()));
        let first = std::cell::Cell::new(begun);
        drive(&mut sim, |step| match step {
            // What has begun can't say any more that it never left.
            Step { op: Op::UnjoinDomain, kind: StepKind::Do } => 5 - 3 * u8::from(first.replace(false)),
            _ => 10,
        });
        let (name, outcome) = sim.machine.outcomes().pop_first().expect("a device");
        check_outcome(&sim, &name, &outcome);
        match outcome {
            Outcome::Undone(problem) => assert!(!begun && problem.code == crate::wire::NOT_READY),
            Outcome::RecoveryRequired(_) => assert!(begun),
            other => panic!("{other:?}"),
        }
        assert_eq!(sim.machine.is_committed(&name), begun);
        let arm =
            sim.machine.operations(&name).into_iter().find(|(op, ..)| *op == Op::Arm).map(|(_, status, _)| status);
        assert_eq!(arm, Some(if begun { Status::Done } else { Status::Undone }));
    }
}

/// Catches a failed undo that is reported as undone.
#[test]
fn an_undo_that_fails_needs_a_person() {
    let mut sim = Sim::new(run_plan(vec![device_run("D-1", &BTreeSet::new())], 1, Budget::default()));
    drive(&mut sim, |step| {
        u8::from(!((step.op == Op::Arm && step.kind == StepKind::Do) || step.kind == StepKind::Undo)) * 10
    });
    assert!(matches!(sim.machine.outcomes().pop_first(), Some((_, Outcome::RecoveryRequired(_)))));
}

/// Catches a chain in which one cloud operation that pends takes its neighbours with it.
#[test]
fn what_does_not_depend_on_it_still_runs() {
    let mut sim = Sim::new(run_plan(vec![device_run("D-1", &BTreeSet::new())], 1, Budget::default()));
    drive(&mut sim, |step| if step.op == Op::RestoreGroups { 0 } else { 10 });
    let states: BTreeMap<Op, Status> =
        sim.machine.operations(&"D-1".into()).into_iter().map(|(op, status, _)| (op, status)).collect();
    assert_eq!(states[&Op::VerifyLaps], Status::Done);
    assert_eq!(states[&Op::SetPrimaryUser], Status::Done);
    for skipped in [Op::VerifyExit, Op::RetireOldIntune, Op::RetireOldObject, Op::CleanUp] {
        assert_eq!(states[&skipped], Status::Skipped, "{skipped}");
    }
}

/// Catches a wave that goes on after its budget broke, and a device that is turned back past the boundary.
#[test]
fn a_broken_budget_stops_the_wave() {
    let runs = (0..6).map(|n| device_run(&format!("D-{n}"), &BTreeSet::new())).collect();
    let mut sim = Sim::new(run_plan(runs, 2, Budget { max: Some(0), percent: None, same_cause: None }));
    drive(&mut sim, |step| if step.op == Op::Stage && step.kind == StepKind::Do { 0 } else { 10 });
    let progress = sim.machine.progress();
    assert_eq!(progress.stop.map(|stop| (stop.in_flight, stop.committed)), Some((2, 0)));
    assert_eq!((progress.counts.undone, progress.counts.not_started), (2, 4));
    // Nobody is across, so the package is still needed; the exclusion goes away all the same.
    let tenant: Vec<Status> = progress.tenant.iter().map(|(_, status, _)| *status).collect();
    assert_eq!(tenant, [Status::Done, Status::Done, Status::Skipped]);
}

/// Catches a package that is closed with its last devices although one of them isn't through, and one that stays
/// open although all are: the operations that wait for complete devices, and those that don't.
#[test]
fn packages_close_only_when_every_device_is_complete() {
    for pends in [false, true] {
        let runs = (0..2).map(|n| device_run(&format!("D-{n}"), &BTreeSet::new())).collect();
        let mut sim = Sim::new(run_plan(runs, 1, Budget::default()));
        let mut failed = false;
        let once = std::cell::Cell::new(pends);
        drive(&mut sim, |step| if step.op == Op::VerifyLaps && once.replace(false) { 0 } else { 10 });
        let progress = sim.machine.progress();
        for (op, status, problem) in &progress.tenant {
            let skipped = pends && *op == Op::RevokePackage;
            assert_eq!(*status, if skipped { Status::Skipped } else { Status::Done }, "{op}");
            if let Some(problem) = problem {
                failed = true;
                assert_eq!(problem.code, "run.package-needed");
                assert!(problem.message.contains("1 device of the wave"), "{}", problem.message);
            }
        }
        assert_eq!((failed, progress.counts.complete), (pends, 2 - u32::from(pends)));
    }
}

/// Catches an exclusion that stays open after its day because the run that passed it failed, or because a later wave
/// needs it; one that is closed before its day; and devices that are started although it ran out.
#[test]
fn an_exclusion_that_runs_out_during_a_run_closes_at_its_end() {
    let hour = |n: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(n);
    for (ends, only_due, fails) in
        [(1, true, false), (1, false, true), (1, true, true), (10_000, true, false), (10_000, false, true)]
    {
        let runs = (0..3).map(|n| device_run(&format!("D-{n}"), &BTreeSet::new())).collect();
        let mut plan = run_plan(runs, 3, Budget::default());
        plan.tenant_after.truncate(1);
        let close = &mut plan.tenant_after[0];
        (close.due, close.only_due, close.needs_complete) = (Some(hour(ends)), only_due, !only_due);
        let mut sim = Sim::new(plan);
        while sim.machine.in_flight().is_empty() {
            while sim.turn() {}
            if let Some(work) = sim.running.pop() {
                sim.finish(work, 10);
            }
        }
        sim.now = hour(2);
        drive(&mut sim, |step| if fails && step.op == Op::Stage && step.kind == StepKind::Do { 0 } else { 10 });
        let passed = sim.now >= hour(ends);
        let progress = sim.machine.progress();
        let (op, status, problem) = &progress.tenant[1];
        let closed = if passed { Status::Done } else { Status::Skipped };
        assert_eq!((*op, *status), (Op::RestorePackageAccount, closed), "{ends} {only_due} {fails}");
        // Waiting for later waves is nobody's problem; waiting for failed devices is.
        assert_eq!(problem.is_some(), !passed && !only_due, "{ends} {only_due} {fails}: {problem:?}");
        let replayed = Machine::replay(sim.machine.plan().as_ref().clone(), sim.journal.clone()).expect("a journal");
        assert_eq!(replayed, sim.machine);
    }
}

/// Catches a device that is started for a join that needs an exclusion which ran out since the run began.
#[test]
fn nobody_starts_once_the_exclusion_ran_out() {
    let runs = (0..2).map(|n| device_run(&format!("D-{n}"), &BTreeSet::new())).collect();
    let mut plan = run_plan(runs, 1, Budget::default());
    let end = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
    (plan.tenant_after[0].due, plan.tenant_after[0].only_due) = (Some(end), true);
    let mut machine = Machine::new(plan);
    machine.apply(&Event::Begun, Timestamp::UNIX_EPOCH).expect("the first entry");
    for mark in [TenantMark::Started, TenantMark::Done] {
        machine.apply(&Event::Tenant { index: 0, mark }, Timestamp::UNIX_EPOCH).expect("due");
    }
    let starts =
        |machine: &Machine, at| machine.effects(at).iter().any(|one| matches!(one, Effect::StartDevice { .. }));
    assert!(starts(&machine, Timestamp::UNIX_EPOCH));
    assert_eq!(machine.wake(Timestamp::UNIX_EPOCH), Some(end), "somebody has to look then");
    assert!(!starts(&machine, end));
    let not_started = |one: &Effect| matches!(one, Effect::FinishDevice { outcome: Outcome::NotStarted(why), .. } if why.contains("exclusion"));
    let effects = machine.effects(end);
    assert!(effects.len() == 2 && effects.iter().all(not_started), "{effects:?}");
    for effect in effects {
        machine.apply(&effect.event(), end).expect("legal");
    }
    assert_eq!(machine.effects(end), [Effect::Tenant { index: 1, undo: false }], "and it is closed");
}

/// Catches a wave that counts devices as broken whose window closed before their turn: it would stop, and turn back
/// those that are under way.
#[test]
fn a_window_that_closes_breaks_no_budget() {
    let runs = (0..4).map(|n| device_run(&format!("D-{n}"), &BTreeSet::new())).collect();
    let mut sim = Sim::new(run_plan(runs, 4, Budget { max: Some(0), percent: None, same_cause: Some(0) }));
    drive(&mut sim, |step| if step.op == Op::Preflight { EXPIRES } else { 10 });
    assert!(sim.machine.stop().is_none());
    assert_eq!(sim.machine.progress().counts.undone, 4);
}

/// Catches an order that changes under its generation when the controller comes back.
#[test]
fn orders_are_the_same_after_a_restart() {
    let mut sim = Sim::new(run_plan(vec![device_run("D-1", &BTreeSet::new())], 1, Budget::default()));
    let name = DeviceName::new("D-1");
    let mut generations = BTreeMap::new();
    while !sim.machine.is_finished() {
        while sim.turn() {}
        if let Some(order) = sim.machine.order(&name) {
            let package = sim.machine.order_has_package(&name);
            let known = generations.entry(order.generation).or_insert_with(|| (order.clone(), package));
            assert_eq!(*known, (order, package));
        }
        if sim.machine.is_finished() {
            break;
        }
        sim.crash();
        while sim.turn() {}
        sim.world(0, 10);
    }
    let with_package: Vec<u64> = generations.iter().filter(|(_, (_, package))| *package).map(|(g, _)| *g).collect();
    assert_eq!(with_package.len(), 1, "the package travels once");
    let commit = &generations[&with_package[0]].0.steps;
    assert_eq!(commit.last().map(|step| step.op), Some(Op::VerifyEnrolment), "a device goes on offline");
}

/// Catches a device that holds its place for ever because it is switched off, and one counted as a failure.
#[test]
fn a_device_that_never_calls_is_not_started() {
    let runs = vec![device_run("D-1", &BTreeSet::new())];
    let mut sim = Sim::new(run_plan(runs, 1, Budget { max: Some(0), percent: None, same_cause: None }));
    while !sim.machine.is_finished() {
        while sim.turn() {}
        if let Some(work) = sim.running.pop() {
            sim.finish(work, 10);
        } else if !sim.machine.is_finished() {
            sim.now = sim.machine.wake(sim.now).expect("a deadline");
        }
    }
    assert!(matches!(sim.machine.outcomes().pop_first(), Some((_, Outcome::NotStarted(_)))));
    assert!(sim.machine.stop().is_none());
}

/// Catches work that grows with the wave at every step: a step may only look at what is in flight.
#[test]
fn a_large_wave_costs_each_device_the_same() {
    let left_out: BTreeSet<Op> =
        Op::ALL.iter().copied().filter(|op| !matches!(op, Op::Preflight | Op::Stage)).collect();
    let runs = (0..20_000).map(|n| device_run(&format!("D-{n:05}"), &left_out)).collect();
    let mut sim = Sim::new(run_plan(runs, 50, Budget::default()));
    let mut steps = 0_u32;
    while !sim.machine.is_finished() {
        while sim.turn() {}
        while sim.world(steps as usize, 10) {
            steps += 1;
        }
        assert!(steps <= 41_000);
    }
    assert_eq!(sim.machine.progress().counts.complete, 20_000);
}

/// Catches a device that is turned back and never ends, because a restart interrupted its other operation.
#[test]
fn a_restart_on_the_way_back_settles_what_it_interrupted() {
    let mut sim = Sim::new(run_plan(vec![device_run("D-1", &BTreeSet::new())], 1, Budget::default()));
    let name = DeviceName::new("D-1");
    let under_way = |sim: &Sim| sim.running.iter().filter(|work| matches!(work, Work::Device(..))).count();
    while under_way(&sim) < 2 {
        while sim.turn() {}
        let agent_first = sim
            .machine
            .order(&name)
            .is_some_and(|order| sim.agents.get(&name).map_or(0, |(next, ..)| *next) < order.steps.len());
        if agent_first {
            sim.agent(&name, 10);
        } else if under_way(&sim) == 0 {
            let work = sim.running.pop().expect("the tenant's operation");
            sim.finish(work, 10);
        }
    }
    sim.record(Event::Failed { device: name, op: Op::SnapshotCloud, problem: problem("controller") });
    sim.crash();
    while sim.turn() {}
    assert_eq!(sim.machine.progress().counts.undone, 1);
}
