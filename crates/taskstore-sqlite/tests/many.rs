//! Going through very many tasks that wait: by the record, where sorting them costs more; and what
//! bulk actions and retention cost whoever works beside them. Decisions 0044 and 0045 quote it:
//! `cargo test -p taskstore-sqlite --test many --release -- --ignored --nocapture`

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use common::{Store, claim};
use taskstore_core::{
    Backend, Retention, Status, TaskId,
    backend::{
        Control, Enqueue, Move, NewTask, Settle, Settlement, TaskFilter, TaskOrder, TaskQuery,
        Transition,
    },
};
use taskstore_sqlite::SqliteBackend;

/// More than are sorted for a page.
const TASKS: usize = 25_000;

async fn all_ids(store: &Store, order: TaskOrder) -> Vec<TaskId> {
    let mut filter = TaskFilter::default();
    filter.statuses = Some(vec![Status::Queued]);
    let mut query = TaskQuery::new(filter, order, 10_000);
    let mut all = Vec::new();
    loop {
        let page = store.backend.task_ids(&query).await.unwrap();
        all.extend(page.items);
        match page.next {
            Some(next) => query = query.after(next),
            None => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_that_wait_are_found_in_the_order_of_enqueue_whatever_else_is_there() {
    let store = Store::new().await;
    let mut queued = store.enqueue(TASKS).await;
    let running: BTreeSet<TaskId> =
        store.claim(100).await.tasks.iter().map(|task| task.lease.task).collect();
    assert_eq!(running.len(), 100);
    queued.retain(|id| !running.contains(id));
    let cancel = Move::Cancel { reason: "why".into() };
    let canceled: Vec<_> = queued.iter().copied().step_by(100).collect();
    store.backend.control(&Control::new(canceled.clone(), cancel)).await.unwrap();
    queued.retain(|id| !canceled.contains(id));
    assert!(queued.len() > 24_000);
    assert_eq!(all_ids(&store, TaskOrder::OldestFirst).await, queued);
    queued.reverse();
    assert_eq!(all_ids(&store, TaskOrder::NewestFirst).await, queued);
}

/// 1,000,000 that are ready in `many`, and 100,000 that failed.
fn fill(store: &Store) {
    store
        .sql()
        .execute_batch(
            "PRAGMA synchronous=OFF; PRAGMA cache_size=-200000; BEGIN;
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1100000)
              INSERT INTO task_queue(id,definition_id,queue,status,run_at,created_at,updated_at,completed_at,turn,attempts)
              SELECT printf('01%024d',i),1,'many',CASE WHEN i<=100000 THEN 3 ELSE 0 END,i,i,i,
               CASE WHEN i<=100000 THEN i END,i<=100000,i<=100000 FROM n;
             INSERT INTO task_payload(task,parameters) SELECT seq,'{\"to\":\"user@example.org\"}' FROM task_queue;
             INSERT INTO task_aside SELECT status,seq FROM task_queue WHERE status=3;
             INSERT INTO task_result(attempt,status,started_at,ended_at,owner,error)
              SELECT seq<<24,3,1,1,'01K00000000000000000000000','broken' FROM task_queue WHERE status=3;
             INSERT INTO task_ready SELECT queue,priority,run_at,seq,1 FROM task_queue WHERE status=0;
             COMMIT; PRAGMA wal_checkpoint(TRUNCATE);",
        )
        .unwrap();
}

/// What others wait for, one call after another, until `over`.
struct Beside {
    enqueue: Vec<Duration>,
    claim: Vec<Duration>,
    other: Vec<Duration>,
}

/// A producer and a runner through the same handle, and a producer in what is to the file another
/// process, each with a pause of 2 ms between its calls.
async fn beside(store: &Arc<Store>, over: Arc<AtomicBool>) -> Beside {
    let other = Arc::new(store.other().await);
    let (first, second, third) = (store.clone(), store.clone(), store.clone());
    let (one, two, three) = (over.clone(), over.clone(), over);
    let enqueue = tokio::spawn(async move { produce(&first.backend, &first, &one).await });
    let others = tokio::spawn(async move { produce(&other, &second, &two).await });
    let claims = tokio::spawn(async move {
        let mut took = Vec::new();
        while !three.load(Ordering::Relaxed) {
            let began = Instant::now();
            let tasks = third.backend.claim(&claim(10)).await.unwrap().tasks;
            took.push(began.elapsed());
            let ends = tasks
                .iter()
                .map(|task| Settlement::new(task.lease, Transition::Success { output: None }))
                .collect();
            third.backend.settle(&Settle::new(ends)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        took
    });
    Beside {
        enqueue: enqueue.await.unwrap(),
        other: others.await.unwrap(),
        claim: claims.await.unwrap(),
    }
}

async fn produce(by: &SqliteBackend, store: &Store, over: &AtomicBool) -> Vec<Duration> {
    let mut took = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let task: NewTask = store.task();
        let began = Instant::now();
        by.enqueue(&Enqueue::new(&[task])).await.unwrap();
        took.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    took
}

fn spread(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |part: usize| {
        let place = took.len().saturating_sub(1) * part / 100;
        took.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    format!("{:.1} / {:.1} / {:.0}", at(50), at(99), at(100))
}

async fn measured(store: &Arc<Store>, what: &str, work: impl AsyncFnOnce() -> u64) -> String {
    let over = Arc::new(AtomicBool::new(false));
    let (watched, until) = (store.clone(), over.clone());
    let beside = tokio::spawn(async move { beside(&watched, until).await });
    let began = Instant::now();
    let tasks = work().await;
    let took = began.elapsed();
    over.store(true, Ordering::Relaxed);
    let beside = beside.await.unwrap();
    format!(
        "| {what} | {tasks} | {:.1} | {:.0} | {} | {} | {} |",
        took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / tasks.max(1) as f64,
        spread(beside.enqueue),
        spread(beside.claim),
        spread(beside.other),
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, and proves nothing"]
async fn what_bulk_actions_and_retention_cost_those_beside_them() {
    let store = Arc::new(Store::new().await);
    fill(&store);
    let other: Arc<dyn Backend> = Arc::new(store.other().await);
    let minute = Duration::from_secs(60);
    let retention = Retention::keep_forever().ended(minute);
    let tasks = taskstore_core::Store::builder(store.other().await).retention(retention);
    let keeper = tasks.await.unwrap();
    let many = taskstore_core::Store::from(other);
    let many = || many.tasks().queue("many");
    println!(
        "| | tasks | s | us each | enqueue ms p50/p99/max | claim ms | enqueue elsewhere ms |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let line = measured(&store, "nothing", async || {
        tokio::time::sleep(Duration::from_secs(5)).await;
        0
    })
    .await;
    println!("{line}");
    let line = measured(&store, "requeue failed", async || {
        let report = many().status(Status::Failed).requeue().await.unwrap();
        report.moved
    })
    .await;
    println!("{line}");
    let line = measured(&store, "cancel queued", async || {
        many().status(Status::Queued).cancel().await.unwrap().moved
    })
    .await;
    println!("{line}");
    let line = measured(&store, "purge half of the canceled", async || {
        many().purge().at_most(550_000).await.unwrap().moved
    })
    .await;
    println!("{line}");
    // What is left ended long ago.
    store.sql().execute_batch("UPDATE task_queue SET completed_at=seq WHERE queue='many'").unwrap();
    let line = measured(&store, "retention by hand", async || {
        keeper.apply_retention().await.unwrap().total()
    })
    .await;
    println!("{line}");
    let left = store.backend.count(&TaskFilter::default(), 2_000_000).await.unwrap();
    println!("left: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, and proves nothing"]
async fn what_a_runners_janitor_costs_those_beside_it() {
    let store = Arc::new(Store::new().await);
    fill(&store);
    store
        .sql()
        .execute_batch(
            "PRAGMA synchronous=OFF; BEGIN; DELETE FROM task_ready;
             UPDATE task_queue SET status=2,completed_at=seq,turn=1 WHERE status=0; COMMIT;",
        )
        .unwrap();
    let minute = Duration::from_secs(60);
    let kept = Retention::keep_forever().ended(minute).queue("many", Retention::keep_forever());
    for (what, retention) in [
        ("janitor, a million kept", kept),
        ("janitor, a million over", Retention::keep_forever().ended(minute)),
    ] {
        let backend = store.other().await;
        let keeper = taskstore_core::Store::builder(backend).retention(retention).await.unwrap();
        let count =
            async || store.backend.count(&TaskFilter::default(), 2_000_000).await.unwrap().seen();
        let before = count().await;
        let line = measured(&store, what, async || {
            let runner = keeper.runner().queue("idle").start().await.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
            runner.stop().await;
            before.saturating_sub(count().await)
        })
        .await;
        println!("{line}");
    }
}
