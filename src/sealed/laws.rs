//! Laws of sealed plans: one value one text, every touched bit noticed, staleness by device and operation.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::sample::{RUN, fleet, inputs, sample_of as body};
use super::sign::signer;
use super::{Asked, Body, Input, Sealed, SealedError, Statement, StatementKind, Verdict, hold};
use crate::dag::fixture::{Fleet, exclusion, named};
use crate::model::{Digest, OwnerRole};
use crate::plan::{KeyRole, TrustedKey};

fn sealed(fleet: &Fleet) -> Sealed {
    Sealed::new(body(fleet), "planner", &signer(1)).expect("a sealed plan")
}

fn statement(sealed: &Sealed, kind: StatementKind, role: OwnerRole, key: u8, at: Timestamp) -> Statement {
    Statement {
        kind,
        over: sealed.digest(),
        key: signer(key).public(),
        by: format!("person-{key}"),
        role: Some(role),
        at,
        ticket: None,
        note: Some("said so".to_owned()),
        signature: String::new(),
    }
    .signed(&signer(key))
}

fn keys() -> Vec<TrustedKey> {
    let key = |seed, role| TrustedKey {
        name: format!("person-{seed}"),
        role,
        key: signer(seed).public(),
        until: None,
        revoked: false,
    };
    vec![key(2, KeyRole::Approver(OwnerRole::ChangeManagement)), key(3, KeyRole::Approver(OwnerRole::ProjectLead))]
}

fn holds<'a>(sealed: &Sealed, fresh: &'a Body, change: impl FnOnce(&mut Asked<'a>)) -> Verdict {
    // Kept for the whole test, so that a closure may put its own in their place.
    let (inputs, keys): (&'static [_], &'static [_]) = (inputs().leak(), keys().leak());
    let mut asked = Asked {
        now: sealed.body.sealed_at + SignedDuration::from_mins(5),
        inputs,
        fresh,
        keys,
        own: Some(signer(1).public()),
        taken_back: &[],
        runs: &[],
        closed: &[],
    };
    change(&mut asked);
    hold(sealed, &asked)
}

fn codes(verdict: &Verdict) -> Vec<&str> {
    verdict.refusals.iter().map(|one| one.code.as_str()).collect()
}

/// Catches a file that reads as another value, or writes as other bytes, than it was.
#[test]
fn seal_read_seal_is_the_same() {
    let mut fleet = fleet(6);
    fleet.plan.exclusions.push(exclusion(named("pc-005")));
    fleet.user(3).enabled = false;
    let mut sealed = sealed(&fleet);
    let at = sealed.body.sealed_at;
    let approval = statement(&sealed, StatementKind::Approval, OwnerRole::ChangeManagement, 2, at);
    sealed.add(approval).expect("genuine");
    let bytes = sealed.to_bytes();
    let read = Sealed::read(&bytes).expect("its own bytes");
    assert_eq!((&read, &read.to_bytes()), (&sealed, &bytes));
    let standing = |n: usize| read.body.devices[n].standing.as_str();
    assert_eq!((standing(0), standing(3), standing(5)), ("migrate", "blocked", "excluded"));
    assert!(!read.body.devices[0].effects.is_empty() && read.body.run.devices.len() == 4);
    let again = Sealed::new(read.body, "planner", &signer(1)).expect("sound");
    assert_eq!(again.digest(), sealed.digest());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    /// The same over fleets of all kinds: catches a value that has two writings, and a fleet that gives other bytes the
    /// second time.
    #[test]
    fn any_fleet_is_sealed_to_one_text(
        devices in proptest::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 1..9),
        required in 0_u32..3, rules in any::<bool>(), hours in 1_i64..400,
    ) {
        let mut fleet = fleet(devices.len());
        fleet.plan.policy.required = required;
        if rules {
            let kind = crate::plan::RuleKind::MaxDevicesPerNight(required);
            fleet.plan.policy.rules = vec![crate::plan::Rule { kind, effect: crate::plan::RuleEffect::Warn }];
        }
        for (at, (disabled, configmgr, excluded)) in devices.iter().enumerate() {
            fleet.user(at).enabled = !disabled;
            fleet.facts(at).configmgr = *configmgr;
            if *excluded {
                fleet.plan.exclusions.push(exclusion(named(&format!("pc-{at:03}"))));
            }
        }
        let mut first = body(&fleet);
        first.not_after = first.sealed_at + SignedDuration::from_hours(hours);
        let mut second = body(&fleet);
        second.not_after = first.not_after;
        let sealed = Sealed::new(first, "planner", &signer(1)).expect("sound");
        let bytes = sealed.to_bytes();
        let read = Sealed::read(&bytes).expect("its own bytes");
        prop_assert_eq!(&read.to_bytes(), &bytes);
        prop_assert_eq!(&Sealed::new(read.body, "planner", &signer(1)).expect("sound").to_bytes(), &bytes);
        prop_assert_eq!(Sealed::new(second, "planner", &signer(1)).expect("sound").to_bytes(), bytes);
    }
}

