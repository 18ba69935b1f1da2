//! The gate of a wave as people and programs see it: exit criteria, soak, sign-offs, and which waves wait for them.
//!
//! ```json
//! {
//!   "format": "opsole.gate/1",
//!   "wave": "pilot", "as_of": "2026-12-09T19:00:00Z", "open": false,
//!   "devices": {"counted": 2, "excluded": 0, "measured": 2},
//!   "criteria": [{"id": "exit.joined", "title": "…", "met": 2, "attested": 0, "not_met": 0, "unknown": 0, "not_applicable": 0}],
//!   "exceptions": [{"device": "PC-1", "criterion": "exit.enrolled", "outcome": "not-met", "seen": "…"}],
//!   "device": {"name": "PC-1", "criteria": [{"id": "exit.joined", "outcome": "met", "seen": "…"}]},
//!   "later": [{"wave": "london", "done": false, "open": false, "criteria": true, "soaks_until": "2026-12-09T20:00:00Z",
//!              "soak_unknown": false, "roles": [{"role": "project-lead", "answer": "missing", "sign_off": null}], "missing": ["…"]}],
//!   "sign_offs": [{"wave": "pilot", "role": "project-lead", "by": "anna", "at": "…", "evidence": "CHG-1", "seen": "…", "revoked": false}]
//! }
//! ```
//!
//! `open` says whether nothing of this wave holds a later one back. A later wave that is `done` isn't held back any more,
//! whatever its gate would say today: a sign-off may have been taken back since. `missing` is all that a later wave's gate lacks, also
//! of other waves. `device` is there with `--device` alone. `answer` is `missing`, `taken-back`, `outdated`, `signed` or
//! `attested`. `sign_offs` holds every entry of the wave in the order they were given. `title` and `seen` are words for
//! people. New keys may be added.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::page::{Page, Paint, Shape};
use super::when::Zone;
use super::words::count;
use crate::diff::{ChangeSet, GateAnswer, NeedState, Reason, WaveChange};
use crate::model::{DeviceName, Op, OwnerRole, WaveName};
use crate::plan::{MigrationPlan, Word as _};
use crate::readiness::{Criterion, ExitKind, Measure, WaveExit, asks_for_exit};
use crate::state::SignOff;

/// Name and version of the shape.
pub const FORMAT: &str = "opsole.gate/1";

/// Column at which the words of a criterion begin.
const WORDS: usize = 61;

/// A gate, as `opsole.gate/1`.
#[derive(Debug, Clone, Serialize)]
pub struct GateView {
    format: &'static str,
    wave: WaveName,
    as_of: Timestamp,
    open: bool,
    devices: DeviceCounts,
    criteria: Vec<CriterionRow>,
    exceptions: Vec<ExceptionRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceRow>,
    later: Vec<Later>,
    sign_offs: Vec<SignOff>,
    #[serde(skip)]
    met: usize,
}

#[derive(Debug, Clone, Serialize)]
struct DeviceCounts {
    counted: u32,
    excluded: u32,
    measured: u32,
}

#[derive(Debug, Clone, Serialize)]
struct CriterionRow {
    id: &'static str,
    title: &'static str,
    met: u32,
    attested: u32,
    not_met: u32,
    unknown: u32,
    not_applicable: u32,
}

#[derive(Debug, Clone, Serialize)]
struct ExceptionRow {
    device: DeviceName,
    criterion: Criterion,
    outcome: ExitKind,
    seen: String,
}

#[derive(Debug, Clone, Serialize)]
struct DeviceRow {
    name: DeviceName,
    criteria: Vec<MeasureRow>,
}

#[derive(Debug, Clone, Serialize)]
struct MeasureRow {
    id: &'static str,
    outcome: ExitKind,
    seen: String,
}

