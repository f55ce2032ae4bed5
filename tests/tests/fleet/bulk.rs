//! Bulk actions that are killed with -9 half-way, while a runner works on the same file: whole passes
//! are done, nothing is half done, and saying the action again goes on.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use rusqlite::Connection;
use taskstore::{Status, Store, TaskContext, TaskKey};

const TASKS: usize = 12_000;

struct Work;

impl TaskKey for Work {
    const KEY: &'static str = "work";
    type Args = u64;
}

/// Starts the action in a process of its own and kills it after its third pass.
fn kill_half_way(url: &str, action: &str) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_taskstore-test-bulk"))
        .args([url, action])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it prints")).lines();
    for _ in 0..3 {
        let line = lines.next().expect("it makes its passes").unwrap();
        assert!(!line.starts_with("done"), "too quick to be killed: {line}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What the tables promise of every record; each query counts what breaks it.
fn nothing_is_half_done(file: &Path) {
    let broken = [
        "task_queue q WHERE status=0 AND queue='many'
          AND NOT EXISTS(SELECT 1 FROM task_ready r WHERE r.queue=q.queue AND r.priority=q.priority AND r.run_at=q.run_at AND r.task=q.seq)
          AND NOT EXISTS(SELECT 1 FROM task_later w WHERE w.run_at=q.run_at AND w.task=q.seq)",
        "task_ready r WHERE NOT EXISTS(SELECT 1 FROM task_queue q WHERE q.seq=r.task AND q.status=0)",
        "task_later w WHERE NOT EXISTS(SELECT 1 FROM task_queue q WHERE q.seq=w.task AND q.status=0)",
        "task_queue q WHERE status>2 AND NOT EXISTS(SELECT 1 FROM task_aside a WHERE a.status=q.status AND a.task=q.seq)",
        "task_aside a WHERE NOT EXISTS(SELECT 1 FROM task_queue q WHERE q.seq=a.task AND q.status=a.status)",
        "task_queue q WHERE NOT EXISTS(SELECT 1 FROM task_payload p WHERE p.task=q.seq)",
        "task_payload p WHERE NOT EXISTS(SELECT 1 FROM task_queue q WHERE q.seq=p.task)",
        "task_result x WHERE NOT EXISTS(SELECT 1 FROM task_queue q WHERE q.seq=x.task)",
        "task_unique u WHERE NOT EXISTS(SELECT 1 FROM task_queue q WHERE q.seq=u.task AND q.key_hash=u.key_hash AND (q.status=0 OR q.status=5))",
        "task_queue q WHERE status=0 AND key_hash IS NOT NULL AND NOT EXISTS(SELECT 1 FROM task_unique u WHERE u.key_hash=q.key_hash AND u.task=q.seq)",
    ];
    let sql = Connection::open(file).unwrap();
    // All at one moment: a runner works beside this.
    sql.execute_batch("BEGIN").unwrap();
    for what in broken {
        let count: i64 =
            sql.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap();
        assert_eq!(count, 0, "{what}");
    }
    let whole: String = sql.query_row("PRAGMA quick_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
}

async fn seen(store: &Store, status: Status) -> usize {
    let counted = store.tasks().queue("many").status(status).count_up_to(TASKS as u64 + 1).await;
    usize::try_from(counted.unwrap().seen()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_actions_killed_half_way_leave_nothing_half_done_and_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bulk.db");
    let url = format!("sqlite://{}", file.display());
    let store = taskstore::connect(&*url).auto_migrate(true).await.unwrap();
    store.register_fn("work", |_: TaskContext, _: u64| async { Ok(()) }).await.unwrap();
    // Every fourth waits for its time, every hundredth has a unique key.
    for n in 0..TASKS / 100 {
        let task = store.enqueue_by_alias("many", "work", n as u64);
        task.unique(n.to_string()).await.unwrap();
    }
    let delayed = store.enqueue_many::<Work>(0..TASKS as u64 / 4).queue("many");
    delayed.delay(Duration::from_secs(3_600)).await.unwrap();
    let ready = TASKS - TASKS / 4 - TASKS / 100;
    store.enqueue_many::<Work>(0..ready as u64).queue("many").await.unwrap();
    let runner = store.run_concurrent("busy").await.unwrap();
    let producer = tokio::spawn(produce(store.clone()));

    for (action, from, to) in [
        ("cancel", Status::Queued, Some(Status::Canceled)),
        ("requeue", Status::Canceled, Some(Status::Queued)),
        ("cancel", Status::Queued, Some(Status::Canceled)),
        ("purge", Status::Canceled, None),
    ] {
        assert_eq!(seen(&store, from).await, TASKS, "before the {action}");
        kill_half_way(&url, action);
        nothing_is_half_done(&file);
        let left = seen(&store, from).await;
        assert!(0 < left && left < TASKS, "{left} are left of the {action}");
        if let Some(to) = to {
            assert_eq!(seen(&store, to).await, TASKS - left, "none is lost");
        }
        let many = store.tasks().queue("many").status(from);
        let rest = match action {
            "cancel" => many.cancel().await,
            "requeue" => many.requeue().await,
            _ => many.purge().await,
        }
        .unwrap();
        assert_eq!((rest.moved, rest.refused), (left as u64, 0), "{action} goes on");
        nothing_is_half_done(&file);
    }
    assert_eq!(store.tasks().queue("many").count().await.unwrap().seen(), 0);

    producer.abort();
    let busy = runner.stop().await.summary;
    assert!(busy.succeeded > 0 && busy.failed == 0, "the runner worked beside it: {busy}");
}

/// Gives the runner something to do all the time.
async fn produce(store: Store) {
    for n in 0.. {
        store.enqueue_by_alias("busy", "work", n).await.unwrap();
    }
}
