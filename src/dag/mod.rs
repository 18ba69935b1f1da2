//! What it takes: the operation catalogue and the graph of operations that a plan compiles to.
//!
//! ```text
//! Index::new(plan, snapshot)   tables over both, once
//!   -> assign                  which device in which wave; exclusions; overlaps
//!   -> views                   each device joined over agents, tenants, directory and record
//!   -> compile                 OpGraph: tenant, wave and device operations in their order
//!   -> Case                    postconditions of operations, held against one device
//! ```
//!
//! All of it is linear in devices and gives the same for the same input, in whatever order lists come.

mod assign;
mod blocker;
mod calls;
mod catalogue;
#[cfg(test)]
pub(crate) mod fixture;
mod graph;
mod groups;
mod holds;
mod identity;
mod index;
mod opset;
mod presence;
mod select;
mod view;

pub use assign::{Assigned, Assignment, Covers, assign};
pub use blocker::Blocker;
pub use calls::{Maker, Need, Part, Use, When, needs, possible_ops, uses, uses_of};
pub use catalogue::{OpSpec, Phase, Place, Scope, spec};
pub use graph::{Chain, Cycle, OpGraph, OpNode, TenantSubject, compile};
pub use groups::groups;
pub use identity::{Mapping, map, person};
pub use index::Index;
pub use opset::OpSet;
pub use presence::{Retiring, known_ops, present, retiring};
pub use view::{Objects, View, views};

pub(crate) use assign::is_begun;
pub(crate) use groups::counterpart;
pub(crate) use holds::{Case, Held};
pub(crate) use identity::origin_user;
pub(crate) use index::TenantIndex;
