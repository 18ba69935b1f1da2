//! Who may ask what of the controller: roles and rights, users, passwords, sessions, lock-out, limits of calls.
//!
//! ```text
//! password --Policy--> hash (Argon2id, PHC text) --> User {name, role, hash, disabled}
//! name + password --Lockout, verify--> Session {digest of the token, user, began, seen}
//! token --Session::stands(now)--> Who {name, how, role} --Role::has(Right)--> the call, or a refusal
//! refusals --Refusals--> the first at once, repeats counted --> the audit list
//! ```
//!
//! Pure: moments, salts and tokens come in as arguments. `controller::api` asks, `store` keeps. `docs/operators.md` says
//! what it protects and what it can't.

mod limits;
mod lockout;
mod password;
mod refusals;
mod role;
mod session;
mod user;

pub use limits::{Bucket, Peer, Rates};
pub use lockout::{Lockout, Rule};
pub use password::{PasswordHash, STAND_IN, check_password};
pub use refusals::{Refusals, RefusedCalls, Why};
pub use role::{Right, Role};
pub use session::{How, SESSIONS_PER_USER, Session, Token, Who};
pub use user::{User, UserName};
