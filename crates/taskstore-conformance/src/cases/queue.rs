//! Queues: which there are, what is in them, and which have work.

use std::time::Duration;

use taskstore_core::{
    Error, Queue, QueuePattern,
    backend::{
        Counted, Cursor, FindWork, Move, QUEUE_PRIORITIES_MAX, QueueQuery, Settlement, When,
        WorkFound,
    },
};

use crate::context::{Context, at, cancel, ok, queue, release, secs, success};

cases! { "queue":
    given_tasks_of_every_status_when_queues_are_listed_then_counted_by_what_they_wait_for
        ["queue.counts" "queue.listed"];
    given_queues_with_one_kind_of_task_each_when_listed_then_each_is_there ["queue.listed"];
    given_queues_whose_tasks_have_ended_when_listed_then_they_are_gone ["queue.listed"];
    given_settings_without_a_task_when_listed_then_the_queue_is_there ["queue.listed" "pause.queue"];
    given_a_task_that_moves_on_when_listed_then_it_is_counted_where_it_is ["queue.counts"];
    given_many_queues_when_paged_then_each_comes_once_by_name ["queue.pages"];
    given_a_cursor_or_a_limit_out_of_bounds_when_listed_then_refused ["queue.refused"];
    given_more_tasks_than_are_counted_when_listed_then_at_least_that_many ["queue.capped"];
    given_few_tasks_when_listed_with_many_then_those_are_exact ["queue.capped"];
    given_priorities_when_listed_then_the_oldest_ready_is_found_at_any ["queue.oldest"];
    given_nothing_ready_when_listed_then_nothing_is_oldest ["queue.oldest"];
    given_a_clock_that_stepped_back_when_listed_then_no_age_is_negative ["queue.oldest"];
    given_one_queue_when_looked_at_then_it_is_as_in_the_list ["queue.one"];
    given_ready_tasks_when_work_is_looked_for_then_their_queues_are_named ["work.found"];
    given_a_paused_queue_when_work_is_looked_for_then_it_is_not_named ["work.found"];
    given_patterns_when_work_is_looked_for_then_only_queues_that_match ["work.matching"];
    given_many_queues_when_work_is_looked_for_in_parts_then_each_comes_once ["work.found"];
    given_delayed_tasks_when_work_is_looked_for_then_it_says_when_the_next_is_due ["work.due_in"];
}

async fn list(c: &Context, query: &QueueQuery) -> Vec<Queue> {
    let page = ok("queues", c.backend().queues(query).await);
    assert!(page.items.len() <= query.limit as usize, "more than the limit");
    page.items
}

async fn all(c: &Context) -> Vec<Queue> {
    list(c, &QueueQuery::new(1_000).at(at(0))).await
}

async fn one(c: &Context, name: &str) -> Queue {
    let mut found = list(c, &QueueQuery::one(queue(name)).at(at(0))).await;
    assert_eq!(found.len(), 1, "one queue was asked for");
    found.remove(0)
}

fn names(queues: &[Queue]) -> Vec<&str> {
    queues.iter().map(|queue| queue.name.as_str()).collect()
}

/// Ready, delayed, running, paused.
fn counts(queue: &Queue) -> [u64; 4] {
    let tasks = queue.tasks;
    let all = [tasks.ready, tasks.delayed, tasks.running, tasks.paused];
    all.map(|counted| {
        assert!(counted.is_exact(), "{queue:?}");
        counted.seen()
    })
}

/// So many tasks that are ready, and so many that are delayed.
async fn fill(c: &Context, name: &str, ready: usize, delayed: usize) {
    let mut tasks = c.new_tasks(ready + delayed).await;
    for (n, task) in tasks.iter_mut().enumerate() {
        task.queue = queue(name);
        if n >= ready {
            task.when = When::After(secs(60));
        }
    }
    c.enqueue(&tasks).await;
}

/// Takes everything that is ready there.
async fn take_all(c: &Context, name: &str) -> Vec<Settlement> {
    let claim = taskstore_core::backend::Claim::new(c.runner, [queue(name)], 100).at(at(0));
    let tasks = c.claim(&claim).await.tasks;
    tasks.into_iter().map(|task| Settlement::new(task.lease, success())).collect()
}

