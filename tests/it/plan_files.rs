//! Bad plans: every code is tripped at the right place, all mistakes come in one run, nothing leaks or hangs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use opsole::diag::{ALL_CODES, Diagnostics, Severity, Sources};
use opsole::plan::{self, Cloud, MigrationPlan};
use opsole::render::diagnostics::{Style, document, text};
use proptest::prelude::*;

use cases::{CASES, Edit, P, Want};

mod cases;

const PLAN: &str = include_str!("plan_files/good.yaml");
const DEVICES: &str = "name,serial,site,user\nLON-1,S1,London,a@contoso.com\nPAR-1,S2,Paris,b@contoso.com\n";
const USERS: &str = "old_upn,new_upn\na@old.com,a@contoso.com\n";
const MORE: &str = "attestations:\n  - {check: ppl.mode, by: x@contoso.com, on: 2026-11-18}\n";

type Files = BTreeMap<&'static str, String>;

fn files() -> Files {
    [("plan.yaml", PLAN), ("devices.csv", DEVICES), ("users.csv", USERS), ("more.yaml", MORE)]
        .into_iter()
        .map(|(name, text)| (name, text.to_owned()))
        .collect()
}

fn as_of() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().expect("a moment")
}

fn check(files: &Files) -> (Option<MigrationPlan>, Diagnostics, Sources) {
    let mut load = |name: &str| files.get(name).cloned().ok_or_else(|| "no such file".to_owned());
    let parsed = plan::parse("plans/plan.yaml", &files["plan.yaml"], &mut load);
    let (plan, found) = plan::resolve(&parsed, as_of());
    assert_eq!(plan.is_none(), found.has_errors(), "a plan is there exactly if nothing is an error");
    (plan, found, parsed.sources)
}

const PLAIN: Style = Style { width: 100, colour: false, unicode: true };

fn edited(edits: &[Edit]) -> Files {
    let mut files = files();
    for (file, old, new) in edits {
        let text = files.get_mut(file).expect("the file is there");
        assert_eq!(text.matches(old).count(), 1, "`{old}` is in {file} exactly once");
        *text = text.replacen(old, new, 1);
    }
    files
}

fn trips(edits: &[Edit], want: &[Want], failed: &mut Vec<String>) -> BTreeSet<&'static str> {
    let (_, found, sources) = check(&edited(edits));
    let report = text(&found, &sources, PLAIN);
    let got: Vec<(&str, String)> = found
        .0
        .iter()
        .map(|d| {
            let label = d.labels.first().unwrap_or_else(|| panic!("no place: {report}"));
            let source = sources.get(label.span.source).expect("its source is there");
            let line = sources.line_column(label.span).expect("its place is in the text").0;
            assert!(d.help.is_some(), "no help: {report}");
            assert!(!d.message.ends_with('.'), "a full stop: {report}");
            (d.code.id, source.text.lines().nth(line - 1).unwrap_or_default().to_owned())
        })
        .collect();
    let fits = got.len() == want.len()
        && want.iter().all(|(code, needle)| got.iter().any(|(id, line)| id == code && line.contains(needle)));
    if !fits {
        failed.push(format!(
            "edits {edits:?}
wanted {want:?}
got {got:#?}
{report}"
        ));
    }
    found.0.iter().map(|d| d.code.id).collect()
}

/// Catches a mistake that isn't seen, is seen at another place, or drags others along that aren't there.
#[test]
fn every_mistake_at_its_place() {
    let mut failed = Vec::new();
    let mut seen = BTreeSet::new();
    for (edits, want) in CASES {
        seen.extend(trips(edits, want, &mut failed));
    }
    assert!(failed.is_empty(), "{} cases:\n{}", failed.len(), failed.join("\n"));
    // Two codes need whole other files.
    let mut files = files();
    files.insert(P, "[".repeat(100_000));
    seen.extend(check(&files).1.0.iter().map(|d| d.code.id));
    let start = PLAN.find("waves:").expect("the plan has waves");
    let end = PLAN.find("\nexclusions:").expect("the plan has exclusions");
    files.insert(P, format!("{}{}", &PLAN[..start], &PLAN[end..]));
    seen.extend(check(&files).1.0.iter().map(|d| d.code.id));
    let of_plans = ALL_CODES.iter().map(|code| code.id).filter(|id| id.starts_with("OPS01") || id.starts_with("OPS02"));
    let missed: Vec<&str> = of_plans.filter(|id| !seen.contains(id)).collect();
    assert!(missed.is_empty(), "no plan trips {missed:?}");
}

