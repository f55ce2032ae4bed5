//! Random histories on a database that several handles share, judged by what the promises allow.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and tells its seed"
)]

mod common;

use std::sync::Arc;

use common::Store;
use taskstore_conformance::stress::{self, Options};
use taskstore_core::Backend;

common::server_tests!(a_database_shared_by_three_keeps_every_promise_under_stress);

async fn a_database_shared_by_three_keeps_every_promise_under_stress() {
    let store = Store::new().await;
    let mut handles: Vec<Arc<dyn Backend>> = Vec::new();
    for _ in 0..3 {
        handles.push(Arc::new(store.other().await));
    }
    let seed = std::env::var("TASKSTORE_SEED").map_or_else(
        |_| {
            u64::from(std::process::id()) << 20
                | u64::from(taskstore_core::clock::now().microsecond())
        },
        |seed| seed.parse().unwrap(),
    );
    let deadlocks = deadlocks(&store).await;
    let tally = stress::run(&handles, Options::new(seed))
        .await
        .unwrap_or_else(|violations| panic!("seed {seed}:\n{}", violations.join("\n")));
    eprintln!("seed {seed}: {tally:?}");
    assert!(tally.settled > 0 && tally.taken_over > 0, "seed {seed}: {tally:?}");
    let came = deadlocks_since(&store, deadlocks).await;
    eprintln!("seed {seed}: deadlocks {came:?}");
}

/// How often the server has chosen a victim; `None`: it does not say.
async fn deadlocks(store: &Store) -> Option<u64> {
    let rows = store.sql("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'").await;
    let value: String = rows.first()?.get(1)?;
    value.parse().ok()
}

async fn deadlocks_since(store: &Store, before: Option<u64>) -> Option<u64> {
    Some(deadlocks(store).await?.saturating_sub(before?))
}
