//! Waves against each other and against the inventory: there are some, they share no device, their size fits.
//!
//! Selectors over groups and organizational units can't be decided here. Only what is certain is reported;
//! the rest is looked at with the snapshot.

use std::collections::BTreeMap;

use super::super::Selector;
use super::super::file::{DevicesFile, WaveFile};
use super::super::resolve::Review;
use super::super::select::Matcher;
use super::super::words::quoted;
use crate::diag::{Code, Diagnostic, Span};

/// Waves that are compared. Each is compared with each device.
const MAX_WAVES: usize = 500;

/// How many devices of the inventory a wave selects.
#[derive(Default, Clone, Copy)]
struct Count {
    certain: u32,
    open: u32,
}

/// Two waves and the devices that are certainly in both.
type Shared = BTreeMap<(usize, usize), (Span, String, u32)>;

pub(in crate::plan) fn waves(review: &mut Review<'_>) {
    let waves = &review.file.waves;
    if waves.is_empty() {
        if !review.parsed.incomplete {
            let found = Diagnostic::error(Code::NO_WAVES, "the plan has no waves");
            let found = match &review.file.name {
                Some(name) => found.at(name.span, "this plan"),
                None => found,
            };
            review.report(found.help("add `waves:` with at least a pilot, here or in an included file"));
        }
        return;
    }
    for wave in waves {
        if let Some((Some(min), Some(max))) = wave.size.as_ref().map(|size| (&size.min, &size.max))
            && min.value > max.value
        {
            let message = format!("{} expects at least {} and at most {} devices", title(wave), min.value, max.value);
            let found = Diagnostic::error(Code::WAVE_SIZE, message).at(min.span, "at least").at(max.span, "at most");
            review.report(found.help("swap the two"));
        }
    }
    if waves.len() > MAX_WAVES {
        let message = format!("the plan has {} waves, and {MAX_WAVES} are allowed", waves.len());
        let found = Diagnostic::error(Code::LIMIT, message).at(waves[MAX_WAVES].span, "one too many");
        review.report(found.help("make waves larger; `concurrency` and `window` spread the devices of a wave"));
        return;
    }
    let (counts, shared) = count(review);
    overlaps(review, &shared);
    if matches!(review.file.devices, Some(DevicesFile::Inventory(_))) && !review.parsed.inventory.is_empty() {
        sizes(review, &counts);
    }
}

fn title(wave: &WaveFile) -> String {
    wave.name.as_ref().map_or_else(|| "a wave".to_owned(), |name| format!("the wave {}", quoted(&name.value)))
}

fn count(review: &Review<'_>) -> (Vec<Count>, Shared) {
    let waves = &review.file.waves;
    let matchers: Vec<Option<Matcher>> = waves.iter().map(|wave| wave.devices.as_ref().map(Matcher::new)).collect();
    let mut counts = vec![Count::default(); waves.len()];
    let mut shared = Shared::new();
    let mut inside = Vec::new();
    for row in &review.parsed.inventory {
        inside.clear();
        for (at, matcher) in matchers.iter().enumerate() {
            match matcher.as_ref().map(|matcher| matcher.matches(&row.row)) {
                Some(Some(true)) => {
                    counts[at].certain += 1;
                    inside.push(at);
                }
                Some(None) | None => counts[at].open += 1,
                Some(Some(false)) => {}
            }
        }
        for (first, second) in pairs(&inside) {
            let entry = shared.entry((first, second)).or_insert_with(|| (row.span, row.row.name.to_string(), 0));
            entry.2 += 1;
        }
    }
    (counts, shared)
}

/// Returns the pairs of a list. Of a device in very many waves only those with the first wave are looked at.
fn pairs(inside: &[usize]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let firsts = if inside.len() > 16 { 1 } else { inside.len() };
    (0..firsts).flat_map(move |a| inside[a + 1..].iter().map(move |b| (inside[a], *b)))
}

fn overlaps(review: &mut Review<'_>, shared: &Shared) {
    let waves = &review.file.waves;
    let help = "take the devices out of one wave, for example with `{not: …}`";
    for ((first, second), (row, device, devices)) in shared {
        let (a, b) = (&waves[*first], &waves[*second]);
        let others = match devices {
            1 => String::new(),
            2 => " and one more device".to_owned(),
            n => format!(" and {} more devices", n - 1),
        };
        let message = format!("{} and {} both hold `{device}`{others}", title(a), title(b));
        let found = Diagnostic::error(Code::WAVES_OVERLAP, message)
            .at(place(b), "this wave")
            .at(place(a), "and this one")
            .at(*row, "hold this device");
        review.report(found.help(help));
    }
    for (at, wave) in waves.iter().enumerate() {
        for (before, earlier) in waves[..at].iter().enumerate() {
            let (Some(a), Some(b)) = (&earlier.devices, &wave.devices) else { continue };
            let everything = review.parsed.inventory.is_empty() && [a, b].contains(&&Selector::Everything);
            if (a == b || everything) && !shared.contains_key(&(before, at)) {
                let message = format!("{} and {} select the same devices", title(earlier), title(wave));
                let found = Diagnostic::error(Code::WAVES_OVERLAP, message)
                    .at(place(wave), "this wave")
                    .at(place(earlier), "and this one");
                review.report(found.help(help));
            }
        }
    }
}

fn place(wave: &WaveFile) -> Span {
    wave.name.as_ref().map_or(wave.span, |name| name.span)
}

fn sizes(review: &mut Review<'_>, counts: &[Count]) {
    for (wave, count) in review.file.waves.iter().zip(counts) {
        let (min, max) = wave.size.as_ref().map_or((None, None), |size| (size.min.as_ref(), size.max.as_ref()));
        let most = count.certain + count.open;
        if let Some(max) = max.filter(|max| count.certain > max.value) {
            let message = format!("{} selects {} devices of the inventory", title(wave), count.certain);
            let found = Diagnostic::error(Code::WAVE_SIZE, message).at(max.span, "more than this");
            review.report(found.help("narrow `devices`, or raise `max` if that many are meant"));
        } else if let Some(min) = min.filter(|min| most < min.value) {
            let message = format!("{} selects {most} devices of the inventory at most", title(wave));
            let found = Diagnostic::error(Code::WAVE_SIZE, message).at(min.span, "fewer than this");
            review.report(found.help("widen `devices`, complete the inventory, or lower `min`"));
        } else if most == 0 {
            let message = format!("{} selects no device of the inventory", title(wave));
            let found = Diagnostic::warning(Code::WAVE_SIZE, message).at(place(wave), "this wave");
            review.report(found.help("compare its `devices` with the names and sites of the inventory"));
        }
    }
}
