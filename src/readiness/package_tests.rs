//! Each outcome of each check of a package, by changing one thing of a fleet that is sound.

use jiff::SignedDuration;
use jiff::civil::date;

use super::package::checks;
use super::{EndsBy, Judged, Measured, PackageLife, Timetable, WaveCover, package_life, package_lives};
use crate::dag::fixture::{Fleet, Join, at, list};
use crate::dag::{Index, assign, views};
use crate::model::{Check, Digest, Known, Scenario, TenantId};
use crate::plan::{GateSpec, PackageSpec, Window};
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
    let assignment = assign(&index);
    let times = Timetable::observed(&fleet.plan, &assignment, &views(&index, &assignment));
    checks(&index, &fleet.plan.packages[0], false, &times, &mut |check, judged| found.push((check, judged)));
    found
}
/// What is said of one check where one thing is changed; every other check has to stay as it was.
fn said(check: Check, change: impl FnOnce(&mut Fleet)) -> Judged {
    let mut fleet = fleet();
    let before = all(&fleet);
    change(&mut fleet);
    let after = all(&fleet);
    let others =
        |found: &[(Check, Judged)]| -> Vec<_> { found.iter().filter(|(one, _)| *one != check).cloned().collect() };
    assert_eq!(others(&before), others(&after), "they aren't about this");
    after.into_iter().find(|(one, _)| *one == check).expect("the check").1
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

/// Catches a wave that is called covered although its gate can't open while the package lives, one that is refused for
/// what may never come to be, and a wave that could begin and is blocked for another's sake.
#[test]
fn a_wave_that_waits_too_long_falls_beyond() {
    let check = Check::PkgLifetime;
    let waits = |fleet: &mut Fleet| {
        let pilot = fleet.plan.waves[0].name.clone();
        fleet.plan.waves[1].needs.push(pilot);
        let soak = Some(SignedDuration::from_hours(7 * 24));
        fleet.plan.waves[1].gate = Some(GateSpec { criteria: None, sign_off: Vec::new(), soak });
        fleet.plan.waves[0].window = Some(Window {
            from: at("2026-12-01T18:00:00Z"),
            to: at("2026-12-12T06:00:00Z"),
            zone: "UTC".to_owned(),
            hours: None,
            days: Vec::new(),
        });
    };
    let until = |end: &'static str, moved: usize| {
        said(check, move |fleet| {
            waits(fleet);
            (0..moved).for_each(|n| fleet.migrate(n));
            facts(fleet).expires = Some(at(end));
        })
    };
    // It is 2026-12-02T12:00Z: the pilot isn't over, so broad can't begin before 12-09.
    let sure = until("2026-12-09T12:00:00Z", 0);
    assert_eq!((sure.measured, &sure.only), (Measured::Fail, &vec!["pilot".into(), "broad".into()]), "{sure:?}");
    let words = "`broad` can't begin before 2026-12-09: it waits for `pilot`";
    assert!(sure.seen.contains("`pilot` needs it until 2026-12-12; ") && sure.seen.contains(words), "{sure:?}");
    let perhaps = until("2026-12-19T06:00:00Z", 0);
    let words = "`broad` may fall beyond it: it can't begin before 2026-12-19 if `pilot` uses its whole window";
    assert!(perhaps.measured == Measured::Warn && perhaps.seen.contains(words), "{perhaps:?}");
    assert_eq!(until("2026-12-19T06:00:01Z", 0).measured, Measured::Warn, "less than seven days");
    assert!(until("2026-12-26T06:00:00Z", 0).seen.starts_with("the plan says"), "covered, but the plan is wrong");
    // The pilot was over on 12-02 at 10:00: its window doesn't matter any more, and neither does its own need.
    let over = until("2026-12-09T10:00:00Z", 2);
    assert_eq!((over.measured, &over.only), (Measured::Fail, &vec!["broad".into()]), "{over:?}");
    assert_eq!(until("2026-12-09T10:00:01Z", 2).measured, Measured::Warn);

    let mut fleet = fleet();
    waits(&mut fleet);
    fleet.plan.waves[0].window.as_mut().expect("a window").to = at("2026-12-04T06:00:00Z");
    facts(&mut fleet).expires = Some(at("2026-12-08T00:00:00Z"));
    let decision = crate::diff::decide(&fleet.plan, &fleet.snapshot).expect("no cycle");
    let readiness = &decision.changes.readiness;
    let of_life = |wave| readiness.wave_blockers(&fleet.plan, wave).iter().filter(|one| one.code == check.id()).count();
    assert_eq!((of_life(0), of_life(1)), (0, 1), "the pilot may begin");
    let found: Vec<Measured> =
        readiness.findings.iter().filter(|one| one.check == check).map(|one| one.measured).collect();
    assert_eq!(found, [Measured::Fail, Measured::Warn]);
    let lives = package_lives(&decision.index, &decision.assignment, &decision.views);
    let covers: Vec<WaveCover> = lives[0].waves.iter().map(|need| need.cover).collect();
    assert_eq!(covers, [WaveCover::Barely, WaveCover::Beyond], "the list says the same");
}

fn life_of(fleet: &Fleet) -> PackageLife {
    package_life(&fleet.plan, &fleet.plan.packages[0], None, None, &Timetable::of_plan(&fleet.plan))
}

/// Catches days that are counted wrong at the edges of a zone.
#[test]
fn days_are_of_the_plans_zone() {
    let mut fleet = fleet();
    fleet.plan.zone = "America/New_York".to_owned();
    fleet.plan.packages[0].expires.value = date(2026, 12, 10);
    let life = life_of(&fleet);
    assert_eq!(life.ends, at("2026-12-11T05:00:00Z"));
    assert_eq!((life.last_day, life.days_left, life.rotate_by), (date(2026, 12, 10), 8, date(2026, 12, 3)));
    assert_eq!(life.by, EndsBy::Plan);
    fleet.plan.as_of = at("2026-12-11T06:00:00Z");
    assert_eq!(life_of(&fleet).days_left, -1);
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
