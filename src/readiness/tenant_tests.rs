//! Each outcome that checks of tenants, directory and people can have, over the fixture's fleet.

use jiff::civil::date;

use crate::dag::fixture::{self, Fleet, Join, at, exclusion, id, list, named, spanned};
use crate::dag::{Index, assign, compile, views};
use crate::model::{Check, DeviceName, Known, RetirePolicy, Scenario, UserId};
use crate::plan::{DirectoryAccount, SecretRef, Selector, Window};
use crate::readiness::{Finding, OutcomeKind, Readiness, assess};
use crate::state::{CrossTenantAccess, JoinScope, StatusPage, TrustType};

fn readiness(fleet: &Fleet) -> Readiness {
    let index = Index::new(&fleet.plan, &fleet.snapshot);
    let assignment = assign(&index);
    let views = views(&index, &assignment);
    let graph = compile(&index, &assignment, &views).expect("no cycle");
    assess(&index, &assignment, &views, &graph)
}
fn of(fleet: &Fleet, check: Check) -> Vec<Finding> {
    readiness(fleet).findings.into_iter().filter(|finding| finding.check == check).collect()
}
fn one(fleet: &Fleet, check: Check) -> Finding {
    let all = of(fleet, check);
    assert!(!all.is_empty(), "{check} isn't judged");
    let loud = all.iter().find(|finding| finding.outcome.kind() != OutcomeKind::Pass);
    loud.unwrap_or(&all[0]).clone()
}

fn fleet() -> Fleet {
    Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 4)
}
/// The fixture's package account.
const ACCOUNT: UserId = UserId(uuid::Uuid::from_u128((fixture::PACKAGE as u128) << 96));

macro_rules! known {
    ($known:expr) => {
        match &mut $known {
            Known::Known(value) => value,
            other => panic!("the fixture knows it: {other:?}"),
        }
    };
}

