//! Laws of reasons: every operation has one, and two ways to the same device tell the same.

use super::{WhyOptions, of_body, of_decision, why_text};
use crate::dag::fixture::{Fleet, Join, exclusion, named};
use crate::diff::{Action, decide};
use crate::model::{Op, Scenario};
use crate::sealed::{fleet, sample_of};

const OPTIONS: WhyOptions = WhyOptions { width: 100, color: false, ascii: true, whole: false };

/// Catches a device whose reasons don't name its identity, its wave or what comes first, and a blocked one that is
/// silent about the blocker.
#[test]
fn reasons_are_told() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 4);
    fleet.user(1).enabled = false;
    fleet.plan.exclusions.push(exclusion(named("pc-002")));
    let decision = decide(&fleet.plan, &fleet.snapshot).expect("no cycle");
    let why = |at| of_decision(&decision, at, None).expect("a device");
    let good = why(0);
    let identity = good.identity.as_ref().expect("an identity");
    assert!(identity.new_sid.starts_with("S-1-12-1-") && identity.user.contains('@'), "{identity:?}");
    assert_eq!(good.operations.len(), decision.changes.devices[0].changes.len());
    let swap = good.operations.iter().find(|step| step.op == Op::SwapProfile).expect("a swap");
    assert_eq!((swap.action, swap.waits_for.as_slice()), (Action::Do, [Op::VerifyJoin].as_slice()));
    assert_eq!(swap.needed_by, [Op::RestoreLocalGroups]);
    assert!(swap.before.as_ref().is_some_and(|before| before.contains(&identity.old_sid)));
    let blocked = why(1);
    assert!(blocked.blockers.iter().any(|one| one.code == "user.disabled" && !one.next.is_empty()));
    assert!(blocked.identity.is_some(), "whose profile it is is known all the same");
    let excluded = why(2);
    assert!(excluded.exclusion.is_some() && excluded.standing == "excluded");
    let text = why_text(&blocked, &OPTIONS);
    for part in ["user.disabled", "next (identity)", "gate:", "window:"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let one = of_decision(&decision, 0, Some(Op::SetPrimaryUser)).expect("a device");
    assert_eq!(one.operations.len(), 1);
    let text = why_text(&one, &WhyOptions { whole: true, ..OPTIONS });
    assert!(text.contains("feature `primary-user`") && text.contains("comes after: device.verify-enrolment"), "{text}");
    assert!(of_decision(&decision, 99, None).is_none());
}

/// Catches a sealed plan that tells other reasons than the plan that it was sealed from.
#[test]
fn a_sealed_plan_tells_the_same() {
    let mut fleet = fleet(3);
    fleet.user(1).enabled = false;
    let body = sample_of(&fleet);
    let wave = fleet.plan.waves[0].name.value.clone();
    let decision = crate::diff::decide_ahead(&fleet.plan, &fleet.snapshot, Some(&wave)).expect("no cycle");
    for (at, device) in body.devices.iter().enumerate() {
        let (live, file) = (of_decision(&decision, at, None).expect("a device"), of_body(&body, device, None));
        assert_eq!((&live.device, &live.standing, &live.exclusion), (&file.device, &file.standing, &file.exclusion));
        let codes = |why: &super::Why| why.blockers.iter().map(|one| one.code.clone()).collect::<Vec<_>>();
        assert_eq!(codes(&live), codes(&file));
        let plain = |why: &super::Why| {
            let step =
                |step: &super::Step| (step.op, step.action, step.reason, step.before.clone(), step.waits_for.clone());
            why.operations.iter().map(step).collect::<Vec<_>>()
        };
        assert_eq!(plain(&live), plain(&file));
    }
}
