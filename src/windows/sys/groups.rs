//! Local groups by their SIDs, over netapi32.
//!
//! netapi32 knows groups by name, and names are in the language of the system: each SID is looked up first.

#![expect(unsafe_code, reason = "calls of netapi32 and advapi32")]

use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_MORE_DATA};
use windows_sys::Win32::NetworkManagement::NetManagement::{
    LOCALGROUP_INFO_0, LOCALGROUP_MEMBERS_INFO_0, NetApiBufferFree, NetLocalGroupAddMembers, NetLocalGroupDelMembers,
    NetLocalGroupEnum, NetLocalGroupGetMembers,
};
use windows_sys::Win32::Security::{LookupAccountNameW, LookupAccountSidW, SidTypeAlias};

use super::security::{self, RawSid};
use super::wide::{at, until_zero, wide};
use super::{code, rights};
use crate::model::Sid;
use crate::windows::machine::Sys;

/// MAX_PREFERRED_LENGTH: as much as there is.
pub(super) const ANY_LENGTH: u32 = u32::MAX;
/// ERROR_MEMBER_IN_ALIAS: it is in it already.
const IN_IT: u32 = 1378;
/// ERROR_MEMBER_NOT_IN_ALIAS: it isn't in it.
const NOT_IN_IT: u32 = 1377;
/// ERROR_NONE_MAPPED: there is no such account.
const NO_ACCOUNT: u32 = 1332;

/// Returns the SIDs of all local groups.
///
/// # Errors
/// Where they can't be read.
pub(super) fn all() -> Sys<Vec<Sid>> {
    const CALL: &str = "NetLocalGroupEnum";
    let mut found = Vec::new();
    listed::<LOCALGROUP_INFO_0>(
        CALL,
        "this device",
        // SAFETY: no server means this device, and all numbers have their place.
        |buffer, read, total, resume| unsafe {
            NetLocalGroupEnum(ptr::null(), 0, buffer, ANY_LENGTH, read, total, ptr::from_mut(resume))
        },
        |group| {
            // SAFETY: a text of the list that the call gave, which still lives.
            found.push(sid_of(&unsafe { at(group.lgrpi0_name) })?);
            Ok(())
        },
    )?;
    Ok(found)
}

/// Returns the members of a local group.
///
/// # Errors
/// Where they can't be read.
pub(super) fn members(group: &Sid) -> Sys<Vec<Sid>> {
    const CALL: &str = "NetLocalGroupGetMembers";
    let name = name_of(group)?;
    let mut found = Vec::new();
    listed::<LOCALGROUP_MEMBERS_INFO_0>(
        CALL,
        group.as_str(),
        // SAFETY: no server means this device, the name ends with a zero, and all numbers have their place.
        |buffer, read, total, resume| unsafe {
            NetLocalGroupGetMembers(
                ptr::null(),
                name.as_ptr(),
                0,
                buffer,
                ANY_LENGTH,
                read,
                total,
                ptr::from_mut(resume),
            )
        },
        |member| {
            // SAFETY: a SID of the list that the call gave, which still lives.
            found.push(unsafe { security::sid(CALL, group.as_str(), member.lgrmi0_sid) }?);
            Ok(())
        },
    )?;
    Ok(found)
}

/// Adds to a local group.
///
/// # Errors
/// Where Windows refuses it.
pub(super) fn add(group: &Sid, member: &Sid) -> Sys<()> {
    let (name, raw) = (name_of(group)?, RawSid::new(member)?);
    let one = LOCALGROUP_MEMBERS_INFO_0 { lgrmi0_sid: raw.as_ptr() };
    // SAFETY: the name ends with a zero, and the list has one entry, which lives as long as the call.
    match unsafe { NetLocalGroupAddMembers(ptr::null(), name.as_ptr(), 0, ptr::from_ref(&one).cast(), 1) } {
        code::OK | IN_IT => Ok(()),
        got => Err(code::failed("NetLocalGroupAddMembers", format!("{member} in {group}"), got)),
    }
}

/// Removes from a local group.
///
/// # Errors
/// Where Windows refuses it.
pub(super) fn remove(group: &Sid, member: &Sid) -> Sys<()> {
    let (name, raw) = (name_of(group)?, RawSid::new(member)?);
    let one = LOCALGROUP_MEMBERS_INFO_0 { lgrmi0_sid: raw.as_ptr() };
    // SAFETY: the name ends with a zero, and the list has one entry, which lives as long as the call.
    match unsafe { NetLocalGroupDelMembers(ptr::null(), name.as_ptr(), 0, ptr::from_ref(&one).cast(), 1) } {
        code::OK | NOT_IN_IT => Ok(()),
        got => Err(code::failed("NetLocalGroupDelMembers", format!("{member} in {group}"), got)),
    }
}

