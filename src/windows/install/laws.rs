//! Laws of installing, on a Windows in memory.

use secrecy::ExposeSecret as _;

use super::{AgentSettings, Places, Request, SERVICE, forget_token, install, look, read, uninstall};
use crate::model::{DeviceName, PublicKey};
use crate::windows::machine::{Files as _, Host as _, Key, Machine, Registry as _, Services as _, StartKind, Value};
use crate::windows::memory::Memory;
use crate::wire::EnrolmentToken;
use zeroize::Zeroizing;

const SETUP: &str = r"C:\Temp\opsole.exe";

fn name(machine: &Memory) -> DeviceName {
    DeviceName::new(&machine.computer_name().expect("a name"))
}

fn settings(machine: &Memory) -> AgentSettings {
    let token = EnrolmentToken::new(name(machine), [7; 32], PublicKey::new([9; 32]));
    AgentSettings {
        authorities: Some("PEM".to_owned()),
        pins: vec![format!("sha256/{}=", "A".repeat(43)).parse().expect("a pin")],
        proxy: "http://proxy.contoso.com:8080".parse().expect("a proxy"),
        token: Some(Zeroizing::new(token.expose().to_string())),
        ..AgentSettings::new("https://opsole.contoso.com:8443")
    }
}

fn request(machine: &Memory) -> Request {
    Request { program: SETUP.to_owned(), settings: Some(settings(machine)), enrolled: false }
}

fn machine() -> Memory {
    let machine = Memory::default();
    machine.create_private_for_tests();
    machine.write(SETUP, b"MZ one").expect("a program");
    machine.forget_calls();
    machine
}

trait Prepared {
    fn create_private_for_tests(&self);
}
impl Prepared for Memory {
    fn create_private_for_tests(&self) {
        crate::windows::machine::Files::create_private(self, r"C:\Temp").expect("a folder");
    }
}

/// Catches a look that changes something, an installation that forgets a part, and one that differs when it is done
/// again.
#[test]
fn again_is_an_upgrade_and_a_look_changes_nothing() {
    let machine = machine();
    let before = machine.dump();
    let looked = look(&machine, &request(&machine)).expect("a look");
    assert_eq!(machine.dump(), before);
    let installed = install(&machine, &request(&machine)).expect("installed");
    assert_eq!(installed, looked);
    let places = Places::of(&machine).expect("places");
    let service = machine.service(SERVICE).expect("readable").expect("a service");
    assert!(service.running && service.start == StartKind::Auto);
    assert_eq!(service.command, format!("\"{}\" agent run --service", places.program));
    assert_eq!(machine.read(&places.program, 100), Ok(Some(b"MZ one".to_vec())));
    let stored = read(&machine, &places).expect("readable").expect("settings");
    let wanted = settings(&machine);
    assert_eq!(stored.settings.connection().authorities, wanted.authorities);
    assert_eq!(stored.settings.pins, wanted.pins);
    assert_eq!(stored.settings.proxy.to_string(), wanted.proxy.to_string());
    assert_eq!(stored.token.map(|token| token.expose_secret().to_owned()), wanted.token.map(|token| token.to_string()));
    // An upgrade without settings keeps them, and a token that wasn't used.
    machine.write(SETUP, b"MZ two").expect("a program");
    let upgrade = Request { settings: None, ..request(&machine) };
    let again = install(&machine, &upgrade).expect("again");
    let changed: Vec<_> = again.parts.iter().filter(|part| part.change != "nothing").map(|part| part.part).collect();
    assert_eq!(changed, ["program", "start"]);
    assert_eq!(machine.read(&places.program, 100), Ok(Some(b"MZ two".to_vec())));
    assert!(read(&machine, &places).expect("readable").expect("settings").token.is_some());
    let whole = machine.dump();
    install(&machine, &upgrade).expect("a third time");
    assert_eq!(machine.dump(), whole);
}

