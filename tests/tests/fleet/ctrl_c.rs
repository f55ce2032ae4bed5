//! A person who does not want to wait for running tasks.

use std::time::{Duration, Instant};

use taskstore::Status;

use crate::processes::Worker;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_ends_the_process_at_once_and_the_first_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("ctrl_c.db").display());
    let store = taskstore::connect(&*url).auto_migrate(true).await.unwrap();
    store.register_fn("work", |_, _: u64| async move { Ok(()) }).await.unwrap();
    // Longer than anybody waits; the drain deadline is 30 s.
    let id = store.enqueue_by_alias("", "work", 600_000).await.unwrap();
    let mut worker = Worker::start(&url, folder.path(), Duration::from_secs(15), 1);
    let deadline = Instant::now() + Duration::from_secs(20);
    while store.tasks().get(id).await.unwrap().status != Status::Running {
        assert!(Instant::now() < deadline, "it never ran");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    // Two that come at once may be heard as one, so it is pressed until it helps.
    let mut presses = 0;
    let status = loop {
        if let Some(status) = worker.ended() {
            break status;
        }
        assert!(Instant::now() < deadline, "it waits for its task");
        worker.signal("INT");
        presses += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(status.code(), Some(130));
    assert!(presses >= 2, "the first one ended it");
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Running, 1), "until its lease is found dead");
}
