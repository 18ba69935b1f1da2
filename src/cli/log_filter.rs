//! What is logged: `OPSOLE_LOG`, or what the command line says.

use tracing_subscriber::filter::Targets;

/// Environment variable with targets and levels, such as `opsole=debug,hyper=info`.
const VARIABLE: &str = "OPSOLE_LOG";

/// Returns the filter of the environment, else the default; and what is to be said of one that isn't a filter.
pub(super) fn log_filter(default: &'static str) -> (Targets, Option<String>) {
    chosen(std::env::var(VARIABLE).ok().filter(|text| !text.trim().is_empty()).as_deref(), default)
}

fn chosen(wanted: Option<&str>, default: &str) -> (Targets, Option<String>) {
    let of = |text: &str| text.parse::<Targets>();
    let fallback = || of(default).unwrap_or_default();
    match wanted.map(of) {
        None => (fallback(), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (fallback(), Some(format!("{VARIABLE} isn't a filter ({error}); `{default}` is taken"))),
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    /// Catches a filter that is silently passed over, and a default that isn't one.
    #[test]
    fn filters() {
        let level = |wanted, target: &str, level| chosen(wanted, "opsole=info").0.would_enable(target, &level);
        assert!(level(None, "opsole::cli", Level::INFO) && !level(None, "opsole::cli", Level::DEBUG));
        assert!(level(Some("opsole=debug,hyper=warn"), "opsole", Level::DEBUG));
        assert!(!level(Some("opsole=debug,hyper=warn"), "hyper", Level::INFO));
        assert!(level(Some("opsole=loud"), "opsole", Level::INFO), "the default");
        assert!(chosen(Some("opsole=loud"), "error").1.is_some_and(|text| text.contains("`error` is taken")));
        assert!(level(Some("trace"), "anything", Level::TRACE));
    }
}
