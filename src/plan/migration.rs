//! The resolved plan: every name refers to something, every date is a moment, spans are kept for findings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp};

use crate::diag::Spanned;
use crate::model::{
    DeviceName, Digest, FeatureSet, Mode, OwnerRole, PackageName, Permission, PublicKey, RetirePolicy, Scenario, Side,
    TenantId, TenantName, WaveName,
};

/// A plan whose names are resolved and whose dates are decided against `as_of`.
#[derive(Debug, Clone, PartialEq)]
pub struct MigrationPlan {
    /// Name of the plan.
    pub name: String,
    /// From where to where.
    pub scenario: Scenario,
    /// IANA time zone in which dates without a zone are read.
    pub zone: String,
    /// Who acts on findings.
    pub owners: BTreeMap<OwnerRole, String>,
    /// Tenants: one with role `current`, or a source and a target.
    pub tenants: Vec<TenantSpec>,
    /// Active Directory, where the scenario has one.
    pub directory: Option<DirectorySpec>,
    /// Provisioning packages.
    pub packages: Vec<PackageSpec>,
    /// Features and their settings.
    pub features: FeatureSpec,
    /// Which devices the plan is about at all.
    pub devices: DeviceSource,
    /// How users are matched.
    pub users: UserMatch,
    /// Waves in the order of the file.
    pub waves: Vec<WaveSpec>,
    /// Every exclusion, also those that ran out: these cover nothing any more, and what they opened has to be closed.
    /// [`Exclusion::is_live`] tells them apart.
    pub exclusions: Vec<Exclusion>,
    /// What people attest.
    pub attestations: Vec<Attestation>,
    /// Approvals and ages.
    pub policy: ApprovalPolicy,
    /// The moment that decided what has run out.
    pub as_of: Timestamp,
    /// Over the plan file, its includes, the inventory and the mapping.
    pub digest: Digest,
}

impl MigrationPlan {
    /// Returns the tenant on a side. With one tenant both sides are the same.
    #[must_use]
    pub fn tenant(&self, side: Side) -> Option<&TenantSpec> {
        self.tenants.iter().find(|tenant| match side {
            Side::Origin => matches!(tenant.role, TenantRole::Source | TenantRole::Current),
            Side::Destination => matches!(tenant.role, TenantRole::Target | TenantRole::Current),
        })
    }
    /// Returns a package by name.
    #[must_use]
    pub fn package(&self, name: &PackageName) -> Option<&PackageSpec> {
        self.packages.iter().find(|package| package.name == *name)
    }
    /// Returns a wave by name.
    #[must_use]
    pub fn wave(&self, name: &WaveName) -> Option<&WaveSpec> {
        self.waves.iter().find(|wave| wave.name.value == *name)
    }
}

/// A tenant's part in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantRole {
    /// The one tenant of `ad-to-entra` and `hybrid-to-entra`.
    Current,
    /// Devices come from here.
    Source,
    /// Devices go here.
    Target,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantSpec {
    /// The plan's name for it.
    pub name: TenantName,
    /// Its part.
    pub role: TenantRole,
    /// Its id; the token's `tid` has to be the same.
    pub id: TenantId,
    /// A verified domain.
    pub domain: String,
    /// Where its endpoints are.
    pub cloud: Cloud,
    /// The application that the controller signs in as.
    pub app: AppSpec,
}

/// Where a tenant's endpoints are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cloud {
    /// A real cloud.
    Real(CloudSpec),
    /// The embedded lab; the file describes the world. Path as written, relative to the plan file.
    Lab(PathBuf),
}

/// Endpoints of one cloud: a row of data, since clouds come and go (msgraph.md 1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudSpec {
    /// Sign-in authority, `https://login.microsoftonline.com`.
    pub authority: String,
    /// Graph root, `https://graph.microsoft.com`.
    pub graph: String,
    /// Token scope, `https://graph.microsoft.com/.default`.
    pub scope: String,
}

/// The application registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSpec {
    /// Client id.
    pub client_id: String,
    /// How it proves itself.
    pub credential: Credential,
    /// When the credential ends.
    pub expires: Option<Date>,
}

/// How the application proves itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A client secret.
    ClientSecret(SecretRef),
    /// A certificate with its private key, PEM.
    Certificate(PathBuf),
    /// A token of another identity provider, read from a file.
    Federated(PathBuf),
    /// The managed identity of the machine.
    ManagedIdentity,
}

/// Where a secret is, never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file.
    File(PathBuf),
    /// A command whose first line of output it is.
    Command(Vec<String>),
    /// An entry of the system's keyring.
    Keyring {
        /// What the secret is for, such as the program.
        service: String,
        /// Whose secret it is, such as the tenant.
        account: String,
    },
    /// The lab's own secret of the application: a world without a real tenant needs no account.
    Lab,
}

