//! Harmless things that are done the way the migration does them (domain.md E 5). It takes away what it made, and what
//! it leaves because its agent was killed is swept away by the next reading.

use super::super::{Inner, Result, tables, task};
use crate::model::Canary;
use crate::windows::machine::{Key, Registry, Value};

/// Longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 64 << 10;
/// SYSTEM.
const SYSTEM: &str = "S-1-5-18";

impl Inner {
    pub(super) fn canary(&self) -> Result<Canary> {
        let mut canary = Canary { ran_as_system: false, wrote: false, read_back: false, blocked_by: None };
        let tried = self.fly(&mut canary);
        self.land()?;
        if let Err(problem) = tried {
            canary.blocked_by = Some(super::reason(&problem));
        }
        Ok(canary)
    }
    fn fly(&self, canary: &mut Canary) -> Result<()> {
        let folder = self.path("ProgramData", tables::PROBES)?;
        self.private_folder(&folder)?;
        let marker = format!("canary at {}", self.machine.now());
        let file = format!("{folder}\\canary.txt");
        self.machine.write(&file, marker.as_bytes())?;
        let key = Key::machine(format!("{}\\Canary", tables::OWN_KEY));
        Registry::create_private(&*self.machine, &key)?;
        let value = Value::Sz(marker.clone());
        self.machine.set(&key, "Marker", &value)?;
        canary.wrote = true;
        let file_back = self.machine.read(&file, ANSWER_MAX)?.as_deref() == Some(marker.as_bytes());
        canary.read_back = file_back && self.machine.value(&key, "Marker")? == Some(value);
        let name = format!("{}\\Canary", tables::TASKS);
        let answer = format!("{folder}\\whoami.txt");
        self.machine.register_task(&name, &task::as_system("whoami /user /fo csv /nh", &answer))?;
        self.machine.run_task(&name)?;
        let said = self.until(|| self.task_answer(&answer, ANSWER_MAX))?;
        canary.ran_as_system = said.as_ref().is_some_and(|text| text.contains(&format!("\"{SYSTEM}\"")));
        if said.is_none() {
            canary.blocked_by = Some("the task was taken and never ran".to_owned());
        }
        Ok(())
    }
    fn land(&self) -> Result<()> {
        self.machine.remove_tasks(tables::TASKS)?;
        self.drop_own_key()?;
        Ok(self.machine.remove(&self.path("ProgramData", tables::PROBES)?)?)
    }
}
