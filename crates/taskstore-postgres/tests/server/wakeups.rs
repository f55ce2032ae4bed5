//! Who waits for work hears of it: at once in the same process, within milliseconds from another.

use std::time::{Duration, Instant};

use taskstore_core::{
    Backend, QueueName, QueuePattern,
    backend::{Enqueue, QueueSettings, When},
};
use taskstore_postgres::PostgresBackend;

use crate::{Test, store::with_store};

pub(crate) const TESTS: &[Test] = &[
    (
        "work_of_the_same_process_is_heard_of_from_the_moment_of_the_call",
        work_of_the_same_process_is_heard_of_from_the_moment_of_the_call,
    ),
    ("work_of_another_process_is_heard_of", work_of_another_process_is_heard_of),
    ("work_that_plain_sql_brings_is_heard_of", work_that_plain_sql_brings_is_heard_of),
    ("each_of_many_notices_is_heard", each_of_many_notices_is_heard),
    ("beats_and_far_tasks_of_another_process_wake_nobody", far_tasks_wake_nobody),
    ("a_task_of_another_process_that_is_due_before_the_deadline_wakes", soon_wakes),
    ("a_queue_that_another_process_resumes_is_heard_of", a_resumed_queue_is_heard_of),
    ("a_burst_ends_in_a_notice", a_burst_ends_in_a_notice),
    ("a_connection_that_dies_is_made_again", a_connection_that_dies_is_made_again),
    ("what_is_told_does_not_go_to_another_store", another_store_is_not_told),
    ("a_process_does_not_hear_itself", a_process_does_not_hear_itself),
];

const LONG: Duration = Duration::from_secs(20);

fn queues() -> [QueuePattern; 1] {
    [QueueName::default().into()]
}

/// The state of a runner that has nothing to do and hears others: whoever begins to listen is woken once,
/// because nobody has heard what was told before.
async fn hears(backend: &PostgresBackend) {
    let queues = queues();
    let wait = backend.wait_for_work(&queues, LONG);
    let began = Instant::now();
    wait.await;
    assert!(began.elapsed() < LONG / 2, "nobody listens");
}

/// How long it waits.
async fn waits(backend: &PostgresBackend, at_most: Duration) -> Duration {
    let queues = queues();
    let began = Instant::now();
    backend.wait_for_work(&queues, at_most).await;
    began.elapsed()
}

fn work_of_the_same_process_is_heard_of_from_the_moment_of_the_call() {
    with_store(async |store| {
        let alone = PostgresBackend::open(store.options().listen(false)).await.unwrap();
        assert!(!alone.capabilities().notifies_across_processes);
        let waited = queues();
        let wait = alone.wait_for_work(&waited, LONG);
        alone.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
        let began = Instant::now();
        wait.await;
        assert!(began.elapsed() < LONG / 2);
    });
}

fn work_of_another_process_is_heard_of() {
    with_store(async |store| {
        hears(&store.backend).await;
        let other = store.other().await;
        let waited = queues();
        let wait = store.backend.wait_for_work(&waited, LONG);
        other.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
        let began = Instant::now();
        wait.await;
        assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    });
}

fn work_that_plain_sql_brings_is_heard_of() {
    with_store(async |store| {
        hears(&store.backend).await;
        let waited = queues();
        let wait = store.backend.wait_for_work(&waited, LONG);
        store.sql("INSERT INTO task_enqueue(alias) VALUES('email.send')").await;
        let began = Instant::now();
        wait.await;
        assert!(began.elapsed() < LONG / 2);
        let wait = store.backend.wait_for_work(&waited, LONG);
        assert_eq!(store.claim(1).await.tasks.len(), 1);
        store.sql("INSERT INTO task_enqueue(alias,delay) VALUES('email.send',1)").await;
        wait.await;
        assert!(began.elapsed() < LONG / 2);
    });
}

fn each_of_many_notices_is_heard() {
    with_store(async |store| {
        hears(&store.backend).await;
        let other = store.other().await;
        let waited = queues();
        for _ in 0..30 {
            let wait = store.backend.wait_for_work(&waited, LONG);
            other.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
            let began = Instant::now();
            wait.await;
            assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
            assert_eq!(store.claim(1).await.tasks.len(), 1);
        }
    });
}

