//! What it takes: the operation catalogue and the graph of operations that a plan compiles to.

mod catalogue;

pub use catalogue::{Need, OpSpec, Phase, Place, Scope, spec};
