//! A server that is silent, frozen, killed, or cut off in the middle of every call.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use taskstore_conformance::{Outage, Proxy, Weather};
use taskstore_core::{
    Backend, Error, LeaseId, QueueName, QueuePattern,
    backend::{Enqueue, Pulse},
};
use taskstore_postgres::{PostgresBackend, PostgresOptions};

use crate::{
    Test,
    harness::Postgres,
    own::{self, OwnServer},
    store::{Store, with_store_of},
};

pub(crate) const TESTS: &[Test] = &[
    ("every_call_on_a_server_that_is_cut_off_fails_in_time_and_can_be_sent_again", cut_off),
    ("every_call_on_a_server_that_is_frozen_fails_in_time_and_can_be_sent_again", frozen),
    ("every_call_on_a_server_that_is_killed_fails_in_time_and_can_be_sent_again", killed),
    ("a_session_that_died_for_us_alone_is_waited_for_and_no_longer_than_a_lock", half_closed),
    ("a_listener_that_hears_nothing_asks_and_connects_again", deaf),
    ("an_exhausted_pool_is_an_error_in_time_and_no_heart_stops", exhausted),
    ("a_server_without_a_free_connection_is_worth_another_try", full),
];

/// By when every call has given up: its own deadline, and a little for a machine that is busy.
const LIMIT: Duration = Duration::from_secs(13);

/// One server for all who leave it alone. It ends with the program.
fn shared() -> &'static OwnServer {
    static SERVER: OnceLock<OwnServer> = OnceLock::new();
    SERVER.get_or_init(|| OwnServer::boot(&["fsync=off", "max_connections=200"]))
}

/// Runs a test on one store that is reached through a proxy.
async fn behind_a_proxy(server: &OwnServer, name: &str) -> (Proxy, Arc<dyn Backend>, Postgres) {
    let proxy = Proxy::before(server.address()).await.unwrap();
    let harness = Postgres::at(own::url(proxy.port()), server.url());
    harness.make_schema(name).await;
    let options =
        harness.options(name).connect_timeout(Duration::from_secs(1)).application_name(name);
    let backend = PostgresBackend::open(options).await.unwrap();
    backend.migrate(&taskstore_core::backend::Migrate::up()).await.unwrap();
    (proxy, Arc::new(backend), harness)
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test);
}

fn cut_off() {
    let server = shared();
    let try_out = async |name: &str, weather| {
        let (proxy, backend, _harness) = behind_a_proxy(server, name).await;
        let mut outage = Outage::prepare(backend).await;
        proxy.turn(weather);
        outage.during(LIMIT).await;
        proxy.cut();
        proxy.turn(Weather::Fair);
        outage.after().await;
    };
    run(async {
        tokio::join!(
            try_out("silence", Weather::Silence),
            try_out("no_answers", Weather::NoAnswers),
            async {
                let (proxy, backend, _harness) = behind_a_proxy(server, "cut").await;
                let mut outage = Outage::prepare(backend).await;
                proxy.turn(Weather::NoAnswers);
                tokio::join!(outage.during(LIMIT), async {
                    // Cut as soon as the server has had the requests.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    proxy.turn(Weather::Refusal);
                    proxy.cut();
                });
                proxy.turn(Weather::Fair);
                outage.after().await;
            }
        );
    });
}

fn frozen() {
    let server = OwnServer::boot(&["fsync=off"]);
    run(async {
        let (_proxy, backend, _harness) = behind_a_proxy(&server, "frozen").await;
        let mut outage = Outage::prepare(backend).await;
        server.freeze();
        outage.during(LIMIT).await;
        server.thaw();
        outage.after().await;
    });
}

fn killed() {
    // On the disk when it is said to be, or the test would prove nothing.
    let server = OwnServer::boot(&["fsync=on"]);
    run(async {
        let (proxy, backend, _harness) = behind_a_proxy(&server, "killed").await;
        let mut outage = Outage::prepare(backend).await;
        // What is done, and nobody hears of.
        proxy.turn(Weather::NoAnswers);
        tokio::join!(outage.during(LIMIT), async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            server.kill();
            proxy.turn(Weather::Fair);
            proxy.cut();
        });
        // Nobody is there at all.
        outage.during(LIMIT).await;
        server.start();
        outage.after().await;
    });
}

