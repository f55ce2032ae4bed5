//! One file for each thing that is measured: how it is directed, and the parts that it is made of.

use std::time::Duration;

use crate::{
    Part, Result, Sample,
    log_meter::{LogMeter, Written},
    part::Stage,
    place::Place,
    plan::Work,
};

pub(crate) mod disk;
pub(crate) mod drain;
pub(crate) mod enqueue;
pub(crate) mod idle;
pub(crate) mod naive;
pub(crate) mod pick_up;

/// Measures it once, on an empty database.
pub(crate) async fn measure(stage: &Stage, place: &Place, work: &Work) -> Result<Sample> {
    place.clear()?;
    let sample = match *work {
        Work::Disk { lasts } => disk::measure(stage, place, lasts).await,
        Work::Enqueue { callers, per_call, lasts } => {
            enqueue::measure(stage, place, callers, per_call, lasts).await
        }
        Work::Drain { bytes, tasks } => drain::measure(stage, place, bytes, tasks).await,
        Work::Naive { lasts } => naive::measure(stage, place, lasts).await,
        Work::PickUp { tasks, across: false } => pick_up::measure(stage, place, tasks).await,
        Work::PickUp { tasks, across: true } => pick_up::measure_across(stage, place, tasks).await,
        Work::Idle { lasts } => idle::measure(stage, place, lasts).await,
    };
    place.clear()?;
    sample
}

/// Makes a store with so many jobs.
async fn fill(stage: &Stage, place: &Place, bytes: usize, tasks: u64) -> Result<()> {
    stage.play(&Part::Fill { url: place.url().into(), bytes, tasks }).await
}

/// Does the part, and says what it has written into the log.
async fn watched(stage: &Stage, place: &Place, part: &Part) -> Result<(Sample, Written)> {
    let meter = LogMeter::start(place.path())?;
    let sample = stage.play(part).await;
    let written = meter.stop()?;
    Ok((sample?, written))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
