//! Laws of graphs: every edge points forward and follows from no other, no box lies on another, every notation holds
//! whatever names there are.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::layout::{Rect, layout};
use super::{Cluster, Edge, Graph, Look, Node, json, mermaid, of_changes, of_waves, settle, svg, svg_alone, waves};
use crate::dag::{Scope, spec};
use crate::diff::{Action, Change, Reason};
use crate::model::Op;
use crate::sealed::WaveLine;

fn node(id: &str, cluster: Option<usize>) -> Node {
    Node {
        id: id.to_owned(),
        label: id.to_owned(),
        lines: vec![format!("what {id} does")],
        more: Vec::new(),
        look: Look::Do,
        committed: false,
        own: false,
        cluster,
    }
}

fn wave(name: &str, needs: &[&str], missing: &[&str]) -> WaveLine {
    WaveLine {
        name: name.to_owned(),
        devices: 3,
        needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        window: None,
        hours: None,
        package: "bulk".to_owned(),
        concurrency: 5,
        missing: missing.iter().map(|one| (*one).to_owned()).collect(),
    }
}

fn chain(actions: impl Fn(Op) -> Action) -> Graph {
    let ops = Op::ALL.iter().filter(|op| spec(**op).scope == Scope::Device);
    let changes: Vec<Change> =
        ops.map(|op| Change { op: *op, action: actions(*op), reason: Reason::NotYetSo }).collect();
    of_changes("PC-1", &changes, &std::collections::BTreeMap::new())
}

fn names(graph: &Graph) -> BTreeSet<(String, String)> {
    graph.edges.iter().map(|edge| (graph.nodes[edge.from].id.clone(), graph.nodes[edge.to].id.clone())).collect()
}

/// Everything that can be reached from anything.
fn reached(count: usize, edges: impl Iterator<Item = Edge>) -> BTreeSet<(usize, usize)> {
    let mut all: BTreeSet<(usize, usize)> = edges.map(|edge| (edge.from, edge.to)).collect();
    for middle in 0..count {
        let (to, from): (Vec<usize>, Vec<usize>) = (
            all.iter().filter(|pair| pair.1 == middle).map(|pair| pair.0).collect(),
            all.iter().filter(|pair| pair.0 == middle).map(|pair| pair.1).collect(),
        );
        all.extend(to.iter().flat_map(|to| from.iter().map(move |from| (*to, *from))));
    }
    all
}

/// Catches a gap in the chain where an operation is left out, and an edge that says what others say already.
#[test]
fn what_is_left_out_is_stood_in_for() {
    let all = names(&chain(|_| Action::Do));
    let has = |set: &BTreeSet<(String, String)>, from: &str, to: &str| {
        set.contains(&(format!("device.{from}"), format!("device.{to}")))
    };
    assert!(has(&all, "remove-configmgr", "apply-package") && has(&all, "stage", "arm"));
    assert!(!has(&all, "restore-groups", "verify-exit"), "it follows from assign-configuration");
    let some = names(&chain(|op| match op {
        Op::RemoveConfigmgr | Op::RemoveMdm | Op::AssignConfiguration => Action::Skip,
        Op::Arm => Action::Nothing,
        _ => Action::Do,
    }));
    assert!(has(&some, "leave-entra", "apply-package") && has(&some, "restore-groups", "verify-exit"));
    assert!(has(&some, "arm", "unjoin-domain"), "what is so already is shown");
    let excluded = chain(|_| Action::Skip);
    assert!(excluded.nodes.iter().all(|node| node.look == Look::Skip) && !excluded.edges.is_empty());
}

/// Catches a picture that begins behind the point of no return, or draws the line where nothing is crossed.
#[test]
fn clusters_follow_the_phases() {
    let ids = |graph: &Graph| graph.clusters.iter().map(|one| (one.id.clone(), one.no_return)).collect::<Vec<_>>();
    let all = chain(|_| Action::Do);
    assert_eq!(ids(&all), [("reversible".into(), false), ("committed".into(), true), ("finishing".into(), false)]);
    let late = chain(|op| if op >= Op::AwaitSignIn { Action::Do } else { Action::Skip });
    assert_eq!(ids(&late), [("finishing".into(), false)]);
    assert!(!svg(&late).contains("point of no return"));
}