fn half_closed() {
    let server = shared();
    run(async {
        let (proxy, backend, harness) = behind_a_proxy(server, "half").await;
        let mut outage = Outage::prepare(backend).await;
        // The statements of the calls are done, and their ends never come: what they locked stays
        // locked, as far as the server knows somebody is still there.
        proxy.turn(Weather::NoAnswers);
        tokio::join!(outage.during(LIMIT), async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            proxy.half_close();
            proxy.turn(Weather::Refusal);
        });
        proxy.turn(Weather::Fair);
        let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name='half'";
        let open = harness.sql("half", open).await.unwrap();
        assert_ne!(open[1][0], "0", "the server was told");
        outage.after().await;
    });
}

fn deaf() {
    let server = shared();
    let harness = Postgres::at(server.url(), server.url());
    with_store_of(harness, async |store: Store| {
        let proxy = Proxy::before(server.address()).await.unwrap();
        let options = store.options().listen_at(&own::url(proxy.port())).unwrap();
        let options = options.probe_after(Duration::from_millis(500), Duration::from_millis(500));
        let backend = PostgresBackend::open(options).await.unwrap();
        let queues: [QueuePattern; 1] = [QueueName::default().into()];
        let long = Duration::from_secs(20);
        let hears = async || {
            let began = Instant::now();
            backend.wait_for_work(&queues, long).await;
            assert!(began.elapsed() < long / 2, "nobody listens");
        };
        // Whoever begins to listen is woken once.
        hears().await;
        proxy.forget();
        let other = store.other().await;
        other.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
        // Nobody is told of it, and only the probe can tell that the connection is dead: whoever then begins
        // to listen anew is woken.
        hears().await;
        assert_eq!(backend.claim(&store.claim_of(2)).await.unwrap().tasks.len(), 1);
        let began = Instant::now();
        let wait = backend.wait_for_work(&queues, long);
        other.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
        wait.await;
        assert!(began.elapsed() < long / 2, "the new connection hears nothing");
    });
}

fn exhausted() {
    let server = shared();
    let harness = Postgres::at(server.url(), server.url());
    with_store_of(harness, async |store: Store| {
        let options = store.options().pool(1).unwrap().connect_timeout(Duration::from_secs(1));
        let backend = PostgresBackend::open(options).await.unwrap();
        store.enqueue(1).await;
        let lease = store.claim(1).await.tasks[0].lease.batch;
        let mut heart = backend.heartbeat().await.unwrap();
        let (person, connection) =
            tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let schema = store.sql("SELECT current_schema()").await.remove(0).remove(0);
        person.batch_execute(&format!("BEGIN;LOCK TABLE {schema}.task_ready")).await.unwrap();
        let began = Instant::now();
        let call = || async { backend.enqueue(&Enqueue::new(&[store.task()])).await.unwrap_err() };
        let beats = async {
            for _ in 0..20 {
                let began = Instant::now();
                assert_eq!(heart.beat(&[lease]).await.unwrap().leases, [Pulse::Alive]);
                assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        let (one, other, third, ()) = tokio::join!(call(), call(), call(), beats);
        for error in [&one, &other, &third] {
            assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        }
        assert!([one, other, third].iter().any(|error| error.to_string().contains("pool")));
        assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
        person.batch_execute("ROLLBACK").await.unwrap();
        backend.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
    });
}

fn full() {
    let server = shared();
    let harness = Postgres::at(server.url(), server.url());
    with_store_of(harness, async |store: Store| {
        // As `max_connections` is answered, but without taking all of them.
        store.sql("CREATE ROLE crowd LOGIN CONNECTION LIMIT 2;SELECT 1").await;
        let url = server.url().replace("postgres@", "crowd@");
        let options = PostgresOptions::from_url(&url).unwrap();
        let one = PostgresBackend::open(options.clone()).await.unwrap();
        let mut heart = one.heartbeat().await.unwrap();
        let error = PostgresBackend::open(options.clone()).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert!(error.to_string().contains("53300"), "{error}");
        // Those who are connected go on; there are no tables for them, which they are told.
        let beaten = heart.beat(&[LeaseId::new()]).await.unwrap_err();
        assert!(matches!(beaten, Error::Schema { .. }), "{beaten}");
        drop(heart);
        let began = Instant::now();
        while let Err(error) = PostgresBackend::open(options.clone()).await {
            assert!(matches!(error, Error::Unavailable { .. }), "{error}");
            assert!(began.elapsed() < LIMIT, "{error}");
        }
    });
}
