//! Laws of the decision, over the fixture's fleets.

use proptest::prelude::*;

use super::{Action, ChangeSet, DeviceChanges, Reason, Standing, decide, select};
use crate::dag::fixture::{AS_OF, Fleet, Join, at, exclusion, group, id, list, name, named, old_sid, spanned};
use crate::dag::{OpSet, Scope, spec};
use crate::diag::Code;
use crate::model::{
    EntraDeviceId, EntraObjectId, Feature, GroupId, IntuneId, Known, Op, Problem, ProfileHealth, RetirePolicy,
    Scenario, Sid, TenantId,
};
use crate::plan::{Attestation, DeviceSource, GateSpec, Selector, Window};
use crate::state::{EntraDevice, Group, ManagedDevice, Outcome, TrustType};

const KINDS: [(Scenario, Join); 5] = [
    (Scenario::AdToEntra, Join::Ad),
    (Scenario::HybridToEntra, Join::Hybrid),
    (Scenario::TenantToTenant, Join::Entra),
    (Scenario::TenantToTenant, Join::Hybrid),
    (Scenario::TenantToTenant, Join::Ad),
];

fn changes(fleet: &Fleet) -> ChangeSet {
    decide(&fleet.plan, &fleet.snapshot).expect("no cycle").changes
}
fn device(fleet: &Fleet, n: usize) -> DeviceChanges {
    changes(fleet).devices.into_iter().find(|device| device.device == name(n)).expect("the device")
}
fn doing(device: &DeviceChanges) -> OpSet {
    device.changes.iter().filter(|change| change.action == Action::Do).map(|change| change.op).collect()
}
fn codes(device: &DeviceChanges) -> Vec<&'static str> {
    match &device.standing {
        Standing::Blocked(blockers) => blockers.iter().map(|blocker| blocker.code).collect(),
        other => panic!("{} isn't blocked: {other:?}", device.device),
    }
}

/// Catches an operation that is left out of a fresh chain, or one that the device has no use for.
#[test]
fn a_fresh_fleet_takes_what_its_join_needs() {
    for (scenario, join) in KINDS {
        let fleet = Fleet::new(scenario, join, 3);
        let device = device(&fleet, 0);
        assert_eq!(device.standing, Standing::Migrate, "{scenario:?} {join:?}");
        let ops = doing(&device);
        assert_eq!(ops.has(Op::UnjoinDomain), join != Join::Entra, "{scenario:?} {join:?}");
        assert_eq!(ops.has(Op::LeaveEntra), join != Join::Ad, "{scenario:?} {join:?}");
        assert_eq!(ops.has(Op::RemoveMdm), join != Join::Ad, "{scenario:?} {join:?}");
        assert_eq!(ops.has(Op::ImportAutopilot), join == Join::Entra, "{scenario:?} {join:?}");
        assert!(ops.has(Op::SwapProfile) && ops.has(Op::RetireOldObject) && !ops.has(Op::RemoveConfigmgr));
        let known =
            Op::ALL.iter().filter(|op| spec(**op).scope == Scope::Device && spec(**op).scenarios.contains(&scenario));
        assert!(device.changes.iter().map(|change| change.op).eq(known.copied()), "every known operation is answered");
        let task = device.task.expect("a task");
        assert_eq!(task.new_sid, Sid::of_entra_user(task.user));
        assert_eq!(task.old_sid, old_sid(join, 0));
    }
}

/// Catches a postcondition that doesn't recognise what the operation leaves behind: plan after apply would never be empty.
#[test]
fn the_diff_of_a_migrated_world_is_empty() {
    for (scenario, join) in KINDS {
        let mut fleet = Fleet::new(scenario, join, 4);
        (0..4).for_each(|n| fleet.migrate(n));
        let changes = changes(&fleet);
        for device in &changes.devices {
            assert_eq!(device.standing, Standing::Done, "{scenario:?} {join:?} {:?}", device.changes);
            assert!(doing(device).is_empty());
        }
        assert!(!changes.findings.has_errors(), "{:?}", changes.findings);
        assert!(!changes.has_changes(), "no package account is left to revoke");
    }
}

/// Catches postconditions that only hold with every feature on, or with disabled computers.
#[test]
fn the_diff_is_empty_with_any_feature_off_and_for_deleted_computers() {
    for off in Feature::ALL {
        let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 2);
        fleet.plan.features.on = fleet.plan.features.on.iter().filter(|feature| *feature != off).collect();
        let fresh = device(&fleet, 0);
        assert!(doing(&fresh).iter().all(|op| spec(op).feature != Some(off)), "{off:?}");
        fleet.migrate(0);
        fleet.migrate(1);
        fleet.plan.directory.as_mut().expect("a directory").retire = RetirePolicy::Delete;
        assert!(doing(&device(&fleet, 0)).has(Op::RetireOldObject), "disabled isn't deleted");
        match &mut fleet.snapshot.directory {
            Known::Known(directory) => directory.computers.clear(),
            _ => unreachable!("the fixture has a directory"),
        }
        let changes = changes(&fleet);
        assert!(!changes.has_changes(), "{off:?}: {:?}", changes.devices[0]);
        assert_eq!(changes.devices[0].standing, Standing::Done);
    }
}

