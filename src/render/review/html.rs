//! One diff as one HTML page that needs nothing else: no network, no font, no file beside it.
//!
//! Templates escape whatever comes from data; what is put in as it is (style, script, drawings, the devices' JSON) was
//! made safe by whoever made it. The page's policy allows exactly its own script and style, by digest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Serialize;
use sha2::Digest as _;

use super::data::data;
use super::fold::{Fold, fold, standing_words, standings_words};
use super::timeline::timeline;
use super::{Shown, graphs};
use crate::model::Problem;
use crate::render::when::Zone;
use crate::render::words::count;
use crate::sealed::Body;

/// Distinct chains that are drawn.
const GRAPHS_MAX: usize = 12;
/// Rows of the longest tables; a page that is signed on paper stays a few sheets.
const ROWS_MAX: usize = 60;

const TEMPLATES: [(&str, &str); 5] = [
    ("page.html", include_str!("../html/page.html")),
    ("changes.html", include_str!("../html/changes.html")),
    ("devices.html", include_str!("../html/devices.html")),
    ("risks.html", include_str!("../html/risks.html")),
    ("signatures.html", include_str!("../html/signatures.html")),
];
const STYLE: &str = include_str!("../html/page.css");
const SCRIPT: &str = include_str!("../html/page.js");

/// A wave of the plan as a row.
#[derive(Serialize)]
struct Wave {
    name: String,
    devices: String,
    window: String,
    hours: String,
    needs: String,
    package: String,
    missing: Vec<String>,
    own: bool,
}

/// A drawing of a chain, and which devices take it.
#[derive(Serialize)]
struct Drawing {
    label: String,
    svg: Value,
}

/// A number in the summary.
#[derive(Serialize)]
struct Tile {
    number: String,
    words: String,
    class: &'static str,
}

/// Returns the page. Where a device is named, it opens there.
///
/// # Errors
/// `render.template` where a template of this program is broken.
pub fn html(shown: &Shown<'_>, open: Option<&str>) -> Result<String, Problem> {
    let broken = |e: minijinja::Error| problem(format!("{e:#}"));
    let mut env = Environment::new();
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    env.add_filter("standing", |standing: String| standing_words(&standing).to_owned());
    env.add_filter("anchor", |name: String| anchor(&name));
    env.add_filter("short", |text: String| short(&text));
    for (name, text) in TEMPLATES {
        env.add_template(name, text).map_err(broken)?;
    }
    let body = shown.body;
    let zone = Zone::named(&body.plan.zone);
    let fold = fold(shown, &zone);
    let style = format!("{STYLE}\n{}", graphs::CSS);
    let safe = Value::from_safe_string;
    let page = context! {
        policy => safe(policy(&style)),
        style => safe(style),
        script => safe(SCRIPT.to_owned()),
        data => safe(data(body, &fold, &zone, open).map_err(|e| problem(e.to_string()))?),
        plan => body.plan.name.as_str(),
        wave => body.wave.as_str(),
        scenario => body.plan.scenario.as_str(),
        zone => zone.name(),
        tool => body.tool.as_str(),
        is_sealed => shown.digest.is_some(),
        digest => shown.digest.map(|digest| digest.to_string()),
        plan_digest => body.plan.digest.to_string(),
        snapshot => body.snapshot.to_string(),
        as_of => zone.day_and_time(body.as_of),
        sealed_at => zone.day_and_time(body.sealed_at),
        not_after => zone.day_and_time(body.not_after),
        inputs => body.inputs.iter().map(|one| (one.name.clone(), one.sha256.to_string())).collect::<Vec<_>>(),
        standings_words => standings_words(&fold),
        tiles => Value::from(Serde(tiles(shown, &fold))),
        timeline => safe(timeline(body, &zone)),
        waves => Value::from(Serde(waves(body, &zone))),
        wave_graph => safe(graphs::waves(body)),
        chains => Value::from(Serde(drawings(body, &fold))),
        chains_more => running_chains(&fold).len().saturating_sub(GRAPHS_MAX),
        exclusions => Value::from(Serde(exclusions(body, &zone))),
        lines_to_sign => lines_to_sign(shown, &fold),
        rows_max => ROWS_MAX,
        fold => Value::from(Serde(&fold)),
    };
    // A template's last line break isn't part of it.
    env.get_template("page.html").and_then(|template| template.render(page)).map(|page| page + "\n").map_err(broken)
}

fn problem(detail: String) -> Problem {
    Problem::new("render.template", "the page can't be made")
        .detail(detail)
        .next("this is a mistake in opsole: report it with the text above; `--format markdown` says the same meanwhile")
}

