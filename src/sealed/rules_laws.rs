//! Rules of the policy: each holds where it should, breaks where it should, and says what was seen.

use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};

use super::sample::{fleet, sample_of as body};
use super::{Body, FindingLine, broken_rules};
use crate::dag::fixture::Fleet;
use crate::model::Permission;
use crate::plan::{Rule, RuleEffect, RuleKind, Weekday, Window};

fn block(kind: RuleKind) -> Rule {
    Rule { kind, effect: RuleEffect::Block }
}

fn judged(fleet: &Fleet, kind: RuleKind) -> (bool, String) {
    let mut fleet = fleet.clone();
    fleet.plan.policy.rules = vec![block(kind)];
    let line = body(&fleet).rules.remove(0);
    (line.holds, line.seen)
}

/// Judges a body that the fixture's fleet can't come to.
fn rejudged(body: &Body, kind: RuleKind, now: Timestamp) -> (bool, String) {
    let line = super::rules::judge(body, &[block(kind)], now).remove(0);
    (line.holds, line.seen)
}

/// Catches a limit that is off by one, and one that forgets what other runs did in the same night.
#[test]
fn nights_are_counted_over_all_runs() {
    let fleet = fleet(5);
    assert!(judged(&fleet, RuleKind::MaxDevicesPerNight(5)).0);
    let (holds, seen) = judged(&fleet, RuleKind::MaxDevicesPerNight(4));
    assert_eq!((holds, seen.as_str()), (false, "5 devices may begin in one night"));

    let mut body = body(&fleet);
    let now = "2026-12-02T20:00:00Z".parse::<Timestamp>().expect("a moment");
    body.nights = [(date(2026, 12, 1), 90), (date(2026, 12, 2), 3)].into();
    let (holds, seen) = rejudged(&body, RuleKind::MaxDevicesPerNight(7), now);
    let told = "8 devices may begin in the night of 2026-12-02: 5 of this plan, 3 of earlier runs";
    assert_eq!((holds, seen.as_str()), (false, told));
    assert!(rejudged(&body, RuleKind::MaxDevicesPerNight(8), now).0, "the night before is over");
    // One in the morning still belongs to the night that began the evening before.
    let morning = now + SignedDuration::from_hours(6);
    assert!(!rejudged(&body, RuleKind::MaxDevicesPerNight(7), morning).0);
    assert!(rejudged(&body, RuleKind::MaxDevicesPerNight(7), now + SignedDuration::from_hours(24)).0);
}

/// Catches a day that is missed because a window runs past midnight, and one that a window only touches with its end.
#[test]
fn windows_are_looked_at_day_by_day() {
    let mut fleet = fleet(2);
    let friday = || RuleKind::NoIrreversibleOn(vec![Weekday::Friday]);
    fleet.plan.waves[0].window = None;
    assert_eq!(judged(&fleet, friday()).1, "the wave has no window, so it may begin on any day");
    let at = |text: &str| text.parse::<Timestamp>().expect("a moment");
    let from = fleet.plan.as_of;
    let window = |hours: (i8, i8), days: &[Weekday]| Window {
        from,
        to: from + SignedDuration::from_hours(24 * 14),
        zone: "UTC".to_owned(),
        hours: Some((jiff::civil::time(hours.0, 0, 0, 0), jiff::civil::time(hours.1, 0, 0, 0))),
        days: days.to_vec(),
    };
    fleet.plan.waves[0].window = Some(window((18, 6), &[Weekday::Thursday]));
    let (holds, seen) = judged(&fleet, friday());
    assert!(!holds && seen.starts_with("its window is open on Fri "), "{seen}");
    fleet.plan.waves[0].window = Some(window((18, 0), &[Weekday::Thursday]));
    assert!(judged(&fleet, friday()).0, "it ends as Friday begins");
    fleet.plan.waves[0].window = Some(window((18, 23), &[Weekday::Friday]));
    assert!(!judged(&fleet, friday()).0);
    // What is over doesn't count.
    let mut late = body(&fleet);
    late.run.windows = None;
    assert!(!rejudged(&late, friday(), at("2030-01-01T00:00:00Z")).0);
    late.devices.clear();
    assert_eq!(rejudged(&late, friday(), from).1, "nothing irreversible is due");
}

/// Catches a permission, an exception or an unknown that slips through, and a share that is rounded down.
#[test]
fn what_is_due_and_found_counts() {
    let fleet = fleet(3);
    let uses = RuleKind::NoPermission(vec![Permission::ManagedDevicesReadWriteAll]);
    let mut body = body(&fleet);
    let now = body.sealed_at;
    let users = |body: &Body| rejudged(body, uses.clone(), now);
    assert!(!users(&body).0 && users(&body).1.contains("device."), "{:?}", users(&body));
    body.devices.iter_mut().for_each(|device| device.standing = "blocked".to_owned());
    body.tenant.clear();
    assert_eq!(users(&body), (true, "nothing that is due uses them".to_owned()));

    let finding = |outcome: &str| FindingLine {
        code: "ppl.mode".to_owned(),
        outcome: outcome.to_owned(),
        subject: String::new(),
        seen: String::new(),
        next: String::new(),
        owner: None,
        blocks: false,
    };
    body.findings = vec![finding("excepted"), finding("unknown"), finding("warn")];
    assert!(rejudged(&body, RuleKind::MaxExceptions(1), now).0);
    let (holds, seen) = rejudged(&body, RuleKind::MaxExceptions(0), now);
    assert_eq!((holds, seen.as_str()), (false, "1 finding covered by exclusions: ppl.mode"));
    assert_eq!(rejudged(&body, RuleKind::NoUnknown, now), (false, "1 finding unknown: ppl.mode".to_owned()));

    let other = super::WaveLine { name: "rest".to_owned(), devices: 6, ..body.waves[0].clone() };
    body.waves[0].devices = 3;
    body.waves.push(other);
    assert!(rejudged(&body, RuleKind::MaxWavePercent(34), now).0);
    assert!(!rejudged(&body, RuleKind::MaxWavePercent(33), now).0, "3 of 9 are more than 33 percent");
}

/// Catches a rule that only warns and still blocks, or the other way round.
#[test]
fn only_rules_that_block_refuse() {
    let mut fleet = fleet(2);
    let rule = |effect| Rule { kind: RuleKind::MaxDevicesPerNight(1), effect };
    fleet.plan.policy.rules = vec![rule(RuleEffect::Warn)];
    assert!(broken_rules(&body(&fleet)).is_empty());
    fleet.plan.policy.rules.push(rule(RuleEffect::Block));
    let broken = broken_rules(&body(&fleet));
    assert_eq!(broken.len(), 1);
    insta::assert_snapshot!(broken[0], @"it breaks the rule max-devices-per-night 1: 2 devices may begin in one night (sealed.policy)");
}
