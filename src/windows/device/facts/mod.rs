//! What is read of a device. Each part is an error where it can't be read; what isn't there is absent.

mod bitlocker;
mod identities;
mod join;
mod logon;
mod mdm;
mod profiles;
mod sign_in;

use super::{Inner, Result, tables, unreadable};
use crate::model::{DeviceFacts, Identity, LapsTarget, LocalMembership, Sid, Staging};
use crate::windows::install;
use crate::windows::machine::{Key, StartKind};

impl Inner {
    /// Reads all facts.
    pub(super) fn facts(&self) -> Result<DeviceFacts> {
        let entra = self.entra_join()?;
        let profiles = self.profiles()?;
        Ok(DeviceFacts {
            identity: self.identity()?,
            domain: self.domain_join()?,
            mdm: self.mdm()?,
            configmgr: self.machine.service(tables::CONFIGMGR_SERVICES[0])?.is_some(),
            bitlocker: self.bitlocker()?,
            laps: self.laps()?,
            local_members: self.local_members()?,
            logon: self.logon_surface()?,
            cached_identities: self.cached_identities(&profiles)?,
            staging: self.staging()?,
            sign_in: self.sign_in(entra.is_some())?,
            pending_reboot: self.pending_reboot()?,
            on_ac: self.machine.on_ac()?,
            free_mib: self.machine.volume(&format!("{}\\", self.machine.folder("SystemDrive")?))?.free_mib,
            profiles,
            entra,
        })
    }
    /// Returns a text below HKLM; none where it isn't there or is empty.
    pub(super) fn text(&self, key: &str, name: &str) -> Result<Option<String>> {
        let value = self.machine.value(&Key::machine(key), name)?;
        Ok(value
            .and_then(|value| value.text().map(|text| text.trim_end_matches('\0').to_owned()))
            .filter(|t| !t.is_empty()))
    }
    /// Returns a number below HKLM, also one that stands there as text.
    pub(super) fn number(&self, key: &str, name: &str) -> Result<Option<u64>> {
        let value = self.machine.value(&Key::machine(key), name)?;
        Ok(value.and_then(|value| value.number().or_else(|| value.text().and_then(|text| text.trim().parse().ok()))))
    }
    fn identity(&self) -> Result<Identity> {
        let bios = self.machine.query(r"root\cimv2", "SELECT SerialNumber FROM Win32_BIOS")?.unwrap_or_default();
        let serial = bios.first().and_then(|row| row.get("SerialNumber")).and_then(|cell| cell.text());
        let serial = serial.map(str::trim).ok_or_else(|| unreadable("Win32_BIOS", "it has no serial number"))?;
        let edition = self.text(tables::CURRENT_VERSION, "EditionID")?;
        Ok(Identity {
            name: self.machine.computer_name()?,
            serial: serial.to_owned(),
            edition: edition.ok_or_else(|| unreadable(tables::CURRENT_VERSION, "it has no EditionID"))?,
            build: self.machine.version()?.2,
        })
    }
    /// The first policy root that says anything is the one that counts (domain.md B9).
    fn laps(&self) -> Result<LapsTarget> {
        for (name, key) in tables::LAPS {
            if name == "legacy" {
                // The old LAPS knows Active Directory only; `AdmPwdEnabled` \[K].
                if self.number(key, "AdmPwdEnabled")? == Some(1) {
                    return Ok(LapsTarget::Ad);
                }
            } else if let Some(target) = self.number(key, "BackupDirectory")? {
                return Ok(match target {
                    1 => LapsTarget::Entra,
                    2 => LapsTarget::Ad,
                    _ => LapsTarget::None,
                });
            }
        }
        Ok(LapsTarget::None)
    }
    /// Members of local groups that come from a domain or from Entra.
    pub(in crate::windows::device) fn local_members(&self) -> Result<Vec<LocalMembership>> {
        let own = format!("{}-", self.machine.machine_sid()?);
        let from_outside = |sid: &Sid| sid.is_entra() || (sid.is_domain_or_local() && !sid.as_str().starts_with(&own));
        let mut members = Vec::new();
        for group in self.machine.local_groups()? {
            for member in self.machine.members(&group)?.into_iter().filter(from_outside) {
                members.push(LocalMembership { group: group.clone(), member });
            }
        }
        members.sort();
        members.dedup();
        Ok(members)
    }
    fn staging(&self) -> Result<Staging> {
        let own = self.own()?;
        let service = self.machine.service(install::SERVICE)?;
        let admin = self.machine.local_users()?;
        let admin =
            admin.iter().any(|user| user.name.eq_ignore_ascii_case(crate::model::RECOVERY_ACCOUNT) && user.enabled);
        let package = self.package_path()?;
        Ok(Staging {
            boot_start: own.armed && service.is_some_and(|service| service.start == StartKind::Auto),
            // Proven, and still there: somebody may have removed the account since.
            recovery_admin_proven: own.recovery_proven && admin,
            banner: own.banner,
            package_file: if self.machine.exists(&package)? { own.package } else { None },
            auto_rejoin_off: own.rejoin_off,
            installed_package: own.installed,
            recorded: own.recorded,
        })
    }
    fn pending_reboot(&self) -> Result<bool> {
        for key in tables::PENDING_REBOOT {
            if self.machine.values(&Key::machine(key))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
