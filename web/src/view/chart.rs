//! Charts: the small one beside a metric as SVG made here, the large ones as JSON that `app.js` hands to uPlot.
//!
//! Missing windows stay missing: a line breaks, and the stretch without data is hatched.

use askama::Template;
use serde::Serialize;

use super::series::Series;
use crate::words::clock_time;

const WIDTH: f64 = 160.0;
const HEIGHT: f64 = 32.0;

/// The small chart beside a metric.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(path = "spark.html")]
pub(crate) struct Spark {
    /// SVG path of the values.
    line: String,
    /// SVG path of the 95 % intervals.
    band: String,
    /// Height of the threshold.
    threshold: Option<String>,
    marks: Vec<SparkMark>,
    /// Stretches without data: left edge and width.
    gaps: Vec<(String, String)>,
    /// What it shows, for people who do not see it.
    label: String,
}

#[derive(Clone, Debug, PartialEq)]
struct SparkMark {
    x: String,
    class: &'static str,
    label: String,
}

impl askama::filters::HtmlSafe for Spark {}

/// Draws the small chart; `label` begins its description.
pub(crate) fn spark(series: &Series, label: &str) -> Spark {
    let span = (series.to.0 - series.from.0).max(1) as f64;
    let x = |time: i64| ((time - series.from.0) as f64 / span * WIDTH).clamp(0.0, WIDTH);
    let values = series.points.iter().map(|point| point.value).chain(series.threshold);
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let room = ((high - low) * 0.15).max(high.abs() * 0.02).max(1e-9);
    let (low, high) = (low - room, high + room);
    let y = |value: f64| (HEIGHT - (value - low) / (high - low) * HEIGHT).clamp(0.0, HEIGHT);
    let middle = |point: &super::series::Point| x((point.start.0 + point.end.0) / 2);

    let (mut line, mut band) = (String::new(), String::new());
    for stretch in series.versions().into_iter().flat_map(|version| series.stretches(Some(version))) {
        for (index, point) in stretch.iter().enumerate() {
            line.push_str(&format!("{}{:.1} {:.1}", if index == 0 { "M" } else { "L" }, middle(point), y(point.value)));
        }
        if let [only] = stretch[..] {
            line.push_str(&format!("L{:.1} {:.1}", middle(only) + 1.0, y(only.value)));
        }
        let edge = stretch.iter().map(|point| (middle(point), y(point.high)));
        let back = stretch.iter().rev().map(|point| (middle(point), y(point.low)));
        for (index, (x, y)) in edge.chain(back).enumerate() {
            band.push_str(&format!("{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" }));
        }
        band.push('Z');
    }
    Spark {
        line,
        band,
        threshold: series.threshold.map(|value| format!("{:.1}", y(value))),
        marks: series
            .marks
            .iter()
            .filter(|mark| (series.from..=series.to).contains(&mark.time))
            .map(|mark| SparkMark {
                x: format!("{:.1}", x(mark.time.0)),
                class: mark.kind.class(),
                label: mark.label.clone(),
            })
            .collect(),
        gaps: gaps(series)
            .into_iter()
            .map(|(from, to)| (format!("{:.1}", x(from)), format!("{:.1}", x(to) - x(from))))
            .collect(),
        label: describe(series, label),
    }
}

/// Stretches without any data, in milliseconds.
fn gaps(series: &Series) -> Vec<(i64, i64)> {
    let mut gaps = Vec::new();
    let mut covered = series.from.0;
    for point in &series.points {
        if point.start.0 - covered > 2 * series.step_ms {
            gaps.push((covered, point.start.0));
        }
        covered = covered.max(point.end.0);
    }
    if series.to.0 - covered > 2 * series.step_ms {
        gaps.push((covered, series.to.0));
    }
    gaps
}

fn describe(series: &Series, label: &str) -> String {
    match (series.points.first(), series.points.last()) {
        (Some(first), Some(last)) => format!(
            "{label}: {:.3} at {}, {:.3} at {}, {} windows",
            first.value,
            clock_time(first.start, series.to),
            last.value,
            clock_time(last.start, series.to),
            series.points.len()
        ),
        _ => format!("{label}: no data"),
    }
}

/// A large chart, as `app.js` reads it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Chart {
    /// Seconds since 1970, or steps of a training.
    pub(crate) x: Vec<f64>,
    /// `time` or `step`.
    pub(crate) axis: &'static str,
    /// Lines over `x`; `null` where there is no data.
    pub(crate) lines: Vec<Line>,
    /// Where degraded begins.
    pub(crate) threshold: Option<f64>,
    pub(crate) marks: Vec<ChartMark>,
    /// Stretches without data.
    pub(crate) gaps: Vec<[f64; 2]>,
    /// Left and right edge.
    pub(crate) range: Option<[f64; 2]>,
    /// `ratio`, `seconds`, or empty for a plain number.
    pub(crate) unit: &'static str,
    pub(crate) label: String,
}

