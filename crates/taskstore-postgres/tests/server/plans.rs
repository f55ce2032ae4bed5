//! That every statement goes where it should: never through a whole table that grows, whatever the
//! statistics say, which may be as old as the last time that somebody counted an empty table.

use serde_json::Value;

use crate::{
    Test,
    store::{Store, with_store},
};

pub(crate) const TESTS: &[Test] = &[
    (
        "no_list_and_no_count_by_any_status_scans_the_record_or_sorts_it",
        no_list_and_no_count_by_any_status_scans_the_record_or_sorts_it,
    ),
    (
        "every_statement_can_be_prepared_and_goes_by_keys",
        every_statement_can_be_prepared_and_goes_by_keys,
    ),
];

const TABLES: &str = "task_queue,task_payload,task_ready,task_later,task_lease,task_lease_tasks,task_aside,task_ended";

fn no_list_and_no_count_by_any_status_scans_the_record_or_sorts_it() {
    with_store(async |store| {
        let mut statements = 0;
        for tasks in [0, 300, 100_000] {
            if tasks > 0 {
                fill(&store, tasks).await;
            }
            // Before it, the statistics are those of the smaller table.
            for analyzed in [false, true] {
                if analyzed {
                    store.sql(&format!("ANALYZE {TABLES}")).await;
                }
                for [walk, sql, plan] in store.backend.list_plans().await.unwrap() {
                    let plan: Value = serde_json::from_str(&plan).unwrap();
                    check(&plan[0]["Plan"], &walk, &sql);
                    statements += 1;
                }
            }
        }
        assert!(statements > 1_000, "only {statements}");
    });
}

fn every_statement_can_be_prepared_and_goes_by_keys() {
    with_store(async |store| {
        let prepared = store.backend.statement_plans().await.unwrap();
        assert!(prepared.len() > 80, "only {}", prepared.len());
        judge_statements(&store, "never analyzed").await;
        // The statistics are then those of the smaller table.
        store.sql(&format!("ANALYZE {TABLES}")).await;
        for tasks in [300, 100_000] {
            fill(&store, tasks).await;
            judge_statements(&store, &format!("{tasks} tasks")).await;
            store.sql(&format!("ANALYZE {TABLES}")).await;
            judge_statements(&store, &format!("{tasks} tasks, analyzed")).await;
        }
    });
}

async fn judge_statements(store: &Store, when: &str) {
    let mut bad = Vec::new();
    for [name, plan] in store.backend.statement_plans().await.unwrap() {
        let plan: Value = serde_json::from_str(&plan).unwrap();
        reads_too_much(&plan[0]["Plan"], false, &name, &mut bad);
    }
    assert!(bad.is_empty(), "{when}:\n{}", bad.join("\n"));
}

/// Notes what reads a table from its front to its end, or whose locks come in the order of a hash.
fn reads_too_much(node: &Value, limited: bool, name: &str, bad: &mut Vec<String>) {
    let kind = node["Node Type"].as_str().unwrap();
    let table = node["Relation Name"].as_str().unwrap_or_default();
    let index = node["Index Name"].as_str().unwrap_or_default();
    let whole = kind == "Seq Scan" || kind.starts_with("Index") && node["Index Cond"].is_null();
    // Tens of rows; two indexes of what is rare; and what a person does with a definition now and then.
    let is_small = ["task_lease", "task_lease_tasks", "task_definition"].contains(&table)
        || ["task_queue_cancel", "task_definition_off"].contains(&index)
        || name == "definition_in_use";
    if whole && !limited && !is_small || kind == "Hash Join" || kind == "Merge Join" {
        bad.push(format!("{name}: {kind} {table} {index}"));
    }
    let limited = limited || kind == "Limit";
    for child in node["Plans"].as_array().into_iter().flatten() {
        reads_too_much(child, limited, name, bad);
    }
}

/// Of so many tasks, a tenth each: active and ready, delayed, held, paused, failed; half succeeded.
async fn fill(store: &Store, tasks: u32) {
    let sql = format!(
        "TRUNCATE {TABLES};
         INSERT INTO task_queue(seq,id,definition_id,queue,status,run_at,created_at,updated_at,completed_at,deleted_at)
          SELECT i,gen_random_uuid(),gen_random_uuid(),'q'||i%2,(ARRAY[0,0,0,5,3,2,2,2,2,2])[1+i%10],i,i,i,
           CASE WHEN i%10>3 THEN i END,CASE WHEN i%100=99 THEN i END FROM generate_series(1,{tasks}) i;
         INSERT INTO task_payload(task,parameters) SELECT seq,'{{}}' FROM task_queue;
         INSERT INTO task_ready(queue,priority,run_at,task,definition_id)
          SELECT queue,priority,run_at,seq,definition_id FROM task_queue WHERE seq%10=0;
         INSERT INTO task_later(queue,priority,run_at,task,definition_id)
          SELECT queue,priority,run_at,seq,definition_id FROM task_queue WHERE seq%10=1;
         INSERT INTO task_lease(lease,owner,beat_at,length,claimed_at,open)
          SELECT gen_random_uuid(),gen_random_uuid(),0,1,0,{tasks}/200 FROM generate_series(1,20);
         INSERT INTO task_lease_tasks(lease,tasks,turns)
          SELECT l.lease,array_agg(q.seq),array_agg(q.turn)
           FROM (SELECT lease,row_number() OVER () AS n FROM task_lease) l JOIN task_queue q ON q.seq%10=2 AND q.seq/10%20=l.n-1
           GROUP BY l.lease;
         INSERT INTO task_aside(status,task) SELECT status,seq FROM task_queue WHERE status IN (3,5);
         INSERT INTO task_ended(status,deleted,completed_at,task)
          SELECT status,deleted_at IS NOT NULL,completed_at,seq FROM task_queue WHERE completed_at IS NOT NULL"
    );
    store.sql(&sql).await;
}

/// Every row that is read was led to by a key, but for the leases, which are few, and what waits where
/// its order is not the one wanted: those are read whole and sorted on purpose.
fn check(node: &Value, walk: &str, sql: &str) {
    let kind = node["Node Type"].as_str().unwrap();
    let table = node["Relation Name"].as_str().unwrap_or_default();
    let sorts = ["Ready {", "Later {", "Running {"].iter().any(|name| walk.starts_with(name));
    let told = || format!("{walk}: {kind} {table}\n{sql}\n{node:#}");
    let bad = ["Seq Scan", "Bitmap", "Hash", "Merge", "Incremental Sort", "Gather", "Materialize"];
    assert!(!bad.iter().any(|bad| kind.starts_with(bad)), "{}", told());
    assert!(kind != "Sort" || sorts, "{}", told());
    if kind.starts_with("Index") {
        let by_key = node["Index Cond"].is_string();
        let is_read_whole = table.starts_with("task_lease") || sorts && table != "task_queue";
        assert!(by_key || is_read_whole, "{}", told());
        // What is looked at and passed by would not be counted.
        let is_held = walk.contains("Running") && table == "task_queue";
        assert!(node["Filter"].is_null() || is_held || is_read_whole, "{}", told());
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        check(child, walk, sql);
    }
}
