//! Tasks whose time has come.

use taskstore_core::{
    QueueName, Status,
    backend::{Claim, Move, Promote, When},
};

use crate::context::{Context, at, ids, queue, secs};

cases! { "promote":
    given_due_and_other_tasks_when_promoted_then_only_the_due_move ["promote.due"];
    given_a_task_due_to_the_microsecond_when_promoted_then_it_moves ["promote.due"];
    given_more_due_than_asked_for_when_promoted_then_the_earliest_move ["promote.earliest"];
    given_tasks_left_when_promoted_then_it_says_when_the_next_is_due ["promote.due_in"];
    given_nothing_left_when_promoted_then_nothing_is_due ["promote.due_in"];
    given_a_promotion_when_made_then_the_record_is_left_alone
        ["promote.changes_nothing" "turn.when"];
    given_promoted_tasks_when_claimed_then_in_claim_order ["claim.order" "promote.due"];
    given_tasks_of_many_queues_when_promoted_then_each_is_ready_in_its_own ["promote.due"];
    given_a_promoted_task_when_promoted_again_then_it_is_there_once ["promote.due"];
    given_ready_running_and_paused_tasks_when_promoted_then_nothing_moves ["promote.due"];
    given_no_time_when_promoted_then_the_engines_own_counts ["time.engine" "promote.due"];
    given_five_hundred_due_tasks_when_promoted_in_steps_then_none_is_lost
        ["promote.earliest" "task.one_place"];
}

async fn given_due_and_other_tasks_when_promoted_then_only_the_due_move(c: &Context) {
    let (second, first, third) = (c.later(20).await, c.later(10).await, c.later(30).await);
    assert_eq!(c.promote(10, at(20)).await.moved, 2);
    assert_eq!(ids(&c.take_at(2, at(20)).await), [first, second]);
    c.nothing_to_claim_at(at(20)).await;
    assert_eq!(c.status(third).await, Status::Queued);
}

async fn given_a_task_due_to_the_microsecond_when_promoted_then_it_moves(c: &Context) {
    let id = c.later(10).await;
    let due = at(10);
    let before = due - std::time::Duration::from_micros(1);
    assert_eq!(c.promote(10, before).await.moved, 0);
    assert_eq!(c.promote(10, due).await.moved, 1);
    assert_eq!(c.take_one_at(due).await.lease.task, id);
}

async fn given_more_due_than_asked_for_when_promoted_then_the_earliest_move(c: &Context) {
    let mut by_time = Vec::new();
    for seconds in [40, 10, 30, 20] {
        by_time.push((seconds, c.later(seconds).await));
    }
    by_time.sort();
    for pair in by_time.chunks(2) {
        assert_eq!(c.promote(2, at(99)).await.moved, 2);
        let taken = ids(&c.take_at(2, at(99)).await);
        assert_eq!(taken, [pair[0].1, pair[1].1]);
    }
    assert_eq!(c.promote(2, at(99)).await.moved, 0);
}

async fn given_tasks_left_when_promoted_then_it_says_when_the_next_is_due(c: &Context) {
    for seconds in [10, 20, 50] {
        c.later(seconds).await;
    }
    assert_eq!(c.promote(10, at(0)).await.due_in, Some(secs(10)));
    let some = c.promote(1, at(25)).await;
    assert_eq!((some.moved, some.due_in), (1, Some(secs(0))), "the next one is due");
    let rest = c.promote(10, at(25)).await;
    assert_eq!((rest.moved, rest.due_in), (1, Some(secs(25))));
}

async fn given_nothing_left_when_promoted_then_nothing_is_due(c: &Context) {
    let promoted = c.promote(10, at(0)).await;
    assert_eq!((promoted.moved, promoted.due_in), (0, None));
    c.ready(1).await;
    c.later(5).await;
    let promoted = c.promote(10, at(5)).await;
    assert_eq!((promoted.moved, promoted.due_in), (1, None));
}

async fn given_a_promotion_when_made_then_the_record_is_left_alone(c: &Context) {
    let id = c.later(10).await;
    let before = c.whole(id).await;
    c.promote(10, at(15)).await;
    assert_eq!(c.whole(id).await, before);
    let other = c.running_turn().await;
    assert_eq!(c.take_one_at(at(15)).await.lease.turn, other, "as of a task never promoted");
}

