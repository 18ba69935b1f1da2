//! The documents of the repository, held to its files and its code.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use opsole::dag::{Maker, Part, Phase, Place, Scope, Use, When, needs, spec, uses, uses_of};
use opsole::model::{Op, Permission, Scenario, Side};
use opsole::readiness::{BEYOND, NINE};

use crate::support::root;

/// Every document that people read, with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let mut files: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].iter().map(|name| root().join(name)).collect();
    let mut folders = vec![root().join("docs"), root().join("examples"), root().join("plans")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        (path, text)
    };
    files.into_iter().map(read).collect()
}

/// Returns the targets of a document's links, outside code.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced || line.starts_with("    ") {
            continue;
        }
        // What stands between backticks isn't a link.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
        for rest in prose.split("](").skip(1) {
            if let Some((target, _)) = rest.split_once(')') {
                found.push(target.split_whitespace().next().unwrap_or_default().to_owned());
            }
        }
    }
    found
}

/// Returns the anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
}

/// Catches a link to a file that was moved or never written, and to a heading that was renamed.
#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (path, text) in documents() {
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            let (file, heading) = link.split_once('#').map_or((link.as_str(), None), |(f, h)| (f, Some(h)));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap_or(Path::new("")).join(file) };
            let text = if target.is_dir() { Some(String::new()) } else { fs::read_to_string(&target).ok() };
            let found = text.is_some_and(|text| {
                heading.is_none_or(|heading| {
                    text.lines().any(|l| l.starts_with('#') && anchor(l.trim_start_matches('#')) == heading)
                })
            });
            if !found {
                wrong.push(format!("{}: {link}", path.strip_prefix(root()).unwrap_or(&path).display()));
            }
        }
    }
    assert!(wrong.is_empty(), "links to nothing:\n{}", wrong.join("\n"));
    assert!(checked >= 4, "links are found at all: {checked}");
}

/// Catches a dependency without a reason, and a reason for one that is gone.
#[test]
fn dependencies_have_their_reasons() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let mut own = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.trim().ends_with("dependencies]");
            // A dependency with a table of its own: `[dependencies.name]`.
            let own_table = line.split_once("dependencies.").and_then(|(_, rest)| rest.trim().strip_suffix(']'));
            own.extend(own_table.map(str::to_owned));
        } else if let Some((name, _)) = line.split_once('=').filter(|_| inside) {
            own.insert(name.trim().to_owned());
        }
    }
    let readme = fs::read_to_string(root().join("README.md")).expect("the readme");
    let section = readme.split_once("\n## Dependencies\n").expect("a section of dependencies").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut told = BTreeSet::new();
    for row in section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| crate ")) {
        let mut cells = row.split('|').skip(1);
        let (crates, why) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        assert!(why.trim().len() > 3, "a row without a reason: {row}");
        for name in crates.split(',') {
            // Features and uses stand in brackets: `rustls (ring)`.
            let name = name.split('(').next().unwrap_or_default().trim();
            assert!(told.insert(name.to_owned()), "{name} stands in the table twice");
        }
    }
    assert_eq!(told, own, "left: the README's table; right: Cargo.toml");
}

/// Catches a claim of the threat model whose test was renamed or taken away.
#[test]
fn claims_of_the_threat_model_have_their_tests() {
    let page = fs::read_to_string(root().join("docs/security.md")).expect("the page");
    let claims = page.split_once("\n## Claims\n").expect("claims").1;
    let claims = claims.split("\n## ").next().unwrap_or_default();
    let mut tests = 0;
    for row in claims.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
        let cell = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap_or_default();
        let mut file = String::new();
        for word in cell.split('`').skip(1).step_by(2) {
            if word.contains('/') {
                file = fs::read_to_string(root().join(word)).unwrap_or_else(|e| panic!("{word}: {e}"));
            } else {
                tests += 1;
                assert!(file.contains(&format!("fn {word}(")), "{word} isn't in its file: {row}");
            }
        }
    }
    assert!(tests > 25, "{tests}");
    let rows = claims
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| can't |") && !line.starts_with("| holds |"));
    assert!(rows.clone().all(|row| row.contains(".rs` `")), "a claim without a test");
}

