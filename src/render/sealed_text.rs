//! A sealed plan for the terminal, read from the file alone: the summary first, then what is alike together.
//!
//! The length depends on the plan and not on the fleet; `--device` unfolds one device.

use std::collections::BTreeMap;

use super::page::{Page, Paint, Shape};
use super::when::Zone;
use super::words::{brief, count};
use crate::dag::{Phase, spec};
use crate::diff::Action;
use crate::model::Op;
use crate::sealed::{Body, ChangeLine, DeviceLine, Sealed, StatementKind};

/// Findings, kinds of blockers and groups of like devices that are shown.
const LINES_MAX: usize = 12;

/// How a sealed plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedTextOptions<'a> {
    /// Columns; text is wrapped at it. At least 40 are used.
    pub width: usize,
    /// ANSI colours.
    pub color: bool,
    /// Only ASCII characters.
    pub ascii: bool,
    /// Unfold this device instead.
    pub device: Option<&'a str>,
}

/// Returns a sealed plan as text that ends with a line break.
#[must_use]
pub fn sealed_text(sealed: &Sealed, options: &SealedTextOptions<'_>) -> String {
    let shape = Shape { width: options.width, color: options.color, ascii: options.ascii };
    let body = &sealed.body;
    let mut view =
        View { sealed, body, zone: Zone::named(&body.plan.zone), page: Page::new(shape), ascii: options.ascii };
    match options.device {
        None => view.whole(),
        Some(name) => match body.device(&name.to_uppercase()) {
            Some(device) => view.device(device),
            None => view.page.line(0, &format!("The sealed plan holds no device {name}.")),
        },
    }
    view.page.into_text()
}

struct View<'s> {
    sealed: &'s Sealed,
    body: &'s Body,
    zone: Zone,
    page: Page,
    ascii: bool,
}

/// Counts operations that would run, and devices that would pass the point of no return.
#[must_use]
pub fn totals(body: &Body) -> (usize, usize) {
    let runs = |device: &&DeviceLine| matches!(device.standing.as_str(), "migrate" | "resume");
    let mut operations = body.tenant.iter().filter(|line| line.action == Action::Do).count();
    let mut committed = 0;
    for device in body.devices.iter().filter(runs) {
        let due = || body.chain(device).iter().filter(|change| change.1 == Action::Do);
        operations += due().count();
        committed += usize::from(due().any(|change| spec(change.0).phase == Phase::Committed));
    }
    (operations, committed)
}

