//! Going through very many tasks: pages of ids, what is left out, and the trash.

use taskstore_core::{
    Error, Status, TaskId,
    backend::{Counted, Move, Page, TaskFilter, TaskOrder, TaskQuery},
};

use crate::context::{Context, at, ok, queue, requeue, success};

cases! { "many":
    given_tasks_when_their_ids_are_listed_then_as_the_tasks_are ["query.ids"];
    given_filters_when_ids_are_listed_then_as_the_tasks_are ["query.ids" "query.filter"];
    given_more_than_a_page_when_ids_are_listed_then_each_comes_once ["query.ids" "query.pages"];
    given_a_promotion_between_pages_when_ids_are_listed_then_none_is_missed
        ["query.pages" "bulk.all"];
    given_a_limit_out_of_bounds_when_ids_are_listed_then_refused ["query.refused"];
    given_queues_to_leave_out_when_listed_then_all_others ["query.filter"];
    given_soft_deleted_tasks_when_listed_by_deletion_then_last_deleted_first ["query.order"];
    given_times_of_deletion_when_listed_then_only_what_was_deleted_then
        ["query.filter" "query.deleted"];
    given_the_engines_time_when_asked_then_it_is_what_it_stamps ["time.engine"];
}

async fn ids(c: &Context, query: &TaskQuery) -> Page<TaskId> {
    let page = ok("task_ids", c.backend().task_ids(query).await);
    assert!(page.items.len() <= query.limit as usize, "more than the limit");
    page
}

async fn all_ids(c: &Context, filter: &TaskFilter, order: TaskOrder, limit: u32) -> Vec<TaskId> {
    let mut query = TaskQuery::new(filter.clone(), order, limit);
    let mut all = Vec::new();
    loop {
        let page = ids(c, &query).await;
        all.extend(page.items);
        match page.next {
            Some(next) => query = query.after(next),
            None => return all,
        }
    }
}

async fn listed(c: &Context, filter: &TaskFilter, order: TaskOrder) -> Vec<TaskId> {
    let mut query = TaskQuery::new(filter.clone(), order, 1_000);
    let mut all = Vec::new();
    loop {
        let page = ok("tasks", c.backend().tasks(&query).await);
        all.extend(page.items.iter().map(|task| task.id));
        match page.next {
            Some(next) => query = query.after(next),
            None => return all,
        }
    }
}

/// Of two queues and every status, some of them soft-deleted.
async fn mixed(c: &Context) -> Vec<TaskId> {
    let mut tasks = c.new_tasks(9).await;
    for task in tasks.iter_mut().skip(5) {
        task.queue = queue("else");
    }
    c.enqueue(&tasks).await;
    for (seconds, to) in [(5, success()), (6, crate::context::failed("no"))] {
        let lease = c.take_one().await.lease;
        c.settle_at(lease, to, at(seconds)).await;
    }
    c.take_one().await;
    c.control(tasks[8].id, Move::Pause).await;
    c.control_at(tasks[0].id, Move::Delete, at(30)).await;
    c.control_at(tasks[7].id, Move::Delete, at(20)).await;
    c.control_at(tasks[2].id, Move::Delete, at(40)).await;
    c.later(60).await;
    tasks.iter().map(|task| task.id).collect()
}

async fn given_tasks_when_their_ids_are_listed_then_as_the_tasks_are(c: &Context) {
    mixed(c).await;
    for order in TaskOrder::ALL {
        for status in Status::ALL.map(|status| Some(vec![status])).into_iter().chain([None]) {
            for with_deleted in [false, true] {
                let mut filter = TaskFilter::default();
                filter.statuses.clone_from(&status);
                filter.with_deleted = with_deleted;
                let expected = listed(c, &filter, order).await;
                for limit in [1, 2, 10_000] {
                    let found = all_ids(c, &filter, order, limit).await;
                    assert_eq!(found, expected, "{order:?} of {status:?} by {limit}");
                }
            }
        }
    }
}

async fn given_filters_when_ids_are_listed_then_as_the_tasks_are(c: &Context) {
    let all = mixed(c).await;
    let filters: [fn(&mut TaskFilter, &[TaskId]); 7] = [
        |f, _| f.queue = Some(queue("else")),
        |f, _| f.queues = Some(vec![queue("else"), queue("none")]),
        |f, _| f.except_queues = vec![queue("else")],
        |f, _| f.completed = Some(at(5)..at(6)),
        |f, _| f.created = Some(at(0)..at(1)),
        |f, _| f.deleted = Some(at(25)..at(35)),
        |f, all| f.ids = Some(all.iter().step_by(2).copied().collect()),
    ];
    for set in filters {
        let mut filter = TaskFilter::default();
        set(&mut filter, &all);
        for order in [TaskOrder::NewestFirst, TaskOrder::OldestFirst] {
            let found = all_ids(c, &filter, order, 2).await;
            assert_eq!(found, listed(c, &filter, order).await, "{filter:?}");
        }
    }
}

async fn given_more_than_a_page_when_ids_are_listed_then_each_comes_once(c: &Context) {
    let ready = c.ready(25).await;
    let mut queued = TaskFilter::default();
    queued.statuses = Some(vec![Status::Queued]);
    let query = TaskQuery::new(queued, TaskOrder::NewestFirst, 10);
    let first = ids(c, &query).await;
    assert_eq!(first.items, ready[15..].iter().rev().copied().collect::<Vec<_>>());
    // What is enqueued meanwhile is newer than where the walk began.
    c.ready(3).await;
    for &id in &first.items {
        c.control(id, Move::Pause).await;
    }
    let mut rest = Vec::new();
    let mut next = first.next;
    while let Some(after) = next {
        let page = ids(c, &query.clone().after(after)).await;
        rest.extend(page.items);
        next = page.next;
    }
    assert_eq!(rest, ready[..15].iter().rev().copied().collect::<Vec<_>>());
}

