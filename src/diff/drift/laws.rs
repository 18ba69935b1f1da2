//! Laws of drift: none from itself, none from our own moves, each change of others told once with its subject.

use std::collections::BTreeSet;

use super::{DriftKind, DriftReport, DriftWhat, TenantOp, drift};
use crate::dag::fixture::{ACCOUNT, Fleet, Join, list};
use crate::model::{Known, LapsTarget, Op, Scenario, Sid, UserId};
use crate::state::{Snapshot, TenantState};

const ALL: [(Scenario, Join); 3] =
    [(Scenario::AdToEntra, Join::Ad), (Scenario::HybridToEntra, Join::Hybrid), (Scenario::TenantToTenant, Join::Entra)];

fn told(report: &DriftReport) -> Vec<(DriftKind, &str, DriftWhat)> {
    report.lines.iter().map(|line| (line.kind, line.subject.as_str(), line.what)).collect()
}

/// Catches a part that is taken for changed because it is read twice.
#[test]
fn nothing_drifts_from_itself() {
    for (scenario, join) in ALL {
        let fleet = Fleet::new(scenario, join, 5);
        let report = drift(&fleet.snapshot, &fleet.snapshot, &fleet.plan, &[]);
        assert!(report.is_empty() && report.ours == 0, "{:?}", report.lines);
    }
}

/// Catches what our own runs did to a device that is told as others' work, in each scenario.
#[test]
fn our_own_moves_are_no_drift() {
    for (scenario, join) in ALL {
        let mut fleet = Fleet::new(scenario, join, 4);
        let before = fleet.snapshot.clone();
        fleet.migrate(0);
        fleet.migrate(2);
        fleet.stage(3);
        let report = drift(&before, &fleet.snapshot, &fleet.plan, &[]);
        let left: Vec<_> = told(&report).into_iter().filter(|line| line.1 != "PC-003").collect();
        assert!(left.is_empty(), "{scenario:?}: {left:?}");
        assert!(report.ours > 0);
        // The same world without a record of it is somebody else's work.
        let mut unrecorded = fleet.snapshot.clone();
        unrecorded.ledger.clear();
        assert!(!drift(&before, &unrecorded, &fleet.plan, &[]).is_empty());
    }
}

type Change = (&'static str, fn(&mut Snapshot), DriftKind, &'static str, DriftWhat);

fn tenant(snapshot: &mut Snapshot) -> &mut TenantState {
    snapshot.tenants.values_mut().next().expect("a tenant")
}

fn directory(snapshot: &mut Snapshot) -> &mut crate::state::DirectoryState {
    match &mut snapshot.directory {
        Known::Known(directory) => directory,
        other => panic!("{other:?}"),
    }
}

fn facts(snapshot: &mut Snapshot) -> &mut crate::model::DeviceFacts {
    match snapshot.evidence.values_mut().nth(1) {
        Some(Known::Known(evidence)) => &mut evidence.facts,
        other => panic!("{other:?}"),
    }
}

const CHANGES: &[Change] = {
    use DriftKind as K;
    use DriftWhat as W;
    &[
        ("renamed", |s| list(&mut tenant(s).devices)[1].name = "OTHER".into(), K::EntraDevice, "PC-001", W::Changed),
        ("disabled", |s| list(&mut tenant(s).devices)[1].enabled = false, K::EntraDevice, "PC-001", W::Changed),
        ("deleted", |s| drop(list(&mut tenant(s).devices).remove(1)), K::EntraDevice, "PC-001", W::Gone),
        (
            "registered again",
            |s| list(&mut tenant(s).devices)[1].device_id = crate::model::EntraDeviceId(uuid::Uuid::from_u128(9)),
            K::EntraDevice,
            "PC-001",
            W::Changed,
        ),
        ("wiped", |s| drop(list(&mut tenant(s).managed_devices).remove(1)), K::IntuneRecord, "PC-001", W::Gone),
        (
            "enrolled twice",
            |s| {
                let mut one = list(&mut tenant(s).managed_devices)[1].clone();
                one.id = crate::model::IntuneId(uuid::Uuid::from_u128(9));
                list(&mut tenant(s).managed_devices).push(one);
            },
            K::IntuneRecord,
            "PC-001",
            W::Appeared,
        ),
        ("moved", |s| directory(s).computers[1].dn = "CN=PC-001,OU=Gone".into(), K::Computer, "PC-001", W::Changed),
        ("switched off", |s| directory(s).computers[1].enabled = false, K::Computer, "PC-001", W::Changed),
        ("removed", |s| drop(directory(s).computers.remove(1)), K::Computer, "PC-001", W::Gone),
        ("left", |s| list(&mut tenant(s).users)[2].enabled = false, K::User, "user1@contoso.com", W::Changed),
        (
            "married",
            |s| list(&mut tenant(s).users)[2].upn = "new@contoso.com".into(),
            K::User,
            "user1@contoso.com",
            W::Changed,
        ),
        (
            "made anew",
            |s| list(&mut tenant(s).users)[2].sid = Some(Sid::of_entra_user(UserId(uuid::Uuid::from_u128(9)))),
            K::User,
            "user1@contoso.com",
            W::Changed,
        ),
        ("fired", |s| drop(list(&mut tenant(s).users).remove(2)), K::User, "user1@contoso.com", W::Gone),
        ("decrypted", |s| facts(s).bitlocker.protectors.clear(), K::Device, "PC-001", W::Changed),
        ("no administrators", |s| facts(s).local_members.clear(), K::Device, "PC-001", W::Changed),
        ("out of the domain", |s| facts(s).domain = None, K::Device, "PC-001", W::Changed),
        ("passwords elsewhere", |s| facts(s).laps = LapsTarget::None, K::Device, "PC-001", W::Changed),
        (
            "a new policy",
            |s| list(&mut tenant(s).conditional_access).push(policy("Block all", 77)),
            K::ConditionalAccess,
            "Block all",
            W::Appeared,
        ),
        (
            "quota",
            |s| {
                if let Known::Known(policy) = &mut tenant(s).registration_policy {
                    policy.user_device_quota += 1;
                }
            },
            K::TenantSetting,
            "device registration policy",
            W::Changed,
        ),
    ]
};

