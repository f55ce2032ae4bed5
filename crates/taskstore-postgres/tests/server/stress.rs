//! Random histories on a store that several processes share, judged by what the promises allow and
//! by the server's own count of deadlocks.

use std::sync::Arc;

use taskstore_conformance::stress::{self, Options};
use taskstore_core::Backend;

use crate::{
    Test,
    store::{Store, with_store},
};

pub(crate) const TESTS: &[Test] = &[(
    "a_store_shared_by_three_keeps_every_promise_under_stress_and_nothing_deadlocks",
    a_store_shared_by_three_keeps_every_promise_under_stress_and_nothing_deadlocks,
)];

fn a_store_shared_by_three_keeps_every_promise_under_stress_and_nothing_deadlocks() {
    with_store(async |store| {
        let mut handles: Vec<Arc<dyn Backend>> = Vec::new();
        for _ in 0..3 {
            handles.push(Arc::new(store.other().await));
        }
        let before = deadlocks(&store).await;
        let seed = std::env::var("TASKSTORE_SEED").map_or_else(
            |_| {
                u64::from(std::process::id()) << 20
                    | u64::from(taskstore_core::clock::now().microsecond())
            },
            |seed| seed.parse().unwrap(),
        );
        let tally = stress::run(&handles, Options::new(seed))
            .await
            .unwrap_or_else(|violations| panic!("seed {seed}:\n{}", violations.join("\n")));
        assert!(tally.claims > 0 && tally.settled > 0, "seed {seed}: {tally:?}");
        // Sessions say what they have counted when they end.
        drop(handles);
        assert_eq!(deadlocks(&store).await, before, "seed {seed}: {tally:?}");
    });
}

async fn deadlocks(store: &Store) -> String {
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname=current_database()";
    store.sql(sql).await.remove(0).remove(0)
}
