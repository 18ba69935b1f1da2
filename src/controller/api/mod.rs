//! The operators' API over HTTP: `/api/v1/…`.
//!
//! ```text
//! request --limits of the peer--> --who is it?--> --may they?--> handler --> answer
//!              429                    401             403
//! ```
//!
//! [`ROUTES`] is the one table of calls: the router, the docs and the tests are made from it, so that no call is without
//! a right. Whoever isn't let in gets one answer, whatever the reason; the audit list is told the reason.

mod guard;
mod local;
mod login;
mod oidc;
mod reads;
mod routes;
mod users;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use jiff::Timestamp;
use tokio::sync::Semaphore;

pub use local::OneTimeToken;
pub use oidc::{Oidc, OidcConfig};
pub use routes::{Access, ROUTES, Route, Verb};

use super::Operations;
use super::exec::blocking;
use crate::audit::{Acted, Fact, Note};
use crate::model::{Digest, Problem, Retry};
use crate::operators::{Bucket, Lockout, Peer, Rates, Refusals, Right, Rule, Who, Why};
use crate::port::{Clock, OperatorStore, Result};

/// Tokens of access that were told of as let in; when there are more they are told again.
const TOLD_MAX: usize = 1000;

/// What the API bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiLimits {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Longest time for a call, in milliseconds of the wall clock.
    pub call_millis: u64,
    /// Calls of one peer.
    pub calls: Bucket,
    /// Passwords that are held against a hash at the same time: each takes 19 MiB.
    pub hashes: usize,
    /// Calls at the same time that read a whole run.
    pub reads: usize,
}

impl Default for ApiLimits {
    /// 64 KiB holds any call; a report of 100,000 devices takes some seconds.
    fn default() -> Self {
        Self { body_bytes: 64 << 10, call_millis: 20_000, calls: Bucket::default(), hashes: 4, reads: 2 }
    }
}

/// How the API lets people in.
#[derive(Default)]
pub struct ApiConfig {
    /// What it bears.
    pub limits: ApiLimits,
    /// The token of whoever has the run carried out, for calls from this machine alone.
    pub local: Option<OneTimeToken>,
    /// The organisation's identity provider.
    pub oidc: Option<Oidc>,
    /// Calls from other machines are turned away: what is served isn't encrypted.
    pub this_machine_only: bool,
}

/// The API of one run. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    store: Arc<dyn OperatorStore>,
    operations: Operations,
    /// The machine's clock: sessions and locks are about people, also where the lab's clock runs faster.
    clock: Arc<dyn Clock>,
    /// The world's clock, which the audit list goes by.
    world: Arc<dyn Clock>,
    config: ApiConfig,
    names: Mutex<Lockout<Digest>>,
    peers: Mutex<Lockout<Peer>>,
    rates: Mutex<Rates>,
    refusals: Mutex<Refusals>,
    hashing: Semaphore,
    reading: Arc<Semaphore>,
    seen: reads::Seen,
    told: Mutex<BTreeSet<Digest>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Api {
    /// Makes the API of a run. `clock` is the machine's, `world` the one that the audit list goes by.
    #[must_use]
    pub fn new(
        operations: Operations,
        store: Arc<dyn OperatorStore>,
        clock: Arc<dyn Clock>,
        world: Arc<dyn Clock>,
        config: ApiConfig,
    ) -> Self {
        Self(Arc::new(Inner {
            names: Mutex::new(Lockout::new(Rule::NAME)),
            peers: Mutex::new(Lockout::new(Rule::PEER)),
            rates: Mutex::new(Rates::new(config.limits.calls)),
            hashing: Semaphore::new(config.limits.hashes),
            reading: Arc::new(Semaphore::new(config.limits.reads)),
            refusals: Mutex::default(),
            seen: reads::Seen::default(),
            told: Mutex::default(),
            store,
            operations,
            clock,
            world,
            config,
        }))
    }

    /// Returns the routes, to be merged with what else the controller serves. Peers are known where the server puts
    /// `ConnectInfo<SocketAddr>` into requests.
    pub fn router(&self) -> Router {
        routes::router(self).layer(DefaultBodyLimit::max(self.0.config.limits.body_bytes)).with_state(self.clone())
    }

    /// Tells of refused calls whose time is over, as long as the run goes on.
    pub async fn keep_telling(&self) {
        loop {
            tokio::time::sleep(Duration::from_secs(15)).await;
            let due = lock(&self.0.refusals).due(self.0.clock.now());
            self.tell_refusals(due);
        }
    }

    /// Tells of all refused calls that aren't told yet: the process is about to end.
    pub fn close(&self) {
        let rest = lock(&self.0.refusals).rest();
        self.tell_refusals(rest);
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
    fn note(&self, actor: &str, fact: Fact) -> Note {
        Note { at: self.0.world.now(), actor: actor.to_owned(), fact }
    }
    fn tell(&self, actor: &str, fact: Fact) -> Result<()> {
        let note = self.note(actor, fact);
        blocking(|| self.0.store.add_audit(&[note]))
    }
    /// Tells what somebody is about to do: an act that can't be told isn't done.
    fn tell_act(&self, who: &Who, route: &Route, right: Right, object: Option<String>) -> Result<()> {
        let subject = who.subject.clone();
        self.tell(&who.actor, Fact::OperatorActed(Acted { right, route: route.name(), object, subject }))
    }
    /// A refusal stays one where it can't be told.
    fn refused(&self, why: Why, route: &Route, person: Option<&str>, peer: Peer) {
        tracing::info!(why = why.word(), route = route.name(), person, %peer, "refused");
        let due = lock(&self.0.refusals).add(why, &route.name(), person, peer, self.now());
        self.tell_refusals(due);
    }
    fn tell_refusals(&self, calls: Vec<crate::operators::RefusedCalls>) {
        for one in calls {
            if let Err(problem) = self.tell("api", Fact::OperatorRefused(one)) {
                tracing::error!(%problem, "refused calls can't be told");
            }
        }
    }
    /// Says whether a token is let in for the first time.
    fn is_first(&self, token: &str) -> bool {
        let mut told = lock(&self.0.told);
        if told.len() >= TOLD_MAX {
            told.clear();
        }
        told.insert(Digest::of(token.as_bytes()))
    }
}

/// Fills an array with random bytes.
fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|e| {
        Problem::new("api.no-randomness", "the system gives no random numbers")
            .next("try again; a token is never made without them")
            .retry(Retry::Soon)
            .detail(e.to_string())
    })?;
    Ok(bytes)
}

/// Hashes a new password.
///
/// # Errors
/// `users.password` where it isn't good enough, `api.no-randomness`.
pub fn hash_password(name: &crate::operators::UserName, password: &str) -> Result<crate::operators::PasswordHash> {
    crate::operators::check_password(name, password)?;
    crate::operators::PasswordHash::of(password, &random()?).map_err(|why| {
        Problem::new("users.hash", "the password can't be hashed").detail(why).next("free some memory, and try again")
    })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_oidc;
