//! What would change: the graph held against the snapshot, with a reason for every operation.

mod changes;

pub use crate::dag::Blocker;
pub use changes::{Action, Change, ChangeSet, DeviceChanges, Reason, Standing, TenantChange, WaveChange};
