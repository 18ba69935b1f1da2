//! Every state of the register of exclusions, over the fixture's fleets.

use super::register::of;
use super::tenant_laws::with_exclusion;
use super::{Answer, ChangeSet, Covered, ExclusionState, Register, RegisterEntry, Standing, decide, select};
use crate::dag::fixture::{AS_OF, Fleet, Join, at, exclusion, id, list, name, named, spanned};
use crate::dag::{Index, assign};
use crate::diag::{Code, Severity};
use crate::model::{Check, Feature, GroupId, Known, OwnerRole, Scenario};
use crate::plan::{ExclusionKind, Selector};
use crate::readiness::{Excepted, Finding, Measured, Outcome, OutcomeKind, Readiness, Subject, Tally};
use jiff::civil::date;

fn changes(fleet: &Fleet) -> ChangeSet {
    decide(&fleet.plan, &fleet.snapshot).expect("no cycle").changes
}
fn register(fleet: &Fleet) -> Register {
    let decision = decide(&fleet.plan, &fleet.snapshot).expect("no cycle");
    super::register(&fleet.plan, &fleet.snapshot, &decision)
}
fn first(fleet: &Fleet) -> RegisterEntry {
    register(fleet).entries.swap_remove(0)
}
fn accounts(fleet: &mut Fleet, groups: Vec<GroupId>) {
    fleet.origin().account_groups = Known::Known([("package_1@contoso.com".to_owned(), groups)].into());
}
fn switch_off(fleet: &mut Fleet) {
    let on = fleet.plan.features.on;
    let others = Feature::ALL.into_iter().filter(|one| on.has(*one) && *one != Feature::ConditionalAccessExclusions);
    fleet.plan.features.on = others.collect();
}
fn expire(fleet: &mut Fleet, at_: usize) {
    fleet.plan.exclusions[at_].until = at(AS_OF);
    fleet.plan.exclusions[at_].expires = spanned(date(2026, 12, 1), 910);
}
fn codes(changes: &ChangeSet, code: &'static Code) -> Vec<(Severity, String)> {
    let own = changes.findings.0.iter().filter(|finding| finding.code == code);
    own.map(|finding| (finding.severity, finding.message.clone())).collect()
}

/// Catches an exclusion of Conditional Access whose state, life in the tenant or need is told wrongly.
#[test]
fn states_of_conditional_access() {
    let mut fleet = with_exclusion();
    accounts(&mut fleet, Vec::new());
    let is = |fleet: &Fleet, state, live: &str, needed: &str| {
        let entry = first(fleet);
        assert_eq!((entry.state, entry.live.word(), entry.needed.word()), (state, live, needed), "{entry:?}");
        entry
    };
    let planned = is(&fleet, ExclusionState::Planned, "no", "yes");
    assert_eq!(planned.needed.why(), "waves pilot, broad aren't finished");
    assert_eq!((planned.expires, planned.days_left), (Some(date(2027, 1, 31)), Some(60)));
    expire(&mut fleet, 0);
    assert_eq!(is(&fleet, ExclusionState::Expired, "no", "yes").days_left, Some(-1));
    list(&mut fleet.origin().conditional_access)[0].exclude_users.push(id(0xF, 0).to_string());
    is(&fleet, ExclusionState::Overdue, "yes", "yes");
    assert!(register(&fleet).is_overdue());
    fleet.plan.exclusions[0].until = at("2027-02-01T00:00:00Z");
    is(&fleet, ExclusionState::Open, "yes", "yes");
    (0..2).for_each(|n| fleet.migrate(n));
    assert_eq!(is(&fleet, ExclusionState::Open, "yes", "yes").needed.why(), "wave broad isn't finished");
    (2..4).for_each(|n| fleet.migrate(n));
    is(&fleet, ExclusionState::Open, "yes", "no");
    list(&mut fleet.origin().conditional_access)[0].exclude_users.clear();
    is(&fleet, ExclusionState::Closed, "no", "no");
    // In another way than the plan's it is live all the same.
    let group = GroupId(id(5, 1));
    list(&mut fleet.origin().conditional_access)[0].exclude_groups.push(group);
    accounts(&mut fleet, vec![group]);
    assert_eq!(is(&fleet, ExclusionState::Open, "yes", "no").live.why(), "through group `MIG-Pilot`");
    fleet.origin().conditional_access = Known::Unknown("403".to_owned());
    is(&fleet, ExclusionState::Unknown, "unknown", "no");
    fleet.origin().conditional_access = Known::Absent;
    is(&fleet, ExclusionState::Unknown, "unknown", "no");
    let offline = super::register_offline(&fleet.plan).entries.swap_remove(0);
    assert_eq!((offline.state, offline.needed.word()), (ExclusionState::Unknown, "unknown"));
}

