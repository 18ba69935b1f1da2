//! The row before the store: some calls are let through at a time, a bounded number waits in the order in which they
//! came, and everybody else is told when to come back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::Limits;
use super::booking::Booking;
use super::bucket::Buckets;

/// The row, the bytes that are kept for those who stand in it, and how often each caller calls.
#[derive(Debug)]
pub(in crate::controller) struct Gate {
    // Tokio's semaphore gives its places in the order in which they were asked for.
    calls: Semaphore,
    row: AtomicUsize,
    row_max: usize,
    bytes: Arc<Semaphore>,
    booking: Mutex<Booking>,
    buckets: Mutex<Buckets>,
    begun: Instant,
}

/// A call that is let through; counted as answered when it is dropped.
#[derive(Debug)]
pub(super) struct Through<'a> {
    gate: &'a Gate,
    _place: SemaphorePermit<'a>,
}

impl Gate {
    pub(in crate::controller) fn new(limits: &Limits) -> Self {
        let bytes = limits.buffered_bytes.div_ceil(UNIT).min(Semaphore::MAX_PERMITS);
        Self {
            calls: Semaphore::new(limits.calls.max(1)),
            row: AtomicUsize::new(0),
            row_max: limits.queue,
            bytes: Arc::new(Semaphore::new(bytes)),
            booking: Mutex::new(Booking::new()),
            buckets: Mutex::new(Buckets::new(limits.caller_per_sec, limits.caller_burst)),
            begun: Instant::now(),
        }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Returns the seconds after which somebody who can't be served now shall come back.
    pub(in crate::controller) fn later(&self) -> u32 {
        let row = self.row.load(Ordering::Relaxed);
        self.booking.lock().unwrap_or_else(PoisonError::into_inner).book(self.now(), row)
    }

    /// Counts a caller's call.
    ///
    /// # Errors
    /// The seconds until it may call again.
    pub(in crate::controller) fn count(&self, caller: &[u8]) -> Result<(), u32> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner).take(self.now(), caller)
    }

    /// Waits for its turn. Dropping the wait gives up the place in the row.
    ///
    /// # Errors
    /// The seconds after which to come back, where the row is full.
    pub(super) async fn enter(&self) -> Result<Through<'_>, u32> {
        if let Ok(place) = self.calls.try_acquire() {
            return Ok(Through { gate: self, _place: place });
        }
        let stands = Stands(&self.row);
        if self.row.fetch_add(1, Ordering::Relaxed) >= self.row_max {
            return Err(self.later());
        }
        // Never closed.
        let place = self.calls.acquire().await.map_err(|_| self.later())?;
        drop(stands);
        Ok(Through { gate: self, _place: place })
    }

    /// Keeps room for bytes that have come; none where there is no room.
    pub(super) fn keep(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        Arc::clone(&self.bytes).try_acquire_many_owned(units).ok()
    }
}

/// Bytes that are counted together.
const UNIT: usize = 1024;

/// A place in the row.
struct Stands<'a>(&'a AtomicUsize);

impl Drop for Stands<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Through<'_> {
    fn drop(&mut self) {
        let busy = self.gate.row.load(Ordering::Relaxed) > 0;
        let now = self.gate.now();
        self.gate.booking.lock().unwrap_or_else(PoisonError::into_inner).answered(now, busy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a row without an end, one that isn't in order, and places that are lost with a caller that hung up.
    #[tokio::test]
    async fn a_row_is_bounded_and_fair() {
        let gate = Gate::new(&Limits { calls: 1, queue: 2, ..Limits::default() });
        let first = gate.enter().await.expect("let through");
        let (mut second, mut third) = (Box::pin(gate.enter()), Box::pin(gate.enter()));
        assert!(futures_util::poll!(&mut second).is_pending() && futures_util::poll!(&mut third).is_pending());
        assert!(gate.enter().await.expect_err("full") >= 1);
        drop(second);
        let mut fourth = Box::pin(gate.enter());
        assert!(futures_util::poll!(&mut fourth).is_pending(), "a place in the row is free again");
        drop(first);
        assert!(futures_util::poll!(&mut fourth).is_pending(), "it came after the third");
        drop(third.await.expect("its turn"));
        drop(fourth.await.expect("its turn"));
        assert_eq!(gate.row.load(Ordering::Relaxed), 0);
    }

    /// Catches bodies that fill the memory.
    #[test]
    fn bytes_are_bounded() {
        let gate = Gate::new(&Limits { buffered_bytes: 4096, ..Limits::default() });
        let kept = gate.keep(4096).expect("room");
        assert!(gate.keep(1).is_none());
        drop(kept);
        assert!(gate.keep(1).is_some());
    }
}