/// Active Directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectorySpec {
    /// DNS name.
    pub domain: String,
    /// LDAP URL; none is the domain's own name.
    pub server: Option<String>,
    /// Further servers, in the order in which they are asked.
    pub fallback: Vec<String>,
    /// File of the authority to trust besides those that the machine trusts, as written.
    pub ca_file: Option<PathBuf>,
    /// Organizational units that hold the computers. Objects elsewhere are never touched.
    pub computers: Vec<String>,
    /// The disjoin account.
    pub account: Option<DirectoryAccount>,
    /// What becomes of old computer objects.
    pub retire: RetirePolicy,
}

/// The account that reads the directory and retires computer objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryAccount {
    /// `DOMAIN\name`, a user principal name, or a distinguished name.
    pub name: String,
    /// Where its password is; none where it signs in by Kerberos, as whoever runs the program.
    pub password: Option<SecretRef>,
}

/// A provisioning package.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageSpec {
    /// The plan's name for it.
    pub name: PackageName,
    /// The tenant it joins devices to.
    pub tenant: TenantName,
    /// Path as written.
    pub file: Option<PathBuf>,
    /// Digest the file must have.
    pub sha256: Option<Digest>,
    /// UPN of the package account, lower case.
    pub account: String,
    /// Day of issue.
    pub issued: Date,
    /// Last day.
    pub expires: Spanned<Date>,
    /// Proof on a device that isn't in production.
    pub validated: Option<Validation>,
}

/// Who validated a package, when and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// Who.
    pub by: String,
    /// When.
    pub on: Date,
    /// On which device.
    pub device: String,
    /// Reference.
    pub evidence: Option<String>,
}

/// Features and their settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeatureSpec {
    /// What is on. `conditional-access-exclusions` is on for `manage` only.
    pub on: FeatureSet,
    /// `conditional-access-exclusions: observe`: compare, never write.
    pub observe_exclusions: bool,
    /// Groups that aren't restored: globs over display names.
    pub group_restore_exclude: Vec<String>,
    /// `configuration-profiles`: profiles by display name, and the group they are assigned to.
    pub profiles: Option<(Vec<String>, String)>,
    /// `autopilot`: group tag in the target; the old tag is kept where none is given.
    pub autopilot_tag: Option<String>,
}

/// Which devices the plan is about.
#[derive(Debug, Clone, PartialEq)]
pub enum DeviceSource {
    /// Rows of an inventory file.
    Inventory(Vec<DeviceRow>),
    /// Whatever the tenant, the directory and the agents know, narrowed by a selector.
    Selector(Selector),
}

/// One row of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// Computer name.
    pub name: DeviceName,
    /// Serial number.
    pub serial: Option<String>,
    /// Site.
    pub site: Option<String>,
    /// Old user: UPN or SID of the person whose profile moves; else the profile last used.
    pub user: Option<String>,
}

/// A condition over devices.
#[derive(Debug, Clone, PartialEq)]
pub enum Selector {
    /// All of them hold.
    All(Vec<Self>),
    /// One of them holds.
    Any(Vec<Self>),
    /// It doesn't hold.
    Not(Box<Self>),
    /// Direct member of the group with this display name, in the origin tenant.
    Group(Spanned<String>),
    /// The computer name matches the glob, without case.
    Name(Spanned<String>),
    /// The inventory's site, without case.
    Site(Spanned<String>),
    /// The computer object is below this organizational unit.
    Ou(Spanned<String>),
    /// Every device.
    Everything,
}

/// How the old owner of a profile is matched to the new one.
#[derive(Debug, Clone, PartialEq)]
pub enum UserMatch {
    /// `onPremisesSecurityIdentifier` of the Entra user is the SID of the profile.
    OnPremisesSid,
    /// Old UPN to new UPN, both in lower case.
    Mapping(BTreeMap<String, String>),
}

/// A wave.
#[derive(Debug, Clone, PartialEq)]
pub struct WaveSpec {
    /// Name.
    pub name: Spanned<WaveName>,
    /// Package used for the join.
    pub package: PackageName,
    /// Which devices of the plan.
    pub devices: Selector,
    /// Expected number of devices, inclusive.
    pub size: (Option<u32>, Option<u32>),
    /// How it starts.
    pub mode: Mode,
    /// When it may run.
    pub window: Option<Window>,
    /// Devices at a time.
    pub concurrency: u32,
    /// When to stop.
    pub failure_budget: FailureBudget,
    /// Waves that have to be finished before.
    pub needs: Vec<Spanned<WaveName>>,
    /// What has to hold before it opens.
    pub gate: Option<GateSpec>,
}

/// When a wave may start devices. What has been started is finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// First moment.
    pub from: Timestamp,
    /// Last moment.
    pub to: Timestamp,
    /// Zone of the daily hours.
    pub zone: String,
    /// Daily hours; the end may be before the start: over midnight.
    pub hours: Option<(Time, Time)>,
    /// Days on which the hours begin; empty is every day.
    pub days: Vec<Weekday>,
}

pub use jiff::civil::Weekday;

