//! The criteria over the fixture's fleets: what a whole migration gives, and what each broken thing turns.

use jiff::civil::date;

use super::{Criterion, ExitKind, WaveExit, wave_exit};
use crate::dag::fixture::{Fleet, Join, at, exclusion, id, list, name, named, spanned};
use crate::dag::{Index, assign, compile, views};
use crate::model::{
    Check, EntraDeviceId, EntraObjectId, Feature, IntuneId, Known, OwnerRole, Problem, ProfileHealth, Scenario,
};
use crate::plan::{Attestation, Exclusion, ExclusionKind, GateSpec};
use crate::readiness::{Finding, OutcomeKind, Readiness, assess};
use crate::state::{EntraDevice, Evidence, Outcome, TrustType};

use Criterion as C;
use ExitKind as K;

const KINDS: [(Scenario, Join); 5] = [
    (Scenario::AdToEntra, Join::Ad),
    (Scenario::HybridToEntra, Join::Hybrid),
    (Scenario::TenantToTenant, Join::Entra),
    (Scenario::TenantToTenant, Join::Hybrid),
    (Scenario::TenantToTenant, Join::Ad),
];

fn exit(fleet: &Fleet) -> WaveExit {
    let index = Index::new(&fleet.plan, &fleet.snapshot);
    let assignment = assign(&index);
    let views = views(&index, &assignment);
    wave_exit(&index, &assignment, &views, &"pilot".into()).expect("a wave")
}
fn readiness(fleet: &Fleet) -> Readiness {
    let index = Index::new(&fleet.plan, &fleet.snapshot);
    let assignment = assign(&index);
    let views = views(&index, &assignment);
    assess(&index, &assignment, &views, &compile(&index, &assignment, &views).expect("no cycle"))
}
fn finding(fleet: &Fleet) -> Finding {
    readiness(fleet).pilot_exit(&"broad".into()).expect("a finding").clone()
}

fn attest(fleet: &mut Fleet, check: &str, day: i8) {
    fleet.plan.attestations.push(Attestation {
        check: check.to_owned(),
        by: "lead@contoso.com".to_owned(),
        on: date(2026, 12, day),
        until: None,
        evidence: None,
    });
}
/// A fleet whose pilot went through, with a gate that asks for it.
fn moved(scenario: Scenario, join: Join) -> Fleet {
    let mut fleet = Fleet::new(scenario, join, 3);
    fleet.plan.attestations.clear();
    fleet.plan.waves[1].needs.push(spanned("pilot".into(), 300));
    let gate = GateSpec { criteria: Some("pilot-exit".to_owned()), sign_off: vec![OwnerRole::ProjectLead], soak: None };
    fleet.plan.waves[1].gate = Some(gate);
    (0..2).for_each(|n| fleet.migrate(n));
    attest(&mut fleet, "apps.readiness", 2);
    fleet
}
fn evidence(fleet: &mut Fleet) -> &mut Evidence {
    match fleet.snapshot.evidence.get_mut(&name(0)) {
        Some(Known::Known(evidence)) => evidence,
        other => panic!("no evidence: {other:?}"),
    }
}
fn canary(fleet: &mut Fleet) -> &mut crate::model::Canary {
    match evidence(fleet).survey.as_mut().map(|survey| &mut survey.canary) {
        Some(Known::Known(canary)) => canary,
        other => panic!("no canary: {other:?}"),
    }
}

/// Catches a criterion that a migration which went through doesn't meet: no later wave could ever open.
#[test]
fn a_whole_migration_meets_all() {
    for (scenario, join) in KINDS {
        let exit = exit(&moved(scenario, join));
        assert!(exit.is_met() && exit.lacking().is_empty(), "{scenario:?} {join:?}: {:?}", exit.exceptions);
        assert_eq!((exit.devices, exit.measured, exit.excluded), (2, 2, 0));
        assert_eq!(exit.count(C::Applications, K::Attested), 2);
        assert_eq!(exit.summary(), "9 of 9 criteria on 2 devices");
        let judged = finding(&moved(scenario, join));
        assert_eq!((judged.outcome.kind(), judged.seen.as_ref()), (OutcomeKind::Pass, "9 of 9 criteria on 2 devices"));
    }
}

type Break = fn(&mut Fleet);
type Turned = &'static [(C, K)];

