//! A controller's next key: the one before signs it, and whoever trusts that one follows.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::envelope::{Envelope, Purpose};
use super::signer::Signer;
use crate::model::PublicKey;

/// One key gives way to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    /// The key until then, which signs this.
    pub from: PublicKey,
    /// The key from then on.
    pub to: PublicKey,
    /// When, by the controller's clock; for people.
    pub at: Timestamp,
}

/// Returns the key that is trusted after a chain of changes, starting from the one that is trusted now.
///
/// Changes are in order, the oldest first; those from before the trusted key are passed over. None of them counts that
/// isn't signed by the key that it comes from.
#[must_use]
pub fn follow(trusted: PublicKey, changes: &[Envelope]) -> PublicKey {
    changes.iter().fold(trusted, |trusted, envelope| match envelope.open::<KeyChange>(Purpose::KeyChange, trusted) {
        Ok(change) if change.from == trusted => change.to,
        _ => trusted,
    })
}

/// A controller's key, with how it came from the ones before it.
#[derive(Debug)]
pub struct ControllerKey {
    signer: Signer,
    changes: Vec<Envelope>,
}

impl ControllerKey {
    /// Takes a key with the changes that led to it, the oldest first.
    #[must_use]
    pub fn new(signer: Signer, changes: Vec<Envelope>) -> Self {
        Self { signer, changes }
    }
    /// Returns the public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.signer.public()
    }
    /// Returns the changes that led to it.
    #[must_use]
    pub fn changes(&self) -> &[Envelope] {
        &self.changes
    }
    /// Signs a value.
    ///
    /// # Errors
    /// As [`Envelope::sign`].
    pub fn sign<T: Serialize>(&self, purpose: Purpose, value: &T) -> Result<Envelope, serde_json::Error> {
        Envelope::sign(purpose, value, &self.signer)
    }
    /// Gives way to the next key: signs it, and returns the next with all changes.
    ///
    /// # Errors
    /// As [`Envelope::sign`].
    pub fn give_way(&self, next: Signer, at: Timestamp) -> Result<Self, serde_json::Error> {
        let change = KeyChange { from: self.public(), to: next.public(), at };
        let mut changes = self.changes.clone();
        changes.push(Envelope::sign(Purpose::KeyChange, &change, &self.signer)?);
        Ok(Self { signer: next, changes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::{Signer, test_signer};

    fn change(from: &Signer, claimed: PublicKey, to: u8) -> Envelope {
        let change = KeyChange { from: claimed, to: test_signer(to).public(), at: Timestamp::UNIX_EPOCH };
        Envelope::sign(Purpose::KeyChange, &change, from).expect("JSON")
    }

    /// Catches a device that is lost after two changes, and one that follows a key that nobody it trusts named.
    #[test]
    fn only_the_trusted_key_names_the_next() {
        let key = |seed| test_signer(seed).public();
        let chain = [change(&test_signer(1), key(1), 2), change(&test_signer(2), key(2), 3)];
        assert_eq!(follow(key(1), &chain), key(3), "asleep during both");
        assert_eq!(follow(key(2), &chain), key(3), "asleep during the second");
        assert_eq!(follow(key(3), &chain), key(3));
        assert_eq!(follow(key(9), &chain), key(9), "another controller's");
        let stranger = [change(&test_signer(9), key(1), 9), change(&test_signer(9), key(9), 8)];
        assert_eq!(follow(key(1), &stranger), key(1));
        let forged = Envelope { key: key(1), ..change(&test_signer(9), key(1), 9) };
        assert_eq!(follow(key(1), &[forged]), key(1));
    }
}
