//! A store behind PgBouncer, which lends each of its two connections for one transaction at a time.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::{Completion, Trial};
use taskstore_conformance::{
    Case, Harness, cases,
    stress::{self, Options},
    try_case,
};
use taskstore_core::{
    Backend, Error, QueueName, QueuePattern, TaskId,
    backend::{Enqueue, Migrate, TaskFilter, TaskOrder, TaskQuery},
};
use taskstore_postgres::{PostgresBackend, PostgresOptions};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::{
    Test,
    harness::{Postgres, SERVER},
    store::{Store, with_store_of},
};

/// Says where a store goes through a pooler, and hears notices of the server itself.
const POOLER: &str = "TASKSTORE_TEST_PGBOUNCER_URL";

const LONG: Duration = Duration::from_secs(20);

/// What shows first when something is kept that a transaction should have taken with it.
const NOUNS: [&str; 3] = ["schema", "unique", "settle"];

const TESTS: &[Test] = &[
    ("a_pooler_that_nobody_has_spoken_of_is_named", not_spoken_of),
    ("nothing_outlasts_a_transaction", nothing_outlasts_a_transaction),
    ("what_is_told_through_a_pooler_is_heard_of_the_server_itself", told_and_heard),
    ("of_two_that_migrate_through_a_pooler_one_finds_nothing_to_do", migrations),
    ("the_suite_finds_no_difference_behind_a_pooler", suite),
    ("three_stores_behind_a_pooler_keep_every_promise_under_stress", under_stress),
];

/// Ignored, where there is no pooler.
pub(crate) fn trials() -> Vec<Trial> {
    let why = "TASKSTORE_TEST_PGBOUNCER_URL names no pooler";
    let trial = |&(name, run): &Test| {
        if env::var_os(POOLER).is_some() {
            return Trial::test(name, move || {
                run();
                Ok(())
            });
        }
        Trial::ignorable_test(name, move || Ok(Completion::ignored_with(why)))
            .with_kind(why)
            .with_ignored_flag(true)
    };
    TESTS.iter().map(trial).collect()
}

fn harness() -> Postgres {
    Postgres::at(env::var(POOLER).unwrap(), env::var(SERVER).unwrap())
}

fn with_pooled_store<F: Future<Output = ()>>(test: impl FnOnce(Store) -> F) {
    with_store_of(harness(), test);
}

/// The pooler's own address, without what it means to a store.
fn pooler() -> String {
    env::var(POOLER).unwrap().split_once('?').unwrap().0.to_owned()
}

/// The values of the first row that the text answers.
async fn ask(client: &tokio_postgres::Client, text: &str) -> Vec<String> {
    let rows = client.simple_query(text).await.unwrap();
    let row = rows.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.unwrap();
    (0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect()
}

fn not_spoken_of() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = PostgresOptions::from_url(&pooler()).unwrap();
        let error = PostgresBackend::open(options).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "url", .. }), "{error}");
        assert!(error.to_string().contains("pooler=transaction"), "{error}");
    });
}