/// One that runs, one that has ended, one that is paused, two that are delayed, three that are ready.
async fn of_every_status(c: &Context, name: &str) {
    fill(c, name, 2, 0).await;
    let mut taken = take_all(c, name).await;
    c.settle_one(taken.remove(0), at(0)).await;
    fill(c, name, 3, 2).await;
    let mut aside = c.new_task().await;
    aside.queue = queue(name);
    let aside = c.store(aside).await;
    c.control(aside, Move::Pause).await;
}

async fn given_tasks_of_every_status_when_queues_are_listed_then_counted_by_what_they_wait_for(
    c: &Context,
) {
    of_every_status(c, "b").await;
    of_every_status(c, "a").await;
    fill(c, "c", 1, 0).await;
    let found = all(c).await;
    assert_eq!(names(&found), ["a", "b", "c"]);
    assert_eq!(
        found.iter().map(counts).collect::<Vec<_>>(),
        [[3, 2, 1, 1], [3, 2, 1, 1], [1, 0, 0, 0]]
    );
    assert!(found.iter().all(|queue| !queue.paused));
}

async fn given_queues_with_one_kind_of_task_each_when_listed_then_each_is_there(c: &Context) {
    fill(c, "ready", 1, 0).await;
    fill(c, "delayed", 0, 1).await;
    fill(c, "running", 1, 0).await;
    take_all(c, "running").await;
    fill(c, "paused", 0, 0).await;
    let mut aside = c.new_task().await;
    aside.queue = queue("paused");
    let aside = c.store(aside).await;
    c.control(aside, Move::Pause).await;
    let found = all(c).await;
    assert_eq!(names(&found), ["delayed", "paused", "ready", "running"]);
    let expected = [[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]];
    assert_eq!(found.iter().map(counts).collect::<Vec<_>>(), expected);
}

async fn given_queues_whose_tasks_have_ended_when_listed_then_they_are_gone(c: &Context) {
    fill(c, "done", 1, 0).await;
    let mut taken = take_all(c, "done").await;
    let mut waits = c.new_task().await;
    waits.queue = queue("canceled");
    let waits = c.store(waits).await;
    assert_eq!(names(&all(c).await), ["canceled", "done"]);
    c.settle_one(taken.remove(0), at(0)).await;
    c.control(waits, cancel()).await;
    assert_eq!(all(c).await, []);
}

async fn given_settings_without_a_task_when_listed_then_the_queue_is_there(c: &Context) {
    c.put_queue(&queue("idle"), true).await;
    fill(c, "mail", 1, 0).await;
    let found = all(c).await;
    assert_eq!(names(&found), ["idle", "mail"]);
    assert_eq!((found[0].paused, counts(&found[0])), (true, [0; 4]));
    c.put_queue(&queue("idle"), false).await;
    c.put_queue(&queue("mail"), true).await;
    let found = all(c).await;
    assert_eq!(names(&found), ["idle", "mail"]);
    assert_eq!((found[0].paused, found[1].paused), (false, true));
    assert_eq!(counts(&found[1]), [1, 0, 0, 0], "a paused queue's tasks are not paused themselves");
}

async fn given_a_task_that_moves_on_when_listed_then_it_is_counted_where_it_is(c: &Context) {
    let id = c.later(30).await;
    assert_eq!(counts(&one(c, "default").await), [0, 1, 0, 0]);
    c.promote(10, at(30)).await;
    assert_eq!(counts(&one(c, "default").await), [1, 0, 0, 0]);
    c.control(id, Move::Pause).await;
    assert_eq!(counts(&one(c, "default").await), [0, 0, 0, 1]);
    c.control_at(id, Move::Resume, at(40)).await;
    let taken = c.take_one().await;
    assert_eq!(counts(&one(c, "default").await), [0, 0, 1, 0]);
    c.control(id, Move::Delete).await;
    assert_eq!(counts(&one(c, "default").await), [0, 0, 1, 0], "it still runs");
    c.settle(taken.lease, release()).await;
    assert_eq!(counts(&one(c, "default").await), [0; 4]);
}

