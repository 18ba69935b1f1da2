//! What changed from one sealed plan to another.
//!
//! Both are written out as facts by name, so that positions among texts and chains count for nothing, and every member of
//! every value is compared without being named here. Devices that are alike in both cost no memory.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::body::{Body, ChangeLine, DeviceLine};
use super::file::Sealed;
use crate::model::fields;
use crate::run::DeviceRun;

/// What a fact of a sealed plan is about, in the order of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Which plan and wave, when sealed, good until when, approvals that it needs.
    Header,
    /// Signatures under it.
    Signature,
    /// Files that it was made from.
    Input,
    /// What ends and would make it untrue.
    Reliance,
    /// Who the owner roles are.
    Owner,
    /// Waves.
    Wave,
    /// Packages.
    Package,
    /// Exclusions.
    Exclusion,
    /// Rules of the policy, and whether they hold.
    Rule,
    /// Operations of the tenants.
    Tenant,
    /// What was found.
    Finding,
    /// What an operation is.
    Operation,
    /// What the run does besides its devices.
    Run,
}

/// What a fact of one device is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DevicePart {
    /// Where it stands, its user, the exclusion that covers it.
    Standing,
    /// What keeps it back.
    Blocker,
    /// One operation: action, reason, before, after.
    Operation,
    /// What its agent is told.
    Task,
}

/// One fact that isn't the same in both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference<P> {
    /// What it is about.
    pub part: P,
    /// Which of them; empty where there is only one.
    pub name: String,
    /// Which member; empty for the thing itself, which is there or isn't.
    pub field: String,
    /// In the first plan.
    pub before: Option<String>,
    /// In the second.
    pub after: Option<String>,
}

/// What became of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Only the second plan has it.
    Added,
    /// Only the first plan has it.
    Removed,
    /// Both have it, and not alike.
    Changed,
}

/// One device that isn't the same in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceDifference {
    /// Its name.
    pub device: String,
    /// What became of it.
    pub fate: Fate,
    /// Facts, in order.
    pub differences: Vec<Difference<DevicePart>>,
}

/// What changed from one sealed plan to another.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Comparison {
    /// Everything besides devices, in order.
    pub plan: Vec<Difference<Part>>,
    /// Devices in the order of their names.
    pub devices: Vec<DeviceDifference>,
}

impl Comparison {
    /// Says whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plan.is_empty() && self.devices.is_empty()
    }
    /// Returns the same as seen from the second plan.
    #[must_use]
    pub fn mirrored(mut self) -> Self {
        fn turn<P>(list: &mut [Difference<P>]) {
            list.iter_mut().for_each(|one| std::mem::swap(&mut one.before, &mut one.after));
        }
        turn(&mut self.plan);
        for device in &mut self.devices {
            device.fate = match device.fate {
                Fate::Added => Fate::Removed,
                Fate::Removed => Fate::Added,
                Fate::Changed => Fate::Changed,
            };
            turn(&mut device.differences);
        }
        self
    }
}

/// Compares two sealed plans, with their signatures.
#[must_use]
pub fn compare(before: &Sealed, after: &Sealed) -> Comparison {
    let mut all = compare_bodies(&before.body, &after.body);
    let facts = |sealed: &Sealed| {
        let mut facts = Facts::new();
        put(&mut facts, Part::Header, "", "digest", &Value::from(sealed.digest().to_string()));
        for one in &sealed.statements {
            let role = one.role.map(|role| format!(" as {}", role.as_str())).unwrap_or_default();
            let kind = serde_json::to_value(one.kind).unwrap_or_default();
            let name = format!("{} by {}{role} at {}", kind.as_str().unwrap_or_default(), one.by, one.at);
            item(&mut facts, Part::Signature, &name, one, &["kind", "by", "role", "at", "over", "signature"]);
        }
        facts
    };
    all.plan.extend(differences(&facts(before), &facts(after)));
    all.plan.sort();
    all
}

/// Compares two bodies.
#[must_use]
pub fn compare_bodies(before: &Body, after: &Body) -> Comparison {
    let plan = differences(&facts(before), &facts(after));
    let mut devices = Vec::new();
    let (mut left, mut right) = (before.devices.iter().peekable(), after.devices.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(one), Some(other)) => one.name.cmp(&other.name),
        };
        let one = if order.is_le() { left.next() } else { None };
        let other = if order.is_ge() { right.next() } else { None };
        devices.extend(of_device(before, one, after, other));
    }
    Comparison { plan, devices }
}

