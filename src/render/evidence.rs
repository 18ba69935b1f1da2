//! What an agent finds on its device, as a page for people and as the document `opsole.evidence/1`.

use serde_json::{Value, json};

use crate::model::{DeviceFacts, DeviceName, Known, LapsTarget, ProbeOutcome, Survey};
use crate::state::Evidence;

/// Format of the document.
pub const FORMAT: &str = "opsole.evidence/1";

/// Returns the evidence as a document for programs.
#[must_use]
pub fn document(device: &DeviceName, evidence: &Evidence) -> Value {
    json!({
        "format": FORMAT,
        "device": device,
        "at": evidence.at,
        "facts": evidence.facts,
        "survey": evidence.survey,
    })
}

/// Returns the evidence as a page. Facts only: what they come to is `opsole check`'s.
#[must_use]
pub fn text(device: &DeviceName, evidence: &Evidence) -> String {
    let mut page = Page(format!("{device}, looked at {}\n", evidence.at));
    facts(&mut page, &evidence.facts);
    match &evidence.survey {
        Some(survey) => surveyed(&mut page, survey),
        None => page.row("survey", "none was taken"),
    }
    page.0.truncate(page.0.trim_end().len());
    page.0
}

struct Page(String);

impl Page {
    fn row(&mut self, label: &str, text: &str) {
        self.0.push_str(&format!("  {label:<22}{text}\n"));
    }
    fn known<T>(&mut self, label: &str, known: &Known<T>, show: impl Fn(&T) -> String) {
        let text = match known {
            Known::Known(value) => show(value),
            Known::Absent => "none".to_owned(),
            Known::Unknown(why) => format!("unknown: {why}"),
        };
        self.row(label, &text);
    }
    fn list(&mut self, label: &str, known: &Known<Vec<String>>) {
        self.known(label, known, |list| if list.is_empty() { "none".to_owned() } else { list.join(", ") });
    }
}

fn yes(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn facts(page: &mut Page, facts: &DeviceFacts) {
    page.row("serial number", &facts.identity.serial);
    page.row("edition", &facts.identity.edition);
    page.row("join", facts.join_state().as_str());
    if let Some(entra) = &facts.entra {
        let health = if entra.healthy { "" } else { ", which it can't authenticate with" };
        page.row("registration", &format!("{} in tenant {}{health}", entra.device_id, entra.tenant));
    }
    if let Some(domain) = &facts.domain {
        let leaving = if domain.leaving { ", left at the next restart" } else { "" };
        page.row("domain", &format!("{}{leaving}", domain.domain));
    }
    page.row("MDM", facts.mdm.as_ref().map_or("none", |mdm| mdm.provider.as_str()));
    page.row("ConfigMgr client", yes(facts.configmgr));
    for profile in &facts.profiles {
        let loaded = if profile.loaded { ", loaded" } else { "" };
        let by = if profile.loaders.is_empty() { String::new() } else { format!(" by {}", profile.loaders.join(", ")) };
        let what = format!("{} of {}, {} MiB{loaded}{by}", profile.path, profile.sid, profile.size_mib);
        page.row("profile", &what);
    }
    let bitlocker = &facts.bitlocker;
    let state = match (bitlocker.converting, bitlocker.encrypted) {
        (true, _) => "being encrypted or decrypted",
        (false, true) => "encrypted",
        (false, false) => "not encrypted",
    };
    page.row("BitLocker", &format!("{state}, recovery passwords: {}", bitlocker.protectors.len()));
    page.row(
        "LAPS",
        match facts.laps {
            LapsTarget::None => "off",
            LapsTarget::Entra => "backs up to Microsoft Entra ID",
            LapsTarget::Ad => "backs up to Active Directory",
        },
    );
    page.row("restart pending", yes(facts.pending_reboot));
    page.row("mains power", yes(facts.on_ac));
    page.row("free", &format!("{} MiB", facts.free_mib));
}

fn surveyed(page: &mut Page, survey: &Survey) {
    page.row("surveyed at", &survey.at.to_string());
    page.known("runs as SYSTEM", &survey.as_system, |is| yes(*is).to_owned());
    page.known("Windows", &survey.windows, |windows| {
        let bits = if windows.is_64_bit { "64 bit" } else { "32 bit" };
        format!("{}, build {}, {bits}", windows.product, windows.build)
    });
    page.known("memory", &survey.hardware.memory_mib, |mib| format!("{mib} MiB"));
    page.known("system volume", &survey.hardware.system_volume_mib, |mib| format!("{mib} MiB"));
    page.known("processor cores", &survey.hardware.cores, ToString::to_string);
    page.known("disk", &survey.hardware.disk_trouble, |trouble| {
        trouble.clone().unwrap_or_else(|| "healthy".to_owned())
    });
    page.known("TPM", &survey.tpm, |tpm| {
        let ready = if tpm.ready { "ready" } else { "not ready" };
        let locked = if tpm.locked_out { ", locked out" } else { "" };
        let fips = if tpm.fips { ", FIPS mode" } else { "" };
        format!("{}, {ready}{locked}{fips}", tpm.version)
    });
    page.known("canary", &survey.canary, |canary| {
        let by = canary.blocked_by.as_ref().map_or_else(String::new, |by| format!(", blocked by {by}"));
        let (ran, wrote, read) = (yes(canary.ran_as_system), yes(canary.wrote), yes(canary.read_back));
        format!("ran as SYSTEM: {ran}, wrote: {wrote}, read back: {read}{by}")
    });
    page.known("clock", &survey.clock_skew_secs, |secs| format!("{secs} s from the controller's"));
    match &survey.network {
        Known::Known(probes) => {
            for probe in probes {
                page.row("endpoint", &format!("{}: {}", probe.host, outcome(&probe.outcome)));
            }
        }
        other => page.known("endpoints", other, |_| String::new()),
    }
    page.known("local administrator", &survey.recovery.local_admin, |admin| {
        format!("{}, {}", admin.account, if admin.proven { "proven" } else { "not proven" })
    });
    page.known("LAPS policy", &survey.recovery.laps_policy, Clone::clone);
    page.list("security products", &survey.security.products);
    page.known("folder access blocks", &survey.security.folder_access_blocks, |blocks| yes(*blocks).to_owned());
    page.known("app control blocks", &survey.security.app_control_blocks, |blocks| yes(*blocks).to_owned());
    page.known("connection", &survey.connection, |connection| {
        let ends = if connection.machine_credential { ", signs in as the computer" } else { "" };
        format!("{}{ends}", connection.kind)
    });
    page.list("services of users", &survey.user_services);
    page.list("tasks of users", &survey.user_tasks);
    page.list("leftover rights", &survey.tattooed_rights);
}

fn outcome(outcome: &ProbeOutcome) -> String {
    match outcome {
        ProbeOutcome::Reached => "reached".to_owned(),
        ProbeOutcome::NoName => "its name doesn't resolve".to_owned(),
        ProbeOutcome::NoAnswer => "no answer on 443".to_owned(),
        ProbeOutcome::ProxyWantsPerson => "a proxy asks for a person".to_owned(),
        ProbeOutcome::CaptivePortal => "a captive portal answers".to_owned(),
        ProbeOutcome::Intercepted(issuer) => format!("TLS is intercepted by {issuer}"),
    }
}
