//! Who this device is to its controller, in one file that only the agent's account reads: its own keys, its token, and
//! the controller's key that it pins.
//!
//! The keys are made here and never leave the device. The file holds them as the device's system encrypts them for
//! itself (DPAPI on Windows), and is written as a whole or not at all.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::journal::{Durability, make_folder, private_file};
use crate::model::{DeviceName, Problem, PublicKey};
use crate::port::{DeviceOs, Result};
use crate::trust::{Entropy, Envelope, Opener, Purpose, Signer, follow};

/// Version of the file.
const FORMAT: u32 = 1;
/// A file that is longer isn't one.
const MAX_BYTES: u64 = 64 << 10;

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Locked {
    format: u32,
    /// [`Kept`] as JSON, encrypted by the device, base64.
    protected: String,
}

/// What is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    device: DeviceName,
    /// Seed of the key that signs calls, base64.
    signing: String,
    /// Seed of the key for boxes, base64.
    boxes: String,
    /// Bearer token, once it enrolled.
    token: Option<String>,
    /// The controller's key, once it enrolled.
    controller: Option<PublicKey>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.signing.zeroize();
        self.boxes.zeroize();
        self.token.zeroize();
    }
}

/// What changes in the life of an identity.
#[derive(Default)]
struct Standing {
    token: Option<SecretString>,
    controller: Option<PublicKey>,
}

/// A device's identity.
pub struct Identity {
    path: PathBuf,
    durability: Durability,
    os: Arc<dyn DeviceOs>,
    device: DeviceName,
    signing: Zeroizing<[u8; 32]>,
    signer: Signer,
    opener: Arc<Opener>,
    standing: Mutex<Standing>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("device", &self.device).field("key", &self.signer.public()).finish()
    }
}

fn problem(path: &Path, what: &str, error: &std::io::Error) -> Problem {
    Problem::new("agent.identity", format!("{what} {} failed", path.display()))
        .next("free space on the disk and check the rights of the agent's folder")
        .detail(error.to_string())
}

impl Identity {
    /// Reads the identity of a device, and makes it where there is none.
    ///
    /// # Errors
    /// `agent.identity` where the disk refuses or has no randomness to give, `agent.identity-damaged` where the file
    /// isn't one or is another device's.
    pub fn open(
        folder: &Path,
        device: &DeviceName,
        durability: Durability,
        os: &Arc<dyn DeviceOs>,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let path = folder.join("identity.json");
        match std::fs::metadata(&path) {
            Ok(about) if about.len() > MAX_BYTES => Err(damaged(&path, device)),
            Ok(_) => Self::read(path, device, durability, os),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                make_folder(folder).map_err(|e| problem(folder, "making", &e))?;
                let random = || {
                    entropy.bytes().map_err(|why| {
                        Problem::new("agent.identity", format!("no keys can be made for {device}"))
                            .detail(why)
                            .next("start the agent again; keys are never made without random numbers")
                    })
                };
                let identity = Self::of_seeds(path, device, durability, os, (random()?, random()?))?;
                identity.keep(&identity.standing())?;
                Ok(identity)
            }
            Err(e) => Err(problem(&path, "reading", &e)),
        }
    }

    fn read(path: PathBuf, device: &DeviceName, durability: Durability, os: &Arc<dyn DeviceOs>) -> Result<Self> {
        let bytes = std::fs::read(&path).map_err(|e| problem(&path, "reading", &e))?;
        let locked: Locked = serde_json::from_slice(&bytes).map_err(|_| damaged(&path, device))?;
        let protected = STANDARD.decode(&locked.protected).ok().filter(|_| locked.format == FORMAT);
        let plain = os.unprotect(&protected.ok_or_else(|| damaged(&path, device))?)?;
        // The parser's words may quote a key, so they aren't told.
        let kept: Kept = serde_json::from_slice(&plain).map_err(|_| damaged(&path, device))?;
        let seed = |text: &str| -> Option<[u8; 32]> { STANDARD.decode(text).ok()?.try_into().ok() };
        let seeds = seed(&kept.signing).zip(seed(&kept.boxes));
        let (signing, boxes) = seeds.filter(|_| kept.device == *device).ok_or_else(|| damaged(&path, device))?;
        let identity = Self::of_seeds(path, device, durability, os, (signing, boxes))?;
        *identity.standing() =
            Standing { token: kept.token.clone().map(SecretString::from), controller: kept.controller };
        Ok(identity)
    }

    fn of_seeds(
        path: PathBuf,
        device: &DeviceName,
        durability: Durability,
        os: &Arc<dyn DeviceOs>,
        (signing, boxes): ([u8; 32], [u8; 32]),
    ) -> Result<Self> {
        let signer = Signer::from_seed(&signing).map_err(|_| damaged(&path, device))?;
        Ok(Self {
            path,
            durability,
            os: Arc::clone(os),
            device: device.clone(),
            signing: Zeroizing::new(signing),
            signer,
            opener: Arc::new(Opener::from_seed(boxes)),
            standing: Mutex::default(),
        })
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, standing: &Standing) -> Result<()> {
        let kept = Kept {
            device: self.device.clone(),
            signing: STANDARD.encode(*self.signing),
            boxes: STANDARD.encode(self.opener.seed()),
            token: standing.token.as_ref().map(|token| token.expose_secret().to_owned()),
            controller: standing.controller,
        };
        let unwritable = |_| damaged(&self.path, &self.device);
        let plain = Zeroizing::new(serde_json::to_vec(&kept).map_err(unwritable)?);
        let locked = Locked { format: FORMAT, protected: STANDARD.encode(self.os.protect(&plain)?) };
        let body = serde_json::to_vec(&locked).map_err(unwritable)?;
        let draft = self.path.with_extension("new");
        let write = || {
            let mut file = private_file().write(true).create(true).truncate(true).open(&draft)?;
            file.write_all(&body)?;
            if self.durability == Durability::PowerLoss {
                file.sync_data()?;
            }
            std::fs::rename(&draft, &self.path)
        };
        write().map_err(|e| problem(&self.path, "writing", &e))
    }

    /// Returns the key that signs this device's calls.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.signer
    }
    /// Returns what opens this device's boxes.
    #[must_use]
    pub fn opener(&self) -> &Arc<Opener> {
        &self.opener
    }
    /// Returns the device's token, once it enrolled.
    #[must_use]
    pub fn token(&self) -> Option<SecretString> {
        self.standing().token.clone()
    }
    /// Returns the controller's key that is pinned, once it enrolled.
    #[must_use]
    pub fn controller(&self) -> Option<PublicKey> {
        self.standing().controller
    }
    /// Signs a call.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> String {
        Purpose::Call.sign(text, &self.signer)
    }

    /// Keeps what it was given when it enrolled, and trusts this controller from now on.
    ///
    /// # Errors
    /// `agent.identity`.
    pub fn enrolled(&self, token: SecretString, controller: PublicKey) -> Result<()> {
        let mut standing = self.standing();
        let next = Standing { token: Some(token), controller: Some(controller) };
        self.keep(&next)?;
        *standing = next;
        Ok(())
    }

    /// Follows changes of the controller's key, and returns the one that is trusted now; none before enrolment.
    ///
    /// # Errors
    /// `agent.identity` where a new key can't be kept.
    pub fn follow(&self, changes: &[Envelope]) -> Result<Option<PublicKey>> {
        let mut standing = self.standing();
        let Some(trusted) = standing.controller else { return Ok(None) };
        let now = follow(trusted, changes);
        if now != trusted {
            let next = Standing { token: standing.token.clone(), controller: Some(now) };
            self.keep(&next)?;
            tracing::info!(device = %self.device, from = trusted.short(), to = now.short(), "the controller has a new key");
            *standing = next;
        }
        Ok(Some(now))
    }
}

