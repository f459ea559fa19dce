//! The clients' latencies over time, with the moves marked.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

/// Size in pixels.
const SIZE: (u32, u32) = (1200, 500);
/// Lowest and highest latency that is shown, in milliseconds.
const LATENCIES: std::ops::Range<f64> = 0.1..10_000.0;

/// One client: for each part of the time, seconds and the longest call in milliseconds.
#[derive(Debug)]
pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// A move, in seconds.
#[derive(Debug)]
pub struct Mark {
    pub name: String,
    pub begin: f64,
    pub end: f64,
}

/// Draws an SVG.
pub fn draw(curves: &[Curve], marks: &[Mark]) -> Result<String> {
    let mut text = String::new();
    draw_into(&mut text, curves, marks).map_err(|error| anyhow!("no picture: {error}"))?;
    Ok(text)
}

fn draw_into(
    text: &mut String,
    curves: &[Curve],
    marks: &[Mark],
) -> Result<(), Box<dyn std::error::Error>> {
    let points = curves.iter().flat_map(|curve| &curve.points);
    let last = points.map(|(time, _)| *time).fold(1.0, f64::max);
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("Longest call of each tenth of a second", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..last, LATENCIES.log_scale())?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .y_desc("milliseconds")
        .light_line_style(WHITE)
        .draw()?;
    for mark in marks {
        let corners = [(mark.begin, LATENCIES.start), (mark.end, LATENCIES.end)];
        let style = BLACK.mix(0.12).filled();
        chart.draw_series([Rectangle::new(corners, style)])?;
        let place = (mark.begin, LATENCIES.end * 0.8);
        let name = Text::new(mark.name.clone(), place, ("sans-serif", 14));
        chart.draw_series([name])?;
    }
    for (number, curve) in curves.iter().enumerate() {
        let color = Palette99::pick(number).to_rgba();
        let shown = curve.points.iter().filter(|(_, latency)| *latency > 0.0);
        let shown =
            shown.map(|(time, latency)| (*time, latency.clamp(LATENCIES.start, LATENCIES.end)));
        chart
            .draw_series(LineSeries::new(shown, color.stroke_width(1)))?
            .label(curve.name.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
#[path = "picture_test.rs"]
mod tests;
