//! What a person reads with plain SQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::HashMap;

use common::{Store, json};
use taskstore_core::{
    Backend, LogLevel, LogLine, Progress, TaskId,
    backend::{Control, Enqueue, Move, Settle, Settlement, Transition, When},
    clock,
};

fn columns(statement: &rusqlite::Statement<'_>) -> Vec<String> {
    let name = |index| statement.column_name(index).unwrap().to_owned();
    (0..statement.column_count()).map(name).collect()
}

/// The row of the view, by column.
fn row(store: &Store, id: TaskId) -> HashMap<String, Option<String>> {
    let person = store.sql();
    let mut statement = person.prepare("SELECT * FROM task WHERE id=?1").unwrap();
    let names = columns(&statement);
    statement
        .query_row([id.to_string()], |row| {
            names
                .iter()
                .enumerate()
                .map(|(index, name)| {
                    let value = match row.get_ref(index)? {
                        rusqlite::types::ValueRef::Null => None,
                        rusqlite::types::ValueRef::Integer(number) => Some(number.to_string()),
                        other => Some(other.as_str()?.to_owned()),
                    };
                    Ok((name.clone(), value))
                })
                .collect()
        })
        .unwrap()
}

#[tokio::test]
async fn the_view_tells_the_whole_story_of_a_task() {
    let store = Store::new().await;
    let id = store.enqueue(1).await[0];
    let seen = row(&store, id);
    let get = |seen: &HashMap<String, Option<String>>, name: &str| seen[name].clone();
    assert_eq!(get(&seen, "status").as_deref(), Some("queued"));
    assert_eq!(get(&seen, "attempts").as_deref(), Some("0"));
    assert_eq!(get(&seen, "alias").as_deref(), Some("email.send"));
    assert_eq!(get(&seen, "held_by"), None);
    let run_at = get(&seen, "run_at").unwrap();
    assert!(run_at.len() == 26 && run_at.starts_with("20") && &run_at[19..20] == ".", "{run_at}");

    let claimed = store.claim(1).await;
    let holder = store.backend.task(id).await.unwrap().unwrap().held_by.unwrap();
    let seen = row(&store, id);
    assert_eq!(get(&seen, "status").as_deref(), Some("running"));
    assert_eq!(get(&seen, "attempts").as_deref(), Some("1"));
    assert_eq!(get(&seen, "held_by"), Some(holder.runner.to_string()));
    assert!(get(&seen, "held_since").is_some());

    let output = Some(json("{\"n\":1}"));
    let mut settlement = Settlement::new(claimed.tasks[0].lease, Transition::Success { output });
    settlement.progress = Some(Progress { done: 3, total: 9 });
    settlement.log = ["one", "two"]
        .iter()
        .zip(0..)
        .map(|(text, n)| LogLine::new(n, clock::now(), LogLevel::Success, (*text).into()))
        .collect();
    store.backend.settle(&Settle::new(vec![settlement])).await.unwrap();
    let seen = row(&store, id);
    assert_eq!(get(&seen, "status").as_deref(), Some("success"));
    assert_eq!(get(&seen, "output").as_deref(), Some("{\"n\":1}"));
    assert_eq!(get(&seen, "progress").as_deref(), Some("3/9"));
    let details = get(&seen, "details").unwrap();
    let lines: Vec<_> = details.lines().collect();
    assert!(lines[0].ends_with(" success one") && lines[1].ends_with(" success two"), "{details}");
    for name in ["queue_name", "definition_id", "parameters", "priority", "created_at"] {
        assert!(seen[name].is_some(), "{name}");
    }
    for name in ["error", "deleted_at", "max_attempts", "cancel_requested_at", "held_since"] {
        assert!(seen[name].is_none(), "{name}");
    }
}

#[tokio::test]
async fn the_view_tells_by_when_a_task_must_begin_and_how_long_it_may_take() {
    let store = Store::new().await;
    let mut task = store.task();
    task.expires = Some(When::At(clock::from_micros(1_700_000_000_000_001)));
    task.timeout = Some(std::time::Duration::from_millis(1_500));
    store.backend.enqueue(&Enqueue::new(&[task.clone()])).await.unwrap();
    let terms = || {
        let sql = "SELECT expires_at, timeout_seconds FROM task WHERE id=?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        store.sql().query_row(sql, [task.id.to_string()], read).unwrap()
    };
    let said: (Option<String>, f64) = terms();
    assert_eq!(said, (Some("2023-11-14 22:13:20.000001".to_owned()), 1.5));
    let cancel = Move::Cancel { reason: "no".to_owned() };
    for to in [cancel, Move::Requeue { parameters: None }] {
        store.backend.control(&Control::new(vec![task.id], to)).await.unwrap();
    }
    assert_eq!(terms(), (None, 1.5), "it was asked for again");
}

#[tokio::test]
async fn the_columns_are_those_that_the_pages_name() {
    let store = Store::new().await;
    let person = store.sql();
    let statement = person.prepare("SELECT * FROM task").unwrap();
    assert_eq!(
        columns(&statement),
        [
            "id",
            "status",
            "queue_name",
            "definition_id",
            "alias",
            "parameters",
            "output",
            "details",
            "error",
            "attempts",
            "max_attempts",
            "progress",
            "priority",
            "suspect",
            "expires_at",
            "timeout_seconds",
            "run_at",
            "started_at",
            "completed_at",
            "created_at",
            "updated_at",
            "deleted_at",
            "cancel_requested_at",
            "held_by",
            "held_since",
        ]
    );
}

#[tokio::test]
async fn hostile_text_comes_back_as_it_went_in() {
    let store = Store::new().await;
    for text in ["'; DROP TABLE task_queue; --", "\"\\\u{1}\u{7f}\u{202e}🦀", "?1 :a $b @c %s %00"]
    {
        let mut task = store.task();
        task.parameters = json(&serde_json::to_string(text).unwrap());
        let expected = task.parameters.get().to_owned();
        let id = task.id;
        store.backend.enqueue(&Enqueue::new(&[task])).await.unwrap();
        let claimed = store.claim(1).await;
        assert_eq!(claimed.tasks[0].parameters.get(), expected);
        let mut settlement =
            Settlement::new(claimed.tasks[0].lease, Transition::Failed { error: text.to_owned() });
        settlement.log = vec![LogLine::new(0, clock::now(), LogLevel::Info, text.to_owned())];
        store.backend.settle(&Settle::new(vec![settlement])).await.unwrap();
        let task = store.backend.task(id).await.unwrap().unwrap();
        assert_eq!(task.last_error.as_deref(), Some(text));
        assert_eq!(store.backend.log(id, 0, 9).await.unwrap()[0].text, text);
        assert_eq!(row(&store, id)["error"].as_deref(), Some(text));
    }
}

#[tokio::test]
async fn parameters_that_somebody_has_broken_by_hand_harm_only_their_own_task() {
    let store = Store::new().await;
    let ids = store.enqueue(2).await;
    let sql = "UPDATE task_payload SET parameters='not json' WHERE task=1";
    assert_eq!(store.sql().execute(sql, []).unwrap(), 1);
    let claimed = store.claim(2).await;
    assert_eq!(claimed.tasks.len(), 2);
    assert_eq!(claimed.tasks[0].parameters.get(), "\"not json\"");
    assert_eq!(claimed.tasks[1].lease.task, ids[1]);
}
