//! What a person reads with plain SQL.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::collections::HashMap;

use common::{Store, json};
use mysql_async::{Row, Value};
use taskstore_core::{
    Backend, LogLevel, LogLine, Progress, TaskId,
    backend::{Control, Enqueue, Move, Settle, Settlement, Transition, When},
    clock,
};

common::server_tests!(
    the_view_tells_the_whole_story_of_a_task,
    the_view_tells_by_when_a_task_must_begin_and_how_long_it_may_take,
    the_columns_are_those_that_the_pages_name,
    hostile_text_comes_back_as_it_went_in,
    parameters_that_somebody_has_broken_by_hand_harm_only_their_own_task,
    a_task_is_found_by_its_id_without_a_scan,
);

fn columns(row: &Row) -> Vec<String> {
    row.columns_ref().iter().map(|column| column.name_str().into_owned()).collect()
}

/// The row of the view, by column, in the texts that a person sees.
async fn row(store: &Store, id: TaskId) -> HashMap<String, Option<String>> {
    let rows = store.sql(&format!("SELECT * FROM task WHERE id='{id}'")).await;
    let row = rows.into_iter().next().unwrap();
    let names = columns(&row);
    let text = |value| match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap()),
        other => Some(format!("{other:?}")),
    };
    names.into_iter().zip(row.unwrap().into_iter().map(text)).collect()
}

async fn the_view_tells_the_whole_story_of_a_task() {
    let store = Store::new().await;
    let id = store.enqueue(1).await[0];
    let seen = row(&store, id).await;
    let get = |seen: &HashMap<String, Option<String>>, name: &str| seen[name].clone();
    assert_eq!(get(&seen, "status").as_deref(), Some("queued"));
    assert_eq!(get(&seen, "attempts").as_deref(), Some("0"));
    assert_eq!(get(&seen, "alias").as_deref(), Some("email.send"));
    assert_eq!(get(&seen, "held_by"), None);
    let run_at = get(&seen, "run_at").unwrap();
    assert!(run_at.len() == 26 && run_at.starts_with("20") && &run_at[19..20] == ".", "{run_at}");

    let claimed = store.claim(1).await;
    let holder = store.backend.task(id).await.unwrap().unwrap().held_by.unwrap();
    let seen = row(&store, id).await;
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
    let seen = row(&store, id).await;
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

async fn the_view_tells_by_when_a_task_must_begin_and_how_long_it_may_take() {
    let store = Store::new().await;
    let mut task = store.task();
    task.expires = Some(When::At(clock::from_micros(1_700_000_000_000_001)));
    task.timeout = Some(std::time::Duration::from_millis(1_500));
    store.backend.enqueue(&Enqueue::new(&[task.clone()])).await.unwrap();
    let terms = async || {
        let seen = row(&store, task.id).await;
        (seen["expires_at"].clone(), seen["timeout_seconds"].clone())
    };
    let (by, seconds) = terms().await;
    assert_eq!(by.as_deref(), Some("2023-11-14 22:13:20.000001"));
    assert_eq!(seconds.as_deref(), Some("1.5000"));
    let cancel = Move::Cancel { reason: "no".to_owned() };
    for to in [cancel, Move::Requeue { parameters: None }] {
        store.backend.control(&Control::new(vec![task.id], to)).await.unwrap();
    }
    assert_eq!(terms().await, (None, seconds), "it was asked for again");
}

async fn the_columns_are_those_that_the_pages_name() {
    let store = Store::new().await;
    store.enqueue(1).await;
    let rows = store.sql("SELECT * FROM task").await;
    assert_eq!(
        columns(rows.first().unwrap()),
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
        assert_eq!(row(&store, id).await["error"].as_deref(), Some(text));
    }
}

async fn parameters_that_somebody_has_broken_by_hand_harm_only_their_own_task() {
    let store = Store::new().await;
    let ids = store.enqueue(2).await;
    let first = format!("(SELECT seq FROM task_queue WHERE id='{}')", ids[0]);
    store.sql(&format!("UPDATE task_payload SET parameters='not json' WHERE task={first}")).await;
    let claimed = store.claim(2).await;
    assert_eq!(claimed.tasks.len(), 2);
    assert_eq!(claimed.tasks[0].parameters.get(), "\"not json\"");
    assert_eq!(claimed.tasks[1].lease.task, ids[1]);
}

async fn a_task_is_found_by_its_id_without_a_scan() {
    let store = Store::new().await;
    let ids = store.enqueue(50).await;
    let sql = format!("EXPLAIN FORMAT=TRADITIONAL SELECT * FROM task WHERE id='{}'", ids[7]);
    for step in store.sql(&sql).await {
        let said = |name| step.get::<Option<String>, _>(name).flatten().unwrap_or_default();
        // Leases are read whole, and a table that has no such row is not read at all.
        let is_lease = matches!(said("table").as_str(), "l" | "x" | "");
        assert!(is_lease || !matches!(said("type").as_str(), "ALL" | "index"), "{step:?}");
        assert!(!said("Extra").contains("temporary"), "the view is not merged: {step:?}");
    }
}
