//! A page of text that is written line by line: wrapping, colours, lists that are cut, lines of operations.

use std::fmt::Write as _;

use super::plan_group::reason_text;
use super::words::{brief, count};
use crate::dag::{Phase, spec};
use crate::diff::{Action, Change, Reason};
use crate::model::Op;

/// Where the words of an operation's line begin.
pub(super) const COLUMN: usize = 36;

/// The narrowest page.
const WIDTH_MIN: usize = 40;
/// Below this many columns, words don't stand beside a long head.
const NARROW: usize = 80;
/// Columns that words beside a head need there.
const ROOM_MIN: usize = 40;
/// Where words begin that moved below their head.
const BELOW: usize = 6;

/// What the reader's terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Columns; fewer than [`WIDTH_MIN`] are taken as that many.
    pub(super) width: usize,
    /// ANSI colours.
    pub(super) color: bool,
    /// Only ASCII characters.
    pub(super) ascii: bool,
}

/// How a piece of text stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
}

/// Text under construction.
#[derive(Debug)]
pub(super) struct Page {
    shape: Shape,
    text: String,
}

impl Page {
    pub(super) fn new(shape: Shape) -> Self {
        Self { shape: Shape { width: shape.width.max(WIDTH_MIN), ..shape }, text: String::new() }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn paint(&self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Plain => return text.to_owned(),
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Red => "31",
            Paint::Green => "32",
            Paint::Yellow => "33",
        };
        if self.shape.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Writes words from a column on, and goes on under it where they don't fit. The head has to end there,
    /// but for the first line of a hanging paragraph, which may begin earlier. On a narrow page that would leave a thin
    /// column of words, so they go below the head.
    pub(super) fn wrapped(&mut self, head: &str, column: usize, words: &str, paint: Paint) {
        if self.is_narrow(column) {
            // A blank head is a margin: the paragraph above it moved, and how far it hangs stays.
            let hang = column.saturating_sub(head.chars().count());
            let blank = head.chars().all(|sign| sign == ' ');
            if !blank {
                let _ = writeln!(self.text, "{}", head.trim_end());
            }
            if blank || !words.is_empty() {
                let hang = if blank { hang } else { 0 };
                self.paragraph(&" ".repeat(BELOW), BELOW + hang, words, paint);
            }
            return;
        }
        self.paragraph(head, column, words, paint);
    }

    fn is_narrow(&self, column: usize) -> bool {
        self.shape.width < NARROW && column > 2 * BELOW && self.shape.width < column + ROOM_MIN
    }

    fn paragraph(&mut self, head: &str, column: usize, words: &str, paint: Paint) {
        let mut line = String::new();
        let mut first = true;
        let room = self.shape.width.saturating_sub(column).max(20);
        let mut flush = |page: &mut Self, line: &str| {
            let margin = if std::mem::take(&mut first) { head.to_owned() } else { " ".repeat(column) };
            let body = page.paint(paint, line);
            let _ = writeln!(page.text, "{}", format!("{margin}{body}").trim_end());
        };
        for word in words.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                flush(self, &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            // Names come from tenants and devices: what would move the cursor or colour the page is shown as `?`.
            line.extend(word.chars().map(|sign| if sign.is_control() { '?' } else { sign }));
        }
        flush(self, &line);
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    pub(super) fn line(&mut self, indent: usize, words: &str) {
        self.wrapped(&" ".repeat(indent), indent, words, Paint::Plain);
    }

    /// Writes a line as it is: an example. Only for text of our own.
    pub(super) fn verbatim(&mut self, line: &'static str) {
        self.text.push_str("    ");
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(super) fn title(&mut self, words: &str) {
        self.blank();
        self.wrapped("", 0, words, Paint::Bold);
    }

    /// Writes names as far as one line holds them, and how many more there are.
    pub(super) fn names<'n>(&mut self, indent: usize, names: impl ExactSizeIterator<Item = &'n str>) {
        let total = names.len();
        let room = self.shape.width.saturating_sub(indent + 14).max(20);
        let (mut list, mut shown) = (String::new(), 0);
        for name in names {
            if shown > 0 && list.len() + 2 + name.len() > room {
                break;
            }
            if shown > 0 {
                list.push_str(", ");
            }
            list.push_str(name);
            shown += 1;
        }
        let list = if total > shown { format!("{list} and {} more", total - shown) } else { list };
        self.line(indent, &list);
    }

    /// Says how many more there are, where there are any.
    pub(super) fn more(&mut self, indent: usize, more: usize, noun: &str, then: &str) {
        if more > 0 {
            let what = if more == 1 { format!("1 more {noun}") } else { format!("{more} more {noun}s") };
            self.line(indent, &format!("and {what}{then}"));
        }
    }

    /// Returns the beginning of an operation's line, up to [`COLUMN`].
    pub(super) fn operation_head(&self, action: Action, op: Op) -> String {
        let (mark, paint) = match (action, spec(op).phase) {
            (Action::Do, Phase::Committed) => ("!", Paint::Red),
            (Action::Do, _) => ("+", Paint::Green),
            (Action::Nothing, _) => ("=", Paint::Dim),
            (Action::Wait, _) => ("~", Paint::Yellow),
            (Action::Skip, _) => ("-", Paint::Dim),
            (Action::Blocked, _) => ("x", Paint::Red),
        };
        format!("    {} {:<29} ", self.paint(paint, mark), op)
    }

    /// Writes an operation with what it does, and why where that isn't plain.
    pub(super) fn operation(&mut self, change: &Change) {
        let why = match change.reason {
            Reason::NotYetSo | Reason::GateClosed | Reason::WindowClosed => String::new(),
            Reason::ChainIncomplete => " (checked again)".to_owned(),
            reason => format!(" ({})", reason_text(reason)),
        };
        let head = self.operation_head(change.action, change.op);
        self.wrapped(&head, COLUMN, &format!("{}{why}", brief(change.op)), Paint::Plain);
    }

    /// Draws the line behind which no device goes back.
    pub(super) fn boundary(&mut self) {
        let dash = if self.shape.ascii { "-" } else { "─" };
        let words = " point of no return ";
        let rest = self.shape.width.min(100).saturating_sub(4 + 4 + words.len());
        let line = format!("{}{words}{}", dash.repeat(4), dash.repeat(rest));
        let line = self.paint(Paint::Red, &line);
        let _ = writeln!(self.text, "    {line}");
    }

    /// Says which operations aren't done, and why.
    pub(super) fn left_alone(&mut self, reason: Reason, ops: &[Op]) {
        let names: Vec<&str> = ops.iter().map(|op| op.name()).collect();
        // A list that is longer than a line says little; `--device` has it.
        let what = if names.len() > 4 { count(names.len(), "operation") } else { names.join(", ") };
        let head = format!("    {} ", self.paint(Paint::Dim, "-"));
        self.wrapped(&head, 6, &format!("{}: {what}", reason_text(reason)), Paint::Dim);
    }
}
