//! What earlier runs recorded about a device: the old ids that are gone from the world once it moved.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{
    AutopilotId, DeviceName, EntraDeviceId, EntraObjectId, GroupId, IntuneId, KeyId, Op, Problem, RunId, Sid, UserId,
    WaveName,
};

/// The old half of a migrated device, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// The device.
    pub device: DeviceName,
    /// The run that wrote this last.
    pub run: RunId,
    /// The wave that began it. A begun device stays in it, also when its old group or computer object is gone.
    #[serde(default)]
    pub wave: Option<WaveName>,
    /// When the cloud half was stored (`device.snapshot-cloud`).
    pub taken_at: Option<Timestamp>,
    /// When the device passed the point of no return. Enrolments and backups after it are new ones.
    pub committed_at: Option<Timestamp>,
    /// Mapped user in the destination.
    pub user: Option<UserId>,
    /// Owner of the profile before.
    pub old_sid: Option<Sid>,
    /// Path of the profile that moves, so that it is still known once the device is cleaned up.
    #[serde(default)]
    pub profile_path: Option<String>,
    /// Old Entra object, object id and registration id.
    pub old_device: Option<(EntraObjectId, EntraDeviceId)>,
    /// Old Intune device.
    pub old_intune: Option<IntuneId>,
    /// Old Autopilot identity and its group tag.
    pub old_autopilot: Option<(AutopilotId, Option<String>)>,
    /// Hardware hash, base64, where the Autopilot identity moves.
    pub hardware_hash: Option<String>,
    /// Old computer object in Active Directory.
    pub old_computer: Option<Uuid>,
    /// Static groups to restore.
    pub groups: Vec<GroupId>,
    /// Keys that were in the old escrow.
    pub old_keys: Vec<KeyId>,
    /// Primary users of the old Intune device.
    pub old_primary_users: Vec<UserId>,
    /// The new registration, once the join was verified.
    pub new_device: Option<EntraDeviceId>,
    /// How the last run ended for it.
    pub outcome: Option<Outcome>,
    /// Operations whose result can't be seen in the world afterwards and that are done for good.
    pub done: Vec<Op>,
}

impl DeviceRecord {
    /// Returns the record of a device about which nothing is known yet.
    #[must_use]
    pub fn new(run: RunId, device: DeviceName) -> Self {
        Self {
            device,
            run,
            wave: None,
            taken_at: None,
            committed_at: None,
            user: None,
            old_sid: None,
            profile_path: None,
            old_device: None,
            old_intune: None,
            old_autopilot: None,
            hardware_hash: None,
            old_computer: None,
            groups: Vec::new(),
            old_keys: Vec::new(),
            old_primary_users: Vec::new(),
            new_device: None,
            outcome: None,
            done: Vec::new(),
        }
    }
}

/// How a run ended for one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Migrated, verified, cleaned up.
    Complete,
    /// A failure before the point of no return; everything was put back.
    Undone(Problem),
    /// Moved; something in the cloud isn't there yet and is looked at again by the next run.
    PendingVerification(Problem),
    /// An invariant broke after the point of no return; a person has to act.
    RecoveryRequired(Problem),
    /// The run ended before the device was started.
    NotStarted(String),
}
