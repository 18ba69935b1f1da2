//! Output of `manage-bde -status` and `manage-bde -protectors -get`.
//!
//! Volumes are headings, keys stand four blanks deep, members of a list eight (domain.md C2). Windows in other languages
//! prints other words `[K]`, so a device asks `Win32_EncryptableVolume`; this text is for support bundles, and what isn't
//! understood in it is unknown.

use super::FormatError;
use crate::model::Known;

/// What is printed of one volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// `C:`.
    pub letter: String,
    /// Its label; may be empty.
    pub label: String,
    /// `OS Volume`, `Data Volume`; none where it isn't printed.
    pub kind: Option<String>,
    /// Keys and values in order.
    pub entries: Vec<(String, String)>,
    /// Protectors, as printed: `TPM`, `Numerical Password`. None where none is printed at all, which isn't the same as
    /// a list that says `None Found`.
    pub protectors: Option<Vec<String>>,
    /// Where a protector is backed up to, of every `Backup type:` list: `AD backup`, `AAD backup`, `Printed`. Which
    /// tenant that is it doesn't say.
    pub backups: Vec<String>,
}

/// How far a volume is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// `Fully Decrypted`.
    Decrypted,
    /// `Fully Encrypted`, `Used Space Only Encrypted`.
    Encrypted,
    /// Encryption or decryption is under way or paused.
    Converting,
}

impl Volume {
    /// Returns a value, its key compared without case.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|(own, _)| own.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }
    /// Returns `Conversion Status`.
    #[must_use]
    pub fn conversion(&self) -> Known<Conversion> {
        let Some(text) = self.get("Conversion Status") else { return no("Conversion Status") };
        match text.to_ascii_lowercase().as_str() {
            "fully decrypted" => Known::Known(Conversion::Decrypted),
            "fully encrypted" | "used space only encrypted" => Known::Known(Conversion::Encrypted),
            "encryption in progress" | "decryption in progress" | "encryption paused" | "decryption paused" => {
                Known::Known(Conversion::Converting)
            }
            _ => Known::Unknown(format!("Conversion Status is `{text}`")),
        }
    }
    /// Returns whether protection is on. Off while it is encrypted means suspended, not decrypted: ask
    /// [`Volume::conversion`] too.
    #[must_use]
    pub fn protection(&self) -> Known<bool> {
        let Some(text) = self.get("Protection Status") else { return no("Protection Status") };
        match text.to_ascii_lowercase() {
            on if on.starts_with("protection on") => Known::Known(true),
            off if off.starts_with("protection off") => Known::Known(false),
            _ => Known::Unknown(format!("Protection Status is `{text}`")),
        }
    }
    /// Returns `Percentage Encrypted` in tenths of a percent. English words stand beside a decimal comma on devices with
    /// other number formats.
    #[must_use]
    pub fn permille(&self) -> Option<u32> {
        let text = self.get("Percentage Encrypted")?.trim_end_matches('%').trim();
        let (whole, tenths) = text.split_once(['.', ',']).unwrap_or((text, "0"));
        let tenths = tenths.get(..1)?.parse::<u32>().ok()?;
        whole.parse::<u32>().ok().filter(|whole| *whole <= 100).map(|whole| whole * 10 + tenths)
    }
}

fn no<T>(key: &str) -> Known<T> {
    Known::Unknown(format!("the output has no {key}"))
}

/// Which list the lines that are deeper belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deep {
    Nothing,
    Protectors,
    Backups,
}

/// Reads the output; one entry a volume.
///
/// # Errors
/// Where no volume is named.
pub fn parse(text: &str) -> Result<Vec<Volume>, FormatError> {
    let mut volumes: Vec<Volume> = Vec::new();
    let mut deep = Deep::Nothing;
    // Under a line such as `TPM:` stand its id and more; they aren't protectors.
    let mut of_status = false;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let trimmed = line.trim();
        let indent = line.len() - line.trim_start().len();
        if let Some(volume) = heading(line) {
            volumes.push(volume);
            (deep, of_status) = (Deep::Nothing, false);
            continue;
        }
        let Some(volume) = volumes.last_mut() else { continue };
        if trimmed.is_empty() {
            // A blank line ends a list of backups, and nothing else.
            deep = if deep == Deep::Backups { Deep::Nothing } else { deep };
        } else if let Some(kind) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            volume.kind = Some(kind.to_owned());
        } else if indent >= 8 && deep == Deep::Protectors && of_status {
            volume.protectors.get_or_insert_default().push(trimmed.to_owned());
        } else if indent >= 8 && deep == Deep::Backups && !trimmed.contains(':') {
            volume.backups.push(trimmed.to_owned());
        } else if trimmed.eq_ignore_ascii_case("Backup type:") {
            deep = Deep::Backups;
        } else if let Some((key, value)) = trimmed.split_once(':') {
            let (key, value) = (key.trim_end(), value.trim());
            if key.eq_ignore_ascii_case("Password") {
                // A recovery password is nobody's business here.
                deep = Deep::Nothing;
                continue;
            }
            if key.eq_ignore_ascii_case("Key Protectors") {
                (deep, of_status) = (Deep::Protectors, true);
                let list = volume.protectors.get_or_insert_default();
                if !value.is_empty() && !value.eq_ignore_ascii_case("None Found") {
                    list.push(value.to_owned());
                }
            } else if !of_status && indent == 4 && value.is_empty() {
                // `-protectors -get`: each kind is a heading of its own.
                deep = Deep::Nothing;
                volume.protectors.get_or_insert_default().push(key.to_owned());
            } else if indent >= 4 {
                deep = Deep::Nothing;
                volume.entries.push((key.to_owned(), value.to_owned()));
            }
        }
    }
    if volumes.is_empty() {
        return Err(FormatError::new("no volume is named, so it isn't the output of manage-bde", 0));
    }
    Ok(volumes)
}

