//! Lists and counts of many tasks.

use taskstore_core::{
    DefinitionId, Error, Status, TaskId,
    backend::{
        Claim, Counted, Cursor, Move, Page, Run, Settlement, TaskFilter, TaskOrder, TaskQuery, When,
    },
};
use time::UtcDateTime;

use crate::context::{
    Context, at, cancel, failed, ids, ok, queue, release, requeue, secs, success,
};

cases! { "query":
    given_tasks_of_every_status_when_listed_by_each_then_each_has_its_own ["query.status"];
    given_tasks_of_every_status_when_listed_by_several_then_they_are_merged ["query.status"];
    given_tasks_of_every_status_when_listed_without_a_filter_then_all_are_there ["query.status"];
    given_a_task_that_comes_back_when_listed_then_its_status_is_that_of_the_moment ["query.status"];
    given_queues_and_definitions_when_listed_by_them_then_only_theirs ["query.filter"];
    given_ids_when_listed_then_those_that_are_there ["query.filter"];
    given_times_when_listed_by_them_then_from_the_first_and_before_the_second ["query.filter"];
    given_all_filters_when_listed_then_each_narrows ["query.filter"];
    given_filters_that_name_nothing_when_listed_then_nothing ["query.filter"];
    given_soft_deleted_tasks_when_listed_then_hidden_unless_asked_for ["query.deleted"];
    given_a_task_deleted_while_it_ran_when_it_has_ended_then_it_is_hidden_too ["query.deleted"];
    given_tasks_when_listed_by_enqueue_then_in_that_order_both_ways ["query.order"];
    given_tasks_when_listed_in_claim_order_then_as_they_are_claimed ["query.order"];
    given_ended_tasks_when_listed_by_completion_then_by_the_handlers_time ["query.order"];
    given_many_tasks_when_paged_then_each_comes_once_in_every_order ["query.pages"];
    given_changes_between_pages_when_paged_then_what_stayed_comes_once ["query.pages"];
    given_a_page_when_read_then_its_tasks_are_as_when_looked_at_one_by_one ["query.whole"];
    given_a_cursor_that_nobody_made_when_listed_then_refused ["query.refused"];
    given_a_cursor_of_another_order_when_listed_then_refused ["query.refused"];
    given_a_limit_out_of_bounds_when_listed_then_refused ["query.refused"];
    given_ranges_and_ids_out_of_bounds_when_listed_or_counted_then_refused ["query.refused"];
    given_tasks_when_counted_then_exactly_as_many ["count.exact"];
    given_filters_when_counted_then_as_many_as_are_listed ["count.exact"];
    given_more_than_asked_for_when_counted_then_at_least_that_many ["count.capped"];
}

type SetFilter = fn(&mut TaskFilter);

fn filter(statuses: &[Status]) -> TaskFilter {
    let mut filter = TaskFilter::default();
    filter.statuses = Some(statuses.to_vec());
    filter
}

async fn page(c: &Context, query: &TaskQuery) -> Page<TaskId> {
    let page = ok("tasks", c.backend().tasks(query).await);
    assert!(page.items.len() <= query.limit as usize, "more than the limit");
    Page { items: page.items.iter().map(|task| task.id).collect(), next: page.next }
}

/// All pages of so many, one after another.
async fn paged(c: &Context, filter: &TaskFilter, order: TaskOrder, limit: u32) -> Vec<TaskId> {
    let mut query = TaskQuery::new(filter.clone(), order, limit);
    let mut all = Vec::new();
    loop {
        let page = page(c, &query).await;
        all.extend(page.items);
        match page.next {
            Some(next) => query = query.after(next),
            None => return all,
        }
    }
}

async fn list(c: &Context, filter: &TaskFilter, order: TaskOrder) -> Vec<TaskId> {
    paged(c, filter, order, 100).await
}

async fn newest(c: &Context, filter: &TaskFilter) -> Vec<TaskId> {
    list(c, filter, TaskOrder::NewestFirst).await
}

