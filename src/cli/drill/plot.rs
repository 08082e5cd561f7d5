//! Plots as inline SVG: a run over time. Whole numbers for coordinates, so that the same run is the same page.

use std::fmt::Write as _;

use crate::cli::markup::escaped;
use crate::sim::rehearsal::{Run, float};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 20.0;
/// Colours that people with any eyes tell apart (Okabe and Ito, 2008).
const COLOURS: [&str; 7] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999900",
];

/// A frame over time, with something wrong marked in it.
struct Frame<'r> {
    run: &'r Run,
    title: &'r str,
    /// The value at the top.
    top: f64,
    unit: &'r str,
}

/// The part of requests that were answered.
pub(super) fn success(run: &Run) -> String {
    let frame = Frame {
        run,
        title: "Requests answered",
        top: 100.0,
        unit: " %",
    };
    let line = run.series.iter().map(|point| {
        let part =
            (point.requests > 0).then(|| float(point.answered) * 100.0 / float(point.requests));
        (f64::midpoint(point.from, point.to), part)
    });
    let mut body = String::new();
    frame.line(line, "#0072b2", &mut body);
    frame.svg(&body, "")
}

/// Who answered.
pub(super) fn shares(run: &Run) -> String {
    let frame = Frame {
        run,
        title: "Who answered",
        top: 100.0,
        unit: " %",
    };
    let mut body = String::new();
    let mut below: Vec<f64> = vec![0.0; run.series.len()];
    for (index, _) in run.targets.iter().enumerate() {
        let mut upper = Vec::new();
        let mut lower = Vec::new();
        for (point, base) in run.series.iter().zip(&mut below) {
            let hits = point.by_target.get(index).copied().unwrap_or_default();
            let part = float(hits) * 100.0 / float(point.requests.max(1));
            for at in [point.from, point.to] {
                lower.push((at, *base));
                upper.push((at, *base + part));
            }
            *base += part;
        }
        lower.reverse();
        let corners: Vec<String> = upper
            .iter()
            .chain(&lower)
            .map(|&(at, value)| format!("{:.0},{:.1}", frame.x(at), frame.y(value)))
            .collect();
        let _ = write!(
            body,
            "<polygon points=\"{}\" fill=\"{}\"/>",
            corners.join(" "),
            colour(index)
        );
    }
    let names = run.targets.iter().enumerate().map(|(index, target)| {
        format!(
            "<span class=\"key\"><i style=\"background:{}\"></i>{}</span>",
            colour(index),
            escaped(&target.name)
        )
    });
    frame.svg(&body, &names.collect::<String>())
}

/// What clients waited for the first content.
pub(super) fn ttft(run: &Run) -> String {
    let slowest = run.series.iter().filter_map(|point| point.p95_ms);
    let slowest = slowest.fold(1.0, f64::max);
    let frame = Frame {
        run,
        title: "First content, p95 and p50",
        top: rounded_up(slowest),
        unit: " ms",
    };
    let mut body = String::new();
    let p50 = run
        .series
        .iter()
        .map(|it| (f64::midpoint(it.from, it.to), it.p50_ms));
    frame.line(p50, "#56b4e9", &mut body);
    let p95 = run
        .series
        .iter()
        .map(|it| (f64::midpoint(it.from, it.to), it.p95_ms));
    frame.line(p95, "#0072b2", &mut body);
    frame.svg(&body, "")
}

impl Frame<'_> {
    fn x(&self, seconds: f64) -> f64 {
        let part = seconds / self.run.seconds.max(0.001);
        (LEFT + part.min(1.0) * (WIDTH - LEFT - 8.0)).round()
    }

    fn y(&self, value: f64) -> f64 {
        let part = (value / self.top).clamp(0.0, 1.0);
        TOP + (1.0 - part) * (HEIGHT - TOP - BOTTOM)
    }

    /// A line that is broken where nothing is known.
    fn line(
        &self,
        points: impl Iterator<Item = (f64, Option<f64>)>,
        colour: &str,
        out: &mut String,
    ) {
        let mut path = String::new();
        let mut drawn = false;
        for (at, value) in points {
            if let Some(value) = value {
                let step = if drawn { 'L' } else { 'M' };
                let _ = write!(path, "{step}{:.0} {:.1}", self.x(at), self.y(value));
            }
            drawn = value.is_some();
        }
        let _ = write!(
            out,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>"
        );
    }

    fn svg(&self, body: &str, below: &str) -> String {
        let [from, to] = self.run.faulty;
        let (from, to) = (self.x(from), self.x(to));
        let (low, high) = (self.y(0.0), self.y(self.top));
        let mut out = format!(
            "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\
             <text x=\"{LEFT}\" y=\"14\" class=\"title\">{title}</text>\
             <rect x=\"{from}\" y=\"{high:.1}\" width=\"{:.0}\" height=\"{:.1}\" class=\"faulty\"/>",
            (to - from).max(1.0),
            low - high,
            title = self.title,
        );
        for (value, y) in [
            (self.top, high),
            (self.top / 2.0, f64::midpoint(low, high)),
            (0.0, low),
        ] {
            let _ = write!(
                out,
                "<line x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\" class=\"grid\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" class=\"tick\" text-anchor=\"end\">{value:.0}{}</text>",
                WIDTH - 8.0,
                LEFT - 6.0,
                y + 4.0,
                self.unit
            );
        }
        for part in 0..=4_u32 {
            let at = self.run.seconds * f64::from(part) / 4.0;
            let _ = write!(
                out,
                "<text x=\"{:.0}\" y=\"{:.0}\" class=\"tick\" text-anchor=\"middle\">{}</text>",
                self.x(at).min(WIDTH - 20.0),
                HEIGHT - 5.0,
                minutes(at)
            );
        }
        let _ = write!(out, "{body}</svg>");
        if !below.is_empty() {
            let _ = write!(out, "<figcaption>{below}</figcaption>");
        }
        out.push_str("</figure>\n");
        out
    }
}

fn colour(index: usize) -> &'static str {
    COLOURS
        .get(index % COLOURS.len())
        .copied()
        .unwrap_or("#000")
}

/// `1:30`
fn minutes(seconds: f64) -> String {
    let (minutes, seconds) = ((seconds / 60.0).floor(), seconds % 60.0);
    format!("{minutes:.0}:{:02.0}", seconds.floor())
}

/// One, two or five times a power of ten.
fn rounded_up(value: f64) -> f64 {
    let mut top = 1.0;
    loop {
        for step in [1.0, 2.0, 5.0] {
            if value <= top * step || top > 1e12 {
                return top * step;
            }
        }
        top *= 10.0;
    }
}
