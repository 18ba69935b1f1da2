//! Holds a sealed plan against the world of now: what keeps all of it from being applied, and which devices are no
//! longer as they were when people looked.
//!
//! Staleness is per device and operation: what is untouched stays approved and runs, what changed is listed for a new
//! review, and a world that moved elsewhere invalidates nothing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::body::{Body, DeviceLine, Input};
use super::file::Sealed;
use super::sign::{Statement, StatementKind};
use crate::diff::{Action, Reason};
use crate::model::{DeviceName, Op, OwnerRole, Problem, PublicKey, RunId};
use crate::plan::{KeyRole, TrustedKey};

/// What a sealed plan is held against.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Now.
    pub now: Timestamp,
    /// Files of the plan as they are now.
    pub inputs: &'a [Input],
    /// The same wave, planned and put into lines now.
    pub fresh: &'a Body,
    /// Keys that the plan lists now.
    pub keys: &'a [TrustedKey],
    /// This controller's own key, which may seal too.
    pub own: Option<PublicKey>,
    /// Approvals that were taken back here, by signature: a file may have lost the line that says so.
    pub taken_back: &'a [String],
    /// Runs that there were.
    pub runs: &'a [RunId],
    /// What keeps the wave closed now; each a clause.
    pub closed: &'a [String],
}

/// One reason to refuse all of it.
pub type Refusal = Problem;

/// What changed on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The device.
    pub device: DeviceName,
    /// Operations with what was sealed and what is there now; empty where the device as such changed.
    pub ops: Vec<(Op, String, String)>,
    /// In words, where it isn't about one operation.
    pub why: Option<String>,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Reasons to refuse all of it; every one that there is.
    pub refusals: Vec<Refusal>,
    /// Devices that still are as they were, of those that the run holds.
    pub ready: Vec<DeviceName>,
    /// Devices that aren't.
    pub stale: Vec<Drift>,
    /// Signatures of the approvals that count.
    pub counted: Vec<String>,
}

/// Holds it.
#[must_use]
pub fn hold(sealed: &Sealed, asked: &Asked<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let refuse = &mut verdict.refusals;
    seal(sealed, asked, refuse);
    inputs(&sealed.body, asked, refuse);
    time(&sealed.body, asked, refuse);
    verdict.counted = approvals(sealed, asked, refuse);
    if asked.runs.contains(&sealed.body.run.run) {
        refuse.push(
            Problem::new("sealed.used", format!("it was applied already, as run {}", sealed.body.run.run))
                .next("`opsole status` shows that run; plan and seal again for what is left"),
        );
    }
    for why in asked.closed {
        let message = format!("wave {} isn't open: {why}", sealed.body.wave);
        refuse.push(Problem::new("sealed.closed", message).next("apply it when the wave is open"));
    }
    verdict.refusals.extend(broken_rules(asked.fresh));
    devices(sealed, asked, &mut verdict);
    // After its own run the tenant isn't what was sealed: that is what it was for, and nobody else's doing.
    if !asked.runs.contains(&sealed.body.run.run) {
        tenant(&sealed.body, asked, &mut verdict);
    }
    verdict
}

fn seal(sealed: &Sealed, asked: &Asked<'_>, refuse: &mut Vec<Refusal>) {
    let key = sealed.seal().key;
    let listed = asked.keys.iter().find(|one| one.key == key && one.role == KeyRole::Sealer);
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let trusted = match listed {
        Some(one) => !one.revoked && one.until.is_none_or(|until| day(sealed.body.sealed_at) <= until),
        None => asked.own == Some(key),
    };
    if !trusted {
        let message = format!("it was sealed with key {}, which neither this folder nor the plan trusts", key.short());
        refuse.push(
            Problem::new("sealed.stranger", message)
                .next("plan and seal it here, or list the key under `policy.keys` with role `sealer`"),
        );
    }
}

fn inputs(body: &Body, asked: &Asked<'_>, refuse: &mut Vec<Refusal>) {
    for was in &body.inputs {
        let what = match asked.inputs.iter().find(|now| now.name == was.name) {
            Some(now) if now.sha256 == was.sha256 => continue,
            Some(_) => "has changed since it was sealed",
            None => "isn't there any more",
        };
        refuse.push(Problem::new("sealed.input", format!("{} {what}", was.name)).next("plan and seal again"));
    }
    for now in asked.inputs.iter().filter(|now| !body.inputs.iter().any(|was| was.name == now.name)) {
        let message = format!("{} is new since it was sealed", now.name);
        refuse.push(Problem::new("sealed.input", message).next("plan and seal again"));
    }
    if body.plan.digest != asked.fresh.plan.digest && refuse.iter().all(|one| one.code != "sealed.input") {
        let message = "the plan's meaning has changed since it was sealed";
        refuse.push(Problem::new("sealed.input", message).next("plan and seal again"));
    }
}