/// Catches a run that stops at the first mistake, and reports that got worse to read.
#[test]
fn one_run_reports_everything() {
    let mut files = files();
    files.insert(P, include_str!("plan_files/bad.yaml").to_owned());
    files.insert("devices.csv", DEVICES.replace("PAR-1", "lon-1"));
    let (_, found, sources) = check(&files);
    assert!(found.0.len() >= 15, "{} found", found.0.len());
    insta::assert_snapshot!(text(&found, &sources, PLAIN), @r#"
    OPS0211

      × no tenant has the role `current`
       ╭─[plans/plan.yaml:3:11]
     2 │ name: bad
     3 │ scenario: hybrid-to-entra
       ·           ───────┬───────
       ·                  ╰── this scenario needs it
     4 │ zone: Europe/Lodnon
       ╰────
      help: this scenario has one tenant, with `role: current`

    OPS0214

      × hybrid-to-entra needs the section `directory`
       ╭─[plans/plan.yaml:3:11]
     2 │ name: bad
     3 │ scenario: hybrid-to-entra
       ·           ───────┬───────
       ·                  ╰── this scenario
     4 │ zone: Europe/Lodnon
       ╰────
      help: add `directory:` with the `domain` that devices leave and its `computers`

    OPS0108

      × `Europe/Lodnon` isn't an IANA time zone
       ╭─[plans/plan.yaml:4:7]
     3 │ scenario: hybrid-to-entra
     4 │ zone: Europe/Lodnon
       ·       ──────┬──────
       ·             ╰── did you mean `Europe/London`?
     5 │ include: [more.yaml, ../secret.yaml]
       ╰────
      help: write a name such as `Europe/London` or `UTC`

    OPS0107

      × `../secret.yaml` is in another folder
       ╭─[plans/plan.yaml:5:22]
     4 │ zone: Europe/Lodnon
     5 │ include: [more.yaml, ../secret.yaml]
       ·                      ───────┬──────
       ·                             ╰── here
     6 │ owners: {security: secops@contoso.com, boss: boss@contoso.com}
       ╰────
      help: included files lie beside the plan

    OPS0108

      × `boss` isn't an owner role
       ╭─[plans/plan.yaml:6:40]
     5 │ include: [more.yaml, ../secret.yaml]
     6 │ owners: {security: secops@contoso.com, boss: boss@contoso.com}
       ·                                        ────
     7 │ tenants:
       ╰────
      help: allowed here: `identity`, `endpoint`, `network`, `security`, `directory`, `change-
            management` or `project-lead`

    OPS0211

      × the tenant `contoso` can't be `source` in hybrid-to-entra
       ╭─[plans/plan.yaml:3:11]
     2 │ name: bad
     3 │ scenario: hybrid-to-entra
       ·           ───────┬───────
       ·                  ╰── in this scenario
     4 │ zone: Europe/Lodnon
       ╰────
        ╭─[plans/plan.yaml:9:11]
      8 │   contoso:
      9 │     role: source
        ·           ───┬──
        ·              ╰── this role
     10 │     id: 0f7c6f3e
        ╰────
      help: this scenario has one tenant, with `role: current`

    OPS0108

      × `0f7c6f3e` isn't a GUID
        ╭─[plans/plan.yaml:10:9]
      9 │     role: source
     10 │     id: 0f7c6f3e
        ·         ────┬───
        ·             ╰── here
     11 │     domain: contoso.com
        ╰────
      help: write it like `0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11`

    OPS0110

      × a secret is written in the plan itself
        ╭─[plans/plan.yaml:14:35]
     13 │       client_id: 5b0c5a0e-0f3b-4b7e-8a58-2f6d0a4b9c01
     14 │       credential: {client_secret: **************}
        ·                                   ───────┬──────
        ·                                          ╰── this value, not shown
     15 │ packages:
        ╰────
      help: refer to it instead: `{env: NAME}`, `{file: path}`, `{command: [program, argument]}` or
            `{keyring: {service: S, account: A}}`; and replace the secret, since it was written to a
            file

    OPS0201

      × the package `bulk` refers to the tenant `contosso`, which isn't defined
        ╭─[plans/plan.yaml:17:13]
     16 │   bulk:
     17 │     tenant: contosso
        ·             ────┬───
        ·                 ╰── did you mean `contoso`?
     18 │     account: package_1@contoso.com
        ╰────
      help: the plan defines `contoso`

    OPS0209

      × the package `bulk` ends before the wave `pilot`
        ╭─[plans/plan.yaml:20:14]
     19 │     issued: 2026-11-01
     20 │     expires: 2026-12-06
        ·              ─────┬────
        ·                   ╰── the package ends here
     21 │ features: {bitlocker: yes, lapse: true}
     22 │ devices: {inventory: devices.csv}
     23 │ waves:
     24 │   - name: pilot
     25 │     package: bulk
     26 │     needs: [paris]
     27 │     devices: {site: London}
     28 │     window: {from: 2026-12-01T18:00, to: 2026-12-12T06:00, hours: "18:00-25:00"}
        ·                                          ────────┬───────
        ·                                                  ╰── the wave `pilot` needs it until here
     29 │     concurency: 5
        ╰────
      help: make a new package and give it to this wave, or end the wave earlier

    OPS0103

      × `bitlocker` takes true or false, not a text
        ╭─[plans/plan.yaml:21:23]
     20 │     expires: 2026-12-06
     21 │ features: {bitlocker: yes, lapse: true}
        ·                       ─┬─
        ·                        ╰── this is a text
     22 │ devices: {inventory: devices.csv}
        ╰────
      help: write `true` or `false`, without quotes

    OPS0102

      × `features` has no key `lapse`
        ╭─[plans/plan.yaml:21:28]
     20 │     expires: 2026-12-06
     21 │ features: {bitlocker: yes, lapse: true}
        ·                            ──┬──
        ·                              ╰── did you mean `laps`?
     22 │ devices: {inventory: devices.csv}
        ╰────
      help: keys that may stand here: `bitlocker`, `laps`, `primary-user`, `group-restore`,
            `configuration-profiles`, `autopilot`, `conditional-access-exclusions` or `configmgr-
            removal`

    OPS0203

      × waves wait for each other: `pilot` → `paris` → `pilot`
        ╭─[plans/plan.yaml:26:13]
     25 │     package: bulk
     26 │     needs: [paris]
        ·             ──┬──
        ·               ╰── `pilot` waits for `paris`
     27 │     devices: {site: London}
     28 │     window: {from: 2026-12-01T18:00, to: 2026-12-12T06:00, hours: "18:00-25:00"}
     29 │     concurency: 5
     30 │   - name: paris
     31 │     package: bulk
     32 │     needs: [pilot, pilto]
        ·             ──┬──
        ·               ╰── `paris` waits for `pilot`
     33 │     gate: {sign_off: [project-lead]}
        ╰────
      help: remove one of these entries of `needs`

    OPS0205

      × `18:00-25:00` can't be: a day has 24 hours, an hour 60 minutes
        ╭─[plans/plan.yaml:28:67]
     27 │     devices: {site: London}
     28 │     window: {from: 2026-12-01T18:00, to: 2026-12-12T06:00, hours: "18:00-25:00"}
        ·                                                                   ──────┬──────
        ·                                                                         ╰── here
     29 │     concurency: 5
        ╰────
      help: write it like `18:00-06:00`, without a zone

    OPS0102

      × a wave has no key `concurency`
        ╭─[plans/plan.yaml:29:5]
     28 │     window: {from: 2026-12-01T18:00, to: 2026-12-12T06:00, hours: "18:00-25:00"}
     29 │     concurency: 5
        ·     ─────┬────
        ·          ╰── did you mean `concurrency`?
     30 │   - name: paris
        ╰────
      help: keys that may stand here: `name`, `package`, `devices`, `size`, `mode`, `window`,
            `concurrency`, `failure_budget`, `needs` or `gate`

    OPS0204

      × the wave `pilot` and the wave `paris` both hold `LON-1`
        ╭─[plans/plan.yaml:30:11]
     23 │ waves:
     24 │   - name: pilot
        ·           ──┬──
        ·             ╰── and this one
     25 │     package: bulk
     26 │     needs: [paris]
     27 │     devices: {site: London}
     28 │     window: {from: 2026-12-01T18:00, to: 2026-12-12T06:00, hours: "18:00-25:00"}
     29 │     concurency: 5
     30 │   - name: paris
        ·           ──┬──
        ·             ╰── this wave
     31 │     package: bulk
        ╰────
      help: take the devices out of one wave, for example with `{not: …}`

    Advice: 
      ☞ see also
       ╭─[plans/devices.csv:2:1]
     1 │ name,serial,site,user
     2 │ LON-1,S1,London,a@contoso.com
       · ──────────────┬──────────────
       ·               ╰── hold this device
     3 │ lon-1,S2,Paris,b@contoso.com
       ╰────

    OPS0201

      × the wave `paris` refers to the wave `pilto`, which isn't defined
        ╭─[plans/plan.yaml:32:20]
     31 │     package: bulk
     32 │     needs: [pilot, pilto]
        ·                    ──┬──
        ·                      ╰── did you mean `pilot`?
     33 │     gate: {sign_off: [project-lead]}
        ╰────
      help: the plan defines `pilot` and `paris`

    OPS0201

      × nobody has the owner role `project-lead`
        ╭─[plans/plan.yaml:33:23]
     32 │     needs: [pilot, pilto]
     33 │     gate: {sign_off: [project-lead]}
        ·                       ──────┬─────
        ·                             ╰── has to act
     34 │     devices: all
        ╰────
      help: add `project-lead: somebody@example.com` to `owners`

    OPS0105

      × the key `mode` is written twice
        ╭─[plans/plan.yaml:36:5]
     34 │     devices: all
     35 │     mode: silent
        ·     ──┬─
        ·       ╰── first here
     36 │     mode: enforced
        ·     ──┬─
        ·       ╰── again here
     37 │ exclusions:
        ╰────
      help: keep one of them

    OPS0207

      × the exclusion `vip` has no owner
        ╭─[plans/plan.yaml:38:9]
     37 │ exclusions:
     38 │   - id: vip
        ·         ─┬─
        ·          ╰── here
     39 │     of: {devices: {group: VIP}}
        ╰────
      help: add `owner`: who has to act when it ends

    OPS0206

      ⚠ the exclusion `vip` has run out
        ╭─[plans/plan.yaml:41:14]
     40 │     reason: board
     41 │     expires: 2026-11-01
        ·              ─────┬────
        ·                   ╰── today is 2026-11-25
     42 │ policy: {approvals: {required: many}}
        ╰────
      help: remove it if its reason is gone; else let its owner decide on a new last day

    OPS0103

      × `required` takes a whole number, not a text
        ╭─[plans/plan.yaml:42:32]
     41 │     expires: 2026-11-01
     42 │ policy: {approvals: {required: many}}
        ·                                ──┬─
        ·                                  ╰── this is a text
        ╰────
      help: write a whole number

    OPS0216

      × the device `LON-1` is in the inventory twice
       ╭─[plans/devices.csv:3:1]
     1 │ name,serial,site,user
     2 │ LON-1,S1,London,a@contoso.com
       · ──┬──
       ·   ╰── first here
     3 │ lon-1,S2,Paris,b@contoso.com
       · ──┬──
       ·   ╰── again here
       ╰────
      help: keep one of them

    22 errors and 1 warning
    "#);
}

/// Catches a circle that is named in part, or whose members aren't all pointed at.
#[test]
fn a_circle_is_named_whole() {
    let files = edited(&[
        (P, "  - name: pilot\n", "  - name: pilot\n    needs: [rome]\n"),
        (
            P,
            "\nexclusions:\n",
            "\n  - {name: rome, package: bulk, needs: [paris], devices: {site: Rome}}\nexclusions:\n",
        ),
    ]);
    let (_, found, _) = check(&files);
    let circle = found.0.iter().find(|d| d.code.id == "OPS0203").unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(circle.message, "waves wait for each other: `pilot` → `rome` → `paris` → `pilot`");
    assert_eq!(circle.labels.len(), 3);
}

/// Catches a secret that a report, a JSON document or a debug print shows, however it was written.
#[test]
fn secrets_stay_secret() {
    const SECRET: &str = "Tr0ub4dor-and-3";
    for credential in [
        format!("{{client_secret: {SECRET}}}"),
        format!("{{client_secret: \"{SECRET}\"}}"),
        format!("{{client_secert: {SECRET}}}"),
        format!("{{client_secret: {{value: {SECRET}}}}}"),
        format!("{{client_secret: {{env: {SECRET}}}}}"),
        format!("{{client_secret: [{SECRET}]}}"),
        format!("{{client_secret: {{env: A}}, client_secret: {SECRET}}}"),
        format!("{{client_secret: {SECRET}, certificate: {{file: a.pem}}}}"),
        format!("{{client_secret: {SECRET}"),
        format!("{{client_secret: &s {SECRET}}}\n      nonsense: *s"),
        format!("\n        client_secret: |\n          {SECRET}\n"),
        format!("\n        client_secret: {SECRET}\n        client_secret2: x: y\n"),
        format!("\n        client_secret:\n          {SECRET}\n      x: [\n"),
        SECRET.to_owned(),
    ] {
        for key in ["credential: ", "credentail: "] {
            let mut files = files();
            let plan = PLAN.replace("credential: {client_secret: {env: SECRET}}", &format!("{key}{credential}"));
            files.insert(P, plan.replace("reason: board", &format!("reason: {SECRET}")));
            let load = |name: &str| files.get(name).cloned().ok_or_else(|| "no such file".to_owned());
            let parsed = plan::parse(P, &files[P], &mut { load });
            let (plan, found) = plan::resolve(&parsed, as_of());
            assert!(plan.is_none(), "{credential}");
            let shown = [
                text(&found, &parsed.sources, PLAIN),
                serde_json::to_string(&document(&found, &parsed.sources)).expect("JSON"),
                format!("{found:?}"),
            ];
            let own = |text: &String| text.lines().any(|line| line.contains(SECRET) && !line.contains("reason"));
            assert!(!shown.iter().any(own), "{key}{credential}\n{}", shown[0]);
            assert_eq!(parsed.sources.0[0].text.len(), files[P].len(), "places stay where they are");
        }
    }
}

/// Catches a secret that stands where nobody looks for one, and is shown because its key has no telling name.
#[test]
fn secrets_are_found_by_their_shape() {
    const SECRET: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
    let key = format!("|\n      -----BEGIN PRIVATE KEY-----\n      {SECRET}\n      -----END PRIVATE KEY-----\n");
    for reason in [
        key,
        format!("\"-----BEGIN RSA PRIVATE KEY-----\\n{SECRET}\\n-----END RSA PRIVATE KEY-----\""),
        format!("see https://jane:{SECRET}@files.example/list for it"),
        format!("https://files.example/list?sv=2024-11-04&sig={SECRET}&se=2027"),
        format!("{{x: 'ldaps://svc:{SECRET}@dc1'}}"),
        format!("\"https://jane:{SECRET}@files.example"),
    ] {
        let mut files = files();
        files.insert(P, PLAN.replace("reason: board", &format!("reason: {reason}")));
        let load = |name: &str| files.get(name).cloned().ok_or_else(|| "no such file".to_owned());
        let parsed = plan::parse(P, &files[P], &mut { load });
        let (plan, found) = plan::resolve(&parsed, as_of());
        assert!(plan.is_none(), "{reason}");
        let whole = !reason.starts_with("\"https");
        assert_eq!(whole, found.0.iter().any(|one| one.code.id == "OPS0110"), "{reason}: {found:?}");
        let shown = format!("{}{found:?}", text(&found, &parsed.sources, PLAIN));
        assert!(!shown.contains(SECRET), "{shown}");
    }
    for harmless in
        ["ssh://git@files.example/x", "https://files.example/?sig=short", "09:00@desk", "-----BEGIN CERTIFICATE-----"]
    {
        let mut files = files();
        files.insert(P, PLAN.replace("reason: board", &format!("reason: '{harmless}'")));
        assert!(check(&files).0.is_some(), "{harmless}");
    }
}

/// Catches plans that mean something else than what is written: ends of days, defaults, owners, clouds.
#[test]
fn what_a_plan_means() {
    let (plan, found, _) = check(&files());
    assert_eq!(found.0, []);
    let plan = plan.expect("the good plan resolves");
    assert_eq!(plan.exclusions[0].until.to_string(), "2027-02-20T00:00:00Z");
    assert_eq!(plan.exclusions[1].owner, "secops@contoso.com");
    let window = plan.waves[1].window.as_ref().expect("paris has a window");
    assert_eq!(
        (window.from.to_string(), window.to.to_string()),
        ("2027-01-10T23:00:00Z".into(), "2027-02-20T23:00:00Z".into())
    );
    assert_eq!(plan.waves[1].failure_budget.percent, Some(5), "a wave without a budget stops all the same");
    assert_eq!(plan.packages[0].account, "package_1@contoso.com");
    let again = check(&files()).0.expect("it resolves again");
    assert_eq!(plan, again);
    // Written on Windows, with a byte order mark.
    let windows =
        files().into_iter().map(|(name, text)| (name, format!("\u{feff}{}", text.replace('\n', "\r\n")))).collect();
    let windows = check(&windows).0.expect("it resolves with other line ends");
    assert_eq!((windows.waves, windows.devices), (plan.waves, plan.devices));
}

/// Catches endpoints of one cloud that are mixed with another's (msgraph.md 1.1).
#[test]
fn clouds_keep_to_themselves() {
    for (cloud, authority, graph) in [
        ("global", "https://login.microsoftonline.com", "https://graph.microsoft.com"),
        ("us-gov-high", "https://login.microsoftonline.us", "https://graph.microsoft.us"),
        ("us-gov-dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        ("china", "https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"),
        (
            "{custom: {authority: 'https://a.fr', graph: 'https://b.fr/', scope: 'https://b.fr/.default'}}",
            "https://a.fr",
            "https://b.fr",
        ),
    ] {
        let mut files = files();
        files.insert(P, PLAN.replace("cloud: global", &format!("cloud: {cloud}")));
        let plan = check(&files).0.expect("it resolves");
        let Cloud::Real(row) = &plan.tenants[0].cloud else { panic!("a real cloud") };
        assert_eq!(
            (row.authority.as_str(), row.graph.as_str(), row.scope.as_str()),
            (authority, graph, &*format!("{graph}/.default"))
        );
    }
}

/// Catches work that grows faster than the fleet.
#[test]
fn a_hundred_thousand_devices() {
    let mut files = files();
    let rows: String = (0..100_000).map(|i| format!("PC-{i},S-{i},Site{},u{i}@contoso.com\n", i % 40)).collect();
    files.insert("devices.csv", format!("name,serial,site,user\n{rows}"));
    let waves: String = (2..40).map(|i| format!("  - {{name: w{i}, devices: {{site: site{i}}}}}\n")).collect();
    let plan = PLAN.replace("{site: London}", "{site: Site0}").replace("{site: Paris}", "{site: Site1}");
    files.insert(P, plan.replace("max: 5}", "max: 5000}").replace("\nexclusions:", &format!("\n{waves}exclusions:")));
    let begin = Instant::now();
    let (plan, found, _) = check(&files);
    assert_eq!(found.0, []);
    assert_eq!(plan.expect("it resolves").waves.len(), 40);
    // Unoptimised; the optimised program takes a small part of that.
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
}

/// Catches a digest that overlooks one of the files, or that depends on where the plan lies.
#[test]
fn digests_cover_every_file() {
    let digest = |edits: &[Edit]| check(&edited(edits)).0.expect("it resolves").digest;
    let first = digest(&[]);
    let others = [
        digest(&[(P, "evidence: KB-1", "evidence: KB-2")]),
        digest(&[("devices.csv", "b@contoso.com", "c@contoso.com")]),
        digest(&[("more.yaml", "x@contoso.com", "y@contoso.com")]),
    ];
    assert!(others.iter().all(|other| *other != first));
    let files = files();
    let mut load = |name: &str| Ok(files[name].clone());
    let elsewhere = plan::resolve(&plan::parse("/somewhere/else/plan.yaml", PLAN, &mut load), as_of()).0;
    assert_eq!(elsewhere.expect("it resolves").digest, first);
}

/// Catches a file that takes seconds or gigabytes before it is refused.
#[test]
fn hostile_files_end_soon() {
    let many = |line: &dyn Fn(usize) -> String, n: usize| (0..n).map(line).collect::<String>();
    let waves = many(&|i| format!("  - {{name: w{i}, package: bulk, devices: all, needs: [w{}]}}\n", i + 1), 5_000);
    let cases: Vec<(&str, String)> = vec![
        ("brackets", "[".repeat(10_000_000)),
        ("unknown keys", many(&|i| format!("k{i}: 1\n"), 90_000)),
        ("one key often", "waves: []\n".repeat(60_000)),
        ("null bytes", "\0".repeat(1_000_000)),
        ("waves", PLAN.replace("\nexclusions:", &format!("\n{waves}exclusions:"))),
        ("includes", PLAN.replace("[more.yaml]", &format!("[{}]", many(&|i| format!("i{i}.yaml,"), 20_000)))),
        ("secrets", many(&|i| format!("- client_secret: hunter2{i}\n"), 50_000)),
    ];
    for (name, text) in cases {
        let mut files = files();
        files.insert(P, text);
        let begin = Instant::now();
        let (plan, found, sources) = check(&files);
        assert!(plan.is_none() && found.0.len() <= 401, "{name}: {}", found.0.len());
        let report = opsole::render::diagnostics::text(&found, &sources, PLAIN);
        assert!(!report.is_empty(), "{name}");
        // Unoptimised; the limit is one second for the program itself.
        assert!(begin.elapsed().as_secs() < 10, "{name}: {:?}", begin.elapsed());
    }
    // In a process of its own, so that other tests' memory isn't counted.
    let own = "plan_files::hostile_files_end_soon";
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return };
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    if std::env::var_os("OPSOLE_TEST_ALONE").is_some() {
        let peak = peak.expect("the kernel says how much memory was used");
        assert!(peak < 100 * 1024, "{peak} KiB");
    } else {
        let program = std::env::current_exe().expect("the test is a program");
        let alone = std::process::Command::new(program).args([own, "--exact"]).env("OPSOLE_TEST_ALONE", "1").output();
        let alone = alone.expect("it starts");
        assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stdout));
    }
}

