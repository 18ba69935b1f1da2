//! When a run may start devices: the plan's window as concrete intervals.
//!
//! The zone and the daily hours are resolved once, when the run is made, so that a resume decides nothing
//! again, whatever time zone data the machine has then.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Problem;
use crate::plan::Window;

/// A run that is older than this starts nothing more: intervals aren't made beyond it. No package token
/// lives longer than 180 days (domain.md B15).
const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 400);

/// A time in which devices may be started; the end is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// First moment.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// End.
    #[schemars(with = "String")]
    pub to: Timestamp,
}

/// All intervals of a run, in order and without overlap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Windows(Vec<Interval>);

impl Windows {
    /// Resolves a window into the intervals that begin at or end after `created`.
    ///
    /// # Errors
    /// `run.window` where the zone isn't known or a moment can't be represented.
    pub fn resolve(window: &Window, created: Timestamp) -> Result<Self, Problem> {
        let problem = |what: String| Problem::new("run.window", what).next("mend the window in the plan file");
        let zone = TimeZone::get(&window.zone)
            .map_err(|e| problem(format!("time zone `{}` isn't known", window.zone)).detail(e.to_string()))?;
        let from = window.from.max(created.saturating_sub(SignedDuration::from_hours(48)).unwrap_or(created));
        let to = window.to.min(created.saturating_add(HORIZON).unwrap_or(window.to));
        if window.hours.is_none() && window.days.is_empty() {
            return Ok(Self(vec![Interval { from: window.from, to: window.to }]));
        }
        let bad =
            |e: jiff::Error| problem("the window's hours can't be placed in its zone".to_owned()).detail(e.to_string());
        let mut intervals: Vec<Interval> = Vec::new();
        // One day earlier: hours over midnight may have begun the evening before.
        let mut day: Date = zone.to_datetime(from).date().checked_sub(1.day()).map_err(bad)?;
        let last = zone.to_datetime(to).date();
        while day <= last {
            if window.days.is_empty() || window.days.contains(&day.weekday()) {
                let (begin, end) = hours(day, window.hours).map_err(bad)?;
                let begin = zone.to_timestamp(begin).map_err(bad)?.max(window.from);
                let end = zone.to_timestamp(end).map_err(bad)?.min(window.to);
                match intervals.last_mut() {
                    _ if begin >= end || end <= from => {}
                    Some(before) if begin <= before.to => before.to = before.to.max(end),
                    _ => intervals.push(Interval { from: begin, to: end }),
                }
            }
            day = day.checked_add(1.day()).map_err(bad)?;
        }
        Ok(Self(intervals))
    }

    /// Returns all intervals, in order and without overlap.
    #[must_use]
    pub fn intervals(&self) -> &[Interval] {
        &self.0
    }
    /// Returns the interval that a moment lies in.
    #[must_use]
    pub fn at(&self, moment: Timestamp) -> Option<Interval> {
        let after = self.0.partition_point(|interval| interval.to <= moment);
        self.0.get(after).copied().filter(|interval| interval.from <= moment)
    }
    /// Returns when the next interval begins after a moment.
    #[must_use]
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        self.0.get(self.0.partition_point(|interval| interval.from <= moment)).map(|interval| interval.from)
    }
    /// Says whether no interval is left.
    #[must_use]
    pub fn over(&self, moment: Timestamp) -> bool {
        self.0.last().is_none_or(|interval| interval.to <= moment)
    }
}

fn hours(day: Date, hours: Option<(Time, Time)>) -> Result<(DateTime, DateTime), jiff::Error> {
    let tomorrow = day.checked_add(1.day())?;
    Ok(match hours {
        None => (day.to_datetime(Time::midnight()), tomorrow.to_datetime(Time::midnight())),
        Some((begin, end)) if begin < end => (day.to_datetime(begin), day.to_datetime(end)),
        Some((begin, end)) => (day.to_datetime(begin), tomorrow.to_datetime(end)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Weekday;

    fn moment(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }
    fn nights() -> Windows {
        let window = Window {
            from: moment("2026-12-01T18:00:00Z"),
            to: moment("2026-12-12T06:00:00Z"),
            zone: "Europe/London".to_owned(),
            hours: Some((Time::constant(18, 0, 0, 0), Time::constant(6, 0, 0, 0))),
            days: vec![Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday],
        };
        Windows::resolve(&window, moment("2026-12-02T18:30:00Z")).expect("a window")
    }

    /// Catches hours over midnight that end on the evening they begin, or days that are read as the day of the end.
    #[test]
    fn hours_run_over_midnight_from_the_named_days() {
        let windows = nights();
        assert!(windows.at(moment("2026-12-03T05:59:59Z")).is_some());
        assert!(windows.at(moment("2026-12-03T06:00:00Z")).is_none());
        // Thursday's hours end on Friday morning; Friday's own never begin.
        assert!(windows.at(moment("2026-12-04T05:00:00Z")).is_some());
        assert!(windows.at(moment("2026-12-04T19:00:00Z")).is_none());
        assert_eq!(windows.next_after(moment("2026-12-04T19:00:00Z")), Some(moment("2026-12-07T18:00:00Z")));
        assert!(windows.over(moment("2026-12-11T06:00:00Z")));
    }

    /// Catches a window whose end is forgotten where it has no daily hours.
    #[test]
    fn a_plain_window_is_one_interval() {
        let window = Window {
            from: moment("2026-12-01T18:00:00Z"),
            to: moment("2026-12-12T06:00:00Z"),
            zone: "UTC".to_owned(),
            hours: None,
            days: Vec::new(),
        };
        let windows = Windows::resolve(&window, moment("2026-11-01T00:00:00Z")).expect("a window");
        assert_eq!(windows.next_after(moment("2026-11-01T00:00:00Z")), Some(window.from));
        assert!(windows.at(window.to).is_none() && windows.over(window.to));
    }
}
