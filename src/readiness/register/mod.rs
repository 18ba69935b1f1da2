//! The register of readiness checks: one table that `check`, `plan`, `explain` and the docs read.
//!
//! Rows stand in the order of [`Check`], those of devices and people first, then those of what is around them. Facts come from the prerequisites (section numbers), domain.md and msgraph.md.

mod devices;
mod surroundings;

use crate::model::{Check, OwnerRole, Scenario};

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckScope {
    /// The plan, once.
    Plan,
    /// Each tenant that it concerns.
    Tenant,
    /// Active Directory.
    Directory,
    /// Each package that a wave uses.
    Package,
    /// Each wave.
    Wave,
    /// The person of each device; reported with the device.
    User,
    /// Each device.
    Device,
}

/// What a check that doesn't hold does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckSeverity {
    /// It stops `apply` for what it covers: one device, the waves of a package, a tenant's devices, everything.
    Block,
    /// It holds the gate of the wave that it is asked of: its devices wait, and nothing counts as blocked.
    Gate,
    /// It is named, and stops nothing.
    Warn,
}

/// Where a check's answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Microsoft Graph.
    Graph,
    /// Active Directory over LDAP.
    Ldap,
    /// The agent on the device.
    Agent,
    /// The plan file and the files that it names.
    PlanFile,
    /// A person's attestation in the plan.
    Person,
    /// What became of the pilot.
    Outcome,
}

/// One row of the register.
#[derive(Debug)]
pub struct CheckSpec {
    /// Which check.
    pub check: Check,
    /// What must hold.
    pub title: &'static str,
    /// What happens where it doesn't.
    pub why: &'static str,
    /// What it is about.
    pub scope: CheckScope,
    /// Scenarios that know it.
    pub scenarios: &'static [Scenario],
    /// Who has to act.
    pub owner: OwnerRole,
    /// What it does where it doesn't hold.
    pub severity: CheckSeverity,
    /// Where its answer comes from, the best source first.
    pub evidence: &'static [Source],
    /// What to do where it doesn't hold.
    pub remedy: &'static str,
    /// An exclusion may cover it. What nobody can answer for (whose profile it is, which tenant it is) can't be excepted.
    pub exceptable: bool,
    /// Where the demand comes from.
    pub source: &'static str,
}

/// Every scenario.
const ALL: &[Scenario] = &[Scenario::AdToEntra, Scenario::HybridToEntra, Scenario::TenantToTenant];
/// Tenant-to-tenant alone.
const TT: &[Scenario] = &[Scenario::TenantToTenant];

/// Returns the register's row of a check.
#[must_use]
pub fn spec(check: Check) -> &'static CheckSpec {
    // The tables stand in the order of `Check`; a test holds that.
    let at = check as usize;
    devices::ROWS.get(at).unwrap_or_else(|| &surroundings::ROWS[at - devices::ROWS.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a row that was added out of order: every later check would get its neighbour's rules.
    #[test]
    fn rows_stand_in_the_order_of_the_names() {
        assert_eq!(devices::ROWS.len() + surroundings::ROWS.len(), Check::ALL.len());
        for check in Check::ALL {
            let row = spec(*check);
            assert_eq!(row.check, *check);
            for text in [row.title, row.why, row.remedy, row.source] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{check}: {text}");
            }
            assert!(!row.evidence.is_empty() && !row.scenarios.is_empty(), "{check}");
        }
    }

    /// Catches a check that only people can answer and that nobody may except: a plan could never be applied.
    #[test]
    fn what_people_answer_can_be_excepted() {
        for check in Check::ALL.iter().map(|check| spec(*check)) {
            if check.evidence == [Source::Person] {
                assert!(check.exceptable, "{}", check.check);
            }
        }
    }

    /// Catches a plan that is warned of an attestation that counts, or isn't of one that doesn't.
    #[test]
    fn people_are_a_source_where_the_name_says_so() {
        for row in Check::ALL.iter().map(|check| spec(*check)) {
            assert_eq!(row.evidence.contains(&Source::Person), row.check.attestable(), "{}", row.check);
        }
    }
}
