//! Where the drawings of a page come from: one seam, so that the page knows nothing of how they are made.

use crate::render::graph;
use crate::sealed::Body;

/// Style that the drawings need.
pub(super) const CSS: &str = graph::CSS;

/// Returns the drawing of one of the distinct chains.
pub(super) fn chain(body: &Body, at: u32) -> String {
    graph::svg(&graph::of_chain(body, at))
}

/// Returns the drawing of the waves.
pub(super) fn waves(body: &Body) -> String {
    graph::svg(&graph::of_waves(body))
}
