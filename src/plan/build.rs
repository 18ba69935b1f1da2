//! A reviewed plan file becomes the resolved plan. Holes were errors, so nothing is missing here.

use super::file::{
    Autopilot, CaFeature, CloudFile, CredentialFile, DevicesFile, ExclusionFile, ExclusionOf, FeaturesFile,
    GroupRestore, Named, PackageFile, Profiles, RuleFile, TenantFile, UsersFile, WaveFile,
};
use super::resolve::Review;
use super::words::{CaMode, CloudName, RuleName, SignInWay, Word};
use super::{
    AppSpec, ApprovalPolicy, Attestation, CaExclusion, Cloud, CloudSpec, Credential, DeviceSource, DirectoryAccount,
    DirectorySpec, Exclusion, ExclusionKind, FailureBudget, FeatureSpec, GateSpec, MigrationPlan, PackageSpec, Rule,
    RuleEffect, RuleKind, TenantSpec, TrustedKey, UserMatch, Validation, WaveSpec, Window, when,
};
use crate::diag::Spanned;
use crate::model::{Digest, Feature, OwnerRole};

/// Devices at a time where a wave doesn't say.
const CONCURRENCY: u32 = 10;
/// Failures in percent that stop a wave that doesn't say. In a small wave that is the first one.
const PERCENT: u32 = 5;

/// Builds the directory of a plan; `None` where a hole is left.
pub(super) fn directory(section: &super::file::DirectoryFile) -> Option<DirectorySpec> {
    Some(DirectorySpec {
        domain: value(&section.domain)?,
        server: value(&section.server),
        fallback: values(&section.fallback),
        ca_file: value(&section.ca_file).map(Into::into),
        computers: values(&section.computers),
        account: match &section.account {
            None => None,
            Some(account) => {
                let kerberos = value(&account.sign_in) == Some(SignInWay::Kerberos);
                let password = if kerberos { None } else { Some(account.password.clone()?) };
                Some(DirectoryAccount { name: value(&account.name)?, password })
            }
        },
        retire: value(&section.retire).unwrap_or_default(),
    })
}

/// Builds the resolved plan; `None` where a hole is left, which a diagnostic has named.
pub(super) fn plan(review: &Review<'_>) -> Option<MigrationPlan> {
    let file = review.file;
    let owners = file.owners.iter().map(|(role, owner)| (*role, owner.mailbox.value.clone())).collect();
    let directory = match &file.directory {
        None => None,
        Some(section) => Some(directory(section)?),
    };
    let devices = match file.devices.as_ref()? {
        DevicesFile::Inventory(_) => {
            DeviceSource::Inventory(review.parsed.inventory.iter().map(|row| row.row.clone()).collect())
        }
        DevicesFile::Selector(selector) => DeviceSource::Selector(selector.clone()),
    };
    let users = match &file.users {
        None | Some(UsersFile::Match(_)) => UserMatch::OnPremisesSid,
        Some(UsersFile::Mapping(_)) => UserMatch::Mapping(review.parsed.mapping.clone()),
    };
    let approvals = file.policy.approvals.as_ref();
    Some(MigrationPlan {
        name: value(&file.name)?,
        scenario: file.scenario.as_ref()?.value,
        zone: value(&file.zone).unwrap_or_else(|| "UTC".to_owned()),
        owners,
        tenants: file.tenants.iter().map(tenant).collect::<Option<_>>()?,
        directory,
        packages: file.packages.iter().map(package).collect::<Option<_>>()?,
        features: features(&file.features),
        devices,
        users,
        waves: file.waves.iter().map(|item| wave(review, item)).collect::<Option<_>>()?,
        exclusions: file.exclusions.iter().map(|item| exclusion(review, item)).collect::<Option<_>>()?,
        attestations: file
            .attestations
            .iter()
            .map(|item| {
                Some(Attestation {
                    check: value(&item.check)?,
                    by: value(&item.by)?,
                    on: item.on.as_ref()?.value,
                    until: value(&item.until),
                    evidence: value(&item.evidence),
                })
            })
            .collect::<Option<_>>()?,
        policy: ApprovalPolicy {
            required: approvals.and_then(|approvals| value(&approvals.required)).unwrap_or_default(),
            from: approvals.map(|approvals| values(&approvals.from)).unwrap_or_default(),
            plan_max_age: value(&file.policy.plan_max_age),
            keys: file
                .policy
                .keys
                .iter()
                .map(|item| {
                    Some(TrustedKey {
                        name: value(&item.name)?,
                        role: item.role.as_ref()?.value,
                        key: item.key.as_ref()?.value,
                        until: value(&item.until),
                        revoked: value(&item.revoked).unwrap_or(false),
                    })
                })
                .collect::<Option<_>>()?,
            rules: file.policy.rules.iter().map(rule).collect::<Option<_>>()?,
        },
        as_of: review.as_of,
        digest: digest(review),
    })
}

