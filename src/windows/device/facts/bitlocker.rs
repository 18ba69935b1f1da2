//! Encryption of the system volume, over `Win32_EncryptableVolume` (Microsoft's reference of that class).

use super::super::{Inner, Result, tables, unreadable};
use crate::model::{BitLocker, KeyId, Problem, Protector, Retry};
use crate::windows::machine::{Cell, Row};

/// `KeyProtectorType` of a recovery password.
const NUMERICAL_PASSWORD: i64 = 3;

impl Inner {
    /// Returns the path of the system volume's instance; none where this Windows has no BitLocker.
    pub(in crate::windows::device) fn volume_path(&self) -> Result<Option<String>> {
        let drive = self.machine.folder("SystemDrive")?;
        let query = format!("SELECT * FROM Win32_EncryptableVolume WHERE DriveLetter = '{drive}'");
        let Some(rows) = self.machine.query(tables::BITLOCKER, &query)? else { return Ok(None) };
        let path = rows.first().and_then(|row| row.get("__PATH")).and_then(Cell::text).map(str::to_owned);
        Ok(path)
    }
    /// Calls a method of the system volume that has to come to 0.
    pub(in crate::windows::device) fn volume_call(
        &self,
        volume: &str,
        method: &'static str,
        arguments: &[(&str, Cell)],
    ) -> Result<Row> {
        let arguments = arguments.iter().map(|(name, cell)| ((*name).to_owned(), cell.clone())).collect();
        let row = self.machine.call(tables::BITLOCKER, volume, method, &arguments)?;
        match row.get("ReturnValue").and_then(Cell::number) {
            Some(0) => Ok(row),
            Some(code) => Err(Problem::new("device.bitlocker", format!("{method} of the system volume failed"))
                .next("explain the code: `opsole explain CODE`")
                .detail(format!("{:#010x}", code & 0xffff_ffff))
                .retry(Retry::Soon)),
            None => Err(unreadable(method, "it has no ReturnValue")),
        }
    }
    fn volume_number(&self, volume: &str, method: &'static str, name: &str) -> Result<i64> {
        let row = self.volume_call(volume, method, &[])?;
        row.get(name).and_then(Cell::number).ok_or_else(|| unreadable(method, format!("it has no {name}")))
    }
    /// Returns the ids of the recovery passwords, as Windows writes them: with braces.
    pub(in crate::windows::device) fn recovery_passwords(&self, volume: &str) -> Result<Vec<String>> {
        let wanted = [("KeyProtectorType", Cell::Number(NUMERICAL_PASSWORD))];
        let row = self.volume_call(volume, "GetKeyProtectors", &wanted)?;
        Ok(row.get("VolumeKeyProtectorID").and_then(Cell::texts).unwrap_or_default().to_vec())
    }
    /// The encryption.
    pub(in crate::windows::device) fn bitlocker(&self) -> Result<BitLocker> {
        let none = BitLocker { encrypted: false, converting: false, suspended_reboots: 0, protectors: Vec::new() };
        let Some(volume) = self.volume_path()? else { return Ok(none) };
        // 0 decrypted, 1 encrypted, 2 to 5 under way or paused there.
        let conversion = self.volume_number(&volume, "GetConversionStatus", "ConversionStatus")?;
        let encrypted = conversion != 0;
        let mut protectors = Vec::new();
        for id in self.recovery_passwords(&volume)? {
            let uuid = id.trim_matches(['{', '}']).parse().map_err(|e| unreadable("the id of a protector", e))?;
            protectors.push(Protector { id: KeyId(uuid) });
        }
        Ok(BitLocker {
            encrypted,
            converting: (2..=5).contains(&conversion),
            suspended_reboots: if encrypted { self.suspended(&volume)? } else { 0 },
            protectors,
        })
    }
    fn suspended(&self, volume: &str) -> Result<u8> {
        if self.volume_number(volume, "GetProtectionStatus", "ProtectionStatus")? != 0 {
            return Ok(0);
        }
        // 0 restarts while it is off means until somebody switches it on: more than any number says.
        match self.volume_number(volume, "GetSuspendCount", "SuspendCount")? {
            0 => Ok(u8::MAX),
            count => Ok(u8::try_from(count).unwrap_or(u8::MAX)),
        }
    }
}
