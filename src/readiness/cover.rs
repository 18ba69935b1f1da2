//! People's word over measurements: attestations and exclusions of the plan.
//!
//! | measured | attested | excepted | comes to |
//! |---|---|---|---|
//! | pass, warn, not applicable | any | any | what was measured |
//! | fail | yes | no | fail, with the attestation shown beside it |
//! | fail | any | yes | excepted |
//! | unknown | yes | any | attested |
//! | unknown | no | yes | excepted |
//! | unknown | no | no | unknown |

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Attested, Excepted, Finding, Judged, Measured, Outcome, Subject, spec};
use crate::model::Check;
use crate::plan::{Attestation, Exclusion, ExclusionKind, MigrationPlan};

/// The plan's word, by check. Built once for a plan.
#[derive(Debug)]
pub struct Cover<'a> {
    attestations: BTreeMap<Check, &'a Attestation>,
    exclusions: BTreeMap<Check, &'a Exclusion>,
    /// The one that ran out last, where none is live.
    over: BTreeMap<Check, &'a Exclusion>,
    all: &'a [Exclusion],
    as_of: Timestamp,
}

/// Returns the day of the plan's moment in the plan's zone.
pub(crate) fn today(plan: &MigrationPlan) -> Date {
    let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
    plan.as_of.to_zoned(zone).date()
}

impl<'a> Cover<'a> {
    /// Collects what is in force at the plan's moment. Where several attestations speak of one check, the one that
    /// lasts longest counts.
    #[must_use]
    pub fn new(plan: &'a MigrationPlan) -> Self {
        let today = today(plan);
        let mut attestations: BTreeMap<Check, &Attestation> = BTreeMap::new();
        for one in plan.attestations.iter().filter(|one| one.on <= today && one.until.is_none_or(|end| end >= today)) {
            let Ok(check) = one.check.parse::<Check>() else { continue };
            let end = |one: &Attestation| one.until.unwrap_or(Date::MAX);
            let kept = attestations.entry(check).or_insert(one);
            if end(one) > end(kept) {
                *kept = one;
            }
        }
        let (mut exclusions, mut over) = (BTreeMap::new(), BTreeMap::<Check, &Exclusion>::new());
        for one in &plan.exclusions {
            let ExclusionKind::Check(id) = &one.of else { continue };
            let Ok(check) = id.parse::<Check>() else { continue };
            if one.is_live(plan.as_of) {
                exclusions.entry(check).or_insert(one);
            } else if over.get(&check).is_none_or(|kept| kept.until < one.until) {
                over.insert(check, one);
            }
        }
        Self { attestations, exclusions, over, all: &plan.exclusions, as_of: plan.as_of }
    }

    /// Returns the live exclusion of a check.
    #[must_use]
    pub fn exclusion(&self, check: Check) -> Option<&'a Exclusion> {
        self.exclusions.get(&check).copied().filter(|_| spec(check).exceptable)
    }

    /// Returns the exclusion that would cover a check if it hadn't run out.
    fn ran_out(&self, check: Check, named: Option<&'a Exclusion>) -> Option<&'a Exclusion> {
        let named = named.filter(|one| !one.is_live(self.as_of));
        named.or_else(|| self.over.get(&check).copied().filter(|_| spec(check).exceptable))
    }

    /// Returns the attestation of a check that is in force.
    #[must_use]
    pub fn attestation(&self, check: Check) -> Option<&'a Attestation> {
        self.attestations.get(&check).copied()
    }

    /// Lays the plan's word over a measurement.
    #[must_use]
    pub fn finding(&self, check: Check, subject: Subject, wave: Option<u16>, judged: Judged) -> Finding {
        let row = spec(check);
        let named = judged.exclusion.and_then(|at| self.all.get(at));
        let own = named.filter(|one| one.is_live(self.as_of));
        let excepted = || own.or_else(|| self.exclusion(check)).map(|one| Outcome::Excepted(Box::new(excepted(one))));
        let attested = || self.attestation(check).map(|one| Box::new(attested(one)));
        let outcome = match judged.measured {
            Measured::Pass => Outcome::Pass,
            Measured::Warn => Outcome::Warn,
            Measured::NotApplicable => Outcome::NotApplicable,
            Measured::Fail => excepted().unwrap_or_else(|| Outcome::Fail(attested())),
            Measured::Unknown => attested().map(Outcome::Attested).or_else(excepted).unwrap_or(Outcome::Unknown),
        };
        let mut seen = judged.seen;
        let mut remedy = judged.remedy.unwrap_or(row.remedy.into());
        if matches!(outcome, Outcome::Fail(_) | Outcome::Unknown)
            && let Some(over) = self.ran_out(check, named)
        {
            seen = format!("{seen}; exclusion `{}` ran out on {}", over.id.value, over.expires.value).into();
            remedy = format!("{remedy}; or let {} decide on a new last day of the exclusion", over.owner).into();
        }
        Finding {
            check,
            subject,
            outcome,
            measured: judged.measured,
            seen,
            remedy,
            code: judged.code.unwrap_or(check.id()),
            owner: row.owner,
            wave,
            only: judged.only,
        }
    }
}

