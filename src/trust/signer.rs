//! Ed25519 keys and what they sign.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::model::PublicKey;

/// A key pair that signs. Its private half is never shown.
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// Reads a key pair in PKCS#8.
    ///
    /// # Errors
    /// Where the bytes aren't one; the text never holds any of them.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, String> {
        Ed25519KeyPair::from_pkcs8(bytes).map(Self).map_err(|_| "it isn't an Ed25519 key in PKCS#8".to_owned())
    }
    /// Makes the key pair of a seed.
    ///
    /// # Errors
    /// Where the seed hasn't 32 bytes.
    pub fn from_seed(seed: &[u8]) -> Result<Self, String> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self).map_err(|_| "it isn't a seed of 32 bytes".to_owned())
    }
    /// Returns the public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        PublicKey::new(key)
    }
    /// Signs bytes. Callers put what the signature is for in front of them: see [`super::Purpose`].
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.0.sign(message).as_ref());
        bytes
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.public()).finish()
    }
}

/// Says whether a signature over bytes is a key's.
#[must_use]
pub fn is_genuine(key: PublicKey, message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, key.bytes()).verify(message, signature).is_ok()
}

/// Returns a key pair for tests: not secret, and always the same for a number.
#[cfg(test)]
#[must_use]
pub fn test_signer(seed: u8) -> Signer {
    Signer::from_seed(&[seed; 32]).expect("a seed")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a private key in a log, and bytes that are taken for a key.
    #[test]
    fn keys_are_shown_by_their_public_half() {
        assert!(format!("{:?}", test_signer(7)).contains("ed25519:"));
        assert!(Signer::from_pkcs8(b"no key").is_err() && Signer::from_seed(b"short").is_err());
    }

    /// Catches a signature that fits other bytes or another key.
    #[test]
    fn a_signature_is_for_its_bytes_and_key() {
        let (one, other) = (test_signer(1), test_signer(2));
        let signature = one.sign(b"text");
        assert!(is_genuine(one.public(), b"text", &signature));
        assert!(!is_genuine(one.public(), b"tex", &signature) && !is_genuine(other.public(), b"text", &signature));
        assert!(!is_genuine(one.public(), b"text", &signature[..63]) && !is_genuine(one.public(), b"text", b""));
    }
}