/// Two tasks of each status, in the order of [`Status::ALL`]; of the queued ones one is delayed.
async fn of_every_status(c: &Context) -> Vec<Vec<TaskId>> {
    let mut all = vec![Vec::new(); 6];
    for round in 0..2 {
        let running = c.running().await.lease.task;
        let to = [success(), failed("broken")];
        let mut ended = Vec::new();
        for to in to {
            let lease = c.running().await.lease;
            c.settle(lease, to).await;
            ended.push(lease.task);
        }
        let (canceled, paused) = (c.later(900).await, c.later(900).await);
        c.control(canceled, cancel()).await;
        c.control(paused, Move::Pause).await;
        let queued = if round == 0 { c.later(50).await } else { c.ready(1).await[0] };
        let ids = [queued, running, ended[0], ended[1], canceled, paused];
        all.iter_mut().zip(ids).for_each(|(of_status, id)| of_status.insert(0, id));
    }
    all
}

async fn given_tasks_of_every_status_when_listed_by_each_then_each_has_its_own(c: &Context) {
    let all = of_every_status(c).await;
    for (status, expected) in Status::ALL.into_iter().zip(&all) {
        assert_eq!(newest(c, &filter(&[status])).await, *expected, "{status}");
        let oldest: Vec<_> = expected.iter().rev().copied().collect();
        assert_eq!(list(c, &filter(&[status]), TaskOrder::OldestFirst).await, oldest, "{status}");
    }
}

async fn given_tasks_of_every_status_when_listed_by_several_then_they_are_merged(c: &Context) {
    let all = of_every_status(c).await;
    for (first, one) in Status::ALL.into_iter().enumerate() {
        for (second, other) in Status::ALL.into_iter().enumerate().skip(first + 1) {
            let mut expected = [all[first].clone(), all[second].clone()].concat();
            expected.sort_unstable();
            let oldest = list(c, &filter(&[other, one, one]), TaskOrder::OldestFirst).await;
            assert_eq!(oldest, expected, "{one} and {other}");
            expected.reverse();
            assert_eq!(paged(c, &filter(&[one, other]), TaskOrder::NewestFirst, 1).await, expected);
        }
    }
}

async fn given_tasks_of_every_status_when_listed_without_a_filter_then_all_are_there(c: &Context) {
    let mut all = of_every_status(c).await.concat();
    all.sort_unstable();
    assert_eq!(list(c, &TaskFilter::default(), TaskOrder::OldestFirst).await, all);
    assert_eq!(list(c, &filter(&Status::ALL), TaskOrder::OldestFirst).await, all);
    assert_eq!(newest(c, &filter(&[])).await, []);
}

async fn given_a_task_that_comes_back_when_listed_then_its_status_is_that_of_the_moment(
    c: &Context,
) {
    let running = c.running().await;
    let id = running.lease.task;
    assert_eq!(newest(c, &filter(&[Status::Running])).await, [id]);
    assert_eq!(newest(c, &filter(&[Status::Queued])).await, []);
    c.isolate_one(running.lease).await;
    assert_eq!(newest(c, &filter(&[Status::Running])).await, [id], "in a lease of its own");
    let other = c.running().await;
    c.end(other.lease, release(), Status::Queued).await;
    assert_eq!(newest(c, &filter(&[Status::Queued])).await, [other.lease.task]);
    let again = c.take_one().await;
    c.end(again.lease, failed("broken"), Status::Failed).await;
    c.control(other.lease.task, requeue()).await;
    assert_eq!(newest(c, &filter(&[Status::Failed])).await, []);
    assert_eq!(newest(c, &filter(&[Status::Queued])).await, [other.lease.task]);
}

