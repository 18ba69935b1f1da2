//! Laws of gates: what of a pilot's exit, its soak and its sign-offs opens the waves that need it.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Action, ChangeSet, GateAnswer, Reason, decide};
use crate::dag::fixture::{AS_OF, Fleet, Join, at, exclusion, named, spanned};
use crate::model::{OwnerRole, Scenario};
use crate::plan::{Attestation, Exclusion, ExclusionKind, GateSpec};
use crate::state::SignOff;

const ROLES: [OwnerRole; 2] = [OwnerRole::ProjectLead, OwnerRole::Security];

fn changes(fleet: &Fleet) -> ChangeSet {
    decide(&fleet.plan, &fleet.snapshot).expect("no cycle").changes
}
fn missing(fleet: &Fleet) -> Vec<String> {
    let all = changes(fleet);
    let closed = !all.waves[1].missing.is_empty();
    let waits = all.devices[3]
        .changes
        .iter()
        .any(|change| (change.action, change.reason) == (Action::Wait, Reason::GateClosed));
    assert_eq!(closed, waits, "a gate that lacks something lets nobody start");
    assert_eq!(closed, !all.waves[1].needs.iter().all(|need| need.is_met(all.as_of)), "{:?}", all.waves[1]);
    all.waves[1].missing.clone()
}
fn attest(fleet: &mut Fleet, check: &str) {
    fleet.plan.attestations.push(Attestation {
        check: check.to_owned(),
        by: "lead".to_owned(),
        on: jiff::civil::date(2026, 12, 2),
        until: None,
        evidence: None,
    });
}
fn sign_off(role: OwnerRole, revoked: bool, at: Timestamp) -> SignOff {
    let (wave, by, evidence) = ("pilot".into(), "lead".to_owned(), "CHG-1".to_owned());
    SignOff { wave, role, by, at, evidence, seen: "9 of 9 criteria on 2 devices".to_owned(), revoked }
}

/// A fleet whose pilot went through, at ten in the morning, and a wave that waits for it.
fn moved() -> Fleet {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 4);
    fleet.plan.attestations.retain(|one| one.check != "apps.readiness");
    fleet.plan.waves[1].needs.push(spanned("pilot".into(), 300));
    fleet.plan.waves[1].gate = Some(GateSpec {
        criteria: Some("pilot-exit".to_owned()),
        sign_off: ROLES.to_vec(),
        soak: Some(SignedDuration::from_hours(24)),
    });
    (0..2).for_each(|n| fleet.migrate(n));
    fleet
}

/// Catches a condition of the gate that isn't named, or that another one stands in for.
#[test]
fn each_condition_is_named_until_it_holds() {
    let mut fleet = moved();
    assert_eq!(
        missing(&fleet),
        [
            "`exit.applications` isn't known on 2 of 2 devices of `pilot` (PC-000, PC-001)",
            "it soaks until 2026-12-03 10:00 UTC",
            "project-lead hasn't signed off `pilot` (`opsole gate pilot --sign-off --as project-lead`)",
            "security hasn't signed off `pilot` (`opsole gate pilot --sign-off --as security`)",
        ]
    );
    attest(&mut fleet, "apps.readiness");
    assert_eq!(missing(&fleet).len(), 3);
    fleet.plan.as_of = at("2026-12-03T10:00:00Z");
    assert_eq!(missing(&fleet).len(), 2);
    fleet.snapshot.sign_offs.push(sign_off(ROLES[0], false, at(AS_OF)));
    assert_eq!(missing(&fleet).len(), 1);
    fleet.snapshot.sign_offs.push(sign_off(ROLES[1], false, at(AS_OF)));
    assert_eq!(missing(&fleet), [""; 0]);
    // The pilot breaks later: the gate closes, and says at what.
    fleet.facts(1).profiles[0].size_mib = 0;
    assert_eq!(missing(&fleet), ["`exit.profile` isn't met on 1 of 2 devices of `pilot` (PC-001)"]);
    let covers = Exclusion { of: ExclusionKind::Check("pilot.exit".to_owned()), ..exclusion(named("nothing")) };
    fleet.plan.exclusions.push(covers);
    assert_eq!(missing(&fleet), [""; 0]);
    fleet.snapshot.sign_offs.push(sign_off(ROLES[1], true, at(AS_OF)));
    assert_eq!(
        missing(&fleet),
        ["security has taken back its sign-off of `pilot` (`opsole gate pilot --sign-off --as security`)"]
    );
    // The plan's own word stands for every role, as it always did.
    attest(&mut fleet, "gate.broad");
    assert_eq!(missing(&fleet), [""; 0]);
    assert!(changes(&fleet).waves[1].needs[0].roles.iter().all(|role| role.answer == GateAnswer::Attested));
}

/// Catches a gate without criteria that starts to ask for them, and one whose sign-off is for another wave.
#[test]
fn only_what_is_asked_for() {
    let mut fleet = moved();
    let gate = GateSpec { criteria: None, sign_off: vec![ROLES[0]], soak: None };
    fleet.plan.waves[1].gate = Some(gate);
    assert_eq!(missing(&fleet).len(), 1);
    fleet.snapshot.sign_offs.push(SignOff { wave: "broad".into(), ..sign_off(ROLES[0], false, at(AS_OF)) });
    assert_eq!(missing(&fleet).len(), 1);
    fleet.snapshot.sign_offs.push(sign_off(ROLES[0], false, at(AS_OF)));
    assert_eq!(missing(&fleet), [""; 0]);
}

proptest! {
    /// Catches an order of sign-offs after which an old or a taken back one still opens the gate, or another role's does.
    #[test]
    fn the_newest_word_of_each_role_counts(
        words in prop::collection::vec((0..2_usize, any::<bool>(), any::<bool>()), 0..8)
    ) {
        let mut fleet = moved();
        attest(&mut fleet, "apps.readiness");
        fleet.plan.as_of = at("2026-12-04T00:00:00Z");
        let when = |after: bool| at(if after { "2026-12-02T12:00:00Z" } else { "2026-12-02T08:00:00Z" });
        fleet.snapshot.sign_offs =
            words.iter().map(|(role, revoked, after)| sign_off(ROLES[*role], *revoked, when(*after))).collect();
        let stands = |role: usize| {
            words.iter().rev().find(|word| word.0 == role).is_some_and(|(_, revoked, after)| !revoked && *after)
        };
        let lacking = (0..2).filter(|role| !stands(*role)).count();
        prop_assert_eq!(missing(&fleet).len(), lacking);
    }
}
