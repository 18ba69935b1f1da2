//! How many calls a peer may make: a bucket of tokens each.

use std::collections::BTreeMap;
use std::fmt;
// The types alone: `core` has no IO.
use core::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

/// Peers that are remembered at the most.
const PEERS_MAX: usize = 10_000;

/// Where a call came from: an IPv4 address, the /64 of an IPv6 one (whoever has one has all of them), or not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(Option<IpAddr>);

impl Peer {
    /// Takes an address.
    #[must_use]
    pub fn of(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V6(six) if !six.is_loopback() => {
                let [a, b, c, d, ..] = six.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
            other => other,
        }))
    }
    /// Says whether it is known to be this machine.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        self.0.is_some_and(|address| address.is_loopback())
    }
}
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(IpAddr::V6(six)) if !six.is_loopback() => write!(f, "{six}/64"),
            Some(address) => address.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

/// How much a peer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Tokens that a full bucket has.
    pub size: u32,
    /// Time in which one token comes back.
    pub every: SignedDuration,
}

impl Default for Bucket {
    /// 60 calls at once and 10 a second: a page that a person looks at makes a few.
    fn default() -> Self {
        Self { size: 60, every: SignedDuration::from_millis(100) }
    }
}

/// The buckets of all peers. Bounded: when it is full, those that are full again go, and then all do.
#[derive(Debug, Clone)]
pub struct Rates {
    bucket: Bucket,
    /// The moment at which each bucket is full again: all that a bucket has to remember.
    full_at: BTreeMap<Peer, Timestamp>,
}

impl Rates {
    /// Every bucket is full.
    #[must_use]
    pub const fn new(bucket: Bucket) -> Self {
        Self { bucket, full_at: BTreeMap::new() }
    }

    /// Takes tokens out of a peer's bucket.
    ///
    /// # Errors
    /// The time after which there are enough, and nothing was taken.
    pub fn take(&mut self, peer: Peer, tokens: u32, now: Timestamp) -> Result<(), SignedDuration> {
        let length = |tokens: u32| self.bucket.every.saturating_mul(i32::try_from(tokens).unwrap_or(i32::MAX));
        let full_at = self.full_at.get(&peer).copied().unwrap_or(now).max(now);
        // A clock that was put back must not lock anybody out for as long.
        let missing = full_at.duration_since(now).min(length(self.bucket.size));
        let after = missing.saturating_add(length(tokens.min(self.bucket.size)));
        if after > length(self.bucket.size) {
            return Err(after.saturating_sub(length(self.bucket.size)));
        }
        if self.full_at.len() >= PEERS_MAX && !self.full_at.contains_key(&peer) {
            self.full_at.retain(|_, moment| *moment > now);
            if self.full_at.len() >= PEERS_MAX {
                self.full_at.clear();
            }
        }
        self.full_at.insert(peer, now.checked_add(after).unwrap_or(now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_000_000_000 + millis).expect("a moment")
    }
    fn peer(text: &str) -> Peer {
        Peer::of(Some(text.parse().expect("an address")))
    }

    /// Catches somebody with one IPv6 network who counts as many, and a mapped address that isn't this machine.
    #[test]
    fn peers_are_networks() {
        assert_eq!(peer("2001:db8:1:2::1"), peer("2001:db8:1:2:ffff::9"));
        assert_ne!(peer("2001:db8:1:2::1"), peer("2001:db8:1:3::1"));
        assert_eq!(peer("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
        assert!(peer("::ffff:127.0.0.1").is_this_machine() && peer("::1").is_this_machine());
        assert!(!peer("10.0.0.1").is_this_machine() && !Peer::of(None).is_this_machine());
    }

    proptest! {
        /// Catches a rhythm of calls that gets more than the bucket and what flowed in, and a peer that pays for another.
        #[test]
        fn no_rhythm_gets_more(gaps in proptest::collection::vec(0_i64..500, 1..300)) {
            let bucket = Bucket { size: 5, every: SignedDuration::from_millis(100) };
            let mut rates = Rates::new(bucket);
            let (mut now, mut passed) = (0_i64, 0_i64);
            for gap in gaps {
                now += gap;
                passed += i64::from(rates.take(peer("10.0.0.1"), 1, at(now)).is_ok());
                prop_assert!(passed <= 5 + now / 100);
            }
            prop_assert!(rates.take(peer("10.0.0.2"), 5, at(now)).is_ok());
            prop_assert!(rates.take(peer("10.0.0.1"), 5, at(now + 500)).is_ok(), "it fills up again");
        }
    }

    /// Catches a table that grows with the peers that there are.
    #[test]
    fn it_is_bounded() {
        let mut rates = Rates::new(Bucket::default());
        for n in 0..30_000_u32 {
            rates.take(Peer::of(Some(IpAddr::from(n.to_be_bytes()))), 60, at(0)).expect("a full bucket");
            assert!(rates.full_at.len() <= PEERS_MAX);
        }
    }
}
