// SPDX-License-Identifier: GPL-2.0-only
//! Throughput over time as an SVG picture.

use std::fmt::Write;

/// Size of the picture in pixels.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 84.0;
const PLOT_HEIGHT: f64 = 300.0;
const AXIS_SPACE: f64 = 62.0;
const NOTE_HEIGHT: f64 = 22.0;
const FONT: &str = "font-family=\"DejaVu Sans, Verdana, sans-serif\"";
const INK: &str = "#24292f";
const FAINT: &str = "#d8dee4";
const MUTED: &str = "#57606a";
const MARK: &str = "#8250df";

/// One line of the chart.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Its name in the legend.
    pub label: String,
    /// Its colour as SVG writes colours.
    pub colour: &'static str,
    /// Values at equal steps, in the unit of the vertical axis.
    pub values: Vec<f64>,
}

/// Something that happened at a moment.
#[derive(Debug, Clone)]
pub struct Mark {
    /// When, in seconds.
    pub at: f64,
    /// What, for the list under the chart.
    pub text: String,
}

/// A chart of several curves over the same time.
#[derive(Debug, Clone)]
pub struct Chart {
    /// The headline.
    pub title: String,
    /// A line under the headline.
    pub subtitle: String,
    /// What the vertical axis shows, with its unit.
    pub vertical: String,
    /// Seconds between two values of a curve.
    pub step: f64,
    /// The curves; the first is drawn on top.
    pub curves: Vec<Curve>,
    /// The events, numbered in their order.
    pub marks: Vec<Mark>,
}

impl Chart {
    /// Draws the chart.
    pub fn draw(&self) -> String {
        let longest = self.curves.iter().map(|curve| curve.values.len()).max();
        let seconds = longest.unwrap_or(0) as f64 * self.step;
        let highest = self
            .curves
            .iter()
            .flat_map(|curve| curve.values.iter().copied())
            .fold(0.0, f64::max);
        let scale = Scale {
            x: Axis::covering(seconds),
            y: Axis::covering(highest),
        };
        let mut svg = String::new();
        self.open(&mut svg);
        self.draw_axes(&mut svg, &scale);
        for curve in self.curves.iter().rev() {
            self.draw_curve(&mut svg, &scale, curve);
        }
        self.draw_marks(&mut svg, &scale);
        self.draw_legend(&mut svg);
        svg.push_str("</svg>\n");
        svg
    }

    fn height(&self) -> f64 {
        TOP + PLOT_HEIGHT + AXIS_SPACE + NOTE_HEIGHT * self.marks.len() as f64 + 10.0
    }

    fn open(&self, svg: &mut String) {
        let height = self.height();
        push(
            svg,
            format_args!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" {FONT} font-size=\"13\" fill=\"{INK}\">\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>"
            ),
        );
        text(
            svg,
            (LEFT, 30.0),
            "start",
            "font-size=\"18\" font-weight=\"bold\"",
            &self.title,
        );
        let muted = format!("fill=\"{MUTED}\"");
        text(svg, (LEFT, 51.0), "start", &muted, &self.subtitle);
    }

    fn draw_axes(&self, svg: &mut String, scale: &Scale) {
        let bottom = TOP + PLOT_HEIGHT;
        for value in scale.y.ticks() {
            let y = scale.y_of(value);
            line(svg, (LEFT, y), (WIDTH - RIGHT, y), FAINT, "");
            text(svg, (LEFT - 8.0, y + 4.5), "end", "", &scale.y.label(value));
        }
        for value in scale.x.ticks() {
            let x = scale.x_of(value);
            line(svg, (x, bottom), (x, bottom + 5.0), INK, "");
            text(svg, (x, bottom + 20.0), "middle", "", &scale.x.label(value));
        }
        line(svg, (LEFT, bottom), (WIDTH - RIGHT, bottom), INK, "");
        line(svg, (LEFT, TOP), (LEFT, bottom), INK, "");
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        text(
            svg,
            (middle, bottom + 42.0),
            "middle",
            "",
            "time in seconds",
        );
        let (x, y) = (22.0, TOP + PLOT_HEIGHT / 2.0);
        let turned = format!("transform=\"rotate(-90 {x} {y})\"");
        text(svg, (x, y), "middle", &turned, &self.vertical);
    }

    fn draw_curve(&self, svg: &mut String, scale: &Scale, curve: &Curve) {
        let mut points = String::new();
        for (index, value) in curve.values.iter().enumerate() {
            let x = scale.x_of((index as f64 + 0.5) * self.step);
            push_inline(
                &mut points,
                format_args!("{x:.1},{:.1} ", scale.y_of(*value)),
            );
        }
        push(
            svg,
            format_args!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\" \
             stroke-linejoin=\"round\"/>",
                points.trim_end(),
                curve.colour
            ),
        );
    }

    fn draw_marks(&self, svg: &mut String, scale: &Scale) {
        let list = TOP + PLOT_HEIGHT + AXIS_SPACE;
        for (index, mark) in self.marks.iter().enumerate() {
            let x = scale.x_of(mark.at);
            line(
                svg,
                (x, TOP),
                (x, TOP + PLOT_HEIGHT),
                MARK,
                " stroke-dasharray=\"4 4\"",
            );
            badge(svg, (x, TOP), index + 1);
            let y = list + NOTE_HEIGHT * (index as f64 + 0.5);
            badge(svg, (LEFT + 9.0, y), index + 1);
            text(svg, (LEFT + 26.0, y + 4.5), "start", "", &mark.text);
        }
    }

    fn draw_legend(&self, svg: &mut String) {
        let mut x = WIDTH - RIGHT;
        for curve in self.curves.iter().rev() {
            text(svg, (x, 30.0), "end", "", &curve.label);
            // Wide enough for the widest letters of the font at this size.
            let left = x - 8.4 * curve.label.chars().count() as f64 - 8.0;
            let colour = curve.colour;
            line(
                svg,
                (left - 26.0, 25.5),
                (left, 25.5),
                colour,
                " stroke-width=\"3\"",
            );
            x = left - 46.0;
        }
    }
}

