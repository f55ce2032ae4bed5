//! The same move of many tasks, as a store of core makes it on this engine.

use std::sync::Arc;

use taskstore_core::{Status, Store, backend::Move};

use crate::context::{Context, at, failed, ok, queue, success};

cases! { "bulk":
    given_tasks_in_every_place_when_all_are_canceled_then_each_is_counted_as_what_became_of_it
        ["bulk.all" "bulk.counts"];
    given_a_queue_when_its_tasks_are_moved_then_no_others_are ["bulk.all"];
    given_failures_when_requeued_then_they_run_again ["bulk.all" "requeue.afresh"];
    given_soft_deleted_tasks_when_restored_and_purged_then_only_those ["bulk.all" "purge.gone"];
    given_more_than_a_pass_when_moved_then_each_moves_once ["bulk.all" "bulk.once"];
}

fn store(c: &Context) -> Store {
    Store::from(Arc::clone(c.backend()))
}

async fn seen(store: &Store, status: Status) -> u64 {
    ok("count", store.tasks().status(status).count().await).seen()
}

async fn given_tasks_in_every_place_when_all_are_canceled_then_each_is_counted_as_what_became_of_it(
    c: &Context,
) {
    let store = store(c);
    let running = c.running().await.lease;
    let done = c.running().await.lease;
    c.settle(done, success()).await;
    let (later, ready) = (c.later(60).await, c.ready(3).await);
    c.control(ready[0], Move::Pause).await;
    let report = ok("cancel", store.tasks().all().cancel_because("all of them").await);
    assert_eq!((report.moved, report.requested, report.refused), (4, 1, 0));
    assert!(report.complete);
    for id in [later, ready[0], ready[1], ready[2]] {
        let task = c.task(id).await;
        assert_eq!(task.status, Status::Canceled);
        assert_eq!(task.last_error.as_deref(), Some("all of them"));
    }
    assert!(c.beat(&[running.batch]).await.cancel.contains(&running.task));
    assert_eq!(c.status(done.task).await, Status::Success);
    c.promote(9, at(99)).await;
    c.nothing_to_claim_at(at(99)).await;
}

async fn given_a_queue_when_its_tasks_are_moved_then_no_others_are(c: &Context) {
    let store = store(c);
    let mut tasks = c.new_tasks(6).await;
    tasks.iter_mut().step_by(2).for_each(|task| task.queue = queue("else"));
    c.enqueue(&tasks).await;
    let moved = store.tasks().queue("else").reschedule().queue("there").priority(-7);
    assert_eq!(ok("reschedule", moved.await).moved, 3);
    let paused = ok("pause", store.tasks().queue("there").pause().await);
    assert_eq!(paused.moved, 3);
    assert_eq!(c.take(3).await.len(), 3);
    c.nothing_to_claim().await;
    assert_eq!(seen(&store, Status::Paused).await, 3);
    assert_eq!(c.task(tasks[0].id).await.priority, -7);
    assert_eq!(ok("resume", store.tasks().all().resume().await).moved, 3);
    assert_eq!(seen(&store, Status::Queued).await, 3);
}

async fn given_failures_when_requeued_then_they_run_again(c: &Context) {
    let store = store(c);
    c.ready(4).await;
    for (n, task) in c.take(4).await.iter().enumerate() {
        c.settle(task.lease, if n == 0 { success() } else { failed("no") }).await;
    }
    let report = ok("requeue", store.tasks().status(Status::Failed).requeue_with(7).await);
    assert_eq!((report.looked_at, report.moved), (3, 3));
    let now = ok("now", c.backend().now().await);
    let again = c.take_at(3, now).await;
    assert!(again.iter().all(|task| task.parameters.get() == "7" && task.attempts == 0));
}

async fn given_soft_deleted_tasks_when_restored_and_purged_then_only_those(c: &Context) {
    let store = store(c);
    let (kept, gone) = (c.ready(2).await, c.ready(3).await);
    let deleted = ok("delete", store.tasks().ids(gone.clone()).soft_delete().await);
    assert_eq!(deleted.moved, 3);
    let restored = ok("restore", store.tasks().all().restore().at_most(1).await);
    assert_eq!((restored.looked_at, restored.moved), (1, 1));
    assert_eq!(ok("purge", store.tasks().all().purge().await).moved, 1, "what is shown");
    let trash = store.tasks().status(Status::Canceled).with_deleted();
    assert_eq!(ok("purge", trash.purge().await).moved, 2);
    assert_eq!(c.take(2).await.iter().map(|task| task.lease.task).collect::<Vec<_>>(), kept);
    for id in gone {
        assert!(ok("task", c.backend().task(id).await).is_none());
    }
}

async fn given_more_than_a_pass_when_moved_then_each_moves_once(c: &Context) {
    let store = store(c);
    c.ready(700).await;
    for _ in 0..50 {
        c.later(60).await;
    }
    let paused = ok("pause", store.tasks().all().pause().await);
    assert_eq!((paused.looked_at, paused.moved), (750, 750));
    assert_eq!(seen(&store, Status::Paused).await, 750);
    let canceled = ok("cancel", store.tasks().status(Status::Paused).cancel().at_most(701).await);
    assert_eq!((canceled.moved, canceled.complete), (701, false));
    let purged = ok("purge", store.tasks().all().purge().await);
    assert_eq!((purged.looked_at, purged.moved), (701, 701));
    assert_eq!(ok("count", store.tasks().all().count().await).seen(), 49);
}
