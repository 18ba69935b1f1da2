//! What comes after an agent's life: nothing, or another one, and when.

use crate::agent::Exit;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The process ends.
    End,
    /// The agent is started again after so many seconds.
    AfterSecs(u64),
}

/// How long a restart may take to begin, in seconds. One that somebody called off (`shutdown /a`) is ordered again: the
/// agent finds by the boot's number that there was none.
const RESTART_SECS: u64 = 600;
/// Waits after failures, in seconds: the first, and the longest of what may pass by itself.
const FAILED_SECS: (u64, u64) = (30, 1800);
/// Wait where only a person can mend it, in seconds; whoever mends it starts the service anyway.
const MENDED_SECS: u64 = 3600;

/// Problems that no waiting mends.
const LASTING: &[&str] = &[
    "agent.identity-damaged",
    "agent.journal-damaged",
    "agent.no-token",
    "agent.settings",
    "agent.settings-device",
    "tls.damaged",
];

/// Decides; `failures` is how many there were in a row before.
pub(super) fn after(exit: &Exit, failures: u32) -> Next {
    match exit {
        Exit::Cancelled => Next::End,
        Exit::Restarting => Next::AfterSecs(RESTART_SECS),
        Exit::Failed(problem) if LASTING.contains(&problem.code.as_str()) => Next::AfterSecs(MENDED_SECS),
        Exit::Failed(_) => Next::AfterSecs((FAILED_SECS.0 << failures.min(10)).min(FAILED_SECS.1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Problem;

    /// Catches a service that gives up for ever, one that hammers a controller, and one that outlives its stop.
    #[test]
    fn lives_follow_each_other_with_growing_pauses() {
        let failed = |code: &str| Exit::Failed(Problem::new(code, "x"));
        let waits: Vec<Next> = [0, 1, 2, 6, 40].iter().map(|n| after(&failed("agent.journal"), *n)).collect();
        let wanted = [30, 60, 120, 1800, 1800].map(Next::AfterSecs);
        assert_eq!(waits, wanted);
        for code in LASTING {
            assert_eq!(after(&failed(code), 0), Next::AfterSecs(3600), "{code}");
        }
        assert_eq!(after(&Exit::Cancelled, 3), Next::End);
        assert_eq!(after(&Exit::Restarting, 3), Next::AfterSecs(600));
    }
}
