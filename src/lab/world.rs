//! The description of a world, as it is written in YAML. A world file starts a lab; afterwards the lab's
//! store is the truth.
//!
//! Ids that are left out are derived from names, so that a world is the same every time it is made.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::survey::WorldSurvey;
use crate::model::{JoinState, Op, ProfileHealth};

pub use super::settings::{
    WorldCrossTenant, WorldDeviceFilter, WorldDisjoinAccount, WorldEnrolment, WorldInOut, WorldLocation, WorldPartner,
    WorldPolicy, WorldRegistration, WorldStatusPage,
};

/// A world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct World {
    /// Format of this file: 1.
    pub lab: u32,
    /// Name of the world.
    pub name: String,
    /// Its first moment.
    #[schemars(with = "String")]
    pub starts: Timestamp,
    /// How many times faster than the wall its clock runs during `apply`.
    #[serde(default = "default_speed")]
    pub speed: f64,
    /// Tenants by the name that plans use.
    pub tenants: BTreeMap<String, WorldTenant>,
    /// Active Directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<WorldDirectory>,
    /// Devices.
    #[serde(default)]
    pub devices: Vec<WorldDevice>,
    /// What goes wrong, and when.
    #[serde(default)]
    pub faults: Vec<Fault>,
}

fn default_speed() -> f64 {
    600.0
}
fn yes() -> bool {
    true
}
fn intune() -> String {
    "intune".to_owned()
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldTenant {
    /// Tenant id.
    pub id: Uuid,
    /// Default domain.
    pub domain: String,
    /// Display name.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Application registrations that may ask for tokens.
    #[serde(default)]
    pub apps: Vec<WorldApp>,
    /// Users. Package accounts are users too.
    #[serde(default)]
    pub users: Vec<WorldUser>,
    /// Groups.
    #[serde(default)]
    pub groups: Vec<WorldGroup>,
    /// Bulk tokens in provisioning packages.
    #[serde(default)]
    pub packages: Vec<WorldPackage>,
    /// Conditional Access policies.
    #[serde(default)]
    pub conditional_access: Vec<WorldPolicy>,
    /// Named locations.
    #[serde(default)]
    pub named_locations: Vec<WorldLocation>,
    /// Device registration policy.
    #[serde(default)]
    pub registration: WorldRegistration,
    /// MDM authority: `intune`, `sccm`, `office365`, `unknown`.
    #[serde(default = "intune")]
    pub mdm_authority: String,
    /// Enrolment into Intune.
    #[serde(default)]
    pub enrolment: WorldEnrolment,
    /// Cross-tenant access.
    #[serde(default)]
    pub cross_tenant: WorldCrossTenant,
    /// Configuration profiles.
    #[serde(default)]
    pub configuration_profiles: Vec<WorldProfile>,
    /// How the service behaves.
    #[serde(default)]
    pub service: WorldService,
}

/// An application registration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldApp {
    /// Client id.
    pub client_id: String,
    /// Client secret. Worth nothing outside the lab.
    pub secret: String,
    /// Granted application permissions; none at all leaves `roles` out of the token. A GUID is one without a name.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Application permissions that its registration asks for; the granted ones where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<Vec<String>>,
    /// Display name.
    #[serde(default = "opsole")]
    pub display_name: String,
    /// Its service principal in this tenant is enabled.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// End of its secret; two years after the world's start where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub credential_expires: Option<Timestamp>,
    /// This tenant is its home: the registration is here, not the service principal alone.
    #[serde(default = "yes")]
    pub home: bool,
}

fn opsole() -> String {
    "opsole".to_owned()
}

