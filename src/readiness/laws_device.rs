//! Laws of the device checks, over the fixture's fleets: a table of what can be wrong and what is said of it.

use std::collections::{BTreeMap, BTreeSet};

use super::OutcomeKind::{Excepted, Fail, Unknown, Warn};
use super::{CheckScope, OutcomeKind, assess, one_device, spec};
use crate::dag::fixture::{Fleet, Join, at, id, list, name, old_sid, spanned};
use crate::dag::{Index, assign, compile, views};
use crate::model::Check as C;
use crate::model::{
    Check, Connection, Feature, KeyId, Known, LapsTarget, Mode, ProbeOutcome, ProfileHealth, Scenario, Survey, TenantId,
};
use crate::plan::{Attestation, Exclusion, ExclusionKind};
use crate::state::{DirectoryState, HybridTenant, TrustType};

type Said = BTreeMap<Check, (OutcomeKind, &'static str)>;

/// Returns what speaks of the first device.
fn said(fleet: &Fleet) -> Said {
    let index = Index::new(&fleet.plan, &fleet.snapshot);
    let assignment = assign(&index);
    let views = views(&index, &assignment);
    let graph = compile(&index, &assignment, &views).expect("no cycle");
    let ready = assess(&index, &assignment, &views, &graph);
    let at = views.iter().position(|view| view.device == name(0)).expect("the device");
    let all: Vec<_> = ready.of_device(at).map(|f| (f.check, (f.outcome.kind(), f.code))).collect();
    let count = all.len();
    let said: Said = all.into_iter().collect();
    assert_eq!(said.len(), count, "each check speaks once");
    said
}

fn every(fleet: &Fleet) -> BTreeMap<Check, OutcomeKind> {
    let index = Index::new(&fleet.plan, &fleet.snapshot);
    let assignment = assign(&index);
    let views = views(&index, &assignment);
    let at = views.iter().position(|view| view.device == name(0)).expect("the device");
    let findings = one_device(&index, &assignment.devices[at], &views[at]);
    for finding in &findings {
        assert!(!finding.seen.is_empty() && !finding.seen.ends_with('.'), "{}: {}", finding.check, finding.seen);
        assert!(
            !finding.seen.contains("PC-000:"),
            "{}: the subject is named beside it: {}",
            finding.check,
            finding.seen
        );
    }
    findings.into_iter().map(|finding| (finding.check, finding.outcome.kind())).collect()
}

fn survey(fleet: &mut Fleet) -> &mut Survey {
    match fleet.snapshot.evidence.get_mut(&name(0)) {
        Some(Known::Known(evidence)) => evidence.survey.as_mut().expect("a survey"),
        other => panic!("{other:?}"),
    }
}
fn probe(fleet: &mut Fleet, outcome: ProbeOutcome) {
    match &mut survey(fleet).network {
        Known::Known(probes) => probes[0].outcome = outcome,
        other => panic!("{other:?}"),
    }
}
fn directory(fleet: &mut Fleet) -> &mut DirectoryState {
    known(&mut fleet.snapshot.directory)
}
fn lost<T>() -> Known<T> {
    Known::Unknown("access denied".to_owned())
}
/// Changes what is known.
fn known<T>(known: &mut Known<T>) -> &mut T {
    match known {
        Known::Known(value) => value,
        Known::Absent | Known::Unknown(_) => panic!("the fixture knows everything"),
    }
}

struct Row {
    what: &'static str,
    spoil: fn(&mut Fleet),
    says: &'static [(Check, OutcomeKind, &'static str)],
}

