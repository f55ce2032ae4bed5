//! What lists and counts cost in a file with a million ended tasks; decision 0040 quotes it:
//! `cargo test -p taskstore-sqlite --test lists --release -- --ignored --nocapture`

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::Store;
use taskstore_core::{
    Backend, QueueName, Status,
    backend::{TaskFilter, TaskOrder, TaskQuery},
};

const ROUNDS: usize = 21;

/// 1,000,000 ended tasks, of which 1 in 100 failed and 1 in 100 was canceled, then 1,000 that run,
/// 50,000 that are ready, 50,000 that are delayed and 1,000 that are paused.
fn fill(store: &Store) {
    store
        .sql()
        .execute_batch(
            "PRAGMA synchronous=OFF; PRAGMA cache_size=-200000; BEGIN;
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1102000)
              INSERT INTO task_queue(id,definition_id,queue,status,run_at,created_at,updated_at,started_at,completed_at,turn,attempts,last_lease)
              SELECT printf('01%024d',i),1,CASE WHEN i%2 THEN 'mail' ELSE 'default' END,
               CASE WHEN i>1101000 THEN 5 WHEN i>1000000 THEN 0 WHEN i%100=1 THEN 3 WHEN i%100=2 THEN 4 ELSE 2 END,
               i,i,i,CASE WHEN i<=1000000 THEN i END,CASE WHEN i<=1000000 THEN i+(i*7919)%100000 END,
               i<=1000000,i<=1000000,randomblob(16) FROM n;
             INSERT INTO task_payload(task,parameters) SELECT seq,'{}' FROM task_queue;
             INSERT INTO task_aside SELECT status,seq FROM task_queue WHERE status>2;
             INSERT INTO task_result(attempt,status,started_at,ended_at,owner,error)
              SELECT seq<<24,status,1,1,'01K00000000000000000000000','broken' FROM task_queue WHERE status BETWEEN 3 AND 4;
             INSERT INTO task_ready SELECT queue,priority,run_at,seq,1 FROM task_queue WHERE seq BETWEEN 1001001 AND 1051000;
             INSERT INTO task_later SELECT run_at,seq,queue,priority,1 FROM task_queue WHERE seq BETWEEN 1051001 AND 1101000;
             INSERT INTO task_lease SELECT randomblob(16),'01K00000000000000000000000',0,0,15000000,0,500,0,NULL
              FROM (SELECT 1 UNION ALL SELECT 2);
             INSERT INTO task_lease_tasks
              SELECT lease,(SELECT json_group_object(seq,turn) FROM task_queue WHERE seq BETWEEN 1000000+500*(n-1)+1 AND 1000000+500*n)
              FROM (SELECT lease,row_number() OVER (ORDER BY lease) n FROM task_lease);
             COMMIT; PRAGMA wal_checkpoint(TRUNCATE);",
        )
        .unwrap();
}

async fn median<T>(mut call: impl AsyncFnMut() -> T) -> Duration {
    call().await;
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        call().await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    took.into_iter().nth(ROUNDS / 2).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, and proves nothing"]
async fn what_lists_and_counts_cost_with_a_million_ended_tasks() {
    let store = Store::new().await;
    fill(&store);
    let counted = store.backend.count(&TaskFilter::default(), 2_000_000).await.unwrap();
    assert_eq!(counted.seen(), 1_102_000);
    let cases = Status::ALL.map(|status| (status.as_str(), Some(vec![status])));
    println!(
        "| tasks | newest first | oldest first | claim order | last completed first | last deleted first | count |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for queue in [None, Some("mail")] {
        for (name, statuses) in cases.iter().cloned().chain([("any", None)]) {
            let mut filter = TaskFilter::default();
            filter.statuses = statuses;
            filter.queue = queue.map(|name| QueueName::new(name).unwrap());
            print!("| {name}{} |", queue.map_or_else(String::new, |q| format!(" in `{q}`")));
            for order in TaskOrder::ALL {
                let mut query = TaskQuery::new(filter.clone(), order, 50);
                let took = median(async || {
                    // To the end of a full page, as a store lists.
                    let (mut found, mut calls) = (0, 0);
                    query.after = None;
                    while found < 50 {
                        let page = store.backend.tasks(&query).await.unwrap();
                        (found, calls) = (found + page.items.len(), calls + 1);
                        query.after = page.next;
                        if query.after.is_none() {
                            break;
                        }
                    }
                    (found, calls)
                })
                .await;
                print!(" {:.2} |", took.as_secs_f64() * 1e3);
            }
            let took = median(async || store.backend.count(&filter, 10_000).await.unwrap()).await;
            println!(" {:.2} |", took.as_secs_f64() * 1e3);
        }
    }
}
