//! The machine itself, its joins, certificates and programs, in memory.

use std::sync::Arc;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{Memory, lower};
use crate::model::ProbeOutcome;
use crate::port::at_rest::{NONCE_BYTES, lock, unlock};
use crate::windows::machine::{
    AadJoin, Adapter, Cause, Certificate, Certificates, Host, Joins, LogEvent, Program, Programs, Ran, Sys, SysError,
};

/// NTE_BAD_DATA of CryptUnprotectData: ERROR_INVALID_DATA.
const INVALID_DATA: u32 = 13;
/// ERROR_ENVVAR_NOT_FOUND.
const NO_VARIABLE: u32 = 203;

impl Programs for Memory {
    fn run(&self, program: Program, arguments: &[&str], _limit_secs: u32) -> Sys<Ran> {
        let mut state = self.write("CreateProcess", &format!("{} {}", program.path(), arguments.join(" ")))?;
        match state.programs.get(&program).map(Arc::clone) {
            Some(does) => does(&mut state, arguments),
            None => Err(SysError::new("CreateProcess", program.path(), Cause::NotThere, 2, "ERROR_FILE_NOT_FOUND")),
        }
    }
}

impl Joins for Memory {
    fn domain(&self) -> Sys<Option<String>> {
        Ok(self.read("NetGetJoinInformation", "the machine")?.domain.clone())
    }
    fn entra(&self) -> Sys<Option<AadJoin>> {
        Ok(self.read("NetGetAadJoinInformation", "the machine")?.entra.clone())
    }
    fn unjoin(&self) -> Sys<()> {
        // NetGetJoinInformation names the workgroup at once; tokens and policies stay until the restart.
        self.write("NetUnjoinDomain", "the machine")?.domain = None;
        Ok(())
    }
}

impl Certificates for Memory {
    fn certificates(&self) -> Sys<Vec<Certificate>> {
        Ok(self.read("CertEnumCertificatesInStore", "My")?.certificates.clone())
    }
    fn remove_certificate(&self, thumbprint: &str) -> Sys<()> {
        let mut state = self.write("CertDeleteCertificateFromStore", thumbprint)?;
        state.certificates.retain(|certificate| !certificate.thumbprint.eq_ignore_ascii_case(thumbprint));
        Ok(())
    }
}

impl Host for Memory {
    fn computer_name(&self) -> Sys<String> {
        Ok(self.read("GetComputerNameEx", "the machine")?.name.clone())
    }
    fn is_system(&self) -> Sys<bool> {
        Ok(self.read("GetTokenInformation", "this process")?.is_system)
    }
    fn now(&self) -> Timestamp {
        self.with(|state| state.now)
    }
    fn version(&self) -> Sys<(u32, u32, u32)> {
        Ok(self.read("RtlGetVersion", "the machine")?.version)
    }
    fn on_ac(&self) -> Sys<bool> {
        Ok(self.read("GetSystemPowerStatus", "the machine")?.on_ac)
    }
    fn adapters(&self) -> Sys<Vec<Adapter>> {
        Ok(self.read("GetAdaptersAddresses", "the machine")?.adapters.clone())
    }
    fn folder(&self, variable: &str) -> Sys<String> {
        let state = self.read("GetEnvironmentVariable", variable)?;
        let found = state.folders.get(&lower(variable.trim_matches('%'))).cloned();
        found.ok_or_else(|| {
            let text = "ERROR_ENVVAR_NOT_FOUND";
            SysError::new("GetEnvironmentVariable", variable, Cause::Other, NO_VARIABLE, text)
        })
    }
    fn restart(&self, _message: &str, _after_secs: u32) -> Sys<()> {
        self.write("InitiateSystemShutdownEx", "the machine")?.restarting = true;
        Ok(())
    }
    fn protect(&self, plain: &[u8]) -> Sys<Vec<u8>> {
        let state = self.read("CryptProtectData", "bytes")?;
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)
            .map_err(|e| SysError::new("CryptProtectData", "bytes", Cause::Other, 0, e.to_string()))?;
        Ok(lock(&state.key, nonce, "machine", plain))
    }
    fn unprotect(&self, protected: &[u8]) -> Sys<Zeroizing<Vec<u8>>> {
        let state = self.read("CryptUnprotectData", "bytes")?;
        unlock(&state.key, "machine", protected).ok_or_else(|| {
            SysError::new("CryptUnprotectData", "bytes", Cause::Unreadable, INVALID_DATA, "ERROR_INVALID_DATA")
        })
    }
    fn events(&self, log: &str, ids: &[u32], max: usize) -> Sys<Vec<LogEvent>> {
        let state = self.read("EvtQuery", log)?;
        let wanted = |(name, event): &&(String, LogEvent)| name.eq_ignore_ascii_case(log) && ids.contains(&event.id);
        Ok(state.events.iter().filter(wanted).take(max).map(|(_, event)| event.clone()).collect())
    }
    fn probe(&self, host: &str, _limit_secs: u32) -> Sys<ProbeOutcome> {
        let state = self.read("InternetOpenUrl", host)?;
        Ok(state.network.get(host).cloned().unwrap_or(ProbeOutcome::Reached))
    }
}
