//! What an emulated device says to the emulated tenants: a stand-in for device registration, MDM
//! enrolment, key escrow and sign-in. JSON over HTTP under `/lab/v1/`; the real protocols aren't public.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `GET /lab/v1/clock` | | [`ClockAnswer`] |
//! | `GET /lab/v1/stats` | | [`StatsAnswer`] |
//! | `POST /lab/v1/join` | [`JoinRequest`] | [`JoinAnswer`], or 4xx with a [`Refusal`] |
//! | `POST /lab/v1/leave` | [`DeviceCall`] | 204; the device object stays, as in Entra |
//! | `POST /lab/v1/enrol` | [`EnrolMdmRequest`] | [`EnrolMdmAnswer`], or a [`Refusal`] |
//! | `POST /lab/v1/sync` | [`DeviceCall`] | 204; moves `lastSyncDateTime` |
//! | `POST /lab/v1/escrow` | [`EscrowRequest`] | 204 |
//! | `POST /lab/v1/laps` | [`DeviceCall`] | 204; a new LAPS backup |
//! | `POST /lab/v1/sign-in` | [`SignInRequest`] | 204, or a [`Refusal`] |

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{EntraDeviceId, IntuneId, KeyId, TenantId, UserId};

/// The lab's time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ClockAnswer {
    /// Now.
    pub now: Timestamp,
    /// How many times faster than the wall.
    pub speed: f64,
}

/// What the tenants were asked for since they are served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsAnswer {
    /// HTTP requests, of every kind.
    pub requests: u64,
    /// Requests by method and path, such as `GET /groups/{}/members`; steps of a batch as `$batch GET /groups/{}`.
    pub calls: BTreeMap<String, u64>,
}

/// A device joins with the bulk token of a package.
#[derive(Clone, Serialize, Deserialize)]
pub struct JoinRequest {
    /// UPN of the package account; in the lab the token is the account.
    pub account: String,
    /// Secret of the bulk token, from the package's content.
    pub token: String,
    /// Computer name.
    pub name: String,
    /// Serial number.
    pub serial: String,
    /// Grows with every join of the device, so that ids are the same in every run of a world.
    pub attempt: u32,
}

impl std::fmt::Debug for JoinRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the token.
        let mut shown = f.debug_struct("JoinRequest");
        shown.field("account", &self.account).field("name", &self.name).field("serial", &self.serial);
        shown.field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

/// The device is joined.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct JoinAnswer {
    /// Tenant.
    pub tenant: TenantId,
    /// New registration.
    pub device_id: EntraDeviceId,
}

/// Why a service refuses, with the code that Windows shows (domain.md B14).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refusal {
    /// Such as `0x801c03ed` or `AADSTS240001`.
    pub code: String,
    /// In words.
    pub message: String,
}

/// A joined device speaks to its tenant.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct DeviceCall {
    /// Tenant.
    pub tenant: TenantId,
    /// Registration.
    pub device_id: EntraDeviceId,
}

/// A joined device enrols into Intune. Without a user: bulk tokens leave no primary user (msgraph.md 0.6).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnrolMdmRequest {
    /// Who.
    pub device: DeviceCall,
    /// Computer name.
    pub name: String,
    /// Serial number.
    pub serial: String,
}

/// The device is enrolled.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct EnrolMdmAnswer {
    /// Intune id.
    pub intune_id: IntuneId,
}

/// A device backs a recovery key up.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct EscrowRequest {
    /// Who.
    pub device: DeviceCall,
    /// Which key.
    pub key: KeyId,
}

/// A user signs in on a device.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SignInRequest {
    /// Where.
    pub device: DeviceCall,
    /// Who.
    pub user: UserId,
}
