//! What makes words of others believable, as pure functions: canonical bytes, signatures, sealed boxes.
//!
//! | what | by | for |
//! |---|---|---|
//! | [`canonical`] | sorted JSON | digests and signatures |
//! | [`Signer`], [`Envelope`] | Ed25519 (RFC 8032), each signature for one [`Purpose`] | sealed plans, orders, acknowledgements, calls |
//! | [`Opener`], [`SealedBox`] | HPKE (RFC 9180) X25519, HKDF-SHA256, ChaCha20-Poly1305 | secrets on their way to one device |
//! | [`KeyChange`] | the old key's signature over the new one | a controller's new key, without touching devices |
//!
//! Randomness comes in as bytes: [`Entropy`].

mod boxes;
mod canon;
mod change;
mod envelope;
mod signer;

pub use boxes::{BoxKey, BoxedFor, Opener, SealedBox};
pub use canon::{canonical, digest_of};
pub use change::{ControllerKey, KeyChange, follow};
pub use envelope::{Broken, Envelope, Purpose};
#[cfg(test)]
pub use signer::test_signer;
pub use signer::{Signer, is_genuine};

/// Where unpredictable bytes come from.
pub trait Entropy: Send + Sync {
    /// Returns 32 bytes that nobody can guess.
    ///
    /// # Errors
    /// Where the system has none; nothing may be made without them.
    fn bytes(&self) -> Result<[u8; 32], String>;
}
