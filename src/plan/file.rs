//! The plan file as it is written: one type a section, every leaf with its place.
//!
//! Required parts are `Option` too: `None` means that the text was wrong and a diagnostic says so, while the
//! rest of the file is still looked at. The JSON schema is derived from these types, so their comments are
//! what an editor shows.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};
use schemars::JsonSchema;

use super::shape::{AccountShape, DurationText, HoursText, MomentText, SecretShape, SelectorShape, UuidText};
use super::words::{Area, CaMode, CloudName, Criteria, MatchBy, RuleName, SignInWay, Words};
use super::{KeyRole, RuleEffect, SecretRef, Selector, TenantRole, Weekday};
use crate::diag::{Span, Spanned};
use crate::model::{Digest, Mode, OwnerRole, Permission, PublicKey, RetirePolicy, Scenario, TenantId};

/// A migration plan for opsole.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PlanFile {
    /// Version of this format: 1.
    #[schemars(required, extend("const" = 1))]
    pub opsole: Option<Spanned<i64>>,
    /// Name of the plan.
    #[schemars(required)]
    pub name: Option<Spanned<String>>,
    /// From where to where devices move.
    #[schemars(with = "Words<Scenario>", required)]
    pub scenario: Option<Spanned<Scenario>>,
    /// IANA time zone in which dates and times without a zone are read. UTC where it is left out.
    pub zone: Option<Spanned<String>>,
    /// More files of the same folder. They may hold owners, packages, waves, exclusions and attestations.
    #[schemars(default)]
    pub include: Vec<Spanned<String>>,
    /// Who acts on findings: a person or mailbox for each role.
    #[schemars(with = "OwnersShape", default)]
    pub owners: BTreeMap<OwnerRole, Owner>,
    /// Tenants by the plan's own name.
    #[schemars(with = "BTreeMap<String, TenantFile>", required)]
    pub tenants: Vec<Named<TenantFile>>,
    /// Active Directory. Needed for `ad-to-entra` and `hybrid-to-entra`.
    pub directory: Option<DirectoryFile>,
    /// Provisioning packages by the plan's own name.
    #[schemars(with = "BTreeMap<String, PackageFile>", default)]
    pub packages: Vec<Named<PackageFile>>,
    /// Optional parts of the migration. Each is off where it is left out.
    #[schemars(default)]
    pub features: FeaturesFile,
    /// Which devices the plan is about at all.
    #[schemars(required)]
    pub devices: Option<DevicesFile>,
    /// How users are matched. By on-premises SID where it is left out.
    pub users: Option<UsersFile>,
    /// Waves, in their order.
    #[schemars(default)]
    pub waves: Vec<WaveFile>,
    /// Exceptions, each with an owner and an end.
    #[schemars(default)]
    pub exclusions: Vec<ExclusionFile>,
    /// What people attest because no program can measure it.
    #[schemars(default)]
    pub attestations: Vec<AttestationFile>,
    /// Approvals and ages.
    #[schemars(default)]
    pub policy: PolicyFile,
}

/// A part of a plan that another file includes.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PlanPart {
    /// More files of the same folder.
    #[schemars(default)]
    pub include: Vec<Spanned<String>>,
    /// Who acts on findings: a person or mailbox for each role.
    #[schemars(with = "OwnersShape", default)]
    pub owners: BTreeMap<OwnerRole, Owner>,
    /// Provisioning packages by the plan's own name.
    #[schemars(with = "BTreeMap<String, PackageFile>", default)]
    pub packages: Vec<Named<PackageFile>>,
    /// Waves, in their order.
    #[schemars(default)]
    pub waves: Vec<WaveFile>,
    /// Exceptions, each with an owner and an end.
    #[schemars(default)]
    pub exclusions: Vec<ExclusionFile>,
    /// What people attest because no program can measure it.
    #[schemars(default)]
    pub attestations: Vec<AttestationFile>,
}

/// A person or mailbox, and where its role was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Owner {
    /// Person or mailbox.
    pub mailbox: Spanned<String>,
    /// Place of the role.
    pub role: Span,
}

