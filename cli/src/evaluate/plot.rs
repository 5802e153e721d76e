//! The figures as a drawing: one bar a metric on its own range, with the interval, in an SVG without scripts or fonts of its own.

use std::fmt::Write;

use homeostat_quality::registry::Direction;

use super::matrix::Figure;

const LEFT: f64 = 190.0;
const WIDTH: f64 = 360.0;
const ROW: f64 = 26.0;

/// The drawing.
pub(super) fn svg(figures: &[Figure]) -> String {
    let there: Vec<(&Figure, f64)> = figures.iter().filter_map(|figure| Some((figure, figure.value?))).collect();
    let height = ROW.mul_add(there.len() as f64, 48.0);
    let mut out = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 {height}" role="img" aria-label="Evaluation" font-family="system-ui, sans-serif" font-size="13"><rect width="680" height="{height}" fill="#fff"/><text x="16" y="24" font-weight="600">Evaluation</text>"##
    );
    for (row, (figure, value)) in there.iter().enumerate() {
        let y = ROW.mul_add(row as f64, 40.0);
        let (low, high) = figure.metric.range;
        // An open range ends at the value or at 100, whichever is more.
        let high =
            if high.is_finite() { high } else { value.max(if figure.metric.name == "ter" { 100.0 } else { 4.0 }) };
        let x = |value: f64| LEFT + WIDTH * ((value - low) / (high - low)).clamp(0.0, 1.0);
        let fill = if figure.metric.direction == Direction::Up { "#2f6fde" } else { "#b4552d" };
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            r##"<text x="16" y="{}">{}</text><rect x="{LEFT}" y="{y}" width="{WIDTH}" height="14" fill="#eceff4"/><rect x="{LEFT}" y="{y}" width="{:.1}" height="14" fill="{fill}"/><text x="{}" y="{}">{value:.4}</text>"##,
            y + 12.0,
            figure.metric.name,
            x(*value) - LEFT,
            LEFT + WIDTH + 12.0,
            y + 12.0,
        );
        if let Some((from, to)) = figure.interval {
            let _ = write!(
                out,
                r##"<line x1="{:.1}" x2="{:.1}" y1="{2}" y2="{2}" stroke="#1b1f27" stroke-width="2"/>"##,
                x(from),
                x(to),
                y + 7.0
            );
        }
    }
    out.push_str("</svg>\n");
    out
}