async fn given_many_queues_when_paged_then_each_comes_once_by_name(c: &Context) {
    for n in 0..12 {
        fill(c, &format!("q{n:02}"), n % 2, 1 - n % 2).await;
    }
    c.put_queue(&queue("a"), true).await;
    for limit in [1, 5, 13, 14] {
        let (mut query, mut seen) = (QueueQuery::new(limit).at(at(0)), Vec::new());
        loop {
            let page = ok("queues", c.backend().queues(&query).await);
            seen.extend(page.items.into_iter().map(|queue| queue.name.to_string()));
            match page.next {
                Some(next) => query = query.after(next),
                None => break,
            }
        }
        let expected: Vec<_> =
            std::iter::once("a".to_owned()).chain((0..12).map(|n| format!("q{n:02}"))).collect();
        assert_eq!(seen, expected, "{limit} to a page");
    }
}

async fn given_a_cursor_or_a_limit_out_of_bounds_when_listed_then_refused(c: &Context) {
    for cursor in ["", "two words", &"x".repeat(65)] {
        let query = QueueQuery::new(1).after(Cursor(cursor.to_owned()));
        let refused = c.backend().queues(&query).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "cursor", .. })), "{refused:?}");
    }
    for limit in [0, 1_001] {
        let refused = c.backend().queues(&QueueQuery::new(limit)).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "limit", .. })), "{refused:?}");
    }
}

async fn given_more_tasks_than_are_counted_when_listed_then_at_least_that_many(c: &Context) {
    fill(c, "a", 12, 12).await;
    fill(c, "b", 5, 5).await;
    let mut query = QueueQuery::new(10).at(at(0));
    query.count_max = 20;
    let found = list(c, &query).await;
    for counted in [found[0].tasks.ready, found[0].tasks.delayed] {
        assert!((10..=12).contains(&counted.seen()), "a half of 20 at least: {counted:?}");
        assert_eq!(counted.is_exact(), counted.seen() == 12, "{counted:?}");
    }
    assert_eq!(counts(&found[1]), [5, 5, 0, 0]);
    query.count_max = 3;
    let few = list(c, &query).await;
    assert!(few[0].tasks.ready.seen() <= 6, "counting has an end: {few:?}");
    assert_eq!(few[0].tasks.ready.is_exact(), few[0].tasks.ready.seen() == 12);
}

async fn given_few_tasks_when_listed_with_many_then_those_are_exact(c: &Context) {
    fill(c, "a", 50, 0).await;
    fill(c, "b", 3, 2).await;
    let mut query = QueueQuery::new(10).at(at(0));
    query.count_max = 6;
    let found = list(c, &query).await;
    assert!(matches!(found[0].tasks.ready, Counted::AtLeast(3..=6)), "{found:?}");
    assert_eq!(counts(&found[1]), [3, 2, 0, 0]);
}

async fn given_priorities_when_listed_then_the_oldest_ready_is_found_at_any(c: &Context) {
    for (priority, ago) in [(-5_i16, 10_u64), (0, 40), (7, 20), (i16::MAX, 30)] {
        let mut task = c.new_task().await;
        task.priority = priority;
        c.enqueue_at(&[task], at(-i64::try_from(ago).unwrap_or_default())).await;
    }
    assert_eq!(one(c, "default").await.oldest_ready, Some(secs(40)));
    // One before the last priority that is looked at, and one beyond it.
    for n in 0..i16::try_from(QUEUE_PRIORITIES_MAX).unwrap_or(i16::MAX) {
        let mut task = c.new_task().await;
        (task.queue, task.priority) = (queue("many"), n);
        c.enqueue_at(&[task], at(-100 - i64::from(n))).await;
    }
    assert_eq!(one(c, "many").await.oldest_ready, Some(secs(131)));
}

async fn given_nothing_ready_when_listed_then_nothing_is_oldest(c: &Context) {
    fill(c, "default", 1, 3).await;
    assert_eq!(one(c, "default").await.oldest_ready, Some(Duration::ZERO));
    take_all(c, "default").await;
    assert_eq!(one(c, "default").await.oldest_ready, None);
}

async fn given_a_clock_that_stepped_back_when_listed_then_no_age_is_negative(c: &Context) {
    fill(c, "default", 1, 0).await;
    let found = list(c, &QueueQuery::new(1).at(at(-50))).await;
    assert_eq!(found[0].oldest_ready, Some(Duration::ZERO));
    let found = list(c, &QueueQuery::new(1).at(at(50))).await;
    assert_eq!(found[0].oldest_ready, Some(secs(50)));
}

