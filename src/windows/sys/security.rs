//! Security descriptors and SIDs as calls take them.

#![expect(unsafe_code, reason = "calls of advapi32 on descriptors and SIDs in memory")]

use std::ffi::c_void;
use std::ptr;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, ConvertStringSidToSidW,
    SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GROUP_SECURITY_INFORMATION, GetSecurityDescriptorLength, OBJECT_SECURITY_INFORMATION,
    OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID,
};

use super::{code, wide};
use crate::model::Sid;
use crate::windows::machine::Sys;

/// The part of a descriptor that the traits speak of. Without the SACL: nobody needs the right to read it.
pub(super) const PARTS: OBJECT_SECURITY_INFORMATION =
    OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;

/// A folder for SYSTEM and Administrators alone, with nothing inherited (SDDL, [MS-DTYP] 2.5.1).
pub(super) const PRIVATE_FOLDER: &str = "O:BAG:SYD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
/// A key for SYSTEM and Administrators alone, with nothing inherited.
pub(super) const PRIVATE_KEY: &str = "O:BAG:SYD:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)";

/// Length of the fixed part of a self-relative descriptor ([MS-DTYP] 2.4.6).
const HEAD: usize = 20;
/// SE_DACL_PRESENT of the control bits.
const DACL_PRESENT: u16 = 0x0004;
/// SE_DACL_AUTO_INHERIT_REQ: asks that the next bit be kept.
const DACL_AUTO_INHERIT_REQ: u16 = 0x0100;
/// SE_DACL_AUTO_INHERITED: its entries came down from the folder above.
const DACL_AUTO_INHERITED: u16 = 0x0400;
/// SE_SELF_RELATIVE.
const SELF_RELATIVE: u16 = 0x8000;

/// A self-relative descriptor in memory that is aligned as calls ask for.
#[derive(Debug)]
pub(super) struct Descriptor {
    words: Vec<u32>,
    parts: OBJECT_SECURITY_INFORMATION,
}

impl Descriptor {
    /// Takes the bytes of a self-relative descriptor. Calls of Windows follow the offsets in it without knowing how
    /// long it is, so they are checked here.
    ///
    /// # Errors
    /// Where it isn't one.
    pub(super) fn new(call: &'static str, object: &str, bytes: &[u8]) -> Sys<Self> {
        let Some(parts) = check(bytes) else {
            return Err(code::failed(call, object, 1338)); // ERROR_INVALID_SECURITY_DESCR
        };
        let mut bytes = bytes.to_vec();
        let control = u16::from_le_bytes([bytes[2], bytes[3]]);
        if control & DACL_AUTO_INHERITED != 0 {
            // Without the request Windows drops the mark, and the descriptor that is read back later differs [K].
            bytes[2..4].copy_from_slice(&(control | DACL_AUTO_INHERIT_REQ).to_le_bytes());
        }
        Ok(Self { words: aligned(&bytes), parts })
    }
    /// Returns what it holds of owner, group and DACL. What it doesn't hold isn't written: a DACL that is asked for but
    /// not there would give everybody every right.
    pub(super) fn parts(&self) -> OBJECT_SECURITY_INFORMATION {
        self.parts
    }
    /// Returns the pointer that calls take. They read it only.
    pub(super) fn as_ptr(&self) -> PSECURITY_DESCRIPTOR {
        self.words.as_ptr().cast_mut().cast()
    }
}

/// Copies bytes to where a number of 32 bits may stand.
fn aligned(bytes: &[u8]) -> Vec<u32> {
    let word = |chunk: &[u8]| {
        let mut four = [0; 4];
        four.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        u32::from_ne_bytes(four)
    };
    bytes.chunks(4).map(word).collect()
}

/// Says what a self-relative descriptor holds; none where its offsets and lengths don't fit its bytes.
fn check(bytes: &[u8]) -> Option<OBJECT_SECURITY_INFORMATION> {
    let head: &[u8; HEAD] = bytes.first_chunk()?;
    let control = u16::from_le_bytes([head[2], head[3]]);
    let offset = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
    if head[0] != 1 || control & SELF_RELATIVE == 0 {
        return None;
    }
    let mut parts = 0;
    for (at, part) in [(4, OWNER_SECURITY_INFORMATION), (8, GROUP_SECURITY_INFORMATION)] {
        if offset(at) != 0 {
            sid_fits(bytes.get(offset(at)..)?)?;
            parts |= part;
        }
    }
    if control & DACL_PRESENT != 0 {
        if offset(16) != 0 {
            acl_fits(bytes.get(offset(16)..)?)?;
        }
        parts |= DACL_SECURITY_INFORMATION;
    }
    (offset(4) % 4 == 0 && offset(8) % 4 == 0 && offset(16) % 4 == 0).then_some(parts)
}

/// Checks that a SID ([MS-DTYP] 2.4.2) ends within the bytes.
fn sid_fits(bytes: &[u8]) -> Option<()> {
    let (revision, count) = (*bytes.first()?, usize::from(*bytes.get(1)?));
    (revision == 1 && count <= 15 && bytes.len() >= 8 + 4 * count).then_some(())
}

