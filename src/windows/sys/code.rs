//! From the codes of Win32, HRESULT, NERR and NTSTATUS to [`SysError`].

#![expect(unsafe_code, reason = "FormatMessageW writes into a buffer that is given")]

use std::{io, ptr};

use windows_sys::Win32::Foundation::{GetLastError, RtlNtStatusToDosError};
use windows_sys::Win32::System::Diagnostics::Debug::{
    FORMAT_MESSAGE_FROM_HMODULE, FORMAT_MESSAGE_FROM_SYSTEM, FORMAT_MESSAGE_IGNORE_INSERTS, FormatMessageW,
};

use super::library::Library;
use crate::windows::machine::{Cause, SysError};

/// Success of Win32.
pub(super) const OK: u32 = 0;
/// ERROR_INVALID_PARAMETER.
pub(super) const INVALID_PARAMETER: u32 = 87;
/// ERROR_INVALID_NAME.
pub(super) const INVALID_NAME: u32 = 123;
/// ERROR_INVALID_DATA.
pub(super) const INVALID_DATA: u32 = 13;

/// What decisions are made on, by Win32 code (winerror.h, lmerr.h, wbemcli.h). An HRESULT of the Win32 facility counts
/// as the code in it.
const CAUSES: &[(Cause, &[u32])] = &[
    // ERROR_ACCESS_DENIED, ERROR_PRIVILEGE_NOT_HELD, ERROR_NETWORK_ACCESS_DENIED, ERROR_ELEVATION_REQUIRED,
    // WBEM_E_ACCESS_DENIED, E_ACCESSDENIED comes as 5.
    (Cause::Denied, &[5, 1314, 65, 740, 0x8004_1003]),
    // ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_BUSY, ERROR_USER_MAPPED_FILE, ERROR_DIR_NOT_EMPTY (somebody
    // wrote while it was removed), ERROR_PIPE_BUSY, ERROR_DEPENDENT_SERVICES_RUNNING, ERROR_SERVICE_DATABASE_LOCKED,
    // ERROR_SERVICE_CANNOT_ACCEPT_CTRL, ERROR_SERVICE_MARKED_FOR_DELETE, ERROR_SHUTDOWN_IN_PROGRESS,
    // ERROR_SHUTDOWN_IS_SCHEDULED, RPC_S_SERVER_TOO_BUSY, RPC_S_SERVER_UNAVAILABLE (starts late after a restart),
    // WBEM_E_SERVER_TOO_BUSY, WBEM_E_SHUTTING_DOWN, SCHED_E_SERVICE_NOT_RUNNING (starts late as well).
    (
        Cause::Busy,
        &[
            32,
            33,
            170,
            1224,
            145,
            231,
            1051,
            1055,
            1061,
            1072,
            1115,
            1190,
            1723,
            1722,
            0x8004_1045,
            0x8004_1033,
            0x8004_1315,
        ],
    ),
    // ERROR_PROC_NOT_FOUND, ERROR_MOD_NOT_FOUND, ERROR_NOT_SUPPORTED, ERROR_CALL_NOT_IMPLEMENTED, E_NOTIMPL,
    // REGDB_E_CLASSNOTREG, WBEM_E_INVALID_NAMESPACE, WBEM_E_INVALID_CLASS, WBEM_E_METHOD_NOT_IMPLEMENTED,
    // ERROR_EVT_CHANNEL_NOT_FOUND.
    (Cause::NotThere, &[127, 126, 50, 120, 0x8000_4001, 0x8004_0154, 0x8004_100E, 0x8004_1010, 0x8004_1055, 15007]),
    // WAIT_TIMEOUT, ERROR_SEM_TIMEOUT, ERROR_SERVICE_REQUEST_TIMEOUT, ERROR_TIMEOUT, WBEM_E_TIMED_OUT.
    (Cause::TimedOut, &[258, 121, 1053, 1460, 0x8004_1069]),
    // ERROR_INVALID_DATA, ERROR_FILE_CORRUPT, ERROR_BADDB, ERROR_BADKEY, ERROR_REGISTRY_CORRUPT, ERROR_NOT_REGISTRY_FILE,
    // ERROR_INVALID_SECURITY_DESCR, ERROR_INVALID_SID.
    (Cause::Unreadable, &[INVALID_DATA, 1392, 1009, 1010, 1015, 1017, 1338, 1337]),
];

/// Says what kind of failure a code is.
pub(super) fn cause(code: u32) -> Cause {
    let plain = win32(code);
    let found = CAUSES.iter().find(|(_, codes)| codes.contains(&plain));
    found.map_or(Cause::Other, |(cause, _)| *cause)
}

/// Takes the Win32 code out of an HRESULT that holds one (`HRESULT_FROM_WIN32`: 0x8007xxxx).
fn win32(code: u32) -> u32 {
    if code & 0xFFFF_0000 == 0x8007_0000 { code & 0xFFFF } else { code }
}

/// Returns the error of a call that gave this code.
pub(super) fn failed(call: &'static str, object: impl Into<String>, code: u32) -> SysError {
    SysError::new(call, object, cause(code), code, text(code))
}

/// Returns the error of a call that left its code in the thread (`GetLastError`). To be called right after it.
pub(super) fn last(call: &'static str, object: impl Into<String>) -> SysError {
    failed(call, object, last_code())
}

/// Returns the code that the last call of this thread left.
pub(super) fn last_code() -> u32 {
    // SAFETY: reads a number of this thread.
    unsafe { GetLastError() }
}

/// Returns the error of a call of the standard library.
pub(super) fn io(call: &'static str, object: impl Into<String>, error: &io::Error) -> SysError {
    match error.raw_os_error() {
        Some(code) => failed(call, object, code.cast_unsigned()),
        None => SysError::new(call, object, Cause::Other, 0, error.to_string()),
    }
}

/// Returns the error of a call of COM.
pub(super) fn com(call: &'static str, object: impl Into<String>, error: &windows::core::Error) -> SysError {
    failed(call, object, error.code().0.cast_unsigned())
}

/// Returns the error of a call that gave an NTSTATUS.
pub(super) fn status(call: &'static str, object: impl Into<String>, status: i32) -> SysError {
    // SAFETY: turns one number into another.
    failed(call, object, unsafe { RtlNtStatusToDosError(status) })
}

/// Returns an error for something that came back and can't be understood.
pub(super) fn unreadable(call: &'static str, object: impl Into<String>, why: impl Into<String>) -> SysError {
    SysError::new(call, object, Cause::Unreadable, INVALID_DATA, why)
}

/// Returns what Windows says of a code, in the language of the system; empty where it says nothing. The codes of
/// lmerr.h (2100 to 2999) stand in netmsg.dll, those of WMI in wmiutils.dll, which has them for its own calls only.
fn text(code: u32) -> String {
    let plain = win32(code);
    let module = if (2100..3000).contains(&plain) { Library::open("netmsg.dll") } else { None };
    let source = match &module {
        Some(_) => FORMAT_MESSAGE_FROM_HMODULE,
        None => FORMAT_MESSAGE_FROM_SYSTEM,
    };
    let handle = module.as_ref().map_or(ptr::null(), Library::as_ptr);
    let mut buffer = [0_u16; 512];
    // SAFETY: the buffer has the length that is said, the module is open as long as the call, and inserts are ignored,
    // so that no arguments are read.
    let length = unsafe {
        FormatMessageW(source | FORMAT_MESSAGE_IGNORE_INSERTS, handle, plain, 0, buffer.as_mut_ptr(), 512, ptr::null())
    };
    let words = String::from_utf16_lossy(buffer.get(..length as usize).unwrap_or_default());
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
