//! Laws of recovering on the device: each way of coming to a halt has its list, and what the list offers works.

use std::sync::Arc;

use super::journal::Durability;
use super::laws::{CHAIN, Rig, order};
use super::recover::{Diagnosis, Remedy, Stage, Who};
use super::rescue::{Rescue, look};
use crate::lab::world::{Fault, FaultKind};
use crate::model::{Op, ProfileHealth};
use crate::port::{DeviceAction, DeviceOs};
use crate::wire::{StepKind, WorkOrder};

fn fault(at: Op, times: u32) -> Fault {
    let kind = FaultKind::Fail("0x80070005".to_owned());
    Fault { device: None, tenant: None, at: Some(at), kind, times: Some(times) }
}

fn os(rig: &Rig) -> Arc<dyn DeviceOs> {
    rig.device.clone()
}

async fn seen(rig: &Rig) -> Diagnosis {
    look(&rig.agent(), rig.device.name(), &os(rig)).await.expect("a diagnosis")
}

fn tools(diagnosis: &Diagnosis) -> Vec<(Op, bool)> {
    let tools = diagnosis.remedies.iter().filter(|remedy| remedy.who == Who::Tool);
    tools.map(|remedy| (remedy.op.expect("an operation"), remedy.only.is_some())).collect()
}

/// Carries out the first remedy of an operation, as somebody who says yes.
async fn agree(rig: &Rig, op: Op) -> Result<bool, String> {
    let mut rescue = Rescue::begin(&rig.agent(), rig.device.name(), Durability::Kill).expect("the agent is away");
    let diagnosis = rescue.look(&os(rig)).await.expect("a diagnosis");
    let wanted = |remedy: &&Remedy| remedy.who == Who::Tool && remedy.op == Some(op);
    let remedy = diagnosis.remedies.iter().find(wanted).expect("it is offered");
    rescue.carry_out(remedy, &os(rig), &*rig.clock).await.map_err(|problem| problem.code)
}

/// Catches advice for a device that nothing happened to.
#[tokio::test]
async fn nothing_is_offered_where_nothing_was_begun() {
    let rig = Rig::new(vec![]);
    let diagnosis = seen(&rig).await;
    assert_eq!((diagnosis.stage, diagnosis.remedies.len(), diagnosis.stopped), (Stage::NoRun, 0, None));
    drop(rig.finish(&order(CHAIN)).await);
    let diagnosis = seen(&rig).await;
    assert_eq!((diagnosis.stage, diagnosis.remedies.len()), (Stage::Complete, 0), "{:?}", diagnosis.remedies);
}

/// Catches a way back that is offered in the wrong order, does nothing, or isn't written down.
#[tokio::test]
async fn before_the_boundary_everything_is_put_back() {
    let rig = Rig::new(vec![fault(Op::UnjoinDomain, 99)]);
    let before = rig.device.inspect().await.expect("facts").logon;
    let until: Vec<Op> = CHAIN.iter().copied().take_while(|op| *op != Op::UnjoinDomain).collect();
    drop(rig.finish(&order(&until)).await);
    // The agent has done all that was ordered, and nobody orders more.
    let diagnosis = seen(&rig).await;
    assert_eq!(diagnosis.stage, Stage::Before);
    assert_eq!(tools(&diagnosis).iter().map(|(op, _)| *op).collect::<Vec<_>>(), [Op::Arm, Op::Stage]);
    assert_eq!((agree(&rig, Op::Arm).await, agree(&rig, Op::Stage).await), (Ok(false), Ok(false)));
    let facts = rig.device.inspect().await.expect("facts");
    assert!(facts.staging == crate::model::Staging::default() && facts.logon == before && facts.domain.is_some());
    let ledger = super::journal::Journal::look(&rig.agent()).expect("readable").expect("a journal");
    let noted: Vec<_> = ledger.recovered().iter().map(|one| (one.op, one.problem.is_none())).collect();
    assert_eq!(noted, [(Some(Op::Arm), true), (Some(Op::Stage), true)]);
}

