//! Laws of tenant operations and of what counts as a change, over the fixture's fleets.

use super::{Action, ChangeSet, Reason, Standing, decide, select};
use crate::dag::fixture::{AS_OF, Fleet, Join, at, exclusion, id, list, named, spanned};
use crate::diag::Code;
use crate::model::{Feature, Op, Scenario};
use crate::plan::{CaExclusion, ExclusionKind, Selector};

fn changes(fleet: &Fleet) -> ChangeSet {
    decide(&fleet.plan, &fleet.snapshot).expect("no cycle").changes
}

/// Returns a fleet with a package account that Conditional Access would stop, and the plan's exclusion for it.
pub(super) fn with_exclusion() -> Fleet {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 4);
    let account = "package_1@contoso.com".to_owned();
    let mut package = fleet.user(0).clone();
    (package.upn, package.id, package.on_premises_sid) = (account.clone(), crate::model::UserId(id(0xF, 0)), None);
    list(&mut fleet.origin().users).retain(|user| user.upn != account);
    list(&mut fleet.origin().users).push(package);
    fleet.plan.features.on = fleet.plan.features.on.with(Feature::ConditionalAccessExclusions);
    let mut ca = exclusion(Selector::Everything);
    ca.of = ExclusionKind::ConditionalAccess(CaExclusion { policy: "MFA".to_owned(), account, group: None });
    fleet.plan.exclusions.push(ca);
    list(&mut fleet.origin().conditional_access).push(crate::state::ConditionalAccessPolicy {
        id: crate::model::PolicyId(id(0xE, 0)),
        name: "MFA".to_owned(),
        state: "enabled".to_owned(),
        exclude_users: Vec::new(),
        exclude_groups: Vec::new(),
        ..Default::default()
    });
    fleet
}
fn verdicts(changes: &ChangeSet) -> Vec<(Action, Reason, bool)> {
    let order = [Op::ExcludePackageAccount, Op::RestorePackageAccount, Op::RevokePackage];
    assert!(changes.tenant.iter().map(|tenant| tenant.change.op).eq(order), "{:?}", changes.tenant);
    changes.tenant.iter().map(|t| (t.change.action, t.change.reason, t.needs_complete)).collect()
}

const LATER: (Action, Reason, bool) = (Action::Wait, Reason::LaterWaves, false);
const RUNS: (Action, Reason, bool) = (Action::Do, Reason::NotYetSo, false);
const CLOSES: (Action, Reason, bool) = (Action::Do, Reason::NotYetSo, true);

/// Catches packages that are revoked, or exclusions taken back, while a wave still needs them; and a plan after
/// the last wave that isn't empty, because the end of the package was left out of the last run.
#[test]
fn tenant_operations_close_with_the_last_wave() {
    let mut fleet = with_exclusion();
    let so = (Action::Nothing, Reason::AlreadySo, false);
    // Nothing holds back the second wave: together the two are the last ones, each for itself isn't.
    let all = changes(&fleet);
    assert_eq!(verdicts(&all), [RUNS, CLOSES, CLOSES]);
    for wave in ["pilot", "broad"] {
        assert_eq!(verdicts(&select(&all, &wave.into()).expect("a wave")), [RUNS, LATER, LATER]);
    }
    (0..2).for_each(|n| fleet.migrate(n));
    list(&mut fleet.origin().conditional_access)[0].exclude_users.push(id(0xF, 0).to_string());
    let all = changes(&fleet);
    assert_eq!(verdicts(&select(&all, &"broad".into()).expect("a wave")), [so, CLOSES, CLOSES]);
    assert_eq!(verdicts(&select(&all, &"pilot".into()).expect("a wave")), [so, LATER, LATER]);
    // A device that is blocked needs the package later; one that an exclusion covers doesn't.
    fleet.user(3).enabled = false;
    assert_eq!(verdicts(&changes(&fleet)), [so, LATER, LATER]);
    fleet.plan.exclusions.push(exclusion(named("pc-003")));
    assert_eq!(verdicts(&changes(&fleet)), [so, CLOSES, CLOSES]);
    fleet.plan.exclusions.pop();
    fleet.user(3).enabled = true;
    (2..4).for_each(|n| fleet.migrate(n));
    assert_eq!(verdicts(&changes(&fleet)), [(Action::Nothing, Reason::ChainComplete, false), RUNS, RUNS]);
}

