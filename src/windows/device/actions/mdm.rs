//! Taking the management away: Intune's enrolment (domain.md B3 step 6) and the ConfigMgr client (6b), and asking
//! Intune for a synchronisation.

use super::super::before::{Purpose, Thing, Was};
use super::super::{Inner, Result, tables};
use super::volume::tail;
use crate::model::{Mdm, Problem, Retry};
use crate::windows::machine::{Key, Program, Value};

/// Seconds for `ccmsetup /uninstall`, which may come back before it is done.
const UNINSTALL_SECS: u32 = 900;
/// Seconds for asking for a synchronisation.
const SYNC_SECS: u32 = 120;

/// Says whether a name can be that of an enrolment: only such ones become part of a path that is removed.
fn is_id(name: &str) -> bool {
    uuid::Uuid::parse_str(name.trim_matches(['{', '}'])).is_ok()
}

impl Inner {
    /// Removes Intune's enrolments. Another vendor's is refused: its keys aren't ours to judge.
    pub(super) fn remove_mdm(&self) -> Result<()> {
        for enrolment in self.enrolments()? {
            if enrolment.provider != Mdm::INTUNE {
                let name = self.machine.computer_name()?;
                return Err(Problem::new(
                    "device.third-party-mdm",
                    format!("{name} is managed by {}", enrolment.provider),
                )
                .next("remove that management with its vendor's tool"));
            }
            if is_id(&enrolment.id) {
                self.remove_enrolment(&enrolment.id)?;
            }
        }
        for certificate in self.intune_certificates()? {
            self.note(
                Purpose::Move,
                Thing::Certificate(certificate.thumbprint.clone()),
                Was::Words(certificate.subject),
            )?;
            self.machine.remove_certificate(&certificate.thumbprint)?;
        }
        self.taken(self.intune_certificates()?.is_empty(), || "the certificates of Intune".to_owned())?;
        // A value above 0 makes the device believe that it is enrolled (B3 step 6); one that isn't there doesn't.
        if self.number(tables::ENROLMENTS, tables::MMPC_FLAG)?.is_some_and(|flag| flag != 0) {
            self.set_value(Purpose::Move, tables::ENROLMENTS, tables::MMPC_FLAG, &Value::Dword(0))?;
        }
        Ok(())
    }
    fn remove_enrolment(&self, id: &str) -> Result<()> {
        let folder = format!("{}\\{id}", tables::MDM_TASKS);
        // Tasks first: they would put back what is removed.
        let tasks = self.machine.tasks(&folder)?;
        for task in &tasks {
            self.note(Purpose::Move, Thing::Task(task.path.clone()), Was::Enabled(task.enabled))?;
        }
        if !tasks.is_empty() {
            self.machine.remove_tasks(&folder)?;
            self.taken(self.machine.tasks(&folder)?.is_empty(), || format!("tasks {folder}"))?;
        }
        for root in tables::MDM_KEYS {
            let wanted = id.to_lowercase();
            for name in self.machine.keys(&Key::machine(root))?.unwrap_or_default() {
                if name.to_lowercase() == wanted {
                    self.remove_key(Purpose::Move, &format!("{root}\\{name}"))?;
                }
            }
        }
        Ok(())
    }
    pub(super) fn remove_configmgr(&self) -> Result<()> {
        let client = || self.machine.service(tables::CONFIGMGR_SERVICES[0]);
        if client()?.is_none() {
            return self.remove_configmgr_keys();
        }
        let thing = Thing::Service(tables::CONFIGMGR_SERVICES[0].to_owned());
        self.note(Purpose::Move, thing, Was::There)?;
        let ran = self.machine.run(Program::Ccmsetup, &["/uninstall"], UNINSTALL_SECS)?;
        if self.until(|| Ok(client()?.is_none().then_some(())))?.is_none() {
            let name = self.machine.computer_name()?;
            return Err(Problem::new("device.configmgr", format!("{name} still has the ConfigMgr client"))
                .next("look at ccmsetup.log below %SystemRoot%\\ccmsetup\\Logs")
                .detail(format!("ccmsetup /uninstall gave {:#010x} {}", ran.code, tail(&ran.output)))
                .retry(Retry::ReadFirst));
        }
        self.remove_configmgr_keys()
    }
    fn remove_configmgr_keys(&self) -> Result<()> {
        for name in &tables::CONFIGMGR_SERVICES[1..] {
            if self.machine.service(name)?.is_some() {
                self.note(Purpose::Move, Thing::Service((*name).to_owned()), Was::There)?;
                self.machine.stop_service(name, 60)?;
                self.machine.remove_service(name)?;
            }
        }
        tables::CONFIGMGR_KEYS.into_iter().try_for_each(|key| self.remove_key(Purpose::Move, key))
    }
    /// Asks by the enrolment client, as its own tasks do: `deviceenroller.exe /o ID /c /b` \[K].
    pub(super) fn sync(&self) -> Result<()> {
        let name = self.machine.computer_name()?;
        let enrolments = self.enrolments()?;
        let intune = enrolments.into_iter().find(|enrolment| enrolment.provider == Mdm::INTUNE && is_id(&enrolment.id));
        let Some(enrolment) = intune else {
            return Err(Problem::new("device.not-enrolled", format!("{name} isn't enrolled")).retry(Retry::Soon));
        };
        let ran = self.machine.run(Program::DeviceEnroller, &["/o", &enrolment.id, "/c", "/b"], SYNC_SECS)?;
        if ran.code == 0 {
            return Ok(());
        }
        Err(Problem::new("device.refused", format!("synchronising {name} was refused"))
            .next("explain the code: `opsole explain CODE`")
            .detail(format!("{:#010x} {}", ran.code, tail(&ran.output)))
            .retry(Retry::Soon))
    }
}
