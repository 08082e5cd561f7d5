//! A graph as text that draws it.

use std::fmt::Write as _;

use crate::cli::graph::{Edge, Graph, Node, Sort};

/// Mermaid's flow chart.
pub(super) fn mermaid(graph: &Graph) -> String {
    let mut out = "flowchart LR\n".to_owned();
    for node in &graph.nodes {
        let label = node.label.replace('"', "#quot;");
        let (open, close) = match node.kind {
            Sort::Route => ("([", "])"),
            Sort::Tier => ("[", "]"),
            Sort::Target => ("[(", ")]"),
            Sort::Reject => ("{{", "}}"),
        };
        let _ = writeln!(out, "  {}{open}\"{label}\"{close}", node.id);
    }
    for edge in &graph.edges {
        let arrow = if edge.aside { "-.->" } else { "-->" };
        let label = if edge.label.is_empty() {
            String::new()
        } else {
            format!("|\"{}\"|", edge.label.replace('"', "#quot;"))
        };
        let _ = writeln!(
            out,
            "  {} {arrow}{label} {}",
            id(graph, edge.from),
            id(graph, edge.to)
        );
    }
    out
}

/// Graphviz.
pub(super) fn dot(graph: &Graph) -> String {
    let mut out = "digraph policy {\n  rankdir = LR;\n".to_owned();
    for node in &graph.nodes {
        let shape = match node.kind {
            Sort::Route => "oval",
            Sort::Tier => "box",
            Sort::Target => "box3d",
            Sort::Reject => "octagon",
        };
        let _ = writeln!(
            out,
            "  {} [shape = {shape}, label = {:?}];",
            node.id, node.label
        );
    }
    for edge in &graph.edges {
        let style = if edge.aside { "dashed" } else { "solid" };
        let (from, to) = (id(graph, edge.from), id(graph, edge.to));
        let _ = writeln!(
            out,
            "  {from} -> {to} [style = {style}, label = {:?}];",
            edge.label
        );
    }
    out.push_str("}\n");
    out
}

fn id(graph: &Graph, node: usize) -> &str {
    graph.nodes.get(node).map_or("", |node| &node.id)
}

/// A box of the picture, in pixels.
#[derive(Clone, Copy)]
struct Place {
    x: usize,
    y: usize,
    width: usize,
}

const ROW: usize = 44;
const HEIGHT: usize = 28;
/// A letter of the label.
const LETTER: usize = 8;
const PADDING: usize = 24;
/// Room between columns: for the labels of arrows.
const GAP: usize = 150;
const MARGIN: usize = 16;

/// A picture of its own: a column for each kind of node, in the order of the policy.
pub(super) fn svg(graph: &Graph) -> String {
    let places = places(graph);
    let right = places
        .iter()
        .map(|place| place.x + place.width)
        .max()
        .unwrap_or(0);
    let bottom = places
        .iter()
        .map(|place| place.y + HEIGHT)
        .max()
        .unwrap_or(0);
    let (width, height) = (right + MARGIN, bottom + MARGIN);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"13\">\n  <defs><marker \
         id=\"arrow\" viewBox=\"0 0 10 10\" refX=\"10\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path d=\"M 0 0 L 10 5 L 0 10 z\" fill=\"#556\"/></marker></defs>\n  <rect width=\"{width}\" \
         height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (number, edge) in graph.edges.iter().enumerate() {
        arrow(number, edge, &places, &mut out);
    }
    for (node, place) in graph.nodes.iter().zip(&places) {
        boxed(node, *place, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

fn places(graph: &Graph) -> Vec<Place> {
    let width = |node: &Node| node.label.chars().count() * LETTER + PADDING;
    let mut places = vec![
        Place {
            x: 0,
            y: 0,
            width: 0
        };
        graph.nodes.len()
    ];
    let mut x = MARGIN;
    for kind in [Sort::Route, Sort::Tier, Sort::Target, Sort::Reject] {
        let column = graph.nodes.iter().zip(&mut places);
        let column = column.filter(|(node, _)| node.kind == kind);
        let mut widest = 0;
        for ((node, place), row) in column.zip(0..) {
            *place = Place {
                x,
                y: MARGIN + row * ROW,
                width: width(node),
            };
            widest = widest.max(width(node));
        }
        if widest > 0 {
            x += widest + GAP;
        }
    }
    places
}

fn arrow(number: usize, edge: &Edge, places: &[Place], out: &mut String) {
    let (Some(from), Some(to)) = (places.get(edge.from), places.get(edge.to)) else {
        return;
    };
    let dash = if edge.aside {
        " stroke-dasharray=\"5 4\""
    } else {
        ""
    };
    let (y1, y2) = (from.y + HEIGHT / 2, to.y + HEIGHT / 2);
    // From one tier to the next it goes down the side.
    let (x1, x2, bend) = if from.x == to.x {
        (from.x, to.x, from.x.saturating_sub(28))
    } else {
        (
            from.x + from.width,
            to.x,
            usize::midpoint(from.x + from.width, to.x),
        )
    };
    let _ = writeln!(
        out,
        "  <path d=\"M {x1} {y1} C {bend} {y1}, {bend} {y2}, {x2} {y2}\" fill=\"none\" stroke=\"#556\"{dash} \
         marker-end=\"url(#arrow)\"/>"
    );
    if !edge.label.is_empty() && from.x != to.x {
        // Labels of arrows into the same box stand beside the beginning of each.
        let y = y1 + y2.saturating_sub(y1) / 4 - y1.saturating_sub(y2) / 4;
        let y = (y + number % 3 * 4).saturating_sub(6);
        let _ = writeln!(
            out,
            "  <text x=\"{}\" y=\"{y}\" fill=\"#334\" font-size=\"11\">{}</text>",
            x1 + 8,
            escaped(&edge.label)
        );
    }
}

fn boxed(node: &Node, place: Place, out: &mut String) {
    let (fill, round) = match node.kind {
        Sort::Route => ("#e3edfb", 14),
        Sort::Tier => ("#f1f1f4", 3),
        Sort::Target => ("#e4f5e7", 3),
        Sort::Reject => ("#fbe6e3", 3),
    };
    let Place { x, y, width } = place;
    let _ = writeln!(
        out,
        "  <rect class=\"node\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{HEIGHT}\" rx=\"{round}\" fill=\"{fill}\" \
         stroke=\"#556\"/>\n  <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        x + width / 2,
        y + HEIGHT / 2 + 5,
        escaped(&node.label)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
