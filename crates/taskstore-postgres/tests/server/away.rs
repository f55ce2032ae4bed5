//! A server that is not there, refuses, goes away, or is held up by somebody.

use std::time::{Duration, Instant};

use taskstore_core::{
    Backend, Error, LeaseId, RunnerId, Status,
    backend::{Enqueue, Fate, Isolate, LateLease, Pulse, Settle, Settlement, TakeOver, Transition},
};
use taskstore_postgres::{PostgresBackend, PostgresOptions};
use tokio_postgres::NoTls;

use crate::{
    Test, harness,
    store::{Store, with_store},
};

pub(crate) const TESTS: &[Test] = &[
    ("a_server_that_does_not_answer_is_unavailable_in_time", silent),
    ("a_database_that_is_not_there_is_an_error_that_would_come_again", no_database),
    ("connections_that_were_cut_are_replaced", cut),
    ("a_lease_that_somebody_holds_is_busy_and_nobody_waits", held),
    ("a_request_that_is_sent_again_while_the_first_is_under_way_is_answered_alike", sent_again),
    ("a_call_that_waits_for_a_lock_gives_up_in_time_and_has_done_nothing", locked),
];

fn url() -> String {
    std::env::var(harness::SERVER).unwrap()
}

/// A connection that a person would have, in the schema of the store.
async fn person(store: &Store) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let schema = store.sql("SELECT current_schema()").await.remove(0).remove(0);
    client.batch_execute(&format!("SET search_path={schema}")).await.unwrap();
    client
}

fn silent() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // Connections are accepted by the system, and nobody reads what they say.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let began = Instant::now();
        for url in [
            format!("postgres://me@127.0.0.1:{port}/x?connect_timeout=1"),
            "postgres://me@127.0.0.1:1/x?connect_timeout=1".to_owned(),
        ] {
            let options = PostgresOptions::from_url(&url).unwrap();
            let error = PostgresBackend::open(options).await.unwrap_err();
            assert!(matches!(error, Error::Unavailable { .. }), "{url}: {error}");
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    });
}

fn no_database() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = url();
        let (server, rest) = url.rsplit_once('/').unwrap();
        let query = rest.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
        let options = PostgresOptions::from_url(&format!("{server}/is_not_there{query}")).unwrap();
        let error = PostgresBackend::open(options).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "url", .. }), "{error}");
        assert!(error.to_string().contains("is_not_there"), "{error}");
    });
}

fn cut() {
    with_store(async |store| {
        let name = format!("cut {}", std::process::id());
        let options = store.options().application_name(&name);
        let backend = PostgresBackend::open(options).await.unwrap();
        let mut heart = backend.heartbeat().await.unwrap();
        store.enqueue(1).await;
        backend.task(taskstore_core::TaskId::new()).await.unwrap();
        let cut = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name='{name}'"
        );
        let cut: u32 = store.sql(&cut).await.remove(0).remove(0).parse().unwrap();
        assert!(cut >= 3, "{cut}");
        let mut failed = 0;
        // Each connection that was cut may fail one call, and no more.
        for _ in 0..cut {
            match backend.enqueue(&Enqueue::new(&[store.task()])).await {
                Ok(_) => {}
                Err(Error::Unavailable { .. }) => failed += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(failed < cut, "{failed} of {cut}");
        backend.enqueue(&Enqueue::new(&[store.task()])).await.unwrap(); // all were replaced
        let beaten = heart.beat(&[LeaseId::new()]).await;
        assert!(
            matches!(beaten, Ok(_) | Err(Error::Unavailable { .. })),
            "its own connection was cut, too: {beaten:?}"
        );
        let mut heart = backend.heartbeat().await.unwrap();
        assert_eq!(heart.beat(&[LeaseId::new()]).await.unwrap().leases, [Pulse::Lost]);
    });
}

fn held() {
    with_store(async |store| {
        store.enqueue(2).await;
        let (one, other) = (store.claim(1).await, store.claim(1).await);
        let (held, free) = (one.tasks[0].lease.batch, other.tasks[0].lease.batch);
        store.sql("UPDATE task_lease SET beat_at=0").await;
        let person = person(&store).await;
        let key = held.ulid().to_bytes().iter().map(|b| format!("{b:02x}")).collect::<String>();
        person
            .batch_execute(&format!("BEGIN;SELECT FROM task_lease WHERE lease='{key}' FOR UPDATE"))
            .await
            .unwrap();
        let began = Instant::now();
        let late = store.backend.late_leases(10).await.unwrap();
        assert_eq!(late.iter().map(|late| late.lease).collect::<Vec<_>>(), [free]);
        let seen = |lease| LateLease { lease, beat: 0, lease_for: Duration::from_secs(15) };
        let leases = vec![(seen(held), LeaseId::new())];
        let taken = store.backend.take_over(&TakeOver::new(RunnerId::new(), leases)).await.unwrap();
        assert!(taken[0].is_none());
        let mut heart = store.backend.heartbeat().await.unwrap();
        let beaten = heart.beat(&[held, free]).await.unwrap();
        assert_eq!(beaten.leases, [Pulse::Busy, Pulse::Alive]);
        assert!(began.elapsed() < Duration::from_secs(4), "somebody waited: {:?}", began.elapsed());
        person.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(heart.beat(&[held]).await.unwrap().leases, [Pulse::Alive]);
    });
}

/// A connection that is cut does not stop the server from doing what was asked over it: it is asked again,
/// and then both are under way.
fn sent_again() {
    with_store(async |store| {
        store.enqueue(2).await;
        let claimed = store.claim(2).await;
        let (one, other) = (claimed.tasks[0].lease, claimed.tasks[1].lease);
        let person = person(&store).await;
        let lock = "BEGIN;SELECT FROM task_lease FOR UPDATE";
        let name = format!("again {}", std::process::id());
        let options = store.options().application_name(&name);
        let backend = PostgresBackend::open(options).await.unwrap();
        let waiting = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type='Lock' AND application_name='{name}'"
        );
        let both_wait = async || {
            let began = Instant::now();
            while store.sql(&waiting).await[0][0] != "2" {
                assert!(began.elapsed() < Duration::from_secs(4), "they do not wait");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            person.batch_execute("COMMIT").await.unwrap();
        };
        let isolate = Isolate::new(vec![(one, LeaseId::new())]);
        person.batch_execute(lock).await.unwrap();
        let (first, second, ()) =
            tokio::join!(backend.isolate(&isolate), backend.isolate(&isolate), both_wait());
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(first[0].is_some() && first == second, "{first:?} {second:?}");
        let success = Transition::Success { output: None };
        let settle = Settle::new(vec![Settlement::new(other, success)]);
        person.batch_execute(lock).await.unwrap();
        let (first, second, ()) =
            tokio::join!(backend.settle(&settle), backend.settle(&settle), both_wait());
        let applied = Fate::Applied { status: Status::Success };
        assert_eq!(first.unwrap().fates, [applied]);
        assert_eq!(second.unwrap().fates, [applied]);
    });
}

fn locked() {
    with_store(async |store| {
        let person = person(&store).await;
        person.batch_execute("BEGIN;LOCK TABLE task_ready").await.unwrap();
        let began = Instant::now();
        let error = store.backend.enqueue(&Enqueue::new(&[store.task()])).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
        person.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(store.sql("SELECT count(*) FROM task_queue").await, [["0"]]);
        store.enqueue(1).await;
    });
}
