//! Local accounts, groups, rights and sessions.

use serde::{Deserialize, Serialize};

use super::Sys;
use crate::model::{RecoveryPassword, Sid};

/// A local account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalUser {
    /// Account name.
    pub name: String,
    /// Its SID.
    pub sid: Sid,
    /// Not disabled.
    pub enabled: bool,
}

/// A session with somebody in it (`WTSEnumerateSessions`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Who.
    pub sid: Sid,
    /// At the screen or connected now; else disconnected.
    pub active: bool,
    /// When the sign-in was, in seconds since 1970.
    pub since: i64,
}

/// Accounts.
pub trait Accounts {
    /// Returns the SID of the machine itself: local accounts are it and a number.
    ///
    /// # Errors
    /// Where it can't be read.
    fn machine_sid(&self) -> Sys<Sid>;
    /// Returns the local accounts.
    ///
    /// # Errors
    /// Where they can't be read.
    fn local_users(&self) -> Sys<Vec<LocalUser>>;
    /// Makes a local account with a password that doesn't run out, or gives an existing one this password and enables
    /// it.
    ///
    /// # Errors
    /// Where Windows refuses it; NERR_PasswordTooShort (2245) where the password doesn't meet the policy.
    fn set_local_user(&self, name: &str, password: &RecoveryPassword, comment: &str) -> Sys<()>;
    /// Removes a local account.
    ///
    /// # Errors
    /// Where Windows refuses it.
    fn remove_local_user(&self, name: &str) -> Sys<()>;
    /// Says whether a local account's password lets it in: a logon of kind network, which leaves no session
    /// (`LogonUserW`, `LOGON32_LOGON_NETWORK`).
    ///
    /// # Errors
    /// Where that can't be found out; a wrong password is `false`.
    fn logon_works(&self, name: &str, password: &RecoveryPassword) -> Sys<bool>;
    /// Returns the SIDs of all local groups; their names are localised.
    ///
    /// # Errors
    /// Where they can't be read.
    fn local_groups(&self) -> Sys<Vec<Sid>>;
    /// Returns the members of a local group.
    ///
    /// # Errors
    /// Where they can't be read.
    fn members(&self, group: &Sid) -> Sys<Vec<Sid>>;
    /// Adds to a local group; being in it is a success.
    ///
    /// # Errors
    /// Where Windows refuses it.
    fn add_member(&self, group: &Sid, member: &Sid) -> Sys<()>;
    /// Removes from a local group; not being in it is a success.
    ///
    /// # Errors
    /// Where Windows refuses it.
    fn remove_member(&self, group: &Sid, member: &Sid) -> Sys<()>;
    /// Returns who has a user right, such as `SeInteractiveLogonRight` (`LsaEnumerateAccountsWithUserRight`).
    ///
    /// # Errors
    /// Where it can't be read.
    fn holders(&self, right: &str) -> Sys<Vec<Sid>>;
    /// Returns the sessions that people have.
    ///
    /// # Errors
    /// Where they can't be read.
    fn sessions(&self) -> Sys<Vec<Session>>;
}