async fn given_queues_and_definitions_when_listed_by_them_then_only_theirs(c: &Context) {
    let other = c.define("case.other").await;
    let mut tasks = c.new_tasks(4).await;
    tasks[1].queue = queue("a");
    tasks[2].queue = queue("a");
    tasks[2].definition = other.id;
    tasks[3].definition = other.id;
    tasks[3].when = When::After(secs(9));
    c.enqueue(&tasks).await;
    let id = |n: usize| tasks[n].id;
    for statuses in [None, Some(vec![Status::Queued])] {
        for order in [TaskOrder::OldestFirst, TaskOrder::ClaimOrder] {
            let mut filter = TaskFilter::default();
            filter.statuses.clone_from(&statuses);
            filter.queue = Some(queue("a"));
            assert_eq!(list(c, &filter, order).await, [id(1), id(2)]);
            filter.definition = Some(other.id);
            assert_eq!(list(c, &filter, order).await, [id(2)]);
            filter.queue = None;
            assert_eq!(list(c, &filter, order).await, [id(2), id(3)]);
            filter.queue = Some(queue("A"));
            assert_eq!(list(c, &filter, order).await, []);
        }
    }
    let running = c.take_one().await.lease;
    let mut of_default = filter(&[Status::Running, Status::Success]);
    of_default.queue = Some(queue("default"));
    assert_eq!(newest(c, &of_default).await, [id(0)]);
    c.settle(running, success()).await;
    assert_eq!(newest(c, &of_default).await, [id(0)]);
    of_default.definition = Some(other.id);
    assert_eq!(newest(c, &of_default).await, []);
}

async fn given_ids_when_listed_then_those_that_are_there(c: &Context) {
    let all = of_every_status(c).await;
    let mut named = TaskFilter::default();
    named.ids = Some(vec![all[1][0], TaskId::new(), all[0][0], all[2][0], all[0][0]]);
    let mut expected = vec![all[0][0], all[1][0], all[2][0]];
    expected.sort_unstable();
    assert_eq!(paged(c, &named, TaskOrder::OldestFirst, 1).await, expected);
    assert_eq!(list(c, &named, TaskOrder::ClaimOrder).await, [all[0][0]]);
    assert_eq!(list(c, &named, TaskOrder::LastCompletedFirst).await, [all[2][0]]);
    named.statuses = Some(vec![Status::Running, Status::Failed]);
    assert_eq!(newest(c, &named).await, [all[1][0]]);
    assert_eq!(ok("count", c.backend().count(&named, 9).await), Counted::Exactly(1));
    named.ids = Some(Vec::new());
    assert_eq!(newest(c, &named).await, []);
}

/// Three successes, made at 0, 10 and 20 s and completed at 30, 40 and 50 s.
async fn at_times(c: &Context) -> Vec<TaskId> {
    let tasks = c.new_tasks(3).await;
    for (task, n) in tasks.iter().zip(0_u32..) {
        c.enqueue_at(std::slice::from_ref(task), at(i64::from(n) * 10)).await;
        let lease = c.take_one_at(at(30 + i64::from(n) * 10)).await.lease;
        c.settle_at(lease, success(), at(30 + i64::from(n) * 10)).await;
    }
    tasks.iter().map(|task| task.id).collect()
}

async fn given_times_when_listed_by_them_then_from_the_first_and_before_the_second(c: &Context) {
    let all = at_times(c).await;
    let waiting = c.later(9).await;
    for (from, to, expected) in [(10, 20, 1..2), (0, 20, 0..2), (1, 21, 1..3), (21, 99, 0..0)] {
        let expected = &all[expected];
        for statuses in [None, Some(vec![Status::Success, Status::Running])] {
            let mut created = TaskFilter::default();
            created.statuses.clone_from(&statuses);
            created.created = Some(at(from)..at(to));
            let mut listed = list(c, &created, TaskOrder::OldestFirst).await;
            listed.retain(|id| *id != waiting);
            assert_eq!(listed, expected, "created {from} to {to}");
            let mut completed = TaskFilter::default();
            completed.statuses = statuses;
            completed.completed = Some(at(from + 30)..at(to + 30));
            assert_eq!(list(c, &completed, TaskOrder::OldestFirst).await, expected);
            let mut last = list(c, &completed, TaskOrder::LastCompletedFirst).await;
            last.reverse();
            assert_eq!(last, expected, "completed {from} to {to}");
        }
    }
    let mut created = filter(&[Status::Queued]);
    created.created = Some(at(0)..at(1));
    assert_eq!(list(c, &created, TaskOrder::ClaimOrder).await, [waiting]);
    created.created = Some(at(1)..at(2));
    assert_eq!(list(c, &created, TaskOrder::ClaimOrder).await, []);
}

