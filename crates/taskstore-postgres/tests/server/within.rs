//! Transactions of the caller's: which are taken, what they leave behind, and that one which stays open
//! costs nobody else a lease.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use taskstore_core::{
    Alias, Definition, Error, Status, Store as Tasks, TaskContext, TaskId, TaskKey, TaskResult,
    backend::{Backend as _, Expect},
};
use taskstore_postgres::{CompleteWithin as _, Within as _, deadpool_postgres};
use tokio::sync::Notify;
use tokio_postgres::{Client, IsolationLevel, NoTls};

use crate::{
    Test,
    harness::SERVER,
    store::{Store, with_store},
};

pub(crate) const TESTS: &[Test] = &[
    (
        "a_connection_without_a_transaction_is_refused",
        a_connection_without_a_transaction_is_refused,
    ),
    ("a_transaction_in_another_database_is_refused", a_transaction_in_another_database_is_refused),
    (
        "a_task_is_completed_only_in_a_transaction_that_sees_its_lease",
        a_task_is_completed_only_in_a_transaction_that_sees_its_lease,
    ),
    (
        "every_kind_of_transaction_is_taken_and_left_as_it_was",
        every_kind_of_transaction_is_taken_and_left_as_it_was,
    ),
    (
        "a_transaction_that_stays_open_costs_nobody_else_a_lease",
        a_transaction_that_stays_open_costs_nobody_else_a_lease,
    ),
    (
        "who_waits_for_a_key_waits_alone_and_not_for_ever",
        who_waits_for_a_key_waits_alone_and_not_for_ever,
    ),
];

struct Work;

impl TaskKey for Work {
    const KEY: &'static str = "email.send";
    type Args = u32;
}

async fn tasks_of(store: &Store) -> Tasks {
    let tasks = Tasks::new(store.other().await);
    tasks.register_fn(Work::KEY, |_, _: u32| async { Ok(()) }).await.unwrap();
    tasks
}

/// A statement that shows whether anything is left of the store's work, and what follows from it.
async fn is_as_before(client: &Client) {
    let row = client.query_one("SHOW lock_timeout", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "0");
    let gone = client.batch_execute("RELEASE SAVEPOINT taskstore").await.unwrap_err();
    assert_eq!(gone.code().unwrap().code(), "3B001");
}

fn refused(error: &Error) -> &str {
    match error {
        Error::Invalid { field: "transaction", reason } => reason,
        other => panic!("{other}"),
    }
}

fn a_connection_without_a_transaction_is_refused() {
    with_store(async |store| {
        let tasks = tasks_of(&store).await;
        let client = store.harness.connect().await;
        // Once where its definition is known, and once where it is not.
        for _ in 0..2 {
            let error = tasks.enqueue::<Work>(1).within(&client).await.unwrap_err();
            assert_eq!(refused(&error), "none is open on this connection: begin one before");
            assert_eq!(store.sql("SELECT count(*) FROM task_queue").await[0][0], "0");
            tasks.enqueue::<Work>(1).queue("other").await.unwrap();
            store.sql("DELETE FROM task_queue").await;
        }
        client.batch_execute("BEGIN").await.unwrap();
        client.batch_execute("SELECT 1/0").await.unwrap_err();
        let error = tasks.enqueue::<Work>(1).within(&client).await.unwrap_err();
        assert_eq!(refused(&error), "it has failed already: roll it back");
    });
}

fn a_transaction_in_another_database_is_refused() {
    with_store(async |store| {
        let tasks = tasks_of(&store).await;
        let mut config: tokio_postgres::Config = std::env::var(SERVER).unwrap().parse().unwrap();
        let (mut client, connection) = config.dbname("template1").connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        for _ in 0..2 {
            let transaction = client.transaction().await.unwrap();
            let error = tasks.enqueue::<Work>(1).within(&transaction).await.unwrap_err();
            assert_eq!(
                refused(&error),
                "its connection is to another database than that of the tasks"
            );
            transaction.query_one("SELECT 1", &[]).await.unwrap();
            transaction.commit().await.unwrap();
            tasks.enqueue::<Work>(1).await.unwrap();
        }
    });
}

fn a_task_is_completed_only_in_a_transaction_that_sees_its_lease() {
    with_store(async |store| {
        let tasks = Tasks::new(store.other().await);
        let client = Arc::new(tokio::sync::Mutex::new(store.harness.connect().await));
        let run = move |ctx: TaskContext, _: u32| {
            let client = client.clone();
            async move {
                let mut client = client.lock().await;
                for level in [IsolationLevel::RepeatableRead, IsolationLevel::Serializable] {
                    let begin = client.build_transaction().isolation_level(level);
                    let transaction = begin.start().await?;
                    let error = ctx.complete_within(&transaction, ()).await.unwrap_err();
                    assert!(refused(&error).contains("read committed"), "{error}");
                    // Enqueueing needs to see nothing of others.
                    let _ = ctx.store().enqueue::<Work>(2).within(&transaction).await?;
                    transaction.rollback().await?;
                }
                let transaction = client.transaction().await?;
                let completion = ctx.complete_within(&transaction, ()).await?;
                transaction.commit().await?;
                completion.committed();
                Ok(())
            }
        };
        tasks.register_fn(Work::KEY, run).await.unwrap();
        tasks.enqueue::<Work>(1).await.unwrap();
        assert_eq!(tasks.runner().run_once().await.unwrap().to_string(), "1 succeeded");
    });
}

