//! A user who may only do what a runner does; tables of others; a migration that is killed half-way.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use taskstore_core::{
    Backend, Error, RunnerId,
    backend::{Enqueue, Migrate, Sweep},
};
use taskstore_mysql::{MysqlBackend, MysqlOptions};

use crate::{
    Test,
    common::{Mysql, Store, block_on, claim, database_of},
    own::Own,
};

pub(crate) const TESTS: &[Test] = &[
    ("after_the_migration_four_rights_are_enough", || block_on(four_rights())),
    ("without_the_right_to_triggers_all_but_plain_sql_is_there", || block_on(no_triggers())),
    ("a_table_of_the_same_name_that_is_not_ours_is_left_alone", || block_on(tables_of_others())),
    ("a_migration_that_was_killed_half_way_is_run_again", || block_on(killed_half_way())),
    ("a_primary_that_became_a_replica_is_left_for_the_new_one", || block_on(replica())),
];

/// The options of a user who may do this in the store's database, and nothing else.
async fn user(server: &Own, store: &str, name: &str, rights: &str) -> MysqlOptions {
    let database = database_of(store);
    server
        .sql(&format!(
            "CREATE USER '{name}'@'%' IDENTIFIED BY 'word'; GRANT {rights} ON {database}.* TO '{name}'@'%'"
        ))
        .await;
    MysqlOptions::new("127.0.0.1", database).port(server.port()).user(name).password("word")
}

async fn works(backend: &MysqlBackend, store: &Store) {
    let task = store.task();
    backend.enqueue(&Enqueue::new(std::slice::from_ref(&task))).await.unwrap();
    let claimed = backend.claim(&claim(100)).await.unwrap();
    assert!(claimed.tasks.iter().any(|leased| leased.lease.task == task.id));
    let lease = claimed.tasks[0].lease.batch;
    backend.heartbeat().await.unwrap().beat(&[lease]).await.unwrap();
    assert_eq!(backend.recall(lease).await.unwrap().len(), claimed.tasks.len());
}

async fn four_rights() {
    let server = Own::start(&[]).await;
    let store = Store::at(&server.url(), "rights").await;
    let worker = user(&server, "rights", "worker", "SELECT,INSERT,UPDATE,DELETE").await;
    let backend = MysqlBackend::open(worker.clone()).await.unwrap();
    backend.check_schema().await.unwrap();
    // As `auto_migrate` does it at every start.
    assert!(backend.migrate(&Migrate::up()).await.unwrap().applied.is_empty());
    assert!(backend.capabilities().plain_sql);
    works(&backend, &store).await;
    let name = database_of("rights");
    let person = user(&server, "rights", "person", "INSERT").await;
    drop(person);
    let url = format!("mysql://person:word@127.0.0.1:{}/{name}", server.port());
    let mut person = mysql_async::Conn::from_url(&url).await.unwrap();
    let insert = "INSERT INTO task_enqueue(alias,parameters) VALUES('email.send','{}')";
    person.query_drop(insert).await.unwrap();
    assert_eq!(backend.claim(&claim(9)).await.unwrap().tasks.len(), 1);
    // And what it may not do it says: there is something to migrate.
    store.sql("DELETE FROM task_migration").await;
    let error = backend.migrate(&Migrate::up()).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("denied"), "{error}");
}

/// As on MySQL and MariaDB with a binary log for everybody who has not `SUPER`, too.
async fn no_triggers() {
    let server = Own::start(&["--log-bin=log", "--log-bin-trust-function-creators=0"]).await;
    let harness = Mysql::at(&server.url());
    let ddl = "SELECT,INSERT,UPDATE,DELETE,CREATE,DROP,ALTER,INDEX,CREATE VIEW";
    for (name, rights) in [("plain", ddl.to_owned()), ("logged", format!("{ddl},TRIGGER"))] {
        harness.make_database(name).await;
        let options = user(&server, name, name, &rights).await;
        let backend = MysqlBackend::open(options.clone()).await.unwrap();
        let report = backend.migrate(&Migrate::up()).await.unwrap();
        assert_eq!(report.applied, ["0001_initial"], "{name}");
        backend.check_schema().await.unwrap();
        assert!(!backend.capabilities().plain_sql);
        let tables = harness.sql(name, "SHOW TABLES LIKE '%enqueue%'").await;
        assert!(tables.is_empty(), "{name}: a table without its trigger would swallow tasks");
        let worker = format!("{name}_worker");
        let worker = user(&server, name, &worker, "SELECT,INSERT,UPDATE,DELETE").await;
        let worker = MysqlBackend::open(worker).await.unwrap();
        assert!(worker.migrate(&Migrate::up()).await.unwrap().applied.is_empty(), "{name}");
        worker.check_schema().await.unwrap();
        assert!(!worker.capabilities().plain_sql);
        worker.sweep(&Sweep::new(RunnerId::new(), 10)).await.unwrap();
    }
    // Whoever may do it adds it later.
    let backend = MysqlBackend::open(harness.options("plain")).await.unwrap();
    let report = backend.migrate(&Migrate::up()).await.unwrap();
    assert_eq!(report.applied, ["0002_plain_sql"]);
    assert!(backend.capabilities().plain_sql);
}

