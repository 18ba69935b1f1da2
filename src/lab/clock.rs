//! The lab's clock: minutes of restarts and waiting pass in moments.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::store::LabStore;
use crate::port::Clock;

/// Kind and id of the time in the lab's store.
pub(super) const KEPT: (&str, &str) = ("meta", "clock");
/// Least time that is claimed ahead, in seconds of the world.
const AHEAD_SECS: i64 = 60;

/// Keeps a running clock from ever going back, also where its process is killed: time is claimed on disk, a
/// little ahead, before anybody sees it. Without this a device would be enrolled before it was joined.
#[derive(Debug)]
pub(super) struct Keeper {
    store: Arc<LabStore>,
    /// Up to which second time is claimed.
    until: AtomicI64,
    turn: Mutex<()>,
}

impl Keeper {
    pub(super) fn new(store: Arc<LabStore>) -> Arc<Self> {
        Arc::new(Self { store, until: AtomicI64::new(i64::MIN), turn: Mutex::default() })
    }
    /// Gives back what was claimed ahead: `now` is what the next process begins with.
    pub(super) fn release(&self) {
        self.until.store(i64::MIN, Ordering::Release);
    }
    fn claim(&self, now: Timestamp, speed: f64) {
        let second = now.as_second();
        if second < self.until.load(Ordering::Acquire) {
            return;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if second < self.until.load(Ordering::Acquire) {
            return;
        }
        // A hundredth of a second of the wall, so that fast clocks don't write all the time.
        #[expect(clippy::cast_possible_truncation, reason = "bounded")]
        let ahead = AHEAD_SECS.max((speed / 100.0).min(1e6) as i64);
        let until = second.saturating_add(ahead);
        let Ok(moment) = Timestamp::from_second(until) else { return };
        match self.store.put_greater(KEPT.0, KEPT.1, &moment.to_string()) {
            Ok(()) => self.until.store(until, Ordering::Release),
            // Whoever writes something that counts will hear of the disk.
            Err(problem) => tracing::warn!(%problem, "the lab's time isn't kept"),
        }
    }
}

/// A clock that starts at a moment of the world and runs faster than the wall.
#[derive(Debug, Clone)]
pub struct LabClock {
    base: Timestamp,
    started: Instant,
    speed: f64,
    frozen: bool,
    /// What had passed before this clock was made.
    before: Duration,
    keeper: Option<Arc<Keeper>>,
}

impl LabClock {
    /// Returns a clock that shows `base` now and runs `speed` times as fast as the wall.
    #[must_use]
    pub fn running(base: Timestamp, speed: f64) -> Self {
        Self {
            base,
            started: Instant::now(),
            speed: speed.max(0.001),
            frozen: false,
            before: Duration::ZERO,
            keeper: None,
        }
    }
    /// Returns a clock that stands still for readers, while waits still pass: for commands that only look.
    #[must_use]
    pub fn frozen(base: Timestamp, speed: f64) -> Self {
        Self { frozen: true, ..Self::running(base, speed) }
    }
    /// Has its time kept on disk.
    pub(super) fn kept_by(self, keeper: Arc<Keeper>) -> Self {
        Self { keeper: Some(keeper), ..self }
    }
    /// Returns the clock that goes on from this one, some time later.
    pub(super) fn after(&self, skip: Duration, frozen: bool) -> Self {
        let skipped = SignedDuration::try_from(skip).unwrap_or(SignedDuration::MAX);
        let base = self.now().saturating_add(skipped).unwrap_or(Timestamp::MAX);
        let keeper = self.keeper.clone();
        Self { frozen, before: self.passed().saturating_add(skip), keeper, ..Self::running(base, self.speed) }
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
        let now = self.base.saturating_add(SignedDuration::from_millis(millis as i64)).unwrap_or(Timestamp::MAX);
        if let Some(keeper) = &self.keeper {
            keeper.claim(now, self.speed);
        }
        now
    }
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration.div_f64(self.speed)).await;
    }
}
