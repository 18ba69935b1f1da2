//! What people see of a comparison: bounded, and complete where it says so.

use super::{CompareOptions, compare_json, compare_markdown, compare_text};
use crate::sealed::{compare_bodies, fleet, sample_of};

const OPTIONS: CompareOptions<'_> = CompareOptions { width: 100, color: false, ascii: true, device: None };

/// Catches a text that grows with the fleet, a device that can't be unfolded, and a table that a name breaks.
#[test]
fn what_is_alike_stands_together() {
    let one = sample_of(&fleet(60));
    let mut fleet = fleet(60);
    for n in 0..50 {
        fleet.user(n).enabled = false;
    }
    fleet.plan.waves[0].concurrency = 77;
    let all = compare_bodies(&one, &sample_of(&fleet));
    let text = compare_text(&all, &OPTIONS);
    assert!(text.lines().count() < 90, "{text}");
    for part in
        ["50 devices changed, 0 new, 0 gone", "migrate to blocked: 50 devices", "concurrency: ", "user.disabled"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let device = CompareOptions { device: Some("PC-007"), ..OPTIONS };
    let unfolded = compare_text(&all, &device);
    assert!(unfolded.contains("PC-007: changed") && unfolded.contains("device.swap-profile"), "{unfolded}");
    let same = compare_text(&all, &CompareOptions { device: Some("PC-055"), ..OPTIONS });
    assert!(same.contains("is the same in both"), "{same}");
    let markdown = compare_markdown(&all, None);
    assert!(markdown.lines().filter(|line| line.starts_with("| ")).all(|line| line.ends_with('|')), "{markdown}");
    let json = compare_json(&all);
    assert_eq!((json["format"].as_str(), json["devices"].as_array().map(Vec::len)), (Some("opsole.diff/1"), Some(50)));
    assert!(compare_text(&compare_bodies(&one, &one), &OPTIONS).starts_with("Nothing differs."));
}
