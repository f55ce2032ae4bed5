//! Migrations: there and back, two at once, and one that was cut off half way.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Store;
use mysql_async::prelude::Queryable;
use taskstore_core::{Backend, Error, backend::Migrate};

common::server_tests!(
    a_migration_that_was_cut_off_is_run_again,
    two_at_once_make_the_tables_once,
    what_is_reverted_leaves_nothing_and_what_is_not_ours_stays,
    a_dry_run_changes_nothing,
    a_changed_migration_is_refused,
    newer_tables_are_refused_or_not_as_they_say,
);

async fn tables(store: &Store) -> Vec<String> {
    let rows = store.sql("SHOW TABLES").await;
    rows.into_iter().map(|row| row.get(0).unwrap()).collect()
}

async fn run(store: &Store, sql: &str) {
    store.person().await.query_drop(sql).await.unwrap();
}

async fn a_migration_that_was_cut_off_is_run_again() {
    let store = Store::new().await;
    let whole = tables(&store).await;
    run(&store, "DROP VIEW task; DROP TABLE task_queue_state, task_cancel, task_log; DELETE FROM task_migration").await;
    let error = store.backend.check_schema().await.unwrap_err();
    assert!(matches!(error, Error::Schema { found: 0, .. }), "{error}");
    let report = store.backend.migrate(&Migrate::up()).await.unwrap();
    assert_eq!(report.applied.first().map(String::as_str), Some("0001_initial"));
    assert_eq!(tables(&store).await, whole);
    store.backend.check_schema().await.unwrap();
    store.enqueue(1).await;
}

async fn two_at_once_make_the_tables_once() {
    let store = Store::new().await;
    store.backend.migrate(&Migrate::down()).await.unwrap();
    let other = store.other().await;
    let up = Migrate::up();
    let (one, two) = tokio::join!(store.backend.migrate(&up), other.migrate(&up));
    let mut applied = one.unwrap().applied;
    applied.extend(two.unwrap().applied);
    let mut once = applied.clone();
    once.dedup();
    assert_eq!(applied, once);
    assert_eq!(applied.first().map(String::as_str), Some("0001_initial"));
    store.backend.check_schema().await.unwrap();
}

async fn what_is_reverted_leaves_nothing_and_what_is_not_ours_stays() {
    let store = Store::new().await;
    run(&store, "CREATE TABLE task_of_mine(id INT PRIMARY KEY)").await;
    let report = store.backend.migrate(&Migrate::down()).await.unwrap();
    assert_eq!(report.applied.last().map(String::as_str), Some("0001_initial"));
    assert_eq!(tables(&store).await, ["task_of_mine"]);
    assert!(store.backend.migrate(&Migrate::down()).await.unwrap().applied.is_empty());
    store.backend.migrate(&Migrate::up()).await.unwrap();
    store.backend.check_schema().await.unwrap();
}

async fn a_dry_run_changes_nothing() {
    let store = Store::new().await;
    let before = tables(&store).await;
    let down = store.backend.migrate(&Migrate::down().dry_run()).await.unwrap();
    assert!(down.sql.iter().any(|sql| sql.contains("DROP TABLE")));
    assert_eq!(tables(&store).await, before);
    store.backend.migrate(&Migrate::down()).await.unwrap();
    let up = store.backend.migrate(&Migrate::up().dry_run()).await.unwrap();
    assert!(up.sql.iter().any(|sql| sql.contains("CREATE TABLE")));
    assert!(tables(&store).await.is_empty());
}

async fn a_changed_migration_is_refused() {
    let store = Store::new().await;
    run(&store, "UPDATE task_migration SET checksum=REPEAT('0',64)").await;
    let error = store.backend.check_schema().await.unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    assert!(store.backend.migrate(&Migrate::up()).await.is_err());
}

async fn newer_tables_are_refused_or_not_as_they_say() {
    let store = Store::new().await;
    let insert = "INSERT INTO task_migration(version,name,checksum,compatible_from,applied_at) VALUES(99,'0099_future','x',1,0)";
    run(&store, insert).await;
    store.backend.check_schema().await.unwrap();
    run(&store, "UPDATE task_migration SET compatible_from=99 WHERE version=99").await;
    let error = store.backend.check_schema().await.unwrap_err();
    assert!(error.to_string().contains("update this program"), "{error}");
    let error = store.backend.migrate(&Migrate::down()).await.unwrap_err();
    assert!(matches!(error, Error::Schema { found: 99, .. }), "{error}");
}
