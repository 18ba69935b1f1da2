//! The lab's clock: minutes of restarts and waiting pass in moments.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::port::Clock;

/// A clock that starts at a moment of the world and runs faster than the wall.
#[derive(Debug, Clone)]
pub struct LabClock {
    base: Timestamp,
    started: Instant,
    speed: f64,
    frozen: bool,
    /// What had passed before this clock was made.
    before: Duration,
}

impl LabClock {
    /// Returns a clock that shows `base` now and runs `speed` times as fast as the wall.
    #[must_use]
    pub fn running(base: Timestamp, speed: f64) -> Self {
        Self { base, started: Instant::now(), speed: speed.max(0.001), frozen: false, before: Duration::ZERO }
    }
    /// Returns a clock that stands still for readers, while waits still pass: for commands that only look.
    #[must_use]
    pub fn frozen(base: Timestamp, speed: f64) -> Self {
        Self { frozen: true, ..Self::running(base, speed) }
    }
    /// Returns the clock that goes on from this one, some time later.
    pub(super) fn after(&self, skip: Duration, frozen: bool) -> Self {
        let skipped = SignedDuration::try_from(skip).unwrap_or(SignedDuration::MAX);
        let base = self.now().saturating_add(skipped).unwrap_or(Timestamp::MAX);
        Self { frozen, before: self.passed().saturating_add(skip), ..Self::running(base, self.speed) }
    }
    /// Returns how much time of the world has passed since the lab was opened, whether or not readers see it:
    /// what waits and quotas go by.
    #[must_use]
    pub fn passed(&self) -> Duration {
        // Bounded well below what a `Duration` holds: a thousand years.
        let own = Duration::from_secs_f64((self.started.elapsed().as_secs_f64() * self.speed).min(3.2e10));
        self.before.saturating_add(own)
    }
    /// Says whether it stands still for readers.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }
    /// Returns how many times faster than the wall it runs.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed
    }
}

#[async_trait]
impl Clock for LabClock {
    fn now(&self) -> Timestamp {
        if self.frozen {
            return self.base;
        }
        let passed = self.started.elapsed().as_secs_f64() * self.speed;
        let millis = (passed * 1000.0).min(9e15);
        // Whole milliseconds: what Graph shows, and what keeps documents short.
        #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
        self.base.saturating_add(SignedDuration::from_millis(millis as i64)).unwrap_or(Timestamp::MAX)
    }
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration.div_f64(self.speed)).await;
    }
}
