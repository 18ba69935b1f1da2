//! Users, over the API.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::{Extension, Json};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::login::{Answer, body, hashed};
use crate::audit::{Fact, UserChange};
use crate::controller::Refusal;
use crate::controller::exec::blocking;
use crate::model::Problem;
use crate::operators::{Role, User, UserName, Who};

/// Returns a user as others may see them: without the hash.
fn shown(user: &User) -> Value {
    json!({
        "name": user.name, "role": user.role, "disabled": user.disabled, "created": user.created,
        "changed": user.changed,
    })
}

pub(super) async fn list(State(api): State<Api>) -> Answer {
    let users: Vec<Value> = blocking(|| api.0.store.users())?.iter().map(shown).collect();
    Ok(Json(json!({"format": "opsole.users/1", "users": users})).into_response())
}

fn named(text: &str) -> Result<UserName, Refusal> {
    text.parse().map_err(|why: String| {
        let problem = Problem::new("users.name", "that can't be the name of a user").detail(why);
        Refusal::new(422, problem.next("take letters, digits, `.`, `-` and `_`"))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddBody {
    name: String,
    role: Role,
    password: SecretString,
}

pub(super) async fn add(State(api): State<Api>, Extension(who): Extension<Who>, bytes: Bytes) -> Answer {
    let ask: AddBody = body(&bytes)?;
    let name = named(&ask.name)?;
    let password = hashed(&api, &name, ask.password).await?;
    let now = api.now();
    let user = User { name, role: ask.role, password, disabled: false, created: now, changed: now, unlocked: None };
    let change = UserChange { name: user.name.clone(), role: user.role, changed: Vec::new() };
    let note = api.note(&who.actor, Fact::UserAdded(change));
    match blocking(|| api.0.store.add_user(&user, &[note])) {
        Err(problem) if problem.code == "users.exists" => return Err(Refusal::new(409, problem)),
        other => other?,
    }
    Ok((StatusCode::CREATED, Json(json!({"format": "opsole.user/1", "user": shown(&user)}))).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeBody {
    role: Option<Role>,
    disabled: Option<bool>,
    password: Option<SecretString>,
    #[serde(default)]
    unlock: bool,
}

pub(super) async fn change(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    bytes: Bytes,
) -> Answer {
    let ask: ChangeBody = body(&bytes)?;
    let name = named(&name)?;
    let none = || {
        Refusal::new(
            404,
            Problem::new("users.unknown", format!("there is no user {name}")).next("list the users first"),
        )
    };
    // Whoever says who is who doesn't say it of himself: so there is always an administrator left, and a role of one's
    // own is given by somebody else.
    if who.user.as_ref() == Some(&name) && (ask.role.is_some() || ask.disabled.is_some()) {
        let problem = Problem::new("users.self", "nobody changes their own role, or shuts themselves out");
        return Err(Refusal::new(409, problem.next("ask another administrator")));
    }
    let before = blocking(|| api.0.store.user(&name))?.ok_or_else(none)?;
    let mut user = before.clone();
    let mut words = Vec::new();
    if let Some(role) = ask.role.filter(|role| *role != before.role) {
        user.role = role;
        words.push("role");
    }
    if let Some(password) = ask.password {
        user.password = hashed(&api, &name, password).await?;
        words.push("password");
    }
    if ask.unlock {
        user.unlocked = Some(api.now());
        words.push("unlocked");
    }
    let disables = ask.disabled == Some(true) && !before.disabled;
    if ask.disabled == Some(false) && before.disabled {
        words.push("enabled");
    }
    user.disabled = ask.disabled.unwrap_or(before.disabled);
    if !disables && words.is_empty() {
        return Ok(Json(json!({"format": "opsole.user/1", "user": shown(&user)})).into_response());
    }
    user.changed = api.now();
    let end_sessions = disables || words.contains(&"password");
    let change = |words: &[&str]| {
        let changed = words.iter().map(|word| (*word).to_owned()).collect();
        UserChange { name: user.name.clone(), role: user.role, changed }
    };
    let mut facts = Vec::new();
    if !words.is_empty() {
        facts.push(Fact::UserChanged(change(&words)));
    }
    if disables {
        facts.push(Fact::UserDisabled(change(&[])));
    }
    let notes: Vec<_> = facts.into_iter().map(|fact| api.note(&who.actor, fact)).collect();
    blocking(|| api.0.store.change_user(&user, end_sessions, &notes))?;
    Ok(Json(json!({"format": "opsole.user/1", "user": shown(&user)})).into_response())
}