/// Catches any single bit that may be changed, and any piece that may be cut off, without being noticed.
#[test]
fn every_bit_counts() {
    let mut sealed = sealed(&fleet(1));
    let approval = statement(&sealed, StatementKind::Approval, OwnerRole::ChangeManagement, 2, sealed.body.sealed_at);
    sealed.add(approval).expect("genuine");
    let bytes = sealed.to_bytes();
    let mut touched = bytes.clone();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            touched[at] ^= 1 << bit;
            assert!(Sealed::read(&touched).is_err(), "bit {bit} of byte {at}");
            touched[at] = bytes[at];
        }
    }
    for cut in (0..bytes.len()).step_by(7).chain(bytes.len() - 40..bytes.len()) {
        let read = Sealed::read(&bytes[..cut]);
        // A cut right after a whole line takes a signature away and leaves a genuine file with fewer.
        assert!(read.is_err() || bytes[..cut].ends_with(b"\n"), "cut at {cut}");
    }
    assert_eq!(Sealed::read(b"opsole-sealed/2\n{}\n"), Err(SealedError::Newer(2)));
    assert_eq!(Sealed::read(b"anything"), Err(SealedError::Format));
}

proptest! {
    /// Catches a reader that panics on foreign bytes, or takes a file for its own that was put together by hand.
    #[test]
    fn foreign_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600), head in any::<bool>()) {
        let mut file = if head { b"opsole-sealed/1\n".to_vec() } else { Vec::new() };
        file.extend(bytes);
        prop_assert!(Sealed::read(&file).is_err());
    }
}

/// Catches a plan that isn't itself: held against the world it was made from, nothing is refused and nothing stale.
#[test]
fn an_untouched_world_refuses_nothing() {
    let fleet = fleet(5);
    let sealed = sealed(&fleet);
    let verdict = holds(&sealed, &body(&fleet), |_| {});
    assert_eq!((codes(&verdict), verdict.stale.len(), verdict.ready.len()), (vec![], 0, 5));
}

/// Catches drift that invalidates devices it has nothing to do with, or that isn't noticed on the one that it hits.
#[test]
fn drift_is_by_device_and_operation() {
    let fleet = fleet(5);
    let sealed = sealed(&fleet);
    let mut moved = fleet;
    moved.facts(2).domain.as_mut().expect("joined").domain = "corp.contoso.com".to_uppercase();
    moved.facts(3).configmgr = true;
    moved.user(4).enabled = false;
    let verdict = holds(&sealed, &body(&moved), |_| {});
    assert_eq!(codes(&verdict), Vec::<&str>::new());
    let ready: Vec<&str> = verdict.ready.iter().map(|name| name.as_str()).collect();
    assert_eq!(ready, ["PC-000", "PC-001"]);
    let ops = |n: usize| verdict.stale[n].ops.iter().map(|(op, ..)| op.name()).collect::<Vec<_>>();
    assert_eq!(ops(0), ["device.unjoin-domain"]);
    assert_eq!(ops(1), ["device.remove-configmgr"]);
    assert!(verdict.stale[2].why.as_ref().is_some_and(|why| why.contains("blocked")), "{:?}", verdict.stale[2]);
}

