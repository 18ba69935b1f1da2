//! What people see of drift: bounded, and silent where there is none.

use super::{DriftOptions, drift_json, drift_markdown, drift_section, drift_text};
use crate::dag::fixture::{Fleet, Join, list};
use crate::diff::drift;
use crate::model::{Known, Scenario};

const OPTIONS: DriftOptions<'_> = DriftOptions { width: 100, color: false, ascii: true, zone: "UTC" };

/// Catches a report that grows with the fleet, a table that a name breaks, and a plan that speaks where nothing changed.
#[test]
fn what_is_alike_stands_together() {
    let fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 80);
    let mut now = fleet.snapshot.clone();
    let same = drift(&fleet.snapshot, &now, &fleet.plan, &[]);
    assert_eq!(drift_section(&same, &OPTIONS), "");
    assert!(drift_text(&same, &OPTIONS).starts_with("Nobody else changed anything"));
    for tenant in now.tenants.values_mut() {
        list(&mut tenant.devices).iter_mut().take(70).for_each(|one| one.enabled = false);
        list(&mut tenant.devices)[75].name = "a|b<i>".to_owned();
        tenant.profiles = Known::Unknown("403".to_owned());
    }
    let report = drift(&fleet.snapshot, &now, &fleet.plan, &[]);
    assert_eq!(report.lines.len(), 71);
    for text in [drift_text(&report, &OPTIONS), drift_section(&report, &OPTIONS)] {
        assert!(text.lines().count() < 25, "{text}");
        for part in ["70 Entra devices", "enabled: true -> false", "not known of", "name: PC-075 -> a|b<i>"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    let markdown = drift_markdown(&report, "UTC");
    assert!(markdown.contains("a\\|b\\<i\\>"), "{markdown}");
    assert_eq!(drift_json(&report)["changes"].as_array().map(Vec::len), Some(71));
}
