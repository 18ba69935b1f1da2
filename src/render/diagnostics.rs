//! Diagnostics as a text that points into the sources, and as a JSON document.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents, ThemeCharacters, ThemeStyles,
};
use serde::{Deserialize, Serialize};

use crate::diag::{Diagnostic, Diagnostics, Label, Severity, Source, Sources, Span};

/// How a text is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns.
    pub width: usize,
    /// With ANSI colours.
    pub colour: bool,
    /// With line-drawing characters; else ASCII alone.
    pub unicode: bool,
}

/// Returns all diagnostics as a text, with a line at the end that counts them. Empty if there are none.
#[must_use]
pub fn text(diagnostics: &Diagnostics, sources: &Sources, style: Style) -> String {
    if diagnostics.0.is_empty() {
        return String::new();
    }
    let handler = handler(style);
    let used: BTreeSet<u32> =
        diagnostics.0.iter().flat_map(|found| &found.labels).map(|label| label.span.source.0).collect();
    let clean = |(at, source): (u32, &Source)| if used.contains(&at) { printable(&source.text) } else { String::new() };
    let texts: Vec<String> = (0..).zip(&sources.0).map(clean).collect();
    let mut out = String::new();
    for diagnostic in &diagnostics.0 {
        let parts = parts(diagnostic, sources, &texts);
        if handler.render_report(&mut out, &parts).is_err() {
            // A label that miette can't place must not hide the message.
            out.push_str(&format!("{}: {}\n", diagnostic.code.id, diagnostic.message));
        }
        out.push('\n');
    }
    out.push_str(&summary(diagnostics));
    out.push('\n');
    out
}

/// Returns "3 errors and 1 warning".
#[must_use]
pub fn summary(diagnostics: &Diagnostics) -> String {
    let count = |severity| diagnostics.0.iter().filter(|found| found.severity == severity).count();
    let words: Vec<String> =
        [(count(Severity::Error), "error"), (count(Severity::Warning), "warning"), (count(Severity::Advice), "remark")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
            .collect();
    match words.split_last() {
        None => "no errors".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// All diagnostics as a document for editors and CI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// `opsole.diagnostics/1`.
    pub format: String,
    /// The diagnostics in their order.
    pub diagnostics: Vec<Item>,
}

/// One diagnostic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Stable code.
    pub code: String,
    /// Title of the code.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
    /// Places; the first is the main one.
    pub places: Vec<Place>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Path as the user gave it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// First byte, from 0.
    pub offset: usize,
    /// Length in bytes; may be zero.
    pub length: usize,
    /// What to say there.
    pub text: String,
}

/// Returns the JSON document.
#[must_use]
pub fn document(diagnostics: &Diagnostics, sources: &Sources) -> Document {
    let mut lines = Lines::default();
    let items = diagnostics
        .0
        .iter()
        .map(|found| Item {
            code: found.code.id.to_owned(),
            title: found.code.title.to_owned(),
            severity: found.severity,
            message: found.message.clone(),
            help: found.help.clone(),
            places: found.labels.iter().filter_map(|label| lines.place(label, sources)).collect(),
        })
        .collect();
    Document { format: "opsole.diagnostics/1".to_owned(), diagnostics: items }
}

/// Starts of lines of the sources that are pointed into.
#[derive(Default)]
struct Lines(BTreeMap<u32, Vec<usize>>);

impl Lines {
    fn place(&mut self, label: &Label, sources: &Sources) -> Option<Place> {
        let Span { source, start, len } = label.span;
        let file = sources.get(source)?;
        let starts = self
            .0
            .entry(source.0)
            .or_insert_with(|| std::iter::once(0).chain(file.text.match_indices('\n').map(|(at, _)| at + 1)).collect());
        let offset = start as usize;
        let line = starts.partition_point(|begin| *begin <= offset);
        let before = file.text.get(starts[line - 1]..offset).unwrap_or_default();
        Some(Place {
            file: file.name.clone(),
            line,
            column: before.chars().count() + 1,
            offset,
            length: len as usize,
            text: label.text.clone(),
        })
    }
}

fn handler(style: Style) -> GraphicalReportHandler {
    let characters = if style.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() };
    let styles = if style.colour { ThemeStyles::ansi() } else { ThemeStyles::none() };
    GraphicalReportHandler::new_themed(GraphicalTheme { characters, styles })
        .with_width(style.width.max(40))
        .with_links(false)
        .without_syntax_highlighting()
        .with_context_lines(1)
        .with_break_words(false)
}

