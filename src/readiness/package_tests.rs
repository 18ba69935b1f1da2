//! Each outcome of each check of a package, by changing one thing of a fleet that is sound.

use jiff::civil::date;

use super::package::checks;
use super::{EndsBy, Judged, Measured, package_life};
use crate::dag::Index;
use crate::dag::fixture::{Fleet, Join, at, list};
use crate::model::{Check, Digest, Known, Scenario, TenantId};
use crate::plan::{PackageSpec, Window};
use crate::state::{LocalUser, PackageFacts};

fn fleet() -> Fleet {
    Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 3)
}
fn facts(fleet: &mut Fleet) -> &mut PackageFacts {
    match fleet.snapshot.packages.get_mut(&"bulk".into()) {
        Some(Known::Known(facts)) => facts,
        other => panic!("no facts: {other:?}"),
    }
}
fn all(fleet: &Fleet) -> Vec<(Check, Judged)> {
    let index = Index::new(&fleet.plan, &fleet.snapshot);
    let mut found = Vec::new();
    checks(&index, &fleet.plan.packages[0], false, &mut |check, judged| found.push((check, judged)));
    found
}
/// What is said of one check where one thing is changed; every other check has to stay as it was.
fn said(check: Check, change: impl FnOnce(&mut Fleet)) -> Judged {
    let mut fleet = fleet();
    let before = all(&fleet);
    change(&mut fleet);
    let after = all(&fleet);
    let mut own = None;
    for ((one, before), (_, after)) in before.into_iter().zip(after) {
        if one == check {
            own = Some(after);
        } else {
            assert_eq!(before, after, "{one} isn't about this");
        }
    }
    own.expect("the check")
}
fn fails(check: Check, words: &str, change: impl FnOnce(&mut Fleet)) {
    let judged = said(check, change);
    assert_eq!(judged.measured, Measured::Fail, "{judged:?}");
    assert!(judged.seen.contains(words), "{judged:?}");
}

/// Catches a sound package that is refused: nobody could begin.
#[test]
fn a_sound_one_passes() {
    for (check, judged) in all(&fleet()) {
        assert_eq!(judged.measured, Measured::Pass, "{check}: {judged:?}");
    }
}

/// Catches a package that isn't one, joins nothing, or does more than join, and passes; and an encrypted one that is
/// taken for any of these.
#[test]
fn format_outcomes() {
    let check = Check::PkgFormat;
    fails(check, "byte 12", |fleet| facts(fleet).broken = Some("its version isn't 1.13 (byte 12)".to_owned()));
    fails(check, "no bulk token", |fleet| facts(fleet).bulk_token = false);
    fails(check, "`PC-%SERIAL%`", |fleet| facts(fleet).computer_name = Some("PC-%SERIAL%".to_owned()));
    let user = |clear_password| LocalUser { name: "helper".to_owned(), group: None, clear_password };
    fails(check, "`helper`", |fleet| facts(fleet).local_users.push(user(true)));
    let warned = said(check, |fleet| {
        let own = facts(fleet);
        own.local_users.push(user(false));
        own.other_settings = (0..7).map(|n| format!("Common/Setting{n}")).collect();
    });
    assert_eq!(warned.measured, Measured::Warn);
    assert!(warned.seen.contains("`helper`") && warned.seen.contains("`Common/Setting3` and 3 more"), "{warned:?}");
    let encrypted = said(check, |fleet| {
        *facts(fleet) = PackageFacts { opaque: Some("its container is encrypted".to_owned()), ..facts(fleet).clone() };
        facts(fleet).bulk_token = false;
    });
    assert_eq!(encrypted.measured, Measured::Unknown);
}

/// Catches a package that nobody could look into, and that passes for that.
#[test]
fn what_was_not_seen_is_unknown() {
    for known in [None, Some(Known::Absent), Some(Known::Unknown("permission denied".to_owned()))] {
        let mut fleet = fleet();
        fleet.snapshot.packages.clear();
        fleet.snapshot.packages.extend(known.map(|known| ("bulk".into(), known)));
        for (check, judged) in all(&fleet) {
            let unseen = matches!(check, Check::PkgFormat | Check::PkgHandling);
            assert_eq!(judged.measured, if unseen { Measured::Unknown } else { Measured::Pass }, "{check}");
        }
    }
}

/// Catches the common silent failure: a package of the source tenant, of a deleted or disabled account, or swapped.
#[test]
fn tenant_outcomes() {
    let check = Check::PkgTenant;
    fails(check, "devices join `contoso`", |fleet| fleet.plan.packages[0].tenant = "northwind".into());
    fails(check, "SHA-256", |fleet| fleet.plan.packages[0].sha256 = Some(Digest::of(b"reviewed")));
    fails(check, "its token is of tenant", |fleet| facts(fleet).tenant = Some(TenantId(uuid::Uuid::from_u128(9))));
    fails(check, "package_2@contoso.com", |fleet| facts(fleet).account = Some("package_2@contoso.com".to_owned()));
    fails(check, "has no user", |fleet| {
        list(&mut fleet.target().users).retain(|user| !user.upn.starts_with("package"))
    });
    fails(check, "disabled", |fleet| {
        let users = list(&mut fleet.target().users);
        users.iter_mut().filter(|user| user.upn.starts_with("package")).for_each(|user| user.enabled = false);
    });
    let unread = said(check, |fleet| fleet.target().users = Known::Unknown("403".to_owned()));
    assert_eq!(unread.measured, Measured::Unknown);
    let own = said(check, |fleet| facts(fleet).tenant = fleet.plan.tenants.first().map(|tenant| tenant.id));
    assert!(own.measured == Measured::Pass && own.seen.contains("of that tenant"), "{own:?}");
}