/// Catches an Entra half that is left behind and never spoken of again, and one that was disabled, or belongs to the new
/// registration, that is waited for.
#[test]
fn an_entra_half_that_is_left_is_still_to_go() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
    let half = list(&mut fleet.origin().devices).first().cloned().expect("a half");
    fleet.migrate(0);
    assert!(doing(&device(&fleet, 0)).is_empty());
    list(&mut fleet.origin().devices).push(half);
    let left = doing(&device(&fleet, 0));
    assert!(left.has(Op::RetireOldObject) && left.iter().count() == 1, "{left:?}");
    list(&mut fleet.origin().devices).last_mut().expect("a half").enabled = false;
    assert!(doing(&device(&fleet, 0)).is_empty());
}

/// Catches a device that came back to the domain after its move and would be unjoined without staging.
#[test]
fn a_device_that_came_back_begins_anew() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
    let before = fleet.facts(0).clone();
    let registration = list(&mut fleet.origin().devices).first().cloned().expect("a registration");
    fleet.migrate(0);
    *fleet.facts(0) = before;
    list(&mut fleet.origin().devices).push(registration);
    let fresh = device(&fleet, 0);
    assert_eq!(fresh.standing, Standing::Migrate);
    assert!(doing(&fresh).has(Op::Preflight) && doing(&fresh).has(Op::Arm));
    match fleet.snapshot.evidence.get_mut(&name(0)) {
        Some(Known::Known(evidence)) => evidence.at = at("2026-12-01T00:00:00Z"),
        other => panic!("{other:?}"),
    }
    assert_eq!(codes(&device(&fleet, 0)), ["device.no-evidence"]);
}

/// Catches a fleet by selector that takes personal devices or domain controllers along, or overlooks a source.
#[test]
fn a_selector_draws_from_every_source() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 2);
    let mut add = |n: usize, trust| {
        let object = EntraDevice {
            id: EntraObjectId(id(0x33, n)),
            device_id: EntraDeviceId(id(0x34, n)),
            name: format!("PC-EXTRA-{n}"),
            trust,
            enabled: true,
            owner: None,
        };
        list(&mut fleet.origin().devices).push(object);
    };
    add(1, TrustType::Registered);
    add(2, TrustType::Hybrid);
    let mut controller = match &fleet.snapshot.directory {
        Known::Known(directory) => directory.computers[0].clone(),
        _ => unreachable!("the fixture has a directory"),
    };
    (controller.guid, controller.name, controller.domain_controller) = (id(9, 99), "PC-DC".to_owned(), true);
    match &mut fleet.snapshot.directory {
        Known::Known(directory) => directory.computers.push(controller),
        _ => unreachable!("the fixture has a directory"),
    }
    fleet.plan.devices = DeviceSource::Selector(named("pc-*"));
    fleet.plan.waves.truncate(1);
    let changes = changes(&fleet);
    let names: Vec<&str> = changes.devices.iter().map(|device| device.device.as_str()).collect();
    assert_eq!(names, ["PC-000", "PC-001", "PC-EXTRA-2"]);
    assert_eq!(changes.devices[2].standing, Standing::NoWave);
}

/// Catches an operation that holds forever once done: each undone postcondition has to be seen again.
#[test]
fn what_is_missing_from_a_migrated_device_is_done_again() {
    type Spoil = fn(&mut Fleet);
    let cases: &[(Op, Spoil)] = &[
        (Op::CleanUp, |f| f.facts(0).staging.banner = true),
        (Op::SwapProfile, |f| f.facts(0).profiles[0].acl_owner = old_sid(Join::Hybrid, 0)),
        (Op::RestoreLocalGroups, |f| f.facts(0).local_members.truncate(1)),
        (Op::CleanIdentityCaches, |f| f.facts(0).cached_identities.push(old_sid(Join::Hybrid, 0))),
        (Op::VerifyEnrolment, |f| f.facts(0).mdm = None),
        (Op::SetPrimaryUser, |f| f.target().primary_users = Known::Known(std::collections::BTreeMap::new())),
        (Op::RestoreGroups, |f| list(&mut f.target().groups)[2].devices.retain(|d| *d != EntraObjectId(id(0x13, 0)))),
        (Op::EscrowBitlockerNew, |f| {
            list(&mut f.target().recovery_keys).retain(|k| k.device_id != EntraDeviceId(id(0x14, 0)))
        }),
        (Op::VerifyLaps, |f| list(&mut f.target().laps).clear()),
        (Op::RetireOldIntune, |f| {
            let mut old = list(&mut f.origin().managed_devices)[0].clone();
            (old.id, old.device_id) = (IntuneId(id(6, 0)), Some(EntraDeviceId(id(4, 0))));
            list(&mut f.origin().managed_devices).push(old);
        }),
        (Op::RetireOldObject, |f| match &mut f.snapshot.directory {
            Known::Known(directory) => directory.computers[0].enabled = true,
            _ => unreachable!("the fixture has a directory"),
        }),
    ];
    for (op, spoil) in cases {
        let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
        fleet.migrate(0);
        spoil(&mut fleet);
        let device = device(&fleet, 0);
        assert_eq!(device.standing, Standing::Resume, "{op}");
        assert!(doing(&device).has(*op), "{op}: {:?}", device.changes);
        assert!(!doing(&device).has(Op::UnjoinDomain), "{op}");
    }
}

