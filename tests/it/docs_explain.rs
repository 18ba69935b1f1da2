//! The pages below `docs/explain/` and `docs/checks.md`, held to the tables that they are made from, and the tables to
//! what `src/` reports. `OPSOLE_UPDATE=1 cargo test docs` writes the pages anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use opsole::knowledge::{Kind, Topic, find, foreign, page, problems, sentence};
use opsole::model::Check;
use opsole::readiness::{CheckScope, CheckSeverity, spec};
use opsole::render::explain::{markdown, problems_markdown};

use crate::support::root;

/// Returns the pages that have to be there, by their path below `docs/`.
fn pages() -> BTreeMap<String, String> {
    let own = Topic::all().filter(|topic| !matches!(topic.kind(), Kind::Diagnostics | Kind::Problems));
    let mut pages: BTreeMap<String, String> = own.map(|topic| (topic.file(), markdown(&page(topic)))).collect();
    pages.insert("explain/problems.md".to_owned(), problems_markdown());
    pages.insert("explain/README.md".to_owned(), index());
    pages.insert("checks.md".to_owned(), checks());
    pages
}

/// The list of everything that can be explained.
fn index() -> String {
    let mut text = String::from(
        "# What `opsole explain` knows\n\n`opsole explain X` prints the page of an id, of a code in any of its forms, or of every code \
         in a line of a log; `-` reads\nstandard input. These pages are made from the same tables; `OPSOLE_UPDATE=1 cargo test docs` \
         writes them anew.\n\n## For programs\n\n`--output json` gives `opsole.explain/1`, one object:\n\n\
         - `found`: one entry a topic, in the order of the text: `kind`, `id`, `title`, `parts` (`head` and `body`), `page` (as Markdown).\n  \
         An entry of kind `codes` has `code` too: `family`, `forms`, `cause`, `checks`, `operations`, `readiness`, `mark`\n  \
         (`read`, `inferred` or `known`: how well it is proven) and `source`.\n\
         - `unknown`: codes that aren't in the tables: `code`, what its number `says`, a code that is `like` it, `mark`.\n\
         - `kind` and `list` in place of both for `--list KIND`; `kinds` where nothing was asked for.\n",
    );
    for kind in Kind::ALL {
        let title = kind.title();
        let _ = write!(text, "\n## {}\n\n", sentence(title).trim_end_matches('.'));
        if kind == Kind::Problems {
            let _ = writeln!(text, "{} of them stand on [one page](problems.md).", kind.topics().len());
            continue;
        }
        for topic in kind.topics() {
            let file = topic.file();
            let link = file.strip_prefix("explain/").map_or_else(|| format!("../{file}"), str::to_owned);
            let _ = writeln!(text, "- [{}]({link}): {}", topic.id(), topic.title());
        }
    }
    text
}

