//! Views of a small assessment, in every form.

use insta::assert_snapshot;

use super::{CheckView, Grouping, TextOptions, Verdict, document, junit, markdown, text};
use crate::dag::fixture::{Fleet, Join, at, spanned};
use crate::model::{Check, DeviceName, OwnerRole, Scenario};
use crate::plan::{Attestation, Exclusion, ExclusionKind, MigrationPlan};
use crate::readiness::{Cover, Judged, Readiness, Subject};

fn plan() -> MigrationPlan {
    let mut plan = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 4).plan;
    plan.owners.insert(OwnerRole::Endpoint, "desktop@contoso.com".to_owned());
    plan.attestations = vec![Attestation {
        check: "rec.workflow".to_owned(),
        by: "lead@contoso.com".to_owned(),
        on: jiff::civil::date(2026, 11, 20),
        until: None,
        evidence: Some("KB-1".to_owned()),
    }];
    plan.exclusions = vec![Exclusion {
        id: spanned("old-laptops".to_owned(), 1),
        of: ExclusionKind::Check("dev.memory".to_owned()),
        owner: "desktop@contoso.com".to_owned(),
        reason: "replaced in spring".to_owned(),
        ticket: None,
        expires: spanned(jiff::civil::date(2027, 1, 31), 2),
        until: at("2027-02-01T00:00:00Z"),
    }];
    plan
}

fn readiness(plan: &MigrationPlan) -> Readiness {
    let cover = Cover::new(plan);
    let device = |name: &str| Subject::Device(DeviceName::new(name));
    let tenant = Subject::Tenant("contoso".into());
    let mut found = vec![
        cover.finding(Check::DevMemory, device("PC-000"), Some(0), Judged::fail("4096 MiB of memory")),
        cover.finding(Check::DevTpm, device("PC-000"), Some(0), Judged::fail("TPM 1.2, and 2.0 is needed")),
        cover.finding(Check::DevTpm, device("PC-001"), Some(0), Judged::fail("its TPM is <locked> & out")),
        cover.finding(Check::DevTpm, device("PC-002"), Some(1), Judged::unknown("the TPM couldn't be asked")),
        cover.finding(Check::RecWorkflow, Subject::Plan, None, Judged::unknown("nobody has attested it")),
        cover.finding(Check::EntJoinMfa, tenant.clone(), None, Judged::pass("not required")),
        cover.finding(Check::AppExcess, tenant, None, Judged::warn("Directory.ReadWrite.All isn't needed")),
    ];
    found.sort_by_key(|finding| finding.check);
    let mut readiness = Readiness::default();
    (readiness.as_of, readiness.findings) = (plan.as_of, found);
    readiness
}

const OPTIONS: TextOptions =
    TextOptions { width: 100, color: false, ascii: false, grouping: Grouping::Owner, all: false };