fn of_device(
    before: &Body,
    one: Option<&DeviceLine>,
    after: &Body,
    other: Option<&DeviceLine>,
) -> Option<DeviceDifference> {
    let (device, fate) = match (one, other) {
        (Some(one), Some(other)) if alike(before, one, after, other) => return None,
        (Some(one), Some(_)) => (one, Fate::Changed),
        (Some(one), None) => (one, Fate::Removed),
        (None, Some(other)) => (other, Fate::Added),
        (None, None) => return None,
    };
    let facts = |body: &Body, line: Option<&DeviceLine>| line.map(|line| device_facts(body, line)).unwrap_or_default();
    let differences = differences(&facts(before, one), &facts(after, other));
    // Chains in another order hold the same facts.
    let same = differences.is_empty() && fate == Fate::Changed;
    (!same).then(|| DeviceDifference { device: device.name.clone(), fate, differences })
}

fn run_of<'b>(body: &'b Body, name: &str) -> Option<&'b DeviceRun> {
    let at = body.run.devices.binary_search_by(|run| run.task.device.as_str().cmp(name)).ok()?;
    body.run.devices.get(at)
}

/// Says whether a device is the same in both, without writing anything out.
fn alike(before: &Body, one: &DeviceLine, after: &Body, other: &DeviceLine) -> bool {
    let texts = |one: u32, other: u32| before.text(one) == after.text(other);
    one.standing == other.standing
        && one.user == other.user
        && one.exclusion == other.exclusion
        && before.chain(one) == after.chain(other)
        && one.effects.len() == other.effects.len()
        && one.effects.iter().zip(&other.effects).all(|(a, b)| a.0 == b.0 && texts(a.1, b.1) && texts(a.2, b.2))
        && one.blockers.len() == other.blockers.len()
        && one.blockers.iter().zip(&other.blockers).all(|(a, b)| {
            a.code == b.code && a.owner == b.owner && texts(a.message, b.message) && texts(a.next, b.next)
        })
        && run_of(before, &one.name) == run_of(after, &other.name)
}

/// Facts by what they are about, the name, the member.
type Facts<P> = BTreeMap<(P, String, String), String>;

fn differences<P: Copy + Ord>(before: &Facts<P>, after: &Facts<P>) -> Vec<Difference<P>> {
    let keys: BTreeSet<&(P, String, String)> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| Difference {
            part: key.0,
            name: key.1.clone(),
            field: key.2.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
        })
        .collect()
}

fn facts(body: &Body) -> Facts<Part> {
    let mut facts = Facts::new();
    let all = serde_json::to_value(Head { body }).unwrap_or_default();
    put(&mut facts, Part::Header, "", "", &all);
    for one in &body.inputs {
        item(&mut facts, Part::Input, &one.name, one, &["name"]);
    }
    for one in &body.relies_on {
        let kind = serde_json::to_value(one.kind).unwrap_or_default();
        let name = format!("{} {}", kind.as_str().unwrap_or_default(), one.name);
        item(&mut facts, Part::Reliance, &name, one, &["kind", "name"]);
    }
    for (role, person) in &body.owners {
        put(&mut facts, Part::Owner, role.as_str(), "", &Value::from(person.as_str()));
    }
    for one in &body.waves {
        item(&mut facts, Part::Wave, &one.name, one, &["name"]);
    }
    for one in &body.packages {
        item(&mut facts, Part::Package, &one.name, one, &["name"]);
    }
    for one in &body.exclusions {
        item(&mut facts, Part::Exclusion, &one.id, one, &["id"]);
    }
    for one in &body.tenant {
        let policy = one.policy.as_ref().map(|policy| format!(", policy `{policy}`")).unwrap_or_default();
        let name = format!("{} {}{policy}", one.op, one.account);
        item(&mut facts, Part::Tenant, &name, one, &["op", "account", "policy"]);
    }
    for one in &body.findings {
        let subject = if one.subject.is_empty() { String::new() } else { format!(" {}", one.subject) };
        let name = format!("{}{subject}: {}", one.code, one.seen);
        item(&mut facts, Part::Finding, &name, one, &["code", "subject", "seen"]);
    }
    for one in &body.rules {
        let name = format!("{} {}", one.rule, one.setting);
        item(&mut facts, Part::Rule, name.trim_end(), one, &["rule", "setting"]);
    }
    for one in &body.operations {
        item(&mut facts, Part::Operation, one.op.name(), one, &["op"]);
    }
    let run = &body.run;
    let mut value =
        serde_json::to_value(crate::run::RunPlan { devices: Vec::new(), ..run.clone() }).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.remove("devices");
    }
    put(&mut facts, Part::Run, "", "", &value);
    facts
}

