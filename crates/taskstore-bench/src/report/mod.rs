//! What a run found, for people and for programs.

mod others;
mod page;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

pub(crate) use others::Others;
use serde::{Deserialize, Serialize};
use table::Table;
pub(crate) use table::figure_text;

use crate::{
    Case, Figure, Result, Sample,
    engine::Product,
    machine::Machine,
    plan::{self, Group},
    stats::Spread,
};

/// All that a run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where it ran.
    pub machine: Machine,
    /// How many cores other programs kept busy meanwhile, on average; servers count among them.
    pub cores_used_by_others: Option<f64>,
    /// How often each case was measured.
    pub rounds: usize,
    /// The disk alone.
    pub disk: Option<Line>,
    /// What was found on each engine, in the order in which they were named.
    pub engines: Vec<Found>,
}

/// What was found on one engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The engine, with its version.
    pub engine: String,
    /// What has to be known to read its figures.
    pub notes: Vec<String>,
    /// The cases, in the order in which they were measured.
    pub lines: Vec<Line>,
    /// How cases compare, by the rates of the same round.
    pub ratios: Vec<Ratio>,
}

/// What one case gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its name.
    pub case: String,
    /// What its commits wait for.
    pub durability: String,
    /// The table that it is shown in.
    pub group: Group,
    /// Over the rounds.
    pub figures: BTreeMap<Figure, Spread>,
    /// Each round.
    pub samples: Vec<Sample>,
}

impl Line {
    pub(crate) fn new(case: &Case, durability: &str, samples: Vec<Sample>) -> Self {
        let mut values: BTreeMap<Figure, Vec<f64>> = BTreeMap::new();
        for (figure, value) in samples.iter().flat_map(|sample| &sample.figures) {
            values.entry(*figure).or_default().push(*value);
        }
        let figures = values.into_iter();
        let group = case.work.group();
        Self {
            case: case.name.into(),
            durability: durability.into(),
            group,
            figures: figures.filter_map(|(f, values)| Some((f, Spread::of(&values)?))).collect(),
            samples,
        }
    }

    fn rate(&self) -> Option<f64> {
        Some(self.figures.get(&Figure::TasksPerSecond)?.median)
    }

    fn rates(&self) -> impl Iterator<Item = Option<f64>> {
        self.samples.iter().map(|sample| sample.figures.get(&Figure::TasksPerSecond).copied())
    }
}

/// How many times as fast one case was as another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The case.
    pub of: String,
    /// The one that it is compared with.
    pub to: String,
    /// Over the rounds.
    pub times: Spread,
}

impl Ratio {
    fn new(of: &Line, to: &Line) -> Option<Self> {
        let rounds = of.rates().zip(to.rates());
        let ratios: Vec<f64> = rounds.filter_map(|(of, to)| Some(of? / to?)).collect();
        Some(Self { of: of.case.clone(), to: to.case.clone(), times: Spread::of(&ratios)? })
    }
}

/// What is compared with what.
const RATIOS: [(&str, &str); 6] = [
    (plan::DRAIN_10_B, plan::NAIVE),
    (plan::DRAIN_BY_4, plan::DRAIN_10_B),
    (plan::ENQUEUE_64, plan::ENQUEUE_1),
    (plan::ENQUEUE_BULK, plan::ENQUEUE_1),
    (plan::DRAIN_1_KB, plan::DRAIN_10_B),
    (plan::DRAIN_10_KB, plan::DRAIN_10_B),
];

impl Found {
    pub(crate) fn new(product: &Product, lines: Vec<Line>) -> Self {
        let line = |name: &str| lines.iter().find(|line| line.case == name);
        let ratio = |(of, to): (&str, &str)| Ratio::new(line(of)?, line(to)?);
        let ratios = RATIOS.into_iter().filter_map(ratio).collect();
        Self { engine: product.name.clone(), notes: product.notes.clone(), lines, ratios }
    }

