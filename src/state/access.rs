//! Conditional Access and cross-tenant access, as far as joins, enrolments and the application are concerned.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{GroupId, PolicyId, TenantId};

/// A list of what a condition takes in and what it leaves out. Words such as `All` stand beside ids, as Graph has them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InOut {
    /// Taken in.
    #[serde(default)]
    pub include: Vec<String>,
    /// Left out.
    #[serde(default)]
    pub exclude: Vec<String>,
}

/// `conditionalAccessPolicy`. Lists are sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConditionalAccessPolicy {
    /// Policy id.
    pub id: PolicyId,
    /// Display name.
    pub name: String,
    /// `enabled`, `disabled` or `enabledForReportingButNotEnforced`.
    pub state: String,
    /// `conditions.users.includeUsers`: ids, `All`, `None`, `GuestsOrExternalUsers`.
    #[serde(default)]
    pub include_users: Vec<String>,
    /// `conditions.users.includeGroups`.
    #[serde(default)]
    pub include_groups: Vec<GroupId>,
    /// `conditions.users.includeRoles` isn't empty: role templates by id.
    #[serde(default)]
    pub include_roles: Vec<String>,
    /// `conditions.users.excludeUsers`: ids, or `GuestsOrExternalUsers`.
    pub exclude_users: Vec<String>,
    /// `conditions.users.excludeGroups`.
    pub exclude_groups: Vec<GroupId>,
    /// `conditions.clientApplications`: service principals, of policies for workload identities.
    #[serde(default)]
    pub service_principals: Option<InOut>,
    /// `conditions.applications.include/excludeApplications`: application ids, `All`, `Office365`.
    #[serde(default)]
    pub applications: InOut,
    /// `conditions.applications.includeUserActions`, such as `urn:user:registerdevice`.
    pub user_actions: Vec<String>,
    /// `conditions.clientAppTypes`.
    #[serde(default)]
    pub client_app_types: Vec<String>,
    /// `conditions.platforms`; none is every platform.
    #[serde(default)]
    pub platforms: Option<InOut>,
    /// `conditions.locations`; none is everywhere.
    #[serde(default)]
    pub locations: Option<InOut>,
    /// `conditions.signInRiskLevels`.
    #[serde(default)]
    pub sign_in_risk: Vec<String>,
    /// `conditions.userRiskLevels`.
    #[serde(default)]
    pub user_risk: Vec<String>,
    /// `conditions.servicePrincipalRiskLevels`, of policies for workload identities.
    #[serde(default)]
    pub service_principal_risk: Vec<String>,
    /// `conditions.authenticationFlows.transferMethods`: `deviceCodeFlow`, `authenticationTransfer`. Empty is every flow.
    #[serde(default)]
    pub authentication_flows: Vec<String>,
    /// `conditions.devices.deviceFilter`: mode and rule.
    #[serde(default)]
    pub device_filter: Option<(String, String)>,
    /// `grantControls.operator`: `AND` or `OR`.
    #[serde(default)]
    pub operator: Option<String>,
    /// `grantControls.builtInControls`.
    pub grant: Vec<String>,
    /// `grantControls.authenticationStrength` is set: its display name or id.
    #[serde(default)]
    pub authentication_strength: Option<String>,
    /// `grantControls.termsOfUse` isn't empty.
    #[serde(default)]
    pub terms_of_use: bool,
}

/// `namedLocation`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedLocation {
    /// Id.
    pub id: Uuid,
    /// Display name.
    pub name: String,
    /// Marked as trusted.
    pub trusted: bool,
}

/// `crossTenantAccessPolicy`, the part that may block: what holds for one other tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrossTenantAccess {
    /// Inbound collaboration is blocked by default.
    pub default_inbound_blocked: bool,
    /// Outbound collaboration is blocked by default.
    pub default_outbound_blocked: bool,
    /// Partners with settings of their own: tenant, inbound blocked, outbound blocked.
    pub partners: Vec<(TenantId, bool, bool)>,
}
