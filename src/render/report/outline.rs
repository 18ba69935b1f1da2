//! What is said, in which order: sections with sentences and tables, before any form.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{DeviceName, words};
use crate::record::{ApprovalRow, DeviceRow, Group, Report, Standing, groups};
use crate::render::run::status_name;
use crate::render::when::Zone;
use crate::render::words::{count, duration};
use crate::run::Status;

/// How much is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Rows of a table.
    pub(super) rows: usize,
    /// Groups of devices.
    pub(super) groups: usize,
    /// Names in one list.
    pub(super) names: usize,
    /// Characters of one cell.
    pub(super) cell: usize,
}

/// One section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) words: Vec<String>,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Section {
    fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }
    fn say(mut self, words: impl Into<String>) -> Self {
        self.words.push(words.into());
        self
    }
    /// Takes a table, as far as the limits go, and says how much more there is.
    fn table(mut self, limits: &Limits, head: &[&'static str], rows: impl Iterator<Item = Vec<String>>) -> Self {
        let mut rows = rows.peekable();
        self.head = head.to_vec();
        let cut = |row: Vec<String>| row.into_iter().map(|cell| cut(&cell, limits.cell)).collect();
        self.rows = rows.by_ref().take(limits.rows).map(cut).collect();
        let more = rows.count();
        if more > 0 {
            self.words.push(format!("{more} more rows are left out here; `--format csv` and `json` have all."));
        }
        self
    }
}

/// Cuts a text that is too long for a cell.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

struct Outline<'r> {
    report: &'r Report,
    zone: Zone,
    limits: Limits,
}

/// Returns what is said of a run; with a device, that device in place of the groups.
pub(super) fn outline(report: &Report, limits: Limits, device: Option<&DeviceName>) -> Vec<Section> {
    let outline = Outline { report, zone: Zone::named(&report.zone), limits };
    let mut sections = vec![outline.summary(), outline.planned()];
    sections.extend(outline.agreed());
    sections.extend(outline.exclusions());
    sections.extend(outline.tenant());
    match device {
        Some(name) => {
            let row = report.devices.iter().find(|row| row.device == *name);
            sections.extend(row.map(|row| outline.device(row)));
        }
        None => sections.extend(outline.devices()),
    }
    sections.extend(outline.problems());
    sections.extend(outline.undone());
    sections.extend(outline.left_out());
    sections.extend(outline.turns());
    sections
}

