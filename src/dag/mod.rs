//! What it takes: the operation catalogue and the graph of operations that a plan compiles to.

mod blocker;
mod catalogue;

pub use blocker::Blocker;
pub use catalogue::{Need, OpSpec, Phase, Place, Scope, spec};