/// Both of the pooler's connections, one after the other would be the same one.
async fn both() -> [tokio_postgres::Client; 2] {
    let open = async || {
        let (client, connection) = tokio_postgres::connect(&pooler(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("BEGIN").await.unwrap();
        client
    };
    [open().await, open().await]
}

fn nothing_outlasts_a_transaction() {
    with_pooled_store(async |store| {
        let ids = store.enqueue(3).await;
        assert_eq!(store.claim(2).await.tasks.len(), 2);
        store.backend.task(ids[0]).await.unwrap().unwrap();
        let mut filter = TaskFilter::default();
        filter.queue = Some(QueueName::default());
        let query = TaskQuery::new(filter.clone(), TaskOrder::NewestFirst, 10);
        assert_eq!(store.backend.tasks(&query).await.unwrap().items.len(), 3);
        store.backend.count(&filter, 10).await.unwrap();
        store.backend.heartbeat().await.unwrap().beat(&[]).await.unwrap();
        // What fails leaves nothing behind either.
        let missing = store
            .backend
            .put_definition(&store.definition, taskstore_core::backend::Expect::Absent);
        assert!(matches!(missing.await, Err(Error::AlreadyExists { .. })));
        for client in both().await {
            // A pooler may keep statements of its own.
            let prepared =
                "SELECT count(*) FROM pg_prepared_statements WHERE name NOT LIKE 'PGBOUNCER%'";
            assert_eq!(ask(&client, prepared).await, ["0"]);
            let set =
                "SELECT coalesce(string_agg(name,' '),'') FROM pg_settings WHERE source='session'
                        AND name NOT IN ('client_encoding','application_name')";
            assert_eq!(ask(&client, set).await, [""]);
            let locks =
                "SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND pid=pg_backend_pid()";
            assert_eq!(ask(&client, locks).await, ["0"]);
        }
    });
}

fn told_and_heard() {
    with_pooled_store(async |store| {
        let told = env::var(POOLER).unwrap();
        let (told, _) = told.split_once("&listen=").unwrap();
        let only_tells = store.options_of(told);
        let only_tells = PostgresBackend::open(only_tells).await.unwrap();
        assert!(!only_tells.capabilities().notifies_across_processes);
        assert!(store.backend.capabilities().notifies_across_processes);
        let queues: [QueuePattern; 1] = [QueueName::default().into()];
        let began = Instant::now();
        // Whoever begins to listen is woken once.
        store.backend.wait_for_work(&queues, LONG).await;
        let wait = store.backend.wait_for_work(&queues, LONG);
        only_tells.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
        wait.await;
        assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
        let short = Duration::from_millis(300);
        let other = store.other().await;
        assert_eq!(store.claim(2).await.tasks.len(), 1);
        assert!(only_tells.claim(&store.claim_of(1)).await.unwrap().tasks.is_empty());
        let (waited, ()) = tokio::join!(
            async {
                let began = Instant::now();
                only_tells.wait_for_work(&queues, short).await;
                began.elapsed()
            },
            async {
                other.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
            }
        );
        assert!(waited >= short, "it heard something through the pooler");
    });
}

fn migrations() {
    with_pooled_store(async |store| {
        let open = async || {
            PostgresBackend::open(store.options().prefix("again_").unwrap()).await.unwrap()
        };
        let (one, other) = (open().await, open().await);
        let error = one.task(TaskId::new()).await.unwrap_err();
        assert!(matches!(error, Error::Schema { found: 0, .. }), "{error}");
        let up = Migrate::up();
        let (first, second) = tokio::join!(one.migrate(&up), other.migrate(&up));
        let applied = [first, second].map(|report| report.unwrap().applied.len());
        assert!(applied.contains(&0) && applied.iter().sum::<usize>() > 0, "{applied:?}");
        assert!(one.task(TaskId::new()).await.unwrap().is_none());
    });
}

fn suite() {
    let harness: Arc<dyn Harness> = Arc::new(harness());
    let noun = |case: &Case| case.name.split("::").next().unwrap_or_default();
    let cases: Vec<_> = cases().into_iter().filter(|case| NOUNS.contains(&noun(case))).collect();
    assert!(cases.len() > 40, "only {}", cases.len());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    try_case(Arc::clone(&harness), *case, harness.deadline())
                        .unwrap_or_else(|why| panic!("{}: {why}", case.name));
                }
            });
        }
    });
}

fn under_stress() {
    with_pooled_store(async |store| {
        let mut handles: Vec<Arc<dyn Backend>> = Vec::new();
        for _ in 0..3 {
            handles.push(Arc::new(store.other().await));
        }
        let seed = env::var("TASKSTORE_SEED")
            .map_or_else(|_| u64::from(std::process::id()) << 20, |seed| seed.parse().unwrap());
        let tally = stress::run(&handles, Options::new(seed))
            .await
            .unwrap_or_else(|violations| panic!("seed {seed}:\n{}", violations.join("\n")));
        assert!(tally.claims > 0 && tally.settled > 0, "seed {seed}: {tally:?}");
    });
}