async fn given_all_filters_when_listed_then_each_narrows(c: &Context) {
    let all = at_times(c).await;
    let mut full = filter(&[Status::Success]);
    full.ids = Some(all.clone());
    full.queue = Some(queue("default"));
    full.definition = Some(c.definition().await.id);
    full.created = Some(at(0)..at(100));
    full.completed = Some(at(0)..at(100));
    assert_eq!(newest(c, &full).await.len(), 3);
    let narrower: [SetFilter; 6] = [
        |f| f.statuses = Some(vec![Status::Failed]),
        |f| f.ids = Some(vec![TaskId::new()]),
        |f| f.queue = Some(queue("other")),
        |f| f.definition = Some(DefinitionId::new()),
        |f| f.created = Some(at(50)..at(100)),
        |f| f.completed = Some(at(0)..at(30)),
    ];
    for named in [true, false] {
        for narrow in narrower {
            let mut filter = full.clone();
            if !named {
                filter.ids = None;
            }
            narrow(&mut filter);
            for order in TaskOrder::ALL {
                assert_eq!(list(c, &filter, order).await, [], "{filter:?}");
            }
        }
    }
}

async fn given_filters_that_name_nothing_when_listed_then_nothing(c: &Context) {
    c.ready(1).await;
    let mut none = TaskFilter::default();
    none.created = Some(at(0)..at(0));
    assert_eq!(newest(c, &none).await, []);
    assert_eq!(ok("count", c.backend().count(&none, 5).await), Counted::Exactly(0));
    // Nobody has ended.
    let everything = TaskFilter::default();
    assert_eq!(list(c, &everything, TaskOrder::LastCompletedFirst).await, []);
    let mut completed = filter(&[Status::Queued]);
    completed.completed = Some(UtcDateTime::MIN..UtcDateTime::MAX);
    assert_eq!(list(c, &completed, TaskOrder::ClaimOrder).await, []);
}

async fn given_soft_deleted_tasks_when_listed_then_hidden_unless_asked_for(c: &Context) {
    let lease = c.running().await.lease;
    c.settle(lease, success()).await;
    let running = c.running().await.lease.task;
    let waiting = c.ready(1).await[0];
    let all = [waiting, running, lease.task];
    let kept = c.ready(1).await[0];
    for id in all {
        c.control(id, Move::Delete).await;
    }
    let mut filter = TaskFilter::default();
    let ended = [waiting, lease.task];
    for named in [false, true] {
        filter.ids = named.then(|| [&all[..], &[kept]].concat());
        filter.with_deleted = false;
        assert_eq!(newest(c, &filter).await, [kept]);
        assert_eq!(list(c, &filter, TaskOrder::LastCompletedFirst).await, []);
        filter.with_deleted = true;
        assert_eq!(newest(c, &filter).await, [&[kept], &all[..]].concat());
        assert_eq!(list(c, &filter, TaskOrder::LastCompletedFirst).await.len(), ended.len());
        assert_eq!(ok("count", c.backend().count(&filter, 9).await), Counted::Exactly(4));
    }
    for status in [Status::Canceled, Status::Running, Status::Success] {
        let mut filter = self::filter(&[status]);
        assert_eq!(newest(c, &filter).await, [], "{status}");
        assert_eq!(ok("count", c.backend().count(&filter, 9).await), Counted::Exactly(0));
        filter.with_deleted = true;
        assert_eq!(newest(c, &filter).await.len(), 1, "{status}");
    }
}

