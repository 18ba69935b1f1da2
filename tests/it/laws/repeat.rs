//! Done again, nothing happens: plans are empty after apply, the same bytes twice, and a wave that is applied
//! twice is applied once. For every plan of the project and for generated worlds.

use std::fs;

use super::stage::{AD, HYBRID, MINIMAL, TENANTS, all, for_each, run, same};
use crate::support::{TestEnv, root};

/// Plans of the project, by folder.
fn plans() -> Vec<String> {
    let mut found = Vec::new();
    for parent in ["examples", "plans"] {
        for entry in fs::read_dir(root().join(parent)).expect("a folder") {
            let entry = entry.expect("an entry");
            if entry.path().join("plan.yaml").exists() {
                found.push(format!("{parent}/{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    found.sort();
    found
}

/// Takes gates and windows out of a plan, so that its waves can follow each other at once.
fn open_gates(env: &TestEnv) {
    let text = env.read("plan.yaml");
    let shut = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("window:") || line.starts_with("gate:") || line.starts_with("size:")
    };
    env.write(
        "plan.yaml",
        &text.lines().filter(|line| !shut(line)).fold(String::new(), |text, line| text + line + "\n"),
    );
}

fn waves(env: &TestEnv) -> Vec<String> {
    let text = env.read("plan.yaml");
    let after = text.split("\nwaves:").nth(1).unwrap_or_default();
    let lines = after.lines().take_while(|line| line.is_empty() || line.starts_with(' '));
    lines.filter_map(|line| line.trim_start().strip_prefix("- name: ").map(|name| name.trim().to_owned())).collect()
}

/// The same plan twice, byte by byte.
fn steady(env: &TestEnv) -> Result<String, String> {
    let one = run(env, &["plan", "--output", "json"]);
    let two = run(env, &["plan", "--output", "json"]);
    let text = (run(env, &["plan"]), run(env, &["plan"]));
    if one.code != Some(0) {
        return Err(format!("plan ended with {:?}\n{}{}", one.code, one.out, one.err));
    }
    if one.out != two.out || text.0.out != text.1.out {
        return Err("two plans differ".to_owned());
    }
    Ok(one.out)
}

/// Applies every wave of a plan in order; after each nothing is left to do in it, and doing it again changes
/// nothing. Returns how many devices were moved.
fn play(env: &TestEnv) -> Result<usize, String> {
    steady(env)?;
    let mut moved = 0;
    for wave in waves(env) {
        let mut ran = run(env, &["apply", "--wave", &wave, "--yes"]);
        for _ in 0..3 {
            // Somebody may not have signed in yet, or a cloud may be slow.
            if ran.code == Some(6) {
                ran = run(env, &["apply", "--wave", &wave, "--yes"]);
            }
        }
        match ran.code {
            Some(0) => {}
            // Devices that are blocked for good reasons stay; everybody else is done.
            Some(9) => {}
            code => return Err(format!("wave {wave} ended with {code:?}\n{}{}", ran.out, ran.err)),
        }
        moved += super::stage::status(env)["devices"].as_array().map_or(0, Vec::len);
        let plan = run(env, &["plan", "--wave", &wave, "--detailed-exitcode"]);
        if plan.code != Some(0) {
            return Err(format!("after wave {wave} its plan isn't empty\n{}{}", plan.out, plan.err));
        }
        let before = env.world();
        let again = run(env, &["apply", "--wave", &wave, "--yes"]);
        if !matches!(again.code, Some(0 | 9)) {
            return Err(format!("wave {wave} again ended with {:?}\n{}{}", again.code, again.out, again.err));
        }
        same(&before, &env.world(), &[]).map_err(|e| format!("wave {wave} again changed\n{e}"))?;
    }
    steady(env)?;
    Ok(moved)
}

/// Catches a plan of the project that isn't what it says, a second plan that isn't empty or has other bytes.
#[test]
fn every_plan_of_the_project() {
    let plans = plans();
    assert!(plans.len() >= 6, "{plans:?}");
    for_each(&plans, |folder| {
        let env = TestEnv::copy(folder);
        // As it is, with its gates and windows: two plans are the same.
        steady(&env)?;
        open_gates(&env);
        let moved = play(&env)?;
        if moved < 2 { Err(format!("only {moved} devices were moved")) } else { Ok(()) }
    });
}

/// The same for generated worlds: special cases of all kinds, several waves.
#[test]
fn generated_worlds() {
    let mut worlds = Vec::new();
    for scenario in ["ad-to-entra", "hybrid-to-entra", "tenant-to-tenant"] {
        let seeds: Vec<u64> = if all() { (1..=8).collect() } else { vec![1, 2] };
        worlds.extend(seeds.into_iter().map(|seed| (scenario, seed)));
    }
    for_each(&worlds, |(scenario, seed)| {
        let env = TestEnv::empty();
        let seed = seed.to_string();
        let made = run(&env, &["lab", "generate", "--devices", "40", "--seed", &seed, "--scenario", scenario, "."]);
        if made.code != Some(0) {
            return Err(made.err);
        }
        open_gates(&env);
        // One profile that is damaged shuts no gate: all other devices of the wave are moved.
        let moved = play(&env)?;
        if moved < 25 { Err(format!("only {moved} of 40 devices were moved")) } else { Ok(()) }
    });
}

/// Catches a ledger whose loss does harm: what was moved is moved again, or taken for something else. Without
/// it the plan says what it sees.
#[test]
fn the_ledger_is_lost() {
    for_each(&[&HYBRID, &AD, &TENANTS, &MINIMAL], |case| {
        let env = case.stage();
        let ran = case.apply(&env, &[]);
        case.finish(&env, &ran)?;
        let world = env.world();
        for name in ["state.db", "state.db-wal", "state.db-shm"] {
            drop(fs::remove_file(env.path(format!(".opsole/{name}"))));
        }
        steady(&env)?;
        let again = case.apply(&env, &[]);
        if !matches!(again.code, Some(0 | 6 | 9)) {
            return Err(format!("ended with {:?}\n{}{}", again.code, again.out, again.err));
        }
        same(&world["devices"], &env.world()["devices"], &[])?;
        same(&world["directory"], &env.world()["directory"], &[])
    });
}

/// Catches a run that ended and is taken up again, and two that are open at once.
#[test]
fn an_ended_run_is_not_resumed() {
    let env = MINIMAL.stage();
    let ran = MINIMAL.apply(&env, &[]);
    MINIMAL.finish(&env, &ran).expect("a run");
    let before = env.world();
    let resumed = run(&env, &["apply", "--resume", "--yes"]).expect(1);
    assert!(resumed.err.contains("run.none-open"), "{}", resumed.err);
    same(&before, &env.world(), &[]).expect("nothing changed");

    let env = MINIMAL.stage();
    let killed = MINIMAL.apply(&env, &["--kill-after-entry", "9"]);
    assert_eq!(killed.code, None);
    let second = MINIMAL.apply(&env, &[]).expect(1);
    assert!(second.err.contains("apply --resume"), "{}", second.err);
    MINIMAL.finish(&env, &killed).expect("the first goes on");
    drop(run(&env, &["plan", "--wave", MINIMAL.wave, "--detailed-exitcode"]).expect(0));
}
