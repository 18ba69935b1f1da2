//! The devices of a diff as JSON inside the page: texts and chains once, a short list a device.
//!
//! ```text
//! device = [name, standing, chain, group, user, exclusion, [[code, what, next, role], ...], [op, before, after, ...]]
//! ```
//!
//! Standing, chain, group, exclusion, op, before and after are positions; -1 is none.
//!
//! Nothing is built as a tree of values first: a hundred thousand devices are written as they are walked.

use std::collections::BTreeMap;

use serde::Serialize;

use super::fold::{Fold, order, standing_words};
use super::risks::runs;
use crate::diff::{Action, Reason};
use crate::model::{Op, OwnerRole};
use crate::render::plan_group::reason_text;
use crate::render::when::Zone;
use crate::sealed::{Body, DeviceLine};

/// Standings in the order of reading; [`order`] gives the position of one.
const STANDINGS: [&str; 6] = ["migrate", "resume", "blocked", "excluded", "done", "no-wave"];

/// Returns the JSON, safe to stand inside a `script` element.
///
/// # Errors
/// None in practice: names, texts and numbers are nothing that JSON can't hold.
pub(super) fn data(body: &Body, fold: &Fold, zone: &Zone, open: Option<&str>) -> serde_json::Result<String> {
    let ops: BTreeMap<Op, usize> = body.operations.iter().enumerate().map(|(at, line)| (line.op, at)).collect();
    let exclusions: BTreeMap<&str, usize> =
        body.exclusions.iter().enumerate().map(|(at, one)| (one.id.as_str(), at)).collect();
    let groups: BTreeMap<(&str, u32, &str), usize> = fold
        .groups
        .iter()
        .enumerate()
        .map(|(at, group)| ((group.standing.as_str(), group.chain, group.exclusion.as_str()), at))
        .collect();
    let mut words = Words::default();
    let chains = body
        .chains
        .iter()
        .map(|chain| chain.iter().map(|one| (place(ops.get(&one.0)), action_word(one.1), words.put(one.2))).collect())
        .collect();
    let operations = body
        .operations
        .iter()
        .map(|line| Operation(line.op.name(), &line.action, u8::from(line.phase == "committed")))
        .collect();
    let devices: Vec<Row<'_>> = body
        .devices
        .iter()
        .map(|device| {
            let exclusion = device.exclusion.as_deref().unwrap_or_default();
            let chain = if runs(&device.standing) { device.chain } else { u32::MAX };
            row(device, place(groups.get(&(device.standing.as_str(), chain, exclusion))), &ops, &exclusions)
        })
        .collect();
    let document = Document {
        standings: STANDINGS.map(standing_words),
        texts: &body.texts,
        operations,
        chains,
        reasons: words.list,
        exclusions: body
            .exclusions
            .iter()
            .map(|one| [one.id.clone(), one.owner.clone(), one.reason.clone(), zone.last_day(one.until)])
            .collect(),
        owners: &body.owners,
        open,
        devices,
    };
    Ok(embed(&serde_json::to_string(&document)?))
}

/// What the page's script reads.
#[derive(Serialize)]
struct Document<'b> {
    standings: [&'b str; 6],
    texts: &'b [String],
    operations: Vec<Operation<'b>>,
    chains: Vec<Vec<(i64, &'static str, usize)>>,
    reasons: Vec<&'static str>,
    exclusions: Vec<[String; 4]>,
    owners: &'b BTreeMap<OwnerRole, String>,
    open: Option<&'b str>,
    devices: Vec<Row<'b>>,
}

/// Name, what it does, whether it only goes forward from here.
#[derive(Serialize)]
struct Operation<'b>(&'static str, &'b str, u8);

/// One device; see the head of this file.
#[derive(Serialize)]
struct Row<'b>(&'b str, u8, u32, i64, &'b str, i64, Vec<(&'b str, u32, u32, &'static str)>, Vec<i64>);

fn place(at: Option<&usize>) -> i64 {
    at.and_then(|at| i64::try_from(*at).ok()).unwrap_or(-1)
}

fn row<'b>(
    device: &'b DeviceLine,
    group: i64,
    ops: &BTreeMap<Op, usize>,
    exclusions: &BTreeMap<&str, usize>,
) -> Row<'b> {
    let effects = device.effects.iter().flat_map(|one| [place(ops.get(&one.0)), i64::from(one.1), i64::from(one.2)]);
    Row(
        &device.name,
        order(&device.standing),
        device.chain,
        group,
        device.user.as_deref().unwrap_or_default(),
        place(device.exclusion.as_deref().and_then(|id| exclusions.get(id))),
        device.blockers.iter().map(|one| (one.code.as_str(), one.message, one.next, one.owner.as_str())).collect(),
        effects.collect(),
    )
}

fn action_word(action: Action) -> &'static str {
    match action {
        Action::Do => "do",
        Action::Nothing => "nothing",
        Action::Wait => "wait",
        Action::Skip => "skip",
        Action::Blocked => "blocked",
    }
}

/// Words of reasons, each once.
#[derive(Default)]
struct Words {
    list: Vec<&'static str>,
}

impl Words {
    fn put(&mut self, reason: Reason) -> usize {
        let word = reason_text(reason);
        // There are fewer than twenty.
        self.list.iter().position(|one| *one == word).unwrap_or_else(|| {
            self.list.push(word);
            self.list.len() - 1
        })
    }
}

/// Writes JSON so that nothing in it ends the element, begins a comment, or ends a line of a script. These signs stand
/// in strings only, where an escape means the same.
fn embed(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 64);
    for sign in json.chars() {
        match sign {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            sign => out.push(sign),
        }
    }
    out
}

#[cfg(test)]
mod unit {
    use serde_json::{Value, json};

    use super::*;

    /// Catches data that ends its element and goes on as markup.
    #[test]
    fn embedded_json_stays_json() {
        let text = "</script><!-- & \u{2028}\u{2029}";
        let embedded = embed(&json!({ "a": text }).to_string());
        assert!(!embedded.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{embedded}");
        assert_eq!(serde_json::from_str::<Value>(&embedded).expect("JSON")["a"], text);
    }

    /// Catches a standing whose position in the page's list names another one.
    #[test]
    fn standings_stand_where_their_order_says() {
        for (at, standing) in STANDINGS.iter().enumerate() {
            assert_eq!(usize::from(order(standing)), at);
        }
    }
}
