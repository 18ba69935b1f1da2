//! What is told of refused calls: the first of a kind at once, what follows counted.
//!
//! Whoever is turned away can try as often as the limits let him. An entry each would fill the list of what was decided
//! and done with what strangers want to write there; so the first of a kind is told at once, and those that follow are
//! told together when a minute is over, then two, four, up to an hour while they go on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::limits::Peer;

/// The first time for which repeats are counted.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);
/// The longest.
const WINDOW_MAX: SignedDuration = SignedDuration::from_hours(1);
/// Peers and people that one entry names.
const NAMED_MAX: usize = 8;

/// Why a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It had no token.
    NoToken,
    /// Its token is nobody's.
    WrongToken,
    /// Its session had ended.
    Ended,
    /// Its user is disabled.
    Disabled,
    /// The name is no user's, or the password is wrong.
    WrongPassword,
    /// The name or the peer is locked after wrong passwords.
    Locked,
    /// The access token of the identity provider isn't good.
    BadAccessToken,
    /// It came from another machine, to an API that isn't encrypted.
    InTheClear,
    /// The role lacks the right.
    Forbidden,
    /// Too many calls.
    TooMany,
}

impl Why {
    /// Returns its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoToken => "no-token",
            Self::WrongToken => "wrong-token",
            Self::Ended => "ended",
            Self::Disabled => "disabled",
            Self::WrongPassword => "wrong-password",
            Self::Locked => "locked",
            Self::BadAccessToken => "bad-access-token",
            Self::InTheClear => "in-the-clear",
            Self::Forbidden => "forbidden",
            Self::TooMany => "too-many",
        }
    }
}

/// Refused calls of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedCalls {
    /// Why.
    pub why: Why,
    /// How many.
    pub count: u64,
    /// When the first was.
    pub since: Timestamp,
    /// What was asked for, with how often: routes of the API, never what was typed.
    pub routes: BTreeMap<String, u64>,
    /// People that it is about, the first few. Only who is known: what strangers type as a name may be a password.
    pub people: BTreeSet<String>,
    /// Where they came from, the first few.
    pub peers: BTreeSet<String>,
    /// There were more people or peers.
    pub more: bool,
}

impl RefusedCalls {
    fn new(why: Why, now: Timestamp) -> Self {
        Self {
            why,
            count: 0,
            since: now,
            routes: BTreeMap::new(),
            people: BTreeSet::new(),
            peers: BTreeSet::new(),
            more: false,
        }
    }
    fn add(&mut self, route: &str, person: Option<&str>, peer: Peer) {
        self.count += 1;
        *self.routes.entry(route.to_owned()).or_default() += 1;
        let mut name = |names: &mut BTreeSet<String>, one: String| {
            if names.len() < NAMED_MAX || names.contains(&one) {
                names.insert(one);
            } else {
                self.more = true;
            }
        };
        name(&mut self.peers, peer.to_string());
        person.into_iter().for_each(|person| name(&mut self.people, person.to_owned()));
    }
}

#[derive(Debug, Clone)]
struct Pending {
    calls: RefusedCalls,
    until: Timestamp,
    window: SignedDuration,
}

/// Refused calls that aren't told yet. Bounded by the kinds, the routes and the names that an entry holds.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    pending: BTreeMap<Why, Pending>,
}

impl Refusals {
    /// Takes a refused call in; returns what is to be told now.
    pub fn add(
        &mut self,
        why: Why,
        route: &str,
        person: Option<&str>,
        peer: Peer,
        now: Timestamp,
    ) -> Vec<RefusedCalls> {
        let mut told = self.due(now);
        match self.pending.get_mut(&why) {
            Some(pending) => pending.calls.add(route, person, peer),
            None => {
                let mut first = RefusedCalls::new(why, now);
                first.add(route, person, peer);
                told.push(first);
                let until = now.checked_add(WINDOW).unwrap_or(now);
                self.pending.insert(why, Pending { calls: RefusedCalls::new(why, now), until, window: WINDOW });
            }
        }
        told
    }

    /// Returns what is to be told because its time is over.
    pub fn due(&mut self, now: Timestamp) -> Vec<RefusedCalls> {
        let mut told = Vec::new();
        self.pending.retain(|why, pending| {
            if now < pending.until {
                return true;
            }
            if pending.calls.count == 0 {
                return false;
            }
            told.push(std::mem::replace(&mut pending.calls, RefusedCalls::new(*why, now)));
            pending.window = pending.window.saturating_mul(2).min(WINDOW_MAX);
            pending.until = now.checked_add(pending.window).unwrap_or(now);
            true
        });
        told
    }

    /// Returns all that isn't told yet, before the process ends.
    pub fn rest(&mut self) -> Vec<RefusedCalls> {
        std::mem::take(&mut self.pending).into_values().map(|one| one.calls).filter(|calls| calls.count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + secs).expect("a moment")
    }

    proptest! {
        /// Catches a refused call that is told twice or not at all, an entry a call, and an entry that grows.
        #[test]
        fn every_call_is_told_once(calls in proptest::collection::vec((0_i64..120, 0_u8..3, any::<[u8; 4]>()), 1..300)) {
            let mut refusals = Refusals::default();
            let (mut now, mut told) = (0, Vec::new());
            for (gap, why, address) in &calls {
                now += gap;
                let why = [Why::NoToken, Why::WrongPassword, Why::Forbidden][usize::from(*why)];
                let before = told.len();
                let peer = Peer::of(Some(std::net::IpAddr::from(*address)));
                told.extend(refusals.add(why, "GET run", Some(&format!("u{}", address[0])), peer, at(now)));
                prop_assert!(before > 0 || told.len() == 1, "the first is told at once");
            }
            told.extend(refusals.rest());
            prop_assert_eq!(told.iter().map(|one| one.count).sum::<u64>(), calls.len() as u64);
            prop_assert!(told.iter().all(|one| one.peers.len() <= NAMED_MAX && one.people.len() <= NAMED_MAX));
            // Three kinds, each told once a minute at the most, and once in each silence.
            prop_assert!(told.len() as i64 <= 3 * (2 + now / 60));
        }
    }

    /// Catches a list that somebody fills by being turned away all day.
    #[test]
    fn a_day_of_tries_is_some_thirty_entries() {
        let mut refusals = Refusals::default();
        let told: usize =
            (0..86_400).map(|now| refusals.add(Why::WrongToken, "GET run", None, Peer::of(None), at(now)).len()).sum();
        assert!(told <= 32, "{told}");
    }
}
