//! The one-time token of whoever has a run carried out. It dies with the process, and is good from this machine alone.

use crate::model::Digest;
use crate::operators::{How, Role, Token, Who};
use crate::port::Result;

/// The token, as the server knows it: by its digest.
pub struct OneTimeToken {
    digest: Digest,
    who: Who,
}

impl OneTimeToken {
    /// Makes one for somebody, as the audit list names people. It has the rights of an operator: its holder could end
    /// the process anyway, and what needs a second person needs one here too.
    ///
    /// # Errors
    /// `api.no-randomness`.
    pub fn new(actor: &str) -> Result<(Self, Token)> {
        let token = Token::of(super::random()?);
        let who = Who { actor: actor.to_owned(), user: None, subject: None, how: How::Local, role: Role::Operator };
        Ok((Self { digest: Token::digest(token.expose()), who }, token))
    }
    /// Returns whose a token is. Digests are compared: how much of one is right tells nothing of the token.
    pub(super) fn who(&self, token: &str) -> Option<Who> {
        (Token::digest(token) == self.digest).then(|| self.who.clone())
    }
}