/// `Volume C: [Windows]`; the label may be empty.
fn heading(line: &str) -> Option<Volume> {
    let (letter, label) = line.trim_end().strip_prefix("Volume ")?.split_once(' ')?;
    let label = label.strip_prefix('[')?.strip_suffix(']')?;
    letter.ends_with(':').then(|| Volume {
        letter: letter.to_owned(),
        label: label.to_owned(),
        kind: None,
        entries: Vec::new(),
        protectors: None,
        backups: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made after the layout that domain.md C2 describes; no published output of this form may be kept here.
    fn status(protectors: &str, percentage: &str, protection: &str) -> String {
        format!(
            "Header of the tool\n\nVolume C: []\n[OS Volume]\n\n    Size:                 69,13 GB\n    \
             Conversion Status:    Used Space Only Encrypted\n    Percentage Encrypted: {percentage}\n    \
             Protection Status:    {protection}\n    Key Protectors:{protectors}\n\nVolume D: [Data]\n[Data Volume]\n\n    \
             Conversion Status:    Fully Decrypted\n    Key Protectors:       None Found\n"
        )
    }

    /// Catches a label that is needed, a comma that isn't understood, and a list read as one value.
    #[test]
    fn status_of_volumes() {
        let text = status("\n        TPM\n        Numerical Password", "100,0%", "Protection On");
        let volumes = parse(&text).expect("volumes");
        let own = &volumes[0];
        assert_eq!((own.letter.as_str(), own.label.as_str(), own.kind.as_deref()), ("C:", "", Some("OS Volume")));
        assert_eq!((own.permille(), own.protection()), (Some(1000), Known::Known(true)));
        assert_eq!(own.protectors, Some(vec!["TPM".to_owned(), "Numerical Password".to_owned()]));
        assert_eq!((volumes[1].label.as_str(), &volumes[1].protectors), ("Data", &Some(Vec::new())));
        assert_eq!(volumes[1].conversion(), Known::Known(Conversion::Decrypted));
        assert!(volumes[1].protection().unknown().is_some());
    }

    /// Catches suspended protection taken for a decrypted volume.
    #[test]
    fn suspended_is_not_decrypted() {
        let volumes = parse(&status("\n        TPM", "99.3%", "Protection Off")).expect("volumes");
        assert_eq!(volumes[0].protection(), Known::Known(false));
        assert_eq!(volumes[0].conversion(), Known::Known(Conversion::Encrypted));
        assert_eq!(volumes[0].permille(), Some(993));
    }

    /// Catches ids of protectors taken for protectors, and backups that are lost.
    #[test]
    fn protectors_and_backups() {
        let text = "Volume C: [x]\nAll Key Protectors\n\n    TPM:\n      ID: {A}\n      PCR Validation Profile:\n        0, 2\n\n    \
                    Numerical Password:\n      ID: {B}\n      Password: 1-2\n        1-2\n      Backup type:\n        AD backup\n        AAD backup\n\n";
        let volumes = parse(text).expect("volumes");
        assert_eq!(volumes[0].protectors, Some(vec!["TPM".to_owned(), "Numerical Password".to_owned()]));
        assert_eq!(volumes[0].backups, ["AD backup", "AAD backup"]);
        assert!(!format!("{volumes:?}").contains("1-2"), "a recovery password is in it");
    }

    /// Catches words of another language taken for a state.
    #[test]
    fn other_languages_are_unknown() {
        let text = "Volume C: []\n    Conversion Status: Vollständig verschlüsselt\n    Protection Status: An\n";
        let volumes = parse(text).expect("volumes");
        assert!(volumes[0].conversion().unknown().is_some() && volumes[0].protection().unknown().is_some());
        assert!(parse("Volumen C: []").is_err());
    }

    proptest::proptest! {
        /// Catches a panic at a boundary of characters.
        #[test]
        fn any_text(text in "(Volume C: \\[\\]\n)?[ A-Za-z:é0-9,%\\[\\]\n]{0,200}") {
            for volume in parse(&text).unwrap_or_default() {
                let _ = (volume.conversion(), volume.protection(), volume.permille());
            }
        }
    }
}