/// Stands in the schema for the map of owners: the roles are fixed.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
struct OwnersShape {
    /// Licences, users, Entra configuration, the app registration.
    identity: Option<String>,
    /// Devices, packages.
    endpoint: Option<String>,
    /// Proxies, DNS, TLS.
    network: Option<String>,
    /// Conditional Access, EDR, application control.
    security: Option<String>,
    /// Active Directory.
    directory: Option<String>,
    /// Communication, approvals.
    change_management: Option<String>,
    /// Recovery, pilot exit.
    project_lead: Option<String>,
}

/// An item of a mapping whose keys are names.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T> {
    /// The name.
    pub name: Spanned<String>,
    /// The item.
    pub item: T,
}

/// A tenant.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TenantFile {
    /// `current` for a plan with one tenant; `source` and `target` for tenant-to-tenant.
    #[schemars(with = "Words<TenantRole>", required)]
    pub role: Option<Spanned<TenantRole>>,
    /// Tenant id.
    #[schemars(with = "UuidText", required)]
    pub id: Option<Spanned<TenantId>>,
    /// A verified domain.
    #[schemars(required)]
    pub domain: Option<Spanned<String>>,
    /// Where its endpoints are. Global where it is left out.
    pub cloud: Option<CloudFile>,
    /// The application registration that the controller signs in as.
    #[schemars(required)]
    pub app: Option<AppFile>,
}

/// Where a tenant's endpoints are.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum CloudFile {
    /// Endpoints of any other cloud.
    Custom(CloudRow),
    /// The embedded lab. The file describes its world.
    Lab(Spanned<String>),
    /// One of Microsoft's clouds.
    #[schemars(untagged)]
    Named(#[schemars(with = "Words<CloudName>")] Spanned<CloudName>),
}

/// Endpoints of one cloud.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CloudRow {
    /// Sign-in authority, such as `https://login.microsoftonline.com`.
    #[schemars(extend("pattern" = "^https://"))]
    pub authority: String,
    /// Graph root, such as `https://graph.microsoft.com`.
    #[schemars(extend("pattern" = "^https://"))]
    pub graph: String,
    /// Token scope, such as `https://graph.microsoft.com/.default`.
    pub scope: String,
}

/// An application registration.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AppFile {
    /// Client id.
    #[schemars(with = "UuidText", required)]
    pub client_id: Option<Spanned<String>>,
    /// How it proves itself.
    #[schemars(required)]
    pub credential: Option<CredentialFile>,
    /// Last day of the credential.
    pub expires: Option<Spanned<Date>>,
}

/// How an application proves itself.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum CredentialFile {
    /// A client secret: where it is, never the secret.
    ClientSecret(#[schemars(with = "SecretShape")] SecretRef),
    /// A certificate with its private key in a PEM file.
    Certificate(CertificateFile),
    /// A token of another identity provider.
    Federated(FederatedFile),
    /// The managed identity of the machine.
    ManagedIdentity(NoSettings),
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CertificateFile {
    /// Path of the PEM file.
    pub file: String,
}

/// A federated token.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FederatedFile {
    /// Path of the file that holds the token.
    pub token_file: String,
}

/// `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct NoSettings {}

/// Active Directory.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DirectoryFile {
    /// DNS name of the domain.
    #[schemars(required)]
    pub domain: Option<Spanned<String>>,
    /// LDAP URL, such as `ldaps://dc1.corp.contoso.com`; `ldap://` is encrypted by StartTLS. The domain's own name where it is
    /// left out.
    pub server: Option<Spanned<String>>,
    /// Further servers, asked in turn where the first one doesn't answer.
    #[schemars(default)]
    pub fallback: Vec<Spanned<String>>,
    /// PEM file with the authority of the servers' certificates, where the machine doesn't trust it already.
    pub ca_file: Option<Spanned<String>>,
    /// Organizational units that hold the computers. Objects elsewhere are never touched.
    #[schemars(required)]
    pub computers: Vec<Spanned<String>>,
    /// The account that retires computer objects.
    #[schemars(with = "Option<AccountShape>")]
    pub account: Option<AccountFile>,
    /// What becomes of old computer objects. They are disabled where it is left out.
    #[schemars(with = "Option<Words<RetirePolicy>>")]
    pub retire: Option<Spanned<RetirePolicy>>,
}

/// A directory account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AccountFile {
    /// `DOMAIN\name`.
    pub name: Option<Spanned<String>>,
    /// How it signs in: with its password where it is left out.
    pub sign_in: Option<Spanned<SignInWay>>,
    /// Where its password is, never the password. None with `sign_in: kerberos`.
    pub password: Option<SecretRef>,
}

