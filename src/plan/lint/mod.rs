//! What can be wrong with a plan that is well written: one file an area, each reports all that it finds.

mod checks;
mod dates;
mod names;
mod policy;
mod setting;
mod waves;

pub(super) use checks::checks;
pub(super) use dates::dates;
pub(super) use names::names;
pub(super) use policy::policy;
pub(super) use setting::setting;
pub(super) use waves::waves;
