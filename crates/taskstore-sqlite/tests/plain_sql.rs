//! Tasks that are enqueued by an INSERT, from connections that know nothing of this crate. What every
//! engine with plain SQL must do is in the suite; here is what SQLite alone has.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Store, claim};
use rusqlite::{Connection, types::Value};
use taskstore_core::{
    Backend, QueueName, TaskId, UniqueHash,
    backend::{Enqueue, Enqueued, Settle, Settlement, Transition},
};
use taskstore_sqlite::{SqliteBackend, SqliteOptions};

const NEWEST: &str = "(SELECT id FROM task_queue ORDER BY seq DESC LIMIT 1)";

fn count(person: &Connection, table: &str) -> i64 {
    person.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

fn refused(person: &Connection, column: &str, value: Value) -> String {
    let sql = format!("INSERT INTO task_enqueue(alias,{column}) VALUES('email.send',?1)");
    person.execute(&sql, [value]).unwrap_err().to_string()
}

#[tokio::test]
async fn a_made_id_can_be_read_in_the_same_statement() {
    let store = Store::new().await;
    let person = store.sql();
    let sql = format!("INSERT INTO task_enqueue(alias) VALUES('email.send') RETURNING {NEWEST}");
    let ids: Vec<TaskId> = (0..100)
        .map(|_| {
            let id: String = person.query_row(&sql, [], |row| row.get(0)).unwrap();
            id.parse().unwrap()
        })
        .collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "in the order of enqueue, also within a millisecond");
    let claimed = store.claim(100).await.tasks;
    assert!(claimed.iter().map(|task| task.lease.task).eq(ids));
}

