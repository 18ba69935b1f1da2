//! Something fails: at every operation, for ever or once, on the device or in the tenant. A device never ends
//! half done without a word.

use serde_json::Value;

use super::stage::{AD, Case, HYBRID, MINIMAL, Picture, TENANTS, for_each, run, same, some_of, status};
use crate::support::{Ran, TestEnv};

/// Operations that a fault of a device can strike.
const OPS: &[&str] = &[
    "preflight",
    "escrow-bitlocker",
    "stage",
    "arm",
    "unjoin-domain",
    "leave-entra",
    "remove-mdm",
    "remove-configmgr",
    "apply-package",
    "verify-join",
    "swap-profile",
    "restore-local-groups",
    "clean-identity-caches",
    "restore-logon-surface",
    "await-sign-in",
    "verify-enrolment",
    "escrow-bitlocker-new",
    "clean-up",
];
const CASES: [&Case; 4] = [&HYBRID, &AD, &TENANTS, &MINIMAL];
/// What a restart more, or the lab's own count of faults, changes.
const COUNTS: &[&str] = &["boots", "faults_used"];

/// What a device is, as a snapshot tells it: without moments and without how the lab makes it so.
fn facts(env: &TestEnv, device: &str) -> Value {
    let file = format!("{device}.snapshot.json");
    drop(run(env, &["snapshot", "--out", &file]).expect(0));
    let snapshot: Value = serde_json::from_str(&env.read(&file)).expect("JSON");
    let mut facts = snapshot["evidence"][device]["known"]["facts"].clone();
    assert!(facts.is_object(), "{device} has no facts");
    // People use their devices meanwhile.
    for profile in facts["profiles"].as_array_mut().expect("profiles") {
        profile["last_used"] = Value::Null;
        profile["loaded"] = Value::Null;
    }
    facts["sign_in"]["at"] = Value::Null;
    facts
}

/// Checks what the program says of a run that didn't end well, and that an undone device is as it was.
fn told(case: &Case, env: &TestEnv, ran: &Ran, untouched: &(Picture, Picture)) -> Result<(), String> {
    let code = ran.code.ok_or("killed")?;
    let run = status(env);
    let devices = run["devices"].as_array().ok_or("no run")?;
    let outcomes: Vec<&Value> = devices.iter().map(|device| &device["outcome"]).collect();
    if !run["ended"].as_bool().unwrap_or_default() {
        return Err(format!("the run is open: {run:#}"));
    }
    let mut gravest = 0;
    for outcome in outcomes {
        let (kind, problem) = match outcome {
            Value::String(kind) if kind == "complete" => continue,
            Value::Object(one) if one.len() == 1 => one.iter().next().ok_or("no outcome")?,
            other => return Err(format!("no outcome: {other}")),
        };
        if problem["message"].as_str().is_none_or(str::is_empty) && !problem.is_string() {
            return Err(format!("{kind} without a message: {problem}"));
        }
        if problem.is_object() && problem["next"].as_str().is_none_or(str::is_empty) {
            return Err(format!("{kind} without what to do next: {problem}"));
        }
        gravest = gravest.max(match kind.as_str() {
            "recovery-required" => 3,
            "undone" => 2,
            _ => 1,
        });
        if kind == "undone" {
            same(&untouched.1.0, &facts(env, case.device), &[]).map_err(|e| format!("undone, but the device: {e}"))?;
            let world = env.world();
            // The exclusion that the wave needs stays open until the wave ends well, or its own end.
            same(&untouched.0.0["tenants"], &world["tenants"], &["policies"])
                .map_err(|e| format!("undone, but: {e}"))?;
            same(&untouched.0.0["directory"], &world["directory"], &[]).map_err(|e| format!("undone, but: {e}"))?;
        }
    }
    let wanted = [None, Some(6), Some(4), Some(5)][gravest];
    match (code, wanted) {
        (0, None) | (4, Some(6)) => Ok(()),
        (code, Some(wanted)) if code == wanted => Ok(()),
        _ => Err(format!("exit code {code}, and the gravest outcome wants {wanted:?}")),
    }
}

fn untouched(case: &Case) -> (Picture, Picture) {
    let env = case.stage();
    (Picture(env.world()), Picture(facts(&env, case.device)))
}

/// Catches an operation that fails for ever and leaves a device half moved without a word, one that is called
/// undone and isn't, and an exit code that hides it. Every operation in every scenario.
#[test]
fn every_operation_fails_for_ever() {
    let before: Vec<(&Case, (Picture, Picture))> = CASES.into_iter().map(|case| (case, untouched(case))).collect();
    let all: Vec<_> = before.iter().flat_map(|before| OPS.iter().map(move |op| (before, *op))).collect();
    for_each(&all, |((case, before), op)| {
        let env = case.stage_with(&format!("  - {{at: device.{op}, kind: {{fail: \"0x80004005\"}}}}\n"));
        let ran = case.apply(&env, &[]);
        told(case, &env, &ran, before).map_err(|e| format!("{e}\n{}{}", ran.out, ran.err))
    });
}