/// Catches a table that hides who acts, what to do, or that an exception stands under an exclusion.
#[test]
fn the_table_says_who_acts_and_how() {
    let plan = plan();
    let readiness = readiness(&plan);
    let view = CheckView::of_plan(&plan, &readiness, Some(0));
    assert_eq!(view.verdict(), Verdict::Blocked);
    assert_snapshot!(text(&view, &OPTIONS), @r#"
    Check contoso, wave pilot: hybrid-to-entra, as of 2026-12-02 18:30 (UTC)
    0 devices, 5 checks: 1 fail, 1 excepted, 1 attested, 1 warn, 1 pass.

    identity: identity@contoso.com
      ! warn      app.excess                tenant contoso: Directory.ReadWrite.All isn't needed
                                            next: grant what is named in its place first, then take
                                              away the rest: `opsole permissions` says why
      + pass      1 check                   ent.join-mfa

    endpoint: desktop@contoso.com
      x fail      dev.tpm                   2 devices, PC-000: TPM 1.2, and 2.0 is needed
                                            PC-001: its TPM is <locked> & out
                                            next: update the firmware, clear or unlock the TPM, or
                                              exclude the device
      ~ excepted  dev.memory                PC-000: 4096 MiB of memory
                                            excepted by `old-laptops` until 2027-01-31,
                                            desktop@contoso.com: replaced in spring

    project-lead (the plan names nobody under `owners`)
      * attested  1 check                   rec.workflow

    Blocked: `apply` leaves alone what the lines marked with x cover. `opsole explain ID` says more.
    "#);
}

/// Catches a wave's view that shows another wave's devices, and one that isn't blocked any more.
#[test]
fn a_wave_shows_its_own() {
    let plan = plan();
    let readiness = readiness(&plan);
    let shown = |wave| {
        let view = CheckView::of_plan(&plan, &readiness, wave);
        let subjects = view.rows.iter().flat_map(|row| &row.findings).map(|f| f.subject.name().to_owned());
        (subjects.filter(|name| name.starts_with("PC-")).collect::<Vec<_>>(), view.verdict())
    };
    assert_eq!(shown(None).0.len(), 4);
    assert_eq!(shown(Some(1)).0, ["PC-002"]);
    let mut mended = readiness.clone();
    mended.findings.retain(|finding| finding.check != Check::DevTpm);
    assert_eq!(CheckView::of_plan(&plan, &mended, None).verdict(), Verdict::Warnings);
    mended.findings.retain(|finding| !finding.speaks());
    assert_eq!(CheckView::of_plan(&plan, &mended, None).verdict(), Verdict::Pass);
}

/// Catches counts that don't add up between the forms, and foreign text that breaks one of them.
#[test]
fn every_form_says_the_same() {
    let plan = plan();
    let readiness = readiness(&plan);
    let view = CheckView::of_plan(&plan, &readiness, None);
    let json = document(&view);
    assert_eq!(json["verdict"], "blocked");
    assert_eq!(json["findings"].as_array().map(Vec::len), Some(7));
    let blocks = json["findings"].as_array().expect("a list").iter().filter(|one| one["blocks"] == true).count();
    let xml = junit(&view);
    assert_eq!(xml.matches("<failure ").count(), blocks);
    assert!(xml.contains(&format!("failures=\"{blocks}\"")) && xml.contains("&lt;locked&gt; &amp; out"));
    assert_eq!(xml.matches("<testcase ").count(), 7);
    assert_eq!(xml.matches("<skipped ").count(), 1, "the exception");
    let page = markdown(&view, Grouping::Scope);
    assert!(page.contains("**blocked**") && page.contains("\\<locked\\>"));
    assert_eq!(page.matches("\n| **").count(), 2, "a row for failures and one for unknowns\n{page}");
}

/// Catches a gate that waits for its pilot and is told as blocked, as passed, or not at all; and a warning whose remedy
/// is left out.
#[test]
fn a_gate_that_waits_is_neither_blocked_nor_passed() {
    let plan = plan();
    let mut readiness = Readiness::default();
    let cover = Cover::new(&plan);
    let exit = Judged::fail("`exit.joined` isn't met on 1 of 2 devices of `pilot` (PC-001)");
    readiness.as_of = plan.as_of;
    readiness.findings = vec![
        cover.finding(Check::AppExcess, Subject::Tenant("contoso".into()), None, Judged::warn("one isn't needed")),
        cover.finding(Check::PilotExit, Subject::Wave("broad".into()), Some(1), exit),
    ];
    let view = CheckView::of_plan(&plan, &readiness, None);
    assert_eq!(view.verdict(), Verdict::Warnings);
    assert_snapshot!(text(&view, &OPTIONS), @r#"
    Check contoso: hybrid-to-entra, as of 2026-12-02 18:30 (UTC)
    0 devices, 2 checks: 1 fail, 1 warn.

    identity: identity@contoso.com
      ! warn      app.excess                tenant contoso: one isn't needed
                                            next: grant what is named in its place first, then take
                                              away the rest: `opsole permissions` says why

    project-lead (the plan names nobody under `owners`)
      ! fail      pilot.exit                wave broad: `exit.joined` isn't met on 1 of 2 devices of
                                            `pilot` (PC-001)
                                            next: `opsole gate WAVE` shows which criteria aren't met;
                                              sign off with `--sign-off`

    Nothing blocks. Wave broad waits at its gate. What is marked with ! or ~ wants a look first.
    "#);
    let json = document(&view);
    assert_eq!((&json["waits"], &json["findings"][1]["blocks"]), (&serde_json::json!(["broad"]), &false.into()));
    assert!(markdown(&view, Grouping::Scope).contains("wants a look**; wave broad waits at its gate; "));
    let xml = junit(&view);
    assert!(xml.contains("failures=\"0\" errors=\"0\" skipped=\"1\" timestamp"), "{xml}");
    assert!(xml.contains("<skipped message=\"the gate waits: `exit.joined` isn&#39;t met"), "{xml}");
    // One wave's view tells of its own gate alone.
    assert_eq!(CheckView::of_plan(&plan, &readiness, Some(0)).gate_words(), None);
}

/// Catches a narrow terminal whose words stand in a thin column at its edge, or run over it.
#[test]
fn a_narrow_page_puts_words_below() {
    let plan = plan();
    let readiness = readiness(&plan);
    let view = CheckView::of_plan(&plan, &readiness, Some(0));
    let of = |width: usize| text(&view, &TextOptions { width, ..OPTIONS });
    assert_snapshot!(of(60), @r#"
    Check contoso, wave pilot: hybrid-to-entra, as of 2026-12-02
    18:30 (UTC)
    0 devices, 5 checks: 1 fail, 1 excepted, 1 attested, 1 warn,
    1 pass.

    identity: identity@contoso.com
      ! warn      app.excess
          tenant contoso: Directory.ReadWrite.All isn't needed
          next: grant what is named in its place first, then
            take away the rest: `opsole permissions` says why
      + pass      1 check
          ent.join-mfa

    endpoint: desktop@contoso.com
      x fail      dev.tpm
          2 devices, PC-000: TPM 1.2, and 2.0 is needed
          PC-001: its TPM is <locked> & out
          next: update the firmware, clear or unlock the TPM,
            or exclude the device
      ~ excepted  dev.memory
          PC-000: 4096 MiB of memory
          excepted by `old-laptops` until 2027-01-31,
          desktop@contoso.com: replaced in spring

    project-lead (the plan names nobody under `owners`)
      * attested  1 check
          rec.workflow

    Blocked: `apply` leaves alone what the lines marked with x
    cover. `opsole explain ID` says more.
    "#);
    assert!(of(40).lines().all(|line| line.chars().count() <= 40), "{}", of(40));
    assert_eq!(of(10), of(40));
}
