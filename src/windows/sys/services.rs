//! Services, over the service control manager.
//!
//! Not over the crate `windows-service`, which the agent itself runs under: it quotes command lines anew, and can't list.

#![expect(unsafe_code, reason = "calls of the service control manager in advapi32")]

use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_INSUFFICIENT_BUFFER, ERROR_MORE_DATA, ERROR_SERVICE_ALREADY_RUNNING, ERROR_SERVICE_DOES_NOT_EXIST,
    ERROR_SERVICE_EXISTS, ERROR_SERVICE_MARKED_FOR_DELETE, ERROR_SERVICE_NOT_ACTIVE, ERROR_TIMEOUT,
};
use windows_sys::Win32::System::Services::{
    ChangeServiceConfig2W, ChangeServiceConfigW, CloseServiceHandle, ControlService, CreateServiceW, DeleteService,
    ENUM_SERVICE_STATUS_PROCESSW, EnumServicesStatusExW, OpenSCManagerW, OpenServiceW, QUERY_SERVICE_CONFIGW,
    QueryServiceConfigW, QueryServiceStatus, SC_ACTION, SC_ACTION_RESTART, SC_ENUM_PROCESS_INFO, SC_HANDLE,
    SC_MANAGER_CONNECT, SC_MANAGER_CREATE_SERVICE, SC_MANAGER_ENUMERATE_SERVICE, SERVICE_AUTO_START,
    SERVICE_BOOT_START, SERVICE_CHANGE_CONFIG, SERVICE_CONFIG_DESCRIPTION, SERVICE_CONFIG_FAILURE_ACTIONS,
    SERVICE_CONTINUE_PENDING, SERVICE_CONTROL_STOP, SERVICE_DEMAND_START, SERVICE_DESCRIPTIONW, SERVICE_DISABLED,
    SERVICE_ERROR_NORMAL, SERVICE_FAILURE_ACTIONSW, SERVICE_NO_CHANGE, SERVICE_QUERY_CONFIG, SERVICE_QUERY_STATUS,
    SERVICE_RUNNING, SERVICE_START, SERVICE_START_PENDING, SERVICE_STATE_ALL, SERVICE_STATUS, SERVICE_STOP,
    SERVICE_STOPPED, SERVICE_SYSTEM_START, SERVICE_WIN32, SERVICE_WIN32_OWN_PROCESS, StartServiceW,
};

use super::wide::{at, wide};
use super::{Windows, code};
use crate::windows::machine::{Service, ServiceSpec, Services, StartKind, Sys};

/// DELETE.
const DELETE: u32 = 0x0001_0000;
/// After so many seconds without a failure the next one counts as the first again.
const FAILURES_FORGOTTEN_SECS: u32 = 24 * 3600;
/// How often it is looked whether a service has stopped.
const LOOK: Duration = Duration::from_millis(100);

impl Services for Windows {
    fn service(&self, name: &str) -> Sys<Option<Service>> {
        let manager = Handle::manager(SC_MANAGER_CONNECT)?;
        let Some(service) = manager.service(name, SERVICE_QUERY_CONFIG | SERVICE_QUERY_STATUS)? else {
            return Ok(None);
        };
        let running = is_running(service.status(name)?.dwCurrentState);
        service.config(name, running).map(Some)
    }

    fn services(&self) -> Sys<Vec<Service>> {
        let manager = Handle::manager(SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE)?;
        let mut found = Vec::new();
        for (name, running) in manager.names()? {
            // One that was removed meanwhile is gone.
            if let Some(service) = manager.service(&name, SERVICE_QUERY_CONFIG)? {
                found.push(service.config(&name, running)?);
            }
        }
        Ok(found)
    }