/// What is broken on the first device, and which criteria it turns to what. All others stay met.
const BREAKS: &[(&str, Break, Turned)] = &[
    ("no authentication", |f| f.facts(0).entra.as_mut().expect("joined").healthy = false, &[(C::Joined, K::NotMet)]),
    (
        "object disabled",
        |f| {
            let new = f.facts(0).entra.as_ref().expect("joined").device_id;
            let device = list(&mut f.target().devices).iter_mut().find(|one| one.device_id == new);
            device.expect("an object").enabled = false;
        },
        &[(C::Joined, K::NotMet)],
    ),
    (
        "came back as pending",
        |f| {
            let devices = list(&mut f.target().devices);
            let new = devices.first().expect("an object").clone();
            let name = name(0).to_string();
            let back = EntraDevice { name, trust: TrustType::Pending, owner: None, ..new };
            devices.push(EntraDevice { id: EntraObjectId(id(0x77, 0)), device_id: EntraDeviceId(id(0x78, 0)), ..back });
        },
        &[(C::Joined, K::NotMet)],
    ),
    ("devices unread", |f| f.target().devices = unread(), &[(C::Joined, K::Unknown), (C::Assignments, K::Unknown)]),
    ("not enrolled", |f| f.facts(0).mdm = None, &[(C::Enrolled, K::NotMet)]),
    (
        "not synchronised",
        |f| {
            let own = |one: &&mut crate::state::ManagedDevice| one.id == IntuneId(id(0x16, 0));
            let managed = list(&mut f.target().managed_devices).iter_mut().find(own).expect("a record");
            managed.last_sync = Some(at("2026-12-02T09:59:59Z"));
        },
        &[(C::Enrolled, K::NotMet)],
    ),
    (
        "Intune unread",
        |f| f.target().managed_devices = unread(),
        &[(C::Enrolled, K::Unknown), (C::Assignments, K::Unknown)],
    ),
    ("no token", |f| f.facts(0).sign_in.as_mut().expect("signed in").prt = false, &[(C::SignIn, K::NotMet)]),
    (
        "nobody signed in",
        |f| {
            f.facts(0).sign_in = None;
            f.record(0).outcome = Some(Outcome::PendingVerification(Problem::new("x", "no sign-in yet")));
        },
        &[(C::SignIn, K::NotMet), (C::Visible, K::NotMet)],
    ),
    ("empty profile", |f| f.facts(0).profiles[0].size_mib = 0, &[(C::Profile, K::NotMet)]),
    (
        "another path",
        |f| f.facts(0).profiles[0].path = "C:\\Users\\user0.CONTOSO".to_owned(),
        &[(C::Profile, K::NotMet)],
    ),
    (
        "another owner",
        |f| f.facts(0).profiles[0].acl_owner = crate::dag::fixture::old_sid(Join::Hybrid, 0),
        &[(C::Profile, K::NotMet)],
    ),
    ("temporary profile", |f| f.facts(0).profiles[0].health = ProfileHealth::Temporary, &[(C::Profile, K::NotMet)]),
    (
        "no key",
        |f| {
            let new = f.facts(0).entra.as_ref().expect("joined").device_id;
            list(&mut f.target().recovery_keys).retain(|key| key.device_id != new);
        },
        &[(C::Recovery, K::NotMet)],
    ),
    ("keys unread", |f| f.target().recovery_keys = unread(), &[(C::Recovery, K::Unknown)]),
    ("no protector", |f| f.facts(0).bitlocker.protectors.clear(), &[(C::Recovery, K::NotMet)]),
    (
        "an old backup",
        |f| {
            let backups = list(&mut f.target().laps).iter_mut();
            backups.for_each(|one| one.backed_up = at("2026-12-02T09:00:00Z"));
        },
        &[(C::Recovery, K::NotMet)],
    ),
    ("backups unread", |f| f.target().laps = unread(), &[(C::Recovery, K::Unknown)]),
    (
        "another primary user",
        |f| f.target().primary_users = Known::Known(std::collections::BTreeMap::new()),
        &[(C::Assignments, K::NotMet)],
    ),
    ("primary users unread", |f| f.target().primary_users = unread(), &[(C::Assignments, K::Unknown)]),
    (
        "out of its group",
        |f| list(&mut f.target().groups).iter_mut().for_each(|group| group.devices.clear()),
        &[(C::Assignments, K::NotMet)],
    ),
    ("groups unread", |f| f.target().groups = unread(), &[(C::Assignments, K::Unknown)]),
    ("nobody tried", |f| f.plan.attestations.clear(), &[(C::Applications, K::Unknown)]),
    ("tried before the move", |f| f.plan.attestations[0].on = date(2026, 12, 1), &[(C::Applications, K::Unknown)]),
    (
        "attested until yesterday",
        |f| f.plan.attestations[0].until = Some(date(2026, 12, 1)),
        &[(C::Applications, K::Unknown)],
    ),
    ("blocked", |f| canary(f).blocked_by = Some("Contoso EDR".to_owned()), &[(C::NoEdrBlocks, K::NotMet)]),
    ("half a canary", |f| canary(f).read_back = false, &[(C::NoEdrBlocks, K::NotMet)]),
    ("no survey", |f| evidence(f).survey = None, &[(C::NoEdrBlocks, K::Unknown)]),
    (
        "an old survey",
        |f| evidence(f).survey.as_mut().expect("a survey").at = at("2026-12-02T09:00:00Z"),
        &[(C::NoEdrBlocks, K::Unknown)],
    ),
    (
        "a block in the record",
        |f| f.record(0).outcome = Some(Outcome::RecoveryRequired(Problem::new("dev.system-execution", "killed"))),
        &[(C::NoEdrBlocks, K::NotMet), (C::Visible, K::NotMet)],
    ),
    ("a run that goes on", |f| f.record(0).outcome = None, &[(C::Visible, K::NotMet)]),
    (
        "an agent that isn't heard",
        |f| drop(f.snapshot.evidence.insert(name(0), Known::Unknown("the store is damaged".to_owned()))),
        &[
            (C::Joined, K::Unknown),
            (C::Enrolled, K::Unknown),
            (C::SignIn, K::Unknown),
            (C::Profile, K::Unknown),
            (C::Recovery, K::Unknown),
            (C::Assignments, K::Unknown),
            (C::NoEdrBlocks, K::Unknown),
        ],
    ),
];

