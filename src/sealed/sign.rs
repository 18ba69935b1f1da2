//! Ed25519 signatures of people and controllers over sealed plans.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Digest, OwnerRole, PublicKey};
use crate::trust::{Signer, canonical, is_genuine};

/// Stands before every signed text, so that a signature of something else is never one of a plan.
const DOMAIN: &[u8] = b"opsole-sealed/1\n";

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
        is_genuine(self.key, &self.message(), &signature)
    }
}

#[cfg(test)]
pub(super) use crate::trust::test_signer as signer;

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
}
