//! What lists and counts cost in a database with a million ended tasks; decision 0064 quotes it:
//! `cargo test -p taskstore-postgres --test lists -- --ignored --nocapture`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints"
)]

#[path = "common/harness.rs"]
mod harness;

use std::time::{Duration, Instant};

use taskstore_core::{
    Backend, QueueName, Status,
    backend::{Migrate, TaskFilter, TaskOrder, TaskQuery},
};
use taskstore_postgres::PostgresBackend;

const ROUNDS: usize = 21;

/// 1,000,000 ended tasks, of which 1 in 100 failed and 1 in 100 was canceled, then 1,000 that run,
/// 50,000 that are ready, 50,000 that are delayed and 1,000 that are paused.
const FILL: &str = "
 INSERT INTO task_queue(seq,id,definition_id,queue,status,run_at,created_at,updated_at,started_at,completed_at,turn,attempts,last_lease)
  SELECT i,gen_random_uuid(),'00000000-0000-0000-0000-000000000001',CASE WHEN i%2=1 THEN 'mail' ELSE 'default' END,
   CASE WHEN i>1101000 THEN 5 WHEN i>1000000 THEN 0 WHEN i%100=1 THEN 3 WHEN i%100=2 THEN 4 ELSE 2 END,
   i,i,i,CASE WHEN i<=1000000 THEN i END,CASE WHEN i<=1000000 THEN i+(i::bigint*7919)%100000 END,
   (i<=1000000)::int,(i<=1000000)::int,gen_random_uuid() FROM generate_series(1,1102000) i;
 INSERT INTO task_payload(task,parameters) SELECT seq,'{}' FROM task_queue;
 INSERT INTO task_aside(status,task) SELECT status,seq FROM task_queue WHERE status>2;
 INSERT INTO task_ended(status,deleted,completed_at,task)
  SELECT status,false,completed_at,seq FROM task_queue WHERE completed_at IS NOT NULL;
 INSERT INTO task_result(task,turn,status,started_at,ended_at,owner,error)
  SELECT seq,0,status,1,1,gen_random_uuid(),'broken' FROM task_queue WHERE status BETWEEN 3 AND 4;
 INSERT INTO task_ready(queue,priority,run_at,task,definition_id)
  SELECT queue,priority,run_at,seq,definition_id FROM task_queue WHERE seq BETWEEN 1001001 AND 1051000;
 INSERT INTO task_later(queue,priority,run_at,task,definition_id)
  SELECT queue,priority,run_at,seq,definition_id FROM task_queue WHERE seq BETWEEN 1051001 AND 1101000;
 INSERT INTO task_lease(lease,owner,beat_at,length,claimed_at,open)
  SELECT gen_random_uuid(),gen_random_uuid(),0,15000000,0,500 FROM generate_series(1,2);
 INSERT INTO task_lease_tasks(lease,tasks,turns)
  SELECT l.lease,array_agg(q.seq),array_agg(q.turn) FROM (SELECT lease,row_number() OVER () AS n FROM task_lease) l
   JOIN task_queue q ON q.seq BETWEEN 1000000+500*(l.n-1)+1 AND 1000000+500*l.n GROUP BY l.lease";

const COUNT: &str = "
 ANALYZE task_queue,task_payload,task_ready,task_later,task_lease,task_lease_tasks,task_aside,task_ended,task_result";

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
    let harness =
        harness::Postgres::from_env().expect("TASKSTORE_TEST_POSTGRES_URL names no server");
    harness.make_schema("lists").await;
    let backend = PostgresBackend::open(harness.options("lists")).await.unwrap();
    backend.migrate(&Migrate::up()).await.unwrap();
    harness.sql("lists", FILL).await.unwrap();
    let counted = backend.count(&TaskFilter::default(), 2_000_000).await.unwrap();
    assert_eq!(counted.seen(), 1_102_000);
    println!("Before anything was counted for the planner:\n");
    table(&backend).await;
    harness.sql("lists", COUNT).await.unwrap();
    println!("\nAfter an analyze:\n");
    table(&backend).await;
}

async fn table(backend: &PostgresBackend) {
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
                    let mut found = 0;
                    query.after = None;
                    while found < 50 {
                        let page = backend.tasks(&query).await.unwrap();
                        found += page.items.len();
                        query.after = page.next;
                        if query.after.is_none() {
                            break;
                        }
                    }
                    found
                })
                .await;
                print!(" {:.2} |", took.as_secs_f64() * 1e3);
            }
            let took = median(async || backend.count(&filter, 10_000).await.unwrap()).await;
            println!(" {:.2} |", took.as_secs_f64() * 1e3);
        }
    }
}