/// Catches a token that lies in the open, that stays once it was used, or that is told in an error.
#[test]
fn the_token_is_kept_encrypted_until_it_is_used() {
    let machine = machine();
    install(&machine, &request(&machine)).expect("installed");
    let (places, token) = (Places::of(&machine).expect("places"), settings(&machine).token.expect("a token"));
    let secret = token.split('.').nth_back(1).expect("a seed");
    let kept = machine.read(&places.token, 1 << 16).expect("readable").expect("a file");
    assert!(!String::from_utf8_lossy(&kept).contains(secret));
    assert!(!machine.dump().values().any(|value| value.contains(secret)) && !format!("{machine:?}").contains(secret));
    forget_token(&machine, &places).expect("gone");
    assert!(read(&machine, &places).expect("readable").expect("settings").token.is_none());
    let text = format!(r#"{{"format":"opsole.agent-settings/1","controller":1,"token":"{secret}"}}"#);
    let problem = AgentSettings::parse(text.as_bytes()).expect_err("no settings");
    assert!(!format!("{problem:?}").contains(secret), "{problem:?}");
    assert!(!format!("{:?}", settings(&machine)).contains(secret));
}

/// Catches another device's token that is used up, names that anybody on the way can read, and pins that are dropped.
#[test]
fn settings_that_cant_be_right_are_refused() {
    let machine = machine();
    let good = settings(&machine);
    let code = |settings: AgentSettings| {
        let request = Request { settings: Some(settings), ..request(&machine) };
        look(&machine, &request).err().map(|problem| problem.code).unwrap_or_default()
    };
    assert_eq!(code(good.clone()), "");
    let other = EnrolmentToken::new(DeviceName::new("OTHER"), [7; 32], PublicKey::new([9; 32])).expose();
    assert_eq!(code(AgentSettings { token: Some(other), ..good.clone() }), "agent.settings-device");
    assert_eq!(code(AgentSettings { device: Some(DeviceName::new("OTHER")), ..good.clone() }), "agent.settings-device");
    assert_eq!(code(AgentSettings { token: Some(Zeroizing::new("x".to_owned())), ..good.clone() }), "agent.settings");
    assert_eq!(code(AgentSettings { token: None, ..good.clone() }), "agent.no-token");
    for wrong in ["http://opsole.contoso.com", "opsole.contoso.com", "https://jane@opsole.contoso.com", ""] {
        assert_eq!(code(AgentSettings { controller: wrong.to_owned(), ..good.clone() }), "agent.settings", "{wrong}");
    }
    let none = Request { settings: None, ..request(&machine) };
    assert_eq!(look(&machine, &none).err().map(|problem| problem.code).as_deref(), Some("agent.settings"));
    install(&machine, &request(&machine)).expect("installed");
    let places = Places::of(&machine).expect("places");
    machine.set(&Key::machine(r"SOFTWARE\Opsole"), "Pins", &Value::Sz("sha256/x".to_owned())).expect("set");
    assert_eq!(read(&machine, &places).err().map(|problem| problem.code).as_deref(), Some("agent.settings"));
}

/// Catches a failure or a kill that leaves a device that the same command can't bring on, at any call.
#[test]
fn whatever_fails_the_same_command_goes_on() {
    let whole = {
        let machine = machine();
        install(&machine, &request(&machine)).expect("installed");
        machine.dump()
    };
    for n in 1.. {
        for kill in [false, true] {
            let machine = machine();
            let wanted = request(&machine);
            if kill {
                machine.die_after(n)
            } else {
                machine.fail_at(n)
            }
            let outcome = install(&machine, &wanted);
            if !machine.heal() && outcome.is_ok() {
                assert!(n > 10, "the faults strike");
                return;
            }
            install(&machine, &wanted).unwrap_or_else(|problem| panic!("{n} {kill}: {problem}"));
            assert_eq!(machine.dump().keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>(), "{n} {kill}");
        }
    }
}

/// Catches something that stays on a device whose agent was taken away.
#[test]
fn nothing_stays() {
    let machine = machine();
    let before = machine.dump();
    install(&machine, &request(&machine)).expect("installed");
    let places = Places::of(&machine).expect("places");
    let installed = machine.dump();
    let shown = uninstall(&machine, &places.program, true).expect("a look");
    assert_eq!((machine.dump(), shown.left.as_slice()), (installed, [places.program].as_slice()));
    let done = uninstall(&machine, SETUP, false).expect("gone");
    assert!(done.left.is_empty() && done.removed.len() == 4, "{done:?}");
    assert_eq!(machine.dump(), before);
    assert!(uninstall(&machine, SETUP, false).expect("again").removed.is_empty());
    let _: &dyn Machine = &machine;
}
