//! The words of the domain: identifiers, tenants, devices, users, features, permissions, problems.
//!
//! Plain data with meaning and no IO. Names follow Microsoft's terms; `docs/glossary.md` is the judge.

mod check;
mod device;
mod feature;
mod fields;
mod graph_call;
mod ids;
mod key;
mod known;
mod op;
mod permission;
mod problem;
mod recovery;
mod scenario;
mod sid;
mod survey;
pub mod words;

pub use check::Check;
pub use device::{
    BitLocker, DeviceFacts, DomainJoin, EntraJoin, Identity, LapsTarget, LocalMembership, LogonSurface, Mdm,
    PackageRecord, Profile, ProfileHealth, Protector, Recorded, SignIn, Staging,
};
pub use feature::{Feature, FeatureSet};
pub use fields::fields;
pub use graph_call::GraphCall;
pub use ids::{
    AutopilotId, DeviceName, Digest, EntraDeviceId, EntraObjectId, GroupId, IntuneId, KeyId, PackageName, PolicyId,
    RunId, TenantId, TenantName, UserId, WaveName,
};
pub use key::PublicKey;
pub use known::Known;
pub use op::Op;
pub use permission::Permission;
pub use problem::{Problem, Retry};
pub use recovery::{PASSWORD_MIN, RECOVERY_ACCOUNT, RecoveryPassword};
pub use scenario::{JoinState, Mode, OwnerRole, RetirePolicy, Scenario, Side};
pub use sid::Sid;
pub use survey::{
    Canary, Connection, ENDPOINTS, Hardware, LocalAdmin, Probe, ProbeOutcome, Recovery, SURVEY_FORMAT, SURVEY_SECS_MAX,
    Security, Survey, Tpm, Windows,
};

/// Returns a file of Microsoft's published data, where it lies beside the repository.
#[cfg(test)]
pub(crate) fn published(name: &str) -> Option<String> {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = ["../shared", "../../shared"].map(|up| here.join(up).join("reference/graph").join(name));
    places.into_iter().find_map(|path| std::fs::read_to_string(path).ok())
}