/// Calls a function of netapi32 that gives a list part by part, until it has given all of it. `call` gets the place of
/// the buffer, how many were read, how many there are, and where to go on; `each` gets every entry.
///
/// # Errors
/// The code of the call, or the error of `each`.
pub(super) fn listed<T>(
    name: &'static str,
    object: &str,
    mut call: impl FnMut(*mut *mut u8, *mut u32, *mut u32, &mut usize) -> u32,
    mut each: impl FnMut(&T) -> Sys<()>,
) -> Sys<()> {
    let mut resume = 0;
    loop {
        let (mut buffer, mut read, mut total) = (ptr::null_mut(), 0, 0);
        let got = call(&raw mut buffer, &raw mut read, &raw mut total, &mut resume);
        let buffer = NetBuffer(buffer);
        if got != code::OK && got != ERROR_MORE_DATA {
            return Err(code::failed(name, object, got));
        }
        let entries: &[T] = if buffer.0.is_null() || read == 0 {
            &[]
        } else {
            // SAFETY: the call succeeded, so the buffer holds so many entries of the level that the caller asked for.
            // It lives to the end of this round.
            unsafe { std::slice::from_raw_parts(buffer.0.cast(), read as usize) }
        };
        entries.iter().try_for_each(&mut each)?;
        if got == code::OK {
            return Ok(());
        }
        if entries.is_empty() {
            // More, but nothing came: it would never end.
            return Err(code::failed(name, object, got));
        }
    }
}

/// Memory of netapi32.
struct NetBuffer(*mut u8);

impl Drop for NetBuffer {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: handed out once by a call that says to free it so.
            unsafe { NetApiBufferFree(self.0.cast_const().cast()) };
        }
    }
}

/// Returns the name of a local group as calls take it.
fn name_of(group: &Sid) -> Sys<Vec<u16>> {
    const CALL: &str = "LookupAccountSidW";
    let raw = RawSid::new(group)?;
    let (mut name, mut domain) = ([0_u16; 512], [0_u16; 512]);
    let (mut units, mut domain_units, mut kind) = (512, 512, 0);
    // SAFETY: both buffers have the lengths that are said, and the SID lives as long as the call.
    let done = unsafe {
        LookupAccountSidW(
            ptr::null(),
            raw.as_ptr(),
            name.as_mut_ptr(),
            &raw mut units,
            domain.as_mut_ptr(),
            &raw mut domain_units,
            &raw mut kind,
        )
    };
    if done == 0 {
        return Err(code::last(CALL, group.as_str()));
    }
    // A user of the same name isn't the group.
    if kind != SidTypeAlias {
        return Err(code::unreadable(CALL, group.as_str(), "it isn't a local group"));
    }
    wide(CALL, &until_zero(&name))
}

/// Returns the SID of a local group. The builtin ones are in a domain of their own, the others in the machine's.
fn sid_of(name: &str) -> Sys<Sid> {
    const CALL: &str = "LookupAccountNameW";
    let machine = rights::machine_name()?;
    for full in [format!("{machine}\\{name}"), name.to_owned()] {
        let wide_name = wide(CALL, &full)?;
        let (mut sid, mut domain) = ([0_u64; 16], [0_u16; 512]);
        let (mut length, mut units, mut kind) = (size_of_val(&sid) as u32, 512, 0);
        // SAFETY: both buffers have the lengths that are said, and the name ends with a zero.
        let done = unsafe {
            LookupAccountNameW(
                ptr::null(),
                wide_name.as_ptr(),
                sid.as_mut_ptr().cast(),
                &raw mut length,
                domain.as_mut_ptr(),
                &raw mut units,
                &raw mut kind,
            )
        };
        match (done != 0, kind == SidTypeAlias) {
            // SAFETY: the call succeeded, so the buffer holds a SID.
            (true, true) => return unsafe { security::sid(CALL, name, sid.as_mut_ptr().cast()) },
            (true, false) => {}
            (false, _) => match code::last_code() {
                NO_ACCOUNT | ERROR_INSUFFICIENT_BUFFER => {}
                got => return Err(code::failed(CALL, full, got)),
            },
        }
    }
    Err(code::failed(CALL, name, NO_ACCOUNT))
}
