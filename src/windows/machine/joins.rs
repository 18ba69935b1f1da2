//! What the device is joined to, and the certificates that prove it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Sys;
use crate::model::{EntraDeviceId, TenantId};

/// Kind of a join to Entra, `DSREG_JOIN_TYPE` of lmjoin.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AadJoinKind {
    /// The device is joined (Entra or hybrid).
    Device,
    /// Only a user's work account is registered.
    Workplace,
}

/// Answer of `NetGetAadJoinInformation`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AadJoin {
    /// What kind of join.
    pub kind: AadJoinKind,
    /// The tenant.
    pub tenant: TenantId,
    /// The registration.
    pub device_id: EntraDeviceId,
}

/// Joins.
pub trait Joins {
    /// Returns the domain that the device is a member of, as `NetGetJoinInformation` names it; none in a workgroup.
    /// After an unjoin this names the workgroup already, before the restart.
    ///
    /// # Errors
    /// Where it can't be read.
    fn domain(&self) -> Sys<Option<String>>;
    /// Returns the join to Entra, from `NetGetAadJoinInformation`; none where there is none.
    ///
    /// # Errors
    /// Where it can't be read.
    fn entra(&self) -> Sys<Option<AadJoin>>;
    /// Leaves the domain, `NetUnjoinDomain(NULL, NULL, NULL, 0)`: as SYSTEM, without credentials, the account stays.
    /// Not being a member (NERR_SetupNotJoined, 2692) is a success.
    ///
    /// # Errors
    /// Where it is refused; takes effect at the restart.
    fn unjoin(&self) -> Sys<()>;
}

/// A certificate of the machine's `My` store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// SHA-1 thumbprint, lower case hex: its name in the store.
    pub thumbprint: String,
    /// Subject, as Windows writes it.
    pub subject: String,
    /// Issuer, as Windows writes it.
    pub issuer: String,
    /// Begin of its validity.
    pub from: Timestamp,
    /// End of its validity.
    pub until: Timestamp,
}

/// Certificates in `LocalMachine\My`.
pub trait Certificates {
    /// Returns all of them.
    ///
    /// # Errors
    /// Where the store can't be read.
    fn certificates(&self) -> Sys<Vec<Certificate>>;
    /// Removes one with its private key.
    ///
    /// # Errors
    /// Where it can't be removed.
    fn remove_certificate(&self, thumbprint: &str) -> Sys<()>;
}
