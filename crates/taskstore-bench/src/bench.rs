//! The run: every case once in each round, on every engine, so that whatever disturbs the machine
//! disturbs all.

use std::path::{Path, PathBuf};

use crate::{
    Case, Place, Plan, Report, Result, Sample,
    machine::Machine,
    part::Stage,
    plan::Group,
    report::{Found, Line, Others, figure_text},
    workload,
};

/// What a run has to say while it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A measurement begins.
    Begins(String),
    /// It has ended, and gave this.
    Ended(String),
}

/// Measures what the plan says in these places, with parts played by `program` (this one, unless it
/// is a test). `progress` hears of each measurement.
///
/// # Errors
/// Whatever stopped it. No figures are given then.
pub async fn run(
    plan: &Plan,
    places: &mut [Place],
    program: &Path,
    mut progress: impl FnMut(Progress),
) -> Result<Report> {
    let stage = Stage::new(program);
    let folder = places.iter().find_map(|place| place.engine().folder());
    let folder = folder.unwrap_or_else(|| PathBuf::from("."));
    let machine = Machine::this(&folder);
    let others = Others::begin();
    let mut taken = Vec::new();
    for round in 1..=plan.rounds {
        for (n, place) in places.iter_mut().enumerate() {
            for case in &plan.cases {
                // There is one disk, whatever lies on it.
                if n > 0 && case.work.group() == Group::Disk {
                    continue;
                }
                let engine = place.engine_mut();
                let on = engine.product().name.clone();
                let what = format!("round {round}/{}, {on}, {}", plan.rounds, case.name);
                progress(Progress::Begins(what.clone()));
                let sample = workload::measure(&stage, engine, &folder, &case.work)
                    .await
                    .map_err(|error| format!("{on}, {}: {error}", case.name))?;
                progress(Progress::Ended(format!("{what}: {}", describe(&sample))));
                taken.push((n, case.name, sample));
            }
        }
    }
    let of = |n: usize, case: &Case, durability: &str| {
        let mine = taken.iter().filter(|(on, name, _)| *on == n && *name == case.name);
        let samples: Vec<Sample> = mine.map(|(_, _, sample)| sample.clone()).collect();
        Line::new(case, durability, samples)
    };
    let (disk, cases): (Vec<&Case>, Vec<&Case>) =
        plan.cases.iter().partition(|case| case.work.group() == Group::Disk);
    let engines = places.iter().enumerate().map(|(n, place)| {
        let product = place.engine().product();
        let lines = cases.iter().map(|case| of(n, case, &product.durability));
        Found::new(product, lines.collect())
    });
    let disk = disk.first().map(|case| of(0, case, "fdatasync"));
    Ok(Report::new(machine, others.end(), plan.rounds, disk, engines.collect()))
}

fn describe(sample: &Sample) -> String {
    let figures = sample.figures.iter();
    let figures: Vec<String> = figures
        .map(|(figure, value)| format!("{} {}", figure_text(*value), figure.heading()))
        .collect();
    figures.join(", ")
}
