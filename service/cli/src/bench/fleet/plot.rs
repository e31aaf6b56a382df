// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The figure as SVG: processor times on a logarithmic axis, ours as a bar, Keylime's as a longer one, the bar to keep as a line.

use std::fmt::Write as _;

use super::rows::Row;

const WIDTH: f64 = 880.0;
const LEFT: f64 = 300.0;
const RIGHT: f64 = WIDTH - 70.0;
const TOP: f64 = 64.0;
const LINE: f64 = 40.0;
/// Decades of milliseconds that the axis has: 10 microseconds to 10 seconds.
const DECADES: (i32, i32) = (-2, 4);

/// Draws the rows that are times, in their order, and writes the note below.
pub(super) fn draw(rows: &[Row], note: &str) -> String {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.unit == "ms").collect();
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut svg, &rows, note);
    svg
}

fn write_all(svg: &mut String, rows: &[&Row], note: &str) -> std::fmt::Result {
    let bottom = TOP + LINE * rows.len() as f64;
    let height = bottom + 60.0;
    writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="24" font-size="16">A verifier's milliseconds (logarithmic): ours, Keylime's, and the bar to keep</text>"##
    )?;
    for exponent in DECADES.0..=DECADES.1 {
        let (x, label) = (place(10f64.powi(exponent)), 10f64.powi(exponent));
        writeln!(svg, r##"<path d="M{x:.1} {TOP}V{bottom:.1}" stroke="#ccc"/>"##)?;
        writeln!(svg, r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{label}</text>"#, bottom + 18.0)?;
    }
    for (number, row) in rows.iter().enumerate() {
        write_row(svg, row, TOP + LINE * number as f64)?;
    }
    writeln!(svg, r#"<text x="16" y="{:.1}" font-size="11">{}</text>"#, height - 14.0, escaped(note))?;
    writeln!(svg, "</svg>")
}

fn write_row(svg: &mut String, row: &Row, y: f64) -> std::fmt::Result {
    let what = escaped(&row.what);
    writeln!(svg, r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{what}</text>"#, LEFT - 8.0, y + 18.0)?;
    if let Some(keylime) = row.keylime {
        let width = place(keylime) - LEFT;
        writeln!(
            svg,
            r##"<rect x="{LEFT}" y="{:.1}" width="{width:.1}" height="12" fill="#d55e00"><title>Keylime: {keylime} ms</title></rect>"##,
            y + 20.0
        )?;
    }
    let (width, value) = (place(row.value) - LEFT, row.value);
    writeln!(
        svg,
        r##"<rect x="{LEFT}" y="{:.1}" width="{width:.1}" height="14" fill="#0072b2"><title>{what}: {value:.3} ms</title></rect>"##,
        y + 6.0
    )?;
    writeln!(svg, r#"<text x="{:.1}" y="{:.1}">{value:.2}</text>"#, LEFT + width + 4.0, y + 18.0)?;
    if let Some(bar) = row.bar {
        let x = place(bar);
        writeln!(svg, r##"<path d="M{x:.1} {:.1}v30" stroke="#000" stroke-width="2"/>"##, y + 4.0)?;
    }
    Ok(())
}

/// Where a time lies on the axis.
fn place(milliseconds: f64) -> f64 {
    let (low, high) = (f64::from(DECADES.0), f64::from(DECADES.1));
    let share = (milliseconds.max(1e-9).log10() - low) / (high - low);
    LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_time_has_a_bar_and_what_is_no_time_has_none() {
        let round = Row::cpu("a < b", Duration::from_millis(1)).keylime(20.0).at_most(2.0);
        let svg = draw(&[round, Row::memory("memory", 1), Row::count("rounds", 1.0)], "a note");
        assert_eq!(svg.matches("<title>").count(), 2);
        assert!(svg.contains("a &lt; b: 1.000 ms") && svg.contains("a note"), "{svg}");
    }
}