/// A provisioning package.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PackageFile {
    /// The tenant that it joins devices to.
    #[schemars(required)]
    pub tenant: Option<Spanned<String>>,
    /// Path of the `.ppkg` file.
    pub file: Option<Spanned<String>>,
    /// SHA-256 of the file.
    #[schemars(with = "Option<String>", extend("pattern" = "^[0-9a-fA-F]{64}$"))]
    pub sha256: Option<Spanned<Digest>>,
    /// UPN of the package account, `package_{guid}@domain`.
    #[schemars(required)]
    pub account: Option<Spanned<String>>,
    /// Day of issue.
    #[schemars(required)]
    pub issued: Option<Spanned<Date>>,
    /// Last day, at most 180 days after the day of issue.
    #[schemars(required)]
    pub expires: Option<Spanned<Date>>,
    /// Proof on a device that isn't in production.
    pub validated: Option<ValidatedFile>,
}

/// Who validated a package, when and where.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ValidatedFile {
    /// Who.
    #[schemars(required)]
    pub by: Option<Spanned<String>>,
    /// When.
    #[schemars(required)]
    pub on: Option<Spanned<Date>>,
    /// On which device.
    #[schemars(required)]
    pub device: Option<Spanned<String>>,
    /// Reference.
    pub evidence: Option<Spanned<String>>,
}

/// Optional parts of the migration.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FeaturesFile {
    /// Recovery keys are seen in escrow before and after the move.
    pub bitlocker: Option<Spanned<bool>>,
    /// A Windows LAPS backup is seen for the new device.
    pub laps: Option<Spanned<bool>>,
    /// The mapped user becomes the Intune primary user.
    pub primary_user: Option<Spanned<bool>>,
    /// Static cloud groups of the old device are given to the new one.
    pub group_restore: Option<GroupRestore>,
    /// Named configuration profiles are assigned to a group.
    pub configuration_profiles: Option<Profiles>,
    /// Autopilot identities move to the target tenant.
    pub autopilot: Option<Autopilot>,
    /// Whether Conditional Access exclusions are compared (`observe`) or also written (`manage`).
    pub conditional_access_exclusions: Option<CaFeature>,
    /// The ConfigMgr client is removed.
    pub configmgr_removal: Option<Spanned<bool>>,
}

/// `group-restore`.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum GroupRestore {
    /// On or off.
    Switch(Spanned<bool>),
    /// On, but not for some groups.
    Settings(GroupRestoreSettings),
}

/// Settings of `group-restore`.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct GroupRestoreSettings {
    /// Groups that aren't restored: globs over display names.
    #[schemars(default)]
    pub exclude: Vec<Spanned<String>>,
}

/// `configuration-profiles`.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum Profiles {
    /// Off.
    Off(#[schemars(extend("const" = false))] Spanned<bool>),
    /// On, with what is assigned to whom.
    Settings(ProfilesSettings),
}

/// Settings of `configuration-profiles`.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ProfilesSettings {
    /// Profiles by display name.
    #[schemars(required)]
    pub profiles: Vec<Spanned<String>>,
    /// Group that they are assigned to, by display name.
    #[schemars(required)]
    pub group: Option<Spanned<String>>,
}

/// `autopilot`.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum Autopilot {
    /// On or off. The old group tag is kept.
    Switch(Spanned<bool>),
    /// On, with a group tag.
    Settings(AutopilotSettings),
}

/// Settings of `autopilot`.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AutopilotSettings {
    /// Group tag in the target tenant.
    #[schemars(required)]
    pub group_tag: Option<Spanned<String>>,
}

/// `conditional-access-exclusions`.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum CaFeature {
    /// Off.
    Off(#[schemars(extend("const" = false))] Spanned<bool>),
    /// `observe`: compare. `manage`: compare and write.
    Mode(#[schemars(with = "Words<CaMode>")] Spanned<CaMode>),
}

/// Which devices the plan is about.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum DevicesFile {
    /// Rows of a CSV file.
    Inventory(InventoryFile),
    /// A condition over what the tenant, the directory and the agents know.
    Selector(#[schemars(with = "SelectorShape")] Selector),
}

/// An inventory.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct InventoryFile {
    /// CSV file beside the plan, with the columns name, serial, site, user. Only name is needed.
    pub inventory: Spanned<String>,
}