/// Catches an open door that nobody wrote down, and a group that couldn't be looked into taken for an empty one.
#[test]
fn what_the_plan_does_not_know() {
    let mut fleet = with_exclusion();
    let mut other = list(&mut fleet.origin().conditional_access)[0].clone();
    other.name = "Compliant devices".to_owned();
    other.exclude_users.push(id(0xF, 0).to_string());
    other.exclude_users.push(id(0xA, 0).to_string());
    list(&mut fleet.origin().conditional_access).push(other);
    fleet.origin().account_groups = Known::Unknown("403".to_owned());
    let all = register(&fleet);
    assert_eq!(all.entries.len(), 2, "users that are no package account are nobody's business: {all:?}");
    let found = &all.entries[1];
    assert_eq!((found.state, &found.id, found.live.word()), (ExclusionState::Unrecorded, &None, "yes"));
    assert!(matches!(&found.covers, Covered::ConditionalAccess { policy, .. } if policy == "Compliant devices"));
    assert_eq!(all.gaps.len(), 1, "{:?}", all.gaps);
    let said = codes(&changes(&fleet), Code::EXCLUSION_DIFFERS);
    assert!(said.len() == 1 && said[0].1.contains("Compliant devices"), "{said:?}");
    switch_off(&mut fleet);
    assert_eq!(codes(&changes(&fleet), Code::EXCLUSION_DIFFERS), []);
}

/// Catches `observe` that opens, closes or keeps quiet.
#[test]
fn observe_compares_and_never_writes() {
    let mut fleet = with_exclusion();
    accounts(&mut fleet, Vec::new());
    switch_off(&mut fleet);
    fleet.plan.features.observe_exclusions = true;
    let said = |fleet: &Fleet| {
        let all = changes(fleet);
        let own = |t: &&super::TenantChange| t.policy.is_some();
        assert!(all.tenant.iter().filter(own).all(|t| t.change.action == super::Action::Skip), "{:?}", all.tenant);
        codes(&all, Code::EXCLUSION_DIFFERS)
    };
    assert!(said(&fleet)[0].1.contains("doesn't exclude package_1@contoso.com"), "{:?}", said(&fleet));
    list(&mut fleet.origin().conditional_access)[0].exclude_users.push(id(0xF, 0).to_string());
    assert_eq!(said(&fleet), []);
    expire(&mut fleet, 0);
    assert!(said(&fleet)[0].1.contains("still excludes package_1@contoso.com"), "{:?}", said(&fleet));
}

/// Catches a device that stays out after its exclusion ran out, one that comes back without a word, and a register that
/// keeps an exclusion for devices that are gone or done.
#[test]
fn devices_come_back_when_their_exclusion_runs_out() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 6);
    fleet.plan.exclusions.push(exclusion(named("pc-00[0345]")));
    let open = first(&fleet);
    assert_eq!((open.state, open.live.word(), open.needed.word()), (ExclusionState::Open, "not applicable", "yes"));
    assert!(matches!(&open.covers, Covered::Devices { names, unknown: 0 } if names.len() == 4), "{open:?}");
    let all = changes(&fleet);
    let excluded = |all: &ChangeSet| {
        all.devices.iter().filter(|device| matches!(device.standing, Standing::Excluded { .. })).count()
    };
    assert_eq!((excluded(&all), codes(&all, Code::EXCLUSION_EXPIRED)), (4, Vec::new()));
    expire(&mut fleet, 0);
    fleet.migrate(4);
    assert_eq!(
        (first(&fleet).state, first(&fleet).needed.why()),
        (ExclusionState::Expired, "3 devices aren't migrated")
    );
    let all = changes(&fleet);
    assert_eq!(excluded(&all), 0);
    let said = codes(&all, Code::EXCLUSION_EXPIRED);
    assert_eq!(
        said,
        [
            "exclusion `vip-laptops` ran out on 2026-12-01: 1 device is back in wave `pilot`: PC-000",
            "exclusion `vip-laptops` ran out on 2026-12-01: 2 devices are back in wave `broad`: PC-003, PC-005",
        ]
        .map(|text| (Severity::Warning, text.to_owned()))
    );
    // A view of one wave speaks of its own devices.
    let broad = select(&all, &"broad".into()).expect("a wave");
    assert_eq!(codes(&broad, Code::EXCLUSION_EXPIRED), said[1..]);
    // Another exclusion that is in force keeps its device out.
    let mut other = exclusion(named("pc-003"));
    other.id.value = "finance".to_owned();
    fleet.plan.exclusions.push(other);
    let all = changes(&fleet);
    assert_eq!(excluded(&all), 1);
    assert!(codes(&all, Code::EXCLUSION_EXPIRED)[1].1.ends_with("`broad`: PC-005"));
    fleet.plan.exclusions[0].of = ExclusionKind::Devices(named("gone-*"));
    assert_eq!(first(&fleet).needed, Answer::No("it selects no device any more".to_owned()));
    fleet.plan.exclusions[0].of = ExclusionKind::Devices(named("pc-004"));
    assert_eq!(first(&fleet).needed, Answer::No("every device that it selects is done".to_owned()));
    fleet.origin().groups = Known::Unknown("403".to_owned());
    fleet.plan.exclusions[0].of = ExclusionKind::Devices(Selector::Group(spanned("VIP".to_owned(), 500)));
    assert_eq!(first(&fleet).needed.word(), "unknown");
    assert_eq!(assign(&Index::new(&fleet.plan, &fleet.snapshot)).covers[&0].unknown, 6);
}

