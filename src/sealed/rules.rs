//! Rules of `policy.rules`, held against what a sealed plan comes to. Each speaks in the words of a reviewer, also
//! where it holds.
//!
//! A rule is about what *may* happen once the plan is approved: a run goes on through all its windows, so each of them
//! counts, and not the moment at which somebody applies it.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::body::{Body, RuleLine};
use crate::diff::Action;
use crate::model::{Op, Permission};
use crate::plan::{Rule, RuleEffect, RuleKind, Weekday, Word};
use crate::run::Interval;

/// A night goes from noon to noon, so that one that runs past midnight is one.
const NOON: SignedDuration = SignedDuration::from_hours(12);
/// Names that are told, so that a message stays a message.
const NAMES_MAX: usize = 5;

/// Returns the night that a moment lies in, by the date of its evening.
pub(super) fn night(at: Timestamp, zone: &TimeZone) -> Option<Date> {
    Some(at.checked_sub(NOON).ok()?.to_zoned(zone.clone()).date())
}

/// Holds every rule against a body.
pub(super) fn judge(body: &Body, rules: &[Rule], now: Timestamp) -> Vec<RuleLine> {
    let zone = TimeZone::get(&body.plan.zone).unwrap_or(TimeZone::UTC);
    let judged = Judged { body, zone, now, due: due(body) };
    rules.iter().map(|rule| judged.line(rule)).collect()
}

/// Returns operations that would run, of devices and tenants.
fn due(body: &Body) -> BTreeSet<Op> {
    let runs = body.devices.iter().filter(|device| matches!(device.standing.as_str(), "migrate" | "resume"));
    let chains: BTreeSet<u32> = runs.map(|device| device.chain).collect();
    let of_devices = chains.iter().filter_map(|at| body.chains.get(*at as usize)).flatten();
    let of_devices = of_devices.filter(|change| change.1 == Action::Do).map(|change| change.0);
    let of_tenants = body.tenant.iter().filter(|line| line.action == Action::Do).map(|line| line.op);
    of_devices.chain(of_tenants).collect()
}

struct Judged<'b> {
    body: &'b Body,
    zone: TimeZone,
    now: Timestamp,
    due: BTreeSet<Op>,
}

