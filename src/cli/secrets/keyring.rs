//! The system's keyring: Windows' credential manager, the macOS keychain, the Linux kernel's keys.
//!
//! On Linux it is the kernel and not the desktop's secret service: that one needs a session with D-Bus, which servers
//! don't have, and a hundred crates. What a desktop keeps is reached by command (`secret-tool lookup …`).

use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};
use secrecy::{ExposeSecret as _, SecretString};

use crate::model::Problem;

/// A keyring.
pub struct Keyring {
    store: Arc<CredentialStore>,
}

impl Keyring {
    /// Opens the keyring of the account that runs this program.
    ///
    /// # Errors
    /// `secret.keyring` where the system has none or lets nobody at it.
    pub fn system() -> Result<Self, Problem> {
        open().map(|store| Self { store }).map_err(|e| unusable(&e))
    }

    /// Names the keyring of this system, and what people have to know of it.
    #[must_use]
    pub const fn name() -> &'static str {
        if cfg!(windows) {
            "the credential manager"
        } else if cfg!(target_os = "macos") {
            "the keychain"
        } else {
            "the kernel's keyring, which a restart empties"
        }
    }

    /// Returns a secret.
    ///
    /// # Errors
    /// `secret.keyring` where it isn't there or isn't given out.
    pub fn get(&self, what: &str, service: &str, account: &str) -> Result<SecretString, Problem> {
        let missing = || {
            Problem::new("secret.keyring", format!("{what}: the keyring has no entry {service} / {account}"))
                .next(format!("put it there with `opsole secrets set {service} {account}`"))
        };
        let entry = self.entry(service, account)?;
        match entry.get_password() {
            Ok(secret) if !secret.is_empty() => Ok(SecretString::from(secret)),
            Ok(_) | Err(Error::NoEntry) => Err(missing()),
            Err(error) => Err(unusable(&error)),
        }
    }

    /// Puts a secret in; one that is there under the same name is replaced.
    ///
    /// # Errors
    /// `secret.keyring`.
    pub fn set(&self, service: &str, account: &str, secret: &SecretString) -> Result<(), Problem> {
        self.entry(service, account)?.set_password(secret.expose_secret()).map_err(|e| unusable(&e))
    }

    fn entry(&self, service: &str, account: &str) -> Result<Entry, Problem> {
        Entry::new_in_store(&self.store, service, account).map_err(|e| unusable(&e))
    }
}

#[cfg(target_os = "linux")]
fn open() -> Result<Arc<CredentialStore>, Error> {
    let store: Arc<CredentialStore> = linux_keyutils_keyring_store::Store::new()?;
    Ok(store)
}
#[cfg(target_os = "macos")]
fn open() -> Result<Arc<CredentialStore>, Error> {
    let store: Arc<CredentialStore> = apple_native_keyring_store::keychain::Store::new()?;
    Ok(store)
}
#[cfg(windows)]
fn open() -> Result<Arc<CredentialStore>, Error> {
    let store: Arc<CredentialStore> = windows_native_keyring_store::Store::new()?;
    Ok(store)
}
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn open() -> Result<Arc<CredentialStore>, Error> {
    Err(Error::NoDefaultStore)
}

/// Says why the keyring can't be used. Some of its errors carry what they read, so only their kinds are told.
fn unusable(error: &Error) -> Problem {
    let why = match error {
        Error::PlatformFailure(inner) | Error::NoStorageAccess(inner) => inner.to_string(),
        Error::NoEntry => "it has no such entry".to_owned(),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => "the entry isn't text".to_owned(),
        Error::TooLong(what, limit) => format!("{what} is longer than {limit}"),
        Error::Invalid(what, why) => format!("{what}: {why}"),
        Error::Ambiguous(_) => "several entries have this name".to_owned(),
        Error::NoDefaultStore => "this system has none that opsole knows".to_owned(),
        _ => "it doesn't do what was asked".to_owned(),
    };
    Problem::new("secret.keyring", "the system's keyring can't be used")
        .detail(why)
        .next("unlock it, or refer to the secret by `env`, `file` or `command`; containers often forbid the keyring")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches entries that are mixed up, and an error that carries what was read.
    #[test]
    fn entries_are_told_apart() {
        let ring = Keyring { store: keyring_core::mock::Store::new().expect("a store") };
        let missing = ring.get("client secret", "opsole", "source").expect_err("nothing there");
        assert_eq!(missing.code, "secret.keyring");
        assert!(missing.next.is_some_and(|next| next.contains("opsole secrets set opsole source")));
        ring.set("opsole", "source", &SecretString::from("hunter2hunter2")).expect("a write");
        ring.set("opsole", "target", &SecretString::from("other")).expect("a write");
        let get = |account| ring.get("client secret", "opsole", account).expect("a secret");
        assert_eq!(get("source").expose_secret(), "hunter2hunter2");
        assert_eq!(get("target").expose_secret(), "other");
        let broken = unusable(&Error::BadEncoding(b"hunter2hunter2".to_vec()));
        assert!(!format!("{broken:?}").contains("104, 117") && !format!("{broken:?}").contains("hunter2"));
    }
}
