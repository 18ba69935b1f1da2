//! Output of `Get-Tpm`, and the version that `Win32_Tpm` gives.
//!
//! Names and values stand in two columns that a colon parts (Microsoft's page on Get-Tpm; domain.md C3). On a device
//! `Win32_Tpm` is asked instead; this text is for support bundles.

use super::FormatError;
use crate::model::Known;

/// What is printed of a TPM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmText {
    /// Names and values in order.
    pub entries: Vec<(String, String)>,
}

impl TpmText {
    /// Reads the output; blank lines in the middle are part of it.
    ///
    /// # Errors
    /// Where no line names anything of a TPM.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let lines = text.trim_start_matches('\u{feff}').lines();
        let entries: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .filter(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()))
            .collect();
        if entries.iter().any(|(name, _)| name.eq_ignore_ascii_case("TpmPresent")) {
            Ok(Self { entries })
        } else {
            Err(FormatError::new("no line says whether there is a TPM, so it isn't the output of Get-Tpm", 0))
        }
    }
    /// Returns a value, its name compared without case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
    /// Returns `TpmPresent`, `TpmReady`, `LockedOut` and the like. A line that isn't there isn't a no.
    #[must_use]
    pub fn flag(&self, name: &str) -> Known<bool> {
        match self.get(name) {
            Some(text) if text.eq_ignore_ascii_case("True") => Known::Known(true),
            Some(text) if text.eq_ignore_ascii_case("False") => Known::Known(false),
            Some(text) => Known::Unknown(format!("{name} is `{text}`")),
            None => Known::Unknown(format!("the output has no {name}")),
        }
    }
}

/// Returns the version of a TPM's specification out of `SpecVersion`, such as `2.0, 0, 1.59`: the first field (domain.md
/// C3). None where it isn't a version, as of a TPM that doesn't answer (`Not Supported`, `[K]`).
#[must_use]
pub fn spec_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split(',').next()?.trim().split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../tests/samples/get-tpm.txt");

    /// Catches a reader that stops at the blank line in the middle, or takes an empty value for a missing one.
    #[test]
    fn the_sample_of_the_documentation() {
        let tpm = TpmText::parse(SAMPLE).expect("a TPM");
        assert_eq!(tpm.flag("tpmready"), Known::Known(true));
        assert_eq!((tpm.flag("LockedOut"), tpm.get("OwnerAuth")), (Known::Known(false), Some("")));
        assert_eq!((tpm.get("SelfTest"), tpm.get("LockoutHealTime")), (Some("{}"), Some("10 minutes")));
        assert!(tpm.flag("TpmFlying").unknown().is_some() && tpm.flag("OwnerAuth").unknown().is_some());
        assert!(TpmText::parse("Name : x").is_err());
    }

    /// Catches a test of the whole text, which has more in it than the version.
    #[test]
    fn the_first_field_is_the_version() {
        assert_eq!((spec_version("2.0, 0, 1.59"), spec_version("1.2, 2, 3")), (Some((2, 0)), Some((1, 2))));
        assert_eq!((spec_version("2.0"), spec_version("Not Supported"), spec_version("")), (Some((2, 0)), None, None));
    }
}
