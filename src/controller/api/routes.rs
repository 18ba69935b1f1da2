//! The table of calls, and the router that is made from it.

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware;
use axum::routing::{MethodFilter, MethodRouter, any, on};

use super::guard::{Gate, guard};
use super::{Api, login, reads, users};
use crate::controller::Refusal;
use crate::model::Problem;
use crate::operators::Right;

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Looks.
    Get,
    /// Does.
    Post,
    /// Changes.
    Patch,
}

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody: signing in.
    Open,
    /// Everybody who is signed in.
    SignedIn,
    /// Roles with this right.
    Needs(Right),
}

/// What answers a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Login,
    Logout,
    Session,
    Password,
    Run,
    Drain,
    Runs,
    Report,
    Devices,
    Device,
    Revoke,
    Audit,
    Users,
    AddUser,
    ChangeUser,
    Unknown,
}

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Its method.
    pub verb: Verb,
    /// Its path; `{…}` stands for one part.
    pub path: &'static str,
    /// Who may make it.
    pub access: Access,
    /// What it does, for the docs.
    pub about: &'static str,
    /// How many calls it counts for.
    pub cost: u32,
    call: Call,
}

impl Route {
    /// Returns method and path, as the audit list names calls.
    #[must_use]
    pub fn name(&self) -> String {
        let verb = match self.verb {
            Get => "GET",
            Post => "POST",
            Patch => "PATCH",
        };
        format!("{verb} {}", self.path)
    }
}

const fn row(verb: Verb, path: &'static str, access: Access, call: Call, about: &'static str) -> Route {
    // A password costs 20 ms and 19 MiB, a whole run read from disk up to seconds.
    let cost = match call {
        Call::Login | Call::Password | Call::Report => 10,
        Call::AddUser | Call::ChangeUser | Call::Device => 5,
        _ => 1,
    };
    Route { verb, path, access, about, cost, call }
}

use Access::{Needs, Open, SignedIn};
use Verb::{Get, Patch, Post};

/// Every call.
pub const ROUTES: &[Route] = &[
    row(Post, "/api/v1/login", Open, Call::Login, "sign in with `name` and `password`; gives a token"),
    row(Post, "/api/v1/logout", SignedIn, Call::Logout, "end the session"),
    row(Get, "/api/v1/session", SignedIn, Call::Session, "who is signed in, as what, until when"),
    row(Post, "/api/v1/password", SignedIn, Call::Password, "change your `password` to `new`; ends your sessions"),
    row(
        Get,
        "/api/v1/run",
        Needs(Right::See),
        Call::Run,
        "the run that goes on: counts, tenant operations, why it stopped",
    ),
    row(Post, "/api/v1/run/drain", Needs(Right::Drain), Call::Drain, "begin nothing new in the run"),
    row(Get, "/api/v1/runs", Needs(Right::See), Call::Runs, "all runs, the newest first"),
    row(Get, "/api/v1/report/{run}", Needs(Right::See), Call::Report, "the change record of a run"),
    row(Get, "/api/v1/devices", Needs(Right::See), Call::Devices, "where each device stands; `after=NAME`, `limit=N`"),
    row(Get, "/api/v1/devices/{name}", Needs(Right::See), Call::Device, "one device with each operation"),
    row(
        Post,
        "/api/v1/devices/{name}/revoke",
        Needs(Right::RevokeDevice),
        Call::Revoke,
        "take the device's tokens away: its agent is turned away from now on",
    ),
    row(Get, "/api/v1/audit", Needs(Right::ReadAudit), Call::Audit, "what was decided and done; `after=N`, `limit=N`"),
    row(Get, "/api/v1/users", Needs(Right::ManageUsers), Call::Users, "all users"),
    row(Post, "/api/v1/users", Needs(Right::ManageUsers), Call::AddUser, "add a user: `name`, `role`, `password`"),
    row(
        Patch,
        "/api/v1/users/{name}",
        Needs(Right::ManageUsers),
        Call::ChangeUser,
        "change a user: `role`, `disabled`, `password`, `unlock`",
    ),
];

/// Stands for calls that there aren't. Whoever isn't signed in doesn't learn which there are.
const UNKNOWN: Route = row(Get, "/api/v1/…", SignedIn, Call::Unknown, "no call");

pub(super) fn router(api: &Api) -> Router<Api> {
    let unknown = Gate::new(api, UNKNOWN);
    let layer = middleware::from_fn_with_state(unknown, guard);
    let mut router = Router::new();
    for route in ROUTES {
        router = router.route(route.path, method(api, *route));
    }
    router
        .method_not_allowed_fallback(no_such_call.layer(layer.clone()))
        .route("/api/v1", any(no_such_call).layer(layer.clone()))
        .route("/api/v1/{*rest}", any(no_such_call).layer(layer))
}

fn method(api: &Api, route: Route) -> MethodRouter<Api> {
    match route.call {
        Call::Login => guarded(api, route, login::login),
        Call::Logout => guarded(api, route, login::logout),
        Call::Session => guarded(api, route, login::session),
        Call::Password => guarded(api, route, login::password),
        Call::Run => guarded(api, route, reads::run),
        Call::Drain => guarded(api, route, reads::drain),
        Call::Runs => guarded(api, route, reads::runs),
        Call::Report => guarded(api, route, reads::report),
        Call::Devices => guarded(api, route, reads::devices),
        Call::Device => guarded(api, route, reads::device),
        Call::Revoke => guarded(api, route, reads::revoke),
        Call::Audit => guarded(api, route, reads::audit),
        Call::Users => guarded(api, route, users::list),
        Call::AddUser => guarded(api, route, users::add),
        Call::ChangeUser => guarded(api, route, users::change),
        Call::Unknown => guarded(api, route, no_such_call),
    }
}

fn guarded<H, T>(api: &Api, route: Route, handler: H) -> MethodRouter<Api>
where
    H: Handler<T, Api>,
    T: 'static,
{
    let filter = match route.verb {
        Get => MethodFilter::GET,
        Post => MethodFilter::POST,
        Patch => MethodFilter::PATCH,
    };
    on(filter, handler).route_layer(middleware::from_fn_with_state(Gate::new(api, route), guard))
}

async fn no_such_call(_: Request) -> Refusal {
    Refusal::new(
        404,
        Problem::new("api.no-such-call", "there is no such call").next("docs/operators.md lists the calls"),
    )
}