fn place(of: Place) -> &'static str {
    match of {
        Place::Controller => "controller",
        Place::Tenant => "tenant",
        Place::Directory => "directory or tenant",
        Place::Agent => "device",
        Place::AgentThenTenant => "device, then tenant",
    }
}

fn phase(of: Phase) -> &'static str {
    match of {
        Phase::Reversible => "can be put back",
        Phase::Committed => "forward only",
        Phase::Finishing => "finishing",
    }
}

fn scenarios(of: &[Scenario]) -> String {
    let all = [Scenario::AdToEntra, Scenario::HybridToEntra, Scenario::TenantToTenant];
    if all.iter().all(|one| of.contains(one)) {
        return "all".to_owned();
    }
    of.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ")
}

/// The page of operations, from the catalogue.
fn operations() -> String {
    let mut page = String::from(
        "# Operations\n\nWhat `opsole` does to tenants, waves and devices: every operation of a plan is a row here. This page is made \
         from\n`src/dag/catalogue.rs`; `OPSOLE_UPDATE=1 cargo test docs` writes it anew.\n\n\
         - *Where*: who carries it out. What is done in a tenant or a directory is done by the controller.\n\
         - *Feature*: what switches it on in the plan file; without one it is always on.\n\
         - *Permissions*: application permissions of Microsoft Graph, in the tenant that devices come from (origin) or go to\n  \
         (destination). With one tenant both are the same.\n\
         - *Done when*: what is read back before it counts as done.\n\
         - *Phase*: before the point of no return a failure puts everything back; after it the chain only goes forward; a \
         failure while\n  finishing leaves a usable device and is tried again.\n",
    );
    for (scope, title) in
        [(Scope::Device, "Of each device"), (Scope::Wave, "Of each wave"), (Scope::Tenant, "Of the tenants")]
    {
        let _ = write!(
            page,
            "\n## {title}\n\n\
             | operation | what it does | where | scenarios | feature | permissions | done when | undo | phase |\n\
             |---|---|---|---|---|---|---|---|---|\n"
        );
        for row in Op::ALL.iter().map(|op| spec(*op)).filter(|row| row.scope == scope) {
            let needs: Vec<String> = needs(row.op)
                .iter()
                .map(|need| {
                    let side = if need.side == Side::Origin { "origin" } else { "destination" };
                    format!("{} ({side})", need.permission.as_str())
                })
                .collect();
            let restart = if row.reboots { ", restarts" } else { "" };
            let _ = writeln!(
                page,
                "| `{}` | {} | {}{restart} | {} | {} | {} | {} | {} | {} |",
                row.op,
                row.action,
                place(row.place),
                scenarios(row.scenarios),
                row.feature.map_or("-".to_owned(), |feature| format!("`{}`", feature.as_str())),
                if needs.is_empty() { "-".to_owned() } else { needs.join(", ") },
                row.done_when,
                row.undo.unwrap_or("-"),
                phase(row.phase),
            );
        }
    }
    page
}

