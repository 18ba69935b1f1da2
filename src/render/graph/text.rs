//! Notations that other programs draw: Mermaid and Graphviz.

use std::fmt::Write as _;

use super::{Graph, Look, Node};

/// Colours of borders by look; both notations draw on light and dark grounds.
const LOOKS: [(Look, &str, bool); 7] = [
    (Look::Do, "#1a7f37", false),
    (Look::Nothing, "#8b949e", false),
    (Look::Wait, "#9a6700", true),
    (Look::Skip, "#8b949e", true),
    (Look::Blocked, "#cf222e", false),
    (Look::Open, "#1a7f37", false),
    (Look::Closed, "#9a6700", true),
];

const COMMITTED: &str = "#cf222e";

/// Returns a graph as a Mermaid flowchart.
#[must_use]
pub fn mermaid(graph: &Graph) -> String {
    let mut text = String::from("---\n");
    let _ = writeln!(text, "title: {}", serde_json::Value::from(plain(&graph.title)));
    text.push_str("---\nflowchart TD\n");
    let node = |text: &mut String, at: usize, node: &Node, indent: &str| {
        let mut lines = vec![format!("<b>{} {}</b>", node.mark(), mermaid_text(&node.label))];
        lines.extend(node.lines.iter().map(|line| mermaid_text(line)));
        let _ = writeln!(text, "{indent}n{at}[\"{}\"]:::{}", lines.join("<br/>"), class(node));
    };
    for (at, one) in graph.nodes.iter().enumerate().filter(|(_, node)| node.cluster.is_none()) {
        node(&mut text, at, one, "  ");
    }
    for (number, cluster) in graph.clusters.iter().enumerate() {
        let line = if cluster.no_return { "point of no return: " } else { "" };
        let _ = writeln!(text, "  subgraph c{number}[\"{line}{}\"]", mermaid_text(&cluster.label));
        for (at, one) in graph.nodes.iter().enumerate().filter(|(_, node)| node.cluster == Some(number)) {
            node(&mut text, at, one, "    ");
        }
        text.push_str("  end\n");
    }
    for edge in &graph.edges {
        let _ = writeln!(text, "  n{} --> n{}", edge.from, edge.to);
    }
    for (look, color, dashed) in LOOKS.iter().filter(|(look, ..)| graph.nodes.iter().any(|node| node.look == *look)) {
        let dash = if *dashed { ",stroke-dasharray:4 3" } else { "" };
        let _ = writeln!(text, "  classDef {} stroke:{color},stroke-width:1.5px{dash}", look.as_str());
    }
    if graph.nodes.iter().any(|node| node.is_grave()) {
        let _ = writeln!(text, "  classDef committed stroke:{COMMITTED},stroke-width:3px");
    }
    text
}

/// Returns a graph in the language of Graphviz.
#[must_use]
pub fn dot(graph: &Graph) -> String {
    let mut text = String::from("digraph opsole {\n");
    let _ =
        writeln!(text, "  graph [label={}, labelloc=t, rankdir=TB, fontname=\"sans-serif\"];", quoted(&graph.title));
    text.push_str("  node [shape=box, style=rounded, fontname=\"monospace\", fontsize=11];\n");
    let node = |text: &mut String, at: usize, node: &Node, indent: &str| {
        let mut lines = vec![format!("{} {}", node.mark(), node.label)];
        lines.extend(node.lines.iter().cloned());
        let (color, dashed) = LOOKS
            .iter()
            .find(|(look, ..)| *look == node.look)
            .map_or(("#8b949e", false), |(_, color, dashed)| (*color, *dashed));
        let color = if node.is_grave() { COMMITTED } else { color };
        let style = if dashed { "rounded,dashed" } else { "rounded" };
        let width = if node.is_grave() || node.own { "2.5" } else { "1" };
        let _ = writeln!(
            text,
            "{indent}n{at} [id={}, label={}, tooltip={}, color=\"{color}\", style=\"{style}\", penwidth={width}];",
            quoted(&node.id),
            quoted(&lines.join("\n")),
            quoted(&node.more.join("\n")),
        );
    };
    for (at, one) in graph.nodes.iter().enumerate().filter(|(_, node)| node.cluster.is_none()) {
        node(&mut text, at, one, "  ");
    }
    for (number, cluster) in graph.clusters.iter().enumerate() {
        let line = if cluster.no_return { "point of no return: " } else { "" };
        let label = quoted(&format!("{line}{}", cluster.label));
        let _ = writeln!(text, "  subgraph cluster_{number} {{\n    graph [label={label}, style=dashed];");
        for (at, one) in graph.nodes.iter().enumerate().filter(|(_, node)| node.cluster == Some(number)) {
            node(&mut text, at, one, "    ");
        }
        text.push_str("  }\n");
    }
    for edge in &graph.edges {
        let _ = writeln!(text, "  n{} -> n{};", edge.from, edge.to);
    }
    text.push_str("}\n");
    text
}

/// Returns the class of a node: what passes the point of no return is more than that it runs.
fn class(node: &Node) -> &'static str {
    if node.is_grave() { "committed" } else { node.look.as_str() }
}

/// Names come from plans and tenants: what isn't to be seen is shown as `?`.
fn plain(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { '?' } else { sign }).collect()
}

/// Inside Mermaid's quotes everything that it gives a meaning to is written as an entity.
fn mermaid_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '"' | '#' | '&' | '<' | '>' | '`' | ';' | '\\' | '*' | '_' | '[' | ']' | '{' | '}' | '|' => {
                let _ = write!(out, "#{};", u32::from(sign));
            }
            sign if sign.is_control() => out.push('?'),
            sign => out.push(sign),
        }
    }
    out
}

/// A quoted string of Graphviz; line breaks are of our own making.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for sign in text.chars() {
        match sign {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // Graphviz reads entities in labels.
            '&' => out.push_str("&amp;"),
            sign if sign.is_control() => out.push('?'),
            sign => out.push(sign),
        }
    }
    out.push('"');
    out
}
