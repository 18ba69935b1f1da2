//! The device as agents see it: every call goes to a thread that may block.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::{Inner, WindowsDevice, tables, unreadable};
use crate::knowledge::{ForeignCode, foreign};
use crate::model::{DeviceFacts, EntraDeviceId, Problem, Recorded, Retry, Survey};
use crate::port::{DeviceAction, DeviceOs, Result};
use crate::windows::machine::{AadJoinKind, Cell, SysError};

impl WindowsDevice {
    /// Runs something on a thread that may block, one at a time.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Inner) -> Result<T> + Send + 'static) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || {
            let _turn = inner.turn.lock().unwrap_or_else(PoisonError::into_inner);
            work(&inner)
        });
        done.await.unwrap_or_else(|e| {
            Err(Problem::new("device.internal", "the device's thread ended early")
                .next("report this as a bug")
                .detail(e.to_string())
                .retry(Retry::ReadFirst))
        })
    }
}

/// Says that bytes can't be protected or opened.
fn protection(error: &SysError) -> Problem {
    Problem::new("device.protection", "this device can't protect these bytes, or open them: they come from elsewhere")
        .next("enrol the device again; an agent's folder can't be moved to another device")
        .detail(format!("{:#010x}", error.code))
}

impl Inner {
    /// Takes away what a probe or a canary left whose agent was killed.
    fn sweep(&self) -> Result<()> {
        if !self.machine.tasks(tables::TASKS)?.is_empty() {
            self.machine.remove_tasks(tables::TASKS)?;
        }
        let probes = self.path("ProgramData", tables::PROBES)?;
        if self.machine.exists(&probes)? {
            self.machine.remove(&probes)?;
        }
        Ok(())
    }
    fn join_error(&self) -> Result<Option<Problem>> {
        let Some(failed) = self.machine.events(tables::JOIN_LOG, &tables::JOIN_FAILED, 1)?.into_iter().next() else {
            return Ok(None);
        };
        let worked = self.machine.events(tables::JOIN_LOG, &tables::JOIN_WORKED, 1)?;
        // Asked for again, or worked: what failed before doesn't count any more.
        let asked = self.own()?.installed.map(|record| record.at);
        if worked.first().is_some_and(|event| event.at >= failed.at) || asked.is_some_and(|at| at >= failed.at) {
            return Ok(None);
        }
        let is_code = |text: &&String| text.to_lowercase().starts_with("0x") || text.starts_with("AADSTS");
        let code = failed.data.iter().find(is_code).cloned().unwrap_or_else(|| format!("event {}", failed.id));
        let next =
            foreign(&code).map_or_else(|| "look at the User Device Registration log".to_owned(), ForeignCode::hint);
        let name = self.machine.computer_name()?;
        Ok(Some(
            Problem::new("device.join-refused", format!("{name} couldn't join"))
                .next(next)
                .detail(code)
                .retry(Retry::Soon),
        ))
    }
    fn hash(&self) -> Result<Option<String>> {
        let query = "SELECT DeviceHardwareData FROM MDM_DevDetail_Ext01";
        let Some(rows) = self.machine.query(r"root\cimv2\mdm\dmmap", query)? else { return Ok(None) };
        let text = rows.first().and_then(|row| row.get("DeviceHardwareData")).and_then(Cell::text);
        text.map(|text| Some(text.to_owned())).ok_or_else(|| unreadable("MDM_DevDetail_Ext01", "it has no hash"))
    }
}

#[async_trait]
impl DeviceOs for WindowsDevice {
    async fn inspect(&self) -> Result<DeviceFacts> {
        self.blocking(|device| {
            device.sweep()?;
            device.facts()
        })
        .await
    }
    async fn survey(&self) -> Result<Survey> {
        self.blocking(|device| {
            device.sweep()?;
            device.take_survey()
        })
        .await
    }
    async fn perform(&self, action: &DeviceAction) -> Result<()> {
        let action = action.clone();
        self.blocking(move |device| {
            let done = device.apply(&action);
            device.sizes.lock().unwrap_or_else(PoisonError::into_inner).forget();
            done
        })
        .await
    }
    fn protect(&self, plain: &[u8]) -> Result<Vec<u8>> {
        self.inner.machine.protect(plain).map_err(|error| protection(&error))
    }
    fn unprotect(&self, protected: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.inner.machine.unprotect(protected).map_err(|error| protection(&error))
    }
    async fn boot(&self) -> Result<u64> {
        self.blocking(Inner::boot_number).await
    }
    async fn recorded(&self) -> Result<Option<Recorded>> {
        self.blocking(|device| Ok(device.own()?.recorded)).await
    }
    async fn last_join_error(&self) -> Result<Option<Problem>> {
        self.blocking(Inner::join_error).await
    }
    async fn hardware_hash(&self) -> Result<Option<String>> {
        self.blocking(Inner::hash).await
    }
    async fn registration(&self) -> Result<Option<EntraDeviceId>> {
        self.blocking(|device| {
            let join = device.machine.entra()?.filter(|join| join.kind == AadJoinKind::Device);
            Ok(join.map(|join| join.device_id))
        })
        .await
    }
}
