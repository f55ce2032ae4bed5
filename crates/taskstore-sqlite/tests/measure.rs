//! The ratios that the decision records quote, from one interleaved run:
//! `cargo test -p taskstore-sqlite --test measure -- --ignored --nocapture`

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Store, claim};
use taskstore_core::{
    Backend,
    backend::{Known, Settle, Settlement, Transition},
};
use taskstore_sqlite::SqliteBackend;

const ROUNDS: usize = 5;

/// So many tasks, by so many callers who each wait for their answer before they go on.
async fn enqueue_singly(store: &Arc<Store>, callers: usize, tasks: usize) -> Duration {
    let began = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let store = store.clone();
        calls.spawn(async move {
            for _ in 0..tasks / callers {
                store.enqueue(1).await;
            }
        });
    }
    calls.join_all().await;
    began.elapsed() / u32::try_from(tasks).unwrap()
}

async fn enqueue_in_bulk(store: &Store, tasks: usize) -> Duration {
    let began = Instant::now();
    store.enqueue(tasks).await;
    began.elapsed() / u32::try_from(tasks).unwrap()
}

/// Claims and settles all there is in batches; what was claimed by one is settled by the other.
async fn drain(
    by: &SqliteBackend,
    settled_by: &SqliteBackend,
    batch: u32,
    known: Known,
) -> Duration {
    let (began, mut done) = (Instant::now(), 0_u32);
    loop {
        let mut next = claim(batch);
        next.known = known.clone();
        let tasks = by.claim(&next).await.unwrap().tasks;
        if tasks.is_empty() {
            break;
        }
        done += u32::try_from(tasks.len()).unwrap();
        let ends = tasks
            .iter()
            .map(|task| Settlement::new(task.lease, Transition::Success { output: None }))
            .collect();
        settled_by.settle(&Settle::new(ends)).await.unwrap();
    }
    began.elapsed() / done.max(1)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, and proves nothing"]
async fn group_commit_memory_of_leases_and_exclusion_lists() {
    let store = Arc::new(Store::new().await);
    let other = store.other().await;
    // Excluded and without a task, so that only the way of claiming differs.
    let idle = taskstore_core::Definition::new(taskstore_core::Alias::new("idle").unwrap());
    store.backend.put_definition(&idle, taskstore_core::backend::Expect::Absent).await.unwrap();
    let mut table: Vec<(&str, Vec<Duration>)> = Vec::new();
    let mut note =
        |what: &'static str, took: Duration| match table.iter_mut().find(|(name, _)| *name == what)
        {
            Some((_, rounds)) => rounds.push(took),
            None => table.push((what, vec![took])),
        };
    for _ in 0..ROUNDS {
        note("enqueue, 1 caller", enqueue_singly(&store, 1, 200).await);
        note("enqueue, 64 callers", enqueue_singly(&store, 64, 6_400).await);
        note("enqueue, 1,000 at a time", enqueue_in_bulk(&store, 1_000).await);
        drain(&store.backend, &store.backend, 500, Known::All).await;
        for (what, settled_by, known) in [
            ("drain by 500", &store.backend, Known::All),
            ("drain by 500, settled by another handle", &other, Known::All),
            ("drain by 500, one definition excluded", &store.backend, Known::Except(vec![idle.id])),
        ] {
            store.enqueue(10_000).await;
            note(what, drain(&store.backend, settled_by, 500, known).await);
        }
    }
    for (what, rounds) in &mut table {
        rounds.sort_unstable();
        println!("{what:45} {:8.1} us", rounds[ROUNDS / 2].as_secs_f64() * 1e6);
    }
}