/// Catches a refusal that is silent about one of several reasons, or that isn't made at all.
#[test]
fn each_reason_is_named() {
    use OwnerRole::{ChangeManagement, ProjectLead};
    use StatementKind::{Approval, Rejection, Revocation};
    let mut fleet = fleet(2);
    fleet.plan.policy.required = 1;
    fleet.plan.policy.from = vec![ChangeManagement];
    let plain = sealed(&fleet);
    let fresh = body(&fleet);
    assert_eq!(codes(&holds(&plain, &fresh, |_| {})), ["sealed.approvals"]);
    let signed = |list: &[(StatementKind, OwnerRole, u8, i64)]| {
        let mut sealed = plain.clone();
        for (kind, role, key, mins) in list {
            let at = sealed.body.sealed_at + SignedDuration::from_mins(*mins);
            let line = statement(&sealed, *kind, *role, *key, at);
            sealed.add(line).expect("genuine");
        }
        sealed
    };
    let good = signed(&[(Approval, ChangeManagement, 2, 1)]);
    assert_eq!(codes(&holds(&good, &fresh, |_| {})), Vec::<&str>::new());
    let refused: &[(&str, Sealed)] = &[
        ("a stranger's key", signed(&[(Approval, ChangeManagement, 9, 1)])),
        ("a role that isn't the key's", signed(&[(Approval, ChangeManagement, 3, 1)])),
        ("a role that may not approve", signed(&[(Approval, ProjectLead, 3, 1)])),
        ("taken back", signed(&[(Approval, ChangeManagement, 2, 1), (Revocation, ChangeManagement, 2, 2)])),
    ];
    for (what, sealed) in refused {
        assert_eq!(codes(&holds(sealed, &fresh, |_| {})), ["sealed.approvals"], "{what}");
    }
    let sent_back = signed(&[(Approval, ChangeManagement, 2, 1), (Rejection, ChangeManagement, 2, 2)]);
    assert_eq!(codes(&holds(&sent_back, &fresh, |_| {})), ["sealed.sent-back", "sealed.approvals"]);
    // A revoked key, an approval taken back in the store, and one that is given again.
    let mut revoked = keys();
    revoked[0].revoked = true;
    assert_eq!(codes(&holds(&good, &fresh, |asked| asked.keys = &revoked)), ["sealed.approvals"]);
    let taken = [good.statements[1].signature.clone()];
    assert_eq!(codes(&holds(&good, &fresh, |asked| asked.taken_back = &taken)), ["sealed.approvals"]);

    let other = vec![Input { name: "plan.yaml".to_owned(), sha256: Digest::of(b"changed") }];
    let verdict = holds(&good, &fresh, |asked| asked.inputs = &other);
    assert_eq!(codes(&verdict), ["sealed.input", "sealed.input"], "one changed, one gone");
    let late = good.body.not_after + SignedDuration::from_secs(1);
    assert_eq!(codes(&holds(&good, &fresh, |asked| asked.now = late)), ["sealed.expired"]);
    assert_eq!(codes(&holds(&good, &fresh, |asked| asked.runs = &[RUN])), ["sealed.used"]);
    assert_eq!(codes(&holds(&good, &fresh, |asked| asked.own = None)), ["sealed.stranger"]);
    let closed = ["its window opens on Monday".to_owned()];
    assert_eq!(codes(&holds(&good, &fresh, |asked| asked.closed = &closed)), ["sealed.closed"]);
    let all = holds(&plain, &fresh, |asked| {
        (asked.own, asked.runs, asked.closed) = (None, &[RUN], &closed);
        asked.now = plain.body.not_after + SignedDuration::from_hours(24 * 400);
    });
    let all: std::collections::BTreeSet<&str> = all.refusals.iter().map(|one| one.code.as_str()).collect();
    let wanted =
        ["sealed.approvals", "sealed.closed", "sealed.expired", "sealed.ran-out", "sealed.stranger", "sealed.used"];
    assert_eq!(all.into_iter().collect::<Vec<_>>(), wanted);
}
