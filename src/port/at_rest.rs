//! What protects bytes at rest: one AEAD for every adapter that keeps a secret, given key and nonce.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a nonce. It is random: with the few thousand secrets of a folder two never meet.
pub const NONCE_BYTES: usize = NONCE_LEN;
/// First byte of what was encrypted: the version of this form.
const VERSION: u8 = 1;

/// Encrypts under a key. `about` isn't encrypted and has to be the same to decrypt: it says what the bytes belong to, so
/// that one secret can't be put in another's place.
#[must_use]
pub fn lock(key: &[u8; KEY_BYTES], nonce: [u8; NONCE_BYTES], about: &str, plain: &[u8]) -> Vec<u8> {
    // In a buffer that is large enough from the start: one that grows leaves copies of the secret behind.
    let mut body = Zeroizing::new(Vec::with_capacity(plain.len() + CHACHA20_POLY1305.tag_len()));
    body.extend_from_slice(plain);
    let tag = cipher(key).seal_in_place_separate_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(about.as_bytes()),
        &mut body,
    );
    let tag = tag.expect("only a text of 256 GiB is too long for the cipher");
    let mut locked = Vec::with_capacity(1 + NONCE_BYTES + body.len() + tag.as_ref().len());
    locked.push(VERSION);
    locked.extend_from_slice(&nonce);
    locked.extend_from_slice(&body);
    locked.extend_from_slice(tag.as_ref());
    locked
}

/// Decrypts; nothing where key or `about` are others, or the bytes were changed.
#[must_use]
pub fn unlock(key: &[u8; KEY_BYTES], about: &str, locked: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (version, rest) = locked.split_first()?;
    let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>()?;
    if *version != VERSION {
        return None;
    }
    let mut body = Zeroizing::new(body.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = cipher(key).open_in_place(nonce, Aad::from(about.as_bytes()), &mut body).ok()?.len();
    body.truncate(length);
    Some(body)
}

fn cipher(key: &[u8; KEY_BYTES]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has the cipher's length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a secret that opens with another key, for another device, or after a change of any one bit.
    #[test]
    fn only_what_was_locked_opens() {
        let (key, nonce) = ([7; KEY_BYTES], [9; NONCE_BYTES]);
        let locked = lock(&key, nonce, "recovery/D-1", b"hunter2hunter2");
        assert_eq!(unlock(&key, "recovery/D-1", &locked).as_deref().map(Vec::as_slice), Some(&b"hunter2hunter2"[..]));
        assert!(unlock(&[8; KEY_BYTES], "recovery/D-1", &locked).is_none());
        assert!(unlock(&key, "recovery/D-2", &locked).is_none());
        assert!(!locked.windows(7).any(|part| part == b"hunter2"));
        for at in 0..locked.len() {
            let mut broken = locked.clone();
            broken[at] ^= 1;
            assert!(unlock(&key, "recovery/D-1", &broken).is_none(), "byte {at}");
            assert!(unlock(&key, "recovery/D-1", &locked[..at]).is_none(), "the first {at}");
        }
    }
}
