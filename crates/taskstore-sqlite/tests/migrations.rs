//! Migrations come and go, and nothing else does.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Store, claim};
use taskstore_core::{
    Backend, Error,
    backend::{Enqueue, Migrate},
};
use taskstore_sqlite::{SqliteBackend, SqliteOptions};

async fn empty(folder: &tempfile::TempDir) -> SqliteBackend {
    SqliteBackend::open(SqliteOptions::new(folder.path().join("tasks.db"))).await.unwrap()
}

#[tokio::test]
async fn a_file_that_was_never_migrated_says_so_at_every_call() {
    let folder = tempfile::tempdir().unwrap();
    let backend = empty(&folder).await;
    let none = |error: Error| assert!(matches!(error, Error::Schema { found: 0, .. }), "{error}");
    none(backend.check_schema().await.unwrap_err());
    none(backend.claim(&claim(1)).await.unwrap_err());
    none(backend.task(taskstore_core::TaskId::new()).await.unwrap_err());
    none(backend.late_leases(1).await.unwrap_err());
    let mut heart = backend.heartbeat().await.unwrap();
    none(heart.beat(&[taskstore_core::LeaseId::new()]).await.unwrap_err());
    backend.migrate(&Migrate::up()).await.unwrap();
    assert!(backend.claim(&claim(1)).await.is_ok(), "the same backend goes on");
    assert!(heart.beat(&[]).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_migrate_at_once_one_finds_nothing_to_do() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = tokio::join!(empty(&folder), empty(&folder));
        let (up, same) = (Migrate::up(), Migrate::up());
        let (first, second) = tokio::join!(
            tokio::spawn(async move { one.migrate(&up).await }),
            tokio::spawn(async move { other.migrate(&same).await }),
        );
        let applied = [first, second].map(|report| report.unwrap().unwrap().applied.len());
        assert!(applied.contains(&0) && applied.iter().sum::<usize>() > 0, "{applied:?}");
    }
}

#[tokio::test]
async fn down_drops_what_the_project_made_and_nothing_else() {
    let store = Store::new().await;
    let user = store.sql();
    user.execute_batch("CREATE TABLE task_mine(x); INSERT INTO task_mine VALUES(7);").unwrap();
    store.enqueue(3).await;
    let report = store.backend.migrate(&Migrate::down()).await.unwrap();
    assert_eq!(report.applied, ["0002_plain_sql", "0001_initial"]);
    let left: Vec<String> = user
        .prepare("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(left, ["task_mine"]);
    assert!(store.backend.migrate(&Migrate::down()).await.unwrap().applied.is_empty());
    store.backend.migrate(&Migrate::up()).await.unwrap();
    let task = store.task();
    assert!(
        matches!(
            store.backend.enqueue(&Enqueue::new(&[task])).await.unwrap_err(),
            Error::NotFound { what: "task definition", .. }
        ),
        "what was known of definitions is forgotten"
    );
}

#[tokio::test]
async fn a_plan_can_be_run_by_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let backend = empty(&folder).await;
    let plan = backend.migrate(&Migrate::up().dry_run()).await.unwrap();
    assert!(matches!(backend.check_schema().await.unwrap_err(), Error::Schema { found: 0, .. }));
    let person = rusqlite::Connection::open(backend.path()).unwrap();
    person.execute_batch(&plan.sql.join("\n")).unwrap();
    backend.check_schema().await.unwrap();
    assert!(backend.migrate(&Migrate::up()).await.unwrap().applied.is_empty());
}

#[tokio::test]
async fn a_migration_that_was_changed_after_it_was_applied_is_refused() {
    let store = Store::new().await;
    store.sql().execute("UPDATE task_migration SET checksum='other'", []).unwrap();
    for error in [
        store.backend.check_schema().await.unwrap_err(),
        store.backend.migrate(&Migrate::up()).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("checksum"), "{error}");
    }
}

#[tokio::test]
async fn newer_tables_say_whether_this_code_still_fits() {
    let store = Store::new().await;
    let newer = |compatible_from: u32| {
        let sql = "INSERT INTO task_migration VALUES(3,'0003_later','x',?1,0)
                   ON CONFLICT DO UPDATE SET compatible_from=excluded.compatible_from";
        store.sql().execute(sql, [compatible_from]).unwrap();
    };
    newer(2);
    store.backend.check_schema().await.unwrap();
    newer(3);
    let error = store.backend.check_schema().await.unwrap_err();
    assert!(matches!(error, Error::Schema { found: 3, expected: 2, .. }), "{error}");
    assert!(store.backend.migrate(&Migrate::down()).await.is_err(), "only newer code can");
}

#[tokio::test]
async fn stores_with_other_prefixes_share_a_file() {
    let store = Store::new().await;
    store.enqueue(1).await;
    let options = SqliteOptions::new(store.backend.path()).prefix("app_").unwrap();
    let other = SqliteBackend::open(options).await.unwrap();
    assert!(matches!(other.check_schema().await.unwrap_err(), Error::Schema { found: 0, .. }));
    other.migrate(&Migrate::up()).await.unwrap();
    assert!(other.claim(&claim(1)).await.unwrap().tasks.is_empty());
    other.migrate(&Migrate::down()).await.unwrap();
    assert_eq!(store.claim(1).await.tasks.len(), 1);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("tasks.db");
    let error = SqliteBackend::open(SqliteOptions::new(path)).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "url", .. }));
    assert!(error.to_string().contains("missing"), "{error}");
}
