//! That lists and counts go where they should: never through the whole record.

use taskstore_core::{
    DefinitionId, QueueName, Status, TaskId,
    backend::{Spot, TaskFilter, TaskOrder, TaskQuery, Walk},
    clock,
};

use super::{LOOKS_MAX, named, source, walk};
use crate::tests::File;

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

/// What is read whole on purpose: the leases, and what waits where its order is not the one wanted.
fn may(way: Walk, step: &str) -> bool {
    match way {
        Walk::Running { .. } => !step.contains("SCAN t") || step == "USE TEMP B-TREE FOR ORDER BY",
        Walk::Ready { .. } | Walk::Later { .. } => {
            step.starts_with("SCAN c") || step == "USE TEMP B-TREE FOR ORDER BY"
        }
        _ => false,
    }
}

#[test]
fn no_list_and_no_count_by_any_status_scans_the_record_or_sorts_it() {
    let file = File::new("");
    for tasks in [0, 100_000] {
        if tasks > 0 {
            file.fill(tasks);
        }
        for analyzed in [false, true] {
            if analyzed {
                file.connection.execute_batch("ANALYZE").unwrap();
            }
            for filter in by_each_status() {
                for order in TaskOrder::ALL {
                    let query = TaskQuery::new(filter.clone(), order, 50);
                    for way in Walk::of(&query) {
                        let spot = Spot::start();
                        let conditions = source::conditions(way, &filter);
                        let text = walk::list_text(way, &filter, &conditions, &spot, LOOKS_MAX);
                        check(&file, way, &text.sql);
                    }
                }
                for newest in [false, true] {
                    let way = Walk::Waiting { newest };
                    let conditions = source::conditions(way, &filter);
                    let text =
                        walk::list_text(way, &filter, &conditions, &Spot::start(), LOOKS_MAX);
                    check(&file, way, &text.sql);
                }
                for way in Walk::of_count(&filter) {
                    check(&file, way, &walk::count_text(way, &filter, 10).sql);
                }
                let query = TaskQuery::new(filter, TaskOrder::NewestFirst, 50);
                let text = named::text(&[TaskId::new()], &query).unwrap();
                check(&file, Walk::ReadyInLine, &text.sql);
            }
        }
    }
}

fn check(file: &File, way: Walk, sql: &str) {
    for step in file.plan_of(sql) {
        let reads_all = step.starts_with("SCAN") || step.contains("TEMP B-TREE");
        let from_the_front = step.starts_with("SCAN c") && sql.contains("(c.");
        let list = step.contains("VIRTUAL TABLE") || step.starts_with("SCAN (subquery-");
        let fine = !reads_all || may(way, &step) || from_the_front || list;
        assert!(fine, "{way:?}: {step}\n{sql}");
    }
}

#[test]
fn what_is_composed_takes_the_prefix() {
    let file = File::new("app_");
    for filter in filters() {
        for order in TaskOrder::ALL {
            for way in Walk::of(&TaskQuery::new(filter.clone(), order, 50)) {
                let conditions = source::conditions(way, &filter);
                let text = walk::list_text(way, &filter, &conditions, &Spot::start(), 9);
                let sql = file.texts.prepare("list", &text.sql);
                assert!(file.connection.prepare(&sql).is_ok(), "{sql}");
            }
        }
    }
}