/// Catches something passing (a lie, a power cut, an agent that is ended, a network that is away) that changes
/// where the device ends. Every operation in one scenario, some in the others.
#[test]
fn every_operation_is_disturbed_once() {
    let kinds = ["{fail: \"0x80072ee2\"}", "lie", "power-cut", "killed", "{offline: 600}"];
    let wanted: Vec<(&Case, Picture)> = CASES.into_iter().map(|case| (case, case.undisturbed().0)).collect();
    let mut all = Vec::new();
    for (at, one) in wanted.iter().enumerate() {
        let faults: Vec<_> = OPS.iter().flat_map(|op| kinds.iter().map(move |kind| (*op, *kind))).collect();
        let step = if at == 0 { 1 } else { 7 };
        let places = some_of(faults.len() as u64, step, at as u64);
        all.extend(places.into_iter().map(|place| (one, faults[place as usize - 1])));
    }
    for_each(&all, |((case, wanted), (op, kind))| {
        let env = case.stage_with(&format!("  - {{at: device.{op}, kind: {kind}, times: 1}}\n"));
        let ran = case.apply(&env, &[]);
        // A reversible operation that failed may have been put back; the next run does it.
        case.finish(&env, &ran)?;
        // A join that was lost is another join, with a registration and ids of its own.
        let rejoined = *op == "verify-join" || *op == "apply-package";
        let ids = ["id", "deviceId", "device_id", "device", "managedDevice", "join_attempts"];
        let but: Vec<&str> = COUNTS.iter().copied().chain(ids.into_iter().filter(|_| rejoined)).collect();
        same(&wanted.0, &env.world(), &but)
    });
}

/// Catches a tenant that dies under a run (at any request: while observing, before the boundary, after it) and
/// takes a device down with it, or a run that can't be finished once the tenant is back.
#[test]
fn tenant_dies_at_any_request() {
    let tenants = [(&HYBRID, "contoso"), (&AD, "fabrikam"), (&TENANTS, "northwind"), (&TENANTS, "contoso")];
    let wanted: Vec<_> =
        tenants.into_iter().map(|(case, tenant)| (case, tenant, untouched(case), case.undisturbed().0)).collect();
    let mut all = Vec::new();
    for (at, one) in wanted.iter().enumerate() {
        let kinds = ["{status: {status: 503, from_request: N}}", "{dies: {from_request: N}}"];
        for (kind, seed) in kinds.into_iter().zip([at, at + 3]) {
            all.extend(some_of(60, 6, seed as u64).into_iter().map(|request| (one, kind, request)));
        }
    }
    for_each(&all, |((case, tenant, before, wanted), kind, request)| {
        let kind = kind.replace('N', &request.to_string());
        let env = case.stage_with(&format!("  - {{tenant: {tenant}, kind: {kind}}}\n"));
        let ran = case.apply(&env, &[]);
        let world = env.read("world.yaml");
        let healthy = world.split("\nfaults:").next().unwrap_or_default();
        env.write("world.yaml", &format!("{healthy}\n"));
        match ran.code {
            // Nothing was begun, and the program said why.
            Some(1 | 9) if ran.err.is_empty() => return Err(format!("no word\n{}", ran.out)),
            Some(1 | 9) => {}
            _ => told(case, &env, &ran, before).map_err(|e| format!("{e}\n{}{}", ran.out, ran.err))?,
        }
        let ran = case.apply(&env, &[]);
        case.finish(&env, &ran)?;
        same(&wanted.0, &env.world(), COUNTS)
    });
}

/// Catches a missing permission that takes a device down with it, and a refusal that doesn't name it. Reads that
/// decide stop the plan; a permission that is needed late may leave a device waiting for it, and says so.
#[test]
fn every_permission_is_missing() {
    let mut all = Vec::new();
    for case in [&HYBRID, &TENANTS] {
        let world = case.stage().read("world.yaml");
        let before = untouched(case);
        let mut words: Vec<String> =
            world.split(|c: char| !c.is_alphanumeric() && c != '.').map(str::to_owned).collect();
        words.retain(|word| word.ends_with(".All") || word == "Policy.Read.DeviceConfiguration");
        words.sort();
        words.dedup();
        assert!(words.len() > 8, "{words:?}");
        all.extend(words.into_iter().map(|word| (case, before.clone(), word)));
    }
    for_each(&all, |(case, before, permission)| {
        let env = case.stage();
        let world = env.read("world.yaml");
        // It may stand in the middle or at the end of a list.
        let without = world.replace(&format!("{permission},"), "").replace(&format!(", {permission}]"), "]");
        if without == world || without.contains(&format!(" {permission}]")) {
            return Err("isn't taken away".to_owned());
        }
        env.write("world.yaml", &without);
        let ran = case.apply(&env, &[]);
        // Roles are read with the least that allows it, which is what is asked for then.
        let named = if permission == "Directory.Read.All" { "RoleManagement.Read.Directory" } else { permission };
        let said = ran.out.contains(named) || ran.err.contains(named);
        match ran.code {
            Some(0) => Ok(()),
            _ if !said => Err(format!("it isn't named\n{}{}", ran.out, ran.err)),
            Some(1 | 9) => {
                let world = env.world();
                same(&before.0.0["tenants"], &world["tenants"], &[])?;
                same(&before.1.0, &facts(&env, case.device), &[])
            }
            Some(6) => told(case, &env, &ran, before),
            Some(code) => Err(format!("ended with {code}\n{}{}", ran.out, ran.err)),
            None => Err("killed".to_owned()),
        }
    });
}
