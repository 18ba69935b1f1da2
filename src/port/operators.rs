//! What the controller keeps of those who may ask it: users and sessions.

use jiff::Timestamp;

use super::{Result, Store};
use crate::audit::{Link, Note};
use crate::model::Digest;
use crate::operators::{Session, User, UserName};

/// Users and sessions, in the controller's store. Every write is durable when it returns, together with its notes.
pub trait OperatorStore: Store {
    /// Returns all users, by name.
    ///
    /// # Errors
    /// `store.*` codes.
    fn users(&self) -> Result<Vec<User>>;
    /// Returns one user.
    ///
    /// # Errors
    /// As above.
    fn user(&self, name: &UserName) -> Result<Option<User>>;
    /// Adds a user.
    ///
    /// # Errors
    /// As above; `users.exists`.
    fn add_user(&self, user: &User, audit: &[Note]) -> Result<()>;
    /// Replaces a user; with `end_sessions` nobody is signed in as that user any more.
    ///
    /// # Errors
    /// As above; `users.unknown`.
    fn change_user(&self, user: &User, end_sessions: bool, audit: &[Note]) -> Result<()>;

    /// Keeps a new session of a user who is still as `user` says: whoever's password is changed while it is looked at
    /// isn't let in. Sessions of the user that are too many end, the oldest first; so do all that began before `swept`.
    ///
    /// # Errors
    /// As above; `users.unknown` where the user isn't as said any more.
    fn begin_session(&self, session: &Session, user: &User, swept: Timestamp, audit: &[Note]) -> Result<()>;
    /// Returns a session by the digest of its token.
    ///
    /// # Errors
    /// As above.
    fn session(&self, id: &Digest) -> Result<Option<Session>>;
    /// Remembers that something was done in a session; nothing where it has ended.
    ///
    /// # Errors
    /// As above.
    fn see_session(&self, id: &Digest, at: Timestamp) -> Result<()>;
    /// Ends a session; nothing where it has ended.
    ///
    /// # Errors
    /// As above.
    fn end_session(&self, id: &Digest) -> Result<()>;

    /// Returns entries of the list of what was decided and done after a place, as many at the most.
    ///
    /// # Errors
    /// As above.
    fn audit_after(&self, seq: u64, limit: u32) -> Result<Vec<Link>>;
}
