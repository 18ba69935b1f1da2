//! Observation: everything that a plan is held against, read concurrently and put into one snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures_util::future::join_all;

use super::session::Session;
use crate::model::{Feature, Known, Problem, Retry, Scenario, Side, TenantName};
use crate::plan::{ExclusionKind, MigrationPlan, Selector};
use crate::port::{Store, Wanted};
use crate::state::{DeviceRecord, FORMAT, Outcome, Snapshot, TenantState};

/// Reads tenants, directory, agents and records, for those who act on it or keep it. What can't be read is unknown,
/// with the reason.
///
/// # Errors
/// `store.*` and `lab.store`: our own disk has to work. `token.*` where a tenant lets nobody in: then nothing at
/// all can be known of it, and one clear error says more than a part after part that couldn't be read.
pub async fn observe(session: &Session) -> Result<Snapshot, Problem> {
    read_all(session, |_| false).await
}

/// The same for those who only tell: a tenant that refuses the application its token is one finding among the others
/// (`app.credential`), and everything of it is unknown for that reason.
///
/// # Errors
/// As [`observe`], but of `token.*` only what may pass by itself: an authority that can't be reached says nothing of the
/// plan.
pub async fn look(session: &Session) -> Result<Snapshot, Problem> {
    read_all(session, |problem| problem.retry == Retry::No).await
}

async fn read_all(session: &Session, told: impl Fn(&Problem) -> bool) -> Result<Snapshot, Problem> {
    for granted in join_all(session.tenants.values().map(|tenant| tenant.grants())).await {
        // A token that can't be read still opens doors.
        if let Err(problem) = granted.map(drop)
            && problem.code != "token.malformed"
            && !told(&problem)
        {
            return Err(problem);
        }
    }
    let taken_at = session.clock.now();
    let ledger = session.store.ledger()?;
    let wanted = wanted(&session.plan, ledger.values());
    let tenants = join_all(session.tenants.iter().map(|(name, tenant)| {
        let wanted = wanted.get(name).cloned().unwrap_or_default();
        async move { (name.clone(), tenant.observe(&wanted).await) }
    }));
    let directory = async {
        match &session.directory {
            Known::Known(directory) => match directory.observe().await {
                Ok(state) => Known::Known(state),
                Err(problem) => Known::Unknown(problem.to_string()),
            },
            Known::Absent => Known::Absent,
            Known::Unknown(why) => Known::Unknown(why.clone()),
        }
    };
    let (tenants, directory): (Vec<(TenantName, TenantState)>, _) = futures_util::join!(tenants, directory);
    let evidence = match &session.lab {
        Some(lab) => lab.evidence()?,
        None => session.store.evidence()?.into_iter().map(|(name, seen)| (name, Known::Known(seen))).collect(),
    };
    let sign_offs = session.store.sign_offs()?;
    let packages = super::package_files::look(&session.plan, session.folder(), session.lab.as_ref());
    Ok(Snapshot {
        format: FORMAT,
        taken_at,
        tenants: tenants.into_iter().collect(),
        directory,
        evidence,
        ledger,
        packages,
        sign_offs,
    })
}

/// Returns what each tenant has to be asked for.
#[must_use]
pub fn wanted<'a>(
    plan: &MigrationPlan,
    ledger: impl Iterator<Item = &'a DeviceRecord>,
) -> BTreeMap<TenantName, Wanted> {
    let has = |feature| plan.features.on.has(feature);
    let mut groups = BTreeSet::new();
    for wave in &plan.waves {
        group_names(&wave.devices, &mut groups);
    }
    let mut exclusion_groups = BTreeSet::new();
    for exclusion in &plan.exclusions {
        match &exclusion.of {
            ExclusionKind::Devices(selector) => group_names(selector, &mut groups),
            ExclusionKind::ConditionalAccess(access) => exclusion_groups.extend(access.group.clone()),
            ExclusionKind::Area(_) | ExclusionKind::Check(_) => {}
        }
    }
    if let crate::plan::DeviceSource::Selector(selector) = &plan.devices {
        group_names(selector, &mut groups);
    }
    let mut migrated = BTreeSet::new();
    let mut group_ids = BTreeSet::new();
    for record in ledger {
        migrated.extend(record.new_device);
        if record.outcome != Some(Outcome::Complete) || record.new_device.is_some() {
            group_ids.extend(record.groups.iter().copied());
        }
    }
    let mut all = BTreeMap::new();
    for (side, spec) in [Side::Origin, Side::Destination].map(|side| (side, plan.tenant(side))) {
        let Some(spec) = spec else { continue };
        let wanted: &mut Wanted = all.entry(spec.name.clone()).or_default();
        wanted.users = true;
        wanted.app = Some(spec.app.client_id.clone());
        wanted.conditional_access = true;
        wanted.cross_tenant = plan.scenario == Scenario::TenantToTenant;
        wanted.recovery_keys |= has(Feature::Bitlocker);
        wanted.autopilot |= has(Feature::Autopilot);
        match side {
            Side::Origin => wanted.groups.extend(groups.iter().cloned()),
            Side::Destination => {
                wanted.laps |= has(Feature::Laps);
                wanted.enrolment = true;
                let packages = plan.packages.iter().filter(|package| package.tenant == spec.name);
                wanted.accounts.extend(packages.map(|package| package.account.to_lowercase()));
                wanted.groups.extend(exclusion_groups.iter().cloned());
                wanted.migrated.extend(migrated.iter().copied());
                wanted.group_ids.extend(group_ids.iter().copied());
                if let Some((profiles, group)) = plan.features.profiles.as_ref() {
                    wanted.profiles.extend(profiles.iter().cloned());
                    wanted.groups.insert(group.clone());
                }
            }
        }
    }
    all
}

