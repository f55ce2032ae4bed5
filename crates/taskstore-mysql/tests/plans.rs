//! That lists, counts and looks go where they should, whatever the tables hold and whatever the server
//! believes of them: never through the whole record, and never by sorting it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/fill.rs"]
mod fill;

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use common::Store;
use fill::fill;
use taskstore_core::{
    Backend, DefinitionId, QueueName, QueuePattern, Status, TaskId,
    backend::{
        DefinitionKey, DefinitionQuery, FindWork, QueueQuery, TaskFilter, TaskOrder, TaskQuery,
    },
    clock,
};
use taskstore_mysql::PlanStep;

common::server_tests!(no_list_count_or_look_scans_the_record_or_sorts_it);

static SEEN: AtomicUsize = AtomicUsize::new(0);
/// A first page walks down its key from the front, as far as its limit; one after a cursor must seek,
/// unless there is next to nothing. No plan is kept: the next one is made for what is there then.
static FROM_THE_FRONT: AtomicBool = AtomicBool::new(true);
static BAD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Notes a step that reads or sorts too much.
fn judge(text: &str, steps: &[PlanStep]) {
    SEEN.fetch_add(1, Ordering::Relaxed);
    for step in steps {
        if !is_fine(text, step) {
            let what = format!("{step:?}\n{text}");
            let mut bad = BAD.lock().unwrap();
            if !bad.contains(&what) {
                bad.push(what);
            }
        }
    }
}

fn is_fine(text: &str, step: &PlanStep) -> bool {
    let scans = matches!(step.access.as_str(), "ALL" | "index");
    let sorts = step.extra.contains("filesort") || step.extra.contains("temporary");
    // Leases and their lists, what was made of them, and what a statement has gathered: all small.
    let small = ["l", "x", "e", "j", "a_definition", ""].contains(&step.table.as_str())
        || step.table.starts_with('<');
    // Rows of ready, later or the trash, where their order is not the one wanted.
    let sorted_place = step.table == "c"
        && (text.contains("ORDER BY c.task") && !text.contains("task_aside")
            || text.contains("ORDER BY t.completed_at"));
    // Counts, which go from the front as far as a limit, and need no order.
    let counted = step.table != "t" && text.contains("COUNT(*)") && text.contains(" LIMIT ?)");
    let front = FROM_THE_FRONT.load(Ordering::Relaxed) && step.access == "index" && !sorts;
    let may_scan = front && text.contains(" LIMIT ")
        || small
        || sorted_place
        || counted
        || is_state(text, step);
    (!scans || may_scan) && (!sorts || small || sorted_place)
}

/// The settings of queues, of which there are few, and definitions of a page of them.
fn is_state(text: &str, step: &PlanStep) -> bool {
    step.table == "task_queue_state"
        || text.contains("FROM task_definition FORCE") && step.access != "ALL"
}

/// Without a condition, with each, and with all of them.
fn filters() -> Vec<TaskFilter> {
    let set: [fn(&mut TaskFilter); 8] = [
        |f| f.queue = Some(QueueName::default()),
        |f| f.definition = Some(DefinitionId::new()),
        |f| f.created = Some(clock::from_micros(0)..clock::now()),
        |f| f.completed = Some(clock::from_micros(0)..clock::now()),
        |f| f.with_deleted = true,
        |f| f.queues = Some(vec![QueueName::default()]),
        |f| f.except_queues = vec![QueueName::default()],
        |f| f.deleted = Some(clock::from_micros(0)..clock::now()),
    ];
    let mut all = TaskFilter::default();
    let mut filters = vec![TaskFilter::default()];
    for set in set {
        let mut one = TaskFilter::default();
        set(&mut one);
        set(&mut all);
        filters.push(one);
    }
    filters.push(all);
    filters
}

fn by_each_status() -> impl Iterator<Item = TaskFilter> {
    let statuses = Status::ALL.map(|status| Some(vec![status]));
    statuses.into_iter().chain([None]).flat_map(|statuses| {
        filters().into_iter().map(move |mut filter| {
            filter.statuses.clone_from(&statuses);
            filter
        })
    })
}

async fn no_list_count_or_look_scans_the_record_or_sorts_it() {
    for (tasks, analyzed) in [(0, false), (300, true), (20_000, false), (20_000, true)] {
        let store = Store::with(|options| options.watch_plans(judge)).await;
        if tasks > 0 {
            fill(&store, tasks).await;
        }
        if analyzed {
            store
                .sql("ANALYZE TABLE task_queue,task_ready,task_later,task_aside,task_ended,task_deleted,task_payload,task_result,task_definition,task_lease,task_lease_tasks")
                .await;
        }
        SEEN.store(0, Ordering::Relaxed);
        BAD.lock().unwrap().clear();
        look_at_everything(&store, tasks <= 300).await;
        let seen = SEEN.load(Ordering::Relaxed);
        assert!(seen > 500, "{seen} plans were looked at");
        let bad = BAD.lock().unwrap();
        let first = bad.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n\n");
        assert!(bad.is_empty(), "{} with {tasks} tasks, analyzed: {analyzed}\n{first}", bad.len());
    }
}

async fn look_at_everything(store: &Store, few: bool) {
    let backend = &store.backend;
    let newest = TaskQuery::new(TaskFilter::default(), TaskOrder::NewestFirst, 9);
    let some = backend.task_ids(&newest).await.unwrap().items;
    for filter in by_each_status() {
        for order in TaskOrder::ALL {
            let mut query = TaskQuery::new(filter.clone(), order, 5);
            let page = backend.tasks(&query).await.unwrap();
            query.after = page.next;
            if query.after.is_some() {
                FROM_THE_FRONT.store(few, Ordering::Relaxed);
                backend.tasks(&query).await.unwrap();
                FROM_THE_FRONT.store(true, Ordering::Relaxed);
            }
        }
        backend.count(&filter, 10).await.unwrap();
        let mut named = TaskQuery::new(filter, TaskOrder::NewestFirst, 50);
        named.filter.ids = Some([some.as_slice(), &[TaskId::new()]].concat());
        backend.tasks(&named).await.unwrap();
    }
    for order in TaskOrder::ALL {
        for status in Status::ALL {
            let mut filter = TaskFilter::default();
            filter.statuses = Some(vec![status]);
            backend.task_ids(&TaskQuery::new(filter, order, 5)).await.unwrap();
        }
    }
    for id in some {
        backend.task(id).await.unwrap();
        backend.attempts(id).await.unwrap();
        backend.log(id, 0, 10).await.unwrap();
    }
    FROM_THE_FRONT.store(few, Ordering::Relaxed);
    backend.queues(&QueueQuery::new(50)).await.unwrap();
    backend.queues(&QueueQuery::one(QueueName::default())).await.unwrap();
    backend.find_work(&FindWork::new(vec![QueuePattern::new("*").unwrap()])).await.unwrap();
    FROM_THE_FRONT.store(true, Ordering::Relaxed);
    backend.definition(&DefinitionKey::Id(store.definition)).await.unwrap();
    backend.definitions(&DefinitionQuery::new(10)).await.unwrap();
}
