//! Laws of permissions, over every combination of scenario and features.

use std::collections::BTreeSet;

use super::permissions::{Comparison, GrantState, NeededPermission, Surplus, compare, needed};
use crate::dag::fixture::{Fleet, Join};
use crate::dag::{Maker, needs, possible_ops, uses_of};
use crate::model::{Feature, FeatureSet, GraphCall, Known, Op, Permission, Scenario, Side};
use crate::plan::{CaExclusion, Exclusion, ExclusionKind, MigrationPlan};
use crate::state::AppRegistration;

const SCENARIOS: [(Scenario, Join); 3] =
    [(Scenario::AdToEntra, Join::Ad), (Scenario::HybridToEntra, Join::Hybrid), (Scenario::TenantToTenant, Join::Entra)];

/// A plan with these features, and with what each of them is about.
fn plan(scenario: Scenario, join: Join, on: FeatureSet, group: Option<&str>) -> MigrationPlan {
    let mut plan = Fleet::new(scenario, join, 1).plan;
    plan.features.on = on;
    plan.features.profiles =
        on.has(Feature::ConfigurationProfiles).then(|| (vec!["Baseline".to_owned()], "MIG-Moved".to_owned()));
    let account = plan.packages[0].account.clone();
    let template = crate::dag::fixture::exclusion(crate::plan::Selector::Everything);
    let of = ExclusionKind::ConditionalAccess(CaExclusion {
        policy: "Require MFA".to_owned(),
        account,
        group: group.map(str::to_owned),
    });
    plan.exclusions = vec![Exclusion { of, ..template }];
    plan
}

fn each(mut look: impl FnMut(&MigrationPlan)) {
    for (scenario, join) in SCENARIOS {
        for bits in 0..256_u32 {
            let on = Feature::ALL.into_iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0);
            let on: FeatureSet = on.map(|(_, feature)| feature).collect();
            for group in [None, Some("CA-Excluded")] {
                look(&plan(scenario, join, on, group));
            }
        }
    }
}

/// What a plan does in a tenant, worked out another way: request by request.
fn requests(plan: &MigrationPlan, sides: &[Side]) -> Vec<(Maker, GraphCall)> {
    let parts = crate::dag::Part::ALL.iter().map(|part| Maker::Part(*part));
    let ops = possible_ops(plan);
    let makers = parts.chain(ops.iter().map(Maker::Op));
    let mut all = Vec::new();
    for maker in makers {
        let own = uses_of(maker).filter(|one| sides.contains(&one.side) && one.applies(plan));
        all.extend(own.map(|one| (maker, one.call)));
    }
    all
}

/// Catches a permission that no request of the plan uses, one too few, and one that could be left out. "Could be left
/// out" is judged by [`Permission::covers`], which is held to Microsoft's data.
#[test]
fn exactly_what_is_used_is_asked_for() {
    each(|plan| {
        for tenant in needed(plan, possible_ops(plan)) {
            let requests = requests(plan, &tenant.sides);
            let asked: Vec<Permission> = tenant.asked().map(|need| need.permission).collect();
            for need in &tenant.permissions {
                let used = requests.iter().any(|(_, call)| call.needs().contains(&need.permission));
                assert!(used, "{}: {} isn't used", plan.name, need.permission.as_str());
            }
            let covered =
                |granted: &[Permission]| requests.iter().all(|(_, call)| call.lacks(granted).next().is_none());
            assert!(covered(&asked), "{:?}: {asked:?}", plan.features.on);
            for without in &asked {
                let rest: Vec<Permission> = asked.iter().copied().filter(|one| one != without).collect();
                assert!(!covered(&rest), "{} could be left out", without.as_str());
            }
        }
    });
}

/// Catches planning that asks to write anything, or that asks for less than it reads.
#[test]
fn planning_asks_only_to_read() {
    each(|plan| {
        for tenant in needed(plan, possible_ops(plan)) {
            let asked: Vec<Permission> = tenant.asked_to_plan().map(|need| need.permission).collect();
            assert!(asked.iter().all(|permission| !permission.writes()), "{asked:?}");
            let requests = requests(plan, &tenant.sides);
            let reads = requests.iter().filter(|(maker, _)| matches!(maker, Maker::Part(_)));
            assert!(reads.into_iter().all(|(_, call)| call.lacks(&asked).next().is_none()));
        }
    });
}

