//! How fast tasks go in: by one caller, by many at the same time, and many in one call. Without a
//! runner.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{fill, micros, watched};
use crate::{
    Figure, Part, Result, Sample,
    engine::Engine,
    job::{Count, Job, Seen},
    meter,
    part::Stage,
};

pub(crate) async fn measure(
    stage: &Stage,
    engine: &dyn Engine,
    callers: usize,
    per_call: usize,
    lasts: Duration,
) -> Result<Sample> {
    fill(stage, engine, 0, 0).await?;
    let part = Part::Enqueue { url: engine.url().into(), callers, per_call, lasts };
    watched(stage, engine, &part).await
}

pub(crate) async fn part(
    url: &str,
    callers: usize,
    per_call: usize,
    lasts: Duration,
) -> Result<Sample> {
    let store = taskstore::connect(url).await?;
    store.register(Count(Seen::none_of(0)?)).await?;

    let cpu_before = meter::cpu();
    let began = Instant::now();
    let mut calling: JoinSet<Result<u64>> = JoinSet::new();
    for caller in 0..callers as u64 {
        let store = store.clone();
        calling.spawn(async move {
            let mut tasks = 0;
            while began.elapsed() < lasts {
                let job = |n| Job::sized(caller * 1_000_000 + tasks + n, 0);
                if per_call == 1 {
                    store.enqueue::<Count>(job(0)).await?;
                } else {
                    store.enqueue_many::<Count>((0..per_call as u64).map(job)).await?;
                }
                tasks += per_call as u64;
            }
            Ok(tasks)
        });
    }
    let mut tasks = 0;
    while let Some(called) = calling.join_next().await {
        tasks += called??;
    }
    let took = began.elapsed();

    let cpu = meter::cpu().zip(cpu_before).map(|(after, before)| micros(after - before));
    Ok(Sample::new(tasks)
        .with(Figure::TasksPerSecond, tasks as f64 / took.as_secs_f64())
        .with_per_task(Figure::CpuMicrosPerTask, cpu)
        .with(Figure::PeakMegabytes, meter::peak_megabytes()))
}
