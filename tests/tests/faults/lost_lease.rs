//! A runner that lives, but whose heartbeat does not get through: its tasks are taken over, and what
//! it still does for them is refused.

use std::time::Duration;

use taskstore::{Status, Store};
use taskstore_tests::faulty::{Fault, Faulty};

use crate::common::{Count, Counts, file, over};

const LEASE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_not_heard_of_loses_its_tasks_and_is_told() {
    let (_folder, backend) = file().await;
    // It does not watch either, or it would take its own lease over.
    let mute = Faulty::new(backend.clone(), |call| match call {
        "beat" | "late_leases" => Fault::Before,
        _ => Fault::None,
    });
    let mute = Store::new(mute);
    let stale = Counts::serve(&mute).await;
    // A handler that outlives its lease.
    let id = mute.enqueue::<Count>(7_000).await.unwrap();
    let runner = mute.runner().serial().lease(LEASE).start().await.unwrap();
    while stale.runs() < 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    let healthy = Store::from(backend);
    let fresh = Counts::serve(&healthy).await;
    let other = healthy.runner().lease(LEASE).start().await.unwrap();
    over(&healthy, id).await;
    let task = healthy.tasks().get(id).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Success, 1), "the loss is refunded");
    assert!(!task.suspect, "it ran to an end");
    let stopped = runner.stop().await;
    other.stop().await;
    assert_eq!((stale.runs(), fresh.runs()), (1, 1));
    assert_eq!((stopped.summary.succeeded, stopped.summary.lost), (0, 1), "refused");
    for _ in 0..2_000 {
        if stale.lost() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the error handler heard of {} lost leases", stale.lost());
}
