//! The checklist as a table for the terminal: who acts, what was seen, how to mend it.

use super::view::{CheckView, Grouping, Row, Verdict};
use crate::knowledge::sentence;
use crate::model::Check;
use crate::readiness::{Outcome, OutcomeKind, Subject};
use crate::render::page::{Page, Paint, Shape};
use crate::render::when::Zone;
use crate::render::words::count;

/// Where the words of a row begin: mark, outcome, id.
const COLUMN: usize = 40;
/// Devices of one row whose own words are shown.
const EXAMPLES_MAX: usize = 3;

/// How an assessment is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOptions {
    /// Columns; text is wrapped at it. At least 40 are used.
    pub width: usize,
    /// ANSI colours.
    pub color: bool,
    /// Only ASCII characters.
    pub ascii: bool,
    /// How rows are put together.
    pub grouping: Grouping,
    /// A line for each check that holds too.
    pub all: bool,
}

/// Returns the assessment as text that ends with a line break.
#[must_use]
pub fn text(view: &CheckView<'_>, options: &TextOptions) -> String {
    let shape = Shape { width: options.width, color: options.color, ascii: options.ascii };
    let mut table = Table { view, zone: Zone::named(&view.plan.zone), page: Page::new(shape) };
    table.head();
    for (title, rows) in view.grouped(options.grouping) {
        table.group(&title, &rows, options.all || view.device.is_some());
    }
    table.besides();
    table.foot();
    table.page.into_text()
}

struct Table<'v, 'a> {
    view: &'v CheckView<'a>,
    zone: Zone,
    page: Page,
}

/// Returns sign and colour of an outcome.
fn mark(row: &Row<'_>) -> (&'static str, Paint) {
    match row.kind {
        _ if row.blocks => ("x", Paint::Red),
        OutcomeKind::Fail | OutcomeKind::Unknown | OutcomeKind::Warn => ("!", Paint::Yellow),
        OutcomeKind::Excepted => ("~", Paint::Yellow),
        OutcomeKind::Attested => ("*", Paint::Green),
        OutcomeKind::Pass => ("+", Paint::Green),
        OutcomeKind::NotApplicable => ("-", Paint::Dim),
    }
}

impl Table<'_, '_> {
    fn head(&mut self) {
        let view = self.view;
        let of = match (&view.device, view.wave) {
            (Some(device), _) => format!(", {device}"),
            (None, Some(wave)) => format!(", wave {wave}"),
            (None, None) => String::new(),
        };
        let moment = self.zone.moment(view.as_of);
        let zone = self.zone.name();
        let scenario = view.plan.scenario.as_str();
        let words = format!("Check {}{of}: {scenario}, as of {moment} ({zone})", view.plan.name);
        self.page.wrapped("", 0, &words, Paint::Bold);
        let counts = view.counts();
        let total: usize = counts.values().sum();
        let kinds: Vec<String> = counts.iter().map(|(kind, number)| format!("{number} {}", kind.as_str())).collect();
        let devices = count(usize::try_from(view.devices).unwrap_or(usize::MAX), "device");
        self.page.line(0, &format!("{devices}, {}: {}.", count(total, "check"), kinds.join(", ")));
    }

