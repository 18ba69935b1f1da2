//! What can be wrong with a small world, and the one thing that `opsole check` says of it.

use crate::support::TestEnv;

/// One change of the example's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// A key of what is wrong with the first device.
    Survey(&'static str),
    /// A key of the first device.
    Device(&'static str),
    /// A key of the tenant.
    Tenant(&'static str),
    /// A key of what the package holds.
    Content(&'static str),
    /// A permission that the application isn't granted.
    Lacks(&'static str),
    /// A check that nobody attests.
    Unattested(&'static str),
    /// Other text in the world.
    World(&'static str, &'static str),
    /// Other text in the plan.
    Plan(&'static str, &'static str),
}
use Edit::{Content, Device, Lacks, Plan, Survey, Tenant, Unattested, World};

/// A change and what it makes of checks.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What is changed.
    pub edits: &'static [Edit],
    /// Each check that comes to something else, and to what.
    pub says: &'static [(&'static str, &'static str)],
}

const fn row(edits: &'static [Edit], says: &'static [(&'static str, &'static str)]) -> Row {
    Row { edits, says }
}

const READS_DEVICE_POLICY: &[Edit] = &[Lacks("Policy.Read.DeviceConfiguration"), Lacks("Policy.Read.All")];

/// Over `examples/hybrid-to-entra`, where nothing blocks.
pub const ROWS: &[Row] = &[
    row(&[World("1104, licences: [intune, entra-p1]", "1104, licences: [entra-p1]")], &[("lic.intune", "fail")]),
    row(&[World("1105, licences: [intune, entra-p1]", "1105, licences: [intune]")], &[("lic.entra-premium", "fail")]),
    row(&[Survey("os: Windows 8.1")], &[("dev.os", "fail")]),
    row(&[Survey("unknown: [windows]")], &[("dev.os", "unknown")]),
    row(&[Device("edition: Core")], &[("dev.edition", "fail")]),
    row(&[Device("edition: Zen")], &[("dev.edition", "unknown")]),
    row(&[Survey("memory-mib: 4096")], &[("dev.memory", "fail")]),
    row(&[Survey("unknown: [memory]")], &[("dev.memory", "unknown")]),
    row(&[Survey("free-mib: 4000")], &[("dev.storage", "fail")]),
    row(&[Survey("unknown: [system-volume]")], &[("dev.storage", "unknown")]),
    row(&[Survey("cores: 1")], &[("dev.cpu", "fail")]),
    row(&[Survey("cores: 2")], &[("dev.cpu", "warn")]),
    row(&[Survey("unknown: [cores]")], &[("dev.cpu", "unknown")]),
    row(&[Survey("tpm: none")], &[("dev.tpm", "fail")]),
    row(&[Survey("tpm: {version: '1.2'}")], &[("dev.tpm", "fail")]),
    row(&[Survey("unknown: [tpm]")], &[("dev.tpm", "unknown")]),
    row(&[Survey("disk-trouble: predicted to fail")], &[("dev.disk-health", "fail")]),
    row(&[Survey("unknown: [disk]")], &[("dev.disk-health", "unknown")]),
    row(&[Survey("canary-blocked-by: Acme EDR")], &[("dev.system-execution", "fail"), ("sec.allow-list", "fail")]),
    row(&[Survey("unknown: [canary]")], &[("dev.system-execution", "unknown")]),
    row(&[World("{name: LON-FIN-001,", "{name: LON-FIN-001, on-ac: false,")], &[("dev.power", "fail")]),
    row(&[Device("pending-reboot: true")], &[("dev.pending-reboot", "fail")]),
    row(&[Survey("clock-skew-secs: -300")], &[("dev.clock", "fail")]),
    row(&[Survey("unknown: [clock]")], &[("dev.clock", "unknown")]),
    row(&[Survey("entra-unhealthy: true")], &[("dev.join-state", "fail")]),
    row(&[Survey("mdm: Acme"), Device("intune: false")], &[("dev.mdm", "fail")]),
    row(&[Plan("configmgr-removal: true", "configmgr-removal: false")], &[("dev.mdm", "warn")]),
    row(&[Survey("unknown: [tattooed-rights]")], &[("dev.mdm", "unknown")]),
    row(
        &[World("{upn: chloe@contoso.com,", "{upn: chloe@contoso.com, enabled: false,")],
        &[("dev.user-synced", "fail")],
    ),
    row(
        &[World(
            "chloe@contoso.com, on-premises-sid: S-1-5-21-1004336348-1177238915-682003330-1106,",
            "chloe@contoso.com,",
        )],
        &[("dev.user-synced", "fail")],
    ),
    row(&[Device("profile: roaming")], &[("prof.local", "fail")]),
    row(&[World("{name: LON-IT-002,", "{name: LON-IT-002, profile: temporary,")], &[("prof.healthy", "fail")]),
    row(&[Survey("loaders: [Acme Backup]")], &[("prof.loaders", "warn")]),
    row(&[Survey("unknown: [user-tasks]")], &[("prof.loaders", "unknown")]),
    row(
        &[World("{name: LON-FIN-001,", "{name: LON-FIN-001, survey: {target-profile-mib: 20000},")],
        &[("prof.target-absent", "fail")],
    ),
    row(&[Survey("bitlocker: converting")], &[("rec.bitlocker", "fail")]),
    row(&[Survey("bitlocker: not-in-escrow")], &[("rec.bitlocker", "fail")]),
    row(&[Lacks("BitlockerKey.ReadBasic.All")], &[("rec.bitlocker", "unknown"), ("app.permissions", "fail")]),
    row(&[Survey("local-admin: none")], &[("rec.local-admin", "fail")]),
    row(&[Survey("unknown: [local-admin]")], &[("rec.local-admin", "unknown")]),
    row(&[Survey("laps: ad")], &[("rec.laps-gap", "warn")]),
    row(&[Survey("network: {login.microsoftonline.com: no-answer}")], &[("net.https", "fail")]),
    row(&[Survey("connection: {kind: wifi, machine-credential: true}")], &[("net.https", "warn")]),
    row(&[Survey("network: {graph.microsoft.com: no-name}")], &[("net.dns", "fail")]),
    row(&[Survey("network: {enterpriseregistration.windows.net: proxy-wants-person}")], &[("net.proxy", "fail")]),
    row(&[Survey("network: {enrollment.manage.microsoft.com: captive-portal}")], &[("net.captive", "fail")]),
    row(&[Survey("network: {device.login.microsoftonline.com: {intercepted: Acme CA}}")], &[("net.tls", "fail")]),
    row(
        &[Survey("unknown: [network]")],
        &[
            ("net.https", "unknown"),
            ("net.dns", "unknown"),
            ("net.proxy", "unknown"),
            ("net.captive", "unknown"),
            ("net.tls", "unknown"),
        ],
    ),
    row(&[Survey("folder-access-blocks: true")], &[("sec.allow-list", "fail")]),
    row(&[Survey("unknown: [app-control]")], &[("sec.allow-list", "unknown")]),
    row(&[Tenant("mdm-authority: sccm")], &[("ent.mdm-authority", "fail")]),
    row(&[Unattested("ent.auto-enrolment")], &[("ent.auto-enrolment", "unknown")]),
    row(&[Tenant("registration: {join-allowed: false}")], &[("ent.join-allowed", "fail")]),
    row(&[Tenant("registration: {mfa-required: true}")], &[("ent.join-mfa", "fail")]),
    row(&[Tenant("registration: {user-device-quota: 1}")], &[("ent.device-quota", "fail")]),
    row(&[Tenant("enrolment: {windows-blocked: true}")], &[("ent.enrolment-restrictions", "fail")]),
    row(&[Tenant("enrolment: {device-limit: 0}")], &[("ent.enrolment-restrictions", "warn")]),
    row(&[Tenant("enrolment: {status-pages: [{name: Everybody, blocks: true}]}")], &[("ent.esp", "warn")]),
    row(
        &[Lacks("DeviceManagementServiceConfig.Read.All")],
        &[("ent.esp", "unknown"), ("ent.enrolment-restrictions", "unknown"), ("app.permissions", "fail")],
    ),
    row(
        READS_DEVICE_POLICY,
        &[
            ("ent.join-allowed", "unknown"),
            ("ent.join-mfa", "unknown"),
            ("ent.device-quota", "unknown"),
            ("ent.conditional-access", "unknown"),
            ("app.permissions", "fail"),
        ],
    ),
    row(&[World("state: disabled", "state: enabled")], &[("ent.conditional-access", "fail")]),
    row(&[World("state: disabled", "state: enabledForReportingButNotEnforced")], &[("ent.conditional-access", "warn")]),
    row(&[Unattested("ent.mde")], &[("ent.mde", "unknown")]),
    row(
        &[World("  sync-to: contoso", "  sync-to: contoso\n  disjoin-account: {enabled: false}")],
        &[("ad.disjoin-account", "fail")],
    ),
    row(
        &[World(
            "  sync-to: contoso",
            "  sync-to: contoso\n  disjoin-account: {password-expires: 2026-12-20T00:00:00Z}",
        )],
        &[("ad.disjoin-account", "warn")],
    ),
    row(&[Plan("retire: disable", "retire: keep")], &[("ad.disjoin-account", "not-applicable")]),
    row(
        &[World(
            "secret: lab-secret-of-contoso",
            "secret: lab-secret-of-contoso\n        credential-expires: 2026-12-04T00:00:00Z",
        )],
        &[("app.credential", "fail")],
    ),
    row(&[Lacks("GroupMember.ReadWrite.All")], &[("app.permissions", "fail")]),
    row(
        &[World("Directory.Read.All", "GroupMember.Read.All, Application.Read.All, RoleManagement.Read.Directory")],
        &[("app.excess", "pass")],
    ),
    row(&[Content("computer-name: LONDON")], &[("pkg.format", "fail")]),
    row(&[Content("garbage: true")], &[("pkg.format", "fail")]),
    row(&[Content("encrypted: true")], &[("pkg.format", "unknown")]),
    row(&[Content("settings: [Common/Policies/Start/HideSleep]")], &[("pkg.format", "warn")]),
    row(&[Content("other-tenant: 7d9f3f0a-5d2e-4c47-8a0e-2b1f6c9d4e11")], &[("pkg.tenant", "fail")]),
    row(&[World("expires: 2027-04-30T", "expires: 2026-12-05T")], &[("pkg.lifetime", "fail")]),
    row(&[Plan("    validated: {by: desktop", "#    validated: {by: desktop")], &[("pkg.validated", "unknown")]),
    row(&[Unattested("rec.workflow")], &[("rec.workflow", "unknown")]),
    row(&[Unattested("rec.escalation")], &[("rec.escalation", "unknown")]),
    row(&[Unattested("ppl.communication")], &[("ppl.communication", "unknown")]),
    row(&[Unattested("ppl.mode")], &[("ppl.mode", "unknown")]),
    row(&[Unattested("ppl.service-desk")], &[("ppl.service-desk", "unknown")]),
    row(&[Unattested("ppl.rollback")], &[("ppl.rollback", "unknown")]),
    row(&[Unattested("ppl.known-behaviours")], &[("ppl.known-behaviours", "unknown")]),
    row(&[Unattested("apps.readiness")], &[("apps.readiness", "unknown")]),
    row(
        &[
            World(
                "directory:\n",
                "  other:\n    id: 7d9f3f0a-5d2e-4c47-8a0e-2b1f6c9d4e11\n    domain: other.com\n    users: [{upn: chloe@other.com}]\ndirectory:\n",
            ),
            World(
                "join: hybrid, tenant: contoso, user: chloe@contoso.com",
                "join: hybrid, tenant: other, user: chloe@other.com",
            ),
        ],
        &[
            // Whose device it is decides what is known of it.
            ("dev.join-tenant", "fail"),
            ("dev.user-synced", "fail"),
            ("ppl.cleanup-timing", "fail"),
            ("rec.bitlocker", "fail"),
        ],
    ),
    row(
        &[Lacks("DeviceManagementManagedDevices.ReadWrite.All")],
        &[("ppl.cleanup-timing", "unknown"), ("app.permissions", "fail")],
    ),
    row(
        &[Plan("reason: board meeting season", "reason: board meeting season\n    ticket: CHG-1")],
        &[("ppl.change-record", "pass")],
    ),
];

/// Writes the example with some changes.
pub fn write(env: &TestEnv, edits: &[Edit]) {
    drop(std::fs::remove_dir_all(env.path(".opsole")));
    let example = crate::support::root().join("examples/hybrid-to-entra");
    let read = |name: &str| std::fs::read_to_string(example.join(name)).expect("the example");
    let (mut world, mut plan) = (read("world.yaml"), read("plan.yaml"));
    let change = |text: &mut String, from: &str, to: &str| {
        assert!(text.contains(from), "the example doesn't hold {from:?}");
        *text = text.replacen(from, to, 1);
    };
    let (mut survey, mut device, mut tenant, mut content) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for edit in edits {
        match *edit {
            Survey(key) => survey.push(key),
            Device(key) => device.push(key.to_owned()),
            Tenant(key) => tenant.push(key),
            Content(key) => content.push(key),
            Lacks(permission) => {
                let from = if world.contains(&format!("{permission},")) {
                    format!("{permission},")
                } else {
                    format!(", {permission}")
                };
                change(&mut world, &from, "");
            }
            Unattested(check) => {
                let line =
                    plan.lines().find(|line| line.contains(&format!("check: {check}"))).expect("attested").to_owned();
                // One of them stands on lines of its own.
                if line.ends_with('}') {
                    change(&mut plan, &format!("{line}\n"), "");
                } else {
                    let from = plan.find(&line).expect("there");
                    let to = from + plan[from + 4..].find("\n  - ").map_or(0, |at| at + 5);
                    plan.replace_range(from..to, "");
                }
            }
            World(from, to) => change(&mut world, from, to),
            Plan(from, to) => change(&mut plan, from, to),
        }
    }
    if !survey.is_empty() {
        device.push(format!("survey: {{{}}}", merged(&survey).join(", ")));
    }
    if !device.is_empty() {
        change(&mut world, "{name: LON-IT-001, ", &format!("{{name: LON-IT-001, {}, ", device.join(", ")));
    }
    for key in merged(&tenant) {
        change(&mut world, "    domain: contoso.com\n", &format!("    domain: contoso.com\n    {key}\n"));
    }
    if !content.is_empty() {
        let content = format!("T00:00:00Z, content: {{{}}}}}\n    conditional", content.join(", "));
        change(&mut world, "T00:00:00Z}\n    conditional", &content);
    }
    env.write("world.yaml", &world);
    env.write("plan.yaml", &plan.replace("attestations:\n\n", "attestations: []\n\n"));
}

/// Makes one key of several maps or lists under the same name: `a: {b: 1}` and `a: {c: 2}`.
fn merged(keys: &[&str]) -> Vec<String> {
    let mut merged: Vec<(&str, Vec<&str>)> = Vec::new();
    for key in keys {
        let (name, value) = key.split_once(": ").expect("a key and a value");
        match merged.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => merged.push((name, vec![value])),
        }
    }
    let inner = |value: &&str| value[1..value.len() - 1].to_owned();
    merged
        .into_iter()
        .map(|(name, values)| match values.as_slice() {
            [one] => format!("{name}: {one}"),
            many => {
                let inner = many.iter().map(inner).collect::<Vec<_>>().join(", ");
                if many[0].starts_with('[') { format!("{name}: [{inner}]") } else { format!("{name}: {{{inner}}}") }
            }
        })
        .collect()
}
