//! How often one caller may call: a bucket of calls that fills again with time.
//!
//! A caller is known by what it shows as its token, before anybody looks whether the token is good: nobody can empty
//! another's bucket without having its token, and who shows a new one each time fails at the next door, which costs
//! no write.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

/// Callers that are remembered; a fleet of a hundred thousand fits.
const CALLERS: usize = 131_072;

/// The buckets of all callers. Times count from any moment, the same for all.
#[derive(Debug)]
pub(super) struct Buckets {
    per_sec: f64,
    burst: f64,
    // Keyed hashes: nobody can choose a token that falls into another's bucket.
    hash: RandomState,
    left: HashMap<u64, (f64, Duration)>,
}

impl Buckets {
    pub(super) fn new(per_sec: u32, burst: u32) -> Self {
        let (per_sec, burst) = (f64::from(per_sec.max(1)), f64::from(burst.max(1)));
        Self { per_sec, burst, hash: RandomState::new(), left: HashMap::new() }
    }

    /// Takes one call out of a caller's bucket.
    ///
    /// # Errors
    /// The whole seconds until there is one, where the bucket is empty.
    pub(super) fn take(&mut self, now: Duration, caller: &[u8]) -> Result<(), u32> {
        if self.left.len() >= CALLERS {
            let (full, per_sec) = (self.burst, self.per_sec);
            self.left.retain(|_, (left, at)| filled(*left, *at, now, per_sec) < full);
            // Still full: callers by the hundred thousand, all in a hurry. All of them begin anew.
            if self.left.len() >= CALLERS {
                self.left.clear();
            }
        }
        let (left, at) = self.left.entry(self.hash.hash_one(caller)).or_insert((self.burst, now));
        let now_left = filled(*left, *at, now, self.per_sec).min(self.burst);
        (*left, *at) = (now_left, now);
        if now_left < 1.0 {
            // At most the time for one call, a second.
            return Err((((1.0 - now_left) / self.per_sec).ceil() as u32).max(1));
        }
        *left -= 1.0;
        Ok(())
    }
}

fn filled(left: f64, at: Duration, now: Duration, per_sec: f64) -> f64 {
    left + now.saturating_sub(at).as_secs_f64() * per_sec
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a caller that takes another's share, one that is kept out for ever, and a bucket that overflows.
    #[test]
    fn one_caller_is_slowed_and_no_other() {
        let mut buckets = Buckets::new(2, 10);
        let now = Duration::from_secs(5);
        assert_eq!((0..20).filter(|_| buckets.take(now, b"a").is_ok()).count(), 10);
        assert_eq!(buckets.take(now, b"a"), Err(1));
        assert!(buckets.take(now, b"b").is_ok());
        let later = now + Duration::from_secs(2);
        assert_eq!((0..20).filter(|_| buckets.take(later, b"a").is_ok()).count(), 4);
        let much_later = now + Duration::from_secs(3600);
        assert_eq!((0..20).filter(|_| buckets.take(much_later, b"a").is_ok()).count(), 10);
    }

    /// Catches memory that grows with every token that a stranger makes up.
    #[test]
    fn strangers_take_no_memory() {
        let mut buckets = Buckets::new(1, 1);
        for n in 0_u64..300_000 {
            assert!(buckets.take(Duration::from_micros(n), &n.to_le_bytes()).is_ok());
            assert!(buckets.left.len() <= CALLERS);
        }
    }
}