impl View<'_> {
    fn whole(&mut self) {
        self.head();
        self.approvals();
        self.rules();
        self.relies();
        self.groups();
        self.blocked();
        self.tenant();
        self.findings();
    }

    fn head(&mut self) {
        let body = self.body;
        let (operations, committed) = totals(body);
        let words = format!("Sealed plan {}, wave {}: {}", body.plan.name, body.wave, body.plan.scenario.as_str());
        self.page.wrapped("", 0, &words, Paint::Bold);
        let mut standings: BTreeMap<&str, usize> = BTreeMap::new();
        body.devices.iter().for_each(|device| *standings.entry(&device.standing).or_default() += 1);
        let kinds: Vec<String> = standings.iter().map(|(kind, number)| format!("{number} {kind}")).collect();
        self.page.line(0, &format!("{}: {}.", count(body.devices.len(), "device"), kinds.join(", ")));
        let words = format!(
            "{} would run; {} would pass the point of no return.",
            count(operations, "operation"),
            count(committed, "device")
        );
        self.page.line(0, &words);
        let (at, until) = (self.zone.moment(body.sealed_at), self.zone.moment(body.not_after));
        let zone = self.zone.name();
        self.page
            .line(0, &format!("Sealed {at}, good until {until} ({zone}), digest {}.", self.sealed.digest().short()));
    }

    fn approvals(&mut self) {
        let body = self.body;
        let roles: Vec<&str> = body.approvals_from.iter().map(|role| role.as_str()).collect();
        let of = if roles.is_empty() { String::new() } else { format!(" of {}", roles.join(", ")) };
        let needed = usize::try_from(body.approvals_required).unwrap_or(usize::MAX);
        self.page.title(&format!("Signatures: {} needed{of}", count(needed, "approval")));
        for statement in &self.sealed.statements {
            let (sign, word, paint) = match statement.kind {
                StatementKind::Seal => ("=", "sealed", Paint::Dim),
                StatementKind::Approval => ("+", "approved", Paint::Green),
                StatementKind::Revocation => ("x", "taken back", Paint::Red),
                StatementKind::Rejection => ("x", "sent back", Paint::Red),
            };
            let head = format!("  {} ", self.page.paint(paint, sign));
            let role = statement.role.map(|role| format!(" as {}", role.as_str())).unwrap_or_default();
            let ticket = statement.ticket.as_ref().map(|ticket| format!(", {ticket}")).unwrap_or_default();
            let note = statement.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            let at = self.zone.moment(statement.at);
            let words = format!("{word} {at} by {}{role}, key {}{ticket}{note}", statement.by, statement.key.short());
            self.page.wrapped(&head, 4, &words, Paint::Plain);
        }
    }

    fn rules(&mut self) {
        if self.body.rules.is_empty() {
            return;
        }
        self.page.title("Rules");
        for rule in self.body.rules.iter().take(LINES_MAX) {
            let (sign, paint) = match (rule.holds, rule.effect.as_str()) {
                (true, _) => ("+", Paint::Green),
                (false, "block") => ("x", Paint::Red),
                (false, _) => ("!", Paint::Yellow),
            };
            let head = format!("  {} ", self.page.paint(paint, sign));
            let setting = if rule.setting.is_empty() { String::new() } else { format!(" {}", rule.setting) };
            self.page.wrapped(&head, 4, &format!("{}{setting}: {}", rule.rule, rule.seen), Paint::Plain);
            if !rule.holds {
                self.page.wrapped("      ", 6, &format!("next: {}", rule.next), Paint::Plain);
            }
        }
        self.page.more(2, self.body.rules.len().saturating_sub(LINES_MAX), "rule", "");
    }

    fn relies(&mut self) {
        if self.body.relies_on.is_empty() {
            return;
        }
        self.page.title("Relies on");
        for one in self.body.relies_on.iter().take(LINES_MAX) {
            let kind = format!("{:?}", one.kind).to_lowercase();
            let until = self.zone.last_day(one.until);
            self.page.line(2, &format!("{kind} {} until {until}", one.name));
        }
        self.page.more(2, self.body.relies_on.len().saturating_sub(LINES_MAX), "thing", "");
    }

    /// Devices with the same list of changes are one block.
    fn groups(&mut self) {
        let mut groups: BTreeMap<(&str, u32), Vec<&DeviceLine>> = BTreeMap::new();
        for device in self.body.devices.iter().filter(|device| device.standing != "blocked") {
            groups.entry((&device.standing, device.chain)).or_default().push(device);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|((standing, chain), devices)| (order(standing), std::cmp::Reverse(devices.len()), *chain));
        let hidden = groups.split_off(groups.len().min(LINES_MAX));
        for (at, ((standing, _), devices)) in groups.iter().enumerate() {
            self.page.title(&format!("{}: {}", capital(standing), count(devices.len(), "device")));
            self.page.names(2, devices.iter().map(|device| device.name.as_str()));
            let chain = self.body.chain(devices[0]);
            if matches!(*standing, "migrate" | "resume") {
                // The first list is written out, later ones are told by how they differ from it.
                match at {
                    0 => self.chain(chain),
                    _ => self.difference(self.body.chain(groups[0].1[0]), chain),
                }
            }
        }
        self.page.more(0, hidden.len(), "group", "; `--device D` shows one, `--output json` all");
    }

    fn chain(&mut self, chain: &[ChangeLine]) {
        let mut crossed = false;
        for ChangeLine(op, action, _) in chain.iter().filter(|change| change.1 == Action::Do) {
            if !crossed && spec(*op).phase == Phase::Committed {
                crossed = true;
                self.page.boundary();
            }
            let head = self.page.operation_head(*action, *op);
            self.page.wrapped(&head, super::page::COLUMN, brief(*op), Paint::Plain);
        }
    }

    fn difference(&mut self, first: &[ChangeLine], chain: &[ChangeLine]) {
        let does = |chain: &[ChangeLine]| -> Vec<Op> {
            chain.iter().filter(|change| change.1 == Action::Do).map(|change| change.0).collect()
        };
        let (first, own) = (does(first), does(chain));
        let less: Vec<&str> = first.iter().filter(|op| !own.contains(op)).map(|op| op.name()).collect();
        let more: Vec<&str> = own.iter().filter(|op| !first.contains(op)).map(|op| op.name()).collect();
        for (word, list) in [("without", less), ("also", more)] {
            if !list.is_empty() {
                self.page.line(4, &format!("{word} {}", list.join(", ")));
            }
        }
    }

    fn blocked(&mut self) {
        let mut by_code: BTreeMap<&str, Vec<(&DeviceLine, &crate::sealed::BlockerLine)>> = BTreeMap::new();
        for device in &self.body.devices {
            for blocker in &device.blockers {
                by_code.entry(&blocker.code).or_default().push((device, blocker));
            }
        }
        if by_code.is_empty() {
            return;
        }
        let devices = self.body.devices.iter().filter(|device| device.standing == "blocked").count();
        self.page.title(&format!("Blocked: {}", count(devices, "device")));
        let total = by_code.len();
        for (code, hits) in by_code.into_iter().take(LINES_MAX) {
            let (device, first) = hits[0];
            let head = format!("  {} ", self.page.paint(Paint::Red, "x"));
            let words = format!(
                "{code}: {}, such as {}: {}",
                count(hits.len(), "device"),
                device.name,
                self.body.text(first.message)
            );
            self.page.wrapped(&head, 4, &words, Paint::Plain);
            self.page.line(6, &format!("next: {}", self.body.text(first.next)));
        }
        self.page.more(2, total.saturating_sub(LINES_MAX), "kind", "");
    }

    fn tenant(&mut self) {
        let due: Vec<_> = self.body.tenant.iter().filter(|line| line.action == Action::Do).collect();
        if due.is_empty() {
            return;
        }
        self.page.title("Tenant");
        for line in due.iter().take(LINES_MAX) {
            let head = self.page.operation_head(line.action, line.op);
            let policy = line.policy.as_ref().map(|policy| format!("`{policy}`: ")).unwrap_or_default();
            let when = match (line.needs_complete, spec(line.op).phase) {
                (true, _) => "after this run, if each of its devices ends complete",
                (false, Phase::Reversible) => "before any device",
                (false, _) => "at the end of this run",
            };
            self.page.wrapped(&head, super::page::COLUMN, &format!("{policy}{when}"), Paint::Plain);
            if !line.before.is_empty() {
                let arrow = if self.ascii { "->" } else { "→" };
                self.page.wrapped("        ", 10, &format!("{} {arrow} {}", line.before, line.after), Paint::Dim);
            }
        }
        self.page.more(2, due.len().saturating_sub(LINES_MAX), "operation", "");
    }

    fn findings(&mut self) {
        let findings = &self.body.findings;
        if findings.is_empty() {
            return;
        }
        self.page.title(&format!("Findings: {}", findings.len()));
        for finding in findings.iter().take(LINES_MAX) {
            let (sign, paint) = if finding.blocks { ("x", Paint::Red) } else { ("!", Paint::Yellow) };
            let head = format!("  {} ", self.page.paint(paint, sign));
            let subject = if finding.subject.is_empty() { String::new() } else { format!(", {}", finding.subject) };
            let words = format!("{} {}{subject}: {}", finding.code, finding.outcome, finding.seen);
            self.page.wrapped(&head, 4, &words, Paint::Plain);
        }
        self.page.more(2, findings.len().saturating_sub(LINES_MAX), "finding", "; `--output json` has all");
    }

    fn device(&mut self, device: &DeviceLine) {
        self.page.wrapped("", 0, &format!("{}: {}", device.name, device.standing), Paint::Bold);
        if let Some(exclusion) = &device.exclusion {
            self.page.line(2, &format!("exclusion {exclusion} covers it"));
        }
        for blocker in &device.blockers {
            let head = format!("  {} ", self.page.paint(Paint::Red, "x"));
            let words = format!("{}: {}", blocker.code, self.body.text(blocker.message));
            self.page.wrapped(&head, 4, &words, Paint::Plain);
            self.page.line(6, &format!("next: {}", self.body.text(blocker.next)));
        }
        if let Some(run) = self.body.run.devices.iter().find(|run| run.task.device.as_str() == device.name) {
            let task = &run.task;
            let words = format!("profile {} goes to {} by package {}", task.profile_path, task.upn, task.package);
            self.page.line(2, &words);
        }
        self.page.blank();
        let arrow = if self.ascii { "->" } else { "→" };
        let mut crossed = false;
        for ChangeLine(op, action, reason) in self.body.chain(device) {
            if *action == Action::Do && !crossed && spec(*op).phase == Phase::Committed {
                crossed = true;
                self.page.boundary();
            }
            self.page.operation(&crate::diff::Change { op: *op, action: *action, reason: *reason });
            if let Some(effect) = device.effects.iter().find(|effect| effect.0 == *op) {
                let words = format!("{} {arrow} {}", self.body.text(effect.1), self.body.text(effect.2));
                self.page.wrapped("        ", 10, &words, Paint::Dim);
            }
        }
    }
}

fn order(standing: &str) -> u8 {
    match standing {
        "migrate" => 0,
        "resume" => 1,
        "excluded" => 2,
        "done" => 3,
        _ => 4,
    }
}

fn capital(word: &str) -> String {
    let mut signs = word.chars();
    signs.next().map_or_else(String::new, |first| first.to_uppercase().chain(signs).collect())
}
