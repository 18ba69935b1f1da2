//! The embedded lab: emulated tenants (HTTP), directory and devices that everything runs against.
//!
//! A world is described in YAML ([`world`]), lives in `.opsole/lab/` ([`store`]) and has its own clock
//! ([`clock`]). Devices reach the tenants the way real ones do, over HTTP ([`protocol`]).

pub mod clock;
pub mod device;
pub mod directory;
mod folder;
pub mod packages;
mod parse;
pub mod protocol;
pub mod seed;
pub mod store;
pub mod tenant;
pub mod world;

pub use folder::Lab;
