//! The forms of one record: bounded, escaped, and about the same run.

use std::collections::{BTreeMap, BTreeSet};

use super::{MARKDOWN_MAX, ReportTextOptions, csv, html, markdown, text};
use crate::audit::{Exception, Head, Origin};
use crate::model::{Check, Digest, Problem};
use crate::record::{Input, Report, report};
use crate::run::{Budget, Machine, Status, device_run_for_tests, run_plan_for_tests};

const OPTIONS: ReportTextOptions<'_> = ReportTextOptions { width: 100, color: false, ascii: true, device: None };

/// A run of some devices that has begun nothing yet.
fn sample(devices: usize) -> Report {
    let runs = (0..devices).map(|n| device_run_for_tests(&format!("D-{n:05}"), &BTreeSet::new())).collect();
    let machine = Machine::new(run_plan_for_tests(runs, 2, Budget::default()));
    let origin = Origin {
        by: "jane@desk".to_owned(),
        tool: "1.0.0".to_owned(),
        zone: "Europe/London".to_owned(),
        exceptions: vec![Exception {
            check: Check::DevMemory,
            exclusion: "old-laptops".to_owned(),
            owner: "lead@contoso.com".to_owned(),
            devices: 2,
        }],
        ..Origin::default()
    };
    report(&Input {
        machine: &machine,
        entries: &[],
        ended: false,
        origin: Some(&origin),
        evidence: &BTreeMap::new(),
        told: &[],
        head: Head { seq: 3, hash: Digest::of(b"head") },
    })
}

/// A run in which every device failed in its own way, with names that nobody would choose.
fn torn(devices: usize) -> Report {
    let mut report = sample(devices);
    for (n, row) in report.devices.iter_mut().enumerate() {
        let message = format!("=HYPERLINK(\"x\") <script>alert(1)</script> | [a](b) {}", "long ".repeat(60));
        let problem = Problem::new(format!("device.kind-{n}"), message).next("look\nat it");
        row.outcome = "undone".to_owned();
        row.problem = Some((&problem).into());
        row.operations[0].problem = Some((&problem).into());
        row.operations[0].status = Status::Failed;
    }
    let rows = report.devices.iter().map(|row| crate::record::ProblemRow {
        issue: row.problem.clone().expect("one"),
        devices: vec![row.device.clone()],
        tenant: Vec::new(),
    });
    report.problems = rows.collect();
    report
}

/// Catches a summary that buries what people look for first.
#[test]
fn a_record_for_people() {
    let page = text(&sample(2), &OPTIONS);
    let page: Vec<&str> = page.lines().take(30).collect();
    insta::assert_snapshot!(page.join("\n"), @r#"
    Run 00000000-0000-0000-0000-000000000009 of wave pilot
      standing     open: this goes as far as its journal does, to 1970-01-01 01:00; `opsole apply
                   --resume` goes on
      began        1970-01-01 01:00 by jane@desk with opsole 1.0.0
      plan         contoso, digest 64879f7d6b960a01909762d911a32d4582c20010c5641ee90278b644a9e3b525
      sealed plan  none: it was begun without one
      devices      2: 2 under way or waiting
      journal      0 entries
      audit head   3 9f2e6d33a3717ee826353a404ba4618d1aeeb6879ad7936bce8ed5f46814924d
      times        in Europe/London

    Planned against done
      56 operations of 2 devices were planned, and 0 were done.
      Nothing was done that wasn't planned.
      planned, and  devices  operations  which
      to come       2        28          device.preflight, device.snapshot-cloud,
                                         device.escrow-bitlocker, device.stage, device.arm,
                                         device.unjoin-domain, device.leave-entra, device.remove-mdm and
                                         20 more

    Approvals
      It was begun without a sealed plan, so nothing was approved.

    Accepted exceptions
      check       devices  exclusion    owner
      dev.memory  2        old-laptops  lead@contoso.com

    Operations of tenants
      operation                       account                state    began  ended  problem
      tenant.exclude-package-account  package_1@contoso.com  to come
    "#);
}

/// Catches a ticket that doesn't take the record, and a terminal that scrolls for minutes.
#[test]
fn what_is_read_is_bounded() {
    let report = torn(3000);
    let page = markdown(&report, None);
    assert!(page.chars().count() < MARKDOWN_MAX, "{}", page.chars().count());
    assert!(page.contains("more rows are left out here"));
    assert!(text(&report, &OPTIONS).lines().count() < 1200);
    assert!(text(&sample(10_000), &OPTIONS).lines().count() < 40, "devices that are alike take no room");
}

/// Catches foreign text that becomes markup, a formula, or an order to the terminal.
#[test]
fn foreign_text_stays_text() {
    let mut report = torn(2);
    report.by = Some("jane\u{1b}[31m@desk".to_owned());
    let page = html(&report, None).expect("a page");
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
    assert!(!page.contains("http"), "nothing is loaded from elsewhere");
    let page = markdown(&report, None);
    assert!(!page.replace("\\<", "").contains("<script") && !page.contains("[a](b)"), "{page}");
    let table = csv(&report).expect("a table");
    assert!(table.contains("'=HYPERLINK") && !table.contains(",=HYPERLINK"), "{table}");
    assert!(!text(&report, &OPTIONS).contains('\u{1b}'));
}

/// Catches a table that leaves an operation out.
#[test]
fn the_table_has_every_operation() {
    let report = sample(40);
    let table = csv(&report).expect("a table");
    let rows = ::csv::Reader::from_reader(table.as_bytes()).into_records().filter(Result::is_ok).count();
    assert_eq!(rows as u64, report.planned);
    let one = report.devices[7].device.clone();
    let unfolded = text(&report, &ReportTextOptions { device: Some(&one), ..OPTIONS });
    let named = report.devices[7].operations.iter().all(|op| unfolded.contains(op.op.name()));
    assert!(named && unfolded.contains("D-00007") && !unfolded.contains("D-00008"), "{unfolded}");
}

/// Catches a form that takes more than a fleet's share of time: ten thousand devices, each of which failed in its own way.
#[test]
fn ten_thousand_devices_are_drawn() {
    let report = torn(10_000);
    assert!(html(&report, None).expect("a page").contains("D-09999"), "the page has each device");
    let table = csv(&report).expect("a table");
    let rows = ::csv::Reader::from_reader(table.as_bytes()).into_records().filter(Result::is_ok).count();
    assert_eq!(rows as u64, report.planned);
    assert!(markdown(&report, None).chars().count() < MARKDOWN_MAX);
    assert!(serde_json::to_string(&report).expect("JSON").len() > 1_000_000);
}