impl WorldApp {
    /// Returns a sound registration.
    #[must_use]
    pub fn new(client_id: &str, secret: &str, permissions: Vec<String>) -> Self {
        Self {
            client_id: client_id.to_owned(),
            secret: secret.to_owned(),
            permissions,
            requested: None,
            display_name: opsole(),
            enabled: true,
            credential_expires: None,
            home: true,
        }
    }
    /// Returns the end of its secret.
    #[must_use]
    pub fn secret_ends(&self, starts: Timestamp) -> Timestamp {
        let two_years = jiff::SignedDuration::from_hours(2 * 365 * 24);
        self.credential_expires.unwrap_or_else(|| starts.saturating_add(two_years).unwrap_or(Timestamp::MAX))
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldUser {
    /// User principal name.
    pub upn: String,
    /// Object id; derived from the UPN where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// SID in Active Directory, of a synchronised user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises_sid: Option<String>,
    /// Account is enabled.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Service plans: `intune`, `entra-p1`, `entra-p2`.
    #[serde(default)]
    pub licences: Vec<String>,
    /// Directory roles by name.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Creation; the world's first moment where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub created: Option<Timestamp>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldGroup {
    /// Display name.
    pub name: String,
    /// Object id; derived where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Membership by rule.
    #[serde(default)]
    pub dynamic: bool,
    /// Synchronised from Active Directory.
    #[serde(default)]
    pub synced: bool,
    /// Can hold roles.
    #[serde(default)]
    pub role_assignable: bool,
    /// Mail-enabled.
    #[serde(default)]
    pub mail_enabled: bool,
    /// Members: names of devices (their object in this tenant) or UPNs.
    #[serde(default)]
    pub members: Vec<String>,
}

/// A bulk token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldPackage {
    /// The plan's name for the package.
    pub name: String,
    /// UPN of the package account, which has to be among the users.
    pub account: String,
    /// End of the token.
    #[schemars(with = "String")]
    pub expires: Timestamp,
    /// What its file holds besides the token, and what is wrong with it.
    #[serde(default, skip_serializing_if = "WorldPackageContent::is_plain")]
    pub content: WorldPackageContent,
}

/// What a package's file holds besides the token, and what is wrong with it. As it stands, nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorldPackageContent {
    /// Local users that it makes.
    pub local_users: Vec<WorldLocalUser>,
    /// Computer name that it sets.
    pub computer_name: Option<String>,
    /// Other settings that it makes, as paths below `Customizations`: `Common/Policies/Start/HideSleep`.
    pub settings: Vec<String>,
    /// The file is encrypted.
    pub encrypted: bool,
    /// The token was left out.
    pub no_token: bool,
    /// The token says that it is of the tenant with this id.
    pub other_tenant: Option<Uuid>,
    /// The file ends in the middle.
    pub garbage: bool,
}

impl WorldPackageContent {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// A local user that a package makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldLocalUser {
    /// Account name.
    pub name: String,
    /// Its password stands in the package in clear.
    #[serde(default)]
    pub clear_password: bool,
}

/// A configuration profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldProfile {
    /// Display name.
    pub name: String,
    /// Groups it is assigned to, by name.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// How a tenant's service behaves. Times are of the world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorldService {
    /// Divides the documented quotas (msgraph.md 3): 1 is as documented, 100 throttles hard, 0 never.
    pub throttle: f64,
    /// A 429 says when to come back.
    pub retry_after: bool,
    /// Seconds until a write is seen by reads.
    pub visibility_secs: u64,
    /// Seconds until a deleted Autopilot identity is gone, and an import is complete.
    pub autopilot_secs: u64,
    /// Seconds until an agent's LAPS backup is there after a join.
    pub laps_secs: u64,
}

impl Default for WorldService {
    fn default() -> Self {
        Self { throttle: 1.0, retry_after: true, visibility_secs: 5, autopilot_secs: 300, laps_secs: 120 }
    }
}

