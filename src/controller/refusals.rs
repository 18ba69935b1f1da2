//! Calls that were turned away, for the audit list: the first of a kind at once, its repeats counted together, so that
//! nobody who knocks on the door can fill the list or the disk.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::audit::{CallsRefused, Fact, Note};
use crate::model::DeviceName;
use crate::port::{Clock, Store};

/// Repeats within this time are one entry.
const TOGETHER: SignedDuration = SignedDuration::from_mins(1);
/// Kinds that are told apart at one time. What comes beyond is told as one.
const KINDS_MAX: usize = 256;
/// Who tells it.
const CONTROLLER: &str = "controller";

/// What is told apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    call: &'static str,
    reason: String,
    device: Option<DeviceName>,
    peer: Option<IpAddr>,
}

struct Since {
    told: Timestamp,
    untold: u64,
}

/// Calls that were turned away.
pub struct Refusals {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    kinds: Mutex<BTreeMap<Kind, Since>>,
}

impl Refusals {
    /// Takes the store that has the list.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, kinds: Mutex::default() }
    }

    /// Tells of a call that was turned away; `device` is one that the run knows.
    pub fn tell(&self, call: &'static str, reason: &str, device: Option<&DeviceName>, peer: Option<IpAddr>) {
        let now = self.clock.now();
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut notes = due(&mut kinds, now, TOGETHER);
        let mut kind = Kind { call, reason: reason.to_owned(), device: device.cloned(), peer };
        if kinds.len() >= KINDS_MAX && !kinds.contains_key(&kind) {
            kind = Kind {
                call: "other",
                reason: "too many kinds of refused calls at once".to_owned(),
                device: None,
                peer: None,
            };
        }
        match kinds.get_mut(&kind) {
            Some(since) => since.untold += 1,
            None => {
                notes.push(note(&kind, now, 1));
                kinds.insert(kind, Since { told: now, untold: 0 });
            }
        }
        self.write(&notes);
    }

    /// Tells what wasn't told yet.
    pub fn flush(&self) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let notes = due(&mut kinds, self.clock.now(), SignedDuration::ZERO);
        self.write(&notes);
    }

    fn write(&self, notes: &[Note]) {
        if !notes.is_empty()
            && let Err(problem) = self.store.add_audit(notes)
        {
            // The store's own watch stops the run; the caller is turned away whatever comes of this.
            tracing::error!(%problem, "refused calls can't be told in the audit list");
        }
    }
}

/// Takes out the kinds whose time is over, and returns what their repeats come to.
fn due(kinds: &mut BTreeMap<Kind, Since>, now: Timestamp, after: SignedDuration) -> Vec<Note> {
    let mut notes = Vec::new();
    kinds.retain(|kind, since| {
        if now.duration_since(since.told) < after {
            return true;
        }
        if since.untold > 0 {
            notes.push(note(kind, now, since.untold));
        }
        false
    });
    notes
}

fn note(kind: &Kind, at: Timestamp, count: u64) -> Note {
    let refused = CallsRefused {
        call: kind.call.to_owned(),
        reason: kind.reason.clone(),
        device: kind.device.clone(),
        peer: kind.peer,
        count,
    };
    Note { at, actor: CONTROLLER.to_owned(), fact: Fact::CallsRefused(refused) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::fake::FakeClock;
    use crate::store::MemoryStore;

    fn counts(store: &MemoryStore) -> Vec<(String, u64)> {
        let links = store.audit().expect("the list");
        let of = |link: &crate::audit::Link| match link.entry()?.fact {
            Fact::CallsRefused(refused) => Some((refused.reason, refused.count)),
            _ => None,
        };
        links.iter().filter_map(of).collect()
    }

    /// Catches a stranger who fills the audit list, and one whose knocking isn't told at all.
    #[test]
    fn repeats_are_counted_together() {
        let store = Arc::new(MemoryStore::new());
        let refusals = Refusals::new(store.clone(), Arc::new(FakeClock::default()));
        for _ in 0..1000 {
            refusals.tell("order", "no token", None, None);
        }
        assert_eq!(counts(&store), [("no token".to_owned(), 1)], "the first is told at once");
        refusals.flush();
        assert_eq!(counts(&store)[1..], [("no token".to_owned(), 999)]);
        for number in 0..10_000_u32 {
            refusals.tell("order", "no token", None, Some(IpAddr::from(number.to_be_bytes())));
        }
        assert!(counts(&store).len() < 300, "{}", counts(&store).len());
        refusals.flush();
        assert_eq!(counts(&store).iter().map(|(_, count)| count).sum::<u64>(), 11_000);
    }
}
