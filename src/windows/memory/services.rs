//! Services and scheduled tasks in memory. A task does what [`State::on_task`](super::State::on_task) says.

use std::sync::Arc;

use super::{Memory, lower};
use crate::windows::machine::{Cause, ScheduledTask, Service, ServiceSpec, Services, StartKind, Sys, SysError, Tasks};

/// ERROR_SERVICE_DOES_NOT_EXIST.
const NO_SERVICE: u32 = 1060;
/// ERROR_SERVICE_DISABLED.
const DISABLED: u32 = 1058;
/// HRESULT of ERROR_FILE_NOT_FOUND, as Task Scheduler gives it.
const NO_TASK: u32 = 0x8007_0002;
/// SCHED_E_MALFORMEDXML.
const MALFORMED: u32 = 0x8004_131a;
/// SCHED_E_TASK_DISABLED.
const TASK_DISABLED: u32 = 0x8004_1326;

impl Services for Memory {
    fn service(&self, name: &str) -> Sys<Option<Service>> {
        Ok(self.read("QueryServiceConfig", name)?.services.get(&lower(name)).cloned())
    }
    fn services(&self) -> Sys<Vec<Service>> {
        Ok(self.read("EnumServicesStatusEx", "all")?.services.values().cloned().collect())
    }
    fn install_service(&self, spec: &ServiceSpec) -> Sys<()> {
        let mut state = self.write("CreateService", &spec.name)?;
        let running = state.services.get(&lower(&spec.name)).is_some_and(|service| service.running);
        let service = Service {
            name: spec.name.clone(),
            account: "LocalSystem".to_owned(),
            start: spec.start,
            running,
            command: spec.command.clone(),
        };
        state.services.insert(lower(&spec.name), service);
        Ok(())
    }
    fn set_start(&self, name: &str, start: StartKind) -> Sys<()> {
        let mut state = self.write("ChangeServiceConfig", name)?;
        match state.services.get_mut(&lower(name)) {
            Some(service) => {
                service.start = start;
                Ok(())
            }
            None => Err(no_service("ChangeServiceConfig", name)),
        }
    }
    fn start_service(&self, name: &str) -> Sys<()> {
        let mut state = self.write("StartService", name)?;
        match state.services.get_mut(&lower(name)) {
            Some(service) if service.start == StartKind::Disabled => {
                Err(SysError::new("StartService", name, Cause::Other, DISABLED, "ERROR_SERVICE_DISABLED"))
            }
            Some(service) => {
                service.running = true;
                Ok(())
            }
            None => Err(no_service("StartService", name)),
        }
    }
    fn stop_service(&self, name: &str, _limit_secs: u32) -> Sys<()> {
        if let Some(service) = self.write("ControlService", name)?.services.get_mut(&lower(name)) {
            service.running = false;
        }
        Ok(())
    }
    fn remove_service(&self, name: &str) -> Sys<()> {
        self.write("DeleteService", name)?.services.remove(&lower(name));
        Ok(())
    }
}

fn no_service(call: &'static str, name: &str) -> SysError {
    SysError::new(call, name, Cause::Other, NO_SERVICE, "ERROR_SERVICE_DOES_NOT_EXIST")
}

impl Tasks for Memory {
    fn task(&self, path: &str) -> Sys<Option<ScheduledTask>> {
        Ok(self.read("ITaskFolder::GetTask", path)?.tasks.get(&lower(path)).cloned())
    }
    fn tasks(&self, folder: &str) -> Sys<Vec<ScheduledTask>> {
        let state = self.read("ITaskFolder::GetTasks", folder)?;
        let below = format!("{}\\", lower(folder.trim_end_matches('\\')));
        let found = state.tasks.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below));
        Ok(found.map(|(_, task)| task.clone()).collect())
    }
    fn register_task(&self, path: &str, xml: &str) -> Sys<()> {
        let mut state = self.write("ITaskFolder::RegisterTask", path)?;
        if !xml.contains("<Task") || !xml.contains("</Task>") || !path.starts_with('\\') {
            let text = "SCHED_E_MALFORMEDXML";
            return Err(SysError::new("ITaskFolder::RegisterTask", path, Cause::Other, MALFORMED, text));
        }
        let task = ScheduledTask { path: path.to_owned(), enabled: true, xml: xml.to_owned() };
        state.tasks.insert(lower(path), task);
        Ok(())
    }
    fn enable_task(&self, path: &str, enabled: bool) -> Sys<bool> {
        let mut state = self.write("IRegisteredTask::put_Enabled", path)?;
        let task = state.tasks.get_mut(&lower(path));
        Ok(task.map(|task| task.enabled = enabled).is_some())
    }
    fn run_task(&self, path: &str) -> Sys<()> {
        let mut state = self.write("IRegisteredTask::Run", path)?;
        let Some(task) = state.tasks.get(&lower(path)).cloned() else {
            return Err(SysError::new("IRegisteredTask::Run", path, Cause::Other, NO_TASK, "ERROR_FILE_NOT_FOUND"));
        };
        if !task.enabled {
            let text = "SCHED_E_TASK_DISABLED";
            return Err(SysError::new("IRegisteredTask::Run", path, Cause::Other, TASK_DISABLED, text));
        }
        let wanted = lower(path);
        let does = state.on_task.iter().find(|(begin, _)| wanted.starts_with(begin)).map(|(_, does)| Arc::clone(does));
        does.map_or(Ok(()), |does| does(&mut state, &task.path, &task.xml))
    }
    fn remove_tasks(&self, path: &str) -> Sys<()> {
        let mut state = self.write("ITaskFolder::DeleteTask", path)?;
        let path = lower(path);
        let below = format!("{path}\\");
        state.tasks.retain(|other, _| *other != path && !other.starts_with(&below));
        Ok(())
    }
}