/// Catches a name that ends a quote early in any notation, or makes a picture that isn't XML.
#[test]
fn names_are_escaped() {
    let name = "a\"]; x --> y <b>&amp;#35; \\\" \u{1} `md` 'q' end";
    let graph = waves(&[wave(name, &[], &["it's < & > \" \\"]), wave("end", &[name], &[])], "UTC", Some("end"));
    for text in [svg(&graph), svg_alone(&graph)] {
        let document = roxmltree::Document::parse(&text).expect("XML");
        let told: Vec<&str> = document.descendants().filter_map(|one| one.attribute("data-id")).collect();
        assert_eq!(told, [name.replace('\u{1}', "?").as_str(), "end"]);
        let root = document.root_element();
        assert_eq!(root.attribute("role"), Some("img"));
        assert!(root.attribute("aria-label").is_some_and(|label| label.starts_with("Waves: 2 waves")));
        assert!(root.children().any(|child| child.has_tag_name("title")));
    }
    let text = mermaid(&graph);
    let line = text.lines().find(|line| line.trim_start().starts_with("n0[")).expect("a node");
    assert_eq!(line.matches('"').count(), 2, "{line}");
    assert!(!line.contains("x --> y <b>") && text.contains("n0 --> n1"), "{text}");
    let text = super::dot(&graph);
    let mut inside = false;
    let mut escaped = false;
    for sign in text.chars() {
        match sign {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            '\n' => assert!(!inside, "{text}"),
            _ => {}
        }
    }
    assert!(!inside, "{text}");
    assert_eq!(json(&graph)["edges"][0]["from"], name);
}

/// Catches a wave that needs itself, a wave that isn't there, and a graph of nothing.
#[test]
fn whatever_is_given_is_drawn() {
    let graph = waves(&[wave("a", &["b", "a", "gone"], &[]), wave("b", &["a"], &[])], "Mars/Base", None);
    assert_eq!((graph.nodes.len(), graph.edges.len()), (2, 1));
    drop(svg(&graph));
    let nothing = waves(&[], "UTC", None);
    assert!(roxmltree::Document::parse(&svg(&nothing)).is_ok());
    assert!(roxmltree::Document::parse(&svg(&chain(|_| Action::Skip))).is_ok());
}

/// Catches a text that is wider than its box: it would run over its neighbour.
#[test]
fn texts_stay_in_their_boxes() {
    let long = "an-extraordinarily-long-name-of-a-wave-that-nobody-would-choose-but-somebody-does";
    let list: Vec<WaveLine> =
        (0..7).map(|n| wave(&format!("{long}-{n}"), &[], &["ワ ".repeat(60).as_str(), long])).collect();
    for graph in [waves(&list, "UTC", None), chain(|_| Action::Do)] {
        let text = svg(&graph);
        let document = roxmltree::Document::parse(&text).expect("XML");
        let number = |one: roxmltree::Node<'_, '_>, name: &str| -> f64 {
            one.attribute(name).and_then(|text| text.parse().ok()).expect("a number")
        };
        for group in document.descendants().filter(|one| one.has_attribute("data-id")) {
            let rect = group.children().find(|one| one.has_tag_name("rect")).expect("a box");
            for text in group.children().filter(|one| one.has_tag_name("text")) {
                let letter = if text.has_attribute("class") { 7.6 } else { 6.8 };
                let letters: u32 =
                    text.text().unwrap_or("").chars().map(|sign| if u32::from(sign) < 0x1100 { 1 } else { 2 }).sum();
                let right = number(text, "x") + letter * f64::from(letters);
                assert!(right <= number(rect, "x") + number(rect, "width"), "{:?}", text.text());
                assert!(number(text, "y") <= number(rect, "y") + number(rect, "height"));
            }
        }
        let width = number(document.root_element(), "width");
        assert!(width < 1000.0, "{width}");
    }
}