/// Catches a blocker that isn't raised, or goes by another code than documented.
#[test]
fn each_exception_has_its_code() {
    type Spoil = fn(&mut Fleet);
    let cases: &[(&str, Spoil)] = &[
        ("user.not-found", |f| f.user(0).on_premises_sid = None),
        ("user.ambiguous", |f| f.user(1).on_premises_sid = Some(old_sid(Join::Hybrid, 0))),
        ("user.disabled", |f| f.user(0).enabled = false),
        ("user.privileged", |f| f.user(0).privileged = true),
        ("user.unlicensed", |f| f.user(0).intune = false),
        ("user.unlicensed", |f| f.user(0).premium = false),
        ("user.sid-unknown", |f| f.user(0).sid = None),
        ("user.sid-mismatch", |f| f.user(0).sid = Some(old_sid(Join::Hybrid, 7))),
        ("profile.none", |f| f.facts(0).profiles.clear()),
        ("profile.temporary", |f| f.facts(0).profiles[0].health = ProfileHealth::Temporary),
        ("profile.corrupt", |f| f.facts(0).profiles[0].health = ProfileHealth::Corrupt),
        ("profile.roaming", |f| f.facts(0).profiles[0].health = ProfileHealth::Roaming),
        ("profile.mandatory", |f| f.facts(0).profiles[0].health = ProfileHealth::Mandatory),
        ("profile.container", |f| f.facts(0).profiles[0].health = ProfileHealth::Container),
        ("profile.several", |f| {
            let mut other = f.facts(0).profiles[0].clone();
            other.sid = old_sid(Join::Hybrid, 9);
            f.facts(0).profiles.push(other);
        }),
        ("profile.target-exists", |f| {
            let mut other = f.facts(0).profiles[0].clone();
            (other.sid, other.path) = (f.user(0).sid.clone().expect("a SID"), "C:\\Users\\other".to_owned());
            other.last_used = None;
            f.facts(0).profiles.push(other);
            row(f, 0).user = Some(old_sid(Join::Hybrid, 0).to_string());
        }),
        ("device.not-observed", |f| {
            f.snapshot.evidence.remove(&name(0));
            list(&mut f.origin().devices).remove(0);
            list(&mut f.origin().managed_devices).remove(0);
            f.snapshot.directory = Known::Absent;
            f.plan.waves[0].devices = named("PC-00[01]");
            f.plan.waves[1].devices = named("PC-00[2-9]");
        }),
        ("device.no-evidence", |f| {
            f.snapshot.evidence.insert(name(0), Known::Unknown("offline".to_owned()));
        }),
        ("device.join-unsupported", |f| {
            let facts = f.facts(0);
            (facts.entra, facts.domain) = (None, None);
        }),
        ("device.join-unsupported", |f| f.facts(0).entra = None),
        ("device.wrong-tenant", |f| f.facts(0).entra.as_mut().expect("joined").tenant = TenantId(id(1, 9))),
        ("device.wrong-domain", |f| f.facts(0).domain.as_mut().expect("joined").domain = "other.com".to_owned()),
        ("device.home-edition", |f| f.facts(0).identity.edition = "CoreSingleLanguage".to_owned()),
        ("device.third-party-mdm", |f| f.facts(0).mdm.as_mut().expect("enrolled").provider = "Acme".to_owned()),
        ("device.serial-mismatch", |f| f.facts(0).identity.serial = "SN-77".to_owned()),
        ("device.bitlocker-converting", |f| f.facts(0).bitlocker.converting = true),
        ("device.entra-object-missing", |f| {
            list(&mut f.origin().devices).remove(0);
            f.plan.waves[0].devices = named("PC-00[01]");
            f.plan.waves[1].devices = named("PC-00[2-9]");
        }),
        ("device.domain-controller", |f| match &mut f.snapshot.directory {
            Known::Known(directory) => directory.computers[0].domain_controller = true,
            _ => unreachable!("the fixture has a directory"),
        }),
        ("device.several-waves", |f| f.plan.waves[1].devices = Selector::Everything),
        ("device.wave-unknown", |f| f.origin().groups = Known::Unknown("403".to_owned())),
        ("device.exclusion-unknown", |f| f.plan.exclusions.push(exclusion(group("No such group")))),
        ("device.recovery-required", |f| {
            f.migrate(0);
            f.facts(0).profiles[0].acl_owner = old_sid(Join::Hybrid, 0);
            f.record(0).outcome = Some(Outcome::RecoveryRequired(Problem::new("x", "the profile can't be read")));
        }),
        // Its registration was made from a computer that has another name now, and another computer has its own.
        ("device.ambiguous", |f| match &mut f.snapshot.directory {
            Known::Known(directory) => {
                let mut other = directory.computers[0].clone();
                other.guid = id(0x99, 0);
                directory.computers[0].name = "PC-RENAMED".to_owned();
                directory.computers.push(other);
            }
            _ => unreachable!("the fixture has a directory"),
        }),
        ("device.ambiguous", |f| {
            f.facts(0).mdm.as_mut().expect("enrolled").device = None;
            for twin in 1..3 {
                let mut other = list(&mut f.origin().managed_devices)[0].clone();
                (other.id, other.device_id) = (IntuneId(id(0x66, twin)), None);
                list(&mut f.origin().managed_devices).push(other);
            }
            list(&mut f.origin().managed_devices).remove(0);
        }),
    ];
    for (code, spoil) in cases {
        let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 3);
        spoil(&mut fleet);
        let device = device(&fleet, 0);
        assert!(codes(&device).contains(code), "{code}: {:?}", device.standing);
        assert!(doing(&device).is_empty() && device.task.is_none(), "{code}");
    }
}

