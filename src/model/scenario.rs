//! Scenarios, join states, the sides of a migration and the roles that act.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From where to where a plan moves devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Active Directory joined to Microsoft Entra joined, in one tenant.
    AdToEntra,
    /// Microsoft Entra hybrid joined to Microsoft Entra joined, in one tenant.
    HybridToEntra,
    /// From a source tenant (Entra, hybrid or AD joined) to a target tenant.
    TenantToTenant,
}

impl Scenario {
    /// Returns the name as it stands in plan files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdToEntra => "ad-to-entra",
            Self::HybridToEntra => "hybrid-to-entra",
            Self::TenantToTenant => "tenant-to-tenant",
        }
    }
}

/// How a device is joined (domain.md B1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JoinState {
    /// Joined to nothing.
    Workgroup,
    /// Joined to Active Directory only.
    Ad,
    /// Joined to Active Directory and registered in Entra as hybrid.
    Hybrid,
    /// Joined to Microsoft Entra ID.
    Entra,
}

impl JoinState {
    /// Returns the words people use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workgroup => "workgroup",
            Self::Ad => "AD joined",
            Self::Hybrid => "hybrid joined",
            Self::Entra => "Entra joined",
        }
    }
}

/// The side of a migration that a tenant stands on. With one tenant both sides are the same tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Where the devices come from: `role: source`, or `role: current`.
    Origin,
    /// Where the devices go: `role: target`, or `role: current`.
    Destination,
}

/// How a wave starts on its devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The user starts it, inside the window.
    #[default]
    UserInitiated,
    /// It starts by itself inside the window, without asking.
    Silent,
    /// It starts by itself, after a countdown that the user sees.
    Enforced,
}

/// What becomes of the old computer object in Active Directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RetirePolicy {
    /// Nothing.
    Keep,
    /// It is disabled, and can be enabled again.
    #[default]
    Disable,
    /// It is deleted.
    Delete,
}

/// Who has to act on a finding; the plan's `owners` map roles to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OwnerRole {
    /// Licences, users, Entra configuration, the app registration.
    Identity,
    /// Devices, packages.
    Endpoint,
    /// Proxies, DNS, TLS.
    Network,
    /// Conditional Access, EDR, application control.
    Security,
    /// Active Directory.
    Directory,
    /// Communication, approvals.
    ChangeManagement,
    /// Recovery, pilot exit.
    ProjectLead,
}

impl OwnerRole {
    /// Returns the name as it stands in plan files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Endpoint => "endpoint",
            Self::Network => "network",
            Self::Security => "security",
            Self::Directory => "directory",
            Self::ChangeManagement => "change-management",
            Self::ProjectLead => "project-lead",
        }
    }
}
