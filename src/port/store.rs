//! What the controller keeps on disk: runs with their journal, records of devices, evidence, packages, and the list of
//! what was decided and done.
//!
//! Writes that the list tells of take its notes along: both are written, or neither is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::Result;
use crate::audit::{Head, Link, Note};
use crate::model::{DeviceName, PackageName, RunId};
use crate::state::{DeviceRecord, Evidence, SignOff};

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Begun and not ended; may be resumed.
    Open,
    /// Ended; nothing of it runs any more.
    Ended,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub run: RunId,
    /// When it began.
    pub created: Timestamp,
    /// How it stands.
    pub state: RunState,
    /// The run's plan as bytes; `run` knows their meaning.
    pub plan: Vec<u8>,
    /// What it goes back to, as text; `audit` knows its meaning. None in runs of earlier versions.
    pub origin: Option<String>,
}

/// One journal entry; `run` knows the meaning of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Position in the run, from 1 without gaps.
    pub seq: u64,
    /// When, by the world's clock. Never used for correctness.
    pub at: Timestamp,
    /// JSON.
    pub body: String,
}

/// The password of a device's recovery administrator, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryRow {
    /// The device.
    pub device: DeviceName,
    /// The run that it was made for.
    pub run: RunId,
    /// Name of the local account.
    pub account: String,
    /// When it was made, by the world's clock.
    pub made: Timestamp,
    /// The password, encrypted by a [`Vault`].
    pub locked: Vec<u8>,
}

/// Encrypts what has to be kept and given back.
pub trait Vault: Send + Sync {
    /// Encrypts. `about` says what the bytes belong to, and has to be the same to decrypt them.
    ///
    /// # Errors
    /// `vault.*` where the system gives no random numbers.
    fn lock(&self, about: &str, plain: &[u8]) -> Result<Vec<u8>>;
    /// Decrypts.
    ///
    /// # Errors
    /// `vault.key` where another key, another `about` or other bytes were used.
    fn unlock(&self, about: &str, locked: &[u8]) -> Result<Zeroizing<Vec<u8>>>;
}

/// The controller's store. Every write is durable when it returns.
pub trait Store: Send + Sync {
    /// Begins a run.
    ///
    /// # Errors
    /// `store.*` codes: disk full, database damaged or of a newer version.
    fn create_run(&self, row: &RunRow, audit: &[Note]) -> Result<()>;
    /// Ends a run.
    ///
    /// # Errors
    /// As above.
    fn end_run(&self, run: RunId, audit: &[Note]) -> Result<()>;
    /// Returns all runs, newest first.
    ///
    /// # Errors
    /// As above.
    fn runs(&self) -> Result<Vec<RunRow>>;
    /// Appends entries as one unit: all or none. `first_seq` has to be the next free position.
    ///
    /// # Errors
    /// As above; `store.journal-moved` where somebody else wrote.
    fn append(&self, run: RunId, first_seq: u64, entries: &[(Timestamp, String)], audit: &[Note]) -> Result<()>;
    /// Returns the journal of a run in order.
    ///
    /// # Errors
    /// As above; `store.journal-gap` where an entry is missing.
    fn journal(&self, run: RunId) -> Result<Vec<EntryRow>>;

    /// Returns what is recorded about devices.
    ///
    /// # Errors
    /// As above.
    fn ledger(&self) -> Result<BTreeMap<DeviceName, DeviceRecord>>;
    /// Returns one device's record.
    ///
    /// # Errors
    /// As above.
    fn record(&self, device: &DeviceName) -> Result<Option<DeviceRecord>>;
    /// Replaces one device's record.
    ///
    /// # Errors
    /// As above.
    fn set_record(&self, record: &DeviceRecord) -> Result<()>;

