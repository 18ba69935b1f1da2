//! The edges as traits: time, tenants, directory, devices, disk. Adapters implement them; `cli` picks.

pub mod at_rest;
mod clock;
mod device;
mod directory;
mod entropy;
mod operators;
mod store;
mod tenant;

pub use clock::{Clock, SystemClock};
pub use device::{DeviceAction, DeviceOs};
pub use directory::{Directory, Retirement, refuse};
pub use entropy::SystemEntropy;
pub use operators::OperatorStore;
pub use store::{EntryRow, Packages, RecoveryRow, RunRow, RunState, Store, Vault};
pub use tenant::{AutopilotImport, ImportState, Tenant, Wanted};

/// What a port answers.
pub type Result<T> = std::result::Result<T, crate::model::Problem>;