impl Outline<'_> {
    fn moment(&self, at: Timestamp) -> String {
        self.zone.moment(at)
    }
    fn maybe(&self, at: Option<Timestamp>) -> String {
        at.map_or_else(String::new, |at| self.moment(at))
    }

    fn summary(&self) -> Section {
        let report = self.report;
        let took = report.last.duration_since(report.began).unsigned_abs();
        let standing = match report.standing {
            Standing::Ended => format!("ended {}, after {}", self.moment(report.last), duration(took)),
            Standing::Open => format!(
                "open: this goes as far as its journal does, to {}; `opsole apply --resume` goes on",
                self.moment(report.last)
            ),
        };
        let who = match (&report.by, &report.tool) {
            (Some(by), Some(tool)) => format!("{} by {by} with opsole {tool}", self.moment(report.began)),
            _ => format!("{} with an earlier version, which didn't keep who", self.moment(report.began)),
        };
        let sealed = report.sealed.as_ref().map_or_else(
            || "none: it was begun without one".to_owned(),
            |sealed| format!("{}, sealed {}", sealed.digest, self.moment(sealed.sealed_at)),
        );
        let of = &report.devices_by_outcome;
        let parts = [
            (of.complete, "complete"),
            (of.recovery_required, "need a person"),
            (of.undone, "failed and put back"),
            (of.pending_verification, "pending verification"),
            (of.not_started, "not started"),
            (of.open, "under way or waiting"),
        ];
        let said = parts.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}"));
        let devices = match said.collect::<Vec<_>>().join(", ") {
            said if said.is_empty() => "none".to_owned(),
            said => format!("{}: {said}", of.total),
        };
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        let mut section = Section::new(format!("Run {} of wave {}", report.run, report.wave));
        section.rows = vec![
            row("standing", standing),
            row("began", who),
            row("plan", format!("{}, digest {}", report.plan, report.plan_digest)),
            row("sealed plan", sealed),
            row("devices", devices),
            row("journal", format!("{} entries", report.entries)),
            row("audit head", report.audit_head.to_string()),
            row("times", format!("in {}", self.zone.name())),
        ];
        if let Some(stopped) = &report.stopped {
            section.words.push(format!("The wave stopped: {} ({}).", stopped.message, stopped.code));
        }
        section
    }

    fn planned(&self) -> Section {
        let report = self.report;
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let devices = count(number(report.devices_by_outcome.total), "device");
        let planned = count(number(report.planned), "operation");
        let section = Section::new("Planned against done");
        let section = if report.planned == report.done {
            section.say(format!("{planned} of {devices} were planned, and all were done."))
        } else {
            section.say(format!("{planned} of {devices} were planned, and {} were done.", report.done))
        };
        let section = if report.unplanned.is_empty() {
            section.say("Nothing was done that wasn't planned.")
        } else {
            let all = report.unplanned.iter();
            let some =
                all.take(self.limits.names).map(|one| format!("{} on {} (entry {})", one.op, one.device, one.entry));
            let names = some.collect::<Vec<_>>().join(", ");
            section.say(format!("{} in the journal weren't planned: {names}.", report.unplanned.len()))
        };
        if report.not_done.is_empty() {
            return section;
        }
        let mut alike: BTreeMap<(Status, u64), Vec<&'static str>> = BTreeMap::new();
        for one in &report.not_done {
            alike.entry((one.status, one.devices)).or_default().push(one.op.name());
        }
        let rows = alike.into_iter().map(|((status, devices), ops)| {
            let names = words::some(ops.iter().copied(), self.limits.names);
            vec![status_name(status).to_owned(), devices.to_string(), ops.len().to_string(), names]
        });
        section.table(&self.limits, &["planned, and", "devices", "operations", "which"], rows)
    }

    fn agreed(&self) -> Vec<Section> {
        let report = self.report;
        let mut sections = Vec::new();
        let section = Section::new("Approvals");
        sections.push(match &report.sealed {
            None => section.say("It was begun without a sealed plan, so nothing was approved."),
            Some(sealed) => {
                let counted = sealed.statements.iter().filter(|one| one.counted).count();
                let rows = sealed.statements.iter().map(|one| self.statement(one));
                section.say(format!("{} needed, {counted} counted.", sealed.required)).table(
                    &self.limits,
                    &["what", "who", "role", "ticket", "key", "when", "remark"],
                    rows,
                )
            }
        });
        if !report.exceptions.is_empty() {
            let rows = report.exceptions.iter().map(|one| {
                let devices = if one.devices > 0 { one.devices.to_string() } else { String::new() };
                vec![one.check.to_string(), devices, one.exclusion.clone(), one.owner.clone()]
            });
            let head = ["check", "devices", "exclusion", "owner"];
            sections.push(Section::new("Accepted exceptions").table(&self.limits, &head, rows));
        }
        sections
    }

    fn statement(&self, one: &ApprovalRow) -> Vec<String> {
        let counted = if one.kind == "approval" && !one.counted { " (didn't count)" } else { "" };
        vec![
            format!("{}{counted}", one.kind),
            one.by.clone(),
            one.role.map_or_else(String::new, |role| role.as_str().to_owned()),
            one.ticket.clone().unwrap_or_default(),
            one.key.short(),
            self.moment(one.at),
            one.note.clone().unwrap_or_default(),
        ]
    }

    fn exclusions(&self) -> Option<Section> {
        let rows = self.report.exclusions.iter().map(|one| {
            let opened = one.opened.map_or_else(|| "before this run".to_owned(), |at| self.moment(at));
            let closed = one.closed.map_or_else(|| "still open".to_owned(), |at| self.moment(at));
            let place = one.policy.clone().unwrap_or_default();
            let group = one.group.as_ref().map(|group| format!(" by group {group}")).unwrap_or_default();
            vec![one.account.clone(), format!("{place}{group}"), opened, closed]
        });
        let head = ["account", "excluded from", "opened", "closed"];
        let section = Section::new("Exclusions in tenants");
        (!self.report.exclusions.is_empty()).then(|| section.table(&self.limits, &head, rows))
    }

    fn tenant(&self) -> Option<Section> {
        // One that stood ready for a day that didn't come says nothing.
        let shown = |row: &&crate::record::TenantRow| row.status != Status::Skipped || row.problem.is_some();
        let rows: Vec<Vec<String>> = self
            .report
            .tenant
            .iter()
            .filter(shown)
            .map(|row| {
                vec![
                    row.op.to_string(),
                    row.account.clone(),
                    status_name(row.status).to_owned(),
                    self.maybe(row.started),
                    self.maybe(row.ended),
                    row.problem.as_ref().map_or_else(String::new, |problem| problem.code.clone()),
                ]
            })
            .collect();
        let head = ["operation", "account", "state", "began", "ended", "problem"];
        (!rows.is_empty()).then(|| Section::new("Operations of tenants").table(&self.limits, &head, rows.into_iter()))
    }

    fn devices(&self) -> Vec<Section> {
        let all = groups(self.report);
        let mut sections: Vec<Section> = all.iter().take(self.limits.groups).map(|group| self.group(group)).collect();
        let more: usize = all.iter().skip(self.limits.groups).map(|group| group.devices.len()).sum();
        if more > 0 {
            let words = format!(
                "{} that came to something else are left out here; `--format csv` has all.",
                count(more, "device")
            );
            sections.push(Section::new("More devices").say(words));
        }
        sections
    }

    fn group(&self, group: &Group<'_>) -> Section {
        let number = count(group.devices.len(), "device");
        let names = words::some(group.devices.iter().map(|name| name.as_str()), self.limits.names);
        let mut section = Section::new(format!("{number}: {}", outcome_words(group.outcome))).say(names);
        if let Some(problem) = group.problem {
            section = section.say(format!("{} ({})", problem.message, problem.code));
        }
        if let Some(reason) = group.reason {
            return section.say(reason);
        }
        // A chain that stopped early ends in a long list of nothing.
        let unreached = |status: Status| matches!(status, Status::Pending | Status::Skipped);
        for status in [Status::Skipped, Status::Pending] {
            let ops: Vec<&str> =
                group.operations.iter().filter(|(_, at, ..)| *at == status).map(|(op, ..)| op.name()).collect();
            if !ops.is_empty() {
                let names = words::some(ops.iter().copied(), self.limits.names);
                let number = count(ops.len(), "operation");
                section = section.say(format!("{number} {}: {names}.", status_name(status)));
            }
        }
        let rows = group.operations.iter().filter(|(_, status, ..)| !unreached(*status));
        let rows = rows.map(|(op, status, first, last)| {
            vec![op.to_string(), status_name(*status).to_owned(), self.maybe(*first), self.maybe(*last)]
        });
        section.table(&self.limits, &["operation", "state", "first began", "last ended"], rows)
    }

    fn device(&self, row: &DeviceRow) -> Section {
        let mut section = Section::new(format!("{}: {}", row.device, outcome_words(&row.outcome)));
        let moments = [("started", row.started), ("past the point of no return", row.committed), ("ended", row.ended)];
        let said = moments.iter().filter_map(|(word, at)| Some(format!("{word} {}", self.moment((*at)?))));
        let said = said.collect::<Vec<_>>().join(", ");
        if !said.is_empty() {
            section = section.say(format!("{said}."));
        }
        if let (Some(at), Some(digest)) = (row.evidence_at, row.evidence) {
            section = section.say(format!("Latest evidence of {}, facts {digest}.", self.moment(at)));
        }
        if let Some(problem) = &row.problem {
            let next = problem.next.as_ref().map(|next| format!(" Next: {next}.")).unwrap_or_default();
            section = section.say(format!("{} ({}).{next}", problem.message, problem.code));
        }
        if let Some(reason) = &row.reason {
            section = section.say(reason.clone());
        }
        let rows = row.operations.iter().map(|op| {
            let state = if op.already {
                format!("{}, found so", status_name(op.status))
            } else {
                status_name(op.status).to_owned()
            };
            let took = op.seconds.map(|secs| duration(std::time::Duration::from_secs(secs))).unwrap_or_default();
            let code = op.problem.as_ref().map_or_else(String::new, |problem| problem.code.clone());
            vec![op.op.to_string(), state, self.maybe(op.started), self.maybe(op.undone.or(op.ended)), took, code]
        });
        section.table(&self.limits, &["operation", "state", "began", "ended", "took", "problem"], rows)
    }

    fn problems(&self) -> Option<Section> {
        let rows = self.report.problems.iter().map(|row| {
            let names = row.devices.iter().map(|name| name.as_str()).chain(row.tenant.iter().map(|op| op.name()));
            let total = row.devices.len() + row.tenant.len();
            let some: Vec<&str> = names.take(self.limits.names).collect();
            let more = total.saturating_sub(some.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            vec![
                row.issue.code.clone(),
                format!("{}{more}", some.join(", ")),
                row.issue.message.clone(),
                row.issue.next.clone().unwrap_or_default(),
            ]
        });
        let head = ["problem", "on", "what", "next"];
        (!self.report.problems.is_empty()).then(|| Section::new("Problems").table(&self.limits, &head, rows))
    }

    fn undone(&self) -> Option<Section> {
        let rows = self.report.undone.iter().map(|one| {
            let device = one.device.as_ref().map_or_else(|| "tenant".to_owned(), ToString::to_string);
            vec![device, one.op.to_string(), status_name(one.status).to_owned(), self.maybe(one.at)]
        });
        let head = ["on", "operation", "state", "when"];
        (!self.report.undone.is_empty()).then(|| Section::new("Put back").table(&self.limits, &head, rows))
    }

    fn left_out(&self) -> Option<Section> {
        let rows = self.report.left_out.iter().map(|one| vec![one.device.to_string(), one.why.clone()]);
        let section = Section::new("Sealed and left out, because they had changed");
        (!self.report.left_out.is_empty()).then(|| section.table(&self.limits, &["device", "why"], rows))
    }

    fn turns(&self) -> Option<Section> {
        let rows = self.report.turns.iter().map(|turn| {
            let what = turn.what.strip_prefix("run-").unwrap_or(&turn.what);
            vec![self.moment(turn.at), what.to_owned(), turn.actor.clone()]
        });
        let section = Section::new("Who had it in hand");
        (!self.report.turns.is_empty()).then(|| section.table(&self.limits, &["when", "what", "who"], rows))
    }
}

fn outcome_words(outcome: &str) -> &str {
    match outcome {
        "recovery-required" => "a person is needed",
        "undone" => "failed and put back",
        "pending-verification" => "pending verification",
        "not-started" => "not started",
        "open" => "under way or waiting",
        other => other,
    }
}
