//! Boot start, recovery administrator, notice and held sign-in (domain.md B3 steps 3, 8 and 12).
//!
//! The order is that of harm: whoever could be locked out gets a way in first, and the sign-in screen comes last.
//! Putting back goes the other way round. Only the provider of passwords is held: the recovery administrator signs in
//! once the notice is gone, or over Windows' recovery environment \[K].

use super::super::before::{Purpose, Thing, Was};
use super::super::{Inner, Result, tables};
use crate::model::{Problem, RECOVERY_ACCOUNT, RecoveryPassword, Sid};
use crate::windows::install;
use crate::windows::machine::{ServiceSpec, StartKind, SysError, Value};

/// NERR_PasswordTooShort: against the policy in whatever way.
const PASSWORD_POLICY: u32 = 2245;

fn administrators() -> Result<Sid> {
    tables::ADMINISTRATORS.parse().map_err(|e: String| Problem::new("device.own-record", e))
}

impl Inner {
    pub(super) fn arm(&self, suspend_reboots: u8, recovery: Option<&RecoveryPassword>) -> Result<()> {
        if self.own()?.recorded.is_none() {
            return Err(self.not_staged());
        }
        match recovery {
            Some(password) => self.make_recovery(password)?,
            None => self.keep_recovery()?,
        }
        self.boot_start()?;
        self.suspend_protectors(suspend_reboots)?;
        // It counts as shown before it is: a cut-off change is then put back.
        self.set_own(|own| own.banner = true)?;
        let text = |text: &str| Value::Sz(text.to_owned());
        let system = tables::POLICIES_SYSTEM;
        self.set_value(Purpose::Surface, system, tables::NOTICE_CAPTION, &text(tables::BANNER_CAPTION))?;
        self.set_value(Purpose::Surface, system, tables::NOTICE_TEXT, &text(tables::BANNER_TEXT))?;
        let provider = format!("{}\\{}", tables::PROVIDERS, tables::PASSWORD_PROVIDER);
        self.set_value(Purpose::Surface, &provider, "Disabled", &Value::Dword(1))
    }
    /// Makes the administrator, and proves it by a logon.
    fn make_recovery(&self, password: &RecoveryPassword) -> Result<()> {
        let name = self.machine.computer_name()?;
        let refused = |why: &str| {
            let message = format!("{name} refuses the recovery administrator's password: {why}");
            Problem::new("device.password-policy", message)
                .next("look at the password policy of the device; it asks for more than Windows does by itself")
        };
        password.fits_policy(RECOVERY_ACCOUNT).map_err(refused)?;
        let there = self.machine.local_users()?;
        let there = there.iter().find(|user| user.name.eq_ignore_ascii_case(RECOVERY_ACCOUNT));
        // The same password again changes nothing: what is repeated has to be what it was.
        let same = there.is_some_and(|user| user.enabled) && self.machine.logon_works(RECOVERY_ACCOUNT, password)?;
        if !same {
            let was = if there.is_some() { Was::There } else { Was::Absent };
            self.note(Purpose::Move, Thing::Account(RECOVERY_ACCOUNT.to_owned()), was)?;
            let policy = |error: SysError| match error.code {
                PASSWORD_POLICY => refused("it doesn't meet the policy of this device"),
                _ => error.into(),
            };
            self.machine.set_local_user(RECOVERY_ACCOUNT, password, tables::RECOVERY_COMMENT).map_err(policy)?;
        }
        let sid = self.recovery_sid()?;
        self.taken(sid.is_some(), || format!("account {RECOVERY_ACCOUNT}"))?;
        if let Some(sid) = sid {
            self.set_member(&administrators()?, &sid, true)?;
        }
        let proven = self.machine.logon_works(RECOVERY_ACCOUNT, password)?;
        self.taken(proven, || format!("the password of {RECOVERY_ACCOUNT}"))?;
        self.set_own(|own| own.recovery_proven = true)
    }
    fn recovery_sid(&self) -> Result<Option<Sid>> {
        let users = self.machine.local_users()?;
        Ok(users.into_iter().find(|user| user.name.eq_ignore_ascii_case(RECOVERY_ACCOUNT)).map(|user| user.sid))
    }
    /// Goes on with an administrator whose password was proven earlier; without one the device isn't armed.
    fn keep_recovery(&self) -> Result<()> {
        if self.own()?.recovery_proven && self.recovery_sid()?.is_some() {
            return Ok(());
        }
        let name = self.machine.computer_name()?;
        Err(Problem::new(
            "device.no-recovery",
            format!("{name} has no recovery administrator whose password was proven"),
        )
        .next("apply the wave again with recovery passwords"))
    }
    pub(super) fn remove_recovery(&self) -> Result<()> {
        self.set_own(|own| own.recovery_proven = false)?;
        if self.recovery_sid()?.is_some() {
            self.machine.remove_local_user(RECOVERY_ACCOUNT)?;
            self.taken(self.recovery_sid()?.is_none(), || format!("account {RECOVERY_ACCOUNT}"))?;
        }
        Ok(())
    }
    fn boot_start(&self) -> Result<()> {
        self.set_own(|own| own.armed = true)?;
        let thing = Thing::Service(install::SERVICE.to_owned());
        match self.machine.service(install::SERVICE)? {
            Some(service) if service.start == StartKind::Auto => {}
            Some(service) => {
                self.note(Purpose::BootStart, thing, Was::of_start(service.start))?;
                self.machine.set_start(install::SERVICE, StartKind::Auto)?;
            }
            None => {
                self.note(Purpose::BootStart, thing, Was::Absent)?;
                self.machine.install_service(&ServiceSpec {
                    name: install::SERVICE.to_owned(),
                    display: install::SERVICE_DISPLAY.to_owned(),
                    description: install::SERVICE_DESCRIPTION.to_owned(),
                    command: self.options.service_command.clone(),
                    start: StartKind::Auto,
                    restart_secs: install::RESTART_SECS,
                })?;
            }
        }
        let service = self.machine.service(install::SERVICE)?;
        self.taken(service.is_some_and(|s| s.start == StartKind::Auto), || format!("service {}", install::SERVICE))
    }
    fn surface_back(&self) -> Result<()> {
        self.put_back(Purpose::Surface)?;
        self.set_own(|own| own.banner = false)
    }
    pub(super) fn restore_surface(&self) -> Result<()> {
        if self.own()?.recorded.is_none() {
            return Err(self.not_staged());
        }
        self.surface_back()
    }
    pub(super) fn disarm(&self) -> Result<()> {
        self.surface_back()?;
        self.resume_protectors()?;
        self.remove_recovery()?;
        self.put_back(Purpose::BootStart)?;
        self.set_own(|own| own.armed = false)
    }
}
