//! The graph of the waves: what each needs, its window, its devices, what its gate lacks.

use std::collections::{BTreeMap, BTreeSet};

use super::{Edge, Graph, Look, Node, settle};
use crate::render::when::Zone;
use crate::render::words::count;
use crate::sealed::{Body, WaveLine};

/// What a gate lacks is told for this many things; the rest is in the tooltip.
const MISSING_SHOWN: usize = 2;

/// Returns the waves of a sealed plan; the wave that is sealed stands out.
#[must_use]
pub fn of_waves(body: &Body) -> Graph {
    waves(&body.waves, &body.plan.zone, Some(&body.wave))
}

/// Returns waves with moments of an IANA time zone; `own` stands out.
#[must_use]
pub fn waves(lines: &[WaveLine], zone: &str, own: Option<&str>) -> Graph {
    let zone = Zone::named(zone);
    let place: BTreeMap<&str, usize> = lines.iter().enumerate().map(|(at, wave)| (wave.name.as_str(), at)).collect();
    let mut edges = BTreeSet::new();
    for (to, wave) in lines.iter().enumerate() {
        for from in wave.needs.iter().filter_map(|need| place.get(need.as_str())) {
            edges.insert(Edge { from: *from, to });
        }
    }
    let nodes = lines.iter().map(|wave| node(wave, &zone, own == Some(wave.name.as_str()))).collect();
    let (nodes, edges) = settle(nodes, &edges);
    let devices: usize = lines.iter().map(|wave| wave.devices as usize).sum();
    let closed = lines.iter().filter(|wave| !wave.missing.is_empty()).count();
    Graph {
        title: "Waves".to_owned(),
        description: format!(
            "{} with {}; the gate of {closed} isn't met. Moments are of {}.",
            count(lines.len(), "wave"),
            count(devices, "device"),
            zone.name()
        ),
        clusters: Vec::new(),
        nodes,
        edges,
    }
}

fn node(wave: &WaveLine, zone: &Zone, own: bool) -> Node {
    let mut lines = vec![format!("{}, {} at a time", count(wave.devices as usize, "device"), wave.concurrency)];
    if let Some((from, until)) = wave.window {
        lines.push(format!("from {}", zone.moment(from)));
        lines.push(format!("until {}", zone.moment(until)));
    }
    lines.extend(wave.hours.clone());
    lines.push(format!("package {}", wave.package));
    for missing in wave.missing.iter().take(MISSING_SHOWN) {
        lines.push(format!("gate: {missing}"));
    }
    if wave.missing.len() > MISSING_SHOWN {
        lines.push(format!("gate: and {} more", wave.missing.len() - MISSING_SHOWN));
    }
    let mut more: Vec<String> = wave.missing.iter().map(|missing| format!("gate: {missing}")).collect();
    if !wave.needs.is_empty() {
        more.insert(0, format!("needs {}", wave.needs.join(", ")));
    }
    Node {
        id: wave.name.clone(),
        label: wave.name.clone(),
        lines,
        more,
        look: if wave.missing.is_empty() { Look::Open } else { Look::Closed },
        committed: false,
        own,
        cluster: None,
    }
}
