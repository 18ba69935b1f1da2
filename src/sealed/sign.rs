//! Ed25519 signatures of people and controllers over sealed plans.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canon::canonical;
use crate::model::{Digest, OwnerRole, PublicKey};

/// Stands before every signed text, so that a signature of something else is never one of a plan.
const DOMAIN: &[u8] = b"opsole-sealed/1\n";

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
    /// Returns the public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        PublicKey::new(key)
    }
    fn sign(&self, message: &[u8]) -> [u8; 64] {
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

/// What a signed line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StatementKind {
    /// Whoever planned it: these are the bytes.
    Seal,
    /// An approver: this may be applied.
    Approval,
    /// An approver takes it back.
    Revocation,
    /// An approver sends it back, with a reason.
    Rejection,
}

/// One signed line of a sealed plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// What it says.
    pub kind: StatementKind,
    /// Digest of the body's bytes.
    #[schemars(with = "String")]
    pub over: Digest,
    /// Whose key.
    #[schemars(with = "String")]
    pub key: PublicKey,
    /// Name that the signer gives; the plan's own list of keys is what counts.
    pub by: String,
    /// In which role; none for the seal.
    pub role: Option<OwnerRole>,
    /// When, by the signer's clock.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Ticket.
    pub ticket: Option<String>,
    /// Reason or remark.
    pub note: Option<String>,
    /// Base64 of the signature over the rest.
    pub signature: String,
}

impl Statement {
    fn message(&self) -> Vec<u8> {
        let unsigned = Self { signature: String::new(), ..self.clone() };
        let mut message = DOMAIN.to_vec();
        message.extend(canonical(&unsigned).expect("a statement holds nothing that JSON can't"));
        message
    }
    /// Signs it; the key is the signer's.
    #[must_use]
    pub fn signed(mut self, signer: &Signer) -> Self {
        self.key = signer.public();
        self.signature = STANDARD.encode(signer.sign(&self.message()));
        self
    }
    /// Says whether the signature is the key's, over exactly this line.
    #[must_use]
    pub fn is_genuine(&self) -> bool {
        let Ok(signature) = STANDARD.decode(&self.signature) else { return false };
        UnparsedPublicKey::new(&ED25519, self.key.bytes()).verify(&self.message(), &signature).is_ok()
    }
}

#[cfg(test)]
pub(super) fn signer(seed: u8) -> Signer {
    // PKCS#8 v1 of an Ed25519 key: a fixed head and the 32 bytes of the seed (RFC 8410).
    let mut bytes = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    bytes.extend([seed; 32]);
    Signer(Ed25519KeyPair::from_pkcs8_maybe_unchecked(&bytes).expect("a key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        Statement {
            kind: StatementKind::Approval,
            over: Digest::of(b"body"),
            key: signer(1).public(),
            by: "jane".to_owned(),
            role: Some(OwnerRole::ChangeManagement),
            at: Timestamp::UNIX_EPOCH,
            ticket: Some("CHG-1".to_owned()),
            note: None,
            signature: String::new(),
        }
        .signed(&signer(1))
    }

    /// Catches a member that isn't covered by the signature: whoever holds the file could change it.
    #[test]
    fn every_member_is_signed() {
        let good = statement();
        assert!(good.is_genuine());
        let changed = [
            Statement { kind: StatementKind::Revocation, ..good.clone() },
            Statement { over: Digest::of(b"other"), ..good.clone() },
            Statement { key: signer(2).public(), ..good.clone() },
            Statement { by: "john".to_owned(), ..good.clone() },
            Statement { role: None, ..good.clone() },
            Statement { at: Timestamp::MAX, ..good.clone() },
            Statement { ticket: None, ..good.clone() },
            Statement { note: Some(String::new()), ..good.clone() },
            Statement { signature: String::new(), ..good },
        ];
        for (at, statement) in changed.iter().enumerate() {
            assert!(!statement.is_genuine(), "{at}");
        }
    }

    /// Catches a private key in a log.
    #[test]
    fn keys_are_shown_by_their_public_half() {
        assert!(format!("{:?}", signer(7)).contains("ed25519:"));
        assert!(Signer::from_pkcs8(b"no key").is_err());
    }
}
