//! Migrations come and go, and nothing else does.

use taskstore_core::{
    Backend, Error, QueueName, RunnerId,
    backend::{Claim, Enqueue, Migrate},
};
use taskstore_postgres::PostgresBackend;

use crate::{
    Test,
    store::{Store, with_store},
};

pub(crate) const TESTS: &[Test] = &[
    ("tables_that_were_never_made_are_missed_at_every_call", never_made),
    ("of_two_that_migrate_at_once_one_finds_nothing_to_do", two_at_once),
    ("down_drops_what_the_project_made_and_nothing_else", down),
    ("a_plan_can_be_run_by_a_person", a_plan),
    ("a_migration_that_was_changed_after_it_was_applied_is_refused", changed),
    ("newer_tables_say_whether_this_code_still_fits", newer),
    ("stores_with_other_prefixes_share_a_schema", prefixes),
    ("a_schema_that_is_not_there_is_named", no_schema),
];

fn claim() -> Claim {
    Claim::new(RunnerId::new(), [QueueName::default()], 1)
}

async fn without_tables(store: &Store) -> PostgresBackend {
    PostgresBackend::open(store.options().prefix("other_").unwrap()).await.unwrap()
}

fn never_made() {
    with_store(async |store| {
        let backend = without_tables(&store).await;
        let none =
            |error: Error| assert!(matches!(error, Error::Schema { found: 0, .. }), "{error}");
        none(backend.check_schema().await.unwrap_err());
        none(backend.claim(&claim()).await.unwrap_err());
        none(backend.enqueue(&Enqueue::new(&[store.task()])).await.unwrap_err());
        none(backend.task(taskstore_core::TaskId::new()).await.unwrap_err());
        none(backend.late_leases(1).await.unwrap_err());
        let mut heart = backend.heartbeat().await.unwrap();
        none(heart.beat(&[taskstore_core::LeaseId::new()]).await.unwrap_err());
        backend.migrate(&Migrate::up()).await.unwrap();
        backend.claim(&claim()).await.unwrap(); // the same backend goes on
        heart.beat(&[]).await.unwrap(); // and so does its heartbeat
    });
}

fn two_at_once() {
    with_store(async |store| {
        for round in 0..3 {
            let open = async || {
                let options = store.options().prefix(&format!("p{round}_")).unwrap();
                PostgresBackend::open(options).await.unwrap()
            };
            let (one, other) = (open().await, open().await);
            let up = Migrate::up();
            let (first, second) = tokio::join!(one.migrate(&up), other.migrate(&up));
            let applied = [first, second].map(|report| report.unwrap().applied.len());
            assert!(applied.contains(&0) && applied.iter().sum::<usize>() > 0, "{applied:?}");
        }
    });
}

fn down() {
    with_store(async |store| {
        store.sql("CREATE TABLE task_mine(x int);INSERT INTO task_mine VALUES(7)").await;
        store.enqueue(3).await;
        let report = store.backend.migrate(&Migrate::down()).await.unwrap();
        assert_eq!(report.applied, ["0002_plain_sql", "0001_initial"]);
        let left = store
            .sql("SELECT relname FROM pg_class WHERE relnamespace=current_schema()::regnamespace
                  UNION ALL SELECT proname FROM pg_proc WHERE pronamespace=current_schema()::regnamespace")
            .await;
        assert_eq!(left, [["task_mine"]]);
        assert!(store.backend.migrate(&Migrate::down()).await.unwrap().applied.is_empty());
        store.backend.migrate(&Migrate::up()).await.unwrap();
        let error = store.backend.enqueue(&Enqueue::new(&[store.task()])).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { what: "task definition", .. }), "{error}");
    });
}

fn a_plan() {
    with_store(async |store| {
        let backend = without_tables(&store).await;
        let plan = backend.migrate(&Migrate::up().dry_run()).await.unwrap();
        assert!(matches!(backend.check_schema().await, Err(Error::Schema { found: 0, .. })));
        store.sql(&plan.sql.join("\n")).await;
        backend.check_schema().await.unwrap();
        assert!(backend.migrate(&Migrate::up()).await.unwrap().applied.is_empty());
    });
}

fn changed() {
    with_store(async |store| {
        store.sql("UPDATE task_migration SET checksum='other'").await;
        for error in [
            store.backend.check_schema().await.unwrap_err(),
            store.backend.migrate(&Migrate::up()).await.unwrap_err(),
        ] {
            assert!(error.to_string().contains("checksum"), "{error}");
        }
    });
}

fn newer() {
    with_store(async |store| {
        let newer = async |compatible_from: u32| {
            store
                .sql(&format!(
                    "INSERT INTO task_migration VALUES(3,'0003_later','x',{compatible_from},0)
                     ON CONFLICT(version) DO UPDATE SET compatible_from=excluded.compatible_from"
                ))
                .await;
        };
        newer(2).await;
        store.backend.check_schema().await.unwrap();
        newer(3).await;
        let error = store.backend.check_schema().await.unwrap_err();
        assert!(matches!(error, Error::Schema { found: 3, expected: 2, .. }), "{error}");
        assert!(store.backend.migrate(&Migrate::down()).await.is_err(), "only newer code can");
    });
}

fn prefixes() {
    with_store(async |store| {
        store.enqueue(1).await;
        let other = without_tables(&store).await;
        other.migrate(&Migrate::up()).await.unwrap();
        assert!(other.claim(&claim()).await.unwrap().tasks.is_empty());
        other.migrate(&Migrate::down()).await.unwrap();
        assert_eq!(store.claim(1).await.tasks.len(), 1);
    });
}

fn no_schema() {
    with_store(async |store| {
        let options = store.options().schema("not_there").unwrap();
        let backend = PostgresBackend::open(options).await.unwrap();
        let error = backend.migrate(&Migrate::up()).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "schema", .. }), "{error}");
    });
}
