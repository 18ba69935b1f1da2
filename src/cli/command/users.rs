//! `opsole users`: who may ask something of the controller. Works on the state folder, whether a run goes on or not:
//! whoever may write there may say who is who.

use std::io::{IsTerminal as _, Read as _};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::audit::{Fact, Note, UserChange};
use crate::cli::args::UsersCommand;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{actor, moment_or_now, now};
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::controller::api::hash_password;
use crate::model::Problem;
use crate::operators::{User, UserName};
use crate::port::OperatorStore as _;
use crate::store::SqliteStore;

/// Bytes of standard input that are looked at for a password.
const INPUT_MAX: u64 = 4096;

/// Adds, shows and changes users.
///
/// # Errors
/// `users.*`, `store.*`, `cli.no-plan`.
pub fn run(settings: &Settings, command: UsersCommand) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let state = settings.state()?;
    let store = SqliteStore::open(&state)?;
    let change = |name: &UserName, word: &str, change: &dyn Fn(&mut User), ends: bool| -> Result<User, Failure> {
        let unknown = || {
            Problem::new("users.unknown", format!("there is no user {name}"))
                .next("`opsole users list` shows those there are")
        };
        let mut user = store.user(name)?.ok_or_else(unknown)?;
        change(&mut user);
        user.changed = now();
        let changed = UserChange { name: name.clone(), role: user.role, changed: vec![word.to_owned()] };
        let fact = if word == "disabled" {
            Fact::UserDisabled(UserChange { changed: Vec::new(), ..changed })
        } else {
            Fact::UserChanged(changed)
        };
        store.change_user(&user, ends, &[note(settings, fact)])?;
        Ok(user)
    };
    let (user, said) = match command {
        UsersCommand::List => return list(ui, &store.users()?),
        UsersCommand::Add { name, role, password_stdin } => {
            let password = hash_password(&name, new_password(ui, &name, password_stdin)?.expose_secret())?;
            let at = now();
            let user = User { name, role, password, disabled: false, created: at, changed: at, unlocked: None };
            let change = UserChange { name: user.name.clone(), role, changed: Vec::new() };
            store.add_user(&user, &[note(settings, Fact::UserAdded(change))])?;
            (user, "is a user now")
        }
        UsersCommand::SetRole { name, role } => {
            (change(&name, "role", &|user| user.role = role, false)?, "has another role")
        }
        UsersCommand::Password { name, password_stdin } => {
            let password = hash_password(&name, new_password(ui, &name, password_stdin)?.expose_secret())?;
            let set = |user: &mut User| user.password = password.clone();
            (change(&name, "password", &set, true)?, "has another password, and no session any more")
        }
        UsersCommand::Disable { name } => {
            (change(&name, "disabled", &|user| user.disabled = true, true)?, "can't sign in any more")
        }
        UsersCommand::Enable { name } => {
            (change(&name, "enabled", &|user| user.disabled = false, false)?, "can sign in again")
        }
        UsersCommand::Unlock { name } => {
            (change(&name, "unlocked", &|user| user.unlocked = Some(now()), false)?, "can try again")
        }
    };
    if ui.json() {
        ui.answer_json(&json!({"format": "opsole.user/1", "user": shown(&user)}))?;
    } else {
        ui.answer(&format!("{} ({}) {said}.", user.name, user.role))?;
    }
    Ok(Exit::OK)
}

fn note(settings: &Settings, fact: Fact) -> Note {
    Note { at: moment_or_now(settings), actor: actor(), fact }
}

fn shown(user: &User) -> Value {
    json!({
        "name": user.name, "role": user.role, "disabled": user.disabled, "created": user.created,
        "changed": user.changed,
    })
}

fn list(ui: &Ui, users: &[User]) -> Result<Exit, Failure> {
    if ui.json() {
        let users: Vec<Value> = users.iter().map(shown).collect();
        ui.answer_json(&json!({"format": "opsole.users/1", "users": users}))?;
        return Ok(Exit::OK);
    }
    if users.is_empty() {
        ui.answer("There is no user. Add one with `opsole users add NAME --role admin`.")?;
        return Ok(Exit::OK);
    }
    let width = users.iter().map(|user| user.name.as_str().len()).max().unwrap_or_default();
    let line = |user: &User| {
        let disabled = if user.disabled { "  disabled" } else { "" };
        format!("{:<width$}  {:<8}{disabled}\n", user.name.as_str(), user.role.word())
    };
    ui.answer(&users.iter().map(line).collect::<String>())?;
    Ok(Exit::OK)
}

/// Asks for a new password twice at a terminal, or reads it from standard input.
fn new_password(ui: &Ui, name: &UserName, stdin: bool) -> Result<SecretString, Failure> {
    if stdin {
        let mut text = String::new();
        std::io::stdin().lock().take(INPUT_MAX).read_to_string(&mut text)?;
        let text = SecretString::from(text);
        return Ok(SecretString::from(text.expose_secret().lines().next().unwrap_or_default().to_owned()));
    }
    if !ui.interactive || !std::io::stdin().is_terminal() {
        return Err(Problem::new("users.no-terminal", "nobody is there to ask for the password")
            .next("run it at a terminal, or give the password with `--password-stdin`")
            .into());
    }
    let first = ui.secret(&format!("Password for {name}:"))?;
    let again = ui.secret("Once more:")?;
    if first.expose_secret() != again.expose_secret() {
        return Err(Problem::new("users.mistyped", "the two passwords aren't the same").next("try again").into());
    }
    Ok(first)
}
