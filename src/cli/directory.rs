//! Active Directory as a plan names it: where its servers are, who signs in, what is trusted.

use std::path::Path;
use std::sync::Arc;

use url::Url;

use super::secrets;
use crate::directory::{LdapDirectory, Limits, Settings};
use crate::model::{Known, Problem};
use crate::plan::DirectorySpec;
use crate::port::Directory;

/// Returns the directory of a plan; unknown, with the reason, where it can't even be asked. Nothing is asked of it yet.
pub async fn connect(spec: &DirectorySpec, folder: &Path) -> Known<Arc<dyn Directory>> {
    match settings(spec, folder).await.and_then(LdapDirectory::new) {
        Ok(directory) => Known::Known(Arc::new(directory)),
        Err(problem) => Known::Unknown(problem.to_string()),
    }
}

/// # Errors
/// `directory.settings`, `secret.*`, `cli.read`.
async fn settings(spec: &DirectorySpec, folder: &Path) -> Result<Settings, Problem> {
    let (account, password) = spec.account.as_ref().ok_or_else(|| {
        let message = format!("the plan names no account for {}, and a directory tells strangers nothing", spec.domain);
        Problem::new("directory.settings", message)
            .next("write it under `directory.account`, with the place of its password")
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
        account: account.clone(),
        password: secrets::read("password of the directory's account", password, folder).await?,
        authorities: authorities.transpose()?,
        limits: Limits::default(),
    })
}
