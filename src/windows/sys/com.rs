//! COM on the calling thread.

#![expect(unsafe_code, reason = "COM is switched on and off a thread")]

use std::sync::Once;

use windows::Win32::Foundation::RPC_E_CHANGED_MODE;
use windows::Win32::System::Com::{
    COINIT_MULTITHREADED, CoInitializeEx, CoInitializeSecurity, CoUninitialize, EOAC_NONE,
    RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_IMP_LEVEL_IMPERSONATE,
};

use super::code;
use crate::windows::machine::Sys;

/// COM is switched on for this thread as long as this lives. Objects of COM have to be dropped before it.
#[derive(Debug)]
pub(super) struct Com {
    /// The thread had COM in another mode before, which stays and works as well.
    was_on: bool,
    /// Bound to its thread.
    _thread: std::marker::PhantomData<*mut ()>,
}

impl Com {
    /// Switches COM on, and once for the process asks for calls that are encrypted: BitLocker's namespace answers no
    /// others (its class carries `RequiresEncryption`).
    ///
    /// # Errors
    /// Where COM refuses it.
    pub(super) fn new() -> Sys<Self> {
        const CALL: &str = "CoInitializeEx";
        static SECURITY: Once = Once::new();
        // SAFETY: nothing is passed; each success is paid back when this is dropped.
        let got = unsafe { CoInitializeEx(None, COINIT_MULTITHREADED) };
        if got.is_err() && got != RPC_E_CHANGED_MODE {
            return Err(code::failed(CALL, "this thread", got.0.cast_unsigned()));
        }
        SECURITY.call_once(|| {
            // Fails where somebody in this process was first (RPC_E_TOO_LATE); then their settings hold, and a call that
            // needs more says so itself.
            // SAFETY: no pointers are passed.
            let _ = unsafe {
                CoInitializeSecurity(
                    None,
                    -1,
                    None,
                    None,
                    RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
                    RPC_C_IMP_LEVEL_IMPERSONATE,
                    None,
                    EOAC_NONE,
                    None,
                )
            };
        });
        Ok(Self { was_on: got.is_err(), _thread: std::marker::PhantomData })
    }
}

impl Drop for Com {
    fn drop(&mut self) {
        if !self.was_on {
            // SAFETY: pays back the one success of `new`, on the same thread.
            unsafe { CoUninitialize() };
        }
    }
}
