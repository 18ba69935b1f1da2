//! What every call goes through before it is looked at: the peer's limits, who it is, what they may.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::routes::{Access, Route};
use super::{Api, lock};
use crate::audit::{Fact, SignedIn};
use crate::controller::Refusal;
use crate::controller::exec::blocking;
use crate::model::{Problem, Retry};
use crate::operators::{How, Peer, Token, Who, Why};

/// Bytes of a bearer token at the most: access tokens of Entra have some two thousand.
const TOKEN_MAX: usize = 16 << 10;

/// A call's place in the table, with the API that it belongs to.
#[derive(Clone)]
pub(super) struct Gate {
    api: Api,
    route: Route,
}

impl Gate {
    pub(super) fn new(api: &Api, route: Route) -> Self {
        Self { api: api.clone(), route }
    }
}

/// What a handler learns of its call.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) route: Route,
    pub(super) peer: Peer,
}

/// Why somebody isn't let in.
pub(super) enum NotIn {
    /// One answer for all reasons; the reason, and who it is about where that is known, are for the audit list.
    Refused(Why, Option<String>),
    /// It can't be found out.
    Failed(Problem),
}

impl From<Problem> for NotIn {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

/// The one answer to whoever isn't let in.
pub(super) fn unauthorised() -> Refusal {
    let problem = Problem::new("api.unauthorised", "not signed in, or not with what is good here");
    Refusal::new(401, problem.next("sign in"))
}

pub(super) async fn guard(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let limit = Duration::from_millis(gate.api.0.config.limits.call_millis);
    let passed = tokio::time::timeout(limit, pass(&gate, request, next)).await;
    let mut response = match passed {
        Ok(Ok(response)) => response,
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => {
            let problem = Problem::new("api.slow", "the call took too long").retry(Retry::AfterSecs(5));
            Refusal { status: 503, problem: problem.next("try again"), retry_after: Some(5) }.into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if response.status() == 401 {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

async fn pass(gate: &Gate, mut request: Request, next: Next) -> Result<Response, Refusal> {
    let (api, route) = (&gate.api, gate.route);
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let peer = Peer::of(address);
    let now = api.now();
    let taken = lock(&api.0.rates).take(peer, route.cost, now);
    if let Err(after) = taken {
        api.refused(Why::TooMany, &route, None, peer);
        let secs = u32::try_from(after.as_secs()).unwrap_or(60).saturating_add(1);
        let problem = Problem::new("api.too-many", "too many calls from this address").retry(Retry::AfterSecs(secs));
        return Err(Refusal { status: 429, problem: problem.next("wait a little"), retry_after: Some(secs) });
    }
    if api.0.config.this_machine_only && !peer.is_this_machine() {
        api.refused(Why::InTheClear, &route, None, peer);
        return Err(unauthorised());
    }
    if route.access != Access::Open {
        let who = match who(api, request.headers(), peer).await {
            Ok(who) => who,
            Err(NotIn::Failed(problem)) => return Err(Refusal::from(problem)),
            Err(NotIn::Refused(why, person)) => {
                api.refused(why, &route, person.as_deref(), peer);
                return Err(unauthorised());
            }
        };
        if let Access::Needs(right) = route.access
            && !who.may(right)
        {
            api.refused(Why::Forbidden, &route, Some(&who.actor), peer);
            let problem = Problem::new(
                "api.forbidden",
                format!("the role {} doesn't have the right `{}`", who.role, right.word()),
            );
            let roles: Vec<&str> = right.roles().iter().map(|role| role.word()).collect();
            return Err(Refusal::new(403, problem.next(format!("ask somebody who is {}", roles.join(" or ")))));
        }
        tracing::debug!(actor = who.actor, route = route.name(), %peer, "called");
        request.extensions_mut().insert(who);
    }
    request.extensions_mut().insert(Caller { route, peer });
    Ok(next.run(request).await)
}

/// Returns the bearer token of a call.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

pub(super) async fn who(api: &Api, headers: &HeaderMap, peer: Peer) -> Result<Who, NotIn> {
    let token = bearer(headers).ok_or(NotIn::Refused(Why::NoToken, None))?;
    if token.len() > TOKEN_MAX {
        return Err(NotIn::Refused(Why::WrongToken, None));
    }
    if !Token::looks_like(token) {
        let Some(oidc) = &api.0.config.oidc else { return Err(NotIn::Refused(Why::WrongToken, None)) };
        let who = oidc.who(token, api.now()).await.map_err(|reason| {
            tracing::info!(reason, "an access token isn't good");
            NotIn::Refused(Why::BadAccessToken, None)
        })?;
        return first(api, token, who, peer);
    }
    if let Some(who) = api.0.config.local.as_ref().and_then(|local| local.who(token)) {
        // Also whoever reads the file on another machine is a stranger.
        return if peer.is_this_machine() {
            first(api, token, who, peer)
        } else {
            Err(NotIn::Refused(Why::WrongToken, Some(who.actor)))
        };
    }
    session(api, token)
}

/// Whoever comes without signing in here is told of at the first call.
fn first(api: &Api, token: &str, who: Who, peer: Peer) -> Result<Who, NotIn> {
    if api.is_first(token) {
        let signed_in = SignedIn { how: who.how, role: who.role, subject: who.subject.clone(), peer: peer.to_string() };
        api.tell(&who.actor, Fact::OperatorSignedIn(signed_in))?;
    }
    Ok(who)
}

fn session(api: &Api, token: &str) -> Result<Who, NotIn> {
    let (store, id, now) = (&api.0.store, Token::digest(token), api.now());
    blocking(|| {
        let session = store.session(&id)?.ok_or(NotIn::Refused(Why::WrongToken, None))?;
        let actor = actor(session.user.as_str());
        if !session.stands(now) {
            store.end_session(&id)?;
            return Err(NotIn::Refused(Why::Ended, Some(actor)));
        }
        // Looked up at every call: a role that was taken away is away at once.
        let user = store.user(&session.user)?.ok_or(NotIn::Refused(Why::WrongToken, None))?;
        if user.disabled {
            return Err(NotIn::Refused(Why::Disabled, Some(actor)));
        }
        if session.is_behind(now) {
            store.see_session(&id, now)?;
        }
        Ok(Who { actor, user: Some(user.name), subject: None, how: How::Password, role: user.role })
    })
}

/// Returns how the audit list names a user.
pub(super) fn actor(name: &str) -> String {
    format!("{name}@api")
}