/// One line of a large chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) value: Vec<Option<f64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) low: Vec<Option<f64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) high: Vec<Option<f64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) n: Vec<Option<u64>>,
}

/// One mark of a large chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ChartMark {
    pub(crate) x: f64,
    pub(crate) kind: &'static str,
    pub(crate) label: String,
}

impl Chart {
    /// As the text of a `data-chart` attribute.
    pub(crate) fn json(&self) -> String {
        // Maps with string keys and finite or null numbers only: serialisation cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The large chart of one metric: a line with its interval for each version.
pub(crate) fn quality(series: &Series, label: &str, unit: &'static str) -> Chart {
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let middle = |point: &super::series::Point| (point.start.0 + point.end.0) / 2;
    // One more x after a stretch, without values, so that a line breaks where data is missing.
    let mut xs: Vec<i64> = series.points.iter().map(middle).collect();
    xs.extend(gaps(series).iter().map(|(from, to)| (from + to) / 2));
    xs.sort_unstable();
    xs.dedup();
    let lines = series
        .versions()
        .into_iter()
        .map(|version| {
            let at = |x: &i64| series.points.iter().find(|point| point.version == version && middle(point) == *x);
            let pick = |f: fn(&super::series::Point) -> f64| xs.iter().map(|x| at(x).map(f)).collect();
            Line {
                name: version.to_string(),
                value: pick(|point| point.value),
                low: pick(|point| point.low),
                high: pick(|point| point.high),
                n: xs.iter().map(|x| at(x).map(|point| point.n)).collect(),
            }
        })
        .collect();
    Chart {
        x: xs.into_iter().map(seconds).collect(),
        axis: "time",
        lines,
        threshold: series.threshold,
        marks: series
            .marks
            .iter()
            .filter(|mark| (series.from..=series.to).contains(&mark.time))
            .map(|mark| ChartMark { x: seconds(mark.time.0), kind: mark.kind.class(), label: mark.label.clone() })
            .collect(),
        gaps: gaps(series).into_iter().map(|(from, to)| [seconds(from), seconds(to)]).collect(),
        range: Some([seconds(series.from.0), seconds(series.to.0)]),
        unit,
        label: label.to_string(),
    }
}

/// The loss of a training over its steps.
pub(crate) fn loss(points: &[(u64, f64)], total: u64) -> Chart {
    Chart {
        x: points.iter().map(|(step, _)| *step as f64).collect(),
        axis: "step",
        lines: vec![Line {
            name: "training loss".to_string(),
            value: points.iter().map(|(_, loss)| Some(*loss)).collect(),
            low: Vec::new(),
            high: Vec::new(),
            n: Vec::new(),
        }],
        threshold: None,
        marks: Vec::new(),
        gaps: Vec::new(),
        range: (total > 0).then_some([0.0, total as f64]),
        unit: "",
        label: "training loss, nats a byte of completion".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use homeostat_clock::UtcMillis;

    use super::super::series::{Mark, MarkKind, Point};
    use super::*;

    fn series(starts: &[i64]) -> Series {
        let point = |start: &i64| Point {
            start: UtcMillis(*start),
            end: UtcMillis(start + 10),
            version: "atlas-v1".into(),
            value: 0.9,
            low: 0.8,
            high: 1.0,
            n: 50,
        };
        Series {
            points: starts.iter().map(point).collect(),
            threshold: Some(0.85),
            marks: vec![Mark { time: UtcMillis(20), kind: MarkKind::Promotion, label: "atlas-v1 <promoted>".into() }],
            from: UtcMillis(0),
            to: UtcMillis(100),
            step_ms: 10,
        }
    }

    #[test]
    fn missing_windows_break_the_line_and_are_hatched() {
        let spark = spark(&series(&[0, 10, 60, 70]), "exact_match");
        assert_eq!(spark.line.matches('M').count(), 2);
        assert_eq!(spark.gaps, [("32.0".to_string(), "64.0".to_string())]);
        let chart = quality(&series(&[0, 10, 60, 70]), "exact_match", "ratio");
        assert_eq!(chart.lines[0].value, [Some(0.9), Some(0.9), None, Some(0.9), Some(0.9)]);
        assert_eq!(chart.gaps, [[0.02, 0.06]]);
    }

    #[test]
    fn no_data_at_all_is_one_gap() {
        let empty = spark(&series(&[]), "exact_match");
        assert_eq!(empty.gaps, [("0.0".to_string(), "160.0".to_string())]);
        assert_eq!(empty.line, "");
        assert_eq!(empty.label, "exact_match: no data");
    }

    #[test]
    fn labels_are_escaped() -> askama::Result<()> {
        let html = spark(&series(&[0]), "exact_match").render()?;
        assert!(!html.contains("<promoted>"), "{html}");
        Ok(())
    }
}