/// The register of checks.
fn checks() -> String {
    let mut text = String::from(
        "# Readiness checks\n\nEvery prerequisite of a move is a check here: `opsole check` measures it, `opsole plan` carries it, \
         `opsole apply` refuses\nwhat it blocks. This page is made from `src/readiness/register.rs`; `OPSOLE_UPDATE=1 cargo test docs` \
         writes it anew.\n\n\
         - *About*: what it is asked of.\n\
         - *Where it fails*: `block` stops `apply` for what it covers, `gate` lets the wave wait at its gate and blocks nothing,\n  \
         `warn` is named and stops nothing. What couldn't be measured counts as not held.\n\
         - *Exception*: whether an exclusion with owner, reason and end may cover it.\n\n\
         | check | what must hold | about | where it fails | exception |\n|---|---|---|---|---|\n",
    );
    for check in Check::ALL {
        let row = spec(*check);
        let scope = match row.scope {
            CheckScope::Plan => "plan",
            CheckScope::Tenant => "tenant",
            CheckScope::Directory => "directory",
            CheckScope::Package => "package",
            CheckScope::Wave => "wave",
            CheckScope::User => "user",
            CheckScope::Device => "device",
        };
        let severity = match row.severity {
            CheckSeverity::Block => "block",
            CheckSeverity::Gate => "gate",
            CheckSeverity::Warn => "warn",
        };
        let exception = if row.exceptable { "yes" } else { "no" };
        let anchor = check.id().replace('.', "");
        let _ = writeln!(text, "| [`{check}`](#{anchor}) | {} | {scope} | {severity} | {exception} |", row.title);
    }
    for check in Check::ALL {
        // The check's own page, one level down, with its links as seen from here.
        let own = markdown(&page(Topic::Check(*check)));
        let body = own.split_once('\n').map_or("", |(_, rest)| rest);
        let body = body.replace("\n## ", "\n### ").replace("](../", "](explain/");
        let _ = write!(text, "\n## {check}\n\n{}\n{body}", sentence(spec(*check).title));
    }
    text
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// Catches a page that its table has left behind, a code without a page, and a page of something that is gone.
/// `OPSOLE_UPDATE=1` writes them anew.
#[test]
fn explanations_are_the_tables() {
    let docs = root().join("docs");
    let wanted = pages();
    let update = std::env::var_os("OPSOLE_UPDATE").is_some();
    let mut wrong = Vec::new();
    for (file, text) in &wanted {
        let path = docs.join(file);
        if update {
            fs::create_dir_all(path.parent().expect("below docs")).expect("a folder");
            fs::write(&path, text).expect("the page can be written");
        }
        if fs::read_to_string(&path).unwrap_or_default() != *text {
            wrong.push(format!("docs/{file} is stale"));
        }
    }
    for path in files_below(&docs.join("explain")) {
        let file = path.strip_prefix(&docs).expect("below docs").to_string_lossy().replace('\\', "/");
        if !wanted.contains_key(&file) {
            if update {
                fs::remove_file(&path).expect("the page can be removed");
            } else {
                wrong.push(format!("docs/{file} is of something that is gone"));
            }
        }
    }
    assert!(wrong.is_empty(), "run the tests with OPSOLE_UPDATE=1:\n{}", wrong.join("\n"));
    assert!(wanted.len() > 180, "{}", wanted.len());
}

/// What a literal follows where it is a code: each makes a problem, a blocker or a finding.
const MAKERS: &[&str] = &["Problem::new(", "Blocker::new(", "Refusal::conflict(", ".not_yet(", ".code("];
/// Ends of names that are files, hosts or types of Graph, not codes.
const NOT_CODES: &[&str] =
    &[".json", ".jsonl", ".yaml", ".db", ".db-wal", ".db-shm", ".csv", ".lock", ".com", ".net", ".md", ".png", ".ics"];

/// Returns a file's text without comments and without what only tests compile.
fn product(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let parent = path.parent().expect("below src");
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let declared = fs::read_to_string(parent.join("mod.rs")).unwrap_or_default();
    for public in ["", "pub(crate) "] {
        if declared.contains(&format!("#[cfg(test)]\n{public}mod {name};")) {
            return String::new();
        }
    }
    let text = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_code(text: &str) -> bool {
    let mut parts = text.split('.');
    let (family, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let plain = |part: &str| {
        part.len() > 1
            && part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
    };
    plain(family) && plain(name) && parts.next().is_none() && !NOT_CODES.iter().any(|end| text.ends_with(end))
}

/// Catches a problem that is reported and that nobody can look up, and a row of a problem that nothing reports any more.
#[test]
fn every_reported_problem_is_explained() {
    let rows: BTreeSet<&str> = problems().map(|row| row.code).collect();
    let families: BTreeSet<&str> =
        rows.iter().filter_map(|code| code.split_once('.')).map(|(family, _)| family).collect();
    let (mut found, mut missing) = (BTreeSet::new(), BTreeSet::new());
    for path in files_below(&root().join("src")) {
        let relative = path.strip_prefix(root()).expect("in the project").to_owned();
        if relative.starts_with("src/knowledge") || path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = product(&path);
        for (at, _) in text.match_indices('"') {
            let Some((literal, _)) = text[at + 1..].split_once('"') else { continue };
            if !is_code(literal) || matches!(find(literal).topics.as_slice(), [Topic::Check(_) | Topic::Operation(_)]) {
                continue;
            }
            let before = text[..at].trim_end();
            let made = MAKERS.iter().any(|maker| before.ends_with(maker));
            let family = literal.split_once('.').map_or("", |(family, _)| family);
            if rows.contains(literal) {
                found.insert(literal.to_owned());
            } else if made || families.contains(family) {
                missing.insert(format!("{literal} ({})", relative.display()));
            }
        }
    }
    assert!(missing.is_empty(), "not in src/knowledge/problems_*.rs: {missing:#?}");
    let gone: Vec<&&str> = rows.iter().filter(|code| !found.contains(**code)).collect();
    assert!(gone.is_empty(), "in src/knowledge/problems_*.rs, and nothing reports them: {gone:?}");
}

/// Codes of the tables of domain.md B14, and those that it names beside them.
const B14: &[&str] = &[
    "0x801c001d",
    "0x801c0021",
    "0x801c001f",
    "0x801c003d",
    "0x801c003a",
    "0x801c0025",
    "0x801c03f2",
    "0x801c0002",
    "0x801c0006",
    "0x801c03ed",
    "0x8007000d",
    "0x80072ee2",
    "0x80072ee7",
    "0x80072efd",
    "0x80072efe",
    "0x80072f8f",
    "0x80090016",
    "0x80290407",
    "0x80280036",
    "0x80090031",
    "0xcaa82ee2",
    "0xcaa82efe",
    "0xcaa82f8f",
    "0xcaa82efd",
    "0xcaa20003",
    "0xcaa90017",
    "0xcaa9002c",
    "0xcaa90023",
    "0xcaa90014",
    "0xcaa90006",
    "0xc000006d",
    "0xc000006a",
    "0xc00000d0",
    "0xc000023c",
    "0xc00000be",
    "0xc00000c4",
    "0xc000005f",
    "0xc004844c",
    "0xc0048442",
    "0xc000015b",
    "AADSTS50155",
    "AADSTS50034",
    "AADSTS50126",
    "AADSTS90002",
    "AADSTS135011",
    "AADSTS240001",
    "AADSTS90092",
    "AADSTS700027",
    "0x80180001",
    "0x8018000a",
    "0x80190190",
    "0x80192ee2",
    "0x800700b7",
    "0x8031004e",
    "Autopilot 806",
    "Autopilot 808",
    "event 201",
    "event 204",
    "event 220",
    "event 304",
    "event 305",
    "event 307",
    "event 1006",
    "event 1007",
    "event 1022",
    "event 1081",
    "event 1084",
    "event 1088",
    "event 1144",
    "event 1508",
    "event 4625",
    "event 10003",
    "event 10021",
];

/// Returns the codes that stand in a text.
fn codes_in(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        let hex = word.strip_prefix("0x").filter(|digits| digits.len() == 8);
        if hex.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
            found.insert(word.to_lowercase());
        }
        if word.strip_prefix("AADSTS").is_some_and(|rest| !rest.is_empty()) {
            found.insert(word.to_owned());
        }
    }
    found
}

/// Catches a code of the research that can't be looked up, alone and as people paste it.
#[test]
fn every_code_of_the_research_is_explained() {
    for code in B14 {
        assert_eq!(foreign(code).map(|found| found.code), Some(*code));
        assert!(find(&format!("x ({code}), y")).topics.iter().any(|topic| topic.id() == *code), "{code}");
    }
    // The research lies beside the project where it is built from it.
    let beside = root().ancestors().map(|folder| folder.join("shared/reference/domain.md")).find(|path| path.exists());
    let Some(path) = beside else {
        println!("the research isn't here: its list in this test is held alone");
        return;
    };
    let text = fs::read_to_string(path).expect("the research");
    let section = text.split_once("\n## B14").expect("B14").1.split("\n## ").next().unwrap_or_default();
    let mut codes = codes_in(section);
    assert!(codes.len() > 50, "{}", codes.len());
    let events = section.split_once("Event channels").expect("the events").1;
    let numbers = events.split(|c: char| !c.is_ascii_digit()).filter(|word| (3..=5).contains(&word.len()));
    codes.extend(numbers.map(|number| format!("event {number}")));
    let held: BTreeSet<String> = B14.iter().map(|code| (*code).to_owned()).collect();
    let missing: Vec<&String> = codes.difference(&held).collect();
    assert!(missing.is_empty(), "not in the list of this test: {missing:?}");
    // Beyond B14: HRESULTs and AADSTS codes anywhere in it.
    for code in codes_in(&text).into_iter().filter(|code| code != "0xffffffff") {
        assert!(foreign(&code).is_some(), "{code} isn't explained");
    }
}

/// Catches a code that the tool names or that the lab refuses with, and that nobody can look up.
#[test]
fn every_foreign_code_of_the_sources_is_explained() {
    let mut seen = 0;
    for path in files_below(&root().join("src")) {
        let relative = path.strip_prefix(root()).expect("in the project").to_owned();
        if relative.starts_with("src/knowledge") || path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        for code in codes_in(&product(&path)) {
            let known = foreign(&code);
            assert!(known.is_some(), "{code} in {} isn't explained", relative.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}
