//! What an emulated device keeps secret: its recovery administrator, and the key that protects bytes for its agent.

use std::num::NonZeroU32;

use ring::pbkdf2::{PBKDF2_HMAC_SHA256, derive, verify};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::state::DeviceState;
use crate::lab::store::LabStore;
use crate::model::{DeviceName, Problem, RECOVERY_ACCOUNT, RecoveryPassword, Retry};
use crate::port::Result;
use crate::port::at_rest::{KEY_BYTES, NONCE_BYTES, lock, unlock};

/// Kind of the keys in the lab's store. They lie beside the device and not in its agent's folder, as what Windows
/// protects bytes with doesn't lie beside the bytes.
const KEY_KIND: &str = "device-key";
/// Few rounds, since it is a lab: the hash is there so that the password isn't.
const ROUNDS: NonZeroU32 = NonZeroU32::new(1000).expect("a number above zero");

/// The local administrator that recovery signs in with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryAdmin {
    salt: [u8; 16],
    hash: [u8; 32],
}

impl std::fmt::Debug for RecoveryAdmin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryAdmin(..)")
    }
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|e| {
        Problem::new("device.protection", "the device gives no random numbers").detail(e.to_string()).retry(Retry::Soon)
    })
}

/// Makes the administrator, or gives it this password, and proves it by a logon.
pub(super) fn make_admin(state: &mut DeviceState, password: &RecoveryPassword) -> Result<()> {
    let name = &state.facts.identity.name;
    if let Err(why) = password.fits_policy(RECOVERY_ACCOUNT) {
        return Err(Problem::new(
            "device.password-policy",
            format!("{name} refuses the recovery administrator's password: {why}"),
        )
        .next("look at the password policy of the device; it asks for more than Windows does by itself"));
    }
    // The same password again changes nothing: what is repeated has to be what it was.
    if !logon(state, RECOVERY_ACCOUNT, password.expose()) {
        let mut admin = RecoveryAdmin { salt: [0; 16], hash: [0; 32] };
        fill(&mut admin.salt)?;
        derive(PBKDF2_HMAC_SHA256, ROUNDS, &admin.salt, password.expose().as_bytes(), &mut admin.hash);
        state.recovery_admin = Some(admin);
    }
    state.facts.staging.recovery_admin_proven = logon(state, RECOVERY_ACCOUNT, password.expose());
    Ok(())
}

/// Takes the administrator away.
pub(super) fn remove_admin(state: &mut DeviceState) {
    state.recovery_admin = None;
    state.facts.staging.recovery_admin_proven = false;
}

/// Says whether somebody with a local account and its password would be let in.
#[must_use]
pub fn logon(state: &DeviceState, account: &str, password: &str) -> bool {
    let account = account.strip_prefix(".\\").unwrap_or(account);
    account.eq_ignore_ascii_case(RECOVERY_ACCOUNT)
        && state.recovery_admin.as_ref().is_some_and(|admin| {
            verify(PBKDF2_HMAC_SHA256, ROUNDS, &admin.salt, password.as_bytes(), &admin.hash).is_ok()
        })
}

/// Encrypts for this device alone.
pub(super) fn protect(store: &LabStore, device: &DeviceName, plain: &[u8]) -> Result<Vec<u8>> {
    let key = match key(store, device)? {
        Some(key) => key,
        None => {
            let mut key = Zeroizing::new([0; KEY_BYTES]);
            fill(key.as_mut())?;
            let text = Zeroizing::new(serde_json::to_string(&*key).unwrap_or_default());
            store.put(KEY_KIND, device.as_str(), &text)?;
            key
        }
    };
    let mut nonce = [0; NONCE_BYTES];
    fill(&mut nonce)?;
    Ok(lock(&key, nonce, device.as_str(), plain))
}

/// Decrypts what this device encrypted.
pub(super) fn unprotect(store: &LabStore, device: &DeviceName, protected: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let plain = key(store, device)?.and_then(|key| unlock(&key, device.as_str(), protected));
    plain.ok_or_else(|| {
        Problem::new("device.protection", format!("{device} can't open what was protected: it was protected elsewhere"))
            .next("enrol the device again; an agent's folder can't be moved to another device")
    })
}

fn key(store: &LabStore, device: &DeviceName) -> Result<Option<Zeroizing<[u8; KEY_BYTES]>>> {
    let Some(text) = store.get(KEY_KIND, device.as_str())?.map(Zeroizing::new) else { return Ok(None) };
    serde_json::from_str::<[u8; KEY_BYTES]>(&text).map(|key| Some(Zeroizing::new(key))).map_err(|_| {
        Problem::new("lab.store", format!("the lab's key of {device} can't be read"))
            .next("start anew with `opsole lab reset`")
    })
}
