//! How fast several processes empty a full queue together: from when they are told to begin until the
//! end of every task is saved and all of them have stopped.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::{MissedTickBehavior, interval},
};

use super::{fill as fill_store, micros, with_counted};
use crate::{
    Figure, Part, Result, Sample,
    engine::Engine,
    job::{Count, Seen},
    meter,
    part::{Player, Stage, say},
};

/// What a process says when it could begin.
const READY: &str = "ready";
const BEGIN: &str = "begin";
/// How often each says how many tasks it has run, whether or not it ran any meanwhile.
const TELL_EVERY: Duration = Duration::from_millis(5);

/// What one of the processes did.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Share {
    succeeded: u64,
    released: u64,
    /// How many times it ran any.
    runs: u64,
    /// Which it ran, a bit for each.
    ran: Vec<u64>,
    cpu: Option<Duration>,
    peak_megabytes: Option<f64>,
}

pub(crate) async fn measure(
    stage: &Stage,
    engine: &dyn Engine,
    bytes: usize,
    tasks: u64,
    processes: usize,
) -> Result<Sample> {
    fill_store(stage, engine, bytes, tasks).await?;
    let mut players = Vec::new();
    for _ in 0..processes {
        let part = Part::Share { url: engine.url().into(), tasks };
        let mut player = stage.start(&part).await?;
        player.hear_out(READY).await?;
        players.push(player);
    }
    let mut meter = engine.meter().await?;
    let before = meter.read().await?;

    let began = Instant::now();
    for player in &mut players {
        player.tell(BEGIN).await?;
    }
    all_run(&mut players, tasks).await?;
    players.iter_mut().for_each(Player::end);
    let mut shares = Vec::new();
    for player in &mut players {
        shares.push(player.answer().await?);
    }
    let took = began.elapsed();

    for player in players {
        player.leave().await?;
    }
    with_counted(together(&shares, tasks, took)?, &mut *meter, &before).await
}

/// Waits until all tasks have run, whoever ran them.
async fn all_run(players: &mut [Player], tasks: u64) -> Result<()> {
    let mut run: Vec<u64> = vec![0; players.len()];
    while run.iter().sum::<u64>() < tasks {
        for (player, run) in players.iter_mut().zip(&mut run) {
            *run = player.hear().await?.parse()?;
        }
    }
    Ok(())
}

fn together(shares: &[Share], tasks: u64, took: Duration) -> Result<Sample> {
    let sum = |part: fn(&Share) -> u64| shares.iter().map(part).sum::<u64>();
    let (succeeded, runs) = (sum(|share| share.succeeded), sum(|share| share.runs));
    let mut ran = Vec::new();
    for share in shares {
        ran.resize(share.ran.len().max(ran.len()), 0);
        ran.iter_mut().zip(&share.ran).for_each(|(all, word)| *all |= word);
    }
    let once: u64 = ran.iter().map(|word: &u64| u64::from(word.count_ones())).sum();
    if succeeded != tasks || once != tasks {
        let said = format!("of {tasks} tasks {once} ran, {runs} times, and {succeeded} succeeded");
        return Err(said.into());
    }
    let cpu: Option<Duration> = shares.iter().map(|share| share.cpu).sum();
    let peak = shares.iter().filter_map(|share| share.peak_megabytes).reduce(f64::max);
    Ok(Sample::new(tasks)
        .with(Figure::TasksPerSecond, tasks as f64 / took.as_secs_f64())
        .with_per_task(Figure::CpuMicrosPerTask, cpu.map(micros))
        .with(Figure::PeakMegabytes, peak)
        .with(Figure::Duplicates, (runs - once) as f64)
        .with(Figure::GivenBack, sum(|share| share.released) as f64))
}

pub(crate) async fn part(url: &str, tasks: u64) -> Result<Share> {
    let seen = Seen::none_of(tasks)?;
    let store = taskstore::connect(url).await?;
    store.register(Count(seen.clone())).await?;
    let mut told = BufReader::new(tokio::io::stdin()).lines();
    say(READY)?;
    told.next_line().await?.filter(|line| line == BEGIN).ok_or("nobody said when to begin")?;

    let cpu_before = meter::cpu();
    let runner = store.runner().start().await?;
    let mut ticks = interval(TELL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            line = told.next_line() => if line?.is_none() { break },
            _ = ticks.tick() => say(&seen.runs().to_string())?,
        }
    }
    let summary = runner.stop().await.summary;
    Ok(Share {
        succeeded: summary.succeeded,
        released: summary.released,
        runs: seen.runs(),
        ran: seen.words(),
        cpu: meter::cpu().zip(cpu_before).map(|(after, before)| after - before),
        peak_megabytes: meter::peak_megabytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(ran: u64, runs: u64) -> Share {
        Share { succeeded: u64::from(ran.count_ones()), runs, ran: vec![ran], ..Share::default() }
    }

    #[test]
    fn what_two_processes_ran_is_a_duplicate() {
        let mut shares = [share(0b0011, 2), share(0b1110, 3)];
        let error = together(&shares, 4, Duration::from_secs(2)).unwrap_err();
        assert!(
            error.to_string().contains("of 4 tasks 4 ran, 5 times, and 5 succeeded"),
            "{error}"
        );
        // The second settlement of the task in the middle was refused.
        shares[1].succeeded = 2;
        let sample = together(&shares, 4, Duration::from_secs(2)).unwrap();
        assert_eq!(sample.figures.get(&Figure::TasksPerSecond), Some(&2.0));
        assert_eq!(sample.figures.get(&Figure::Duplicates), Some(&1.0));
        assert_eq!(sample.figures.get(&Figure::CpuMicrosPerTask), None);
    }

    #[test]
    fn a_task_that_nobody_ran_is_an_error() {
        let error = together(&[share(0b01, 1)], 2, Duration::from_secs(1)).unwrap_err();
        assert!(error.to_string().contains("of 2 tasks 1 ran"), "{error}");
    }
}
