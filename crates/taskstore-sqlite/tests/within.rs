//! Transactions of the caller's. What every engine must do there is in the suite; here is what SQLite
//! alone has.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use rusqlite::{Connection, TransactionBehavior};
use taskstore_core::{EnqueueOne, Error, MemoryBackend, Store, TaskContext};
use taskstore_sqlite::{
    CompleteWithin as _, SqliteBackend, SqliteOptions, ToSql as _, Wakeup, Within as _,
};
use tokio::sync::mpsc::unbounded_channel;

struct Shop {
    store: Store,
    folder: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Self {
        Self::with(|options| options).await
    }

    async fn with(set: impl FnOnce(SqliteOptions) -> SqliteOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = set(SqliteOptions::new(folder.path().join("tasks.db")));
        let store = Store::new(SqliteBackend::open(options).await.unwrap());
        store.migrate().await.unwrap();
        store.register_fn("work", |_, _: i64| async { Ok(()) }).await.unwrap();
        let shop = Self { store, folder };
        shop.connect().execute_batch("CREATE TABLE theirs(a)").unwrap();
        shop
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tasks.db")
    }

    fn connect(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn work(&self, n: i64) -> EnqueueOne {
        self.store.enqueue_by_alias("", "work", n)
    }
}

fn count(connection: &Connection, table: &str) -> i64 {
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

fn refused(answer: Result<impl std::fmt::Debug, Error>, field: &str) -> String {
    match answer {
        Err(Error::Invalid { field: named, reason }) if named == field => reason,
        other => panic!("{field} should be refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_connection_without_a_transaction_is_refused() {
    let shop = Shop::open().await;
    let connection = shop.connect();
    let reason = refused(shop.work(1).within(&connection), "transaction");
    assert!(reason.contains("BEGIN IMMEDIATE"), "{reason}");
    assert_eq!(count(&connection, "task_queue"), 0);
    connection.execute_batch("BEGIN").unwrap();
    shop.work(1).within(&connection).unwrap().send();
    connection.execute_batch("COMMIT").unwrap();
    assert_eq!(count(&connection, "task_queue"), 1);
}

#[tokio::test]
async fn a_connection_to_another_file_is_refused() {
    let (shop, other) = (Shop::open().await, Shop::open().await);
    let attached = Connection::open_in_memory().unwrap();
    let attach = format!("ATTACH '{}' AS tasks", shop.path().display());
    attached.execute_batch(&attach).unwrap();
    let memory = Connection::open_in_memory().unwrap();
    // One that has such tables would take the task without a word.
    for mut connection in [other.connect(), attached, memory] {
        let transaction = connection.transaction().unwrap();
        let reason = refused(shop.work(1).within(&transaction), "transaction");
        assert!(reason.contains("tasks.db"), "{reason}");
        transaction.commit().unwrap();
    }
    assert_eq!(count(&shop.connect(), "task_queue") + count(&other.connect(), "task_queue"), 0);

    let memory = Store::new(MemoryBackend::new());
    memory.register_fn("work", |_, _: i64| async { Ok(()) }).await.unwrap();
    let mut connection = shop.connect();
    let transaction = connection.transaction().unwrap();
    refused(memory.enqueue_by_alias("", "work", 1).within(&transaction), "store");
}

#[cfg(unix)]
#[tokio::test]
async fn the_same_file_by_another_name_is_the_same_file() {
    let shop = Shop::open().await;
    let link = shop.folder.path().join("link");
    std::os::unix::fs::symlink(shop.folder.path(), &link).unwrap();
    for path in [link.join("tasks.db"), shop.folder.path().join("./tasks.db")] {
        let mut connection = Connection::open(&path).unwrap();
        let transaction = connection.transaction().unwrap();
        shop.work(1).within(&transaction).unwrap().send();
        transaction.commit().unwrap();
    }
    let backend = SqliteBackend::open(SqliteOptions::new(link.join("tasks.db"))).await.unwrap();
    let store = Store::new(backend);
    let mut connection = shop.connect();
    let transaction = connection.transaction().unwrap();
    store.enqueue_by_alias("", "work", 1).within(&transaction).unwrap().send();
    transaction.commit().unwrap();
    assert_eq!(count(&shop.connect(), "task_ready"), 3);
}

/// A trigger of the user's refuses a task when its record is there already, and so fails half-way.
#[tokio::test]
async fn an_error_half_way_leaves_nothing_and_the_transaction_goes_on() {
    let shop = Shop::open().await;
    let mut connection = shop.connect();
    connection
        .execute_batch(
            "CREATE TRIGGER strict BEFORE INSERT ON task_payload WHEN NEW.parameters='13'
             BEGIN SELECT RAISE(ABORT,'thirteen'); END",
        )
        .unwrap();
    let transaction = connection.transaction().unwrap();
    transaction.execute("INSERT INTO theirs VALUES(1)", []).unwrap();
    let good = shop.work(12).within(&transaction).unwrap();
    let error = shop.work(13).unique("k").within(&transaction).unwrap_err();
    assert!(matches!(&error, Error::Backend { .. }) && error.to_string().contains("thirteen"));
    // All in one request: what was stored before the bad one is undone, too.
    struct Work;
    impl taskstore_core::TaskKey for Work {
        const KEY: &'static str = "work";
        type Args = i64;
    }
    let error = shop.store.enqueue_many::<Work>(11..15).within(&transaction).unwrap_err();
    assert!(error.to_string().contains("thirteen"), "{error}");
    transaction.execute("INSERT INTO theirs VALUES(2)", []).unwrap();
    transaction.commit().unwrap();
    good.send();
    let connection = shop.connect();
    for table in ["task_queue", "task_payload", "task_ready"] {
        assert_eq!(count(&connection, table), 1, "{table}");
    }
    assert_eq!((count(&connection, "task_unique"), count(&connection, "theirs")), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_wakes_a_runner_that_hears_nothing_else() {
    let shop = Shop::with(|options| options.wakeup(Wakeup::Off)).await;
    let (tell, mut ran) = unbounded_channel();
    let work = move |_: TaskContext, n: i64| {
        let _ = tell.send(n);
        async { Ok(()) }
    };
    shop.store.register_fn("told", work).await.unwrap();
    let work = |n: i64| shop.store.enqueue_by_alias("", "told", n);
    let runner = shop.store.runner().poll_every(Duration::from_secs(3_600)).start().await.unwrap();
    // It sleeps after this one.
    work(0).await.unwrap();
    assert_eq!(ran.recv().await, Some(0));
    let began = Instant::now();
    for n in 1..=20 {
        let mut connection = shop.connect();
        let transaction = connection.transaction().unwrap();
        let notice = work(n).within(&transaction).unwrap();
        transaction.commit().unwrap();
        notice.send();
        assert_eq!(ran.recv().await, Some(n));
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    runner.stop().await;
}

#[tokio::test]
async fn a_lock_that_cannot_be_had_is_an_error_that_says_what_to_do() {
    let shop = Shop::open().await;
    let mut connection = shop.connect();
    connection.busy_timeout(Duration::ZERO).unwrap();
    // It has only read, and somebody else has written since.
    let transaction = connection.transaction().unwrap();
    count(&transaction, "theirs");
    shop.connect().execute("INSERT INTO theirs VALUES(1)", []).unwrap();
    let error = shop.work(1).within(&transaction).unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("BEGIN IMMEDIATE"), "{error}");
    transaction.rollback().unwrap();

    let mut other = shop.connect();
    let holder = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let transaction = connection.transaction().unwrap();
    let error = shop.work(1).within(&transaction).unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("BEGIN IMMEDIATE"), "{error}");
    drop(holder);
    // It had done nothing yet, so it can go on.
    shop.work(1).within(&transaction).unwrap().send();
    transaction.commit().unwrap();
    assert_eq!(count(&shop.connect(), "task_queue"), 1);
}

#[tokio::test]
async fn savepoints_of_the_callers_undo_the_task_too() {
    let shop = Shop::open().await;
    let mut connection = shop.connect();
    let mut transaction = connection.transaction().unwrap();
    let savepoint = transaction.savepoint().unwrap();
    drop(shop.work(1).within(&savepoint).unwrap());
    drop(savepoint);
    let kept = shop.work(2).within(&transaction).unwrap();
    transaction.commit().unwrap();
    assert_eq!(count(&shop.connect(), "task_queue"), 1);
    assert!(shop.store.tasks().get(kept.id()).await.is_ok());
}

#[tokio::test]
async fn a_prefix_and_missing_tables_are_as_for_any_enqueue() {
    let shop = Shop::with(|options| options.prefix("app_").unwrap()).await;
    let mut connection = shop.connect();
    let transaction = connection.transaction().unwrap();
    shop.work(1).within(&transaction).unwrap().send();
    let sql = shop.work(2).to_sql().await.unwrap();
    assert!(sql.text().contains("INSERT INTO app_task_enqueue("), "{}", sql.text());
    transaction.commit().unwrap();
    assert_eq!(count(&connection, "app_task_ready"), 1);

    let options = SqliteOptions::new(shop.path()).prefix("none_").unwrap();
    let bare = Store::new(SqliteBackend::open(options).await.unwrap());
    let transaction = connection.transaction().unwrap();
    let error = bare.enqueue_by_alias("", "work", 1).within(&transaction).unwrap_err();
    assert!(matches!(error, Error::Schema { found: 0, .. }), "{error}");
    shop.work(3).within(&transaction).unwrap().send();
    transaction.commit().unwrap();
    assert_eq!(count(&connection, "app_task_ready"), 2);
}

#[tokio::test]
async fn a_blocking_handler_completes_its_task_in_a_transaction_of_the_drivers_own_type() {
    let shop = Shop::open().await;
    let path = shop.path();
    let pay = move |ctx: TaskContext, cents: i64| {
        let mut connection = Connection::open(&path)?;
        refused(ctx.complete_within(&connection, cents), "transaction");
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("INSERT INTO theirs VALUES(?1)", [cents])?;
        let completion = ctx.complete_within(&transaction, cents)?;
        transaction.commit()?;
        completion.committed();
        Ok(cents)
    };
    shop.store.register_blocking_fn("pay", pay).await.unwrap();
    let id = shop.store.enqueue_by_alias("", "pay", 5).await.unwrap();
    assert_eq!(shop.store.runner().run_once().await.unwrap().to_string(), "1 succeeded");
    assert_eq!(shop.store.wait_for_output::<i64>(id, Duration::ZERO).await.unwrap(), 5);
    assert_eq!(count(&shop.connect(), "theirs"), 1);
}