fn row(fleet: &mut Fleet, n: usize) -> &mut crate::plan::DeviceRow {
    match &mut fleet.plan.devices {
        DeviceSource::Inventory(rows) => &mut rows[n],
        DeviceSource::Selector(_) => panic!("the fixture has an inventory"),
    }
}

/// Catches a mapping by name alone, or one that falls back to a namesake when the file has no line.
#[test]
fn tenant_to_tenant_needs_a_line_in_the_mapping_file() {
    let mut fleet = Fleet::new(Scenario::TenantToTenant, Join::Entra, 2);
    match &mut fleet.plan.users {
        crate::plan::UserMatch::Mapping(map) => drop(map.remove("user0@contoso.com")),
        crate::plan::UserMatch::OnPremisesSid => unreachable!("the fixture maps"),
    }
    assert_eq!(codes(&device(&fleet, 0)), ["user.unmapped"]);
    assert_eq!(device(&fleet, 1).task.expect("a task").upn, "user1@fabrikam.com");
}

/// Catches stale twins that stop a device although its own ids say which record is its own.
#[test]
fn stale_duplicates_do_not_block_when_ids_decide() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 2);
    let mut twin = list(&mut fleet.origin().managed_devices)[0].clone();
    (twin.id, twin.device_id) = (IntuneId(id(0x66, 0)), None);
    list(&mut fleet.origin().managed_devices).insert(0, twin);
    let stale = EntraDevice {
        id: EntraObjectId(id(0x33, 0)),
        device_id: EntraDeviceId(id(0x34, 0)),
        name: "pc-000".to_owned(),
        trust: TrustType::Hybrid,
        enabled: true,
        owner: None,
    };
    list(&mut fleet.origin().devices).insert(0, stale);
    let device = device(&fleet, 0);
    assert_eq!(device.standing, Standing::Migrate);
    assert_eq!(device.task.expect("a task").old_device, Some(EntraDeviceId(id(4, 0))));
}

/// Catches unknown taken for absent: whatever part can't be read, nothing that needs it runs.
#[test]
fn unknown_never_leads_to_a_change() {
    let lost = || "403 Forbidden".to_owned();
    for (scenario, join) in KINDS {
        let parts = ["users", "devices", "managed", "directory", "evidence", "keys"];
        for part in parts {
            let mut fleet = Fleet::new(scenario, join, 3);
            for side in [0, 1] {
                let tenant = if side == 0 { fleet.origin() } else { fleet.target() };
                match part {
                    "users" => tenant.users = Known::Unknown(lost()),
                    "devices" => tenant.devices = Known::Unknown(lost()),
                    "managed" => tenant.managed_devices = Known::Unknown(lost()),
                    "keys" => tenant.recovery_keys = Known::Unknown(lost()),
                    _ => {}
                }
            }
            match part {
                "directory" => fleet.snapshot.directory = Known::Unknown(lost()),
                "evidence" => {
                    fleet.snapshot.evidence.values_mut().for_each(|evidence| *evidence = Known::Unknown(lost()));
                }
                _ => {}
            }
            let free = (part == "keys" && join == Join::Ad) || (part == "directory" && join == Join::Entra);
            for device in changes(&fleet).devices {
                let blocked = matches!(device.standing, Standing::Blocked(_));
                assert!(
                    free || (blocked && doing(&device).is_empty()),
                    "{scenario:?} {join:?} {part}: {:?}",
                    device.standing
                );
            }
        }
    }
}

