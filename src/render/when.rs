//! Moments as people of the plan's time zone read them. Programs get UTC.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

/// The zone that moments are shown in.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// Finds a zone of the IANA database; UTC where it isn't known here.
    pub(super) fn named(name: &str) -> Self {
        match TimeZone::get(name) {
            Ok(zone) => Self { name: name.to_owned(), zone },
            Err(_) => Self { name: "UTC".to_owned(), zone: TimeZone::UTC },
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the zone's rules, for days that begin where people's days begin.
    pub(super) fn tz(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns date and time: `2026-12-02 18:30`.
    pub(super) fn moment(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// Returns date and time with the day of the week: `Wed 2026-12-02 18:30`.
    pub(super) fn day_and_time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%a %Y-%m-%d %H:%M").to_string()
    }

    /// Returns the last day before an end, which itself is no part of it; with the time where it ends within a
    /// day.
    pub(super) fn last_day(&self, end: Timestamp) -> String {
        let local = end.to_zoned(self.zone.clone());
        if local.time() == Time::midnight()
            && let Ok(day) = local.date().yesterday()
        {
            return day.to_string();
        }
        self.moment(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches an exclusion that seems to hold a day longer, and moments of another zone.
    #[test]
    fn ends_are_days_of_the_zone() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a moment");
        let berlin = Zone::named("Europe/Berlin");
        assert_eq!(berlin.last_day(at("2027-01-31T23:00:00Z")), "2027-01-31");
        assert_eq!(berlin.last_day(at("2027-01-31T11:30:00Z")), "2027-01-31 12:30");
        assert_eq!(berlin.day_and_time(at("2026-07-01T16:00:00Z")), "Wed 2026-07-01 18:00");
        let nowhere = Zone::named("Mars/Base");
        assert_eq!((nowhere.name(), nowhere.moment(at("2026-12-02T18:30:00Z")).as_str()), ("UTC", "2026-12-02 18:30"));
    }
}
