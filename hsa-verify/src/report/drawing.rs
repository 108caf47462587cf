// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The network as SVG, with paths, loops and leaks drawn in.
//!
//! Boxes push each other apart and links pull them together (Fruchterman and Reingold, 1991).
//! The start positions are a circle and nothing is random: one network, one picture.

use super::ways::Ways;
use crate::model::{DeviceId, Network, PortId};
use std::collections::{BTreeMap, BTreeSet};
use svg::node::element::{Definitions, Group, Line, Marker, Path, Rectangle, Text, Title};
use svg::Document;

/// What a mark shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// A way that packets take.
    Path,
    /// A way that packets go round for ever.
    Loop,
    /// A way that should not exist.
    Leak,
    /// A box where packets end.
    End,
}

/// Something drawn into the network: the boxes of these ports in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What it shows.
    pub kind: MarkKind,
    /// Text of the legend.
    pub label: String,
    /// Ports in order of travel. For a loop the last is linked to the first.
    pub ports: Vec<PortId>,
}

const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 800.0;
pub(super) const BOX_HEIGHT: f64 = 30.0;
const MARGIN: f64 = 90.0;
/// Space for the legend at the bottom.
const LEGEND: f64 = 26.0;

/// Most marks in one picture.
const MOST_MARKS: usize = 6;

/// Colors of marks: warm ones for faults, cool ones for ways.
const WARM: [&str; MOST_MARKS] = [
    "#d0021b", "#e07b00", "#8e24aa", "#a1522d", "#d81b78", "#8a7a00",
];
const COOL: [&str; MOST_MARKS] = [
    "#1a66c2", "#00897b", "#5e35b1", "#00838f", "#3949ab", "#2e7d32",
];

fn color(kind: MarkKind, index: usize) -> &'static str {
    match kind {
        MarkKind::Path => COOL[index % MOST_MARKS],
        MarkKind::Loop | MarkKind::Leak => WARM[index % MOST_MARKS],
        MarkKind::End => "#b35900",
    }
}

/// Draws the network. At most six marks are drawn; the legend says so if there are more.
pub fn draw(network: &Network, marks: &[Mark]) -> String {
    let positions = positions(network);
    let shown = &marks[..marks.len().min(MOST_MARKS)];
    let legend = LEGEND * (shown.len() + usize::from(shown.len() < marks.len())) as f64;
    let mut document = Document::new()
        .set("viewBox", (0, 0, WIDTH, HEIGHT + legend + 10.0))
        .set(
            "font-family",
            "system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif",
        )
        .set("role", "img");
    document = document.add(arrow_heads(shown)).add(
        Rectangle::new()
            .set("width", "100%")
            .set("height", "100%")
            .set("fill", "#ffffff"),
    );
    let on_mark: BTreeSet<DeviceId> = shown
        .iter()
        .flat_map(|m| &m.ports)
        .map(|p| network.port(*p).device)
        .collect();
    document = document.add(cables(network, &positions));
    let mut ways = Ways::new(network, &positions);
    for (i, mark) in shown.iter().enumerate() {
        document = document.add(ways.arrows(mark, color(mark.kind, i)));
    }
    document = document.add(boxes(network, &positions, &on_mark));
    document = document.add(ways.labels());
    for (i, mark) in shown.iter().enumerate() {
        document = document.add(legend_line(i, color(mark.kind, i), &mark.label));
    }
    if shown.len() < marks.len() {
        let rest = format!("{} more are not drawn", marks.len() - shown.len());
        document = document.add(legend_line(shown.len(), "#666666", &rest));
    }
    document.to_string()
}

fn arrow_heads(marks: &[Mark]) -> Definitions {
    let mut definitions = Definitions::new();
    let colors = marks.iter().enumerate().map(|(i, m)| color(m.kind, i));
    for color in colors.collect::<BTreeSet<_>>() {
        let head = Path::new()
            .set("d", "M0,0 L9,4.5 L0,9 z")
            .set("fill", color);
        let marker = Marker::new()
            .set("id", head_id(color))
            .set("markerWidth", 9)
            .set("markerHeight", 9)
            .set("refX", 8)
            .set("refY", 4.5)
            .set("orient", "auto")
            .set("markerUnits", "userSpaceOnUse")
            .add(head);
        definitions = definitions.add(marker);
    }
    definitions
}

