//! Who signed in last, and whether a primary refresh token was there.
//!
//! The token is seen in the person's own context alone (domain.md B1.1), so a task that runs as exactly that SID, with
//! limited rights, writes what `dsregcmd /status` says into a folder that only SYSTEM, Administrators and that SID
//! write to. It can't say more than about itself: a person who forges it claims to be signed in who is signed in.

use jiff::Timestamp;

use super::super::{Inner, Result, tables, task, unreadable};
use crate::model::{Sid, SignIn};
use crate::winformat::descriptor::{self, Ace};
use crate::winformat::dsregcmd::Status;

/// Longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 256 << 10;
/// OBJECT_INHERIT_ACE and CONTAINER_INHERIT_ACE.
const INHERIT: u8 = 3;
/// Read, write and delete, without the right to change rights: what Windows calls Modify.
const MODIFY: u32 = 0x0013_01bf;

impl Inner {
    /// Reads it. A token is looked for where the device is joined to Entra and the person is signed in now.
    pub(super) fn sign_in(&self, joined: bool) -> Result<Option<SignIn>> {
        let person = |sid: &Sid| sid.is_entra() || sid.is_domain_or_local();
        let sessions = self.machine.sessions()?;
        let newest = sessions.into_iter().filter(|session| person(&session.sid)).max_by_key(|s| (s.active, s.since));
        let Some(session) = newest else { return self.last_logged_on() };
        let at = Timestamp::from_second(session.since).map_err(|e| unreadable("the time of a session", e))?;
        // A probe that can't be made is no token seen, not a device that can't be read: signing in is waited for.
        let prt = joined && self.probe_token(&session.sid).unwrap_or(false);
        Ok(Some(SignIn { sid: session.sid, prt, at }))
    }
    fn last_logged_on(&self) -> Result<Option<SignIn>> {
        let sid = self.text(tables::LOGON_UI, "LastLoggedOnUserSID")?.and_then(|text| text.parse::<Sid>().ok());
        let Some(sid) = sid else { return Ok(None) };
        let key = format!("{}\\{sid}", tables::PROFILE_LIST);
        let at = self.last_used(&key)?;
        Ok(at.map(|at| SignIn { sid, prt: false, at }))
    }
    fn probe_token(&self, sid: &Sid) -> Result<bool> {
        let folder = format!("{}\\{sid}", self.path("ProgramData", tables::PROBES)?);
        let answer = self.open_to(&folder, sid).and_then(|()| self.run_probe(&folder, sid));
        // Whatever became of it, its folder goes; where even that fails the next reading sweeps it.
        self.machine.remove(&self.path("ProgramData", tables::PROBES)?)?;
        let status = Status::parse(&answer?.unwrap_or_default()).map_err(|e| unreadable("a probe's answer", e))?;
        Ok(status.view().prt.known() == Some(&true))
    }
    /// Makes a private folder that one person may write into as well.
    fn open_to(&self, folder: &str, sid: &Sid) -> Result<()> {
        self.private_folder(folder)?;
        let bytes = self.machine.security(folder)?.unwrap_or_default();
        let mut rights = descriptor::parse(&bytes).map_err(|e| unreadable(format!("the rights of {folder}"), e))?;
        let own = Ace::plain(0, INHERIT, MODIFY, sid.clone());
        rights.dacl.get_or_insert_default().push(own);
        let bytes = rights.to_bytes().map_err(|e| unreadable(format!("the rights of {folder}"), e))?;
        Ok(self.machine.set_security(folder, &bytes)?)
    }
    fn run_probe(&self, folder: &str, sid: &Sid) -> Result<Option<String>> {
        let file = format!("{folder}\\status.txt");
        let name = format!("{}\\Probe {sid}", tables::TASKS);
        self.machine.register_task(&name, &task::as_person(sid, "dsregcmd /status", &file))?;
        let ran = self.machine.run_task(&name);
        let answer = match ran {
            Ok(()) => self.until(|| self.task_answer(&file, ANSWER_MAX)),
            Err(error) => Err(error.into()),
        };
        self.machine.remove_tasks(&name)?;
        answer
    }
}
