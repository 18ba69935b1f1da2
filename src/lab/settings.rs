//! The settings of a described tenant: who may join and enrol, Conditional Access, cross-tenant access. What is left out
//! means that nothing is wrong.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a condition takes in and leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorldInOut {
    /// Taken in.
    pub include: Vec<String>,
    /// Left out.
    pub exclude: Vec<String>,
}

/// A Conditional Access policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldPolicy {
    /// Display name.
    pub name: String,
    /// `enabled`, `disabled`, `enabledForReportingButNotEnforced`.
    #[serde(default = "enabled")]
    pub state: String,
    /// `urn:user:registerdevice` makes it bite on joins.
    #[serde(default)]
    pub user_actions: Vec<String>,
    /// `mfa`, `compliantDevice`, `block`, …
    #[serde(default)]
    pub grant: Vec<String>,
    /// `AND` or `OR` between the controls.
    #[serde(default = "any_of_them")]
    pub operator: String,
    /// Name of a required authentication strength.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_strength: Option<String>,
    /// Terms of use have to be accepted.
    #[serde(default)]
    pub terms_of_use: bool,
    /// Included users by UPN, or `All`, `None`, `GuestsOrExternalUsers`. Everybody, where no user, group, role or
    /// application is named.
    #[serde(default)]
    pub include_users: Vec<String>,
    /// Included groups by name.
    #[serde(default)]
    pub include_groups: Vec<String>,
    /// Included directory roles, by the id of their template.
    #[serde(default)]
    pub include_roles: Vec<String>,
    /// Excluded users by UPN.
    #[serde(default)]
    pub exclude_users: Vec<String>,
    /// Excluded groups by name.
    #[serde(default)]
    pub exclude_groups: Vec<String>,
    /// A policy for workloads: client ids of the world's apps, or `ServicePrincipalsInMyTenant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_principals: Option<WorldInOut>,
    /// Resources: application ids, `All`, `Office365`. All of them, where no user action is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applications: Option<WorldInOut>,
    /// `all`, `browser`, `mobileAppsAndDesktopClients`, `exchangeActiveSync`, `other`.
    #[serde(default = "every_client")]
    pub client_app_types: Vec<String>,
    /// `all`, `windows`, `iOS`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platforms: Option<WorldInOut>,
    /// Named locations by name, or `All`, `AllTrusted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locations: Option<WorldInOut>,
    /// Levels of sign-in risk: `low`, `medium`, `high`. Nobody in a lab is at risk.
    #[serde(default)]
    pub sign_in_risk: Vec<String>,
    /// Levels of user risk.
    #[serde(default)]
    pub user_risk: Vec<String>,
    /// Filter for devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_filter: Option<WorldDeviceFilter>,
}

fn enabled() -> String {
    "enabled".to_owned()
}
fn any_of_them() -> String {
    "OR".to_owned()
}
fn every_client() -> Vec<String> {
    vec!["all".to_owned()]
}

impl WorldPolicy {
    /// Returns an enabled policy for everybody, every application and every place that demands nothing yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: enabled(),
            user_actions: Vec::new(),
            grant: Vec::new(),
            operator: any_of_them(),
            authentication_strength: None,
            terms_of_use: false,
            include_users: Vec::new(),
            include_groups: Vec::new(),
            include_roles: Vec::new(),
            exclude_users: Vec::new(),
            exclude_groups: Vec::new(),
            service_principals: None,
            applications: None,
            client_app_types: every_client(),
            platforms: None,
            locations: None,
            sign_in_risk: Vec::new(),
            user_risk: Vec::new(),
            device_filter: None,
        }
    }
}

/// A filter for devices in a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldDeviceFilter {
    /// `include` or `exclude`.
    pub mode: String,
    /// Rule, such as `device.trustType -eq "AzureAD"`.
    pub rule: String,
}

/// A named location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldLocation {
    /// Display name.
    pub name: String,
    /// Marked as trusted.
    #[serde(default)]
    pub trusted: bool,
    /// Address ranges.
    #[serde(default)]
    pub ranges: Vec<String>,
    /// The world's devices are in it when they join.
    #[serde(default)]
    pub devices: bool,
}

/// Device registration policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorldRegistration {
    /// Devices a user may have.
    pub user_device_quota: u32,
    /// MFA is required for joining.
    pub mfa_required: bool,
    /// Anybody may join: everybody, or only who is named below.
    pub join_allowed: bool,
    /// Only these users may join, by UPN, and who is in the groups below.
    pub join_users: Vec<String>,
    /// Only members of these groups may join, by name.
    pub join_groups: Vec<String>,
}

impl Default for WorldRegistration {
    fn default() -> Self {
        Self {
            user_device_quota: 50,
            mfa_required: false,
            join_allowed: true,
            join_users: Vec::new(),
            join_groups: Vec::new(),
        }
    }
}

impl WorldRegistration {
    /// Says whether only some may join.
    #[must_use]
    pub fn enumerated(&self) -> bool {
        self.join_allowed && !(self.join_users.is_empty() && self.join_groups.is_empty())
    }
}

/// Enrolment into Intune.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorldEnrolment {
    /// The default platform restriction blocks Windows: the one that bulk enrolment obeys.
    pub windows_blocked: bool,
    /// The default limit of devices a user may enrol.
    pub device_limit: u32,
    /// Enrollment Status Pages besides the default one.
    pub status_pages: Vec<WorldStatusPage>,
}

impl Default for WorldEnrolment {
    fn default() -> Self {
        Self { windows_blocked: false, device_limit: 15, status_pages: Vec::new() }
    }
}

/// An Enrollment Status Page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldStatusPage {
    /// Display name.
    pub name: String,
    /// It keeps people from their desktop until everything is installed.
    #[serde(default)]
    pub blocks: bool,
    /// Groups that it is assigned to, by name; every device where none is named.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// Cross-tenant access.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorldCrossTenant {
    /// Collaboration inbound is blocked by default.
    pub inbound_blocked: bool,
    /// Collaboration outbound is blocked by default.
    pub outbound_blocked: bool,
    /// Tenants with settings of their own, by id or by name in this world.
    pub partners: BTreeMap<String, WorldPartner>,
}

/// Settings for one tenant; what is left out is as the default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorldPartner {
    /// Collaboration inbound is blocked.
    pub inbound_blocked: Option<bool>,
    /// Collaboration outbound is blocked.
    pub outbound_blocked: Option<bool>,
}

impl WorldCrossTenant {
    /// Returns the partners by tenant id, given the ids of the world's tenants.
    pub fn partners<'a>(
        &'a self,
        id_of: impl Fn(&str) -> Option<Uuid> + 'a,
    ) -> impl Iterator<Item = (Uuid, &'a WorldPartner)> {
        self.partners.iter().filter_map(move |(key, partner)| Some((id_of(key).or_else(|| key.parse().ok())?, partner)))
    }
}

/// The account that retires computer objects in Active Directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorldDisjoinAccount {
    /// Name, as the plan gives it; `svc-disjoin` of the domain where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Not disabled.
    pub enabled: bool,
    /// Locked out.
    pub locked: bool,
    /// End of its password.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub password_expires: Option<jiff::Timestamp>,
    /// End of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub account_expires: Option<jiff::Timestamp>,
    /// May delete computer objects.
    pub delete: bool,
    /// May read their properties.
    pub read: bool,
    /// May disable them.
    pub disable: bool,
}

impl Default for WorldDisjoinAccount {
    fn default() -> Self {
        Self {
            name: None,
            enabled: true,
            locked: false,
            password_expires: None,
            account_expires: None,
            delete: true,
            read: true,
            disable: true,
        }
    }
}
