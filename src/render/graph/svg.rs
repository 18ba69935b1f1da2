//! A graph as a picture of its own: no script, no font, no link; light and dark follow the page around it.
//!
//! Letters have the width of a monospace font, so that what fits is known and no text runs over another.

use std::fmt::Write as _;

use super::layout::{LINE, Layout, NARROW, PAD, WIDE, layout};
use super::{Graph, Node};
use crate::render::escape::xml;

/// Width of a letter of the label and of the lines, in pixels: 0.6 of the size, and a little for fonts that are wider.
const LABEL: f64 = 7.6;
const SMALL: f64 = 6.8;
/// Lines that one text is wrapped over before it is cut.
const WRAP: usize = 3;

/// The rules that pictures use. A page that holds several needs them once; its own variables win.
pub const CSS: &str = "\
.opsole-graph{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;max-width:100%;\
height:auto;--g-do:var(--opsole-do,#1a7f37);--g-stop:var(--opsole-stop,#cf222e);--g-wait:var(--opsole-wait,#9a6700);\
--g-quiet:var(--opsole-quiet,#6e7781);--g-ground:var(--opsole-ground,Canvas)}
.opsole-graph text{fill:currentColor;font-size:11px;paint-order:stroke;stroke:var(--g-ground);stroke-width:0}
.opsole-graph .label{font-size:12px;font-weight:600}
.opsole-graph .halo{stroke-width:5px}
.opsole-graph .node rect{fill:var(--tone);fill-opacity:.09;stroke:var(--tone);stroke-width:1.3}
.opsole-graph .node{--tone:var(--g-quiet)}
.opsole-graph .do,.opsole-graph .open{--tone:var(--g-do)}
.opsole-graph .wait,.opsole-graph .closed{--tone:var(--g-wait)}
.opsole-graph .blocked,.opsole-graph .do.committed{--tone:var(--g-stop)}
.opsole-graph .wait rect,.opsole-graph .closed rect,.opsole-graph .skip rect{stroke-dasharray:5 3}
.opsole-graph .own rect,.opsole-graph .do.committed rect{stroke-width:2.6}
.opsole-graph .nothing text,.opsole-graph .skip text{fill-opacity:.7}
.opsole-graph .edge{fill:none;stroke:currentColor;stroke-opacity:.55;stroke-width:1.2}
.opsole-graph .tip{fill:currentColor;fill-opacity:.75;stroke:none}
.opsole-graph .cluster{fill:none;stroke:currentColor;stroke-opacity:.25}
.opsole-graph .no-return{stroke:var(--g-stop);stroke-width:1.6;stroke-dasharray:7 4}
.opsole-graph .no-return-label{fill:var(--g-stop);font-weight:600}
svg.opsole-graph:root{color-scheme:light dark;color:CanvasText;background:Canvas}
@media (prefers-color-scheme:dark){.opsole-graph{--g-do:var(--opsole-do,#3fb950);--g-stop:var(--opsole-stop,#ff7b72);\
--g-wait:var(--opsole-wait,#d29922);--g-quiet:var(--opsole-quiet,#8b949e)}}
";

/// Returns a graph as an SVG element for a page that has [`CSS`].
#[must_use]
pub fn svg(graph: &Graph) -> String {
    draw(graph, None)
}

/// Returns a graph as an SVG file that needs nothing else.
#[must_use]
pub fn svg_alone(graph: &Graph) -> String {
    draw(graph, Some(CSS))
}

fn draw(graph: &Graph, css: Option<&str>) -> String {
    let texts: Vec<[Vec<String>; 2]> =
        graph.nodes.iter().map(|node| [lines(node, NARROW), lines(node, WIDE)]).collect();
    let layout = layout(graph, |node, wide| texts[node][usize::from(wide)].len());
    let Layout { width, height, .. } = layout;
    let (title, description) = (xml(&graph.title), xml(&graph.description));
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"opsole-graph\" role=\"img\" aria-label=\"{title}: \
         {description}\" viewBox=\"0 0 {} {}\" width=\"{0}\" height=\"{1}\">",
        short(width),
        short(height)
    );
    let _ = writeln!(out, "<title>{title}</title>\n<desc>{description}</desc>");
    if let Some(css) = css {
        let _ = writeln!(out, "<style>\n{css}</style>");
    }
    for rect in layout.clusters.iter().filter(|rect| rect.h > 0.0) {
        let _ = writeln!(
            out,
            "<rect class=\"cluster\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\"/>",
            short(rect.x),
            short(rect.y),
            short(rect.w),
            short(rect.h)
        );
    }
    for (edge, points) in graph.edges.iter().zip(&layout.lines) {
        let name = |at: usize| graph.nodes.get(at).map(|node| xml(&node.label)).unwrap_or_default();
        let _ = writeln!(
            out,
            "<g><title>{} before {}</title><path class=\"edge\" d=\"{}\"/>{}</g>",
            name(edge.from),
            name(edge.to),
            path(points),
            points.last().map(|(x, y)| tip(*x, *y)).unwrap_or_default()
        );
    }
    for (node, (rect, texts)) in graph.nodes.iter().zip(layout.boxes.iter().zip(&texts)) {
        let wide = rect.w > NARROW;
        let mut class = format!("node {}", node.look.as_str());
        for (is, word) in [(node.committed, " committed"), (node.own, " own")] {
            class.push_str(if is { word } else { "" });
        }
        let told: Vec<String> = std::iter::once(format!("{}: {}", node.id, node.look.words()))
            .chain(node.lines.iter().cloned())
            .chain(node.more.iter().cloned())
            .map(|line| xml(&line))
            .collect();
        let _ = writeln!(
            out,
            "<g class=\"{class}\" data-id=\"{}\"><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" \
             rx=\"6\"/>",
            xml(&node.id),
            told.join("\n"),
            short(rect.x),
            short(rect.y),
            short(rect.w),
            short(rect.h)
        );
        for (at, line) in texts[usize::from(wide)].iter().enumerate() {
            let class = if at == 0 { " class=\"label\"" } else { "" };
            let y = rect.y + PAD + LINE * super::layout::to_f64(at) + LINE * 0.75;
            let _ = writeln!(out, "<text{class} x=\"{}\" y=\"{}\">{}</text>", short(rect.x + 9.0), short(y), xml(line));
        }
        out.push_str("</g>\n");
    }
    for (cluster, rect) in graph.clusters.iter().zip(&layout.clusters).filter(|(_, rect)| rect.h > 0.0) {
        let (x, y) = (short(rect.x + 10.0), short(rect.y + 16.0));
        let _ = writeln!(out, "<text class=\"halo\" x=\"{x}\" y=\"{y}\">{}</text>", xml(&cluster.label));
        if cluster.no_return {
            let y = rect.y - 17.0;
            // It begins behind its own words.
            let (from, to) = (short(rect.x + 10.0 + 19.0 * SMALL), short(rect.x + rect.w));
            let _ =
                writeln!(out, "<line class=\"no-return\" x1=\"{from}\" x2=\"{to}\" y1=\"{0}\" y2=\"{0}\"/>", short(y));
            let _ = writeln!(
                out,
                "<text class=\"halo no-return-label\" x=\"{x}\" y=\"{}\">point of no return</text>",
                short(y + 4.0)
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Returns the lines of a box: its label with the mark of what becomes of it, and what stands below.
fn lines(node: &Node, width: f64) -> Vec<String> {
    let label: Vec<&str> = node.label.split_whitespace().collect();
    let mut all = vec![cut(&format!("{} {}", node.mark(), label.join(" ")), fits(width, LABEL))];
    all.extend(node.lines.iter().flat_map(|line| wrapped(line, fits(width, SMALL), WRAP)));
    all
}

/// Returns how many letters a box takes.
fn fits(width: f64, letter: f64) -> usize {
    let mut number = 0;
    while super::layout::to_f64(number + 1) * letter <= width - 18.0 {
        number += 1;
    }
    number
}

/// Letters beyond Latin may be twice as wide.
fn columns(text: &str) -> usize {
    text.chars().map(|sign| if u32::from(sign) < 0x1100 { 1 } else { 2 }).sum()
}

fn cut(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut out = String::new();
    for sign in text.chars() {
        if columns(&out) + columns(sign.encode_utf8(&mut [0; 4])) + 1 > room {
            break;
        }
        out.push(sign);
    }
    out.push('…');
    out
}

fn wrapped(text: &str, room: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            last.push('…');
        }
    }
    lines.iter().map(|line| cut(line, room)).collect()
}

/// A line that bends between rows and runs straight beside boxes.
fn path(points: &[(f64, f64)]) -> String {
    let Some(((x, y), rest)) = points.split_first() else { return String::new() };
    let mut out = format!("M{} {}", short(*x), short(*y));
    let (mut x, mut y) = (*x, *y);
    for (at, (to_x, to_y)) in rest.iter().enumerate() {
        let last = at + 1 == rest.len();
        let to = if last { to_y - 6.0 } else { *to_y };
        if (to_x - x).abs() < 0.5 {
            let _ = write!(out, "V{}", short(to));
        } else {
            let middle = short(f64::midpoint(y, to));
            let _ = write!(out, "C{} {middle} {} {middle} {1} {}", short(x), short(*to_x), short(to));
        }
        (x, y) = (*to_x, *to_y);
    }
    out
}

fn tip(x: f64, y: f64) -> String {
    let (left, right, top) = (short(x - 4.0), short(x + 4.0), short(y - 8.0));
    format!("<path class=\"tip\" d=\"M{left} {top}H{right}L{} {}Z\"/>", short(x), short(y - 0.5))
}

/// A coordinate with one digit behind the point at the most, the same on every machine.
fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
