//! Sessions with somebody in them, over wtsapi32.

#![expect(unsafe_code, reason = "calls of wtsapi32")]

use std::ffi::c_void;
use std::os::windows::io::{FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, ERROR_NO_TOKEN};
use windows_sys::Win32::System::RemoteDesktop::{
    WTS_CURRENT_SERVER_HANDLE, WTS_SESSION_INFOW, WTSActive, WTSConnected, WTSDisconnected, WTSEnumerateSessionsW,
    WTSFreeMemory, WTSINFOW, WTSQuerySessionInformationW, WTSQueryUserToken, WTSSessionInfo,
};

use super::{code, token};
use crate::windows::machine::{Session, Sys};

/// Seconds from 1601, where Windows' times begin, to 1970.
const SECS_TO_1970: i64 = 11_644_473_600;
/// What a session without anybody answers: ERROR_NO_TOKEN, ERROR_FILE_NOT_FOUND (it just ended), and
/// ERROR_CTX_WINSTATION_NOT_FOUND.
const NOBODY: [u32; 3] = [ERROR_NO_TOKEN, ERROR_FILE_NOT_FOUND, 7022];

/// Returns the sessions that people have. Needs SYSTEM: `WTSQueryUserToken` asks for SE_TCB_NAME.
///
/// # Errors
/// Where they can't be read.
pub(super) fn list() -> Sys<Vec<Session>> {
    const CALL: &str = "WTSEnumerateSessionsW";
    let (mut first, mut count) = (ptr::null_mut(), 0);
    // SAFETY: both numbers have their place, and the list that comes back is freed when it is dropped.
    if unsafe { WTSEnumerateSessionsW(WTS_CURRENT_SERVER_HANDLE, 0, 1, &raw mut first, &raw mut count) } == 0 {
        return Err(code::last(CALL, "this device"));
    }
    let memory = Memory(first.cast());
    let all: &[WTS_SESSION_INFOW] = if memory.0.is_null() || count == 0 {
        &[]
    } else {
        // SAFETY: the call succeeded, so there are so many entries until the memory is freed.
        unsafe { std::slice::from_raw_parts(memory.0.cast_const().cast(), count as usize) }
    };
    let mut found = Vec::new();
    for session in all {
        // Listeners, and session 0 where the services are, have nobody in them.
        let active = session.State == WTSActive || session.State == WTSConnected;
        if session.SessionId == 0 || !(active || session.State == WTSDisconnected) {
            continue;
        }
        let Some(token) = user_token(session.SessionId)? else { continue };
        found.push(Session { sid: token::user(&token)?, active, since: since(session.SessionId)? });
    }
    Ok(found)
}

fn user_token(session: u32) -> Sys<Option<OwnedHandle>> {
    let mut token = ptr::null_mut();
    // SAFETY: the handle has its place, and what comes back is owned below.
    if unsafe { WTSQueryUserToken(session, &raw mut token) } != 0 {
        // SAFETY: a new handle that nobody else has.
        return Ok(Some(unsafe { OwnedHandle::from_raw_handle(token) }));
    }
    match code::last_code() {
        got if NOBODY.contains(&got) => Ok(None),
        got => Err(code::failed("WTSQueryUserToken", format!("session {session}"), got)),
    }
}

fn since(session: u32) -> Sys<i64> {
    const CALL: &str = "WTSQuerySessionInformationW";
    let (mut found, mut length) = (ptr::null_mut(), 0);
    // SAFETY: both have their place, and what comes back is freed when it is dropped.
    let done = unsafe {
        WTSQuerySessionInformationW(WTS_CURRENT_SERVER_HANDLE, session, WTSSessionInfo, &raw mut found, &raw mut length)
    };
    if done == 0 {
        return Err(code::last(CALL, format!("session {session}")));
    }
    let memory = Memory(found.cast());
    if memory.0.is_null() || (length as usize) < size_of::<WTSINFOW>() {
        return Err(code::unreadable(CALL, format!("session {session}"), "too little came back"));
    }
    // SAFETY: the call succeeded, and there are the bytes of the structure that was asked for.
    let info = unsafe { ptr::read_unaligned(memory.0.cast_const().cast::<WTSINFOW>()) };
    // In steps of 100 ns.
    Ok(info.LogonTime / 10_000_000 - SECS_TO_1970)
}

/// Memory of wtsapi32.
struct Memory(*mut c_void);

impl Drop for Memory {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: handed out once by a call that says to free it so.
            unsafe { WTSFreeMemory(self.0) };
        }
    }
}
