//! Tokens: who a process runs as, and what it may do.

#![expect(unsafe_code, reason = "calls of advapi32 on tokens")]

use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{HANDLE, LUID};
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, GetTokenInformation, LUID_AND_ATTRIBUTES, LookupPrivilegeValueW, SE_PRIVILEGE_ENABLED,
    TOKEN_ADJUST_PRIVILEGES, TOKEN_PRIVILEGES, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::{code, security, wide};
use crate::model::Sid;
use crate::windows::machine::Sys;

/// What the agent needs for the security of files and keys of others ("Privilege Constants", winnt.h).
pub(super) const PRIVILEGES: [&str; 4] =
    ["SeBackupPrivilege", "SeRestorePrivilege", "SeTakeOwnershipPrivilege", "SeSecurityPrivilege"];

/// What a restart needs.
pub(super) const SHUTDOWN: &str = "SeShutdownPrivilege";

/// Switches privileges of this process on, as far as its token has them. Those that it doesn't have are left out
/// without an error, as `AdjustTokenPrivileges` does.
///
/// # Errors
/// Where the token can't be opened or changed.
pub(super) fn enable(privileges: &[&str]) -> Sys<()> {
    let token = of_process(TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY)?;
    for privilege in privileges {
        let name = wide::wide("LookupPrivilegeValueW", privilege)?;
        let mut luid = LUID { LowPart: 0, HighPart: 0 };
        // SAFETY: the name ends with a zero, and the number has its place.
        if unsafe { LookupPrivilegeValueW(ptr::null(), name.as_ptr(), &raw mut luid) } == 0 {
            return Err(code::last("LookupPrivilegeValueW", *privilege));
        }
        let wanted = TOKEN_PRIVILEGES {
            PrivilegeCount: 1,
            Privileges: [LUID_AND_ATTRIBUTES { Luid: luid, Attributes: SE_PRIVILEGE_ENABLED }],
        };
        // SAFETY: the token is open and the structure holds as many entries as it says; nothing is asked back.
        let done = unsafe {
            AdjustTokenPrivileges(token.as_raw_handle(), 0, &raw const wanted, 0, ptr::null_mut(), ptr::null_mut())
        };
        if done == 0 {
            return Err(code::last("AdjustTokenPrivileges", *privilege));
        }
    }
    Ok(())
}

/// Returns who this process runs as.
///
/// # Errors
/// Where that can't be read.
pub(super) fn me() -> Sys<Sid> {
    user(&of_process(TOKEN_QUERY)?)
}

/// Returns whose a token is.
///
/// # Errors
/// Where that can't be read.
pub(super) fn user(token: &OwnedHandle) -> Sys<Sid> {
    const CALL: &str = "GetTokenInformation";
    // A TOKEN_USER and the longest SID (68 bytes) behind it.
    let mut buffer = [0_u64; 16];
    let mut length = 0;
    // SAFETY: the token is open and the buffer has the length that is said.
    let done = unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            buffer.as_mut_ptr().cast(),
            size_of_val(&buffer) as u32,
            &raw mut length,
        )
    };
    if done == 0 {
        return Err(code::last(CALL, "a token"));
    }
    // SAFETY: the call succeeded, so a TOKEN_USER stands at the begin of the buffer, which is aligned for pointers, and
    // its SID stands in the same buffer.
    unsafe { security::sid(CALL, "a token", (*buffer.as_ptr().cast::<TOKEN_USER>()).User.Sid) }
}

fn of_process(access: u32) -> Sys<OwnedHandle> {
    let mut token: HANDLE = ptr::null_mut();
    // SAFETY: the handle of the own process needs no closing; the token that comes back is owned below.
    if unsafe { OpenProcessToken(GetCurrentProcess(), access, &raw mut token) } == 0 {
        return Err(code::last("OpenProcessToken", "this process"));
    }
    // SAFETY: a new handle that nobody else has.
    Ok(unsafe { OwnedHandle::from_raw_handle(token) })
}
