//! Where the boxes of a graph stand: rows from top to bottom, few crossings, a width that doesn't grow with the graph.
//!
//! A layered layout of our own: the crates that lay graphs out neither keep a row's width in bounds nor know of clusters
//! that follow one another. Rows are the longest way from a start; a row that is too wide becomes several; an edge that
//! passes rows gets a lane in each, shared by all edges of its start, so that no line runs through a box.

use std::collections::BTreeMap;

use super::Graph;

/// Boxes in one row.
const COLUMNS: usize = 4;
/// Width of a box that has neighbours, and of one that stands alone in its row.
pub(super) const NARROW: f64 = 204.0;
pub(super) const WIDE: f64 = 372.0;
/// Height of a line of text, and room above and below the lines of a box.
pub(super) const LINE: f64 = 15.0;
pub(super) const PAD: f64 = 8.0;
const LANE: f64 = 18.0;
const GAP_X: f64 = 14.0;
const GAP_Y: f64 = 30.0;
/// Room around everything, and a cluster's room above its first row, for its title.
const MARGIN: f64 = 12.0;
const TITLE: f64 = 24.0;
/// Between two clusters.
const BETWEEN: f64 = 34.0;
const SWEEPS: usize = 6;

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) w: f64,
    pub(super) h: f64,
}

/// Everything in pixels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    /// One for each node.
    pub(super) boxes: Vec<Rect>,
    /// One for each cluster.
    pub(super) clusters: Vec<Rect>,
    /// For each edge, the points of its line: every other piece runs straight down.
    pub(super) lines: Vec<Vec<(f64, f64)>>,
}

/// What stands in a row: a box, or the lane of a start's edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Node(usize),
    Lane(usize),
}

/// Lays a graph out. `lines` gives the number of lines of text in a node, where it is wide or not.
pub(super) fn layout(graph: &Graph, lines: impl Fn(usize, bool) -> usize) -> Layout {
    let rows = rows(graph);
    let count = rows.iter().max().map_or(0, |last| last + 1);
    let mut slots: Vec<Vec<Slot>> = vec![Vec::new(); count];
    rows.iter().enumerate().for_each(|(node, row)| slots[*row].push(Slot::Node(node)));
    let alone: Vec<bool> = slots.iter().map(|row| row.len() == 1).collect();
    // How far down a start's edges reach.
    let mut reach: BTreeMap<usize, usize> = BTreeMap::new();
    for edge in &graph.edges {
        let last = reach.entry(edge.from).or_default();
        *last = (*last).max(rows[edge.to]);
    }
    for (from, last) in &reach {
        for row in &mut slots[rows[*from] + 1..(*last).max(rows[*from] + 1)] {
            row.push(Slot::Lane(*from));
        }
    }
    order(graph, &rows, &mut slots);

    let wide: Vec<bool> = rows.iter().map(|row| alone[*row]).collect();
    let height = |node: usize| 2.0 * PAD + LINE * to_f64(lines(node, wide[node]));
    let span = |slot: &Slot| match slot {
        Slot::Node(node) if wide[*node] => WIDE,
        Slot::Node(_) => NARROW,
        Slot::Lane(_) => LANE,
    };
    // Rows are centred by their boxes; lanes hang beside.
    let mut half: f64 = WIDE / 2.0;
    let mut at: BTreeMap<(usize, Slot), f64> = BTreeMap::new();
    for (row, slots) in slots.iter().enumerate() {
        let mut x = 0.0;
        let (mut first, mut last) = (f64::MAX, 0.0);
        for slot in slots {
            at.insert((row, *slot), x);
            if matches!(slot, Slot::Node(_)) {
                first = x.min(first);
                last = x + span(slot);
            }
            x += span(slot) + GAP_X;
        }
        let middle = f64::midpoint(first.min(last), last);
        slots.iter().for_each(|slot| *at.entry((row, *slot)).or_default() -= middle);
        half = half.max(middle).max(x - GAP_X - middle);
    }
    let width = 2.0 * (half + 2.0 * MARGIN);
    let centre = width / 2.0;

    let cluster_of = |row: usize| {
        slots[row].iter().find_map(|slot| match slot {
            Slot::Node(node) => graph.nodes[*node].cluster,
            Slot::Lane(_) => None,
        })
    };
    let mut clusters = vec![Rect { x: MARGIN, y: 0.0, w: width - 2.0 * MARGIN, h: 0.0 }; graph.clusters.len()];
    let mut tops = Vec::with_capacity(count);
    let mut bottoms = Vec::with_capacity(count);
    let mut y = MARGIN;
    let mut inside = None;
    for (row, slots) in slots.iter().enumerate() {
        let own = cluster_of(row);
        if own != inside
            && let Some(cluster) = own.and_then(|own| clusters.get_mut(own))
        {
            y += if inside.is_some() { MARGIN + BETWEEN - GAP_Y } else { 0.0 };
            cluster.y = y;
            y += TITLE;
        }
        inside = own;
        let tallest = slots.iter().map(|slot| match slot {
            Slot::Node(node) => height(*node),
            Slot::Lane(_) => 0.0,
        });
        let bottom = y + tallest.fold(0.0, f64::max);
        tops.push(y);
        bottoms.push(bottom);
        if let Some(cluster) = own.and_then(|own| clusters.get_mut(own)) {
            cluster.h = bottom + MARGIN - cluster.y;
        }
        y = bottom + GAP_Y;
    }
    let last = bottoms.last().copied().unwrap_or(MARGIN) + if inside.is_some() { MARGIN } else { 0.0 };

    let left = |row: usize, slot: Slot| centre + at.get(&(row, slot)).copied().unwrap_or_default();
    let boxes: Vec<Rect> = rows
        .iter()
        .enumerate()
        .map(|(node, row)| {
            let slot = Slot::Node(node);
            Rect { x: left(*row, slot), y: tops[*row], w: span(&slot), h: height(node) }
        })
        .collect();
    let line = |edge: &super::Edge| {
        let (from, to) = (boxes[edge.from], boxes[edge.to]);
        let start = from.x + from.w / 2.0;
        let mut points = vec![(start, from.y + from.h), (start, bottoms[rows[edge.from]])];
        for row in rows[edge.from] + 1..rows[edge.to] {
            let x = left(row, Slot::Lane(edge.from)) + LANE / 2.0;
            points.push((x, tops[row]));
            points.push((x, bottoms[row]));
        }
        points.push((to.x + to.w / 2.0, to.y));
        points
    };
    let lines = graph.edges.iter().map(line).collect();
    Layout { width, height: last + MARGIN, boxes, clusters, lines }
}

