//! Line plots as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// Room for labels: left, top, right, bottom.
const MARGINS: [f64; 4] = [64.0, 40.0, 150.0, 48.0];
const COLOURS: [&str; 4] = ["#0b62a4", "#c0504d", "#4f8f3a", "#7a5195"];

/// One axis.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    label: &'static str,
    logarithmic: bool,
}

impl Axis {
    /// From 0, or the smallest value below it.
    pub fn linear(label: &'static str) -> Self {
        Self { label, logarithmic: false }
    }

    /// In powers of ten.
    pub fn logarithmic(label: &'static str) -> Self {
        Self { label, logarithmic: true }
    }

    fn scale(self, values: impl Iterator<Item = f64> + Clone) -> Scale {
        let most = values.clone().fold(f64::MIN_POSITIVE, f64::max);
        if self.logarithmic {
            let least = values.filter(|value| *value > 0.0).fold(most, f64::min);
            let (from, to) = (least.log10().floor(), most.log10().ceil());
            let ticks = steps(from, to, 1.0).map(|exponent| 10_f64.powf(exponent)).collect();
            return Scale { from, to: to.max(from + 1.0), ticks, logarithmic: true };
        }
        let power = 10_f64.powf((most / 4.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| most / step <= 6.0);
        let step = step.unwrap_or(most);
        let to = (most / step).ceil() * step;
        Scale { from: 0.0, to, ticks: steps(0.0, to, step).collect(), logarithmic: false }
    }
}

/// The values from one to another, by this step.
fn steps(from: f64, to: f64, step: f64) -> impl Iterator<Item = f64> {
    (0_u8..).map(move |number| from + f64::from(number) * step).take_while(move |value| *value <= to + step / 1e6)
}

/// Without the digits that sums of fractions have at their ends.
fn label(tick: f64) -> f64 {
    (tick * 1e6).round() / 1e6
}

struct Scale {
    from: f64,
    to: f64,
    ticks: Vec<f64>,
    logarithmic: bool,
}

impl Scale {
    /// The place of a value between 0 and 1.
    fn place(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.max(f64::MIN_POSITIVE).log10() } else { value };
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }
}

/// A plot with one or more lines.
#[derive(Debug)]
pub struct Plot<'a> {
    /// Of its file.
    pub name: &'static str,
    /// Above it.
    pub title: &'static str,
    /// Horizontal.
    pub x: Axis,
    /// Vertical.
    pub y: Axis,
    /// The lines, with their names.
    pub series: Vec<(&'a str, &'a [(f64, f64)])>,
}

impl Plot<'_> {
    /// The picture.
    pub fn svg(&self) -> String {
        let [left, top, right, bottom] = MARGINS;
        let (width, height) = (WIDTH - left - right, HEIGHT - top - bottom);
        let points = || self.series.iter().flat_map(|(_, points)| points.iter());
        let (x, y) = (self.x.scale(points().map(|point| point.0)), self.y.scale(points().map(|point| point.1)));
        let at_x = |value| left + x.place(value) * width;
        let at_y = |value| top + (1.0 - y.place(value)) * height;
        let mut svg = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' font-family='sans-serif' \
             font-size='12'>\n<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>\n\
             <text x='{left}' y='22' font-size='14'>{}</text>\n",
            self.title
        );
        for &tick in &x.ticks {
            let (at, end) = (at_x(tick), top + height);
            let _ = writeln!(svg, "<path d='M{at:.1} {top}V{end}' stroke='#ddd'/>");
            let _ = writeln!(svg, "<text x='{at:.1}' y='{}' text-anchor='middle'>{}</text>", end + 16.0, label(tick));
        }
        for &tick in &y.ticks {
            let at = at_y(tick);
            let _ = writeln!(svg, "<path d='M{left} {at:.1}H{}' stroke='#ddd'/>", left + width);
            let _ =
                writeln!(svg, "<text x='{}' y='{:.1}' text-anchor='end'>{}</text>", left - 6.0, at + 4.0, label(tick));
        }
        let (middle, end) = (left + width / 2.0, HEIGHT - 10.0);
        let _ = writeln!(svg, "<text x='{middle}' y='{end}' text-anchor='middle'>{}</text>", self.x.label);
        let up = top + height / 2.0;
        let _ = writeln!(
            svg,
            "<text transform='translate(14 {up}) rotate(-90)' text-anchor='middle'>{}</text>",
            self.y.label
        );
        for (number, ((name, points), colour)) in self.series.iter().zip(COLOURS.into_iter().cycle()).enumerate() {
            let mut sorted = points.to_vec();
            sorted.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.total_cmp(&other.0)));
            let path: Vec<String> = sorted.iter().map(|&(a, b)| format!("{:.1},{:.1}", at_x(a), at_y(b))).collect();
            let _ =
                writeln!(svg, "<polyline points='{}' fill='none' stroke='{colour}' stroke-width='2'/>", path.join(" "));
            let (line, column) = (top + 14.0 + 18.0 * number as f64, left + width + 10.0);
            let _ = writeln!(svg, "<text x='{column}' y='{line}' fill='{colour}'>{name}</text>");
        }
        svg.push_str("</svg>\n");
        svg
    }
}
