//! Accounts and groups in memory, under the password policy of Microsoft's baselines: 14 characters, three kinds.

use super::state::Account;
use super::{Memory, lower};
use crate::model::{RecoveryPassword, Sid};
use crate::windows::machine::{Accounts, Cause, LocalUser, Session, Sys, SysError};

/// NERR_PasswordTooShort: the password doesn't meet the policy, for whatever reason.
const PASSWORD_TOO_SHORT: u32 = 2245;
/// ERROR_NO_SUCH_ALIAS.
const NO_SUCH_ALIAS: u32 = 1376;

fn no_group(call: &'static str, group: &Sid) -> SysError {
    SysError::new(call, group.to_string(), Cause::Other, NO_SUCH_ALIAS, "ERROR_NO_SUCH_ALIAS")
}

impl Accounts for Memory {
    fn machine_sid(&self) -> Sys<Sid> {
        Ok(self.read("LsaQueryInformationPolicy", "the machine")?.machine_sid.clone())
    }
    fn local_users(&self) -> Sys<Vec<LocalUser>> {
        let state = self.read("NetUserEnum", "all")?;
        Ok(state.accounts.values().map(|account| account.user.clone()).collect())
    }
    fn set_local_user(&self, name: &str, password: &RecoveryPassword, comment: &str) -> Sys<()> {
        let mut state = self.write("NetUserAdd", name)?;
        if password.fits_policy(name).is_err() {
            let text = "the password does not meet the policy";
            return Err(SysError::new("NetUserAdd", name, Cause::Other, PASSWORD_TOO_SHORT, text));
        }
        if !state.accounts.contains_key(&lower(name)) {
            let text = format!("{}-{}", state.machine_sid, state.next_rid);
            let Ok(sid) = text.parse() else {
                return Err(SysError::new("NetUserAdd", name, Cause::Other, 1, "no SID is left"));
            };
            state.next_rid += 1;
            let user = LocalUser { name: name.to_owned(), sid, enabled: true };
            state.accounts.insert(lower(name), Account { user, comment: comment.to_owned(), password: None });
        }
        if let Some(account) = state.accounts.get_mut(&lower(name)) {
            account.password = Some(password.clone());
            account.user.enabled = true;
            account.comment = comment.to_owned();
        }
        Ok(())
    }
    fn remove_local_user(&self, name: &str) -> Sys<()> {
        let mut state = self.write("NetUserDel", name)?;
        if let Some(account) = state.accounts.remove(&lower(name)) {
            for members in state.groups.values_mut() {
                members.remove(&account.user.sid);
            }
        }
        Ok(())
    }
    fn logon_works(&self, name: &str, password: &RecoveryPassword) -> Sys<bool> {
        let state = self.read("LogonUser", name)?;
        let account = state.accounts.get(&lower(name)).filter(|account| account.user.enabled);
        Ok(account.is_some_and(|account| account.password.as_ref() == Some(password)))
    }
    fn local_groups(&self) -> Sys<Vec<Sid>> {
        Ok(self.read("NetLocalGroupEnum", "all")?.groups.keys().cloned().collect())
    }
    fn members(&self, group: &Sid) -> Sys<Vec<Sid>> {
        let state = self.read("NetLocalGroupGetMembers", group.as_str())?;
        let members = state.groups.get(group).ok_or_else(|| no_group("NetLocalGroupGetMembers", group))?;
        Ok(members.iter().cloned().collect())
    }
    fn add_member(&self, group: &Sid, member: &Sid) -> Sys<()> {
        let mut state = self.write("NetLocalGroupAddMembers", &format!("{member} to {group}"))?;
        let members = state.groups.get_mut(group).ok_or_else(|| no_group("NetLocalGroupAddMembers", group))?;
        members.insert(member.clone());
        Ok(())
    }
    fn remove_member(&self, group: &Sid, member: &Sid) -> Sys<()> {
        let mut state = self.write("NetLocalGroupDelMembers", &format!("{member} from {group}"))?;
        let members = state.groups.get_mut(group).ok_or_else(|| no_group("NetLocalGroupDelMembers", group))?;
        members.remove(member);
        Ok(())
    }
    fn holders(&self, right: &str) -> Sys<Vec<Sid>> {
        let state = self.read("LsaEnumerateAccountsWithUserRight", right)?;
        Ok(state.rights.get(right).cloned().unwrap_or_default())
    }
    fn sessions(&self) -> Sys<Vec<Session>> {
        Ok(self.read("WTSEnumerateSessions", "all")?.sessions.clone())
    }
}