fn attested(one: &Attestation) -> Attested {
    Attested { by: one.by.clone(), on: one.on, until: one.until, evidence: one.evidence.clone() }
}

fn excepted(one: &Exclusion) -> Excepted {
    Excepted { exclusion: one.id.value.clone(), owner: one.owner.clone(), reason: one.reason.clone(), until: one.until }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag::fixture::{Fleet, Join, at, spanned};
    use crate::model::Scenario;
    use crate::readiness::OutcomeKind;
    use jiff::civil::date;

    fn plan(attested: bool, excepted: bool) -> MigrationPlan {
        let mut plan = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1).plan;
        plan.attestations.clear();
        if attested {
            plan.attestations.push(Attestation {
                check: "rec.workflow".to_owned(),
                by: "lead@contoso.com".to_owned(),
                on: date(2026, 11, 20),
                until: None,
                evidence: None,
            });
        }
        if excepted {
            plan.exclusions.push(Exclusion {
                id: spanned("no-workflow".to_owned(), 1),
                of: ExclusionKind::Check("rec.workflow".to_owned()),
                owner: "lead@contoso.com".to_owned(),
                reason: "pilot".to_owned(),
                ticket: None,
                expires: spanned(date(2027, 1, 31), 2),
                until: at("2027-02-01T00:00:00Z"),
            });
        }
        plan
    }

    /// Catches an attestation that makes a measured failure pass, an exclusion that turns a pass into an exception,
    /// and an unknown that passes by itself.
    #[test]
    fn the_table_above() {
        use OutcomeKind as K;
        let rows = [
            (Judged::pass("x"), [K::Pass, K::Pass, K::Pass, K::Pass]),
            (Judged::warn("x"), [K::Warn, K::Warn, K::Warn, K::Warn]),
            (Judged::not_applicable("x"), [K::NotApplicable; 4]),
            (Judged::fail("x"), [K::Fail, K::Fail, K::Excepted, K::Excepted]),
            (Judged::unknown("x"), [K::Unknown, K::Attested, K::Excepted, K::Attested]),
        ];
        for (at, (attested, excepted)) in
            [(false, false), (true, false), (false, true), (true, true)].iter().enumerate()
        {
            let plan = plan(*attested, *excepted);
            let cover = Cover::new(&plan);
            for (judged, wanted) in &rows {
                let found = cover.finding(Check::RecWorkflow, Subject::Plan, None, judged.clone());
                assert_eq!(found.outcome.kind(), wanted[at], "{judged:?} {attested} {excepted}");
                if judged.measured == Measured::Fail && *attested && !*excepted {
                    assert!(matches!(found.outcome, Outcome::Fail(Some(_))), "both are shown");
                }
            }
        }
    }

    /// Catches an exclusion or attestation that counts after its last day, and one of what can't be excepted.
    #[test]
    fn only_what_is_in_force() {
        let mut plan = plan(true, true);
        plan.attestations[0].until = Some(date(2026, 12, 1));
        plan.exclusions[0].until = plan.as_of;
        let cover = Cover::new(&plan);
        let found = cover.finding(Check::RecWorkflow, Subject::Plan, None, Judged::unknown("x"));
        assert_eq!(found.outcome, Outcome::Unknown);
        assert_eq!(found.seen, "x; exclusion `no-workflow` ran out on 2027-01-31", "whoever is blocked sees why");
        assert!(found.remedy.contains("lead@contoso.com"), "{}", found.remedy);
        let held = cover.finding(Check::RecWorkflow, Subject::Plan, None, Judged::pass("x"));
        assert_eq!(held.seen, "x", "what holds needs no exclusion");
        let own = cover.finding(Check::DevMdm, Subject::Plan, None, Judged::fail("x").covered_by(0));
        assert!(own.blocks() && own.seen.contains("`no-workflow`"), "{own:?}");
        plan.exclusions[0].until = at("2027-02-01T00:00:00Z");
        plan.exclusions[0].of = ExclusionKind::Check("dev.join-tenant".to_owned());
        let cover = Cover::new(&plan);
        let found = cover.finding(Check::DevJoinTenant, Subject::Plan, None, Judged::fail("x"));
        assert_eq!(found.outcome, Outcome::Fail(None));
    }
}
