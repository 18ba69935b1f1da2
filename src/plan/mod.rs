//! What the user wants: YAML → [`PlanFile`] → [`MigrationPlan`]. The only module that knows YAML.

mod migration;

pub use migration::{
    AppSpec, ApprovalPolicy, Attestation, CaExclusion, Cloud, CloudSpec, Credential, DeviceRow, DeviceSource,
    DirectorySpec, Exclusion, ExclusionKind, FailureBudget, FeatureSpec, GateSpec, MigrationPlan, PackageSpec,
    SecretRef, Selector, TenantRole, TenantSpec, UserMatch, Validation, WaveSpec, Weekday, Window,
};
