//! What a task costs: time, log, and whether its end was a HOT update; decision 0060 quotes it:
//! `cargo test --release -p taskstore-postgres --test measure -- --ignored --nocapture`

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/harness.rs"]
mod harness;

use std::time::Instant;

use serde_json::value::RawValue;
use taskstore_core::{
    Alias, Backend, Definition, QueueName, RunnerId,
    backend::{Claim, Claimed, Enqueue, Expect, Migrate, NewTask, Settle, Settlement, Transition},
};
use taskstore_postgres::PostgresBackend;

const TASKS: usize = 20_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, and proves nothing"]
async fn a_tasks_life_in_batches() {
    let harness = harness::Postgres::from_env().unwrap();
    harness.make_schema("measure").await;
    let backend = PostgresBackend::open(harness.options("measure")).await.unwrap();
    backend.migrate(&Migrate::up()).await.unwrap();
    let definition = Definition::new(Alias::new("email.send").unwrap());
    backend.put_definition(&definition, Expect::Absent).await.unwrap();
    let lsn = async || -> u64 {
        let sql = "SELECT pg_current_wal_lsn()-'0/0'";
        let rows = harness.sql("measure", sql).await.unwrap();
        rows.iter().rev().nth(1).unwrap().first().unwrap().parse().unwrap()
    };
    let per = |bytes: u64| bytes / TASKS as u64;
    for batch in [1, 10, 50, 500] {
        let parameters = RawValue::from_string("{\"to\":1234}".to_owned()).unwrap();
        let tasks: Vec<_> =
            (0..TASKS).map(|_| NewTask::new(definition.id, parameters.clone())).collect();
        let (began, log) = (Instant::now(), lsn().await);
        for tasks in tasks.chunks(1_000) {
            backend.enqueue(&Enqueue::new(tasks)).await.unwrap();
        }
        let (enqueue, enqueue_log) = (began.elapsed(), lsn().await - log);
        let limit = if batch == 1 { 500 } else { TASKS };
        let (began, log) = (Instant::now(), lsn().await);
        let done = drain(&backend, batch, limit).await;
        let (drained, drain_log) = (began.elapsed(), lsn().await - log);
        println!(
            "enqueue 1000 at a time: {:.1} us, {} B of log each; drain by {batch}: {:.1} us, {} B each",
            enqueue.as_secs_f64() * 1e6 / TASKS as f64,
            per(enqueue_log),
            drained.as_secs_f64() * 1e6 / done as f64,
            drain_log / done as u64,
        );
        drain(&backend, 500, TASKS).await;
    }
    let hot =
        "SELECT pg_stat_clear_snapshot();SELECT n_tup_upd,n_tup_hot_upd FROM pg_stat_user_tables
               WHERE relid='task_queue'::regclass";
    // Sessions say what they have counted when they end.
    drop(backend);
    let rows = harness.sql("measure", hot).await.unwrap();
    println!("record, updates and HOT updates: {:?}", rows.iter().rev().nth(1).unwrap());
}

/// Settles a batch and claims the next in the same call. How many tasks it ended.
async fn drain(backend: &PostgresBackend, batch: u32, at_most: usize) -> usize {
    let claim = || Claim::new(RunnerId::new(), [QueueName::default()], batch);
    let mut claimed: Claimed = backend.claim(&claim()).await.unwrap();
    let mut done = 0;
    while !claimed.tasks.is_empty() {
        let ends = claimed
            .tasks
            .iter()
            .map(|task| Settlement::new(task.lease, Transition::Success { output: None }))
            .collect();
        done += claimed.tasks.len();
        let mut settle = Settle::new(ends);
        if done < at_most {
            settle = settle.then(claim());
        }
        claimed = backend.settle(&settle).await.unwrap().claimed.unwrap_or_default();
    }
    done
}
