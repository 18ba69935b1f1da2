//! Signing in and out.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::guard::{Caller, NotIn, actor, bearer, unauthorised};
use super::{Api, hash_password, lock, random};
use crate::audit::{Fact, SignedIn, UserChange};
use crate::controller::Refusal;
use crate::controller::exec::blocking;
use crate::model::{Digest, Problem};
use crate::operators::{How, PasswordHash, Session, Token, User, UserName, Who, Why};

/// Sessions that began before this time are swept away.
const SWEPT: SignedDuration = SignedDuration::from_hours(24);

pub(super) type Answer = Result<Response, Refusal>;

/// Reads a body. The text of an error may quote it, and it may hold a password: its place is enough.
pub(super) fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|e| {
        let problem = Problem::new("api.bad-body", "the body isn't what this call takes");
        let place = format!("line {}, column {}", e.line(), e.column());
        Refusal::new(400, problem.next("docs/operators.md says what it takes").detail(place))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginBody {
    name: String,
    password: SecretString,
}

pub(super) async fn login(State(api): State<Api>, Extension(caller): Extension<Caller>, bytes: Bytes) -> Answer {
    let ask: LoginBody = body(&bytes)?;
    let user = match verified(&api, &caller, &ask.name, &ask.password).await {
        Ok(user) => user,
        Err(NotIn::Failed(problem)) => return Err(Refusal::from(problem)),
        Err(NotIn::Refused(why, person)) => {
            api.refused(why, &caller.route, person.as_deref(), caller.peer);
            return Err(unauthorised());
        }
    };
    let (token, now) = (Token::of(random()?), api.now());
    let session = Session::begin(&token, user.name.clone(), now);
    let swept = now.checked_sub(SWEPT).unwrap_or(Timestamp::MIN);
    let peer = caller.peer.to_string();
    let fact = Fact::OperatorSignedIn(SignedIn { how: How::Password, role: user.role, subject: None, peer });
    let note = api.note(&actor(user.name.as_str()), fact);
    match blocking(|| api.0.store.begin_session(&session, &user, swept, &[note])) {
        Err(problem) if problem.code == "users.unknown" => return Err(unauthorised()),
        other => other?,
    }
    Ok(Json(serde_json::json!({
        "format": "opsole.api-token/1", "token": token.expose(), "user": user.name, "role": user.role,
        "ends": session.ends(),
    }))
    .into_response())
}

/// Holds a password against a user's. Names that aren't there and names that are locked cost the same as others, and a
/// try counts before it is looked at, so that many at once aren't more than many in a row.
async fn verified(api: &Api, caller: &Caller, name: &str, password: &SecretString) -> Result<User, NotIn> {
    let name = name.parse::<UserName>();
    let user = match &name {
        Ok(name) => blocking(|| api.0.store.user(name))?,
        Err(_) => None,
    };
    // What was typed as a name may be a password: it is remembered as a digest, and told only where it is a user's.
    let key = Digest::of(name.map_or_else(|_| String::new(), |name| name.to_string()).as_bytes());
    let person = user.as_ref().map(|user| actor(user.name.as_str()));
    let forgiven = user.as_ref().and_then(|user| user.unlocked);
    let now = api.now();
    let locked = {
        let mut names = lock(&api.0.names);
        let locked = names.is_locked(&key, now, forgiven) || lock(&api.0.peers).is_locked(&caller.peer, now, None);
        if !locked {
            names.wrong(&key, now, forgiven);
        }
        locked
    };
    let hash = user.as_ref().map_or_else(PasswordHash::stand_in, |user| user.password.clone());
    let good = {
        let _place = api.0.hashing.acquire().await.map_err(|e| failed(&e))?;
        let password = password.clone();
        tokio::task::spawn_blocking(move || hash.is_of(password.expose_secret())).await.map_err(|e| failed(&e))?
    };
    match (locked, user) {
        (true, _) => Err(NotIn::Refused(Why::Locked, person)),
        (false, Some(user)) if good => {
            lock(&api.0.names).right(&key);
            if user.disabled { Err(NotIn::Refused(Why::Disabled, person)) } else { Ok(user) }
        }
        (false, _) => {
            lock(&api.0.peers).wrong(&caller.peer, now, None);
            Err(NotIn::Refused(Why::WrongPassword, person))
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> Problem {
    Problem::new("api.failed", "the call can't be answered").detail(error.to_string()).next("try again")
}

pub(super) async fn logout(State(api): State<Api>, Extension(who): Extension<Who>, headers: HeaderMap) -> Answer {
    // Tokens that were made elsewhere end elsewhere, and the one-time token with its process.
    if let (How::Password, Some(token)) = (who.how, bearer(&headers)) {
        blocking(|| api.0.store.end_session(&Token::digest(token)))?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn session(State(api): State<Api>, Extension(who): Extension<Who>, headers: HeaderMap) -> Answer {
    let session = match (who.how, bearer(&headers)) {
        (How::Password, Some(token)) => blocking(|| api.0.store.session(&Token::digest(token)))?,
        _ => None,
    };
    let rights: Vec<&str> =
        crate::operators::Right::ALL.into_iter().filter(|right| who.may(*right)).map(|right| right.word()).collect();
    Ok(Json(serde_json::json!({
        "format": "opsole.api-session/1", "actor": who.actor, "user": who.user, "how": who.how, "role": who.role,
        "rights": rights, "ends": session.map(|session| session.ends()),
    }))
    .into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordBody {
    password: SecretString,
    new: SecretString,
}

/// Changes one's own password. The old one is asked for: a session that was left open isn't enough.
pub(super) async fn password(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Extension(caller): Extension<Caller>,
    bytes: Bytes,
) -> Answer {
    let ask: PasswordBody = body(&bytes)?;
    let Some(name) = &who.user else {
        let problem = Problem::new("api.no-password", "whoever signs in elsewhere has no password here");
        return Err(Refusal::new(409, problem.next("change it where you sign in")));
    };
    let user = match verified(&api, &caller, name.as_str(), &ask.password).await {
        Ok(user) => user,
        Err(NotIn::Failed(problem)) => return Err(Refusal::from(problem)),
        Err(NotIn::Refused(why, person)) => {
            api.refused(why, &caller.route, person.as_deref(), caller.peer);
            return Err(unauthorised());
        }
    };
    let password = hashed(&api, &user.name, ask.new).await?;
    let changed = User { password, changed: api.now(), ..user };
    let change = UserChange { name: changed.name.clone(), role: changed.role, changed: vec!["password".to_owned()] };
    let note = api.note(&who.actor, Fact::UserChanged(change));
    blocking(|| api.0.store.change_user(&changed, true, &[note]))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Hashes a new password beside the calls.
pub(super) async fn hashed(api: &Api, name: &UserName, password: SecretString) -> Result<PasswordHash, Refusal> {
    let _place = api.0.hashing.acquire().await.map_err(|e| Refusal::from(failed(&e)))?;
    let name = name.clone();
    let hashed = tokio::task::spawn_blocking(move || hash_password(&name, password.expose_secret())).await;
    hashed.map_err(|e| Refusal::from(failed(&e)))?.map_err(|problem| {
        let status = if problem.code == "users.password" { 422 } else { 503 };
        Refusal::new(status, problem)
    })
}
