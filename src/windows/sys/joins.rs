//! Joins to a domain and to Entra, over netapi32.

#![expect(unsafe_code, reason = "calls of netapi32")]

use std::ptr;

use windows_sys::Win32::NetworkManagement::NetManagement::{
    DSREG_DEVICE_JOIN, DSREG_JOIN_INFO, DSREG_WORKPLACE_JOIN, NETSETUP_JOIN_STATUS, NetApiBufferFree,
    NetGetJoinInformation, NetSetupDomainName, NetSetupUnjoined, NetSetupWorkgroupName,
};
use windows_sys::core::PCWSTR;

use super::{Windows, code, library, wide};
use crate::windows::machine::{AadJoin, AadJoinKind, Joins, Sys, SysError};

/// NERR_SetupNotJoined: the device is in no domain.
const NOT_JOINED: u32 = 2692;
/// ERROR_CALL_NOT_IMPLEMENTED, which Wine 10 gives as an HRESULT without its facility.
const NOT_IMPLEMENTED: i32 = 120;

/// `NetGetAadJoinInformation` of lmjoin.h, Windows 10 1607.
type GetAadJoin = unsafe extern "system" fn(PCWSTR, *mut *mut DSREG_JOIN_INFO) -> i32;
/// `NetFreeAadJoinInformation` of lmjoin.h.
type FreeAadJoin = unsafe extern "system" fn(*mut DSREG_JOIN_INFO);
/// `NetUnjoinDomain` of lmjoin.h.
type Unjoin = unsafe extern "system" fn(PCWSTR, PCWSTR, PCWSTR, u32) -> u32;

impl Joins for Windows {
    fn domain(&self) -> Sys<Option<String>> {
        const CALL: &str = "NetGetJoinInformation";
        let (mut name, mut status): (_, NETSETUP_JOIN_STATUS) = (ptr::null_mut(), 0);
        // SAFETY: no server means this device; the name that comes back is freed below.
        let got = unsafe { NetGetJoinInformation(ptr::null(), &raw mut name, &raw mut status) };
        if got != code::OK {
            return Err(code::failed(CALL, "this device", got));
        }
        // SAFETY: the call succeeded, so it is null or text that ends with a zero, and it is freed once.
        let text = unsafe {
            let text = wide::at(name);
            NetApiBufferFree(name.cast_const().cast());
            text
        };
        #[expect(non_upper_case_globals, reason = "the names of lmjoin.h")]
        match status {
            NetSetupDomainName if !text.is_empty() => Ok(Some(text)),
            NetSetupWorkgroupName | NetSetupUnjoined => Ok(None),
            // NetSetupUnknownStatus: not known is not "no domain".
            _ => Err(code::unreadable(CALL, "this device", format!("it says neither domain nor workgroup ({status})"))),
        }
    }

    fn entra(&self) -> Sys<Option<AadJoin>> {
        const CALL: &str = "NetGetAadJoinInformation";
        let library = library::open("netapi32.dll", CALL)?;
        // SAFETY: the types are those of lmjoin.h, and the library lives to the end of this function.
        let (get, free): (GetAadJoin, FreeAadJoin) = unsafe {
            (
                library.function(CALL, c"NetGetAadJoinInformation")?,
                library.function(CALL, c"NetFreeAadJoinInformation")?,
            )
        };
        let mut info = ptr::null_mut();
        // SAFETY: no tenant means any; what comes back is freed below.
        let got = unsafe { get(ptr::null(), &raw mut info) };
        if got == NOT_IMPLEMENTED {
            return Err(SysError::not_there(CALL, "this device"));
        }
        if got < 0 {
            return Err(code::failed(CALL, "this device", got.cast_unsigned()));
        }
        // S_OK or S_FALSE with nothing is a device that isn't joined.
        if info.is_null() {
            return Ok(None);
        }
        // SAFETY: the call succeeded, so this is a structure whose texts are null or end with a zero. They are copied
        // before it is freed.
        let (kind, tenant, device) = unsafe {
            let found = ((*info).joinType, wide::at((*info).pszTenantId), wide::at((*info).pszDeviceId));
            free(info);
            found
        };
        let kind = match kind {
            DSREG_DEVICE_JOIN => AadJoinKind::Device,
            DSREG_WORKPLACE_JOIN => AadJoinKind::Workplace,
            // DSREG_UNKNOWN_JOIN is documented as "not joined".
            _ => return Ok(None),
        };
        let bad = |what: &str, text: &str| {
            code::unreadable(CALL, "this device", format!("{what} isn't a GUID: {}", text.escape_debug()))
        };
        let guid = |text: &str| text.trim_matches(['{', '}']).to_owned();
        Ok(Some(AadJoin {
            kind,
            tenant: guid(&tenant).parse().map_err(|_| bad("the tenant", &tenant))?,
            device_id: guid(&device).parse().map_err(|_| bad("the registration", &device))?,
        }))
    }

    fn unjoin(&self) -> Sys<()> {
        const CALL: &str = "NetUnjoinDomain";
        let library = library::open("netapi32.dll", CALL)?;
        // SAFETY: the type is that of lmjoin.h, and the library lives to the end of this function.
        let unjoin: Unjoin = unsafe { library.function(CALL, c"NetUnjoinDomain")? };
        // SAFETY: no server means this device; no account and no password mean this process; no option means that the
        // account in the directory stays as it is (domain.md B4: option 4 would disable it).
        match unsafe { unjoin(ptr::null(), ptr::null(), ptr::null(), 0) } {
            code::OK | NOT_JOINED => Ok(()),
            got => Err(code::failed(CALL, "this device", got)),
        }
    }
}
