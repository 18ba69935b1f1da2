//! opsole.exe under Wine: a controller here drives a real agent process there through its whole chain.
//!
//! What Wine can't do is answered from outside, call by call, and the output names each such call.

mod killer;
mod prefix;
mod settings;
mod story;
mod twin;

use killer::Killer;
use prefix::{package, program};
use story::Story;

/// Catches an agent that works on a model of Windows alone: here its registry, files, service, protected bytes and
/// restarts are those of a Windows, though Wine's. And an `agent uninstall` that leaves something.
#[test]
fn a_controller_drives_an_agent_under_wine() {
    let exe = match program() {
        Ok(exe) => exe,
        Err(why) => return println!("LEFT OUT: {why}"),
    };
    let mut story = Story::begin(&exe);
    drop(story.wine.opsole(&["agent", "install", "--settings", settings::FILE]).expect(0));
    story.drive(&mut |_, _| {});
    println!("{}", story.what_was_answered());
    story.person_finds_everything();
    story.token_is_gone();

    let status = story.wine.opsole(&["agent", "status", "--output", "json"]).expect(0).json();
    assert_eq!((status["service"].as_str(), status["identity"].as_bool()), (Some("running"), Some(true)), "{status}");
    assert_eq!((&status["run"]["under_way"], &status["run"]["unsent"]), (&false.into(), &0.into()), "{status}");
    let seen = story.wine.opsole(&["agent", "uninstall", "--dry-run"]).expect(0);
    assert!(seen.out.contains("Would remove") && story.wine.has_agent(), "{seen:?}");
    let gone = story.wine.opsole(&["agent", "uninstall"]).expect(0);
    assert!(gone.out.contains("Removed") && !story.wine.has_agent(), "{gone:?}");
    let again = story.wine.opsole(&["agent", "uninstall"]).expect(0);
    assert!(again.out.contains("isn't installed"), "{gone:?}\n{again:?}");
}

/// Catches an agent that loses its way when it is killed: right after any first entry of its kind in its journal, which
/// is before or after each thing that it does. And a package that doesn't install what the program by itself does.
#[test]
fn an_agent_under_wine_is_killed_at_every_step() {
    let (exe, msi) = match program().and_then(|exe| Ok((exe, package()?))) {
        Ok(both) => both,
        Err(why) => return println!("LEFT OUT: {why}"),
    };
    let mut story = Story::begin(&exe);
    story.wine.copy(&msi, r"C:\opsole.msi");
    let line = format!("SETTINGS={}", settings::FILE);
    drop(story.wine.run(&["msiexec", "/i", r"C:\opsole.msi", "/qn", &line]).expect(0));
    assert!(story.wine.has_agent(), "the package installs the service");
    let mut killer = Killer::default();
    story.drive(&mut |wine, twin| killer.look(wine, twin));
    println!("killed {} times:", killer.killed.len());
    for what in &killer.seen {
        let killed = killer.killed.contains(what);
        println!("  {} after: {what}", if killed { "killed" } else { "NOT killed, it was too fast," });
    }
    story.person_finds_everything();
    // Preflight to cleaning up there are over fifty. On a busy machine some are too fast to be hit.
    assert!(killer.killed.len() > 25, "only {} times", killer.killed.len());
    let recover = killer.recover.expect("it was looked at in the middle");
    assert_eq!(recover["format"], "opsole.agent-recover/1");
    assert_eq!((&recover["stage"], &recover["stopped"]["op"]), (&"moved".into(), &killer::LOOKED_AT.into()));
    assert!(recover["remedies"].as_array().is_some_and(|list| !list.is_empty()), "{recover}");

    drop(story.wine.run(&["msiexec", "/x", r"C:\opsole.msi", "/qn"]).expect(0));
    assert!(!story.wine.has_agent(), "the package takes everything away");
    assert!(!story.wine.disk(r"C:\Program Files\Opsole\opsole.exe").exists(), "the program is still there");
}
