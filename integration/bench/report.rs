//! The results: a table on standard output and as a file, JSON, and plots.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::figures::{Figures, Goal, median};
use super::lab::Lab;
use super::plot::{Axis, Plot};
use crate::harness::program::project;

/// Writes everything, and prints the table.
pub fn write(lab: &Lab, figures: &Figures) {
    let out = std::env::var_os("BENCH_OUT").map_or_else(|| project().join("target/bench"), PathBuf::from);
    fs::create_dir_all(&out).unwrap();
    let table = table(figures, lab.short);
    fs::write(out.join("figures.md"), &table).unwrap();
    fs::write(out.join("figures.json"), format!("{:#}\n", figures.to_json())).unwrap();
    for plot in plots(figures) {
        fs::write(out.join(format!("{}.svg", plot.name)), plot.svg()).unwrap();
    }
    print!("{table}");
    if lab.short {
        println!("\nA short run: the benchmark works; the figures mean nothing.");
    }
    println!("\n{}: figures.json and the plots", fs::canonicalize(out).unwrap().display());
}

/// Medians, with the smallest and largest sample.
fn table(figures: &Figures, short: bool) -> String {
    let mut text =
        String::from("| figure | xmppd | C client | ratio | goal | |\n| --- | --- | --- | --- | --- | --- |\n");
    for figure in &figures.figures {
        let goal = match figure.goal {
            Goal::Ratio(limit) => format!("ratio {limit:.2}"),
            Goal::AtMost(limit) => format!("{} {}", number(limit), figure.unit),
            Goal::None => String::new(),
        };
        let met = figure.is_met().filter(|_| !short).map_or("", |met| if met { "met" } else { "missed" });
        let ratio = figure.ratio().map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let _ = writeln!(
            text,
            "| {} ({}) | {} | {} | {ratio} | {goal} | {met} |",
            figure.name,
            figure.unit,
            spread(&figure.xmppd),
            spread(&figure.libstrophe),
        );
    }
    text
}

fn spread(samples: &[f64]) -> String {
    let Some(median) = median(samples) else { return String::new() };
    let least = samples.iter().copied().fold(f64::INFINITY, f64::min);
    let most = samples.iter().copied().fold(0.0, f64::max);
    if samples.len() == 1 {
        number(median)
    } else {
        format!("{} ({} to {})", number(median), number(least), number(most))
    }
}

/// To three significant digits or to the unit.
fn number(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn plots(figures: &Figures) -> Vec<Plot<'_>> {
    let plot = |name, title, x: Axis, y: Axis| {
        let curves = figures.curves.iter().filter(|curve| curve.plot == name);
        let series = curves.map(|curve| (curve.series.as_str(), curve.points.as_slice())).collect();
        Plot { name, title, x, y, series }
    };
    vec![
        plot(
            "single-requests",
            "Single requests, 20 ms apart: share answered within a time",
            Axis::logarithmic("ms"),
            Axis::linear("%"),
        ),
        plot("logins", "Connections online after the start", Axis::linear("s"), Axis::linear("connections")),
        plot(
            "edits",
            "One edit of a file with N connections",
            Axis::logarithmic("connections"),
            Axis::logarithmic("CPU, ms"),
        ),
    ]
}
