//! Functions that not every Windows has, looked up when they are needed.

#![expect(unsafe_code, reason = "a function that is looked up has the type that its documentation says")]

use std::ffi::{CStr, c_void};

use windows_sys::Win32::Foundation::{FreeLibrary, HMODULE};
use windows_sys::Win32::System::LibraryLoader::{GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW};

use super::wide::wide;
use crate::windows::machine::{Sys, SysError};

/// A library of Windows that is loaded as long as this lives.
#[derive(Debug)]
pub(super) struct Library(HMODULE);

impl Library {
    /// Loads a library from `System32` and nowhere else: one beside the program, or in the folder it was started from,
    /// would run as SYSTEM. None where there is none.
    pub(super) fn open(name: &'static str) -> Option<Self> {
        let name = wide("LoadLibraryExW", name).ok()?;
        // SAFETY: the name ends with a zero.
        let module = unsafe { LoadLibraryExW(name.as_ptr(), std::ptr::null_mut(), LOAD_LIBRARY_SEARCH_SYSTEM32) };
        (!module.is_null()).then_some(Self(module))
    }
    /// Returns the handle for calls that take one.
    pub(super) fn as_ptr(&self) -> *const c_void {
        self.0.cast_const()
    }
    /// Says whether the library has a function.
    pub(super) fn has(&self, name: &'static CStr) -> bool {
        // SAFETY: the library is loaded and the name ends with a zero.
        unsafe { GetProcAddress(self.0, name.as_ptr().cast()) }.is_some()
    }
    /// Looks a function up, and names it in the error where there is none.
    ///
    /// # Safety
    /// `F` is the type of a pointer to that function, and what it returns isn't called after the library is dropped.
    ///
    /// # Errors
    /// [`Cause::NotThere`](crate::windows::machine::Cause::NotThere) where the library doesn't have it.
    pub(super) unsafe fn function<F: Copy>(&self, call: &'static str, name: &'static CStr) -> Sys<F> {
        // SAFETY: the library is loaded and the name ends with a zero.
        let found = unsafe { GetProcAddress(self.0, name.as_ptr().cast()) };
        let found = found.ok_or_else(|| SysError::not_there(call, "this device"))?;
        const { assert!(size_of::<F>() == size_of::<unsafe extern "system" fn() -> isize>()) };
        // SAFETY: both are pointers to functions, of the same size, and the caller answers for the type.
        Ok(unsafe { std::mem::transmute_copy(&found) })
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: loaded once by `open`, freed once here.
        unsafe { FreeLibrary(self.0) };
    }
}

// SAFETY: a module handle belongs to the process, not to a thread.
unsafe impl Send for Library {}

/// Opens a library, or says that this Windows doesn't have the call.
///
/// # Errors
/// [`Cause::NotThere`](crate::windows::machine::Cause::NotThere).
pub(super) fn open(name: &'static str, call: &'static str) -> Sys<Library> {
    Library::open(name).ok_or_else(|| SysError::not_there(call, "this device"))
}
