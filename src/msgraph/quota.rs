//! The documented quotas of Microsoft Graph as data, and how long they allow work to take.
//!
//! Pure: no clock, no IO. The numbers are those of msgraph.md 3 and plan-apply.md 5 (versions of 2022–2025;
//! Microsoft calls them subject to change), per app and tenant, for a tenant of more than 500 users.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::Op;

/// A part of Graph with a quota of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Users, groups, devices, organization, recovery keys and LAPS: the Entra directory.
    Directory,
    /// Conditional Access, named locations, policies: one request a second for all apps, and no `Retry-After`.
    ConditionalAccess,
    /// Sign-in and audit logs.
    IdentityReports,
    /// Managed devices.
    IntuneDevices,
    /// Autopilot, enrolment and configuration profiles.
    IntuneEnrolment,
}

/// What a service allows one app in one tenant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    /// Which service.
    pub service: Service,
    /// What people call it.
    pub title: &'static str,
    /// Requests of any kind a second; resource units where the service counts those.
    pub requests_per_sec: f64,
    /// Writes a second, as part of the requests.
    pub writes_per_sec: f64,
    /// What one ordinary request costs: resource units in the directory, 1 elsewhere.
    pub units_per_request: f64,
}

/// Every service's quota, in the order of [`Service`].
pub const QUOTAS: [Quota; 5] = [
    // 8,000 resource units / 10 s (size L), 3,000 writes / 150 s; 2 units stand for a read of mixed kinds.
    Quota {
        service: Service::Directory,
        title: "Entra directory",
        requests_per_sec: 800.0,
        writes_per_sec: 20.0,
        units_per_request: 2.0,
    },
    Quota {
        service: Service::ConditionalAccess,
        title: "Conditional Access",
        requests_per_sec: 1.0,
        writes_per_sec: 1.0,
        units_per_request: 1.0,
    },
    // 5 requests / 10 s.
    Quota {
        service: Service::IdentityReports,
        title: "identity reports",
        requests_per_sec: 0.5,
        writes_per_sec: 0.5,
        units_per_request: 1.0,
    },
    // 2,000 requests / 20 s, of which 200 writes.
    Quota {
        service: Service::IntuneDevices,
        title: "Intune devices",
        requests_per_sec: 100.0,
        writes_per_sec: 10.0,
        units_per_request: 1.0,
    },
    // 1,000 requests / 20 s, of which 100 writes.
    Quota {
        service: Service::IntuneEnrolment,
        title: "Intune enrolment and configuration",
        requests_per_sec: 50.0,
        writes_per_sec: 5.0,
        units_per_request: 1.0,
    },
];

impl Service {
    /// Returns what the service allows.
    #[must_use]
    pub fn quota(self) -> &'static Quota {
        &QUOTAS[self as usize]
    }
}

/// Returns the least time that the quotas allow this work to take: `(service, reads, writes)`.
///
/// Services are limited each on its own, so the slowest one decides. Rows of the same service add up.
#[must_use]
pub fn estimate(work: &[(Service, u64, u64)]) -> Duration {
    let mut sums: BTreeMap<Service, (u64, u64)> = BTreeMap::new();
    for &(service, reads, writes) in work {
        let sum = sums.entry(service).or_default();
        *sum = (sum.0.saturating_add(reads), sum.1.saturating_add(writes));
    }
    let secs = sums.into_iter().map(|(service, (reads, writes))| {
        let quota = service.quota();
        let requests = as_f64(reads.saturating_add(writes)) * quota.units_per_request / quota.requests_per_sec;
        requests.max(as_f64(writes) / quota.writes_per_sec)
    });
    Duration::try_from_secs_f64(secs.fold(0.0, f64::max)).unwrap_or(Duration::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls; a rounding of one in 2^52 doesn't show")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Returns the calls that an operation makes for one device (or once, where it isn't about a device):
/// `(service, reads, writes)`. Reads include the polling until a write is seen, counted as two.
#[must_use]
pub fn load(op: Op) -> &'static [(Service, u64, u64)] {
    use Service::{ConditionalAccess, Directory, IntuneDevices, IntuneEnrolment};
    match op {
        Op::ExcludePackageAccount | Op::RestorePackageAccount => &[(ConditionalAccess, 3, 1), (Directory, 1, 0)],
        Op::SnapshotCloud => &[(Directory, 2, 0), (IntuneDevices, 2, 0)],
        Op::EscrowBitlocker | Op::EscrowBitlockerNew => &[(Directory, 2, 0)],
        Op::VerifyLaps => &[(Directory, 2, 0)],
        Op::VerifyEnrolment => &[(IntuneDevices, 2, 0)],
        Op::SetPrimaryUser => &[(IntuneDevices, 4, 1)],
        Op::RestoreGroups => &[(Directory, 4, 2)],
        Op::AssignConfiguration => &[(IntuneEnrolment, 4, 1)],
        Op::VerifyExit => &[(Directory, 1, 0), (IntuneDevices, 1, 0)],
        Op::RetireOldIntune => &[(IntuneDevices, 2, 1)],
        Op::RetireOldAutopilot => &[(IntuneEnrolment, 4, 2)],
        Op::ImportAutopilot => &[(IntuneEnrolment, 6, 1)],
        Op::RetireOldObject => &[(Directory, 3, 1)],
        Op::RevokePackage => &[(Directory, 2, 1)],
        Op::WaveGate
        | Op::WaveOpen
        | Op::Preflight
        | Op::Stage
        | Op::Arm
        | Op::UnjoinDomain
        | Op::LeaveEntra
        | Op::RemoveMdm
        | Op::RemoveConfigmgr
        | Op::ApplyPackage
        | Op::VerifyJoin
        | Op::SwapProfile
        | Op::RestoreLocalGroups
        | Op::CleanIdentityCaches
        | Op::RestoreLogonSurface
        | Op::AwaitSignIn
        | Op::CleanUp => &[],
    }
}

