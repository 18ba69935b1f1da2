//! Secrets from where the plan says they are. They go straight into a type that can't be printed.

mod keyring;
mod read;

use std::path::{Path, PathBuf};

use super::lab_session::LabSession;
use crate::model::Problem;
use crate::msgraph;
use crate::plan::{Credential, MigrationPlan, SecretRef, TenantSpec};

pub use keyring::Keyring;
pub use read::{read, rights};

/// A secret that a plan refers to.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'p> {
    /// Whose it is: a tenant of the plan, or `directory`.
    pub owner: &'p str,
    /// What it is.
    pub what: &'static str,
    /// Where it is.
    pub place: Place<'p>,
}

/// Where a secret is.
#[derive(Debug, Clone, Copy)]
pub enum Place<'p> {
    /// As the plan refers to it.
    Reference(&'p SecretRef),
    /// A file with a private key.
    KeyFile(&'p Path),
    /// A file with a token of another identity provider, which lives for minutes.
    TokenFile(&'p Path),
    /// With the machine: nothing is kept.
    Machine,
}

/// Returns every secret that a plan refers to, in the plan's order.
#[must_use]
pub fn wanted(plan: &MigrationPlan) -> Vec<Wanted<'_>> {
    let mut all: Vec<Wanted<'_>> = plan
        .tenants
        .iter()
        .map(|tenant| {
            let (what, place) = match &tenant.app.credential {
                Credential::ClientSecret(reference) => ("client secret", Place::Reference(reference)),
                Credential::Certificate(path) => ("certificate with its key", Place::KeyFile(path)),
                Credential::Federated(path) => ("federated token", Place::TokenFile(path)),
                Credential::ManagedIdentity => ("managed identity", Place::Machine),
            };
            Wanted { owner: tenant.name.as_str(), what, place }
        })
        .collect();
    if let Some(account) = plan.directory.as_ref().and_then(|directory| directory.account.as_ref()) {
        let (what, place) = match &account.password {
            Some(reference) => ("password of the account", Place::Reference(reference)),
            None => ("Kerberos credential of the account", Place::Machine),
        };
        all.push(Wanted { owner: "directory", what, place });
    }
    all
}

impl Place<'_> {
    /// Says where it is, as the plan writes it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Reference(SecretRef::Lab) => "lab".to_owned(),
            Self::Reference(SecretRef::Env(name)) => format!("env {name}"),
            Self::Reference(SecretRef::File(path)) => format!("file {}", path.display()),
            // Arguments may tell more than a listing should.
            Self::Reference(SecretRef::Command(words)) => {
                format!("command {}", words.first().map_or("", String::as_str))
            }
            Self::Reference(SecretRef::Keyring { service, account }) => format!("keyring {service} / {account}"),
            Self::KeyFile(path) | Self::TokenFile(path) => format!("file {}", path.display()),
            Self::Machine => "the machine".to_owned(),
        }
    }

    /// Finds out whether the secret is there and may be used. It is read and forgotten.
    ///
    /// # Errors
    /// `secret.*`.
    pub async fn resolves(&self, what: &str, folder: &Path) -> Result<(), Problem> {
        match self {
            // The world file has it; whether it fits is the tenant's to say.
            Self::Reference(SecretRef::Lab) | Self::Machine => Ok(()),
            Self::Reference(reference) => read(what, reference, folder).await.map(drop),
            Self::KeyFile(path) => rights(what, &folder.join(path)),
            Self::TokenFile(path) => read::is_file(what, &folder.join(path)).map(drop),
        }
    }
}

/// Returns what a tenant's application proves itself with.
///
/// # Errors
/// `secret.*`, naming the place and never the secret.
pub async fn credential(
    tenant: &TenantSpec,
    lab: Option<&LabSession>,
    folder: &Path,
) -> Result<msgraph::Credential, Problem> {
    Ok(match &tenant.app.credential {
        Credential::ClientSecret(SecretRef::Lab) => {
            let secret = lab.and_then(|lab| lab.secret(tenant)).ok_or_else(|| {
                Problem::new(
                    "secret.lab",
                    format!(
                        "tenant {}: the lab has no application with client id {}",
                        tenant.name, tenant.app.client_id
                    ),
                )
                .next("add it under `apps` in the world file, or give the plan a `client_id` that is there")
            })?;
            msgraph::Credential::ClientSecret(secret)
        }
        Credential::ClientSecret(reference) => {
            let what = format!("client secret of tenant {}", tenant.name);
            msgraph::Credential::ClientSecret(read(&what, reference, folder).await?)
        }
        Credential::Certificate(path) => {
            let path: PathBuf = folder.join(path);
            rights(&format!("certificate of tenant {}", tenant.name), &path)?;
            msgraph::Credential::Certificate(path)
        }
        Credential::Federated(path) => msgraph::Credential::Federated(folder.join(path)),
        Credential::ManagedIdentity => msgraph::Credential::ManagedIdentity,
    })
}
