//! What is known about every code and name that people meet: the tool's own, and those of Windows, Entra, Intune and
//! Autopilot.
//!
//! ```text
//! what was typed or pasted --find--> topics, strangers     exact name, any written form of a code, a whole log line
//! topic --page--> Page                                     cause, what to look at, which operation meets it
//! ```
//!
//! One table holds the foreign codes ([`foreign_codes`]), one the tool's own problems ([`problems`]); checks, operations
//! and permissions come from their own tables. `opsole explain` and `docs/explain/` show the same [`Page`].

mod codes_directory;
mod codes_event;
mod codes_join;
mod codes_mdm;
mod codes_network;
mod codes_sign_in;
mod facility;
mod find;
mod foreign;
mod guard;
mod page;
mod permission;
mod problem;
mod problems_cloud;
mod problems_device;
mod problems_directory;
mod problems_operators;
mod problems_own;
mod problems_sealed;
mod problems_transport;
mod problems_windows;
mod topic;

pub use facility::Stranger;
pub use find::{Found, find, nearest};
pub use foreign::{Family, ForeignCode, Mark, carried_by, first_in, foreign, foreign_codes};
pub use guard::guards;
pub use page::{Body, Page, Part, page, sentence};
pub use problem::{OwnProblem, problem, problems};
pub use topic::{Kind, Topic};
