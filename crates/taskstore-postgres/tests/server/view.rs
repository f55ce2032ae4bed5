//! What a person reads with plain SQL.

use std::{collections::HashMap, time::Duration};

use taskstore_core::{
    Backend, LogLevel, LogLine, Progress, TaskId,
    backend::{Control, Enqueue, Move, Settle, Settlement, Transition, When},
    clock,
};

use crate::{
    Test,
    store::{Store, json, with_store},
};

pub(crate) const TESTS: &[Test] = &[
    ("the_view_tells_the_whole_story_of_a_task", the_view_tells_the_whole_story_of_a_task),
    (
        "the_view_tells_by_when_a_task_must_begin_and_how_long_it_may_take",
        the_view_tells_by_when_a_task_must_begin_and_how_long_it_may_take,
    ),
    ("the_columns_are_those_that_the_pages_name", the_columns_are_those_that_the_pages_name),
    ("an_id_and_its_text_are_one", an_id_and_its_text_are_one),
];

/// The row of the view, by column; NULL is left out.
async fn row(store: &Store, id: TaskId) -> HashMap<String, String> {
    let sql = format!(
        "SELECT x.key,x.value FROM task t,json_each_text(row_to_json(t)) x
          WHERE t.id=task_uuid('{id}') AND x.value IS NOT NULL"
    );
    let pair =
        |row: Vec<String>| <[String; 2]>::try_from(row).ok().map(|[key, value]| (key, value));
    store.sql(&sql).await.into_iter().filter_map(pair).collect()
}

fn the_view_tells_the_whole_story_of_a_task() {
    with_store(async |store| {
        let id = store.enqueue(1).await[0];
        let seen = row(&store, id).await;
        assert_eq!(seen["status"], "queued");
        assert_eq!(seen["attempts"], "0");
        assert_eq!(seen["alias"], "email.send");
        assert_eq!(seen["ulid"], id.to_string());
        assert!(!seen.contains_key("held_by"));

        let claimed = store.claim(1).await;
        let holder = store.backend.task(id).await.unwrap().unwrap().held_by.unwrap();
        let seen = row(&store, id).await;
        assert_eq!(seen["status"], "running");
        assert_eq!(seen["attempts"], "1");
        assert_eq!(seen["held_by"], holder.runner.to_string());
        assert!(seen.contains_key("held_since"));

        let output = Some(json("{\"n\":1}"));
        let mut settlement =
            Settlement::new(claimed.tasks[0].lease, Transition::Success { output });
        settlement.progress = Some(Progress { done: 3, total: 9 });
        let line = |n, text: &str| LogLine::new(n, clock::now(), LogLevel::Success, text.into());
        settlement.log = vec![line(0, "one"), line(1, "two")];
        store.backend.settle(&Settle::new(vec![settlement])).await.unwrap();
        let seen = row(&store, id).await;
        assert_eq!(seen["status"], "success");
        assert_eq!(seen["output"], "{\"n\":1}");
        assert_eq!(seen["progress"], "3/9");
        let lines: Vec<_> = seen["details"].lines().collect();
        assert!(lines[0].ends_with(" success one") && lines[1].ends_with(" success two"));
        for name in ["queue_name", "definition_id", "parameters", "priority", "created_at"] {
            assert!(seen.contains_key(name), "{name}");
        }
        for name in ["error", "deleted_at", "max_attempts", "cancel_requested_at", "held_since"] {
            assert!(!seen.contains_key(name), "{name}");
        }
    });
}

fn the_view_tells_by_when_a_task_must_begin_and_how_long_it_may_take() {
    with_store(async |store| {
        let mut task = store.task();
        task.expires = Some(When::At(clock::from_micros(1_700_000_000_000_001)));
        task.timeout = Some(Duration::from_millis(1_500));
        store.backend.enqueue(&Enqueue::new(&[task.clone()])).await.unwrap();
        let sql = "SELECT expires_at AT TIME ZONE 'UTC',timeout_seconds::float FROM task";
        assert_eq!(store.sql(sql).await[0], ["2023-11-14 22:13:20.000001", "1.5"]);
        let cancel = Move::Cancel { reason: "no".to_owned() };
        for to in [cancel, Move::Requeue { parameters: None }] {
            store.backend.control(&Control::new(vec![task.id], to)).await.unwrap();
        }
        assert_eq!(store.sql(sql).await[0], ["", "1.5"], "it was asked for again");
    });
}

fn the_columns_are_those_that_the_pages_name() {
    with_store(async |store| {
        let sql =
            "SELECT attname FROM pg_attribute WHERE attrelid='task'::regclass ORDER BY attnum";
        let names = store.sql(sql).await.concat();
        let pages = [
            "id",
            "ulid",
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
        ];
        assert_eq!(names, pages);
    });
}

fn an_id_and_its_text_are_one() {
    with_store(async |store| {
        for id in [TaskId::new().to_string(), "0".repeat(26), format!("7{}", "Z".repeat(25))] {
            let sql =
                format!("SELECT task_ulid(task_uuid('{id}')),task_ulid(task_uuid(lower('{id}')))");
            assert_eq!(store.sql(&sql).await[0], [id.as_str(), id.as_str()]);
        }
        for no_ulid in ["", "x", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "0000000000000000000000000I", "ü"] {
            let sql = format!("SELECT task_uuid('{no_ulid}') IS NULL");
            assert_eq!(store.sql(&sql).await[0], ["t"], "{no_ulid}");
        }
    });
}
