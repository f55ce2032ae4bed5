//! What a runner with default settings costs that has nothing to do: the runner, and the database for
//! it. Between two moments that the runner's process tells, so that neither its start nor its stop
//! counts.

use std::time::{Duration, Instant};

use super::{fill, millis};
use crate::{
    Figure, Part, Result, Sample,
    engine::{Counter, Engine},
    job::{Count, Job, Seen},
    meter,
    part::{Stage, dismissed, say},
};

/// Until what a start and a task leave to do (a checkpoint after 1 s) is over.
const REST: Duration = Duration::from_millis(1_500);
const BEGINS: &str = "begins";
const ENDS: &str = "ends";

pub(crate) async fn measure(stage: &Stage, engine: &dyn Engine, lasts: Duration) -> Result<Sample> {
    fill(stage, engine, 0, 0).await?;
    let mut player = stage.start(&Part::Idle { url: engine.url().into(), lasts }).await?;
    // The runner's process has made the place complete by then.
    player.hear_out(BEGINS).await?;
    let mut meter = engine.meter().await?;
    let before = meter.read().await?;
    let began = Instant::now();
    player.hear_out(ENDS).await?;
    let counted = meter.read().await?.since(&before);
    let seconds = began.elapsed().as_secs_f64();

    let sample: Sample = player.dismiss().await?;
    let per_second = |counter| counted.get(counter).map(|count| count / seconds);
    let server = per_second(Counter::ServerMicros);
    Ok(sample
        .with(Figure::ServerPercent, server.map(|micros| 100.0 * micros / 1e6))
        .with(Figure::CommitsPerSecond, per_second(Counter::Commits))
        .with(Figure::StatementsPerSecond, per_second(Counter::Statements)))
}

pub(crate) async fn part(url: &str, lasts: Duration) -> Result<Sample> {
    let seen = Seen::none_of(1)?;
    let store = taskstore::connect(url).await?;
    store.register(Count(seen.clone())).await?;
    let runner = store.runner().start().await?;
    store.enqueue::<Count>(Job::sized(0, 0)).await?;
    seen.all().await;
    tokio::time::sleep(REST).await;

    say(BEGINS)?;
    let before = meter::cpu_of_threads();
    tokio::time::sleep(lasts).await;
    let after = meter::cpu_of_threads();
    say(ENDS)?;
    dismissed().await?;

    runner.stop().await;
    let used = after.zip(before).map(|(after, before)| after.saturating_sub(before));
    Ok(Sample::new(0)
        .with(Figure::CpuPercent, used.map(|used| 100.0 * millis(used) / millis(lasts)))
        .with(Figure::PeakMegabytes, meter::peak_megabytes()))
}
