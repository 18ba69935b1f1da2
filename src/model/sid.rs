//! Security identifiers, and the one that Windows gives to an Entra user.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::UserId;

/// A security identifier in its text form, `S-1-…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Sid(Arc<str>);

impl Sid {
    /// Returns the SID that Windows gives to the Entra user with this object id.
    ///
    /// `S-1-12-1-` and the sixteen bytes of the GUID in Microsoft's byte order, read as four
    /// little-endian 32-bit numbers (domain.md B1.4, with a published vector).
    #[must_use]
    pub fn of_entra_user(user: UserId) -> Self {
        let bytes = user.0.to_bytes_le();
        let part = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Self(format!("S-1-12-1-{}-{}-{}-{}", part(0), part(4), part(8), part(12)).into())
    }
    /// Returns the text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Says whether this is the SID of an Entra user or group.
    #[must_use]
    pub fn is_entra(&self) -> bool {
        self.0.starts_with("S-1-12-1-")
    }
    /// Says whether this is an account of Active Directory or of the machine itself.
    #[must_use]
    pub fn is_domain_or_local(&self) -> bool {
        self.0.starts_with("S-1-5-21-")
    }
}

impl std::str::FromStr for Sid {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.trim().to_ascii_uppercase();
        let mut parts = upper.split('-');
        let head = (parts.next(), parts.next());
        let rest: Vec<&str> = parts.collect();
        let numbers = rest.iter().all(|p| !p.is_empty() && p.len() <= 15 && p.bytes().all(|b| b.is_ascii_digit()));
        // A SID has an authority and up to 15 sub-authorities ([MS-DTYP] 2.4.2).
        if head != (Some("S"), Some("1")) || !(2..=16).contains(&rest.len()) || !numbers {
            return Err(format!("`{text}` isn't a security identifier"));
        }
        Ok(Self(upper.into()))
    }
}
impl<'de> Deserialize<'de> for Sid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a SID built in network byte order: it would hand the profile to nobody.
    #[test]
    fn published_vector() {
        let user: UserId = "3643c453-f85c-4ddf-b296-94b222453d4a".parse().expect("a GUID");
        assert_eq!(Sid::of_entra_user(user).as_str(), "S-1-12-1-910410835-1306523740-2996082354-1245529378");
    }

    /// Catches a parser that lets a path or a name through as an owner of files.
    #[test]
    fn refuses_what_is_no_sid() {
        for text in ["", "S-1", "S-1-5", "S-2-5-21-1", "S-1-5-21-x", "S-1-5-21--1", "CORP\\anna", "S-1-5-21-1\n-2"] {
            assert!(text.parse::<Sid>().is_err(), "{text:?}");
        }
        assert!("s-1-5-21-1-2-3-1104".parse::<Sid>().is_ok());
    }
}
