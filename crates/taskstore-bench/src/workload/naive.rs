//! The baseline: the queue that everybody writes first. One table; one transaction takes a row, the
//! work is done, a second one marks it as done; one at a time. On the same driver, with the same
//! durability, in a place of its own.

use std::time::{Duration, Instant};

use super::{micros, watched};
use crate::{
    Figure, Part, Result, Sample,
    engine::Engine,
    job::{Job, Seen},
    meter,
    part::Stage,
};

/// More than can be done in a second on the fastest engine.
const ROWS_PER_SECOND: f64 = 20_000.0;

/// The naive queue, as an engine's driver speaks to it.
pub(crate) trait Queue {
    /// In a transaction: finds the first row that waits, and marks it as running.
    async fn take(&mut self) -> Result<Option<Taken>>;

    /// Marks it as done.
    async fn end(&mut self, id: i64) -> Result<()>;
}

/// A row that this worker runs.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) id: i64,
    pub(crate) payload: String,
}

pub(crate) async fn measure(stage: &Stage, engine: &dyn Engine, lasts: Duration) -> Result<Sample> {
    let rows = (lasts.as_secs_f64() * ROWS_PER_SECOND).ceil() as u64 / engine.slowness();
    let url = || engine.url().to_owned();
    let () = stage.play(&Part::NaiveFill { url: url(), rows }).await?;
    watched(stage, engine, &Part::Naive { url: url(), rows, lasts }).await
}

/// Runs one row after another until the time is over or there are no more.
pub(crate) async fn run(mut queue: impl Queue, rows: u64, lasts: Duration) -> Result<Sample> {
    let seen = Seen::none_of(rows)?;
    let cpu_before = meter::cpu();
    let began = Instant::now();
    let mut tasks = 0;
    while began.elapsed() < lasts
        && let Some(taken) = queue.take().await?
    {
        let job: Job = serde_json::from_str(&taken.payload)?;
        seen.saw(job.id)?;
        queue.end(taken.id).await?;
        tasks += 1;
    }
    let took = began.elapsed();

    let cpu = meter::cpu().zip(cpu_before).map(|(after, before)| micros(after - before));
    Ok(Sample::new(tasks)
        .with(Figure::TasksPerSecond, tasks as f64 / took.as_secs_f64())
        .with_per_task(Figure::CpuMicrosPerTask, cpu)
        .with(Figure::PeakMegabytes, meter::peak_megabytes())
        .with(Figure::Duplicates, seen.duplicates() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine;

    #[tokio::test]
    async fn every_row_runs_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("naive.db");
        let url = format!("sqlite://{}?synchronous=normal", file.display());
        engine::fill_naive(&url, 30).await.unwrap();
        let sample = engine::run_naive(&url, 30, Duration::from_secs(60)).await.unwrap();
        assert_eq!(sample.tasks, 30);
        assert_eq!(sample.figures.get(&Figure::Duplicates), Some(&0.0));
        let again = engine::run_naive(&url, 30, Duration::from_secs(60)).await.unwrap();
        assert_eq!(again.tasks, 0);
    }
}