fn time(body: &Body, asked: &Asked<'_>, refuse: &mut Vec<Refusal>) {
    if asked.now > body.not_after {
        let message = format!("it was good until {}", body.not_after);
        refuse.push(Problem::new("sealed.expired", message).next("plan and seal again, and have it approved"));
    }
    for one in body.relies_on.iter().filter(|one| one.until <= asked.now) {
        let kind = match one.kind {
            super::RelianceKind::Exclusion => "exclusion",
            super::RelianceKind::Package => "package",
            super::RelianceKind::Credential => "credential of tenant",
            super::RelianceKind::Attestation => "attestation of",
        };
        let message = format!("it relies on {kind} {}, which ran out at {}", one.name, one.until);
        refuse.push(Problem::new("sealed.ran-out", message).next("renew it, then plan and seal again"));
    }
}

/// Returns a refusal for each rule that blocks. They are held against the plan as it would be now: what earlier runs did tonight counts.
#[must_use]
pub fn broken_rules(fresh: &Body) -> Vec<Refusal> {
    let broken = fresh.rules.iter().filter(|rule| !rule.holds && rule.effect == "block");
    broken
        .map(|rule| {
            let setting = if rule.setting.is_empty() { String::new() } else { format!(" {}", rule.setting) };
            let message = format!("it breaks the rule {}{setting}: {}", rule.rule, rule.seen);
            Problem::new("sealed.policy", message).next(rule.next.clone())
        })
        .collect()
}

/// Says whether an approval counts: the key is the plan's, in that role, alive, and the approval wasn't taken back.
fn counts(statement: &Statement, role: OwnerRole, sealed: &Sealed, asked: &Asked<'_>) -> Result<(), String> {
    let short = statement.key.short();
    let listed = asked.keys.iter().find(|one| one.key == statement.key && one.role == KeyRole::Approver(role));
    let Some(listed) = listed else {
        return Err(format!("key {short} isn't listed for role {} in the plan", role.as_str()));
    };
    if statement.key == sealed.seal().key {
        return Err(format!("key {short} of {} sealed it, and nobody approves his own plan", listed.name));
    }
    if listed.revoked {
        return Err(format!("key {short} of {} is revoked", listed.name));
    }
    if listed.until.is_some_and(|until| statement.at.to_zoned(TimeZone::UTC).date() > until) {
        return Err(format!("key {short} of {} had run out when it signed", listed.name));
    }
    let asks = |rule: &super::RuleLine| rule.rule == "ticket-required" && rule.effect == "block";
    if statement.ticket.is_none() && asked.fresh.rules.iter().any(asks) {
        return Err(format!("{} named no ticket, which the plan's rules ask for", listed.name));
    }
    let later = |other: &&Statement| {
        other.key == statement.key
            && other.at >= statement.at
            && matches!(other.kind, StatementKind::Revocation | StatementKind::Rejection)
    };
    if sealed.statements.iter().any(|other| later(&other)) || asked.taken_back.contains(&statement.signature) {
        return Err(format!("{} took it back", listed.name));
    }
    Ok(())
}

fn approvals(sealed: &Sealed, asked: &Asked<'_>, refuse: &mut Vec<Refusal>) -> Vec<String> {
    let body = &sealed.body;
    // What the plan asks for now counts, as far as it asks for more.
    let required = body.approvals_required.max(asked.fresh.approvals_required);
    let mut people: BTreeSet<&str> = BTreeSet::new();
    let (mut why_not, mut counted) = (Vec::new(), Vec::new());
    for statement in sealed.statements.iter().filter(|one| one.kind == StatementKind::Approval) {
        let Some(role) = statement.role else { continue };
        let wanted = body.approvals_from.is_empty() || body.approvals_from.contains(&role);
        let name = asked.keys.iter().find(|one| one.key == statement.key).map(|one| one.name.as_str());
        match counts(statement, role, sealed, asked) {
            Ok(()) if wanted => {
                counted.push(statement.signature.clone());
                people.insert(name.unwrap_or(&statement.by));
            }
            Ok(()) => why_not.push(format!("role {} may not approve it", role.as_str())),
            Err(why) => why_not.push(why),
        }
    }
    for one in sealed.statements.iter().filter(|one| one.kind == StatementKind::Rejection) {
        let listed = asked.keys.iter().find(|key| key.key == one.key && !key.revoked);
        if let Some(listed) = listed {
            let note = one.note.as_deref().unwrap_or("no reason was given");
            let message = format!("{} sent it back: {note}", listed.name);
            refuse.push(Problem::new("sealed.sent-back", message).next("mend what was said, plan and seal again"));
        }
    }
    let given = u32::try_from(people.len()).unwrap_or(u32::MAX);
    if given < required {
        let roles: Vec<&str> = body.approvals_from.iter().map(|role| role.as_str()).collect();
        let roles = if roles.is_empty() { "any role".to_owned() } else { roles.join(", ") };
        let because = if why_not.is_empty() { String::new() } else { format!(" ({})", why_not.join("; ")) };
        let message = format!("{given} of {required} approvals of {roles} are there{because}");
        refuse.push(
            Problem::new("sealed.approvals", message)
                .next("have it approved: `opsole approve FILE --as ROLE --key KEYFILE`"),
        );
    }
    counted
}

