//! Quotas (msgraph.md 3), as buckets that fill in the world's time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lab::world::WorldService;

/// Which quota a request goes against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Service {
    /// Directory: resource units per app and tenant, writes besides.
    Directory,
    /// Intune devices.
    Intune,
    /// Intune enrolment and configuration.
    IntuneConfig,
    /// Conditional Access: one request a second for all apps, never a `Retry-After`.
    ConditionalAccess,
    /// Reports.
    Reports,
}

/// A bucket: its size, and the seconds in which it fills.
type Quota = (&'static str, bool, f64, f64, f64);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: f64,
    at: f64,
}

/// All buckets.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    buckets: BTreeMap<(String, String, &'static str), Bucket>,
}

/// The buckets that a request takes from: name, per app, size, seconds, units.
fn quotas(service: Service, write: bool, cost: u32, users: usize) -> Vec<Quota> {
    let mut quotas: Vec<Quota> = Vec::with_capacity(3);
    match service {
        Service::Directory => {
            // Tenants are small below 50 users and large above 500.
            let units = if users < 50 {
                3500.0
            } else if users <= 500 {
                5000.0
            } else {
                8000.0
            };
            quotas.push(("directory", true, units, 10.0, f64::from(cost)));
            if write {
                quotas.push(("directory-writes", true, 3000.0, 150.0, 1.0));
                quotas.push(("directory-tenant-writes", false, 18_000.0, 300.0, 1.0));
            }
        }
        Service::Intune => {
            quotas.push(("intune", true, 2000.0, 20.0, 1.0));
            quotas.push(("intune-tenant", false, 4000.0, 20.0, 1.0));
            if write {
                quotas.push(("intune-writes", true, 200.0, 20.0, 1.0));
                quotas.push(("intune-tenant-writes", false, 400.0, 20.0, 1.0));
            }
        }
        Service::IntuneConfig => {
            quotas.push(("intune-config", true, 1000.0, 20.0, 1.0));
            if write {
                quotas.push(("intune-config-writes", true, 100.0, 20.0, 1.0));
            }
        }
        Service::ConditionalAccess => quotas.push(("conditional-access", false, 1.0, 1.0, 1.0)),
        Service::Reports => quotas.push(("reports", true, 5.0, 10.0, 1.0)),
    }
    quotas
}

/// A request against quotas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Charge<'a> {
    pub(super) tenant: &'a str,
    pub(super) app: &'a str,
    pub(super) service: Service,
    pub(super) write: bool,
    /// Resource units.
    pub(super) cost: u32,
    /// Users of the tenant.
    pub(super) users: usize,
}

impl Throttle {
    /// Takes a request's units, or says after how many seconds they will be there. `passed` is the world's
    /// running time in seconds.
    pub(super) fn charge(
        &mut self,
        charge: &Charge<'_>,
        service: &WorldService,
        passed: f64,
    ) -> Result<(), Option<u64>> {
        if service.throttle <= 0.0 {
            return Ok(());
        }
        let quotas = quotas(charge.service, charge.write, charge.cost, charge.users);
        let mut wait: f64 = 0.0;
        for (name, own, size, secs, units) in &quotas {
            // A bucket holds at least one request: a quota of none would never answer.
            let size = (size / service.throttle).max(*units);
            let app = if *own { charge.app } else { "" };
            let key = (charge.tenant.to_owned(), app.to_owned(), *name);
            let bucket = self.buckets.entry(key).or_insert(Bucket { level: size, at: passed });
            let rate = size / secs;
            bucket.level = (bucket.level + (passed - bucket.at).max(0.0) * rate).min(size);
            bucket.at = passed;
            if bucket.level < *units {
                wait = wait.max((units - bucket.level) / rate);
            }
        }
        if wait > 0.0 {
            let told = service.retry_after && charge.service != Service::ConditionalAccess;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and small")]
            return Err(told.then_some(wait.ceil().max(1.0) as u64));
        }
        for (name, own, _, _, units) in quotas {
            let app = if own { charge.app } else { "" };
            if let Some(bucket) = self.buckets.get_mut(&(charge.tenant.to_owned(), app.to_owned(), name)) {
                bucket.level -= units;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a quota that is lost by waiting less than told, one that never fills, and apps that share one.
    #[test]
    fn told_to_wait_then_let_in() {
        let mut throttle = Throttle::default();
        let service = WorldService::default();
        let charge = Charge { tenant: "t", app: "a", service: Service::Intune, write: true, cost: 1, users: 10 };
        for _ in 0..200 {
            throttle.charge(&charge, &service, 0.0).expect("in quota");
        }
        assert_eq!(throttle.charge(&charge, &service, 0.0), Err(Some(1)));
        throttle.charge(&Charge { app: "b", ..charge }, &service, 0.0).expect("another app's own quota");
        throttle.charge(&charge, &service, 1.0).expect("waited as told");
        let off = WorldService { throttle: 0.0, ..service };
        for _ in 0..10_000 {
            throttle.charge(&charge, &off, 1.0).expect("never");
        }
    }

    /// Catches Conditional Access that says when to come back: the real one doesn't (msgraph.md 3).
    #[test]
    fn conditional_access_never_says_when() {
        let mut throttle = Throttle::default();
        let service = WorldService::default();
        let charge =
            Charge { tenant: "t", app: "a", service: Service::ConditionalAccess, write: false, cost: 1, users: 10 };
        throttle.charge(&charge, &service, 5.0).expect("first");
        assert_eq!(throttle.charge(&Charge { app: "b", ..charge }, &service, 5.5), Err(None));
        throttle.charge(&charge, &service, 6.0).expect("a second later");
    }
}
