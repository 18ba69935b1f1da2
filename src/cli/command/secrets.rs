//! `opsole secrets`: puts a secret into the system's keyring, and tries whether every secret of a plan is there.

use std::io::{IsTerminal as _, Read as _};

use secrecy::SecretString;
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::secrets::{self, Keyring};
use crate::cli::session;
use crate::cli::settings::{Settings, beside};
use crate::cli::ui::Ui;
use crate::model::Problem;

/// Longest secret that is taken, in bytes: Windows' credential manager holds 2,560.
const SECRET_MAX: usize = 2560;

/// Puts a secret into the system's keyring: the first line of standard input, or what is typed unseen.
///
/// # Errors
/// `secret.empty`, `secret.keyring`.
pub fn set(ui: &Ui, service: &str, account: &str) -> Result<Exit, Failure> {
    let secret = ask(ui, service, account)?;
    Keyring::system()?.set(service, account, &secret)?;
    if ui.json() {
        let document =
            json!({"format": "opsole.secret-set/1", "service": service, "account": account, "store": Keyring::name()});
        ui.answer_json(&document)?;
    } else {
        ui.answer(&format!(
            "Stored {service} / {account} in {}.\n\nRefer to it in the plan:\n\n  credential: {{client_secret: \
             {{keyring: {{service: {service}, account: {account}}}}}}}",
            Keyring::name()
        ))?;
    }
    Ok(Exit::OK)
}

fn ask(ui: &Ui, service: &str, account: &str) -> Result<SecretString, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(SECRET_MAX + 1));
    if std::io::stdin().is_terminal() {
        ui.note(&format!("Secret for {service} / {account}; what you type isn't shown:"));
        let line = Zeroizing::new(console::Term::stderr().read_secure_line()?);
        text.push_str(&line);
    } else {
        std::io::stdin().lock().take(SECRET_MAX as u64 + 1).read_to_string(&mut text)?;
    }
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() || line.len() > SECRET_MAX {
        let message = format!("a secret is one line of at most {SECRET_MAX} bytes, and this isn't one");
        return Err(Problem::new("secret.empty", message).next("type it, or pipe it in on one line").into());
    }
    Ok(SecretString::from(line))
}

/// Tries every reference of the plan. The secrets are read and forgotten; nothing is asked of any tenant.
///
/// # Errors
/// The plan's mistakes.
pub async fn check(settings: &Settings) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let text = session::read_plan(settings)?;
    let folder = beside(&text.path);
    let as_of = session::moment(&text, settings)?;
    let (plan, warnings) = text.resolve(as_of)?;
    ui.warnings(&warnings);
    let mut rows = Vec::new();
    for wanted in secrets::wanted(&plan) {
        let what = format!("{} of {}", wanted.what, wanted.owner);
        rows.push((wanted, wanted.place.resolves(&what, &folder).await.err()));
    }
    let failed = rows.iter().filter(|(_, problem)| problem.is_some()).count();
    if ui.json() {
        let list: Vec<_> = rows
            .iter()
            .map(|(wanted, problem)| {
                json!({"owner": wanted.owner, "what": wanted.what, "place": wanted.place.words(),
                       "there": problem.is_none(), "problem": problem})
            })
            .collect();
        ui.answer_json(&json!({"format": "opsole.secrets-check/1", "secrets": list}))?;
    } else {
        let width = rows.iter().map(|(wanted, _)| wanted.owner.chars().count()).max().unwrap_or_default();
        let mut answer = String::new();
        for (wanted, problem) in &rows {
            let word = if problem.is_none() { "there" } else { "FAILS" };
            let line = format!("{word}  {:<width$}  {}: {}\n", wanted.owner, wanted.what, wanted.place.words());
            answer.push_str(&line);
        }
        ui.answer(&answer)?;
        rows.iter().filter_map(|(_, problem)| problem.as_ref()).for_each(|problem| ui.problem(problem));
    }
    Ok(if failed == 0 { Exit::OK } else { Exit::ERROR })
}
