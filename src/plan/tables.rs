//! The two tables beside a plan: the device inventory and the user mapping.

use std::collections::{BTreeMap, HashMap};

use super::DeviceRow;
use super::table::{Row, Table};
use super::words::quoted;
use crate::diag::{Code, Diagnostic, Severity, SourceId, Span};
use crate::model::DeviceName;

/// Mistakes reported for one table. A wrong export is wrong in every row.
const MAX_REPORTS: usize = 20;

/// A row of the inventory with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct InventoryRow {
    pub row: DeviceRow,
    pub span: Span,
}

/// Collects a table's mistakes, up to a number.
struct Reports<'r> {
    report: &'r mut dyn FnMut(Diagnostic),
    seen: usize,
    code: &'static Code,
}

impl Reports<'_> {
    fn push(&mut self, diagnostic: Diagnostic) {
        self.seen += 1;
        if self.seen <= MAX_REPORTS {
            (self.report)(diagnostic);
        }
    }
    fn at(&mut self, span: Span, message: String, label: &str, help: &str) {
        self.push(Diagnostic::error(self.code, message).at(span, label).help(help));
    }
    fn finish(self, source: SourceId) {
        if self.seen > MAX_REPORTS {
            let more = self.seen - MAX_REPORTS;
            let span = Span { source, start: 0, len: 0 };
            (self.report)(Diagnostic::error(self.code, format!("{more} more mistakes in this file")).at(span, ""));
        }
    }
}

/// Reads an inventory. Rows that are wrong are reported and left out.
pub(super) fn inventory(text: &str, source: SourceId, report: &mut dyn FnMut(Diagnostic)) -> Vec<InventoryRow> {
    let known = ["name", "serial", "site", "user"];
    let Some(mut table) = Table::open(text, source, Code::INVENTORY, &known, 1, report) else { return Vec::new() };
    let mut reports = Reports { report, seen: 0, code: Code::INVENTORY };
    let mut rows: Vec<InventoryRow> = Vec::new();
    let mut names: HashMap<DeviceName, Span> = HashMap::new();
    let mut serials: HashMap<String, Span> = HashMap::new();
    while let Some(row) = table.row() {
        let Some(Row { values, span, .. }) = whole(row, &mut reports) else { continue };
        let mut values = values.into_iter();
        let mut next = || values.next().flatten();
        let (name, serial, site, user) = (next(), next(), next(), next());
        let Some(name) = name else {
            reports.at(
                span,
                "a row has no device name".to_owned(),
                "this row",
                "give the computer name in the column `name`",
            );
            continue;
        };
        if !is_computer_name(&name.value) {
            let message = format!("{} can't be a computer name", quoted(&name.value));
            reports.at(name.span, message, "here", "letters, digits and `-`, at most 63, not digits alone; no domain");
            continue;
        }
        let device = DeviceName::new(&name.value);
        if let Some(before) = names.insert(device.clone(), name.span) {
            let message = format!("the device `{device}` is in the inventory twice");
            reports.push(twice(Code::INVENTORY, message, name.span, before));
            continue;
        }
        if let Some(serial) = &serial
            && let Some(before) = serials.insert(serial.value.to_uppercase(), serial.span)
        {
            let message = format!("the serial number {} is in the inventory twice", quoted(&serial.value));
            reports.push(twice(Code::INVENTORY, message, serial.span, before));
            continue;
        }
        let own = |field: Option<super::table::Field<'_>>| field.map(|field| field.value.into_owned());
        let row = DeviceRow { name: device, serial: own(serial), site: own(site), user: own(user) };
        rows.push(InventoryRow { row, span });
    }
    if rows.is_empty() && reports.seen == 0 {
        let span = Span { source, start: 0, len: 0 };
        reports.at(span, "the inventory holds no device".to_owned(), "", "add a row for each device");
    }
    reports.finish(source);
    rows
}

