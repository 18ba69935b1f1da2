//! Recovery access: a local administrator whose password somebody knows, and the LAPS policy in force (domain.md B9).

use super::super::{Inner, Result, tables, unreadable};
use super::reason;
use crate::model::{Known, LocalAdmin, RECOVERY_ACCOUNT, Recovery};
use crate::windows::machine::LocalUser;

impl Inner {
    pub(super) fn recovery(&self) -> Recovery {
        let found = |read: Result<Option<_>>| match read {
            Ok(value) => Known::found(value),
            Err(problem) => Known::Unknown(reason(&problem)),
        };
        let policy = match self.laps_policy() {
            Ok(value) => Known::found(value),
            Err(problem) => Known::Unknown(reason(&problem)),
        };
        Recovery { local_admin: found(self.local_admin()), laps_policy: policy }
    }
    /// An enabled local account in Administrators, the proven one first. Ours is proven by the logon that made it, one
    /// that Windows LAPS manages by a back-up that Windows logged not long ago.
    fn local_admin(&self) -> Result<Option<LocalAdmin>> {
        let group = tables::ADMINISTRATORS.parse().map_err(|e: String| unreadable("the group", e))?;
        let members = self.machine.members(&group)?;
        let users = self.machine.local_users()?;
        let admins: Vec<_> = users.into_iter().filter(|user| user.enabled && members.contains(&user.sid)).collect();
        let own = admins.iter().find(|user| user.name.eq_ignore_ascii_case(RECOVERY_ACCOUNT));
        if let Some(own) = own
            && self.own()?.recovery_proven
        {
            return Ok(Some(LocalAdmin { account: own.name.clone(), proven: true }));
        }
        if let Some(managed) = self.managed_admin(&admins)?
            && self.backed_up_lately()?
        {
            return Ok(Some(LocalAdmin { account: managed.name.clone(), proven: true }));
        }
        Ok(own.or(admins.first()).map(|admin| LocalAdmin { account: admin.name.clone(), proven: false }))
    }
    /// The account that LAPS manages: the one that the policy names, else the built-in one (Microsoft's reference of
    /// `AdministratorAccountName`).
    fn managed_admin<'a>(&self, admins: &'a [LocalUser]) -> Result<Option<&'a LocalUser>> {
        let Some(root) = self.laps_policy()? else { return Ok(None) };
        let key = tables::LAPS.iter().find(|(name, _)| *name == root && *name != "legacy").map(|(_, key)| *key);
        let Some(key) = key else { return Ok(None) };
        if !matches!(self.number(key, "BackupDirectory")?, Some(1 | 2)) {
            return Ok(None);
        }
        let named = self.text(key, "AdministratorAccountName")?;
        Ok(admins.iter().find(|user| match &named {
            Some(name) => user.name.eq_ignore_ascii_case(name),
            None => user.sid.as_str().ends_with("-500"),
        }))
    }
    fn backed_up_lately(&self) -> Result<bool> {
        let newest = self.machine.events(tables::LAPS_LOG, &tables::LAPS_BACKED_UP, 1)?;
        let now = self.machine.now();
        Ok(newest.first().is_some_and(|event| now.duration_since(event.at).as_hours() < tables::LAPS_FRESH_HOURS))
    }
    fn laps_policy(&self) -> Result<Option<String>> {
        for (name, key) in tables::LAPS {
            let value = if name == "legacy" { "AdmPwdEnabled" } else { "BackupDirectory" };
            if self.number(key, value)?.is_some() {
                return Ok(Some(name.to_owned()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::SignedDuration;

    use super::*;
    use crate::model::RecoveryPassword;
    use crate::windows::device::WindowsDevice;
    use crate::windows::machine::{Accounts as _, Key, LogEvent, Value};
    use crate::windows::memory::{Ids, Memory, SAMPLE_NOW};

    /// Catches an administrator that counts as proven because LAPS is on, though another account is managed, the back-up
    /// is old or it never happened; and one that is managed and backed up and doesn't count.
    #[test]
    fn a_managed_administrator_is_proven_by_a_fresh_back_up() {
        let memory = Arc::new(Memory::sample(&Ids::default()));
        let password = RecoveryPassword::new("Correct7Horse8Battery9".to_owned());
        memory.set_local_user("desk", &password, "").expect("an account");
        let sid = memory.local_users().expect("accounts").into_iter().find(|user| user.name == "desk").expect("it").sid;
        let group = tables::ADMINISTRATORS.parse().expect("a SID");
        memory.add_member(&group, &sid).expect("a member");
        let device = WindowsDevice::new(memory.clone());
        let proven = || device.inner.local_admin().expect("read").is_some_and(|admin| admin.proven);
        let backed_up = |hours: i64| {
            let at = SAMPLE_NOW.saturating_sub(SignedDuration::from_hours(hours)).expect("a time");
            let event = LogEvent { at, id: tables::LAPS_BACKED_UP[0], data: Vec::new() };
            memory.with(|state| state.events = vec![(tables::LAPS_LOG.to_owned(), event)]);
        };
        let manage = |name: &str| {
            let policy = Key::machine(tables::LAPS[0].1);
            memory.with(|state| state.put_value(&policy, "AdministratorAccountName", Value::Sz(name.to_owned())));
        };
        backed_up(1);
        assert!(!proven(), "the built-in account is managed, and it isn't enabled here");
        manage("DESK");
        assert!(proven());
        backed_up(tables::LAPS_FRESH_HOURS + 1);
        assert!(!proven(), "an old back-up");
        memory.with(|state| state.events.clear());
        assert!(!proven(), "none");
        backed_up(1);
        manage("other");
        assert!(!proven(), "another account");
    }
}
