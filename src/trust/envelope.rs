//! A signed text. The signature is checked before a byte of the text is parsed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::canon::canonical;
use super::signer::{Signer, is_genuine};
use crate::model::PublicKey;

/// What a signature is for. It is part of what is signed, so that one made for this is never good for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// A device asks to be let in; signed with the key of its enrolment token.
    Enrolment,
    /// The controller lets a device in.
    Admission,
    /// A device calls the controller.
    Call,
    /// The controller releases an order.
    Order,
    /// The controller says what it has on disk.
    Acknowledgement,
    /// A controller's key gives way to its next one.
    KeyChange,
}

impl Purpose {
    fn domain(self) -> &'static [u8] {
        match self {
            Self::Enrolment => b"opsole-agent/1 enrolment\n",
            Self::Admission => b"opsole-agent/1 admission\n",
            Self::Call => b"opsole-agent/1 call\n",
            Self::Order => b"opsole-agent/1 order\n",
            Self::Acknowledgement => b"opsole-agent/1 acknowledgement\n",
            Self::KeyChange => b"opsole-agent/1 key-change\n",
        }
    }

    /// Signs a text for this.
    #[must_use]
    pub fn sign(self, text: &[u8], signer: &Signer) -> String {
        STANDARD.encode(signer.sign(&self.message(text)))
    }
    /// Says whether a signature of a text is a key's and for this.
    #[must_use]
    pub fn is_signed(self, text: &[u8], key: PublicKey, signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        is_genuine(key, &self.message(text), &signature)
    }
    fn message(self, text: &[u8]) -> Vec<u8> {
        [self.domain(), text].concat()
    }
}

/// Why an envelope isn't opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It is signed with another key than the one that is trusted.
    OtherKey,
    /// Text and signature don't belong together.
    Forged,
    /// The signature is good, and the text isn't what is expected here: the signer speaks another version.
    Unreadable,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherKey => "it is signed with another key than the one that is trusted",
            Self::Forged => "its signature doesn't fit its text",
            Self::Unreadable => "its text isn't what this version expects",
        })
    }
}

/// A text with its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Canonical JSON, exactly as it was signed.
    pub text: String,
    /// Whose key.
    pub key: PublicKey,
    /// Base64 of the signature over purpose and text.
    pub signature: String,
}

impl Envelope {
    /// Signs a value.
    ///
    /// # Errors
    /// Where the value holds what JSON can't.
    pub fn sign<T: Serialize>(purpose: Purpose, value: &T, signer: &Signer) -> Result<Self, serde_json::Error> {
        let text = String::from_utf8_lossy(&canonical(value)?).into_owned();
        let signature = purpose.sign(text.as_bytes(), signer);
        Ok(Self { text, key: signer.public(), signature })
    }

    /// Returns the value, where it is signed with this key for this purpose.
    ///
    /// # Errors
    /// [`Broken`]: nothing of the text may be used then.
    pub fn open<T: DeserializeOwned>(&self, purpose: Purpose, trusted: PublicKey) -> Result<T, Broken> {
        if self.key != trusted {
            return Err(Broken::OtherKey);
        }
        if !purpose.is_signed(self.text.as_bytes(), trusted, &self.signature) {
            return Err(Broken::Forged);
        }
        serde_json::from_str(&self.text).map_err(|_| Broken::Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::test_signer;

    const ALL: &[Purpose] = &[
        Purpose::Enrolment,
        Purpose::Admission,
        Purpose::Call,
        Purpose::Order,
        Purpose::Acknowledgement,
        Purpose::KeyChange,
    ];

    /// Catches a signature that is good for something else than it was made for.
    #[test]
    fn each_purpose_has_signatures_of_its_own() {
        let (signer, key) = (test_signer(1), test_signer(1).public());
        for made in ALL {
            let envelope = Envelope::sign(*made, &1, &signer).expect("JSON");
            for used in ALL {
                let opened = envelope.open::<u8>(*used, key);
                assert_eq!(opened, if made == used { Ok(1) } else { Err(Broken::Forged) });
            }
        }
    }

    /// Catches a bit of text, key or signature that can be changed.
    #[test]
    fn every_bit_is_signed() {
        let signer = test_signer(1);
        let good = Envelope::sign(Purpose::Order, &serde_json::json!({"a": [1, 2]}), &signer).expect("JSON");
        let open = |envelope: &Envelope| envelope.open::<serde_json::Value>(Purpose::Order, signer.public());
        assert!(open(&good).is_ok());
        for at in 0..good.text.len() {
            for bit in 0..7 {
                let mut text = good.text.clone().into_bytes();
                text[at] ^= 1 << bit;
                let text = String::from_utf8(text).expect("ASCII");
                assert_eq!(open(&Envelope { text, ..good.clone() }), Err(Broken::Forged));
            }
        }
        let signature = STANDARD.decode(&good.signature).expect("base64");
        for at in 0..signature.len() * 8 {
            let mut changed = signature.clone();
            changed[at / 8] ^= 1 << (at % 8);
            let changed = Envelope { signature: STANDARD.encode(changed), ..good.clone() };
            assert_eq!(open(&changed), Err(Broken::Forged));
        }
        let other = Envelope { key: test_signer(2).public(), ..good };
        assert_eq!(open(&other), Err(Broken::OtherKey));
    }
}