/// How users are matched.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum UsersFile {
    /// By a property that both sides hold.
    Match(#[schemars(with = "Words<MatchBy>")] Spanned<MatchBy>),
    /// By a CSV file beside the plan, with the columns old_upn and new_upn.
    Mapping(Spanned<String>),
}

/// A wave.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WaveFile {
    /// Name.
    #[schemars(required)]
    pub name: Option<Spanned<String>>,
    /// Package used for the join. The only one where it is left out.
    pub package: Option<Spanned<String>>,
    /// Which devices of the plan.
    #[schemars(with = "SelectorShape", required)]
    pub devices: Option<Selector>,
    /// Expected number of devices, inclusive.
    pub size: Option<SizeFile>,
    /// How it starts. By the user where it is left out.
    #[schemars(with = "Option<Words<Mode>>")]
    pub mode: Option<Spanned<Mode>>,
    /// When devices may start. At any time where it is left out.
    pub window: Option<WindowFile>,
    /// Devices at a time. 10 where it is left out.
    #[schemars(with = "Option<u32>", range(min = 1))]
    pub concurrency: Option<Spanned<u32>>,
    /// How many failures stop the wave. 5 percent where it is left out.
    pub failure_budget: Option<BudgetFile>,
    /// Waves that have to be finished before.
    #[schemars(default)]
    pub needs: Vec<Spanned<String>>,
    /// What has to hold before it opens.
    pub gate: Option<GateFile>,
    /// Place of the whole wave.
    #[schemars(skip)]
    pub span: Span,
}

/// Expected number of devices.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SizeFile {
    /// At least.
    pub min: Option<Spanned<u32>>,
    /// At most.
    pub max: Option<Spanned<u32>>,
}

/// When a wave may start devices. What has been started is finished.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WindowFile {
    /// First moment. A date alone is its first moment.
    #[schemars(with = "MomentText", required)]
    pub from: Option<Spanned<Moment>>,
    /// Last moment. A date alone is its end.
    #[schemars(with = "MomentText", required)]
    pub to: Option<Spanned<Moment>>,
    /// IANA time zone. The plan's where it is left out.
    pub zone: Option<Spanned<String>>,
    /// Daily hours, such as `18:00-06:00`. The end may be past midnight.
    #[schemars(with = "Option<HoursText>")]
    pub hours: Option<Spanned<(Time, Time)>>,
    /// Days on which the hours begin. Every day where it is left out.
    #[schemars(with = "Vec<Words<Weekday>>", default)]
    pub days: Vec<Spanned<Weekday>>,
}

/// A date, or a date with a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A day.
    Day(Date),
    /// A moment of a day.
    Time(DateTime),
}

/// How many failures stop a wave. Devices that have begun are finished.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct BudgetFile {
    /// The wave stops when more than this many devices failed.
    pub max: Option<Spanned<u32>>,
    /// The wave stops when more than this share of its devices failed.
    #[schemars(range(max = 100))]
    pub percent: Option<Spanned<u32>>,
    /// The wave stops when more than this many devices failed with the same code.
    pub same_cause: Option<Spanned<u32>>,
}

/// What has to hold before a wave opens.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct GateFile {
    /// Name of the criteria.
    #[schemars(with = "Option<Words<Criteria>>")]
    pub criteria: Option<Spanned<Criteria>>,
    /// Roles that sign off.
    #[schemars(with = "Vec<Words<OwnerRole>>", default)]
    pub sign_off: Vec<Spanned<OwnerRole>>,
    /// Time that has to pass after the waves it needs, such as `7d`.
    #[schemars(with = "Option<DurationText>")]
    pub soak: Option<Spanned<SignedDuration>>,
}

/// An exception with an owner and an end.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ExclusionFile {
    /// Id.
    #[schemars(required)]
    pub id: Option<Spanned<String>>,
    /// What it covers.
    #[schemars(required)]
    pub of: Option<ExclusionOf>,
    /// Who has to act when it ends: a person, a mailbox or an owner role.
    #[schemars(required)]
    pub owner: Option<Spanned<String>>,
    /// Why.
    #[schemars(required)]
    pub reason: Option<Spanned<String>>,
    /// Ticket.
    pub ticket: Option<Spanned<String>>,
    /// Last day.
    #[schemars(required)]
    pub expires: Option<Spanned<Date>>,
}

