//! Gates and windows of waves: whether a wave's devices may be started now, and if not, why.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::window::{WindowState, window_state};
use super::{Action, Change, Reason, WaveChange};
use crate::dag::Index;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::model::{Op, OwnerRole, WaveName};
use crate::plan::{GateSpec, MigrationPlan, WaveSpec, Word as _};
use crate::readiness::{Finding, Readiness, asks_for_exit};
use crate::state::SignOff;

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

/// What a wave's gate finds of one wave that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedState {
    /// The wave that is needed.
    pub need: WaveName,
    /// Its devices.
    pub devices: u32,
    /// Devices that are done or excluded.
    pub settled: u32,
    /// Exit criteria that stand in the way, as clauses; empty where the gate doesn't name them or an exclusion covers
    /// them.
    pub lacking: Vec<String>,
    /// The end of the soak time, where the gate has one and it is known when the wave ended.
    pub soaks_until: Option<Timestamp>,
    /// The gate has a soak time, the wave is finished, and no record says when any wave that it needs ended: it can't be
    /// shown.
    pub soak_unknown: bool,
    /// What became of each role's sign-off, in the order of the gate.
    pub roles: Vec<RoleState>,
}

/// One role's answer to one wave's exit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleState {
    /// Which role.
    pub role: OwnerRole,
    /// What counts.
    pub answer: Answer,
    /// The newest sign-off that was recorded, also where it doesn't count.
    pub sign_off: Option<SignOff>,
}

/// How a role stands to a wave's exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Nobody signed off.
    Missing,
    /// The sign-off was taken back.
    TakenBack,
    /// A device moved after the sign-off, which so says nothing about it.
    Outdated,
    /// Signed off.
    Signed,
    /// The plan attests `gate.WAVE`.
    Attested,
}

impl Answer {
    /// Says whether it opens the gate.
    #[must_use]
    pub fn counts(self) -> bool {
        matches!(self, Self::Signed | Self::Attested)
    }
}

impl NeedState {
    /// Says whether nothing is left to do in the wave that is needed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.devices > 0 && self.settled == self.devices
    }
    /// Says whether this wave no longer holds the gate closed.
    #[must_use]
    pub fn is_met(&self, as_of: Timestamp) -> bool {
        self.is_finished()
            && self.lacking.is_empty()
            && !self.soak_unknown
            && self.soaks_until.is_none_or(|end| end <= as_of)
            && self.roles.iter().all(|role| role.answer.counts())
    }
}

/// Returns the newest sign-off of a wave's exit in a role. Sign-offs stand in the order they were given.
#[must_use]
pub fn newest_sign_off<'s>(sign_offs: &'s [SignOff], wave: &WaveName, role: OwnerRole) -> Option<&'s SignOff> {
    sign_offs.iter().rev().find(|one| one.wave == *wave && one.role == role)
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
pub(crate) fn waves(
    index: &Index<'_>,
    tallies: &[Tally],
    readiness: &Readiness,
    findings: &mut Diagnostics,
) -> Vec<WaveChange> {
    let change = |op, action, reason| Change { op, action, reason };
    index
        .plan
        .waves
        .iter()
        .zip(tallies)
        .map(|(wave, tally)| {
            let needs = needs(index, wave, tallies, readiness);
            let (gate, open, next, missing) = if tally.is_finished() {
                let complete = |op| change(op, Action::Nothing, Reason::ChainComplete);
                (complete(Op::WaveGate), complete(Op::WaveOpen), None, Vec::new())
            } else {
                let closed = closed(index.plan, wave, &needs, readiness);
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
                needs,
            }
        })
        .collect()
}

/// Returns the finding about a gate that isn't met.
pub(crate) fn gate_message(wave: &WaveName, missing: &[String]) -> String {
    format!("wave `{wave}` may not open yet: {}", missing.join("; "))
}