async fn given_a_promotion_between_pages_when_ids_are_listed_then_none_is_missed(c: &Context) {
    let (late, ready, newest) = (c.later(5).await, c.ready(2).await, c.later(5).await);
    let mut queued = TaskFilter::default();
    queued.statuses = Some(vec![Status::Queued]);
    let query = TaskQuery::new(queued, TaskOrder::NewestFirst, 2);
    let first = ids(c, &query).await;
    assert_eq!(first.items, [newest, ready[1]]);
    assert_eq!(c.promote(9, at(5)).await.moved, 2);
    let Some(next) = first.next else { panic!("there are more") };
    assert_eq!(ids(c, &query.after(next)).await.items, [ready[0], late]);
}

async fn given_a_limit_out_of_bounds_when_ids_are_listed_then_refused(c: &Context) {
    c.ready(1).await;
    for limit in [0, 10_001, u32::MAX] {
        let query = TaskQuery::new(TaskFilter::default(), TaskOrder::NewestFirst, limit);
        match c.backend().task_ids(&query).await {
            Err(Error::Invalid { field, .. }) => assert_eq!(field, "limit"),
            other => panic!("{limit}: {other:?}"),
        }
    }
}

async fn given_queues_to_leave_out_when_listed_then_all_others(c: &Context) {
    let all = mixed(c).await;
    let mut filter = TaskFilter::default();
    filter.with_deleted = true;
    filter.except_queues = vec![queue("default"), queue("none")];
    let others: Vec<_> = all[5..].iter().rev().copied().collect();
    assert_eq!(listed(c, &filter, TaskOrder::NewestFirst).await, others);
    assert_eq!(ok("count", c.backend().count(&filter, 9).await), Counted::Exactly(4));
    filter.statuses = Some(vec![Status::Queued]);
    for order in [TaskOrder::ClaimOrder, TaskOrder::OldestFirst] {
        assert_eq!(listed(c, &filter, order).await, all[5..7], "{order:?}");
    }
    filter.queues = Some(vec![queue("else"), queue("default")]);
    assert_eq!(listed(c, &filter, TaskOrder::OldestFirst).await, all[5..7]);
    filter.queues = Some(vec![queue("default")]);
    assert_eq!(listed(c, &filter, TaskOrder::OldestFirst).await, []);
    filter.queues = None;
    filter.queue = Some(queue("default"));
    assert_eq!(listed(c, &filter, TaskOrder::NewestFirst).await, []);
    filter.except_queues = vec![queue("DEFAULT")];
    assert!(!listed(c, &filter, TaskOrder::NewestFirst).await.is_empty(), "byte by byte");
}

async fn given_soft_deleted_tasks_when_listed_by_deletion_then_last_deleted_first(c: &Context) {
    let all = mixed(c).await;
    let expected = [all[2], all[0], all[7]];
    for limit in [1, 2, 3, 9] {
        let filter = TaskFilter::default();
        let found = all_ids(c, &filter, TaskOrder::LastDeletedFirst, limit).await;
        assert_eq!(found, expected, "in pages of {limit}");
    }
    for (status, expected) in [
        (Status::Running, vec![all[2]]),
        (Status::Success, vec![all[0]]),
        (Status::Canceled, vec![all[7]]),
        (Status::Failed, vec![]),
        (Status::Queued, vec![]),
    ] {
        let mut filter = TaskFilter::default();
        filter.statuses = Some(vec![status]);
        assert_eq!(listed(c, &filter, TaskOrder::LastDeletedFirst).await, expected, "{status}");
    }
    c.control(all[7], Move::Restore).await;
    c.control(all[7], requeue()).await;
    let left = listed(c, &TaskFilter::default(), TaskOrder::LastDeletedFirst).await;
    assert_eq!(left, expected[..2]);
}

async fn given_times_of_deletion_when_listed_then_only_what_was_deleted_then(c: &Context) {
    let all = mixed(c).await;
    for order in TaskOrder::ALL.into_iter().filter(|order| *order != TaskOrder::ClaimOrder) {
        let mut filter = TaskFilter::default();
        filter.deleted = Some(at(20)..at(30));
        assert_eq!(listed(c, &filter, order).await, [all[7]], "{order:?}");
        assert_eq!(ok("count", c.backend().count(&filter, 9).await), Counted::Exactly(1));
        filter.deleted = Some(at(0)..at(20));
        assert_eq!(listed(c, &filter, order).await, [], "{order:?}");
    }
    let mut filter = TaskFilter::default();
    filter.deleted = Some(at(20)..at(50));
    assert_eq!(listed(c, &filter, TaskOrder::OldestFirst).await, [all[0], all[2], all[7]]);
    filter.queue = Some(queue("else"));
    assert_eq!(listed(c, &filter, TaskOrder::LastDeletedFirst).await, [all[7]]);
}

async fn given_the_engines_time_when_asked_then_it_is_what_it_stamps(c: &Context) {
    let before = ok("now", c.backend().now().await);
    let task = c.new_task().await;
    let request = [task];
    ok("enqueue", c.backend().enqueue(&taskstore_core::backend::Enqueue::new(&request)).await);
    let stamped = c.task(request[0].id).await.created_at;
    let after = ok("now", c.backend().now().await);
    assert!(before <= stamped && stamped <= after, "{before} {stamped} {after}");
}
