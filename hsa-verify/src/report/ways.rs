// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Marks in the picture of a network: arrows from box to box beside the cables, and the names of
//! the ports by which they enter, placed where they cover nothing.

use super::drawing::{apart, half_width, head_id, round, Mark, MarkKind, BOX_HEIGHT};
use crate::model::{DeviceId, Network, PortId};
use std::collections::{BTreeMap, BTreeSet};
use svg::node::element::{Circle, Group, Line, Text};

type Point = (f64, f64);

/// A rectangle that is taken: left, top, right, bottom.
type Area = (f64, f64, f64, f64);

/// Arrows of one direction between two boxes lie this far from each other.
const LANE: f64 = 5.0;

/// The arrows drawn so far and what they leave room for.
pub struct Ways<'a> {
    network: &'a Network,
    at: &'a [Point],
    /// Arrows by the boxes they lead from and to.
    lanes: BTreeMap<(usize, usize), usize>,
    labelled: BTreeSet<PortId>,
    taken: Vec<Area>,
    labels: Vec<Text>,
}

impl<'a> Ways<'a> {
    /// Nothing but the boxes.
    pub fn new(network: &'a Network, at: &'a [Point]) -> Self {
        let boxes = network.devices.iter().zip(at).map(|(device, &(x, y))| {
            let half = half_width(&device.name);
            (
                x - half,
                y - BOX_HEIGHT / 2.0,
                x + half,
                y + BOX_HEIGHT / 2.0,
            )
        });
        Ways {
            network,
            at,
            lanes: BTreeMap::new(),
            labelled: BTreeSet::new(),
            taken: boxes.collect(),
            labels: Vec::new(),
        }
    }

    /// Arrows of a mark.
    pub fn arrows(&mut self, mark: &Mark, color: &'static str) -> Group {
        let device_of = |p: &PortId| self.network.port(*p).device;
        let mut boxes: Vec<DeviceId> = mark.ports.iter().map(device_of).collect();
        boxes.dedup();
        if mark.kind == MarkKind::Loop {
            boxes.extend(boxes.first().copied());
            boxes.dedup();
        }
        let mut group = Group::new()
            .set("fill", "none")
            .set("stroke", color)
            .set("stroke-width", 2.6)
            .set("stroke-opacity", 0.9);
        for pair in boxes.windows(2) {
            let ingress = mark.ports.iter().find(|p| device_of(p) == pair[1]);
            group = group.add(self.arrow(pair[0], pair[1], color));
            if let Some(port) = ingress.filter(|p| !self.labelled.contains(p)) {
                self.labelled.insert(*port);
                self.label(*port, pair[0], pair[1], color);
            }
        }
        if boxes.len() < 2 || mark.kind == MarkKind::End {
            if let Some(last) = boxes.last() {
                let (x, y) = self.at[last.0 as usize];
                let ring = Circle::new()
                    .set("cx", round(x))
                    .set("cy", round(y))
                    .set("r", round(self.half(*last) + 8.0));
                group = group.add(ring);
            }
        }
        group
    }

    /// The names of ports, above everything else.
    pub fn labels(self) -> Group {
        let mut group = Group::new()
            .set("font-size", 11)
            .set("text-anchor", "middle")
            .set("paint-order", "stroke")
            .set("stroke", "#ffffff")
            .set("stroke-width", 3)
            .set("stroke-linejoin", "round");
        for label in self.labels {
            group = group.add(label);
        }
        group
    }

    fn half(&self, device: DeviceId) -> f64 {
        half_width(&self.network.device(device).name)
    }

    fn arrow(&mut self, a: DeviceId, b: DeviceId, color: &str) -> Line {
        let (start, end, (ux, uy)) = self.between(a, b);
        let lane = self.lanes.entry((a.0 as usize, b.0 as usize)).or_insert(0);
        // Traffic keeps to one side of the cable; beyond the frame of the box lanes coincide.
        let side = (LANE * (1.0 + *lane as f64)).min(BOX_HEIGHT / 2.0 - 2.0);
        *lane += 1;
        let shift = (-uy * side, ux * side);
        let from = leave_box(start, shift, (ux, uy), self.half(a));
        let to = leave_box(end, shift, (-ux, -uy), self.half(b));
        Line::new()
            .set("x1", round(from.0))
            .set("y1", round(from.1))
            .set("x2", round(to.0))
            .set("y2", round(to.1))
            .set("marker-end", format!("url(#{})", head_id(color)))
    }

    fn between(&self, a: DeviceId, b: DeviceId) -> (Point, Point, Point) {
        let (start, end) = (self.at[a.0 as usize], self.at[b.0 as usize]);
        let (dx, dy, distance) = apart(end, start);
        (start, end, (dx / distance, dy / distance))
    }

    /// Puts the name of a port near the head of its arrow, at the first place that is free.
    fn label(&mut self, port: PortId, a: DeviceId, b: DeviceId, color: &str) {
        let name = self.network.port(port).name.clone();
        let (_, end, (ux, uy)) = self.between(a, b);
        let head = leave_box(end, (0.0, 0.0), (-ux, -uy), self.half(b));
        let half = name.chars().count() as f64 * 3.3 + 2.0;
        let place = |back: f64, side: f64| {
            // Across the arrow, a label needs as much room as it is wide in that direction.
            let room = uy.abs() * half + ux.abs() * 7.0;
            let off = side.signum() * (side.abs() + room);
            (head.0 - back * ux - off * uy, head.1 - back * uy + off * ux)
        };
        let places = [16.0, 30.0, 46.0, 64.0, 84.0, 106.0];
        let places = places
            .iter()
            .flat_map(|&back| [(back, 9.0), (back, -6.0), (back, 18.0)]);
        let area = |(x, y): Point| (x - half, y - 6.5, x + half, y + 6.5);
        let mut candidates = places.map(|(back, side)| place(back, side));
        let first = place(30.0, 9.0);
        let found = candidates.find(|&p| !self.taken.iter().any(|t| overlap(*t, area(p))));
        let (x, y) = found.unwrap_or(first);
        self.taken.push(area((x, y)));
        let text = Text::new(name)
            .set("x", round(x))
            .set("y", round(y + 4.0))
            .set("fill", color);
        self.labels.push(text);
    }
}

fn overlap(a: Area, b: Area) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

/// Where a line in a direction, `shift` beside the middle of a box, crosses its frame.
fn leave_box(middle: Point, shift: Point, direction: Point, half: f64) -> Point {
    let reach = |size: f64, off: f64, d: f64| {
        if d.abs() < 1e-6 {
            f64::INFINITY
        } else {
            (size - off * d.signum()) / d.abs()
        }
    };
    let x = reach(half + 2.0, shift.0, direction.0);
    let y = reach(BOX_HEIGHT / 2.0 + 2.0, shift.1, direction.1);
    let t = x.min(y).max(0.0);
    (
        middle.0 + shift.0 + direction.0 * t,
        middle.1 + shift.1 + direction.1 * t,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_end_at_the_frame_of_a_box() {
        let (x, y) = leave_box((100.0, 100.0), (0.0, 5.0), (1.0, 0.0), 30.0);
        assert_eq!((x, y), (132.0, 105.0));
        let (x, y) = leave_box((100.0, 100.0), (-5.0, 0.0), (0.0, -1.0), 30.0);
        assert_eq!((x, y), (95.0, 83.0));
    }
}
