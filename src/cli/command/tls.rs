//! `opsole tls`: our own authority and the controller's certificate.

use std::path::Path;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::now;
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::model::Problem;
use crate::net::{self, About, Host};
use crate::store::TlsFolder;

/// Makes an authority and the first certificate.
///
/// # Errors
/// `cli.no-plan`, `tls.*`.
pub fn init(settings: &Settings, hosts: &[Host]) -> Result<Exit, Failure> {
    let folder = TlsFolder::of(&settings.state()?);
    let mut named: Vec<Host> = Vec::new();
    for host in hosts {
        if !named.contains(host) {
            named.push(host.clone());
        }
    }
    let about = folder.create(&named, now())?;
    settings.ui.note(&format!(
        "Made an authority, {}, and the controller's certificate. `opsole apply --tls own` uses it, and gives the \
         authority to agents with their enrolment settings.",
        folder.authority().display()
    ));
    show_one(&settings.ui, &about)
}

/// Shows a certificate: the controller's own or one of a file.
///
/// # Errors
/// `cli.no-plan`, `tls.*`.
pub fn show(settings: &Settings, file: Option<&Path>) -> Result<Exit, Failure> {
    let about = match file {
        None => TlsFolder::of(&settings.state()?).about()?,
        Some(path) => {
            let bytes = std::fs::read(path).map_err(|e| {
                Problem::new("tls.read", format!("can't read {}", path.display()))
                    .detail(e.to_string())
                    .next("name a file with a certificate in PEM form")
            })?;
            net::about(&bytes)?
        }
    };
    warn_of_end(&settings.ui, &about);
    show_one(&settings.ui, &about)
}

/// Makes a new certificate from the same authority.
///
/// # Errors
/// `cli.no-plan`, `key.rights`, `tls.*`.
pub fn renew(settings: &Settings, new_key: bool) -> Result<Exit, Failure> {
    let about = TlsFolder::of(&settings.state()?).renew(new_key, now())?;
    settings.ui.note("Renewed. A controller that runs shows the new certificate within seconds.");
    if new_key {
        settings.ui.note("The key is new: agents that insist on the old pin are kept out until they have this one.");
    }
    show_one(&settings.ui, &about)
}

/// Warns of a certificate that ends soon or has ended.
pub fn warn_of_end(ui: &Ui, about: &About) {
    match about.ends_soon(now()) {
        Some(_) if about.has_ended(now()) => ui.note(&format!("Warning: the certificate ended on {}.", about.ends)),
        Some(days) => ui.note(&format!("Warning: the certificate ends in {days} days, on {}.", about.ends)),
        None => {}
    }
}

fn show_one(ui: &Ui, about: &About) -> Result<Exit, Failure> {
    if ui.json() {
        ui.answer_json(&serde_json::json!({"format": "opsole.certificate/1", "certificate": about}))?;
    } else {
        ui.answer(&format!(
            "Subject   {}\nIssuer    {}\nHosts     {}\nBegins    {}\nEnds      {}\nSHA-256   {}\nPin       {}",
            plain(&about.subject),
            plain(&about.issuer),
            plain(&about.hosts.join(", ")),
            about.begins,
            about.ends,
            about.sha256,
            about.pin
        ))?;
    }
    Ok(Exit::OK)
}

/// A certificate may be anybody's: what could move the terminal's cursor is left out.
fn plain(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { '?' } else { sign }).collect()
}
