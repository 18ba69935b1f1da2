//! The list of what was decided and done, in the database, and the file beside it that says how long the list is.
//!
//! Whoever cuts entries off the end of the list leaves a list that is whole. The file is written after every addition,
//! with its bytes on the disk before the write returns; where it says more than the list holds, something was cut. It
//! is locked from before the transaction until it is written, so that two programs don't pass each other.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::sqlite::Failure;
use crate::audit::{Fact, Head, HeadFile, Link, Note};
use crate::model::{Problem, Retry};
use crate::port::Result;

/// Name of the file, in the state folder.
pub(super) const HEAD_FILE: &str = "audit.head";
/// Bytes that are read of it at the most; its own are fewer.
const MAX_BYTES: u64 = 1024;
/// Time between two looks at a lock that another process holds. It holds it for the length of one write.
const LOOK: Duration = Duration::from_millis(5);

/// Reads what the file in a state folder says.
///
/// # Errors
/// `audit.head` where it is there and can't be read.
pub fn read_head(folder: &Path) -> Result<HeadFile> {
    let path = folder.join(HEAD_FILE);
    match File::open(&path) {
        Ok(mut file) => said(&mut file).map_err(|e| problem(&path, &e)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(HeadFile::Missing),
        Err(e) => Err(problem(&path, &e)),
    }
}

fn said(file: &mut File) -> std::io::Result<HeadFile> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    // A file that was just made and not yet written says nothing.
    Ok(if bytes.is_empty() { HeadFile::Missing } else { Head::read(&bytes) })
}

fn problem(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new("audit.head", format!("{} can't be used", path.display()))
        .next("check that you own the file and may write to it, and the space on its disk")
        .detail(error.to_string())
}

/// The file, locked. The lock goes with the value.
pub(super) struct HeadOnDisk {
    file: File,
    path: PathBuf,
}

impl HeadOnDisk {
    /// Opens and locks the file, and waits for another process to let go of it.
    pub(super) fn take(path: &Path, wait: Duration) -> Result<Self> {
        let failed = |e: std::io::Error| problem(path, &e);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(failed)?;
        let mut left = wait;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file, path: path.to_owned() }),
                Err(TryLockError::WouldBlock) if left > LOOK => {
                    left -= LOOK;
                    std::thread::sleep(LOOK);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Problem::new("store.busy", format!("{} is in use by another process", path.display()))
                        .next("wait until the other opsole command has ended")
                        .retry(Retry::Soon));
                }
                Err(TryLockError::Error(e)) => return Err(failed(e)),
            }
        }
    }

    fn said(&mut self) -> Result<HeadFile> {
        said(&mut self.file).map_err(|e| problem(&self.path, &e))
    }

    /// Writes a head over the one that is there: as many bytes, in one write, and on the disk when this returns.
    pub(super) fn write(&mut self, head: &Head) -> Result<()> {
        let bytes = head.to_bytes();
        let mut write = || {
            self.file.rewind()?;
            self.file.write_all(&bytes)?;
            // Only a file that was tampered with is longer.
            if self.file.metadata()?.len() != bytes.len() as u64 {
                self.file.set_len(bytes.len() as u64)?;
            }
            self.file.sync_data()
        };
        write().map_err(|e| problem(&self.path, &e))
    }
}

/// Adds notes to the list and returns its new head. Where the file says that the list was cut, the list tells so first:
/// the file is about to be written over, and what it knew must not be lost with it.
pub(super) fn append(t: &Transaction<'_>, file: &mut HeadOnDisk, notes: &[Note]) -> std::result::Result<Head, Failure> {
    let mut head = head(t)?;
    let said = file.said()?;
    let cut = match said {
        HeadFile::Missing if head.seq == 0 => {
            // So that a crash before the first head is written doesn't look like a file that was taken away.
            file.write(&head)?;
            false
        }
        HeadFile::Missing | HeadFile::Unreadable => true,
        HeadFile::Says(said) => said.seq > head.seq || hash_at(t, said.seq)? != Some(said.hash.to_string()),
    };
    let first = notes.first().filter(|_| cut).map(|note| {
        let said = if let HeadFile::Says(said) = said { Some(said) } else { None };
        Note { fact: Fact::ListCut { said, found: head }, ..note.clone() }
    });
    let mut insert = t.prepare_cached(
        "INSERT INTO audit (seq, at, actor, kind, body, prev, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for note in first.iter().chain(notes) {
        let link = note.link(&head);
        let seq = i64::try_from(link.seq).unwrap_or(i64::MAX);
        insert.execute(params![seq, link.at, link.actor, link.kind, link.body, link.prev, link.hash])?;
        head = link.head().unwrap_or(head);
    }
    Ok(head)
}

fn hash_at(c: &Connection, seq: u64) -> rusqlite::Result<Option<String>> {
    if seq == 0 {
        return Ok(Some(Head::start().hash.to_string()));
    }
    c.prepare_cached("SELECT hash FROM audit WHERE seq = ?1")?
        .query_row([i64::try_from(seq).unwrap_or(i64::MAX)], |row| row.get(0))
        .optional()
}

/// Returns the head of the list.
pub(super) fn head(c: &Connection) -> rusqlite::Result<Head> {
    let last: Option<(i64, String)> = c
        .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((seq, hash)) = last else { return Ok(Head::start()) };
    // A hash that isn't one was put there by somebody: what follows is linked to it as it stands, and `audit verify`
    // names the place.
    let hash = hash.parse().unwrap_or_else(|_| crate::model::Digest::of(hash.as_bytes()));
    Ok(Head { seq: u64::try_from(seq).unwrap_or(0), hash })
}