/// Catches a code without a page, and a page without a code.
#[test]
fn every_code_has_a_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/codes");
    for code in ALL_CODES {
        let page = fs::read_to_string(folder.join(format!("{}.md", code.id))).unwrap_or_default();
        assert!(page.starts_with(&format!("# {}: {}\n", code.id, code.title)), "docs/codes/{}.md", code.id);
        assert!(page.contains("## How to mend it"), "docs/codes/{}.md says what to do", code.id);
    }
    let pages = fs::read_dir(&folder).expect("the folder is there").flatten();
    let names: BTreeSet<String> = pages.map(|page| page.file_name().to_string_lossy().into_owned()).collect();
    let wanted: BTreeSet<String> = ALL_CODES.iter().map(|code| format!("{}.md", code.id)).collect();
    assert_eq!(names, wanted);
}

fn never_panics(text: &str) {
    let files = files();
    let mut load = |name: &str| files.get(name).cloned().ok_or_else(|| "no such file".to_owned());
    let parsed = plan::parse(P, text, &mut load);
    let (plan, found) = plan::resolve(&parsed, as_of());
    assert_eq!(plan.is_none(), found.has_errors());
    for label in found.0.iter().flat_map(|d| &d.labels) {
        let source = parsed.sources.get(label.span.source).expect("a source");
        assert!(source.text.get(label.span.start as usize..label.span.end() as usize).is_some(), "{label:?}");
    }
    let _ = opsole::render::diagnostics::text(&found, &parsed.sources, PLAIN);
    assert!(found.0.iter().all(|d| d.severity != Severity::Advice));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Catches panics on texts that aren't YAML.
    #[test]
    fn any_text(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        never_panics(&String::from_utf8_lossy(&bytes));
    }

    /// Catches panics, and places outside the text, on plans in which a few bytes are wrong.
    #[test]
    fn mutated_plans(
        edits in proptest::collection::vec((0..PLAN.len(), 0..12usize, "[ -~éñ\n\t\\[\\]{}:,&*|>'\"-]{0,6}"), 1..5),
    ) {
        let mut text = PLAN.to_owned();
        for (at, cut, put) in edits {
            let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let end = (at + cut..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len());
            text.replace_range(at..end, &put);
        }
        never_panics(&text);
    }

    /// Catches panics on tables.
    #[test]
    fn any_table(table in "[a-zA-Z0-9,;\"\n\r@. -]{0,200}") {
        let mut files = files();
        files.insert("devices.csv", format!("name,site{table}"));
        files.insert("users.csv", table);
        files.insert(P, PLAN.replace("{match: on-premises-sid}", "{mapping: users.csv}"));
        let _ = check(&files);
    }
}
