//! The tables, and what outlives the handle that wrote it.

use std::slice;

use taskstore_core::{
    Error, Status,
    backend::{Claim, Enqueue, Enqueued, Migrate, Pulse, Settle, Settlement},
};

use crate::context::{Context, at, ids, ok, queue, success};

cases! { "schema":
    given_a_migrated_store_when_checked_then_it_fits ["schema.check"];
    given_a_migrated_store_when_migrated_again_then_nothing_is_done ["schema.again"];
    given_a_store_when_migrated_down_and_up_then_it_is_empty ["schema.down"];
    given_no_tables_when_checked_then_it_says_so needs Durable ["schema.check" "schema.down"];
    given_no_tables_when_two_migrate_at_once_then_each_step_is_done_once
        ["schema.at_once"];
    given_a_dry_run_when_made_then_nothing_is_changed ["schema.dry_run"];
    given_a_dry_run_when_made_then_it_names_what_would_be_done needs Durable
        ["schema.dry_run"];
    given_two_stores_when_one_is_used_then_the_other_is_empty ["harness.fresh"];
    given_another_handle_when_used_then_it_sees_the_same_tasks needs Shared ["shared.one_store"];
    given_two_handles_when_both_claim_then_a_task_has_one_holder needs Shared
        ["shared.one_store" "claim.once"];
    given_a_lease_when_another_handle_takes_it_over_then_the_first_one_has_lost_it needs Shared
        ["shared.one_store" "take_over.fences"];
    given_a_queue_paused_elsewhere_when_claimed_then_nothing_is_taken needs Shared
        ["shared.one_store" "pause.queue"];
}

async fn given_a_migrated_store_when_checked_then_it_fits(c: &Context) {
    ok("check_schema", c.backend().check_schema().await);
}

async fn given_a_migrated_store_when_migrated_again_then_nothing_is_done(c: &Context) {
    let id = c.ready(1).await[0];
    for _ in 0..2 {
        let report = ok("migrate", c.backend().migrate(&Migrate::up()).await);
        assert!(report.applied.is_empty(), "{:?}", report.applied);
    }
    assert_eq!(c.take_one().await.lease.task, id);
}

async fn given_a_store_when_migrated_down_and_up_then_it_is_empty(c: &Context) {
    let id = c.running().await.lease.task;
    c.later(5).await;
    ok("migrate down", c.backend().migrate(&Migrate::down()).await);
    ok("migrate down again", c.backend().migrate(&Migrate::down()).await);
    ok("migrate up", c.backend().migrate(&Migrate::up()).await);
    ok("check_schema", c.backend().check_schema().await);
    assert!(ok("task", c.backend().task(id).await).is_none());
    assert!(c.late_leases().await.is_empty());
    assert_eq!(c.promote(9, at(99)).await.moved, 0);
    let definition = c.define("after").await;
    let task = taskstore_core::backend::NewTask::new(definition.id, crate::context::json("{}"));
    c.store(task).await;
    c.take(1).await;
}

async fn given_no_tables_when_checked_then_it_says_so(c: &Context) {
    ok("migrate down", c.backend().migrate(&Migrate::down()).await);
    let error = c.backend().check_schema().await.unwrap_err();
    assert!(matches!(error, Error::Schema { found: 0, expected: 1.., .. }), "{error}");
    let report = ok("migrate up", c.backend().migrate(&Migrate::up()).await);
    assert!(!report.applied.is_empty(), "it says what it did");
    ok("check_schema", c.backend().check_schema().await);
}

async fn given_no_tables_when_two_migrate_at_once_then_each_step_is_done_once(c: &Context) {
    let expected = ok("migrate down", c.backend().migrate(&Migrate::down()).await).applied.len();
    let runs = (0..4).map(|_| {
        let backend = c.backend().clone();
        tokio::spawn(async move { backend.migrate(&Migrate::up()).await })
    });
    let mut applied = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        applied.extend(ok("migrate up", run.await.unwrap()).applied);
    }
    applied.sort();
    let steps = applied.len();
    applied.dedup();
    assert_eq!((applied.len(), steps), (expected, expected), "{applied:?}");
    ok("check_schema", c.backend().check_schema().await);
}

