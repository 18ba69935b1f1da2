//! The record for a terminal: a summary first, like devices together; one of them unfolded where it is asked for.

use super::outline::{Limits, Section, outline};
use crate::model::DeviceName;
use crate::record::Report;
use crate::render::page::{Page, Paint, Shape};

/// Columns that a cell of a table takes at the most, but for the last.
const CELL_MAX: usize = 34;

/// How it is shown.
#[derive(Debug, Clone, Copy)]
pub struct ReportTextOptions<'a> {
    /// Columns.
    pub width: usize,
    /// ANSI colours.
    pub color: bool,
    /// Only ASCII characters.
    pub ascii: bool,
    /// Unfold this device.
    pub device: Option<&'a DeviceName>,
}

/// Returns the record as text.
#[must_use]
pub fn text(report: &Report, options: &ReportTextOptions<'_>) -> String {
    let mut page = Page::new(Shape { width: options.width, color: options.color, ascii: options.ascii });
    let limits = Limits { rows: 40, groups: 8, names: 8, cell: 400 };
    for (at, section) in outline(report, limits, options.device).iter().enumerate() {
        if at == 0 {
            page.wrapped("", 0, &section.title, Paint::Bold);
        } else {
            page.title(&section.title);
        }
        write(&mut page, section);
    }
    page.into_text()
}

fn write(page: &mut Page, section: &Section) {
    section.words.iter().for_each(|words| page.line(2, words));
    let columns = section.rows.iter().map(Vec::len).max().unwrap_or(0);
    let length = |text: &str| text.chars().count();
    let width = |at: usize| {
        let cells = section.rows.iter().filter_map(|row| row.get(at)).map(|cell| length(cell));
        let head = section.head.get(at).map_or(0, |head| length(head));
        cells.chain([head]).max().unwrap_or(0).min(CELL_MAX)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let head: Vec<String> = section.head.iter().map(|head| (*head).to_owned()).collect();
    let heads = (!head.is_empty() && !section.rows.is_empty()).then_some(&head);
    for (row, paint) in
        heads.into_iter().map(|row| (row, Paint::Dim)).chain(section.rows.iter().map(|row| (row, Paint::Plain)))
    {
        let Some((last, cells)) = row.split_last() else { continue };
        let mut line = "  ".to_owned();
        for (cell, width) in cells.iter().zip(&widths) {
            // What would move the cursor is shown as `?`, as the page does with words.
            let shown: String = cell.chars().map(|sign| if sign.is_control() { '?' } else { sign }).collect();
            line.push_str(&format!("{shown:<width$}  "));
        }
        let column = line.chars().count();
        let line = if paint == Paint::Plain { line } else { page.paint(paint, &line) };
        page.wrapped(&line, column, last, paint);
    }
}
