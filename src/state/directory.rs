//! What is in Active Directory.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Known, Sid};

/// The directory, as far as the plan needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryState {
    /// DNS name of the domain.
    pub domain: String,
    /// Computers below the declared organizational units, in the order of their GUIDs.
    pub computers: Vec<AdComputer>,
    /// The account that retires computer objects; absent where the plan names none or the directory has none.
    #[serde(default = "not_looked_at")]
    pub account: Known<DisjoinAccount>,
}

fn not_looked_at() -> Known<DisjoinAccount> {
    Known::Unknown("it wasn't looked at".to_owned())
}

/// The disjoin account and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisjoinAccount {
    /// As the plan names it.
    pub name: String,
    /// Not disabled.
    pub enabled: bool,
    /// Locked out.
    pub locked: bool,
    /// When its password runs out, where it does.
    pub password_expires: Option<Timestamp>,
    /// When the account itself ends, where it does.
    pub account_expires: Option<Timestamp>,
    /// Its effective rights on computer objects of each declared organizational unit.
    pub rights: Vec<OuRights>,
}

/// Effective rights on the computer objects of one organizational unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OuRights {
    /// Distinguished name.
    pub ou: String,
    /// May delete computer objects.
    pub delete: bool,
    /// May read all their properties.
    pub read_properties: bool,
    /// May disable them: write account restrictions.
    pub disable: bool,
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
