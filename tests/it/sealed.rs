//! Sealed plans through the program: reviewed, approved and applied, and every refusal with its message.

use std::io::Write as _;

use crate::support::{Ran, TestEnv};

/// The line of an example that asks nobody for approval.
const NOBODY: &str = "approvals: {required: 0, from: [change-management]}";

/// An example whose plan asks for one approval, with the keys of three people.
struct Reviewed {
    env: TestEnv,
}

impl Reviewed {
    fn example(name: &str) -> Self {
        Self::of(TestEnv::example(name), "1")
    }

    fn of(env: TestEnv, required: &str) -> Self {
        let mut keys = String::new();
        for (name, role) in [("jane", "change-management"), ("john", "change-management"), ("lee", "project-lead")] {
            let made = env.opsole(&format!("keys new {name}.key --output json")).expect(0).json();
            let public = made["public"].as_str().expect("a public key");
            keys += &format!("    - {{name: {name}@example.com, role: {role}, key: \"{public}\"}}\n");
        }
        let plan = env.read("plan.yaml");
        let line = plan.lines().find(|line| line.contains(NOBODY)).expect("asks nobody").to_owned();
        let wanted = format!("  approvals: {{required: {required}, from: [change-management]}}\n  keys:\n{keys}");
        env.write("plan.yaml", &plan.replace(&line, wanted.trim_end()));
        Self { env }
    }

    fn seal(&self, file: &str) {
        let ran = self.env.opsole(&format!("plan --wave pilot --out {file}")).expect(0);
        assert!(ran.err.contains("opsole approve"), "what comes next is told: {}", ran.err);
    }

    fn approve(&self, file: &str, who: &str) {
        let line = format!("approve {file} --as change-management --key {who}.key --ticket CHG-2001");
        drop(self.env.opsole(&line).expect(0));
    }

    fn apply(&self, file: &str) -> Ran {
        self.env.opsole(&format!("apply {file} --yes"))
    }

    /// Puts another world in the place of the lab's, as if others had been at work in it.
    fn elsewhere(&self, from: &str, to: &str) {
        self.env.edit("world.yaml", from, to);
        drop(std::fs::remove_dir_all(self.env.path(".opsole/lab")));
    }

    /// Asserts that a file is refused, and returns what is said, with the keys of this test by one name.
    #[track_caller]
    fn refused(&self, file: &str) -> String {
        let before = self.env.world();
        let ran = self.apply(file).expect(11);
        assert_eq!(before, self.env.world(), "a refused plan does nothing");
        masked(&ran.err)
    }
}

/// Puts one word in the place of the beginnings of keys, which differ from test to test.
fn masked(text: &str) -> String {
    let mut parts = text.split("key ");
    let first = parts.next().unwrap_or_default().to_owned();
    let sign = |sign: char| sign.is_ascii_alphanumeric() || "+/".contains(sign);
    parts.fold(first, |text, part| match part.get(..10) {
        Some(short) if short.chars().all(sign) => text + "key KEY" + &part[10..],
        _ => text + "key " + part,
    })
}

/// Catches a file that isn't what is applied, one that nobody had to approve, and one that can be used twice.
#[test]
fn stories_are_reviewed_approved_and_applied() {
    for example in ["ad-to-entra", "hybrid-to-entra", "tenant-to-tenant"] {
        let stage = Reviewed::example(example);
        let env = &stage.env;
        stage.seal("pilot.opsole");

        // Whoever reviews it has the file and nothing else.
        let desk = TestEnv::empty();
        std::fs::copy(env.path("pilot.opsole"), desk.path("pilot.opsole")).expect("a copy");
        let shown = desk.opsole("show pilot.opsole").expect(0).out;
        assert!(shown.contains("point of no return") && shown.contains("1 approval needed"), "{shown}");
        assert_eq!(shown, env.opsole("show pilot.opsole").expect(0).out, "{example}: it is the same everywhere");
        let sealed = desk.opsole("show pilot.opsole --output json").expect(0).json();
        let devices = sealed["body"]["run"]["devices"].as_array().expect("devices").len();

        let unsealed = env.opsole("apply --wave pilot --yes").expect(11);
        assert!(unsealed.err.contains("sealed.needed"), "{}", unsealed.err);
        assert!(stage.refused("pilot.opsole").contains("0 of 1 approvals"), "{example}");
        std::fs::copy(env.path("jane.key"), desk.path("jane.key")).expect("a copy");
        drop(desk.opsole("approve pilot.opsole --as change-management --key jane.key --ticket CHG-1").expect(0));
        std::fs::copy(desk.path("pilot.opsole"), env.path("pilot.opsole")).expect("a copy");

        let applied = stage.apply("pilot.opsole").expect(0);
        assert!(applied.out.contains("complete"), "{}", applied.out);
        let status = env.opsole("status --output json").expect(0).json();
        assert_eq!(status["run"]["run"], sealed["body"]["run"]["run"], "{example}: the run is the one that was sealed");
        assert_eq!(status["run"]["devices"].as_array().map(Vec::len), Some(devices), "{example}");
        drop(env.opsole("plan --wave pilot --detailed-exitcode").expect(0));
        let used = stage.refused("pilot.opsole");
        assert!(used.contains("sealed.used"), "{example}: it is good for one run\n{used}");
        assert!(!used.contains("sealed.drift"), "{example}: what it did itself is nobody's drift\n{used}");
    }
}

