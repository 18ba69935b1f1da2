//! Names, version, power, network, DPAPI and the restart.

#![expect(unsafe_code, reason = "calls of kernel32, ntdll, crypt32 and advapi32")]

use std::env;
use std::ptr;

use jiff::Timestamp;
use windows_sys::Wdk::System::SystemServices::RtlGetVersion;
use windows_sys::Win32::Foundation::ERROR_ENVVAR_NOT_FOUND;
use windows_sys::Win32::Security::Cryptography::{
    CRYPT_INTEGER_BLOB, CRYPTPROTECT_LOCAL_MACHINE, CRYPTPROTECT_UI_FORBIDDEN, CryptProtectData, CryptUnprotectData,
};
use windows_sys::Win32::System::Power::{GetSystemPowerStatus, SYSTEM_POWER_STATUS};
use windows_sys::Win32::System::Shutdown::{
    InitiateSystemShutdownExW, SHTDN_REASON_FLAG_PLANNED, SHTDN_REASON_MAJOR_OPERATINGSYSTEM,
    SHTDN_REASON_MINOR_RECONFIG,
};
use windows_sys::Win32::System::SystemInformation::{
    ComputerNamePhysicalDnsHostname, GetComputerNameExW, GetSystemWindowsDirectoryW, OSVERSIONINFOW,
};
use zeroize::{Zeroize, Zeroizing};

use super::security::Local;
use super::wide::{until_zero, wide};
use super::{Windows, adapters, code, events, probe, token};
use crate::model::ProbeOutcome;
use crate::windows::machine::{Adapter, Cause, Host, Key, LogEvent, Registry as _, Sys, SysError};

/// SID of SYSTEM.
const SYSTEM: &str = "S-1-5-18";
/// What other programs of the machine would have to know besides. Not a secret: it keeps apart, it doesn't protect.
const ENTROPY: &[u8] = b"opsole: what a device keeps for itself, 1";
/// A battery flag of SYSTEM_POWER_STATUS: there is none.
const NO_BATTERY: u8 = 128;
/// ERROR_SHUTDOWN_IS_SCHEDULED and ERROR_SHUTDOWN_IN_PROGRESS.
const RESTARTS_ALREADY: [u32; 2] = [1190, 1115];

impl Host for Windows {
    fn computer_name(&self) -> Sys<String> {
        const CALL: &str = "GetComputerNameExW";
        let mut name = [0_u16; 256];
        let mut units = name.len() as u32;
        // The DNS name isn't cut at 15 characters as the NetBIOS one is, and isn't that of a cluster.
        // SAFETY: the buffer has the length that is said.
        if unsafe { GetComputerNameExW(ComputerNamePhysicalDnsHostname, name.as_mut_ptr(), &raw mut units) } == 0 {
            return Err(code::last(CALL, "this device"));
        }
        let name = until_zero(&name);
        if name.is_empty() { Err(code::unreadable(CALL, "this device", "no name came back")) } else { Ok(name) }
    }

