//! What happens next: the sans-IO machine of a run.
//!
//! ```text
//! RunPlan ──new──► Machine ──effects(now)──► Effect ──(journal, then act)──► Event ──apply──► Machine
//!    │                ▲
//!    └── journal ──replay: the same entries give the same machine
//! ```
//!
//! The machine holds every decision of a run and does nothing by itself: it knows no future, clock, file or
//! network. `controller::exec` asks for [`Effect`]s, writes the [`Event`] of each into the journal, acts, and
//! tells the machine what came of it. One table, [`next_status`], says which event is legal in which state;
//! live execution and recovery both go through it, so that a journal which can't have happened is an error.
//!
//! Two words that are easy to mix: an operation is *released* when a work order gives it to the agent, and
//! *started* when the controller begins its own part.

mod effects;
mod event;
#[cfg(test)]
mod laws;
mod machine;
mod places;
mod plan;
mod progress;
mod status;
mod window;

#[cfg(test)]
pub(crate) use laws::{device_run as device_run_for_tests, run_plan as run_plan_for_tests};

pub use effects::Effect;
pub use event::{AgentNote, CorruptJournal, Entry, Event, IllegalEvent, Seen, TenantMark};
pub use machine::{Machine, Stop};
pub use plan::{Budget, DeviceRun, FORMAT, OpRun, RunPlan, Settings, TenantRun};
pub use progress::{Counts, DeviceProgress, DeviceStage, Progress};
pub use status::{Mark, Status, next_status};
pub use window::{Interval, Windows};