/// Reads a user mapping: old UPN to new UPN, both in lower case.
pub(super) fn mapping(text: &str, source: SourceId, report: &mut dyn FnMut(Diagnostic)) -> BTreeMap<String, String> {
    let mut users = BTreeMap::new();
    let Some(mut table) = Table::open(text, source, Code::MAPPING, &["old_upn", "new_upn"], 2, report) else {
        return users;
    };
    let mut reports = Reports { report, seen: 0, code: Code::MAPPING };
    let mut olds: HashMap<String, Span> = HashMap::new();
    let mut news: HashMap<String, Span> = HashMap::new();
    while let Some(row) = table.row() {
        let Some(Row { values, span, .. }) = whole(row, &mut reports) else { continue };
        let mut values = values.into_iter().flatten();
        let (Some(old), Some(new)) = (values.next(), values.next()) else {
            let help = "a user who has no new account has no row";
            reports.at(span, "a row doesn't have both users".to_owned(), "this row", help);
            continue;
        };
        if let Some(wrong) = [&old, &new].into_iter().find(|field| !is_upn(&field.value)) {
            let message = format!("{} isn't a user principal name", quoted(&wrong.value));
            reports.at(wrong.span, message, "here", "write it like `anna@contoso.com`");
            continue;
        }
        let (from, to) = (old.value.to_lowercase(), new.value.to_lowercase());
        if let Some(before) = olds.insert(from.clone(), old.span) {
            let message = format!("the old user {} is mapped twice", quoted(&old.value));
            reports.push(twice(Code::MAPPING, message, old.span, before));
            continue;
        }
        if let Some(before) = news.insert(to.clone(), new.span) {
            let message = format!("two old users are mapped to the new user {}", quoted(&new.value));
            let found = twice(Code::MAPPING, message, new.span, before);
            reports
                .push(Diagnostic { severity: Severity::Warning, ..found }.help("fine if one person had two accounts"));
        }
        users.insert(from, to);
    }
    if users.is_empty() && reports.seen == 0 {
        let span = Span { source, start: 0, len: 0 };
        reports.at(span, "the mapping holds no user".to_owned(), "", "add a row for each user");
    }
    reports.finish(source);
    users
}

fn whole<'t>(row: Result<Row<'t>, Diagnostic>, reports: &mut Reports<'_>) -> Option<Row<'t>> {
    match row {
        Err(found) => {
            reports.push(Diagnostic { code: reports.code, ..found });
            None
        }
        Ok(row) if row.surplus => {
            let help = "put fields that hold the separator into double quotes";
            reports.at(row.span, "a row has more fields than the header".to_owned(), "this row", help);
            None
        }
        Ok(row) => Some(row),
    }
}

fn twice(code: &'static Code, message: String, again: Span, before: Span) -> Diagnostic {
    Diagnostic::error(code, message).at(again, "again here").at(before, "first here").help("keep one of them")
}

/// Computer names are DNS labels; NetBIOS would allow more, a join wouldn't.
fn is_computer_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !text.bytes().all(|b| b.is_ascii_digit())
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_upn(text: &str) -> bool {
    text.split_once('@').is_some_and(|(user, domain)| {
        !user.is_empty() && domain.contains('.') && !domain.contains('@') && !text.contains(char::is_whitespace)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, found: &[Diagnostic]) -> Vec<usize> {
        found.iter().map(|d| text[..d.labels[0].span.start as usize].matches('\n').count() + 1).collect()
    }

    /// Catches namesakes that differ in case, names that no computer has, and reports at the wrong row.
    #[test]
    fn inventories() {
        let text = "name,serial\nPC-1,S1\npc-1,S2\nPC-2,s1\nPC 3,S3\n12,S4\n,S5\nPC-4,S6,x\nPC-5,\n";
        let mut found = Vec::new();
        let rows = inventory(text, SourceId(0), &mut |d| found.push(d));
        assert_eq!(lines(text, &found), [3, 4, 5, 6, 7, 8]);
        assert_eq!(rows.iter().map(|r| r.row.name.as_str()).collect::<Vec<_>>(), ["PC-1", "PC-5"]);
        assert!(found.iter().all(|d| d.code == Code::INVENTORY));
    }

    /// Catches users mapped twice in another case, and one person for two accounts taken as an error.
    #[test]
    fn mappings() {
        let text = "old_upn,new_upn\nA@x.com,a@y.com\na@X.com,b@y.com\nc@x.com,A@y.com\nd@x.com,\ne,e@y.com\n";
        let mut found = Vec::new();
        let users = mapping(text, SourceId(0), &mut |d| found.push(d));
        assert_eq!(lines(text, &found), [3, 4, 5, 6]);
        assert_eq!(found[1].severity, Severity::Warning);
        assert_eq!(users.get("c@x.com").map(String::as_str), Some("a@y.com"));
    }

    /// Catches a hundred thousand reports for one wrong export.
    #[test]
    fn reports_are_bounded() {
        let text = format!("name\n{}", "a b\n".repeat(5000));
        let mut found = Vec::new();
        inventory(&text, SourceId(0), &mut |d| found.push(d));
        assert_eq!(found.len(), MAX_REPORTS + 1);
        assert!(found[MAX_REPORTS].message.starts_with("4980 more"));
    }
}
