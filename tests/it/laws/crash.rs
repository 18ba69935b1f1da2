//! The controller's process dies: at every journal entry in turn, in every life, at any moment.
//!
//! `--kill-after-entry` and `--kill-before-entry` abort the process: no destructor runs and nothing is flushed,
//! as with SIGKILL, which the last test sends for real.

use std::time::Duration;

use super::stage::{AD, Case, HYBRID, MINIMAL, TENANTS, command, for_each, run, same, some_of, whole};

/// By how many entries two journals of one story may differ: an agent's report may have been heard twice.
const SLACK: u64 = 6;

/// Kills the process at entries of the journal, and compares the end.
fn at_entries(case: &Case, after: u64, before: u64) {
    let (wanted, entries) = case.undisturbed();
    assert!(entries > 30, "{}: {entries} entries", case.folder);
    let mut kills = Vec::new();
    for (flag, step) in [("--kill-after-entry", after), ("--kill-before-entry", before)] {
        // A few more than there are: their number moves a little, and those show that every entry was tried.
        kills.extend(some_of(entries, step, step / 2).into_iter().map(|entry| (flag, entry)));
        kills.push((flag, entries + SLACK));
    }
    for_each(&kills, |(flag, entry)| {
        let env = case.stage();
        let ran = case.apply(&env, &[flag, &entry.to_string()]);
        let alive = ran.code.is_some();
        if entry.abs_diff(entries) >= SLACK && alive != (*entry > entries) {
            return Err(format!("ended with {:?}\n{}{}", ran.code, ran.out, ran.err));
        }
        whole(&env)?;
        case.finish(&env, &ran)?;
        case.same_end(&env, &wanted)
    });
}

/// Catches an entry after or before which a killed controller resumes to another world: something done twice,
/// never, or in another order. After every entry, and before every fourth (which is after the one before it, and
/// after what was done since).
#[test]
fn killed_at_every_entry_of_hybrid() {
    at_entries(&HYBRID, 1, 4);
}

/// The same for Active Directory and the exclusion of its wave, at some entries.
#[test]
fn killed_at_entries_of_ad() {
    at_entries(&AD, 6, 8);
}

/// The same for two tenants, at some entries.
#[test]
fn killed_at_entries_of_tenants() {
    at_entries(&TENANTS, 6, 8);
}

/// The same for the smallest plan, at some entries.
#[test]
fn killed_at_entries_of_minimal() {
    at_entries(&MINIMAL, 8, 10);
}

/// Catches a resumption that itself can't be interrupted: each life of the controller writes a few entries and
/// dies.
#[test]
fn killed_in_every_life() {
    for_each(&[(&HYBRID, 3), (&AD, 4), (&TENANTS, 5), (&MINIMAL, 7)], |(case, entries)| {
        let (wanted, _) = case.undisturbed();
        let env = case.stage();
        let entries = entries.to_string();
        let mut ran = case.apply(&env, &["--kill-after-entry", &entries]);
        let mut lives = 1;
        while ran.code.is_none() && lives < 60 {
            ran = run(&env, &["apply", "--resume", "--yes", "--kill-after-entry", &entries]);
            lives += 1;
        }
        if lives < 5 {
            return Err(format!("only {lives} lives"));
        }
        case.finish(&env, &ran)?;
        // Where a step waits for a restart while its controller dies again and again, a restart more is no harm.
        same(&wanted.0, &env.world(), &["boots"])
    });
}

/// Catches what dies between entries: SIGKILL from outside, at moments that a seed says, also in resumptions.
#[test]
fn killed_at_any_moment() {
    let cases: Vec<(&Case, u64)> =
        [&HYBRID, &AD, &TENANTS, &MINIMAL].into_iter().flat_map(|case| (0..3).map(move |seed| (case, seed))).collect();
    let wanted: std::collections::BTreeMap<&str, _> =
        [&HYBRID, &AD, &TENANTS, &MINIMAL].map(|case| (case.folder, case.undisturbed().0)).into();
    for_each(&cases, |(case, seed)| {
        let mut random = fastrand::Rng::with_seed(*seed);
        let env = case.stage();
        let mut args = vec!["apply", "--wave", case.wave, "--yes"];
        for _ in 0..3 {
            let mut child = command(&env, &args)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .map_err(|e| e.to_string())?;
            std::thread::sleep(Duration::from_millis(random.u64(30..1200)));
            child.kill().map_err(|e| e.to_string())?;
            child.wait().map_err(|e| e.to_string())?;
            let open = super::stage::status(&env)["ended"] == false;
            args = if open { vec!["apply", "--resume", "--yes"] } else { vec!["apply", "--wave", case.wave, "--yes"] };
        }
        let ran = run(&env, &args);
        case.finish(&env, &ran)?;
        same(&wanted[case.folder].0, &env.world(), &["boots"])
    });
}