/// Catches an exclusion that ends next week and is needed, and nobody is told; and one that is told although nothing
/// needs it.
#[test]
fn an_end_that_is_near_is_spoken_of() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 2);
    fleet.plan.waves.truncate(1);
    let said = |fleet: &mut Fleet, day, end: &str| {
        fleet.plan.exclusions = vec![exclusion(named("pc-000"))];
        fleet.plan.exclusions[0].expires = spanned(day, 910);
        fleet.plan.exclusions[0].until = at(end);
        codes(&changes(fleet), Code::EXCLUSION_ENDS)
    };
    assert_eq!(said(&mut fleet, date(2026, 12, 17), "2026-12-18T00:00:00Z"), [], "fifteen days");
    let soon = said(&mut fleet, date(2026, 12, 16), "2026-12-17T00:00:00Z");
    assert!(soon.len() == 1 && soon[0].0 == Severity::Advice && soon[0].1.contains("ends on 2026-12-16"), "{soon:?}");
    assert_eq!(said(&mut fleet, date(2026, 12, 1), "2026-12-02T00:00:00Z"), [], "it ran out");
    fleet.migrate(0);
    assert_eq!(said(&mut fleet, date(2026, 12, 16), "2026-12-17T00:00:00Z"), []);
}

/// Catches an exclusion of a check that is kept although the check holds, or thrown away because nobody looked.
#[test]
fn checks_and_areas() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
    fleet.plan.exclusions.clear();
    for (name, of) in [
        ("power", ExclusionKind::Check("dev.power".to_owned())),
        ("tenant", ExclusionKind::Check("dev.join-tenant".to_owned())),
        ("later", ExclusionKind::Check("dev.of-tomorrow".to_owned())),
        ("edr", ExclusionKind::Area("edr".to_owned())),
    ] {
        let mut one = exclusion(Selector::Everything);
        (one.id.value, one.of) = (name.to_owned(), of);
        fleet.plan.exclusions.push(one);
    }
    let decision = decide(&fleet.plan, &fleet.snapshot).expect("no cycle");
    let index = Index::new(&fleet.plan, &fleet.snapshot);
    let needed = |readiness: Readiness| -> Vec<&'static str> {
        let mut changes = decision.changes.clone();
        changes.readiness = std::sync::Arc::new(readiness);
        of(&index, &decision.assignment, &changes).entries.iter().map(|entry| entry.needed.word()).collect()
    };
    assert_eq!(needed(Readiness::default()), ["unknown", "no", "unknown", "unknown"]);
    let mut held = Readiness::default();
    let mut tally = Tally::default();
    tally.add(OutcomeKind::Pass);
    held.tallies.insert((Some(0), Check::DevPower), tally);
    assert_eq!(needed(held.clone()), ["no", "no", "unknown", "unknown"]);
    tally.add(OutcomeKind::Excepted);
    held.tallies.insert((Some(0), Check::DevPower), tally);
    held.findings.push(Finding {
        check: Check::SecAllowList,
        subject: Subject::Device(name(0)),
        outcome: Outcome::Excepted(Box::new(Excepted {
            exclusion: "edr".to_owned(),
            owner: "x".to_owned(),
            reason: "y".to_owned(),
            until: at(AS_OF),
        })),
        measured: Measured::Fail,
        seen: "z".into(),
        remedy: "".into(),
        code: "sec.allow-list",
        owner: OwnerRole::Security,
        wave: Some(0),
        only: Vec::new(),
    });
    assert_eq!(needed(held), ["yes", "no", "unknown", "yes"]);
}
