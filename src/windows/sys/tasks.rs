//! Scheduled tasks, over the COM objects of Task Scheduler 2.0.

#![expect(unsafe_code, reason = "calls of COM objects")]

use windows::Win32::Foundation::VARIANT_BOOL;
use windows::Win32::System::Com::{CLSCTX_INPROC_SERVER, CoCreateInstance};
use windows::Win32::System::TaskScheduler::{
    IRegisteredTask, ITaskFolder, ITaskService, TASK_CREATE_OR_UPDATE, TASK_ENUM_HIDDEN, TASK_LOGON_NONE, TaskScheduler,
};
use windows::Win32::System::Variant::VARIANT;
use windows::core::{BSTR, Error};

use super::com::Com;
use super::{Windows, code};
use crate::windows::machine::{ScheduledTask, Sys, Tasks};

/// ERROR_FILE_NOT_FOUND and ERROR_PATH_NOT_FOUND as HRESULTs: no such task, no such folder.
const ABSENT: [u32; 2] = [0x8007_0002, 0x8007_0003];
/// ERROR_ALREADY_EXISTS as an HRESULT.
const EXISTS: u32 = 0x8007_00B7;

impl Tasks for Windows {
    fn task(&self, path: &str) -> Sys<Option<ScheduledTask>> {
        let scheduler = Scheduler::new()?;
        let Some(task) = scheduler.find(path)? else { return Ok(None) };
        describe(path, &task).map(Some)
    }

    fn tasks(&self, folder: &str) -> Sys<Vec<ScheduledTask>> {
        let scheduler = Scheduler::new()?;
        let mut found = Vec::new();
        for folder in scheduler.folders(folder)? {
            for (path, task) in tasks_in(&folder)? {
                found.push(describe(&path, &task)?);
            }
        }
        Ok(found)
    }

    fn register_task(&self, path: &str, xml: &str) -> Sys<()> {
        const CALL: &str = "ITaskFolder::RegisterTask";
        let scheduler = Scheduler::new()?;
        let (folder, name) = split(CALL, path)?;
        let folder = scheduler.made(folder)?;
        let empty = VARIANT::default();
        // Who runs it stands in the XML.
        // SAFETY: the folder lives, and all arguments live as long as the call.
        let registered = unsafe {
            folder.RegisterTask(
                &BSTR::from(name),
                &BSTR::from(xml),
                TASK_CREATE_OR_UPDATE.0,
                &empty,
                &empty,
                TASK_LOGON_NONE,
                &empty,
            )
        };
        registered.map(drop).map_err(|error| code::com(CALL, path, &error))
    }

    fn enable_task(&self, path: &str, enabled: bool) -> Sys<bool> {
        const CALL: &str = "IRegisteredTask::put_Enabled";
        let scheduler = Scheduler::new()?;
        let Some(task) = scheduler.find(path)? else { return Ok(false) };
        // SAFETY: the task lives.
        unsafe { task.SetEnabled(VARIANT_BOOL::from(enabled)) }.map_err(|error| code::com(CALL, path, &error))?;
        Ok(true)
    }

    fn run_task(&self, path: &str) -> Sys<()> {
        const CALL: &str = "IRegisteredTask::Run";
        let scheduler = Scheduler::new()?;
        let task = scheduler.find(path)?.ok_or_else(|| code::failed("ITaskFolder::GetTask", path, ABSENT[0]))?;
        // SAFETY: the task lives, and no parameters are given.
        unsafe { task.Run(&VARIANT::default()) }.map(drop).map_err(|error| code::com(CALL, path, &error))
    }

    fn remove_tasks(&self, path: &str) -> Sys<()> {
        let scheduler = Scheduler::new()?;
        let (parent, name) = split("ITaskFolder::DeleteTask", path)?;
        let Some(parent) = scheduler.folder(parent)? else { return Ok(()) };
        // Looked up first: what it says to the name of a folder differs.
        if scheduler.find(path)?.is_some() {
            return delete_task(&parent, path, name);
        }
        // The folders come from above downwards, so they go from the end.
        for folder in scheduler.folders(path)?.iter().rev() {
            for (path, _) in tasks_in(folder)? {
                let (_, name) = split("ITaskFolder::DeleteTask", &path)?;
                delete_task(folder, &path, name)?;
            }
            delete_folder(&scheduler, folder)?;
        }
        Ok(())
    }
}

/// The Task Scheduler of this device, connected. Fields are dropped in their order: the object before COM.
struct Scheduler {
    service: ITaskService,
    _com: Com,
}

impl Scheduler {
    fn new() -> Sys<Self> {
        const CALL: &str = "ITaskService::Connect";
        let com = Com::new()?;
        let failed = |error: Error| code::com(CALL, "this device", &error);
        // SAFETY: COM is on for this thread, and the class has this interface.
        let service: ITaskService =
            unsafe { CoCreateInstance(&TaskScheduler, None, CLSCTX_INPROC_SERVER) }.map_err(failed)?;
        let empty = VARIANT::default();
        // SAFETY: the service lives; nothing means this device and this process.
        unsafe { service.Connect(&empty, &empty, &empty, &empty) }.map_err(failed)?;
        Ok(Self { service, _com: com })
    }

    fn folder(&self, path: &str) -> Sys<Option<ITaskFolder>> {
        let path = if path.is_empty() { "\\" } else { path };
        // SAFETY: the service lives.
        absent_is_none("ITaskService::GetFolder", path, unsafe { self.service.GetFolder(&BSTR::from(path)) })
    }

