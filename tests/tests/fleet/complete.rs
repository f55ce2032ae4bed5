//! Handlers whose effect and end are one transaction, killed between any two of its steps.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use taskstore::{Status, Store, TaskId};
use taskstore_tests::pay::DEATHS;

use crate::processes::{Worker, all_over};

const LEASE: Duration = Duration::from_secs(2);

fn effects(database: &std::path::Path) -> HashMap<TaskId, i64> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let mut rows = connection.prepare("SELECT task,count(*) FROM effect GROUP BY task").unwrap();
    let rows = rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?))).unwrap();
    rows.map(|row| row.map(|(task, n)| (task.parse().unwrap(), n)).unwrap()).collect()
}

/// Everything about one way to die, in a file of its own.
async fn dies(point: &'static str) -> (&'static str, usize, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("pay.db");
    let url = format!("sqlite://{}", database.display());
    let store: Store = taskstore::connect(&*url).auto_migrate(true).await.unwrap();
    store.register_fn("pay", |_, _: String| async move { Ok(()) }).await.unwrap();
    rusqlite::Connection::open(&database)
        .unwrap()
        .execute_batch("CREATE TABLE effect(task TEXT)")
        .unwrap();
    let mut tasks = Vec::new();
    for what in ["nowhere", point, "nowhere"] {
        tasks.push(store.enqueue_by_alias("", "pay", what).await.unwrap());
    }

    let began = Instant::now();
    let start = || Worker::start(&url, folder.path(), LEASE, 2);
    let mut worker = start();
    let mut deaths = 0;
    let mut open = tasks.clone();
    while deaths == 0 || !all_over(&store, &mut open).await {
        assert!(began.elapsed() < Duration::from_secs(90), "{point}: {open:?} are not over");
        if worker.has_died() {
            deaths += 1;
            worker = start();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = began.elapsed();
    worker.stop();

    let effects = effects(&database);
    for id in tasks {
        assert_eq!(effects.get(&id), Some(&1), "{point}: the effect of {id}");
        let task = store.tasks().get(id).await.unwrap();
        assert_eq!((task.status, task.attempts), (Status::Success, 1), "{point}: {task:?}");
    }
    (point, deaths, took)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_between_effect_and_end_has_done_it_once() {
    let all: Vec<_> = DEATHS.iter().map(|point| tokio::spawn(dies(point))).collect();
    for one in all {
        let (point, deaths, took) = one.await.unwrap();
        println!("killed {point:<18} {deaths} death, over after {:.1} s", took.as_secs_f64());
        assert_eq!(deaths, 1, "{point}");
    }
}
