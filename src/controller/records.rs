//! The controller's records of devices: read, changed and written as one step, so that two operations of one
//! device can't overwrite each other's part.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{DeviceName, EntraDeviceId, RunId};
use crate::port::{Result, Store};
use crate::run::Machine;
use crate::state::{DeviceRecord, Outcome};
use crate::wire::Task;

/// Access to the ledger.
#[derive(Clone)]
pub(super) struct Records {
    store: Arc<dyn Store>,
    gate: Arc<Mutex<()>>,
}

impl Records {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, gate: Arc::default() }
    }
    pub(super) fn get(&self, device: &DeviceName) -> Result<Option<DeviceRecord>> {
        self.store.record(device)
    }
    /// Changes one record; it is written only where it became another.
    pub(super) fn update(&self, run: RunId, device: &DeviceName, change: impl FnOnce(&mut DeviceRecord)) -> Result<()> {
        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.store.record(device)?;
        let mut record = before.clone().unwrap_or_else(|| DeviceRecord::new(run, device.clone()));
        change(&mut record);
        record.run = run;
        if before.as_ref() == Some(&record) { Ok(()) } else { self.store.set_record(&record) }
    }
    /// Brings the record up to what the journal says: who moves, the commit, the new registration.
    pub(super) fn sync(&self, run: RunId, machine: &Machine, task: &Task) -> Result<()> {
        let (committed, new_device) = (machine.committed_at(&task.device), machine.new_device(&task.device));
        self.update(run, &task.device, |record| {
            set_task(record, task);
            record.wave = Some(machine.plan().wave.clone());
            record.committed_at = committed.or(record.committed_at);
            record.new_device = known(new_device, record.new_device);
        })
    }
    /// Records how a device ended. Operations count as done for good only past the boundary: what was
    /// put back has to be done again.
    pub(super) fn finish(&self, run: RunId, machine: &Machine, task: &Task, outcome: &Outcome) -> Result<()> {
        let (committed, new_device) = (machine.committed_at(&task.device), machine.new_device(&task.device));
        let past = machine.is_committed(&task.device);
        let done = machine.done(&task.device);
        self.update(run, &task.device, |record| {
            set_task(record, task);
            record.wave = Some(machine.plan().wave.clone());
            record.committed_at = committed.or(record.committed_at);
            record.new_device = known(new_device, record.new_device);
            // A device that wasn't reached keeps what an earlier run said of it.
            if !(matches!(outcome, Outcome::NotStarted(_)) && record.outcome.is_some()) {
                record.outcome = Some(outcome.clone());
            }
            if !past && matches!(outcome, Outcome::Undone(_)) {
                // It was released over the boundary and refused to pass it: it never left.
                record.committed_at = None;
            }
            if past {
                record.done.extend(done);
                record.done.sort_unstable();
                record.done.dedup();
            }
        })
    }
}

fn known(new: Option<EntraDeviceId>, old: Option<EntraDeviceId>) -> Option<EntraDeviceId> {
    new.or(old)
}

fn set_task(record: &mut DeviceRecord, task: &Task) {
    record.user = Some(task.user);
    record.old_sid = Some(task.old_sid.clone());
    record.profile_path = Some(task.profile_path.clone());
}