/// Catches a half-read world after the move: an unread list must neither finish nor repeat an operation.
#[test]
fn unknown_after_the_move_leaves_done_devices_done_and_open_ones_alone() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 2);
    fleet.migrate(0);
    fleet.migrate(1);
    fleet.record(1).outcome = None;
    fleet.target().laps = Known::Unknown("timeout".to_owned());
    assert_eq!(device(&fleet, 0).standing, Standing::Done);
    assert_eq!(codes(&device(&fleet, 1)), ["observation.laps"]);
}

/// Catches a device that somebody moved by hand and that is migrated once more, or cleaned of what isn't proven its own.
#[test]
fn a_device_moved_by_hand_is_done() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 2);
    fleet.migrate(0);
    fleet.snapshot.ledger.clear();
    match &mut fleet.snapshot.directory {
        Known::Known(directory) => directory.computers[0].enabled = true,
        _ => unreachable!("the fixture has a directory"),
    }
    let device = device(&fleet, 0);
    assert_eq!(device.standing, Standing::Done);
    assert!(doing(&device).is_empty());
}

/// Catches a device between unjoin and leave that is taken for Entra joined, since only one half is left.
#[test]
fn a_device_that_lost_only_its_domain_is_half_way() {
    for recorded in [true, false] {
        let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
        fleet.stage(0);
        fleet.facts(0).domain = None;
        if recorded {
            let facts = fleet.facts(0).clone();
            fleet.migrate(0);
            *fleet.facts(0) = facts;
            fleet.record(0).outcome = None;
            fleet.record(0).new_device = None;
        }
        let device = device(&fleet, 0);
        assert_eq!(device.standing, Standing::Resume);
        let ops = doing(&device);
        assert!(ops.has(Op::LeaveEntra) && !ops.has(Op::UnjoinDomain) && !ops.has(Op::Preflight), "{ops:?}");
    }
}

/// Catches an exclusion that isn't honoured, or honoured without saying who, why and until when.
#[test]
fn exclusions_say_who_why_and_until_when() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 3);
    fleet.plan.exclusions.push(exclusion(named("pc-001")));
    let device = device(&fleet, 1);
    let Standing::Excluded { exclusion, owner, until, .. } = &device.standing else { panic!("{:?}", device.standing) };
    assert_eq!(
        (exclusion.as_str(), owner.as_str(), *until),
        ("vip-laptops", "lead@contoso.com", at("2027-02-01T00:00:00Z"))
    );
    assert!(device.changes.iter().all(|change| (change.action, change.reason) == (Action::Skip, Reason::Excluded)));
}

/// Catches `keep` that still touches the computer, and the Entra half of a hybrid device that goes alone.
#[test]
fn kept_computers_are_kept() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
    fleet.plan.directory.as_mut().expect("a directory").retire = RetirePolicy::Keep;
    let device = device(&fleet, 0);
    let change = device.changes.iter().find(|change| change.op == Op::RetireOldObject).expect("answered");
    assert_eq!((change.action, change.reason), (Action::Skip, Reason::Kept));
}

/// Catches a later wave that starts before its gate: needs, sign-off and soak all have to hold.
#[test]
fn gates_hold_back_fresh_devices() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 4);
    fleet.plan.waves[1].needs.push(spanned("pilot".into(), 300));
    let gate = |sign_off: &[_], soak| GateSpec { criteria: None, sign_off: sign_off.to_vec(), soak };
    fleet.plan.waves[1].gate =
        Some(gate(&[crate::model::OwnerRole::ProjectLead], Some(jiff::SignedDuration::from_hours(24))));
    let closed = |fleet: &Fleet| {
        let device = device(fleet, 3);
        assert!(matches!(device.standing, Standing::Migrate));
        doing(&device).is_empty() && device.changes.iter().any(|change| change.reason == Reason::GateClosed)
    };
    assert!(closed(&fleet), "the pilot isn't done");
    fleet.migrate(0);
    fleet.migrate(1);
    assert!(closed(&fleet), "it soaks and nobody signed off");
    fleet.plan.as_of = at("2026-12-04T00:00:00Z");
    assert!(closed(&fleet), "nobody signed off");
    fleet.plan.attestations.push(Attestation {
        check: "gate.broad".to_owned(),
        by: "lead".to_owned(),
        on: jiff::civil::date(2026, 12, 3),
        until: None,
        evidence: None,
    });
    assert!(!closed(&fleet));
    // What has begun is finished even where the gate closes again.
    fleet.migrate(3);
    fleet.facts(3).mdm = None;
    fleet.plan.attestations.clear();
    assert!(!doing(&device(&fleet, 3)).is_empty());
}

