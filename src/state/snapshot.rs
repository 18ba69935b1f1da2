//! The whole of what was observed for one plan.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeviceRecord, DirectoryState, PackageFacts, SignOff, TenantState};
use crate::model::{DeviceFacts, DeviceName, Known, PackageName, Survey, TenantName};

/// Version of the snapshot file. A reader refuses a higher one.
pub const FORMAT: u32 = 1;

/// Everything a plan is held against, at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version of the file, [`FORMAT`].
    pub format: u32,
    /// When the observation began, by the world's clock.
    pub taken_at: Timestamp,
    /// Each tenant of the plan.
    pub tenants: BTreeMap<TenantName, TenantState>,
    /// The directory, `Absent` where the plan has none.
    pub directory: Known<DirectoryState>,
    /// What agents last reported, by device.
    pub evidence: BTreeMap<DeviceName, Known<Evidence>>,
    /// What earlier runs recorded about devices.
    pub ledger: BTreeMap<DeviceName, DeviceRecord>,
    /// The package files that the plan names. One without a file is absent.
    #[serde(default)]
    pub packages: BTreeMap<PackageName, Known<PackageFacts>>,
    /// Sign-offs of waves' exits that were recorded with `opsole gate`, in the order they were given.
    #[serde(default)]
    pub sign_offs: Vec<SignOff>,
}

/// One agent's report and its age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// When the agent looked.
    pub at: Timestamp,
    /// What it found.
    pub facts: DeviceFacts,
    /// What its last survey found; it has a time of its own.
    #[serde(default)]
    pub survey: Option<Survey>,
}
