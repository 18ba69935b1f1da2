//! The work order: what one device has to do, and all that it needs to know for it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::{
    Check, DeviceName, Digest, EntraDeviceId, FeatureSet, Mode, Op, PackageName, RunId, Scenario, Sid, TenantId, UserId,
};

/// Everything about one device's migration that doesn't change during a run. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// The device.
    #[schemars(with = "String")]
    pub device: DeviceName,
    /// Serial number it must have, where the plan knows one.
    pub serial: Option<String>,
    /// From where to where.
    pub scenario: Scenario,
    /// Features that are on.
    #[schemars(with = "u8")]
    pub features: FeatureSet,
    /// How the wave starts.
    pub mode: Mode,
    /// Tenant to leave, where there is one.
    #[schemars(with = "String")]
    pub origin_tenant: TenantId,
    /// Tenant to join.
    #[schemars(with = "String")]
    pub target_tenant: TenantId,
    /// Owner of the profile now.
    #[schemars(with = "String")]
    pub old_sid: Sid,
    /// Path of the profile.
    pub profile_path: String,
    /// Mapped user.
    #[schemars(with = "String")]
    pub user: UserId,
    /// Mapped user's name.
    pub upn: String,
    /// Owner of the profile afterwards; computed from `user` and equal to what Graph says.
    #[schemars(with = "String")]
    pub new_sid: Sid,
    /// Package to install.
    #[schemars(with = "String")]
    pub package: PackageName,
    /// Its digest, where the plan names one.
    #[schemars(with = "Option<String>")]
    pub package_sha256: Option<Digest>,
    /// Old registration, so that it is never taken for the new one.
    #[schemars(with = "Option<String>")]
    pub old_device: Option<EntraDeviceId>,
    /// Checks that don't hold on it and that an exclusion of the plan covers: its preflight lets them pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub excepted: Vec<Check>,
    /// Checks of the device that people stand for where they can't be measured: its preflight lets them pass
    /// unless they fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub attested: Vec<Check>,
}

/// What the agent is to do with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Carry it out.
    Do,
    /// Put it back.
    Undo,
}

/// One step of an order. An agent carries steps out strictly in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Step {
    /// Which operation.
    pub op: Op,
    /// Do or undo.
    pub kind: StepKind,
}

/// The package itself, given only with the order that releases its installation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageDelivery {
    /// Name in the plan.
    pub name: PackageName,
    /// Digest of the bytes.
    pub sha256: Digest,
    /// The bytes, base64. A package is a credential: it is never shown or logged.
    pub content: Zeroizing<String>,
}

impl std::fmt::Debug for PackageDelivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackageDelivery")
            .field("name", &self.name)
            .field("sha256", &self.sha256)
            .finish_non_exhaustive()
    }
}

/// All that a device is released to do. A newer order holds every step of the older ones and more.
///
/// An agent that has an order goes on with it without the controller. It refuses an order for another
/// device, of a lower generation, or of the same generation with other content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkOrder {
    /// [`super::FORMAT`].
    pub format: u32,
    /// The run it belongs to.
    pub run: RunId,
    /// Digest of the plan that was agreed.
    pub plan: Digest,
    /// Grows with every release to this device in this run; starts at 1.
    pub generation: u64,
    /// After this moment no step before the point of no return is begun. What was begun is finished.
    pub not_after: Timestamp,
    /// Everything the steps need to know.
    pub task: Task,
    /// Steps in order, from the first of the run.
    pub steps: Vec<Step>,
    /// The package, once its installation is released.
    pub package: Option<PackageDelivery>,
}
