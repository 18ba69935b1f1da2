//! The change set: for each operation an action and a typed reason, also where nothing will run.

use std::sync::Arc;

use jiff::Timestamp;

use crate::dag::Blocker;
use crate::diag::{Diagnostic, Diagnostics};
use crate::model::{Digest, Op, PackageName, Scenario, WaveName};
use crate::readiness::Readiness;
use crate::wire::Task;

/// What will become of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Action {
    /// It runs.
    Do,
    /// Its postcondition holds already.
    Nothing,
    /// It isn't due in this run.
    Wait,
    /// It is left out on purpose.
    Skip,
    /// It can't run until something is mended.
    Blocked,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Reason {
    /// The postcondition doesn't hold.
    NotYetSo,
    /// The postcondition holds in the snapshot.
    AlreadySo,
    /// An earlier run did it, and its record says so.
    DoneBefore,
    /// It belongs to a chain that still has something to do.
    ChainIncomplete,
    /// The whole chain is complete.
    ChainComplete,
    /// There is nothing of the kind: the device has no domain, MDM, ConfigMgr or Autopilot identity, the tenant no
    /// such policy.
    NothingThere,
    /// The feature that it belongs to is off.
    FeatureOff,
    /// The directory section says to keep old objects.
    Kept,
    /// An exclusion covers the device.
    Excluded,
    /// A blocker stands before the device.
    Blocked,
    /// What decides it couldn't be read.
    Unknown,
    /// Due when later waves are done or the exclusion ends.
    LaterWaves,
    /// Due before the first device of the waves that use it begins; none of them may begin now.
    FirstDevice,
    /// The exclusion that asks for it has run out.
    Expired,
    /// Its wave isn't the one that is applied.
    OtherWave,
    /// The wave's gate isn't met.
    GateClosed,
    /// The window isn't open.
    WindowClosed,
    /// The device is in no wave.
    NoWave,
}

/// One operation of one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Change {
    /// Which operation.
    pub op: Op,
    /// What becomes of it.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

/// Where a device stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It will be migrated from the start.
    Migrate,
    /// An earlier run began it; the rest will be done.
    Resume,
    /// Nothing is left to do.
    Done,
    /// An exclusion covers it.
    Excluded {
        /// Id of the exclusion.
        exclusion: String,
        /// Who owns it.
        owner: String,
        /// Why.
        reason: String,
        /// When it ends.
        until: Timestamp,
    },
    /// It can't be migrated until these are mended.
    Blocked(Vec<Blocker>),
    /// The plan knows it and no wave selects it.
    NoWave,
}

/// All operations of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceChanges {
    /// What is known for the run; the device's name is `task.device`. A blocked device's task may hold
    /// placeholders, so nothing but `device` may be read from it.
    pub device: crate::model::DeviceName,
    /// Index into [`ChangeSet::waves`].
    pub wave: Option<u16>,
    /// Where it stands.
    pub standing: Standing,
    /// What the run needs to know; only for devices that will run.
    pub task: Option<Box<Task>>,
    /// Operations in order of the catalogue.
    pub changes: Vec<Change>,
}

impl DeviceChanges {
    /// Takes the device out of what runs: everything that would be done is blocked.
    pub(crate) fn block(&mut self, blockers: Vec<Blocker>) {
        for change in self.changes.iter_mut().filter(|change| change.action == Action::Do) {
            change.action = Action::Blocked;
            change.reason = Reason::Blocked;
        }
        self.standing = Standing::Blocked(blockers);
        self.task = None;
    }
}

/// One operation of a wave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveChange {
    /// The wave.
    pub wave: WaveName,
    /// Gate and window.
    pub changes: Vec<Change>,
    /// Devices of the wave, whatever their standing.
    pub devices: u32,
    /// When the window opens or closes next, where it has one.
    pub next_window: Option<Timestamp>,
    /// What the gate lacks; each a clause for people.
    pub missing: Vec<String>,
    /// What the gate finds of each wave that it needs, also once the wave is finished.
    pub needs: Vec<super::NeedState>,
}

/// One operation of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantChange {
    /// Which operation.
    pub change: Change,
    /// Package account it is about (UPN).
    pub account: String,
    /// Package it is about.
    pub package: PackageName,
    /// Conditional Access policy by display name, where it is about one.
    pub policy: Option<String>,
    /// The policy's exclusion group, where the account is put into it.
    pub group: Option<String>,
    /// End of the exclusion that asks for it.
    pub until: Option<Timestamp>,
    /// It runs at the end of the same run that takes the last devices, and only if each of them ends complete.
    pub needs_complete: bool,
}

/// Everything that would change, and why the rest won't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSet {
    /// The plan's name.
    pub plan: String,
    /// The plan's digest.
    pub plan_digest: Digest,
    /// From where to where.
    pub scenario: Scenario,
    /// The moment it was decided for.
    pub as_of: Timestamp,
    /// The one wave that is looked at, by its place among `waves`; none is all of them.
    pub selected: Option<u16>,
    /// Waves in the order of the plan.
    pub waves: Vec<WaveChange>,
    /// Tenant operations.
    pub tenant: Vec<TenantChange>,
    /// Devices in order of their names.
    pub devices: Vec<DeviceChanges>,
    /// What was found while compiling: overlaps, missing groups, failed observations.
    pub findings: Diagnostics,
    /// The findings that are about the devices of one wave, by its position; they stand among `findings` too.
    pub wave_findings: Vec<(u16, Diagnostic)>,
    /// Whether the plan may be applied at all: every prerequisite. Of the whole plan, also where one wave is selected.
    pub readiness: Arc<Readiness>,
}

impl ChangeSet {
    /// Says whether anything would run: only [`Action::Do`] counts, not what waits, is blocked or left out.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.tenant.iter().any(|tenant| tenant.change.action == Action::Do)
            || self.devices.iter().any(|device| device.changes.iter().any(|change| change.action == Action::Do))
    }
}
