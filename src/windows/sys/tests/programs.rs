//! Programs.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::super::programs::run_at;
use super::{cause, windows};
use crate::windows::machine::{Cause, Host, Program, Programs, Ran, Sys};

fn cmd(line: &[&str], limit_secs: u32) -> Sys<Ran> {
    let root = windows().folder("SystemRoot").expect("a folder");
    let arguments: Vec<&str> = ["/d", "/c"].iter().chain(line).copied().collect();
    run_at(&PathBuf::from(format!(r"{root}\System32\cmd.exe")), Path::new(&root), &arguments, limit_secs)
}

/// Catches an exit code that is cut, outputs that are mixed up, and an argument that is split.
#[test]
fn exit_code_and_both_outputs_come_back() {
    let ran = cmd(&["echo out&& echo err>&2&& exit 300"], 60).expect("ran");
    assert_eq!((ran.output.trim(), ran.error.trim(), ran.code), ("out", "err", 300));
    let ran = cmd(&["exit", "-2147024891"], 60).expect("ran");
    assert_eq!(ran.code, 0x8007_0005, "an HRESULT");
}

/// Catches a program that stands still because nobody reads its output, and an output without an end.
#[test]
fn a_long_output_is_cut_and_the_program_ends() {
    let line = "x".repeat(100);
    let ran = cmd(&[&format!("for /l %i in (1,1,4000) do @echo {line}")], 120).expect("ran");
    assert_eq!((ran.code, ran.output.len()), (0, 256 << 10));
}

/// Catches a program that runs on after its limit, or what it started.
#[test]
fn at_the_limit_it_is_ended_with_what_it_started() {
    let begin = Instant::now();
    let outcome = cmd(&["cmd /d /c for /l %i in (1,0,2) do @rem"], 2);
    assert_eq!(cause(outcome), Cause::TimedOut);
    assert!(begin.elapsed().as_secs() < 60, "{:?}", begin.elapsed());
}

/// Catches a program that isn't there and is taken for one that failed.
#[test]
fn a_program_that_isnt_there() {
    let missing = windows().run(Program::Ccmsetup, &["/uninstall"], 5);
    assert_eq!(cause(missing), Cause::NotThere);
}
