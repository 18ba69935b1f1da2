//! How many connections there are, in all and of one address. A place is given back when it is dropped.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// There are too many connections.
    All,
    /// There are too many of this address.
    Peer,
}

/// The connections that there are.
#[derive(Debug)]
pub(super) struct Peers {
    all: usize,
    each: usize,
    open: Mutex<(usize, HashMap<IpAddr, usize>)>,
}

impl Peers {
    pub(super) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { all: all.max(1), each: each.max(1), open: Mutex::default() })
    }

    /// Takes a place for a connection.
    ///
    /// # Errors
    /// Which bound is reached.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Full> {
        let peer = key(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, each) = &mut *open;
        let own = each.get(&peer).copied().unwrap_or_default();
        // The address first: one that floods is told apart from a busy day.
        if own >= self.each {
            return Err(Full::Peer);
        }
        if *all >= self.all {
            return Err(Full::All);
        }
        *all += 1;
        each.insert(peer, own + 1);
        Ok(Place { peers: Arc::clone(self), peer })
    }

    /// Returns how many connections there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A connection's place.
#[derive(Debug)]
pub(super) struct Place {
    peers: Arc<Peers>,
    peer: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.peers.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, each) = &mut *open;
        *all = all.saturating_sub(1);
        if let Some(own) = each.get_mut(&self.peer) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                each.remove(&self.peer);
            }
        }
    }
}

/// Who has one address of IPv6 has the network of 64 bits that it is in.
fn key(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => {
            let mut segments = v6.segments();
            segments[4..].fill(0);
            IpAddr::from(segments)
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches places that are never given back, a bound that is one off, and an address that counts as many.
    #[test]
    fn places_are_counted() {
        let peers = Peers::new(3, 2);
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.1".parse().expect("an address"), "2001:db8::1".parse().expect("one"));
        let mut held = vec![peers.enter(a).expect("a place"), peers.enter(a).expect("a place")];
        assert_eq!(peers.enter(a).expect_err("too many"), Full::Peer);
        assert_eq!(peers.enter("::ffff:192.0.2.1".parse().expect("mapped")).expect_err("the same"), Full::Peer);
        held.push(peers.enter(b).expect("a place"));
        assert_eq!(peers.enter("2001:db8::9".parse().expect("a neighbour")).expect_err("full"), Full::All);
        held.clear();
        assert_eq!(peers.count(), 0);
        assert!(peers.open.lock().expect("a map").1.is_empty());
        assert!(peers.enter(a).is_ok());
    }
}
