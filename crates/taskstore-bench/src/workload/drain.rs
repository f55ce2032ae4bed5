//! How fast a runner with default settings empties a full queue: from its start until the end of
//! every task is saved and it has stopped. The process that drains is not the one that filled.

use std::time::Instant;

use super::{fill as fill_store, micros, watched};
use crate::{
    Figure, Part, Result, Sample,
    engine::{self, Engine},
    job::{Count, Job, Seen},
    meter,
    part::Stage,
};

/// So many tasks are enqueued in one call.
const FILL_TASKS: u64 = 2_000;

pub(crate) async fn measure(
    stage: &Stage,
    engine: &dyn Engine,
    bytes: usize,
    tasks: u64,
) -> Result<Sample> {
    fill_store(stage, engine, bytes, tasks).await?;
    watched(stage, engine, &Part::Drain { url: engine.url().into(), tasks }).await
}

/// Makes the store, and enqueues the jobs.
pub(crate) async fn fill(url: &str, bytes: usize, tasks: u64) -> Result<()> {
    let store = taskstore::connect(url).auto_migrate(true).await?;
    store.register(Count(Seen::none_of(0)?)).await?;
    for first in (0..tasks).step_by(FILL_TASKS as usize) {
        let jobs = (first..tasks.min(first + FILL_TASKS)).map(|id| Job::sized(id, bytes));
        store.enqueue_many::<Count>(jobs).await?;
    }
    engine::after_fill(url).await
}

pub(crate) async fn part(url: &str, tasks: u64) -> Result<Sample> {
    let seen = Seen::none_of(tasks)?;
    let store = taskstore::connect(url).await?;
    store.register(Count(seen.clone())).await?;

    let cpu_before = meter::cpu();
    let began = Instant::now();
    let runner = store.runner().start().await?;
    seen.all().await;
    let summary = runner.stop().await.summary;
    let took = began.elapsed();

    let cpu = meter::cpu().zip(cpu_before).map(|(after, before)| micros(after - before));
    if summary.succeeded != tasks {
        return Err(format!("of {tasks} tasks: {summary}").into());
    }
    Ok(Sample::new(tasks)
        .with(Figure::TasksPerSecond, tasks as f64 / took.as_secs_f64())
        .with_per_task(Figure::CpuMicrosPerTask, cpu)
        .with(Figure::PeakMegabytes, meter::peak_megabytes())
        .with(Figure::Duplicates, seen.duplicates() as f64)
        .with(Figure::GivenBack, summary.released as f64))
}
