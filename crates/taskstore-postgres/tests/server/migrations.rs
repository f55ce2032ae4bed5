//! Migrations come and go, and nothing else does.

use taskstore_core::{
    Backend, Error, QueueName, RunnerId, Status,
    backend::{Claim, Enqueue, Fate, Migrate, Settle, Settlement, Transition},
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
    ("older_code_goes_on_with_newer_tables_that_say_so", rolling),
    ("newer_code_does_not_start_on_older_tables", older_tables),
    ("a_table_that_is_not_ours_is_named_and_left_alone", not_ours),
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

/// A newer program has migrated while this one runs, and then this one starts once more.
fn rolling() {
    with_store(async |store| {
        store.enqueue(3).await;
        let held = store.claim(1).await.tasks[0].lease;
        let newer = "ALTER TABLE task_queue ADD COLUMN later text;
            ALTER TABLE task_payload ADD COLUMN later integer NOT NULL DEFAULT 7;
            CREATE TABLE task_held(task bigint PRIMARY KEY);
            INSERT INTO task_migration VALUES(99,'0099_later','x',2,0);SELECT 1";
        store.sql(newer).await;
        let success = Transition::Success { output: None };
        let end = Settlement::new(held, success);
        let settled = store.backend.settle(&Settle::new(vec![end])).await.unwrap();
        assert_eq!(settled.fates, [Fate::Applied { status: Status::Success }]);
        let again = store.other().await;
        for backend in [&store.backend, &again] {
            backend.check_schema().await.unwrap();
            assert!(backend.migrate(&Migrate::up()).await.unwrap().applied.is_empty());
            backend.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
            assert_eq!(backend.claim(&claim()).await.unwrap().tasks.len(), 1);
            assert!(backend.task(held.task).await.unwrap().is_some());
        }
        store.sql("UPDATE task_migration SET compatible_from=99 WHERE version=99").await;
        for error in [
            again.check_schema().await.unwrap_err(),
            again.migrate(&Migrate::up()).await.unwrap_err(),
        ] {
            assert!(matches!(error, Error::Schema { found: 99, .. }), "{error}");
            assert!(error.to_string().contains("update this program"), "{error}");
        }
    });
}

fn older_tables() {
    with_store(async |store| {
        store.sql("DELETE FROM task_migration WHERE version=(SELECT max(version) FROM task_migration)").await;
        let error = store.backend.check_schema().await.unwrap_err();
        assert!(
            matches!(error, Error::Schema { found, expected, .. } if found + 1 == expected),
            "{error}"
        );
        assert!(error.to_string().contains("migrat"), "{error}");
    });
}

fn not_ours() {
    with_store(async |store| {
        for (prefix, theirs) in
            [("one_", "one_task_later(x int)"), ("two_", "two_task_migration(x int)")]
        {
            store.sql(&format!("CREATE TABLE {theirs};SELECT 1")).await;
            let backend =
                PostgresBackend::open(store.options().prefix(prefix).unwrap()).await.unwrap();
            for migrate in [Migrate::up(), Migrate::down()] {
                match backend.migrate(&migrate).await {
                    Err(Error::Invalid { field: "prefix", reason }) => {
                        assert!(reason.contains("task_"), "{reason}");
                    }
                    // Nothing of ours is there to be dropped.
                    Ok(report) if prefix == "one_" => assert!(report.applied.is_empty()),
                    other => panic!("{prefix} {other:?}"),
                }
            }
            let left = format!(
                "SELECT string_agg(relname,' ') FROM pg_class
                  WHERE relnamespace=current_schema()::regnamespace AND relname LIKE '{prefix}%'"
            );
            let (name, _) = theirs.split_once('(').unwrap();
            assert_eq!(store.sql(&left).await, [[name]]);
        }
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