/// Catches a page of operations that the catalogue has left behind. `OPSOLE_UPDATE=1` writes it anew.
#[test]
fn operations_are_the_catalogues() {
    let path = root().join("docs/operations.md");
    let wanted = operations();
    if std::env::var_os("OPSOLE_UPDATE").is_some() {
        fs::write(&path, &wanted).expect("the page can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "docs/operations.md is stale: run the tests with OPSOLE_UPDATE=1");
}

fn side(of: Side) -> &'static str {
    if of == Side::Origin { "origin" } else { "destination" }
}

fn when(one: &Use) -> String {
    let mut words = Vec::new();
    if one.scenarios.len() == 1 {
        words.push(scenarios(one.scenarios));
    }
    if let Some(feature) = one.feature() {
        words.push(format!("`{}`", feature.as_str()));
    }
    if one.when == When::GroupsNamed {
        words.push("devices are chosen by a group".to_owned());
    }
    if words.is_empty() { "always".to_owned() } else { words.join(", ") }
}

fn names(permissions: &[Permission]) -> String {
    permissions.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ")
}

/// The page of permissions, from the table of requests.
fn permissions() -> String {
    let mut page = String::from(
        "# Permissions\n\nApplication permissions of Microsoft Graph: what is asked for, why, and which request it is for. `opsole \
         permissions` works out\nwhat one plan needs. This page is made from `src/model/graph_call.rs` and `src/dag/calls.rs`; \
         `OPSOLE_UPDATE=1 cargo test docs` writes it\nanew.\n\n\
         - Planning reads and never writes: an application that only plans needs no permission to write.\n\
         - Of two permissions where one covers the other, only the wider is asked for, and only where something needs it.\n\
         - *Covered by*: wider permissions that are accepted in its place, but where a Conditional Access policy is changed.\n\
         - *Origin*, *destination*: the tenant that devices come from or go to. With one tenant both are the same.\n\n\
         ## What is asked for\n\n\
         | permission | app role | in | needed to plan | needed by operations | covered by |\n|---|---|---|---|---|---|\n",
    );
    for permission in Permission::ALL {
        let own: Vec<&Use> = uses().iter().filter(|one| one.call.needs().contains(permission)).collect();
        if own.is_empty() {
            continue;
        }
        let sides: BTreeSet<Side> = own.iter().map(|one| one.side).collect();
        let sides: Vec<&str> = sides.into_iter().map(side).collect();
        let makers: BTreeSet<Maker> = own.iter().map(|one| one.maker).collect();
        let of = |part: bool| {
            let own = makers.iter().filter(|maker| matches!(maker, Maker::Part(_)) == part);
            let own: Vec<&str> = own.map(|maker| maker.as_str()).collect();
            if own.is_empty() { "-".to_owned() } else { own.join(", ") }
        };
        let wider = names(permission.wider());
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            permission.as_str(),
            permission.role_id(),
            sides.join(", "),
            of(true),
            of(false),
            if wider.is_empty() { "-" } else { &wider },
        );
    }
    page.push_str(
        "\n## The nine of the prerequisites\n\nThe prerequisites list nine permissions, five of them required (1.6). What is asked \
         for in their place, and why:\n\n| permission | scope | listed for | asked for | why |\n|---|---|---|---|---|\n",
    );
    for row in &NINE {
        let (permission, scope) = (row.permission.as_str(), row.scope());
        let _ =
            writeln!(page, "| `{permission}` | {scope} | {} | {} | {} |", row.listed_for, names(row.instead), row.why);
    }
    page.push_str("\nBeyond the list, features need these:\n\n| permission | for |\n|---|---|\n");
    for (permission, why) in &BEYOND {
        let _ = writeln!(page, "| `{}` | {why} |", permission.as_str());
    }
    let parts = Part::ALL.iter().map(|part| Maker::Part(*part)).collect::<Vec<_>>();
    let ops = Op::ALL.iter().map(|op| Maker::Op(*op)).collect::<Vec<_>>();
    for (title, who, makers) in [("What planning reads", "part", parts), ("What operations request", "operation", ops)]
    {
        let _ = write!(page, "\n## {title}\n\n| {who} | in | when | request | permissions |\n|---|---|---|---|---|\n");
        for one in makers.into_iter().flat_map(uses_of) {
            let call = one.call;
            let request = format!("`{} /{}{}`", call.method(), call.version(), call.path());
            let _ = writeln!(
                page,
                "| {} | {} | {} | {}: {request} | {} |",
                one.maker.as_str(),
                side(one.side),
                when(one),
                call.what(),
                names(call.needs()),
            );
        }
    }
    page
}

/// Catches a page of permissions that the table of requests has left behind. `OPSOLE_UPDATE=1` writes it anew.
#[test]
fn permissions_are_the_tables() {
    let path = root().join("docs/permissions.md");
    let wanted = permissions();
    if std::env::var_os("OPSOLE_UPDATE").is_some() {
        fs::write(&path, &wanted).expect("the page can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "docs/permissions.md is stale: run the tests with OPSOLE_UPDATE=1");
}
