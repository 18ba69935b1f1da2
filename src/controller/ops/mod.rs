//! The controller's operations: one table from operation to work, one way to carry work out.
//!
//! Each piece of work says whether its postcondition holds ([`Work::check`]) and makes one change
//! ([`Work::act`]). [`carry_out`] checks, acts, and reads back until the bound of the catalogue: a write's echo
//! is never taken for proof (msgraph.md 0.9). Done twice, every operation leaves the same world as done once.

mod autopilot;
mod cloud;
mod retire;
mod snapshot;
mod tenant;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::exec::Notes;
use super::records::Records;
use crate::dag;
use crate::model::{EntraDeviceId, IntuneId, Op, Problem, Retry, Side};
use crate::port::{Clock, Directory, Result, Tenant};
use crate::run::{RunPlan, Seen, TenantRun};
use crate::state::DeviceRecord;
use crate::wire::Task;

pub(super) use tenant::WAS_EXCLUDED;

/// Between two looks at a postcondition: long enough not to eat the quotas (msgraph.md 3), short against the
/// minutes that Intune takes.
const LOOK_SECS: u64 = 15;

/// Changes of the directory that are under way at a time.
pub(super) const RETIRED_AT_A_TIME: usize = 8;

/// What a check found.
pub(super) enum Check {
    /// The postcondition holds.
    So,
    /// It doesn't; the problem is what to say where the time runs out.
    NotYet(Problem),
}

/// One operation's work.
#[async_trait]
pub(super) trait Work: Send + Sync {
    /// Reads whether the postcondition holds.
    async fn check(&self) -> Result<Check>;
    /// Makes the change. It may show only later. Work that only looks has none.
    async fn act(&self) -> Result<()> {
        Ok(())
    }
}

/// What all operations of a run share.
pub(super) struct Shared {
    pub(super) plan: Arc<RunPlan>,
    pub(super) tenants: BTreeMap<Side, Arc<dyn Tenant>>,
    pub(super) directory: Option<Arc<dyn Directory>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) records: Records,
    /// Changes of the directory at a time, whatever the number of devices: a domain controller has other work too.
    pub(super) retiring: tokio::sync::Semaphore,
    /// Assignments and exclusions are lists that are replaced whole: one writer at a time.
    pub(super) lists: tokio::sync::Mutex<()>,
}

impl Shared {
    pub(super) fn tenant(&self, side: Side) -> Result<&dyn Tenant> {
        self.tenants.get(&side).map(AsRef::as_ref).ok_or_else(|| {
            Problem::new("run.no-tenant", "the run has no connection to one of its tenants")
                .next("check the `tenants` of the plan")
        })
    }
}

/// One device, as its operations see it.
pub(super) struct Scene {
    pub(super) shared: Arc<Shared>,
    pub(super) task: Task,
    pub(super) ops: Vec<Op>,
    pub(super) seen: Option<Seen>,
    pub(super) new_device: Option<EntraDeviceId>,
    pub(super) notes: Notes,
    pub(super) noted: Vec<String>,
}

impl Scene {
    pub(super) fn record(&self) -> Result<DeviceRecord> {
        self.shared.records.get(&self.task.device)?.ok_or_else(|| {
            Problem::new("run.no-record", format!("nothing is recorded about {}", self.task.device))
                .next("restore `.opsole/` from a backup, or migrate the device from the start")
        })
    }
    pub(super) fn origin(&self) -> Result<&dyn Tenant> {
        self.shared.tenant(Side::Origin)
    }
    pub(super) fn destination(&self) -> Result<&dyn Tenant> {
        self.shared.tenant(Side::Destination)
    }
    /// Returns the new registration; never the old one.
    pub(super) fn new_device(&self) -> Result<EntraDeviceId> {
        let known = self.new_device.or(self.record()?.new_device);
        known.filter(|id| Some(*id) != self.task.old_device).ok_or_else(|| {
            Problem::new(
                "device.no-new-registration",
                format!("{} hasn't reported its new registration", self.task.device),
            )
            .next("see that the device is on and its agent runs, then apply the wave again")
            .retry(Retry::Soon)
        })
    }
    /// Returns when the device passed the boundary: what is older is the old device's.
    pub(super) fn committed_at(&self) -> Result<Timestamp> {
        self.record()?.committed_at.ok_or_else(|| {
            Problem::new("run.not-committed", format!("{} hasn't passed the point of no return", self.task.device))
        })
    }
    /// Returns the new managed device.
    pub(super) async fn new_managed(&self) -> Result<Option<IntuneId>> {
        let old = self.record()?.old_intune;
        let found = self.destination()?.managed_devices_of(self.new_device()?).await?;
        Ok(found.into_iter().map(|device| device.id).find(|id| Some(*id) != old))
    }
    fn not_yet(&self, code: &str, what: &str, next: &str) -> Check {
        Check::NotYet(Problem::new(code, format!("{}: {what}", self.task.device)).next(next).retry(Retry::Soon))
    }
}