/// Catches an exclusion that is told to open when its waves are over, where nobody may begin now.
#[test]
fn an_exclusion_opens_before_the_first_device() {
    let mut fleet = with_exclusion();
    (0..4).for_each(|n| fleet.user(n).enabled = false);
    assert_eq!(verdicts(&changes(&fleet)), [(Action::Wait, Reason::FirstDevice, false), LATER, LATER]);
}

/// Catches an exclusion that stays open beyond its day because a wave isn't finished, or is opened anew after it.
#[test]
fn an_exclusion_closes_on_its_day() {
    let mut fleet = with_exclusion();
    fleet.plan.exclusions[0].until = at(AS_OF);
    let expired = |action| (action, Reason::Expired, false);
    let all = changes(&fleet);
    assert_eq!(verdicts(&all)[..2], [expired(Action::Blocked), (Action::Nothing, Reason::AlreadySo, false)]);
    // Nobody leaves the old identity for a join that the policy would refuse.
    let stopped = |standing: &Standing| matches!(standing, Standing::Blocked(why) if why.iter().any(|one| one.code == "tenant.exclusion-closed"));
    assert!(all.devices.iter().all(|device| stopped(&device.standing)), "{:?}", all.devices);
    assert!(!all.has_changes());
    list(&mut fleet.origin().conditional_access)[0].exclude_users.push(id(0xF, 0).to_string());
    let all = changes(&fleet);
    assert_eq!(verdicts(&all)[..2], [expired(Action::Blocked), expired(Action::Do)]);
    // Open or not: nobody begins on what will be closed.
    assert!(all.devices.iter().all(|device| stopped(&device.standing)), "{:?}", all.devices);
    let pilot = select(&all, &"pilot".into()).expect("a wave");
    assert_eq!(verdicts(&pilot), [expired(Action::Blocked), expired(Action::Do), LATER]);
    assert!(pilot.has_changes());
}

/// Catches a policy that doesn't exist and is said to refuse the join, or not to have been read.
#[test]
fn a_policy_that_is_not_there_is_said_so() {
    let mut fleet = with_exclusion();
    let ExclusionKind::ConditionalAccess(access) = &mut fleet.plan.exclusions[0].of else { panic!("as above") };
    access.policy = "Nope".to_owned();
    // The finding of readiness is excepted, so that what `apply` itself finds is seen.
    let mut excepted = exclusion(Selector::Everything);
    excepted.of = ExclusionKind::Check("ent.conditional-access".to_owned());
    fleet.plan.exclusions.push(excepted);
    let all = changes(&fleet);
    let wanted = (Action::Blocked, Reason::NothingThere, false);
    assert_eq!(verdicts(&all)[..2], [wanted, wanted]);
    let said = |standing: &Standing| {
        matches!(standing, Standing::Blocked(why) if why.iter().any(|one| {
            one.code == "tenant.exclusion-closed"
                && one.message.contains("from policy `Nope`, and the tenant doesn't have exactly one of that name")
                && one.next.contains("correct the policy's name")
        }))
    };
    assert!(all.devices.iter().all(|device| said(&device.standing)), "{:?}", all.devices);
}