/// Catches groups of the source tenant that are looked for by id in the target, or dropped where the target shows none.
#[test]
fn groups_of_another_tenant_go_by_name() {
    let mut fleet = Fleet::new(Scenario::TenantToTenant, Join::Entra, 1);
    assert!(doing(&device(&fleet, 0)).has(Op::RestoreGroups));
    fleet.migrate(0);
    fleet.record(0).groups = vec![GroupId(id(5, 3))];
    assert_eq!(device(&fleet, 0).standing, Standing::Done, "the record says complete, the target shows no such group");
    fleet.record(0).outcome = Some(Outcome::PendingVerification(Problem::new("x", "groups aren't there yet")));
    assert!(doing(&device(&fleet, 0)).has(Op::RestoreGroups));
    let mut own = list(&mut fleet.origin().groups)[2].clone();
    (own.id, own.devices) = (GroupId(id(0x15, 3)), Vec::new());
    list(&mut fleet.target().groups).push(own);
    assert!(doing(&device(&fleet, 0)).has(Op::RestoreGroups));
    list(&mut fleet.target().groups)[0].devices.push(EntraObjectId(id(0x13, 0)));
    assert_eq!(device(&fleet, 0).standing, Standing::Done);
}

/// Catches a gate that opens on a wave without a device: nothing was proven there.
#[test]
fn an_empty_wave_proves_nothing() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 3);
    fleet.plan.waves[1].needs.push(spanned("pilot".into(), 300));
    fleet.plan.waves[0].devices = named("nothing*");
    fleet.plan.waves[1].devices = Selector::Everything;
    let changes = changes(&fleet);
    assert!(!changes.has_changes());
    assert_eq!(changes.waves[1].changes[0].reason, Reason::GateClosed);
}

/// Catches a closed window that lets devices start, or doesn't say when it opens.
#[test]
fn closed_windows_hold_back_and_say_when_they_open() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 3);
    fleet.plan.waves[0].window = Some(Window {
        from: at("2026-12-03T18:00:00Z"),
        to: at("2026-12-12T06:00:00Z"),
        zone: "Europe/London".to_owned(),
        hours: None,
        days: Vec::new(),
    });
    let changes = changes(&fleet);
    assert_eq!(changes.waves[0].next_window, Some(at("2026-12-03T18:00:00Z")));
    assert!(changes.devices[0].changes.iter().any(|c| (c.action, c.reason) == (Action::Wait, Reason::WindowClosed)));
    assert!(!doing(&changes.devices[2]).is_empty());
}

/// Catches findings that are swallowed: overlap, missing group, wrong size, empty wave.
#[test]
fn selection_mistakes_are_reported_at_their_place() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 3);
    fleet.plan.waves[1].devices = Selector::Everything;
    fleet.plan.waves[0].size = (Some(10), None);
    fleet.plan.waves.push(crate::dag::fixture::wave("typo", 400, group("MIG-Pilto")));
    fleet.plan.waves.push(crate::dag::fixture::wave("empty", 450, named("nothing*")));
    let findings = changes(&fleet).findings.0;
    for code in [Code::WAVES_OVERLAP, Code::WAVE_SIZE, Code::GROUP_NOT_FOUND, Code::NOTHING_SELECTED] {
        let finding = findings.iter().find(|finding| finding.code == code).unwrap_or_else(|| panic!("{code:?}"));
        assert!(!finding.labels.is_empty() && finding.help.is_some(), "{code:?}");
    }
    let group = findings.iter().find(|finding| finding.code == Code::GROUP_NOT_FOUND).expect("reported");
    assert_eq!(group.help.as_deref(), Some("did you mean `MIG-Pilot`?"));
}

/// Catches namesakes among groups: the wrong one would decide who is moved.
#[test]
fn two_groups_of_one_name_decide_nothing() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 3);
    let twin = Group { id: GroupId(id(5, 77)), ..list(&mut fleet.origin().groups)[0].clone() };
    list(&mut fleet.origin().groups).push(twin);
    let changes = changes(&fleet);
    assert!(changes.findings.0.iter().any(|finding| finding.code == Code::GROUP_AMBIGUOUS));
    assert!(!changes.has_changes());
}

/// Catches a begun device that is forgotten when its group or computer is gone.
#[test]
fn begun_devices_stay_in_their_wave() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 3);
    fleet.migrate(0);
    fleet.facts(0).mdm = None;
    list(&mut fleet.origin().groups)[0].devices.clear();
    fleet.plan.waves[1].devices = named("PC-00[12]");
    let pinned = device(&fleet, 0);
    assert_eq!((pinned.wave, &pinned.standing), (Some(0), &Standing::Resume));
    fleet.record(0).wave = None;
    assert_eq!(codes(&device(&fleet, 0)), ["device.wave-lost"]);
}

