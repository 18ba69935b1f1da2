//! Token buckets in the world's time: what may be sent now, and what has to wait.
//!
//! One limiter belongs to one client, which is one app in one tenant. A clock may stand still for readers
//! while waits pass (`lab::clock`), so time here is the clock's or, where that is later, the end of a wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::quota::{Bucket, QUOTAS, Service};
use crate::port::Clock;

/// Longest pause that one answer can ask for. A longer `Retry-After` is the caller's to give up on.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// What may be sent, by service.
pub(super) struct Limiter {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    floor: Timestamp,
    services: BTreeMap<Service, Lane>,
}

struct Lane {
    requests: Bucket,
    writes: Bucket,
    paused_until: Timestamp,
}

impl Limiter {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let now = clock.now();
        let lane = |quota: &super::quota::Quota| Lane {
            requests: Bucket::new(quota.requests_per_sec, now),
            writes: Bucket::new(quota.writes_per_sec, now),
            paused_until: now,
        };
        let services = QUOTAS.iter().map(|quota| (quota.service, lane(quota))).collect();
        Self { clock, state: Mutex::new(State { floor: now, services }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain numbers: a panic elsewhere while they were held leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the moment by this limiter.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now().max(self.state().floor)
    }

    /// Waits for a time of the world.
    pub(super) async fn sleep(&self, wait: Duration) {
        let start = self.now();
        self.clock.sleep(wait).await;
        let end = start.checked_add(wait).unwrap_or(Timestamp::MAX);
        let mut state = self.state();
        state.floor = state.floor.max(end);
    }

    /// Waits until a service may be asked: `units` of its request quota, and one write where it is one.
    pub(super) async fn acquire(&self, service: Service, units: u32, write: bool) {
        let now = self.now();
        let mut wait = {
            let mut state = self.state();
            let Some(lane) = state.services.get_mut(&service) else { return };
            let requests = lane.requests.take(now, f64::from(units));
            let writes = if write { lane.writes.take(now, 1.0) } else { Duration::ZERO };
            requests.max(writes).max(until(now, lane.paused_until))
        };
        // A pause may begin while this one waits.
        while wait > Duration::ZERO {
            self.sleep(wait).await;
            let now = self.now();
            wait = self.state().services.get(&service).map_or(Duration::ZERO, |lane| until(now, lane.paused_until));
        }
    }

    /// Lets nothing more go to a service for a while, and less after that.
    pub(super) fn pause(&self, service: Service, wait: Duration) {
        let now = self.now();
        let mut state = self.state();
        let Some(lane) = state.services.get_mut(&service) else { return };
        // Answers to requests that were under way together are one sign, not many.
        if lane.paused_until <= now {
            lane.requests.throttled();
            lane.writes.throttled();
        }
        let end = now.checked_add(wait.min(PAUSE_MAX)).unwrap_or(Timestamp::MAX);
        lane.paused_until = lane.paused_until.max(end);
    }

    /// Takes note of an answer that wasn't a refusal to serve.
    pub(super) fn answered(&self, service: Service) {
        if let Some(lane) = self.state().services.get_mut(&service) {
            lane.requests.answered();
            lane.writes.answered();
        }
    }
}

fn until(now: Timestamp, then: Timestamp) -> Duration {
    then.duration_since(now).try_into().unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that stands still and counts what was slept, as a lab that only looks.
    struct Frozen(Mutex<Duration>);

    #[async_trait::async_trait]
    impl Clock for Frozen {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
        async fn sleep(&self, duration: Duration) {
            *self.0.lock().expect("unpoisoned") += duration;
        }
    }

    /// Catches waits that add up without end because a standing clock never refills a bucket.
    #[tokio::test]
    async fn standing_clock() {
        let clock = Arc::new(Frozen(Mutex::default()));
        let limiter = Limiter::new(clock.clone());
        for _ in 0..31 {
            limiter.acquire(Service::ConditionalAccess, 1, false).await;
        }
        let slept = clock.0.lock().expect("unpoisoned").as_secs_f64();
        assert!((slept - 30.0).abs() < 0.5, "{slept}");
    }

    /// Catches a pause that one caller honours and the others don't.
    #[tokio::test]
    async fn pause_holds_everybody() {
        let clock = Arc::new(Frozen(Mutex::default()));
        let limiter = Limiter::new(clock.clone());
        limiter.pause(Service::IntuneDevices, Duration::from_secs(20));
        limiter.acquire(Service::Directory, 1, false).await;
        assert_eq!(*clock.0.lock().expect("unpoisoned"), Duration::ZERO);
        limiter.acquire(Service::IntuneDevices, 1, false).await;
        assert!(*clock.0.lock().expect("unpoisoned") >= Duration::from_secs(20));
    }
}