/// Catches a feature that asks for nothing more, one whose permission is called required, and a source tenant that is
/// asked for what only the target does.
#[test]
fn features_ask_for_their_own() {
    use Permission as P;
    let asked = |scenario, join, on: &[Feature]| {
        let plan = plan(scenario, join, on.iter().copied().collect(), None);
        let all = needed(&plan, possible_ops(&plan));
        all.into_iter().map(|tenant| tenant.permissions).collect::<Vec<_>>()
    };
    for (feature, permission) in [
        (Feature::Bitlocker, P::BitlockerKeyReadBasicAll),
        (Feature::Laps, P::DeviceLocalCredentialReadBasicAll),
        (Feature::GroupRestore, P::GroupMemberReadWriteAll),
        (Feature::ConfigurationProfiles, P::ConfigurationReadWriteAll),
        (Feature::Autopilot, P::ServiceConfigReadWriteAll),
        (Feature::ConditionalAccessExclusions, P::PolicyReadWriteConditionalAccess),
    ] {
        let find = |on: &[Feature]| {
            let all = asked(Scenario::TenantToTenant, Join::Entra, on);
            all[1].iter().find(|need| need.permission == permission).cloned()
        };
        assert!(find(&[]).is_none(), "{feature:?}");
        let need = find(&[feature]).expect("asked for");
        assert_eq!(need.features(), Some(BTreeSet::from([feature])), "{feature:?}");
    }
    let source = &asked(Scenario::TenantToTenant, Join::Entra, &Feature::ALL)[0];
    for of_target in [P::UserDeleteRestoreAll, P::GroupMemberReadWriteAll, P::DeviceLocalCredentialReadBasicAll] {
        assert!(source.iter().all(|need| need.permission != of_target), "{}", of_target.as_str());
    }
    let required = source.iter().find(|need| need.permission == P::UserReadAll).expect("asked for");
    assert_eq!(required.features(), None);
}

/// Catches an operation whose permissions the catalogue's readers and this list see differently.
#[test]
fn operations_and_tenants_agree() {
    each(|plan| {
        let all = needed(plan, possible_ops(plan));
        for op in possible_ops(plan).iter() {
            for tenant in &all {
                let own = |need: &&NeededPermission| need.reasons.iter().any(|reason| reason.maker == Maker::Op(op));
                let here: BTreeSet<Permission> = tenant.permissions.iter().filter(own).map(|n| n.permission).collect();
                let all: BTreeSet<Permission> = needs(op).into_iter().map(|need| need.permission).collect();
                assert!(here.is_subset(&all), "{op}");
            }
        }
    });
}

fn app(requested: &[&str], assigned: &[&str]) -> AppRegistration {
    let words = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
    AppRegistration {
        app_id: "app".to_owned(),
        name: "Migration".to_owned(),
        enabled: true,
        principal: uuid::Uuid::nil(),
        requested: Known::Known(words(requested)),
        assigned: words(assigned),
        credentials: Known::Absent,
    }
}

fn compared(roles: Option<&[Permission]>, app: Option<AppRegistration>) -> Comparison {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
    fleet.plan.features.on = FeatureSet::default().with(Feature::Bitlocker);
    let state = fleet.origin();
    state.granted = roles.map_or_else(|| Known::Unknown("no JWT".to_owned()), |roles| Known::Known(roles.to_vec()));
    state.app = app.map_or_else(|| Known::Unknown("forbidden".to_owned()), Known::Known);
    let state = fleet.snapshot.tenants.get(&"contoso".into());
    let needs = &needed(&fleet.plan, possible_ops(&fleet.plan))[0];
    compare(needs, needs, state)
}

