//! Security software: what the canary met, and what policies say (prerequisites 1.11).

use super::Judged;
use super::device::unread;
use crate::model::{Check, Known, Security, Survey};

/// Judges whether security software lets the migration work.
pub(super) fn checks(survey: &Survey, add: &mut dyn FnMut(Check, Judged)) {
    let security = &survey.security;
    let mut parts = Vec::new();
    if let Some(by) = survey.canary.known().and_then(|canary| canary.blocked_by.as_ref()) {
        let seen = format!("{by} stopped the canary");
        parts.push(Judged::fail(seen).remedy(format!("allow the agent's signer, paths and behaviours in {by}")));
    }
    parts.extend(policy(
        &security.folder_access_blocks,
        "controlled folder access",
        "would block writes to the agent's folders",
        "add the agent's programs to the applications that controlled folder access allows",
    ));
    parts.extend(policy(
        &security.app_control_blocks,
        "application control (WDAC, AppLocker)",
        "would block the agent's programs",
        "add the agent's signer to the policies of WDAC or AppLocker",
    ));
    parts.push(Judged::pass(products(security)));
    add(Check::SecAllowList, Judged::worst(parts));
}

fn policy(blocks: &Known<bool>, what: &str, does: &str, next: &'static str) -> Option<Judged> {
    match blocks {
        Known::Known(true) => Some(Judged::fail(format!("{what} {does}")).remedy(next)),
        Known::Known(false) | Known::Absent => None,
        Known::Unknown(why) => Some(unread(what, why)),
    }
}

fn products(security: &Security) -> String {
    match security.products.known() {
        Some(products) if !products.is_empty() => format!("nothing was blocked by {}", products.join(", ")),
        _ => "nothing was blocked".to_owned(),
    }
}
