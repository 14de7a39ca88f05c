//! The figures of a run: samples of both programs, their medians and spread, and the goals.

use std::time::Duration;

use serde_json::{Value, json};

use super::lab::Candidate;

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// The median of xmppd, divided by that of the C client.
    Ratio(f64),
    /// The median of xmppd itself.
    AtMost(f64),
    /// None is set: context for others.
    None,
}

/// One row of the table.
#[derive(Debug)]
pub struct Figure {
    /// What is measured.
    pub name: &'static str,
    /// The unit of the samples.
    pub unit: &'static str,
    /// What it should be.
    pub goal: Goal,
    /// The samples of xmppd.
    pub xmppd: Vec<f64>,
    /// The samples of the C client; none if only xmppd is measured.
    pub libstrophe: Vec<f64>,
}

impl Figure {
    /// The medians' ratio.
    pub fn ratio(&self) -> Option<f64> {
        Some(median(&self.xmppd)? / median(&self.libstrophe)?)
    }

    /// Whether the goal is reached; none without a goal.
    pub fn is_met(&self) -> Option<bool> {
        match self.goal {
            Goal::Ratio(limit) => Some(self.ratio()? <= limit),
            Goal::AtMost(limit) => Some(median(&self.xmppd)? <= limit),
            Goal::None => None,
        }
    }
}

/// All figures, and the curves for the plots.
#[derive(Debug, Default)]
pub struct Figures {
    /// In the order in which they were first measured.
    pub figures: Vec<Figure>,
    /// For the plots.
    pub curves: Vec<Curve>,
}

/// One line of a plot.
#[derive(Debug)]
pub struct Curve {
    /// The plot's name.
    pub plot: &'static str,
    /// What the line shows.
    pub series: String,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

impl Figures {
    /// Adds a sample of one of the programs.
    pub fn add(&mut self, name: &'static str, unit: &'static str, goal: Goal, candidate: Candidate, sample: f64) {
        let at = self.figures.iter().position(|figure| figure.name == name).unwrap_or_else(|| {
            self.figures.push(Figure { name, unit, goal, xmppd: Vec::new(), libstrophe: Vec::new() });
            self.figures.len() - 1
        });
        match candidate {
            Candidate::Xmppd => self.figures[at].xmppd.push(sample),
            Candidate::Libstrophe => self.figures[at].libstrophe.push(sample),
        }
    }

    /// Adds points to a series of a plot.
    pub fn plot(&mut self, plot: &'static str, series: &str, points: impl IntoIterator<Item = (f64, f64)>) {
        match self.curves.iter_mut().find(|curve| curve.plot == plot && curve.series == series) {
            Some(curve) => curve.points.extend(points),
            None => self.curves.push(Curve { plot, series: series.to_owned(), points: points.into_iter().collect() }),
        }
    }

    /// All of it.
    pub fn to_json(&self) -> Value {
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|figure| {
                let (kind, limit) = match figure.goal {
                    Goal::Ratio(limit) => ("ratio", Some(limit)),
                    Goal::AtMost(limit) => ("at most", Some(limit)),
                    Goal::None => ("none", None),
                };
                json!({"name": figure.name, "unit": figure.unit, "goal": kind, "limit": limit, "met": figure.is_met(),
                    "ratio": figure.ratio(), "xmppd": figure.xmppd, "libstrophe": figure.libstrophe})
            })
            .collect();
        json!({"figures": figures})
    }
}

/// The middle of the samples, between two of them if their number is even.
pub fn median(samples: &[f64]) -> Option<f64> {
    percentile(samples, 0.5)
}

/// The sample below which this share of them is, interpolated.
pub fn percentile(samples: &[f64], share: f64) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let at = share * last as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let below = at as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * at.fract())
}

/// A time in milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
