//! That everything a runner and an operator do goes by keys, whatever the tables hold and whatever the
//! server believes of them: a write that walks through a table locks what it passes.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/fill.rs"]
mod fill;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{Store, claim, json};
use fill::fill;
use taskstore_core::{
    Backend, LeaseId, LogLevel, LogLine, RunnerId, TaskId, UniqueHash,
    backend::{
        AttemptIs, Control, Enqueue, Isolate, Known, LateLease, LeasedTask, Move, NewTask, Promote,
        Report, Requeue, Run, Settle, Settlement, Sweep, TakeOver, Transition, When,
    },
    clock,
};
use taskstore_mysql::PlanStep;

common::server_tests!(no_work_walks_through_a_table);

const TABLES: &str = "task_queue,task_ready,task_later,task_aside,task_ended,task_deleted,task_payload,task_result,task_definition,task_lease,task_lease_tasks,task_unique,task_log";

static SEEN: AtomicUsize = AtomicUsize::new(0);
static BAD: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// Whether what is there is next to nothing. No plan is kept, so reading it whole is well planned, as
/// long as nothing is locked on the way.
static FEW: AtomicBool = AtomicBool::new(true);

/// Notes a step that reads a table from its front to its end, or sorts.
fn judge(text: &str, steps: &[PlanStep]) {
    SEEN.fetch_add(1, Ordering::Relaxed);
    for step in steps {
        let walks = matches!(step.access.as_str(), "ALL" | "index");
        let sorts = step.extra.contains("filesort") || step.extra.contains("temporary");
        if walks && !may_walk(text, step) || sorts && step.table != "task_lease" {
            BAD.lock().unwrap().insert(format!("{step:?}"), text.to_owned());
        }
    }
}

fn may_walk(text: &str, step: &PlanStep) -> bool {
    let table = step.table.as_str();
    // The table that rows are put into is a step of its own.
    let is_target = text.contains(&format!("INSERT INTO {table}("));
    // What is asked about; leases and their lists, requests and definitions, of which there are tens.
    let is_small = ["j", "l", "x", "task_lease", "task_cancel", "task_definition"].contains(&table);
    let is_front = step.access == "index" && text.contains(" LIMIT ");
    let only_looks = !text.contains("FOR UPDATE")
        && text.lines().any(|line| line.trim_start_matches('(').starts_with("SELECT"));
    is_target || is_small || is_front || only_looks && FEW.load(Ordering::Relaxed)
}

async fn no_work_walks_through_a_table() {
    for tasks in [0, 300, 100_000] {
        let store = Store::with(|options| options.watch_plans(judge)).await;
        FEW.store(tasks <= 300, Ordering::Relaxed);
        if tasks > 0 {
            fill(&store, tasks).await;
        }
        live(&store, &format!("{tasks} tasks, never analyzed")).await;
        store.sql(&format!("ANALYZE TABLE {TABLES}")).await;
        live(&store, &format!("{tasks} tasks, analyzed")).await;
    }
}

async fn live(store: &Store, when: &str) {
    SEEN.store(0, Ordering::Relaxed);
    BAD.lock().unwrap().clear();
    a_life(store).await;
    let seen = SEEN.load(Ordering::Relaxed);
    assert!(seen > 100, "{seen} plans were looked at");
    let bad = BAD.lock().unwrap();
    let told: Vec<_> = bad.iter().map(|(what, text)| format!("{what}\n{text}")).collect();
    assert!(bad.is_empty(), "{when}\n{}", told.join("\n"));
}

/// Everything that happens to tasks.
async fn a_life(store: &Store) {
    let backend = &store.backend;
    let mut tasks: Vec<NewTask> = (0..12).map(|_| store.task()).collect();
    for (index, task) in tasks.iter_mut().enumerate() {
        // Before all that are there.
        task.priority = -100;
        if index % 2 == 1 {
            task.unique = Some(UniqueHash([u8::try_from(index).unwrap(); 32]));
        }
        if index > 9 {
            task.when = When::After(Duration::from_millis(1));
        }
    }
    backend.enqueue(&Enqueue::new(&tasks)).await.unwrap();
    let mut same_key = tasks[1].clone();
    same_key.id = TaskId::new();
    backend.enqueue(&Enqueue::new(&[same_key])).await.unwrap();
    backend.promote(&Promote::new(500)).await.unwrap();

    let taken = backend.claim(&claim(8)).await.unwrap().tasks;
    assert_eq!(taken.len(), 8);
    let one = LeaseId::new();
    let alone = backend.isolate(&Isolate::new(vec![(taken[0].lease, one)])).await.unwrap();
    let mut heartbeat = backend.heartbeat().await.unwrap();
    heartbeat.beat(&[one, taken[1].lease.batch]).await.unwrap();
    let line = LogLine { n: 0, at: clock::now(), level: LogLevel::Info, text: "line".to_owned() };
    let report = Report { lease: taken[1].lease, progress: None, log: vec![line.clone()] };
    backend.report(&[report]).await.unwrap();

    let settle = Settle::new(ends(&taken, alone[0].unwrap(), &line));
    let mut next = claim(2);
    next.known = Known::Except(vec![taskstore_core::DefinitionId::new()]);
    let settled = backend.settle(&settle.clone().then(next)).await.unwrap();
    backend.settle(&settle).await.unwrap();
    backend.recall(taken[7].lease.batch).await.unwrap();

    let late = backend.late_leases(10).await.unwrap();
    let dead = late.into_iter().map(|lease: LateLease| (lease, LeaseId::new())).collect();
    backend.take_over(&TakeOver::new(RunnerId::new(), dead)).await.unwrap();
    backend.sweep(&Sweep::new(RunnerId::new(), 100)).await.unwrap();
    drop(settled);

    let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
    for to in [
        Move::Pause,
        Move::Resume,
        Move::Reschedule { when: None, priority: Some(3), queue: None },
        Move::Cancel { reason: "no".to_owned() },
        Move::Requeue { parameters: Some(json("[]")) },
        Move::Delete,
        Move::Restore,
        Move::Purge { before: None },
    ] {
        backend.control(&Control::new(ids.clone(), to)).await.unwrap();
    }
}

/// Every way that an attempt can end.
fn ends(
    taken: &[LeasedTask],
    alone: taskstore_core::backend::Lease,
    line: &LogLine,
) -> Vec<Settlement> {
    let back = |to, attempt| Transition::Requeue { to, attempt, suspect: false, error: None };
    let run = Some(Run { started_after: Duration::ZERO, ran_for: Duration::from_millis(1) });
    [
        Transition::Success { output: None },
        Transition::Success { output: Some(json("1")) },
        Transition::Failed { error: "no".to_owned() },
        Transition::Canceled { reason: "no".to_owned(), attempt: AttemptIs::Counted },
        back(Requeue::AsBefore, AttemptIs::Refunded),
        back(Requeue::After(Duration::from_secs(9)), AttemptIs::Counted),
    ]
    .into_iter()
    .zip(taken)
    .enumerate()
    .map(|(index, (to, task))| {
        let lease = if index == 0 { alone } else { task.lease };
        Settlement { run, log: vec![line.clone()], ..Settlement::new(lease, to) }
    })
    .collect()
}
