//! Who has to wait after wrong passwords.
//!
//! Five wrong ones within a quarter of an hour lock a name for a quarter of an hour, the next five for twice as long, up
//! to a day. Tries while it is locked don't count, so that nobody is kept out for ever by somebody who goes on trying. The
//! same is held of peers with a larger number, since an office may be one address. Names that aren't users count as
//! well: what is locked must not tell who is a user.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// Keys that are remembered at the most.
const KEYS_MAX: usize = 10_000;

/// How many are borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Wrong ones that lock.
    pub wrong: u32,
    /// Time within which they count together, and the first lock's length.
    pub within: SignedDuration,
    /// The longest lock, and how long somebody has to be quiet until the next one is short again.
    pub longest: SignedDuration,
}

impl Rule {
    /// Of one name.
    pub const NAME: Self =
        Self { wrong: 5, within: SignedDuration::from_mins(15), longest: SignedDuration::from_hours(24) };
    /// Of one peer.
    pub const PEER: Self = Self { wrong: 20, ..Self::NAME };
}

#[derive(Debug, Clone, Copy)]
struct State {
    wrong: u32,
    first: Timestamp,
    /// The last wrong one.
    tried: Timestamp,
    /// The same, or the end of the lock: the time until then isn't a quiet one.
    last: Timestamp,
    locks: u32,
    until: Option<Timestamp>,
}

/// What is remembered of wrong ones, by key. Bounded: when it is full, those that were wrong longest ago are forgotten.
#[derive(Debug, Clone)]
pub struct Lockout<K: Ord> {
    rule: Rule,
    states: BTreeMap<K, State>,
}

impl<K: Ord + Clone> Lockout<K> {
    /// Remembers nothing.
    #[must_use]
    pub const fn new(rule: Rule) -> Self {
        Self { rule, states: BTreeMap::new() }
    }

    /// Says whether a key has to wait. What was before `forgiven` doesn't count.
    #[must_use]
    pub fn is_locked(&self, key: &K, now: Timestamp, forgiven: Option<Timestamp>) -> bool {
        let state = self.states.get(key).filter(|state| forgiven.is_none_or(|moment| state.tried > moment));
        state.and_then(|state| state.until).is_some_and(|until| now < until)
    }

    /// Takes a wrong one in. Returns whether it locks the key.
    pub fn wrong(&mut self, key: &K, now: Timestamp, forgiven: Option<Timestamp>) -> bool {
        if self.is_locked(key, now, forgiven) {
            return false;
        }
        let known = self.states.get(key).copied().filter(|state| forgiven.is_none_or(|moment| state.tried > moment));
        let quiet = known.is_none_or(|state| now.duration_since(state.last) >= self.rule.longest);
        let mut state = known.unwrap_or(State { wrong: 0, first: now, tried: now, last: now, locks: 0, until: None });
        if quiet {
            state.locks = 0;
        }
        if state.until.is_some() || now.duration_since(state.first) >= self.rule.within {
            (state.wrong, state.first, state.until) = (0, now, None);
        }
        state.wrong += 1;
        (state.tried, state.last) = (now, now);
        let locks = state.wrong >= self.rule.wrong;
        if locks {
            let times = 1_i32.checked_shl(state.locks.min(20)).unwrap_or(i32::MAX);
            let length = self.rule.within.checked_mul(times).unwrap_or(self.rule.longest).min(self.rule.longest);
            state.locks = state.locks.saturating_add(1);
            state.until = now.checked_add(length).ok();
            state.last = state.until.unwrap_or(now);
        }
        self.states.insert(key.clone(), state);
        self.bound();
        locks
    }

    /// Forgets a key: the right one was given.
    pub fn right(&mut self, key: &K) {
        self.states.remove(key);
    }

    /// Half of it goes at once, so that the work is spread over as many calls.
    fn bound(&mut self) {
        if self.states.len() <= KEYS_MAX {
            return;
        }
        let mut moments: Vec<Timestamp> = self.states.values().map(|state| state.last).collect();
        let middle = moments.len() / 2;
        let cut = *moments.select_nth_unstable(middle).1;
        self.states.retain(|_, state| state.last > cut);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + secs).expect("a moment")
    }
    fn lock(lockout: &mut Lockout<&'static str>, now: i64) {
        (0..4).for_each(|_| assert!(!lockout.wrong(&"jane", at(now), None)));
        assert!(lockout.wrong(&"jane", at(now), None));
    }

    /// Catches a lock that doesn't grow, one that ends early, and one that goes on for ever.
    #[test]
    fn locks_grow_and_end() {
        let mut lockout = Lockout::new(Rule::NAME);
        let mut now = 0;
        for minutes in [15, 30, 60, 120, 240, 480, 960, 1440, 1440] {
            lock(&mut lockout, now);
            assert!(lockout.is_locked(&"jane", at(now + minutes * 60 - 1), None), "{minutes}");
            now += minutes * 60;
            assert!(!lockout.is_locked(&"jane", at(now), None), "{minutes}");
        }
        lock(&mut lockout, now + 3 * 86_400);
        assert!(!lockout.is_locked(&"jane", at(now + 3 * 86_400 + 900), None), "a quiet time makes it short again");
    }

    /// Catches wrong ones of long ago that count, a right one that forgets nothing, and a lock of somebody else.
    #[test]
    fn only_what_is_together_counts() {
        let mut lockout = Lockout::new(Rule::NAME);
        assert!((0..40).all(|n| !lockout.wrong(&"jane", at(n * 225), None)), "four in a quarter of an hour");
        let now = 100_000;
        (0..4).for_each(|_| assert!(!lockout.wrong(&"jane", at(now), None)));
        lockout.right(&"jane");
        assert!(!lockout.wrong(&"jane", at(now), None));
        lock(&mut lockout, 200_000);
        assert!(!lockout.is_locked(&"john", at(200_000), None));
        assert!(!lockout.is_locked(&"jane", at(200_001), Some(at(200_001))), "an administrator let the user in again");
    }

    proptest! {
        /// Catches any rhythm of tries that gets more than five of them looked at in a quarter of an hour.
        #[test]
        fn no_rhythm_gets_more(gaps in proptest::collection::vec(0_i64..1200, 1..200)) {
            let mut lockout = Lockout::new(Rule::NAME);
            let (mut now, mut looked_at) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                if !lockout.is_locked(&"jane", at(now), None) {
                    looked_at.push(now);
                    lockout.wrong(&"jane", at(now), None);
                }
            }
            // A window that slides may lie over two counts: four of one and five of the next.
            for window in looked_at.windows(10) {
                prop_assert!(window[9] - window[0] >= 900, "{:?}", window);
            }
        }

        /// Catches a table that grows with the names that somebody makes up.
        #[test]
        fn it_is_bounded(start in 0_u32..1000) {
            let mut lockout = Lockout::new(Rule::NAME);
            for key in start..start + 25_000 {
                lockout.wrong(&key, at(i64::from(key)), None);
            }
            prop_assert!(lockout.states.len() <= KEYS_MAX);
        }
    }
}