/// Catches a refusal that isn't made, or that doesn't say what is wrong and what to do.
#[test]
fn each_refusal_says_why() {
    let stage = Reviewed::example("hybrid-to-entra");
    let env = &stage.env;
    let mut said = Vec::new();
    let mut tell = |what: &str, err: String| said.push(format!("# {what}\n{}", err.trim_end()));
    stage.seal("pilot.opsole");
    let plain = std::fs::read(env.path("pilot.opsole")).expect("a file");
    let put = |bytes: &[u8]| std::fs::write(env.path("pilot.opsole"), bytes).expect("a file");
    tell("nobody approved", stage.refused("pilot.opsole"));

    let line = "approve pilot.opsole --as change-management --key lee.key";
    drop(env.opsole(line).expect(0));
    tell("approved by a key that isn't listed for the role", stage.refused("pilot.opsole"));
    put(&plain);
    stage.approve("pilot.opsole", "jane");
    let approved = std::fs::read(env.path("pilot.opsole")).expect("a file");

    drop(env.opsole("approve pilot.opsole --as change-management --key jane.key --revoke").expect(0));
    tell("taken back", stage.refused("pilot.opsole"));
    put(&approved);
    tell("taken back, and the line that says so is cut off", stage.refused("pilot.opsole"));
    put(&plain);
    stage.approve("pilot.opsole", "john");
    let approved = std::fs::read(env.path("pilot.opsole")).expect("a file");
    let reject = [
        "approve",
        "pilot.opsole",
        "--as",
        "change-management",
        "--key",
        "jane.key",
        "--reject",
        "--note",
        "not before the audit",
    ];
    drop(env.run(reject).expect(0));
    tell("sent back", stage.refused("pilot.opsole"));

    let mut touched = approved.clone();
    let at = touched.windows(8).position(|text| text == b"LON-IT-0").expect("a name") + 9;
    touched[at] ^= 1;
    put(&touched);
    tell("one bit of a name is changed", stage.refused("pilot.opsole"));
    let text = String::from_utf8(approved.clone()).expect("text");
    put(text.replacen("opsole-sealed/1", "opsole-sealed/7", 1).as_bytes());
    tell("another version of the format", stage.refused("pilot.opsole"));
    put(b"a letter\n");
    tell("another file", stage.refused("pilot.opsole"));
    put(&approved);

    let plan = env.read("plan.yaml");
    env.write("plan.yaml", &plan.replace("concurrency: 2", "concurrency: 3").replace("LON-IT", "lon-it"));
    env.write("plan.yaml", &(env.read("plan.yaml") + "# one more line\n"));
    tell("the plan file is changed", stage.refused("pilot.opsole"));
    env.write("plan.yaml", &plan);
    let devices = env.read("devices.csv");
    env.write("devices.csv", &(devices.clone() + "\n"));
    tell("the inventory is changed", stage.refused("pilot.opsole"));
    env.write("devices.csv", &devices);

    stage.elsewhere("starts: 2026-12-02T18:30:00Z", "starts: 2026-12-03T18:31:00Z");
    tell("a day later", stage.refused("pilot.opsole"));
    stage.elsewhere("starts: 2026-12-03T18:31:00Z", "starts: 2026-12-02T18:30:00Z");

    let key = std::fs::read(env.path(".opsole/seal.key")).expect("a key");
    std::fs::remove_file(env.path(".opsole/seal.key")).expect("removed");
    tell("sealed with a key of another folder", stage.refused("pilot.opsole"));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(env.path(".opsole/seal.key")).and_then(|mut file| file.write_all(&key)).expect("put back");

    drop(env.opsole("plan --wave london --out london.opsole").expect(0));
    stage.approve("london.opsole", "jane");
    tell("the wave's gate is closed", stage.refused("london.opsole"));

    // A device that is as it was runs; the other one waits for a new review.
    stage.elsewhere("user: ben@contoso.com, configmgr: true", "user: ben@contoso.com");
    let ran = stage.apply("pilot.opsole").expect(0);
    let stale: Vec<&str> = ran.err.lines().take_while(|line| !line.starts_with("LON-IT-001")).collect();
    tell("one device changed, the other one runs", stale.join("\n"));
    let used = stage.refused("pilot.opsole");
    let run = env.opsole("status --output json").expect(0).json()["run"]["run"].as_str().expect("an id").to_owned();
    tell("applied before", used.replace(&run, "RUN"));
    insta::assert_snapshot!(said.join("\n\n"), @r#"
    # nobody approved
    error: 0 of 1 approvals of change-management are there (sealed.approvals)
      next: have it approved: `opsole approve FILE --as ROLE --key KEYFILE`

    # approved by a key that isn't listed for the role
    error: 0 of 1 approvals of change-management are there (key KEY isn't listed for role change-management in the plan) (sealed.approvals)
      next: have it approved: `opsole approve FILE --as ROLE --key KEYFILE`

    # taken back
    error: 0 of 1 approvals of change-management are there (jane@example.com took it back) (sealed.approvals)
      next: have it approved: `opsole approve FILE --as ROLE --key KEYFILE`

    # taken back, and the line that says so is cut off
    error: 0 of 1 approvals of change-management are there (jane@example.com took it back) (sealed.approvals)
      next: have it approved: `opsole approve FILE --as ROLE --key KEYFILE`

    # sent back
    error: jane@example.com sent it back: not before the audit (sealed.sent-back)
      next: mend what was said, plan and seal again

    # one bit of a name is changed
    error: pilot.opsole can't be used: its seal doesn't fit its content: something in it was changed after it was sealed (sealed.tampered)
      next: take the file as it was sealed, or plan and seal again

    # another version of the format
    error: pilot.opsole can't be used: it was written by a newer version of opsole (format 7) (sealed.newer)
      next: take the file as it was sealed, or plan and seal again

    # another file
    error: pilot.opsole can't be used: it isn't a sealed plan of format 1 (sealed.format)
      next: take the file as it was sealed, or plan and seal again

    # the plan file is changed
    error: plan.yaml has changed since it was sealed (sealed.input)
      next: plan and seal again

    # the inventory is changed
    error: devices.csv has changed since it was sealed (sealed.input)
      next: plan and seal again

    # a day later
    error: package bulk-2026q4 has changed since it was sealed (sealed.input)
      next: plan and seal again
    error: it was good until 2026-12-03T18:30:00Z (sealed.expired)
      next: plan and seal again, and have it approved

    # sealed with a key of another folder
    error: it was sealed with key KEY, which neither this folder nor the plan trusts (sealed.stranger)
      next: plan and seal it here, or list the key under `policy.keys` with role `sealer`

    # the wave's gate is closed
    error: wave london isn't open: 0 of 2 devices of `pilot` are done or excluded (sealed.closed)
      next: apply it when the wave is open
    error: wave london isn't open: project-lead hasn't signed off `pilot` (`opsole gate pilot --sign-off --as project-lead`) (sealed.closed)
      next: apply it when the wave is open

    # one device changed, the other one runs
    1 device changed since it was sealed and is left out; plan and seal again for a new review:
      LON-IT-002
        device.remove-configmgr
          sealed: do (not-yet-so): ConfigMgr client installed -> no ConfigMgr client
          now:    skip (nothing-there)

    # applied before
    error: it was applied already, as run RUN (sealed.used)
      next: `opsole status` shows that run; plan and seal again for what is left
    "#);
}

/// Catches a plan that goes on though what it rests on has ended or the tenant is another, and a rule that is only words.
#[test]
fn what_it_rests_on_and_rules_are_held() {
    let env = TestEnv::example("ad-to-entra");
    let rules = "  rules:\n    - {rule: max-devices-per-night, limit: 3}\n    - {rule: ticket-required}";
    env.edit("plan.yaml", "  plan_max_age: 24h", &format!("  plan_max_age: 96h\n{rules}"));
    env.edit("plan.yaml", "ppl.mode, by: ", "ppl.mode, until: 2026-12-03, by: ");
    let stage = Reviewed::of(env, "1");
    let env = &stage.env;
    stage.seal("pilot.opsole");
    stage.approve("pilot.opsole", "jane");
    let mut said = Vec::new();
    let mut tell = |what: &str, err: String| said.push(format!("# {what}\n{}", err.trim_end()));

    stage.elsewhere("starts: 2026-12-02T18:30:00Z", "starts: 2026-12-04T18:30:00Z");
    tell("a word that it relies on ran out", stage.refused("pilot.opsole"));
    stage.elsewhere("starts: 2026-12-04T18:30:00Z", "starts: 2026-12-02T18:30:00Z");
    stage.elsewhere("device join, user-actions", "device join, state: disabled, user-actions");
    tell("the policy is another", stage.refused("pilot.opsole"));
    stage.elsewhere("device join, state: disabled, user-actions", "device join, user-actions");

    let line = "approve pilot.opsole --as change-management --key john.key";
    tell("no ticket", env.opsole(line).expect(1).err);
    env.edit("plan.yaml", "max-devices-per-night, limit: 3", "max-devices-per-night, limit: 2");
    stage.seal("pilot.opsole");
    stage.approve("pilot.opsole", "jane");
    tell("a rule doesn't hold", stage.refused("pilot.opsole"));
    env.edit("plan.yaml", "approvals: {required: 1", "approvals: {required: 0");
    tell("nor without approvals", env.opsole("apply --wave pilot --yes").expect(11).err);
    insta::assert_snapshot!(said.join("\n\n"), @r#"
    # a word that it relies on ran out
    OPS0218

      ⚠ the attestation of `ppl.mode` has run out
        ╭─[plan.yaml:87:30]
     86 │   - {check: ppl.communication, by: change@fabrikam.com, on: 2026-11-18, evidence: CHG-1886}
     87 │   - {check: ppl.mode, until: 2026-12-03, by: change@fabrikam.com, on: 2026-11-18, evidence: CHG-1886}
        ·                              ─────┬────
        ·                                   ╰── today is 2026-12-04
     88 │   - {check: ppl.rollback, by: migration-lead@fabrikam.com, on: 2026-11-18, evidence: CHG-1887}
        ╰────
      help: look again and attest anew; until then the check counts as not known

    1 warning

    3 devices changed since it was sealed and are left out; plan and seal again for a new review:
      BER-001, BER-002, BER-003: it was `migrate` and is `blocked`
    error: package bulk-2026q4 has changed since it was sealed (sealed.input)
      next: plan and seal again
    error: it relies on attestation of ppl.mode, which ran out at 2026-12-03T23:00:00Z (sealed.ran-out)
      next: renew it, then plan and seal again
    error: tenant.exclude-package-account for package_2f3c7a10-6c1e-4b8e-9b62-0d5f1e7a4c33@fabrikam.com in `Require MFA for device join` isn't what was sealed any more (sealed.drift)
      next: plan and seal again

    # the policy is another
    error: policy `Require MFA for device join`, which tenant.exclude-package-account edits, was changed by somebody (sealed.drift)
      sealed: policy `Require MFA for device join` (enabled) excludes 0 users and 0 groups; now: policy `Require MFA for device join` (disabled) excludes 0 users and 0 groups
      next: see what was changed, then plan and seal again

    # no ticket
    error: the plan's rules ask for a ticket with each approval (sealed.ticket)
      next: name it: `--ticket CHG-2001`

    # a rule doesn't hold
    error: it breaks the rule max-devices-per-night 2: 3 devices may begin in one night (sealed.policy)
      next: take fewer devices into the wave, or apply it in another night

    # nor without approvals
    error: it breaks the rule max-devices-per-night 2: 3 devices may begin in one night (sealed.policy)
      next: take fewer devices into the wave, or apply it in another night
    "#);
}

/// Catches a pipeline that people copy and that doesn't work.
#[cfg(unix)]
#[test]
fn the_pipeline_of_the_examples_works() {
    let stage = Reviewed::example("hybrid-to-entra");
    let env = &stage.env;
    for script in ["review.sh", "apply.sh"] {
        let from = crate::support::root().join("examples/pipeline").join(script);
        std::fs::copy(from, env.path(script)).expect("a copy");
    }
    let script = |line: &str| {
        let mut words = line.split_whitespace();
        let mut command = env.command([""]);
        let program = command.get_program().to_owned();
        command = std::process::Command::new("sh");
        command.args([words.next().expect("a script"), words.next().expect("a wave")]).current_dir(env.path(""));
        command.env("OPSOLE", program).env("NO_COLOR", "1").env("OPSOLE_LAB_SPEED", "6000");
        let output = command.output().expect("a shell");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = script("review.sh pilot");
    assert_eq!(code, Some(0), "{said}");
    for file in ["check.xml", "pilot.opsole", "plan.md", "plan.html", "plan.json"] {
        assert!(!env.read(&format!("review/{file}")).is_empty(), "{file}");
    }
    let (code, said) = script("apply.sh pilot");
    assert!(code == Some(11) && said.contains("sealed.approvals"), "{said}");
    stage.approve("review/pilot.opsole", "jane");
    let (code, said) = script("apply.sh pilot");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        env.read("review/report.md").contains("jane@example.com") || env.read("review/report.md").contains("CHG-2001")
    );
    assert!(env.read("review/report.csv").lines().count() > 40);
}
