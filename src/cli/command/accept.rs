//! `apply --accept`: what an exclusion of the plan covers is accepted by the person who applies, never in silence.
//!
//! Two keys: the plan holds an exclusion of the check with owner, reason and end, which is reviewed; and whoever
//! applies says that the check is accepted, on the terminal or by its id.
//!
//! A Conditional Access exclusion that the run opens and closes itself takes one key, the review of the plan: nothing
//! is left as it is, so there is nothing to accept. Whoever names it all the same isn't refused.

use std::collections::BTreeMap;

use crate::audit::Exception;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::diff::{Action, ChangeSet};
use crate::model::{Check, DeviceName, Feature, Problem};
use crate::plan::{Exclusion, ExclusionKind, MigrationPlan};
use crate::readiness::{CheckSeverity, Cover, Finding, Outcome, Subject, spec};
use crate::render::words::count;

/// A check that a run relies on although it doesn't hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relied {
    /// Which check.
    pub check: Check,
    /// The exclusion that covers it.
    pub exclusion: String,
    /// Who owns the exclusion.
    pub owner: String,
    /// For how many devices of the run, where it is a check of devices.
    pub devices: usize,
}

/// Reads the ids that were accepted.
///
/// # Errors
/// `apply.unknown-check`; `apply.accept-needs-exclusion` where the plan has no live exclusion of the check, and for
/// Conditional Access none that the run opens either.
pub fn accepted(plan: &MigrationPlan, ids: &[String]) -> Result<Vec<Check>, Problem> {
    let cover = Cover::new(plan);
    ids.iter()
        .map(|id| {
            let check: Check = id.parse().map_err(|_| {
                let all: Vec<&str> = Check::ALL.iter().map(|check| check.id()).collect();
                let near = super::plan::did_you_mean(id, &all);
                Problem::new("apply.unknown-check", format!("there is no check `{id}`"))
                    .next(format!("{near}`opsole check --all` lists them"))
            })?;
            if cover.exclusion(check).is_some() || (check == Check::EntConditionalAccess && opens_one(plan)) {
                return Ok(check);
            }
            let problem = Problem::new(
                "apply.accept-needs-exclusion",
                format!("{check} can't be accepted: the plan has no live exclusion of it"),
            );
            Err(if spec(check).exceptable {
                problem.next(format!(
                    "add one under `exclusions`, so that it is reviewed and ends:\n  - id: accept-{}\n    of: {{check: {check}}}\n    \
                     owner: {}\n    reason: …\n    ticket: …\n    expires: …",
                    check.id().replace('.', "-"),
                    spec(check).owner.as_str(),
                ))
            } else {
                problem.next(format!("{}; nobody can answer for it", spec(check).remedy))
            })
        })
        .collect()
}

/// Says whether the plan has a live exclusion in the tenant that a run opens.
fn opens_one(plan: &MigrationPlan) -> bool {
    let of_access = |one: &Exclusion| matches!(one.of, ExclusionKind::ConditionalAccess(_));
    plan.features.on.has(Feature::ConditionalAccessExclusions)
        && plan.exclusions.iter().any(|one| of_access(one) && one.is_live(plan.as_of))
}

/// Returns what a run of the selected wave relies on although it doesn't hold. What `apply` itself opens and closes
/// (Conditional Access exclusions) needs no acceptance.
#[must_use]
pub fn relied_on(plan: &MigrationPlan, changes: &ChangeSet) -> Vec<Relied> {
    let runs = |name: &DeviceName| {
        let at = changes.devices.binary_search_by(|device| device.device.cmp(name)).ok();
        at.is_some_and(|at| changes.devices[at].changes.iter().any(|change| change.action == Action::Do))
    };
    let concerns = |finding: &&Finding| match &finding.subject {
        Subject::Device(name) => runs(name),
        Subject::Wave(_) => finding.wave == changes.selected,
        Subject::Package(name) => {
            let wave = changes.selected.and_then(|at| plan.waves.get(usize::from(at)));
            wave.is_none_or(|wave| wave.package == *name && finding.concerns(&wave.name.value))
        }
        Subject::Plan | Subject::Tenant(_) | Subject::Directory(_) => true,
    };
    let of_a_check =
        |id: &str| plan.exclusions.iter().any(|one| one.id.value == id && matches!(one.of, ExclusionKind::Check(_)));
    let mut relied: BTreeMap<Check, Relied> = BTreeMap::new();
    for finding in changes.readiness.findings.iter().filter(concerns) {
        let Outcome::Excepted(word) = &finding.outcome else { continue };
        if spec(finding.check).severity == CheckSeverity::Warn || !of_a_check(&word.exclusion) {
            continue;
        }
        let one = relied.entry(finding.check).or_insert_with(|| Relied {
            check: finding.check,
            exclusion: word.exclusion.clone(),
            owner: word.owner.clone(),
            devices: 0,
        });
        one.devices += usize::from(matches!(finding.subject, Subject::Device(_)));
    }
    relied.into_values().collect()
}

/// Refuses where nobody is there to ask and something wasn't named.
///
/// # Errors
/// `apply.not-accepted`, with the exit code of a declined run.
pub fn insist(relied: &[Relied], accepted: &[Check]) -> Result<(), Failure> {
    let open: Vec<&Relied> = relied.iter().filter(|one| !accepted.contains(&one.check)).collect();
    if open.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = open.iter().map(|one| one.check.id()).collect();
    let flags: Vec<String> = ids.iter().map(|id| format!("--accept {id}")).collect();
    let problem = Problem::new("apply.not-accepted", format!("this run relies on exceptions: {}", ids.join(", ")))
        .next(format!("look at `opsole check`, then add {}", flags.join(" ")));
    Err(Failure::Exit(Box::new(problem), Exit::DECLINED))
}

/// Returns the exceptions as they are kept with the run.
#[must_use]
pub fn exceptions(relied: &[Relied]) -> Vec<Exception> {
    let one = |one: &Relied| Exception {
        check: one.check,
        exclusion: one.exclusion.clone(),
        owner: one.owner.clone(),
        devices: one.devices as u64,
    };
    relied.iter().map(one).collect()
}

/// Returns the exceptions as a person who is asked reads them; empty where there are none.
#[must_use]
pub fn words(relied: &[Relied]) -> String {
    let line = |one: &Relied| {
        let devices = if one.devices > 0 { format!(" for {}", count(one.devices, "device")) } else { String::new() };
        format!("Accepts {}{devices}, under exclusion `{}` of {}.\n", one.check, one.exclusion, one.owner)
    };
    relied.iter().map(line).collect()
}
