//! CSV texts as rows whose fields keep their places, for the device inventory and the user mapping.
//!
//! Fields may be quoted (RFC 4180). Spreadsheets write semicolons in half of Europe and a byte order mark,
//! so both are taken.

use std::borrow::Cow;

use super::words::{either, near, quoted};
use crate::diag::{Code, Diagnostic, SourceId, Span};

/// One field of a row.
pub(super) struct Field<'t> {
    /// Its value, without quotes and blanks around it.
    pub value: Cow<'t, str>,
    /// Where it stands.
    pub span: Span,
}

/// A text with a header line, read row by row.
pub(super) struct Table<'t> {
    rest: Rows<'t>,
    /// For each known column, its position in a row.
    columns: Vec<Option<usize>>,
    width: usize,
}

impl<'t> Table<'t> {
    /// Reads the header. `known` are the columns; the first `needed` have to be there.
    pub fn open(
        text: &'t str,
        source: SourceId,
        code: &'static Code,
        known: &[&'static str],
        needed: usize,
        report: &mut dyn FnMut(Diagnostic),
    ) -> Option<Self> {
        let begin = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let first = text[begin..].lines().next().unwrap_or_default();
        let semicolon = first.contains(';') && !first.contains(',');
        let mut rest = Rows { text, source, at: begin, separator: if semicolon { b';' } else { b',' } };
        let Some(Ok(header)) = rest.next_row() else {
            let span = Span { source, start: 0, len: 0 };
            let message = format!("the file has no header line; it needs the column `{}`", known[0]);
            report(Diagnostic::error(code, message).at(span, "").help(format!("begin with: {}", known.join(","))));
            return None;
        };
        let mut columns = vec![None; known.len()];
        for (at, field) in header.iter().enumerate() {
            let name = field.value.to_lowercase();
            match known.iter().position(|column| *column == name) {
                Some(column) if columns[column].is_some() => {
                    let message = format!("the column {} is there twice", quoted(&field.value));
                    report(Diagnostic::error(code, message).at(field.span, "again here").help("remove one of them"));
                }
                Some(column) => columns[column] = Some(at),
                None => {
                    let label = near(&name, known.iter().copied())
                        .map_or_else(|| "not used".to_owned(), |column| format!("did you mean `{column}`?"));
                    let message = format!("the column {} isn't known", quoted(&field.value));
                    let help = format!("columns that are read: {}", either(known.iter().copied()));
                    report(Diagnostic::warning(code, message).at(field.span, label).help(help));
                }
            }
        }
        let mut whole = true;
        for (column, name) in columns.iter().zip(known).take(needed) {
            if column.is_none() {
                whole = false;
                let span = header.first().map_or(Span { source, start: 0, len: 0 }, |field| field.span);
                let message = format!("the file has no column `{name}`");
                report(
                    Diagnostic::error(code, message)
                        .at(span, "header")
                        .help(format!("begin with: {}", known.join(","))),
                );
            }
        }
        whole.then_some(Self { rest, columns, width: header.len() })
    }

    /// Reads the next row that isn't blank: its known columns in the order of `known`, and its place.
    pub fn row(&mut self) -> Option<Result<Row<'t>, Diagnostic>> {
        loop {
            let source = self.rest.source;
            let start = self.rest.at;
            let mut fields = match self.rest.next_row()? {
                Ok(fields) => fields,
                Err(at) => {
                    let span = Span { source, start: index(at), len: 1 };
                    let found =
                        Diagnostic::error(Code::INVENTORY, "a quoted field doesn't end").at(span, "begins here");
                    return Some(Err(found.help("close the quotes; a quote inside is written twice")));
                }
            };
            if fields.iter().all(|field| field.value.is_empty()) {
                continue;
            }
            let end = fields.last().map_or(start, |field| field.span.end() as usize);
            let span = Span { source, start: index(start), len: index(end.saturating_sub(start)) };
            let count = fields.len();
            let values = self
                .columns
                .iter()
                .map(|column| {
                    let field = column.and_then(|at| fields.get_mut(at))?;
                    let value = std::mem::take(&mut field.value);
                    (!value.is_empty()).then_some(Field { value, span: field.span })
                })
                .collect();
            return Some(Ok(Row { values, span, surplus: count > self.width }));
        }
    }
}

/// One row.
pub(super) struct Row<'t> {
    /// Values of the known columns; `None` where a column or its value isn't there.
    pub values: Vec<Option<Field<'t>>>,
    /// Place of the whole row.
    pub span: Span,
    /// It has more fields than the header.
    pub surplus: bool,
}