fn state_of(of: &Comparison, permission: Permission) -> GrantState {
    of.needed.iter().find(|(need, _)| need.permission == permission).expect("needed").1
}

/// Catches a grant that is taken for missing, and a missing one that isn't told from one that only waits for consent
/// or for a new token.
#[test]
fn states_are_told_apart() {
    use Permission as P;
    let roles = [P::UserReadAll, P::DirectoryReadAll, P::BitlockerKeyReadAll];
    let of = compared(
        Some(&roles),
        Some(app(&["Policy.Read.All"], &["DeviceManagementManagedDevices.ReadWrite.All", "User.Read.All"])),
    );
    for (permission, wanted) in [
        (P::UserReadAll, GrantState::Granted),
        (P::DeviceReadAll, GrantState::Covered(P::DirectoryReadAll)),
        (P::BitlockerKeyReadBasicAll, GrantState::Covered(P::BitlockerKeyReadAll)),
        (P::ManagedDevicesReadAll, GrantState::NotInToken),
        (P::PolicyReadAll, GrantState::NotConsented),
        (P::UserDeleteRestoreAll, GrantState::Missing),
    ] {
        assert_eq!(state_of(&of, permission), wanted, "{}", permission.as_str());
    }
    let missing: Vec<Permission> = of.missing().map(|(need, _)| need.permission).collect();
    assert!(missing.contains(&P::PolicyReadAll) && !missing.contains(&P::ManagedDevicesReadAll), "{missing:?}");
    // Neither the token nor the application says anything: nothing is known, and nothing is called missing.
    let of = compared(None, None);
    assert!(of.is_unknown() && of.missing().next().is_none() && of.gaps.len() == 2, "{of:?}");
    // The application's grants speak where the token doesn't.
    let of = compared(None, Some(app(&[], &["User.Read.All"])));
    assert_eq!(state_of(&of, P::UserReadAll), GrantState::Granted);
    assert_eq!(state_of(&of, P::PolicyReadAll), GrantState::Missing);
}

/// Catches an excess that isn't named, also where this version doesn't know its name; a needed permission that is
/// called excess; and two that make each other redundant, so that following the advice would leave neither.
#[test]
fn surplus_is_named_once() {
    use Permission as P;
    let exact: Vec<Permission> = {
        let fleet = plan(Scenario::HybridToEntra, Join::Hybrid, FeatureSet::default().with(Feature::Bitlocker), None);
        let mut fleet = fleet;
        fleet.exclusions.clear();
        let all = needed(&fleet, possible_ops(&fleet));
        all[0].asked().map(|need| need.permission).collect()
    };
    let of = compared(Some(&exact), None);
    assert!(of.surplus.is_empty() && of.missing().next().is_none(), "{of:?}");

    let with = |more: &[P]| exact.iter().chain(more).copied().collect::<Vec<_>>();
    let roles =
        with(&[P::ConfigurationReadAll, P::DeviceReadWriteAll, P::BitlockerKeyReadAll, P::ManagedDevicesReadAll]);
    let of = compared(Some(&roles), Some(app(&[], &["Mail.Send"])));
    assert_eq!(of.surplus["DeviceManagementConfiguration.Read.All"], Surplus::Excess);
    assert_eq!(of.surplus["Mail.Send"], Surplus::Excess);
    assert_eq!(of.surplus["Device.ReadWrite.All"], Surplus::Beyond(vec![P::DeviceReadAll]));
    assert_eq!(of.surplus["BitlockerKey.Read.All"], Surplus::Beyond(vec![P::BitlockerKeyReadBasicAll]));
    // Reading is a part of the writing that is needed anyway.
    let wider = P::ManagedDevicesReadWriteAll;
    assert_eq!(of.surplus["DeviceManagementManagedDevices.Read.All"], Surplus::Redundant(wider));
    assert_eq!(of.surplus.len(), 5, "{:?}", of.surplus);

    let without: Vec<P> = exact.iter().copied().filter(|one| *one != P::OrganizationReadAll).collect();
    let wide: Vec<P> = without.into_iter().chain([P::DirectoryReadAll, P::DirectoryReadWriteAll]).collect();
    let of = compared(Some(&wide), None);
    let kinds: Vec<&Surplus> = of.surplus.values().collect();
    let [Surplus::Wide(one), Surplus::Wide(other)] = kinds.as_slice() else { panic!("{kinds:?}") };
    assert_eq!((one.as_slice(), other.as_slice()), (&[P::OrganizationReadAll][..], &[P::OrganizationReadAll][..]));
}

