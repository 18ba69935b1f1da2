//! The register of exclusions as an iCalendar file (RFC 5545): an all-day event on the last day of each, with alarms.
//!
//! Same register, same bytes: an event's UID comes from plan and exclusion, its time stamp is the register's moment.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::exclusions::covers;
use crate::diff::{ExclusionState, Register, RegisterEntry};

/// Octets of a line without its break (RFC 5545, 3.1).
const LINE_MAX: usize = 75;

/// Returns the calendar. Exclusions that the plan doesn't know have no last day and stand not in it.
#[must_use]
pub fn calendar(register: &Register) -> String {
    let mut lines = Lines(String::new());
    lines.raw("BEGIN:VCALENDAR");
    lines.raw("VERSION:2.0");
    lines.raw("PRODID:-//opsole//exclusions//EN");
    lines.raw("CALSCALE:GREGORIAN");
    lines.text("X-WR-CALNAME", &format!("Exclusions of {}", register.plan));
    for entry in &register.entries {
        if let (Some(id), Some(day)) = (&entry.id, entry.expires) {
            event(&mut lines, register, entry, id, day);
        }
    }
    lines.raw("END:VCALENDAR");
    lines.0
}

fn event(lines: &mut Lines, register: &Register, entry: &RegisterEntry, id: &str, day: Date) {
    let uid = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("opsole:exclusion:{}:{id}", register.plan).as_bytes());
    lines.raw("BEGIN:VEVENT");
    lines.raw(&format!("UID:{uid}@opsole"));
    lines.raw(&format!("DTSTAMP:{}", stamp(register.as_of)));
    lines.raw(&format!("DTSTART;VALUE=DATE:{}", compact(day)));
    // The end of an all-day event is the day after it.
    if let Ok(next) = day.tomorrow() {
        lines.raw(&format!("DTEND;VALUE=DATE:{}", compact(next)));
    }
    lines.text("SUMMARY", &format!("Exclusion {id} ends ({})", register.plan));
    let ticket = entry.ticket.as_ref().map(|ticket| format!("\nTicket: {ticket}")).unwrap_or_default();
    let description = format!(
        "Covers: {}\nState: {}\nNeeded: {}\nOwner: {}\nReason: {}{ticket}",
        covers(&entry.covers),
        entry.state.as_str(),
        match entry.needed.why() {
            "" => entry.needed.word().to_owned(),
            why => format!("{}, {why}", entry.needed.word()),
        },
        entry.owner,
        entry.reason
    );
    lines.text("DESCRIPTION", &description);
    lines.text("CONTACT", &entry.owner);
    lines.raw("TRANSP:TRANSPARENT");
    let over = entry.days_left.is_none_or(|left| left < 0) || entry.state == ExclusionState::Closed;
    for days in [7, 1].into_iter().filter(|_| !over) {
        lines.raw("BEGIN:VALARM");
        lines.raw("ACTION:DISPLAY");
        lines.raw(&format!("TRIGGER:-P{days}D"));
        lines.text("DESCRIPTION", &format!("Exclusion {id} of {} ends on {day}", register.plan));
        lines.raw("END:VALARM");
    }
    lines.raw("END:VEVENT");
}

fn compact(day: Date) -> String {
    format!("{:04}{:02}{:02}", day.year(), day.month(), day.day())
}

fn stamp(at: Timestamp) -> String {
    let utc = at.to_zoned(TimeZone::UTC);
    format!("{}T{:02}{:02}{:02}Z", compact(utc.date()), utc.hour(), utc.minute(), utc.second())
}

/// Content lines: folded, ended by CR and LF.
struct Lines(String);

