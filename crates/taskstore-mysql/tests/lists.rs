//! What lists and counts cost in a database with a million ended tasks; decision 0075 quotes it:
//! `cargo test -p taskstore-mysql --test lists -- --ignored --nocapture`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints"
)]

mod common;

use std::time::{Duration, Instant};

use common::Store;
use mysql_async::prelude::Queryable;
use taskstore_core::{
    Backend, QueueName, Status,
    backend::{QueueQuery, TaskFilter, TaskOrder, TaskQuery},
};

common::server_tests!(; by_hand: what_lists_and_counts_cost_with_a_million_ended_tasks);

const ROUNDS: usize = 11;

/// 1,000,000 ended tasks, of which 1 in 100 failed and 1 in 100 was canceled, then 1,000 that run,
/// 50,000 that are ready, 50,000 that are delayed and 1,000 that are paused.
async fn fill(store: &Store) {
    let mut person = store.person().await;
    let digits = (0..10).map(|digit| format!("({digit})")).collect::<Vec<_>>().join(",");
    for sql in [
        "SET SESSION unique_checks=0,sql_mode='',group_concat_max_len=1000000",
        "CREATE TABLE digits(d INT PRIMARY KEY)",
        &format!("INSERT INTO digits VALUES{digits}"),
        "INSERT INTO task_queue(seq,id,definition_id,queue,status,run_at,created_at,updated_at,started_at,completed_at,turn,attempts,last_lease)
          SELECT n.i,CONCAT('01',LPAD(n.i,24,'0')),1,IF(n.i MOD 2,'mail','default'),
           CASE WHEN n.i>1101000 THEN 5 WHEN n.i>1000000 THEN 0 WHEN n.i MOD 100=1 THEN 3 WHEN n.i MOD 100=2 THEN 4 ELSE 2 END,
           n.i,n.i,n.i,IF(n.i<=1000000,n.i,0),IF(n.i<=1000000,n.i+(n.i*7919) MOD 100000,0),n.i<=1000000,n.i<=1000000,'0123456789abcdef'
          FROM (SELECT 1+a.d+10*b.d+100*c.d+1000*e.d+10000*f.d+100000*g.d+1000000*h.d AS i
           FROM digits a,digits b,digits c,digits e,digits f,digits g,(SELECT 0 AS d UNION ALL SELECT 1) h) n
          WHERE n.i<=1102000 ORDER BY n.i",
        "INSERT INTO task_payload(task,parameters) SELECT seq,'{}' FROM task_queue",
        "INSERT INTO task_aside SELECT status,seq FROM task_queue WHERE status>2",
        "INSERT INTO task_ended SELECT status,completed_at,seq FROM task_queue WHERE completed_at<>0",
        "INSERT INTO task_result(task,turn,status,started_at,ended_at,owner,error)
          SELECT seq,0,status,1,1,'01K00000000000000000000000','broken' FROM task_queue WHERE status BETWEEN 3 AND 4",
        "INSERT INTO task_ready SELECT queue,priority,run_at,seq,1 FROM task_queue WHERE seq BETWEEN 1001001 AND 1051000",
        "INSERT INTO task_later SELECT run_at,seq,queue,priority,1 FROM task_queue WHERE seq BETWEEN 1051001 AND 1101000",
        "INSERT INTO task_lease VALUES('aaaaaaaaaaaaaaaa','01K00000000000000000000000',0,0,15000000,0,500,0,NULL),
          ('bbbbbbbbbbbbbbbb','01K00000000000000000000000',0,0,15000000,0,500,0,NULL)",
        "INSERT INTO task_lease_tasks SELECT IF(seq<=1000500,'aaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbb') AS lease,
          CONCAT('[',GROUP_CONCAT(CONCAT('[',seq,',',turn,']') ORDER BY seq),']') FROM task_queue WHERE seq BETWEEN 1000001 AND 1001000 GROUP BY lease",
        "DROP TABLE digits",
    ] {
        person.query_drop(sql).await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
    }
    person.disconnect().await.unwrap();
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

/// To the end of a full page, as a store lists.
async fn list(store: &Store, query: &mut TaskQuery) {
    let mut found = 0;
    query.after = None;
    while found < 50 {
        let page = store.backend.tasks(query).await.unwrap();
        found += page.items.len();
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
}

async fn what_lists_and_counts_cost_with_a_million_ended_tasks() {
    let store = Store::new().await;
    fill(&store).await;
    let counted = store.sql("SELECT COUNT(*) FROM task_queue").await;
    assert_eq!(counted.first().unwrap().get::<u64, _>(0), Some(1_102_000));
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
                let took = median(async || list(&store, &mut query).await).await;
                print!(" {:.1} |", took.as_secs_f64() * 1e3);
            }
            let took = median(async || store.backend.count(&filter, 10_000).await.unwrap()).await;
            println!(" {:.1} |", took.as_secs_f64() * 1e3);
        }
    }
    let took = median(async || store.backend.queues(&QueueQuery::new(50)).await.unwrap()).await;
    println!("\nqueues: {:.1} ms", took.as_secs_f64() * 1e3);
}
