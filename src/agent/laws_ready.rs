//! Laws of readiness on the device: what a preflight lets pass, and that nothing leaves on old evidence.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use uuid::Uuid;

use super::laws::{CHAIN, Rig, order, outcome, steps, timeless, world};
use super::ledger::Ended;
use crate::lab::device::LabDevice;
use crate::lab::store::LabStore;
use crate::model::{Canary, DeviceFacts, JoinState, Known, Op, ProfileHealth, TenantId};
use crate::port::{DeviceAction, DeviceOs, Result};
use crate::wire::{AgentEventKind, StepKind, WorkOrder};

type Spoil = fn(&mut crate::lab::device::DeviceState);

fn change(rig: &Rig, spoil: Spoil) {
    let mut state = rig.device.peek().expect("a state");
    spoil(&mut state);
    let store = LabStore::open(&rig.folder.path().join("lab")).expect("a store");
    store.put("device", "LON-IT-001", &serde_json::to_string(&state).expect("JSON")).expect("a write");
}

/// Catches a device that turns bad while it waits and leaves its old identity on evidence of hours ago, and one that
/// can't be put back because it said no too late.
#[tokio::test]
async fn old_evidence_is_taken_again_before_the_point_of_no_return() {
    let before = timeless(Rig::new(vec![]).facts().await);
    let sound: Spoil = |_| {};
    let cases: [(&str, Spoil); 5] = [
        ("", sound),
        ("disk-health", |s| s.survey.hardware.disk_trouble = Known::Known(Some("predicted to fail".to_owned()))),
        ("Acme EDR", |s| {
            s.survey.canary = Known::Known(Canary {
                ran_as_system: false,
                wrote: false,
                read_back: false,
                blocked_by: Some("Acme EDR".to_owned()),
            });
        }),
        ("battery", |s| s.facts.on_ac = false),
        ("access is denied", |s| s.survey.tpm = Known::Unknown("access is denied".to_owned())),
    ];
    for (what, spoil) in cases {
        for minutes in [10, 61] {
            let rig = Rig::new(vec![]);
            rig.finish(&order(&CHAIN[..4])).await;
            rig.clock.advance(std::time::Duration::from_secs(minutes * 60));
            change(&rig, spoil);
            let runner = rig.finish(&WorkOrder { generation: 2, ..order(CHAIN) }).await;
            if what.is_empty() || minutes < 60 {
                assert_eq!(outcome(&runner, Op::CleanUp, StepKind::Do), Some(Ended::Done), "{what} after {minutes}");
                continue;
            }
            let (_, events) = runner.journal(|journal| journal.unsent(1000)).expect("events");
            let last = events.last().expect("an event");
            let AgentEventKind::Failed(problem) = &last.kind else { panic!("{what}: {events:?}") };
            assert_eq!((last.step.op, problem.code.as_str()), (Op::UnjoinDomain, crate::wire::NOT_READY), "{what}");
            assert!(problem.message.contains(what), "{what}: {problem}");
            let begun = |event: &&crate::wire::AgentEvent| event.step.op == Op::UnjoinDomain;
            assert_eq!(events.iter().filter(begun).count(), 1, "{what}: nothing was begun");
            drop(runner);
            let mut back = WorkOrder { generation: 3, ..order(CHAIN) };
            back.steps.extend(steps(&CHAIN[..4], StepKind::Undo).into_iter().rev());
            let runner = rig.finish(&back).await;
            for op in &CHAIN[..4] {
                assert_eq!(outcome(&runner, *op, StepKind::Undo), Some(Ended::Done), "{what}: {op}");
            }
            drop(runner);
            change(&rig, |state| state.facts.on_ac = true);
            assert_eq!(timeless(rig.facts().await), before, "{what}");
            assert!(!rig.agent().join("package.json").exists(), "{what}: the package is wiped");
        }
    }
}

