//! The public half of a signing key.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The public half of a key, written `ed25519:` and base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Returns the key with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// Returns its bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }
    /// Returns the first signs of the key, enough for people to compare.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().skip("ed25519:".len()).take(10).collect()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", STANDARD.encode(self.0))
    }
}
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for PublicKey {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "a public key is `ed25519:` and 44 signs of base64".to_owned();
        let bytes = STANDARD.decode(text.strip_prefix("ed25519:").ok_or_else(wrong)?).map_err(|_| wrong())?;
        bytes.try_into().map(Self).map_err(|_| wrong())
    }
}
impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a key that reads as another one, and text that is taken for a key.
    #[test]
    fn keys_come_back_from_their_text() {
        let key = PublicKey::new([7; 32]);
        assert_eq!(key.to_string().parse::<PublicKey>(), Ok(key));
        for text in ["ed25519:AAAA", "rsa:x", "", "ed25519:"] {
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
        }
    }
}