async fn given_a_dry_run_when_made_then_nothing_is_changed(c: &Context) {
    let id = c.ready(1).await[0];
    ok("migrate", c.backend().migrate(&Migrate::down().dry_run()).await);
    ok("migrate", c.backend().migrate(&Migrate::up().dry_run()).await);
    ok("check_schema", c.backend().check_schema().await);
    assert_eq!(c.take_one().await.lease.task, id);
}

async fn given_a_dry_run_when_made_then_it_names_what_would_be_done(c: &Context) {
    let migrate = async |request: Migrate| ok("migrate", c.backend().migrate(&request).await);
    let down = migrate(Migrate::down().dry_run()).await;
    assert!(!down.applied.is_empty());
    assert_eq!(migrate(Migrate::down()).await.applied, down.applied);
    let up = migrate(Migrate::up().dry_run()).await;
    assert!(!up.applied.is_empty());
    assert!(matches!(c.backend().check_schema().await, Err(Error::Schema { .. })), "still none");
    assert_eq!(migrate(Migrate::up()).await, up);
}

async fn given_two_stores_when_one_is_used_then_the_other_is_empty(c: &Context) {
    let id = c.ready(1).await[0];
    let other = c.another().await;
    assert!(ok("task", other.backend().task(id).await).is_none());
    other.ready(1).await;
    other.nothing_to_claim_but_one().await;
    assert_eq!(c.take_one().await.lease.task, id);
    c.nothing_to_claim().await;
}

impl Context {
    async fn nothing_to_claim_but_one(&self) {
        self.take(1).await;
        self.nothing_to_claim().await;
    }
}

async fn given_another_handle_when_used_then_it_sees_the_same_tasks(c: &Context) {
    let other = c.reopen().await;
    let id = c.ready(1).await[0];
    let seen = ok("task", other.task(id).await).unwrap();
    assert_eq!(seen.status, Status::Queued);
    let task = c.new_task().await;
    let answers =
        ok("enqueue", other.enqueue(&Enqueue::new(slice::from_ref(&task)).at(at(1))).await);
    assert_eq!(answers, [Enqueued::Stored]);
    assert_eq!(ids(&c.take(2).await), [id, task.id]);
}

async fn given_two_handles_when_both_claim_then_a_task_has_one_holder(c: &Context) {
    let other = c.reopen().await;
    let all = c.ready(4).await;
    let claim = |n| Claim::new(c.runner, [queue("default")], n).at(at(0));
    let theirs = ok("claim", other.claim(&claim(1)).await).tasks;
    let ours = c.take(3).await;
    assert_eq!((ids(&theirs), ids(&ours)), (all[..1].to_vec(), all[1..].to_vec()));
    assert!(ok("claim", other.claim(&claim(9)).await).tasks.is_empty());
    let request = Settle::new(vec![Settlement::new(ours[0].lease, success())]).at(at(0));
    ok("settle", other.settle(&request).await);
    c.end(theirs[0].lease, success(), Status::Success).await;
    assert_eq!(c.status(ours[0].lease.task).await, Status::Success);
}

async fn given_a_lease_when_another_handle_takes_it_over_then_the_first_one_has_lost_it(
    c: &Context,
) {
    let other = c.reopen().await;
    let running = c.running().await;
    let seen = c.seen(running.lease.batch).await;
    let lease = taskstore_core::LeaseId::new();
    let request = taskstore_core::backend::TakeOver::new(
        taskstore_core::RunnerId::new(),
        vec![(seen, lease)],
    );
    let taken = ok("take_over", other.take_over(&request).await).pop().unwrap().unwrap();
    assert_eq!(c.beat(&[running.lease.batch, lease]).await.leases, [Pulse::Lost, Pulse::Alive]);
    c.cannot_end(running.lease).await;
    c.end(taken.tasks[0].lease, success(), Status::Success).await;
}

async fn given_a_queue_paused_elsewhere_when_claimed_then_nothing_is_taken(c: &Context) {
    let other = c.reopen().await;
    c.ready(1).await;
    let name = queue("default");
    let settings = taskstore_core::backend::QueueSettings { name, paused: true };
    ok("put_queue", other.put_queue(&settings).await);
    c.nothing_to_claim().await;
}
