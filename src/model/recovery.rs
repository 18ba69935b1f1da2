//! The recovery administrator of a device: its account's name, and a password that can't be printed.

use zeroize::Zeroizing;

/// Name of the local account. Windows allows 20 characters.
pub const RECOVERY_ACCOUNT: &str = "opsole-recovery";
/// Shortest password that a device takes: what Microsoft's security baselines ask for.
pub const PASSWORD_MIN: usize = 14;
/// Longest password that a Windows sign-in takes.
const PASSWORD_MAX: usize = 127;

/// Password of one device's recovery administrator. It is wiped when it is dropped, can't be printed, and has no form
/// for files and messages: whoever sends or keeps it encrypts it first.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryPassword(Zeroizing<String>);

impl RecoveryPassword {
    /// Takes a password.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
    /// Gives the password itself. What it is put into has to be wiped or encrypted as well.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// Says what Windows' password policy has against it: length, three of four kinds of characters, and not the name
    /// of the account in it.
    ///
    /// # Errors
    /// Why it would be refused, without any of it.
    pub fn fits_policy(&self, account: &str) -> Result<(), &'static str> {
        let text = self.expose();
        let length = text.chars().count();
        if length < PASSWORD_MIN {
            return Err("it is too short");
        }
        if length > PASSWORD_MAX {
            return Err("it is too long");
        }
        let has = |of: fn(char) -> bool| usize::from(text.chars().any(of));
        let kinds = has(|c| c.is_uppercase())
            + has(|c| c.is_lowercase())
            + has(|c| c.is_ascii_digit())
            + has(|c| !c.is_alphanumeric());
        if kinds < 3 {
            return Err("it has fewer than three kinds of characters");
        }
        if account.len() > 2 && text.to_lowercase().contains(&account.to_lowercase()) {
            return Err("it holds the name of the account");
        }
        Ok(())
    }
}

impl std::fmt::Debug for RecoveryPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryPassword(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a policy that lets simple passwords through, and a password that a debug print shows.
    #[test]
    fn simple_passwords_are_refused() {
        let fits = |text: &str| RecoveryPassword::new(text.to_owned()).fits_policy(RECOVERY_ACCOUNT).is_ok();
        assert!(fits("Correct7Horse8Battery") && fits("correct-horse-battery-9"));
        let long = "aB3".repeat(60);
        for simple in ["", "aB3$", "correcthorsebattery", "CORRECTHORSE12345", "Opsole-Recovery-12345", &long] {
            assert!(!fits(simple), "{simple}");
        }
        assert!(!format!("{:?}", RecoveryPassword::new("hunter2".to_owned())).contains("hunter2"));
    }
}