    /// Returns a folder, and makes it with those above it where it isn't there.
    fn made(&self, path: &str) -> Sys<ITaskFolder> {
        const CALL: &str = "ITaskFolder::CreateFolder";
        let absent = || code::failed("ITaskService::GetFolder", path, ABSENT[1]);
        let mut here = self.folder("")?.ok_or_else(absent)?;
        let mut end = 0;
        for name in path.split('\\').filter(|name| !name.is_empty()) {
            end += 1 + name.len();
            let whole = path.get(..end).unwrap_or(path);
            here = match self.folder(whole)? {
                Some(folder) => folder,
                // SAFETY: the folder lives; no rights given means those of the folder above.
                None => match unsafe { here.CreateFolder(&BSTR::from(name), &VARIANT::default()) } {
                    Ok(folder) => folder,
                    // Somebody else made it meanwhile.
                    Err(error) if error.code().0.cast_unsigned() == EXISTS => self.folder(whole)?.ok_or_else(absent)?,
                    Err(error) => return Err(code::com(CALL, whole, &error)),
                },
            };
        }
        Ok(here)
    }

    fn find(&self, path: &str) -> Sys<Option<IRegisteredTask>> {
        const CALL: &str = "ITaskFolder::GetTask";
        let (folder, name) = split(CALL, path)?;
        let Some(folder) = self.folder(folder)? else { return Ok(None) };
        // SAFETY: the folder lives.
        absent_is_none(CALL, path, unsafe { folder.GetTask(&BSTR::from(name)) })
    }

    /// Returns a folder and all below it, from above downwards; none where there is none.
    fn folders(&self, path: &str) -> Sys<Vec<ITaskFolder>> {
        const CALL: &str = "ITaskFolder::GetFolders";
        let mut found: Vec<ITaskFolder> = self.folder(path.trim_end_matches('\\'))?.into_iter().collect();
        let mut at = 0;
        while let Some(folder) = found.get(at).cloned() {
            at += 1;
            let failed = |error: Error| code::com(CALL, path, &error);
            // SAFETY: the folder and the list live; the list counts from 1.
            let below = unsafe {
                let list = folder.GetFolders(0).map_err(failed)?;
                let count = list.Count().map_err(failed)?;
                (1..=count).map(|at| list.get_Item(&VARIANT::from(at))).collect::<Result<Vec<_>, _>>()
            };
            found.extend(below.map_err(failed)?);
        }
        Ok(found)
    }
}

/// Returns the tasks right in a folder with their paths, the hidden ones too.
fn tasks_in(folder: &ITaskFolder) -> Sys<Vec<(String, IRegisteredTask)>> {
    const CALL: &str = "ITaskFolder::GetTasks";
    let failed = |error: Error| code::com(CALL, "a folder", &error);
    // SAFETY: the folder, the list and the tasks live; the list counts from 1.
    unsafe {
        let list = folder.GetTasks(TASK_ENUM_HIDDEN.0).map_err(failed)?;
        let count = list.Count().map_err(failed)?;
        let mut found = Vec::new();
        for at in 1..=count {
            let task = list.get_Item(&VARIANT::from(at)).map_err(failed)?;
            found.push((task.Path().map_err(failed)?.to_string(), task));
        }
        Ok(found)
    }
}

fn describe(path: &str, task: &IRegisteredTask) -> Sys<ScheduledTask> {
    let failed = |error: Error| code::com("IRegisteredTask::get_Xml", path, &error);
    // SAFETY: the task lives.
    let (enabled, xml) = unsafe { (task.Enabled().map_err(failed)?, task.Xml().map_err(failed)?) };
    Ok(ScheduledTask { path: path.to_owned(), enabled: enabled.as_bool(), xml: xml.to_string() })
}

/// Removes a task; one that is gone is a success.
fn delete_task(folder: &ITaskFolder, path: &str, name: &str) -> Sys<()> {
    // SAFETY: the folder lives.
    let deleted = unsafe { folder.DeleteTask(&BSTR::from(name), 0) };
    absent_is_none("ITaskFolder::DeleteTask", path, deleted).map(drop)
}

fn delete_folder(scheduler: &Scheduler, folder: &ITaskFolder) -> Sys<()> {
    const CALL: &str = "ITaskFolder::DeleteFolder";
    // SAFETY: the folder lives.
    let path = unsafe { folder.Path() }.map_err(|error| code::com(CALL, "a folder", &error))?.to_string();
    let Some(root) = scheduler.folder("")? else { return Ok(()) };
    // SAFETY: the root lives; its names may be paths.
    let deleted = unsafe { root.DeleteFolder(&BSTR::from(path.trim_start_matches('\\')), 0) };
    absent_is_none(CALL, &path, deleted).map(drop)
}

/// Splits a path into its folder and its name. The root itself has no name.
fn split<'a>(call: &'static str, path: &'a str) -> Sys<(&'a str, &'a str)> {
    match path.rsplit_once('\\') {
        Some((folder, name)) if path.starts_with('\\') && !name.is_empty() => Ok((folder, name)),
        _ => Err(code::failed(call, path, code::INVALID_NAME)),
    }
}

fn absent_is_none<T>(call: &'static str, object: &str, outcome: windows::core::Result<T>) -> Sys<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if ABSENT.contains(&error.code().0.cast_unsigned()) => Ok(None),
        Err(error) => Err(code::com(call, object, &error)),
    }
}
