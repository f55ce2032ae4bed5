//! A database that goes away for a while.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use taskstore::Store;
use taskstore_core::Backend;
use taskstore_tests::faulty::{Fault, Faulty};

use crate::common::{Count, Counts, all_succeed_at_once, file};

/// A store that is away while the switch is on.
fn switched(backend: Arc<dyn Backend>) -> (Store, Arc<AtomicBool>) {
    let away = Arc::new(AtomicBool::new(false));
    let down = Arc::clone(&away);
    let faulty =
        Faulty::new(
            backend,
            move |_| {
                if down.load(Ordering::SeqCst) { Fault::Before } else { Fault::None }
            },
        );
    (Store::new(faulty), away)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_the_lease_loses_no_result_and_runs_nothing_twice() {
    let (_folder, backend) = file().await;
    let (store, away) = switched(backend.clone());
    let counts = Counts::serve(&store).await;
    let tasks = store.enqueue_many::<Count>((0..400).map(|n| n % 20)).await.unwrap();
    let lease = Duration::from_secs(2);
    let runner = store.runner().lease(lease).start().await.unwrap();
    while counts.runs() < 50 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    away.store(true, Ordering::SeqCst);
    // The outage itself.
    tokio::time::sleep(lease * 2).await;
    away.store(false, Ordering::SeqCst);
    let healthy = Store::from(backend);
    all_succeed_at_once(&healthy, &tasks).await;
    assert_eq!((counts.runs(), counts.lost()), (400, 0));
    assert!(counts.storage_errors() > 0, "the outage was told");
    runner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_during_an_outage_returns_when_everything_is_saved() {
    let (_folder, backend) = file().await;
    let (store, away) = switched(backend.clone());
    let counts = Counts::serve(&store).await;
    let tasks = store.enqueue_many::<Count>([30; 10]).await.unwrap();
    let runner = store.runner().start().await.unwrap();
    while counts.runs() < 10 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    away.store(true, Ordering::SeqCst);
    let stopping = tokio::spawn(async move { runner.stop().await });
    // Long enough for every handler to end: their results have nowhere to go.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!stopping.is_finished(), "it must not say that all is saved");
    away.store(false, Ordering::SeqCst);
    assert_eq!(stopping.await.unwrap().summary.succeeded, 10);
    all_succeed_at_once(&Store::from(backend), &tasks).await;
}