struct Scale {
    x: Axis,
    y: Axis,
}

impl Scale {
    fn x_of(&self, value: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * value / self.x.end
    }

    fn y_of(&self, value: f64) -> f64 {
        TOP + PLOT_HEIGHT * (1.0 - value / self.y.end)
    }
}

/// An axis from zero with round ticks.
#[derive(Debug, PartialEq)]
struct Axis {
    tick: f64,
    end: f64,
}

impl Axis {
    /// Four to ten ticks, the last one at or above `highest`.
    fn covering(highest: f64) -> Self {
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let magnitude = 10f64.powf((highest / 10.0).log10().floor());
        let tick = [1.0, 2.0, 2.5, 5.0, 10.0, 20.0]
            .map(|factor| factor * magnitude)
            .into_iter()
            .find(|tick| highest / tick <= 10.0)
            .unwrap_or(highest);
        let end = tick * (highest / tick).ceil();
        Axis { tick, end }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> + '_ {
        let count = (self.end / self.tick).round() as usize;
        (0..=count).map(|index| index as f64 * self.tick)
    }

    fn label(&self, value: f64) -> String {
        let digits = if self.tick.fract() == 0.0 { 0 } else { 1 };
        format!("{value:.digits$}")
    }
}

fn badge(svg: &mut String, (x, y): (f64, f64), number: usize) {
    push(
        svg,
        format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"9\" fill=\"{MARK}\"/>"),
    );
    let style = "fill=\"white\" font-size=\"11\" font-weight=\"bold\"";
    text(svg, (x, y + 4.0), "middle", style, &number.to_string());
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, style: &str) {
    push(
        svg,
        format_args!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\"{style}/>",
        from.0, from.1, to.0, to.1
    ),
    );
}

fn text(svg: &mut String, at: (f64, f64), anchor: &str, style: &str, content: &str) {
    let escaped = content
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    push(
        svg,
        format_args!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" {style}>{escaped}</text>",
            at.0, at.1
        ),
    );
}

fn push(svg: &mut String, line: std::fmt::Arguments<'_>) {
    push_inline(svg, line);
    svg.push('\n');
}

fn push_inline(svg: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = svg.write_fmt(part);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(
            Axis::covering(18.3),
            Axis {
                tick: 2.0,
                end: 20.0
            }
        );
        assert_eq!(
            Axis::covering(100.0),
            Axis {
                tick: 10.0,
                end: 100.0
            }
        );
        assert_eq!(
            Axis::covering(0.0),
            Axis {
                tick: 0.1,
                end: 1.0
            }
        );
    }

    proptest! {
        #[test]
        fn an_axis_covers_its_values_with_few_ticks(highest in 1e-3f64..1e6) {
            let axis = Axis::covering(highest);
            let ticks = axis.ticks().count();
            prop_assert!(axis.end >= highest * 0.999_999);
            prop_assert!((4..=12).contains(&ticks), "{ticks} ticks for {highest}");
        }
    }

    #[test]
    fn labels_are_escaped_and_every_mark_is_drawn_twice() {
        let chart = Chart {
            title: "a < b & c".to_owned(),
            subtitle: String::new(),
            vertical: String::new(),
            step: 0.1,
            curves: vec![Curve {
                label: "x".to_owned(),
                colour: "red",
                values: vec![1.0, 2.0],
            }],
            marks: vec![Mark {
                at: 0.1,
                text: "m".to_owned(),
            }],
        };
        let svg = chart.draw();
        assert!(svg.contains("a &lt; b &amp; c"));
        assert_eq!(svg.matches("<circle").count(), 2);
        assert_eq!(svg.matches("<polyline").count(), 1);
    }
}