fn rule(file: &RuleFile) -> Option<Rule> {
    let limit = || file.limit.as_ref().map(|limit| limit.value);
    let kind = match file.rule.as_ref()?.value {
        RuleName::MaxDevicesPerNight => RuleKind::MaxDevicesPerNight(limit()?),
        RuleName::MaxWavePercent => RuleKind::MaxWavePercent(limit()?),
        RuleName::MaxExceptions => RuleKind::MaxExceptions(limit()?),
        RuleName::NoIrreversibleOn => RuleKind::NoIrreversibleOn(values(&file.days)),
        RuleName::NoPermission => RuleKind::NoPermission(values(&file.permissions)),
        RuleName::NoUnknown => RuleKind::NoUnknown,
        RuleName::TicketRequired => RuleKind::TicketRequired,
    };
    Some(Rule { kind, effect: value(&file.effect).unwrap_or(RuleEffect::Block) })
}

fn value<T: Clone>(leaf: &Option<Spanned<T>>) -> Option<T> {
    leaf.as_ref().map(|leaf| leaf.value.clone())
}
fn values<T: Clone>(leaves: &[Spanned<T>]) -> Vec<T> {
    leaves.iter().map(|leaf| leaf.value.clone()).collect()
}

/// The digest covers names relative to the plan's folder and the texts, each with its length in front, so
/// that no two sets of files give the same bytes. Where the folder lies doesn't matter.
fn digest(review: &Review<'_>) -> Digest {
    let mut bytes = b"opsole.plan/1\n".to_vec();
    for (name, source) in review.parsed.names.iter().zip(&review.parsed.sources.0) {
        let text = Digest::of(source.text.as_bytes());
        bytes.extend_from_slice(format!("{} {name} {} {text}\n", name.len(), source.text.len()).as_bytes());
    }
    Digest::of(&bytes)
}

fn tenant(tenant: &Named<TenantFile>) -> Option<TenantSpec> {
    let item = &tenant.item;
    let app = item.app.as_ref()?;
    let credential = match app.credential.as_ref()? {
        CredentialFile::ClientSecret(secret) => Credential::ClientSecret(secret.clone()),
        CredentialFile::Certificate(certificate) => Credential::Certificate(certificate.file.clone().into()),
        CredentialFile::Federated(federated) => Credential::Federated(federated.token_file.clone().into()),
        CredentialFile::ManagedIdentity(_) => Credential::ManagedIdentity,
    };
    Some(TenantSpec {
        name: tenant.name.value.as_str().into(),
        role: item.role.as_ref()?.value,
        id: item.id.as_ref()?.value,
        domain: value(&item.domain)?,
        cloud: match &item.cloud {
            None => Cloud::Real(row(CloudName::Global)),
            Some(CloudFile::Named(name)) => Cloud::Real(row(name.value)),
            Some(CloudFile::Custom(row)) => Cloud::Real(CloudSpec {
                authority: row.authority.clone(),
                graph: row.graph.clone(),
                scope: row.scope.clone(),
            }),
            Some(CloudFile::Lab(world)) => Cloud::Lab(world.value.clone().into()),
        },
        app: AppSpec { client_id: value(&app.client_id)?, credential, expires: value(&app.expires) },
    })
}

/// Endpoints of the named clouds (msgraph.md 1.1). The scope of `us-gov-dod` follows the documented rule
/// that it has the domain of the service root [I]; one published client uses `graph.microsoft.us` there.
fn row(cloud: CloudName) -> CloudSpec {
    let (authority, graph) = match cloud {
        CloudName::Global => ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
        CloudName::UsGovHigh => ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
        CloudName::UsGovDod => ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        CloudName::China => ("https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"),
    };
    CloudSpec { authority: authority.to_owned(), graph: graph.to_owned(), scope: format!("{graph}/.default") }
}

fn package(package: &Named<PackageFile>) -> Option<PackageSpec> {
    let item = &package.item;
    Some(PackageSpec {
        name: package.name.value.as_str().into(),
        tenant: item.tenant.as_ref()?.value.as_str().into(),
        file: value(&item.file).map(Into::into),
        sha256: value(&item.sha256),
        account: item.account.as_ref()?.value.to_lowercase(),
        issued: item.issued.as_ref()?.value,
        expires: item.expires.clone()?,
        validated: match &item.validated {
            None => None,
            Some(validated) => Some(Validation {
                by: value(&validated.by)?,
                on: validated.on.as_ref()?.value,
                device: value(&validated.device)?,
                evidence: value(&validated.evidence),
            }),
        },
    })
}

