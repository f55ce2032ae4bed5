//! The run: every case once in each round, so that whatever disturbs the machine disturbs all.

use std::path::Path;

use crate::{
    Case, Place, Plan, Report, Result, Sample,
    machine::Machine,
    part::Stage,
    report::{Line, Others, figure_text},
    workload,
};

/// Measures what the plan says in this place, with parts played by `program` (this one, unless it is
/// a test). `progress` hears of each measurement.
///
/// # Errors
/// Whatever stopped it. No figures are given then.
pub async fn run(
    plan: &Plan,
    place: &Place,
    program: &Path,
    mut progress: impl FnMut(&str),
) -> Result<Report> {
    let stage = Stage::new(program);
    let machine = Machine::this(place.folder());
    let others = Others::begin();
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); plan.cases.len()];
    for round in 1..=plan.rounds {
        for (case, samples) in plan.cases.iter().zip(&mut samples) {
            let sample = workload::measure(&stage, place, &case.work)
                .await
                .map_err(|error| format!("{}: {error}", case.name))?;
            progress(&format!("round {round}/{}, {}", plan.rounds, describe(case, &sample)));
            samples.push(sample);
        }
    }
    let durability = place.describe_durability();
    let lines = plan.cases.iter().zip(&samples);
    let lines = lines.map(|(case, samples)| Line::new(case, &durability, samples)).collect();
    Ok(Report::new(machine, others.end(), plan.rounds, lines))
}

fn describe(case: &Case, sample: &Sample) -> String {
    let figures = sample.figures.iter();
    let figures: Vec<String> = figures
        .map(|(figure, value)| format!("{} {}", figure_text(*value), figure.heading()))
        .collect();
    format!("{}: {}", case.name, figures.join(", "))
}