/// Returns a source text without control and direction characters, each replaced by as many `?` as it has
/// bytes, so that a plan can't write to the terminal of the person who reads the report.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let harmful = c.is_control() && !matches!(c, '\n' | '\t' | '\r')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if harmful {
            out.extend(std::iter::repeat_n('?', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    out
}

/// One diagnostic, cut into a part for each source that it points into: miette shows one source a report.
struct Part<'d> {
    diagnostic: Option<&'d Diagnostic>,
    message: String,
    view: Option<View<'d>>,
    labels: Vec<&'d Label>,
    others: Vec<Self>,
}

fn parts<'d>(diagnostic: &'d Diagnostic, sources: &'d Sources, texts: &'d [String]) -> Part<'d> {
    let mut groups: Vec<(u32, Vec<&Label>)> = Vec::new();
    for label in &diagnostic.labels {
        match groups.iter_mut().find(|(source, _)| *source == label.span.source.0) {
            Some((_, labels)) => labels.push(label),
            None => groups.push((label.span.source.0, vec![label])),
        }
    }
    let view = |source: u32| {
        let source = source as usize;
        Some(View { name: &sources.0.get(source)?.name, text: texts.get(source)? })
    };
    let mut groups = groups.into_iter();
    let (first, labels) = groups.next().map_or((None, Vec::new()), |(source, labels)| (view(source), labels));
    let others = groups
        .map(|(source, labels)| Part {
            diagnostic: None,
            message: "see also".to_owned(),
            view: view(source),
            labels,
            others: Vec::new(),
        })
        .collect();
    Part { diagnostic: Some(diagnostic), message: diagnostic.message.clone(), view: first, labels, others }
}

/// A source text with its name, borrowed.
struct View<'s> {
    name: &'s str,
    text: &'s str,
}

impl SourceCode for View<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.read_span(span, before, after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.to_owned(),
            inner.data(),
            *inner.span(),
            inner.line(),
            inner.column(),
            inner.line_count(),
        )))
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for Part<'_> {}

