//! What a runner with default settings costs that has nothing to do.

use std::time::Duration;

use super::{fill, millis};
use crate::{
    Figure, Part, Result, Sample,
    job::{Count, Job, Seen},
    log_meter::LogMeter,
    meter,
    part::Stage,
    place::Place,
};

/// Until what a start and a task leave to do (a checkpoint after 1 s) is over.
const REST: Duration = Duration::from_millis(1_500);

pub(crate) async fn measure(stage: &Stage, place: &Place, lasts: Duration) -> Result<Sample> {
    fill(stage, place, 0, 0).await?;
    let meter = LogMeter::start(place.path())?;
    let sample: Result<Sample> = stage.play(&Part::Idle { url: place.url().into(), lasts }).await;
    let written = meter.stop()?;
    // With those of its one task, its start and its stop.
    let seconds = (REST + lasts).as_secs_f64();
    Ok(sample?.with(Figure::CommitsPerSecond, written.commits as f64 / seconds))
}

pub(crate) async fn part(url: &str, lasts: Duration) -> Result<Sample> {
    let seen = Seen::none_of(1)?;
    let store = taskstore::connect(url).await?;
    store.register(Count(seen.clone())).await?;
    let runner = store.runner().start().await?;
    store.enqueue::<Count>(Job::sized(0, 0)).await?;
    seen.all().await;
    tokio::time::sleep(REST).await;

    let before = meter::cpu_of_threads();
    tokio::time::sleep(lasts).await;
    let after = meter::cpu_of_threads();

    runner.stop().await;
    let used = after.zip(before).map(|(after, before)| after.saturating_sub(before));
    Ok(Sample::new(0)
        .with(Figure::CpuPercent, used.map(|used| 100.0 * millis(used) / millis(lasts)))
        .with(Figure::PeakMegabytes, meter::peak_megabytes()))
}
