//! The lab's world on disk: objects as JSON by kind and id, in one SQLite file that several processes share.

use std::path::Path;
use std::sync::Mutex;

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use tokio::sync::watch;

use crate::model::{Problem, Retry};
use crate::port::Result;

/// The world's objects. A write is on disk when it returns, so that a killed process loses nothing.
#[derive(Debug)]
pub struct LabStore {
    connection: Mutex<Connection>,
    broken: watch::Sender<Option<Problem>>,
}

/// One write: a body, or none to remove the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Kind.
    pub kind: String,
    /// Id.
    pub id: String,
    /// Body, JSON.
    pub body: Option<String>,
}

fn problem(error: &rusqlite::Error) -> Problem {
    let (message, next, retry) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => (
            "the lab's world can't be written: the disk is full or broken",
            "free space on the disk, then run the command again, or `opsole apply --resume` where `opsole status` \
             shows an open run; nothing that was done is lost",
            // Not the emulated device's fault: whoever acts on it looks again before it takes this for one.
            Retry::ReadFirst,
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            ("the lab's world is damaged", "start anew with `opsole lab reset`", Retry::No)
        }
        _ => (
            "the lab's world can't be read or written",
            "check that you may write to `.opsole/lab` beside the plan, or start anew with `opsole lab reset`",
            Retry::No,
        ),
    };
    Problem::new("lab.store", message).next(next).detail(error.to_string()).retry(retry)
}

impl LabStore {
    /// Opens or makes `world.db` in a folder.
    ///
    /// # Errors
    /// `lab.store` where the folder or the file can't be used.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .map_err(|e| Problem::new("lab.store", format!("can't make {}", folder.display())).detail(e.to_string()))?;
        let connection = Connection::open(folder.join("world.db")).map_err(|e| problem(&e))?;
        // NORMAL survives a killed process; only a power cut may lose the last writes, and a lab has none.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 10000; PRAGMA secure_delete = ON;
                 CREATE TABLE IF NOT EXISTS objects (kind TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;",
            )
            .map_err(|e| problem(&e))?;
        Ok(Self { connection: Mutex::new(connection), broken: watch::Sender::new(None) })
    }

    fn with<T>(&self, f: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let connection = self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        f(&connection).map_err(|e| {
            let problem = problem(&e);
            self.broken.send_replace(Some(problem.clone()));
            problem
        })
    }

    /// Returns once the world couldn't be read or written: an emulated device can't tell that from a fault of
    /// its own, so whoever runs the lab has to stop before more is made of it.
    pub async fn broken(&self) -> Problem {
        let mut broken = self.broken.subscribe();
        match broken.wait_for(Option::is_some).await {
            Ok(problem) => problem.clone().unwrap_or_else(|| Problem::new("lab.store", "the lab's world is gone")),
            // The sender is in `self`.
            Err(_) => std::future::pending().await,
        }
    }

    /// Returns one object.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn get(&self, kind: &str, id: &str) -> Result<Option<String>> {
        self.with(|c| {
            c.prepare_cached("SELECT body FROM objects WHERE kind = ?1 AND id = ?2")?
                .query_row(params![kind, id], |row| row.get(0))
                .optional()
        })
    }
    /// Writes one object.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn put(&self, kind: &str, id: &str, body: &str) -> Result<()> {
        self.with(|c| {
            c.prepare_cached("INSERT OR REPLACE INTO objects (kind, id, body) VALUES (?1, ?2, ?3)")?
                .execute(params![kind, id, body])
                .map(drop)
        })
    }
    /// Writes one object unless one is there whose body sorts after it.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn put_greater(&self, kind: &str, id: &str, body: &str) -> Result<()> {
        self.with(|c| {
            c.prepare_cached(
                "INSERT INTO objects (kind, id, body) VALUES (?1, ?2, ?3)
                 ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body WHERE excluded.body > body",
            )?
            .execute(params![kind, id, body])
            .map(drop)
        })
    }
    /// Writes many objects as one unit.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn put_all<'a>(&self, kind: &str, objects: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<()> {
        self.with(|c| {
            let transaction = c.unchecked_transaction()?;
            {
                let mut statement = transaction
                    .prepare_cached("INSERT OR REPLACE INTO objects (kind, id, body) VALUES (?1, ?2, ?3)")?;
                for (id, body) in objects {
                    statement.execute(params![kind, id, body])?;
                }
            }
            transaction.commit()
        })
    }
    /// Writes and removes objects of several kinds as one unit.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn apply(&self, writes: &[Write]) -> Result<()> {
        self.with(|c| {
            let transaction = c.unchecked_transaction()?;
            {
                let mut put = transaction
                    .prepare_cached("INSERT OR REPLACE INTO objects (kind, id, body) VALUES (?1, ?2, ?3)")?;
                let mut delete = transaction.prepare_cached("DELETE FROM objects WHERE kind = ?1 AND id = ?2")?;
                for write in writes {
                    match &write.body {
                        Some(body) => put.execute(params![write.kind, write.id, body])?,
                        None => delete.execute(params![write.kind, write.id])?,
                    };
                }
            }
            transaction.commit()
        })
    }
    /// Removes one object; one that isn't there is a success.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn delete(&self, kind: &str, id: &str) -> Result<()> {
        self.with(|c| {
            c.prepare_cached("DELETE FROM objects WHERE kind = ?1 AND id = ?2")?.execute(params![kind, id]).map(drop)
        })
    }
    /// Returns all objects of a kind in the order of their ids.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn all(&self, kind: &str) -> Result<Vec<(String, String)>> {
        self.with(|c| {
            c.prepare_cached("SELECT id, body FROM objects WHERE kind = ?1 ORDER BY id")?
                .query_map(params![kind], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }
}