/// Catches a missing permission that is only found while the run is under way.
#[test]
fn missing_permissions_are_named_before_the_run() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
    use crate::model::Permission as P;
    fleet.origin().granted =
        Known::Known(vec![P::DirectoryReadAll, P::ManagedDevicesReadWriteAll, P::BitlockerKeyReadBasicAll]);
    let findings = changes(&fleet).findings.0;
    let missing: Vec<&str> =
        findings.iter().filter(|f| f.code == Code::PERMISSION_MISSING).map(|f| f.message.as_str()).collect();
    assert_eq!(missing.len(), 7, "{missing:#?}");
    assert!(missing.iter().any(|message| message.contains("GroupMember.ReadWrite.All")));
    // What planning reads is missed too: every device rests on it.
    assert!(missing.iter().any(|message| message.contains("Policy.Read.DeviceConfiguration, which reading")));
    assert_eq!(codes(&device(&fleet, 0)), ["permission.missing"; 6]);
    // The package is revoked only at the very end: no reason to stop the pilot.
    let revoke = findings.iter().find(|f| f.message.contains("User.DeleteRestore.All")).expect("named");
    assert_eq!(revoke.severity, crate::diag::Severity::Warning);
}

/// Catches a run of one wave that also moves the others.
#[test]
fn one_wave_leaves_the_others_alone() {
    let fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 4);
    let all = changes(&fleet);
    let pilot = select(&all, &"pilot".into()).expect("a wave");
    assert!(!doing(&pilot.devices[0]).is_empty());
    assert!(doing(&pilot.devices[3]).is_empty());
    assert!(pilot.devices[3].changes.iter().any(|change| change.reason == Reason::OtherWave));
    assert!(select(&all, &"nowhere".into()).is_none());
}

/// Catches an edge that the order doesn't respect, and a slice that loses or adds operations.
#[test]
fn order_respects_edges_and_slices_are_whole() {
    for (scenario, join) in KINDS {
        let mut fleet = Fleet::new(scenario, join, 5);
        fleet.plan.waves[1].needs.push(spanned("pilot".into(), 300));
        let decision = decide(&fleet.plan, &fleet.snapshot).expect("no cycle");
        let place: std::collections::HashMap<_, _> = decision.graph.ordered().zip(0..).collect();
        let graph = decision.graph.graph();
        for edge in graph.edge_indices() {
            let (from, to) = graph.edge_endpoints(edge).expect("an edge has ends");
            assert!(place[&graph[from]] < place[&graph[to]], "{:?} before {:?}", graph[from], graph[to]);
        }
        let tenant = decision.graph.ordered().filter(|node| spec(node.op).scope == Scope::Tenant).count();
        let sliced = decision.graph.of_wave(0).count() + decision.graph.of_wave(1).count();
        assert_eq!(sliced + tenant, decision.graph.len());
        let devices: usize = (0..5).map(|n| decision.graph.of_device(n).count()).sum();
        let waves = 2 * fleet.plan.waves.len();
        assert_eq!(devices + waves, sliced);
        let first = decision.graph.ordered().position(|node| node.op == Op::WaveOpen && node.subject == 1);
        let last = decision.graph.ordered().collect::<Vec<_>>();
        let last = last.iter().rposition(|node| {
            node.op == Op::CleanUp && decision.assignment.devices[node.subject as usize].wave == Some(0)
        });
        assert!(last < first, "the second wave opens after the first is finished");
    }
}

/// Catches waves in a ring that hang instead of being named.
#[test]
fn rings_of_waves_are_named() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 3);
    fleet.plan.waves[1].needs.push(spanned("pilot".into(), 300));
    fleet.plan.waves[0].needs.push(spanned("broad".into(), 310));
    let cycle = decide(&fleet.plan, &fleet.snapshot).expect_err("a ring");
    assert_eq!(cycle.to_string(), "waves wait for each other: pilot, broad");
}

fn shuffle(fleet: &mut Fleet, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    for tenant in fleet.snapshot.tenants.values_mut() {
        random.shuffle(list(&mut tenant.users));
        random.shuffle(list(&mut tenant.devices));
        random.shuffle(list(&mut tenant.managed_devices));
        random.shuffle(list(&mut tenant.groups));
        list(&mut tenant.groups).iter_mut().for_each(|group| random.shuffle(&mut group.devices));
        random.shuffle(list(&mut tenant.recovery_keys));
        random.shuffle(list(&mut tenant.laps));
        random.shuffle(list(&mut tenant.autopilot));
    }
    if let Known::Known(directory) = &mut fleet.snapshot.directory {
        random.shuffle(&mut directory.computers);
    }
    match &mut fleet.plan.devices {
        DeviceSource::Inventory(rows) => random.shuffle(rows),
        DeviceSource::Selector(_) => {}
    }
}

