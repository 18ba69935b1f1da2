//! Zones and the ends of days. The zone data is part of the program, so that two machines agree.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::file::Moment;

/// Returns the zones that are built in.
pub(super) fn database() -> TimeZoneDatabase {
    TimeZoneDatabase::bundled()
}

/// Returns a zone by its IANA name.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    database().get(name).ok()
}

/// Returns the end of a day: the first moment of the next day.
pub(super) fn end_of_day(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    moment(date.tomorrow().ok()?.into(), zone)
}

/// Returns the moment at which a window begins.
pub(super) fn begin(at: Moment, zone: &TimeZone) -> Option<Timestamp> {
    match at {
        Moment::Day(date) => moment(date.into(), zone),
        Moment::Time(time) => moment(time, zone),
    }
}

/// Returns the moment at which a window ends.
pub(super) fn end(at: Moment, zone: &TimeZone) -> Option<Timestamp> {
    match at {
        Moment::Day(date) => end_of_day(date, zone),
        Moment::Time(time) => moment(time, zone),
    }
}

/// Returns the day that a moment falls on.
pub(super) fn day(at: Timestamp, zone: &TimeZone) -> Date {
    at.to_zoned(zone.clone()).date()
}

/// A local time that a change of clocks skips or repeats is taken as jiff's "compatible" strategy does.
fn moment(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(local).compatible().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches ends of days that forget the zone or the 23-hour day in March.
    #[test]
    fn days_end_in_their_zone() {
        let london = zone("Europe/London").unwrap();
        let end = |text: &str| end_of_day(text.parse().unwrap(), &london).unwrap().to_string();
        assert_eq!(end("2026-12-20"), "2026-12-21T00:00:00Z");
        assert_eq!(end("2026-07-01"), "2026-07-01T23:00:00Z");
        assert_eq!(end("2027-03-28"), "2027-03-28T23:00:00Z");
        assert!(zone("Europe/Lodnon").is_none());
        assert!(zone("UTC").is_some());
    }
}
