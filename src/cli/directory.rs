//! Active Directory as a plan names it: where its servers are, who signs in, what is trusted.

use std::path::Path;
use std::sync::Arc;

use url::Url;

use super::failure::Failure;
use super::lab_session::LabSession;
use super::session::{PlanText, read_plan};
use super::{secrets, settings};
use crate::directory::{LdapDirectory, Limits, Settings, SignIn};
use crate::model::{Known, Problem};
use crate::plan::{DirectorySpec, MigrationPlan};
use crate::port::{Clock, Directory, SystemClock};

/// Returns the directory of a plan; unknown, with the reason, where it can't even be asked. Nothing is asked of it yet.
async fn connect(spec: &DirectorySpec, folder: &Path) -> Known<Arc<dyn Directory>> {
    match of_plan(spec, folder).await.and_then(LdapDirectory::new) {
        Ok(directory) => Known::Known(Arc::new(directory)),
        Err(problem) => Known::Unknown(problem.to_string()),
    }
}

/// # Errors
/// `directory.settings`, `secret.*`, `cli.read`.
async fn of_plan(spec: &DirectorySpec, folder: &Path) -> Result<Settings, Problem> {
    let account = spec.account.as_ref().ok_or_else(|| {
        let message = format!("the plan names no account for {}, and a directory tells strangers nothing", spec.domain);
        Problem::new("directory.settings", message)
            .next("write it under `directory.account`, with the place of its password or `sign_in: kerberos`")
    })?;
    let authorities = spec.ca_file.as_ref().map(|path| {
        let path = folder.join(path);
        std::fs::read_to_string(&path).map_err(|e| {
            Problem::new("cli.read", format!("can't read the authority's file {}", path.display()))
                .detail(e.to_string())
                .next("mend `directory.ca_file` in the plan")
        })
    });
    // A domain's own name leads to its domain controllers [K]; the certificate has to be good for it.
    let first = spec.server.clone().unwrap_or_else(|| format!("ldaps://{}", spec.domain));
    let url = |text: &String| {
        let wrong = |e: url::ParseError| {
            Problem::new("directory.settings", format!("{text} isn't the address of a directory server"))
                .detail(e.to_string())
                .next("mend `directory` in the plan")
        };
        text.parse::<Url>().map_err(wrong)
    };
    Ok(Settings {
        servers: std::iter::once(&first).chain(&spec.fallback).map(url).collect::<Result<_, _>>()?,
        domain: spec.domain.clone(),
        units: spec.computers.clone(),
        account: account.name.clone(),
        sign_in: match &account.password {
            Some(password) => {
                SignIn::Password(secrets::read("password of the directory's account", password, folder).await?)
            }
            None => SignIn::Kerberos,
        },
        authorities: authorities.transpose()?,
        limits: Limits::default(),
    })
}

/// A plan's directory alone: no tenant is connected to, none of its secrets is read, and dates of the plan don't matter, since
/// objects are swept long after the waves that left them.
pub struct DirectorySession {
    /// The directory section; none where the plan has none.
    pub spec: Option<DirectorySpec>,
    /// The directory; unknown says why it can't be asked.
    pub directory: Known<Arc<dyn Directory>>,
    /// The world's clock.
    pub clock: Arc<dyn Clock>,
    text: PlanText,
    lab: Option<LabSession>,
}

impl DirectorySession {
    /// Reads the plan's text, and opens its world where it has one.
    ///
    /// # Errors
    /// Mistakes of the text, `lab.*`.
    pub async fn open(settings: &settings::Settings) -> Result<Self, Failure> {
        let text = read_plan(settings)?;
        if text.parsed.diagnostics.has_errors() {
            return Err(text
                .resolve(SystemClock.now())
                .err()
                .unwrap_or_else(|| Problem::new("cli.plan", "the plan can't be used").into()));
        }
        let lab = match text.world()? {
            Some(world) => Some(LabSession::open(&world, &settings.state()?).await?),
            None => None,
        };
        let clock: Arc<dyn Clock> =
            lab.as_ref().map_or_else(|| Arc::new(SystemClock) as Arc<dyn Clock>, LabSession::clock);
        let folder = settings::beside(&text.path);
        let spec = text.parsed.directory();
        let directory = of_session(spec.as_ref(), lab.as_ref(), &folder).await;
        Ok(Self { spec, directory, clock, text, lab })
    }
    /// Returns the name of the plan's domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.spec.as_ref().map_or("no directory", |spec| spec.domain.as_str())
    }
    /// Stops serving the lab and returns the whole plan as it is today, for what depends on its waves.
    ///
    /// # Errors
    /// Mistakes of the plan, `lab.store`.
    pub async fn into_plan(self) -> Result<MigrationPlan, Failure> {
        let now = self.clock.now();
        if let Some(lab) = self.lab {
            lab.close().await?;
        }
        Ok(self.text.resolve(now)?.0)
    }
    /// Stops serving the lab.
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

/// Returns the directory of a plan: the lab's own, unless its world leaves computers to a real one.
pub async fn of_session(
    spec: Option<&DirectorySpec>,
    lab: Option<&LabSession>,
    folder: &Path,
) -> Known<Arc<dyn Directory>> {
    match (spec, lab) {
        (None, _) => Known::Absent,
        (Some(_), Some(lab)) if !lab.is_directory_elsewhere() => Known::Known(lab.directory()),
        (Some(spec), _) => connect(spec, folder).await,
    }
}
