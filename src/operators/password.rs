//! Passwords: which are good enough, and what is kept of them.
//!
//! Length counts, composition rules don't: NIST SP 800-63B, section 3.1.1. Kept is an Argon2id hash with the parameters
//! that OWASP's password storage cheat sheet names first of those below 20 MiB: 19 MiB, two passes, one lane.

use std::fmt;

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use serde::{Deserialize, Serialize};

use super::user::UserName;
use crate::model::Problem;

/// Characters of a password at the least.
const LENGTH_MIN: usize = 12;
/// Bytes of a password at the most: beyond it hashing is only work.
const BYTES_MAX: usize = 1024;
/// Memory of one hash, in KiB.
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;

/// What nearly everybody tries first, of those that are long enough; compared without case, digits and signs at the end.
const COMMON: &[&str] = &[
    "administrator",
    "changeme",
    "changemenow",
    "correcthorsebatterystaple",
    "entra",
    "iloveyou",
    "letmein",
    "letmeinnow",
    "microsoft",
    "migration",
    "opsole",
    "passphrase",
    "password",
    "passwordpassword",
    "passw0rd",
    "p@ssw0rd",
    "p@ssword",
    "qwerty",
    "qwertyqwerty",
    "qwertyuiop",
    "qwertyuiopasdfghjkl",
    "secret",
    "secretsecret",
    "welcome",
    "welcomewelcome",
    "windows",
];

/// What is kept of a password: a PHC text with algorithm, parameters and salt.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

/// Held against whatever is given for a user that isn't there, so that it takes as long. Salt and digest are random bytes:
/// it is no password's.
pub const STAND_IN: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$7ipRYNaJ7tVd2NnhHwxEnw$j4CzwMjNJZjthZLue2gO2szSc7Z3JfpwIfTDSLpvDO0";

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

impl PasswordHash {
    /// Hashes a password. Takes some 20 ms and 19 MiB on purpose.
    ///
    /// # Errors
    /// Where the memory isn't there; says why.
    pub fn of(password: &str, salt: &[u8; 16]) -> Result<Self, String> {
        let hash = argon2()?.hash_password_with_salt(password.as_bytes(), salt).map_err(|e| e.to_string())?;
        Ok(Self(hash.to_string()))
    }
    /// Returns what takes the place of a user's hash where there is no user.
    #[must_use]
    pub fn stand_in() -> Self {
        Self(STAND_IN.to_owned())
    }
    /// Says whether it is this password's. What can't be read is nobody's.
    #[must_use]
    pub fn is_of(&self, password: &str) -> bool {
        // No password is longer, and whoever sends one isn't given the time that it takes.
        if password.len() > BYTES_MAX {
            return false;
        }
        let Ok(hash) = phc::PasswordHash::new(&self.0) else { return false };
        argon2().is_ok_and(|argon2| argon2.verify_password(password.as_bytes(), &hash).is_ok())
    }
}

fn argon2() -> Result<Argon2<'static>, String> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| e.to_string())?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Says whether a password is good enough for a user.
///
/// # Errors
/// `users.password`: too short, too long, the user's name, or one of the commonest. The password is never quoted.
pub fn check_password(name: &UserName, password: &str) -> Result<(), Problem> {
    let refused = |why: String| {
        let next = format!("take {LENGTH_MIN} characters or more that nobody guesses: some words in a row do");
        Err(Problem::new("users.password", why).next(next))
    };
    if password.chars().count() < LENGTH_MIN {
        return refused(format!("the password has fewer than {LENGTH_MIN} characters"));
    }
    if password.len() > BYTES_MAX {
        return refused(format!("the password has more than {BYTES_MAX} bytes"));
    }
    let lower = password.to_lowercase();
    if lower.contains(name.as_str()) && lower.chars().count() < name.as_str().len() + LENGTH_MIN {
        return refused("the password is little more than the user's name".to_owned());
    }
    let stem = lower.trim_matches(|c: char| !c.is_alphabetic());
    let mut distinct: Vec<char> = lower.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if COMMON.contains(&stem) || COMMON.contains(&lower.as_str()) || distinct.len() < 5 {
        return refused("the password is one of those that are tried first".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> UserName {
        "jane".parse().expect("a name")
    }

    /// Catches a password that is kept as it is, a salt without effect, and a hash with weaker parameters.
    #[test]
    fn hashes_are_argon2id() {
        let hash = PasswordHash::of("three blind mice ran", &[7; 16]).expect("a hash");
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !hash.0.contains("mice"));
        assert!(hash.is_of("three blind mice ran") && !hash.is_of("three blind mice run"));
        assert_ne!(hash, PasswordHash::of("three blind mice ran", &[8; 16]).expect("a hash"));
        assert_eq!(format!("{hash:?}"), "PasswordHash(..)");
    }

    /// Catches a stand-in that can't be read, and so takes no time: that would tell who is a user.
    #[test]
    fn the_stand_in_is_a_real_hash() {
        let hash = phc::PasswordHash::new(STAND_IN).expect("a hash");
        let params = Params::try_from(&hash).expect("parameters");
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        assert_eq!(hash.hash.map(|hash| hash.as_bytes().len()), Some(32));
        assert!(!PasswordHash::stand_in().is_of("") && !PasswordHash(String::new()).is_of(""));
    }

    /// Catches a policy that lets the commonest through, or turns long ones away for their composition.
    #[test]
    fn length_counts() {
        for good in ["three blind mice", "aaaa bbbb cccc dddd", "пароль и ещё слова", "jane and a dozen of others"]
        {
            assert_eq!(check_password(&name(), good), Ok(()), "{good}");
        }
        let long = "ab1cd".repeat(300);
        for bad in ["elevenchars", "Password1234", "qwertyuiop12345", "jane12345678", "aaaaaaaaaaaaa", long.as_str()] {
            let problem = check_password(&name(), bad).unwrap_err();
            assert_eq!(problem.code, "users.password", "{bad}");
            assert!(!format!("{problem:?}").contains(bad));
        }
    }
}
