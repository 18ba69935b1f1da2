//! Secrets from where the plan says they are. They go straight into a type that can't be printed.

use std::path::Path;
use std::process::Stdio;

use secrecy::SecretString;
use zeroize::Zeroize;

use super::lab_session::LabSession;
use crate::model::Problem;
use crate::msgraph;
use crate::plan::{Credential, SecretRef, TenantSpec};

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
        Credential::Certificate(path) => msgraph::Credential::Certificate(folder.join(path)),
        Credential::Federated(path) => msgraph::Credential::Federated(folder.join(path)),
        Credential::ManagedIdentity => msgraph::Credential::ManagedIdentity,
    })
}

async fn read(what: &str, reference: &SecretRef, folder: &Path) -> Result<SecretString, Problem> {
    match reference {
        SecretRef::Lab => Err(Problem::new("secret.lab", format!("{what}: only a tenant in the lab has one there"))),
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(value) if !value.is_empty() => Ok(SecretString::from(value)),
            _ => Err(Problem::new("secret.env", format!("{what}: the environment variable {name} isn't set"))
                .next(format!("set {name} for this command"))),
        },
        SecretRef::File(path) => {
            let path = folder.join(path);
            let text = std::fs::read_to_string(&path).map_err(|e| {
                Problem::new("secret.file", format!("{what}: can't read {}", path.display()))
                    .detail(e.to_string())
                    .next("put the secret there, readable by you alone, or name the right file in the plan")
            })?;
            first_line(what, &path.display().to_string(), text)
        }
        SecretRef::Command(words) => {
            let [program, args @ ..] = words.as_slice() else {
                return Err(Problem::new("secret.command", format!("{what}: the command is empty")));
            };
            let failed = |why: String| {
                Problem::new("secret.command", format!("{what}: `{program}` gave no secret"))
                    .detail(why)
                    .next("run the command by hand and look at what it prints")
            };
            let output = tokio::process::Command::new(program)
                .args(args)
                .current_dir(folder)
                .stdin(Stdio::null())
                .stderr(Stdio::inherit())
                .output()
                .await
                .map_err(|e| failed(e.to_string()))?;
            if !output.status.success() {
                return Err(failed(output.status.to_string()));
            }
            let text = String::from_utf8(output.stdout).map_err(|_| failed("its output isn't text".to_owned()))?;
            first_line(what, program, text)
        }
    }
}

fn first_line(what: &str, place: &str, mut text: String) -> Result<SecretString, Problem> {
    let secret = text.lines().next().unwrap_or("").trim().to_owned();
    text.zeroize();
    if secret.is_empty() {
        return Err(Problem::new("secret.empty", format!("{what}: {place} gave an empty first line"))
            .next("the secret has to stand on the first line"));
    }
    Ok(SecretString::from(secret))
}
