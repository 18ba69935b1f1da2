//! The nine pilot exit criteria, measured per device where they can be (prerequisites, pilot exit criteria).
//!
//! ```text
//! one device: facts + survey + record + tenant --measure--> nine Measures       criterion.rs says how
//! one wave:   devices that aren't excluded -----> WaveExit { counts, exceptions }
//! a gate with `criteria: pilot-exit` over the waves that it needs --wave--> pilot.exit
//! ```
//!
//! Only a device past the point of no return is measured: before, there is nothing to measure, and the wave simply
//! isn't finished.

mod criterion;
mod measure;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Judged;
use crate::dag::{Assignment, Index, View};
use crate::model::{Check, DeviceName, WaveName};
use crate::plan::WaveSpec;

pub use criterion::{Criterion, ExitKind, Measure};

use measure::Attested;

/// The word in a gate that asks for the criteria.
const CRITERIA: &str = "pilot-exit";
/// Devices that are named as examples.
const NAMED_MAX: usize = 3;

/// What the exit criteria come to on the devices of one wave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveExit {
    /// The wave.
    pub wave: WaveName,
    /// Its devices, without those that an exclusion covers.
    pub devices: u32,
    /// Devices that an exclusion covers: they don't count.
    pub excluded: u32,
    /// Devices past the point of no return: those that were measured.
    pub measured: u32,
    /// The last commit among its devices, where a record says it.
    pub last: Option<Timestamp>,
    /// What isn't met or isn't known, in order of the criteria, then of the devices.
    pub exceptions: Vec<ExitException>,
    counts: [[u32; ExitKind::ALL.len()]; Criterion::ALL.len()],
}

/// A criterion that isn't met, or isn't known, on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitException {
    /// Which device.
    pub device: DeviceName,
    /// Which criterion.
    pub criterion: Criterion,
    /// What was found.
    pub measure: Measure,
}

impl WaveExit {
    /// Returns on how many devices a criterion came to this.
    #[must_use]
    pub fn count(&self, criterion: Criterion, kind: ExitKind) -> u32 {
        self.counts[criterion as usize][kind as usize]
    }
    /// Says whether a criterion stands in the way: on some device it isn't met or isn't known.
    #[must_use]
    pub fn lacks(&self, criterion: Criterion) -> bool {
        self.count(criterion, ExitKind::NotMet) + self.count(criterion, ExitKind::Unknown) > 0
    }
    /// Says whether every criterion holds on every device. A wave without a device has proven nothing.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.devices > 0 && self.measured == self.devices && Criterion::ALL.iter().all(|one| !self.lacks(*one))
    }
    /// Returns what the criteria come to, in words that a record can keep.
    #[must_use]
    pub fn summary(&self) -> String {
        summary(&[self])
    }
    /// Returns a clause for each criterion that stands in the way, with examples. Devices that weren't measured
    /// aren't named: the wave isn't finished.
    #[must_use]
    pub fn lacking(&self) -> Vec<String> {
        if self.devices == 0 {
            return vec![format!("no device of `{}` counts, so nothing was proven", self.wave)];
        }
        let mut clauses = Vec::new();
        for criterion in Criterion::ALL {
            for (kind, words) in [(ExitKind::NotMet, "isn't met"), (ExitKind::Unknown, "isn't known")] {
                let number = self.count(criterion, kind) as usize;
                if number == 0 {
                    continue;
                }
                let of = self.exceptions.iter().filter(|one| (one.criterion, one.measure.kind) == (criterion, kind));
                let mut names: Vec<&str> = of.take(NAMED_MAX).map(|one| one.device.as_str()).collect();
                let more = format!("{} more", number.saturating_sub(names.len()));
                if number > names.len() {
                    names.push(&more);
                }
                clauses.push(format!(
                    "`{}` {words} on {number} of {} devices of `{}` ({})",
                    criterion.id(),
                    self.devices,
                    self.wave,
                    names.join(", ")
                ));
            }
        }
        clauses
    }
}

fn summary(exits: &[&WaveExit]) -> String {
    let devices: u32 = exits.iter().map(|exit| exit.devices).sum();
    let measured: u32 = exits.iter().map(|exit| exit.measured).sum();
    let noun = if devices == 1 { "device" } else { "devices" };
    let all = Criterion::ALL.len();
    if devices == 0 {
        return "no device counts, so nothing was proven".to_owned();
    }
    if measured < devices {
        return format!("{measured} of {devices} {noun} moved so far; the criteria are measured on moved devices");
    }
    let met = Criterion::ALL.iter().filter(|one| exits.iter().all(|exit| !exit.lacks(**one))).count();
    format!("{met} of {all} criteria on {devices} {noun}")
}

/// Says whether a wave's gate asks for the criteria.
#[must_use]
pub fn asks_for_exit(wave: &WaveSpec) -> bool {
    wave.gate.as_ref().and_then(|gate| gate.criteria.as_deref()) == Some(CRITERIA)
}