/// Returns the list.
pub(super) fn links(c: &Connection) -> rusqlite::Result<Vec<Link>> {
    links_after(c, 0, u32::MAX)
}

/// Returns entries after a place, as many at the most.
pub(super) fn links_after(c: &Connection, seq: u64, limit: u32) -> rusqlite::Result<Vec<Link>> {
    let after = i64::try_from(seq).unwrap_or(i64::MAX);
    c.prepare_cached("SELECT seq, at, actor, kind, body, prev, hash FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2")?
        .query_map([after, i64::from(limit)], |row| {
            Ok(Link {
                seq: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
                at: row.get(1)?,
                actor: row.get(2)?,
                kind: row.get(3)?,
                body: row.get(4)?,
                prev: row.get(5)?,
                hash: row.get(6)?,
            })
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::audit::{Gate, HeadState, verify, verify_head};
    use crate::model::OwnerRole;
    use crate::port::Store as _;
    use crate::store::SqliteStore;

    fn note(text: &str) -> Note {
        let gate =
            Gate { wave: "pilot".into(), role: OwnerRole::ProjectLead, evidence: text.to_owned(), seen: String::new() };
        Note { at: Timestamp::UNIX_EPOCH, actor: "jane@desk".to_owned(), fact: Fact::GateSignedOff(gate) }
    }

    /// Somebody with the database in hand and nothing else.
    fn tamper(folder: &Path, sql: &str) {
        let connection = Connection::open(folder.join("state.db")).expect("a file");
        let sql = format!("DROP TRIGGER IF EXISTS audit_kept; DROP TRIGGER IF EXISTS audit_whole; {sql}");
        connection.execute_batch(&sql).expect("a change");
    }

    fn state(folder: &Path) -> (bool, HeadState) {
        let links = SqliteStore::open(folder).expect("a store").audit().expect("a list");
        (verify(&links).is_whole(), verify_head(&links, read_head(folder).expect("a file")))
    }

    /// Catches a list that forgets how long it was once something is added to a shorter one.
    #[test]
    fn what_was_cut_off_stays_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(folder.path()).expect("a store");
        store.add_audit(&[note("a"), note("b")]).expect("entries");
        store.add_audit(&[note("c")]).expect("an entry");
        assert_eq!(state(folder.path()), (true, HeadState::Agrees));
        tamper(folder.path(), "DELETE FROM audit WHERE seq = 3");
        assert_eq!(state(folder.path()), (true, HeadState::Shorter { by: 1 }));
        store.add_audit(&[note("d")]).expect("an entry");
        let links = store.audit().expect("a list");
        assert_eq!(links.iter().map(|link| link.kind.as_str()).next_back(), Some("gate-signed-off"));
        assert_eq!(verify(&links).cuts, [3], "the entry before it tells of the cut");
        assert_eq!(state(folder.path()), (false, HeadState::Agrees));
    }

    /// Catches a file that can be taken away, and a first entry whose crash looks like that.
    #[test]
    fn a_file_that_is_gone_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(folder.path()).expect("a store");
        assert_eq!(state(folder.path()), (true, HeadState::Agrees));
        store.add_audit(&[note("a")]).expect("an entry");
        std::fs::remove_file(folder.path().join(HEAD_FILE)).expect("removed");
        assert_eq!(state(folder.path()), (true, HeadState::Missing));
        store.add_audit(&[note("b")]).expect("an entry");
        assert_eq!(state(folder.path()), (false, HeadState::Agrees));
        // As a crash right after the first transaction leaves it.
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(folder.path()).expect("a store");
        store.add_audit(&[note("a")]).expect("an entry");
        std::fs::write(folder.path().join(HEAD_FILE), Head::start().to_bytes()).expect("a file");
        assert_eq!(state(folder.path()), (true, HeadState::Behind { by: 1, one_write: true }));
        store.add_audit(&[note("b")]).expect("an entry");
        assert_eq!(state(folder.path()), (true, HeadState::Agrees));
    }

    /// Catches an entry that is written although what it tells isn't, and the other way round.
    #[test]
    fn both_or_neither() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(folder.path()).expect("a store");
        let run = crate::model::RunId(uuid::Uuid::from_u128(1));
        assert_eq!(store.end_run(run, &[note("a")]).unwrap_err().code, "store.run-unknown");
        assert_eq!(store.audit().expect("a list"), []);
        store.take_back_approvals(&["x".to_owned()], &[note("b")]).expect("a write");
        assert_eq!(store.audit().expect("a list").len(), 1);
        assert_eq!(store.audit_head().expect("a head").seq, 1);
    }

    /// Catches two programs that write at the same time and pass each other between the list and the file.
    #[test]
    fn two_programs_keep_one_order() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(SqliteStore::open(folder.path()).expect("a store"));
        std::thread::scope(|scope| {
            for name in ["a", "b", "c"] {
                let folder = folder.path();
                scope.spawn(move || {
                    let store = SqliteStore::open(folder).expect("a store");
                    (0..20).for_each(|_| store.add_audit(&[note(name)]).expect("an entry"));
                });
            }
        });
        assert_eq!(state(folder.path()), (true, HeadState::Agrees));
        let links = SqliteStore::open(folder.path()).expect("a store").audit().expect("a list");
        assert_eq!(links.len(), 60);
    }
}
