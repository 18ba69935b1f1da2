//! Carries out what `recover` decided: one remedy at a time, read back, written into the journal.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::identity::Identity;
use super::journal::{Durability, Journal};
use super::ledger::{Ledger, Recovered};
use super::package::PackageFile;
use super::recover::{Diagnosis, Evidence, Proof, Remedy, diagnose};
use super::steps::{self, Context, Verdict};
use crate::model::{DeviceFacts, DeviceName, Problem, Retry};
use crate::port::{Clock, DeviceAction, DeviceOs, Result, SystemEntropy};
use crate::wire::StepKind;

/// How often a change is looked for, and how many seconds lie between two looks (domain.md B15: an unjoin shows within
/// twenty seconds).
const LOOKS: (u32, u64) = (10, 2);

/// Looks at a device and says what can be done. Takes no lock and changes nothing.
///
/// # Errors
/// `agent.journal*` where the journal can't be read, `device.*` where the device can't be looked at.
pub async fn look(folder: &Path, device: &DeviceName, os: &Arc<dyn DeviceOs>) -> Result<Diagnosis> {
    let ledger = Journal::look(folder)?.unwrap_or_default();
    decide(&ledger, folder, device, os).await
}

async fn decide(ledger: &Ledger, folder: &Path, device: &DeviceName, os: &Arc<dyn DeviceOs>) -> Result<Diagnosis> {
    let facts = os.inspect().await?;
    let join_error = os.last_join_error().await?;
    // A device without an identity can't have a package; reading it would make keys.
    let delivery = if folder.join("identity.json").exists() {
        let identity = Identity::open(folder, device, Durability::PowerLoss, os, &SystemEntropy)?;
        PackageFile::in_folder(folder, Durability::PowerLoss, Arc::clone(identity.opener())).read()?
    } else {
        None
    };
    let evidence = Evidence { ledger, facts: &facts, delivery: delivery.as_ref(), join_error: join_error.as_ref() };
    Ok(diagnose(&evidence))
}

/// A device in the hands of the service desk: its agent is kept out while this lives.
#[derive(Debug)]
pub struct Rescue {
    folder: std::path::PathBuf,
    device: DeviceName,
    journal: Journal,
}

impl Rescue {
    /// Takes the device.
    ///
    /// # Errors
    /// `agent.second` where its agent runs, `agent.journal*` where the journal can't be read.
    pub fn begin(folder: &Path, device: &DeviceName, durability: Durability) -> Result<Self> {
        let journal = Journal::open(folder, device, durability, None)?;
        Ok(Self { folder: folder.to_owned(), device: device.clone(), journal })
    }

    /// Looks at the device again.
    ///
    /// # Errors
    /// As [`look`].
    pub async fn look(&self, os: &Arc<dyn DeviceOs>) -> Result<Diagnosis> {
        decide(self.journal.ledger(), &self.folder, &self.device, os).await
    }

    /// Carries one remedy out, reads back, and writes down what came of it. Says whether the device restarts.
    ///
    /// # Errors
    /// `device.*`, `windows.*` where it couldn't be done, `step.not-so` where it had no effect, `agent.journal` where
    /// that can't be written: nothing is done then.
    pub async fn carry_out(&mut self, remedy: &Remedy, os: &Arc<dyn DeviceOs>, clock: &dyn Clock) -> Result<bool> {
        let restarts = remedy.actions.contains(&DeviceAction::Restart);
        // Before a restart, since nothing can be written after it.
        if restarts {
            self.note(remedy, None, clock)?;
        }
        let outcome = self.act(remedy, os, clock).await;
        match &outcome {
            Err(problem) => self.note(remedy, Some(problem.clone()), clock)?,
            Ok(()) if !restarts => self.note(remedy, None, clock)?,
            Ok(()) => {}
        }
        outcome.map(|()| restarts)
    }

    fn note(&mut self, remedy: &Remedy, problem: Option<Problem>, clock: &dyn Clock) -> Result<()> {
        let Some(run) = self.journal.order().map(|order| order.run) else { return Ok(()) };
        self.journal.recovered(Recovered { at: clock.now(), run, what: remedy.what.clone(), op: remedy.op, problem })
    }

    async fn act(&self, remedy: &Remedy, os: &Arc<dyn DeviceOs>, clock: &dyn Clock) -> Result<()> {
        for action in &remedy.actions {
            os.perform(action).await?;
        }
        let mut seen = None;
        for look in 0..LOOKS.0 {
            if look > 0 {
                clock.sleep(Duration::from_secs(LOOKS.1)).await;
            }
            let verdict = match remedy.proof {
                Proof::Later => return Ok(()),
                Proof::NoBanner if !os.inspect().await?.staging.banner => return Ok(()),
                Proof::NoBanner => Verdict::No("the banner is still shown".to_owned()),
                Proof::Step(step) => {
                    let facts = os.inspect().await?;
                    self.verdict(step, &facts)
                }
            };
            if verdict == Verdict::Holds {
                return Ok(());
            }
            seen = Some(verdict);
        }
        let why = match seen {
            Some(Verdict::No(why) | Verdict::Unknown(why)) => why,
            Some(Verdict::Holds) | None => "nothing was seen".to_owned(),
        };
        Err(Problem::new("step.not-so", format!("it had no effect on {}: {why}", self.device))
            .next("look at the device: something undoes or blocks the change")
            .retry(Retry::Soon))
    }

    fn verdict(&self, step: crate::wire::Step, facts: &DeviceFacts) -> Verdict {
        let Some(order) = self.journal.order() else { return Verdict::Unknown("no order is in hand".to_owned()) };
        let (run, task) = (order.run, &order.task);
        let (survey, delivery, recovery, join_error) = (None, None, None, None);
        let context = Context { run, task, facts, survey, delivery, recovery, join_error, attempt: 2, performed: &[] };
        match step.kind {
            StepKind::Do => steps::check(step.op, &context),
            StepKind::Undo => steps::undone(step.op, &context),
        }
    }
}