    /// Returns the latest evidence of every device.
    ///
    /// # Errors
    /// As above.
    fn evidence(&self) -> Result<BTreeMap<DeviceName, Evidence>>;
    /// Returns the latest evidence of one device.
    ///
    /// # Errors
    /// As above.
    fn evidence_of(&self, device: &DeviceName) -> Result<Option<Evidence>>;
    /// Keeps a device's evidence.
    ///
    /// # Errors
    /// As above.
    fn set_evidence(&self, device: &DeviceName, evidence: &Evidence) -> Result<()>;

    /// Returns the sign-offs of gates in the order they were given.
    ///
    /// # Errors
    /// As above.
    fn sign_offs(&self) -> Result<Vec<SignOff>>;
    /// Keeps a sign-off. Sign-offs are never taken away: one that is taken back is followed by one that says so.
    ///
    /// # Errors
    /// As above.
    fn add_sign_off(&self, sign_off: &SignOff, audit: &[Note]) -> Result<()>;

    /// Returns the signatures of approvals that were taken back here.
    ///
    /// # Errors
    /// As above.
    fn approvals_taken_back(&self) -> Result<Vec<String>>;
    /// Remembers that approvals were taken back, by their signatures. They never count again.
    ///
    /// # Errors
    /// As above.
    fn take_back_approvals(&self, signatures: &[String], audit: &[Note]) -> Result<()>;

    /// Adds to the list of what was decided and done what no other write tells.
    ///
    /// # Errors
    /// As above; `audit.head` where the file that says how long the list is can't be written.
    fn add_audit(&self, audit: &[Note]) -> Result<()>;
    /// Returns the list in its order, exactly as it is kept.
    ///
    /// # Errors
    /// As above.
    fn audit(&self) -> Result<Vec<Link>>;
    /// Returns the head of the list.
    ///
    /// # Errors
    /// As above.
    fn audit_head(&self) -> Result<Head>;

    /// Keeps the recovery password of a device, unless one is kept already; returns what is kept.
    ///
    /// # Errors
    /// As above.
    fn set_recovery(&self, row: &RecoveryRow) -> Result<RecoveryRow>;
    /// Returns the recovery password that is kept for a device.
    ///
    /// # Errors
    /// As above.
    fn recovery(&self, device: &DeviceName) -> Result<Option<RecoveryRow>>;
    /// Overwrites and removes the recovery password of a device; where there is none that is a success.
    ///
    /// # Errors
    /// As above.
    fn retire_recovery(&self, device: &DeviceName) -> Result<()>;

    /// Replaces what is known of devices' tokens and keys, as one unit; `controller` knows the meaning of the text.
    /// Holds public keys and hashes only.
    ///
    /// # Errors
    /// As above.
    fn set_agents(&self, agents: &[(DeviceName, String)], audit: &[Note]) -> Result<()>;
    /// Returns what is known of one device's tokens and keys. Answered without waiting for writes.
    ///
    /// # Errors
    /// As above.
    fn agent(&self, device: &DeviceName) -> Result<Option<String>>;
    /// Returns what is known of all devices' tokens and keys.
    ///
    /// # Errors
    /// As above.
    fn agents(&self) -> Result<BTreeMap<DeviceName, String>>;
    /// Highest event number of a device in a run that is journalled.
    ///
    /// # Errors
    /// As above.
    fn acknowledged(&self, run: RunId, device: &DeviceName) -> Result<u64>;
    /// Appends entries that came from an agent, and moves its event number, as one unit.
    ///
    /// # Errors
    /// As [`Store::append`].
    fn append_from_agent(
        &self,
        run: RunId,
        first_seq: u64,
        entries: &[(Timestamp, String)],
        device: &DeviceName,
        acknowledged: u64,
    ) -> Result<()>;
}

/// Where packages are kept.
pub trait Packages: Send + Sync {
    /// Returns the bytes of a package.
    ///
    /// # Errors
    /// `package.*` codes.
    fn read(&self, name: &PackageName) -> Result<Vec<u8>>;
}