/// Measures every device of the waves that `wanted` names by their positions. Linear in devices.
fn measure_waves(
    index: &Index<'_>,
    assignment: &Assignment,
    views: &[View<'_>],
    wanted: &BTreeSet<u16>,
) -> BTreeMap<u16, WaveExit> {
    let named = wanted.iter().filter_map(|at| Some((*at, index.plan.waves.get(usize::from(*at))?)));
    let empty = |wave: &WaveSpec| WaveExit {
        wave: wave.name.value.clone(),
        devices: 0,
        excluded: 0,
        measured: 0,
        last: None,
        exceptions: Vec::new(),
        counts: [[0; ExitKind::ALL.len()]; Criterion::ALL.len()],
    };
    let mut exits: BTreeMap<u16, WaveExit> = named.map(|(at, wave)| (at, empty(wave))).collect();
    let attested = Attested::new(index.plan);
    for (assigned, view) in assignment.devices.iter().zip(views) {
        let Some(exit) = assigned.wave.and_then(|wave| exits.get_mut(&wave)) else { continue };
        if assigned.exclusion.is_some() {
            exit.excluded += 1;
            continue;
        }
        exit.devices += 1;
        if !view.past {
            continue;
        }
        exit.measured += 1;
        exit.last = exit.last.max(view.committed_at());
        for (criterion, measure) in measure::device(index, view, &attested) {
            exit.counts[criterion as usize][measure.kind as usize] += 1;
            if matches!(measure.kind, ExitKind::NotMet | ExitKind::Unknown) {
                exit.exceptions.push(ExitException { device: view.device.clone(), criterion, measure });
            }
        }
    }
    // Devices come in order; a stable sort keeps them so within a criterion.
    exits.values_mut().for_each(|exit| exit.exceptions.sort_by_key(|one| one.criterion));
    exits
}

/// Measures the waves that some gate asks about.
pub(super) fn exits(index: &Index<'_>, assignment: &Assignment, views: &[View<'_>]) -> BTreeMap<WaveName, WaveExit> {
    let gated = index.plan.waves.iter().filter(|wave| asks_for_exit(wave));
    let needed: BTreeSet<&WaveName> = gated.flat_map(|wave| &wave.needs).map(|need| &need.value).collect();
    let at = (0_u16..).zip(&index.plan.waves).filter(|(_, wave)| needed.contains(&wave.name.value)).map(|(at, _)| at);
    let measured = measure_waves(index, assignment, views, &at.collect());
    measured.into_values().map(|exit| (exit.wave.clone(), exit)).collect()
}

/// Measures one wave, whether or not a gate asks about it. None where the plan has no such wave.
#[must_use]
pub fn wave_exit(index: &Index<'_>, assignment: &Assignment, views: &[View<'_>], wave: &WaveName) -> Option<WaveExit> {
    let (at, _) = (0_u16..).zip(&index.plan.waves).find(|(_, one)| one.name.value == *wave)?;
    measure_waves(index, assignment, views, &BTreeSet::from([at])).remove(&at)
}

/// Measures one device, which ought to be past the point of no return.
#[must_use]
pub fn device_exit(index: &Index<'_>, view: &View<'_>) -> Vec<(Criterion, Measure)> {
    measure::device(index, view, &Attested::new(index.plan)).into()
}

/// Judges `pilot.exit` of what one wave came to, as the gates that ask about it see it.
#[must_use]
pub fn judge_exit(exit: &WaveExit) -> Judged {
    judge(&[exit])
}

fn judge(exits: &[&WaveExit]) -> Judged {
    let lacking = |kind| {
        let has = |exit: &&WaveExit| Criterion::ALL.iter().any(|one| exit.count(*one, kind) > 0);
        exits.iter().any(has)
    };
    let mut clauses: Vec<String> = exits.iter().flat_map(|exit| exit.lacking()).collect();
    if lacking(ExitKind::NotMet) {
        return Judged::fail(clauses.join("; "));
    }
    if exits.iter().any(|exit| exit.measured < exit.devices) {
        clauses.insert(0, summary(exits));
    }
    if !clauses.is_empty() {
        return Judged::unknown(clauses.join("; "));
    }
    Judged::pass(summary(exits))
}

/// Returns the positions of the waves that have devices, all of them past the point of no return or excluded.
pub(super) fn moved(assignment: &Assignment, views: &[View<'_>]) -> BTreeSet<u16> {
    let (mut moved, mut waiting) = (BTreeSet::new(), BTreeSet::new());
    for (assigned, view) in assignment.devices.iter().zip(views) {
        let of = if view.past || assigned.exclusion.is_some() { &mut moved } else { &mut waiting };
        of.extend(assigned.wave);
    }
    &moved - &waiting
}

/// Judges `pilot.exit` for a wave whose gate names the criteria, over the devices of the waves that it needs. `moved`:
/// none of its own devices waits at the gate any more.
pub(super) fn wave(
    exits: &BTreeMap<WaveName, WaveExit>,
    wave: &WaveSpec,
    moved: bool,
    add: &mut dyn FnMut(Check, Judged),
) {
    if !asks_for_exit(wave) {
        return add(Check::PilotExit, Judged::not_applicable("its gate asks for no criteria"));
    }
    let needed: Vec<&WaveExit> = wave.needs.iter().filter_map(|need| exits.get(&need.value)).collect();
    // Whoever is past the gate isn't held by it any more, whatever the pilot comes to later.
    if moved {
        return add(Check::PilotExit, Judged::not_applicable("every device of the wave has moved or is excluded"));
    }
    if needed.is_empty() {
        let why = Judged::unknown("its gate names criteria, and it needs no wave that they could be measured on");
        return add(Check::PilotExit, why.remedy("name the pilot under the wave's `needs`"));
    }
    add(Check::PilotExit, judge(&needed));
}
