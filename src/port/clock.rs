//! Time. A world has its own clock: in the lab, minutes pass in moments.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// The world's clock.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Returns the moment.
    fn now(&self) -> Timestamp;
    /// Waits for a time of this world.
    async fn sleep(&self, duration: Duration);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
