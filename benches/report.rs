//! The figures, as a table and as JSON.

use std::fmt::{Display, Formatter, Result};
use std::time::Duration;

use serde_json::{Value, json};

/// What one command of a run cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub statements: f64,
    pub bytes: f64,
    /// Commits per command: the fewer, the more share one.
    pub commits: f64,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Figure {
    pub name: String,
    /// What it was measured over.
    pub over: String,
    pub per_second: f64,
    /// Per second, divided by that of the floor.
    pub of_floor: Option<f64>,
    /// Half of all answers came within the first, all but one in a hundred within the second.
    pub latency: Option<(Duration, Duration)>,
    pub cost: Option<Cost>,
}

impl Figure {
    pub fn new(name: impl Into<String>, over: impl Into<String>, per_second: f64) -> Self {
        Self {
            name: name.into(),
            over: over.into(),
            per_second,
            of_floor: None,
            latency: None,
            cost: None,
        }
    }
}

/// The median and the 99th percentile.
pub fn percentiles(mut all: Vec<Duration>) -> (Duration, Duration) {
    all.sort_unstable();
    let at = |per_cent: usize| all[(all.len() * per_cent / 100).min(all.len() - 1)];
    (at(50), at(99))
}

/// All of them, in the order of measuring.
#[derive(Default)]
pub struct Report {
    figures: Vec<Figure>,
}

impl Report {
    /// Keeps a figure, and says on stderr that it is there: the whole takes minutes.
    pub fn add(&mut self, figure: Figure) {
        eprintln!("{}: {:.0} per second", figure.name, figure.per_second);
        self.figures.push(figure);
    }

    pub fn to_json(&self) -> Value {
        let figures: Vec<Value> = self.figures.iter().map(one).collect();
        json!({ "figures": figures })
    }
}

fn one(figure: &Figure) -> Value {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    json!({
        "name": figure.name, "over": figure.over, "per_second": figure.per_second,
        "of_floor": figure.of_floor,
        "p50_ms": figure.latency.map(|(half, _)| milliseconds(half)),
        "p99_ms": figure.latency.map(|(_, most)| milliseconds(most)),
        "statements_per_command": figure.cost.map(|cost| cost.statements),
        "bytes_per_command": figure.cost.map(|cost| cost.bytes),
        "commits_per_command": figure.cost.map(|cost| cost.commits),
    })
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(
            f,
            "| {:<44} | {:<34} | {:>10} | {:>8} | {:>8} | {:>8} | {:>10} | {:>9} | {:>11} |",
            "what",
            "over",
            "per second",
            "of floor",
            "p50 ms",
            "p99 ms",
            "statements",
            "KiB in log",
            "per commit"
        )?;
        let line = |width: usize| "-".repeat(width);
        let widths = [44, 34, 10, 8, 8, 8, 10, 9, 11].map(line);
        writeln!(f, "| {} |", widths.join(" | "))?;
        for figure in &self.figures {
            let text = |value: Option<f64>, places: usize| {
                value.map_or_else(String::new, |value| format!("{value:.places$}"))
            };
            let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
            writeln!(
                f,
                "| {:<44} | {:<34} | {:>10.0} | {:>8} | {:>8} | {:>8} | {:>10} | {:>9} | {:>11} |",
                figure.name,
                figure.over,
                figure.per_second,
                text(figure.of_floor, 3),
                text(figure.latency.map(|(half, _)| milliseconds(half)), 2),
                text(figure.latency.map(|(_, most)| milliseconds(most)), 2),
                text(figure.cost.map(|cost| cost.statements), 1),
                text(figure.cost.map(|cost| cost.bytes / 1_024.0), 1),
                text(figure.cost.map(|cost| 1.0 / cost.commits), 1),
            )?;
        }
        Ok(())
    }
}