/// Catches an exclusion or an attestation that counts in the plan and not on the device, and an attestation that lets
/// a measured failure pass.
#[tokio::test]
async fn preflight_takes_the_plans_word() {
    use crate::model::Check;
    let lost = json!({"unknown": ["tpm"]});
    let small = json!({"memory-mib": 4096});
    for (survey, excepted, attested, passes) in [
        (&small, None, None, false),
        (&small, Some(Check::DevMemory), None, true),
        (&small, Some(Check::DevTpm), None, false),
        (&small, None, Some(Check::DevMemory), false),
        (&lost, None, None, false),
        (&lost, None, Some(Check::DevTpm), true),
        (&lost, Some(Check::DevTpm), None, true),
    ] {
        let mut world = world(vec![]);
        world.devices[0].survey = serde_json::from_value(survey.clone()).expect("a survey");
        let rig = Rig::of_world(&world);
        let mut order = order(&CHAIN[..1]);
        order.task.excepted = excepted.into_iter().collect();
        order.task.attested = attested.into_iter().collect();
        let runner = rig.finish(&order).await;
        let wanted = if passes { Ended::Done } else { Ended::Failed };
        let what = format!("{survey} {excepted:?} {attested:?}");
        assert_eq!(outcome(&runner, Op::Preflight, StepKind::Do), Some(wanted), "{what}");
        let evidence = runner.journal(|journal| journal.evidence_at());
        assert_eq!(evidence.is_some(), passes, "{what}: only evidence that was good enough counts");
    }
}

/// Gives no survey.
struct Blind(Arc<LabDevice>);

#[async_trait]
impl DeviceOs for Blind {
    async fn inspect(&self) -> Result<DeviceFacts> {
        self.0.inspect().await
    }
    async fn survey(&self) -> Result<crate::model::Survey> {
        Err(crate::model::Problem::new("device.survey", "the survey can't be taken"))
    }
    async fn perform(&self, action: &DeviceAction) -> Result<()> {
        self.0.perform(action).await
    }
    fn protect(&self, plain: &[u8]) -> Result<Vec<u8>> {
        self.0.protect(plain)
    }
    fn unprotect(&self, protected: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>> {
        self.0.unprotect(protected)
    }
    async fn boot(&self) -> Result<u64> {
        self.0.boot().await
    }
    async fn recorded(&self) -> Result<Option<crate::model::Recorded>> {
        self.0.recorded().await
    }
    async fn hardware_hash(&self) -> Result<Option<String>> {
        self.0.hardware_hash().await
    }
}

/// Catches a device that is moved although nobody could look at it: unknown is never ready.
#[tokio::test]
async fn without_a_survey_nothing_begins() {
    let rig = Rig::new(vec![]);
    let runner = rig.finish_with(Arc::new(Blind(rig.device.clone())), &order(CHAIN), None).await;
    assert_eq!(outcome(&runner, Op::Preflight, StepKind::Do), Some(Ended::Failed));
    drop(runner);
    let rig = Rig::new(vec![]);
    rig.finish(&order(&CHAIN[..4])).await;
    rig.clock.advance(std::time::Duration::from_secs(61 * 60));
    let blind = Arc::new(Blind(rig.device.clone()));
    let runner = rig.finish_with(blind, &WorkOrder { generation: 2, ..order(CHAIN) }, None).await;
    assert_eq!(outcome(&runner, Op::UnjoinDomain, StepKind::Do), Some(Ended::Failed));
    assert_eq!(rig.facts().await.join_state(), JoinState::Hybrid);
}

/// Catches a preflight that tells one thing at a time, or lets through what can't end well.
#[tokio::test]
async fn preflight_names_everything_at_once() {
    let mut world = world(vec![]);
    let device = &mut world.devices[0];
    device.edition = "Core".to_owned();
    device.profile = ProfileHealth::Roaming;
    device.on_ac = false;
    device.pending_reboot = true;
    let rig = Rig::of_world(&world);
    let mut order = order(CHAIN);
    order.task.serial = Some("PF-9999".to_owned());
    order.task.origin_tenant = TenantId(Uuid::from_u128(5));
    let runner = rig.finish(&order).await;
    let (_, events) = runner.journal(|journal| journal.unsent(10)).expect("events");
    let Some(AgentEventKind::Failed(problem)) = events.last().map(|event| &event.kind) else { panic!("{events:?}") };
    assert_eq!(problem.code, "preflight.failed");
    for part in ["Core", "roaming", "battery", "pending", "PF-0001", "tenant"] {
        assert!(problem.message.contains(part), "{part}: {}", problem.message);
    }
    assert_eq!(rig.facts().await.staging, crate::model::Staging::default(), "nothing was touched");
}
