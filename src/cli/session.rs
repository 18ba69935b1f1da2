//! Everything that a command works with: the resolved plan and the adapters it is held against.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::failure::Failure;
use super::lab_session::LabSession;
use super::secrets;
use super::settings::{Settings, beside};
use crate::diag::{Diagnostics, Sources};
use crate::model::{Known, PackageName, Problem, TenantName};
use crate::msgraph;
use crate::plan::{self, Cloud, MigrationPlan, Parsed, TenantSpec};
use crate::port::{Clock, Directory, Packages, SystemClock, Tenant};
use crate::store::{self, SqliteStore};

/// A plan file that was read and has no mistake in its text.
#[derive(Debug)]
pub struct PlanText {
    /// Its path as the user gave it.
    pub path: PathBuf,
    /// What was read.
    pub parsed: Parsed,
}

/// A resolved plan with its adapters.
pub struct Session {
    /// The plan.
    pub plan: MigrationPlan,
    /// Warnings about the plan, with its texts.
    pub warnings: (Diagnostics, Sources),
    /// The world's clock.
    pub clock: Arc<dyn Clock>,
    /// Tenants by the plan's names.
    pub tenants: BTreeMap<TenantName, Arc<dyn Tenant>>,
    /// Active Directory; unknown says why it can't be read.
    pub directory: Known<Arc<dyn Directory>>,
    /// Packages.
    pub packages: Arc<dyn Packages>,
    /// Runs and records.
    pub store: Arc<SqliteStore>,
    /// The lab, where the plan has one.
    pub lab: Option<LabSession>,
    /// The state folder.
    pub state: PathBuf,
    /// The plan's folder.
    folder: PathBuf,
}

/// Reads the plan file and what it refers to.
///
/// # Errors
/// `cli.read` where the file can't be read.
pub fn read_plan(settings: &Settings) -> Result<PlanText, Failure> {
    let path = settings.plan()?;
    let text = read_text(&path).map_err(|detail| {
        Problem::new("cli.read", format!("can't read the plan file {}", path.display()))
            .detail(detail)
            .next("name the plan with `--plan FILE`")
    })?;
    let folder = beside(&path);
    let mut load = |name: &str| read_text(&folder.join(name));
    let parsed = plan::parse(&path.to_string_lossy(), &text, &mut load);
    Ok(PlanText { path, parsed })
}

fn read_text(path: &Path) -> Result<String, String> {
    let too_large = || format!("larger than {} MiB", plan::MAX_TOTAL_BYTES >> 20);
    let length = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if length > plan::MAX_TOTAL_BYTES as u64 {
        return Err(too_large());
    }
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned())
}

impl PlanText {
    /// Returns the path of the world file, where the plan runs in the lab.
    ///
    /// # Errors
    /// `cli.two-worlds` where tenants name different worlds.
    pub fn world(&self) -> Result<Option<PathBuf>, Problem> {
        let worlds = self.parsed.lab_worlds();
        match worlds.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(beside(&self.path).join(one))),
            [first, second, ..] => Err(Problem::new(
                "cli.two-worlds",
                format!("the plan's tenants are in different worlds: {first} and {second}"),
            )
            .next("put both tenants into one world file")),
        }
    }

    /// Resolves the plan at a moment.
    ///
    /// # Errors
    /// Every mistake of the plan, in one list.
    pub fn resolve(self, as_of: Timestamp) -> Result<(MigrationPlan, (Diagnostics, Sources)), Failure> {
        let (resolved, all) = plan::resolve(&self.parsed, as_of);
        match resolved {
            Some(resolved) => Ok((resolved, (all, self.parsed.sources))),
            None => Err(Failure::Diagnostics(Box::new((all, self.parsed.sources)))),
        }
    }
}