    fn is_system(&self) -> Sys<bool> {
        Ok(token::me()?.as_str() == SYSTEM)
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn version(&self) -> Sys<(u32, u32, u32)> {
        let mut info =
            OSVERSIONINFOW { dwOSVersionInfoSize: size_of::<OSVERSIONINFOW>() as u32, ..OSVERSIONINFOW::default() };
        // SAFETY: the structure says how long it is.
        let got = unsafe { RtlGetVersion(&raw mut info) };
        if got < 0 {
            return Err(code::status("RtlGetVersion", "this device", got));
        }
        Ok((info.dwMajorVersion, info.dwMinorVersion, info.dwBuildNumber))
    }

    fn on_ac(&self) -> Sys<bool> {
        const CALL: &str = "GetSystemPowerStatus";
        let mut power = SYSTEM_POWER_STATUS::default();
        // SAFETY: the structure has its place.
        if unsafe { GetSystemPowerStatus(&raw mut power) } == 0 {
            return Err(code::last(CALL, "this device"));
        }
        match (power.ACLineStatus, power.BatteryFlag) {
            (1, _) => Ok(true),
            // 255 is "unknown" for both: its bit for "no battery" means nothing then.
            (_, flag) if flag != 255 && flag & NO_BATTERY != 0 => Ok(true),
            (0, _) => Ok(false),
            _ => Err(code::unreadable(CALL, "this device", "Windows doesn't know whether it runs on mains power")),
        }
    }

    fn adapters(&self) -> Sys<Vec<Adapter>> {
        adapters::list()
    }

    fn folder(&self, variable: &str) -> Sys<String> {
        let name = variable.trim_matches('%');
        // A process has its variables from whoever started it, and a service may have none; these folders are asked for.
        match name.to_lowercase().as_str() {
            "systemroot" => system_root(),
            "systemdrive" => Ok(system_root()?.chars().take(2).collect()),
            "programdata" => {
                let list = Key::machine(PROFILE_LIST);
                let folder = self.value(&list, "ProgramData")?.and_then(|value| value.text().map(str::to_owned));
                let folder =
                    folder.ok_or_else(|| code::unreadable("RegQueryValueExW", PROFILE_LIST, "no ProgramData"))?;
                let drive = self.folder("SystemDrive")?;
                let at = folder.to_lowercase().find("%systemdrive%");
                Ok(match at.and_then(|at| Some((folder.get(..at)?, folder.get(at + "%systemdrive%".len()..)?))) {
                    Some((before, after)) => format!("{before}{drive}{after}"),
                    None => folder,
                })
            }
            _ => variable_of_process(name),
        }
    }

    fn restart(&self, message: &str, after_secs: u32) -> Sys<()> {
        const CALL: &str = "InitiateSystemShutdownExW";
        token::enable(&[token::SHUTDOWN])?;
        let message = wide(CALL, message)?;
        let reason = SHTDN_REASON_MAJOR_OPERATINGSYSTEM | SHTDN_REASON_MINOR_RECONFIG | SHTDN_REASON_FLAG_PLANNED;
        // SAFETY: the message ends with a zero; no name means this device.
        let done = unsafe { InitiateSystemShutdownExW(ptr::null(), message.as_ptr(), after_secs, 1, 1, reason) };
        if done != 0 {
            return Ok(());
        }
        match code::last_code() {
            // It is asked again after the agent itself was restarted, and somebody else may have been quicker.
            got if RESTARTS_ALREADY.contains(&got) => Ok(()),
            got => Err(code::failed(CALL, "this device", got)),
        }
    }

    fn protect(&self, plain: &[u8]) -> Sys<Vec<u8>> {
        const CALL: &str = "CryptProtectData";
        let (data, entropy) = (blob(CALL, plain)?, blob(CALL, ENTROPY)?);
        let mut out = CRYPT_INTEGER_BLOB { cbData: 0, pbData: ptr::null_mut() };
        let flags = CRYPTPROTECT_LOCAL_MACHINE | CRYPTPROTECT_UI_FORBIDDEN;
        // SAFETY: both blobs live as long as the call and are only read; what comes back is taken over by `take`.
        let done = unsafe {
            CryptProtectData(
                &raw const data,
                ptr::null(),
                &raw const entropy,
                ptr::null(),
                ptr::null(),
                flags,
                &raw mut out,
            )
        };
        if done == 0 {
            return Err(code::last(CALL, "what the device keeps"));
        }
        // SAFETY: the call succeeded.
        Ok(unsafe { take(&out) }.to_vec())
    }

    fn unprotect(&self, protected: &[u8]) -> Sys<Zeroizing<Vec<u8>>> {
        const CALL: &str = "CryptUnprotectData";
        let (data, entropy) = (blob(CALL, protected)?, blob(CALL, ENTROPY)?);
        let mut out = CRYPT_INTEGER_BLOB { cbData: 0, pbData: ptr::null_mut() };
        // SAFETY: both blobs live as long as the call and are only read; what comes back is taken over by `take`.
        let done = unsafe {
            CryptUnprotectData(
                &raw const data,
                ptr::null_mut(),
                &raw const entropy,
                ptr::null(),
                ptr::null(),
                CRYPTPROTECT_UI_FORBIDDEN,
                &raw mut out,
            )
        };
        if done == 0 {
            let got = code::last_code();
            // Whatever the code: what was encrypted here and not changed can be decrypted here.
            let cause = if code::cause(got) == Cause::Other { Cause::Unreadable } else { code::cause(got) };
            return Err(SysError { cause, ..code::failed(CALL, "what the device keeps", got) });
        }
        // SAFETY: the call succeeded.
        Ok(unsafe { take(&out) })
    }

    fn events(&self, log: &str, ids: &[u32], max: usize) -> Sys<Vec<LogEvent>> {
        events::newest(log, ids, max)
    }

    fn probe(&self, host: &str, limit_secs: u32) -> Sys<ProbeOutcome> {
        probe::probe(host, limit_secs)
    }
}

/// Lends bytes to a call that only reads them, whatever its type says.
fn blob(call: &'static str, bytes: &[u8]) -> Sys<CRYPT_INTEGER_BLOB> {
    let length =
        u32::try_from(bytes.len()).map_err(|_| code::failed(call, "what the device keeps", code::INVALID_PARAMETER))?;
    Ok(CRYPT_INTEGER_BLOB { cbData: length, pbData: bytes.as_ptr().cast_mut() })
}

/// Takes what DPAPI handed out, and wipes and frees Windows' copy of it.
///
/// # Safety
/// The blob was filled by a call that succeeded, and isn't used after this.
unsafe fn take(out: &CRYPT_INTEGER_BLOB) -> Zeroizing<Vec<u8>> {
    if out.pbData.is_null() {
        return Zeroizing::default();
    }
    let memory = Local(out.pbData.cast());
    // SAFETY: Windows handed out so many bytes, and nobody else has them.
    let bytes = unsafe { std::slice::from_raw_parts_mut(memory.0.cast::<u8>(), out.cbData as usize) };
    let copy = Zeroizing::new(bytes.to_vec());
    bytes.zeroize();
    copy
}

/// Key of the profiles, whose values name the folders that are nobody's own \[K].
const PROFILE_LIST: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";

/// Folder of Windows itself, also where a terminal server gives each user one of their own.
fn system_root() -> Sys<String> {
    const CALL: &str = "GetSystemWindowsDirectoryW";
    let mut buffer = [0_u16; 260];
    let size = u32::try_from(buffer.len()).unwrap_or(0);
    // SAFETY: the buffer has that many characters.
    let written = unsafe { GetSystemWindowsDirectoryW(buffer.as_mut_ptr(), size) };
    match buffer.get(..written as usize).filter(|path| !path.is_empty()) {
        Some(path) => String::from_utf16(path).map_err(|_| code::unreadable(CALL, "this device", "it isn't Unicode")),
        None => Err(code::last(CALL, "this device")),
    }
}

fn variable_of_process(name: &str) -> Sys<String> {
    const CALL: &str = "GetEnvironmentVariableW";
    let missing = || code::failed(CALL, name, ERROR_ENVVAR_NOT_FOUND);
    // The standard library's function panics at nothing, but takes no name with these in it either.
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(missing());
    }
    let folder = match env::var(name) {
        Ok(folder) => folder,
        Err(env::VarError::NotPresent) => return Err(missing()),
        Err(env::VarError::NotUnicode(_)) => return Err(code::unreadable(CALL, name, "it isn't Unicode")),
    };
    let folder = folder.trim_end_matches('\\');
    if folder.is_empty() { Err(missing()) } else { Ok(folder.to_owned()) }
}