struct Rows<'t> {
    text: &'t str,
    source: SourceId,
    at: usize,
    separator: u8,
}

impl<'t> Rows<'t> {
    /// Returns the fields of the next line; the error is the place of a quote that doesn't end.
    fn next_row(&mut self) -> Option<Result<Vec<Field<'t>>, usize>> {
        let bytes = self.text.as_bytes();
        if self.at >= bytes.len() {
            return None;
        }
        let mut fields = Vec::with_capacity(4);
        loop {
            let start = self.at;
            if bytes.get(start) == Some(&b'"') {
                match self.quoted_field(start) {
                    Ok(field) => fields.push(field),
                    Err(at) => {
                        self.at = bytes.len();
                        return Some(Err(at));
                    }
                }
            } else {
                let len = bytes[start..].iter().position(|b| [self.separator, b'\n'].contains(b));
                self.at = len.map_or(bytes.len(), |len| start + len);
                fields.push(self.field(start, self.at));
            }
            match bytes.get(self.at) {
                Some(b) if *b == self.separator => self.at += 1,
                Some(_) => {
                    self.at += 1;
                    return Some(Ok(fields));
                }
                None => return Some(Ok(fields)),
            }
        }
    }

    fn field(&self, start: usize, end: usize) -> Field<'t> {
        let raw = &self.text[start..end];
        let value = raw.trim();
        let lead = raw.len() - raw.trim_start().len();
        let span = Span { source: self.source, start: index(start + lead), len: index(value.len()) };
        Field { value: Cow::Borrowed(value), span }
    }

    fn quoted_field(&mut self, start: usize) -> Result<Field<'t>, usize> {
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        let close = loop {
            match bytes.get(at) {
                None => return Err(start),
                Some(b'"') if bytes.get(at + 1) == Some(&b'"') => at += 2,
                Some(b'"') => break at,
                Some(_) => at += 1,
            }
        };
        let mut field = self.field(start + 1, close);
        if field.value.contains("\"\"") {
            field.value = Cow::Owned(field.value.replace("\"\"", "\""));
        }
        // Blanks and a carriage return may stand before the separator; other text there is dropped with them.
        let len = bytes[close + 1..].iter().position(|b| [self.separator, b'\n'].contains(b));
        self.at = len.map_or(bytes.len(), |len| close + 1 + len);
        Ok(field)
    }
}

fn index(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Vec<String>>, usize) {
        let mut reports = 0;
        let mut rows = Vec::new();
        if let Some(mut table) =
            Table::open(text, SourceId(0), Code::INVENTORY, &["name", "site"], 1, &mut |_| reports += 1)
        {
            while let Some(row) = table.row() {
                match row {
                    Ok(row) => rows.push(
                        row.values
                            .iter()
                            .map(|field| {
                                let Some(field) = field else { return "-".to_owned() };
                                let raw = &text[field.span.start as usize..field.span.end() as usize];
                                assert_eq!(raw.replace("\"\"", "\""), field.value, "the place is the value's");
                                field.value.clone().into_owned()
                            })
                            .collect(),
                    ),
                    Err(_) => reports += 1,
                }
            }
        }
        (rows, reports)
    }

    /// Catches what spreadsheets write: byte order marks, semicolons, quotes, carriage returns, blank lines.
    #[test]
    fn spreadsheets() {
        let want = |rows: &[[&str; 2]]| {
            rows.iter().map(|r| r.iter().map(|v| (*v).to_owned()).collect()).collect::<Vec<Vec<_>>>()
        };
        for text in [
            "name,site\nA,London\nB,\n",
            "\u{feff}Name;Site\r\nA;London\r\n\r\nB;\r\n",
            "site,name\n\"London\" ,A\n,B",
            "name,site\nA , London\n,\n\"B\",\"\"\n",
        ] {
            assert_eq!(read(text), (want(&[["A", "London"], ["B", "-"]]), 0), "{text:?}");
        }
        assert_eq!(read("name,site\n\"A \"\"x\"\", y\",\"Lon\ndon\"\n").0, want(&[["A \"x\", y", "Lon\ndon"]]));
    }

    /// Catches headers and quotes that are wrong and go unseen.
    #[test]
    fn wrong_tables() {
        assert_eq!(read("").1, 1);
        assert_eq!(read("device,site\nA,B\n"), (vec![], 2));
        assert_eq!(read("name,name\nA,B\n").1, 1);
        assert_eq!(read("name\n\"A\n").1, 1);
    }
}
