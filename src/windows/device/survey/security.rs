//! Security software, the connection, and what hangs on people's accounts.

use super::super::{Inner, Result, tables, unreadable};
use super::known;
use crate::model::{Connection, Security};
use crate::windows::machine::{Cell, Key};

impl Inner {
    pub(super) fn security(&self) -> Security {
        Security {
            products: known(self.products()),
            folder_access_blocks: known(self.folder_access()),
            app_control_blocks: known(self.app_control()),
        }
    }
    fn products(&self) -> Result<Vec<String>> {
        let query = "SELECT displayName FROM AntiVirusProduct";
        let rows = self.machine.query(r"root\SecurityCenter2", query)?;
        let rows = rows.ok_or_else(|| unreadable("SecurityCenter2", "this Windows doesn't have it"))?;
        let mut names: Vec<String> =
            rows.iter().filter_map(|row| row.get("displayName").and_then(Cell::text)).map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }
    /// Controlled folder access guards people's folders; the private folder isn't among them unless it was added
    /// \[K].
    fn folder_access(&self) -> Result<bool> {
        let on = self.number(tables::FOLDER_ACCESS, "EnableControlledFolderAccess")? == Some(1);
        let guarded = format!("{}\\ProtectedFolders", tables::FOLDER_ACCESS);
        let private = self.private()?.to_lowercase();
        let folders = self.machine.values(&Key::machine(guarded))?.unwrap_or_default();
        Ok(on && folders.iter().any(|(name, _)| private.starts_with(&name.to_lowercase())))
    }
    /// This program runs, so it isn't held back. Where AppLocker holds programs back, whether PowerShell and what it starts
    /// are among them can't be read from here, so it is unknown: somebody who knows the rules can attest it.
    fn app_control(&self) -> Result<bool> {
        let mode = self.number(&format!("{}\\Exe", tables::APP_LOCKER), "EnforcementMode")?;
        let service = self.machine.service("AppIDSvc")?;
        if mode == Some(1) && service.is_some_and(|service| service.running) {
            return Err(unreadable("what AppLocker lets run", "it holds programs back by rules that aren't read here"));
        }
        Ok(false)
    }

    pub(super) fn connection(&self) -> Result<Connection> {
        let adapters = self.machine.adapters()?;
        let adapter = adapters.first().ok_or_else(|| unreadable("the adapters", "none is up"))?;
        let kind = match adapter.kind {
            6 => "ethernet",
            71 => "wifi",
            243 | 244 => "cellular",
            _ => "other",
        };
        // 802.1X of cables runs in a service of its own, which is off where nobody uses it \[K].
        let wired = self.machine.service("dot3svc")?.is_some_and(|service| service.running);
        Ok(Connection { kind: kind.to_owned(), machine_credential: kind == "ethernet" && wired })
    }
    pub(super) fn user_services(&self) -> Result<Vec<String>> {
        let own = |account: &str| {
            let lower = account.to_lowercase();
            lower.is_empty()
                || lower == "localsystem"
                || ["nt authority\\", "nt service\\", ".\\localsystem"].iter().any(|begin| lower.starts_with(begin))
        };
        let services = self.machine.services()?;
        let mut found: Vec<String> = services
            .iter()
            .filter(|service| !own(&service.account))
            .map(|service| format!("{} ({})", service.name, service.account))
            .collect();
        found.sort();
        Ok(found)
    }
    pub(super) fn user_tasks(&self) -> Result<Vec<String>> {
        let within = |xml: &str, tag: &str| -> Option<String> {
            let rest = xml.split_once(&format!("<{tag}>"))?.1;
            Some(rest.split_once(&format!("</{tag}>"))?.0.trim().to_owned())
        };
        let mut found = Vec::new();
        for task in self.machine.tasks("\\")? {
            // Password is what saves one; the others have none (Microsoft's reference of LogonType).
            if within(&task.xml, "LogonType").as_deref() == Some("Password") {
                let account = within(&task.xml, "UserId").unwrap_or_default();
                found.push(format!("{} ({account})", task.path));
            }
        }
        found.sort();
        Ok(found)
    }
    /// The right to sign in without one of the groups that have it by default keeps new people out (domain.md B3
    /// step 6).
    pub(super) fn tattooed_rights(&self) -> Result<Vec<String>> {
        let holders = self.machine.holders("SeInteractiveLogonRight")?;
        let users = holders.iter().any(|sid| sid.as_str() == "S-1-5-32-545");
        Ok(if users { Vec::new() } else { vec!["SeInteractiveLogonRight".to_owned()] })
    }
}
