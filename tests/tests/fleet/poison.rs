//! A task that kills every process that runs it: it fails after its attempts, and its neighbours,
//! which shared its lease the first time, lose none of theirs.

use std::time::{Duration, Instant};

use taskstore::{Status, TaskKey};
use taskstore_tests::ledger::{self, What};

use crate::processes::Worker;

const LEASE: Duration = Duration::from_secs(2);

struct Work;

impl TaskKey for Work {
    const KEY: &'static str = "work";
    type Args = u64;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_kills_its_process_fails_and_costs_its_neighbours_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("poison.db").display());
    let store = taskstore::connect(&*url).auto_migrate(true).await.unwrap();
    store.register_fn("work", |_, _: u64| async move { Ok(()) }).await.unwrap();
    store.register_fn("poison", |_, (): ()| async move { Ok(()) }).await.unwrap();
    let mut neighbours = store.enqueue_many::<Work>([300; 3]).await.unwrap();
    let poison = store.enqueue_by_alias("", "poison", ()).max_attempts(2).await.unwrap();
    neighbours.extend(store.enqueue_many::<Work>([50; 20]).await.unwrap());

    // A supervisor that starts what died again, as systemd or Kubernetes do.
    let start = || Worker::start(&url, folder.path(), LEASE, 8);
    let mut worker = start();
    let mut deaths = 0;
    let deadline = Instant::now() + Duration::from_secs(90);
    while !store.tasks().get(poison).await.unwrap().status.has_ended() {
        assert!(Instant::now() < deadline, "{:?}", store.tasks().get(poison).await);
        if worker.has_died() {
            deaths += 1;
            worker = start();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let task = store.tasks().get(poison).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Failed, 2));
    assert!(task.last_error.unwrap().contains("its runner died"));
    let ledger = ledger::read(folder.path()).unwrap();
    let began = ledger.iter().filter(|e| e.task == poison && e.what == What::Began).count();
    assert_eq!(
        (began, deaths),
        (3, 3),
        "once with its neighbours, which is refunded, and twice alone"
    );
    for id in neighbours {
        while !store.tasks().get(id).await.unwrap().status.has_ended() {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let task = store.tasks().get(id).await.unwrap();
        assert_eq!((task.status, task.attempts), (Status::Success, 1), "{task:?}");
    }
    worker.stop();
}