    /// How fast a full queue is emptied, and how that compares.
    fn summary(&self) -> Option<String> {
        let rate = |name: &str| {
            let line = self.lines.iter().find(|line| line.case == name)?;
            line.rate().map(figure_text)
        };
        let (drain, naive) = (rate(plan::DRAIN_10_B)?, rate(plan::NAIVE)?);
        let times = figure_text(self.ratios.first()?.times.median);
        let engine = &self.engine;
        Some(format!(
            "{engine}: drain {drain} tasks/s, naive {naive} tasks/s, {times} times as fast"
        ))
    }

    fn tables(&self) -> Vec<Table> {
        let group = |group| self.lines.iter().filter(move |line| line.group == group);
        let rates = || group(Group::Rates);
        let mut tables = vec![
            table("Tasks in and out", rates(), |figure| !figure.is_of_database()),
            table("What the database does for a task", rates(), Figure::is_of_database),
            table(
                "From the return of enqueueing to the start of the handler",
                group(Group::PickUp),
                |_| true,
            ),
            table("A runner without work", group(Group::Idle), |_| true),
            self.ratio_table(),
        ];
        tables.retain(|table| !table.is_empty());
        tables
    }

    fn ratio_table(&self) -> Table {
        let row = |r: &Ratio| vec![r.of.clone(), r.to.clone(), spread_text(&r.times)];
        Table {
            title: "Compared within the same round",
            head: ["case", "compared with", "times as fast"].map(Into::into).into(),
            rows: self.ratios.iter().map(row).collect(),
        }
    }
}

impl Report {
    pub(crate) const fn new(
        machine: Machine,
        cores_used_by_others: Option<f64>,
        rounds: usize,
        disk: Option<Line>,
        engines: Vec<Found>,
    ) -> Self {
        Self { machine, cores_used_by_others, rounds, disk, engines }
    }

    /// For programs.
    ///
    /// # Errors
    /// A figure is infinite.
    pub fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// A page for the documentation, which was made by this command line.
    #[must_use]
    pub fn to_markdown(&self, command: &str) -> String {
        page::page(self, command)
    }

    /// A line for each engine: how fast a full queue is emptied, and how that compares. Without
    /// those on which one of the two was not measured.
    #[must_use]
    pub fn summary(&self) -> String {
        let lines: Vec<String> = self.engines.iter().filter_map(Found::summary).collect();
        lines.join("\n")
    }

    /// The rates of all engines, when there are several.
    fn glance(&self) -> Option<Table> {
        let rates = [
            plan::DRAIN_10_B,
            plan::DRAIN_BY_4,
            plan::NAIVE,
            plan::ENQUEUE_1,
            plan::ENQUEUE_64,
            plan::ENQUEUE_BULK,
        ];
        let row = |found: &Found| {
            let line = |name: &str| found.lines.iter().find(|line| line.case == name);
            let rate = |name| line(name)?.figures.get(&Figure::TasksPerSecond);
            let cell = |name| rate(name).map_or_else(|| "-".into(), spread_text);
            let durability = found.lines.first().map(|line| line.durability.clone());
            let names = [found.engine.clone(), durability.unwrap_or_default()];
            names.into_iter().chain(rates.map(cell)).collect()
        };
        let heads = ["engine", "durability"].into_iter().chain(rates);
        (self.engines.len() > 1).then(|| Table {
            title: "Tasks per second, at a glance",
            head: heads.map(Into::into).collect(),
            rows: self.engines.iter().map(row).collect(),
        })
    }

    fn disk_table(&self) -> Option<Table> {
        let table = table("The disk alone", self.disk.iter(), |_| true);
        (!table.is_empty()).then_some(table)
    }
}

/// These lines, with those of their figures that are wanted.
fn table<'l>(
    title: &'static str,
    lines: impl Iterator<Item = &'l Line> + Clone,
    wanted: impl Fn(Figure) -> bool,
) -> Table {
    let figures = lines.clone().flat_map(|line| line.figures.keys().copied());
    let figures: BTreeSet<Figure> = figures.filter(|figure| wanted(*figure)).collect();
    let heads = ["case", "durability"].into_iter().chain(figures.iter().map(|f| f.heading()));
    let row = |line: &Line| {
        let cell = |figure| line.figures.get(figure).map_or_else(|| "-".into(), spread_text);
        let names = [line.case.clone(), line.durability.clone()];
        names.into_iter().chain(figures.iter().map(cell)).collect()
    };
    let head = heads.map(Into::into).collect();
    let rows = if figures.is_empty() { Vec::new() } else { lines.map(row).collect() };
    Table { title, head, rows }
}

