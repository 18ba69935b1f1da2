//! `Win32_EncryptableVolume` of one volume: the methods that Microsoft documents for it.

use std::collections::BTreeMap;

use super::{State, lower};
use crate::windows::machine::{Cell, Row};

/// Where the class lives.
const NAMESPACE: &str = r"root\cimv2\security\microsoftvolumeencryption";
/// FVE_E_NOT_ENCRYPTED.
const NOT_ENCRYPTED: i64 = 0x8031_0001;

/// Encryption of the volume `C:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// `GetConversionStatus`: 0 decrypted, 1 encrypted, 2 and 3 under way, 4 and 5 paused.
    pub conversion: i64,
    /// Restarts for which protection is off; none while it is on. 0 is until somebody switches it on.
    pub suspended: Option<i64>,
    /// Recovery passwords' ids with braces, upper case.
    pub passwords: Vec<String>,
}

impl Encryption {
    /// Counts a restart.
    pub(super) fn restarted(&mut self) {
        self.suspended = match self.suspended {
            Some(1) | None => None,
            Some(0) => Some(0),
            Some(left) => Some(left - 1),
        };
    }
}

fn row(cells: impl IntoIterator<Item = (&'static str, Cell)>) -> Row {
    cells.into_iter().map(|(name, cell)| (name.to_owned(), cell)).collect::<BTreeMap<_, _>>()
}

/// Returns the instances, where it is this class.
pub(super) fn rows(state: &State, namespace: &str, class: &str) -> Option<Vec<Row>> {
    let encryption = state.encryption.as_ref()?;
    if lower(namespace) != NAMESPACE || class != "win32_encryptablevolume" {
        return None;
    }
    let on = encryption.conversion == 1 && encryption.suspended.is_none();
    Some(vec![row([
        ("__PATH", Cell::Text(format!("\\\\{}\\{NAMESPACE}:Win32_EncryptableVolume.DeviceID=\"c\"", state.name))),
        ("DriveLetter", Cell::Text("C:".to_owned())),
        ("ProtectionStatus", Cell::Number(i64::from(on))),
    ])])
}

/// Calls a method, where it is one of this class.
pub(super) fn call(state: &mut State, namespace: &str, object: &str, method: &str, arguments: &Row) -> Option<Row> {
    if lower(namespace) != NAMESPACE || !object.contains("Win32_EncryptableVolume") {
        return None;
    }
    let count = state.encryption.as_ref()?.passwords.len();
    let encryption = state.encryption.as_mut()?;
    let answer = |code: i64, rest: Vec<(&'static str, Cell)>| {
        Some(row(rest.into_iter().chain([("ReturnValue", Cell::Number(code))])))
    };
    let encrypted = encryption.conversion != 0;
    match method {
        "GetConversionStatus" => answer(0, vec![("ConversionStatus", Cell::Number(encryption.conversion))]),
        "GetProtectionStatus" => {
            let on = encryption.conversion == 1 && encryption.suspended.is_none();
            answer(0, vec![("ProtectionStatus", Cell::Number(i64::from(on)))])
        }
        "GetSuspendCount" if encrypted => {
            answer(0, vec![("SuspendCount", Cell::Number(encryption.suspended.unwrap_or(0)))])
        }
        "GetKeyProtectors" => answer(0, vec![("VolumeKeyProtectorID", Cell::Texts(encryption.passwords.clone()))]),
        "DisableKeyProtectors" if encrypted => {
            encryption.suspended = Some(arguments.get("DisableCount").and_then(Cell::number).unwrap_or(1));
            answer(0, Vec::new())
        }
        "EnableKeyProtectors" if encrypted => {
            encryption.suspended = None;
            answer(0, Vec::new())
        }
        "ProtectKeyWithNumericalPassword" if encrypted => {
            let id = format!("{{00000000-0000-4000-8000-{count:012X}}}");
            encryption.passwords.push(id.clone());
            answer(0, vec![("VolumeKeyProtectorID", Cell::Text(id))])
        }
        "GetSuspendCount" | "DisableKeyProtectors" | "EnableKeyProtectors" | "ProtectKeyWithNumericalPassword" => {
            answer(NOT_ENCRYPTED, Vec::new())
        }
        _ => None,
    }
}
