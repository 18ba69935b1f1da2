//! An emulated Windows device: [`crate::port::DeviceOs`] over state that outlives every process.
//!
//! What an agent reads and changes are `DeviceFacts`; behind them lies what only Windows knows: an unjoin
//! that waits for the restart, a join that was asked for, a sign-in that is about to happen. Nothing runs in
//! the background: each thing that time brings is a due moment on disk (`state`), and every access first
//! lets happen what has become due (`physics`). A killed process therefore loses nothing.
//!
//! ```text
//! perform(action) -> fault? -> actions::apply -> LabStore "device"/NAME
//! inspect()       -> physics::advance (boot, join, enrol, LAPS, sign-in) -> facts
//! ```

mod actions;
pub mod cloud;
mod fault;
mod guard;
#[cfg(test)]
mod laws;
mod os;
mod physics;
mod seed;
mod state;
mod step_clock;
mod survey;

pub use cloud::{Cloud, CloudError, FakeCloud, HttpCloud};
pub use os::LabDevice;
pub use seed::{DeviceSeed, first_state};
pub use state::{DeviceState, EMPTY_PROFILE_MIB, Habits, PendingJoin, Power};
pub use step_clock::StepClock;