fn unread<T>() -> Known<T> {
    Known::Unknown("503".to_owned())
}

/// Catches a criterion that doesn't see what it is there for, one that takes what couldn't be read for met, and one that
/// turns with its neighbour.
#[test]
fn what_is_broken_turns_its_own_criterion() {
    let mut turned = std::collections::BTreeSet::new();
    for (what, spoil, wanted) in BREAKS {
        let mut fleet = moved(Scenario::HybridToEntra, Join::Hybrid);
        spoil(&mut fleet);
        let exit = exit(&fleet);
        let own = exit.exceptions.iter().filter(|one| one.device == name(0));
        let found: Vec<(C, K)> = own.map(|one| (one.criterion, one.measure.kind)).collect();
        assert_eq!(found, *wanted, "{what}: {:?}", exit.exceptions);
        assert!(!exit.is_met(), "{what}");
        assert_eq!(exit.lacking().len(), wanted.len(), "{what}");
        let judged = finding(&fleet);
        let fails = wanted.iter().any(|(_, kind)| *kind == K::NotMet);
        let kind = if fails { OutcomeKind::Fail } else { OutcomeKind::Unknown };
        assert_eq!(judged.outcome.kind(), kind, "{what}: {}", judged.seen);
        for (criterion, kind) in *wanted {
            assert!(judged.seen.contains(criterion.id()) && judged.seen.contains("PC-000"), "{what}: {}", judged.seen);
            turned.insert((*criterion, *kind));
        }
    }
    for criterion in Criterion::ALL {
        assert!(turned.iter().any(|(one, _)| *one == criterion), "{} is never broken", criterion.id());
    }
}

/// Catches a sign-in of a colleague that makes the mapped user's forgotten.
#[test]
fn somebody_else_may_sign_in_later() {
    let mut fleet = moved(Scenario::HybridToEntra, Join::Hybrid);
    fleet.facts(0).sign_in.as_mut().expect("signed in").sid = "S-1-12-1-9-9-9-9".parse().expect("a SID");
    assert!(exit(&fleet).is_met());
}

/// Catches a feature that is off and still asked for, and one that is off and counts as met.
#[test]
fn what_is_off_does_not_apply() {
    let mut fleet = moved(Scenario::HybridToEntra, Join::Hybrid);
    fleet.plan.features.on = crate::model::FeatureSet::default();
    fleet.target().recovery_keys = unread();
    let exit = exit(&fleet);
    for criterion in [C::Recovery, C::Assignments] {
        assert_eq!(exit.count(criterion, K::NotApplicable), 2, "{}", criterion.id());
    }
    assert!(exit.is_met());
    fleet.plan.features.on = [Feature::Laps].into_iter().collect();
    assert_eq!(self::exit(&fleet).count(C::Recovery, K::Met), 2);
}

