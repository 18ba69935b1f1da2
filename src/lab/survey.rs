//! What a world says is wrong with a device: everything that a readiness check can find. Nothing is where it is left out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    Canary, Connection, DeviceFacts, Known, LapsTarget, LocalAdmin, Mdm, Probe, ProbeOutcome, Profile, ProfileHealth,
    Sid, Survey, Tpm,
};

/// What is wrong with a device, or merely different.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorldSurvey {
    /// What Windows calls itself, such as `Windows 8.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// 64 bit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_64_bit: Option<bool>,
    /// Memory in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// Size of the system volume in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_volume_mib: Option<u64>,
    /// Free space on it in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_mib: Option<u64>,
    /// Processor cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// What Windows says of the system volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_trouble: Option<String>,
    /// The TPM: `none`, or how it differs from a sound one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpm: Option<WorldTpm>,
    /// Security software that stops the canary, and whatever else the agent would run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_blocked_by: Option<String>,
    /// Seconds that the clock is ahead; negative is behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_secs: Option<i64>,
    /// What becomes of endpoints, by host name: `no-name`, `no-answer`, `proxy-wants-person`, `captive-portal`,
    /// `{intercepted: ISSUER}`. Others are reached.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub network: BTreeMap<String, ProbeOutcome>,
    /// The local administrator: `none`, or `unproven`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_admin: Option<WorldAdmin>,
    /// Where the LAPS policy comes from: `csp`, `gpo`, `local`, `legacy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub laps_policy: Option<String>,
    /// Where LAPS backs up to: `none`, `entra`, `ad`; it follows from the join where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub laps: Option<LapsTarget>,
    /// Security products.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub products: Option<Vec<String>>,
    /// Controlled folder access would block the agent's folders.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub folder_access_blocks: bool,
    /// Application control would block the agent's programs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub app_control_blocks: bool,
    /// How it is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<WorldConnection>,
    /// Windows services under user accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_services: Vec<String>,
    /// Scheduled tasks with saved credentials.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_tasks: Vec<String>,
    /// User rights that a management left behind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tattooed_rights: Vec<String>,
    /// What loads the profile besides its user, also after restarts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loaders: Vec<String>,
    /// What is wrong with the volume's encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitlocker: Option<WorldBitlocker>,
    /// The device can't authenticate to its tenant.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub entra_unhealthy: bool,
    /// Another vendor's MDM that manages it, by its provider's name; give `intune: false` with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mdm: Option<String>,
    /// Size in MiB of a profile that the person who signs in after the move has already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_profile_mib: Option<u64>,
    /// Parts that can't be read.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub unknown: BTreeSet<SurveyPart>,
}

/// A TPM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WorldTpm {
    /// There is none.
    None(Nothing),
    /// There is one.
    Of(TpmSpec),
}

/// The word `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Nothing {
    /// Nothing.
    None,
}

/// How a TPM is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TpmSpec {
    /// Specification version.
    pub version: String,
    /// Ready.
    pub ready: bool,
    /// Locked out.
    pub locked_out: bool,
    /// In FIPS mode.
    pub fips: bool,
}

impl Default for TpmSpec {
    fn default() -> Self {
        Self { version: "2.0".to_owned(), ready: true, locked_out: false, fips: false }
    }
}

/// What is wrong with the local administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorldAdmin {
    /// There is none.
    None,
    /// Nothing proves the password.
    Unproven,
}

/// What is wrong with the volume's encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorldBitlocker {
    /// It is being encrypted or decrypted.
    Converting,
    /// It has no recovery password.
    NoProtector,
    /// Its key isn't in the tenant's escrow.
    NotInEscrow,
}

/// How a device is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorldConnection {
    /// `ethernet`, `wifi`, `cellular`.
    pub kind: String,
    /// It signs in as the computer.
    #[serde(default)]
    pub machine_credential: bool,
}

/// A part of a survey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SurveyPart {
    /// The agent's account.
    System,
    /// Windows.
    Windows,
    /// Memory.
    Memory,
    /// Size of the system volume.
    SystemVolume,
    /// Processor cores.
    Cores,
    /// Health of the system volume.
    Disk,
    /// The TPM.
    Tpm,
    /// The canary.
    Canary,
    /// The clock.
    Clock,
    /// The network.
    Network,
    /// Local administrators.
    LocalAdmin,
    /// The LAPS policy.
    LapsPolicy,
    /// Security products.
    Products,
    /// Controlled folder access.
    FolderAccess,
    /// Application control.
    AppControl,
    /// The connection.
    Connection,
    /// Windows services under user accounts.
    UserServices,
    /// Scheduled tasks with saved credentials.
    UserTasks,
    /// User rights.
    TattooedRights,
}