/// Builds a fleet with something of everything in it.
fn mixed(scenario: Scenario, join: Join) -> Fleet {
    let mut fleet = Fleet::new(scenario, join, 8);
    fleet.migrate(0);
    fleet.migrate(3);
    fleet.facts(3).mdm = None;
    fleet.user(4).enabled = false;
    fleet.plan.exclusions.push(exclusion(named("PC-005")));
    let twin = |n| ManagedDevice {
        id: IntuneId(id(0x66, n)),
        device_id: None,
        name: name(6).to_string(),
        serial: "SN-6".to_owned(),
        last_sync: None,
        enrolled: None,
    };
    let twins = [twin(1), twin(2), twin(3)];
    list(&mut fleet.origin().managed_devices).extend(twins);
    fleet.snapshot.evidence.remove(&name(6));
    fleet
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Catches results that depend on the order in which pages came, or on hashing.
    #[test]
    fn the_order_of_lists_does_not_matter(seed in any::<u64>(), kind in 0..KINDS.len()) {
        let fleet = mixed(KINDS[kind].0, KINDS[kind].1);
        let mut other = fleet.clone();
        shuffle(&mut other, seed);
        prop_assert_eq!(changes(&fleet), changes(&other));
    }

    /// Catches a resumed chain with a hole: whatever an earlier run got done, what is left has to be closed upwards.
    #[test]
    fn what_is_left_is_a_suffix(broken in 0_u32..512) {
        let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
        fleet.migrate(0);
        fleet.record(0).outcome = None;
        let bit = |n: u32| broken & 1 << n != 0;
        if bit(0) { fleet.facts(0).profiles[0].acl_owner = old_sid(Join::Hybrid, 0); }
        if bit(1) { fleet.facts(0).local_members.truncate(1); }
        if bit(2) { fleet.facts(0).cached_identities.push(old_sid(Join::Hybrid, 0)); }
        if bit(3) { fleet.facts(0).sign_in = None; }
        if bit(4) { fleet.facts(0).mdm = None; }
        if bit(5) { list(&mut fleet.target().laps).clear(); }
        if bit(6) { list(&mut fleet.target().recovery_keys).clear(); }
        if bit(7) { fleet.facts(0).staging.banner = true; }
        if bit(8) { fleet.stage(0); }
        let decision = decide(&fleet.plan, &fleet.snapshot).expect("no cycle");
        let device = &decision.changes.devices[0];
        let left = doing(device);
        prop_assert_eq!(left.is_empty(), matches!(device.standing, Standing::Done), "{:?}", device);
        let chain = decision.graph.chain(0).expect("a chain");
        for (op, before) in &chain.steps {
            if before.iter().any(|before| left.has(before)) {
                prop_assert!(left.has(*op), "{} waits for something that is left", op);
            }
        }
        prop_assert!(!left.has(Op::UnjoinDomain) && !left.has(Op::Preflight));
    }

    /// Catches selectors that break the laws of logic, also where a group can't be read.
    #[test]
    fn selectors_obey_logic(n in 0_usize..6, readable in any::<bool>(), left in 0_usize..4, right in 0_usize..4) {
        let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 6);
        if !readable {
            fleet.origin().groups = Known::Unknown("403".to_owned());
        }
        let one = |at| match at {
            0 => group("MIG-Pilot"),
            1 => named("pc-00[0-3]"),
            2 => Selector::Site(spanned("london".to_owned(), 1)),
            _ => Selector::Ou(spanned("ou=pcs,dc=corp,dc=contoso,dc=com".to_owned(), 1)),
        };
        let not = |selector| Selector::Not(Box::new(selector));
        let standing = |selector: Selector| {
            let mut fleet = fleet.clone();
            fleet.plan.waves.truncate(1);
            fleet.plan.waves[0].devices = selector;
            let device = device(&fleet, n);
            (device.wave, matches!(device.standing, Standing::Blocked(_)))
        };
        let (a, b) = (one(left), one(right));
        let both = not(Selector::All(vec![a.clone(), b.clone()]));
        let either = Selector::Any(vec![not(a.clone()), not(b)]);
        prop_assert_eq!(standing(both), standing(either), "De Morgan");
        prop_assert_eq!(standing(not(not(a.clone()))), standing(a), "not not");
    }
}

/// Catches a moment taken from the machine's clock.
#[test]
fn the_decision_is_for_the_plans_moment() {
    let fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
    assert_eq!(changes(&fleet).as_of, at(AS_OF));
}

/// Catches groups that a device silently loses because the plan names none of them, so that nobody read them.
#[test]
fn groups_that_were_not_read_are_restored() {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
    fleet.plan.waves[0].devices = Selector::Everything;
    fleet.plan.waves[1].devices = Selector::Not(Box::new(Selector::Everything));
    list(&mut fleet.origin().groups).clear();
    assert!(doing(&device(&fleet, 0)).has(Op::RestoreGroups));
}