/// Operations of the tenants. One that is done already by now runs and finds it so; what closes with the last devices
/// stays open anyway where some of them are left out.
fn tenant(body: &Body, asked: &Asked<'_>, verdict: &mut Verdict) {
    let same = |a: &super::TenantLine, b: &super::TenantLine| {
        (a.op, &a.account, &a.policy, &a.group) == (b.op, &b.account, &b.policy, &b.group)
    };
    let some_left = !verdict.stale.is_empty();
    for was in body.tenant.iter().filter(|line| line.action == Action::Do && !(line.needs_complete && some_left)) {
        let now = asked.fresh.tenant.iter().find(|now| same(now, was));
        let still = now.is_some_and(|now| match now.action {
            Action::Do => now.needs_complete == was.needs_complete,
            Action::Nothing => now.reason == Reason::AlreadySo,
            _ => false,
        });
        let edited = now.filter(|now| was.object.is_some() && now.object != was.object);
        if let Some(now) = edited.filter(|_| still) {
            let policy = was.policy.as_deref().unwrap_or_default();
            let message = format!("policy `{policy}`, which {} edits, was changed by somebody", was.op);
            let found = Problem::new("sealed.drift", message)
                .detail(format!("sealed: {}; now: {}", was.before, now.before))
                .next("see what was changed, then plan and seal again");
            verdict.refusals.push(found);
        } else if !still {
            let policy = was.policy.as_ref().map(|policy| format!(" in `{policy}`")).unwrap_or_default();
            let message = format!("{} for {}{policy} isn't what was sealed any more", was.op, was.account);
            verdict.refusals.push(Problem::new("sealed.drift", message).next("plan and seal again"));
        }
    }
}

fn devices(sealed: &Sealed, asked: &Asked<'_>, verdict: &mut Verdict) {
    for run in &sealed.body.run.devices {
        let name = &run.task.device;
        let drift = |why: &str| Drift { device: name.clone(), ops: Vec::new(), why: Some(why.to_owned()) };
        let (Some(was), Some(now)) = (sealed.body.device(name.as_str()), asked.fresh.device(name.as_str())) else {
            verdict.stale.push(drift("the plan's wave doesn't hold it any more"));
            continue;
        };
        if let Some(found) = differs(&sealed.body, was, asked.fresh, now, name) {
            verdict.stale.push(found);
            continue;
        }
        match asked.fresh.run.device(name) {
            Some(fresh) if fresh == run => verdict.ready.push(name.clone()),
            Some(_) => verdict.stale.push(drift("what its agent would be told isn't what was sealed")),
            None => verdict.stale.push(drift("it wouldn't run now")),
        }
    }
}

/// Compares a device's lines, operation by operation.
fn differs(was_in: &Body, was: &DeviceLine, now_in: &Body, now: &DeviceLine, name: &DeviceName) -> Option<Drift> {
    let mut ops = Vec::new();
    let effects = |body: &Body, device: &DeviceLine, op: Op| {
        let found = device.effects.iter().find(|effect| effect.0 == op);
        found.map(|effect| (body.text(effect.1).to_owned(), body.text(effect.2).to_owned()))
    };
    let (before, after) = (was_in.chain(was), now_in.chain(now));
    let all: BTreeSet<Op> = before.iter().chain(after).map(|change| change.0).collect();
    for op in all {
        let one = |chain: &[super::ChangeLine]| chain.iter().find(|change| change.0 == op).map(|c| (c.1, c.2));
        let (sealed, fresh) = (one(before), one(after));
        let words = |change: Option<(Action, Reason)>, effect: Option<(String, String)>| {
            let change = change.map_or_else(
                || "not there".to_owned(),
                |(action, reason)| format!("{} ({})", word(&action), word(&reason)),
            );
            effect.map_or(change.clone(), |(before, after)| format!("{change}: {before} -> {after}"))
        };
        let (left, right) = (effects(was_in, was, op), effects(now_in, now, op));
        if sealed != fresh || left != right {
            ops.push((op, words(sealed, left), words(fresh, right)));
        }
    }
    let why = (was.standing != now.standing).then(|| format!("it was `{}` and is `{}`", was.standing, now.standing));
    (!ops.is_empty() || why.is_some()).then(|| Drift { device: name.clone(), ops, why })
}

fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