    fn install_service(&self, spec: &ServiceSpec) -> Sys<()> {
        const CALL: &str = "CreateServiceW";
        let manager = Handle::manager(SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE)?;
        let access = SERVICE_CHANGE_CONFIG | SERVICE_START | SERVICE_QUERY_STATUS;
        let texts = [&spec.name, &spec.display, &spec.command].map(|text| wide(CALL, text));
        let [name, display, command] = texts;
        let (name, display, command) = (name?, display?, command?);
        // SAFETY: the manager is open and all texts end with a zero; no account means SYSTEM.
        let made = unsafe {
            CreateServiceW(
                manager.0,
                name.as_ptr(),
                display.as_ptr(),
                access,
                SERVICE_WIN32_OWN_PROCESS,
                raw(spec.start),
                SERVICE_ERROR_NORMAL,
                command.as_ptr(),
                ptr::null(),
                ptr::null_mut(),
                ptr::null(),
                ptr::null(),
                ptr::null(),
            )
        };
        let service = if made.is_null() {
            match code::last_code() {
                ERROR_SERVICE_EXISTS => {}
                got => return Err(code::failed(CALL, &spec.name, got)),
            }
            let service = manager.needed(&spec.name, access)?;
            let system = wide(CALL, "LocalSystem")?;
            // SAFETY: the service is open and all texts end with a zero.
            let done = unsafe {
                ChangeServiceConfigW(
                    service.0,
                    SERVICE_WIN32_OWN_PROCESS,
                    raw(spec.start),
                    SERVICE_ERROR_NORMAL,
                    command.as_ptr(),
                    ptr::null(),
                    ptr::null_mut(),
                    ptr::null(),
                    system.as_ptr(),
                    ptr::null(),
                    display.as_ptr(),
                )
            };
            if done == 0 {
                return Err(code::last("ChangeServiceConfigW", &spec.name));
            }
            service
        } else {
            Handle(made)
        };
        service.describe(spec)?;
        service.restart_after_failure(spec)
    }

    fn set_start(&self, name: &str, start: StartKind) -> Sys<()> {
        const CALL: &str = "ChangeServiceConfigW";
        let service = Handle::manager(SC_MANAGER_CONNECT)?.needed(name, SERVICE_CHANGE_CONFIG)?;
        // SAFETY: the service is open, and nothing but the start is changed.
        let done = unsafe {
            ChangeServiceConfigW(
                service.0,
                SERVICE_NO_CHANGE,
                raw(start),
                SERVICE_NO_CHANGE,
                ptr::null(),
                ptr::null(),
                ptr::null_mut(),
                ptr::null(),
                ptr::null(),
                ptr::null(),
                ptr::null(),
            )
        };
        if done == 0 { Err(code::last(CALL, name)) } else { Ok(()) }
    }

    fn start_service(&self, name: &str) -> Sys<()> {
        const CALL: &str = "StartServiceW";
        let service = Handle::manager(SC_MANAGER_CONNECT)?.needed(name, SERVICE_START)?;
        // SAFETY: the service is open, and no arguments are given.
        if unsafe { StartServiceW(service.0, 0, ptr::null()) } != 0 {
            return Ok(());
        }
        match code::last_code() {
            ERROR_SERVICE_ALREADY_RUNNING => Ok(()),
            got => Err(code::failed(CALL, name, got)),
        }
    }

