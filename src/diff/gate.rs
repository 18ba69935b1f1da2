//! Gates and windows of waves: whether a wave's devices may be started now, and if not, why.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::window::{WindowState, window_state};
use super::{Action, Change, Reason, WaveChange};
use crate::dag::Index;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::model::{Op, WaveName};
use crate::plan::{MigrationPlan, WaveSpec};

/// How the devices of a wave stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) devices: u32,
    pub(crate) done: u32,
    pub(crate) excluded: u32,
    /// Devices that run now.
    pub(crate) running: u32,
    /// The last commit among its done devices.
    pub(crate) last: Option<Timestamp>,
}

impl Tally {
    /// Says whether nothing is left to do in the wave. A wave without a device has proven nothing.
    pub(crate) fn is_finished(&self) -> bool {
        self.devices > 0 && self.done + self.excluded == self.devices
    }
    /// Says whether nothing is left once the devices that run now are done.
    pub(crate) fn is_finished_after_this(&self) -> bool {
        self.devices > 0 && self.done + self.excluded + self.running == self.devices
    }
}

/// Says whether a person attests a check, today.
pub(crate) fn is_attested(plan: &MigrationPlan, check: &str) -> bool {
    let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
    let today = plan.as_of.to_zoned(zone).date();
    plan.attestations.iter().any(|one| {
        one.check.eq_ignore_ascii_case(check) && one.on <= today && one.until.is_none_or(|until| until >= today)
    })
}

/// Returns gate and window of every wave, in order of the plan.
pub(crate) fn waves(index: &Index<'_>, tallies: &[Tally], findings: &mut Diagnostics) -> Vec<WaveChange> {
    let change = |op, action, reason| Change { op, action, reason };
    index
        .plan
        .waves
        .iter()
        .zip(tallies)
        .map(|(wave, tally)| {
            let (gate, open, next, missing) = if tally.is_finished() {
                let complete = |op| change(op, Action::Nothing, Reason::ChainComplete);
                (complete(Op::WaveGate), complete(Op::WaveOpen), None, Vec::new())
            } else {
                let closed = closed(index.plan, wave, tallies);
                let gate = if closed.is_empty() {
                    change(Op::WaveGate, Action::Nothing, Reason::AlreadySo)
                } else {
                    let message = gate_message(&wave.name.value, &closed);
                    findings.push(Diagnostic {
                        severity: crate::diag::Severity::Advice,
                        ..Diagnostic::error(Code::GATE_CLOSED, message).at(wave.name.span, "")
                    });
                    change(Op::WaveGate, Action::Wait, Reason::GateClosed)
                };
                let (open, next) = window(index.plan, wave, findings);
                (gate, open, next, closed)
            };
            WaveChange {
                wave: wave.name.value.clone(),
                changes: vec![gate, open],
                devices: tally.devices,
                next_window: next,
                missing,
            }
        })
        .collect()
}

/// Returns the finding about a gate that isn't met.
pub(crate) fn gate_message(wave: &WaveName, missing: &[String]) -> String {
    format!("wave `{wave}` may not open yet: {}", missing.join("; "))
}

/// Returns what is missing before a wave's gate is met; each a clause for people.
fn closed(plan: &MigrationPlan, wave: &WaveSpec, tallies: &[Tally]) -> Vec<String> {
    let mut missing = Vec::new();
    let mut last: Option<Timestamp> = None;
    for need in &wave.needs {
        let at = plan.waves.iter().position(|other| other.name.value == need.value);
        let Some(tally) = at.and_then(|at| tallies.get(at)) else {
            missing.push(format!("`{}` isn't a wave", need.value));
            continue;
        };
        if !tally.is_finished() {
            let settled = tally.done + tally.excluded;
            missing.push(format!("{settled} of {} devices of `{}` are done or excluded", tally.devices, need.value));
        }
        last = last.max(tally.last);
    }
    let Some(gate) = &wave.gate else { return missing };
    if let Some(soak) = gate.soak {
        match last.and_then(|last| last.checked_add(soak).ok()) {
            Some(end) if end > plan.as_of => {
                let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
                missing.push(format!("it soaks until {}", end.to_zoned(zone).strftime("%Y-%m-%d %H:%M %Z")));
            }
            // Moved by hand or by a lost store: when it was isn't known, so the soak can't be shown.
            None if !wave.needs.is_empty() && missing.is_empty() => {
                missing.push("no record says when the waves before it ended, so the soak can't be shown".to_owned());
            }
            Some(_) | None => {}
        }
    }
    let check = format!("gate.{}", wave.name.value);
    if !gate.sign_off.is_empty() && !is_attested(plan, &check) {
        missing.push(format!("nobody has signed off: attest check `{check}` in the plan"));
    }
    missing
}

fn window(plan: &MigrationPlan, wave: &WaveSpec, findings: &mut Diagnostics) -> (Change, Option<Timestamp>) {
    let change = |action, reason| Change { op: Op::WaveOpen, action, reason };
    let Some(window) = &wave.window else { return (change(Action::Nothing, Reason::AlreadySo), None) };
    match window_state(window, plan.as_of) {
        WindowState::Open(until) => (change(Action::Nothing, Reason::AlreadySo), Some(until)),
        WindowState::Opens(at) => (change(Action::Wait, Reason::WindowClosed), Some(at)),
        WindowState::Over => (change(Action::Wait, Reason::WindowClosed), None),
        WindowState::UnknownZone => {
            let message = format!("wave `{}`: time zone `{}` isn't known here", wave.name.value, window.zone);
            let help = "use a name of the IANA time zone database, such as `Europe/London`";
            findings.push(Diagnostic::error(Code::BAD_VALUE, message).at(wave.name.span, "").help(help));
            (change(Action::Blocked, Reason::Unknown), None)
        }
    }
}
