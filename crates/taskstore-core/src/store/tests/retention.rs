//! What is over is purged, and nothing else is.

use std::time::Duration;

use super::*;
use crate::{
    Purged, Retention, TaskId,
    backend::{Settle, Settlement, Transition},
    store::Manner,
    testing::TestStore,
};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

async fn keeping(retention: Retention) -> TestStore {
    let store = TestStore::with(|settings| settings.retention(retention));
    store.register_fn(Count::KEY, count).await.unwrap();
    store
}

/// A task of the queue that has ended so, by the present time.
async fn ended(store: &TestStore, queue: &str, to: Transition) -> TaskId {
    let id = store.enqueue::<Count>(1).queue(queue).await.unwrap();
    let queue = QueueName::new(queue).unwrap();
    let claim = Claim::new(RunnerId::new(), [queue], 1);
    let task = store.backend().claim(&claim).await.unwrap().tasks.remove(0);
    assert_eq!(task.lease.task, id);
    let settle = Settle::new(vec![Settlement::new(task.lease, to)]);
    store.backend().settle(&settle).await.unwrap();
    id
}

fn success() -> Transition {
    Transition::Success { output: None }
}

fn failed() -> Transition {
    Transition::Failed { error: "no".into() }
}

async fn left(store: &Store) -> Vec<TaskId> {
    let page = store.tasks().all().with_deleted().oldest_first().list().await.unwrap();
    page.items.iter().map(|task| task.id).collect()
}

#[tokio::test]
async fn each_status_and_queue_is_kept_for_as_long_as_was_said() {
    let forever = Retention::keep_forever;
    let retention = forever()
        .success(7 * DAY)
        .failed(30 * DAY)
        .queue("mail", forever().ended(DAY))
        .queue("audit", forever());
    let store = keeping(retention).await;
    let done = ended(&store, "default", success()).await;
    let broken = ended(&store, "default", failed()).await;
    let canceled = store.enqueue::<Count>(1).await.unwrap();
    store.tasks().cancel(canceled).await.unwrap();
    let mail = ended(&store, "mail", success()).await;
    let audit = ended(&store, "audit", failed()).await;

    store.advance(DAY);
    assert_eq!(store.apply_retention().await.unwrap().total(), 0, "not before its time is over");
    store.advance(MINUTE);
    let purged = store.apply_retention().await.unwrap();
    assert_eq!((purged.success, purged.total()), (1, 1));
    assert_eq!(left(&store).await, [done, broken, canceled, audit]);
    assert_eq!(not_found(store.tasks().get(mail).await), "task");

    store.advance(6 * DAY);
    assert_eq!(store.apply_retention().await.unwrap().success, 1);
    store.advance(23 * DAY);
    assert_eq!(store.apply_retention().await.unwrap().failed, 1);
    store.advance(10_000 * DAY);
    assert_eq!(store.apply_retention().await.unwrap().to_string(), "0 purged");
    assert_eq!(left(&store).await, [canceled, audit], "what is not named is kept for ever");
}

#[tokio::test]
async fn what_waits_runs_or_is_paused_is_never_touched() {
    let store = keeping(Retention::keep_forever().ended(MINUTE).soft_deleted(MINUTE)).await;
    let running = store.enqueue::<Count>(1).await.unwrap();
    let claim = Claim::new(RunnerId::new(), [QueueName::default()], 1);
    assert_eq!(store.backend().claim(&claim).await.unwrap().tasks.len(), 1);
    let waiting = store.enqueue::<Count>(1).await.unwrap();
    let later = store.enqueue::<Count>(1).delay(DAY).await.unwrap();
    let paused = store.enqueue::<Count>(1).await.unwrap();
    store.tasks().pause(paused).await.unwrap();
    store.tasks().soft_delete(running).await.unwrap();
    store.advance(365 * DAY);
    assert_eq!(store.apply_retention().await.unwrap().total(), 0);
    assert_eq!(left(&store).await, [running, waiting, later, paused]);
}

#[tokio::test]
async fn soft_deleted_tasks_have_a_time_of_their_own_which_begins_when_they_are_deleted() {
    let store = keeping(Retention::keep_forever().success(DAY).soft_deleted(10 * DAY)).await;
    let hidden = ended(&store, "default", success()).await;
    let shown = ended(&store, "default", success()).await;
    store.advance(DAY / 2);
    store.tasks().soft_delete(hidden).await.unwrap();
    store.advance(9 * DAY);
    let purged = store.apply_retention().await.unwrap();
    assert_eq!((purged.success, purged.soft_deleted), (1, 0));
    assert_eq!(left(&store).await, [hidden]);
    assert_eq!(not_found(store.tasks().get(shown).await), "task");
    store.advance(DAY + MINUTE);
    let purged = store.apply_retention().await.unwrap();
    assert_eq!((purged.success, purged.soft_deleted), (0, 1));
    assert_eq!(left(&store).await, []);
}

