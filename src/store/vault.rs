//! The key under which this folder keeps secrets that it has to be able to give back: `vault.key`, for its owner alone.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::model::{Problem, Retry};
use crate::port::at_rest::{KEY_BYTES, NONCE_BYTES, lock, unlock};
use crate::port::{Result, Vault};

/// File of the key.
pub const VAULT_FILE: &str = "vault.key";
/// What the file begins with.
const BEGIN: &str = "opsole-vault/1 ";

/// The vault of a state folder.
pub struct FileVault {
    key: Zeroizing<[u8; KEY_BYTES]>,
    path: PathBuf,
}

impl FileVault {
    /// Opens the vault of a state folder, and makes its key where there is none.
    ///
    /// # Errors
    /// `vault.key` where it can't be read or made, isn't a key, or others may read it.
    pub fn own(state: &Path) -> Result<Self> {
        let path = state.join(VAULT_FILE);
        if !path.exists() {
            make(state, &path)?;
        }
        Self::read(path)
    }

    fn read(path: PathBuf) -> Result<Self> {
        let failed = |why: &str| problem(&path, why);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let about = std::fs::metadata(&path).map_err(|e| failed(&e.to_string()))?;
            if about.permissions().mode() & 0o077 != 0 {
                return Err(failed("others than its owner may read it").next(format!(
                    "take their rights away (`chmod 600 {}`); recovery passwords that are kept may be known to them",
                    path.display()
                )));
            }
        }
        let text = Zeroizing::new(std::fs::read_to_string(&path).map_err(|e| failed(&e.to_string()))?);
        let digits = text.trim_end().strip_prefix(BEGIN).filter(|digits| digits.len() == 2 * KEY_BYTES);
        let digits = digits.ok_or_else(|| failed("it isn't a key"))?.as_bytes();
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or_else(|| failed("it isn't a key"))?;
        }
        Ok(Self { key, path })
    }
}

fn problem(path: &Path, why: &str) -> Problem {
    Problem::new("vault.key", format!("the key of the recovery passwords, {}, can't be used", path.display()))
        .detail(why)
        .next("restore the file from a backup of `.opsole/`; without it the recovery passwords that are kept are lost")
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|e| {
        Problem::new("vault.no-randomness", "the system gives no random numbers, so nothing can be encrypted")
            .detail(e.to_string())
            .next("run the command again")
            .retry(Retry::Soon)
    })
}

/// Writes a new key beside its place and moves it there in one piece, unless another process was first.
fn make(state: &Path, path: &Path) -> Result<()> {
    let failed = |e: std::io::Error| problem(path, &e.to_string());
    std::fs::create_dir_all(state).map_err(failed)?;
    let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
    fill(key.as_mut())?;
    let mut text = Zeroizing::new(String::with_capacity(BEGIN.len() + 2 * KEY_BYTES + 1));
    text.push_str(BEGIN);
    for byte in key.iter() {
        let digit = |four: u8| char::from_digit(u32::from(four), 16).unwrap_or('0');
        text.extend([digit(byte >> 4), digit(byte & 15)]);
    }
    text.push('\n');
    let draft = state.join(format!("{VAULT_FILE}.{}.new", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft).map_err(failed)?;
    let written =
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| {
            match std::fs::hard_link(&draft, path) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
                linked => linked,
            }
        });
    drop(std::fs::remove_file(&draft));
    written.map_err(failed)
}

impl Vault for FileVault {
    fn lock(&self, about: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        fill(&mut nonce)?;
        Ok(lock(&self.key, nonce, about, plain))
    }
    fn unlock(&self, about: &str, locked: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        unlock(&self.key, about, locked).ok_or_else(|| problem(&self.path, "what is kept wasn't encrypted with it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a key that is made anew and loses what was kept, that others may read, or that is taken for another's.
    #[test]
    fn the_key_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let locked = FileVault::own(folder.path()).and_then(|vault| vault.lock("a", b"hunter2")).expect("locked");
        let vault = FileVault::own(folder.path()).expect("the same");
        assert_eq!(vault.unlock("a", &locked).expect("open").as_slice(), b"hunter2");
        assert_ne!(vault.lock("a", b"hunter2").expect("locked"), locked, "no nonce twice");
        assert_eq!(vault.unlock("b", &locked).expect_err("another's").code, "vault.key");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "no draft is left");
        let path = folder.path().join(VAULT_FILE);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("rights");
            assert!(FileVault::own(folder.path()).is_err_and(|problem| problem.code == "vault.key"));
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("rights");
        }
        std::fs::write(&path, format!("{BEGIN}{}\n", "+1".repeat(KEY_BYTES))).expect("a file");
        assert!(FileVault::own(folder.path()).is_err_and(|problem| problem.code == "vault.key"));
    }
}