async fn tables_of_others() {
    let server = Own::start(&[]).await;
    let harness = Mysql::at(&server.url());
    for (name, table) in [("one", "task"), ("two", "task_queue"), ("three", "task_migration")] {
        harness.make_database(name).await;
        harness.sql(name, &format!("CREATE TABLE {table}(mine INT PRIMARY KEY)")).await;
        let backend = MysqlBackend::open(harness.options(name)).await.unwrap();
        let error = backend.migrate(&Migrate::up()).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "prefix", .. }), "{table}: {error}");
        assert!(error.to_string().contains(table), "{error}");
        assert!(backend.migrate(&Migrate::up().dry_run()).await.is_err(), "{table}");
        assert!(backend.check_schema().await.is_err(), "{table}");
        assert_eq!(harness.sql(name, "SHOW TABLES").await.len(), 1, "{table}: nothing was made");
        let options = harness.options(name).prefix("app_").unwrap();
        let backend = MysqlBackend::open(options).await.unwrap();
        backend.migrate(&Migrate::up()).await.unwrap();
        backend.check_schema().await.unwrap();
    }
}

/// Statement by statement, DDL is committed by itself.
async fn killed_half_way() {
    let mut server = Own::start(&[]).await;
    let harness = Mysql::at(&server.url());
    let cuts: [fn(&str, &str) -> Option<String>; 3] = [
        |name, text| cut(name, text, "0001_initial", "CREATE TABLE IF NOT EXISTS task_payload("),
        |name, text| cut(name, text, "0001_initial", "CREATE OR REPLACE"),
        |name, text| cut(name, text, "0002_plain_sql", "CREATE TRIGGER"),
    ];
    for (round, patch) in cuts.into_iter().enumerate() {
        let name = format!("half{round}");
        harness.make_database(&name).await;
        let backend = MysqlBackend::open(harness.options(&name).patch_sql(patch)).await.unwrap();
        let up = Migrate::up();
        let migration = backend.migrate(&up);
        let kill = async {
            let waits = "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP(60)%' AND ID<>CONNECTION_ID()";
            while harness.sql(&name, waits).await.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            server.kill();
        };
        let (done, ()) = tokio::join!(migration, kill);
        assert!(done.unwrap_err().is_retryable());
        server.run().await;
        let backend = MysqlBackend::open(harness.options(&name)).await.unwrap();
        let report = backend.migrate(&Migrate::up()).await.unwrap();
        assert_eq!(report.applied.last().map(String::as_str), Some("0002_plain_sql"), "{round}");
        backend.check_schema().await.unwrap();
        assert!(backend.capabilities().plain_sql);
    }
}

/// The text up to here, and then a long sleep.
fn cut(name: &str, text: &str, which: &str, at: &str) -> Option<String> {
    let place = text.find(at).filter(|_| name == which)?;
    text.get(..place).map(|text| format!("{text}DO SLEEP(60);"))
}

async fn replica() {
    let server = Own::start(&[]).await;
    let store = Store::at(&server.url(), "failover").await;
    let worker = user(&server, "failover", "worker", "SELECT,INSERT,UPDATE,DELETE").await;
    let proxy = taskstore_conformance::Proxy::before(server.address()).await.unwrap();
    let backend = MysqlBackend::open(worker.port(proxy.port())).await.unwrap();
    works(&backend, &store).await;
    let mut heart = backend.heartbeat().await.unwrap();
    let lease = store.backend.claim(&claim(1)).await.unwrap();
    drop(lease);
    server.sql("SET GLOBAL read_only=1").await;
    let task = store.task();
    let error = backend.enqueue(&Enqueue::new(std::slice::from_ref(&task))).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("read-only"), "{error}");
    // The name now leads to another server; the old one is still there, and stays a replica. Connections
    // to it that were kept would be refused for ever.
    let next = Own::start(&[]).await;
    let other = Store::at(&next.url(), "failover").await;
    let database = database_of("failover");
    next.sql(&format!(
        "CREATE USER 'worker'@'%' IDENTIFIED BY 'word'; GRANT SELECT,INSERT,UPDATE,DELETE ON {database}.* TO 'worker'@'%'"
    ))
    .await;
    proxy.lead_to(next.address());
    let task = other.task();
    backend.enqueue(&Enqueue::new(std::slice::from_ref(&task))).await.unwrap();
    assert!(other.backend.task(task.id).await.unwrap().is_some());
    // The heart, too.
    let lease = backend.claim(&claim(1)).await.unwrap().tasks[0].lease.batch;
    let beaten = heart.beat(&[lease]).await;
    let again = if beaten.is_err() { heart.beat(&[lease]).await } else { beaten };
    drop(again);
}