/// Catches a device that left its old join and is told to go back, or to go on past what failed.
#[tokio::test]
async fn past_the_boundary_it_goes_on_in_order() {
    let rig = Rig::new(vec![fault(Op::LeaveEntra, 20)]);
    drop(rig.finish(&order(CHAIN)).await);
    let diagnosis = seen(&rig).await;
    assert_eq!(diagnosis.stage, Stage::Left);
    let stopped = diagnosis.stopped.as_ref().expect("it stopped");
    assert_eq!((stopped.op, stopped.kind), (Op::LeaveEntra, StepKind::Do));
    assert!(stopped.problem.is_some() && !stopped.explained.is_empty(), "{stopped:?}");
    let offered = tools(&diagnosis);
    assert_eq!(offered[0], (Op::LeaveEntra, false), "{offered:?}");
    assert_eq!(offered.last(), Some(&(Op::RestoreLogonSurface, true)), "the screen only where it has to be");
    assert!(!offered.iter().any(|(op, _)| matches!(op, Op::Arm | Op::Stage)), "{offered:?}");
    let first = &diagnosis.remedies[0];
    assert!(first.who == Who::Person && first.what.contains("recovery administrator"), "{}", first.what);
    // The fault goes on for a while: what didn't work is told, and the list stays.
    while agree(&rig, Op::LeaveEntra).await.is_err() {}
    let diagnosis = seen(&rig).await;
    assert!(!tools(&diagnosis).contains(&(Op::LeaveEntra, false)), "{:?}", tools(&diagnosis));
    assert_eq!(agree(&rig, Op::RestoreLogonSurface).await, Ok(false));
    assert!(!rig.device.inspect().await.expect("facts").staging.banner);
}

/// Catches a package that failed and is forgotten, though it lies on the device.
#[tokio::test]
async fn a_package_that_failed_is_installed_again() {
    let rig = Rig::new(vec![fault(Op::ApplyPackage, 20)]);
    drop(rig.finish(&order(CHAIN)).await);
    let diagnosis = seen(&rig).await;
    assert_eq!(diagnosis.stage, Stage::Left);
    let apply = diagnosis.remedies.iter().find(|one| one.op == Some(Op::ApplyPackage)).expect("it is named");
    // Where the package is gone only the controller has it; where it is there, it is installed and Windows restarts.
    match apply.who {
        Who::Tool => assert!(apply.actions.contains(&DeviceAction::Restart), "{apply:?}"),
        Who::Person => assert!(apply.what.contains("apply again"), "{apply:?}"),
    }
    assert!(!format!("{diagnosis:?}").contains("s3cret"), "a package's bytes are shown");
}

/// Catches a profile that stays between two owners, and a list that hands out an empty one without a word.
#[tokio::test]
async fn a_profile_that_wasnt_moved_is_moved() {
    let rig = Rig::new(vec![fault(Op::SwapProfile, 20)]);
    let order = order(CHAIN);
    drop(rig.finish(&order).await);
    let diagnosis = seen(&rig).await;
    assert_eq!((diagnosis.stage, diagnosis.standing.profile), (Stage::Moved, "old"));
    let offered = tools(&diagnosis);
    assert_eq!(offered[0], (Op::SwapProfile, false), "{offered:?}");
    while agree(&rig, Op::SwapProfile).await.is_err() {}
    let facts = rig.device.inspect().await.expect("facts");
    let owned = facts.profile_of(&order.task.new_sid).expect("a profile");
    assert!(owned.health == ProfileHealth::Healthy && owned.path == order.task.profile_path);
    assert_eq!(seen(&rig).await.standing.profile, "new");
}

/// Catches a second pair of hands on a device whose agent works.
#[tokio::test]
async fn nobody_recovers_while_the_agent_works() {
    let rig = Rig::new(vec![]);
    let runner = rig.finish(&WorkOrder { generation: 1, ..order(&[Op::Preflight, Op::Stage]) }).await;
    let second = Rescue::begin(&rig.agent(), rig.device.name(), Durability::Kill).expect_err("it is held");
    assert_eq!(second.code, "agent.second");
    assert_eq!(seen(&rig).await.stage, Stage::Before, "looking is allowed");
    drop(runner);
}
