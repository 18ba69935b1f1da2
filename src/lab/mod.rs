//! The embedded lab: emulated tenants (HTTP), directory and devices that everything runs against.
//!
//! A world is described in YAML ([`world`]) or made up ([`generate`]), lives in `.opsole/lab/` ([`Lab`], [`store`])
//! and has its own clock ([`clock`]). Its first moment is computed from names ([`seed`]); the store keeps what
//! has changed since. Tenants answer over HTTP ([`tenant`]) to the tool and, the way real ones do, to devices
//! ([`protocol`]); [`directory`] and [`packages`] are the ports beside them.

pub mod clock;
pub mod device;
pub mod directory;
mod folder;
pub mod generate;
pub mod packages;
mod parse;
pub mod protocol;
pub mod seed;
mod settings;
pub mod store;
pub mod survey;
pub mod tenant;
pub mod wim;
pub mod world;
mod write;
mod xpress;

pub use folder::Lab;
