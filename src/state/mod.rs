//! What is: the snapshot of tenants, directory and devices that a plan is held against.
//!
//! A snapshot is a value with a time. Each part is [`Known`](crate::model::Known): read, absent, or
//! unknown with a reason. It can be written to a file and read again (`opsole snapshot --out`).

mod access;
mod directory;
mod gate;
mod ledger;
mod package;
mod snapshot;
mod tenant;

pub use access::{ConditionalAccessPolicy, CrossTenantAccess, InOut, NamedLocation};
pub use directory::{AdComputer, AdUser, DirectoryState, DisjoinAccount, Forest, HybridTenant, OuRights, RetiredMark};
pub use gate::SignOff;
pub use ledger::{DeviceRecord, Outcome};
pub use package::{LocalUser, PackageFacts};
pub use snapshot::{Evidence, FORMAT, Snapshot};
pub use tenant::{
    AppCredential, AppRegistration, Assignment, AutopilotIdentity, ConfigurationProfile, EnrolmentSettings,
    EntraDevice, Group, JoinScope, LapsBackup, ManagedDevice, Organization, RecoveryKey, RegistrationPolicy,
    StatusPage, TenantState, TokenRefusal, TrustType, User,
};