/// How many failures stop a wave. In-flight devices are finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FailureBudget {
    /// The wave stops when more than this many devices failed.
    pub max: Option<u32>,
    /// The wave stops when more than this share of its devices failed.
    pub percent: Option<u32>,
    /// The wave stops when more than this many devices failed with the same code.
    pub same_cause: Option<u32>,
}

/// What has to hold before a wave opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateSpec {
    /// Name of the criteria; `pilot-exit`.
    pub criteria: Option<String>,
    /// Roles that sign off.
    pub sign_off: Vec<OwnerRole>,
    /// Time that has to pass after the waves it needs.
    pub soak: Option<SignedDuration>,
}

/// An exception with an end.
#[derive(Debug, Clone, PartialEq)]
pub struct Exclusion {
    /// Id.
    pub id: Spanned<String>,
    /// What it covers.
    pub of: ExclusionKind,
    /// Who has to act when it ends.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Ticket.
    pub ticket: Option<String>,
    /// Its last day, in the plan's zone.
    pub expires: Spanned<Date>,
    /// The end of its last day.
    pub until: Timestamp,
}

impl Exclusion {
    /// Says whether it covers anything at a moment. On its last day it does, to the end of it.
    #[must_use]
    pub fn is_live(&self, at: Timestamp) -> bool {
        self.until > at
    }
}

/// What an exclusion covers.
#[derive(Debug, Clone, PartialEq)]
pub enum ExclusionKind {
    /// These devices stay as they are.
    Devices(Selector),
    /// A Conditional Access policy doesn't apply to an account.
    ConditionalAccess(CaExclusion),
    /// A named area: `mfa-registration`, `edr`, `antivirus`, `wdac`, `applocker`,
    /// `controlled-folder-access`, `compliance`.
    Area(String),
    /// A readiness check by its id.
    Check(String),
}

/// A Conditional Access exclusion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaExclusion {
    /// Display name of the policy.
    pub policy: String,
    /// UPN of the account, lower case.
    pub account: String,
    /// Display name of the policy's exclusion group that the account is put into; none where it is listed in the
    /// policy itself.
    pub group: Option<String>,
}

/// What a person attests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// Check id.
    pub check: String,
    /// Who.
    pub by: String,
    /// When.
    pub on: Date,
    /// Until when.
    pub until: Option<Date>,
    /// Reference.
    pub evidence: Option<String>,
}

/// Approvals and ages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApprovalPolicy {
    /// Number of approvals.
    pub required: u32,
    /// Roles that may approve.
    pub from: Vec<OwnerRole>,
    /// Age at which a plan is too old to be applied.
    pub plan_max_age: Option<SignedDuration>,
    /// Keys of people who seal and approve.
    pub keys: Vec<TrustedKey>,
    /// What no plan of a wave may come to.
    pub rules: Vec<Rule>,
}

/// What becomes of a plan that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleEffect {
    /// It isn't applied.
    Block,
    /// Reviewers read of it.
    Warn,
}

/// A rule of `policy.rules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it allows.
    pub kind: RuleKind,
    /// What becomes of a plan that breaks it.
    pub effect: RuleEffect,
}

/// What a rule allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleKind {
    /// At most so many devices begin in one night (noon to noon in the plan's zone), over all runs.
    MaxDevicesPerNight(u32),
    /// A wave holds at most this share of the plan's devices, in percent.
    MaxWavePercent(u32),
    /// At most so many failed checks are covered by exclusions.
    MaxExceptions(u32),
    /// Nothing irreversible may begin on these days of the plan's zone.
    NoIrreversibleOn(Vec<Weekday>),
    /// No operation that is due uses these permissions.
    NoPermission(Vec<Permission>),
    /// Nothing that was asked is unknown.
    NoUnknown,
    /// An approval without a ticket doesn't count.
    TicketRequired,
}

impl RuleKind {
    /// Returns the rule's name in the plan file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        use super::words::{RuleName as N, Word as _};
        match self {
            Self::MaxDevicesPerNight(_) => N::MaxDevicesPerNight,
            Self::MaxWavePercent(_) => N::MaxWavePercent,
            Self::MaxExceptions(_) => N::MaxExceptions,
            Self::NoIrreversibleOn(_) => N::NoIrreversibleOn,
            Self::NoPermission(_) => N::NoPermission,
            Self::NoUnknown => N::NoUnknown,
            Self::TicketRequired => N::TicketRequired,
        }
        .word()
    }
}

/// What a key that the plan lists may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyRole {
    /// It seals plans.
    Sealer,
    /// It approves in a role.
    Approver(OwnerRole),
}

/// A key that the plan lists under `policy.keys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// Whose it is.
    pub name: String,
    /// What it may do.
    pub role: KeyRole,
    /// The key.
    pub key: PublicKey,
    /// Last day.
    pub until: Option<Date>,
    /// Nothing that it signed counts any more.
    pub revoked: bool,
}
