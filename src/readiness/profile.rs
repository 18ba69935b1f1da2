//! The profile that moves, on the device: local, healthy, not loaded by others, and nothing in its way.

use super::Judged;
use super::device::{Expect, ExpectedProfile, unread};
use crate::model::{Check, DeviceFacts, Known, Profile, ProfileHealth, Survey};

/// Judges the profile. Who owns it is [`super::person`]'s question; while that is open only loaders are judged.
pub(super) fn checks(
    facts: &DeviceFacts,
    survey: Option<&Survey>,
    expect: &Expect<'_>,
    add: &mut dyn FnMut(Check, Judged),
) {
    if let Some(judged) = loaders(facts, survey, expect) {
        add(Check::ProfLoaders, judged);
    }
    let Some(expected) = &expect.profile else { return };
    let target = facts.profile_of(expected.new_sid);
    if target.is_some_and(|profile| same_path(&profile.path, expected.path)) {
        for check in [Check::ProfLocal, Check::ProfHealthy, Check::ProfTargetAbsent] {
            add(check, Judged::pass("it has its new owner already"));
        }
        return;
    }
    add(Check::ProfTargetAbsent, absent(target, expected));
    let (local, healthy) = health(facts.profile_of(expected.old_sid), expected);
    add(Check::ProfLocal, local);
    add(Check::ProfHealthy, healthy);
}

/// Says whether two paths are the same to Windows.
fn same_path(a: &str, b: &str) -> bool {
    a.trim_end_matches('\\').eq_ignore_ascii_case(b.trim_end_matches('\\'))
}

fn absent(target: Option<&Profile>, expected: &ExpectedProfile<'_>) -> Judged {
    match target {
        Some(profile) if !profile.is_empty() => Judged::fail(format!(
            "{} already has a profile with data, {} MiB in {}",
            expected.new_sid, profile.size_mib, profile.path
        ))
        .code("profile.target-exists")
        .remedy("save what is in it and remove the profile, then let the agent report again"),
        Some(profile) => Judged::pass(format!("{} is empty and is replaced", profile.path)),
        None => Judged::pass("the new identity has no profile on it"),
    }
}

/// Returns what there is to say for `prof.local` and for `prof.healthy`.
fn health(profile: Option<&Profile>, expected: &ExpectedProfile<'_>) -> (Judged, Judged) {
    let Some(profile) = profile else {
        let seen = format!("{} has no profile on it", expected.old_sid);
        let next = "name the person whose profile moves in the inventory's `user` column";
        let healthy = Judged::fail(seen).code("profile.none").remedy(next);
        return (Judged::not_applicable("there is no profile"), healthy);
    };
    let bad = |what: &str, code| Judged::fail(format!("the profile in {} {what}", profile.path)).code(code);
    let (local, healthy) = (Judged::pass("it is a local one"), Judged::pass("it is healthy"));
    match profile.health {
        ProfileHealth::Healthy => (local, healthy),
        ProfileHealth::Temporary => (
            local,
            bad("is a temporary one", "profile.temporary")
                .remedy("find out why Windows couldn't load the person's own profile, mend it, sign in again"),
        ),
        ProfileHealth::Corrupt => {
            (local, bad("is damaged: a `.bak` twin, or a hive that can't be read", "profile.corrupt"))
        }
        ProfileHealth::Roaming => (bad("is a roaming one", "profile.roaming"), healthy),
        ProfileHealth::Mandatory => (bad("is a mandatory one", "profile.mandatory"), healthy),
        ProfileHealth::Container => (
            bad("lies in a container (FSLogix, Citrix UPM)", "profile.container")
                .remedy("exclude the device: containers move with their own tools"),
            healthy,
        ),
    }
}

/// Names what loads the profile besides its user: a loaded hive can't be swapped (domain.md E 4, E 25).
fn loaders(facts: &DeviceFacts, survey: Option<&Survey>, expect: &Expect<'_>) -> Option<Judged> {
    let moves =
        |profile: &&Profile| expect.profile.is_none_or(|e| profile.sid == *e.old_sid || profile.sid == *e.new_sid);
    let mut named: Vec<String> = Vec::new();
    for profile in facts.profiles.iter().filter(moves) {
        named.extend(profile.loaders.iter().cloned());
    }
    let mut gaps = Vec::new();
    for (known, what) in survey.into_iter().flat_map(|survey| {
        [(&survey.user_services, "services under user accounts"), (&survey.user_tasks, "tasks with saved credentials")]
    }) {
        match known {
            Known::Known(list) => named.extend(list.iter().cloned()),
            Known::Absent => {}
            Known::Unknown(why) => gaps.push(unread(what, why)),
        }
    }
    named.sort();
    named.dedup();
    if !named.is_empty() {
        let seen = format!("{} may load a profile before the swap", named.join(", "));
        gaps.push(Judged::warn(seen));
    }
    if survey.is_none() && gaps.is_empty() {
        return None;
    }
    gaps.push(Judged::pass("nothing but its user loads it"));
    Some(Judged::worst(gaps))
}