impl Session {
    /// Reads the plan, opens its world and connects to its tenants. Nothing is asked of them yet.
    ///
    /// # Errors
    /// The plan's mistakes; `lab.*`; `secret.*`; `store.*`.
    ///
    /// The lab's clock stands still: whoever only looks sees the same moment as the one who looked before.
    pub async fn open(settings: &Settings) -> Result<Self, Failure> {
        let text = read_plan(settings)?;
        if text.parsed.diagnostics.has_errors() {
            // Go on as far as the names: people want all mistakes of a file at once.
            let as_of = moment(&text, settings).unwrap_or_else(|_| SystemClock.now());
            return Err(text
                .resolve(as_of)
                .err()
                .unwrap_or_else(|| Problem::new("cli.plan", "the plan can't be used").into()));
        }
        let state = settings.state()?;
        let lab = match text.world()? {
            Some(world) => Some(LabSession::open(&world, &state).await?),
            None => None,
        };
        let clock: Arc<dyn Clock> =
            lab.as_ref().map_or_else(|| Arc::new(SystemClock) as Arc<dyn Clock>, LabSession::clock);
        let folder = beside(&text.path);
        let (plan, warnings) = text.resolve(clock.now())?;
        let store = Arc::new(SqliteStore::open(&state)?);
        let mut tenants = BTreeMap::new();
        for tenant in &plan.tenants {
            let client = connect(tenant, lab.as_ref(), &folder, &clock).await?;
            tenants.insert(tenant.name.clone(), Arc::new(client) as Arc<dyn Tenant>);
        }
        let directory = super::directory::of_session(plan.directory.as_ref(), lab.as_ref(), &folder).await;
        let packages: Arc<dyn Packages> = match &lab {
            Some(lab) => lab.packages(),
            None => Arc::new(store::FilePackages::new(package_files(&plan, &folder))),
        };
        Ok(Self { plan, warnings, clock, tenants, directory, packages, store, lab, state, folder })
    }

    /// Lets the lab's clock run from now on, this many times faster than the wall where a number is given.
    /// Tenants are connected to anew, since tokens and waits follow the clock.
    ///
    /// # Errors
    /// As connecting.
    pub async fn start_clock(&mut self, speed: Option<f64>) -> Result<(), Problem> {
        let Some(lab) = &mut self.lab else { return Ok(()) };
        lab.start_clock(speed);
        self.clock = lab.clock();
        for tenant in &self.plan.tenants {
            let client = connect(tenant, self.lab.as_ref(), &self.folder, &self.clock).await?;
            self.tenants.insert(tenant.name.clone(), Arc::new(client) as Arc<dyn Tenant>);
        }
        Ok(())
    }

    /// Returns the plan's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops serving the lab and keeps its time.
    ///
    /// # Errors
    /// `lab.store`.
    pub async fn close(self) -> Result<(), Problem> {
        match self.lab {
            Some(lab) => lab.close().await,
            None => Ok(()),
        }
    }
}

/// Returns the moment that a plan is decided for when only its text matters.
///
/// # Errors
/// As the lab.
pub fn moment(text: &PlanText, settings: &Settings) -> Result<Timestamp, Failure> {
    match text.world()? {
        Some(world) => Ok(super::lab_session::now(&world, &settings.state()?)?),
        None => Ok(SystemClock.now()),
    }
}

/// Returns the machine's moment.
#[must_use]
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// Returns the name of the account at the terminal. It is a courtesy in records; keys and sign-offs don't rest on it.
#[must_use]
pub fn person() -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|text| !text.trim().is_empty());
    set("USER").or_else(|| set("USERNAME")).unwrap_or_else(|| "unknown".to_owned())
}

/// Returns who acts, as the list of what was decided and done names people: `person@machine`.
#[must_use]
pub fn actor() -> String {
    format!("{}@{}", person(), store::Holder::this_process(None, now()).host)
}

/// Returns the world's moment where the plan can be read, and the machine's where it can't.
#[must_use]
pub fn moment_or_now(settings: &Settings) -> Timestamp {
    read_plan(settings).and_then(|text| moment(&text, settings)).unwrap_or_else(|_| now())
}

fn package_files(plan: &MigrationPlan, folder: &Path) -> BTreeMap<PackageName, store::PackageFile> {
    let file = |package: &plan::PackageSpec| {
        let path = folder.join(package.file.as_ref()?);
        Some((package.name.clone(), store::PackageFile { path, sha256: package.sha256 }))
    };
    plan.packages.iter().filter_map(file).collect()
}

async fn connect(
    tenant: &TenantSpec,
    lab: Option<&LabSession>,
    folder: &Path,
    clock: &Arc<dyn Clock>,
) -> Result<msgraph::Client, Problem> {
    let (authority, graph, scope) = match (&tenant.cloud, lab) {
        (Cloud::Real(cloud), _) => (cloud.authority.clone(), cloud.graph.clone(), cloud.scope.clone()),
        (Cloud::Lab(_), Some(lab)) => {
            (lab.url().to_owned(), lab.url().to_owned(), "https://graph.microsoft.com/.default".to_owned())
        }
        (Cloud::Lab(_), None) => {
            return Err(Problem::new("cli.no-lab", format!("tenant {} is in a lab that isn't open", tenant.name)));
        }
    };
    let credential = secrets::credential(tenant, lab, folder).await?;
    let config = msgraph::Config {
        label: tenant.name.to_string(),
        tenant: msgraph::TenantRef::Id(tenant.id),
        authority,
        graph,
        scope,
        client_id: tenant.app.client_id.clone(),
        credential,
    };
    msgraph::Client::new(config, clock.clone())
}