/// The members of a body that aren't lists of things.
struct Head<'b> {
    body: &'b Body,
}

impl Serialize for Head<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let body = self.body;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("format", &body.format)?;
        map.serialize_entry("tool", &body.tool)?;
        map.serialize_entry("plan", &body.plan)?;
        map.serialize_entry("wave", &body.wave)?;
        map.serialize_entry("as_of", &body.as_of)?;
        map.serialize_entry("sealed_at", &body.sealed_at)?;
        map.serialize_entry("not_after", &body.not_after)?;
        map.serialize_entry("snapshot", &body.snapshot)?;
        map.serialize_entry("parent", &body.parent)?;
        map.serialize_entry("nights", &body.nights)?;
        map.serialize_entry("approvals_required", &body.approvals_required)?;
        map.serialize_entry("approvals_from", &body.approvals_from)?;
        map.end()
    }
}

fn device_facts(body: &Body, device: &DeviceLine) -> Facts<DevicePart> {
    let mut facts = Facts::new();
    let text = |at: u32| Value::from(body.text(at));
    put(&mut facts, DevicePart::Standing, "", "standing", &Value::from(device.standing.as_str()));
    put(&mut facts, DevicePart::Standing, "", "user", &Value::from(device.user.as_deref()));
    put(&mut facts, DevicePart::Standing, "", "exclusion", &Value::from(device.exclusion.as_deref()));
    for one in &device.blockers {
        let name = fresh(&facts, DevicePart::Blocker, &format!("{}: {}", one.code, body.text(one.message)));
        put(&mut facts, DevicePart::Blocker, &name, "", &Value::from("blocks"));
        put(&mut facts, DevicePart::Blocker, &name, "next", &text(one.next));
        put(&mut facts, DevicePart::Blocker, &name, "owner", &Value::from(one.owner.as_str()));
    }
    for ChangeLine(op, action, reason) in body.chain(device) {
        for (field, value) in [("action", serde_json::to_value(action)), ("reason", serde_json::to_value(reason))] {
            put(&mut facts, DevicePart::Operation, op.name(), field, &value.unwrap_or_default());
        }
    }
    for one in &device.effects {
        put(&mut facts, DevicePart::Operation, one.0.name(), "before", &text(one.1));
        put(&mut facts, DevicePart::Operation, one.0.name(), "after", &text(one.2));
    }
    if let Some(run) = run_of(body, &device.name) {
        put(&mut facts, DevicePart::Task, "", "", &serde_json::to_value(run).unwrap_or_default());
    }
    facts
}

/// Puts a thing with all its members but those that name it.
fn item<P: Copy + Ord>(facts: &mut Facts<P>, part: P, name: &str, value: &impl Serialize, but: &[&str]) {
    let name = fresh(facts, part, name);
    let mut value = serde_json::to_value(value).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        but.iter().for_each(|member| drop(members.remove(*member)));
    }
    facts.insert((part, name.clone(), String::new()), "there".to_owned());
    put(facts, part, &name, "", &value);
}

/// Returns a name that isn't taken: of two things that are alike, one may be gone.
fn fresh<P: Copy + Ord>(facts: &Facts<P>, part: P, name: &str) -> String {
    let taken = |name: &str| facts.contains_key(&(part, name.to_owned(), String::new()));
    if !taken(name) {
        return name.to_owned();
    }
    (2_u32..).map(|number| format!("{name} ({number})")).find(|name| !taken(name)).unwrap_or_default()
}

/// Writes a value out, member by member.
fn put<P: Copy + Ord>(facts: &mut Facts<P>, part: P, name: &str, field: &str, value: &Value) {
    for (path, text) in fields(value) {
        let field = match (field, path.as_str()) {
            (field, "") => field.to_owned(),
            ("", path) => path.to_owned(),
            (field, path) => format!("{field}.{path}"),
        };
        facts.insert((part, name.to_owned(), field), text);
    }
}
