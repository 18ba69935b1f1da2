//! Joins, accounts, groups, rights, sessions.

use super::{lacks, unique, windows};
use crate::model::{RecoveryPassword, Sid};
use crate::windows::machine::{Accounts, Cause, Joins, Sys};

/// Says what a call gave, or that Wine doesn't have it; any other failure is one of ours.
fn given<T>(outcome: Sys<T>, instead: &str) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) if matches!(error.cause, Cause::NotThere | Cause::Denied) || error.code == 124 => {
            lacks(error.call, instead);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn sid(text: &str) -> Sid {
    text.parse().expect("a SID")
}

/// Catches a call that ends the whole agent where it isn't exported, and a workgroup that is taken for a domain.
#[test]
fn joins_are_read() {
    let windows = windows();
    assert_eq!(windows.domain().expect("read"), None, "Wine is in a workgroup");
    if let Some(join) = given(windows.entra(), "the machine in memory answers it in the migration under Wine") {
        assert_eq!(join, None, "nobody joined it");
    }
    // In a workgroup there is nothing to leave.
    given(windows.unjoin(), "the machine in memory answers it in the migration under Wine");
}

/// Catches a SID of the machine that is cut or is that of a domain.
#[test]
fn the_machine_has_a_sid() {
    if let Some(machine) = given(windows().machine_sid(), "by hand on Windows: against `whoami /user`") {
        assert!(machine.as_str().starts_with("S-1-5-21-"), "{machine}");
    }
}

/// Catches lists of accounts and groups that are walked wrongly, and well-known groups that aren't found by their SID.
#[test]
fn accounts_and_groups_are_read() {
    let windows = windows();
    if let Some(users) = given(windows.local_users(), "by hand on Windows: against `net user`") {
        assert!(users.iter().all(|user| user.sid.is_domain_or_local() && !user.name.is_empty()), "{users:?}");
    }
    given(windows.local_groups(), "by hand on Windows: against `Get-LocalGroup`");
    let administrators = sid("S-1-5-32-544");
    given(windows.members(&administrators), "by hand on Windows: against `Get-LocalGroupMember`");
    let entra = sid("S-1-12-1-910410835-1306523740-2996082354-1245529378");
    given(windows.add_member(&administrators, &entra), "by hand on Windows: an Entra user as administrator");
    given(windows.remove_member(&administrators, &entra), "by hand on Windows: an Entra user as administrator");
    assert!(windows.members(&sid("S-1-5-18")).is_err(), "SYSTEM isn't a group");
    assert!(windows.members(&sid("S-1-5-32-999")).is_err(), "there is no such group");
}

/// Catches an account that can't be made twice, a removal that isn't idempotent, and an error that holds the password.
#[test]
fn an_account_is_made_and_removed() {
    let windows = windows();
    let name = unique()[12..].to_owned();
    let password = RecoveryPassword::new("Correct7Horse8Battery".to_owned());
    given(windows.set_local_user(&name, &password, "a test"), "by hand on Windows: the recovery account");
    given(windows.set_local_user(&name, &password, "a test"), "by hand on Windows: the recovery account");
    if let Err(error) = windows.logon_works(&name, &password) {
        assert!(!format!("{error} {error:?}").contains("Horse"));
    }
    lacks("LogonUserW", "Wine lets anybody in: by hand on Windows, with the right and with another password");
    given(windows.remove_local_user(&name), "by hand on Windows: the recovery account");
    given(windows.remove_local_user(&name), "by hand on Windows: the recovery account");
    let cut = RecoveryPassword::new("Correct7Horse\0Battery".to_owned());
    assert!(windows.set_local_user(&name, &cut, "").is_err(), "a password that would be cut");
    assert!(windows.logon_works(&name, &cut).is_err(), "a password that would be cut");
}

/// Catches a right that nobody has and that comes as an error, and sessions without people.
#[test]
fn rights_and_sessions_are_read() {
    let windows = windows();
    given(windows.holders("SeInteractiveLogonRight"), "by hand on Windows: against secpol.msc");
    if let Some(sessions) = given(windows.sessions(), "by hand on Windows: against `quser`") {
        assert!(sessions.iter().all(|session| session.since > 0), "{sessions:?}");
    }
}
