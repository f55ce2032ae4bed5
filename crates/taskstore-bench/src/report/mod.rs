//! What a run found, for people and for programs.

mod others;
mod page;
mod table;

use std::{collections::BTreeMap, fmt};

pub(crate) use others::Others;
use serde::{Deserialize, Serialize};
use table::Table;
pub(crate) use table::figure_text;

use crate::{
    Case, Figure, Result, Sample,
    machine::Machine,
    plan::{self, Group},
    stats::Spread,
};

/// All that a run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where it ran.
    pub machine: Machine,
    /// How many cores other programs kept busy meanwhile, on average.
    pub cores_used_by_others: Option<f64>,
    /// How often each case was measured.
    pub rounds: usize,
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
    pub(crate) fn new(case: &Case, durability: &str, samples: &[Sample]) -> Self {
        let mut values: BTreeMap<Figure, Vec<f64>> = BTreeMap::new();
        for (figure, value) in samples.iter().flat_map(|sample| &sample.figures) {
            values.entry(*figure).or_default().push(*value);
        }
        let figures = values.into_iter();
        let group = case.work.group();
        Self {
            case: case.name.into(),
            // It is the disk itself that is measured there, below any database.
            durability: if group == Group::Disk { "fdatasync".into() } else { durability.into() },
            group,
            figures: figures.filter_map(|(f, values)| Some((f, Spread::of(&values)?))).collect(),
            samples: samples.to_vec(),
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
const RATIOS: [(&str, &str); 5] = [
    (plan::DRAIN_10_B, plan::NAIVE),
    (plan::ENQUEUE_64, plan::ENQUEUE_1),
    (plan::ENQUEUE_BULK, plan::ENQUEUE_1),
    (plan::DRAIN_1_KB, plan::DRAIN_10_B),
    (plan::DRAIN_10_KB, plan::DRAIN_10_B),
];

impl Report {
    pub(crate) fn new(
        machine: Machine,
        cores_used_by_others: Option<f64>,
        rounds: usize,
        lines: Vec<Line>,
    ) -> Self {
        let line = |name: &str| lines.iter().find(|line| line.case == name);
        let ratio = |(of, to): (&str, &str)| Ratio::new(line(of)?, line(to)?);
        let ratios = RATIOS.into_iter().filter_map(ratio).collect();
        Self { machine, cores_used_by_others, rounds, lines, ratios }
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

    /// One line: how fast a full queue is emptied, and how that compares. `None` if one of them was
    /// not measured.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        let rate = |name: &str| {
            let line = self.lines.iter().find(|line| line.case == name)?;
            line.rate().map(figure_text)
        };
        let (drain, naive) = (rate(plan::DRAIN_10_B)?, rate(plan::NAIVE)?);
        let times = figure_text(self.ratios.first()?.times.median);
        Some(format!("drain {drain} tasks/s, naive {naive} tasks/s: {times} times as fast"))
    }

    fn tables(&self) -> Vec<Table> {
        let mut tables: Vec<Table> =
            [Group::Rates, Group::PickUp, Group::Idle, Group::Disk].map(|g| self.table(g)).into();
        tables.push(self.ratio_table());
        tables.retain(|table| !table.rows.is_empty());
        tables
    }

    fn table(&self, group: Group) -> Table {
        let lines: Vec<&Line> = self.lines.iter().filter(|line| line.group == group).collect();
        let mut figures: Vec<Figure> =
            lines.iter().flat_map(|line| line.figures.keys().copied()).collect();
        figures.sort_unstable();
        figures.dedup();
        let heads = ["case", "durability"].into_iter().chain(figures.iter().map(|f| f.heading()));
        let row = |line: &&Line| {
            let cell = |figure| line.figures.get(figure).map_or_else(|| "-".into(), spread_text);
            let names = [line.case.clone(), line.durability.clone()];
            names.into_iter().chain(figures.iter().map(cell)).collect()
        };
        Table {
            title: match group {
                Group::Rates => "Tasks in and out",
                Group::PickUp => "From the return of enqueueing to the start of the handler",
                Group::Idle => "A runner without work",
                Group::Disk => "The disk alone",
            },
            head: heads.map(Into::into).collect(),
            rows: lines.iter().map(row).collect(),
        }
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
        for table in self.tables() {
            write!(f, "\n{}\n{}", table.title, table.to_text())?;
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
        let lines = plan.cases.iter().map(|case| {
            let rates = match case.name {
                plan::DRAIN_10_B => [60_000.0, 90_000.0, 10_000.0],
                plan::NAIVE => [600.0, 300.0, 100.0],
                _ => [1.0, 2.0, 3.0],
            };
            let samples = rates.map(|rate| Sample::new(1).with(Figure::TasksPerSecond, rate));
            Line::new(case, "on the disk", &samples)
        });
        Report::new(Machine::default(), Some(0.25), 3, lines.collect())
    }

    #[test]
    fn ratios_are_made_within_a_round() {
        let ratio = report().ratios.into_iter().next().unwrap();
        assert_eq!((&*ratio.of, &*ratio.to), (plan::DRAIN_10_B, plan::NAIVE));
        assert_eq!(ratio.times, Spread { median: 100.0, min: 100.0, max: 300.0 });
    }

    #[test]
    fn every_case_that_is_compared_is_in_the_plan() {
        assert_eq!(report().ratios.len(), RATIOS.len());
    }

    #[test]
    fn the_summary_names_both_rates_and_their_ratio() {
        assert_eq!(
            report().summary().unwrap(),
            "drain 60,000 tasks/s, naive 300 tasks/s: 100 times as fast"
        );
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
            for line in &report.lines {
                let row = text.lines().find(|row| row.contains(&line.case)).unwrap();
                assert!(row.contains(&line.durability), "{row}");
            }
        }
    }
}