async fn given_a_task_deleted_while_it_ran_when_it_has_ended_then_it_is_hidden_too(c: &Context) {
    let lease = c.running().await.lease;
    c.control(lease.task, Move::Delete).await;
    c.settle(lease, success()).await;
    let mut filter = filter(&[Status::Success]);
    for (with_deleted, seen) in [(false, vec![]), (true, vec![lease.task])] {
        filter.with_deleted = with_deleted;
        assert_eq!(newest(c, &filter).await, seen);
        assert_eq!(list(c, &filter, TaskOrder::LastCompletedFirst).await, seen);
        let counted = ok("count", c.backend().count(&filter, 9).await);
        assert_eq!(counted, Counted::Exactly(seen.len() as u64));
    }
}

async fn given_tasks_when_listed_by_enqueue_then_in_that_order_both_ways(c: &Context) {
    let mut tasks = c.new_tasks(5).await;
    for (task, priority) in tasks.iter_mut().zip([3, 1, 2, 0, 4]) {
        task.priority = priority;
    }
    c.enqueue(&tasks).await;
    let mut ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
    assert_eq!(list(c, &TaskFilter::default(), TaskOrder::OldestFirst).await, ids);
    ids.reverse();
    assert_eq!(list(c, &TaskFilter::default(), TaskOrder::NewestFirst).await, ids);
}

async fn given_tasks_when_listed_in_claim_order_then_as_they_are_claimed(c: &Context) {
    let mut tasks = c.new_tasks(9).await;
    for (n, task) in tasks.iter_mut().enumerate() {
        task.queue = queue(["b", "a"][n % 2]);
        task.priority = [0, -3, 7, 0, 0, -3, 1, 0, 0][n];
    }
    // Times of two later ones, against the order of their priorities.
    tasks[7].when = When::After(secs(5));
    tasks[8].when = When::After(secs(3));
    c.enqueue(&tasks).await;
    c.running().await;
    let id = |n: usize| tasks[n].id;
    let of_a = [id(1), id(5), id(3)];
    let of_b = [id(0), id(4), id(6), id(2)];
    let later = [id(8), id(7)];
    let expected = [&of_a[..], &of_b, &later].concat();
    for limit in [1, 2, 3, 7, 100] {
        let all = paged(c, &TaskFilter::default(), TaskOrder::ClaimOrder, limit).await;
        assert_eq!(all, expected, "in pages of {limit}");
        let mut of_queue = filter(&[Status::Queued]);
        of_queue.queue = Some(queue("a"));
        let of_queue = paged(c, &of_queue, TaskOrder::ClaimOrder, limit).await;
        assert_eq!(of_queue, [&of_a[..], &[id(7)]].concat(), "in pages of {limit}");
    }
    let claim = Claim::new(c.runner, ["a", "b"].map(queue), 9).at(at(0));
    assert_eq!(ids(&c.claim(&claim).await.tasks), expected[..7]);
}

async fn given_ended_tasks_when_listed_by_completion_then_by_the_handlers_time(c: &Context) {
    c.ready(4).await;
    let batch = c.take(4).await;
    let mut ended = Vec::new();
    for (task, (ran, to)) in
        batch.iter().zip([(5, success()), (9, failed("broken")), (1, success()), (5, success())])
    {
        let mut settlement = Settlement::new(task.lease, to);
        settlement.run = Some(Run { started_after: secs(0), ran_for: secs(ran) });
        c.settle_one(settlement, at(20)).await;
        ended.push(task.lease.task);
    }
    c.ready(1).await;
    let expected = [ended[1], ended[3], ended[0], ended[2]];
    for limit in [1, 2, 4, 9] {
        let order = TaskOrder::LastCompletedFirst;
        assert_eq!(paged(c, &TaskFilter::default(), order, limit).await, expected, "by {limit}");
        let successes = paged(c, &filter(&[Status::Success]), order, limit).await;
        assert_eq!(successes, [ended[3], ended[0], ended[2]]);
    }
    c.control(ended[1], requeue()).await;
    let left = list(c, &TaskFilter::default(), TaskOrder::LastCompletedFirst).await;
    assert_eq!(left, expected[1..]);
}