/// Catches an account that is put into a group which somebody else fills, which gives more than the exclusion, or which
/// the policy doesn't exclude; and a policy that is changed although a group was named.
#[test]
fn a_group_has_to_be_one_that_the_tool_may_use() {
    let mut fleet = with_exclusion();
    let ExclusionKind::ConditionalAccess(access) = &mut fleet.plan.exclusions[0].of else { panic!("as above") };
    access.group = Some("CA-Excluded".to_owned());
    let blocked = |fleet: &Fleet, word: &str| {
        let all = changes(fleet);
        let wanted = (Action::Blocked, Reason::Blocked, false);
        assert_eq!(verdicts(&all)[..2], [wanted, wanted], "{word}");
        let said = all.findings.0.iter().any(|finding| finding.message.contains(word));
        assert!(said, "{word}: {:?}", all.findings);
        let stopped = |standing: &Standing| matches!(standing, Standing::Blocked(why) if why.iter().any(|one| one.message.contains("group can't be used")));
        assert!(all.devices.iter().all(|device| stopped(&device.standing)), "{word}: {:?}", all.devices);
    };
    let user = id(0xF, 0);
    fleet.origin().account_groups =
        crate::model::Known::Known([("package_1@contoso.com".to_owned(), Vec::new())].into());
    blocked(&fleet, "doesn't have exactly one group `CA-Excluded`");
    let group = crate::model::GroupId(id(5, 50));
    let mut new = list(&mut fleet.origin().groups)[0].clone();
    (new.id, new.name, new.devices) = (group, "CA-Excluded".to_owned(), Vec::new());
    list(&mut fleet.origin().groups).push(new);
    blocked(&fleet, "doesn't exclude the group `CA-Excluded`");
    list(&mut fleet.origin().conditional_access)[0].exclude_groups.push(group);
    type Of = fn(&mut crate::state::Group) -> &mut bool;
    let kinds: [(Of, &str); 4] = [
        (|group| &mut group.dynamic, "by a rule"),
        (|group| &mut group.synced, "synchronised"),
        (|group| &mut group.role_assignable, "directory roles"),
        (|group| &mut group.mail_enabled, "mail-enabled"),
    ];
    for (of, word) in kinds {
        *of(list(&mut fleet.origin().groups).last_mut().expect("a group")) = true;
        blocked(&fleet, word);
        *of(list(&mut fleet.origin().groups).last_mut().expect("a group")) = false;
    }
    assert_eq!(verdicts(&changes(&fleet))[..2], [RUNS, CLOSES]);
    // A list of the policy is another way: the plan's is the group.
    list(&mut fleet.origin().conditional_access)[0].exclude_users.push(user.to_string());
    assert_eq!(verdicts(&changes(&fleet))[..2], [RUNS, CLOSES]);
    fleet.origin().account_groups =
        crate::model::Known::Known([("package_1@contoso.com".to_owned(), vec![group])].into());
    let all = changes(&fleet);
    assert_eq!(verdicts(&all)[..2], [(Action::Nothing, Reason::AlreadySo, false), CLOSES]);
    assert_eq!(all.tenant[0].group.as_deref(), Some("CA-Excluded"));
    // What couldn't be read is neither.
    fleet.origin().account_groups = crate::model::Known::Unknown("403".to_owned());
    let unknown = (Action::Blocked, Reason::Unknown, false);
    assert_eq!(verdicts(&changes(&fleet))[..2], [unknown, unknown]);
}

/// Catches a plan that counts as changed although nothing of it would run: a closed gate or window, a blocker.
#[test]
fn only_what_runs_is_a_change() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 4);
    fleet.plan.waves[1].needs.push(spanned("pilot".into(), 300));
    (0..2).for_each(|n| fleet.user(n).enabled = false);
    let all = changes(&fleet);
    assert!(!all.has_changes(), "{:?}", all.tenant);
    assert!(all.devices.iter().flat_map(|device| &device.changes).any(|change| change.action == Action::Wait));
    assert_eq!(all.waves[1].missing, ["0 of 2 devices of `pilot` are done or excluded"]);
    // Findings of a wave are its own.
    let codes = |wave: &str| -> Vec<&str> {
        select(&all, &wave.into()).expect("a wave").findings.0.iter().map(|finding| finding.code.id).collect()
    };
    assert!(codes("broad").contains(&Code::GATE_CLOSED.id) && !codes("pilot").contains(&Code::GATE_CLOSED.id));
}
