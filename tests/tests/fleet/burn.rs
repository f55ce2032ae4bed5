//! Handlers that burn both cores, and block every thread of their runtime, for far longer than the
//! lease: heartbeats have a thread of their own, so no lease is lost.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use taskstore::{RunError, Status};

const LEASE: Duration = Duration::from_secs(2);

/// How long they burn; a minute with `TASKSTORE_BURN_SECONDS=60`.
fn burn_for() -> Duration {
    let seconds = std::env::var("TASKSTORE_BURN_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(seconds.unwrap_or(8))
}

fn burn(time: Duration) {
    let until = Instant::now() + time;
    let mut n = 0_u64;
    while Instant::now() < until {
        n = black_box(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}

#[test]
fn handlers_that_burn_every_thread_lose_no_lease() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("burn.db").display());
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    };

    // Somebody else who would take over what looks dead.
    let watching = runtime();
    let watcher = watching.block_on(async {
        let store = taskstore::connect(&*url).auto_migrate(true).await.unwrap();
        store.runner().queue("elsewhere").lease(LEASE).start().await.unwrap();
        store
    });

    let burning = runtime();
    let (store, ids, lost) = burning.block_on(async {
        let store = taskstore::connect(&*url).await.unwrap();
        let lost = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&lost);
        store.set_error_handler(move |_, _, error| {
            if matches!(error, RunError::LeaseLost) {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        store
            .register_fn("burn", |_, (): ()| async move {
                burn(burn_for());
                Ok(())
            })
            .await
            .unwrap();
        let mut ids = Vec::new();
        for _ in 0..2 {
            ids.push(store.enqueue_by_alias("", "burn", ()).await.unwrap());
        }
        let summary = store.runner().concurrency(2).lease(LEASE).run_once().await.unwrap();
        assert_eq!((summary.succeeded, summary.lost), (2, 0), "{summary}");
        (store, ids, lost)
    });
    burning.block_on(async {
        for id in ids {
            let task = store.tasks().get(id).await.unwrap();
            assert_eq!((task.status, task.attempts), (Status::Success, 1));
            assert!(store.tasks().attempts(id).await.unwrap().len() == 1, "it ran once");
        }
    });
    assert_eq!(lost.load(Ordering::SeqCst), 0);
    watching.block_on(watcher.stop());
}