impl Context {
    /// The turn at which a fresh task is claimed.
    async fn running_turn(&self) -> u32 {
        let mut task = self.new_task().await;
        task.queue = queue("other");
        self.store(task).await;
        let claim = Claim::new(self.runner, [queue("other")], 1).at(at(0));
        self.claim(&claim).await.tasks[0].lease.turn
    }
}

async fn given_promoted_tasks_when_claimed_then_in_claim_order(c: &Context) {
    let mut tasks = c.new_tasks(4).await;
    for (task, (priority, due)) in tasks.iter_mut().zip([(1, 10), (0, 30), (0, 20), (-1, 40)]) {
        task.priority = priority;
        task.when = When::At(at(due));
    }
    c.enqueue(&tasks).await;
    let ready = c.ready(1).await[0];
    c.promote(10, at(40)).await;
    let taken = ids(&c.take_at(5, at(40)).await);
    assert_eq!(taken, [tasks[3].id, ready, tasks[2].id, tasks[1].id, tasks[0].id]);
}

async fn given_tasks_of_many_queues_when_promoted_then_each_is_ready_in_its_own(c: &Context) {
    let names: [QueueName; 3] = ["a", "b", "c"].map(queue);
    let mut tasks = c.new_tasks(3).await;
    for (task, name) in tasks.iter_mut().zip(&names) {
        task.queue = name.clone();
        task.when = When::After(secs(5));
    }
    c.enqueue(&tasks).await;
    assert_eq!(c.promote(10, at(5)).await.moved, 3);
    for (task, name) in tasks.iter().zip(names) {
        let claim = Claim::new(c.runner, [name], 5).at(at(5));
        assert_eq!(ids(&c.claim(&claim).await.tasks), [task.id]);
    }
}

async fn given_a_promoted_task_when_promoted_again_then_it_is_there_once(c: &Context) {
    c.later(5).await;
    assert_eq!(c.promote(10, at(5)).await.moved, 1);
    assert_eq!(c.promote(10, at(5)).await.moved, 0);
    c.take_at(1, at(5)).await;
    c.nothing_to_claim_at(at(5)).await;
}

async fn given_ready_running_and_paused_tasks_when_promoted_then_nothing_moves(c: &Context) {
    c.running().await;
    let paused = c.later(5).await;
    c.control(paused, Move::Pause).await;
    let ready = c.ready(1).await[0];
    assert_eq!(c.promote(10, at(99)).await.moved, 0);
    assert_eq!(c.take_one().await.lease.task, ready);
    c.nothing_to_claim().await;
}

async fn given_no_time_when_promoted_then_the_engines_own_counts(c: &Context) {
    let long_due = c.later(60).await;
    let mut to_come = c.new_task().await;
    let far = taskstore_core::clock::add(taskstore_core::clock::now(), secs(86_400));
    to_come.when = When::At(far);
    c.store(to_come).await;
    let promoted = c.backend().promote(&Promote::new(10)).await.unwrap();
    assert_eq!(promoted.moved, 1);
    let due_in = promoted.due_in.unwrap();
    assert!(due_in > secs(86_400 - 600) && due_in < secs(86_400 + 600), "{due_in:?}");
    assert_eq!(c.take_one().await.lease.task, long_due);
}

async fn given_five_hundred_due_tasks_when_promoted_in_steps_then_none_is_lost(c: &Context) {
    let mut tasks = c.new_tasks(500).await;
    for (task, n) in tasks.iter_mut().zip(0u64..) {
        task.when = When::After(secs(1 + n % 7));
    }
    c.enqueue(&tasks).await;
    let mut moved = 0;
    loop {
        let promoted = c.promote(64, at(7)).await;
        assert!(promoted.moved <= 64);
        moved += promoted.moved;
        if promoted.due_in.is_none() {
            break;
        }
    }
    assert_eq!(moved, 500);
    let mut taken = ids(&c.take_at(500, at(7)).await);
    taken.sort();
    assert_eq!(taken, tasks.iter().map(|task| task.id).collect::<Vec<_>>());
}