/// What an exclusion covers.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum ExclusionOf {
    /// These devices stay as they are.
    Devices(#[schemars(with = "SelectorShape")] Selector),
    /// A Conditional Access policy doesn't apply to an account.
    ConditionalAccess(CaFile),
    /// A readiness check by its id.
    Check(Spanned<String>),
    /// A named area.
    #[schemars(untagged)]
    Area(#[schemars(with = "Words<Area>")] Spanned<Area>),
}

/// A Conditional Access exclusion.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CaFile {
    /// Display name of the policy.
    #[schemars(required)]
    pub policy: Option<Spanned<String>>,
    /// UPN of the account.
    #[schemars(required)]
    pub account: Option<Spanned<String>>,
    /// Display name of a group that the policy excludes already. The account is put into it, and the policy itself
    /// isn't changed: that takes a weaker permission.
    pub group: Option<Spanned<String>>,
}

/// What a person attests.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AttestationFile {
    /// Check id, such as `ppl.service-desk`.
    #[schemars(required)]
    pub check: Option<Spanned<String>>,
    /// Who.
    #[schemars(required)]
    pub by: Option<Spanned<String>>,
    /// When.
    #[schemars(required)]
    pub on: Option<Spanned<Date>>,
    /// Last day.
    pub until: Option<Spanned<Date>>,
    /// Reference.
    pub evidence: Option<Spanned<String>>,
}

/// Approvals and ages.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PolicyFile {
    /// Who has to approve a plan before it is applied.
    pub approvals: Option<ApprovalsFile>,
    /// Age at which a plan is too old to be applied, such as `24h`.
    #[schemars(with = "Option<DurationText>")]
    pub plan_max_age: Option<Spanned<SignedDuration>>,
    /// Public keys of people who seal and approve plans; `opsole keys new` makes a pair.
    #[schemars(default)]
    pub keys: Vec<KeyFile>,
    /// What no plan of a wave may come to, whoever approves it; docs/policy.md.
    #[schemars(default)]
    pub rules: Vec<RuleFile>,
}

/// A rule over what a wave's plan comes to. Which of `limit`, `days` and `permissions` it takes depends on the rule.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RuleFile {
    /// Which rule.
    #[schemars(with = "Words<RuleName>", required)]
    pub rule: Option<Spanned<RuleName>>,
    /// What becomes of a plan that breaks it. It blocks where this is left out.
    #[schemars(with = "Option<Words<RuleEffect>>")]
    pub effect: Option<Spanned<RuleEffect>>,
    /// The most that is allowed: devices, percent or exceptions.
    pub limit: Option<Spanned<u32>>,
    /// Days of the week, in the plan's zone.
    #[schemars(with = "Vec<Words<Weekday>>", default)]
    pub days: Vec<Spanned<Weekday>>,
    /// Permissions of Microsoft Graph.
    #[schemars(with = "Vec<String>", default)]
    pub permissions: Vec<Spanned<Permission>>,
}

/// A public key.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct KeyFile {
    /// Whose it is: a person or mailbox. Two keys of one name count as one approver.
    #[schemars(required)]
    pub name: Option<Spanned<String>>,
    /// What it may do: seal plans, or approve them in an owner role.
    #[schemars(with = "Words<KeyRole>", required)]
    pub role: Option<Spanned<KeyRole>>,
    /// The public key, `ed25519:…`.
    #[schemars(with = "String", required, extend("pattern" = "^ed25519:[A-Za-z0-9+/]{43}=$"))]
    pub key: Option<Spanned<PublicKey>>,
    /// Last day on which it may sign.
    pub until: Option<Spanned<Date>>,
    /// Nothing that it signed counts any more.
    pub revoked: Option<Spanned<bool>>,
}

/// Approvals.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ApprovalsFile {
    /// Number of approvals.
    #[schemars(required)]
    pub required: Option<Spanned<u32>>,
    /// Roles that may approve.
    #[schemars(with = "Vec<Words<OwnerRole>>", default)]
    pub from: Vec<Spanned<OwnerRole>>,
}
