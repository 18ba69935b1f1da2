//! The register of exclusions for people and programs: text, Markdown, CSV, and JSON as `opsole.exclusions/1`.
//!
//! ```json
//! {"format": "opsole.exclusions/1", "plan": "contoso", "zone": "UTC", "as_of": "2026-12-02T18:30:00Z",
//!  "entries": [{"id": "ca", "covers": {"conditional-access": {"policy": "MFA", "account": "package_1@contoso.com", "group": null}},
//!    "owner": "secops@contoso.com", "reason": "…", "ticket": null, "expires": "2026-12-31", "days_left": 29,
//!    "live": {"yes": "listed in the policy"}, "needed": {"yes": "wave pilot isn't finished"}, "state": "open"}],
//!  "gaps": []}
//! ```

use serde::Serialize;

use super::page::{Page, Paint, Shape};
use super::when::Zone;
use super::words::count;
use crate::diff::{Answer, Covered, ExclusionState, Register, RegisterEntry, SOON_DAYS};
use crate::model::{DeviceName, words};

/// Name and version of the shape.
pub const FORMAT: &str = "opsole.exclusions/1";

/// Names of devices in one cell of a table.
const NAMES_MAX: usize = 5;

/// The register, as `opsole.exclusions/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegisterView<'a> {
    format: &'static str,
    #[serde(flatten)]
    register: &'a Register,
}

impl<'a> RegisterView<'a> {
    /// Takes a register as it is.
    #[must_use]
    pub fn new(register: &'a Register) -> Self {
        Self { format: FORMAT, register }
    }
}

/// Returns what an exclusion covers, as a clause. Names are cut.
#[must_use]
pub fn covers(covered: &Covered) -> String {
    match covered {
        Covered::Devices { names, unknown } => {
            let some = words::some(names.iter().map(DeviceName::as_str), NAMES_MAX);
            let unsure = if *unknown > 0 {
                format!(", unknown of {}", count(*unknown as usize, "device"))
            } else {
                String::new()
            };
            let list = if some.is_empty() { String::new() } else { format!(": {some}") };
            format!("{}{unsure}{list}", count(names.len(), "device"))
        }
        Covered::ConditionalAccess { policy, account, group } => {
            let group = group.as_ref().map(|group| format!(" by group `{group}`")).unwrap_or_default();
            format!("policy `{policy}` without {account}{group}")
        }
        Covered::Check(id) => format!("check {id}"),
        Covered::Area(area) => format!("area {area}"),
    }
}

/// Returns the kind of what an exclusion covers, as the plan's keys name it.
#[must_use]
pub fn kind(covered: &Covered) -> &'static str {
    match covered {
        Covered::Devices { .. } => "devices",
        Covered::ConditionalAccess { .. } => "conditional-access",
        Covered::Check(_) => "check",
        Covered::Area(_) => "area",
    }
}

/// Returns the end in words: the last day and how far away it is.
fn end(entry: &RegisterEntry) -> String {
    let (Some(day), Some(left)) = (entry.expires, entry.days_left) else { return "no end".to_owned() };
    let days = |n: i64| if n == 1 { "1 day".to_owned() } else { format!("{n} days") };
    match left {
        0 => format!("until {day}, today"),
        left if left > 0 => format!("until {day}, {} left", days(left)),
        left => format!("ran out on {day}, {} ago", days(-left)),
    }
}

fn answer(what: &str, answer: &Answer) -> Option<String> {
    match answer {
        Answer::NotApplicable => None,
        Answer::Yes(why) | Answer::No(why) | Answer::Unknown(why) => Some(format!("{what}: {}, {why}", answer.word())),
    }
}

fn paint(entry: &RegisterEntry) -> Paint {
    match entry.state {
        ExclusionState::Overdue | ExclusionState::Unrecorded => Paint::Red,
        ExclusionState::Expired | ExclusionState::Unknown => Paint::Yellow,
        ExclusionState::Open | ExclusionState::Planned if entry.days_left.is_some_and(|left| left <= SOON_DAYS) => {
            Paint::Yellow
        }
        ExclusionState::Open | ExclusionState::Planned => Paint::Plain,
        ExclusionState::Closed => Paint::Dim,
    }
}

