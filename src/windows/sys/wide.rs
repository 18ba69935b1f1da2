//! Text for Windows, and text from it.

#![expect(unsafe_code, reason = "strings that Windows gives end where a zero is")]

use super::code;
use crate::windows::machine::Sys;

/// Longest text that is taken from Windows, in units of UTF-16: what a `UNICODE_STRING` can hold.
const LONGEST: usize = 32_767;

/// Returns text as Windows takes it: UTF-16 and a zero. A zero within would cut it: the call would do its work on
/// another file or key than the one that was named.
///
/// # Errors
/// Where a zero is in it.
pub(super) fn wide(call: &'static str, text: &str) -> Sys<Vec<u16>> {
    if text.contains('\0') {
        return Err(code::failed(call, text.replace('\0', "\u{fffd}"), code::INVALID_NAME));
    }
    Ok(text.encode_utf16().chain([0]).collect())
}

/// Returns text up to the first zero, or all of it.
pub(super) fn until_zero(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(units.get(..end).unwrap_or_default())
}

/// Returns the text at a pointer; empty at none.
///
/// # Safety
/// The pointer is null or points to UTF-16 that ends with a zero.
pub(super) unsafe fn at(pointer: *const u16) -> String {
    if pointer.is_null() {
        return String::new();
    }
    let mut length = 0;
    // SAFETY: reads unit by unit, and not beyond the zero that the caller answers for.
    while length < LONGEST && unsafe { *pointer.add(length) } != 0 {
        length += 1;
    }
    // SAFETY: all these units were just read.
    String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(pointer, length) })
}
