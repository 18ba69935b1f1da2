//! The provisioning package (domain.md B3 step 7, B11). Other people's packages are never removed (B13, 7).

use base64::Engine as _;
use zeroize::Zeroizing;

use super::super::before::Purpose;
use super::super::{Inner, Result, tables};
use super::volume::tail;
use crate::model::{Digest, PackageName, PackageRecord, Problem, Retry};
use crate::windows::machine::{Cause, Program, Ran, Value};

/// Seconds for an installation.
const INSTALL_SECS: u32 = 600;
/// Longest package that is read back, in bytes.
const PACKAGE_MAX: u64 = 256 << 20;

/// Quotes for PowerShell: within single quotes only those count, and are doubled.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Inner {
    /// Where the package lies. Its name in the plan isn't part of the path: it could be any text.
    pub(in crate::windows::device) fn package_path(&self) -> Result<String> {
        Ok(format!("{}\\package.ppkg", self.private()?))
    }
    pub(super) fn place(&self, name: &PackageName, sha256: Digest, content: &str) -> Result<()> {
        if self.own()?.recorded.is_none() {
            return Err(self.not_staged());
        }
        let bytes = base64::engine::general_purpose::STANDARD.decode(content).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| Problem::new("device.package-invalid", "the package's bytes aren't base64"))?;
        if Digest::of(&bytes) != sha256 {
            let message = format!("package {name} isn't the one that was agreed");
            return Err(Problem::new("device.package-digest", message)
                .next("deliver the package again, or put its new digest into the plan"));
        }
        self.ensure_private()?;
        let path = self.package_path()?;
        self.machine.write(&path, &bytes)?;
        let there = self.machine.read(&path, PACKAGE_MAX)?.map(Zeroizing::new);
        self.taken(there.is_some_and(|there| Digest::of(&there) == sha256), || path.clone())?;
        self.set_own(|own| own.package = Some(name.clone()))
    }
    pub(super) fn wipe(&self) -> Result<()> {
        let path = self.package_path()?;
        if self.machine.exists(&path)? {
            self.machine.remove(&path)?;
            self.taken(!self.machine.exists(&path)?, || path.clone())?;
        }
        self.set_own(|own| own.package = None)
    }
    pub(super) fn install(&self, name: &PackageName) -> Result<()> {
        let own = self.own()?;
        let path = self.package_path()?;
        if own.package.as_ref() != Some(name) || !self.machine.exists(&path)? {
            return Err(Problem::new("device.package-missing", format!("package {name} isn't on the device"))
                .next("place the package first")
                .retry(Retry::Soon));
        }
        // Accepted already, and Entra joined alone since: installing it again would only use up a join.
        let done = own.installed.as_ref().is_some_and(|record| record.name == *name);
        if done && self.machine.domain()?.is_none() && self.machine.entra()?.is_some() {
            return Ok(());
        }
        for (key, value, number) in tables::PACKAGE_POLICIES {
            self.set_value(Purpose::Package, key, value, &Value::Dword(number))?;
        }
        // The package's own join is one that joining by itself would stand in the way of \[I].
        let blocked = tables::NO_REJOIN[1].0;
        if self.number(tables::WORKPLACE_JOIN, blocked)?.is_some() {
            self.set_value(Purpose::Rejoin, tables::WORKPLACE_JOIN, blocked, &Value::Dword(0))?;
        }
        let ran = self.run_install(&path)?;
        self.put_back(Purpose::Package)?;
        let kept = format!("exit code {:#010x}\r\n{}\r\n{}", ran.code, ran.output, ran.error);
        self.machine.write(&format!("{}\\package.log", self.private()?), kept.as_bytes())?;
        if ran.code != 0 {
            let said = if ran.error.trim().is_empty() { &ran.output } else { &ran.error };
            return Err(Problem::new("device.package-refused", format!("Windows refused package {name}"))
                .next("explain the code: `opsole explain CODE`; the whole output lies in the protected folder")
                .detail(format!("{:#010x} {}", ran.code, tail(said)))
                .retry(Retry::Soon));
        }
        let at = self.machine.now();
        self.set_own(|own| own.installed = Some(PackageRecord { name: name.clone(), at }))
    }
    fn run_install(&self, path: &str) -> Result<Ran> {
        let logs = format!("{}\\package-logs", self.private()?);
        self.private_folder(&logs)?;
        let script = format!(
            "$ErrorActionPreference = 'Stop'; Install-ProvisioningPackage -PackagePath {} -QuietInstall -ForceInstall \
             -LogsDirectoryPath {}",
            quoted(path),
            quoted(&logs)
        );
        let arguments = ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-Command", &script];
        match self.machine.run(Program::PowerShell, &arguments, INSTALL_SECS) {
            Err(error) if error.cause == Cause::NotThere => {
                let package = format!("/PackagePath:{path}");
                let arguments = ["/Online", "/Add-ProvisioningPackage", &package, "/Quiet"];
                Ok(self.machine.run(Program::Dism, &arguments, INSTALL_SECS)?)
            }
            ran => Ok(ran?),
        }
    }
}
