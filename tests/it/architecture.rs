//! Holds the layers of `src/`: a module names only modules above its own line, the pure half does no IO,
//! files stay short and say what they are for.
//!
//! Rust lets the modules of one crate import each other in circles; this test is what makes layers real.
//! A new edge is a decision: it goes into `LAYERS` in a commit of its own that argues for it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules by layer, lowest first, with what each may name besides the layers below its own. The order
/// within a line has no meaning.
const LAYERS: &[&[&str]] = &[
    &["diag", "model"],
    &["winformat"],
    &["trust"],
    &["plan", "state"],
    &["dag", "ppkg"],
    &["readiness"],
    &["knowledge"],
    &["wire"],
    &["diff"],
    &["run"],
    &["sealed"],
    &["operators"],
    &["audit"],
    &["record"],
    &["render"],
    &["port"],
    &["net"],
    &["directory", "lab", "msgraph", "store", "windows"],
    &["agent", "controller"],
    &["cli"],
];

/// Edges within a layer that are wanted.
const SAME_LAYER: &[(&str, &str)] = &[];

/// Modules that never do IO, read a clock, an environment variable or randomness.
const PURE: &[&str] = &[
    "diag",
    "model",
    "winformat",
    "trust",
    "plan",
    "state",
    "dag",
    "ppkg",
    "readiness",
    "knowledge",
    "diff",
    "run",
    "sealed",
    "operators",
    "audit",
    "record",
    "wire",
    "render",
];

const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "tokio",
    "reqwest",
    "rusqlite",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "Instant::now",
    "now_v7",
    "new_v4",
    "fastrand",
    "getrandom",
];

/// Only `cli` writes to a terminal and only `main` ends the process.
const PRINTING: &[&str] = &["println!", "eprintln!", "print!(", "stdout()", "stderr()"];

/// Nobody wants a longer file; 400 lines are the aim.
const LINES_MAX: usize = 800;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Blanks out comments, strings and everything after `#[cfg(test)]`, and keeps line numbers.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        if line.trim_start().starts_with("#[cfg(test)]") && !line.contains("mod fixture") {
            break;
        }
        let mut in_string = false;
        let mut previous = ' ';
        for (at, c) in line.char_indices() {
            if !in_string && line[at..].starts_with("//") {
                break;
            }
            if c == '"' && previous != '\\' && previous != '\'' {
                in_string = !in_string;
            } else if !in_string {
                code.push(c);
            }
            previous = c;
        }
        code.push('\n');
    }
    code
}

/// Names after `crate::`, also in groups: `use crate::{a, b::c}`.
fn crate_names(code: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        let ident =
            |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut start) = (0_usize, 0);
            for (end, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth > 0 => depth -= 1,
                    ',' | '}' if depth == 0 => {
                        names.push((line, ident(&group[start..end])));
                        start = end + 1;
                        if c == '}' {
                            break;
                        }
                    }
                    _ => {}
                }
            }
        } else {
            names.push((line, ident(rest)));
        }
    }
    names.retain(|(_, name)| !name.is_empty());
    names
}

/// Says whether a file is a module that only tests compile.
fn only_for_tests(path: &Path) -> bool {
    let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or_default();
    let parent = path.parent().expect("below src");
    let declared = fs::read_to_string(parent.join("mod.rs")).unwrap_or_default();
    declared.contains(&format!("#[cfg(test)]\nmod {name};"))
        || declared.contains(&format!("#[cfg(test)]\npub(crate) mod {name};"))
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Catches a decision that starts to read files, and an adapter that the core begins to know.
#[test]
fn layers_hold() {
    let mut problems = String::new();
    for path in rust_files(&source()) {
        let relative = path.strip_prefix(source()).expect("below src").to_owned();
        let shown = relative.display();
        let module =
            relative.iter().next().and_then(|m| m.to_str()).expect("a name").trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).expect("text");
        if !text.starts_with("//!") {
            writeln!(problems, "{shown}: doesn't begin with `//!`").expect("a string");
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            writeln!(problems, "{shown}: {lines} lines; at most {LINES_MAX}, and 400 are wanted").expect("a string");
        }
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let Some(own) = layer(&module) else {
            writeln!(problems, "{shown}: module `{module}` isn't in LAYERS").expect("a string");
            continue;
        };
        if only_for_tests(&path) {
            continue;
        }
        let code = code_of(&text);
        for (line, name) in crate_names(&code) {
            let Some(other) = layer(&name) else { continue };
            let same = name == module || SAME_LAYER.contains(&(module.as_str(), name.as_str()));
            if !same && other >= own {
                writeln!(problems, "{shown}:{line}: `{module}` may not name `crate::{name}`").expect("a string");
            }
        }
        for (at, line) in code.lines().enumerate() {
            let number = at + 1;
            let banned = |words: &[&'static str]| words.iter().find(|word| line.contains(**word)).copied();
            if let Some(word) = banned(IMPURE).filter(|_| PURE.contains(&module.as_str())) {
                writeln!(problems, "{shown}:{number}: `{word}` in a pure module").expect("a string");
            }
            if let Some(word) = banned(PRINTING).filter(|_| module != "cli") {
                writeln!(problems, "{shown}:{number}: `{word}` outside `cli`").expect("a string");
            }
            if line.contains("process::exit") {
                writeln!(problems, "{shown}:{number}: only `main` ends the process").expect("a string");
            }
        }
    }
    assert!(problems.is_empty(), "\n{problems}");
}

/// Catches a test file that nobody compiles.
#[test]
fn no_forgotten_test_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = fs::read_to_string(folder.join("main.rs")).expect("main.rs");
    for path in rust_files(&folder) {
        let relative = path.strip_prefix(&folder).expect("below tests/it").to_owned();
        if relative.iter().count() > 1 {
            continue;
        }
        let name = relative.file_stem().and_then(|n| n.to_str()).expect("a name").to_owned();
        assert!(name == "main" || main.contains(&format!("mod {name};")), "tests/it/{name}.rs isn't in main.rs");
    }
}

/// Catches an exit code that the docs don't know, or know otherwise.
#[test]
fn exit_codes_are_documented() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/exit-codes.md")).expect("the page");
    for exit in opsole::cli::Exit::ALL {
        let row = format!("| {} | {} |", exit.code, exit.meaning);
        assert!(page.contains(&row), "docs/exit-codes.md has no line: {row}");
    }
    let rows = page.lines().filter(|l| l.starts_with("| ") && l[2..].starts_with(|c: char| c.is_ascii_digit())).count();
    assert_eq!(rows, opsole::cli::Exit::ALL.len());
}

/// Catches the check itself going blind: it has to see these.
#[test]
fn the_check_sees() {
    let code = code_of("use crate::{model::Sid, cli};\n// crate::cli\nlet x = \"crate::cli\"; crate::run::x();\n");
    let names: Vec<String> = crate_names(&code).into_iter().map(|(_, n)| n).collect();
    assert_eq!(names, ["model", "cli", "run"]);
}