fn policy(name: &str, id: u128) -> crate::state::ConditionalAccessPolicy {
    crate::state::ConditionalAccessPolicy {
        id: crate::model::PolicyId(uuid::Uuid::from_u128(id)),
        name: name.to_owned(),
        state: "enabled".to_owned(),
        ..Default::default()
    }
}

/// Catches a change by hand that isn't told, is told twice, or is told of somebody else; also after a move of ours, and
/// in a world that can't be read any more.
#[test]
fn each_change_of_others_is_told_once() {
    for (what, change, kind, subject, fate) in CHANGES {
        let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 4);
        let before = fleet.snapshot.clone();
        change(&mut fleet.snapshot);
        let report = drift(&before, &fleet.snapshot, &fleet.plan, &[]);
        assert_eq!(told(&report), [(*kind, *subject, *fate)], "{what}");
        assert_ne!(report.lines[0].fields.is_empty(), *fate == DriftWhat::Changed, "{what}");
        // What we moved meanwhile hides nothing of it.
        fleet.migrate(3);
        let report = drift(&before, &fleet.snapshot, &fleet.plan, &[]);
        assert_eq!(told(&report), [(*kind, *subject, *fate)], "{what}, beside a move");
    }
}

/// Catches a list that can't be read and that is told as if everything in it were gone.
#[test]
fn unknown_is_never_gone() {
    let fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 4);
    let mut blind = fleet.snapshot.clone();
    for tenant in blind.tenants.values_mut() {
        tenant.devices = Known::Unknown("403".into());
        tenant.users = Known::Unknown("403".into());
    }
    blind.directory = Known::Unknown("no answer".into());
    for (before, now, is_now) in [(&fleet.snapshot, &blind, true), (&blind, &fleet.snapshot, false)] {
        let report = drift(before, now, &fleet.plan, &[]);
        assert!(report.is_empty(), "{:?}", report.lines);
        let parts: BTreeSet<&str> = report.not_known.iter().map(|one| one.part.as_str()).collect();
        assert_eq!(parts, BTreeSet::from(["Entra devices", "computers", "users"]));
        assert!(report.not_known.iter().all(|one| one.now == is_now));
    }
}

/// Catches an exclusion that our run made and that is told as drift, and another edit of the same policy that is not.
#[test]
fn policies_are_ours_as_far_as_we_edited_them() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 2);
    list(&mut tenant(&mut fleet.snapshot).conditional_access).push(policy("Require MFA", 77));
    let before = fleet.snapshot.clone();
    let account = list(&mut tenant(&mut fleet.snapshot).users)
        .iter()
        .find(|user| user.upn == ACCOUNT)
        .map(|user| user.id)
        .expect("the package account");
    let at = |snapshot: &mut Snapshot| list(&mut tenant(snapshot).conditional_access).len() - 1;
    let last = at(&mut fleet.snapshot);
    list(&mut tenant(&mut fleet.snapshot).conditional_access)[last].exclude_users.push(account.to_string());
    let op = TenantOp {
        op: Op::ExcludePackageAccount,
        account: ACCOUNT.to_owned(),
        policy: Some("Require MFA".to_owned()),
        group: None,
    };
    let of = |snapshot: &Snapshot, ops: &[TenantOp]| drift(&before, snapshot, &fleet.plan, ops).lines.len();
    assert_eq!((of(&fleet.snapshot, std::slice::from_ref(&op)), of(&fleet.snapshot, &[])), (0, 1));
    let mut edited = fleet.snapshot.clone();
    list(&mut tenant(&mut edited).conditional_access)[last].state = "disabled".into();
    assert_eq!(of(&edited, &[op]), 1);
}
