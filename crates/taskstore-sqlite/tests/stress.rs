//! Random histories on a file that several handles share, judged by what the promises allow.

use std::sync::Arc;

use taskstore_conformance::stress::{self, Options};
use taskstore_core::{Backend, backend::Migrate};
use taskstore_sqlite::{SqliteBackend, SqliteOptions};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_shared_by_three_keeps_every_promise_under_stress() {
    let folder = tempfile::tempdir().unwrap();
    let mut handles: Vec<Arc<dyn Backend>> = Vec::new();
    for _ in 0..3 {
        let options = SqliteOptions::new(folder.path().join("tasks.db"));
        let backend = SqliteBackend::open(options).await.unwrap();
        backend.migrate(&Migrate::up()).await.unwrap();
        handles.push(Arc::new(backend));
    }
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
    println!("seed {seed}: {tally:?}");
    assert!(tally.least() > 0, "seed {seed}: {tally:?}");
}