fn far_tasks_wake_nobody() {
    with_store(async |store| {
        hears(&store.backend).await;
        let other = store.other().await;
        store.enqueue(1).await;
        let lease = store.claim(1).await.tasks[0].lease.batch;
        assert!(store.claim(1).await.tasks.is_empty());
        let mut heart = other.heartbeat().await.unwrap();
        let mut far = store.task();
        far.when = When::After(Duration::from_secs(3_600));
        let short = Duration::from_millis(400);
        let (waited, ()) = tokio::join!(waits(&store.backend, short), async {
            other.enqueue(&Enqueue::new(&[far])).await.unwrap();
            for _ in 0..3 {
                heart.beat(&[lease]).await.unwrap();
            }
        });
        assert!(waited >= short, "it was woken after {waited:?}");
    });
}

fn soon_wakes() {
    with_store(async |store| {
        hears(&store.backend).await;
        let other = store.other().await;
        let mut soon = store.task();
        soon.when = When::After(Duration::from_secs(1));
        let waited = queues();
        let wait = store.backend.wait_for_work(&waited, LONG);
        other.enqueue(&Enqueue::new(&[soon])).await.unwrap();
        let began = Instant::now();
        wait.await;
        assert!(began.elapsed() < LONG / 2);
    });
}

fn a_resumed_queue_is_heard_of() {
    with_store(async |store| {
        hears(&store.backend).await;
        let other = store.other().await;
        let waited = queues();
        let wait = store.backend.wait_for_work(&waited, LONG);
        let resumed = QueueSettings { name: QueueName::default(), paused: false };
        other.put_queue(&resumed).await.unwrap();
        let began = Instant::now();
        wait.await;
        assert!(began.elapsed() < LONG / 2);
    });
}

/// What comes in the pause after a notice is told at its end: none of a hundred is left for the next poll.
fn a_burst_ends_in_a_notice() {
    with_store(async |store| {
        hears(&store.backend).await;
        let other = store.other().await;
        let tasks = 100;
        let (claimed, ()) = tokio::join!(
            async {
                let mut claimed = 0;
                while claimed < tasks {
                    let waited = queues();
                    let wait = store.backend.wait_for_work(&waited, LONG);
                    let found = store.claim(tasks).await.tasks.len();
                    claimed += u32::try_from(found).unwrap();
                    if found == 0 {
                        let began = Instant::now();
                        wait.await;
                        assert!(
                            began.elapsed() < LONG / 2,
                            "after {claimed} tasks nothing was heard"
                        );
                    }
                }
                claimed
            },
            async {
                for _ in 0..tasks {
                    other.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
                }
            }
        );
        assert_eq!(claimed, tasks);
    });
}

fn a_connection_that_dies_is_made_again() {
    with_store(async |store| {
        let name = store.name.as_str();
        let application = format!("dies-{}-{name}", std::process::id());
        let options = store.options().application_name(application.as_str());
        let backend = PostgresBackend::open(options).await.unwrap();
        hears(&backend).await;
        let killed = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE application_name='{application}' AND query LIKE 'LISTEN%'"
        );
        assert_eq!(store.sql(&killed).await[0], ["t"], "nobody listened");
        // Woken when the new connection listens.
        hears(&backend).await;
        assert_eq!(store.sql(&killed.replace("pg_terminate_backend(pid)", "1")).await.len(), 1);
        let other = store.other().await;
        let waited = queues();
        let wait = backend.wait_for_work(&waited, LONG);
        other.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
        let began = Instant::now();
        wait.await;
        assert!(began.elapsed() < LONG / 2);
    });
}

fn another_store_is_not_told() {
    with_store(async |store| {
        let prefixed =
            PostgresBackend::open(store.options().prefix("app_").unwrap()).await.unwrap();
        prefixed.migrate(&taskstore_core::backend::Migrate::up()).await.unwrap();
        hears(&prefixed).await;
        hears(&store.backend).await;
        let other = store.other().await;
        let short = Duration::from_millis(400);
        let (told, not_told, ()) =
            tokio::join!(waits(&store.backend, LONG), waits(&prefixed, short), async {
                other.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
            });
        assert!(told < LONG / 2, "{told:?}");
        assert!(not_told >= short, "it was woken after {not_told:?}");
    });
}

fn a_process_does_not_hear_itself() {
    with_store(async |store| {
        hears(&store.backend).await;
        // Another hears it, so it was sent.
        let other = store.other().await;
        hears(&other).await;
        store.enqueue(1).await;
        assert!(waits(&other, LONG).await < LONG / 2);
        assert_eq!(store.claim(2).await.tasks.len(), 1);
        let short = Duration::from_millis(400);
        let waited = waits(&store.backend, short).await;
        assert!(waited >= short, "it was woken after {waited:?}");
    });
}