    fn group(&mut self, title: &str, rows: &[&Row<'_>], all: bool) {
        self.page.title(title);
        let (shown, rest): (Vec<&Row<'_>>, Vec<&Row<'_>>) = rows.iter().partition(|row| all || row.speaks());
        for row in shown {
            self.row(row);
        }
        for kind in [OutcomeKind::Attested, OutcomeKind::Pass, OutcomeKind::NotApplicable] {
            let mut checks: Vec<Check> = rest.iter().filter(|row| row.kind == kind).map(|row| row.check).collect();
            checks.dedup();
            if checks.is_empty() {
                continue;
            }
            let sample = rest.iter().find(|row| row.kind == kind).map(|row| mark(row)).unwrap_or(("+", Paint::Green));
            let ids: Vec<&str> = checks.iter().map(|check| check.id()).collect();
            let head = self.head_of(sample, kind.as_str(), &count(checks.len(), "check"));
            self.page.wrapped(&head, COLUMN, &ids.join(", "), Paint::Dim);
        }
    }

    fn head_of(&self, (sign, paint): (&str, Paint), kind: &str, id: &str) -> String {
        let kind = if kind == "not applicable" { "n/a" } else { kind };
        format!("  {} {} {id:<25} ", self.page.paint(paint, sign), self.page.paint(paint, &format!("{kind:<9}")))
    }

    fn row(&mut self, row: &Row<'_>) {
        let head = self.head_of(mark(row), row.kind.as_str(), row.check.id());
        let subject = self.subject(row);
        let words = match (subject.is_empty(), row.seen().is_empty()) {
            (true, _) => row.seen().to_owned(),
            (false, true) => subject,
            (false, false) => format!("{subject}: {}", row.seen()),
        };
        self.page.wrapped(&head, COLUMN, &words, Paint::Plain);
        let margin = " ".repeat(COLUMN);
        if row.devices > 1 && row.findings.len() > 1 {
            for finding in row.findings.iter().skip(1).take(EXAMPLES_MAX - 1) {
                let words = format!("{}: {}", finding.subject.name(), finding.seen);
                self.page.wrapped(&margin, COLUMN + 2, &words, Paint::Dim);
            }
            let more = row.findings.len().saturating_sub(EXAMPLES_MAX);
            self.page.more(COLUMN, more, "device", "; `--device D` shows one, `--output json` all");
        }
        if let Some(words) = row.findings.first().and_then(|finding| self.word_of_people(&finding.outcome)) {
            self.page.wrapped(&margin, COLUMN, &words, Paint::Dim);
        }
        let mend = matches!(row.kind, OutcomeKind::Fail | OutcomeKind::Unknown | OutcomeKind::Warn);
        if mend && !row.remedy().is_empty() {
            self.page.wrapped(&margin, COLUMN + 2, &format!("next: {}", row.remedy()), Paint::Plain);
        }
    }

    fn subject(&self, row: &Row<'_>) -> String {
        let devices = || count(usize::try_from(row.devices).unwrap_or(usize::MAX), "device");
        match row.findings.first().map(|finding| &finding.subject) {
            None => devices(),
            Some(Subject::Plan) => String::new(),
            Some(Subject::Device(_)) if self.view.device.is_some() => String::new(),
            Some(Subject::Device(name)) if row.devices > 1 => format!("{}, {name}", devices()),
            Some(Subject::Device(name)) => name.to_string(),
            Some(other) => format!("{} {}", other.kind(), other.name()),
        }
    }

    /// Says who stands for it, or which exclusion covers it.
    fn word_of_people(&self, outcome: &Outcome) -> Option<String> {
        let attested = |word: &crate::readiness::Attested| {
            let until = word.until.map(|until| format!(", until {until}")).unwrap_or_default();
            let evidence = word.evidence.as_ref().map(|text| format!(", {text}")).unwrap_or_default();
            format!("attested by {} on {}{until}{evidence}", word.by, word.on)
        };
        Some(match outcome {
            Outcome::Attested(word) => attested(word),
            Outcome::Fail(Some(word)) => format!("{}; what was measured counts", attested(word)),
            Outcome::Excepted(word) => {
                let until = self.zone.last_day(word.until);
                format!("excepted by `{}` until {until}, {}: {}", word.exclusion, word.owner, word.reason)
            }
            Outcome::Pass | Outcome::Warn | Outcome::Fail(None) | Outcome::Unknown | Outcome::NotApplicable => {
                return None;
            }
        })
    }

    fn besides(&mut self) {
        if self.view.besides.is_empty() {
            return;
        }
        self.page.title("What else blocks");
        for one in &self.view.besides {
            let head = self.head_of(("x", Paint::Red), "blocked", one.code);
            let devices = count(usize::try_from(one.devices).unwrap_or(usize::MAX), "device");
            let words = format!("{devices}, {}; {} acts", one.seen, one.owner.as_str());
            self.page.wrapped(&head, COLUMN, &words, Paint::Plain);
            self.page.wrapped(&" ".repeat(COLUMN), COLUMN + 2, &format!("next: {}", one.next), Paint::Plain);
        }
    }

    fn foot(&mut self) {
        self.page.blank();
        // A wave that waits isn't blocked, and whoever reads the last line alone should know of it.
        let waits = self.view.gate_words().map(|words| format!(" {}", sentence(&words))).unwrap_or_default();
        let (words, paint) = match self.view.verdict() {
            Verdict::Pass => ("Everything holds.".to_owned(), Paint::Green),
            Verdict::Warnings => {
                (format!("Nothing blocks.{waits} What is marked with ! or ~ wants a look first."), Paint::Yellow)
            }
            Verdict::Blocked => (
                format!(
                    "Blocked: `apply` leaves alone what the lines marked with x cover.{waits} `opsole explain ID` says \
                     more."
                ),
                Paint::Red,
            ),
        };
        self.page.wrapped("", 0, &words, paint);
    }
}