type Break = (Check, OutcomeKind, &'static str, fn(&mut Fleet));

/// What is broken, which check says so and how, and what it says. Without it the check passes.
const BREAKS: &[Break] = &[
    (Check::EntMdmAuthority, OutcomeKind::Fail, "`sccm`", |f| {
        known!(f.origin().organization).mdm_authority = Known::Known("sccm".to_owned());
    }),
    (Check::EntMdmAuthority, OutcomeKind::Unknown, "403", |f| {
        f.origin().organization = Known::Unknown("403".to_owned())
    }),
    (Check::EntJoinAllowed, OutcomeKind::Fail, "nobody", |f| {
        known!(f.origin().registration_policy).join = JoinScope::None
    }),
    (Check::EntJoinAllowed, OutcomeKind::Fail, "`package_1@contoso.com` may not", |f| {
        let groups = vec![crate::model::GroupId(id(5, 3))];
        known!(f.origin().registration_policy).join = JoinScope::Some { users: Vec::new(), groups };
    }),
    (Check::EntJoinAllowed, OutcomeKind::Unknown, "couldn't be read", |f| {
        let groups = vec![crate::model::GroupId(id(5, 3))];
        known!(f.origin().registration_policy).join = JoinScope::Some { users: Vec::new(), groups };
        f.origin().account_groups = Known::Unknown("403".to_owned());
    }),
    (Check::EntJoinAllowed, OutcomeKind::Unknown, "403", |f| {
        f.origin().registration_policy = Known::Unknown("403".to_owned());
    }),
    (Check::EntJoinMfa, OutcomeKind::Fail, "asks for MFA", |f| {
        known!(f.origin().registration_policy).mfa_required = true;
    }),
    (Check::EntJoinMfa, OutcomeKind::Unknown, "wasn't found", |f| f.origin().registration_policy = Known::Absent),
    (Check::EntDeviceQuota, OutcomeKind::Fail, "has 0 and 4 are to come", |f| {
        known!(f.origin().registration_policy).user_device_quota = 3;
    }),
    (Check::EntDeviceQuota, OutcomeKind::Fail, "has 1 and 4 are to come", |f| {
        known!(f.origin().registration_policy).user_device_quota = 4;
        own(f, 1, ACCOUNT, TrustType::Joined);
    }),
    (Check::EntDeviceQuota, OutcomeKind::Warn, "`user0@contoso.com`", |f| {
        known!(f.origin().registration_policy).user_device_quota = 4;
        let owner = f.user(0).id;
        own(f, 4, owner, TrustType::Registered);
    }),
    (Check::EntDeviceQuota, OutcomeKind::Unknown, "403", |f| f.origin().devices = Known::Unknown("403".to_owned())),
    (Check::EntEnrolmentRestrictions, OutcomeKind::Fail, "blocks Windows", |f| {
        known!(f.origin().enrolment).windows_blocked = Some(true);
    }),
    (Check::EntEnrolmentRestrictions, OutcomeKind::Unknown, "no default", |f| {
        known!(f.origin().enrolment).windows_blocked = None;
    }),
    (Check::EntEnrolmentRestrictions, OutcomeKind::Warn, "device limit is 0", |f| {
        known!(f.origin().enrolment).device_limit = Some(0);
    }),
    (Check::EntEnrolmentRestrictions, OutcomeKind::Unknown, "403", |f| {
        f.origin().enrolment = Known::Unknown("403".to_owned())
    }),
    (Check::EntEsp, OutcomeKind::Warn, "`Everybody's page`", |f| page(f, Known::Known(true), true)),
    (Check::EntEsp, OutcomeKind::Unknown, "couldn't be read", |f| page(f, Known::Unknown("v1.0".to_owned()), true)),
    (Check::EntConditionalAccess, OutcomeKind::Unknown, "403", |f| {
        f.origin().conditional_access = Known::Unknown("403".to_owned());
    }),
    (Check::EntAutoEnrolment, OutcomeKind::Unknown, "MDM user scope", |f| f.plan.attestations.clear()),
    (Check::EntMde, OutcomeKind::Unknown, "nobody has attested", |f| f.plan.attestations.clear()),
    (Check::AdDisjoinAccount, OutcomeKind::Fail, "disabled", |f| account(f).enabled = false),
    (Check::AdDisjoinAccount, OutcomeKind::Fail, "locked out", |f| account(f).locked = true),
    (Check::AdDisjoinAccount, OutcomeKind::Fail, "has run out", |f| {
        account(f).account_expires = Some(at("2026-12-01T00:00:00Z"));
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Fail, "password of", |f| {
        account(f).password_expires = Some(at("2026-12-02T18:30:00Z"));
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Warn, "its password ends on 2027-01-01", |f| {
        account(f).password_expires = Some(at("2027-01-01T00:00:00Z"));
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Fail, "disable computers in OU=PCs", |f| {
        account(f).rights[0].disable = false
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Fail, "read all properties", |f| account(f).rights.clear()),
    (Check::AdDisjoinAccount, OutcomeKind::Fail, "delete computers", |f| {
        account(f).rights[0].delete = false;
        f.plan.directory.as_mut().expect("there").retire = RetirePolicy::Delete;
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Fail, "names no account", |f| {
        known!(f.snapshot.directory).account = Known::Absent
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Fail, "`CORP\\gone` doesn't exist", |f| {
        f.plan.directory.as_mut().expect("there").account = Some(disjoin("CORP\\gone"));
        known!(f.snapshot.directory).account = Known::Absent;
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Unknown, "refused", |f| {
        known!(f.snapshot.directory).account = Known::Unknown("refused".to_owned());
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Unknown, "refused", |f| {
        f.snapshot.directory = Known::Unknown("refused".to_owned())
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Fail, "names no account", |f| {
        f.snapshot.directory = Known::Unknown("nobody signs in (directory.settings)".to_owned())
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Fail, "may not sign in at this time", |f| {
        f.plan.directory.as_mut().expect("there").account = Some(disjoin("CORP\\svc"));
        f.snapshot.directory = Known::Unknown("not now (directory.sign-in-restricted)".to_owned())
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Fail, "`CORP\\svc` is locked out", |f| {
        f.plan.directory.as_mut().expect("there").account = Some(disjoin("CORP\\svc"));
        f.snapshot.directory = Known::Unknown("it is locked out (directory.account-locked)".to_owned())
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Fail, "`CORP\\svc` isn't who signs in", |f| {
        f.plan.directory.as_mut().expect("there").account = Some(disjoin("CORP\\svc"));
        f.snapshot.directory = Known::Unknown("it is somebody else (directory.other-account)".to_owned())
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Warn, "may not write descriptions", |f| {
        account(f).rights[0].describe = false;
    }),
    (Check::AdDisjoinAccount, OutcomeKind::Warn, "lacks some on CN=PC-9", |f| {
        account(f).rights[0].exceptions.push("CN=PC-9,OU=PCs".to_owned());
    }),
    (Check::AdDisjoinAccount, OutcomeKind::NotApplicable, "are kept", |f| {
        f.plan.directory.as_mut().expect("there").retire = RetirePolicy::Keep;
    }),
    (Check::RecWorkflow, OutcomeKind::Unknown, "nobody", |f| f.plan.attestations.clear()),
    (Check::RecEscalation, OutcomeKind::Unknown, "nobody", |f| f.plan.attestations.clear()),
    (Check::PplCommunication, OutcomeKind::Unknown, "nobody", |f| f.plan.attestations.clear()),
    (Check::PplMode, OutcomeKind::Unknown, "nobody", |f| f.plan.attestations.clear()),
    (Check::PplServiceDesk, OutcomeKind::Unknown, "nobody", |f| f.plan.attestations.clear()),
    (Check::PplRollback, OutcomeKind::Unknown, "nobody", |f| f.plan.attestations.clear()),
    (Check::PplKnownBehaviours, OutcomeKind::Unknown, "ConfigMgr", |f| f.plan.attestations.clear()),
    (Check::PplChangeRecord, OutcomeKind::Warn, "`vip-laptops`", |f| f.plan.exclusions.push(exclusion(named("PC-9*")))),
];

fn disjoin(name: &str) -> DirectoryAccount {
    DirectoryAccount { name: name.to_owned(), password: Some(SecretRef::Env("PASSWORD".to_owned())) }
}
fn account(fleet: &mut Fleet) -> &mut crate::state::DisjoinAccount {
    known!(known!(fleet.snapshot.directory).account)
}
fn own(fleet: &mut Fleet, count: usize, owner: UserId, trust: TrustType) {
    for device in list(&mut fleet.origin().devices).iter_mut().take(count) {
        (device.owner, device.trust) = (Some(owner), trust);
    }
}
fn page(fleet: &mut Fleet, blocks: Known<bool>, to_all: bool) {
    let page = StatusPage { name: "Everybody's page".to_owned(), blocks, to_all, groups: Vec::new() };
    known!(fleet.origin().enrolment).status_pages.push(page);
}

/// Catches an outcome that a check can't come to, a reading that failed and passes, and a check that speaks of a sound
/// fleet.
#[test]
fn each_outcome() {
    let sound = fleet();
    let mut failed = Vec::new();
    for (check, kind, text, wreck) in BREAKS {
        let before = one(&sound, *check);
        if !matches!(before.outcome.kind(), OutcomeKind::Pass | OutcomeKind::Attested) {
            failed.push(format!("{check} speaks of a sound fleet: {} {}", before.outcome.kind().as_str(), before.seen));
        }
        let mut broken = fleet();
        wreck(&mut broken);
        let found = one(&broken, *check);
        if found.outcome.kind() != *kind || !found.seen.contains(text) {
            failed.push(format!(
                "{check}: {} `{}`, wanted {} `{text}`",
                found.outcome.kind().as_str(),
                found.seen,
                kind.as_str()
            ));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Catches a remedy that doesn't grant what is missing, or grants more.
#[test]
fn missing_rights_are_granted_line_by_line() {
    let mut fleet = fleet();
    account(&mut fleet).rights.clear();
    let remedy = one(&fleet, Check::AdDisjoinAccount).remedy;
    insta::assert_snapshot!(remedy, @r#"let a domain administrator run `dsacls "OU=PCs,DC=corp,DC=contoso,DC=com" /I:S /G "CORP\svc-disjoin:RP;;computer"`; `dsacls "OU=PCs,DC=corp,DC=contoso,DC=com" /I:S /G "CORP\svc-disjoin:WP;userAccountControl;computer"`"#);
    fleet.plan.directory.as_mut().expect("there").retire = RetirePolicy::Delete;
    account(&mut fleet).rights.push(crate::state::OuRights {
        delete: false,
        ..crate::state::OuRights::all("ou=pcs,dc=corp,dc=contoso,dc=com", true)
    });
    let remedy = one(&fleet, Check::AdDisjoinAccount).remedy;
    assert!(remedy.contains(":SD;;computer") && !remedy.contains("WP;") && !remedy.contains("RP;"), "{remedy}");
}

/// Catches an end of the account after the last wave that warns, and one before it that doesn't.
#[test]
fn ends_are_held_against_the_last_wave() {
    let mut fleet = fleet();
    let window = |to: &str| {
        Some(Window {
            from: at("2026-12-01T00:00:00Z"),
            to: at(to),
            zone: "UTC".to_owned(),
            hours: None,
            days: Vec::new(),
        })
    };
    fleet.plan.waves[0].window = window("2026-12-20T00:00:00Z");
    fleet.plan.waves[1].window = window("2027-01-20T00:00:00Z");
    account(&mut fleet).password_expires = Some(at("2027-01-21T00:00:00Z"));
    assert_eq!(one(&fleet, Check::AdDisjoinAccount).outcome.kind(), OutcomeKind::Pass);
    fleet.plan.waves[1].window = window("2027-01-22T00:00:00Z");
    let found = one(&fleet, Check::AdDisjoinAccount);
    assert!(found.outcome.kind() == OutcomeKind::Warn && found.seen.contains("before the last wave"), "{}", found.seen);
}

/// Catches applications that the pilot's wave is asked for before anything could be tried, and later waves that aren't.
#[test]
fn applications_are_tried_on_the_pilot() {
    let mut fleet = fleet();
    fleet.plan.attestations.clear();
    fleet.plan.waves[1].needs.push(spanned("pilot".into(), 300));
    let kinds: Vec<OutcomeKind> = of(&fleet, Check::AppsReadiness).iter().map(|one| one.outcome.kind()).collect();
    assert_eq!(kinds, [OutcomeKind::NotApplicable, OutcomeKind::Unknown]);
}

/// Catches an enrolment that the outcome has shown and that is asked of people all the same, and an old enrolment that is
/// taken for one after the move.
#[test]
fn the_outcome_confirms_automatic_enrolment() {
    let mut fleet = fleet();
    fleet.plan.attestations.clear();
    fleet.migrate(0);
    let found = one(&fleet, Check::EntAutoEnrolment);
    assert!(found.outcome.kind() == OutcomeKind::Pass && found.seen.contains("1 of 1"), "{}", found.seen);
    for device in list(&mut fleet.origin().managed_devices) {
        device.enrolled = Some(at("2026-01-01T00:00:00Z"));
    }
    let found = one(&fleet, Check::EntAutoEnrolment);
    assert!(found.outcome.kind() == OutcomeKind::Unknown && found.seen.contains("none of 1"), "{}", found.seen);
}

/// Catches hybrid joined, moved and excluded devices that count against a quota: the last wave of a big plan would never fit.
#[test]
fn quotas_count_what_is_to_come() {
    let mut fleet = fleet();
    known!(fleet.origin().registration_policy).user_device_quota = 2;
    own(&mut fleet, 4, ACCOUNT, TrustType::Hybrid);
    assert_eq!(one(&fleet, Check::EntDeviceQuota).outcome.kind(), OutcomeKind::Fail);
    fleet.migrate(0);
    fleet.plan.exclusions.push(exclusion(Selector::Name(spanned(DeviceName::new("PC-003").to_string(), 1))));
    let found = one(&fleet, Check::EntDeviceQuota);
    assert_eq!(found.outcome.kind(), OutcomeKind::Pass, "{}", found.seen);
}

/// Catches a partner's own settings that the default ones hide, the wrong tenant's settings, and a check of cross-tenant
/// access where there is one tenant.
#[test]
fn cross_tenant_access_of_both_sides() {
    assert_eq!(of(&fleet(), Check::EntCrossTenant), []);
    let mut fleet = Fleet::new(Scenario::TenantToTenant, Join::Entra, 2);
    let kinds = |fleet: &Fleet| -> Vec<OutcomeKind> {
        of(fleet, Check::EntCrossTenant).iter().map(|one| one.outcome.kind()).collect()
    };
    assert_eq!(kinds(&fleet), [OutcomeKind::Pass, OutcomeKind::Pass]);
    let (old, new) = (fleet.plan.tenants[0].id, fleet.plan.tenants[1].id);
    let blocked = |partner| {
        let partners = vec![(partner, false, true)];
        Known::Known(CrossTenantAccess { default_inbound_blocked: false, default_outbound_blocked: false, partners })
    };
    fleet.target().cross_tenant = blocked(old);
    assert_eq!(kinds(&fleet), [OutcomeKind::Pass, OutcomeKind::Fail]);
    assert!(!one(&fleet, Check::EntCrossTenant).blocks(), "people are told; devices move all the same");
    fleet.target().cross_tenant = blocked(new);
    assert_eq!(kinds(&fleet), [OutcomeKind::Pass, OutcomeKind::Pass]);
    fleet.origin().cross_tenant = Known::Unknown("403".to_owned());
    assert_eq!(kinds(&fleet), [OutcomeKind::Unknown, OutcomeKind::Pass]);
    // Devices neither join nor enrol in the tenant that they leave.
    let joins = of(&fleet, Check::EntJoinAllowed);
    assert_eq!(joins.len(), 1, "{joins:#?}");
}

/// Catches an attestation that is over and counts, or one that isn't and doesn't.
#[test]
fn attestations_end() {
    let mut fleet = fleet();
    let own = fleet.plan.attestations.iter_mut().find(|one| one.check == "ppl.mode").expect("attested");
    own.until = Some(date(2026, 12, 2));
    assert_eq!(one(&fleet, Check::PplMode).outcome.kind(), OutcomeKind::Attested);
    fleet.plan.attestations.iter_mut().for_each(|one| one.until = Some(date(2026, 12, 1)));
    let found = one(&fleet, Check::PplMode);
    assert!(found.outcome.kind() == OutcomeKind::Unknown && found.blocks());
}
