//! Boxes that only one device opens: HPKE in its base mode (RFC 9180).
//!
//! A box is for one device, run and thing ([`BoxedFor`]): carried over to another it doesn't open.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256 as X25519;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use super::canon::canonical;
use crate::model::{DeviceName, RunId};

/// The public half of a device's key for boxes, written `x25519:` and base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoxKey([u8; 32]);

impl fmt::Display for BoxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "x25519:{}", STANDARD.encode(self.0))
    }
}
impl fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for BoxKey {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "a key for boxes is `x25519:` and 44 signs of base64".to_owned();
        let bytes = STANDARD.decode(text.strip_prefix("x25519:").ok_or_else(wrong)?).map_err(|_| wrong())?;
        bytes.try_into().map(Self).map_err(|_| wrong())
    }
}
impl Serialize for BoxKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for BoxKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a box is for. Sealed and opened with other words it is another box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BoxedFor<'a> {
    /// Which device opens it.
    pub device: &'a DeviceName,
    /// In which run; none for what outlives runs.
    pub run: Option<RunId>,
    /// What is in it, such as `package bulk`.
    pub what: &'a str,
}

/// Something sealed for one device.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SealedBox {
    /// Base64 of the encapsulated key.
    pub key: String,
    /// Base64 of the ciphertext.
    pub content: String,
}

impl fmt::Debug for SealedBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedBox({} signs)", self.content.len())
    }
}

impl SealedBox {
    /// Seals bytes for a device. `entropy` is used for this box alone.
    ///
    /// # Errors
    /// Where the key isn't a point that can be sealed for.
    pub fn seal(to: BoxKey, about: &BoxedFor<'_>, plain: &[u8], entropy: [u8; 32]) -> Result<Self, String> {
        let wrong = |_| "it isn't a key that can be sealed for".to_owned();
        let key = <X25519 as hpke::Kem>::PublicKey::from_bytes(&to.0).map_err(wrong)?;
        let mut rng = Once { seed: entropy, taken: 0 };
        let (encapsulated, content) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519>(
            &OpModeS::Base,
            &key,
            &info(about),
            plain,
            b"",
            &mut rng,
        )
        .map_err(wrong)?;
        Ok(Self { key: STANDARD.encode(encapsulated.to_bytes()), content: STANDARD.encode(content) })
    }

    /// Says whether nothing is in it: its bytes were taken away.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.content.is_empty()
    }
}

/// The private half of a device's key for boxes.
pub struct Opener {
    seed: Zeroizing<[u8; 32]>,
    private: <X25519 as hpke::Kem>::PrivateKey,
    public: BoxKey,
}

impl Opener {
    /// Makes the key of a seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let (private, public) = X25519::derive_keypair(&seed);
        let mut key = [0; 32];
        key.copy_from_slice(&public.to_bytes());
        Self { seed: Zeroizing::new(seed), private, public: BoxKey(key) }
    }
    /// Returns the seed, to keep it.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }
    /// Returns the public half.
    #[must_use]
    pub fn public(&self) -> BoxKey {
        self.public
    }
    /// Opens a box.
    ///
    /// # Errors
    /// Where it was sealed for another key or for something else, or was changed. Which of them isn't told.
    pub fn open(&self, about: &BoxedFor<'_>, sealed: &SealedBox) -> Result<Zeroizing<Vec<u8>>, String> {
        let wrong = || "it was sealed for another device or for something else, or was changed on the way".to_owned();
        let key = STANDARD.decode(&sealed.key).map_err(|_| wrong())?;
        let key = <X25519 as hpke::Kem>::EncappedKey::from_bytes(&key).map_err(|_| wrong())?;
        let content = STANDARD.decode(&sealed.content).map_err(|_| wrong())?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519>(
            &OpModeR::Base,
            &self.private,
            &key,
            &info(about),
            &content,
            b"",
        )
        .map(Zeroizing::new)
        .map_err(|_| wrong())
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Opener").field(&self.public).finish()
    }
}

fn info(about: &BoxedFor<'_>) -> Vec<u8> {
    let mut info = b"opsole-box/1\n".to_vec();
    info.extend(canonical(about).expect("names and texts are JSON"));
    info
}

/// Hands out the bytes that came in, and after them what follows from them.
struct Once {
    seed: [u8; 32],
    taken: u64,
}

impl Drop for Once {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

impl TryRng for Once {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        for part in into.chunks_mut(32) {
            let mut hash = Sha256::new();
            hash.update(self.seed);
            hash.update(self.taken.to_be_bytes());
            self.taken += 1;
            part.copy_from_slice(&hash.finalize()[..part.len()]);
        }
        Ok(())
    }
}
impl TryCryptoRng for Once {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a box that opens for another device, run or thing, and one that shows what is in it.
    #[test]
    fn a_box_is_for_one_device_run_and_thing() {
        let (one, other) = (DeviceName::new("D-1"), DeviceName::new("D-2"));
        let opener = Opener::from_seed([1; 32]);
        let run = Some(RunId(uuid::Uuid::from_u128(1)));
        let about = BoxedFor { device: &one, run, what: "package bulk" };
        let sealed = SealedBox::seal(opener.public(), &about, b"s3cret", [9; 32]).expect("a box");
        assert_eq!(opener.open(&about, &sealed).expect("opened").as_slice(), b"s3cret");
        for wrong in [
            BoxedFor { device: &other, ..about.clone() },
            BoxedFor { run: None, ..about.clone() },
            BoxedFor { what: "package other", ..about.clone() },
        ] {
            assert!(opener.open(&wrong, &sealed).is_err());
        }
        assert!(Opener::from_seed([2; 32]).open(&about, &sealed).is_err());
        let text = serde_json::to_string(&sealed).expect("JSON");
        assert!(!text.contains("s3cret") && !text.contains(&STANDARD.encode("s3cret")));
        assert!(format!("{opener:?} {sealed:?}").contains("x25519:"));
        let again = SealedBox::seal(opener.public(), &about, b"s3cret", [8; 32]).expect("a box");
        assert_ne!(again.content, sealed.content, "other bytes, another box");
    }

    /// Catches a changed box that still opens, and one that makes the program panic.
    #[test]
    fn changed_boxes_stay_closed() {
        let device = DeviceName::new("D-1");
        let opener = Opener::from_seed([1; 32]);
        let about = BoxedFor { device: &device, run: None, what: "device token" };
        let sealed = SealedBox::seal(opener.public(), &about, b"s3cret", [9; 32]).expect("a box");
        for at in 0..sealed.content.len() {
            let mut content = sealed.content.clone().into_bytes();
            content[at] = if content[at] == b'A' { b'B' } else { b'A' };
            let changed = SealedBox { content: String::from_utf8(content).expect("ASCII"), ..sealed.clone() };
            let opened = opener.open(&about, &changed);
            // The last sign of base64 may carry bits that nobody reads; then the box is the same.
            assert!(
                opened.is_err()
                    || opened.is_ok_and(|plain| plain.as_slice() == b"s3cret" && at + 3 > sealed.content.len())
            );
        }
        for key in ["", "AAAA", "=", &STANDARD.encode([0; 32]), &STANDARD.encode([0xff; 33])] {
            assert!(opener.open(&about, &SealedBox { key: key.to_owned(), ..sealed.clone() }).is_err(), "{key}");
        }
        for text in ["x25519:AAAA", "ed25519:x", ""] {
            assert!(text.parse::<BoxKey>().is_err());
        }
        assert!(
            SealedBox::seal(BoxKey([0; 32]), &about, b"x", [1; 32]).is_err(),
            "no secret with a point of low order"
        );
    }
}
