//! What is: the snapshot of tenants, directory and devices that a plan is held against.
//!
//! A snapshot is a value with a time. Each part is [`Known`](crate::model::Known): read, absent, or
//! unknown with a reason. It can be written to a file and read again (`opsole snapshot --out`).

mod directory;
mod ledger;
mod snapshot;
mod tenant;

pub use directory::{AdComputer, DirectoryState};
pub use ledger::{DeviceRecord, Outcome};
pub use snapshot::{Evidence, FORMAT, Snapshot};
pub use tenant::{
    Assignment, AutopilotIdentity, ConditionalAccessPolicy, ConfigurationProfile, EntraDevice, Group, JoinScope,
    LapsBackup, ManagedDevice, Organization, RecoveryKey, RegistrationPolicy, TenantState, TrustType, User,
};