fn features(file: &FeaturesFile) -> FeatureSpec {
    let mut spec = FeatureSpec::default();
    let mut set = |feature: Feature, on: bool| {
        if on {
            spec.on = spec.on.with(feature);
        }
    };
    let flag = |leaf: &Option<Spanned<bool>>| leaf.as_ref().is_some_and(|leaf| leaf.value);
    set(Feature::Bitlocker, flag(&file.bitlocker));
    set(Feature::Laps, flag(&file.laps));
    set(Feature::PrimaryUser, flag(&file.primary_user));
    set(Feature::ConfigmgrRemoval, flag(&file.configmgr_removal));
    match &file.group_restore {
        None => {}
        Some(GroupRestore::Switch(on)) => set(Feature::GroupRestore, on.value),
        Some(GroupRestore::Settings(settings)) => {
            set(Feature::GroupRestore, true);
            spec.group_restore_exclude = values(&settings.exclude);
        }
    }
    let mut set = |feature: Feature| spec.on = spec.on.with(feature);
    if let Some(Profiles::Settings(settings)) = &file.configuration_profiles {
        set(Feature::ConfigurationProfiles);
        spec.profiles = value(&settings.group).map(|group| (values(&settings.profiles), group));
    }
    let mut set = |feature: Feature| spec.on = spec.on.with(feature);
    match &file.autopilot {
        Some(Autopilot::Switch(on)) if on.value => set(Feature::Autopilot),
        Some(Autopilot::Settings(settings)) => {
            set(Feature::Autopilot);
            spec.autopilot_tag = value(&settings.group_tag);
        }
        None | Some(Autopilot::Switch(_)) => {}
    }
    if let Some(CaFeature::Mode(mode)) = &file.conditional_access_exclusions {
        match mode.value {
            CaMode::Observe => spec.observe_exclusions = true,
            CaMode::Manage => spec.on = spec.on.with(Feature::ConditionalAccessExclusions),
        }
    }
    spec
}

fn wave(review: &Review<'_>, file: &WaveFile) -> Option<WaveSpec> {
    let window = match &file.window {
        None => None,
        Some(window) => {
            let (from, to) = review.window(file)?;
            Some(Window {
                from,
                to,
                zone: value(&window.zone).or_else(|| value(&review.file.zone)).unwrap_or_else(|| "UTC".to_owned()),
                hours: value(&window.hours),
                days: values(&window.days),
            })
        }
    };
    let name = file.name.as_ref()?;
    let size = file.size.as_ref();
    let budget = file.failure_budget.as_ref().map(|budget| FailureBudget {
        max: value(&budget.max),
        percent: value(&budget.percent),
        same_cause: value(&budget.same_cause),
    });
    Some(WaveSpec {
        name: Spanned::new(name.value.as_str().into(), name.span),
        package: review.package_name(file)?.value.as_str().into(),
        devices: file.devices.clone()?,
        size: (size.and_then(|size| value(&size.min)), size.and_then(|size| value(&size.max))),
        mode: value(&file.mode).unwrap_or_default(),
        window,
        concurrency: value(&file.concurrency).unwrap_or(CONCURRENCY),
        failure_budget: budget
            .filter(|budget| *budget != FailureBudget::default())
            .unwrap_or(FailureBudget { percent: Some(PERCENT), ..FailureBudget::default() }),
        needs: file.needs.iter().map(|need| Spanned::new(need.value.as_str().into(), need.span)).collect(),
        gate: file.gate.as_ref().map(|gate| GateSpec {
            criteria: gate.criteria.as_ref().map(|criteria| criteria.value.word().to_owned()),
            sign_off: values(&gate.sign_off),
            soak: value(&gate.soak),
        }),
    })
}

fn exclusion(review: &Review<'_>, file: &ExclusionFile) -> Option<Exclusion> {
    let owner = value(&file.owner)?;
    // A role stands for whoever has it.
    let person = OwnerRole::of(&owner).and_then(|role| review.file.owners.get(&role));
    let expires = file.expires.clone()?;
    Some(Exclusion {
        id: file.id.clone()?,
        of: match file.of.as_ref()? {
            ExclusionOf::Devices(selector) => ExclusionKind::Devices(selector.clone()),
            ExclusionOf::ConditionalAccess(access) => ExclusionKind::ConditionalAccess(CaExclusion {
                policy: value(&access.policy)?,
                account: access.account.as_ref()?.value.to_lowercase(),
                group: value(&access.group),
            }),
            ExclusionOf::Check(check) => ExclusionKind::Check(check.value.clone()),
            ExclusionOf::Area(area) => ExclusionKind::Area(area.value.word().to_owned()),
        },
        owner: person.map_or(owner, |person| person.mailbox.value.clone()),
        reason: value(&file.reason)?,
        ticket: value(&file.ticket),
        until: when::end_of_day(expires.value, &review.zone)?,
        expires,
    })
}
