//! Many participants who do everything that may be done to one store at the same time, honestly and
//! otherwise: holders that crash, settlements that are stale or sent again, leases taken over while
//! their holders live, requests and replies that are lost. The [checker] is the judge.
//!
//! A [`worker`] needs nothing but a backend and a number, and returns its history as plain data, so
//! that it can as well run in another process, on a handle of its own to the same store:
//! [`prepare`] once, [`workers`] in each process, and [`finish`] with all their histories.

mod drain;
#[cfg(test)]
mod tests;
mod work;
mod world;

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use taskstore_core::{
    Alias, Backend, Definition,
    backend::{DefinitionKey, Expect},
};

use self::{drain::drain, work::Worker};
use crate::checker::{self, Event, Recorded, What};

/// How a stress is run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// So many participants in this process.
    pub workers: u32,
    /// How long they go on.
    pub lasts: Duration,
    /// What everything random is made from.
    pub seed: u64,
    /// How likely a request is lost, and a reply: `0.0..1.0`.
    pub faults: f64,
    /// The number of the first participant of this process; no two processes share one.
    pub first: u32,
}

impl Options {
    /// Eight participants for two seconds, or for as many as `TASKSTORE_STRESS_SECONDS` says; two
    /// requests in a hundred are lost, and as many replies.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let seconds = std::env::var("TASKSTORE_STRESS_SECONDS").ok();
        let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(2);
        Self { workers: 8, lasts: Duration::from_secs(seconds), seed, faults: 0.02, first: 0 }
    }
}

/// What happened, by kind: a stress that did nothing proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tasks stored.
    pub tasks: usize,
    /// Tasks claimed.
    pub claims: usize,
    /// Settlements that were accepted, the first time or again.
    pub settled: usize,
    /// Settlements that were refused.
    pub lost: usize,
    /// Isolations that were accepted.
    pub isolated: usize,
    /// Leases taken over.
    pub taken_over: usize,
    /// Moves made or requested without a lease.
    pub moved: usize,
    /// Beats counted.
    pub beats: usize,
    /// Requests and replies that were lost.
    pub unknown: usize,
    /// Everything that was asked, by position.
    pub events: usize,
}

/// Runs participants in this process, in turn on each of these handles to one store, drains the
/// store, and judges.
///
/// # Errors
/// Every violation, as a text with the history of its task; or what made the store unusable.
pub async fn run(handles: &[Arc<dyn Backend>], options: Options) -> Result<Tally, Vec<String>> {
    let Some(first) = handles.first() else { return Err(vec!["there is no handle".into()]) };
    prepare(&**first, options.seed).await.map_err(|error| vec![error.to_string()])?;
    let history = workers(handles, options).await?;
    finish(Arc::clone(first), options.seed, history).await
}

/// Stores what the participants need; once, before any of them begins.
///
/// # Errors
/// What the store said.
pub async fn prepare(backend: &dyn Backend, seed: u64) -> taskstore_core::Result<()> {
    let alias = Alias::new(&format!("stress.{seed}"))?;
    let definition = Definition { id: world::definition(seed), ..Definition::new(alias) };
    if backend.definition(&DefinitionKey::Id(definition.id)).await?.is_none() {
        backend.put_definition(&definition, Expect::Absent).await?;
    }
    Ok(())
}

/// The participants of this process, and what they saw.
///
/// # Errors
/// What stopped one of them.
pub async fn workers(
    handles: &[Arc<dyn Backend>],
    options: Options,
) -> Result<Vec<Event>, Vec<String>> {
    let running: Vec<_> = (options.first..options.first + options.workers)
        .zip(handles.iter().cycle())
        .map(|(number, handle)| tokio::spawn(worker(Arc::clone(handle), options, number)))
        .collect();
    let mut history = Vec::new();
    let mut failures = Vec::new();
    for worker in running {
        match worker.await {
            Ok(events) => history.extend(events),
            Err(error) => failures.push(format!("a participant stopped: {error}")),
        }
    }
    if failures.is_empty() { Ok(history) } else { Err(failures) }
}

/// One participant: asks for random things until the time is over, and returns what it saw.
pub async fn worker(backend: Arc<dyn Backend>, options: Options, number: u32) -> Vec<Event> {
    let mut worker = Worker::new(backend, options, number);
    worker.work().await;
    worker.history()
}

/// Drains the store after all participants have ended, and judges their histories together.
///
/// # Errors
/// Every violation, or what made the store unusable.
pub async fn finish(
    backend: Arc<dyn Backend>,
    seed: u64,
    mut history: Vec<Event>,
) -> Result<Tally, Vec<String>> {
    let recorded = Recorded::new(backend, u32::MAX);
    let tasks = checker::tasks(&history);
    let failed = |error: taskstore_core::Error| vec![format!("the store failed: {error}")];
    drain(&recorded, &tasks).await.map_err(failed)?;
    checker::look_at(&recorded, tasks).await.map_err(failed)?;
    history.extend(recorded.history());
    let tally = Tally::of(&history);
    match tokio::task::spawn_blocking(move || checker::check(&history, true)).await {
        Ok(Ok(())) => Ok(tally),
        Ok(Err(mut violations)) => {
            let count = violations.len();
            violations.insert(0, format!("seed {seed}: {count} violations in {tally:?}"));
            Err(violations)
        }
        Err(error) => Err(vec![format!("the checker stopped: {error}")]),
    }
}

impl Tally {
    /// How often the rarest kind happened.
    #[must_use]
    pub fn least(&self) -> usize {
        let Self { tasks, claims, settled, lost, isolated, taken_over, moved, beats, .. } = *self;
        [tasks, claims, settled, lost, isolated, taken_over, moved, beats]
            .into_iter()
            .min()
            .unwrap_or_default()
    }

    /// Together with what another stress did.
    pub fn add(&mut self, other: &Self) {
        self.tasks += other.tasks;
        self.claims += other.claims;
        self.settled += other.settled;
        self.lost += other.lost;
        self.isolated += other.isolated;
        self.taken_over += other.taken_over;
        self.moved += other.moved;
        self.beats += other.beats;
        self.unknown += other.unknown;
        self.events += other.events;
    }

    /// Counts a history.
    #[must_use]
    pub fn of(history: &[Event]) -> Self {
        use checker::{Answer::Said, Became};
        let mut tally = Self { events: history.len(), ..Self::default() };
        tally.tasks = checker::stored(history).len();
        for event in history {
            let count = match &event.what {
                What::Claim { answer: Said(given), .. } => {
                    tally.claims += given.len();
                    continue;
                }
                What::Settle { answer: Said(Some(_)), .. } => &mut tally.settled,
                What::Settle { answer: Said(None), .. } => &mut tally.lost,
                What::Isolate { answer: Said(Some(_)), .. } => &mut tally.isolated,
                What::TakeOver { answer: Said(Some(_)), .. } => &mut tally.taken_over,
                What::Beat { answer: Said(Some(true)), .. } => &mut tally.beats,
                What::Control { answer: Said(Became::Moved(..) | Became::Requested), .. } => {
                    &mut tally.moved
                }
                what if what.unknown().is_some() => &mut tally.unknown,
                _ => continue,
            };
            *count += 1;
        }
        tally
    }
}
