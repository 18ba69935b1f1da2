//! The local security authority: the machine's own SID, and who has which user right.

#![expect(unsafe_code, reason = "calls of the LSA in advapi32")]

use std::ffi::c_void;
use std::ptr;

use windows_sys::Win32::Security::Authentication::Identity::{
    LSA_ENUMERATION_INFORMATION, LSA_HANDLE, LSA_OBJECT_ATTRIBUTES, LSA_UNICODE_STRING, LsaClose,
    LsaEnumerateAccountsWithUserRight, LsaFreeMemory, LsaOpenPolicy, LsaQueryInformationPolicy,
    POLICY_ACCOUNT_DOMAIN_INFO, POLICY_LOOKUP_NAMES, POLICY_VIEW_LOCAL_INFORMATION, PolicyAccountDomainInformation,
};

use super::{code, security, wide};
use crate::model::Sid;
use crate::windows::machine::{Cause, Sys};

/// STATUS_NO_MORE_ENTRIES and STATUS_OBJECT_NAME_NOT_FOUND: nobody has the right.
const NOBODY: [i32; 2] = [0x8000_001A_u32.cast_signed(), 0xC000_0034_u32.cast_signed()];

/// Returns the SID that all local accounts begin with: that of the account domain, which on anything but a domain
/// controller is the machine itself ([MS-LSAD] 3.1.4.4.4).
///
/// # Errors
/// Where it can't be read.
pub(super) fn machine_sid() -> Sys<Sid> {
    // SAFETY: the structure lives as long as the closure, and its SID is null or valid.
    account_domain(|info| unsafe { security::sid("LsaQueryInformationPolicy", "this device", info.DomainSid) })
}

/// Returns the name that stands before local accounts.
///
/// # Errors
/// Where it can't be read.
pub(super) fn machine_name() -> Sys<String> {
    account_domain(|info| {
        let name = info.DomainName;
        if name.Buffer.is_null() {
            return Ok(String::new());
        }
        // SAFETY: the structure lives as long as the closure, and its text is so many bytes long.
        let units = unsafe { std::slice::from_raw_parts(name.Buffer.cast_const(), usize::from(name.Length) / 2) };
        Ok(wide::until_zero(units))
    })
}

/// Returns who has a user right. Needs an administrator.
///
/// # Errors
/// Where it can't be read.
pub(super) fn holders(right: &str) -> Sys<Vec<Sid>> {
    const CALL: &str = "LsaEnumerateAccountsWithUserRight";
    let policy = Policy::open(POLICY_LOOKUP_NAMES | POLICY_VIEW_LOCAL_INFORMATION)?;
    let mut units: Vec<u16> = right.encode_utf16().collect();
    let bytes = u16::try_from(units.len() * 2).map_err(|_| code::failed(CALL, right, code::INVALID_PARAMETER))?;
    let name = LSA_UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: units.as_mut_ptr() };
    let (mut found, mut count) = (ptr::null_mut(), 0);
    // SAFETY: the policy is open, the text has the length that is said, and the list that comes back is freed below.
    let got = unsafe { LsaEnumerateAccountsWithUserRight(policy.0, &raw const name, &raw mut found, &raw mut count) };
    let found = LsaMemory(found);
    if NOBODY.contains(&got) {
        return Ok(Vec::new());
    }
    if got < 0 {
        return Err(code::status(CALL, right, got));
    }
    if found.0.is_null() {
        // Wine succeeds with nothing. On Windows "nobody" comes as a code of its own.
        return Err(crate::windows::machine::SysError::new(CALL, right, Cause::NotThere, 0, "nothing came back"));
    }
    // SAFETY: the call succeeded, so there are so many entries, each with a SID, until the memory is freed.
    let entries: &[LSA_ENUMERATION_INFORMATION] =
        unsafe { std::slice::from_raw_parts(found.0.cast_const().cast(), count as usize) };
    // SAFETY: as above.
    entries.iter().map(|entry| unsafe { security::sid(CALL, right, entry.Sid) }).collect()
}

fn account_domain<T>(read: impl FnOnce(&POLICY_ACCOUNT_DOMAIN_INFO) -> Sys<T>) -> Sys<T> {
    const CALL: &str = "LsaQueryInformationPolicy";
    let policy = Policy::open(POLICY_VIEW_LOCAL_INFORMATION)?;
    let mut found = ptr::null_mut();
    // SAFETY: the policy is open, and what comes back is freed when it is dropped.
    let got = unsafe { LsaQueryInformationPolicy(policy.0, PolicyAccountDomainInformation, &raw mut found) };
    let found = LsaMemory(found);
    if got < 0 {
        return Err(code::status(CALL, "this device", got));
    }
    // SAFETY: the call succeeded, so it is the structure of the class that was asked for, or null.
    match unsafe { found.0.cast_const().cast::<POLICY_ACCOUNT_DOMAIN_INFO>().as_ref() } {
        Some(info) => read(info),
        None => Err(code::unreadable(CALL, "this device", "nothing came back")),
    }
}

/// The open policy of this device.
struct Policy(LSA_HANDLE);

impl Policy {
    fn open(access: i32) -> Sys<Self> {
        let attributes = LSA_OBJECT_ATTRIBUTES::default();
        let mut policy = 0;
        // SAFETY: no name means this device, the attributes may all be zero, and what is opened is closed when dropped.
        let got = unsafe { LsaOpenPolicy(ptr::null(), &raw const attributes, access.cast_unsigned(), &raw mut policy) };
        if got < 0 { Err(code::status("LsaOpenPolicy", "this device", got)) } else { Ok(Self(policy)) }
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once here.
        unsafe { LsaClose(self.0) };
    }
}

/// Memory of the LSA.
struct LsaMemory(*mut c_void);

impl Drop for LsaMemory {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: handed out once by a call that says to free it so.
            unsafe { LsaFreeMemory(self.0.cast_const()) };
        }
    }
}
