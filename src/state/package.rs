//! What is in a provisioning package file, as far as it can be read without its secrets (domain.md B11).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Digest, TenantId};

/// One package file. Holds no token and no password: only whether there are some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFacts {
    /// Digest of the bytes.
    pub sha256: Digest,
    /// Size in bytes.
    pub size: u64,
    /// The container is encrypted, so that nothing more can be known of it.
    pub encrypted: bool,
    /// A bulk token for joining Microsoft Entra ID is in it.
    pub bulk_token: bool,
    /// Sign-in authority that stands beside the token. Mostly `…/common`, which names no tenant (domain.md B11).
    pub authority: Option<String>,
    /// Tenant that the token names, where it can be read.
    pub tenant: Option<TenantId>,
    /// UPN of the package account that the token names, where it can be read, in lower case.
    pub account: Option<String>,
    /// End of the token, where it can be read.
    pub expires: Option<Timestamp>,
    /// Package id and name, as the author gave them.
    pub id: Option<String>,
    /// See `id`.
    pub name: Option<String>,
    /// Local users that it makes.
    pub local_users: Vec<LocalUser>,
    /// Computer name that it sets.
    pub computer_name: Option<String>,
    /// Other settings that it makes, as paths below `Customizations`, sorted.
    pub other_settings: Vec<String>,
    /// Others than its owner may read the file.
    pub readable_by_others: bool,
    /// It lies in a folder that is under version control.
    pub in_repository: bool,
}

/// A local user that a package makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalUser {
    /// Account name.
    pub name: String,
    /// Group, such as `Administrators`.
    pub group: Option<String>,
    /// Its password stands in the package in clear.
    pub clear_password: bool,
}