/// Name of the arrow head of a color.
pub(super) fn head_id(color: &str) -> String {
    format!("head{}", color.trim_start_matches('#'))
}

/// Boxes with a link between them, each pair once, with how many cables.
fn neighbours(network: &Network) -> BTreeMap<(DeviceId, DeviceId), BTreeSet<(PortId, PortId)>> {
    let mut pairs: BTreeMap<(DeviceId, DeviceId), BTreeSet<(PortId, PortId)>> = BTreeMap::new();
    for link in &network.links {
        let (a, b) = (network.port(link.from).device, network.port(link.to).device);
        if a != b {
            let ends = if a < b {
                (link.from, link.to)
            } else {
                (link.to, link.from)
            };
            pairs.entry((a.min(b), a.max(b))).or_default().insert(ends);
        }
    }
    pairs
}

/// Rounds of the layout; fewer where every round costs more.
fn rounds(boxes: usize) -> usize {
    match boxes {
        0..=60 => 500,
        61..=300 => 120,
        _ => 20,
    }
}

fn positions(network: &Network) -> Vec<(f64, f64)> {
    let n = network.devices.len();
    let circle = |i: usize| {
        let angle = std::f64::consts::TAU * i as f64 / n.max(1) as f64;
        (
            WIDTH / 2.0 + 300.0 * angle.cos(),
            HEIGHT / 2.0 + 250.0 * angle.sin(),
        )
    };
    let mut at: Vec<(f64, f64)> = (0..n).map(circle).collect();
    let pairs: Vec<(usize, usize)> = neighbours(network)
        .keys()
        .map(|(a, b)| (a.0 as usize, b.0 as usize))
        .collect();
    let ideal = 0.85 * (WIDTH * HEIGHT / n.max(1) as f64).sqrt();
    let total = rounds(n);
    for round in 0..total {
        let step = 60.0 * (1.0 - round as f64 / total as f64) + 1.0;
        let mut push = vec![(0.0, 0.0); n];
        for a in 0..n {
            for b in 0..a {
                let (dx, dy, distance) = apart(at[a], at[b]);
                let force = ideal * ideal / distance;
                let (fx, fy) = (dx / distance * force, dy / distance * force);
                push[a] = (push[a].0 + fx, push[a].1 + fy);
                push[b] = (push[b].0 - fx, push[b].1 - fy);
            }
        }
        for &(a, b) in &pairs {
            let (dx, dy, distance) = apart(at[a], at[b]);
            let force = distance * distance / ideal;
            let (fx, fy) = (dx / distance * force, dy / distance * force);
            push[a] = (push[a].0 - fx, push[a].1 - fy);
            push[b] = (push[b].0 + fx, push[b].1 + fy);
        }
        for (place, (fx, fy)) in at.iter_mut().zip(push) {
            let length = (fx * fx + fy * fy).sqrt().max(0.01);
            place.0 += fx / length * length.min(step);
            place.1 += fy / length * length.min(step);
        }
    }
    fit(&mut at);
    let names: Vec<&str> = network.devices.iter().map(|d| d.name.as_str()).collect();
    separate(&mut at, &names);
    at
}

/// Boxes that overlap move apart, along the axis on which they overlap less.
fn separate(at: &mut [(f64, f64)], names: &[&str]) {
    const GAP: f64 = 26.0;
    for _ in 0..rounds(at.len()).min(60) {
        for a in 0..at.len() {
            for b in 0..a {
                let wide = half_width(names[a]) + half_width(names[b]) + GAP;
                let (dx, dy) = (at[a].0 - at[b].0, at[a].1 - at[b].1);
                let (over_x, over_y) = (wide - dx.abs(), BOX_HEIGHT + GAP - dy.abs());
                if over_x <= 0.0 || over_y <= 0.0 {
                    continue;
                }
                if over_x < over_y {
                    let move_x = dx.signum() * over_x / 2.0;
                    at[a].0 += move_x;
                    at[b].0 -= move_x;
                } else {
                    let move_y = dy.signum() * over_y / 2.0;
                    at[a].1 += move_y;
                    at[b].1 -= move_y;
                }
            }
        }
        for place in at.iter_mut() {
            place.0 = place.0.clamp(MARGIN, WIDTH - MARGIN);
            place.1 = place.1.clamp(30.0, HEIGHT - 30.0);
        }
    }
}

