//! The time line: windows of waves, lives of packages and ends of exclusions on one calendar, as SVG.
//!
//! Each thing has a row of its own with its label above its bar, so that labels never overlap, however close dates are.
//! All positions are whole tenths of a unit: the same body gives the same bytes.

use std::fmt::Write as _;

use jiff::{Timestamp, ToSpan as _};

use crate::render::escape::xml;
use crate::render::when::Zone;
use crate::render::words::count;
use crate::sealed::{Body, RelianceKind, WaveLine};

/// Width of the drawing.
const WIDTH: i64 = 760;
/// Left and right of the calendar.
const MARGIN: i64 = 8;
/// Height of the head: two marks and the days.
const HEAD: i64 = 62;
/// Height of a row: label and bar.
const ROW: i64 = 40;
/// Height of a title between rows.
const TITLE: i64 = 28;
/// Rows of one kind.
const ROWS_MAX: usize = 24;
/// Signs of a label.
const LABEL_MAX: usize = 44;
/// Seconds of a day.
const DAY: i64 = 86_400;
/// Days shown before and after the moment of sealing, at the most.
const BEFORE_MAX: i64 = 120 * DAY;
const AFTER_MAX: i64 = 400 * DAY;

/// One row.
struct Bar {
    /// What it is.
    label: String,
    /// Its dates, in words.
    dates: String,
    /// From when to when, in seconds; without a beginning or end it is open.
    from: Option<i64>,
    until: Option<i64>,
    /// Class of the bar.
    class: &'static str,
}

/// Returns the time line of a body; empty where it has nothing to show.
#[must_use]
pub(super) fn timeline(body: &Body, zone: &Zone) -> String {
    let sections =
        [("Waves", waves(body, zone)), ("Packages", packages(body, zone)), ("Exclusions", exclusions(body, zone))];
    let bars = || sections.iter().flat_map(|(_, bars)| bars);
    if bars().next().is_none() {
        return String::new();
    }
    let scale = Scale::over(body, bars());
    let mut rows = String::new();
    let mut y = HEAD;
    for (title, bars) in sections.iter().filter(|(_, bars)| !bars.is_empty()) {
        let _ = writeln!(rows, "<text class=\"tl-title\" x=\"{MARGIN}\" y=\"{}\">{title}</text>", y + 18);
        y += TITLE;
        for bar in bars.iter().take(ROWS_MAX) {
            row(&mut rows, &scale, bar, y);
            y += ROW;
        }
        let more = bars.len().saturating_sub(ROWS_MAX);
        if more > 0 {
            let words = format!("and {more} more; the table below has all");
            let _ = writeln!(rows, "<text class=\"tl-dates\" x=\"{MARGIN}\" y=\"{}\">{words}</text>", y + 14);
            y += TITLE;
        }
    }
    let height = y + 10;
    let mut out = format!(
        "<svg class=\"timeline\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Time line: {}, {}, {}, from {} to {}\">\n",
        count(sections[0].1.len(), "wave"),
        count(sections[1].1.len(), "package"),
        count(sections[2].1.len(), "exclusion"),
        zone.moment(scale.moment(scale.from)),
        zone.moment(scale.moment(scale.to)),
    );
    ticks(&mut out, &scale, zone, height);
    marks(&mut out, &scale, body, zone, height);
    out.push_str(&rows);
    out.push_str("</svg>\n");
    out
}

fn waves(body: &Body, zone: &Zone) -> Vec<Bar> {
    let bar = |wave: &WaveLine| {
        let own = wave.name == body.wave;
        let dates = wave.window.map_or_else(
            || "no window: any time".to_owned(),
            |(from, to)| format!("{} – {}", zone.moment(from), zone.moment(to)),
        );
        let hours = wave.hours.as_ref().map(|hours| format!("; {hours}")).unwrap_or_default();
        Bar {
            label: format!("{} ({})", clip(&wave.name, 24), count(wave.devices as usize, "device")),
            dates: clip(&format!("{dates}{hours}"), 84),
            from: wave.window.map(|(from, _)| from.as_second()),
            until: wave.window.map(|(_, to)| to.as_second()),
            class: match (own, wave.window.is_some()) {
                (true, true) => "tl-own",
                (true, false) => "tl-own tl-open",
                (false, true) => "tl-wave",
                (false, false) => "tl-wave tl-open",
            },
        }
    };
    body.waves.iter().map(bar).collect()
}

fn packages(body: &Body, zone: &Zone) -> Vec<Bar> {
    let bar = |package: &crate::sealed::PackageLine| Bar {
        label: clip(&package.name, LABEL_MAX),
        dates: format!("{} – {}", zone.moment(package.life.0), zone.last_day(package.life.1)),
        from: Some(package.life.0.as_second()),
        until: Some(package.life.1.as_second()),
        class: "tl-package",
    };
    body.packages.iter().map(bar).collect()
}

fn exclusions(body: &Body, zone: &Zone) -> Vec<Bar> {
    let relied = |id: &str| body.relies_on.iter().any(|one| one.kind == RelianceKind::Exclusion && one.name == id);
    let mut all: Vec<_> = body.exclusions.iter().collect();
    all.sort_by_key(|one| (one.until, &one.id));
    all.into_iter()
        .map(|one| {
            let relied = relied(&one.id);
            Bar {
                label: clip(&one.id, LABEL_MAX),
                dates: format!(
                    "until {}{}",
                    zone.last_day(one.until),
                    if relied { "; this plan relies on it" } else { "" }
                ),
                from: None,
                until: Some(one.until.as_second()),
                class: if relied { "tl-exclusion tl-relied" } else { "tl-exclusion" },
            }
        })
        .collect()
}

