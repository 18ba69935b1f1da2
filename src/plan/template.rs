//! Plans to start from, one a scenario, with comments.

use jiff::civil::Date;

use crate::model::Scenario;

/// The day on which the templates' dates were chosen.
const WRITTEN: Date = jiff::civil::date(2026, 11, 23);

/// Returns the commented plan for a scenario, with the dates of the day on which it was written.
#[must_use]
pub fn template(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::AdToEntra => include_str!("templates/ad-to-entra.yaml"),
        Scenario::HybridToEntra => include_str!("templates/hybrid-to-entra.yaml"),
        Scenario::TenantToTenant => include_str!("templates/tenant-to-tenant.yaml"),
    }
}

/// Returns the files to start from: the plan first, then the tables that it names. Dates are moved so that
/// the pilot begins soon after `today` and nothing has run out.
#[must_use]
pub fn starter(scenario: Scenario, today: Date) -> Vec<(&'static str, String)> {
    let mut files = vec![
        ("plan.yaml", moved(template(scenario), today)),
        ("devices.csv", include_str!("templates/devices.csv").to_owned()),
    ];
    if scenario == Scenario::TenantToTenant {
        files.push(("users.csv", include_str!("templates/users.csv").to_owned()));
    }
    files
}

/// Moves every date of a text by the same number of days.
fn moved(text: &str, today: Date) -> String {
    let Ok(by) = WRITTEN.until(today) else { return text.to_owned() };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("20") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let date = rest.get(..10).filter(|text| text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-');
        let date = date.and_then(|text| text.parse::<Date>().ok()).and_then(|date| date.checked_add(by).ok());
        match date {
            Some(date) => {
                out.push_str(&date.to_string());
                rest = &rest[10..];
            }
            None => {
                out.push_str("20");
                rest = &rest[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Check, Scenario};
    use crate::plan::{parse, resolve};

    fn codes(found: &crate::diag::Diagnostics) -> Vec<&'static str> {
        found.0.iter().map(|one| one.code.id).collect()
    }

    /// Catches a template that doesn't work as it is, on the day it was written or years later.
    #[test]
    fn templates_resolve() {
        for scenario in [Scenario::AdToEntra, Scenario::HybridToEntra, Scenario::TenantToTenant] {
            for today in ["2026-11-23", "2028-02-29", "2031-07-15"] {
                let today: Date = today.parse().unwrap();
                let files = starter(scenario, today);
                let load = |name: &str| {
                    files
                        .iter()
                        .find(|(own, _)| *own == name)
                        .map(|(_, text)| text.clone())
                        .ok_or("not there".to_owned())
                };
                let parsed = parse("plan.yaml", &files[0].1, &mut { load });
                let noon = today.at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
                let (plan, found) = resolve(&parsed, noon);
                // Whose keys count is nobody's to say but the team's.
                assert_eq!(codes(&found), ["OPS0222"], "{scenario:?} {today}: {found:?}");
                assert_eq!(plan.unwrap().scenario, scenario);
            }
        }
    }

    /// Catches a check that only people answer and that the template doesn't offer, and a line that isn't YAML once its
    /// `#` is gone.
    #[test]
    fn attestations_are_offered() {
        for scenario in [Scenario::AdToEntra, Scenario::HybridToEntra, Scenario::TenantToTenant] {
            let text = template(scenario).replace("\n#attestations:", "\nattestations:").replace("\n#  - {", "\n  - {");
            let mut load = |name: &str| match name {
                "users.csv" => Ok(include_str!("templates/users.csv").to_owned()),
                _ => Ok(include_str!("templates/devices.csv").to_owned()),
            };
            let parsed = parse("plan.yaml", &text, &mut load);
            let noon = WRITTEN.at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
            let (plan, found) = resolve(&parsed, noon);
            assert_eq!(codes(&found), ["OPS0222"], "{scenario:?}: {found:?}");
            let plan = plan.unwrap();
            // The package's proof and the security software's canary stand elsewhere, the pilot's exit comes later.
            let elsewhere = [Check::PkgValidated, Check::SecAllowList, Check::PilotExit];
            for check in Check::ALL.iter().filter(|check| check.attestable() && !elsewhere.contains(check)) {
                assert!(plan.attestations.iter().any(|one| one.check == check.id()), "{scenario:?} {check}");
            }
        }
    }

    /// Catches ids, numbers and times that are taken for dates.
    #[test]
    fn only_dates_move() {
        let tomorrow = WRITTEN.tomorrow().unwrap();
        let text = "on: 2026-12-31T18:00 20-20 2026-1-1 c202-4020 20";
        assert_eq!(moved(text, tomorrow), "on: 2027-01-01T18:00 20-20 2026-1-1 c202-4020 20");
    }
}
