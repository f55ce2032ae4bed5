//! How soon a task starts for which a runner already waits: from the return of its enqueueing to the
//! first line of its handler, one task every 20 ms. In one process, and from one process to another.
//!
//! A start may come before the return, because a runner hears of a commit as soon as the enqueuer
//! does. Such a time is negative, and stays so.

use std::{
    collections::HashMap,
    io,
    time::{Duration, Instant, SystemTime},
};

use taskstore::{Store, TaskContext, TaskHandler, TaskResult};
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::{MissedTickBehavior, interval, timeout},
};

use super::fill;
use crate::{
    Part, Result, Sample,
    engine::Engine,
    job::{Count, Job},
    part::{Player, Stage, dismissed, say},
};

const EVERY: Duration = Duration::from_millis(20);
/// A task that has not started until then was lost.
const START_MAX: Duration = Duration::from_secs(30);
/// What a runner says when it waits for work.
const READY: &str = "ready";

pub(crate) async fn measure(stage: &Stage, engine: &dyn Engine, tasks: u64) -> Result<Sample> {
    fill(stage, engine, 0, 0).await?;
    stage.play(&Part::PickUp { url: engine.url().into(), tasks }).await
}

pub(crate) async fn measure_across(
    stage: &Stage,
    engine: &dyn Engine,
    tasks: u64,
) -> Result<Sample> {
    fill(stage, engine, 0, 0).await?;
    let url = || engine.url().to_owned();
    let mut runner = stage.start(&Part::Serve { url: url() }).await?;
    runner.hear_out(READY).await?;

    let returned: HashMap<u64, u64> = stage.play(&Part::PutDown { url: url(), tasks }).await?;
    let mut times = Vec::new();
    for _ in 0..tasks {
        let (id, started) = start_of_one(&mut runner).await?;
        let returned = returned.get(&id).ok_or("a task started that nobody enqueued")?;
        times.push((started as f64 - *returned as f64) / 1e6);
    }

    let () = runner.dismiss().await?;
    Ok(Sample::new(tasks).with_times(&times))
}

async fn start_of_one(runner: &mut Player) -> Result<(u64, u64)> {
    let line = timeout(START_MAX, runner.hear()).await.map_err(|_| "no task started")??;
    Ok(serde_json::from_str(&line)?)
}

/// A handler that says when it starts.
struct Tell<F>(F);

impl<F: Fn(u64) -> TaskResult<()> + Send + Sync + 'static> TaskHandler for Tell<F> {
    // The definition that the store was made with.
    const ALIAS: &'static str = Count::ALIAS;
    type Params = Job;
    type Output = ();

    async fn run(&self, _ctx: TaskContext, job: Job) -> TaskResult<()> {
        (self.0)(job.id)
    }
}

pub(crate) async fn within(url: &str, tasks: u64) -> Result<Sample> {
    let (starts, mut started) = unbounded_channel();
    let store = taskstore::connect(url).await?;
    store.register(Tell(move |_| Ok(tell(&starts)?))).await?;
    let runner = store.runner().start().await?;

    let mut times = Vec::new();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for id in 0..tasks {
        ticks.tick().await;
        enqueue(&store, id).await?;
        let returned = Instant::now();
        let start = timeout(START_MAX, started.recv()).await.map_err(|_| "a task did not start")?;
        let start = start.ok_or("the runner ended")?;
        times.push(
            super::millis(start.saturating_duration_since(returned))
                - super::millis(returned.saturating_duration_since(start)),
        );
    }
    runner.stop().await;
    Ok(Sample::new(tasks).with_times(&times))
}

fn tell(starts: &UnboundedSender<Instant>) -> io::Result<()> {
    starts.send(Instant::now()).map_err(io::Error::other)
}

/// When each enqueueing returned, by its job: nanoseconds by the clock that both processes have.
pub(crate) async fn put_down(url: &str, tasks: u64) -> Result<HashMap<u64, u64>> {
    let store = taskstore::connect(url).await?;
    let mut returned = HashMap::new();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for id in 0..tasks {
        ticks.tick().await;
        enqueue(&store, id).await?;
        returned.insert(id, nanos()?);
    }
    Ok(returned)
}

/// Says the job and the time of each start, on a line of its own.
pub(crate) async fn serve(url: &str) -> Result<()> {
    let store = taskstore::connect(url).await?;
    store
        .register(Tell(|id| {
            let started = nanos()?;
            Ok(say(&serde_json::to_string(&(id, started))?)?)
        }))
        .await?;
    let runner = store.runner().start().await?;
    say(READY)?;
    dismissed().await?;
    runner.stop().await;
    Ok(())
}

async fn enqueue(store: &Store, id: u64) -> Result<()> {
    store.enqueue::<Count>(Job::sized(id, 0)).await?;
    Ok(())
}

fn nanos() -> io::Result<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.map_err(io::Error::other)?.as_nanos()).map_err(io::Error::other)
}
