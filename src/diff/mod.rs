//! What would change: the graph held against the snapshot, with a reason for every operation.
//!
//! [`decide`] does all of it. Unknown never leads to a change: what couldn't be read blocks the devices
//! that need it, and is said once among the findings.

mod blockers;
mod changes;
mod decide;
mod device;
mod drift;
mod effect;
mod gate;
#[cfg(test)]
mod gate_laws;
#[cfg(test)]
mod laws;
mod live;
mod permission;
mod register;
#[cfg(test)]
mod register_laws;
mod tenant;
#[cfg(test)]
mod tenant_laws;
mod window;

pub use crate::dag::Blocker;
pub use changes::{Action, Change, ChangeSet, DeviceChanges, Reason, Standing, TenantChange, WaveChange};
pub use decide::{Decision, decide, decide_ahead, diff, select};
pub use drift::{DriftField, DriftKind, DriftLine, DriftReport, DriftWhat, NotKnown, TenantOp, Weight, drift};
pub use effect::{effect, tenant_effect};
pub use gate::{Answer as GateAnswer, NeedState, RoleState, newest_sign_off};
pub use register::{Answer, Covered, ExclusionState, Register, RegisterEntry, SOON_DAYS, register, register_offline};
pub use window::{WindowState, window_state};
