//! What costs something to look at. A part that can't be read is unknown with the reason; only a survey as a whole
//! fails.

mod canary;
mod hardware;
mod recovery;
mod security;

use super::{Inner, Result};
use crate::model::{ENDPOINTS, Known, Probe, Problem, SURVEY_FORMAT, Survey};

/// Seconds for one endpoint.
const PROBE_SECS: u32 = 15;

/// Returns what was read, or why it couldn't be.
fn known<T>(read: Result<T>) -> Known<T> {
    match read {
        Ok(value) => Known::Known(value),
        Err(problem) => Known::Unknown(reason(&problem)),
    }
}

fn reason(problem: &Problem) -> String {
    match &problem.detail {
        Some(detail) => format!("{} ({detail})", problem.message),
        None => problem.message.clone(),
    }
}

impl Inner {
    pub(super) fn take_survey(&self) -> Result<Survey> {
        Ok(Survey {
            format: SURVEY_FORMAT,
            at: self.machine.now(),
            as_system: known(self.machine.is_system().map_err(Into::into)),
            windows: known(self.windows()),
            hardware: self.hardware(),
            tpm: self.tpm(),
            canary: known(self.canary()),
            // The agent measures it against the controller, whose time it is told.
            clock_skew_secs: Known::Unknown("no other clock was asked".to_owned()),
            network: known(self.network()),
            recovery: self.recovery(),
            security: self.security(),
            connection: known(self.connection()),
            user_services: known(self.user_services()),
            user_tasks: known(self.user_tasks()),
            tattooed_rights: known(self.tattooed_rights()),
        })
    }
    fn network(&self) -> Result<Vec<Probe>> {
        let probe = |host: &str| -> Result<Probe> {
            Ok(Probe { host: host.to_owned(), outcome: self.machine.probe(host, PROBE_SECS)? })
        };
        ENDPOINTS.into_iter().map(probe).collect()
    }
}
