//! An assessment as JUnit XML, which CI servers show: a suite for each scope, a case for each row.
//!
//! What blocks is a failure, what is excepted or doesn't apply is skipped, what only warns passes with its words. A gate
//! that waits for its pilot is skipped too: it is neither broken nor passed, and green would say that it is passed.

use std::fmt::Write as _;

use super::view::{CheckView, Grouping, Row};
use crate::readiness::{Finding, Outcome, OutcomeKind, Subject};
use crate::render::escape::xml as xml_text;

/// Returns the assessment as a JUnit XML document.
#[must_use]
pub fn junit(view: &CheckView<'_>) -> String {
    let groups = view.grouped(Grouping::Scope);
    let cases = |rows: &[&Row<'_>]| -> usize { rows.iter().map(|row| row.findings.len().max(1)).sum() };
    let failures =
        |rows: &[&Row<'_>]| -> usize { rows.iter().filter(|row| row.blocks).map(|row| row.findings.len()).sum() };
    let skipped = |rows: &[&Row<'_>]| -> usize {
        rows.iter().filter(|row| skips(row.kind) || row.holds_gate()).map(|row| row.findings.len().max(1)).sum()
    };
    let total = |of: &dyn Fn(&[&Row<'_>]) -> usize| -> usize { groups.iter().map(|(_, rows)| of(rows)).sum() };
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        xml,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" timestamp=\"{}\">",
        xml_text(&format!("opsole check {}", view.plan.name)),
        total(&cases) + view.besides.len(),
        total(&failures) + view.besides.len(),
        total(&skipped),
        view.as_of.strftime("%Y-%m-%dT%H:%M:%S"),
    );
    for (title, rows) in &groups {
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">",
            xml_text(title),
            cases(rows),
            failures(rows),
            skipped(rows)
        );
        for row in rows {
            if row.findings.is_empty() {
                case(&mut xml, row.check.id(), &format!("{} devices", row.devices), row.kind, false, None);
            }
            for finding in &row.findings {
                let name = match &finding.subject {
                    Subject::Plan => "plan".to_owned(),
                    other => format!("{} {}", other.kind(), other.name()),
                };
                case(&mut xml, finding.check.id(), &name, row.kind, finding.blocks(), Some(finding));
            }
        }
        xml.push_str("  </testsuite>\n");
    }
    if !view.besides.is_empty() {
        let all = view.besides.len();
        let _ = writeln!(
            xml,
            "  <testsuite name=\"what else blocks\" tests=\"{all}\" failures=\"{all}\" errors=\"0\" skipped=\"0\">"
        );
        for one in &view.besides {
            let (seen, next) = (xml_text(one.seen), xml_text(one.next));
            let _ = writeln!(
                xml,
                "    <testcase classname=\"{}\" name=\"{} devices\">\n      <failure type=\"blocked\" \
                 message=\"{seen}\">next: {next} ({})</failure>\n    </testcase>",
                xml_text(one.code),
                one.devices,
                one.owner.as_str()
            );
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn skips(kind: OutcomeKind) -> bool {
    matches!(kind, OutcomeKind::Excepted | OutcomeKind::NotApplicable)
}

fn case(xml: &mut String, check: &str, of: &str, kind: OutcomeKind, blocks: bool, finding: Option<&Finding>) {
    let _ = write!(xml, "    <testcase classname=\"{}\" name=\"{}\"", xml_text(check), xml_text(of));
    let Some(finding) = finding else {
        let body = if skips(kind) { "><skipped/></testcase>\n" } else { "/>\n" };
        xml.push_str(body);
        return;
    };
    let (seen, next) = (xml_text(&finding.seen), xml_text(&finding.remedy));
    let _ = match &finding.outcome {
        _ if blocks => writeln!(
            xml,
            ">\n      <failure type=\"{}\" message=\"{seen}\">next: {next} ({})</failure>\n    </testcase>",
            kind.as_str(),
            finding.owner.as_str()
        ),
        Outcome::Excepted(word) => writeln!(
            xml,
            "><skipped message=\"{}: excepted by {} until {}\"/></testcase>",
            seen,
            xml_text(&word.exclusion),
            word.until
        ),
        _ if finding.holds_gate() => {
            writeln!(xml, "><skipped message=\"the gate waits: {seen}; next: {next}\"/></testcase>")
        }
        Outcome::NotApplicable => writeln!(xml, "><skipped message=\"{seen}\"/></testcase>"),
        Outcome::Pass | Outcome::Attested(_) => writeln!(xml, "/>"),
        Outcome::Warn | Outcome::Fail(_) | Outcome::Unknown => {
            writeln!(xml, "><system-out>{}: {seen}; next: {next}</system-out></testcase>", kind.as_str())
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a device name that ends its attribute, or a sign that makes the document unreadable.
    #[test]
    fn foreign_text_stays_text() {
        assert_eq!(xml_text("a\"><b>&\u{1}\n"), "a&quot;&gt;&lt;b&gt;&amp;? ");
    }
}