impl miette::Diagnostic for Part<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic?.code.id))
    }
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.map(|found| found.severity) {
            Some(Severity::Error) => miette::Severity::Error,
            Some(Severity::Warning) => miette::Severity::Warning,
            Some(Severity::Advice) | None => miette::Severity::Advice,
        })
    }
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic?.help.as_ref()?))
    }
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.view.as_ref().map(|view| view as &dyn SourceCode)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let size = self.view.as_ref()?.text.len();
        Some(Box::new(self.labels.iter().enumerate().map(move |(at, label)| {
            let start = (label.span.start as usize).min(size);
            // A label over several lines would draw a bracket over half the file; its first line says enough.
            let len = (label.span.len as usize).min(size - start);
            let text = self.view.as_ref().and_then(|view| view.text.get(start..start + len)).unwrap_or_default();
            let len = text.find('\n').unwrap_or(len);
            let words = (!label.text.is_empty()).then(|| label.text.clone());
            let span = SourceSpan::new(start.into(), len);
            if at == 0 {
                LabeledSpan::new_primary_with_span(words, span)
            } else {
                LabeledSpan::new_with_span(words, span)
            }
        })))
    }
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        if self.others.is_empty() {
            return None;
        }
        Some(Box::new(self.others.iter().map(|other| other as &dyn miette::Diagnostic)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Code, SourceId};

    const PLAIN: Style = Style { width: 80, colour: false, unicode: true };

    fn two_sources() -> (Diagnostics, Sources) {
        let mut sources = Sources::default();
        let plan = sources.add("plans/a.yaml", "é: 1\nwaves:\n  - name: pilot\n");
        let table = sources.add("plans/devices.csv", "name\nPC-1\n");
        let at = |source, start, len| Span { source, start, len };
        let found = Diagnostic::error(Code::WAVES_OVERLAP, "two waves hold `PC-1`")
            .at(at(plan, 23, 5), "this wave")
            .at(at(table, 5, 4), "this device")
            .help("take it out of one");
        (Diagnostics(vec![found, Diagnostic::warning(Code::LIMIT, "no place")]), sources)
    }

    /// Catches labels of a second file that get lost, and messages without a place.
    #[test]
    fn two_files_in_one_report() {
        let (found, sources) = two_sources();
        insta::assert_snapshot!(text(&found, &sources, PLAIN), @r"
        OPS0204

          × two waves hold `PC-1`
           ╭─[plans/a.yaml:3:11]
         2 │ waves:
         3 │   - name: pilot
           ·           ──┬──
           ·             ╰── this wave
           ╰────
          help: take it out of one

        Advice: 
          ☞ see also
           ╭─[plans/devices.csv:2:1]
         1 │ name
         2 │ PC-1
           · ──┬─
           ·   ╰── this device
           ╰────

        OPS0106

          ⚠ no place

        1 error and 1 warning
");
    }

    /// Catches box characters on terminals that can't show them, and colours nobody asked for.
    #[test]
    fn ascii_and_colour() {
        let (found, sources) = two_sources();
        let ascii = text(&found, &sources, Style { unicode: false, ..PLAIN });
        assert!(ascii.lines().filter(|line| !line.contains('é')).all(str::is_ascii), "{ascii}");
        assert!(text(&found, &sources, Style { colour: true, ..PLAIN }).contains("\u{1b}["));
    }

    /// Catches lines and columns that count bytes.
    #[test]
    fn json_document() {
        let (found, sources) = two_sources();
        let document = document(&found, &sources);
        let places: Vec<(&str, usize, usize, usize)> =
            document.diagnostics[0].places.iter().map(|p| (p.file.as_str(), p.line, p.column, p.offset)).collect();
        assert_eq!(places, [("plans/a.yaml", 3, 11, 23), ("plans/devices.csv", 2, 1, 5)]);
        let json = serde_json::to_value(&document).unwrap();
        assert_eq!(json["format"], "opsole.diagnostics/1");
        assert_eq!(json["diagnostics"][0]["severity"], "error");
    }

    /// Catches a source text that draws on the reader's terminal, and labels beyond the end of a text.
    #[test]
    fn hostile_sources() {
        let mut sources = Sources::default();
        let source = sources.add("a.yaml", "a: \u{1b}[31mred\u{202e}\n");
        let span = |start, len| Span { source, start, len };
        let mut found = Diagnostics::default();
        found.push(Diagnostic::error(Code::SYNTAX, "x").at(span(3, 4), "here"));
        found.push(Diagnostic::error(Code::SYNTAX, "beyond").at(span(900, 4), "here"));
        found.push(Diagnostic::error(Code::SYNTAX, "nowhere").at(Span { source: SourceId(7), start: 0, len: 1 }, "?"));
        let shown = text(&found, &sources, PLAIN);
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
        assert!(shown.contains("beyond") && shown.contains("nowhere"));
        assert_eq!(document(&found, &sources).diagnostics[2].places, []);
    }

    /// Catches a summary that says "1 errors".
    #[test]
    fn summaries() {
        let (found, _) = two_sources();
        assert_eq!(summary(&found), "1 error and 1 warning");
        assert_eq!(summary(&Diagnostics::default()), "no errors");
    }
}