async fn given_many_tasks_when_paged_then_each_comes_once_in_every_order(c: &Context) {
    let mut all = of_every_status(c).await.concat();
    all.extend(c.ready(13).await);
    all.sort_unstable();
    for order in TaskOrder::ALL {
        let whole = list(c, &TaskFilter::default(), order).await;
        for limit in [1, 2, 3, 5, 1_000] {
            let pages = paged(c, &TaskFilter::default(), order, limit).await;
            assert_eq!(pages, whole, "{order:?} in pages of {limit}");
        }
        let mut sorted = whole.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), whole.len(), "{order:?}: a task is there twice");
        if matches!(order, TaskOrder::NewestFirst | TaskOrder::OldestFirst) {
            assert_eq!(sorted, all, "{order:?}");
        }
    }
}

async fn given_changes_between_pages_when_paged_then_what_stayed_comes_once(c: &Context) {
    let all = c.ready(6).await;
    let first = TaskQuery::new(filter(&[Status::Queued]), TaskOrder::NewestFirst, 2);
    let seen = page(c, &first).await;
    assert_eq!(seen.items, [all[5], all[4]]);
    c.ready(3).await;
    for gone in [all[4], all[3]] {
        c.control(gone, Move::Pause).await;
    }
    let Some(next) = seen.next else { panic!("there are more") };
    let rest = page(c, &first.clone().after(next.clone())).await;
    assert_eq!(rest.items, [all[2], all[1]], "what ended the page before is gone");
    let again = page(c, &first.after(next)).await;
    assert_eq!(again.items, rest.items, "a cursor may be used again");
}

async fn given_a_page_when_read_then_its_tasks_are_as_when_looked_at_one_by_one(c: &Context) {
    let all = of_every_status(c).await.concat();
    let query = TaskQuery::new(TaskFilter::default(), TaskOrder::NewestFirst, 100);
    let page = ok("tasks", c.backend().tasks(&query).await);
    assert_eq!(page.items.len(), all.len());
    for task in &page.items {
        assert_eq!(format!("{task:#?}"), format!("{:#?}", c.task(task.id).await));
    }
}

async fn refused(c: &Context, query: &TaskQuery, expected: &str) {
    match c.backend().tasks(query).await {
        Err(Error::Invalid { field, .. }) => assert_eq!(field, expected),
        other => panic!("{query:?}: {other:?}"),
    }
}

async fn given_a_cursor_that_nobody_made_when_listed_then_refused(c: &Context) {
    c.ready(2).await;
    for order in TaskOrder::ALL {
        for text in ["", "0", "1.2.3", "'; DROP TABLE task_queue; --", "\0", "n.", "🦀"] {
            let query = TaskQuery::new(TaskFilter::default(), order, 5);
            refused(c, &query.after(Cursor(text.to_owned())), "cursor").await;
        }
    }
}

async fn given_a_cursor_of_another_order_when_listed_then_refused(c: &Context) {
    c.ready(2).await;
    for _ in 0..2 {
        let lease = c.running().await.lease;
        c.settle(lease, success()).await;
    }
    c.ready(2).await;
    for gone in c.ready(2).await {
        c.control(gone, Move::Delete).await;
    }
    for order in TaskOrder::ALL {
        let query = TaskQuery::new(TaskFilter::default(), order, 1);
        let Some(cursor) = page(c, &query).await.next else { panic!("{order:?} has more") };
        for other in TaskOrder::ALL.into_iter().filter(|other| *other != order) {
            let query = TaskQuery::new(TaskFilter::default(), other, 1).after(cursor.clone());
            refused(c, &query, "cursor").await;
        }
    }
}