fn window(fleet: &mut Fleet, to: &str) {
    fleet.plan.waves[1].window = Some(Window {
        from: at("2026-12-03T00:00:00Z"),
        to: at(to),
        zone: "UTC".to_owned(),
        hours: None,
        days: Vec::new(),
    });
}

/// Catches a token that ends in the middle of a wave, an end that only token or account tell, and a day too early.
#[test]
fn lifetime_outcomes() {
    let check = Check::PkgLifetime;
    let until = |to: &'static str| said(check, move |fleet| window(fleet, to));
    // The plan's last day is 2027-04-01.
    assert_eq!(until("2027-03-26T00:00:00Z").measured, Measured::Pass);
    assert_eq!(until("2027-03-26T00:00:01Z").measured, Measured::Warn);
    let late = until("2027-04-02T00:00:00Z");
    assert_eq!(late.measured, Measured::Fail);
    assert!(late.seen.contains("2027-04-01") && late.seen.contains("`broad` needs it until 2027-04-02"), "{late:?}");
    let remedy = late.remedy.unwrap_or_default();
    assert!(remedy.contains("by 2027-03-25") && remedy.contains("`broad`") && !remedy.contains("`pilot`"), "{remedy}");
    fails(check, "its token says", |fleet| {
        window(fleet, "2027-02-01T00:00:00Z");
        facts(fleet).expires = Some(at("2027-01-15T00:00:00Z"));
    });
    fails(check, "creation of its account", |fleet| {
        window(fleet, "2027-02-01T00:00:00Z");
        let users = list(&mut fleet.target().users);
        let account = users.iter_mut().find(|user| user.upn.starts_with("package")).expect("the account");
        account.created = Some(at("2026-08-01T00:00:00Z"));
    });
    let earlier = said(check, |fleet| facts(fleet).expires = Some(at("2027-03-20T00:00:00Z")));
    assert!(earlier.measured == Measured::Warn && earlier.seen.contains("the plan says 2027-04-01"), "{earlier:?}");
    fails(check, "its token says", |fleet| facts(fleet).expires = Some(at("2026-12-02T18:30:00Z")));
    let over = said(check, |fleet| {
        fleet.plan.waves.remove(0);
        fleet.plan.waves[0].window = Some(Window {
            from: at("2026-11-03T00:00:00Z"),
            to: at("2026-11-30T00:00:00Z"),
            zone: "UTC".to_owned(),
            hours: None,
            days: Vec::new(),
        });
    });
    assert_eq!(over.measured, Measured::NotApplicable);
}

/// Catches days that are counted wrong at the edges of a zone.
#[test]
fn days_are_of_the_plans_zone() {
    let mut fleet = fleet();
    fleet.plan.zone = "America/New_York".to_owned();
    fleet.plan.packages[0].expires.value = date(2026, 12, 10);
    let life = package_life(&fleet.plan, &fleet.plan.packages[0], None, None);
    assert_eq!(life.ends, at("2026-12-11T05:00:00Z"));
    assert_eq!((life.last_day, life.days_left, life.rotate_by), (date(2026, 12, 10), 8, date(2026, 12, 3)));
    assert_eq!(life.by, EndsBy::Plan);
    fleet.plan.as_of = at("2026-12-11T06:00:00Z");
    assert_eq!(package_life(&fleet.plan, &fleet.plan.packages[0], None, None).days_left, -1);
}

/// Catches a package that passes without a proof, and one that two use.
#[test]
fn validated_and_handling_outcomes() {
    let unproven = said(Check::PkgValidated, |fleet| fleet.plan.packages[0].validated = None);
    assert_eq!(unproven.measured, Measured::Unknown);
    let check = Check::PkgHandling;
    fails(check, "version control", |fleet| facts(fleet).in_repository = true);
    fails(check, "others than its owner", |fleet| facts(fleet).readable_by_others = true);
    let second = |fleet: &mut Fleet, change: fn(&mut PackageSpec)| {
        let mut other = PackageSpec {
            name: "second".into(),
            account: "other@contoso.com".to_owned(),
            ..fleet.plan.packages[0].clone()
        };
        change(&mut other);
        fleet.plan.packages.push(other);
    };
    assert_eq!(said(check, |fleet| second(fleet, |_| {})).measured, Measured::Pass);
    fails(check, "same content", |fleet| second(fleet, |other| other.sha256 = Some(Digest::of(b"bulk"))));
    fails(check, "same account", |fleet| second(fleet, |other| other.account = "package_1@contoso.com".to_owned()));
    fails(check, "same file", |fleet| {
        fleet.plan.packages[0].file = Some("bulk.ppkg".into());
        second(fleet, |_| {});
    });
}

/// Catches a finished migration that is told to make a new package, and a missing account that nobody needs being
/// a reason to stop the other waves' devices.
#[test]
fn done_is_done() {
    let mut fleet = fleet();
    list(&mut fleet.target().users).retain(|user| !user.upn.starts_with("package"));
    let worst = |fleet: &Fleet| {
        let decision = crate::diff::decide(&fleet.plan, &fleet.snapshot).expect("no cycle");
        let found =
            decision.changes.readiness.findings.iter().find(|f| f.check == Check::PkgTenant).map(|f| f.measured);
        found.expect("asked")
    };
    fleet.migrate(0);
    assert_eq!(worst(&fleet), Measured::Fail);
    (1..3).for_each(|n| fleet.migrate(n));
    assert_eq!(worst(&fleet), Measured::NotApplicable);
}