impl Lines {
    /// Writes a property whose value is text.
    fn text(&mut self, name: &str, value: &str) {
        self.raw(&format!("{name}:{}", escaped(value)));
    }
    /// Writes a line as it is, folded between characters so that no part is longer than the standard allows.
    fn raw(&mut self, line: &str) {
        let mut length = 0;
        for sign in line.chars() {
            if length + sign.len_utf8() > LINE_MAX {
                self.0.push_str("\r\n ");
                length = 1;
            }
            self.0.push(sign);
            length += sign.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

/// Escapes text (RFC 5545, 3.3.11). Other control characters have no place in it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.replace("\r\n", "\n").chars() {
        match sign {
            '\\' | ';' | ',' => escaped.extend(['\\', sign]),
            '\n' | '\r' => escaped.push_str("\\n"),
            '\t' => escaped.push(' '),
            sign if sign.is_control() => {}
            sign => escaped.push(sign),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::exclusions::tests::sample;
    use super::*;
    use proptest::prelude::*;

    /// Joins folded lines again, as a reader does.
    fn unfolded(calendar: &str) -> Vec<String> {
        calendar.replace("\r\n ", "").split_terminator("\r\n").map(str::to_owned).collect()
    }

    /// Catches an event on the wrong day, without its alarms, or with text that ends its property early.
    #[test]
    fn a_calendar() {
        let calendar = calendar(&sample());
        assert_eq!(calendar, super::calendar(&sample()), "the same bytes twice");
        insta::assert_snapshot!(unfolded(&calendar).join("\n"), @r#"
        BEGIN:VCALENDAR
        VERSION:2.0
        PRODID:-//opsole//exclusions//EN
        CALSCALE:GREGORIAN
        X-WR-CALNAME:Exclusions of contoso
        BEGIN:VEVENT
        UID:319eedf3-e561-5ee3-bbbf-968e5a6b3b2e@opsole
        DTSTAMP:20261202T183000Z
        DTSTART;VALUE=DATE:20261212
        DTEND;VALUE=DATE:20261213
        SUMMARY:Exclusion vip ends (contoso)
        DESCRIPTION:Covers: 7 devices: PC-000\, PC-001\, PC-002\, PC-003\, PC-004 and 2 more\nState: open\nNeeded: yes\, 7 devices aren't migrated\nOwner: lead@contoso.com\nReason: board\; meeting\, season\nuntil spring\nTicket: CHG-1
        CONTACT:lead@contoso.com
        TRANSP:TRANSPARENT
        BEGIN:VALARM
        ACTION:DISPLAY
        TRIGGER:-P7D
        DESCRIPTION:Exclusion vip of contoso ends on 2026-12-12
        END:VALARM
        BEGIN:VALARM
        ACTION:DISPLAY
        TRIGGER:-P1D
        DESCRIPTION:Exclusion vip of contoso ends on 2026-12-12
        END:VALARM
        END:VEVENT
        BEGIN:VEVENT
        UID:846825fd-e314-51ad-871e-4c08aae7ad18@opsole
        DTSTAMP:20261202T183000Z
        DTSTART;VALUE=DATE:20261201
        DTEND;VALUE=DATE:20261202
        SUMMARY:Exclusion ca ends (contoso)
        DESCRIPTION:Covers: policy `Require MFA\, "all" users` without package_1@contoso.com by group `CA-Excluded`\nState: overdue\nNeeded: no\, every wave that joins with it is finished\nOwner: lead@contoso.com\nReason: =bulk enrolment can't answer MFA
        CONTACT:lead@contoso.com
        TRANSP:TRANSPARENT
        END:VEVENT
        END:VCALENDAR
        "#);
    }

    /// Catches an exclusion of the same name in another plan, or another one in the same, that overwrites an event.
    #[test]
    fn events_are_told_apart() {
        let uids = |register: &Register| -> Vec<String> {
            unfolded(&calendar(register)).into_iter().filter(|line| line.starts_with("UID:")).collect()
        };
        let first = uids(&sample());
        let mut other = sample();
        other.plan = "fabrikam".to_owned();
        let all: std::collections::BTreeSet<String> = first.iter().cloned().chain(uids(&other)).collect();
        assert_eq!((first.len(), all.len()), (2, 4));
        // A new last day moves the event and makes no second one.
        let mut later = sample();
        later.entries[0].expires = Some(jiff::civil::date(2027, 1, 31));
        assert_eq!(uids(&later), first);
    }

    proptest! {
        /// Catches a line that is too long, a fold inside of a character, and text that comes back changed.
        #[test]
        fn lines_are_folded_and_come_back(text in "\\PC{0,200}", more in "[ -~\n;,\\\\]{0,120}") {
            let value = format!("{text}{more}");
            let mut lines = Lines(String::new());
            lines.text("DESCRIPTION", &value);
            prop_assert!(lines.0.ends_with("\r\n"));
            for line in lines.0.split_terminator("\r\n") {
                prop_assert!(line.len() <= LINE_MAX, "{}: {line}", line.len());
            }
            let joined = unfolded(&lines.0);
            prop_assert_eq!(joined.len(), 1);
            let mut read = String::new();
            let mut signs = joined[0].strip_prefix("DESCRIPTION:").unwrap_or_default().chars();
            while let Some(sign) = signs.next() {
                match (sign, sign == '\\') {
                    (_, true) => match signs.next() {
                        Some('n') => read.push('\n'),
                        Some(other) => read.push(other),
                        None => {}
                    },
                    (sign, false) => read.push(sign),
                }
            }
            prop_assert_eq!(read, value);
        }
    }
}