fn damaged(path: &Path, device: &DeviceName) -> Problem {
    Problem::new("agent.identity-damaged", format!("{} isn't the identity of {device}", path.display())).next(
        "where the device was renamed or its disk was copied: revoke it with `opsole devices revoke`, remove the file, \
         and enrol it anew",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::SystemEntropy;
    use crate::trust::{ControllerKey, test_signer};

    /// Catches keys that change with a restart, a pin that is lost, and an identity that another device takes over.
    #[test]
    fn an_identity_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let rig = crate::agent::laws::Rig::new(vec![]);
        let os: Arc<dyn DeviceOs> = rig.device;
        let open = |name: &str| Identity::open(folder.path(), &name.into(), Durability::Kill, &os, &SystemEntropy);
        let first = open("D-1").expect("an identity");
        let key = first.signer().public();
        assert!(first.token().is_none() && first.controller().is_none());
        first.enrolled(SecretString::from("D-1.00"), test_signer(1).public()).expect("kept");
        let again = open("d-1").expect("the same");
        assert_eq!((again.signer().public(), again.opener().public()), (key, first.opener().public()));
        assert_eq!(again.controller(), Some(test_signer(1).public()));
        assert_eq!(open("D-2").expect_err("another device's").code, "agent.identity-damaged");

        let next = ControllerKey::new(test_signer(1), Vec::new());
        let next = next.give_way(test_signer(2), jiff::Timestamp::UNIX_EPOCH).expect("a change");
        assert_eq!(again.follow(next.changes()).expect("followed"), Some(test_signer(2).public()));
        assert_eq!(open("D-1").expect("the same").controller(), Some(test_signer(2).public()), "after a restart");
        let file = folder.path().join("identity.json");
        let text = std::fs::read_to_string(&file).expect("a file");
        assert!(!text.contains("D-1.00") && !text.contains("signing"), "nothing of it is in clear");
        std::fs::write(&file, text.replace("\"format\":1", "\"format\":2")).expect("a write");
        assert_eq!(open("D-1").expect_err("of another version").code, "agent.identity-damaged");
        std::fs::write(&file, text.replace('A', "B")).expect("a write");
        assert!(open("D-1").is_err(), "changed");
        let other = crate::agent::laws::Rig::new(vec![]);
        let elsewhere: Arc<dyn DeviceOs> = other.device;
        std::fs::write(&file, &text).expect("a write");
        let copied = Identity::open(folder.path(), &"D-1".into(), Durability::Kill, &elsewhere, &SystemEntropy);
        assert!(copied.is_err(), "copied to another machine");
    }
}
