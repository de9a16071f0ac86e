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
    /// Seconds of the processors for each, callers included.
    pub cpu: Option<f64>,
    /// The same of the thread that writes.
    pub writer: Option<f64>,
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
            cpu: None,
            writer: None,
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
    ratios: Vec<Ratio>,
    times: Vec<(String, String, Duration)>,
}

/// How many times one figure is another.
struct Ratio {
    name: String,
    against: String,
    per_second: f64,
    /// How many times the other takes of the processors.
    cpu: Option<f64>,
}

impl Report {
    /// Keeps a figure, and says on stderr that it is there: the whole takes minutes.
    pub fn add(&mut self, figure: Figure) {
        eprintln!("{}: {:.0} per second", figure.name, figure.per_second);
        self.figures.push(figure);
    }

    /// Keeps how long something took.
    pub fn time(&mut self, name: &str, over: &str, took: Duration) {
        eprintln!("{name}: {:.2} s", took.as_secs_f64());
        self.times.push((name.to_owned(), over.to_owned(), took));
    }

    /// Compares two figures, where both are there.
    pub fn compare(&mut self, name: &str, against: &str) {
        let find = |name: &str| self.figures.iter().find(|figure| figure.name == name);
        let (Some(one), Some(other)) = (find(name), find(against)) else {
            return;
        };
        self.ratios.push(Ratio {
            name: name.to_owned(),
            against: against.to_owned(),
            per_second: one.per_second / other.per_second,
            cpu: one.cpu.zip(other.cpu).map(|(one, other)| other / one),
        });
    }

    pub fn to_json(&self) -> Value {
        let figures: Vec<Value> = self.figures.iter().map(one).collect();
        let ratios = self.ratios.iter().map(|ratio| {
            json!({
                "name": ratio.name, "against": ratio.against, "per_second": ratio.per_second,
                "cpu": ratio.cpu,
            })
        });
        let times = self.times.iter().map(|(name, over, took)| {
            json!({ "name": name, "over": over, "seconds": took.as_secs_f64() })
        });
        json!({
            "figures": figures,
            "ratios": ratios.collect::<Vec<_>>(),
            "times": times.collect::<Vec<_>>(),
        })
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
        "cpu_microseconds": figure.cpu.map(|cpu| cpu * 1e6),
        "writer_cpu_microseconds": figure.writer.map(|cpu| cpu * 1e6),
    })
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(
            f,
            "| {:<44} | {:<34} | {:>10} | {:>8} | {:>8} | {:>8} | {:>10} | {:>9} | {:>11} | {:>7} | {:>9} |",
            "what",
            "over",
            "per second",
            "of floor",
            "p50 ms",
            "p99 ms",
            "statements",
            "KiB in log",
            "per commit",
            "CPU µs",
            "writer µs"
        )?;
        let line = |width: usize| "-".repeat(width);
        let widths = [44, 34, 10, 8, 8, 8, 10, 9, 11, 7, 9].map(line);
        writeln!(f, "| {} |", widths.join(" | "))?;
        for figure in &self.figures {
            let text = |value: Option<f64>, places: usize| {
                value.map_or_else(String::new, |value| format!("{value:.places$}"))
            };
            let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
            writeln!(
                f,
                "| {:<44} | {:<34} | {:>10.0} | {:>8} | {:>8} | {:>8} | {:>10} | {:>9} | {:>11} | {:>7} | {:>9} |",
                figure.name,
                figure.over,
                figure.per_second,
                text(figure.of_floor, 3),
                text(figure.latency.map(|(half, _)| milliseconds(half)), 2),
                text(figure.latency.map(|(_, most)| milliseconds(most)), 2),
                text(figure.cost.map(|cost| cost.statements), 1),
                text(figure.cost.map(|cost| cost.bytes / 1_024.0), 1),
                text(figure.cost.map(|cost| 1.0 / cost.commits), 1),
                text(figure.cpu.map(|cpu| cpu * 1e6), 0),
                text(figure.writer.map(|cpu| cpu * 1e6), 0),
            )?;
        }
        writeln!(f)?;
        for ratio in &self.ratios {
            let Ratio {
                name,
                against,
                per_second,
                ..
            } = ratio;
            write!(f, "{name}: {per_second:.2} times {against}")?;
            match ratio.cpu {
                Some(cpu) => writeln!(f, ", which takes {cpu:.2} times the CPU for each")?,
                None => writeln!(f)?,
            }
        }
        for (name, over, took) in &self.times {
            writeln!(f, "{name} ({over}): {:.2} s", took.as_secs_f64())?;
        }
        Ok(())
    }
}