/// Returns a device operation's work; none for an operation in which the controller has no part.
pub(super) fn device_work(op: Op, scene: Scene) -> Option<Box<dyn Work>> {
    Some(match op {
        Op::SnapshotCloud => Box::new(snapshot::SnapshotCloud(scene)),
        Op::EscrowBitlocker => Box::new(verify::Escrow { scene, side: Side::Origin }),
        Op::EscrowBitlockerNew => Box::new(verify::Escrow { scene, side: Side::Destination }),
        Op::VerifyEnrolment => Box::new(verify::Enrolment(scene)),
        Op::VerifyLaps => Box::new(verify::Laps(scene)),
        Op::VerifyExit => Box::new(verify::Exit(scene)),
        Op::SetPrimaryUser => Box::new(cloud::PrimaryUser(scene)),
        Op::RestoreGroups => Box::new(cloud::Groups(scene)),
        Op::AssignConfiguration => Box::new(cloud::Configuration(scene)),
        Op::RetireOldIntune => Box::new(retire::OldIntune(scene)),
        Op::RetireOldAutopilot => Box::new(autopilot::Retire(scene)),
        Op::ImportAutopilot => Box::new(autopilot::Import::new(scene)),
        Op::RetireOldObject => Box::new(retire::OldObject(scene)),
        _ => return None,
    })
}

/// Returns a tenant operation's work; the undo of an exclusion is its restoration.
pub(super) fn tenant_work(
    shared: Arc<Shared>,
    run: TenantRun,
    undo: bool,
    notes: Notes,
    noted: Vec<String>,
) -> Option<Box<dyn Work>> {
    Some(match (run.op, undo) {
        (Op::ExcludePackageAccount, false) => Box::new(tenant::Exclude { shared, run, notes, noted }),
        (Op::ExcludePackageAccount, true) | (Op::RestorePackageAccount, _) => {
            Box::new(tenant::Restore { shared, run, noted })
        }
        (Op::RevokePackage, _) => Box::new(tenant::Revoke { shared, run }),
        _ => return None,
    })
}

/// Carries work out: check, act, read back; again after a pause, as often as the catalogue says. Each attempt
/// acts `acts` times, which is once but for tests of idempotency.
pub(super) async fn carry_out(op: Op, work: &dyn Work, clock: &dyn Clock, acts: u32) -> Result<()> {
    let spec = dag::spec(op);
    let mut last = None;
    for attempt in 0..spec.attempts.max(1) {
        if attempt > 0 {
            let usual = u64::from(spec.backoff_secs) << (attempt - 1).min(16);
            let asked = match last.as_ref().map(|problem: &Problem| problem.retry) {
                Some(Retry::AfterSecs(secs)) => u64::from(secs),
                _ => 0,
            };
            clock.sleep(Duration::from_secs(usual.max(asked))).await;
        }
        match attempt_once(work, clock, spec.time_limit_secs, acts).await {
            Ok(()) => return Ok(()),
            Err(problem) if problem.retry == Retry::No => return Err(problem),
            Err(problem) => last = Some(problem),
        }
    }
    Err(last.unwrap_or_else(|| Problem::new("run.no-attempt", format!("{op} was never tried"))))
}

async fn attempt_once(work: &dyn Work, clock: &dyn Clock, limit_secs: u32, acts: u32) -> Result<()> {
    if let Check::So = work.check().await? {
        return Ok(());
    }
    for _ in 0..acts {
        work.act().await?;
    }
    let deadline = clock.now().saturating_add(SignedDuration::from_secs(limit_secs.into())).unwrap_or(Timestamp::MAX);
    loop {
        let problem = match work.check().await {
            Ok(Check::So) => return Ok(()),
            Ok(Check::NotYet(problem)) => problem,
            // A look that failed proves nothing; the next one may succeed.
            Err(problem) if problem.retry == Retry::No => return Err(problem),
            Err(problem) => problem,
        };
        let pause = match problem.retry {
            Retry::AfterSecs(secs) => u64::from(secs).max(LOOK_SECS),
            _ => LOOK_SECS,
        };
        let next = clock.now().saturating_add(SignedDuration::from_secs(i64::try_from(pause).unwrap_or(i64::MAX)));
        if problem.retry == Retry::No || next.is_ok_and(|next| next > deadline) {
            return Err(problem);
        }
        clock.sleep(Duration::from_secs(pause)).await;
    }
}