/// Catches a pilot that counts as proven before it ran, by an exclusion of everybody, or half way; and an excluded
/// device that holds it up.
#[test]
fn only_moved_devices_prove_something() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 3);
    fleet.plan.waves[1] = moved(Scenario::HybridToEntra, Join::Hybrid).plan.waves[1].clone();
    attest(&mut fleet, "apps.readiness", 2);
    let judged = finding(&fleet);
    assert_eq!(judged.outcome.kind(), OutcomeKind::Unknown);
    assert!(judged.seen.starts_with("0 of 2 devices moved"), "{}", judged.seen);
    fleet.migrate(0);
    assert!(!exit(&fleet).is_met() && exit(&fleet).lacking().is_empty());
    assert_eq!(finding(&fleet).outcome.kind(), OutcomeKind::Unknown);
    fleet.plan.exclusions.push(exclusion(named("pc-001")));
    let half = exit(&fleet);
    assert!(half.is_met() && (half.devices, half.excluded) == (1, 1));
    assert_eq!(finding(&fleet).outcome.kind(), OutcomeKind::Pass);
    fleet.plan.exclusions[0] = exclusion(named("pc-00[01]"));
    assert!(!exit(&fleet).is_met());
    assert_eq!(finding(&fleet).outcome.kind(), OutcomeKind::Unknown);
}

/// Catches a pilot that isn't proven and blocks its own wave or the later one's devices by itself: the gate waits.
#[test]
fn the_gate_waits_and_nothing_is_blocked() {
    let mut fleet = moved(Scenario::HybridToEntra, Join::Hybrid);
    fleet.facts(0).profiles[0].size_mib = 0;
    let ready = readiness(&fleet);
    let later = ready.pilot_exit(&"broad".into()).expect("a finding");
    assert!(later.outcome.kind() == OutcomeKind::Fail && !later.blocks() && later.holds_gate());
    let own = ready.pilot_exit(&"pilot".into()).expect("a finding");
    assert_eq!(own.outcome.kind(), OutcomeKind::NotApplicable);
    let of_exit = |blocker: &crate::dag::Blocker| blocker.check == Some(Check::PilotExit);
    assert!((0..2).all(|wave| !ready.wave_blockers(&fleet.plan, wave).iter().any(of_exit)));
    fleet
        .plan
        .exclusions
        .push(Exclusion { of: ExclusionKind::Check("pilot.exit".to_owned()), ..exclusion(named("nothing")) });
    assert_eq!(finding(&fleet).outcome.kind(), OutcomeKind::Excepted);
    // Whoever has moved doesn't wait at a gate any more.
    fleet.plan.exclusions.pop();
    fleet.migrate(2);
    assert_eq!(finding(&fleet).outcome.kind(), OutcomeKind::NotApplicable);
}

/// Catches a gate with criteria and no wave to hold them against that opens by itself.
#[test]
fn criteria_need_a_pilot() {
    let mut fleet = moved(Scenario::HybridToEntra, Join::Hybrid);
    fleet.plan.waves[1].needs.clear();
    assert_eq!(finding(&fleet).outcome.kind(), OutcomeKind::Unknown);
}

/// Catches ids that change, and a list of names that grows with the fleet.
#[test]
fn words_stay_short() {
    let ids = Criterion::ALL.map(Criterion::id);
    assert_eq!(
        ids,
        [
            "exit.joined",
            "exit.enrolled",
            "exit.sign-in",
            "exit.profile",
            "exit.recovery",
            "exit.assignments",
            "exit.applications",
            "exit.no-edr-blocks",
            "exit.visible"
        ]
    );
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 12);
    fleet.plan.waves[0].devices = crate::plan::Selector::Everything;
    fleet.plan.waves[1].devices = named("nothing");
    for n in 0..12 {
        fleet.migrate(n);
        fleet.record(n).wave = Some("pilot".into());
    }
    let lacking = exit(&fleet).lacking();
    assert_eq!(
        lacking,
        ["`exit.applications` isn't known on 12 of 12 devices of `pilot` (PC-000, PC-001, PC-002, 9 more)"]
    );
}