#[derive(Debug, Clone, Serialize)]
struct Later {
    wave: WaveName,
    done: bool,
    open: bool,
    criteria: bool,
    soaks_until: Option<Timestamp>,
    soak_unknown: bool,
    roles: Vec<RoleRow>,
    missing: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct RoleRow {
    role: OwnerRole,
    answer: GateAnswer,
    sign_off: Option<SignOff>,
}

/// How a gate is drawn.
#[derive(Debug, Clone, Copy)]
pub struct GateStyle {
    /// Columns.
    pub width: usize,
    /// ANSI colours.
    pub color: bool,
    /// Only ASCII characters.
    pub ascii: bool,
}

impl GateView {
    /// Takes the picture of a wave's gate. `device` unfolds one device.
    #[must_use]
    pub fn new(
        plan: &MigrationPlan,
        changes: &ChangeSet,
        exit: &WaveExit,
        sign_offs: &[SignOff],
        device: Option<(&DeviceName, Vec<(Criterion, Measure)>)>,
    ) -> Self {
        let later: Vec<Later> = waiting(changes, &exit.wave)
            .map(|(wave, need)| Later {
                wave: wave.wave.clone(),
                done: is_done(wave),
                open: need.is_met(changes.as_of),
                criteria: plan.wave(&wave.wave).is_some_and(asks_for_exit),
                soaks_until: need.soaks_until,
                soak_unknown: need.soak_unknown,
                roles: need
                    .roles
                    .iter()
                    .map(|role| RoleRow { role: role.role, answer: role.answer, sign_off: role.sign_off.clone() })
                    .collect(),
                missing: wave.missing.clone(),
            })
            .collect();
        let rows = Criterion::ALL.map(|criterion| CriterionRow {
            id: criterion.id(),
            title: criterion.title(),
            met: exit.count(criterion, ExitKind::Met),
            attested: exit.count(criterion, ExitKind::Attested),
            not_met: exit.count(criterion, ExitKind::NotMet),
            unknown: exit.count(criterion, ExitKind::Unknown),
            not_applicable: exit.count(criterion, ExitKind::NotApplicable),
        });
        let exceptions = exit.exceptions.iter().map(|one| ExceptionRow {
            device: one.device.clone(),
            criterion: one.criterion,
            outcome: one.measure.kind,
            seen: one.measure.seen.clone().into_owned(),
        });
        Self {
            format: FORMAT,
            wave: exit.wave.clone(),
            as_of: changes.as_of,
            // Where no wave waits, the criteria alone say it.
            open: if later.is_empty() { exit.is_met() } else { later.iter().all(|later| later.done || later.open) },
            devices: DeviceCounts { counted: exit.devices, excluded: exit.excluded, measured: exit.measured },
            criteria: rows.into(),
            exceptions: exceptions.collect(),
            device: device.map(|(name, measures)| DeviceRow {
                name: name.clone(),
                criteria: measures
                    .into_iter()
                    .map(|(criterion, measure)| MeasureRow {
                        id: criterion.id(),
                        outcome: measure.kind,
                        seen: measure.seen.into_owned(),
                    })
                    .collect(),
            }),
            later,
            sign_offs: sign_offs.iter().filter(|one| one.wave == exit.wave).cloned().collect(),
            met: Criterion::ALL.iter().filter(|one| !exit.lacks(**one)).count(),
        }
    }

    /// Says whether nothing of the wave holds a later one back.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Returns it as text.
    #[must_use]
    pub fn text(&self, plan: &MigrationPlan, style: GateStyle) -> String {
        let shape = Shape { width: style.width, color: style.color, ascii: style.ascii };
        let mut text = Text { page: Page::new(shape), zone: Zone::named(&plan.zone), plan, view: self };
        text.head();
        text.criteria();
        text.exceptions();
        text.device();
        text.later();
        text.sign_offs();
        text.page.into_text()
    }
}

/// Returns the waves whose gates ask about a wave, with what they find of it.
pub fn waiting<'c>(
    changes: &'c ChangeSet,
    need: &'c WaveName,
) -> impl Iterator<Item = (&'c WaveChange, &'c NeedState)> {
    let of = move |wave: &'c WaveChange| Some((wave, wave.needs.iter().find(|one| one.need == *need)?));
    changes.waves.iter().filter_map(of)
}

/// Says whether nothing is left to do in a wave: its gate holds nothing back any more.
fn is_done(wave: &WaveChange) -> bool {
    wave.changes.iter().any(|change| change.op == Op::WaveGate && change.reason == Reason::ChainComplete)
}

struct Text<'v> {
    page: Page,
    zone: Zone,
    plan: &'v MigrationPlan,
    view: &'v GateView,
}

