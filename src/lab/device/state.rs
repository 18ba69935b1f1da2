//! The whole truth about one emulated device, as it lies in the lab's store.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::{DeviceFacts, EntraJoin, PackageName, Sid, Survey, UserId};

/// Version of the stored document.
pub const FORMAT: u32 = 2;

/// A profile of at most this size in MiB holds nothing of its owner: Windows' own fresh profile is far
/// smaller (`[I]`), and one with a person's files far larger.
pub const EMPTY_PROFILE_MIB: u64 = 200;

/// Seconds between an accepted package and the join it asks for.
pub const JOIN_SECS: u64 = 20;
/// Seconds between a join and the MDM enrolment that follows it.
pub const ENROL_SECS: u64 = 30;
/// Seconds until the hybrid join task of Windows registers again after a boot.
pub const REJOIN_SECS: u64 = 60;
/// Seconds until Windows tries again what a service didn't answer.
pub const AGAIN_SECS: u64 = 60;

/// Whether the device runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// It runs.
    Up,
    /// It comes back at this moment.
    RestartingUntil(Timestamp),
}

/// A join that was asked for and hasn't happened yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingJoin {
    /// Package it comes from.
    pub package: PackageName,
    /// When it will be tried; with none it waits for the restart.
    pub due: Option<Timestamp>,
    /// Grows with every join of the device.
    pub attempt: u32,
}

/// Why the last join didn't work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinError {
    /// Such as `0x801c03ed` (domain.md B14).
    pub code: String,
    /// In words.
    pub message: String,
}

/// What is fixed about the machine and its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Habits {
    /// Seconds that a restart takes.
    pub restart_secs: u64,
    /// Seconds until somebody signs in once that is possible; never where there is none.
    pub sign_in_secs: Option<u64>,
    /// Seconds between the enrolment and the LAPS backup.
    pub laps_secs: u64,
    /// Who signs in while the device is joined as at the start.
    pub old_user: Sid,
    /// Who signs in on the device once it is Entra joined.
    pub new_user: Option<UserId>,
    /// The registration that the hybrid join task of Windows comes back to: a hybrid device's id is the
    /// computer's GUID in Active Directory, so it is the same again.
    pub hybrid: Option<EntraJoin>,
    /// Hardware hash, base64.
    pub hardware_hash: String,
}

/// Bytes of a package in the protected folder, base64. A credential, though one of the lab only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PackageBytes(pub String);

impl fmt::Debug for PackageBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PackageBytes(..)")
    }
}

/// One emulated device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceState {
    /// Version of this document.
    pub format: u32,
    /// What an agent can see.
    pub facts: DeviceFacts,
    /// What a survey would find; its time is that of the world's first moment.
    pub survey: Survey,
    /// What is fixed.
    pub habits: Habits,
    /// Whether it runs.
    pub power: Power,
    /// Restarts so far.
    pub boots: u32,
    /// Somebody is signed in now.
    pub session: bool,
    /// A join that was asked for.
    pub join: Option<PendingJoin>,
    /// Joins asked for so far.
    pub join_attempts: u32,
    /// Why the last join didn't work.
    pub join_error: Option<JoinError>,
    /// When the MDM enrolment is due.
    pub enrol_due: Option<Timestamp>,
    /// When the LAPS backup is due.
    pub laps_due: Option<Timestamp>,
    /// When somebody signs in.
    pub sign_in_due: Option<Timestamp>,
    /// When the hybrid join task registers again.
    pub rejoin_due: Option<Timestamp>,
    /// Nothing can be reached before this moment.
    pub offline_until: Option<Timestamp>,
    /// The package in the protected folder.
    pub package: Option<PackageBytes>,
    /// Whose hives were copied away before the profile was given to somebody else.
    pub hive_copies: Option<Sid>,
    /// The recovery administrator, once it was made with a password that somebody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_admin: Option<super::guard::RecoveryAdmin>,
    /// What the canary wrote; gone again once it was read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<String>,
    /// How often each fault of the world has struck, by its place in the world's list.
    pub faults_used: BTreeMap<usize, u32>,
}

/// Something that time brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The device is up again.
    Boot,
    /// The hybrid join task registers again.
    Rejoin,
    /// The join that was asked for is tried.
    Join,
    /// The MDM enrolment is tried.
    Enrol,
    /// The LAPS backup is tried.
    Laps,
    /// Somebody signs in.
    SignIn,
}

impl DeviceState {
    /// Returns what a survey finds now.
    #[must_use]
    pub fn survey(&self, now: Timestamp) -> Survey {
        Survey { at: now, ..self.survey.clone() }
    }
    /// Returns what happens next, and when. While a device restarts nothing else happens on it.
    #[must_use]
    pub fn next_event(&self) -> Option<(Timestamp, Event)> {
        if let Power::RestartingUntil(until) = self.power {
            return Some((until, Event::Boot));
        }
        let events = [
            (self.rejoin_due, Event::Rejoin),
            (self.join.as_ref().and_then(|join| join.due), Event::Join),
            (self.enrol_due, Event::Enrol),
            (self.laps_due, Event::Laps),
            (self.sign_in_due, Event::SignIn),
        ];
        events.into_iter().filter_map(|(due, event)| due.map(|due| (due, event))).min()
    }
    /// Says whether the device is joined to Entra and to nothing else.
    #[must_use]
    pub fn is_entra_only(&self) -> bool {
        self.facts.entra.is_some() && self.facts.domain.is_none()
    }
    /// Plans the next sign-in, unless somebody is signed in, the banner holds it or nobody ever comes.
    pub fn plan_sign_in(&mut self, from: Timestamp) {
        if self.session || self.facts.staging.banner {
            self.sign_in_due = None;
        } else if self.sign_in_due.is_none() {
            self.sign_in_due = self.habits.sign_in_secs.map(|secs| later(from, secs));
        }
    }
}

/// Returns the moment some seconds later.
#[must_use]
pub fn later(from: Timestamp, secs: u64) -> Timestamp {
    let secs = i64::try_from(secs).unwrap_or(i64::MAX);
    from.saturating_add(SignedDuration::from_secs(secs)).unwrap_or(Timestamp::MAX)
}
