//! The key that a folder's controller signs with, and how it came from the ones before it.
//!
//! `orders.key` is the private key; `orders.changes` the signed changes that led to it, one line each. A new
//! key is complete in three writes (new key, changes, key in its place); whichever was the last, the next look finishes
//! them or does without.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::keys;
use crate::model::{Problem, PublicKey};
use crate::port::Result;
use crate::trust::{ControllerKey, Envelope, KeyChange, Purpose};

/// A file of changes that is longer isn't one.
const MAX_BYTES: u64 = 1 << 20;

struct Files {
    key: PathBuf,
    next: PathBuf,
    changes: PathBuf,
}

impl Files {
    fn of(state: &Path) -> Self {
        let file = |name: &str| state.join(name);
        Self { key: file("orders.key"), next: file("orders.next.key"), changes: file("orders.changes") }
    }

    fn read_changes(&self) -> Result<Vec<Envelope>> {
        let damaged = |why: String| {
            Problem::new("key.changes", format!("{} can't be read", self.changes.display())).detail(why).next(
                "put it back from a backup: without it devices that slept don't follow the controller's newer key",
            )
        };
        match std::fs::metadata(&self.changes) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Ok(about) if about.len() > MAX_BYTES => return Err(damaged("it is too long".to_owned())),
            _ => {}
        }
        let text = std::fs::read_to_string(&self.changes).map_err(|e| damaged(e.to_string()))?;
        text.lines().map(|line| serde_json::from_str(line).map_err(|e| damaged(e.to_string()))).collect()
    }

    fn write_changes(&self, changes: &[Envelope]) -> Result<()> {
        let draft = self.changes.with_extension("changes-new");
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::File::create(&draft)?;
            for change in changes {
                serde_json::to_writer(&mut file, change)?;
                file.write_all(b"\n")?;
            }
            file.sync_all()?;
            std::fs::rename(&draft, &self.changes)
        };
        write().map_err(|e| unwritten(&self.changes, &e))
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new("key.write", format!("can't write {}", path.display()))
        .detail(error.to_string())
        .next("free space on the disk and check that you may write there, then run the command again")
}

/// Returns where the last change leads to, if there is one.
fn newest(changes: &[Envelope]) -> Option<PublicKey> {
    let last = changes.last()?;
    last.open::<KeyChange>(Purpose::KeyChange, last.key).ok().map(|change| change.to)
}

/// Returns the key that the controller of a state folder signs with, and makes it where there is none.
///
/// # Errors
/// As [`keys::read`]; `key.changes`.
pub fn controller_key(state: &Path) -> Result<ControllerKey> {
    let files = Files::of(state);
    let changes = files.read_changes()?;
    let signer = keys::own_at(&files.key)?;
    match newest(&changes) {
        // The change was written, and the key not yet put in its place.
        Some(to) if to != signer.public() => {
            let next = keys::read(&files.next)?;
            if next.public() != to {
                let message =
                    format!("{} isn't the key that {} leads to", files.next.display(), files.changes.display());
                return Err(Problem::new("key.changes", message).next("put both back from a backup"));
            }
            std::fs::rename(&files.next, &files.key).map_err(|e| unwritten(&files.key, &e))?;
            Ok(ControllerKey::new(next, changes))
        }
        _ => Ok(ControllerKey::new(signer, changes)),
    }
}

/// Gives the controller of a state folder a new key, signed by the one that it has, and returns both public halves.
/// Devices follow by themselves; the old private key is gone afterwards.
///
/// # Errors
/// As [`controller_key`]; `key.write`.
pub fn rotate_controller_key(state: &Path, at: Timestamp) -> Result<(PublicKey, PublicKey)> {
    let files = Files::of(state);
    let old = controller_key(state)?;
    // One that was made and never named in a change is nobody's.
    match std::fs::remove_file(&files.next) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(unwritten(&files.next, &e)),
        _ => {}
    }
    keys::create(&files.next)?;
    let new = old
        .give_way(keys::read(&files.next)?, at)
        .map_err(|e| Problem::new("key.write", "the change of the key can't be written").detail(e.to_string()))?;
    files.write_changes(new.changes())?;
    std::fs::rename(&files.next, &files.key).map_err(|e| unwritten(&files.key, &e))?;
    Ok((old.public(), new.public()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::follow;

    /// Catches a change that loses devices: one that is cut off anywhere leaves a key that every device follows to.
    #[test]
    fn every_device_follows_wherever_a_change_is_cut_off() {
        for cut in 0..3 {
            let folder = tempfile::tempdir().expect("a folder");
            let files = Files::of(folder.path());
            let first = controller_key(folder.path()).expect("a key").public();
            let (from, second) = rotate_controller_key(folder.path(), Timestamp::UNIX_EPOCH).expect("a change");
            assert_eq!(from, first);
            let old = controller_key(folder.path()).expect("the second");
            assert_eq!(old.public(), second);
            keys::create(&files.next).expect("a key");
            let third = keys::read(&files.next).expect("the third").public();
            if cut > 0 {
                let next = old.give_way(keys::read(&files.next).expect("a key"), Timestamp::UNIX_EPOCH);
                files.write_changes(next.expect("a change").changes()).expect("changes");
            }
            if cut > 1 {
                std::fs::rename(&files.next, &files.key).expect("a rename");
            }
            let now = controller_key(folder.path()).expect("a key");
            assert_eq!(now.public(), if cut == 0 { second } else { third });
            for pinned in [first, second] {
                assert_eq!(follow(pinned, now.changes()), now.public(), "cut {cut}");
            }
            rotate_controller_key(folder.path(), Timestamp::UNIX_EPOCH).expect("another change");
            let last = controller_key(folder.path()).expect("a key");
            assert_eq!(follow(first, last.changes()), last.public(), "cut {cut}");
        }
    }
}