impl Judged<'_> {
    fn line(&self, rule: &Rule) -> RuleLine {
        let (setting, holds, seen, next) = match &rule.kind {
            RuleKind::MaxDevicesPerNight(limit) => self.per_night(*limit),
            RuleKind::MaxWavePercent(limit) => self.wave_percent(*limit),
            RuleKind::MaxExceptions(limit) => self.exceptions(*limit),
            RuleKind::NoIrreversibleOn(days) => self.irreversible_on(days),
            RuleKind::NoPermission(list) => self.permissions(list),
            RuleKind::NoUnknown => self.unknown(),
            RuleKind::TicketRequired => {
                (String::new(), true, "an approval counts only with a ticket".to_owned(), String::new())
            }
        };
        let effect = match rule.effect {
            RuleEffect::Block => "block",
            RuleEffect::Warn => "warn",
        };
        RuleLine { rule: rule.kind.name().to_owned(), effect: effect.to_owned(), setting, holds, seen, next }
    }

    fn per_night(&self, limit: u32) -> (String, bool, String, String) {
        let own = self.body.run.devices.iter().filter(|device| !device.committed).count();
        let own = u32::try_from(own).unwrap_or(u32::MAX);
        // The fullest night in which this run may begin devices too.
        let before = self.body.nights.iter().filter(|(night, _)| self.may_begin_in(**night));
        let fullest = before.max_by_key(|(_, number)| **number);
        let total = fullest.map_or(own, |(_, number)| number.saturating_add(own));
        let seen = match fullest {
            Some((night, number)) if *number > 0 => {
                format!(
                    "{total} devices may begin in the night of {night}: {own} of this plan, {number} of earlier runs"
                )
            }
            _ => format!("{own} devices may begin in one night"),
        };
        let next = "take fewer devices into the wave, or apply it in another night";
        (limit.to_string(), own == 0 || total <= limit, seen, next.to_owned())
    }

    fn may_begin_in(&self, night: Date) -> bool {
        let next = night.tomorrow().unwrap_or(night);
        let noon = |day: Date| day.at(12, 0, 0, 0).to_zoned(self.zone.clone()).map(|zoned| zoned.timestamp());
        let (Ok(from), Ok(to)) = (noon(night), noon(next)) else { return true };
        to > self.now && self.intervals().is_none_or(|all| all.iter().any(|one| one.from < to && from < one.to))
    }

    /// Windows of the run; none is at any time.
    fn intervals(&self) -> Option<&[Interval]> {
        self.body.run.windows.as_ref().map(|windows| windows.intervals())
    }

    fn wave_percent(&self, limit: u32) -> (String, bool, String, String) {
        let all: u64 = self.body.waves.iter().map(|wave| u64::from(wave.devices)).sum();
        let own =
            self.body.waves.iter().find(|wave| wave.name == self.body.wave).map_or(0, |wave| u64::from(wave.devices));
        let holds = own * 100 <= u64::from(limit) * all;
        let percent = if all == 0 { 0 } else { (own * 100).div_ceil(all) };
        let seen = format!("the wave holds {own} of {all} devices that waves take, {percent} %");
        (format!("{limit} %"), holds, seen, "split the wave".to_owned())
    }

    fn exceptions(&self, limit: u32) -> (String, bool, String, String) {
        let excepted: Vec<&str> = self.with_outcome("excepted");
        let holds = excepted.len() <= limit as usize;
        let seen = format!("{} covered by exclusions{}", counted(excepted.len()), named(&excepted));
        (limit.to_string(), holds, seen, "mend what the exclusions cover".to_owned())
    }

    fn unknown(&self) -> (String, bool, String, String) {
        let unknown = self.with_outcome("unknown");
        let seen = match unknown.len() {
            0 => "everything that was asked is known".to_owned(),
            number => format!("{} unknown{}", counted(number), named(&unknown)),
        };
        (String::new(), unknown.is_empty(), seen, "`opsole check` tells how each becomes known".to_owned())
    }

    fn with_outcome(&self, outcome: &str) -> Vec<&str> {
        let hits = self.body.findings.iter().filter(|finding| finding.outcome == outcome);
        hits.map(|finding| finding.code.as_str()).collect()
    }

    fn permissions(&self, list: &[Permission]) -> (String, bool, String, String) {
        let setting: Vec<&str> = list.iter().map(|permission| permission.as_str()).collect();
        let uses = |op: &&Op| {
            let line = self.body.operation(**op);
            line.is_some_and(|line| line.permissions.iter().any(|need| setting.contains(&need.permission.as_str())))
        };
        let users: Vec<&str> = self.due.iter().filter(uses).map(|op| op.name()).collect();
        let seen = match users.len() {
            0 => "nothing that is due uses them".to_owned(),
            _ => format!("used by {}", users.join(", ")),
        };
        let next = "switch off the feature that these operations belong to, or let somebody do it by hand";
        (setting.join(", "), users.is_empty(), seen, next.to_owned())
    }

    fn irreversible_on(&self, days: &[Weekday]) -> (String, bool, String, String) {
        let setting: Vec<&str> = days.iter().map(|day| day.word()).collect();
        let setting = setting.join(", ");
        let next = "narrow the `days` or the `hours` of the wave's window".to_owned();
        let committed = |op: &&Op| self.body.operation(**op).is_some_and(|line| line.phase == "committed");
        if !self.due.iter().any(|op| committed(&op)) {
            return (setting, true, "nothing irreversible is due".to_owned(), next);
        }
        let Some(intervals) = self.intervals() else {
            let seen = "the wave has no window, so it may begin on any day".to_owned();
            return (setting, false, seen, "give the wave a window".to_owned());
        };
        let hit = intervals.iter().filter(|one| one.to > self.now).find_map(|one| self.day_within(*one, days));
        match hit {
            Some(day) => (setting, false, format!("its window is open on {}", day.strftime("%a %Y-%m-%d")), next),
            None => (setting, true, "no window lies on these days".to_owned(), next),
        }
    }

    /// Returns the first of the days that an interval touches from now on.
    fn day_within(&self, interval: Interval, days: &[Weekday]) -> Option<Date> {
        let from = interval.from.max(self.now).to_zoned(self.zone.clone()).date();
        // The end is no part of it: one at midnight doesn't touch the day that begins there.
        let last = interval.to.checked_sub(SignedDuration::from_nanos(1)).ok()?.to_zoned(self.zone.clone()).date();
        from.series(jiff::Span::new().days(1))
            .take_while(|day| *day <= last)
            .take(7)
            .find(|day| days.contains(&day.weekday()))
    }
}

fn counted(number: usize) -> String {
    if number == 1 { "1 finding".to_owned() } else { format!("{number} findings") }
}

fn named(codes: &[&str]) -> String {
    let each: BTreeSet<&str> = codes.iter().copied().collect();
    let more = each.len().saturating_sub(NAMES_MAX);
    let shown: Vec<&str> = each.into_iter().take(NAMES_MAX).collect();
    match (shown.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(": {}", shown.join(", ")),
        (false, more) => format!(": {} and {more} more", shown.join(", ")),
    }
}
