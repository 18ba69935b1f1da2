//! What is in Active Directory.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::Sid;

/// The directory, as far as the plan needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryState {
    /// DNS name of the domain.
    pub domain: String,
    /// Computers below the declared organizational units, in the order of their GUIDs.
    pub computers: Vec<AdComputer>,
}

/// A computer object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdComputer {
    /// `objectGUID`.
    pub guid: Uuid,
    /// `objectSid`.
    pub sid: Sid,
    /// `sAMAccountName` without the dollar sign.
    pub name: String,
    /// `distinguishedName`.
    pub dn: String,
    /// `userAccountControl` has no ACCOUNTDISABLE bit.
    pub enabled: bool,
    /// `pwdLastSet`: moves when somebody re-uses the name.
    pub password_set: Option<Timestamp>,
    /// Is a domain controller: never touched.
    pub domain_controller: bool,
}