/// Grants of every kind: too few, too many, too wide. The same numbers at every run.
fn grants(seed: u64) -> Vec<Permission> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    Permission::ALL.iter().copied().filter(|_| next() % 3 == 0).collect()
}

/// Catches advice that breaks the plan: what is called excess is taken away although something rests on it, what would
/// do is itself to go, or whoever follows it is told more the next time.
#[test]
fn following_the_advice_leaves_exactly_enough() {
    let mut seed = 0;
    let mut followed = 0;
    let tenant = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1).origin().clone();
    each(|plan| {
        let ops = possible_ops(plan);
        let fewer = ops.without(Op::RestoreGroups).without(Op::ImportAutopilot);
        for (possible, now) in needed(plan, ops).iter().zip(needed(plan, fewer)) {
            seed += 1;
            let mut held: BTreeSet<Permission> = grants(seed).into_iter().collect();
            if seed % 2 == 0 {
                held.extend(possible.asked().map(|need| need.permission));
            }
            let look = |held: &BTreeSet<Permission>| {
                let names: Vec<String> = held.iter().map(|one| one.as_str().to_owned()).collect();
                let mut state = tenant.clone();
                state.granted = Known::Known(held.iter().copied().collect());
                state.app = Known::Known(AppRegistration { assigned: names, ..app(&[], &[]) });
                compare(&now, possible, Some(&state))
            };
            let missing = |of: &Comparison| -> BTreeSet<Permission> {
                of.needed.iter().filter(|(_, state)| !state.holds()).map(|(need, _)| need.permission).collect()
            };
            let before = look(&held);
            let away: BTreeSet<Permission> = before.excess().filter_map(|(name, _)| Permission::named(name)).collect();
            let first = before.first();
            assert!(first.is_disjoint(&away) && first.is_disjoint(&held), "{held:?}: {:?}", before.surplus);
            let kept: BTreeSet<Permission> = held.difference(&away).chain(&first).copied().collect();
            let after = look(&kept);
            assert!(missing(&after).is_subset(&missing(&before)), "{held:?}: {:?}", before.surplus);
            let asked: Vec<Permission> = before.missing().map(|(need, _)| need.permission).collect();
            let end = look(&kept.iter().chain(&asked).copied().collect());
            assert_eq!(missing(&end), BTreeSet::new(), "{held:?}: {:?}", before.surplus);
            assert_eq!(end.excess().count(), 0, "{held:?}: {:?} and then {:?}", before.surplus, end.surplus);
            followed += usize::from(!away.is_empty() && !first.is_empty());
        }
    });
    assert!(followed > 100, "{followed}");
}

/// Catches a permission of a feature that is called excess only because no device needs it today.
#[test]
fn what_a_feature_may_need_is_no_excess() {
    use Permission as P;
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
    fleet.plan.features.on = FeatureSet::default().with(Feature::GroupRestore);
    let ops = possible_ops(&fleet.plan);
    let (all, less) = (&needed(&fleet.plan, ops)[0], &needed(&fleet.plan, ops.without(Op::RestoreGroups))[0]);
    fleet.origin().granted = Known::Known(all.asked().map(|need| need.permission).collect());
    let state = fleet.snapshot.tenants.get(&"contoso".into());
    let of = compare(less, all, state);
    assert_eq!(of.surplus.get("GroupMember.ReadWrite.All"), Some(&Surplus::Idle));
    assert!(!of.surplus.contains_key(P::DeviceReadWriteAll.as_str()), "it covers reading, which nothing else does");
    assert_eq!(of.excess().count(), 0, "{:?}", of.surplus);
}
