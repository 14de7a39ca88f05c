//! Draws what a fleet does as an SVG: a panel for each simulation, one above the other, with the same scale of time.

use std::fmt::Write as _;

use super::{Timeline, time};

/// Pixels.
const WIDTH: u64 = 720;
const HEIGHT: u64 = 90;
const LEFT: u64 = 60;
const TITLE: u64 = 30;

/// Seconds for one bar.
const BAR: usize = 30;

/// Draws the first `seconds` of these simulations: attempts per second, of which the logins are filled.
pub(crate) fn draw(panels: &[(String, Timeline)], seconds: u64) -> String {
    let full = HEIGHT + TITLE;
    let height = full * panels.len() as u64 + TITLE;
    let width = WIDTH + LEFT + 20;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (top, (title, timeline)) in (0..).step_by(usize::try_from(full).unwrap_or(1)).zip(panels) {
        let _ = panel(&mut svg, top, title, timeline, seconds);
    }
    for hour in 0..=seconds / 3600 {
        let x = LEFT + hour * 3600 * WIDTH / seconds;
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{hour} h</text>", height - 10);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, top: u64, title: &str, timeline: &Timeline, seconds: u64) -> std::fmt::Result {
    let logins = bars(&timeline.logins, seconds);
    let failed = bars(&timeline.failed, seconds);
    let all: Vec<u64> = logins.iter().zip(&failed).map(|(logins, failed)| logins + failed).collect();
    let most = all.iter().copied().max().unwrap_or(0).max(1);
    let base = top + TITLE + HEIGHT;
    writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{title}: 99 % back after {}</text>", top + 22, time(timeline.back(99)))?;
    writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{most}/s</text>", LEFT - 5, top + TITLE + 10)?;
    for (values, colour) in [(&all, "#d9a066"), (&logins, "#2f6f8f")] {
        write!(svg, "<path fill=\"{colour}\" d=\"M{LEFT} {base}")?;
        for (bar, value) in (1..).zip(values) {
            let right = LEFT + bar * WIDTH / values.len() as u64;
            write!(svg, "V{}H{right}", base - value * HEIGHT / most)?;
        }
        writeln!(svg, "V{base}Z\"/>")?;
    }
    writeln!(svg, "<path stroke=\"#444\" d=\"M{LEFT} {base}h{WIDTH}\"/>")
}

/// The mean number per second in each bar.
fn bars(values: &[u64], seconds: u64) -> Vec<u64> {
    let count = usize::try_from(seconds).unwrap_or(0) / BAR;
    let sum = |bar: usize| values.iter().skip(bar * BAR).take(BAR).sum::<u64>() / BAR as u64;
    (0..count).map(sum).collect()
}

#[test]
fn each_simulation_has_a_panel() {
    let timeline = Timeline { failed: vec![30; 60], logins: vec![0; 60] };
    let svg = draw(&[("a".to_owned(), timeline), ("b".to_owned(), Timeline::default())], 3600);
    assert_eq!(svg.matches("99 % back").count(), 2);
    // 30 failed attempts each second for two bars, and none in the third.
    assert!(svg.contains("M60 120V30H66V30H72V120H78"), "{svg}");
}