fn spread_text(spread: &Spread) -> String {
    let [median, min, max] = [spread.median, spread.min, spread.max].map(figure_text);
    if min == max { median } else { format!("{median} ({min} - {max})") }
}

/// For people, in a terminal.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in page::facts(self) {
            writeln!(f, "{line}")?;
        }
        for table in self.glance().iter().chain(&self.disk_table()) {
            write!(f, "\n{}\n{}", table.title, table.to_text())?;
        }
        for found in &self.engines {
            writeln!(f, "\n{}", found.engine)?;
            for note in &found.notes {
                writeln!(f, "{note}")?;
            }
            for table in found.tables() {
                write!(f, "\n{}, {}\n{}", found.engine, table.title, table.to_text())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Plan, Size};

    fn report() -> Report {
        let plan = Plan::new(Size::Tiny, None);
        let line = |case: &Case| {
            let rates = match case.name {
                plan::DRAIN_10_B => [60_000.0, 90_000.0, 10_000.0],
                plan::NAIVE => [600.0, 300.0, 100.0],
                _ => [1.0, 2.0, 3.0],
            };
            let samples = rates.map(|rate| {
                let sample = Sample::new(1).with(Figure::TasksPerSecond, rate);
                sample.with(Figure::LogBytesPerTask, 7.0)
            });
            Line::new(case, &format!("<{}>", case.name), samples.into())
        };
        let found = |name: &str| {
            let product =
                Product { name: name.into(), notes: vec!["a note".into()], ..Product::default() };
            Found::new(&product, plan.cases.iter().skip(1).map(line).collect())
        };
        let engines = vec![found("SQLite 3"), found("PostgreSQL 15")];
        let disk = plan.cases.first().map(line);
        Report::new(Machine::default(), Some(0.25), 3, disk, engines)
    }

    #[test]
    fn ratios_are_made_within_a_round() {
        let report = report();
        let ratio = report.engines[0].ratios.first().unwrap();
        assert_eq!((&*ratio.of, &*ratio.to), (plan::DRAIN_10_B, plan::NAIVE));
        assert_eq!(ratio.times, Spread { median: 100.0, min: 100.0, max: 300.0 });
    }

    #[test]
    fn every_case_that_is_compared_is_in_the_plan() {
        assert_eq!(report().engines[0].ratios.len(), RATIOS.len());
    }

    #[test]
    fn the_summary_names_both_rates_and_their_ratio_for_each_engine() {
        assert_eq!(
            report().summary(),
            "SQLite 3: drain 60,000 tasks/s, naive 300 tasks/s, 100 times as fast\n\
             PostgreSQL 15: drain 60,000 tasks/s, naive 300 tasks/s, 100 times as fast"
        );
        assert_eq!(Report { engines: Vec::new(), ..report() }.summary(), "");
    }

    #[test]
    fn a_report_outlives_its_way_through_json() {
        let report = report();
        let json = report.to_json().unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }

    #[test]
    fn every_line_says_its_durability_as_text_and_as_a_page() {
        let report = report();
        for text in [report.to_string(), report.to_markdown("bench")] {
            for line in report.disk.iter().chain(report.engines.iter().flat_map(|e| &e.lines)) {
                let says = |row: &str| row.contains(&line.case) && row.contains(&line.durability);
                assert!(text.lines().any(says), "{}: {text}", line.case);
            }
        }
    }

    #[test]
    fn a_page_has_a_section_for_each_engine_and_one_disk() {
        let page = report().to_markdown("bench");
        let count = |heading: &str| page.lines().filter(|line| *line == heading).count();
        assert_eq!(count("## SQLite 3"), 1);
        assert_eq!(count("## PostgreSQL 15"), 1);
        assert_eq!(count("### Tasks in and out"), 2);
        assert_eq!(count("### What the database does for a task"), 2);
        assert_eq!(count("## The disk alone"), 1);
        assert_eq!(count("- a note"), 2);
    }
}
