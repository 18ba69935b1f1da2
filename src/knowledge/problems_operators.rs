//! Problems of the operators' API, its users, and the commands that call it.

use super::problem::{OwnProblem, row};

const CALLS: &str = "docs/operators.md says what each call takes";
const LIST: &str = "list what there is first, and take a name from there";
const AGAIN: &str = "try again a little later";

pub(super) static TABLE: &[OwnProblem] = &[
    row("api.bad-body", "the body of a call isn't what the call takes", CALLS),
    row("api.bad-path", "a name in the path of a call can't be one", LIST),
    row("api.bad-query", "the query of a call isn't what the call takes", CALLS),
    row("api.failed", "a call couldn't be answered", AGAIN),
    row("api.forbidden", "the role of whoever called doesn't have the right", "ask somebody whose role has it"),
    row(
        "api.no-password",
        "whoever signs in at an identity provider has no password here",
        "change it where you sign in",
    ),
    row("api.no-randomness", "the system gives no random numbers", "try again; a token is never made without them"),
    row("api.no-such-call", "there is no such call of the API", "docs/operators.md lists the calls"),
    row("api.oidc", "an issuer of access tokens can't be used", "name the tenant's issuer, and an audience"),
    row("api.slow", "a call took longer than any may", AGAIN),
    row("api.too-many", "an address made too many calls", "wait as long as the answer says"),
    row(
        "api.unauthorised",
        "not signed in, or not with what is good here; every reason has this one answer",
        "sign in",
    ),
    row("api.unknown-device", "the run has no such device", LIST),
    row("operator.no-run", "no run goes on in this folder", "start one, or name the controller with `--url`"),
    row(
        "operator.no-token",
        "there is no token for a controller elsewhere",
        "sign in there and set `OPSOLE_API_TOKEN`",
    ),
    row("operator.refused", "the controller refused a call", "do what the detail says; a token may have ended"),
    row("operator.unreachable", "the controller doesn't answer", "see whether `opsole apply` still runs"),
    row("operator.url", "a token would go to an address in the clear", "name an address with `https://`"),
    row("users.exists", "there is a user of that name already", "take another name, or change that user"),
    row("users.hash", "a password can't be hashed", "free some memory: a hash takes 19 MiB"),
    row("users.mistyped", "a new password was typed in two ways", "try again"),
    row("users.name", "a name can't be a user's", "take letters, digits, `.`, `-` and `_`"),
    row("users.no-terminal", "nobody is there to ask for a password", "give it with `--password-stdin`"),
    row("users.password", "a password isn't good enough", "take twelve characters or more that nobody guesses"),
    row("users.self", "somebody would change their own role, or shut themselves out", "ask another administrator"),
    row("users.unknown", "there is no such user", "`opsole users list` shows those there are"),
];
