//! The enrolment token: what a device is given to be let in once.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::model::{DeviceName, PublicKey};
use crate::trust::Signer;

/// What a token's text begins with.
const PREFIX: &str = "opsole1";

/// Lets one device in, once, and tells it which controller to trust.
///
/// The secret never travels: it is the seed of a key that signs the request, so that nobody on the way learns anything
/// that would let another device in. The controller keeps the public half only.
pub struct EnrolmentToken {
    device: DeviceName,
    seed: Zeroizing<[u8; 32]>,
    controller: PublicKey,
}

impl EnrolmentToken {
    /// Makes the token of a seed that nobody else knows.
    #[must_use]
    pub fn new(device: DeviceName, seed: [u8; 32], controller: PublicKey) -> Self {
        Self { device, seed: Zeroizing::new(seed), controller }
    }
    /// Returns the device that it lets in.
    #[must_use]
    pub fn device(&self) -> &DeviceName {
        &self.device
    }
    /// Returns the key of the controller that issued it.
    #[must_use]
    pub fn controller(&self) -> PublicKey {
        self.controller
    }
    /// Returns the key that signs the request.
    ///
    /// # Panics
    /// Never: any 32 bytes are a seed.
    #[must_use]
    pub fn signer(&self) -> Signer {
        Signer::from_seed(&*self.seed).expect("32 bytes are a seed")
    }
    /// Returns its text: a secret, which whoever deploys agents gives to this device alone.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let (seed, key) = (URL_SAFE_NO_PAD.encode(*self.seed), URL_SAFE_NO_PAD.encode(self.controller.bytes()));
        Zeroizing::new(format!("{PREFIX}.{}.{seed}.{key}", self.device))
    }
}

impl fmt::Debug for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnrolmentToken({})", self.device)
    }
}

impl FromStr for EnrolmentToken {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // No part of the text is told: it is a secret even where it is damaged.
        let wrong = || "it isn't an enrolment token: `opsole1`, a device and two keys, with dots between".to_owned();
        let rest = text.trim().strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('.')).ok_or_else(wrong)?;
        let (rest, controller) = rest.rsplit_once('.').ok_or_else(wrong)?;
        // A computer's name may hold dots; the keys don't.
        let (device, seed) = rest.rsplit_once('.').filter(|(device, _)| !device.is_empty()).ok_or_else(wrong)?;
        let bytes = |text: &str| -> Option<[u8; 32]> { URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok() };
        let (Some(seed), Some(controller)) = (bytes(seed), bytes(controller)) else { return Err(wrong()) };
        Ok(Self::new(DeviceName::new(device), seed, PublicKey::new(controller)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a token that comes back as another one, and a piece of it in an error or a log.
    #[test]
    fn tokens_come_back_from_their_text() {
        let token = EnrolmentToken::new(DeviceName::new("LON.IT-1"), [7; 32], PublicKey::new([9; 32]));
        let text = token.expose();
        let read: EnrolmentToken = text.parse().expect("a token");
        assert_eq!((read.device(), read.controller()), (token.device(), token.controller()));
        assert_eq!(read.signer().public(), token.signer().public());
        assert_eq!(format!("{token:?}"), "EnrolmentToken(LON.IT-1)");
        for cut in 0..text.len() {
            let error = text[..cut].parse::<EnrolmentToken>().expect_err("cut");
            assert!(!error.contains("BwcH"));
        }
    }
}
