//! Who is signed in, and for how long.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::role::{Right, Role};
use super::user::UserName;
use crate::model::Digest;

/// A session ends at the latest after this time, whatever is done in it.
const LONGEST: SignedDuration = SignedDuration::from_hours(8);
/// A session in which nothing is done ends after this time.
const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// How far the stored moment of the last call may lag: a call isn't worth a write to disk.
const LAG: SignedDuration = SignedDuration::from_mins(1);
/// Sessions of one user at the most; the oldest ends when another begins.
pub const SESSIONS_PER_USER: usize = 10;
/// Stands before every token, so that a leaked one is known for what it is.
const PREFIX: &str = "opsole_";

/// A bearer token: 32 random bytes. Shown once, to whoever signs in.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
impl Token {
    /// Makes the token of some random bytes.
    #[must_use]
    pub fn of(bytes: [u8; 32]) -> Self {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{PREFIX}{digits}"))
    }
    /// Returns its text, for whoever may have it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// Says whether a text can be one: access tokens of others can't.
    #[must_use]
    pub fn looks_like(text: &str) -> bool {
        text.starts_with(PREFIX)
    }
    /// Returns what is kept of a token's text. It is random, so a plain digest is enough; looking it up by its digest
    /// tells by its time nothing of the token.
    #[must_use]
    pub fn digest(text: &str) -> Digest {
        Digest::of(format!("opsole-session/1\n{text}").as_bytes())
    }
}

/// A session as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Digest of its token.
    pub id: Digest,
    /// Whose it is.
    pub user: UserName,
    /// When it began.
    pub began: Timestamp,
    /// When something was last done in it, at most a minute behind.
    pub seen: Timestamp,
}

impl Session {
    /// Begins one.
    #[must_use]
    pub fn begin(token: &Token, user: UserName, now: Timestamp) -> Self {
        Self { id: Token::digest(token.expose()), user, began: now, seen: now }
    }
    /// Says whether it still holds. A clock that was put back ends it.
    #[must_use]
    pub fn stands(&self, now: Timestamp) -> bool {
        let (age, quiet) = (now.duration_since(self.began), now.duration_since(self.seen));
        age < LONGEST && quiet < IDLE && age >= -LAG
    }
    /// Returns when it ends, if nothing more is done in it.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        let end = |from: Timestamp, after| from.checked_add(after).unwrap_or(Timestamp::MAX);
        end(self.began, LONGEST).min(end(self.seen, IDLE))
    }
    /// Says whether a call now has to be written down.
    #[must_use]
    pub fn is_behind(&self, now: Timestamp) -> bool {
        now.duration_since(self.seen) >= LAG
    }
}

/// How somebody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// With name and password.
    Password,
    /// With an access token of the organisation's identity provider.
    Oidc,
    /// With the one-time token that `apply` wrote beside the plan, from the same machine.
    Local,
}

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// As the audit list names people: `jane@api`, `jane@example.com@oidc`, `jane@desk`.
    pub actor: String,
    /// The user, where it is one of ours.
    pub user: Option<UserName>,
    /// The immutable id at the identity provider, where it is one of theirs.
    pub subject: Option<String>,
    /// How.
    pub how: How,
    /// What for.
    pub role: Role,
}

impl Who {
    /// Says whether they may.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        self.role.has(right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + secs).expect("a moment")
    }

    /// Catches a session that lives for ever because it is used, one that lives because it isn't, and a token that is kept.
    #[test]
    fn sessions_end() {
        let token = Token::of([0xab; 32]);
        let mut session = Session::begin(&token, "jane".parse().expect("a name"), at(0));
        assert!(!serde_json::to_string(&session).expect("JSON").contains(token.expose()));
        assert!(session.stands(at(1799)) && !session.stands(at(1800)), "idle");
        assert!(!session.is_behind(at(59)) && session.is_behind(at(60)));
        session.seen = at(8 * 3600 - 1);
        assert!(session.stands(at(8 * 3600 - 1)) && !session.stands(at(8 * 3600)), "eight hours");
        assert_eq!(session.ends(), at(8 * 3600));
        assert!(!session.stands(at(-3600)), "a clock that was put back");
        assert_eq!(format!("{token:?}"), "Token(..)");
    }
}
