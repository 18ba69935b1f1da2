//! Agents in processes of their own: they die, the controller dies, or both, and the world ends the same.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::stage::{AD, Case, HYBRID, TENANTS, agent_journal, command, for_each, same, some_of};
use crate::support::TestEnv;

const ENROLMENT: &str = "agents.json";
/// Longest time of one run, in seconds of the wall.
const LIMIT_SECS: u64 = 120;

/// Ends what is left of a test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // One that has ended can't be killed, which is fine.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(env: &TestEnv, args: &[&str]) -> Result<Killed, String> {
    let spawned = command(env, args).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    spawned.map(Killed).map_err(|e| e.to_string())
}

fn ended(child: &mut Killed) -> Result<Option<std::process::ExitStatus>, String> {
    child.0.try_wait().map_err(|e| e.to_string())
}

/// Who is killed after which entry of its journal.
#[derive(Debug, Clone, Copy)]
struct Kill {
    controller: Option<u64>,
    agent: Option<u64>,
}

/// Runs a wave with an external agent; whoever dies is started again without a flag. Says whether somebody died.
fn play(case: &Case, env: &TestEnv, kill: Kill) -> Result<bool, String> {
    let until = Instant::now() + Duration::from_secs(LIMIT_SECS);
    let controller_kill = kill.controller.map(|entry| entry.to_string());
    let agent_kill = kill.agent.map(|entry| entry.to_string());
    let agents = ["--agents", "external", "--enrolment", ENROLMENT];
    let mut args = [&["apply", "--wave", case.wave, "--yes"][..], &agents].concat();
    if let Some(entry) = &controller_kill {
        args.extend(["--kill-after-entry", entry]);
    }
    let mut agent_args = vec!["agent", "run", "--enrolment", ENROLMENT, "--device", case.device];
    if let Some(entry) = &agent_kill {
        agent_args.extend(["--kill-after-entry", entry]);
    }
    let mut controller = start(env, &args)?;
    let mut agent: Option<Killed> = None;
    let mut somebody = false;
    loop {
        if Instant::now() > until {
            return Err("no end".to_owned());
        }
        if let Some(status) = ended(&mut controller)? {
            match status.code() {
                Some(0) => {
                    // It may be in the middle of a survey: the run doesn't wait for what nobody asked it.
                    drop(agent.take());
                    next_life(env, case.device)?;
                    return Ok(somebody);
                }
                Some(6) => args = [&["apply", "--wave", case.wave, "--yes"][..], &agents].concat(),
                None => args = [&["apply", "--resume", "--yes"][..], &agents].concat(),
                Some(code) => return Err(format!("apply ended with {code}")),
            }
            somebody |= status.code().is_none();
            // The next controller listens elsewhere, and lets agents in by its own tokens.
            agent = None;
            drop(std::fs::remove_file(env.path(ENROLMENT)));
            controller = start(env, &args)?;
        }
        let gone = match &mut agent {
            Some(agent) => ended(agent)?.is_some(),
            None => false,
        };
        if gone {
            somebody = true;
            agent_args.truncate(6);
        }
        if (gone || agent.is_none()) && env.path(ENROLMENT).exists() {
            agent = Some(start(env, &agent_args)?);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An agent that was ended in its survey leaves a canary, which its next life takes away first of all.
fn next_life(env: &TestEnv, device: &str) -> Result<(), String> {
    if env.world()["devices"][device]["canary"].is_null() {
        return Ok(());
    }
    let looked = super::stage::run(env, &["agent", "inspect", "--device", device]);
    if looked.code == Some(0) { Ok(()) } else { Err(format!("agent inspect: {}", looked.err)) }
}

fn agent_entries(case: &Case) -> Result<u64, String> {
    let env = case.stage();
    play(case, &env, Kill { controller: None, agent: None })?;
    journal_entries(&env, case)
}

fn journal_entries(env: &TestEnv, case: &Case) -> Result<u64, String> {
    let journal = std::fs::read_to_string(agent_journal(env, case.device)).map_err(|e| e.to_string())?;
    Ok(journal.lines().count() as u64)
}

/// Kills agents at entries of their own journal, and compares the end.
fn at_entries(case: &Case, step: u64) {
    let (wanted, _) = case.undisturbed();
    let entries = agent_entries(case).expect("an undisturbed run");
    assert!(entries > 20, "{}: {entries} entries", case.folder);
    for_each(&some_of(entries - 2, step, 1), |entry| {
        let env = case.stage();
        let died = play(case, &env, Kill { controller: None, agent: Some(*entry) })?;
        // How often an agent tries depends on how busy the machine is: a run may end before its n-th entry, or
        // with it. One that went on beyond it wasn't killed.
        let written = journal_entries(&env, case)?;
        if !died && written > *entry {
            return Err(format!("nobody died, and the journal has {written} entries"));
        }
        case.same_end(&env, &wanted)
    });
}

/// Catches an entry after which a killed agent, a process of its own, does something else in its next life.
/// Every entry but the last two, which acknowledge the end of the run and may come after it.
#[test]
fn agent_killed_at_every_entry_of_hybrid() {
    at_entries(&HYBRID, 1);
}

/// The same for Active Directory and two tenants, at some entries.
#[test]
fn agent_killed_at_entries_of_others() {
    at_entries(&AD, 6);
    at_entries(&TENANTS, 6);
}

/// Catches agents that lose a controller which comes back elsewhere, and a controller that loses what agents
/// said: the controller dies, or both do.
#[test]
fn controller_of_external_agents_killed() {
    let mut kills = Vec::new();
    for (case, seed) in [(&HYBRID, 3), (&AD, 5), (&TENANTS, 7)] {
        let (wanted, entries) = case.undisturbed();
        let some = some_of(entries - 1, 9, seed).into_iter();
        kills.extend(
            some.enumerate().map(|(at, entry)| (case, wanted.clone(), entry, (at % 2 == 1).then_some(entry / 2 + 1))),
        );
    }
    for_each(&kills, |(case, wanted, controller, agent)| {
        let env = case.stage();
        let died = play(case, &env, Kill { controller: Some(*controller), agent: *agent })?;
        if !died {
            return Err(format!("nobody died at {controller}"));
        }
        same(&wanted.0, &env.world(), &[])
    });
}
