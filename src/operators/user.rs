//! A user of the controller.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use super::password::PasswordHash;
use super::role::Role;

/// Characters of a name at the most.
const NAME_MAX: usize = 64;

/// The name of a user: letters, digits, `.`, `-` and `_`, in small letters, so that no two look alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct UserName(String);

impl UserName {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl FromStr for UserName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins || text.len() > NAME_MAX || !text.chars().all(good) {
            return Err(format!(
                "a name has at most {NAME_MAX} letters, digits, `.`, `-` and `_`, and begins with a letter or digit"
            ));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}
impl<'de> Deserialize<'de> for UserName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name.
    pub name: UserName,
    /// What the user may do.
    pub role: Role,
    /// What the password is held against.
    pub password: PasswordHash,
    /// The user can't sign in.
    pub disabled: bool,
    /// When the user was added.
    pub created: Timestamp,
    /// When the user was changed last.
    pub changed: Timestamp,
    /// Wrong passwords before this moment don't count any more.
    pub unlocked: Option<Timestamp>,
}

impl fmt::Debug for User {
    /// Leaves the hash out: it is what somebody would try passwords against.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches two users whose names differ by nothing that anybody sees, and names that break a line of the list.
    #[test]
    fn names_are_plain() {
        assert_eq!("Jane.Doe".parse::<UserName>().map(|name| name.to_string()), Ok("jane.doe".to_owned()));
        let long = "a".repeat(NAME_MAX + 1);
        for bad in ["", ".jane", "jane doe", "jane\n", "jané", "jane@host", "a/b", long.as_str()] {
            assert!(bad.parse::<UserName>().is_err(), "{bad:?}");
        }
    }
}