async fn given_a_limit_out_of_bounds_when_listed_then_refused(c: &Context) {
    c.ready(1).await;
    for limit in [0, 1_001, u32::MAX] {
        let query = TaskQuery::new(TaskFilter::default(), TaskOrder::NewestFirst, limit);
        refused(c, &query, "limit").await;
    }
    for limit in [1, 1_000] {
        let query = TaskQuery::new(TaskFilter::default(), TaskOrder::NewestFirst, limit);
        assert_eq!(page(c, &query).await.items.len(), 1);
    }
}

async fn given_ranges_and_ids_out_of_bounds_when_listed_or_counted_then_refused(c: &Context) {
    let out_of_bounds: [(SetFilter, &str); 4] = [
        (|f| f.created = Some(at(1)..at(0)), "created"),
        (|f| f.completed = Some(at(1)..at(0)), "completed"),
        (|f| f.deleted = Some(at(1)..at(0)), "deleted"),
        (|f| f.ids = Some(vec![TaskId::new(); 10_001]), "ids"),
    ];
    for (set, expected) in out_of_bounds {
        let mut filter = TaskFilter::default();
        set(&mut filter);
        refused(c, &TaskQuery::new(filter.clone(), TaskOrder::NewestFirst, 1), expected).await;
        match c.backend().count(&filter, 1).await {
            Err(Error::Invalid { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

async fn given_tasks_when_counted_then_exactly_as_many(c: &Context) {
    let count = async |filter: &TaskFilter| ok("count", c.backend().count(filter, 100).await);
    assert_eq!(count(&TaskFilter::default()).await, Counted::Exactly(0));
    of_every_status(c).await;
    c.ready(3).await;
    for (status, expected) in Status::ALL.into_iter().zip([5, 2, 2, 2, 2, 2]) {
        assert_eq!(count(&filter(&[status])).await, Counted::Exactly(expected), "{status}");
    }
    assert_eq!(count(&TaskFilter::default()).await, Counted::Exactly(15));
    assert_eq!(count(&filter(&[Status::Failed, Status::Queued])).await, Counted::Exactly(7));
    assert_eq!(count(&filter(&[])).await, Counted::Exactly(0));
}

async fn given_filters_when_counted_then_as_many_as_are_listed(c: &Context) {
    of_every_status(c).await;
    at_times(c).await;
    let filters: [SetFilter; 5] = [
        |f| f.queue = Some(queue("default")),
        |f| f.queue = Some(queue("none")),
        |f| f.definition = Some(DefinitionId::new()),
        |f| f.created = Some(at(0)..at(15)),
        |f| f.completed = Some(at(30)..at(45)),
    ];
    for set in filters {
        for statuses in Status::ALL.map(|status| Some(vec![status])).into_iter().chain([None]) {
            let mut filter = TaskFilter::default();
            filter.statuses = statuses;
            set(&mut filter);
            let listed = newest(c, &filter).await.len() as u64;
            let counted = ok("count", c.backend().count(&filter, 100).await);
            assert_eq!(counted, Counted::Exactly(listed), "{filter:?}");
        }
    }
}

async fn given_more_than_asked_for_when_counted_then_at_least_that_many(c: &Context) {
    c.ready(4).await;
    let mut named = TaskFilter::default();
    named.ids = Some(newest(c, &TaskFilter::default()).await);
    for filter in [TaskFilter::default(), filter(&[Status::Queued]), named] {
        for (at_most, expected) in [
            (0, Counted::AtLeast(0)),
            (3, Counted::AtLeast(3)),
            (4, Counted::Exactly(4)),
            (5, Counted::Exactly(4)),
            (u64::MAX, Counted::Exactly(4)),
        ] {
            let counted = ok("count", c.backend().count(&filter, at_most).await);
            assert_eq!(counted, expected, "at most {at_most}");
        }
    }
}
