// SPDX-License-Identifier: GPL-2.0-only
//! The medians as bars on a logarithmic scale.

use std::fmt::Write as _;

use qemu_guest::budget::LIMIT;

use super::page::label;
use super::statistics::{title, Cell, Line, Table};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 64.0;
const BAR: f64 = 11.0;
const GROUP: f64 = 58.0;
/// The scale begins here and ends at the limit, in milliseconds.
const LEAST: f64 = 1.0;
const COLOURS: [&str; 4] = ["#0969da", "#d1622b", "#2d8a4e", "#8250df"];

/// Draws the table.
pub(super) fn draw(table: &Table) -> String {
    let height = TOP + GROUP * table.rows.len() as f64 + 36.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#1f2328\">\n\
         <!-- SPDX-License-Identifier: GPL-2.0-only -->\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    text(
        &mut svg,
        (16.0, 24.0),
        "start",
        "Median pause in delivery when the network changes",
    );
    legend(&mut svg, table);
    axis(&mut svg, height);
    for (index, line) in table.rows.iter().enumerate() {
        group(&mut svg, line, TOP + GROUP * index as f64);
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String, table: &Table) {
    let cells = table.rows.first().map_or(&[][..], |line| &line.ways);
    for (index, (cell, colour)) in cells.iter().zip(COLOURS).enumerate() {
        let x = LEFT + 120.0 * index as f64;
        bar(svg, (x, 36.0), 11.0, colour);
        text(svg, (x + 17.0, 46.0), "start", title(cell.way));
    }
}

fn axis(svg: &mut String, height: f64) {
    for (ms, label) in [
        (1.0, "1 ms"),
        (10.0, "10 ms"),
        (100.0, "100 ms"),
        (1e3, "1 s"),
        (1e4, "10 s"),
    ] {
        let x = LEFT + length(ms);
        let bottom = height - 28.0;
        // Writing into a String cannot fail.
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"#d0d7de\"/>"
        );
        text(svg, (x, height - 12.0), "middle", label);
    }
}

fn group(svg: &mut String, line: &Line, top: f64) {
    text(
        svg,
        (LEFT - 10.0, top + GROUP / 2.0),
        "end",
        &label(line.row),
    );
    for (index, (cell, colour)) in line.ways.iter().zip(COLOURS).enumerate() {
        let y = top + 5.0 + (BAR + 1.0) * index as f64;
        let long = length(cell.median_ms.unwrap_or(LIMIT.as_secs_f64() * 1000.0));
        bar(svg, (LEFT, y), long, colour);
        text(svg, (LEFT + long + 5.0, y + 9.5), "start", &value(cell));
    }
}

fn value(cell: &Cell) -> String {
    cell.median_ms
        .map_or_else(|| cell.text(), |median| format!("{median:.0} ms"))
}

fn length(ms: f64) -> f64 {
    let whole = (LIMIT.as_secs_f64() * 1000.0 / LEAST).log10();
    (WIDTH - LEFT - RIGHT) * (ms.max(LEAST) / LEAST).log10() / whole
}

fn bar(svg: &mut String, (x, y): (f64, f64), long: f64, colour: &str) {
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{long:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>"
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, content: &str) {
    let content = content
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_logarithmic_from_one_millisecond_to_the_limit() {
        assert_eq!(length(0.1), 0.0);
        assert!((length(15_000.0) - (WIDTH - LEFT - RIGHT)).abs() < 1e-9);
        let decade = length(10.0);
        assert!((length(100.0) - 2.0 * decade).abs() < 1e-9);
    }
}