pub(super) fn apart(a: (f64, f64), b: (f64, f64)) -> (f64, f64, f64) {
    let (dx, dy) = (a.0 - b.0, a.1 - b.1);
    (dx, dy, (dx * dx + dy * dy).sqrt().max(0.5))
}

/// Scales the picture into the frame.
fn fit(at: &mut [(f64, f64)]) {
    let range = |values: Vec<f64>| {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (low, (high - low).max(1.0))
    };
    let (left, width) = range(at.iter().map(|p| p.0).collect());
    let (top, height) = range(at.iter().map(|p| p.1).collect());
    let single = at.len() < 2;
    for place in at.iter_mut() {
        place.0 = MARGIN + (place.0 - left) / width * (WIDTH - 2.0 * MARGIN);
        place.1 = 40.0 + (place.1 - top) / height * (HEIGHT - 80.0);
        if single {
            *place = (WIDTH / 2.0, HEIGHT / 2.0);
        }
    }
}

fn cables(network: &Network, at: &[(f64, f64)]) -> Group {
    let mut group = Group::new()
        .set("stroke", "#9aa5b1")
        .set("stroke-width", 1.4);
    for ((a, b), ends) in neighbours(network) {
        let ((x1, y1), (x2, y2)) = (at[a.0 as usize], at[b.0 as usize]);
        let names: Vec<String> = ends
            .iter()
            .map(|(p, q)| format!("{} - {}", network.port_name(*p), network.port_name(*q)))
            .collect();
        let line = Line::new()
            .set("x1", round(x1))
            .set("y1", round(y1))
            .set("x2", round(x2))
            .set("y2", round(y2))
            .add(Title::new(names.join("\n")));
        group = group.add(line);
    }
    group
}

pub(super) fn round(v: f64) -> f64 {
    (v * 10.0).round() / 10.0
}

pub(super) fn half_width(name: &str) -> f64 {
    (name.chars().count() as f64 * 8.0 + 22.0) / 2.0
}

fn boxes(network: &Network, at: &[(f64, f64)], marked: &BTreeSet<DeviceId>) -> Group {
    let mut group = Group::new()
        .set("font-size", 13)
        .set("text-anchor", "middle");
    let mut ports = vec![0usize; network.devices.len()];
    for port in network.physical_ports() {
        ports[network.port(port).device.0 as usize] += 1;
    }
    for (i, device) in network.devices.iter().enumerate() {
        let (x, y) = at[i];
        let half = half_width(&device.name);
        let on = marked.contains(&DeviceId(i as u32));
        let rules: usize = device.tables.iter().map(|t| t.rules.len()).sum();
        let frame = Rectangle::new()
            .set("x", round(x - half))
            .set("y", round(y - BOX_HEIGHT / 2.0))
            .set("width", round(2.0 * half))
            .set("height", BOX_HEIGHT)
            .set("rx", 6)
            .set("fill", if on { "#fff7e0" } else { "#f3f5f8" })
            .set("stroke", if on { "#333333" } else { "#7b8794" })
            .set("stroke-width", if on { 1.8 } else { 1.0 });
        let text = Text::new(device.name.clone())
            .set("x", round(x))
            .set("y", round(y + 4.5))
            .set("fill", "#1f2933");
        let about = format!("{}: {} ports, {rules} rules", device.name, ports[i]);
        group = group.add(Group::new().add(Title::new(about)).add(frame).add(text));
    }
    group
}

fn legend_line(index: usize, color: &str, label: &str) -> Group {
    let y = HEIGHT + LEGEND * index as f64 + 12.0;
    let line = Line::new()
        .set("x1", 24)
        .set("y1", y)
        .set("x2", 64)
        .set("y2", y)
        .set("stroke", color)
        .set("stroke-width", 3);
    let mut short: String = label.chars().take(140).collect();
    if short.len() < label.len() {
        short.push_str("...");
    }
    let text = Text::new(short)
        .set("x", 74)
        .set("y", y + 4.5)
        .set("font-size", 13)
        .set("fill", "#1f2933");
    Group::new().add(line).add(text)
}
