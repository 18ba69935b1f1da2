//! Who sits at the terminal, as the operating system's environment says.

use crate::model::Problem;

/// Returns the account's name: `USER`, on Windows `USERNAME` with its domain.
///
/// It is what the environment says, and whoever controls the environment controls it: it tells colleagues apart and
/// proves nothing. The evidence that is recorded with it has to.
///
/// # Errors
/// `cli.no-account` where the environment names nobody.
pub fn name() -> Result<String, Problem> {
    let of = |key: &str| std::env::var(key).ok().filter(|name| is_name(name));
    let account = if cfg!(windows) {
        of("USERNAME").map(|name| of("USERDOMAIN").map_or_else(|| name.clone(), |domain| format!("{domain}\\{name}")))
    } else {
        of("USER").or_else(|| of("LOGNAME"))
    };
    account.ok_or_else(|| {
        Problem::new("cli.no-account", "the environment doesn't say whose account this is")
            .next("set USER (USERNAME on Windows) to your account's name: it is recorded with the sign-off")
    })
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= 256 && !name.chars().any(char::is_control)
}