/// Returns the work of some operations, each with how many times it runs, for [`estimate`].
#[must_use]
pub fn work(operations: &[(Op, u64)]) -> Vec<(Service, u64, u64)> {
    let times = |op: Op, count: u64| {
        load(op)
            .iter()
            .map(move |&(service, reads, writes)| (service, reads.saturating_mul(count), writes.saturating_mul(count)))
    };
    operations.iter().flat_map(|&(op, count)| times(op, count)).collect()
}

/// A token bucket, as a value: whoever takes is told how long to wait before using what was taken.
///
/// It may go below zero, so that a cost above its size passes after a longer wait, and waiters come in order.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: f64,
    size: f64,
    level: f64,
    at: Timestamp,
    /// 1 at the documented quota; grows while the service says that it is less.
    slowdown: f64,
}

impl Bucket {
    /// Returns a full bucket that refills at `per_sec` and holds one second's worth, at least one.
    #[must_use]
    pub fn new(per_sec: f64, now: Timestamp) -> Self {
        let size = per_sec.max(1.0);
        Self { rate: per_sec, size, level: size, at: now, slowdown: 1.0 }
    }
    /// Takes `cost` and returns how long to wait.
    pub fn take(&mut self, now: Timestamp, cost: f64) -> Duration {
        let passed = now.duration_since(self.at).max(SignedDuration::ZERO).as_secs_f64();
        let rate = self.rate / self.slowdown;
        self.level = (self.level + passed * rate).min(self.size);
        self.at = self.at.max(now);
        self.level -= cost;
        if self.level >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64((-self.level / rate).min(86_400.0)) }
    }
    /// Empties it and halves its rate: the service said that it was asked too often.
    pub fn throttled(&mut self) {
        self.slowdown = (self.slowdown * 2.0).min(256.0);
        self.level = self.level.min(0.0);
    }
    /// Lets the rate recover by a little: the service answered.
    pub fn answered(&mut self) {
        self.slowdown = (self.slowdown * 0.95).max(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a table whose rows don't stand at the index of their service.
    #[test]
    fn quotas_in_order() {
        for quota in QUOTAS {
            assert_eq!(quota.service.quota(), &quota);
        }
    }

    /// Catches an estimate in other units than the worked examples of plan-apply.md 5.
    #[test]
    fn worked_examples() {
        let writes = |n| estimate(&[(Service::IntuneDevices, 0, n)]);
        assert_eq!(writes(1_000), Duration::from_secs(100));
        assert_eq!(writes(5_000), Duration::from_secs(500));
        assert_eq!(writes(100_000), Duration::from_secs(10_000));
        assert_eq!(estimate(&[]), Duration::ZERO);
        assert!(estimate(&[(Service::Directory, u64::MAX, u64::MAX)]).as_secs() > 0);
    }

    /// Catches services added up instead of the slowest one deciding, and rows of one service not added up.
    #[test]
    fn slowest_decides() {
        let both = estimate(&[
            (Service::IntuneDevices, 0, 50),
            (Service::IntuneDevices, 0, 50),
            (Service::ConditionalAccess, 3, 1),
            (Service::Directory, 0, 20),
        ]);
        assert_eq!(both, Duration::from_secs(10));
    }

    /// Catches a wave whose operations cost nothing, or cost once instead of once a device.
    #[test]
    fn work_of_a_wave() {
        let wave = work(&[(Op::RetireOldIntune, 1_000), (Op::SetPrimaryUser, 1_000), (Op::Stage, 1_000)]);
        assert_eq!(estimate(&wave), Duration::from_secs(200));
    }

    /// Catches a bucket that gives more than its rate over time, or never lets a large cost pass.
    #[test]
    fn bucket_keeps_rate() {
        let start = Timestamp::UNIX_EPOCH;
        let mut bucket = Bucket::new(10.0, start);
        let mut now = start;
        let mut waited = Duration::ZERO;
        for _ in 0..110 {
            let wait = bucket.take(now, 1.0);
            waited += wait;
            now = now.checked_add(wait).expect("small");
        }
        assert!((waited.as_secs_f64() - 10.0).abs() < 0.2, "{waited:?}");
        let wait = bucket.take(now, 50.0);
        assert!((4.8..5.3).contains(&wait.as_secs_f64()), "{wait:?}");
    }

    /// Catches a slowdown that never ends or a recovery above the documented rate.
    #[test]
    fn slows_and_recovers() {
        let start = Timestamp::UNIX_EPOCH;
        let mut bucket = Bucket::new(10.0, start);
        bucket.throttled();
        bucket.throttled();
        assert!((bucket.take(start, 1.0).as_secs_f64() - 0.4).abs() < 0.01);
        (0..100).for_each(|_| bucket.answered());
        let mut fresh = Bucket::new(10.0, start);
        fresh.take(start, 11.0);
        assert!((bucket.slowdown - 1.0).abs() < f64::EPSILON);
    }
}