fn every_kind_of_transaction_is_taken_and_left_as_it_was() {
    with_store(async |store| {
        let tasks = tasks_of(&store).await;
        let config: tokio_postgres::Config = std::env::var(SERVER).unwrap().parse().unwrap();
        let pool = deadpool_postgres::Pool::builder(deadpool_postgres::Manager::new(config, NoTls))
            .max_size(1)
            .build()
            .unwrap();
        let mut ids = Vec::new();

        let mut client = store.harness.connect().await;
        let mut transaction = client.transaction().await.unwrap();
        ids.push(tasks.enqueue::<Work>(1).within(&transaction).await.unwrap().id());
        let nested = transaction.savepoint("theirs").await.unwrap();
        let _ = tasks.enqueue::<Work>(2).within(&nested).await.unwrap();
        nested.rollback().await.unwrap();
        transaction.commit().await.unwrap();

        client.batch_execute("BEGIN; SET LOCAL search_path=pg_catalog").await.unwrap();
        ids.push(tasks.enqueue::<Work>(3).within(&client).await.unwrap().id());
        assert!(tasks.enqueue_by_alias("", "nobody.knows", 1).within(&client).await.is_err());
        client.batch_execute("COMMIT").await.unwrap();
        client.batch_execute("BEGIN").await.unwrap();
        let _ = tasks.enqueue::<Work>(4).within(&client).await.unwrap();
        is_as_before(&client).await;
        client.batch_execute("ROLLBACK").await.unwrap();
        // Who has said how long they wait, waits so long.
        client.batch_execute("SET lock_timeout='7s'; BEGIN").await.unwrap();
        let _ = tasks.enqueue::<Work>(5).within(&client).await.unwrap();
        let row = client.query_one("SHOW lock_timeout", &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "7s");
        client.batch_execute("ROLLBACK").await.unwrap();

        let mut pooled = pool.get().await.unwrap();
        let transaction = pooled.transaction().await.unwrap();
        ids.push(tasks.enqueue::<Work>(6).within(&transaction).await.unwrap().id());
        let many = tasks.enqueue_many::<Work>([7, 8]).within(&transaction).await.unwrap();
        ids.extend_from_slice(many.ids());
        transaction.commit().await.unwrap();
        pooled.batch_execute("BEGIN").await.unwrap();
        ids.push(tasks.enqueue::<Work>(9).within(&pooled).await.unwrap().id());
        pooled.batch_execute("COMMIT").await.unwrap();

        let mut there = tasks.tasks().queue("default").list().await.unwrap().items;
        there.sort_by_key(|task| task.id);
        ids.sort_unstable();
        assert_eq!(there.iter().map(|task| task.id).collect::<Vec<_>>(), ids);
    });
}

const LEASE: Duration = Duration::from_secs(2);
const QUICK: u32 = 5;
const SLOW: u32 = 10;

/// What handlers of the test work with.
struct Shop {
    client: tokio::sync::Mutex<Client>,
    is_open: Notify,
    may_commit: Notify,
    runs: Mutex<HashMap<TaskId, u32>>,
}

/// Task 0 completes itself in a transaction that stays open; of the others some are over at once, and
/// some take longer than the transaction.
async fn work(shop: Arc<Shop>, ctx: TaskContext, number: u32) -> TaskResult<()> {
    *shop.runs.lock().unwrap().entry(ctx.id()).or_default() += 1;
    if number == 0 {
        let mut client = shop.client.lock().await;
        let transaction = client.transaction().await?;
        let completion = ctx.complete_within(&transaction, ()).await?;
        shop.is_open.notify_one();
        shop.may_commit.notified().await;
        transaction.commit().await?;
        completion.committed();
    } else if number >= QUICK {
        ctx.log_info("it takes its time");
        // The work itself.
        tokio::time::sleep(LEASE * 7 / 2).await;
    }
    Ok(())
}