/// Seconds to positions.
struct Scale {
    from: i64,
    to: i64,
}

impl Scale {
    fn over<'b>(body: &Body, bars: impl Iterator<Item = &'b Bar>) -> Self {
        let sealed = body.sealed_at.as_second();
        let (mut from, mut to) = (sealed, body.not_after.as_second().max(sealed + DAY));
        for bar in bars {
            from = bar.from.map_or(from, |at| from.min(at));
            to = bar.until.map_or(to, |at| to.max(at));
        }
        let (from, to) = (from.max(sealed.saturating_sub(BEFORE_MAX)), to.min(sealed.saturating_add(AFTER_MAX)));
        let pad = (to - from) / 40;
        Self { from: from.saturating_sub(pad), to: to.saturating_add(pad).max(from.saturating_add(DAY)) }
    }
    /// Returns the position in tenths of a unit; what lies outside is at the edge.
    fn tenths(&self, at: i64) -> i64 {
        let at = i128::from(at.clamp(self.from, self.to) - self.from);
        let width = i128::from((WIDTH - 2 * MARGIN) * 10);
        let x = at * width / i128::from((self.to - self.from).max(1));
        i64::try_from(x).unwrap_or(0) + MARGIN * 10
    }
    fn moment(&self, at: i64) -> Timestamp {
        Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

fn unit(tenths: i64) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn row(out: &mut String, scale: &Scale, bar: &Bar, y: i64) {
    let (label, dates) = (xml(&bar.label), xml(&bar.dates));
    let left = scale.tenths(bar.from.unwrap_or(scale.from));
    let right = scale.tenths(bar.until.unwrap_or(scale.to)).max(left + 30);
    let _ = writeln!(
        out,
        "<g><title>{label}: {dates}</title><text x=\"{MARGIN}\" y=\"{}\"><tspan class=\"tl-label\">{label}</tspan> <tspan \
         class=\"tl-dates\" dx=\"6\">{dates}</tspan></text>",
        y + 13
    );
    let _ = write!(
        out,
        "<rect class=\"tl-bar {}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"12\" rx=\"3\"/>",
        bar.class,
        unit(left),
        y + 20,
        unit(right - left)
    );
    // What goes on outside of the drawing has an arrow there instead of an end.
    let beyond = bar.until.is_none_or(|until| until > scale.to);
    let before = bar.from.is_none_or(|from| from < scale.from);
    if beyond {
        let x = WIDTH - MARGIN;
        let _ = write!(out, "<path class=\"tl-arrow\" d=\"M{} {}l6 5l-6 5\"/>", x - 7, y + 21);
    } else {
        let x = unit(right);
        let _ = write!(out, "<path class=\"tl-end\" d=\"M{x} {}v16\"/>", y + 18);
    }
    if before {
        let _ = write!(out, "<path class=\"tl-arrow\" d=\"M{} {}l-6 5l6 5\"/>", MARGIN + 7, y + 21);
    }
    out.push_str("</g>\n");
}

/// Days, weeks, months or quarters: as many as fit.
fn ticks(out: &mut String, scale: &Scale, zone: &Zone, height: i64) {
    let days = (scale.to - scale.from) / DAY;
    let step = match days {
        0..=10 => 1.days(),
        11..=40 => 7.days(),
        41..=300 => 1.months(),
        _ => 2.months(),
    };
    let tz = zone.tz();
    let first = scale.moment(scale.from).to_zoned(tz.clone()).date();
    let begin = match days {
        0..=10 => Some(first),
        11..=40 => first.checked_sub(i64::from(first.weekday().to_monday_zero_offset()).days()).ok(),
        _ => Some(first.first_of_month()),
    };
    let Some(mut day) = begin else { return };
    for _ in 0..40 {
        let Ok(at) = day.to_zoned(tz.clone()) else { return };
        let second = at.timestamp().as_second();
        if second > scale.to {
            return;
        }
        if second >= scale.from {
            let x = scale.tenths(second);
            let _ = writeln!(out, "<path class=\"tl-grid\" d=\"M{} {}V{}\"/>", unit(x), HEAD - 18, height - 6);
            let words = if days <= 40 { day.strftime("%d %b").to_string() } else { day.strftime("%b %Y").to_string() };
            // A label that would run out of the drawing is left out; its line stays.
            if x < (WIDTH - 60) * 10 {
                let (x, y) = (unit(x + 30), HEAD - 8);
                let _ = writeln!(out, "<text class=\"tl-tick\" x=\"{x}\" y=\"{y}\">{words}</text>");
            }
        }
        match day.checked_add(step) {
            Ok(next) => day = next,
            Err(_) => return,
        }
    }
}

/// When it was sealed, and when it runs out. Each label has a line of its own.
fn marks(out: &mut String, scale: &Scale, body: &Body, zone: &Zone, height: i64) {
    for (at, word, class, y) in
        [(body.sealed_at, "made", "tl-sealed", 14), (body.not_after, "good until", "tl-until", 30)]
    {
        let x = scale.tenths(at.as_second());
        let words = format!("{word} {}", zone.moment(at));
        let (anchor, shift) = if x > WIDTH * 5 { ("end", -40) } else { ("start", 40) };
        let _ = writeln!(
            out,
            "<path class=\"tl-mark {class}\" d=\"M{} {}V{}\"/><text class=\"tl-tick {class}\" x=\"{}\" y=\"{y}\" \
             text-anchor=\"{anchor}\">{words}</text>",
            unit(x),
            y - 10,
            height - 6,
            unit(x + shift)
        );
    }
}

fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most).chain(['…']).collect() }
}
