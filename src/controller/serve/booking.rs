//! When those who are told to come back shall come: each gets a moment of its own, as far apart as calls take.
//!
//! A fixed `Retry-After` would bring a fleet back all at once, as it came. Here every refusal books the next free
//! moment behind the row as it is, so that they come back at the rate at which calls are really answered.

use std::time::Duration;

/// Calls in a second that are assumed before any was measured, and the least that is assumed afterwards.
const RATE: (f64, f64) = (100.0, 5.0);
/// Longest time that anybody is sent away for.
const LONGEST: Duration = Duration::from_secs(120);
/// Calls over which the rate is measured.
const SAMPLE: u32 = 32;

/// Measures how fast calls are answered, and gives out moments. Times count from any moment, the same for all.
#[derive(Debug)]
pub(super) struct Booking {
    per_sec: f64,
    sampled: u32,
    since: Duration,
    /// The last moment that was given out.
    last: Duration,
}

impl Booking {
    pub(super) const fn new() -> Self {
        Self { per_sec: RATE.0, sampled: 0, since: Duration::ZERO, last: Duration::ZERO }
    }

    /// Counts a call that was answered. What was measured while nobody waited says how much was asked, not how much
    /// could be answered, so it only ever raises the rate.
    pub(super) fn answered(&mut self, now: Duration, busy: bool) {
        if self.sampled == 0 {
            self.since = now;
        }
        self.sampled += 1;
        if self.sampled < SAMPLE {
            return;
        }
        let took = now.saturating_sub(self.since).as_secs_f64().max(0.001);
        let measured = f64::from(self.sampled - 1) / took;
        if busy || measured > self.per_sec {
            self.per_sec = (self.per_sec + measured) / 2.0;
        }
        self.per_sec = self.per_sec.max(RATE.1);
        self.sampled = 0;
    }

    /// Books a moment behind `queued` calls, and returns the whole seconds until it, at least one.
    pub(super) fn book(&mut self, now: Duration, queued: usize) -> u32 {
        let one = Duration::from_secs_f64(1.0 / self.per_sec);
        let row = Duration::from_secs_f64((queued as f64 / self.per_sec).min(LONGEST.as_secs_f64()));
        let moment = (now + row).max(self.last + one);
        // Past the longest time it begins again from the end of the row, so that nobody is the last for ever.
        self.last = if moment > now + LONGEST { now + row.min(LONGEST - one.min(LONGEST)) } else { moment };
        let secs = self.last.saturating_sub(now).as_secs_f64().ceil();
        // In 1..=120.
        (secs as u32).clamp(1, LONGEST.as_secs() as u32)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn measured(per_sec: u64) -> Booking {
        let mut booking = Booking::new();
        let mut now = Duration::ZERO;
        for _ in 0..5_000 {
            now += Duration::from_micros(1_000_000 / per_sec);
            booking.answered(now, true);
        }
        booking
    }

    /// Catches a herd that is sent away to come back as a herd: no second gets more than calls are answered in one.
    #[test]
    fn a_herd_is_spread() {
        for per_sec in [50, 200, 1000] {
            let mut booking = measured(per_sec);
            let mut seconds: BTreeMap<u32, u64> = BTreeMap::new();
            for _ in 0..4 * per_sec {
                *seconds.entry(booking.book(NOW, 100)).or_default() += 1;
            }
            let most = seconds.values().max().copied().unwrap_or_default();
            assert!(most <= per_sec + per_sec / 10 + 2, "{per_sec}: {seconds:?}");
            assert!(seconds.len() >= 4, "{per_sec}: {seconds:?}");
        }
    }

    /// Catches seconds out of all bounds, whatever was measured.
    #[test]
    fn seconds_have_bounds() {
        for per_sec in [1, 7, 100_000] {
            let mut booking = measured(per_sec);
            for _ in 0..20_000 {
                assert!((1..=120).contains(&booking.book(NOW, 1_000_000)));
                assert!((1..=120).contains(&booking.book(NOW, 0)));
            }
        }
    }

    /// Catches an idle night that is taken for a slow server.
    #[test]
    fn idling_isnt_slowness() {
        let mut booking = measured(1000);
        for n in 0..1_000 {
            booking.answered(Duration::from_secs(1_000 + 60 * n), false);
        }
        assert!(booking.book(Duration::from_secs(100_000), 100) <= 1);
    }
}