fn totals(register: &Register) -> String {
    let of = |state| register.entries.iter().filter(|entry| entry.state == state).count();
    let states = ExclusionState::ALL.into_iter().filter(|state| of(*state) > 0);
    let list: Vec<String> = states.map(|state| format!("{} {}", of(state), state.as_str())).collect();
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

/// Returns the register as text that ends with a line break. `width` is in columns, at least 40 are used.
#[must_use]
pub fn text(register: &Register, width: usize, color: bool, ascii: bool) -> String {
    let zone = Zone::named(&register.zone);
    let mut page = Page::new(Shape { width, color, ascii });
    let head = format!(
        "Exclusions of {}, as of {} ({}): {}.",
        register.plan,
        zone.moment(register.as_of),
        zone.name(),
        totals(register)
    );
    page.wrapped("", 0, &head, Paint::Bold);
    for state in ExclusionState::ALL {
        let own: Vec<&RegisterEntry> = register.entries.iter().filter(|entry| entry.state == state).collect();
        if own.is_empty() {
            continue;
        }
        let mut title = state.as_str().to_owned();
        title[..1].make_ascii_uppercase();
        page.title(&title);
        for entry in own {
            let name = entry.id.as_deref().unwrap_or("not in the plan");
            page.wrapped("  ", 4, &format!("{name}: {}", end(entry)), paint(entry));
            page.line(6, &covers(&entry.covers));
            let answers = [answer("live in the tenant", &entry.live), answer("needed", &entry.needed)];
            for line in answers.into_iter().flatten() {
                page.line(6, &line);
            }
            if entry.id.is_some() {
                let ticket = entry.ticket.as_ref().map(|ticket| format!(" ({ticket})")).unwrap_or_default();
                page.line(6, &format!("{}: {}{ticket}", entry.owner, entry.reason));
            }
        }
    }
    if !register.gaps.is_empty() {
        page.title("Not compared");
        register.gaps.iter().for_each(|gap| page.line(2, gap));
    }
    page.into_text()
}

/// Returns the register as a Markdown table.
#[must_use]
pub fn markdown(register: &Register) -> String {
    let cell = |text: &str| {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        flat.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;")
    };
    let zone = Zone::named(&register.zone);
    let mut text = format!(
        "# Exclusions of {}\n\nAs of {} ({}): {}.\n\n| exclusion | state | covers | until | left | owner | reason | ticket | live | needed |\n|---|---|---|---|---|---|---|---|---|---|\n",
        cell(&register.plan),
        zone.moment(register.as_of),
        zone.name(),
        totals(register)
    );
    for entry in &register.entries {
        let full = |answer: &Answer| match answer.why() {
            "" => answer.word().to_owned(),
            why => format!("{}: {why}", answer.word()),
        };
        let cells = [
            entry.id.clone().unwrap_or_default(),
            entry.state.as_str().to_owned(),
            covers(&entry.covers),
            entry.expires.map(|day| day.to_string()).unwrap_or_default(),
            entry.days_left.map(|left| left.to_string()).unwrap_or_default(),
            entry.owner.clone(),
            entry.reason.clone(),
            entry.ticket.clone().unwrap_or_default(),
            full(&entry.live),
            full(&entry.needed),
        ];
        text.push_str(&format!("| {} |\n", cells.map(|text| cell(&text)).join(" | ")));
    }
    for gap in &register.gaps {
        text.push_str(&format!("\nNot compared: {}.\n", cell(gap)));
    }
    text
}

/// Returns the register as CSV with a head, lines ended by CR and LF (RFC 4180).
///
/// # Errors
/// As the writer; none in memory.
pub fn csv(register: &Register) -> Result<String, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record([
        "id",
        "state",
        "kind",
        "covers",
        "devices",
        "owner",
        "reason",
        "ticket",
        "expires",
        "days_left",
        "live",
        "live_why",
        "needed",
        "needed_why",
    ])?;
    for entry in &register.entries {
        let devices = match &entry.covers {
            Covered::Devices { names, .. } => names.iter().map(DeviceName::as_str).collect::<Vec<_>>().join(" "),
            _ => String::new(),
        };
        let number = |left: i64| left.to_string();
        writer.write_record([
            inert(entry.id.as_deref().unwrap_or_default()),
            entry.state.as_str().to_owned(),
            kind(&entry.covers).to_owned(),
            inert(&covers(&entry.covers)),
            inert(&devices),
            inert(&entry.owner),
            inert(&entry.reason),
            inert(entry.ticket.as_deref().unwrap_or_default()),
            entry.expires.map(|day| day.to_string()).unwrap_or_default(),
            entry.days_left.map(number).unwrap_or_default(),
            entry.live.word().to_owned(),
            inert(entry.live.why()),
            entry.needed.word().to_owned(),
            inert(entry.needed.why()),
        ])?;
    }
    let bytes = writer.into_inner().map_err(|e| e.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A spreadsheet takes text that begins like a formula for one: an apostrophe keeps it text.
pub(super) fn inert(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use jiff::civil::date;

    pub(in crate::render) fn sample() -> Register {
        let access = |group: Option<&str>| Covered::ConditionalAccess {
            policy: "Require MFA, \"all\" users".to_owned(),
            account: "package_1@contoso.com".to_owned(),
            group: group.map(str::to_owned),
        };
        let open = RegisterEntry {
            id: Some("vip".to_owned()),
            covers: Covered::Devices { names: (0..7).map(crate::dag::fixture::name).collect(), unknown: 0 },
            owner: "lead@contoso.com".to_owned(),
            reason: "board; meeting, season\nuntil spring".to_owned(),
            ticket: Some("CHG-1".to_owned()),
            expires: Some(date(2026, 12, 12)),
            days_left: Some(10),
            live: Answer::NotApplicable,
            needed: Answer::Yes("7 devices aren't migrated".to_owned()),
            state: ExclusionState::Open,
        };
        let overdue = RegisterEntry {
            id: Some("ca".to_owned()),
            covers: access(Some("CA-Excluded")),
            reason: "=bulk enrolment can't answer MFA".to_owned(),
            ticket: None,
            expires: Some(date(2026, 12, 1)),
            days_left: Some(-1),
            live: Answer::Yes("through group `CA-Excluded`".to_owned()),
            needed: Answer::No("every wave that joins with it is finished".to_owned()),
            state: ExclusionState::Overdue,
            ..open.clone()
        };
        let unrecorded = RegisterEntry {
            id: None,
            covers: access(None),
            owner: String::new(),
            reason: String::new(),
            expires: None,
            days_left: None,
            live: Answer::Yes("listed in the policy".to_owned()),
            state: ExclusionState::Unrecorded,
            ..overdue.clone()
        };
        Register {
            plan: "contoso".to_owned(),
            zone: "UTC".to_owned(),
            as_of: crate::dag::fixture::at(crate::dag::fixture::AS_OF),
            entries: vec![open, overdue, unrecorded],
            gaps: Vec::new(),
        }
    }

    /// Catches a page that buries what needs a person, or that doesn't fit the terminal.
    #[test]
    fn a_page() {
        let text = text(&sample(), 100, false, true);
        assert!(text.lines().all(|line| line.len() <= 100), "{text}");
        insta::assert_snapshot!(text, @r#"
        Exclusions of contoso, as of 2026-12-02 18:30 (UTC): 1 overdue, 1 unrecorded, 1 open.

        Overdue
          ca: ran out on 2026-12-01, 1 day ago
              policy `Require MFA, "all" users` without package_1@contoso.com by group `CA-Excluded`
              live in the tenant: yes, through group `CA-Excluded`
              needed: no, every wave that joins with it is finished
              lead@contoso.com: =bulk enrolment can't answer MFA

        Unrecorded
          not in the plan: no end
              policy `Require MFA, "all" users` without package_1@contoso.com
              live in the tenant: yes, listed in the policy
              needed: no, every wave that joins with it is finished

        Open
          vip: until 2026-12-12, 10 days left
              7 devices: PC-000, PC-001, PC-002, PC-003, PC-004 and 2 more
              needed: yes, 7 devices aren't migrated
              lead@contoso.com: board; meeting, season until spring (CHG-1)
        "#);
    }

    /// Catches cells that break their row, and text that a spreadsheet would run as a formula.
    #[test]
    fn a_spreadsheet() {
        let csv = csv(&sample()).expect("in memory");
        insta::assert_snapshot!(csv.replace("\r\n", "\n"), @r#"
        id,state,kind,covers,devices,owner,reason,ticket,expires,days_left,live,live_why,needed,needed_why
        vip,open,devices,"7 devices: PC-000, PC-001, PC-002, PC-003, PC-004 and 2 more",PC-000 PC-001 PC-002 PC-003 PC-004 PC-005 PC-006,lead@contoso.com,"board; meeting, season
        until spring",CHG-1,2026-12-12,10,not applicable,,yes,7 devices aren't migrated
        ca,overdue,conditional-access,"policy `Require MFA, ""all"" users` without package_1@contoso.com by group `CA-Excluded`",,lead@contoso.com,'=bulk enrolment can't answer MFA,,2026-12-01,-1,yes,through group `CA-Excluded`,no,every wave that joins with it is finished
        ,unrecorded,conditional-access,"policy `Require MFA, ""all"" users` without package_1@contoso.com",,,,,,,yes,listed in the policy,no,every wave that joins with it is finished
        "#);
        let rows = csv::Reader::from_reader(csv.as_bytes()).into_records().filter(Result::is_ok).count();
        assert_eq!(rows, 3);
    }

    /// Catches a cell of a Markdown table that ends it early.
    #[test]
    fn a_table() {
        let mut register = sample();
        register.entries[0].reason = "a | b\nc".to_owned();
        let text = markdown(&register);
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 5, "{text}");
        let columns = |row: &&str| row.replace("\\|", "").matches('|').count();
        assert!(rows.iter().all(|row| columns(row) == 11), "{text}");
    }

    /// Catches a shape without its name, or a key that programs rely on and that was renamed.
    #[test]
    fn json_has_its_shape() {
        let json = serde_json::to_value(RegisterView::new(&sample())).expect("a value");
        assert_eq!(json["format"], FORMAT);
        assert_eq!(json["entries"][1]["covers"]["conditional-access"]["group"], "CA-Excluded");
        assert_eq!(json["entries"][1]["live"]["yes"], "through group `CA-Excluded`");
        assert_eq!((&json["entries"][1]["state"], &json["entries"][1]["days_left"]), (&"overdue".into(), &(-1).into()));
    }
}
