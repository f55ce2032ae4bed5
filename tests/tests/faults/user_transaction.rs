//! A user's transaction that holds SQLite's one lock for far longer than the lease, so that no beat
//! gets through: nobody may take anything over, because nobody could have been heard.

use std::time::Duration;

use taskstore::Store;

use crate::common::{Count, Counts, all_succeed_at_once, file};

const LEASE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_long_transaction_elsewhere_costs_no_living_runner_its_lease() {
    let (folder, backend) = file().await;
    let (first, second) = (Store::from(backend.clone()), Store::from(backend));
    let counts = Counts::serve(&first).await;
    let watching = Counts::serve(&second).await;
    let tasks = first.enqueue_many::<Count>([500; 10]).await.unwrap();
    let runner = first.runner().lease(LEASE).start().await.unwrap();
    while counts.runs() < 10 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let other = second.runner().queue("elsewhere").lease(LEASE).start().await.unwrap();

    let path = folder.path().join("faults.db");
    tokio::task::spawn_blocking(move || {
        let user = rusqlite::Connection::open(path).unwrap();
        user.busy_timeout(Duration::from_secs(10)).unwrap();
        user.execute_batch("BEGIN IMMEDIATE; CREATE TABLE theirs(x)").unwrap();
        // The transaction itself.
        std::thread::sleep(LEASE * 3);
        user.execute_batch("COMMIT").unwrap();
    })
    .await
    .unwrap();

    all_succeed_at_once(&first, &tasks).await;
    assert_eq!((counts.runs(), watching.runs()), (10, 0), "nothing ran twice");
    assert_eq!((counts.lost(), watching.lost()), (0, 0));
    runner.stop().await;
    other.stop().await;
}
