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
    /// The container is signed `[K]`.
    #[serde(default)]
    pub signed: bool,
    /// Why it is no package that can be read: what is wrong in the file, and where.
    #[serde(default)]
    pub broken: Option<String>,
    /// Why nothing more can be known of it, though it may be a package; none where it was looked into.
    #[serde(default)]
    pub opaque: Option<String>,
    /// A bulk token for joining Microsoft Entra ID is in it.
    pub bulk_token: bool,
    /// Sign-in authority that stands beside the token. Mostly `…/common`, which names no tenant (domain.md B11).
    pub authority: Option<String>,
    /// Tenant that the token names, where it can be read `[I]`.
    pub tenant: Option<TenantId>,
    /// UPN of the package account that the token names, where it can be read, in lower case `[I]`.
    pub account: Option<String>,
    /// End of the token, where it can be read `[I]`.
    pub expires: Option<Timestamp>,
    /// Package id and name, as the author gave them.
    pub id: Option<String>,
    /// See `id`.
    pub name: Option<String>,
    /// Version, as the author gave it.
    #[serde(default)]
    pub version: Option<String>,
    /// `ITAdmin`, `OEM`.
    #[serde(default)]
    pub owner_type: Option<String>,
    /// Which package wins where two set the same.
    #[serde(default)]
    pub rank: Option<String>,
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

impl PackageFacts {
    /// Returns what is known of a file of which only digest and size are known.
    #[must_use]
    pub fn of(sha256: Digest, size: u64) -> Self {
        Self {
            sha256,
            size,
            encrypted: false,
            signed: false,
            broken: None,
            opaque: None,
            bulk_token: false,
            authority: None,
            tenant: None,
            account: None,
            expires: None,
            id: None,
            name: None,
            version: None,
            owner_type: None,
            rank: None,
            local_users: Vec::new(),
            computer_name: None,
            other_settings: Vec::new(),
            readable_by_others: false,
            in_repository: false,
        }
    }
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