fn a_transaction_that_stays_open_costs_nobody_else_a_lease() {
    with_store(async |store| {
        let shop = Arc::new(Shop {
            client: tokio::sync::Mutex::new(store.harness.connect().await),
            is_open: Notify::new(),
            may_commit: Notify::new(),
            runs: Mutex::default(),
        });
        let told = Arc::new(Mutex::new(Vec::<String>::new()));
        let open = async || {
            let tasks = Tasks::new(store.other().await);
            let (shop, told) = (shop.clone(), told.clone());
            tasks
                .register_fn(Work::KEY, move |ctx, number| work(shop.clone(), ctx, number))
                .await
                .unwrap();
            tasks.set_error_handler(move |_, _, error| {
                told.lock().unwrap().push(error.to_string());
            });
            tasks
        };
        let (first, second) = (open().await, open().await);
        // All in one claim, and so under one lease.
        let ids = first.enqueue_many::<Work>(0..SLOW).await.unwrap();
        let runner = first.runner().lease(LEASE).concurrency(SLOW as usize);
        let runner = runner.start().await.unwrap();
        shop.is_open.notified().await;
        let opened = Instant::now();
        // Watches for leases that are late.
        let watcher = second.runner().queue("elsewhere").lease(LEASE).start().await.unwrap();

        // A keyed enqueue in a transaction that stays open just as long.
        let mut client = store.harness.connect().await;
        let transaction = client.transaction().await.unwrap();
        let keyed = first.enqueue::<Work>(1).queue("keyed").unique("k").within(&transaction);
        let keyed = keyed.await.unwrap();
        let unused = Definition::new(Alias::new("unused").unwrap());
        store.backend.put_definition(&unused, Expect::Absent).await.unwrap();

        // Everybody else goes on: claims, ends, keys and deletions that have to wait.
        let same = tokio::spawn({
            let first = first.clone();
            async move { first.enqueue::<Work>(1).queue("keyed").unique("k").outcome().await }
        });
        let deleted = tokio::spawn({
            let backend = store.other().await;
            async move { backend.delete_definition(unused.id).await }
        });
        let mut slowest = Duration::ZERO;
        while opened.elapsed() < LEASE * 3 {
            let began = Instant::now();
            let id = first.enqueue::<Work>(1).await.unwrap();
            first.wait_for(id, Duration::from_secs(5)).await.unwrap();
            slowest = slowest.max(began.elapsed());
        }
        assert!(slowest < Duration::from_secs(3), "somebody waits: {slowest:?}");
        let error = same.await.unwrap().unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert!(deleted.await.unwrap().unwrap_err().is_retryable());

        let task = first.tasks().get(ids[0]).await.unwrap();
        assert_eq!(task.status, Status::Running);
        shop.may_commit.notify_one();
        transaction.commit().await.unwrap();
        keyed.send();
        for id in &ids {
            first.wait_for(*id, Duration::from_secs(30)).await.unwrap();
            let task = first.tasks().get(*id).await.unwrap();
            assert_eq!((task.status, task.attempts), (Status::Success, 1));
        }
        let again = first.enqueue::<Work>(1).queue("keyed").unique("k").outcome().await.unwrap();
        assert!(again.duplicate);
        store.backend.delete_definition(unused.id).await.unwrap();
        let (first, second) = (runner.stop().await.summary, watcher.stop().await.summary);
        assert_eq!((first.lost, first.retried, second.lost), (0, 0, 0), "{first}, {second}");
        assert!(shop.runs.lock().unwrap().values().all(|runs| *runs == 1), "nothing ran twice");
        let told = told.lock().unwrap();
        assert!(told.is_empty(), "the error handler hears: {told:?}");
    });
}

fn who_waits_for_a_key_waits_alone_and_not_for_ever() {
    with_store(async |store| {
        let tasks = tasks_of(&store).await;
        let mut client = store.harness.connect().await;
        let transaction = client.transaction().await.unwrap();
        let keyed = || tasks.enqueue::<Work>(1).unique("k");
        let first = keyed().within(&transaction).await.unwrap();

        // More of them than there are connections: plain ones find one all the same.
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let keyed = keyed();
                tokio::spawn(async move { keyed.outcome().await })
            })
            .collect();
        // Another transaction of somebody's waits in its own time, and can go on.
        let mut other = store.harness.connect().await;
        let theirs = other.transaction().await.unwrap();
        let began = Instant::now();
        let mut refused = Box::pin(keyed().within(&theirs));
        loop {
            let plain = Instant::now();
            tokio::select! {
                done = &mut refused => {
                    let error = done.unwrap_err();
                    assert!(error.is_retryable(), "{error}");
                    break;
                }
                stored = tasks.enqueue::<Work>(2) => {
                    stored.unwrap();
                    assert!(plain.elapsed() < Duration::from_secs(2), "{:?}", plain.elapsed());
                }
            }
        }
        let waited = began.elapsed();
        drop(refused);
        assert!(waited > Duration::from_secs(3) && waited < Duration::from_secs(8), "{waited:?}");
        let goes_on = tasks.enqueue::<Work>(3).queue("theirs").within(&theirs).await.unwrap();
        theirs.commit().await.unwrap();
        assert!(tasks.tasks().get(goes_on.id()).await.is_ok());
        transaction.commit().await.unwrap();
        for one in waiting {
            match one.await.unwrap() {
                Ok(outcome) => assert_eq!((outcome.id, outcome.duplicate), (first.id(), true)),
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    });
}