fn set<T>(known: &mut Known<T>, value: Option<T>) {
    if let Some(value) = value {
        *known = Known::Known(value);
    }
}

impl WorldSurvey {
    /// Returns what a survey finds at the world's first moment.
    #[must_use]
    pub fn survey(&self, at: Timestamp) -> Survey {
        let mut survey = Survey::sound(at);
        if let Known::Known(windows) = &mut survey.windows {
            windows.product = self.os.clone().unwrap_or_else(|| windows.product.clone());
            windows.is_64_bit = self.is_64_bit.unwrap_or(windows.is_64_bit);
        }
        set(&mut survey.hardware.memory_mib, self.memory_mib);
        set(&mut survey.hardware.system_volume_mib, self.system_volume_mib);
        set(&mut survey.hardware.cores, self.cores);
        set(&mut survey.hardware.disk_trouble, self.disk_trouble.clone().map(Some));
        survey.tpm = match &self.tpm {
            None => survey.tpm,
            Some(WorldTpm::None(Nothing::None)) => Known::Absent,
            Some(WorldTpm::Of(tpm)) => Known::Known(Tpm {
                version: tpm.version.clone(),
                ready: tpm.ready,
                locked_out: tpm.locked_out,
                fips: tpm.fips,
            }),
        };
        let blocked =
            |by: &String| Canary { ran_as_system: false, wrote: false, read_back: false, blocked_by: Some(by.clone()) };
        set(&mut survey.canary, self.canary_blocked_by.as_ref().map(blocked));
        set(&mut survey.clock_skew_secs, self.clock_skew_secs);
        if let Known::Known(probes) = &mut survey.network {
            for (host, outcome) in &self.network {
                match probes.iter_mut().find(|probe| probe.host == *host) {
                    Some(probe) => probe.outcome = outcome.clone(),
                    None => probes.push(Probe { host: host.clone(), outcome: outcome.clone() }),
                }
            }
        }
        match self.local_admin {
            None => {}
            Some(WorldAdmin::None) => survey.recovery.local_admin = Known::Absent,
            Some(WorldAdmin::Unproven) => {
                let admin = LocalAdmin { account: "local-recovery".to_owned(), proven: false };
                survey.recovery.local_admin = Known::Known(admin);
            }
        }
        set(&mut survey.recovery.laps_policy, self.laps_policy.clone());
        set(&mut survey.security.products, self.products.clone());
        survey.security.folder_access_blocks = Known::Known(self.folder_access_blocks);
        survey.security.app_control_blocks = Known::Known(self.app_control_blocks);
        let connection =
            |of: &WorldConnection| Connection { kind: of.kind.clone(), machine_credential: of.machine_credential };
        set(&mut survey.connection, self.connection.as_ref().map(connection));
        survey.user_services = Known::Known(self.user_services.clone());
        survey.user_tasks = Known::Known(self.user_tasks.clone());
        survey.tattooed_rights = Known::Known(self.tattooed_rights.clone());
        for part in &self.unknown {
            lose(&mut survey, *part);
        }
        survey
    }

    /// Lays what is wrong over a device's first facts. `new` is who signs in after the move.
    pub fn spoil(&self, facts: &mut DeviceFacts, new: Option<&Sid>, starts: Timestamp) {
        facts.free_mib = self.free_mib.unwrap_or(facts.free_mib);
        facts.laps = self.laps.unwrap_or(facts.laps);
        for profile in &mut facts.profiles {
            profile.loaders.extend(self.loaders.iter().cloned());
        }
        match self.bitlocker {
            Some(WorldBitlocker::Converting) => facts.bitlocker.converting = true,
            Some(WorldBitlocker::NoProtector) => facts.bitlocker.protectors.clear(),
            Some(WorldBitlocker::NotInEscrow) | None => {}
        }
        if let Some(entra) = facts.entra.as_mut().filter(|_| self.entra_unhealthy) {
            entra.healthy = false;
        }
        if let Some(provider) = &self.mdm {
            let since = starts.saturating_sub(SignedDuration::from_hours(24 * 120)).unwrap_or(Timestamp::MIN);
            facts.mdm = Some(Mdm { provider: provider.clone(), tenant: None, device: None, since });
        }
        if let (Some(size_mib), Some(new)) = (self.target_profile_mib, new)
            && facts.profile_of(new).is_none()
        {
            let path = facts.profiles.first().map_or("C:\\Users\\user", |profile| profile.path.as_str());
            facts.profiles.push(Profile {
                sid: new.clone(),
                path: format!("{path}.000"),
                health: ProfileHealth::Healthy,
                loaded: false,
                acl_owner: new.clone(),
                size_mib,
                loaders: Vec::new(),
                last_used: Some(starts.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN)),
            });
        }
    }

    /// Says whether the device's key is in the escrow of its tenant, where it has one.
    #[must_use]
    pub fn is_in_escrow(&self) -> bool {
        !matches!(self.bitlocker, Some(WorldBitlocker::NotInEscrow | WorldBitlocker::NoProtector))
    }

    /// Says whether nothing is wrong or different.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        *self == Self::default()
    }
}