/// Returns what couldn't be read, in words.
#[must_use]
pub fn gaps(snapshot: &Snapshot) -> Vec<String> {
    let mut gaps = Vec::new();
    for (name, tenant) in &snapshot.tenants {
        let parts = [
            ("organization", tenant.organization.unknown()),
            ("users", tenant.users.unknown()),
            ("devices", tenant.devices.unknown()),
            ("Intune devices", tenant.managed_devices.unknown()),
            ("groups", tenant.groups.unknown()),
            ("Autopilot identities", tenant.autopilot.unknown()),
            ("recovery keys", tenant.recovery_keys.unknown()),
            ("LAPS backups", tenant.laps.unknown()),
            ("Conditional Access policies", tenant.conditional_access.unknown()),
            ("registration policy", tenant.registration_policy.unknown()),
            ("configuration profiles", tenant.profiles.unknown()),
            ("primary users", tenant.primary_users.unknown()),
            ("tenant of the token", tenant.token_tenant.unknown()),
            ("application", tenant.app.unknown()),
            ("enrolment settings", tenant.enrolment.unknown()),
            ("named locations", tenant.named_locations.unknown()),
            ("cross-tenant access", tenant.cross_tenant.unknown()),
            ("groups of package accounts", tenant.account_groups.unknown()),
        ];
        let unknown = parts.into_iter().filter_map(|(part, why)| Some(format!("{name}: {part}: {}", why?)));
        gaps.extend(unknown);
    }
    if let Some(why) = snapshot.directory.unknown() {
        gaps.push(format!("directory: {why}"));
    }
    let packages = snapshot.packages.iter();
    gaps.extend(packages.filter_map(|(name, facts)| Some(format!("package {name}: {}", facts.unknown()?))));
    gaps
}

fn group_names(selector: &Selector, names: &mut BTreeSet<String>) {
    match selector {
        Selector::All(list) | Selector::Any(list) => list.iter().for_each(|one| group_names(one, names)),
        Selector::Not(one) => group_names(one, names),
        Selector::Group(name) => {
            names.insert(name.value.clone());
        }
        Selector::Name(_) | Selector::Site(_) | Selector::Ou(_) | Selector::Everything => {}
    }
}

/// Reads a snapshot file.
///
/// # Errors
/// `snapshot.*`: not there, damaged, of a newer version.
pub fn read(path: &Path) -> Result<Snapshot, Problem> {
    #[derive(serde::Deserialize)]
    struct Head {
        format: u32,
    }
    let bytes = std::fs::read(path).map_err(|e| {
        Problem::new("snapshot.read", format!("can't read the snapshot {}", path.display()))
            .detail(e.to_string())
            .next("name another file, or take a new one with `opsole snapshot --out FILE`")
    })?;
    let damaged = |e: serde_json::Error| {
        Problem::new("snapshot.damaged", format!("{} isn't a snapshot", path.display()))
            .detail(e.to_string())
            .next("take a new one with `opsole snapshot --out FILE`")
    };
    let head: Head = serde_json::from_slice(&bytes).map_err(damaged)?;
    if head.format > FORMAT {
        return Err(Problem::new(
            "snapshot.newer",
            format!("{} was written by a newer version (format {})", path.display(), head.format),
        )
        .next("use that version, or take a new one with `opsole snapshot --out FILE`"));
    }
    serde_json::from_slice(&bytes).map_err(damaged)
}

/// Writes a snapshot file: all of it or nothing.
///
/// # Errors
/// `snapshot.write`.
pub fn write(path: &Path, snapshot: &Snapshot) -> Result<(), Problem> {
    let write = || -> std::io::Result<()> {
        let folder = super::settings::beside(path);
        let temporary =
            folder.join(format!(".{}.part", path.file_name().and_then(|n| n.to_str()).unwrap_or("snapshot")));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        // It names people and their devices: nobody else's to read.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = std::io::BufWriter::new(options.open(&temporary)?);
        serde_json::to_writer(&mut file, snapshot)?;
        file.into_inner().map_err(|e| e.into_error())?.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|e| {
        Problem::new("snapshot.write", format!("can't write the snapshot {}", path.display()))
            .detail(e.to_string())
            .next("check the folder's rights and the space on its disk")
    })
}
