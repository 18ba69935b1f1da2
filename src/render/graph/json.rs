//! A graph for programs: nodes and edges by name.

use serde_json::{Value, json};

use super::Graph;

/// Returns a graph as a document, `opsole.graph/1`.
#[must_use]
pub fn json(graph: &Graph) -> Value {
    let id = |at: usize| graph.nodes.get(at).map_or("", |node| node.id.as_str());
    let nodes: Vec<Value> = graph
        .nodes
        .iter()
        .map(|node| {
            let cluster = node.cluster.and_then(|at| graph.clusters.get(at)).map(|cluster| cluster.id.as_str());
            json!({
                "id": node.id, "label": node.label, "lines": node.lines, "more": node.more, "look": node.look,
                "committed": node.committed, "own": node.own, "cluster": cluster,
            })
        })
        .collect();
    let edges: Vec<Value> = graph.edges.iter().map(|edge| json!({"from": id(edge.from), "to": id(edge.to)})).collect();
    json!({
        "format": "opsole.graph/1", "title": graph.title, "description": graph.description,
        "clusters": graph.clusters, "nodes": nodes, "edges": edges,
    })
}
