//! A server that is silent, frozen, killed, full, or cut off in the middle of every call.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mysql_async::prelude::Queryable;
use taskstore_conformance::{Outage, Proxy, Weather};
use taskstore_core::{
    Backend, Error,
    backend::{Enqueue, Fate, Migrate, Pulse, Settle, Settlement, Transition},
};
use taskstore_mysql::{MysqlBackend, MysqlOptions};

use crate::{
    Test,
    common::{Mysql, Store, block_on},
    own::{Own, signal},
};

pub(crate) const TESTS: &[Test] = &[
    ("every_call_on_a_server_that_is_cut_off_fails_in_time_and_can_be_sent_again", || {
        block_on(cut_off());
    }),
    ("every_call_on_a_server_that_is_frozen_or_killed_fails_in_time_and_can_be_sent_again", || {
        block_on(frozen_and_killed());
    }),
    ("what_a_session_of_ours_locked_is_free_when_its_machine_is_gone", || block_on(gone())),
    ("an_exhausted_pool_is_an_error_in_time_and_no_heart_stops", || block_on(exhausted())),
    ("connections_that_the_server_closed_are_replaced_unseen", || block_on(closed())),
    ("a_server_without_a_free_connection_is_worth_another_try", || block_on(full())),
];

const CALL: Duration = Duration::from_secs(3);
/// By when every call has given up: its own deadline, and a little for a machine that is busy.
const LIMIT: Duration = Duration::from_secs(7);

fn quick(options: MysqlOptions) -> MysqlOptions {
    let options = options.call_timeout(CALL).unwrap();
    options.connect_timeout(Duration::from_secs(1)).unwrap()
}

/// A store that is reached through a proxy.
async fn behind_a_proxy(server: &Own, name: &str) -> (Proxy, Arc<dyn Backend>, Mysql) {
    let proxy = Proxy::before(server.address()).await.unwrap();
    let harness = Mysql::at(&server.url());
    harness.make_database(name).await;
    let options = quick(harness.options(name)).port(proxy.port());
    let backend = open(options).await;
    backend.migrate(&Migrate::up()).await.unwrap();
    (proxy, Arc::new(backend), harness)
}