/// Catches a page that pays for what it doesn't show: a body's graph is the same graph as that of its lines.
#[test]
fn a_body_is_drawn_as_its_lines() {
    let body = crate::sealed::sample(3);
    assert_eq!(of_waves(&body), waves(&body.waves, &body.plan.zone, Some(&body.wave)));
    let device = super::of_device(&body, &body.devices[0]);
    let chain = super::of_chain(&body, body.devices[0].chain);
    assert_eq!((names(&device), device.nodes.len()), (names(&chain), chain.nodes.len()));
    assert!(device.nodes.iter().any(|node| node.more.iter().any(|line| line.starts_with("before: "))));
    assert!(super::of_chain(&body, 99).nodes.is_empty());
}

fn apart(a: &Rect, b: &Rect) -> bool {
    a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y
}

proptest! {
    /// Catches an edge that is lost or made up by the reduction, a box on a box, a line through a box, and a width that
    /// grows with the graph.
    #[test]
    fn any_graph_is_laid_out(
        count in 1_usize..24,
        pairs in proptest::collection::vec((0_usize..24, 0_usize..24), 0..60),
        cut in 0_usize..24,
    ) {
        let edges: BTreeSet<Edge> = pairs
            .iter()
            .filter(|(from, to)| from < to && *to < count)
            .map(|(from, to)| Edge { from: *from, to: *to })
            .collect();
        let nodes: Vec<Node> = (0..count).map(|n| node(&format!("n{n}"), Some(usize::from(n >= cut)))).collect();
        let cluster = |id: &str, no_return| Cluster { id: id.to_owned(), label: id.to_owned(), no_return };
        let (nodes, kept) = settle(nodes, &edges);
        prop_assert!(kept.iter().all(|edge| edge.from < edge.to));
        let id = |at: usize| nodes[at].id[1..].parse::<usize>().expect("a number");
        let own = kept.iter().map(|edge| Edge { from: id(edge.from), to: id(edge.to) });
        prop_assert_eq!(reached(count, own), reached(count, edges.iter().copied()));
        for edge in &kept {
            let others = kept.iter().filter(|one| *one != edge).copied();
            prop_assert!(!reached(count, others).contains(&(edge.from, edge.to)), "{:?} follows from others", edge);
        }
        let graph = Graph {
            title: String::new(),
            description: String::new(),
            clusters: vec![cluster("a", false), cluster("b", true)],
            nodes,
            edges: kept,
        };
        let drawn = layout(&graph, |_, _| 2);
        for (at, a) in drawn.boxes.iter().enumerate() {
            prop_assert!(a.x >= 0.0 && a.x + a.w <= drawn.width && a.y + a.h <= drawn.height);
            prop_assert!(drawn.boxes[at + 1..].iter().all(|b| apart(a, b)));
        }
        for (edge, points) in graph.edges.iter().zip(&drawn.lines) {
            prop_assert!(drawn.boxes[edge.from].y + drawn.boxes[edge.from].h < drawn.boxes[edge.to].y);
            for pair in points.windows(2).filter(|pair| (pair[0].0 - pair[1].0).abs() < 0.01) {
                let line = Rect { x: pair[0].0, y: pair[0].1 + 0.1, w: 0.1, h: (pair[1].1 - pair[0].1 - 0.2).max(0.0) };
                let hit = drawn.boxes.iter().enumerate().find(|(_, one)| !apart(one, &line));
                prop_assert!(hit.is_none(), "{:?} through {:?}", edge, hit);
            }
        }
        // Four boxes and a lane for each start at the most.
        prop_assert!(drawn.width <= 4.0 * 218.0 + 24.0 * 2.0 * 32.0 + 60.0, "{}", drawn.width);
        prop_assert_eq!(&drawn, &layout(&graph, |_, _| 2));
    }
}