fn lose(survey: &mut Survey, part: SurveyPart) {
    fn gone<T>(known: &mut Known<T>) {
        *known = Known::Unknown("access is denied (0x80070005)".to_owned());
    }
    match part {
        SurveyPart::System => gone(&mut survey.as_system),
        SurveyPart::Windows => gone(&mut survey.windows),
        SurveyPart::Memory => gone(&mut survey.hardware.memory_mib),
        SurveyPart::SystemVolume => gone(&mut survey.hardware.system_volume_mib),
        SurveyPart::Cores => gone(&mut survey.hardware.cores),
        SurveyPart::Disk => gone(&mut survey.hardware.disk_trouble),
        SurveyPart::Tpm => gone(&mut survey.tpm),
        SurveyPart::Canary => gone(&mut survey.canary),
        SurveyPart::Clock => gone(&mut survey.clock_skew_secs),
        SurveyPart::Network => gone(&mut survey.network),
        SurveyPart::LocalAdmin => gone(&mut survey.recovery.local_admin),
        SurveyPart::LapsPolicy => gone(&mut survey.recovery.laps_policy),
        SurveyPart::Products => gone(&mut survey.security.products),
        SurveyPart::FolderAccess => gone(&mut survey.security.folder_access_blocks),
        SurveyPart::AppControl => gone(&mut survey.security.app_control_blocks),
        SurveyPart::Connection => gone(&mut survey.connection),
        SurveyPart::UserServices => gone(&mut survey.user_services),
        SurveyPart::UserTasks => gone(&mut survey.user_tasks),
        SurveyPart::TattooedRights => gone(&mut survey.tattooed_rights),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::device::{DeviceSeed, first_state};
    use crate::lab::seed::device_ids;
    use crate::lab::world::World;
    use crate::model::{Check, Feature, FeatureSet, Mode, Scenario};
    use crate::readiness::Measured::{self, Fail, Unknown, Warn};
    use crate::readiness::{Expect, ExpectedProfile, device_checks};

    const EXAMPLE: &str = include_str!("../../examples/hybrid-to-entra/world.yaml");

    /// Returns what the device checks say of the example's first device with these knobs, but for what passes.
    fn said(knobs: &str) -> Vec<(Check, Measured)> {
        let mut value =
            serde_json::to_value(World::parse("w", EXAMPLE).expect("the example is a world")).expect("JSON");
        value["devices"][0]["survey"] = serde_saphyr::from_str(knobs).expect("YAML");
        let world = World::parse("w", &value.to_string()).unwrap_or_else(|problem| panic!("{knobs}: {problem}"));
        let device = &world.devices[0];
        let seed = DeviceSeed::from(device_ids(&world, device));
        let state = first_state(&world, device, &seed).expect("a device");
        let new_sid = Sid::of_entra_user(seed.new_user.expect("somebody signs in"));
        let path = state.facts.profiles[0].path.clone();
        let expect = Expect {
            scenario: Scenario::HybridToEntra,
            features: FeatureSet::default().with(Feature::ConfigmgrRemoval),
            mode: Mode::Silent,
            origin: seed.tenant.map(|tenant| (tenant, tenant.to_string())),
            domain: None,
            profile: Some(ExpectedProfile { old_sid: &seed.old_user_sid, new_sid: &new_sid, path: &path }),
            under_way: false,
        };
        let mut said = Vec::new();
        device_checks(&state.facts, Some(&state.survey(world.starts)), &expect, &mut |check, judged| {
            if matches!(judged.measured, Fail | Unknown | Warn) {
                said.push((check, judged.measured));
            }
        });
        said.sort();
        said
    }

    /// Catches a knob that changes nothing, or changes what it isn't for: a world couldn't show that check's outcome.
    #[test]
    fn each_knob_is_found_by_its_check() {
        use Check as C;
        let rows: &[(&str, &[(Check, Measured)])] = &[
            ("{}", &[]),
            ("os: Windows 8.1", &[(C::DevOs, Fail)]),
            ("is-64-bit: false", &[(C::DevOs, Fail)]),
            ("unknown: [windows]", &[(C::DevOs, Unknown)]),
            ("memory-mib: 4096", &[(C::DevMemory, Fail)]),
            ("unknown: [memory]", &[(C::DevMemory, Unknown)]),
            ("system-volume-mib: 60000", &[(C::DevStorage, Fail)]),
            ("free-mib: 100", &[(C::DevStorage, Fail)]),
            ("unknown: [system-volume]", &[(C::DevStorage, Unknown)]),
            ("cores: 1", &[(C::DevCpu, Fail)]),
            ("cores: 2", &[(C::DevCpu, Warn)]),
            ("unknown: [cores]", &[(C::DevCpu, Unknown)]),
            ("tpm: none", &[(C::DevTpm, Fail)]),
            ("tpm: {version: \"1.2\", fips: true}", &[(C::DevTpm, Fail)]),
            ("tpm: {ready: false}", &[(C::DevTpm, Fail)]),
            ("tpm: {locked-out: true}", &[(C::DevTpm, Fail)]),
            ("tpm: {fips: true}", &[]),
            ("unknown: [tpm]", &[(C::DevTpm, Unknown)]),
            ("disk-trouble: predicted to fail", &[(C::DevDiskHealth, Fail)]),
            ("unknown: [disk]", &[(C::DevDiskHealth, Unknown)]),
            ("canary-blocked-by: Acme EDR", &[(C::DevSystemExecution, Fail), (C::SecAllowList, Fail)]),
            ("unknown: [canary]", &[(C::DevSystemExecution, Unknown)]),
            ("unknown: [system]", &[(C::DevSystemExecution, Unknown)]),
            ("clock-skew-secs: -400", &[(C::DevClock, Fail)]),
            ("unknown: [clock]", &[(C::DevClock, Unknown)]),
            ("entra-unhealthy: true", &[(C::DevJoinState, Fail)]),
            ("mdm: Acme", &[(C::DevMdm, Fail)]),
            ("tattooed-rights: [SeInteractiveLogonRight]", &[(C::DevMdm, Fail)]),
            ("unknown: [tattooed-rights]", &[(C::DevMdm, Unknown)]),
            ("loaders: [Acme Backup]", &[(C::ProfLoaders, Warn)]),
            ("user-services: [sync (CORP\\anna)]", &[(C::ProfLoaders, Warn)]),
            ("user-tasks: [report (CORP\\anna)]", &[(C::ProfLoaders, Warn)]),
            ("unknown: [user-services, user-tasks]", &[(C::ProfLoaders, Unknown)]),
            ("target-profile-mib: 5000", &[(C::ProfTargetAbsent, Fail)]),
            ("target-profile-mib: 40", &[]),
            ("bitlocker: converting", &[(C::RecBitlocker, Fail)]),
            ("bitlocker: no-protector", &[(C::RecBitlocker, Fail)]),
            ("bitlocker: not-in-escrow", &[]),
            ("local-admin: none", &[(C::RecLocalAdmin, Fail)]),
            ("local-admin: unproven", &[(C::RecLocalAdmin, Fail)]),
            ("unknown: [local-admin]", &[(C::RecLocalAdmin, Unknown)]),
            ("laps: ad", &[(C::RecLapsGap, Warn)]),
            ("laps-policy: gpo", &[(C::RecLapsGap, Warn)]),
            ("network: {graph.microsoft.com: no-answer}", &[(C::NetHttps, Fail)]),
            ("network: {graph.microsoft.com: no-name}", &[(C::NetDns, Fail)]),
            ("network: {graph.microsoft.com: proxy-wants-person}", &[(C::NetProxy, Fail)]),
            ("network: {graph.microsoft.com: captive-portal}", &[(C::NetCaptive, Fail)]),
            ("network: {controller.contoso.com: {intercepted: Acme CA}}", &[(C::NetTls, Fail)]),
            ("connection: {kind: wifi, machine-credential: true}", &[(C::NetHttps, Warn)]),
            (
                "unknown: [network]",
                &[
                    (C::NetHttps, Unknown),
                    (C::NetDns, Unknown),
                    (C::NetProxy, Unknown),
                    (C::NetCaptive, Unknown),
                    (C::NetTls, Unknown),
                ],
            ),
            ("folder-access-blocks: true", &[(C::SecAllowList, Fail)]),
            ("app-control-blocks: true", &[(C::SecAllowList, Fail)]),
            ("unknown: [folder-access, app-control]", &[(C::SecAllowList, Unknown)]),
            ("{products: [Acme], unknown: [laps-policy, connection]}", &[]),
        ];
        for (knobs, wanted) in rows {
            assert_eq!(said(knobs), *wanted, "{knobs}");
        }
    }
}