async fn given_one_queue_when_looked_at_then_it_is_as_in_the_list(c: &Context) {
    of_every_status(c, "a").await;
    of_every_status(c, "b").await;
    c.put_queue(&queue("b"), true).await;
    let found = all(c).await;
    assert_eq!(one(c, "a").await, found[0]);
    assert_eq!(one(c, "b").await, found[1]);
    assert_eq!(one(c, "nobody").await, Queue::empty(queue("nobody")));
}

async fn find(c: &Context, patterns: &[&str]) -> WorkFound {
    let among = patterns.iter().map(|text| ok("pattern", QueuePattern::new(text))).collect();
    ok("find_work", c.backend().find_work(&FindWork::new(among).at(at(0))).await)
}

async fn found(c: &Context, patterns: &[&str]) -> Vec<String> {
    find(c, patterns).await.queues.iter().map(ToString::to_string).collect()
}

async fn given_ready_tasks_when_work_is_looked_for_then_their_queues_are_named(c: &Context) {
    assert_eq!(found(c, &["*"]).await, Vec::<String>::new());
    fill(c, "b", 3, 0).await;
    fill(c, "a", 1, 1).await;
    fill(c, "later", 0, 1).await;
    assert_eq!(found(c, &["*"]).await, ["a", "b"]);
    take_all(c, "b").await;
    assert_eq!(found(c, &["*"]).await, ["a"]);
    c.promote(10, at(60)).await;
    assert_eq!(found(c, &["*"]).await, ["a", "later"]);
}

async fn given_a_paused_queue_when_work_is_looked_for_then_it_is_not_named(c: &Context) {
    fill(c, "a", 1, 0).await;
    fill(c, "b", 1, 0).await;
    c.put_queue(&queue("a"), true).await;
    assert_eq!(found(c, &["*"]).await, ["b"]);
    c.put_queue(&queue("a"), false).await;
    assert_eq!(found(c, &["*"]).await, ["a", "b"]);
}

async fn given_patterns_when_work_is_looked_for_then_only_queues_that_match(c: &Context) {
    for name in ["mail", "mail-eu", "mail-us", "Mail-eu", "pdf", "a*b", "ab"] {
        fill(c, name, 1, 0).await;
    }
    assert_eq!(found(c, &["mail-*"]).await, ["mail-eu", "mail-us"]);
    assert_eq!(found(c, &["mail-*", "pdf", "no-*"]).await, ["mail-eu", "mail-us", "pdf"]);
    assert_eq!(found(c, &["*b"]).await, ["a*b", "ab"]);
    let name = FindWork::new(vec![queue("a*b").into()]).at(at(0));
    let named = ok("find_work", c.backend().find_work(&name).await);
    assert_eq!(named.queues, [queue("a*b")], "a name is only a name");
}

async fn given_many_queues_when_work_is_looked_for_in_parts_then_each_comes_once(c: &Context) {
    for n in 0..9 {
        fill(c, &format!("q{n}"), 1, 0).await;
    }
    c.put_queue(&queue("q3"), true).await;
    let mut request = FindWork::new(vec![QueuePattern::all()]).at(at(0));
    for limit in [1, 3, 8, 9] {
        (request.limit, request.after) = (limit, None);
        let mut seen = Vec::new();
        loop {
            let part = ok("find_work", c.backend().find_work(&request).await);
            assert!(part.queues.len() <= limit as usize, "{part:?}");
            seen.extend(part.queues.iter().map(ToString::to_string));
            request.after = part.next;
            if request.after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["q0", "q1", "q2", "q4", "q5", "q6", "q7", "q8"], "{limit} at a time");
    }
}

async fn given_delayed_tasks_when_work_is_looked_for_then_it_says_when_the_next_is_due(
    c: &Context,
) {
    assert_eq!(find(c, &["*"]).await.due_in, None);
    fill(c, "other", 0, 1).await;
    assert_eq!(find(c, &["mail"]).await.due_in, Some(secs(60)), "of whatever queue");
    c.later(30).await;
    assert_eq!(find(c, &["mail"]).await.due_in, Some(secs(30)));
    let late = FindWork::new(vec![QueuePattern::all()]).at(at(31));
    assert_eq!(ok("find_work", c.backend().find_work(&late).await).due_in, Some(Duration::ZERO));
}
