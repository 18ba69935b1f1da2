//! What a number alone tells of a code that no table knows: who made it, and the number inside it.
//!
//! The parts of an HRESULT and an NTSTATUS, and which part of Windows a facility is, are general knowledge `[K]` but for
//! those that codes of domain.md B14 show: 0x801c, 0x8018, 0x8019, 0x8007, 0x8009, 0x8028, 0x8029, 0x8031, 0xcaa.

use super::foreign::{Mark, by_number};

/// A code that isn't in the tables, and what its number says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stranger {
    /// The code, as it is mostly written.
    pub code: String,
    /// What its number says.
    pub says: String,
    /// A code of the tables with the same number inside, whose page may help.
    pub like: Option<&'static str>,
    /// How well that is known.
    pub mark: Mark,
}

/// Errors of Win32 that turn up in moves, by number `[K]`.
const WIN32: &[(u32, &str)] = &[
    (2, "the file isn't there"),
    (3, "the path isn't there"),
    (5, "access is denied"),
    (13, "the data isn't valid"),
    (32, "another process uses it"),
    (50, "this isn't supported"),
    (87, "a parameter is wrong"),
    (112, "the disk is full"),
    (183, "it exists already"),
    (1168, "it isn't found"),
    (1312, "no such logon session"),
    (1317, "no such user"),
    (2691, "the device is joined to something already"),
    (2692, "the device isn't joined to a domain"),
    (2693, "the device is a domain controller"),
];

/// Errors of WinINet and WinHTTP, by number.
const INTERNET: &[(u32, &str)] = &[
    (12_002, "timed out"),
    (12_007, "the name isn't resolved"),
    (12_029, "no connection"),
    (12_030, "the connection was cut"),
    (12_175, "the secure connection fails"),
];

fn named(table: &[(u32, &'static str)], number: u32) -> Option<&'static str> {
    table.iter().find(|row| row.0 == number).map(|row| row.1)
}

/// Returns what an error number of Win32 says, with a code of the tables that says the same.
fn win32(number: u32) -> (String, Option<u32>) {
    let like = (number < 0x1_0000).then_some(0x8007_0000 | number);
    let text = if (12_000..12_200).contains(&number) {
        let what = named(INTERNET, number).map_or(String::new(), |what| format!(": {what}"));
        format!("number {number} of WinINet and WinHTTP, the network{what}")
    } else {
        let what = named(WIN32, number).map_or(String::new(), |what| format!(": {what}"));
        format!("Win32 error {number}{what}")
    };
    (text, like)
}

fn http(number: u32) -> String {
    format!("the server answered HTTP {number}")
}

/// Says what a number tells, and which other number tells the same.
fn decode(value: u32) -> (String, Mark, Option<u32>) {
    let (low, facility) = (value & 0xffff, value >> 16 & 0x7ff);
    if value < 0x1_0000 {
        let (text, like) = win32(value);
        return (text, Mark::Known, like);
    }
    if value >> 20 == 0xcaa {
        // 0xcaa8… carries a number of WinINet: 0xcaa82ee2 is 12002 (domain.md B14).
        let inner = if value >> 16 == 0xcaa8 { format!(" around {}", win32(low).0) } else { String::new() };
        let like = (value >> 16 == 0xcaa8).then_some(0x8007_0000 | low);
        return (format!("the sign-in library of Windows (ADAL, WAM){inner}"), Mark::Inferred, like);
    }
    if value >> 28 == 0xd {
        let inner = value & !0x1000_0000;
        return (format!("an HRESULT around the NTSTATUS 0x{inner:08x}"), Mark::Known, Some(inner));
    }
    if value >> 30 == 3 {
        let who = if value >> 16 == 0xc004 { ", of the cloud sign-in of Windows" } else { "" };
        return (format!("an NTSTATUS, an error of Windows itself{who}"), Mark::Known, None);
    }
    if value >> 31 == 0 {
        return ("not an error by its first bit".to_owned(), Mark::Known, None);
    }
    let (text, like) = match facility {
        0x01c => ("registration of devices (DSREG): join and discovery".to_owned(), None),
        0x018 => ("enrolment in mobile device management".to_owned(), None),
        0x019 if low < 1000 => (format!("HTTP from Windows: {}", http(low)), None),
        0x019 => (format!("HTTP from Windows, around {}", win32(low).0), Some(0x8007_0000 | low)),
        0x007 => {
            let (text, _) = win32(low);
            return (text, Mark::Known, None);
        }
        0x009 => ("keys, certificates and sign-in packages of Windows (SSPI)".to_owned(), None),
        0x028 => ("the TPM itself".to_owned(), None),
        0x029 => ("the TPM, as Windows uses it".to_owned(), None),
        0x031 => ("BitLocker".to_owned(), None),
        0x004 => ("a component's own error (COM): what it means depends on who wrote it".to_owned(), None),
        0x000 => ("a general error of COM: it says little".to_owned(), None),
        other => (format!("facility {other:#x}, which isn't known here"), None),
    };
    let mark = if matches!(facility, 0x01c | 0x018 | 0x019 | 0x009 | 0x028 | 0x029 | 0x031) {
        Mark::Inferred
    } else {
        Mark::Known
    };
    (format!("{text}; number {low:#x} there"), mark, like)
}

/// Says what the number of an unknown code tells.
pub(super) fn of_number(value: u32) -> Stranger {
    let (says, mark, like) = decode(value);
    Stranger { code: format!("0x{value:08x}"), says, like: like.and_then(by_number).map(|code| code.code), mark }
}

/// Says what is known of an AADSTS code that isn't in the tables.
pub(super) fn of_aadsts(digits: &str) -> Stranger {
    Stranger {
        code: format!("AADSTS{digits}"),
        says: format!(
            "a refusal of Entra's sign-in service; https://login.microsoftonline.com/error?code={digits} has its words"
        ),
        like: None,
        mark: Mark::Known,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Catches a code that is said to be somebody else's.
    #[test]
    fn facilities() {
        let says = |value: u32| decode(value).0;
        assert_eq!(says(0x8007_0005), "Win32 error 5: access is denied");
        assert_eq!(says(0x8007_2f76), "number 12150 of WinINet and WinHTTP, the network");
        assert!(says(0x801c_03f3).starts_with("registration of devices (DSREG)"));
        assert!(says(0x8018_0023).starts_with("enrolment"));
        assert_eq!(says(0x8019_01f4), "HTTP from Windows: the server answered HTTP 500; number 0x1f4 there");
        assert!(says(0x8029_0401).starts_with("the TPM, as"));
        assert!(says(0x8031_0024).starts_with("BitLocker"));
        assert!(says(0xc000_0022).starts_with("an NTSTATUS"));
        assert!(says(0xcaa8_2ee7).contains("around number 12007"));
        assert_eq!(of_number(0xcaa8_2ee7).like, Some("0x80072ee7"));
        assert_eq!(of_number(0xd000_006d).like, Some("0xc000006d"));
        assert_eq!(of_number(183).like, Some("0x800700b7"));
        assert!(says(5).ends_with("access is denied"));
    }

    proptest! {
        /// Catches a number that panics, or of which nothing is said.
        #[test]
        fn every_number_says_something(value in any::<u32>()) {
            let stranger = of_number(value);
            prop_assert!(stranger.says.len() > 8 && stranger.code.len() == 10);
        }
    }
}
