//! A server that goes away in the middle of the work: for three lease lengths, or for good, and a standby takes
//! its place.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use taskstore_conformance::Proxy;
use taskstore_core::{Alias, Backend, Definition, Error, LeaseId, backend::Expect};
use taskstore_postgres::{PostgresBackend, PostgresOptions};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::{
    Test,
    own::{self, OwnServer},
    work::{Seen, Work, definition, produce},
};

pub(crate) const TESTS: &[Test] = &[
    ("a_standby_that_takes_over_in_the_middle_of_the_work_loses_nothing", failover),
    ("an_outage_of_three_leases_costs_no_living_worker_its_task", outage),
];

/// The shortest that there is.
const LEASE: Duration = Duration::from_secs(2);

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test);
}

fn options(url: &str) -> PostgresOptions {
    PostgresOptions::from_url(url).unwrap().connect_timeout(Duration::from_secs(2))
}

/// The values of the first rows that the text answers.
async fn ask(url: &str, text: &str) -> Vec<String> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let rows = client.simple_query(text).await.unwrap();
    let value = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    };
    rows.into_iter().filter_map(value).collect()
}

/// A standby whose word the primary waits for before a commit is answered.
async fn synchronous_standby(primary: &OwnServer) -> OwnServer {
    let standby = OwnServer::standby_of(primary, &["hot_standby=on"]);
    ask(&primary.url(), "ALTER SYSTEM SET synchronous_standby_names='*'").await;
    ask(&primary.url(), "SELECT pg_reload_conf()").await;
    let began = Instant::now();
    while ask(&primary.url(), "SELECT sync_state FROM pg_stat_replication").await != ["sync"] {
        assert!(began.elapsed() < Duration::from_secs(30), "the standby does not follow");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    standby
}

fn failover() {
    let primary = OwnServer::boot(&["fsync=on"]);
    run(async {
        let standby = synchronous_standby(&primary).await;
        let both = format!(
            "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres",
            standby.port(),
            primary.port()
        );
        let seen = Seen::default();
        let admin = PostgresBackend::open(options(&both)).await.unwrap();
        admin.migrate(&taskstore_core::backend::Migrate::up()).await.unwrap();
        let (one, other) = (seen.process(options(&both)).await, seen.process(options(&both)).await);
        a_standby_is_left_for_the_primary(&primary, &standby).await;

        let mut tasks = one.enqueue_many::<Work>((0..800).map(|n| 20 + n % 20)).await.unwrap();
        let definition = definition(&admin).await;
        let goes_on = AtomicBool::new(true);
        let runners = [one.runner().start().await.unwrap(), other.runner().start().await.unwrap()];
        let (produced, ()) = tokio::join!(
            produce(&admin, definition, |made| made < 20 || goes_on.load(Ordering::Relaxed)),
            async {
                seen.has_run(200).await;
                primary.kill();
                standby.promote();
                // Into the new one's life, and to its end.
                seen.has_run(700).await;
                goes_on.store(false, Ordering::Relaxed);
            }
        );
        tasks.extend(produced);
        seen.each_ran_once(&one, &tasks).await;
        for runner in runners {
            runner.stop().await;
        }
        let places = "SELECT (SELECT count(*) FROM task_ready)+(SELECT count(*) FROM task_later)
                       +(SELECT count(*) FROM task_lease)";
        assert_eq!(ask(&standby.url(), places).await, ["0"]);
    });
}

/// Whoever is still connected to a server that does not take writes any more is told so once, and then
/// connects anew.
async fn a_standby_is_left_for_the_primary(primary: &OwnServer, standby: &OwnServer) {
    let proxy = Proxy::before(standby.address()).await.unwrap();
    let backend = PostgresBackend::open(options(&own::url(proxy.port()))).await.unwrap();
    let mut heart = backend.heartbeat().await.unwrap();
    let read_only = |error: Error| {
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert!(error.to_string().contains("25006"), "{error}");
    };
    let definition = Definition::new(Alias::new("other").unwrap());
    let put = async || backend.put_definition(&definition, Expect::Absent).await;
    read_only(put().await.unwrap_err());
    read_only(heart.beat(&[LeaseId::new()]).await.unwrap_err());
    proxy.lead_to(primary.address());
    put().await.unwrap();
    heart.beat(&[LeaseId::new()]).await.unwrap();
}

fn outage() {
    let server = OwnServer::boot(&["fsync=on"]);
    run(async {
        let seen = Seen::default();
        let admin = PostgresBackend::open(options(&server.url())).await.unwrap();
        admin.migrate(&taskstore_core::backend::Migrate::up()).await.unwrap();
        let open = async || seen.process(options(&server.url())).await;
        let (one, other) = (open().await, open().await);
        let tasks = one.enqueue_many::<Work>((0..600).map(|n| n % 40)).await.unwrap();
        let runners = [
            one.runner().lease(LEASE).start().await.unwrap(),
            other.runner().lease(LEASE).start().await.unwrap(),
        ];
        seen.has_run(100).await;
        server.freeze();
        // The outage itself.
        tokio::time::sleep(LEASE * 3).await;
        server.thaw();
        seen.has_run(350).await;
        server.kill();
        tokio::time::sleep(LEASE * 3).await;
        server.start();
        seen.each_ran_once(&one, &tasks).await;
        for runner in runners {
            runner.stop().await;
        }
    });
}
