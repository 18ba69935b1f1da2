//! Laws of comparing: nothing differs from itself, both directions tell the same, no change is missed.

use serde_json::Value;

use super::sample::{fleet, sample_of};
use super::sign::signer;
use super::{Body, DevicePart, Fate, Part, Sealed, compare, compare_bodies};
use crate::dag::fixture::{exclusion, named};

/// One device that runs, one that is blocked, one that is excluded.
fn body() -> Body {
    let mut fleet = fleet(3);
    fleet.plan.exclusions.push(exclusion(named("pc-002")));
    fleet.user(1).enabled = false;
    let kind = crate::plan::RuleKind::MaxDevicesPerNight(1);
    fleet.plan.policy.rules = vec![crate::plan::Rule { kind, effect: crate::plan::RuleEffect::Warn }];
    let mut body = sample_of(&fleet);
    body.nights.insert(jiff::civil::date(2026, 12, 1), 3);
    body
}

/// Catches a difference between a plan and itself: where texts and chains stand in the file must not count.
#[test]
fn nothing_differs_from_itself() {
    let one = body();
    assert!(compare_bodies(&one, &one).is_empty());
    let mut other = one.clone();
    other.texts.reverse();
    other.chains.reverse();
    let (texts, chains) = (one.texts.len() as u32, one.chains.len() as u32);
    for device in &mut other.devices {
        device.chain = chains - 1 - device.chain;
        for effect in &mut device.effects {
            (effect.1, effect.2) = (texts - 1 - effect.1, texts - 1 - effect.2);
        }
        for blocker in &mut device.blockers {
            (blocker.message, blocker.next) = (texts - 1 - blocker.message, texts - 1 - blocker.next);
        }
    }
    assert!(compare_bodies(&one, &other).is_empty());
    let sealed = Sealed::new(one, "planner", &signer(1)).expect("sound");
    assert!(compare(&sealed, &sealed.clone()).is_empty());
}

/// Every place of a document that holds something.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| places(value, &format!("{at}/{key}"), out)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(key, value)| places(value, &format!("{at}/{key}"), out));
        }
        _ => out.push(at.to_owned()),
    }
}

/// Returns values of the same kind that may stand there instead.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) => {
            let time = text.parse::<jiff::Timestamp>().is_ok();
            let words = [
                "skip",
                "blocked",
                "excluded",
                "feature-off",
                "network",
                "exclusion",
                "device.clean-up",
                "ad-to-entra",
                "2001-01-01T00:00:00Z",
                "00000000-0000-7000-8000-000000000001",
                "S-1-5-21-1-2-3-4",
                "PC-0015",
                "sha256:0000000000000000000000000000000000000000000000000000000000000000",
                "0000000000000000000000000000000000000000000000000000000000000000",
            ];
            let mut all: Vec<Value> = if time { Vec::new() } else { vec![format!("{text}x").into()] };
            all.extend(words.iter().filter(|word| *word != text).map(|word| Value::from(*word)));
            all
        }
        Value::Number(number) => vec![(number.as_u64().unwrap_or(0) + 1).into(), 0.into()],
        Value::Bool(flag) => vec![(!flag).into()],
        _ => vec!["x".into(), 7.into()],
    }
}

/// Catches a member of any value of a body that may change without being told, and a direction that tells less.
#[test]
fn every_single_change_is_told() {
    let one = body();
    let document = serde_json::to_value(&one).expect("JSON");
    let mut all = Vec::new();
    places(&document, "", &mut all);
    let (mut tried, mut kept) = (0, 0);
    for place in &all {
        let Some(value) = document.pointer(place) else { continue };
        tried += 1;
        // The first other value that makes a body which can be read.
        for other in others(value) {
            let mut changed = document.clone();
            *changed.pointer_mut(place).expect("a place") = other;
            let Ok(changed) = serde_json::from_value::<Body>(changed) else { continue };
            // Names in another order aren't a body; a position that leads to an equal text changes nothing.
            if changed.check().is_err() || serde_json::to_value(&changed).expect("JSON") == document {
                continue;
            }
            kept += 1;
            let told = compare_bodies(&one, &changed);
            assert!(!told.is_empty(), "{place}: {value}");
            assert_eq!(compare_bodies(&changed, &one), told.mirrored(), "{place}");
            break;
        }
    }
    assert!(kept * 10 > tried * 8, "{kept} of {tried}");
}

/// Catches a device that comes or goes and is told as changed, and a change whose operation isn't named.
#[test]
fn devices_come_go_and_change() {
    let one = body();
    let mut fleet = fleet(4);
    fleet.facts(1).configmgr = true;
    fleet.plan.exclusions.push(exclusion(named("pc-002")));
    let mut other = sample_of(&fleet);
    other.devices.retain(|device| device.name != "PC-000");
    other.run.devices.retain(|device| device.task.device.as_str() != "PC-000");
    let told = compare_bodies(&one, &other);
    let fates: Vec<(&str, Fate)> = told.devices.iter().map(|one| (one.device.as_str(), one.fate)).collect();
    assert_eq!(fates, [("PC-000", Fate::Removed), ("PC-001", Fate::Changed), ("PC-003", Fate::Added)]);
    let has = |part, name: &str, field: &str| {
        told.devices[1].differences.iter().any(|one| one.part == part && one.name == name && one.field == field)
    };
    assert!(has(DevicePart::Operation, "device.remove-configmgr", "action"));
    assert!(has(DevicePart::Standing, "", "standing"));
    let mut gone = told.devices[1].differences.iter().filter(|one| one.part == DevicePart::Blocker);
    assert!(gone.any(|one| one.name.starts_with("user.disabled") && one.after.is_none()));
    let told: std::collections::BTreeSet<Part> = told.plan.iter().map(|one| one.part).collect();
    assert!(told.contains(&Part::Header) && told.contains(&Part::Wave) && !told.contains(&Part::Input), "{told:?}");
}