#[tokio::test]
async fn a_task_that_is_requeued_begins_its_time_anew() {
    let store = keeping(Retention::keep_forever().ended(DAY)).await;
    let id = ended(&store, "default", failed()).await;
    store.advance(DAY * 2);
    store.tasks().requeue(id).await.unwrap();
    assert_eq!(store.drain().await.unwrap().succeeded, 1);
    assert_eq!(store.apply_retention().await.unwrap().total(), 0);
    store.advance(DAY + MINUTE);
    assert_eq!(store.apply_retention().await.unwrap().success, 1);
}

#[tokio::test]
async fn more_than_a_batch_is_purged_to_the_last_one() {
    let store = keeping(Retention::keep_forever().canceled(DAY)).await;
    store.enqueue_many::<Count>(0..1_700).await.unwrap();
    store.tasks().all().cancel().await.unwrap();
    store.advance(2 * DAY);
    assert_eq!(store.apply_retention().await.unwrap().canceled, 1_700);
    assert_eq!(left(&store).await, []);
}

#[tokio::test(start_paused = true)]
async fn runners_purge_what_is_over_once_for_each_process_and_stop_with_the_last_one() {
    let store = keeping(Retention::keep_forever().success(DAY)).await;
    let first = store.runner().start().await.unwrap();
    let second = store.run_serial("other").await.unwrap();
    ended(&store, "mail", success()).await;
    store.advance(2 * DAY);
    within(6 * MINUTE, async || left(&store).await.is_empty()).await;

    first.stop().await;
    ended(&store, "mail", success()).await;
    store.advance(2 * DAY);
    within(6 * MINUTE, async || left(&store).await.is_empty()).await;

    second.stop().await;
    ended(&store, "mail", success()).await;
    store.advance(2 * DAY);
    tokio::time::sleep(30 * MINUTE).await;
    assert_eq!(left(&store).await.len(), 1, "nobody is there to do it");
}

/// Waits until it is so; the clock of the runtime moves by itself while nobody has anything to do.
async fn within(time: Duration, is_so: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + time;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "not within {time:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn with_nothing_over_it_asks_a_few_times_an_hour_and_not_at_all_without_a_policy() {
    for (retention, rounds) in [
        (Retention::keep_forever().ended(DAY).soft_deleted(DAY), 10..=14),
        (Retention::keep_forever(), 0..=0),
    ] {
        let spy = Spy::default();
        let store = Store::builder(spy.clone()).retention(retention).await.unwrap();
        let runner = store.runner().start().await.unwrap();
        tokio::time::sleep(60 * MINUTE).await;
        runner.stop().await;
        let asked = spy.count("task_ids");
        assert!(rounds.contains(&(asked / 4)), "{asked} times in an hour");
        assert_eq!(spy.count("control"), 0);
    }
}

#[tokio::test]
async fn what_was_looked_through_is_not_looked_at_again() {
    let spy = Spy::default();
    let retention =
        Retention::keep_forever().success(DAY).queue("audit", Retention::keep_forever());
    let store = Store::builder(spy.clone()).retention(retention).await.unwrap();
    let mut walks = store.retention().walks();
    let mut purged = Purged::default();
    for _ in 0..3 {
        store.purge_what_is_over(&mut walks, Manner::BESIDE, &mut purged).await.unwrap();
    }
    let queries = spy.queries();
    assert_eq!(queries.len(), 3);
    for pair in queries.windows(2) {
        let spans: Vec<_> =
            pair.iter().filter_map(|query| query.filter.completed.clone()).collect();
        assert_eq!(spans[0].end, spans[1].start, "it goes on where it ended");
    }
}

#[tokio::test]
async fn an_outage_in_a_round_is_made_up_for_in_the_next() {
    let (store, spy) = store().await;
    let retention = Retention::keep_forever().canceled(MINUTE);
    let keeper = Store::builder(spy.clone()).retention(retention).await.unwrap();
    let id = store.enqueue::<Count>(1).await.unwrap();
    // It was canceled an hour ago.
    let hour_ago = clock::now() - 60 * MINUTE;
    let cancel = crate::backend::Move::Cancel { reason: "why".into() };
    let request = crate::backend::Control::new(vec![id], cancel).at(hour_ago);
    spy.memory.control(&request).await.unwrap();
    let mut walks = keeper.retention().walks();
    let mut purged = Purged::default();
    for call in ["now", "task_ids", "control"] {
        spy.fail(call, Fault::Before);
        let round = keeper.purge_what_is_over(&mut walks, Manner::BESIDE, &mut purged).await;
        assert!(round.unwrap_err().is_retryable(), "{call}");
        assert_eq!(purged.total(), 0);
    }
    keeper.purge_what_is_over(&mut walks, Manner::BESIDE, &mut purged).await.unwrap();
    assert_eq!(purged.canceled, 1);
    assert_eq!(not_found(store.tasks().get(id).await), "task");
}

#[tokio::test]
async fn a_retention_that_cannot_be_opens_no_store() {
    let second = Retention::keep_forever().success(Duration::from_secs(1));
    assert_eq!(field(Store::builder(Spy::default()).retention(second.clone()).await), "retention");
    let store = TestStore::with(|settings| settings.retention(second));
    assert_eq!(field(store.apply_retention().await), "retention");
    let nameless = Retention::keep_forever().queue("two words", Retention::keep_forever());
    assert_eq!(field(Store::builder(Spy::default()).retention(nameless).await), "queue");
}
