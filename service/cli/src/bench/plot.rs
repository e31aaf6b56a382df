// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The figure as SVG: a group of bars for each command, their heights logarithmic, with the span from p5 to p95.

use std::fmt::Write;

use super::figures::{Figures, Row};

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 460.0;
/// Where the axes are.
const LEFT: f64 = 70.0;
const RIGHT: f64 = WIDTH - 20.0;
const TOP: f64 = 70.0;
const BOTTOM: f64 = HEIGHT - 70.0;
/// Told apart by people who see red and green alike (Okabe and Ito).
const COLOURS: [&str; 4] = ["#0072b2", "#56b4e9", "#009e73", "#d55e00"];

/// Draws the rows, which come in the order of the commands, and writes the note below.
pub(crate) fn draw(rows: &[Row], note: &str) -> String {
    let scale = Scale::of(rows);
    let (commands, ways) = (distinct(rows.iter().map(|row| row.command)), distinct(rows.iter().map(|row| row.way)));
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut svg, &scale, rows, &commands, &ways, note);
    svg
}

fn write_all(
    svg: &mut String,
    scale: &Scale,
    rows: &[Row],
    commands: &[&str],
    ways: &[&str],
    note: &str,
) -> std::fmt::Result {
    writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="24" font-size="16">Median time of a command, in microseconds (logarithmic); lines from p5 to p95</text>"##
    )?;
    for exponent in scale.low..=scale.high {
        let y = scale.y(10f64.powi(exponent));
        writeln!(svg, r##"<path d="M{LEFT} {y:.1}H{RIGHT}" stroke="#ccc"/>"##)?;
        let label = 10f64.powi(exponent);
        writeln!(svg, r#"<text x="{}" y="{:.1}" text-anchor="end">{label}</text>"#, LEFT - 8.0, y + 4.0)?;
    }
    for (index, way) in ways.iter().enumerate() {
        let x = LEFT + 200.0 * index as f64;
        writeln!(svg, r#"<rect x="{x}" y="40" width="12" height="12" fill="{}"/>"#, colour(index))?;
        writeln!(svg, r#"<text x="{}" y="51">{}</text>"#, x + 18.0, escaped(way))?;
    }
    let group = (RIGHT - LEFT) / commands.len().max(1) as f64;
    let bar = group * 0.8 / ways.len().max(1) as f64;
    for (number, command) in commands.iter().enumerate() {
        let start = LEFT + group * (number as f64 + 0.1);
        for row in rows.iter().filter(|row| row.command == *command) {
            let way = ways.iter().position(|way| *way == row.way).unwrap_or(0);
            write_bar(svg, scale, row, start + bar * way as f64, bar, colour(way))?;
        }
        let middle = start + group * 0.4;
        writeln!(svg, r#"<text x="{middle:.1}" y="{}" text-anchor="middle">{command}</text>"#, BOTTOM + 20.0)?;
    }
    writeln!(svg, r##"<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="#000"/>"##)?;
    writeln!(svg, r#"<text x="{LEFT}" y="{}">{}</text>"#, HEIGHT - 20.0, escaped(note))?;
    writeln!(svg, "</svg>")
}

fn write_bar(svg: &mut String, scale: &Scale, row: &Row, x: f64, width: f64, colour: &str) -> std::fmt::Result {
    let Figures { median, p5, p95 } = row.figures;
    let (top, middle) = (scale.y(median), x + width / 2.0);
    writeln!(
        svg,
        r#"<rect x="{:.1}" y="{top:.1}" width="{:.1}" height="{:.1}" fill="{colour}"><title>{} by {}: {median:.2} µs</title></rect>"#,
        x + 1.0,
        width - 2.0,
        BOTTOM - top,
        row.command,
        escaped(row.way),
    )?;
    writeln!(svg, r##"<path d="M{middle:.1} {:.1}V{:.1}" stroke="#000"/>"##, scale.y(p5), scale.y(p95))
}

fn colour(index: usize) -> &'static str {
    COLOURS.get(index % COLOURS.len()).copied().unwrap_or("#000")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Each of the names once, in the order of their first coming.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

/// Powers of ten from below the shortest time to above the longest.
struct Scale {
    low: i32,
    high: i32,
}

impl Scale {
    fn of(rows: &[Row]) -> Self {
        let times = || rows.iter().flat_map(|row| [row.figures.p5, row.figures.p95]).filter(|time| *time > 0.0);
        let low = times().fold(f64::MAX, f64::min).log10().floor();
        let high = times().fold(f64::MIN_POSITIVE, f64::max).log10().ceil();
        // Times are between a nanosecond and a day; nothing is cut off.
        let (low, high) = (low.clamp(-3.0, 11.0) as i32, high.clamp(-2.0, 12.0) as i32);
        Scale { low, high: high.max(low + 1) }
    }

    fn y(&self, micros: f64) -> f64 {
        let span = f64::from(self.high - self.low);
        let share = (micros.max(1e-3).log10() - f64::from(self.low)) / span;
        BOTTOM - share.clamp(0.0, 1.0) * (BOTTOM - TOP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_bar_and_the_note_stands_below() {
        let figures = Figures { median: 20.0, p5: 10.0, p95: 900.0 };
        let row = |command, way| Row { command, way, figures, to_swtpm: None };
        let svg = draw(&[row("Quote", "engine"), row("Quote", "a < b"), row("PCR_Read", "engine")], "no switch & more");
        assert_eq!(svg.matches("<title>").count(), 3);
        assert!(svg.contains("no switch &amp; more") && svg.contains("a &lt; b"), "{svg}");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn the_scale_holds_every_time() {
        let figures = Figures { median: 20.0, p5: 9.0, p95: 101.0 };
        let scale = Scale::of(&[Row { command: "Quote", way: "engine", figures, to_swtpm: None }]);
        assert_eq!((scale.low, scale.high), (0, 3));
        assert_eq!((scale.y(1.0), scale.y(1000.0)), (BOTTOM, TOP));
    }
}