/// Returns a name as it stands behind `#device=`.
fn anchor(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Returns the first signs of a text, for a list to choose from.
fn short(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_owned() } else { text.chars().take(60).chain(['…']).collect() }
}

fn policy(style: &str) -> String {
    let digest = |text: &str| STANDARD.encode(sha2::Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        digest(SCRIPT),
        digest(style)
    )
}

fn tiles(shown: &Shown<'_>, fold: &Fold) -> Vec<Tile> {
    let tile = |number: String, words: String, class| Tile { number, words, class };
    let mut all = vec![tile(fold.devices.to_string(), plural(fold.devices, "device"), "")];
    for (standing, number) in &fold.standings {
        let class = match standing.as_str() {
            "blocked" => "stop",
            "migrate" | "resume" => "go",
            _ => "quiet",
        };
        all.push(tile(number.to_string(), standing_words(standing).to_owned(), class));
    }
    all.push(tile(fold.operations.to_string(), format!("{} would run", plural(fold.operations, "operation")), ""));
    let stop = if fold.committed > 0 { "stop" } else { "quiet" };
    all.push(tile(fold.committed.to_string(), "would pass the point of no return".to_owned(), stop));
    let class = if fold.blocking > 0 { "stop" } else { "quiet" };
    let of = format!("of {} block", count(fold.findings, "finding"));
    all.push(tile(fold.blocking.to_string(), of, class));
    let signed = &fold.signed;
    let (number, words, class) = match (shown.digest.is_some(), signed.sent_back) {
        (false, _) => ("–".to_owned(), "not sealed".to_owned(), "wait"),
        (true, true) => ("–".to_owned(), "sent back".to_owned(), "stop"),
        (true, false) => {
            let class = if signed.missing > 0 { "wait" } else { "go" };
            (format!("{} of {}", signed.given, signed.required), "approvals given".to_owned(), class)
        }
    };
    all.push(tile(number, words, class));
    all
}

fn plural(number: usize, noun: &str) -> String {
    if number == 1 { noun.to_owned() } else { format!("{noun}s") }
}

fn waves(body: &Body, zone: &Zone) -> Vec<Wave> {
    body.waves
        .iter()
        .take(ROWS_MAX)
        .map(|wave| Wave {
            name: wave.name.clone(),
            devices: wave.devices.to_string(),
            window: wave.window.map_or_else(
                || "any time".to_owned(),
                |(from, to)| format!("{} to {}", zone.day_and_time(from), zone.day_and_time(to)),
            ),
            hours: wave.hours.clone().unwrap_or_default(),
            needs: wave.needs.join(", "),
            package: wave.package.clone(),
            missing: wave.missing.clone(),
            own: wave.name == body.wave,
        })
        .collect()
}

/// Chains that run, each once, the one that most devices take first.
fn running_chains(fold: &Fold) -> Vec<(u32, usize)> {
    let mut all: Vec<(u32, usize)> = Vec::new();
    for group in fold.groups.iter().filter(|group| !group.does.is_empty()) {
        match all.iter_mut().find(|(chain, _)| *chain == group.chain) {
            Some((_, devices)) => *devices += group.devices,
            None => all.push((group.chain, group.devices)),
        }
    }
    all.sort_by_key(|(chain, devices)| (std::cmp::Reverse(*devices), *chain));
    all
}

fn drawings(body: &Body, fold: &Fold) -> Vec<Drawing> {
    let drawing = |(chain, devices): (u32, usize)| Drawing {
        label: count(devices, "device"),
        svg: Value::from_safe_string(graphs::chain(body, chain)),
    };
    running_chains(fold).into_iter().take(GRAPHS_MAX).map(drawing).collect()
}

fn exclusions(body: &Body, zone: &Zone) -> Vec<[String; 6]> {
    let mut all: Vec<_> = body.exclusions.iter().collect();
    all.sort_by_key(|one| (one.until, &one.id));
    let row = |one: &crate::sealed::ExclusionLine| {
        let ticket = one.ticket.clone().unwrap_or_default();
        [one.id.clone(), one.covers.clone(), one.owner.clone(), one.reason.clone(), ticket, zone.last_day(one.until)]
    };
    all.into_iter().map(row).collect()
}

/// Lines for pen and paper: one for each approval that is missing.
fn lines_to_sign(shown: &Shown<'_>, fold: &Fold) -> usize {
    if shown.digest.is_none() || fold.signed.sent_back { 0 } else { fold.signed.missing.min(12) }
}
