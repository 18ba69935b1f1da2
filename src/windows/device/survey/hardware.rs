//! Windows, memory, disk, processor and TPM, from WMI (Microsoft's references of the named classes).

use super::super::{Inner, Result, tables, unreadable};
use super::known;
use crate::model::{Hardware, Known, Tpm, Windows};
use crate::windows::machine::{Cell, Row};

const CIM: &str = r"root\cimv2";
const TPM: &str = r"root\cimv2\Security\MicrosoftTpm";
const STORAGE: &str = r"root\Microsoft\Windows\Storage";

/// Returns a number, also one that WMI gives as text, as it does with 64 bit ones.
fn number(row: &Row, name: &str) -> Option<u64> {
    let cell = row.get(name)?;
    cell.number().and_then(|number| u64::try_from(number).ok()).or_else(|| cell.text()?.parse().ok())
}

impl Inner {
    fn rows(&self, namespace: &str, query: &str) -> Result<Vec<Row>> {
        self.machine.query(namespace, query)?.ok_or_else(|| unreadable(query, "this Windows doesn't have the class"))
    }
    pub(super) fn windows(&self) -> Result<Windows> {
        let rows = self.rows(CIM, "SELECT Caption, OSArchitecture FROM Win32_OperatingSystem")?;
        let row = rows.first().ok_or_else(|| unreadable("Win32_OperatingSystem", "it has no instance"))?;
        let build = self.machine.version()?.2;
        let bits = row.get("OSArchitecture").and_then(Cell::text);
        let bits = bits.ok_or_else(|| unreadable("Win32_OperatingSystem", "it has no OSArchitecture"))?;
        // Windows 11 begins with build 22000; the registry still calls it Windows 10 \[K].
        let product = match row.get("Caption").and_then(Cell::text) {
            Some(text) if text.contains("Server") => text.trim().to_owned(),
            _ if build >= 22_000 => "Windows 11".to_owned(),
            _ if build >= 10_240 => "Windows 10".to_owned(),
            other => other.unwrap_or("Windows").trim().to_owned(),
        };
        Ok(Windows { product, build, is_64_bit: bits.contains("64") })
    }
    pub(super) fn hardware(&self) -> Hardware {
        Hardware {
            memory_mib: known(self.memory_mib()),
            system_volume_mib: known(self.volume_mib()),
            cores: known(self.cores()),
            disk_trouble: known(self.disk_trouble()),
        }
    }
    fn memory_mib(&self) -> Result<u64> {
        let rows = self.rows(CIM, "SELECT TotalPhysicalMemory FROM Win32_ComputerSystem")?;
        let bytes = rows.first().and_then(|row| number(row, "TotalPhysicalMemory"));
        Ok(bytes.ok_or_else(|| unreadable("Win32_ComputerSystem", "it has no TotalPhysicalMemory"))? >> 20)
    }
    fn volume_mib(&self) -> Result<u64> {
        Ok(self.machine.volume(&format!("{}\\", self.machine.folder("SystemDrive")?))?.size_mib)
    }
    fn cores(&self) -> Result<u32> {
        let rows = self.rows(CIM, "SELECT NumberOfCores FROM Win32_Processor")?;
        let sum: u64 = rows.iter().filter_map(|row| number(row, "NumberOfCores")).sum();
        u32::try_from(sum)
            .ok()
            .filter(|cores| *cores > 0)
            .ok_or_else(|| unreadable("Win32_Processor", "it has no cores"))
    }
    fn disk_trouble(&self) -> Result<Option<String>> {
        let rows = self.rows(STORAGE, "SELECT FriendlyName, HealthStatus FROM MSFT_PhysicalDisk")?;
        // HealthStatus: 0 healthy, 1 warning, 2 unhealthy, 5 unknown.
        let sick = rows.iter().find(|row| matches!(number(row, "HealthStatus"), Some(1 | 2)));
        Ok(sick.map(|row| {
            let name = row.get("FriendlyName").and_then(Cell::text).unwrap_or("a disk");
            let word = if number(row, "HealthStatus") == Some(1) { "warning" } else { "unhealthy" };
            format!("{name}: {word}")
        }))
    }
    pub(super) fn tpm(&self) -> Known<Tpm> {
        match self.read_tpm() {
            Ok(tpm) => Known::found(tpm),
            Err(problem) => Known::Unknown(super::reason(&problem)),
        }
    }
    fn read_tpm(&self) -> Result<Option<Tpm>> {
        let Some(rows) = self.machine.query(TPM, "SELECT * FROM Win32_Tpm")? else { return Ok(None) };
        let Some(row) = rows.first() else { return Ok(None) };
        let yes = |name: &str| row.get(name).and_then(Cell::bool) == Some(true);
        let version = row.get("SpecVersion").and_then(Cell::text).and_then(|text| text.split(',').next());
        let version = version.ok_or_else(|| unreadable("Win32_Tpm", "it has no SpecVersion"))?.trim().to_owned();
        let path = row.get("__PATH").and_then(Cell::text).ok_or_else(|| unreadable("Win32_Tpm", "it has no path"))?;
        let locked = self.machine.call(TPM, path, "IsLockedOut", &Row::new())?;
        Ok(Some(Tpm {
            // Only a TPM before 2.0 has the trouble with FIPS (domain.md B14); a later one's mode doesn't matter.
            fips: version != "2.0" && self.fips()?,
            ready: yes("IsEnabled_InitialValue") && yes("IsActivated_InitialValue"),
            locked_out: locked.get("IsLockedOut").and_then(Cell::bool).unwrap_or(false),
            version,
        }))
    }
    fn fips(&self) -> Result<bool> {
        Ok(self.number(tables::FIPS, "Enabled")? == Some(1))
    }
}
