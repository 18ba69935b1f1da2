//! The store on disk: one SQLite file, `state.db`, that only its owner may read.
//!
//! WAL with `synchronous=FULL`: a write that returned survives a killed process and a power cut. The schema's
//! version is `user_version`; a file of a newer version is refused, an older one is brought up to date in one
//! transaction.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::chain;
use super::{journal_gap, journal_moved, run_exists, run_unknown};
use crate::audit::{Head, Link, Note};
use crate::model::{DeviceName, Problem, Retry, RunId};
use crate::port::{EntryRow, RecoveryRow, Result, RunRow, RunState, Store};
use crate::state::{DeviceRecord, Evidence, SignOff};

/// One script for each version of the schema; never edited, only added to.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE runs (
        run TEXT PRIMARY KEY, created TEXT NOT NULL, ended INTEGER NOT NULL DEFAULT 0, plan BLOB NOT NULL
    ) STRICT;
    CREATE TABLE entries (
        run TEXT NOT NULL REFERENCES runs (run), seq INTEGER NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ledger (device TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE evidence (device TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE agents (device TEXT PRIMARY KEY, token_hash TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE acknowledged (
        run TEXT NOT NULL, device TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (run, device)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE sign_offs (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL) STRICT;
",
    "
    CREATE TABLE taken_back (signature TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
",
    "
    ALTER TABLE runs ADD COLUMN origin TEXT;
    CREATE TABLE audit (
        seq INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
        prev TEXT NOT NULL, hash TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER audit_kept BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is only added to'); END;
    CREATE TRIGGER audit_whole BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is only added to'); END;
",
    super::operators::SCHEMA,
    "
    CREATE TABLE recovery (
        device TEXT PRIMARY KEY, run TEXT NOT NULL, account TEXT NOT NULL, made TEXT NOT NULL, locked BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
",
];

/// How long a write waits for another process, such as `opsole status`, to let go of the file.
const BUSY: Duration = Duration::from_secs(10);

/// The store on disk.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Mutex<Connection>,
    /// For what every call of every agent reads: it doesn't wait for writes of others.
    reader: Mutex<Connection>,
    path: PathBuf,
    head: PathBuf,
    broken: watch::Sender<Option<Problem>>,
}

impl SqliteStore {
    /// Opens or makes `state.db` in a folder.
    ///
    /// # Errors
    /// `store.folder`, `store.disk-full`, `store.damaged`, `store.newer`, `store.failed`.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|e| folder_problem(folder, &e))?;
        let path = folder.join("state.db");
        protect(&path).map_err(|e| folder_problem(folder, &e))?;
        let failed = |e: rusqlite::Error| problem(&path, &e);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;")
            .map_err(failed)?;
        migrate(&mut connection, &path)?;
        let head = folder.join(chain::HEAD_FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(&path, flags).map_err(failed)?;
        reader.busy_timeout(BUSY).map_err(failed)?;
        let (connection, reader) = (Mutex::new(connection), Mutex::new(reader));
        Ok(Self { connection, reader, path, head, broken: watch::Sender::new(None) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves no half transaction: dropping one rolls it back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn read<T>(&self, f: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        f(&self.connection()).map_err(|e| problem(&self.path, &e))
    }
    pub(super) fn write<T>(&self, f: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, Failure>) -> Result<T> {
        self.write_with(&mut self.connection(), f)
    }
    /// Writes something and what the list tells of it, in one transaction. The file that says how long the list is
    /// follows right after it: it may be behind, and is never ahead.
    pub(super) fn tell<T>(
        &self,
        audit: &[Note],
        f: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        if audit.is_empty() {
            return self.write(f);
        }
        let mut connection = self.connection();
        let mut file = chain::HeadOnDisk::take(&self.head, BUSY).inspect_err(|e| self.fail(e))?;
        let (value, head) = self.write_with(&mut connection, |t| {
            let value = f(t)?;
            Ok((value, chain::append(t, &mut file, audit)?))
        })?;
        file.write(&head).inspect_err(|e| self.fail(e))?;
        Ok(value)
    }
    fn fail(&self, problem: &Problem) {
        if problem.retry == Retry::No {
            self.broken.send_replace(Some(problem.clone()));
        }
    }
    fn write_with<T>(
        &self,
        connection: &mut Connection,
        f: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let run = |connection: &mut Connection| -> std::result::Result<T, Failure> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = f(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run(connection).map_err(|failure| match failure {
            Failure::Sqlite(e) => {
                let problem = problem(&self.path, &e);
                self.fail(&problem);
                problem
            }
            Failure::Problem(problem) => problem,
        })
    }

    /// Reads several things as they are at one moment, whatever another process writes meanwhile. `f` only reads.
    ///
    /// # Errors
    /// As `f`; `store.*`.
    pub fn at_one_moment<T>(&self, f: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.read(|c| c.execute_batch("BEGIN"))?;
        let value = f(self);
        self.read(|c| c.execute_batch("COMMIT"))?;
        value
    }

    /// Returns once the file couldn't be written. What asked for the write may be an agent's call, which only
    /// tells the agent to come back: a run that can't keep anything has to stop.
    pub async fn broken(&self) -> Problem {
        let mut broken = self.broken.subscribe();
        match broken.wait_for(Option::is_some).await {
            Ok(problem) => problem.clone().unwrap_or_else(|| disk_full(&self.path)),
            // The sender is in `self`.
            Err(_) => std::future::pending().await,
        }
    }
    fn documents<T: DeserializeOwned>(&self, sql: &str) -> Result<BTreeMap<DeviceName, T>> {
        let rows: Vec<(String, String)> =
            self.read(|c| c.prepare_cached(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())?;
        rows.into_iter().map(|(device, body)| Ok((DeviceName::new(&device), self.parse(&body)?))).collect()
    }
    pub(super) fn parse<T: DeserializeOwned>(&self, body: &str) -> Result<T> {
        serde_json::from_str(body).map_err(|e| damaged(&self.path).detail(e.to_string()))
    }
    fn put(&self, sql: &str, device: &DeviceName, body: &str) -> Result<()> {
        self.write(|t| Ok(t.prepare_cached(sql)?.execute(params![device.as_str(), body]).map(drop)?))
    }
}

pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    Problem(Problem),
}
impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Makes the file for its owner alone before SQLite does; its companions take over its mode.
fn protect(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        options.mode(0o600);
        let file = options.open(path)?;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
    }
    #[cfg(not(unix))]
    options.open(path)?;
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    let failed = |e: rusqlite::Error| problem(path, &e);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let done = usize::try_from(version).ok().filter(|done| *done <= MIGRATIONS.len()).ok_or_else(|| {
        Problem::new("store.newer", format!("{} was written by a newer version of opsole", path.display()))
            .next("use that version, or another folder")
            .detail(format!("schema {version}; this version knows {}", MIGRATIONS.len()))
    })?;
    for script in &MIGRATIONS[done..] {
        transaction.execute_batch(script).map_err(failed)?;
    }
    if done < MIGRATIONS.len() {
        transaction
            .pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))
            .map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

fn folder_problem(folder: &Path, error: &std::io::Error) -> Problem {
    let full = error.kind() == std::io::ErrorKind::StorageFull || error.kind() == std::io::ErrorKind::QuotaExceeded;
    if full {
        return disk_full(folder).detail(error.to_string());
    }
    Problem::new("store.folder", format!("{} can't be used", folder.display()))
        .next("check that the folder exists and that you may write to it")
        .detail(error.to_string())
}
fn damaged(path: &Path) -> Problem {
    Problem::new("store.damaged", format!("{} is damaged or not a database of opsole", path.display()))
        .next("restore the folder from a backup; without one move it away, and `opsole plan` reads the world anew")
}
fn disk_full(path: &Path) -> Problem {
    Problem::new("store.disk-full", format!("{} can't be written: the disk is full or broken", path.display())).next(
        "free space on the disk, then run the command again, or `opsole apply --resume` where `opsole status` \
             shows an open run; nothing that was done is lost",
    )
}

fn problem(path: &Path, error: &rusqlite::Error) -> Problem {
    let code = error.sqlite_error_code();
    match code {
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => disk_full(path),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Problem::new("store.busy", format!("{} is in use by another process", path.display()))
                .next("wait until the other opsole command has ended")
                .retry(Retry::Soon)
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            Problem::new("store.folder", format!("{} can't be opened for writing", path.display()))
                .next("check that you own the file and may write to its folder")
        }
        _ => Problem::new("store.failed", format!("{} can't be read or written", path.display()))
            .next("run the command again; if it stays, report the detail"),
    }
    .detail(error.to_string())
}

/// SQLite's integers are signed; a number beyond that can't come from a journal.
fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn append(
    t: &Transaction<'_>,
    run: RunId,
    first: u64,
    entries: &[(Timestamp, String)],
) -> std::result::Result<(), Failure> {
    let run_text = run.to_string();
    let known: bool = t
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM runs WHERE run = ?1)")?
        .query_row([&run_text], |row| row.get(0))?;
    if !known {
        return Err(run_unknown(run).into());
    }
    let last: i64 = t
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM entries WHERE run = ?1")?
        .query_row([&run_text], |row| row.get(0))?;
    let expected = last.unsigned_abs() + 1;
    if first != expected {
        return Err(journal_moved(run, expected, first).into());
    }
    let mut insert = t.prepare_cached("INSERT INTO entries (run, seq, at, body) VALUES (?1, ?2, ?3, ?4)")?;
    for (seq, (at, body)) in (first..).zip(entries) {
        insert.execute(params![run_text, signed(seq), at.to_string(), body])?;
    }
    Ok(())
}

pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("records and evidence hold nothing that JSON can't")
}

impl Store for SqliteStore {
    fn create_run(&self, row: &RunRow, audit: &[Note]) -> Result<()> {
        self.tell(audit, |t| {
            let run = row.run.to_string();
            let known: bool =
                t.query_row("SELECT EXISTS (SELECT 1 FROM runs WHERE run = ?1)", [&run], |found| found.get(0))?;
            if known {
                return Err(run_exists(row.run).into());
            }
            let ended = row.state == RunState::Ended;
            t.execute(
                "INSERT INTO runs (run, created, ended, plan, origin) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![run, row.created.to_string(), ended, row.plan, row.origin],
            )?;
            Ok(())
        })
    }
    fn end_run(&self, run: RunId, audit: &[Note]) -> Result<()> {
        self.tell(audit, |t| {
            let changed = t.execute("UPDATE runs SET ended = 1 WHERE run = ?1", [run.to_string()])?;
            if changed == 0 { Err(run_unknown(run).into()) } else { Ok(()) }
        })
    }
    fn runs(&self) -> Result<Vec<RunRow>> {
        type Columns = (String, String, bool, Vec<u8>, Option<String>);
        let rows: Vec<Columns> = self.read(|c| {
            c.prepare_cached("SELECT run, created, ended, plan, origin FROM runs ORDER BY rowid DESC")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?
                .collect()
        })?;
        rows.into_iter()
            .map(|(run, created, ended, plan, origin)| {
                Ok(RunRow {
                    run: run.parse().map_err(|_| damaged(&self.path))?,
                    created: created.parse().map_err(|_| damaged(&self.path))?,
                    state: if ended { RunState::Ended } else { RunState::Open },
                    plan,
                    origin,
                })
            })
            .collect()
    }
    fn append(&self, run: RunId, first_seq: u64, entries: &[(Timestamp, String)], audit: &[Note]) -> Result<()> {
        self.tell(audit, |t| append(t, run, first_seq, entries))
    }
    fn journal(&self, run: RunId) -> Result<Vec<EntryRow>> {
        let (known, rows) = self.read(|c| {
            let known: bool = c
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM runs WHERE run = ?1)")?
                .query_row([run.to_string()], |row| row.get(0))?;
            let rows: Vec<(i64, String, String)> = c
                .prepare_cached("SELECT seq, at, body FROM entries WHERE run = ?1 ORDER BY seq")?
                .query_map([run.to_string()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<rusqlite::Result<_>>()?;
            Ok((known, rows))
        })?;
        if !known {
            return Err(run_unknown(run));
        }
        (1..)
            .zip(rows)
            .map(|(expected, (seq, at, body))| {
                if seq.unsigned_abs() != expected {
                    return Err(journal_gap(run, expected));
                }
                Ok(EntryRow { seq: expected, at: at.parse().map_err(|_| damaged(&self.path))?, body })
            })
            .collect()
    }
    fn ledger(&self) -> Result<BTreeMap<DeviceName, DeviceRecord>> {
        self.documents("SELECT device, body FROM ledger ORDER BY device")
    }
    fn record(&self, device: &DeviceName) -> Result<Option<DeviceRecord>> {
        let body: Option<String> = self.read(|c| {
            c.prepare_cached("SELECT body FROM ledger WHERE device = ?1")?
                .query_row([device.as_str()], |row| row.get(0))
                .optional()
        })?;
        body.map(|body| self.parse(&body)).transpose()
    }
    fn set_record(&self, record: &DeviceRecord) -> Result<()> {
        self.put("INSERT OR REPLACE INTO ledger (device, body) VALUES (?1, ?2)", &record.device, &json(record))
    }
    fn evidence(&self) -> Result<BTreeMap<DeviceName, Evidence>> {
        self.documents("SELECT device, body FROM evidence ORDER BY device")
    }
    fn evidence_of(&self, device: &DeviceName) -> Result<Option<Evidence>> {
        let body: Option<String> = self.read(|c| {
            c.prepare_cached("SELECT body FROM evidence WHERE device = ?1")?
                .query_row([device.as_str()], |row| row.get(0))
                .optional()
        })?;
        body.map(|body| self.parse(&body)).transpose()
    }
    fn sign_offs(&self) -> Result<Vec<SignOff>> {
        let rows: Vec<String> = self.read(|c| {
            c.prepare_cached("SELECT body FROM sign_offs ORDER BY id")?.query_map([], |row| row.get(0))?.collect()
        })?;
        rows.iter().map(|body| self.parse(body)).collect()
    }
    fn add_sign_off(&self, sign_off: &SignOff, audit: &[Note]) -> Result<()> {
        self.tell(audit, |t| Ok(t.execute("INSERT INTO sign_offs (body) VALUES (?1)", [json(sign_off)]).map(drop)?))
    }
    fn approvals_taken_back(&self) -> Result<Vec<String>> {
        self.read(|c| {
            c.prepare_cached("SELECT signature FROM taken_back ORDER BY signature")?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }
    fn take_back_approvals(&self, signatures: &[String], audit: &[Note]) -> Result<()> {
        self.tell(audit, |t| {
            let mut insert = t.prepare_cached("INSERT OR IGNORE INTO taken_back (signature) VALUES (?1)")?;
            signatures.iter().try_for_each(|signature| insert.execute([signature]).map(drop))?;
            Ok(())
        })
    }
    fn add_audit(&self, audit: &[Note]) -> Result<()> {
        self.tell(audit, |_| Ok(()))
    }
    fn audit(&self) -> Result<Vec<Link>> {
        self.read(chain::links)
    }
    fn audit_head(&self) -> Result<Head> {
        self.read(chain::head)
    }
    fn set_evidence(&self, device: &DeviceName, evidence: &Evidence) -> Result<()> {
        self.put("INSERT OR REPLACE INTO evidence (device, body) VALUES (?1, ?2)", device, &json(evidence))
    }
    fn set_recovery(&self, row: &RecoveryRow) -> Result<RecoveryRow> {
        self.write(|t| {
            t.prepare_cached(
                "INSERT OR IGNORE INTO recovery (device, run, account, made, locked) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                row.device.as_str(),
                row.run.to_string(),
                row.account,
                row.made.to_string(),
                row.locked
            ])?;
            Ok(())
        })?;
        Ok(self.recovery(&row.device)?.unwrap_or_else(|| row.clone()))
    }
    fn recovery(&self, device: &DeviceName) -> Result<Option<RecoveryRow>> {
        type Columns = (String, String, String, Vec<u8>);
        let row: Option<Columns> = self.read(|c| {
            c.prepare_cached("SELECT run, account, made, locked FROM recovery WHERE device = ?1")?
                .query_row([device.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                .optional()
        })?;
        row.map(|(run, account, made, locked)| {
            Ok(RecoveryRow {
                device: device.clone(),
                run: run.parse().map_err(|_| damaged(&self.path))?,
                account,
                made: made.parse().map_err(|_| damaged(&self.path))?,
                locked,
            })
        })
        .transpose()
    }
    fn retire_recovery(&self, device: &DeviceName) -> Result<()> {
        self.write(|t| {
            // Overwritten in its place, so that freed pages hold nothing of it.
            t.execute("UPDATE recovery SET locked = zeroblob(length(locked)) WHERE device = ?1", [device.as_str()])?;
            t.execute("DELETE FROM recovery WHERE device = ?1", [device.as_str()])?;
            Ok(())
        })
    }
    fn set_agents(&self, agents: &[(DeviceName, String)], audit: &[Note]) -> Result<()> {
        self.tell(audit, |t| {
            let mut put = t.prepare_cached("INSERT OR REPLACE INTO agents (device, token_hash) VALUES (?1, ?2)")?;
            for (device, text) in agents {
                put.execute(params![device.as_str(), text])?;
            }
            Ok(())
        })
    }
    fn agent(&self, device: &DeviceName) -> Result<Option<String>> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = reader
            .prepare_cached("SELECT token_hash FROM agents WHERE device = ?1")
            .map_err(|e| problem(&self.path, &e))?;
        read.query_row([device.as_str()], |row| row.get(0)).optional().map_err(|e| problem(&self.path, &e))
    }
    fn agents(&self) -> Result<BTreeMap<DeviceName, String>> {
        let rows: Vec<(String, String)> = self.read(|c| {
            c.prepare_cached("SELECT device, token_hash FROM agents")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })?;
        Ok(rows.into_iter().map(|(device, hash)| (DeviceName::new(&device), hash)).collect())
    }
    fn acknowledged(&self, run: RunId, device: &DeviceName) -> Result<u64> {
        let seq: Option<i64> = self.read(|c| {
            c.prepare_cached("SELECT seq FROM acknowledged WHERE run = ?1 AND device = ?2")?
                .query_row(params![run.to_string(), device.as_str()], |row| row.get(0))
                .optional()
        })?;
        Ok(seq.unwrap_or(0).unsigned_abs())
    }
    fn append_from_agent(
        &self,
        run: RunId,
        first_seq: u64,
        entries: &[(Timestamp, String)],
        device: &DeviceName,
        acknowledged: u64,
    ) -> Result<()> {
        self.write(|t| {
            append(t, run, first_seq, entries)?;
            t.prepare_cached(
                "INSERT INTO acknowledged (run, device, seq) VALUES (?1, ?2, ?3)
                 ON CONFLICT (run, device) DO UPDATE SET seq = max(seq, excluded.seq)",
            )?
            .execute(params![run.to_string(), device.as_str(), signed(acknowledged)])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a store that is opened by a version which doesn't know its schema.
    #[test]
    fn newer_files_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(SqliteStore::open(folder.path()).expect("a store"));
        let connection = Connection::open(folder.path().join("state.db")).expect("a file");
        connection.pragma_update(None, "user_version", 99).expect("a version");
        assert_eq!(SqliteStore::open(folder.path()).unwrap_err().code, "store.newer");
    }

    /// Catches a file that is taken for a database because nobody looked, and a journal with a hole.
    #[test]
    fn damage_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("state.db"), "not a database, but long enough to be one".repeat(40))
            .expect("a file");
        assert_eq!(SqliteStore::open(folder.path()).unwrap_err().code, "store.damaged");

        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(folder.path()).expect("a store");
        let run = RunId(uuid::Uuid::from_u128(1));
        let at = Timestamp::UNIX_EPOCH;
        let row = RunRow { run, created: at, state: RunState::Open, plan: vec![1], origin: None };
        store.create_run(&row, &[]).expect("a run");
        store.append(run, 1, &[(at, "a".into()), (at, "b".into()), (at, "c".into())], &[]).expect("entries");
        store.connection().execute("DELETE FROM entries WHERE seq = 2", []).expect("a hole");
        assert_eq!(store.journal(run).unwrap_err().code, "store.journal-gap");
    }

    /// Catches a full disk that is reported as anything else, or that leaves half of a batch.
    #[test]
    fn a_full_disk_loses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(folder.path()).expect("a store");
        let run = RunId(uuid::Uuid::from_u128(1));
        let at = Timestamp::UNIX_EPOCH;
        let row = RunRow { run, created: at, state: RunState::Open, plan: vec![1], origin: None };
        store.create_run(&row, &[]).expect("a run");
        store.append(run, 1, &[(at, "a".into())], &[]).expect("an entry");
        let pages: i64 = store.connection().query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a count");
        store.connection().pragma_update(None, "max_page_count", pages).expect("a limit");
        let problem = store.append(run, 2, &[(at, "b".into()), (at, "c".repeat(100_000))], &[]).unwrap_err();
        assert_eq!(problem.code, "store.disk-full");
        assert!(problem.next.is_some());
        assert_eq!(store.journal(run).expect("a journal").len(), 1);
    }

    /// Catches a database that other users of the machine can read.
    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("state.db"), "").expect("a file");
        let store = SqliteStore::open(folder.path()).expect("a store");
        store.set_agents(&[("D-1".into(), "hash".to_owned())], &[]).expect("a write");
        for file in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
            assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o077, 0, "{:?}", file.path());
        }
    }
}