#[tokio::test]
async fn a_trigger_of_the_users_enqueues_for_each_row_and_goes_with_their_transaction() {
    let store = Store::new().await;
    let mut person = store.sql();
    person
        .execute_batch(
            "CREATE TABLE customer(email TEXT);
             CREATE TRIGGER welcome AFTER INSERT ON customer BEGIN
              INSERT INTO task_enqueue(alias,parameters,queue) VALUES('email.send',json_object('to',NEW.email),'mail');
             END;",
        )
        .unwrap();
    let transaction = person.transaction().unwrap();
    transaction.execute("INSERT INTO customer VALUES('nobody')", []).unwrap();
    transaction.rollback().unwrap();
    person.execute("INSERT INTO customer VALUES('o''hara'),('\"🦀\"')", []).unwrap();
    let mut claim = claim(9);
    claim.queues[0].queue = QueueName::new("mail").unwrap();
    let tasks = store.backend.claim(&claim).await.unwrap().tasks;
    let parameters: Vec<_> = tasks.iter().map(|task| task.parameters.get()).collect();
    assert_eq!(parameters, [r#"{"to":"o'hara"}"#, r#"{"to":"\"🦀\""}"#]);

    let sql = "UPDATE task_definition SET status=1";
    person.execute(sql, []).unwrap();
    let error = person.execute("INSERT INTO customer VALUES('late')", []).unwrap_err().to_string();
    assert!(error.contains("task definition is not valid: it is canceled"), "{error}");
    assert_eq!(count(&person, "customer"), 2, "the user's row is refused with its task");
}

#[tokio::test]
async fn with_a_prefix_the_view_has_it_and_enqueues_there_alone() {
    let store = Store::with(|options| options.prefix("app_").unwrap()).await;
    let plain = SqliteBackend::open(SqliteOptions::new(store.backend.path())).await.unwrap();
    plain.migrate(&taskstore_core::backend::Migrate::up()).await.unwrap();
    let person = store.sql();
    let sql = "INSERT INTO app_task_enqueue(alias,delay) VALUES('email.send',0),('email.send',60)";
    person.execute(sql, []).unwrap();
    let error = person.execute("INSERT INTO task_enqueue(alias) VALUES('email.send')", []);
    assert!(error.unwrap_err().to_string().contains("alias"), "another store's definitions");
    assert_eq!(count(&person, "app_task_ready") + count(&person, "app_task_later"), 2);
    assert_eq!(store.claim(9).await.tasks.len(), 1);
    assert!(plain.claim(&claim(9)).await.unwrap().tasks.is_empty());
}

/// The rule of the outer statement holds for what a trigger inserts, too.
#[tokio::test]
async fn insert_or_ignore_and_or_replace_break_nothing() {
    let store = Store::new().await;
    let person = store.sql();
    let id = store.enqueue(1).await[0];
    let ended = store.claim(1).await.tasks[0].lease;
    let success = Settlement::new(ended, Transition::Success { output: None });
    store.backend.settle(&Settle::new(vec![success])).await.unwrap();
    let before = store.backend.task(id).await.unwrap().unwrap();
    for or in ["IGNORE", "REPLACE", "FAIL", "ABORT", "ROLLBACK"] {
        let sql = format!(
            "INSERT OR {or} INTO task_enqueue(alias,id,delay) VALUES('email.send','{id}',9)"
        );
        assert!(person.execute(&sql, []).is_ok(), "OR {or}");
        for bad in
            ["priority) VALUES('email.send',1e9)", "run_at) VALUES('email.send','9999-01-01')"]
        {
            let sql = format!("INSERT OR {or} INTO task_enqueue(alias,{bad}");
            assert!(person.execute(&sql, []).is_err(), "OR {or} {bad}");
        }
    }
    let after = store.backend.task(id).await.unwrap().unwrap();
    assert_eq!(format!("{after:?}"), format!("{before:?}"));
    for (table, rows) in
        [("task_queue", 1), ("task_payload", 1), ("task_ready", 0), ("task_later", 0)]
    {
        assert_eq!(count(&person, table), rows, "{table}");
    }
}

#[tokio::test]
async fn values_that_only_sqlite_has_are_refused_by_name() {
    let store = Store::new().await;
    let person = store.sql();
    let blob = || Value::Blob(b"{}".to_vec());
    for (column, value) in [
        ("parameters", blob()),
        ("parameters", Value::Integer(5)),
        ("parameters", Value::Text("{}\0{".to_owned())),
        ("queue", Value::Integer(5)),
        ("queue", blob()),
        ("queue", Value::Text("mail\0".to_owned())),
        ("id", blob()),
        ("id", Value::Integer(5)),
        ("id", Value::Text("01ARZ3NDEKTSV4RRFFQ69G5FAV\0".to_owned())),
        ("priority", Value::Real(1.0)),
        ("priority", Value::Text("1".to_owned())),
        ("delay", Value::Text("soon".to_owned())),
        ("delay", Value::Real(f64::INFINITY)),
        ("run_at", Value::Integer(0)),
        ("run_at", Value::Real(2_460_000.5)),
        ("run_at", Value::Text("now".to_owned())),
        ("run_at", Value::Text("2026-03-01 07:00:00.5e3".to_owned())),
        ("max_attempts", Value::Real(2.0)),
        ("unique_key", Value::Text("key".to_owned())),
        ("unique_hash", blob()),
        ("unique_hash", Value::Text("x".repeat(32))),
    ] {
        let error = refused(&person, column, value.clone());
        assert!(error.contains(&format!("{column} is not valid: ")), "{value:?}: {error}");
    }
    assert_eq!(count(&person, "task_queue") + count(&person, "task_payload"), 0);
}

#[tokio::test]
async fn a_hash_made_as_programs_make_it_is_the_same_key() {
    let store = Store::new().await;
    let person = store.sql();
    let hash = UniqueHash::new(&store.definition.to_string(), "day 1").unwrap();
    let insert = || {
        let sql = "INSERT INTO task_enqueue(alias,unique_hash) VALUES('email.send',?1)";
        person.execute(sql, [hash.0]).unwrap();
    };
    insert();
    insert();
    assert_eq!(count(&person, "task_queue"), 1, "what is held back is not stored");
    let mut task = store.task();
    task.unique = Some(hash);
    let answer = store.backend.enqueue(&Enqueue::new(&[task])).await.unwrap();
    let held = store.claim(1).await.tasks[0].lease;
    assert_eq!(answer, [Enqueued::Duplicate(held.task)]);
    let success = Settlement::new(held, Transition::Success { output: None });
    store.backend.settle(&Settle::new(vec![success])).await.unwrap();
    insert();
    assert_eq!(count(&person, "task_queue"), 2, "its end has freed the key");
}

/// SQLite takes any bytes for a text, and its JSON functions do too.
#[tokio::test]
async fn bytes_that_are_no_text_harm_only_their_own_task() {
    let store = Store::new().await;
    let sql =
        "INSERT INTO task_enqueue(alias,parameters) VALUES('email.send',CAST(x'22ff22' AS TEXT))";
    let stored = store.sql().execute(sql, []);
    let other = store.enqueue(1).await[0];
    let claimed = store.claim(9).await.tasks;
    assert_eq!(claimed.last().unwrap().lease.task, other);
    if stored.is_ok() {
        assert_eq!(claimed.first().unwrap().parameters.get(), "\"\u{fffd}\"");
        let id = claimed.first().unwrap().lease.task;
        assert!(store.backend.task(id).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_waits_hears_of_it() {
    let store = Store::new().await;
    assert!(store.claim(1).await.tasks.is_empty());
    let queue = [QueueName::default().into()];
    let waiting = store.backend.wait_for_work(&queue, Duration::from_secs(60));
    let began = std::time::Instant::now();
    let person = store.sql();
    person.execute("INSERT INTO task_enqueue(alias) VALUES('email.send')", []).unwrap();
    waiting.await;
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(store.claim(1).await.tasks.len(), 1);
}