const fn row(what: &'static str, spoil: fn(&mut Fleet), says: &'static [(Check, OutcomeKind, &'static str)]) -> Row {
    Row { what, spoil, says }
}

/// What is wrong with the first of some hybrid devices, and everything that is said of it.
const ROWS: &[Row] = &[
    row("Windows 8", |f| known(&mut survey(f).windows).product = "Windows 8.1".into(), &[(C::DevOs, Fail, "dev.os")]),
    row("32 bit", |f| known(&mut survey(f).windows).is_64_bit = false, &[(C::DevOs, Fail, "dev.os")]),
    row("no version", |f| survey(f).windows = lost(), &[(C::DevOs, Unknown, "dev.os")]),
    row("Home", |f| f.facts(0).identity.edition = "CoreN".into(), &[(C::DevEdition, Fail, "device.home-edition")]),
    row("Server", |f| f.facts(0).identity.edition = "ServerRdsh".into(), &[(C::DevEdition, Fail, "dev.edition")]),
    row("new edition", |f| f.facts(0).identity.edition = "Zen".into(), &[(C::DevEdition, Unknown, "dev.edition")]),
    row("4 GB", |f| survey(f).hardware.memory_mib = Known::Known(4096), &[(C::DevMemory, Fail, "dev.memory")]),
    row("no memory", |f| survey(f).hardware.memory_mib = Known::Absent, &[(C::DevMemory, Unknown, "dev.memory")]),
    row("full", |f| f.facts(0).free_mib = 4000, &[(C::DevStorage, Fail, "dev.storage")]),
    row(
        "64 GB",
        |f| survey(f).hardware.system_volume_mib = Known::Known(60_000),
        &[(C::DevStorage, Fail, "dev.storage")],
    ),
    row("no volume", |f| survey(f).hardware.system_volume_mib = lost(), &[(C::DevStorage, Unknown, "dev.storage")]),
    row("one core", |f| survey(f).hardware.cores = Known::Known(1), &[(C::DevCpu, Fail, "dev.cpu")]),
    row("two cores", |f| survey(f).hardware.cores = Known::Known(2), &[(C::DevCpu, Warn, "dev.cpu")]),
    row("no cores", |f| survey(f).hardware.cores = lost(), &[(C::DevCpu, Unknown, "dev.cpu")]),
    row("no TPM", |f| survey(f).tpm = Known::Absent, &[(C::DevTpm, Fail, "dev.tpm")]),
    row("TPM 1.2", |f| known(&mut survey(f).tpm).version = "1.2, 2, 3".into(), &[(C::DevTpm, Fail, "dev.tpm")]),
    row("TPM not ready", |f| known(&mut survey(f).tpm).ready = false, &[(C::DevTpm, Fail, "dev.tpm")]),
    row("TPM locked", |f| known(&mut survey(f).tpm).locked_out = true, &[(C::DevTpm, Fail, "dev.tpm")]),
    row("odd TPM", |f| known(&mut survey(f).tpm).version = "?".into(), &[(C::DevTpm, Unknown, "dev.tpm")]),
    row("TPM unread", |f| survey(f).tpm = lost(), &[(C::DevTpm, Unknown, "dev.tpm")]),
    row(
        "bad disk",
        |f| survey(f).hardware.disk_trouble = Known::Known(Some("predicted to fail".into())),
        &[(C::DevDiskHealth, Fail, "dev.disk-health")],
    ),
    row("disk unread", |f| survey(f).hardware.disk_trouble = lost(), &[(C::DevDiskHealth, Unknown, "dev.disk-health")]),
    row(
        "canary read nothing",
        |f| known(&mut survey(f).canary).read_back = false,
        &[(C::DevSystemExecution, Fail, "dev.system-execution")],
    ),
    row(
        "canary killed",
        |f| {
            let canary = known(&mut survey(f).canary);
            (canary.ran_as_system, canary.blocked_by) = (false, Some("Acme EDR".into()));
        },
        &[(C::DevSystemExecution, Fail, "dev.system-execution"), (C::SecAllowList, Fail, "sec.allow-list")],
    ),
    row(
        "not SYSTEM",
        |f| survey(f).as_system = Known::Known(false),
        &[(C::DevSystemExecution, Fail, "dev.system-execution")],
    ),
    row("no canary", |f| survey(f).canary = lost(), &[(C::DevSystemExecution, Unknown, "dev.system-execution")]),
    row("battery", |f| f.facts(0).on_ac = false, &[(C::DevPower, Fail, "dev.power")]),
    row("restart", |f| f.facts(0).pending_reboot = true, &[(C::DevPendingReboot, Fail, "dev.pending-reboot")]),
    row("late clock", |f| survey(f).clock_skew_secs = Known::Known(-300), &[(C::DevClock, Fail, "dev.clock")]),
    row("no clock", |f| survey(f).clock_skew_secs = lost(), &[(C::DevClock, Unknown, "dev.clock")]),
    row(
        "only in the domain",
        |f| {
            (f.facts(0).entra, f.facts(0).mdm) = (None, None);
            (f.facts(0).bitlocker.encrypted, f.facts(0).bitlocker.protectors) = (false, Vec::new());
        },
        &[(C::DevJoinState, Fail, "device.join-unsupported")],
    ),
    row(
        "already leaving",
        |f| f.facts(0).domain.as_mut().expect("joined").leaving = true,
        &[(C::DevJoinState, Fail, "dev.join-state")],
    ),
    row(
        "disabled object",
        |f| f.facts(0).entra.as_mut().expect("joined").healthy = false,
        &[(C::DevJoinState, Fail, "dev.join-state")],
    ),
    row(
        "other tenant",
        |f| f.facts(0).entra.as_mut().expect("joined").tenant = TenantId(id(1, 9)),
        &[(C::DevJoinTenant, Fail, "device.wrong-tenant")],
    ),
    row(
        "other domain",
        |f| f.facts(0).domain.as_mut().expect("joined").domain = "other.com".into(),
        &[(C::DevJoinTenant, Fail, "device.wrong-domain")],
    ),
    row(
        "enrolled elsewhere",
        |f| f.facts(0).mdm.as_mut().expect("enrolled").tenant = Some(TenantId(id(1, 9))),
        &[(C::DevJoinTenant, Fail, "device.wrong-tenant")],
    ),
    row(
        "other MDM",
        |f| f.facts(0).mdm.as_mut().expect("enrolled").provider = "Acme".into(),
        &[(C::DevMdm, Fail, "device.third-party-mdm")],
    ),
    row(
        "ConfigMgr stays",
        |f| {
            f.facts(0).configmgr = true;
            let on = f.plan.features.on.iter().filter(|feature| *feature != Feature::ConfigmgrRemoval).collect();
            f.plan.features.on = on;
        },
        &[(C::DevMdm, Warn, "dev.mdm")],
    ),
    row(
        "tattooed rights",
        |f| survey(f).tattooed_rights = Known::Known(vec!["SeInteractiveLogonRight".into()]),
        &[(C::DevMdm, Fail, "dev.mdm")],
    ),
    row("rights unread", |f| survey(f).tattooed_rights = lost(), &[(C::DevMdm, Unknown, "dev.mdm")]),
    row("no such user", |f| f.user(0).on_premises_sid = None, &[(C::DevUserSynced, Fail, "user.not-found")]),
    row("disabled user", |f| f.user(0).enabled = false, &[(C::DevUserSynced, Fail, "user.disabled")]),
    row("administrator", |f| f.user(0).privileged = true, &[(C::DevUserSynced, Fail, "user.privileged")]),
    row("unproven SID", |f| f.user(0).sid = None, &[(C::DevUserSynced, Unknown, "user.sid-unknown")]),
    row("no Intune plan", |f| f.user(0).intune = false, &[(C::LicIntune, Fail, "user.unlicensed")]),
    row("no P1", |f| f.user(0).premium = false, &[(C::LicEntraPremium, Fail, "user.unlicensed")]),
    row(
        "roaming",
        |f| f.facts(0).profiles[0].health = ProfileHealth::Roaming,
        &[(C::ProfLocal, Fail, "profile.roaming")],
    ),
    row(
        "temporary",
        |f| f.facts(0).profiles[0].health = ProfileHealth::Temporary,
        &[(C::ProfHealthy, Fail, "profile.temporary")],
    ),
    row(
        "damaged, and of nobody",
        |f| {
            f.facts(0).profiles[0].health = ProfileHealth::Corrupt;
            f.user(0).on_premises_sid = None;
        },
        &[(C::ProfHealthy, Fail, "profile.corrupt"), (C::DevUserSynced, Fail, "user.not-found")],
    ),
    row(
        "two profiles with data",
        |f| second_profile(f, 20_000),
        &[(C::ProfTargetAbsent, Fail, "profile.target-exists")],
    ),
    row("an empty second profile", |f| second_profile(f, 40), &[]),
    row(
        "backup in the profile",
        |f| f.facts(0).profiles[0].loaders.push("Acme Backup".into()),
        &[(C::ProfLoaders, Warn, "prof.loaders")],
    ),
    row(
        "a service of the user's",
        |f| survey(f).user_services = Known::Known(vec!["sync (CORP\\user0)".into()]),
        &[(C::ProfLoaders, Warn, "prof.loaders")],
    ),
    row("tasks unread", |f| survey(f).user_tasks = lost(), &[(C::ProfLoaders, Unknown, "prof.loaders")]),
    row(
        "converting",
        |f| f.facts(0).bitlocker.converting = true,
        &[(C::RecBitlocker, Fail, "device.bitlocker-converting")],
    ),
    row("no protector", |f| f.facts(0).bitlocker.protectors.clear(), &[(C::RecBitlocker, Fail, "rec.bitlocker")]),
    row("suspended", |f| f.facts(0).bitlocker.suspended_reboots = 1, &[(C::RecBitlocker, Warn, "rec.bitlocker")]),
    row(
        "key not in escrow",
        |f| list(&mut f.origin().recovery_keys).retain(|key| key.id != KeyId(id(7, 0))),
        &[(C::RecBitlocker, Fail, "rec.bitlocker")],
    ),
    row(
        "escrow unread",
        |f| f.origin().recovery_keys = lost(),
        &[(C::RecBitlocker, Unknown, "observation.recovery-keys")],
    ),
    row(
        "unproven administrator",
        |f| known(&mut survey(f).recovery.local_admin).proven = false,
        &[(C::RecLocalAdmin, Fail, "rec.local-admin")],
    ),
    row(
        "no administrator",
        |f| survey(f).recovery.local_admin = Known::Absent,
        &[(C::RecLocalAdmin, Fail, "rec.local-admin")],
    ),
    row(
        "accounts unread",
        |f| survey(f).recovery.local_admin = lost(),
        &[(C::RecLocalAdmin, Unknown, "rec.local-admin")],
    ),
    row("LAPS in the directory", |f| f.facts(0).laps = LapsTarget::Ad, &[(C::RecLapsGap, Warn, "rec.laps-gap")]),
    row(
        "LAPS by group policy",
        |f| survey(f).recovery.laps_policy = Known::Known("gpo".into()),
        &[(C::RecLapsGap, Warn, "rec.laps-gap")],
    ),
    row("no answer", |f| probe(f, ProbeOutcome::NoAnswer), &[(C::NetHttps, Fail, "net.https")]),
    row("no name", |f| probe(f, ProbeOutcome::NoName), &[(C::NetDns, Fail, "net.dns")]),
    row("proxy", |f| probe(f, ProbeOutcome::ProxyWantsPerson), &[(C::NetProxy, Fail, "net.proxy")]),
    row("portal", |f| probe(f, ProbeOutcome::CaptivePortal), &[(C::NetCaptive, Fail, "net.captive")]),
    row("TLS", |f| probe(f, ProbeOutcome::Intercepted("Acme CA".into())), &[(C::NetTls, Fail, "net.tls")]),
    row(
        "computer's Wi-Fi",
        |f| survey(f).connection = Known::Known(Connection { kind: "wifi".into(), machine_credential: true }),
        &[(C::NetHttps, Warn, "net.https")],
    ),
    row(
        "network unread",
        |f| survey(f).network = lost(),
        &[
            (C::NetHttps, Unknown, "net.https"),
            (C::NetDns, Unknown, "net.dns"),
            (C::NetProxy, Unknown, "net.proxy"),
            (C::NetCaptive, Unknown, "net.captive"),
            (C::NetTls, Unknown, "net.tls"),
        ],
    ),
    row(
        "an agent that leaves an endpoint out",
        |f| drop(known(&mut survey(f).network).remove(1)),
        &[
            (C::NetHttps, Unknown, "net.https"),
            (C::NetDns, Unknown, "net.dns"),
            (C::NetProxy, Unknown, "net.proxy"),
            (C::NetCaptive, Unknown, "net.captive"),
            (C::NetTls, Unknown, "net.tls"),
        ],
    ),
    row(
        "controlled folder access",
        |f| survey(f).security.folder_access_blocks = Known::Known(true),
        &[(C::SecAllowList, Fail, "sec.allow-list")],
    ),
    row(
        "WDAC",
        |f| survey(f).security.app_control_blocks = Known::Known(true),
        &[(C::SecAllowList, Fail, "sec.allow-list")],
    ),
    row(
        "WDAC unread",
        |f| survey(f).security.app_control_blocks = lost(),
        &[(C::SecAllowList, Unknown, "sec.allow-list")],
    ),
    row(
        "Entra object gone",
        |f| {
            list(&mut f.origin().devices).remove(0);
            by_name(f);
        },
        &[(C::PplCleanupTiming, Fail, "device.entra-object-missing")],
    ),
    row(
        "Entra object made anew",
        |f| list(&mut f.origin().devices)[0].trust = TrustType::Pending,
        &[(C::PplCleanupTiming, Fail, "device.entra-object-pending")],
    ),
    row(
        "Intune record gone",
        |f| drop(list(&mut f.origin().managed_devices).remove(0)),
        &[(C::PplCleanupTiming, Fail, "ppl.cleanup-timing")],
    ),
    row(
        "computer gone",
        |f| drop(directory(f).computers.remove(0)),
        &[(C::PplCleanupTiming, Fail, "ppl.cleanup-timing")],
    ),
    row(
        "computer made anew",
        |f| directory(f).computers[0].guid = uuid::Uuid::from_u128(7),
        &[(C::PplCleanupTiming, Warn, "ppl.cleanup-timing")],
    ),
    row(
        "forest of another tenant",
        |f| {
            let tenant = Some(TenantId(uuid::Uuid::from_u128(7)));
            directory(f).hybrid = Known::Known(HybridTenant { domain: None, tenant });
        },
        &[(C::PplCleanupTiming, Warn, "ppl.cleanup-timing")],
    ),
    row(
        "directory unread",
        |f| f.snapshot.directory = lost(),
        &[(C::PplCleanupTiming, Unknown, "observation.directory")],
    ),
];

fn by_name(fleet: &mut Fleet) {
    fleet.plan.waves[0].devices = crate::dag::fixture::named("PC-00[01]");
    fleet.plan.waves[1].devices = crate::dag::fixture::named("PC-00[2-9]");
}

fn second_profile(fleet: &mut Fleet, size_mib: u64) {
    let mut other = fleet.facts(0).profiles[0].clone();
    (other.sid, other.path) = (fleet.user(0).sid.clone().expect("a SID"), "C:\\Users\\other".to_owned());
    (other.size_mib, other.last_used) = (size_mib, None);
    fleet.facts(0).profiles.push(other);
    match &mut fleet.plan.devices {
        crate::plan::DeviceSource::Inventory(rows) => rows[0].user = Some(old_sid(Join::Hybrid, 0).to_string()),
        crate::plan::DeviceSource::Selector(_) => panic!("the fixture has an inventory"),
    }
}

fn fresh() -> Fleet {
    let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 3);
    // People stand for nothing that a device can show here.
    fleet.plan.attestations.retain(|one| one.check != "sec.allow-list");
    fleet
}
fn expected(row: &Row) -> Said {
    row.says.iter().map(|(check, kind, code)| (*check, (*kind, *code))).collect()
}

/// Catches a check that finds fault with a device that nothing is wrong with, in any scenario.
#[test]
fn nothing_is_said_of_sound_devices() {
    for (scenario, join) in [
        (Scenario::AdToEntra, Join::Ad),
        (Scenario::HybridToEntra, Join::Hybrid),
        (Scenario::TenantToTenant, Join::Entra),
        (Scenario::TenantToTenant, Join::Hybrid),
        (Scenario::TenantToTenant, Join::Ad),
    ] {
        let fleet = Fleet::new(scenario, join, 3);
        assert_eq!(said(&fleet), Said::new(), "{scenario:?} {join:?}");
        let unknown: Vec<_> = every(&fleet).into_iter().filter(|(_, kind)| *kind == Unknown).collect();
        assert_eq!(unknown, [], "{scenario:?} {join:?}");
    }
}

/// Catches a check that misses what it is for, says it under another code, or drags others along. Each row is one
/// thing that is wrong, so that mending it makes exactly these findings go away.
#[test]
fn each_fault_says_exactly_its_own() {
    for row in ROWS {
        let mut fleet = fresh();
        (row.spoil)(&mut fleet);
        assert_eq!(said(&fleet), expected(row), "{}", row.what);
        let every = every(&fleet);
        for (check, kind, _) in row.says {
            assert_eq!(every.get(check), Some(kind), "{}: one device is judged as all are", row.what);
        }
    }
}

/// Catches a fault that hides another one: with everything broken at once each is named, and mending one of them
/// takes away its findings and no other's.
#[test]
fn everything_is_said_at_once_and_each_mending_counts() {
    let mut taken = BTreeSet::new();
    // One fault for each check, the first of the table; those that keep the person unknown hide what is judged
    // from the person, and stay out.
    let person = [C::DevUserSynced, C::ProfHealthy, C::ProfLocal, C::ProfTargetAbsent];
    let all: Vec<&Row> = ROWS
        .iter()
        .filter(|row| !row.says.is_empty() && row.says.iter().all(|(check, ..)| !person.contains(check)))
        .filter(|row| row.what != "canary killed" && row.what != "only in the domain")
        .filter(|row| row.says.len() == 1 && taken.insert(row.says[0].0))
        .collect();
    assert!(all.len() > 20, "{}", all.len());
    let broken = |without: Option<&str>| {
        let mut fleet = fresh();
        all.iter().filter(|row| Some(row.what) != without).for_each(|row| (row.spoil)(&mut fleet));
        said(&fleet)
    };
    let network = [C::NetHttps, C::NetDns, C::NetProxy, C::NetCaptive, C::NetTls];
    let whole = broken(None);
    for row in all.iter().filter(|row| !network.contains(&row.says[0].0)) {
        let mut wanted = whole.clone();
        assert_eq!(wanted.remove(&row.says[0].0), Some((row.says[0].1, row.says[0].2)), "{} is named", row.what);
        assert_eq!(broken(Some(row.what)), wanted, "{} is mended", row.what);
    }
}

/// Catches a check of devices that nothing can fail, and one that nothing can pass: the table would prove nothing.
#[test]
fn the_table_knows_every_check_of_devices() {
    let passing = every(&fresh());
    let speaking: BTreeSet<Check> = ROWS.iter().flat_map(|row| row.says).map(|(check, ..)| *check).collect();
    for check in Check::ALL.iter().filter(|check| matches!(spec(**check).scope, CheckScope::Device | CheckScope::User))
    {
        assert_eq!(passing.get(check), Some(&OutcomeKind::Pass), "{check}");
        assert!(speaking.contains(check), "{check}");
    }
}

/// Catches a survey that isn't there and counts as one that found nothing, and a tally that forgets what wasn't asked.
#[test]
fn without_a_survey_nothing_passes_that_it_answers() {
    let mut fleet = fresh();
    match fleet.snapshot.evidence.get_mut(&name(0)) {
        Some(Known::Known(evidence)) => evidence.survey = None,
        other => panic!("{other:?}"),
    }
    assert_eq!(said(&fleet), Said::from([(C::DevSystemExecution, (Unknown, "device.no-survey"))]));
    let every = every(&fleet);
    for check in [C::DevTpm, C::DevMemory, C::NetHttps, C::RecLocalAdmin, C::SecAllowList, C::DevStorage] {
        assert_eq!(every[&check], Unknown, "{check}");
    }
    fleet.snapshot.evidence.remove(&name(0));
    assert_eq!(said(&fleet), Said::from([(C::DevSystemExecution, (Unknown, "device.no-evidence"))]));
    let index = Index::new(&fleet.plan, &fleet.snapshot);
    let assignment = assign(&index);
    let views = views(&index, &assignment);
    let graph = compile(&index, &assignment, &views).expect("no cycle");
    let ready = assess(&index, &assignment, &views, &graph);
    for check in Check::ALL.iter().filter(|check| matches!(spec(**check).scope, CheckScope::Device | CheckScope::User))
    {
        let pilot = ready.tallies.get(&(Some(0), *check)).copied().unwrap_or_default();
        assert_eq!((pilot.total(), pilot.of(Unknown)), (2, 1), "{check}: two devices, one of them silent");
    }
}

/// Catches an exclusion that covers nothing, or a check that nobody may except; and an attestation over a failure.
#[test]
fn the_plans_word_is_laid_over_devices() {
    let mut fleet = fresh();
    survey(&mut fleet).hardware.memory_mib = Known::Known(4096);
    fleet.facts(0).identity.edition = "Core".to_owned();
    let except = |check: &str| Exclusion {
        id: spanned(format!("no-{check}"), 1),
        of: ExclusionKind::Check(check.to_owned()),
        owner: "lead@contoso.com".to_owned(),
        reason: "pilot".to_owned(),
        ticket: None,
        expires: spanned(jiff::civil::date(2027, 1, 31), 2),
        until: at("2027-02-01T00:00:00Z"),
    };
    fleet.plan.exclusions = vec![except("dev.memory"), except("dev.edition")];
    fleet.plan.attestations.push(Attestation {
        check: "dev.edition".to_owned(),
        by: "lead@contoso.com".to_owned(),
        on: jiff::civil::date(2026, 12, 1),
        until: None,
        evidence: None,
    });
    let said = said(&fleet);
    assert_eq!(said[&C::DevMemory].0, Excepted);
    assert_eq!(said[&C::DevEdition].0, Fail, "nobody can answer for an edition that can't join");
}

/// Catches licences that are looked at in one tenant only, where both are needed.
#[test]
fn both_tenants_license_the_person() {
    for side in [0, 1] {
        for join in [Join::Entra, Join::Hybrid, Join::Ad] {
            let mut fleet = Fleet::new(Scenario::TenantToTenant, join, 3);
            let users = if side == 0 { &mut fleet.origin().users } else { &mut fleet.target().users };
            list(users).iter_mut().for_each(|user| user.intune = false);
            assert_eq!(said(&fleet), Said::from([(C::LicIntune, (Fail, "user.unlicensed"))]), "{side} {join:?}");
        }
    }
}

/// Catches a battery that stops a user who starts the move by hand, and keys of devices that only a domain has.
#[test]
fn what_depends_on_the_plan() {
    let mut fleet = fresh();
    fleet.facts(0).on_ac = false;
    fleet.plan.waves.iter_mut().for_each(|wave| wave.mode = Mode::UserInitiated);
    list(&mut fleet.origin().recovery_keys).clear();
    fleet.plan.features.on = fleet.plan.features.on.iter().filter(|feature| *feature != Feature::Bitlocker).collect();
    assert_eq!(said(&fleet), Said::new(), "nobody asked for the escrow");
    let mut fleet = Fleet::new(Scenario::AdToEntra, Join::Ad, 3);
    let key = KeyId(id(7, 0));
    fleet.facts(0).bitlocker.encrypted = true;
    fleet.facts(0).bitlocker.protectors.push(crate::model::Protector { id: key });
    assert_eq!(said(&fleet), Said::from([(C::RecBitlocker, (Warn, "rec.bitlocker"))]));
}

/// Catches a check that speaks of a device for which the start is long over.
#[test]
fn devices_past_the_start_are_left_alone() {
    let mut fleet = fresh();
    fleet.migrate(0);
    survey(&mut fleet).tpm = Known::Absent;
    fleet.facts(0).mdm = None;
    assert_eq!(said(&fleet), Said::new());
}
