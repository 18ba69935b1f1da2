//! What the sign-in screen and the network look like.

use super::super::{Inner, Result, tables};
use crate::model::LogonSurface;
use crate::windows::machine::Key;

impl Inner {
    /// Reads it.
    pub(in crate::windows::device) fn logon_surface(&self) -> Result<LogonSurface> {
        let caption = self.text(tables::POLICIES_SYSTEM, tables::NOTICE_CAPTION)?;
        let text = self.text(tables::POLICIES_SYSTEM, tables::NOTICE_TEXT)?;
        let notice =
            (caption.is_some() || text.is_some()).then(|| (caption.unwrap_or_default(), text.unwrap_or_default()));
        let providers = Key::machine(tables::PROVIDERS);
        let mut disabled = Vec::new();
        for id in self.machine.keys(&providers)?.unwrap_or_default() {
            if self.number(&providers.join(&id).path, "Disabled")?.is_some_and(|number| number != 0) {
                disabled.push(id);
            }
        }
        disabled.sort();
        Ok(LogonSurface {
            legal_notice: notice,
            auto_logon: self.number(tables::WINLOGON, "AutoAdminLogon")? == Some(1),
            disabled_providers: disabled,
            dns_servers: self
                .machine
                .adapters()?
                .into_iter()
                .next()
                .map(|adapter| adapter.dns_servers)
                .unwrap_or_default(),
        })
    }
}