    fn stop_service(&self, name: &str, limit_secs: u32) -> Sys<()> {
        const CALL: &str = "ControlService";
        let manager = Handle::manager(SC_MANAGER_CONNECT)?;
        let Some(service) = manager.service(name, SERVICE_STOP | SERVICE_QUERY_STATUS)? else { return Ok(()) };
        let mut status = SERVICE_STATUS::default();
        // SAFETY: the service is open, and the status has its place.
        if unsafe { ControlService(service.0, SERVICE_CONTROL_STOP, &raw mut status) } == 0 {
            let got = code::last_code();
            let state = service.status(name)?.dwCurrentState;
            // 1061 comes also while it stops already.
            if got == ERROR_SERVICE_NOT_ACTIVE || state == SERVICE_STOPPED {
                return Ok(());
            }
            if is_running(state) {
                return Err(code::failed(CALL, name, got));
            }
        }
        let end = Instant::now() + Duration::from_secs(u64::from(limit_secs));
        while service.status(name)?.dwCurrentState != SERVICE_STOPPED {
            if Instant::now() >= end {
                return Err(code::failed(CALL, name, ERROR_TIMEOUT));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn remove_service(&self, name: &str) -> Sys<()> {
        const CALL: &str = "DeleteService";
        let Some(service) = Handle::manager(SC_MANAGER_CONNECT)?.service(name, DELETE)? else { return Ok(()) };
        // SAFETY: the service is open.
        if unsafe { DeleteService(service.0) } != 0 {
            return Ok(());
        }
        match code::last_code() {
            // It goes with its last handle, at the latest at the restart.
            ERROR_SERVICE_MARKED_FOR_DELETE => Ok(()),
            got => Err(code::failed(CALL, name, got)),
        }
    }
}

/// A handle of the service control manager.
struct Handle(SC_HANDLE);

impl Handle {
    fn manager(access: u32) -> Sys<Self> {
        // SAFETY: no names mean this device and the active database.
        let manager = unsafe { OpenSCManagerW(ptr::null(), ptr::null(), access) };
        if manager.is_null() { Err(code::last("OpenSCManagerW", "this device")) } else { Ok(Self(manager)) }
    }

    /// Opens a service; none where there is none.
    fn service(&self, name: &str, access: u32) -> Sys<Option<Self>> {
        const CALL: &str = "OpenServiceW";
        let wide_name = wide(CALL, name)?;
        // SAFETY: the manager is open, and the name ends with a zero.
        let service = unsafe { OpenServiceW(self.0, wide_name.as_ptr(), access) };
        if !service.is_null() {
            return Ok(Some(Self(service)));
        }
        match code::last_code() {
            ERROR_SERVICE_DOES_NOT_EXIST => Ok(None),
            got => Err(code::failed(CALL, name, got)),
        }
    }

    /// Opens a service that has to be there.
    fn needed(&self, name: &str, access: u32) -> Sys<Self> {
        let service = self.service(name, access)?;
        service.ok_or_else(|| code::failed("OpenServiceW", name, ERROR_SERVICE_DOES_NOT_EXIST))
    }

    fn status(&self, name: &str) -> Sys<SERVICE_STATUS> {
        let mut status = SERVICE_STATUS::default();
        // SAFETY: the service is open, and the status has its place.
        if unsafe { QueryServiceStatus(self.0, &raw mut status) } == 0 {
            return Err(code::last("QueryServiceStatus", name));
        }
        Ok(status)
    }

    fn config(&self, name: &str, running: bool) -> Sys<Service> {
        const CALL: &str = "QueryServiceConfigW";
        // 8 KiB is the most that the call gives; numbers of 64 bits so that it is aligned.
        let mut buffer = vec![0_u64; 1024];
        let (config, length, mut needed) =
            (buffer.as_mut_ptr().cast::<QUERY_SERVICE_CONFIGW>(), (buffer.len() * 8) as u32, 0);
        // SAFETY: the service is open, and the buffer has the length that is said.
        if unsafe { QueryServiceConfigW(self.0, config, length, &raw mut needed) } == 0 {
            return Err(code::last(CALL, name));
        }
        // SAFETY: the call succeeded, so the structure stands at the begin of the buffer and its texts in it.
        let (start, account, command) =
            unsafe { ((*config).dwStartType, at((*config).lpServiceStartName), at((*config).lpBinaryPathName)) };
        let start = match start {
            SERVICE_AUTO_START | SERVICE_BOOT_START | SERVICE_SYSTEM_START => StartKind::Auto,
            SERVICE_DEMAND_START => StartKind::Demand,
            SERVICE_DISABLED => StartKind::Disabled,
            other => return Err(code::unreadable(CALL, name, format!("it has a start of kind {other}"))),
        };
        Ok(Service { name: name.to_owned(), account, start, running, command })
    }

    /// Returns the names of all services, and whether they run.
    fn names(&self) -> Sys<Vec<(String, bool)>> {
        const CALL: &str = "EnumServicesStatusExW";
        let mut buffer = vec![0_u64; 32 << 10];
        let mut resume = 0;
        let mut found = Vec::new();
        loop {
            let length = (buffer.len() * 8) as u32;
            let (mut needed, mut read) = (0, 0);
            // SAFETY: the manager is open, and the buffer has the length that is said.
            let done = unsafe {
                EnumServicesStatusExW(
                    self.0,
                    SC_ENUM_PROCESS_INFO,
                    SERVICE_WIN32,
                    SERVICE_STATE_ALL,
                    buffer.as_mut_ptr().cast(),
                    length,
                    &raw mut needed,
                    &raw mut read,
                    &raw mut resume,
                    ptr::null(),
                )
            };
            let got = if done == 0 { code::last_code() } else { code::OK };
            if !matches!(got, code::OK | ERROR_MORE_DATA | ERROR_INSUFFICIENT_BUFFER) {
                return Err(code::failed(CALL, "this device", got));
            }
            // SAFETY: the call says how many entries stand at the begin of the buffer; their texts stand in it too.
            let entries: &[ENUM_SERVICE_STATUS_PROCESSW] =
                unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast(), read as usize) };
            // SAFETY: as above.
            found.extend(entries.iter().map(|entry| {
                (unsafe { at(entry.lpServiceName) }, is_running(entry.ServiceStatusProcess.dwCurrentState))
            }));
            match got {
                code::OK => return Ok(found),
                // Not even one fitted.
                _ if read == 0 => buffer.resize((needed as usize).div_ceil(8).max(buffer.len() * 2), 0),
                _ => {}
            }
        }
    }

    fn describe(&self, spec: &ServiceSpec) -> Sys<()> {
        let mut text = wide("ChangeServiceConfig2W", &spec.description)?;
        let description = SERVICE_DESCRIPTIONW { lpDescription: text.as_mut_ptr() };
        self.change(&spec.name, SERVICE_CONFIG_DESCRIPTION, &description)
    }

    fn restart_after_failure(&self, spec: &ServiceSpec) -> Sys<()> {
        let mut actions = spec.restart_secs.map(|secs| SC_ACTION {
            Type: SC_ACTION_RESTART,
            Delay: secs.saturating_mul(1000), // in ms
        });
        let failure = SERVICE_FAILURE_ACTIONSW {
            dwResetPeriod: FAILURES_FORGOTTEN_SECS,
            lpRebootMsg: ptr::null_mut(),
            lpCommand: ptr::null_mut(),
            cActions: actions.len() as u32,
            lpsaActions: actions.as_mut_ptr(),
        };
        self.change(&spec.name, SERVICE_CONFIG_FAILURE_ACTIONS, &failure)
    }

    /// Calls `ChangeServiceConfig2W`. `T` is the structure of the level.
    fn change<T>(&self, name: &str, level: u32, info: &T) -> Sys<()> {
        // SAFETY: the service is open, and the two callers above pass the structure that belongs to the level, whose
        // pointers live as long as the call.
        let done = unsafe { ChangeServiceConfig2W(self.0, level, ptr::from_ref(info).cast()) };
        if done == 0 { Err(code::last("ChangeServiceConfig2W", name)) } else { Ok(()) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once here.
        unsafe { CloseServiceHandle(self.0) };
    }
}

/// Runs or is about to.
fn is_running(state: u32) -> bool {
    matches!(state, SERVICE_RUNNING | SERVICE_START_PENDING | SERVICE_CONTINUE_PENDING)
}

fn raw(start: StartKind) -> u32 {
    match start {
        StartKind::Auto => SERVICE_AUTO_START,
        StartKind::Demand => SERVICE_DEMAND_START,
        StartKind::Disabled => SERVICE_DISABLED,
    }
}
