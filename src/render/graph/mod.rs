//! Graphs of a plan: one device's chain of operations, and the waves with what each waits for.
//!
//! ```text
//! Body (or what was decided live) --chain / waves--> Graph --mermaid / dot / svg / json--> text
//! ```
//!
//! A [`Graph`] is neutral: nodes in an order of execution, edges that follow from no other edge, clusters in their
//! order. Writers add nothing but their notation.

mod chain;
mod json;
mod layout;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod waves;

use std::collections::BTreeSet;

use serde::Serialize;

pub use chain::{of_chain, of_changes, of_device};
pub use json::json;
pub use svg::{CSS, svg, svg_alone};
pub use text::{dot, mermaid};
pub use waves::{of_waves, waves};

/// What becomes of a node; writers draw each in its own way, and never by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Look {
    /// The operation runs.
    Do,
    /// It is so already.
    Nothing,
    /// It isn't due in this run.
    Wait,
    /// It is left out on purpose.
    Skip,
    /// Something has to be mended first.
    Blocked,
    /// A wave whose gate lacks nothing.
    Open,
    /// A wave whose gate lacks something.
    Closed,
}

impl Look {
    /// Returns the name that classes and JSON use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Nothing => "nothing",
            Self::Wait => "wait",
            Self::Skip => "skip",
            Self::Blocked => "blocked",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
    /// Returns the sign that stands before a label, as in the text of a plan.
    #[must_use]
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Do | Self::Open => "+",
            Self::Nothing => "=",
            Self::Wait | Self::Closed => "~",
            Self::Skip => "-",
            Self::Blocked => "x",
        }
    }
    /// Returns what it means, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Do => "runs",
            Self::Nothing => "is so already",
            Self::Wait => "not due in this run",
            Self::Skip => "left out",
            Self::Blocked => "blocked",
            Self::Open => "its gate lacks nothing",
            Self::Closed => "its gate isn't met",
        }
    }
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Stable name: an operation or a wave.
    pub id: String,
    /// What stands in bold.
    pub label: String,
    /// Lines below it.
    pub lines: Vec<String>,
    /// Everything else that is known of it, a line each: tooltips.
    pub more: Vec<String>,
    /// What becomes of it.
    pub look: Look,
    /// It can't be taken back: its phase is `committed`.
    pub committed: bool,
    /// It is what the graph is about: the wave of the sealed plan.
    pub own: bool,
    /// Position among the clusters, where the graph has some.
    pub cluster: Option<usize>,
}

impl Node {
    /// Says whether it runs and can't be taken back: the gravest look there is.
    #[must_use]
    pub fn is_grave(&self) -> bool {
        self.committed && self.look == Look::Do
    }
    /// Returns the sign before its label, as in the text of a plan.
    #[must_use]
    pub fn mark(&self) -> &'static str {
        if self.is_grave() { "!" } else { self.look.mark() }
    }
}

/// One edge: what has to be done before what, as positions among the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Edge {
    /// Comes before.
    pub from: usize,
    /// Comes after.
    pub to: usize,
}

/// Nodes on one side of the point of no return. Clusters follow one another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cluster {
    /// Stable name.
    pub id: String,
    /// Title.
    pub label: String,
    /// The point of no return lies right before it.
    pub no_return: bool,
}

/// A graph of a plan. Made by the functions of this module, which keep every edge pointing to a later node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// What it shows, in a few words.
    pub title: String,
    /// What it shows, in a sentence.
    pub description: String,
    /// Clusters in their order.
    pub clusters: Vec<Cluster>,
    /// Nodes in an order of execution.
    pub nodes: Vec<Node>,
    /// Edges in order; none follows from others.
    pub edges: Vec<Edge>,
}

/// Puts nodes in an order in which every edge points forward, and takes away edges that follow from others. An edge that
/// would close a cycle is left out: a graph is drawn of whatever is given.
fn settle(nodes: Vec<Node>, edges: &BTreeSet<Edge>) -> (Vec<Node>, Vec<Edge>) {
    let count = nodes.len();
    let known = |edge: &&Edge| edge.from < count && edge.to < count && edge.from != edge.to;
    let mut waits = vec![0_usize; count];
    let mut then: Vec<Vec<usize>> = vec![Vec::new(); count];
    for edge in edges.iter().filter(known) {
        waits[edge.to] += 1;
        then[edge.from].push(edge.to);
    }
    let mut ready: BTreeSet<usize> = (0..count).filter(|at| waits[*at] == 0).collect();
    let mut left: BTreeSet<usize> = (0..count).filter(|at| waits[*at] > 0).collect();
    let mut order = Vec::with_capacity(count);
    // Whatever is in a cycle comes in the order it was given in.
    while let Some(at) = ready.pop_first().or_else(|| left.pop_first()) {
        order.push(at);
        for next in &then[at] {
            waits[*next] -= 1;
            if waits[*next] == 0 && left.remove(next) {
                ready.insert(*next);
            }
        }
    }
    let mut place = vec![0; count];
    order.iter().enumerate().for_each(|(new, old)| place[*old] = new);
    let forward = edges
        .iter()
        .filter(known)
        .map(|edge| Edge { from: place[edge.from], to: place[edge.to] })
        .filter(|edge| edge.from < edge.to)
        .collect();
    let mut slots: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    let nodes = order.iter().filter_map(|old| slots[*old].take()).collect();
    (nodes, reduce(count, &forward))
}

/// Returns the edges that don't follow from others. Every edge points forward.
fn reduce(count: usize, edges: &BTreeSet<Edge>) -> Vec<Edge> {
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); count];
    edges.iter().for_each(|edge| before[edge.to].push(edge.from));
    let words = count.div_ceil(64);
    let mut reached: Vec<Vec<u64>> = Vec::with_capacity(count);
    let mut kept = Vec::new();
    for (to, before) in before.iter().enumerate() {
        let mut own = vec![0_u64; words];
        // The latest first: what it reaches, an earlier one needn't say again.
        for from in before.iter().rev() {
            if own[from / 64] & (1 << (from % 64)) == 0 {
                kept.push(Edge { from: *from, to });
                own.iter_mut().zip(&reached[*from]).for_each(|(own, other)| *own |= other);
                own[from / 64] |= 1 << (from % 64);
            }
        }
        reached.push(own);
    }
    kept.sort_unstable();
    kept
}