/// Active Directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldDirectory {
    /// DNS name.
    pub domain: String,
    /// Organizational unit of the devices.
    pub computers: String,
    /// Tenant that Entra Connect synchronises to.
    #[serde(default)]
    pub sync_to: Option<String>,
    /// Seconds between synchronisations.
    #[serde(default = "half_an_hour")]
    pub sync_secs: u64,
    /// Computers are kept by a real directory: the one that the plan's `directory` names is asked, and the world's own isn't.
    /// Nothing of it comes to a tenant by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
    /// The account that retires computer objects; `~` where the directory has none.
    #[serde(default = "sound_account")]
    pub disjoin_account: Option<WorldDisjoinAccount>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn sound_account() -> Option<WorldDisjoinAccount> {
    Some(WorldDisjoinAccount::default())
}

fn half_an_hour() -> u64 {
    1800
}

/// A device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldDevice {
    /// Computer name.
    pub name: String,
    /// Serial number.
    pub serial: String,
    /// How it is joined: `ad`, `hybrid`, `entra`, `workgroup`.
    #[schemars(with = "String")]
    pub join: JoinState,
    /// Tenant it is joined to or registered in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// UPN of the person who uses it, in `tenant` (or in the directory's `sync-to` tenant).
    pub user: String,
    /// Tenant user who will sign in after the move; the same person where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_in_as: Option<String>,
    /// Enrolled into Intune of its tenant.
    #[serde(default = "yes")]
    pub intune: bool,
    /// Has a ConfigMgr client.
    #[serde(default)]
    pub configmgr: bool,
    /// Has an Autopilot identity, with this group tag (may be empty).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autopilot: Option<String>,
    /// Volume is encrypted and its key in escrow of its tenant.
    #[serde(default = "yes")]
    pub bitlocker: bool,
    /// Windows edition.
    #[serde(default = "enterprise")]
    pub edition: String,
    /// Health of the user's profile.
    #[serde(default = "healthy")]
    #[schemars(with = "String")]
    pub profile: ProfileHealth,
    /// Size of the profile in MiB.
    #[serde(default = "profile_mib")]
    pub profile_mib: u64,
    /// Local groups that the user is in: `administrators`, `remote-desktop-users`.
    #[serde(default)]
    pub local_groups: Vec<String>,
    /// The company's legal notice: caption and text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_notice: Option<(String, String)>,
    /// Runs on mains power.
    #[serde(default = "yes")]
    pub on_ac: bool,
    /// A restart is pending.
    #[serde(default)]
    pub pending_reboot: bool,
    /// Seconds a restart takes.
    #[serde(default = "restart")]
    pub restart_secs: u64,
    /// Seconds after the sign-in screen is back until the user signs in; never where it is left out as `~`.
    #[serde(default = "sign_in")]
    pub sign_in_secs: Option<u64>,
    /// What is wrong with it, or different from a sound device.
    #[serde(default, skip_serializing_if = "WorldSurvey::is_sound")]
    pub survey: WorldSurvey,
}

fn enterprise() -> String {
    "Enterprise".to_owned()
}
fn healthy() -> ProfileHealth {
    ProfileHealth::Healthy
}
fn profile_mib() -> u64 {
    20_000
}
fn restart() -> u64 {
    90
}
#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn sign_in() -> Option<u64> {
    Some(120)
}

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fault {
    /// The device it hits; every device where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The tenant it hits, for service faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Operation in which it happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Op>,
    /// What happens.
    pub kind: FaultKind,
    /// How many times; for ever where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The action fails with this code.
    Fail(String),
    /// The action says it worked and changed nothing.
    Lie,
    /// The machine loses power right after the action.
    PowerCut,
    /// The agent's process is killed before the action.
    Killed,
    /// The device can't reach anything for this many seconds.
    Offline(u64),
    /// The tenant answers this status to everything from the n-th request on.
    Status {
        /// HTTP status.
        status: u16,
        /// From this request on, counted from 1.
        from_request: u64,
    },
    /// The tenant closes connections from the n-th request on.
    Dies {
        /// From this request on, counted from 1.
        from_request: u64,
    },
}
