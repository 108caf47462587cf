// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The scaling curve: CPU time against rules, both on logarithmic axes.

use serde_json::Value;
use svg::node::element::path::Data;
use svg::node::element::{Circle, Line, Path, Rectangle, Text};
use svg::Document;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 420.0;
const MARGIN: f64 = 60.0;

/// (rules, CPU seconds) of each fat tree.
fn points(trees: &[Value]) -> Vec<(f64, f64)> {
    let number = |v: &Value| v.as_f64().expect("a number");
    trees
        .iter()
        .map(|t| (number(&t["rules"]), number(&t["cpu_s"]).max(1e-4)))
        .collect()
}

/// The slope of the line through the points on logarithmic axes, by least squares: 1 is linear.
pub fn exponent(trees: &[Value]) -> f64 {
    let logs: Vec<(f64, f64)> = points(trees)
        .iter()
        .map(|(x, y)| (x.ln(), y.ln()))
        .collect();
    let n = logs.len() as f64;
    let (sx, sy) = logs
        .iter()
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mx, my) = (sx / n, sy / n);
    let covariance: f64 = logs.iter().map(|(x, y)| (x - mx) * (y - my)).sum();
    let variance: f64 = logs.iter().map(|(x, _)| (x - mx) * (x - mx)).sum();
    covariance / variance
}

/// The curve as an SVG document, with a dashed line of linear growth through the first point.
pub fn scaling(trees: &[Value]) -> String {
    let points = points(trees);
    let (x0, x1) = (1e3, 1e6);
    let (y0, y1) = (1e-3, 1e2);
    let x = |v: f64| MARGIN + (v / x0).ln() / f64::ln(x1 / x0) * (WIDTH - 2.0 * MARGIN);
    let y = |v: f64| HEIGHT - MARGIN - (v / y0).ln() / f64::ln(y1 / y0) * (HEIGHT - 2.0 * MARGIN);
    let mut document = Document::new()
        .set("viewBox", (0, 0, WIDTH, HEIGHT))
        .set("font-family", "sans-serif")
        .set("font-size", 12)
        .add(
            Rectangle::new()
                .set("width", WIDTH)
                .set("height", HEIGHT)
                .set("fill", "white"),
        );
    for (value, name) in [
        (1e3, "1,000"),
        (1e4, "10,000"),
        (1e5, "100,000"),
        (1e6, "1,000,000"),
    ] {
        document = document
            .add(rule(x(value), y(y0), x(value), y(y1)))
            .add(label(name, x(value), HEIGHT - MARGIN + 18.0, "middle"));
    }
    for (value, name) in [
        (1e-3, "1 ms"),
        (1e-2, "10 ms"),
        (0.1, "0.1 s"),
        (1.0, "1 s"),
        (10.0, "10 s"),
        (100.0, "100 s"),
    ] {
        document = document
            .add(rule(x(x0), y(value), x(x1), y(value)))
            .add(label(name, MARGIN - 8.0, y(value) + 4.0, "end"));
    }
    let first = points[0];
    let last = points[points.len() - 1].0;
    let linear = rule(x(first.0), y(first.1), x(last), y(first.1 * last / first.0));
    document = document.add(linear.set("stroke", "#888").set("stroke-dasharray", "6 4"));
    let mut curve = Data::new().move_to((x(first.0), y(first.1)));
    for p in &points[1..] {
        curve = curve.line_to((x(p.0), y(p.1)));
    }
    let curve = Path::new().set("d", curve).set("fill", "none");
    document = document.add(curve.set("stroke", "#0b62a4").set("stroke-width", 2));
    for (tree, p) in trees.iter().zip(&points) {
        let dot = Circle::new()
            .set("cx", x(p.0))
            .set("cy", y(p.1))
            .set("r", 4);
        document = document.add(dot.set("fill", "#0b62a4")).add(label(
            &format!("k={}", tree["k"]),
            x(p.0) + 6.0,
            y(p.1) + 14.0,
            "start",
        ));
    }
    let title = format!(
        "Fat trees: compile, loops and reachability of one source; CPU time grows like rules^{:.2}",
        exponent(trees)
    );
    document
        .add(label(&title, WIDTH / 2.0, 28.0, "middle"))
        .add(label(
            "rules (dashed: linear growth)",
            WIDTH / 2.0,
            HEIGHT - 14.0,
            "middle",
        ))
        .to_string()
}

fn rule(x1: f64, y1: f64, x2: f64, y2: f64) -> Line {
    let line = Line::new()
        .set("x1", x1)
        .set("y1", y1)
        .set("x2", x2)
        .set("y2", y2);
    line.set("stroke", "#ddd")
}

fn label(text: &str, x: f64, y: f64, anchor: &str) -> Text {
    Text::new(text)
        .set("x", x)
        .set("y", y)
        .set("text-anchor", anchor)
}
