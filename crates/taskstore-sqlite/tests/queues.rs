//! What a list of queues costs in a file with a million ended tasks, and what finding work costs;
//! decision 0047 quotes it:
//! `cargo test -p taskstore-sqlite --test queues --release -- --ignored --nocapture`

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::Store;
use taskstore_core::{
    Backend, QueueName, QueuePattern,
    backend::{Enqueue, FindWork, QueueQuery, When},
};

const ROUNDS: usize = 21;

/// 1,000,000 ended tasks, 1,000 that run, 50,000 that are ready, 50,000 that are delayed and 1,000
/// that are paused, in so many queues.
fn fill(store: &Store, queues: u32) {
    let sql = format!(
        "PRAGMA synchronous=OFF; PRAGMA cache_size=-200000; BEGIN;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1102000)
          INSERT INTO task_queue(id,definition_id,queue,status,run_at,created_at,updated_at,started_at,completed_at,turn,attempts,last_lease)
          SELECT printf('01%024d',i),1,printf('queue-%04d',i%{queues}),
           CASE WHEN i>1101000 THEN 5 WHEN i>1000000 THEN 0 ELSE 2 END,
           i,i,i,CASE WHEN i<=1000000 THEN i END,CASE WHEN i<=1000000 THEN i END,
           i<=1000000,i<=1000000,randomblob(16) FROM n;
         INSERT INTO task_payload(task,parameters) SELECT seq,'{{}}' FROM task_queue;
         INSERT INTO task_aside SELECT status,seq FROM task_queue WHERE status>2;
         INSERT INTO task_ready SELECT queue,priority,run_at,seq,1 FROM task_queue WHERE seq BETWEEN 1001001 AND 1051000;
         INSERT INTO task_later SELECT run_at,seq,queue,priority,1 FROM task_queue WHERE seq BETWEEN 1051001 AND 1101000;
         INSERT INTO task_lease SELECT randomblob(16),'01K00000000000000000000000',0,0,15000000,0,500,0,NULL
          FROM (SELECT 1 UNION ALL SELECT 2);
         INSERT INTO task_lease_tasks
          SELECT lease,(SELECT json_group_object(seq,turn) FROM task_queue WHERE seq BETWEEN 1000000+500*(n-1)+1 AND 1000000+500*n)
          FROM (SELECT lease,row_number() OVER (ORDER BY lease) n FROM task_lease);
         COMMIT; PRAGMA wal_checkpoint(TRUNCATE);"
    );
    store.sql().execute_batch(&sql).unwrap();
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

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, and proves nothing"]
async fn what_a_list_of_queues_costs_with_a_million_ended_tasks() {
    println!("| queues | list | one | find work | find nothing |");
    println!("|--:|--:|--:|--:|--:|");
    for queues in [1, 10, 100, 1_000] {
        let store = Store::new().await;
        fill(&store, queues);
        let all = QueueQuery::new(1_000);
        let found = store.backend.queues(&all).await.unwrap();
        assert_eq!(found.items.len(), queues as usize);
        let list = median(async || store.backend.queues(&all).await.unwrap()).await;
        let one = QueueQuery::one(QueueName::new("queue-0000").unwrap());
        let one = median(async || store.backend.queues(&one).await.unwrap()).await;
        let any = FindWork::new(vec![QueuePattern::all()]);
        let any = median(async || store.backend.find_work(&any).await.unwrap()).await;
        let none = FindWork::new(vec![QueuePattern::new("nobody-*").unwrap()]);
        let none = median(async || store.backend.find_work(&none).await.unwrap()).await;
        println!(
            "| {queues} | {:.2} | {:.2} | {:.2} | {:.2} |",
            millis(list),
            millis(one),
            millis(any),
            millis(none)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, and proves nothing"]
async fn what_the_index_of_delayed_tasks_costs() {
    for _ in 0..3 {
        for indexed in [true, false] {
            let store = Store::new().await;
            if !indexed {
                store.sql().execute_batch("DROP INDEX task_later_queue").unwrap();
            }
            let began = Instant::now();
            for batch in 0..100 {
                let mut tasks: Vec<_> = (0..1_000).map(|_| store.task()).collect();
                for (n, task) in tasks.iter_mut().enumerate() {
                    task.queue = QueueName::new(["mail", "pdf", "reports"][n % 3]).unwrap();
                    task.when = When::After(Duration::from_secs(60 + batch));
                }
                store.backend.enqueue(&Enqueue::new(&tasks)).await.unwrap();
            }
            let each = began.elapsed() / 100_000;
            println!("indexed {indexed}: {each:?} to enqueue a delayed task");
        }
    }
}
