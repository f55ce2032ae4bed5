//! Four workers drain one file; another is killed with -9 every second, and one of the four is
//! stopped (SIGSTOP) for longer than a lease.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use taskstore::{Store, TaskId, TaskKey};
use taskstore_tests::ledger::{self, judge};

use crate::processes::{Worker, all_over};

const LEASE: Duration = Duration::from_secs(2);
const SECOND: Duration = Duration::from_secs(1);

struct Work;

impl TaskKey for Work {
    const KEY: &'static str = "work";
    type Args = u64;
}

/// How long the fleet has work for; longer with `TASKSTORE_FLEET_SECONDS`.
fn seconds() -> u64 {
    std::env::var("TASKSTORE_FLEET_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(12)
}

async fn enqueue(store: &Store) -> Vec<TaskId> {
    // Five workers with four slots, of 5 to 45 ms.
    let tasks = usize::try_from(seconds()).unwrap() * 5 * 4 * 40;
    let millis = (0..tasks).map(|n| 5 + (n as u64 * 7) % 41);
    store.enqueue_many::<Work>(millis).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_loses_nothing_to_kills_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("fleet.db").display());
    let store = taskstore::connect(&*url).auto_migrate(true).await.unwrap();
    store.register_fn("work", |_, _: u64| async move { Ok(()) }).await.unwrap();
    let tasks = enqueue(&store).await;
    let start = || Worker::start(&url, folder.path(), LEASE, 4);

    let began = Instant::now();
    let workers: Vec<Worker> = (0..4).map(|_| start()).collect();
    let mut harmed = BTreeSet::new();
    let mut kills = 0;
    let mut victim = start();
    let mut stopped_at = None;
    let mut stops = 0;
    let deadline = began + Duration::from_secs(seconds() * 4 + 60);
    let mut open = tasks.clone();
    while !all_over(&store, &mut open).await {
        assert!(Instant::now() < deadline, "task {:?} is not over", open.last());
        // The pace of the harm, not a wait for something.
        tokio::time::sleep(SECOND).await;
        harmed.insert(victim.id());
        std::mem::replace(&mut victim, start()).kill();
        kills += 1;
        match stopped_at {
            None if kills == 2 => {
                workers[0].signal("STOP");
                harmed.insert(workers[0].id());
                stopped_at = Some(Instant::now());
                stops += 1;
            }
            Some(at) if at.elapsed() > LEASE * 5 / 2 => {
                workers[0].signal("CONT");
                stopped_at = None;
            }
            _ => {}
        }
    }
    if stopped_at.is_some() {
        workers[0].signal("CONT");
    }
    let took = began.elapsed();
    workers.into_iter().for_each(Worker::stop);
    victim.stop();

    let entries = ledger::read(folder.path()).unwrap();
    let verdict = judge(&store, &tasks, &entries, &harmed).await.unwrap();
    println!("4 workers and a victim, lease {LEASE:?}, {:.1} s", took.as_secs_f64());
    println!(
        "kill -9                                {kills:>7}\nSIGSTOP beyond the lease               {stops:>7}\n{verdict}"
    );
    assert!(verdict.is_clean(), "{verdict}");
    assert!(kills >= 3 && stops == 1, "the fleet was too quick to be harmed");
}
