//! A store in memory: a small working fake for tests and rehearsals. It forgets everything when it is dropped.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::{journal_moved, run_exists, run_unknown};
use crate::audit::{Head, Link, Note};
use crate::model::{DeviceName, Digest, RunId};
use crate::operators::{Session, User, UserName};
use crate::port::{EntryRow, RecoveryRow, Result, RunRow, RunState, Store};
use crate::state::{DeviceRecord, Evidence, SignOff};

#[derive(Debug, Default)]
pub(super) struct Tables {
    runs: BTreeMap<RunId, RunRow>,
    order: Vec<RunId>,
    entries: BTreeMap<RunId, Vec<EntryRow>>,
    ledger: BTreeMap<DeviceName, DeviceRecord>,
    evidence: BTreeMap<DeviceName, Evidence>,
    agents: BTreeMap<DeviceName, String>,
    sign_offs: Vec<SignOff>,
    recovery: BTreeMap<DeviceName, RecoveryRow>,
    taken_back: std::collections::BTreeSet<String>,
    acknowledged: BTreeMap<(RunId, DeviceName), u64>,
    pub(super) audit: Vec<Link>,
    pub(super) users: BTreeMap<UserName, User>,
    pub(super) sessions: BTreeMap<Digest, Session>,
}

/// The fake.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

impl MemoryStore {
    /// Makes an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    pub(super) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn head(&self) -> Head {
        self.audit.last().and_then(|link| link.head().ok()).unwrap_or_else(Head::start)
    }
    pub(super) fn tell(&mut self, audit: &[Note]) {
        for note in audit {
            let link = note.link(&self.head());
            self.audit.push(link);
        }
    }
    fn append(&mut self, run: RunId, first_seq: u64, entries: &[(Timestamp, String)]) -> Result<()> {
        let journal = self.entries.get_mut(&run).ok_or_else(|| run_unknown(run))?;
        let expected = journal.len() as u64 + 1;
        if first_seq != expected {
            return Err(journal_moved(run, expected, first_seq));
        }
        let rows = (first_seq..).zip(entries);
        journal.extend(rows.map(|(seq, (at, body))| EntryRow { seq, at: *at, body: body.clone() }));
        Ok(())
    }
}

impl Store for MemoryStore {
    fn create_run(&self, row: &RunRow, audit: &[Note]) -> Result<()> {
        let mut tables = self.tables();
        if tables.runs.contains_key(&row.run) {
            return Err(run_exists(row.run));
        }
        tables.runs.insert(row.run, row.clone());
        tables.order.push(row.run);
        tables.entries.insert(row.run, Vec::new());
        tables.tell(audit);
        Ok(())
    }
    fn end_run(&self, run: RunId, audit: &[Note]) -> Result<()> {
        let mut tables = self.tables();
        tables.runs.get_mut(&run).ok_or_else(|| run_unknown(run))?.state = RunState::Ended;
        tables.tell(audit);
        Ok(())
    }
    fn runs(&self) -> Result<Vec<RunRow>> {
        let tables = self.tables();
        Ok(tables.order.iter().rev().filter_map(|run| tables.runs.get(run).cloned()).collect())
    }
    fn append(&self, run: RunId, first_seq: u64, entries: &[(Timestamp, String)], audit: &[Note]) -> Result<()> {
        let mut tables = self.tables();
        tables.append(run, first_seq, entries)?;
        tables.tell(audit);
        Ok(())
    }
    fn journal(&self, run: RunId) -> Result<Vec<EntryRow>> {
        self.tables().entries.get(&run).cloned().ok_or_else(|| run_unknown(run))
    }
    fn ledger(&self) -> Result<BTreeMap<DeviceName, DeviceRecord>> {
        Ok(self.tables().ledger.clone())
    }
    fn record(&self, device: &DeviceName) -> Result<Option<DeviceRecord>> {
        Ok(self.tables().ledger.get(device).cloned())
    }
    fn set_record(&self, record: &DeviceRecord) -> Result<()> {
        self.tables().ledger.insert(record.device.clone(), record.clone());
        Ok(())
    }
    fn evidence(&self) -> Result<BTreeMap<DeviceName, Evidence>> {
        Ok(self.tables().evidence.clone())
    }
    fn evidence_of(&self, device: &DeviceName) -> Result<Option<Evidence>> {
        Ok(self.tables().evidence.get(device).cloned())
    }
    fn sign_offs(&self) -> Result<Vec<SignOff>> {
        Ok(self.tables().sign_offs.clone())
    }
    fn add_sign_off(&self, sign_off: &SignOff, audit: &[Note]) -> Result<()> {
        let mut tables = self.tables();
        tables.sign_offs.push(sign_off.clone());
        tables.tell(audit);
        Ok(())
    }
    fn approvals_taken_back(&self) -> Result<Vec<String>> {
        Ok(self.tables().taken_back.iter().cloned().collect())
    }
    fn take_back_approvals(&self, signatures: &[String], audit: &[Note]) -> Result<()> {
        let mut tables = self.tables();
        tables.taken_back.extend(signatures.iter().cloned());
        tables.tell(audit);
        Ok(())
    }
    fn add_audit(&self, audit: &[Note]) -> Result<()> {
        self.tables().tell(audit);
        Ok(())
    }
    fn audit(&self) -> Result<Vec<Link>> {
        Ok(self.tables().audit.clone())
    }
    fn audit_head(&self) -> Result<Head> {
        Ok(self.tables().head())
    }
    fn set_evidence(&self, device: &DeviceName, evidence: &Evidence) -> Result<()> {
        self.tables().evidence.insert(device.clone(), evidence.clone());
        Ok(())
    }
    fn set_recovery(&self, row: &RecoveryRow) -> Result<RecoveryRow> {
        Ok(self.tables().recovery.entry(row.device.clone()).or_insert_with(|| row.clone()).clone())
    }
    fn recovery(&self, device: &DeviceName) -> Result<Option<RecoveryRow>> {
        Ok(self.tables().recovery.get(device).cloned())
    }
    fn retire_recovery(&self, device: &DeviceName) -> Result<()> {
        self.tables().recovery.remove(device);
        Ok(())
    }
    fn set_agents(&self, agents: &[(DeviceName, String)], audit: &[Note]) -> Result<()> {
        let mut tables = self.tables();
        tables.agents.extend(agents.iter().cloned());
        tables.tell(audit);
        Ok(())
    }
    fn agent(&self, device: &DeviceName) -> Result<Option<String>> {
        Ok(self.tables().agents.get(device).cloned())
    }
    fn agents(&self) -> Result<BTreeMap<DeviceName, String>> {
        Ok(self.tables().agents.clone())
    }
    fn acknowledged(&self, run: RunId, device: &DeviceName) -> Result<u64> {
        Ok(self.tables().acknowledged.get(&(run, device.clone())).copied().unwrap_or(0))
    }
    fn append_from_agent(
        &self,
        run: RunId,
        first_seq: u64,
        entries: &[(Timestamp, String)],
        device: &DeviceName,
        acknowledged: u64,
    ) -> Result<()> {
        let mut tables = self.tables();
        tables.append(run, first_seq, entries)?;
        let known = tables.acknowledged.entry((run, device.clone())).or_default();
        *known = acknowledged.max(*known);
        Ok(())
    }
}
