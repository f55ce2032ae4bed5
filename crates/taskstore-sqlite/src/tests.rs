//! The statements themselves: that they prepare, stay prepared, and never scan.

use std::sync::Arc;

use rusqlite::Connection;
use taskstore_core::{
    Alias, Definition, QueueName, RunnerId,
    backend::{
        AttemptIs, Claim, Expect, Known, Migrate, NewTask, Requeue, Settlement, Transition, When,
    },
};

use crate::{
    connection::{PATIENT, open_writer},
    migrate,
    options::Synchronous,
    session::Session,
    sql::{Sql, Texts},
    statements::Statements,
    write,
};

pub(crate) struct File {
    pub(crate) connection: Connection,
    pub(crate) texts: Arc<Texts>,
    _folder: tempfile::TempDir,
}

impl File {
    pub(crate) fn new(prefix: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection =
            open_writer(&folder.path().join("t.db"), Synchronous::Normal, PATIENT).unwrap();
        let texts = Arc::new(Texts::new(prefix, None));
        migrate::migrate(&connection, &texts, &Migrate::up()).unwrap();
        Self { connection, texts, _folder: folder }
    }

    /// Ended, ready and delayed tasks of two queues, and as many definitions and leases as a store
    /// has: a table of one row is read whole, once that has been analyzed.
    pub(crate) fn fill(&self, tasks: u32) {
        self.connection
            .execute_batch(&format!(
                "BEGIN;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20)
                  INSERT INTO task_definition(id,alias,created_at,updated_at) SELECT 'd'||i,'a'||i,0,0 FROM n;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{tasks})
                  INSERT INTO task_queue(id,definition_id,queue,status,run_at,created_at,updated_at)
                  SELECT printf('%026d',i),1,'q'||(i%2),(i%3=0)*2,i,i,i FROM n;
                 INSERT INTO task_payload(task,parameters) SELECT seq,'{{}}' FROM task_queue;
                 INSERT INTO task_ready SELECT queue,priority,run_at,seq,1 FROM task_queue WHERE status=0 AND seq%3=1;
                 INSERT INTO task_later SELECT run_at,seq,queue,priority,1 FROM task_queue WHERE status=0 AND seq%3=2;
                 INSERT INTO task_result(attempt,status,started_at,ended_at,owner) SELECT seq<<24,2,1,1,'o' FROM task_queue WHERE status=2;
                 INSERT INTO task_log SELECT seq,0,0,1,0,'line' FROM task_queue WHERE status=2;
                 INSERT INTO task_aside SELECT 3,seq FROM task_queue WHERE seq%5=0;
                 INSERT INTO task_unique SELECT randomblob(32),seq FROM task_queue WHERE seq%5=1;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20)
                  INSERT INTO task_lease SELECT randomblob(16),'o',0,0,1,0,1,0,NULL FROM n;
                 INSERT INTO task_lease_tasks SELECT lease,'{{\"1\":0}}' FROM task_lease;
                 COMMIT;"
            ))
            .unwrap();
    }

    fn plan(&self, sql: Sql) -> Vec<String> {
        self.plan_of(self.texts.get(sql))
    }

    pub(crate) fn plan_of(&self, sql: &str) -> Vec<String> {
        let text = format!("EXPLAIN QUERY PLAN {sql}");
        let mut statement = self.connection.prepare(&text).unwrap();
        let nulls = vec![rusqlite::types::Null; statement.parameter_count()];
        statement
            .query_map(rusqlite::params_from_iter(nulls), |row| row.get(3))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }
}

#[test]
fn every_statement_prepares_with_and_without_a_prefix() {
    for prefix in ["", "app_"] {
        let file = File::new(prefix);
        for (sql, name, _) in Sql::ALL {
            let text = file.texts.get(*sql);
            assert!(file.connection.prepare(text).is_ok(), "{prefix}{name}");
        }
    }
}

#[test]
fn with_a_prefix_every_table_index_and_view_has_it() {
    let file = File::new("app_");
    let mut names = file
        .connection
        .prepare("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
        .unwrap();
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(names.len() > 14, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("app_task")), "{names:?}");
}

