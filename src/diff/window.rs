//! Windows in which a wave may start devices: zone-aware, with daily hours that may run over midnight.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::plan::Window;

/// How a window stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowState {
    /// Open until this moment, which is no longer part of it.
    Open(Timestamp),
    /// Closed; it opens at this moment.
    Opens(Timestamp),
    /// Closed for good.
    Over,
    /// The zone isn't known to this machine, so nothing can be said.
    UnknownZone,
}

/// Returns how a window stands at a moment.
///
/// Hours begin on the named days. Where a daily end isn't later than its start, it lies on the next day. A
/// start in a gap of summer time moves to the first moment after the gap; a repeated hour belongs to the
/// window as a whole.
#[must_use]
pub fn window_state(window: &Window, at: Timestamp) -> WindowState {
    if at >= window.to {
        return WindowState::Over;
    }
    let Ok(zone) = TimeZone::get(&window.zone) else { return WindowState::UnknownZone };
    let Some((from, to)) = window.hours.or_else(|| (!window.days.is_empty()).then_some((Time::MIN, Time::MIN))) else {
        return if at >= window.from { WindowState::Open(window.to) } else { WindowState::Opens(window.from) };
    };
    // The evening before may reach over midnight; a named weekday comes within eight days.
    let now = at.max(window.from);
    let Ok(mut day) = now.to_zoned(zone.clone()).date().yesterday() else { return WindowState::Over };
    // Neighbouring days may touch (whole days in a row), so the end moves on while the next one is open.
    let mut open: Option<Timestamp> = None;
    for _ in 0..10 {
        if window.days.is_empty() || window.days.contains(&day.weekday()) {
            let Some((start, end)) = hours(day, from, to, &zone) else { break };
            let (start, end) = (start.max(window.from), end.min(window.to));
            match open {
                Some(until) if start <= until => open = Some(until.max(end)),
                Some(until) => return WindowState::Open(until),
                None if start >= window.to => return WindowState::Over,
                None if end <= at => {}
                None if start <= at => open = Some(end),
                None if start < end => return WindowState::Opens(start),
                None => {}
            }
        }
        let Ok(next) = day.tomorrow() else { break };
        day = next;
    }
    open.map_or(WindowState::Over, WindowState::Open)
}

fn hours(day: Date, from: Time, to: Time, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let last = if to <= from { day.tomorrow().ok()? } else { day };
    let start = zone.to_ambiguous_zoned(day.to_datetime(from)).compatible().ok()?.timestamp();
    // Both passes of a repeated hour lie inside: the end is the later of the two.
    let end = zone.to_ambiguous_zoned(last.to_datetime(to)).later().ok()?.timestamp();
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::Weekday;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }
    fn window(hours: Option<(i8, i8)>, days: &[Weekday]) -> Window {
        Window {
            from: at("2026-03-01T00:00:00Z"),
            to: at("2026-12-12T06:00:00Z"),
            zone: "Europe/London".to_owned(),
            hours: hours.map(|(from, to)| (Time::constant(from, 0, 0, 0), Time::constant(to, 0, 0, 0))),
            days: days.to_vec(),
        }
    }

    /// Catches hours that are cut at midnight, or counted for the day they end on.
    #[test]
    fn hours_run_over_midnight_and_belong_to_the_day_they_begin_on() {
        let window = window(Some((18, 6)), &[Weekday::Monday]);
        let monday = |text: &str| window_state(&window, at(text));
        assert_eq!(monday("2026-11-23T17:59:59Z"), WindowState::Opens(at("2026-11-23T18:00:00Z")));
        assert_eq!(monday("2026-11-23T18:00:00Z"), WindowState::Open(at("2026-11-24T06:00:00Z")));
        assert_eq!(monday("2026-11-24T05:59:59Z"), WindowState::Open(at("2026-11-24T06:00:00Z")));
        assert_eq!(monday("2026-11-24T06:00:00Z"), WindowState::Opens(at("2026-11-30T18:00:00Z")));
        assert_eq!(monday("2026-12-12T06:00:00Z"), WindowState::Over);
        assert_eq!(monday("2026-12-08T07:00:00Z"), WindowState::Over);
    }

    /// Catches hours taken in UTC: in summer London's evening begins an hour earlier there.
    #[test]
    fn hours_follow_the_zone_through_summer_time() {
        let evening = window(Some((18, 23)), &[]);
        assert_eq!(window_state(&evening, at("2026-03-28T12:00:00Z")), WindowState::Opens(at("2026-03-28T18:00:00Z")));
        assert_eq!(window_state(&evening, at("2026-03-29T12:00:00Z")), WindowState::Opens(at("2026-03-29T17:00:00Z")));
        // 01:00 doesn't exist on 2026-03-29, and exists twice on 2026-10-25.
        let night = window(Some((1, 2)), &[]);
        assert_eq!(window_state(&night, at("2026-03-29T00:30:00Z")), WindowState::Opens(at("2026-03-30T00:00:00Z")));
        assert_eq!(window_state(&night, at("2026-10-25T01:30:00Z")), WindowState::Open(at("2026-10-25T02:00:00Z")));
    }

    /// Catches a row of whole days that is said to close every midnight.
    #[test]
    fn days_in_a_row_are_one_window() {
        let days = window(None, &[Weekday::Saturday, Weekday::Sunday]);
        let state = window_state(&days, at("2026-11-21T10:00:00Z"));
        assert_eq!(state, WindowState::Open(at("2026-11-23T00:00:00Z")));
        assert_eq!(
            window_state(&window(None, &[]), at("2026-11-21T10:00:00Z")),
            WindowState::Open(at("2026-12-12T06:00:00Z"))
        );
    }

    proptest! {
        /// Catches an opening or closing that isn't one: just before and at it the state has to differ.
        #[test]
        fn the_next_moment_is_where_the_state_changes(
            secs in 1_772_323_200_i64..1_797_055_200, from in 0_i8..24, to in 0_i8..24, days in 0_u8..128
        ) {
            let all = [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday,
                Weekday::Saturday, Weekday::Sunday];
            let days: Vec<Weekday> = all.into_iter().enumerate().filter(|(i, _)| days & 1 << i != 0).map(|(_, d)| d).collect();
            let window = window(Some((from, to)), &days);
            let now = Timestamp::from_second(secs).expect("a moment");
            match window_state(&window, now) {
                WindowState::Open(until) => {
                    prop_assert!(until > now && until <= window.to);
                    if until < window.to && until.duration_since(now).as_hours() < 24 * 6 {
                        prop_assert!(!matches!(window_state(&window, until), WindowState::Open(_)));
                    }
                }
                WindowState::Opens(opens) => {
                    prop_assert!(opens > now && opens < window.to);
                    prop_assert!(matches!(window_state(&window, opens), WindowState::Open(_)));
                }
                WindowState::Over => {}
                WindowState::UnknownZone => prop_assert!(false),
            }
        }
    }
}
