//! What would change: the graph held against the snapshot, with a reason for every operation.

mod changes;

pub use changes::{Action, Blocker, Change, ChangeSet, DeviceChanges, Reason, Standing, TenantChange, WaveChange};
