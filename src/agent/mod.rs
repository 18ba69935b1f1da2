//! The agent: fetches its work order, carries the steps out, checkpoints on the device and reports.
//!
//! ```text
//! controller --order--> client --> journal (accepted) --> runner: check -> Started -> act -> read back -> outcome
//!                         ^                                  |  steps: pure checks and moves by operation
//!                         +------------ events --------------+  os: the device's operating system
//! ```
//!
//! - Nothing is done before it is written down, and nothing counts as done before it was read back.
//! - With an order in hand the agent needs no controller; events wait in the journal.
//! - The package lies in a file of its own, readable by the agent alone, and is wiped once the join is seen.

mod client;
mod identity;
mod journal;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod laws_ready;
mod ledger;
mod package;
mod preflight;
mod recover;
#[cfg(test)]
mod recover_laws;
mod rescue;
mod run;
mod runner;
mod skew;
mod steps;
mod supervise;

pub use client::http_client;
pub use identity::Identity;
pub use journal::{ARCHIVE, Accepted, Crash, Durability, Journal};
pub use ledger::{Ended, Halt, Ledger, Recovered, StepState};
pub use package::Opened;
pub use recover::{Diagnosis, Proof, Remedy, Stage, Standing, Stopped, Who};
pub use rescue::{Rescue, look as look_for_rescue};
pub use run::{AgentConfig, Enrolled, Exit, Online, enrol, run};
pub use runner::{Runner, Stop};
pub use steps::{Context, Move, Verdict, act, check, undo, undone};
pub use supervise::supervise;