/// Returns what a wave's gate finds of each wave that it needs.
fn needs(index: &Index<'_>, wave: &WaveSpec, tallies: &[Tally], readiness: &Readiness) -> Vec<NeedState> {
    let plan = index.plan;
    // An exclusion of `pilot.exit`, or an attestation where it isn't known, stands in for the criteria.
    let holds = !asks_for_exit(wave) || readiness.pilot_exit(&wave.name.value).is_none_or(Finding::holds);
    let attested = is_attested(plan, &attestation(wave));
    let sign_off: &[OwnerRole] = wave.gate.as_ref().map_or(&[], |gate| &gate.sign_off);
    let tally_of = |need: &WaveName| {
        let at = plan.waves.iter().position(|other| other.name.value == *need)?;
        tallies.get(at)
    };
    let soaks = wave.gate.as_ref().is_some_and(|gate| gate.soak.is_some());
    let ended = |need: &WaveName| tally_of(need).is_some_and(|tally| tally.last.is_some());
    // Moved by hand or by a lost store: when it was isn't known, so the soak can't be shown.
    let soak_unknown = soaks && !wave.needs.iter().any(|need| ended(&need.value));
    let state = |need: &WaveName| {
        let tally = tally_of(need)?;
        let role = |role: OwnerRole| {
            let given = newest_sign_off(&index.snapshot.sign_offs, need, role);
            let answer = match given {
                _ if attested => Answer::Attested,
                None => Answer::Missing,
                Some(given) if given.revoked => Answer::TakenBack,
                Some(given) if tally.last.is_some_and(|last| given.at < last) => Answer::Outdated,
                Some(_) => Answer::Signed,
            };
            RoleState { role, answer, sign_off: given.cloned() }
        };
        let exit = readiness.exits.get(need).filter(|_| !holds);
        Some(NeedState {
            need: need.clone(),
            devices: tally.devices,
            settled: tally.done + tally.excluded,
            lacking: exit.map(|exit| exit.lacking()).unwrap_or_default(),
            soaks_until: wave.gate.as_ref().and_then(|gate| soak_end(gate, tally.last)),
            soak_unknown: soak_unknown && tally.is_finished(),
            roles: sign_off.iter().copied().map(role).collect(),
        })
    };
    wave.needs.iter().filter_map(|need| state(&need.value)).collect()
}

fn attestation(wave: &WaveSpec) -> String {
    format!("gate.{}", wave.name.value)
}

fn soak_end(gate: &GateSpec, last: Option<Timestamp>) -> Option<Timestamp> {
    last?.checked_add(gate.soak?).ok()
}

/// Returns what is missing before a wave's gate is met; each a clause for people.
fn closed(plan: &MigrationPlan, wave: &WaveSpec, needs: &[NeedState], readiness: &Readiness) -> Vec<String> {
    let mut missing = Vec::new();
    for need in &wave.needs {
        let Some(state) = needs.iter().find(|state| state.need == need.value) else {
            missing.push(format!("`{}` isn't a wave", need.value));
            continue;
        };
        if !state.is_finished() {
            missing.push(format!(
                "{} of {} devices of `{}` are done or excluded",
                state.settled, state.devices, need.value
            ));
        }
    }
    missing.extend(needs.iter().flat_map(|state| state.lacking.iter().cloned()));
    let exit = readiness.pilot_exit(&wave.name.value).filter(|exit| asks_for_exit(wave) && !exit.holds());
    if let Some(exit) = exit.filter(|_| missing.is_empty()) {
        missing.push(exit.seen.clone().into_owned());
    }
    let Some(gate) = &wave.gate else { return missing };
    match needs.iter().filter_map(|need| need.soaks_until).max() {
        Some(end) if end > plan.as_of => {
            let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
            missing.push(format!("it soaks until {}", end.to_zoned(zone).strftime("%Y-%m-%d %H:%M %Z")));
        }
        None if missing.is_empty() && needs.iter().any(|need| need.soak_unknown) => {
            missing.push("no record says when the waves before it ended, so the soak can't be shown".to_owned());
        }
        Some(_) | None => {}
    }
    let check = attestation(wave);
    // Nobody's exit can be signed off where no wave is needed: the plan alone can say it.
    if needs.is_empty() && !gate.sign_off.is_empty() && !is_attested(plan, &check) {
        missing.push(format!("nobody has signed off: attest check `{check}` in the plan"));
    }
    for need in needs {
        missing.extend(need.roles.iter().filter(|role| !role.answer.counts()).map(|role| unsigned(&need.need, role)));
    }
    missing
}

/// Says what a role's sign-off lacks.
fn unsigned(need: &WaveName, role: &RoleState) -> String {
    let word = role.role.word();
    let what = match role.answer {
        Answer::TakenBack => "has taken back its sign-off of",
        Answer::Outdated => "signed off before the last device moved in",
        Answer::Missing | Answer::Signed | Answer::Attested => "hasn't signed off",
    };
    format!("{word} {what} `{need}` (`opsole gate {need} --sign-off --as {word}`)")
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
