//! One file for each thing that is measured: how it is directed, and the parts that it is made of.

use std::{path::Path, time::Duration};

use crate::{
    Figure, Part, Result, Sample,
    engine::{Counter, Engine, Meter, Reading},
    part::Stage,
    plan::Work,
};

pub(crate) mod disk;
pub(crate) mod drain;
pub(crate) mod enqueue;
pub(crate) mod idle;
pub(crate) mod naive;
pub(crate) mod pick_up;
pub(crate) mod share;

/// Measures it once, on an empty database; a disk where this folder lies.
pub(crate) async fn measure(
    stage: &Stage,
    engine: &mut dyn Engine,
    folder: &Path,
    work: &Work,
) -> Result<Sample> {
    if let Work::Disk { lasts } = *work {
        return disk::measure(stage, folder, lasts).await;
    }
    engine.make().await?;
    let sample = measure_here(stage, engine, work).await;
    engine.remove().await?;
    sample
}

async fn measure_here(stage: &Stage, engine: &dyn Engine, work: &Work) -> Result<Sample> {
    match *work {
        Work::Disk { .. } => Err("a disk is no engine".into()),
        Work::Enqueue { callers, per_call, lasts } => {
            enqueue::measure(stage, engine, callers, per_call, lasts).await
        }
        Work::Drain { bytes, tasks, processes: 1 } => {
            drain::measure(stage, engine, bytes, tasks / engine.slowness()).await
        }
        Work::Drain { bytes, tasks, processes } => {
            share::measure(stage, engine, bytes, tasks / engine.slowness(), processes).await
        }
        Work::Naive { lasts } => naive::measure(stage, engine, lasts).await,
        Work::PickUp { tasks, across: false } => pick_up::measure(stage, engine, tasks).await,
        Work::PickUp { tasks, across: true } => pick_up::measure_across(stage, engine, tasks).await,
        Work::Idle { lasts } => idle::measure(stage, engine, lasts).await,
    }
}

/// Makes a store with so many jobs.
async fn fill(stage: &Stage, engine: &dyn Engine, bytes: usize, tasks: u64) -> Result<()> {
    stage.play(&Part::Fill { url: engine.url().into(), bytes, tasks }).await
}

/// Does the part, and adds what the database did for it.
async fn watched(stage: &Stage, engine: &dyn Engine, part: &Part) -> Result<Sample> {
    let mut meter = engine.meter().await?;
    let before = meter.read().await?;
    let sample: Sample = stage.play(part).await?;
    with_counted(sample, &mut *meter, &before).await
}

/// What the database did for these tasks, when everybody has left it.
async fn with_counted(sample: Sample, meter: &mut dyn Meter, before: &Reading) -> Result<Sample> {
    meter.alone().await?;
    let counted = meter.read().await?.since(before);
    let tables = meter.tables().await?;
    let updates = tables.get(Counter::Updates);
    // Of the few that are made without a task's end there is nothing to say.
    let updates = updates.filter(|updates| *updates >= sample.tasks as f64);
    let hot = tables.get(Counter::HotUpdates).zip(updates);
    let with =
        |sample: Sample, (figure, counter)| sample.with_per_task(figure, counted.get(counter));
    Ok([
        (Figure::ServerMicrosPerTask, Counter::ServerMicros),
        (Figure::LogBytesPerTask, Counter::LogBytes),
        (Figure::PageImagesPerTask, Counter::PageImages),
        (Figure::BinlogBytesPerTask, Counter::BinlogBytes),
        (Figure::CommitsPerTask, Counter::Commits),
        (Figure::StatementsPerTask, Counter::Statements),
    ]
    .into_iter()
    .fold(sample, with)
    .with(Figure::HotPercent, hot.map(|(hot, updates)| 100.0 * hot / updates))
    .with_per_task(Figure::DeadRowsPerTask, tables.get(Counter::DeadRows))
    .with(Figure::Deadlocks, counted.get(Counter::Deadlocks)))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
