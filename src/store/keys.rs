//! Signing keys on disk: PKCS#8 in PEM, for the owner's eyes alone.

use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use zeroize::Zeroizing;

use crate::model::{Problem, PublicKey};
use crate::port::Result;
use crate::trust::Signer;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
/// A key file that is longer isn't one.
const MAX_BYTES: u64 = 4096;

/// Makes a key pair in a new file that only its owner can read, and returns the public half. A file that is there
/// already is left alone.
///
/// # Errors
/// `key.exists`, `key.write`.
pub fn create(path: &Path) -> Result<PublicKey> {
    let failed = |detail: String| {
        Problem::new("key.write", format!("can't write the key to {}", path.display()))
            .detail(detail)
            .next("name a file in a folder that you may write to")
    };
    let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| failed("the machine gives no randomness".to_owned()))?;
    let bytes = Zeroizing::new(pair.as_ref().to_vec());
    let signer = Signer::from_pkcs8(&bytes).map_err(failed)?;
    let body = Zeroizing::new(STANDARD.encode(&*bytes));
    let mut text = Zeroizing::new(format!("{BEGIN}\n"));
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str(END);
    text.push('\n');
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|e| {
        if e.kind() == std::io::ErrorKind::AlreadyExists {
            return Problem::new("key.exists", format!("{} is there already", path.display()))
                .next("name another file; a key that is in use must not be lost");
        }
        failed(e.to_string())
    })?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| failed(e.to_string()))?;
    Ok(signer.public())
}

/// Reads a key pair.
///
/// # Errors
/// `key.read`, `key.rights` where others may read the file, `key.damaged`. No text holds any of the key.
pub fn read(path: &Path) -> Result<Signer> {
    let unread = |detail: String| {
        Problem::new("key.read", format!("can't read the key {}", path.display()))
            .detail(detail)
            .next("name the file that `opsole keys new` wrote")
    };
    let damaged = |why: &str| {
        Problem::new("key.damaged", format!("{} isn't a private key: {why}", path.display()))
            .next("name the file that `opsole keys new` wrote")
    };
    let about = std::fs::metadata(path).map_err(|e| unread(e.to_string()))?;
    owner_only(path, &about)?;
    if about.len() > MAX_BYTES {
        return Err(damaged("it is too long"));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|e| unread(e.to_string()))?);
    let inner = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    let inner = inner.ok_or_else(|| damaged("it doesn't begin and end as one"))?;
    let body: Zeroizing<String> = Zeroizing::new(inner.split_whitespace().collect());
    let bytes = Zeroizing::new(STANDARD.decode(body.as_bytes()).map_err(|_| damaged("it isn't base64"))?);
    Signer::from_pkcs8(&bytes).map_err(|why| damaged(&why))
}

/// Refuses a key's file that others than its owner may read.
///
/// # Errors
/// `key.rights`.
pub(super) fn owner_only(path: &Path, about: &std::fs::Metadata) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if about.permissions().mode() & 0o077 != 0 {
            let message = format!("others than its owner may read {}", path.display());
            return Err(Problem::new("key.rights", message).next(format!(
                "take their rights away (`chmod 600 {}`); where somebody may have read it, make a new key and list \
                 the old one as revoked",
                path.display()
            )));
        }
    }
    #[cfg(not(unix))]
    let _ = (path, about);
    Ok(())
}

/// Reads the key of a state folder, and makes it where there is none.
///
/// # Errors
/// As [`create`] and [`read`].
pub fn own(state: &Path) -> Result<Signer> {
    own_at(&state.join("seal.key"))
}

/// Reads the key at a path, and makes it where there is none.
///
/// # Errors
/// As [`create`] and [`read`].
pub(super) fn own_at(path: &Path) -> Result<Signer> {
    if !path.exists() {
        let folder = path.parent().unwrap_or(path);
        std::fs::create_dir_all(folder).map_err(|e| {
            Problem::new("store.folder", format!("{} can't be made", folder.display()))
                .detail(e.to_string())
                .next("check that you may write beside the plan, or name another folder with `--state DIR`")
        })?;
        // Somebody else may make it at the same moment; either key is this folder's.
        match create(path) {
            Err(problem) if problem.code == "key.exists" => {}
            made => drop(made?.short()),
        }
    }
    read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a key that others can read, that is overwritten, or that comes back as another one.
    #[test]
    fn keys_are_kept_for_their_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jane.key");
        let public = create(&path).expect("a key");
        assert_eq!(read(&path).expect("the key").public(), public);
        assert_eq!(create(&path).expect_err("there already").code, "key.exists");
        assert_eq!(own(folder.path()).expect("a key").public(), own(folder.path()).expect("the same").public());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("rights");
            assert_eq!(read(&path).expect_err("readable by the group").code, "key.rights");
        }
    }

    /// Catches a piece of a private key in an error.
    #[test]
    fn damage_is_named_without_the_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jane.key");
        create(&path).expect("a key");
        let text = std::fs::read_to_string(&path).expect("text");
        let secret = text.lines().nth(1).expect("a line");
        let broken = folder.path().join("broken.key");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&broken).and_then(|mut f| f.write_all(text.replace('M', "N").as_bytes())).expect("a file");
        let problem = read(&broken).expect_err("broken");
        assert_eq!(problem.code, "key.damaged");
        assert!(!format!("{problem:?}").contains(&secret[..16]));
    }
}