/// Checks that an ACL ([MS-DTYP] 2.4.5) and each of its entries end within the bytes.
fn acl_fits(bytes: &[u8]) -> Option<()> {
    let word = |at: usize| Some(usize::from(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])));
    let (length, count) = (word(2)?, word(4)?);
    let mut at = 8;
    for _ in 0..count {
        let size = word(at + 2)?;
        if size < 4 {
            return None;
        }
        at += size;
    }
    (at <= length && length <= bytes.len()).then_some(())
}

/// Returns the self-relative descriptor of SDDL.
///
/// # Errors
/// Where it isn't SDDL.
pub(super) fn from_sddl(sddl: &str) -> Sys<Vec<u8>> {
    const CALL: &str = "ConvertStringSecurityDescriptorToSecurityDescriptorW";
    let text = wide::wide(CALL, sddl)?;
    let mut found = ptr::null_mut();
    // SAFETY: the text ends with a zero; the descriptor that comes back is freed below.
    let done = unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            text.as_ptr(),
            SDDL_REVISION_1,
            &raw mut found,
            ptr::null_mut(),
        )
    };
    if done == 0 {
        return Err(code::last(CALL, sddl));
    }
    let found = Local(found);
    // SAFETY: a descriptor that Windows made, as long as it says; it is copied before it is freed.
    let bytes = unsafe {
        std::slice::from_raw_parts(found.0.cast::<u8>().cast_const(), GetSecurityDescriptorLength(found.0) as usize)
    };
    Ok(bytes.to_vec())
}

/// Calls a function that fills a buffer with a descriptor until the buffer is long enough, and returns what is in it.
/// The function gets the buffer and its length, sets the length to what it needs, and returns its code.
///
/// # Errors
/// The code of the function.
pub(super) fn read(mut call: impl FnMut(PSECURITY_DESCRIPTOR, &mut u32) -> u32) -> Result<Vec<u8>, u32> {
    const INSUFFICIENT: u32 = 122; // ERROR_INSUFFICIENT_BUFFER
    let mut words = vec![0_u32; 128];
    // More than once: somebody may make it longer between two calls.
    for _ in 0..8 {
        let mut length = u32::try_from(words.len() * 4).unwrap_or(u32::MAX);
        match call(words.as_mut_ptr().cast(), &mut length) {
            // SAFETY: the call succeeded, so a valid descriptor stands at the begin of the buffer.
            code::OK => {
                let length = unsafe { GetSecurityDescriptorLength(words.as_mut_ptr().cast()) } as usize;
                return Ok(words.iter().flat_map(|word| word.to_ne_bytes()).take(length).collect());
            }
            INSUFFICIENT => words.resize((length as usize).div_ceil(4).max(words.len() + 1), 0),
            other => return Err(other),
        }
    }
    Err(INSUFFICIENT)
}

/// Memory of `LocalAlloc` that Windows handed out.
#[derive(Debug)]
pub(super) struct Local(pub(super) *mut c_void);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: handed out once by a call that says to free it so; null is allowed.
        unsafe { LocalFree(self.0) };
    }
}

/// A SID as calls take it.
#[derive(Debug)]
pub(super) struct RawSid(Local);

impl RawSid {
    /// Makes it from text.
    ///
    /// # Errors
    /// Where Windows doesn't take it.
    pub(super) fn new(sid: &Sid) -> Sys<Self> {
        const CALL: &str = "ConvertStringSidToSidW";
        let text = wide::wide(CALL, sid.as_str())?;
        let mut found = ptr::null_mut();
        // SAFETY: the text ends with a zero; what comes back is freed when it is dropped.
        if unsafe { ConvertStringSidToSidW(text.as_ptr(), &raw mut found) } == 0 {
            return Err(code::last(CALL, sid.as_str()));
        }
        Ok(Self(Local(found)))
    }
    /// Returns the pointer that calls take. They read it only.
    pub(super) fn as_ptr(&self) -> PSID {
        self.0.0
    }
}

/// Returns the text of a SID.
///
/// # Safety
/// The pointer is null or points to a SID.
///
/// # Errors
/// Where it is null or no SID.
pub(super) unsafe fn sid(call: &'static str, object: &str, pointer: PSID) -> Sys<Sid> {
    let mut text = ptr::null_mut();
    // SAFETY: the caller answers for the pointer; what comes back is freed below.
    if pointer.is_null() || unsafe { ConvertSidToStringSidW(pointer, &raw mut text) } == 0 {
        return Err(code::unreadable(call, object, "no security identifier came back"));
    }
    let text = Local(text.cast());
    // SAFETY: Windows made this text, with a zero at its end.
    let words = unsafe { wide::at(text.0.cast::<u16>().cast_const()) };
    words.parse().map_err(|error: String| code::unreadable(call, object, error))
}