/// What is read whole on purpose: tens of rows, or a list that was given.
fn may_scan(name: &str, step: &str) -> bool {
    step.contains("VIRTUAL TABLE")
        || step == "SCAN CONSTANT ROW"
        // It is told that there is nothing to look for.
        || (step.starts_with("SCAN") && name == "lock_first")
        // The trigger's own constants, a row, and the subquery that makes them.
        || (step.starts_with("SCAN x") && name == "enqueue_plain")
        // The names found so far, and what a limit has cut.
        || (step == "SCAN q" && name.starts_with("queues_"))
        || (step.starts_with("SCAN (subquery") && name == "queue_counts")
        || matches!(
            name,
            "definitions_known"
                | "definition_in_use"
                | "late_leases"
                | "task_holder"
                | "holders"
                | "cancel_requests"
                | "waiting_count"
                | "queues_running"
                | "lease_lists_prune"
        )
}

#[test]
fn no_statement_scans_or_sorts_on_empty_small_and_large_tables() {
    for tasks in [0, 10, 100_000] {
        let file = File::new("");
        if tasks > 0 {
            file.fill(tasks);
        }
        for analyzed in [false, true] {
            if analyzed {
                file.connection.execute_batch("ANALYZE").unwrap();
            }
            for (sql, name, _) in Sql::ALL.iter().filter(|(sql, ..)| *sql != Sql::DataVersion) {
                for step in file.plan(*sql) {
                    // `min(run_at)` is one step down the primary key.
                    let is_first_row = *sql == Sql::NextDue && step.starts_with("SEARCH");
                    let bad = (step.starts_with("SCAN") || step.contains("TEMP B-TREE"))
                        && !is_first_row
                        && !ordered_walk(name, &step)
                        && !may_scan(name, &step);
                    assert!(!bad, "{name} on {tasks} tasks, analyzed {analyzed}: {step}");
                }
            }
        }
    }
}

/// From the front of a table in the order that is wanted, up to a limit.
fn ordered_walk(name: &str, step: &str) -> bool {
    name == "promote_delete" && step.starts_with("SCAN task_later")
}

#[test]
fn the_cancel_requests_are_read_from_their_own_small_index() {
    let file = File::new("");
    file.fill(1_000);
    let plan = file.plan(Sql::CancelRequests);
    assert!(plan.iter().all(|step| step.contains("task_queue_cancel")), "{plan:?}");
}

#[test]
fn statements_are_parsed_once_whatever_is_bound() {
    let file = File::new("");
    let session = Session::new(Statements::new(&file.connection, &file.texts));
    let definition = Definition::new(Alias::new("a").unwrap());
    write::put_definition(&session, &definition, Expect::Absent).unwrap();
    for round in 0..20_i64 {
        let now = round * 1_000_000;
        file.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        session.begin().unwrap();
        work(&session, definition.id, now);
        file.connection.execute_batch("COMMIT").unwrap();
    }
    let hot = [
        Sql::EnqueueRecord,
        Sql::ClaimReady,
        Sql::ClaimReadyExcept,
        Sql::ClaimDelete,
        Sql::SettlePlain,
        Sql::SettleRead,
        Sql::LeaseInsert,
        Sql::PromoteInsert,
        Sql::LateLeases,
    ];
    for sql in hot {
        assert!(session.statements.reprepared(sql).is_some(), "{sql:?} was not used");
    }
    for (sql, name, _) in Sql::ALL {
        assert!(session.statements.reprepared(*sql).unwrap_or(0) == 0, "{name} was parsed again");
    }
}

/// A round of everything that a runner does.
fn work(session: &Session<'_>, definition: taskstore_core::DefinitionId, now: i64) {
    let parameters = || serde_json::value::RawValue::from_string("{}".to_owned()).unwrap();
    let mut tasks: Vec<_> = (0..4).map(|_| NewTask::new(definition, parameters())).collect();
    tasks[3].when = When::After(std::time::Duration::from_millis(500));
    write::enqueue(session, &tasks, now).unwrap();
    let claim = |known| {
        let mut claim = Claim::new(RunnerId::new(), [QueueName::default()], 2);
        claim.known = known;
        write::claim(session, &claim, now, 0).unwrap().tasks
    };
    let mut claimed = claim(Known::All);
    claimed.extend(claim(Known::Except(vec![definition])));
    let back = Transition::Requeue {
        to: Requeue::AsBefore,
        attempt: AttemptIs::Refunded,
        suspect: false,
        error: None,
    };
    let settlements: Vec<_> = claimed
        .iter()
        .enumerate()
        .map(|(index, task)| {
            let to = if index == 0 { Transition::Success { output: None } } else { back.clone() };
            Settlement::new(task.lease, to)
        })
        .collect();
    write::settle(session, &settlements, now).unwrap();
    write::promote(session, 10, now + 1_000_000).unwrap();
    write::late_leases(session, 10, now).unwrap();
}