/// Returns the row of each node: below everything that comes before it, below the clusters before its own, and no more
/// than [`COLUMNS`] in one.
fn rows(graph: &Graph) -> Vec<usize> {
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
    graph.edges.iter().for_each(|edge| before[edge.to].push(edge.from));
    let mut order: Vec<usize> = (0..graph.nodes.len()).collect();
    // Edges point to later nodes, and within a cluster the order is kept.
    order.sort_by_key(|node| graph.nodes[*node].cluster);
    let mut rank = vec![0_usize; graph.nodes.len()];
    let mut cluster = None;
    let (mut floor, mut deepest) = (0, 0);
    for node in &order {
        if graph.nodes[*node].cluster != cluster {
            cluster = graph.nodes[*node].cluster;
            floor = deepest;
        }
        let own = before[*node].iter().map(|from| rank[*from] + 1).max().unwrap_or(0).max(floor);
        rank[*node] = own;
        deepest = deepest.max(own + 1);
    }
    let mut by_rank: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    order.iter().for_each(|node| by_rank.entry(rank[*node]).or_default().push(*node));
    let mut next = 0;
    for nodes in by_rank.values() {
        // Rows of like length look better than a full one and a rest.
        let pieces = nodes.len().div_ceil(COLUMNS);
        let size = nodes.len().div_ceil(pieces.max(1)).max(1);
        for piece in nodes.chunks(size) {
            piece.iter().for_each(|node| rank[*node] = next);
            next += 1;
        }
    }
    rank
}

/// Orders each row by where its neighbours stand, down and up a few times.
fn order(graph: &Graph, rows: &[usize], slots: &mut [Vec<Slot>]) {
    let mut links: Vec<BTreeMap<Slot, Vec<Slot>>> = vec![BTreeMap::new(); slots.len()];
    for edge in &graph.edges {
        let mut above = Slot::Node(edge.from);
        let last = rows[edge.to];
        for (row, links) in links.iter_mut().enumerate().take(last + 1).skip(rows[edge.from] + 1) {
            let own = if row == last { Slot::Node(edge.to) } else { Slot::Lane(edge.from) };
            links.entry(own).or_default().push(above);
            above = own;
        }
    }
    let mut up: Vec<BTreeMap<Slot, Vec<Slot>>> = vec![BTreeMap::new(); slots.len()];
    for (row, links) in links.iter().enumerate().skip(1) {
        for (own, above) in links {
            above.iter().for_each(|one| up[row - 1].entry(*one).or_default().push(*own));
        }
    }
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let all: Vec<usize> =
            if down { (1..slots.len()).collect() } else { (0..slots.len().saturating_sub(1)).rev().collect() };
        for row in all {
            let (table, other) = if down { (&links[row], row - 1) } else { (&up[row], row + 1) };
            let places: BTreeMap<Slot, f64> =
                slots[other].iter().enumerate().map(|(at, slot)| (*slot, share(at, slots[other].len()))).collect();
            let own = slots[row].len();
            let mut keyed: Vec<(f64, Slot)> = slots[row]
                .iter()
                .enumerate()
                .map(|(at, slot)| {
                    let near: Vec<f64> =
                        table.get(slot).into_iter().flatten().filter_map(|one| places.get(one).copied()).collect();
                    let middle = near.iter().sum::<f64>() / to_f64(near.len().max(1));
                    (if near.is_empty() { share(at, own) } else { middle }, *slot)
                })
                .collect();
            // Stable: where nothing decides, the order of the plan stays.
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            slots[row] = keyed.into_iter().map(|(_, slot)| slot).collect();
        }
    }
    // Lanes stand at the sides: between two boxes they would push them apart.
    for row in slots {
        let half = row.len() / 2;
        let at = |slot: &Slot| row.iter().position(|one| one == slot).unwrap_or(0);
        let mut keyed: Vec<(i8, usize, Slot)> = row
            .iter()
            .map(|slot| match slot {
                Slot::Node(_) => (0, at(slot), *slot),
                Slot::Lane(_) => (if at(slot) < half { -1 } else { 1 }, at(slot), *slot),
            })
            .collect();
        keyed.sort_unstable();
        *row = keyed.into_iter().map(|(_, _, slot)| slot).collect();
    }
}

/// Returns where something stands in its row, from 0 to 1.
fn share(at: usize, of: usize) -> f64 {
    (to_f64(at) + 0.5) / to_f64(of.max(1))
}

/// Numbers of nodes and lines are small.
pub(super) fn to_f64(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