/// As a program that starts beside its server does: what is worth another try is tried again.
async fn open(options: MysqlOptions) -> MysqlBackend {
    let began = Instant::now();
    loop {
        match MysqlBackend::open(options.clone()).await {
            Ok(backend) => return backend,
            Err(error) => {
                let goes_on = error.is_retryable() && began.elapsed() < Duration::from_secs(30);
                assert!(goes_on, "{error}");
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn cut_off() {
    let server = Own::start(&[]).await;
    let try_out = async |name: &str, weather| {
        let (proxy, backend, _harness) = behind_a_proxy(&server, name).await;
        let mut outage = Outage::prepare(backend).await;
        proxy.turn(weather);
        outage.during(LIMIT).await;
        proxy.cut();
        proxy.turn(Weather::Fair);
        outage.after().await;
    };
    tokio::join!(
        try_out("silence", Weather::Silence),
        try_out("no_answers", Weather::NoAnswers),
        async {
            let (proxy, backend, _harness) = behind_a_proxy(&server, "cut").await;
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
        },
        async {
            let (proxy, backend, _harness) = behind_a_proxy(&server, "half").await;
            let mut outage = Outage::prepare(backend).await;
            proxy.turn(Weather::NoAnswers);
            tokio::join!(outage.during(LIMIT), async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                proxy.half_close();
                proxy.turn(Weather::Refusal);
            });
            proxy.turn(Weather::Fair);
            outage.after().await;
        },
    );
}

async fn frozen_and_killed() {
    let mut server = Own::start(&[]).await;
    let (proxy, backend, _harness) = behind_a_proxy(&server, "frozen").await;
    let mut outage = Outage::prepare(backend).await;
    signal(server.process(), "STOP");
    outage.during(LIMIT).await;
    signal(server.process(), "CONT");
    outage.after().await;

    let (_, backend, _more) = behind_a_proxy(&server, "killed").await;
    drop(proxy);
    let proxy = Proxy::before(server.address()).await.unwrap();
    let options = quick(_more.options("killed")).port(proxy.port());
    drop(backend);
    let backend = open(options).await;
    let mut outage = Outage::prepare(Arc::new(backend)).await;
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
    server.run().await;
    outage.after().await;
}

/// A machine that loses its power, or its cable, in the middle of a transaction tells nobody: what it
/// locked would stay locked for as long as the server waits for it, 8 hours by default.
async fn gone() {
    let server = Own::start(&[]).await;
    let store = Store::at(&server.url(), "gone").await;
    let proxy = Proxy::before(server.address()).await.unwrap();
    let options = quick(store.options()).port(proxy.port());
    let backend = MysqlBackend::open(options).await.unwrap();
    store.enqueue(1).await;
    let lease = store.claim(1).await.tasks[0].lease;
    let mut person = store.person().await;
    // It holds the lease, and waits for the record, when the machine goes.
    let block = "BEGIN; SELECT turn FROM task_queue FOR UPDATE";
    person.query_drop(block).await.unwrap();
    let success = Settlement::new(lease, Transition::Success { output: None });
    let settle = Settle::new(vec![success]);
    let call = backend.settle(&settle);
    let cut = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        proxy.forget();
        person.query_drop("ROLLBACK").await.unwrap();
    };
    let (done, ()) = tokio::join!(call, cut);
    assert!(done.unwrap_err().is_retryable());
    let mut heart = store.backend.heartbeat().await.unwrap();
    let beaten = heart.beat(&[lease.batch]).await.unwrap().leases;
    assert_eq!(beaten, [Pulse::Busy], "the server still waits for the machine");
    let version: Option<String> = person.query_first("SELECT VERSION()").await.unwrap();
    if version.is_some_and(|version| version.contains("MariaDB")) {
        let began = Instant::now();
        while heart.beat(&[lease.batch]).await.unwrap().leases == [Pulse::Busy] {
            assert!(began.elapsed() < Duration::from_secs(25), "it is still locked");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(store.backend.settle(&settle).await.unwrap().fates[0] != Fate::Lost);
    }
    person.disconnect().await.unwrap();
}

async fn exhausted() {
    let server = Own::start(&[]).await;
    let store = Store::at(&server.url(), "exhausted").await;
    let backend = MysqlBackend::open(quick(store.options()).pool(1).unwrap()).await.unwrap();
    store.enqueue(1).await;
    let lease = store.claim(1).await.tasks[0].lease.batch;
    let mut heart = backend.heartbeat().await.unwrap();
    let mut person = store.person().await;
    person.query_drop("LOCK TABLES task_queue WRITE").await.unwrap();
    let began = Instant::now();
    let call = || async { backend.enqueue(&Enqueue::new(&[store.task()])).await.unwrap_err() };
    let beats = async {
        for _ in 0..12 {
            let began = Instant::now();
            assert_eq!(heart.beat(&[lease]).await.unwrap().leases, [Pulse::Alive]);
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    let (one, other, third, ()) = tokio::join!(call(), call(), call(), beats);
    let all = [one, other, third];
    assert!(all.iter().all(|error| matches!(error, Error::Unavailable { .. })), "{all:?}");
    assert!(all.iter().any(|error| error.to_string().contains("pool")), "{all:?}");
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    person.query_drop("UNLOCK TABLES").await.unwrap();
    backend.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
}

async fn closed() {
    let server = Own::start(&[]).await;
    let store = Store::at(&server.url(), "closed").await;
    let mut heart = store.backend.heartbeat().await.unwrap();
    for round in 0..3 {
        // Several idle ones.
        let one = [store.task()];
        let one = Enqueue::new(&one);
        let calls: [_; 4] = std::array::from_fn(|_| store.backend.enqueue(&one));
        for call in calls {
            call.await.unwrap();
        }
        let mut person = store.person().await;
        let list: Vec<u64> = person
            .query("SELECT ID FROM information_schema.PROCESSLIST WHERE ID<>CONNECTION_ID() AND USER='taskstore'")
            .await
            .unwrap();
        assert!(list.len() >= 2, "{list:?}");
        for id in list {
            // One may have gone by itself.
            let _ = person.query_drop(format!("KILL {id}")).await;
        }
        store.enqueue(3).await;
        let lease = store.claim(1).await.tasks[0].lease.batch;
        let beaten = heart.beat(&[lease]).await.unwrap();
        assert_eq!(beaten.leases, [Pulse::Alive], "round {round}");
    }
}

async fn full() {
    let server = Own::start(&["--max-connections=10"]).await;
    let store = Store::at(&server.url(), "full").await;
    let mut heart = store.backend.heartbeat().await.unwrap();
    store.enqueue(1).await;
    let lease = store.claim(1).await.tasks[0].lease.batch;
    let mut crowd = Vec::new();
    let url = server.url();
    while let Ok(one) = mysql_async::Conn::from_url(&url).await {
        crowd.push(one);
    }
    // Somebody may have left meanwhile.
    let mut more = Vec::new();
    let error = loop {
        match MysqlBackend::open(quick(store.options())).await {
            Ok(backend) => more.push(backend),
            Err(error) => break error,
        }
        assert!(more.len() < 20);
    };
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().to_lowercase().contains("connections"), "{error}");
    // Those who are connected go on.
    assert_eq!(heart.beat(&[lease]).await.unwrap().leases, [Pulse::Alive]);
    store.enqueue(1).await;
    drop((crowd, more));
    let began = Instant::now();
    while let Err(error) = MysqlBackend::open(quick(store.options())).await {
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert!(began.elapsed() < LIMIT, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