impl Text<'_> {
    fn person(&self, role: OwnerRole) -> String {
        let who = self.plan.owners.get(&role).map(|who| format!(" ({who})"));
        format!("{}{}", role.word(), who.unwrap_or_default())
    }

    fn head(&mut self) {
        let view = self.view;
        let at = format!("as of {} ({})", self.zone.moment(view.as_of), self.zone.name());
        let words = format!("Gate of wave {}, {at}", view.wave);
        self.page.wrapped("", 0, &words, Paint::Bold);
        let devices = count(view.devices.counted as usize, "device");
        let excluded = match view.devices.excluded {
            0 => String::new(),
            excluded => format!(", {excluded} more excluded"),
        };
        self.page.line(0, &format!("{devices}, {} moved and measured{excluded}.", view.devices.measured));
        let done = view.later.iter().all(|later| later.done);
        let (words, paint) = match (view.open, view.later.is_empty()) {
            (true, true) => ("Its exit criteria are met; no wave waits for it.", Paint::Green),
            (false, true) => ("Its exit criteria aren't met; no wave waits for it.", Paint::Yellow),
            (true, false) if done => ("No wave waits for it any more: those that needed it are done.", Paint::Green),
            (true, false) => ("Open: nothing of it holds a later wave back.", Paint::Green),
            (false, false) => ("Closed.", Paint::Yellow),
        };
        self.page.wrapped("", 0, words, paint);
    }

    fn criteria(&mut self) {
        let view = self.view;
        if view.devices.measured == 0 {
            self.page.title("Exit criteria: nothing to measure yet");
            return;
        }
        self.page.title(&format!("Exit criteria: {} of {}", view.met, view.criteria.len()));
        let head =
            format!("    {:<18} {:>5} {:>8} {:>7} {:>7} {:>5} ", "", "met", "attested", "not met", "unknown", "n/a");
        self.page.wrapped(&head, WORDS, "", Paint::Plain);
        for row in &view.criteria {
            let (mark, paint) = match (row.not_met, row.unknown) {
                (0, 0) => ("=", Paint::Green),
                (0, _) => ("?", Paint::Yellow),
                _ => ("x", Paint::Red),
            };
            let head = format!(
                "  {} {:<18} {:>5} {:>8} {:>7} {:>7} {:>5}  ",
                self.page.paint(paint, mark),
                row.id,
                row.met,
                row.attested,
                row.not_met,
                row.unknown,
                row.not_applicable
            );
            self.page.wrapped(&head, WORDS, row.title, Paint::Plain);
        }
    }

    /// One line for each distinct thing that was found, with the devices below.
    fn exceptions(&mut self) {
        let view = self.view;
        if view.exceptions.is_empty() {
            return;
        }
        self.page.title("Exceptions");
        let mut groups: BTreeMap<(Criterion, ExitKind, &str), Vec<&str>> = BTreeMap::new();
        for one in &view.exceptions {
            groups.entry((one.criterion, one.outcome, one.seen.as_str())).or_default().push(one.device.as_str());
        }
        let total = groups.len();
        for ((criterion, kind, seen), devices) in groups.into_iter().take(LINES_MAX) {
            let words = format!("{} {}: {seen}", criterion.id(), kind.as_str());
            self.page.wrapped("  ", 4, &words, Paint::Plain);
            self.page.names(6, devices.into_iter());
        }
        self.page.more(2, total.saturating_sub(LINES_MAX), "kind", "; `--output json` has all");
    }

    fn device(&mut self) {
        let Some(device) = &self.view.device else { return };
        self.page.title(device.name.as_str());
        for row in &device.criteria {
            let head = format!("  {:<18} {:<15} ", row.id, row.outcome.as_str());
            self.page.wrapped(&head, 37, &row.seen, Paint::Plain);
        }
    }

    fn later(&mut self) {
        let view = self.view;
        for later in &view.later {
            let stands = if later.done { "needed it, and is done" } else { "waits for it" };
            self.page.title(&format!("Wave {} {stands}", later.wave));
            if !later.criteria {
                self.page.line(2, "Criteria: its gate doesn't ask for them");
            }
            if let Some(until) = later.soaks_until {
                let over = if until > view.as_of { "until" } else { "over since" };
                self.page.line(2, &format!("Soak: {over} {}", self.zone.day_and_time(until)));
            } else if later.soak_unknown {
                self.page.line(2, "Soak: no record says when the wave ended");
            }
            for role in &later.roles {
                let words = match (role.answer, &role.sign_off) {
                    (GateAnswer::Missing, _) => "nobody has signed off".to_owned(),
                    (GateAnswer::TakenBack, Some(one)) => format!("taken back by {}", self.by(one)),
                    (GateAnswer::Outdated, Some(one)) => {
                        format!("signed off by {}, before the last device moved", self.by(one))
                    }
                    (GateAnswer::Signed, Some(one)) => format!("signed off by {}", self.by(one)),
                    (GateAnswer::Attested, _) => format!("attested in the plan (`gate.{}`)", later.wave),
                    (GateAnswer::TakenBack | GateAnswer::Outdated | GateAnswer::Signed, None) => "unknown".to_owned(),
                };
                let person = self.person(role.role);
                let paint = if role.answer.counts() { Paint::Plain } else { Paint::Yellow };
                self.page.wrapped("  ", 4, &format!("Sign-off of {person}: {words}"), paint);
            }
            let words = match later.missing.as_slice() {
                _ if later.done && later.open => "Its gate holds nothing back any more.".to_owned(),
                _ if later.done => {
                    format!("Its gate would be closed now, and holds nothing back: {} is done already.", later.wave)
                }
                [] => "Nothing is missing.".to_owned(),
                missing => format!("Missing: {}", missing.join("; ")),
            };
            self.page.wrapped("  ", 4, &words, Paint::Plain);
        }
    }

    fn sign_offs(&mut self) {
        let view = self.view;
        if view.sign_offs.is_empty() {
            return;
        }
        self.page.title("Sign-offs");
        for one in &view.sign_offs {
            let what = if one.revoked { "taken back" } else { "signed off" };
            let words = format!("{}: {what} by {}; then: {}", one.role.word(), self.by(one), one.seen);
            self.page.wrapped("  ", 4, &words, Paint::Plain);
        }
    }

    fn by(&self, one: &SignOff) -> String {
        format!("{} on {} ({})", one.by, self.zone.day_and_time(one.at), one.evidence)
    }
}

/// Kinds of exceptions that are listed in text.
const LINES_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a title that is wrapped at 100 columns: the table would double in length.
    #[test]
    fn titles_fit_their_line() {
        for criterion in Criterion::ALL {
            assert!(WORDS + criterion.title().len() <= 100, "{}", criterion.id());
        }
    }
}
