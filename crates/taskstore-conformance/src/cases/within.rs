//! Tasks that a program enqueues in a transaction of its own.

use std::{pin::pin, task::Poll, time::Duration};

use futures_util::poll;
use serde_json::{Value, json};
use taskstore_core::{
    DefinitionStatus, EnqueueOne, Error, MemoryBackend, QueueName, QueuePattern, Status, Store,
    Task, TaskId, TaskKey, clock, limits::PARAMETERS_BYTES_MAX,
};

use super::input::HOSTILE;
use crate::context::{Context, User, ok, queue, secs, success};

cases! { "within":
    given_a_transaction_when_rolled_back_then_neither_the_row_nor_the_task_is_there
        needs Transactions ["within.together"];
    given_a_transaction_when_committed_then_both_the_row_and_the_task_are_there
        needs Transactions ["within.together"];
    given_every_option_when_enqueued_within_then_it_is_a_task_like_any_other
        needs Transactions ["within.same"];
    given_every_option_when_enqueued_by_sql_then_it_is_a_task_like_any_other
        needs Transactions ["within.sql"];
    given_hostile_texts_when_enqueued_by_sql_then_they_are_as_they_were
        needs Transactions ["within.sql" "input.text"];
    given_values_that_cannot_be_when_enqueued_within_then_they_are_refused_as_by_the_store
        needs Transactions ["within.checked" "within.sql"];
    given_a_refusal_when_the_transaction_goes_on_then_the_rest_of_it_is_committed
        needs Transactions ["within.checked"];
    given_a_definition_canceled_meanwhile_when_enqueued_within_then_refused
        needs Transactions ["within.checked"];
    given_the_store_of_another_engine_when_enqueued_within_then_refused
        needs Transactions ["within.checked"];
    given_a_unique_key_when_enqueued_within_then_it_holds_from_the_commit_on
        needs Transactions ["within.unique"];
    given_a_unique_key_when_rolled_back_then_it_is_free needs Transactions ["within.unique"];
    given_a_held_key_when_enqueued_by_sql_then_left_out needs Transactions ["within.unique" "within.sql"];
    given_an_enqueue_when_sent_again_then_there_is_one_task needs Transactions ["within.again"];
    given_many_when_enqueued_within_then_all_or_none needs Transactions ["within.many"];
    given_many_of_which_some_cannot_be_stored_when_enqueued_within_then_none
        needs Transactions ["within.many" "within.checked"];
    given_a_wait_when_a_notice_is_sent_then_it_ends needs Transactions ["within.notice"];
    given_no_notice_when_polled_then_the_task_is_found needs Transactions ["within.notice"];
}

/// The kind of work of these cases.
pub(super) struct Work;

impl TaskKey for Work {
    const KEY: &'static str = "case.work";
    type Args = Value;
}

/// A store with the definition, and somebody else in its database.
async fn shop(c: &Context) -> (Store, User) {
    c.definition().await;
    (Store::from(c.backend().clone()), c.user())
}

async fn is_there(store: &Store, id: TaskId) -> bool {
    match store.tasks().get(id).await {
        Ok(_) => true,
        Err(Error::NotFound { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn given_a_transaction_when_rolled_back_then_neither_the_row_nor_the_task_is_there(
    c: &Context,
) {
    let (store, user) = shop(c).await;
    let mut transaction = user.begin().await;
    transaction.write(1).await;
    let notice = ok("enqueue", transaction.enqueue(store.enqueue::<Work>(json!(1))).await);
    let by_sql = store.enqueue::<Work>(json!(1));
    let by_sql = ok("enqueue", transaction.enqueue_by_sql(by_sql).await);
    transaction.roll_back().await;
    assert!(user.written().await.is_empty());
    assert!(!is_there(&store, notice.id()).await && !is_there(&store, by_sql).await);
    drop(notice);
    let mut dropped = user.begin().await;
    dropped.write(2).await;
    let notice = ok("enqueue", dropped.enqueue(store.enqueue::<Work>(json!(1))).await);
    drop(dropped);
    // The connection may take a moment to end.
    let mut wait = 0;
    while is_there(&store, notice.id()).await && wait < 1_000 {
        wait += 1;
        tokio::task::yield_now().await;
    }
    assert!(!is_there(&store, notice.id()).await);
    assert!(user.written().await.is_empty());
    c.nothing_to_claim().await;
}

async fn given_a_transaction_when_committed_then_both_the_row_and_the_task_are_there(c: &Context) {
    let (store, user) = shop(c).await;
    let mut transaction = user.begin().await;
    transaction.write(1).await;
    let enqueue = store.enqueue::<Work>(json!(1));
    let id = enqueue.id();
    let notice = ok("enqueue", transaction.enqueue(enqueue).await);
    assert_eq!((notice.id(), notice.is_duplicate()), (id, false));
    let by_sql = store.enqueue::<Work>(json!(2));
    let by_sql = ok("enqueue", transaction.enqueue_by_sql(by_sql).await);
    transaction.write(2).await;
    assert!(!is_there(&store, id).await, "nobody sees it before the commit");
    transaction.commit().await;
    notice.send();
    assert_eq!(user.written().await, [1, 2]);
    assert_eq!(store.tasks().get(id).await.unwrap().status, Status::Queued);
    let taken: Vec<_> = c.take(2).await.iter().map(|task| task.lease.task).collect();
    assert_eq!(taken, [id, by_sql]);
}

type Set = fn(EnqueueOne) -> EnqueueOne;

/// What may be said about a task, one or several things at a time.
const OPTIONS: &[Set] = &[
    |e| e,
    |e| e.queue("mail").priority(-7).max_attempts(3),
    |e| e.priority(i16::MAX).timeout(Duration::from_micros(1_500_001)),
    |e| e.delay(Duration::from_micros(90_500_001)),
    |e| e.delay(Duration::ZERO),
    |e| e.delay(secs(100 * 366 * 86_400 - 86_400 * 100)),
    |e| e.at(clock::from_micros(1_700_000_000_000_001)),
    |e| e.at(clock::from_micros(4_102_444_799_000_001)),
    |e| e.expires_in(Duration::from_micros(30_250_001)),
    |e| e.expires_at(clock::from_micros(4_102_444_799_000_001)).delay(secs(1)),
    |e| e.expires_at(clock::from_micros(1_700_000_000_000_001)),
    |e| e.unique("day 1"),
    |e| e.unique_in("everywhere", "day 1"),
];

/// What can be told of a task without its own id and times.
fn told(task: &Task) -> String {
    let after = task.run_at - task.created_at;
    // A time of the calendar is the same for both; one from now on is as long for both.
    let when = if after.is_zero() || task.run_at.year() < 2030 {
        format!("{} after", after.is_zero())
    } else if task.run_at == clock::from_micros(4_102_444_799_000_001) {
        "at".to_owned()
    } else {
        format!("{after:?}")
    };
    format!(
        "{} {} {} {:?} {:?} {} {:?} {when}",
        task.alias,
        task.queue,
        task.priority,
        task.max_attempts,
        task.status,
        task.attempts,
        task.timeout
    )
}

async fn enqueues_alike(c: &Context, by_sql: bool) {
    let (store, user) = shop(c).await;
    for (n, set) in OPTIONS.iter().enumerate() {
        let own = ok("enqueue", set(store.enqueue::<Work>(json!({ "n": n }))).await);
        let own_task = ok("task", store.tasks().get(own).await);
        // Its key is free again.
        ok("cancel", store.tasks().cancel(own).await.map(|_| ()).or(Ok(())));
        let enqueue = set(store.enqueue::<Work>(json!({ "n": n })));
        let id = enqueue.id();
        let mut transaction = user.begin().await;
        if by_sql {
            assert_eq!(ok("enqueue", transaction.enqueue_by_sql(enqueue).await), id);
        } else {
            drop(ok("enqueue", transaction.enqueue(enqueue).await));
        }
        transaction.commit().await;
        let task = ok("task", store.tasks().get(id).await);
        assert_eq!(told(&task), told(&own_task), "option {n}");
        assert_eq!(task.parameters.get(), own_task.parameters.get());
        let off = (task.created_at - own_task.created_at).abs();
        assert!(off < secs(600), "option {n} was stamped {off} later");
        let same_expiry = match (task.expires_at, own_task.expires_at) {
            (None, None) => true,
            (Some(its), Some(own)) => {
                its == own || its - task.created_at == own - own_task.created_at
            }
            _ => false,
        };
        assert!(same_expiry, "option {n}: {:?} {:?}", task.expires_at, own_task.expires_at);
        let again = ok("enqueue", set(store.enqueue::<Work>(json!(0))).outcome().await);
        let keyed = format!("{:?}", set(store.enqueue::<Work>(json!(0)))).contains("unique: Some");
        assert_eq!((again.duplicate, again.id == id), (keyed, keyed), "option {n}");
        ok("cancel", store.tasks().cancel(id).await.map(|_| ()));
    }
}

async fn given_every_option_when_enqueued_within_then_it_is_a_task_like_any_other(c: &Context) {
    enqueues_alike(c, false).await;
}

async fn given_every_option_when_enqueued_by_sql_then_it_is_a_task_like_any_other(c: &Context) {
    enqueues_alike(c, true).await;
}

async fn given_hostile_texts_when_enqueued_by_sql_then_they_are_as_they_were(c: &Context) {
    let (store, user) = shop(c).await;
    for hostile in HOSTILE {
        let mut transaction = user.begin().await;
        let by_sql = store.enqueue::<Work>(json!(hostile));
        let by_sql = ok("enqueue", transaction.enqueue_by_sql(by_sql).await);
        let within =
            ok("enqueue", transaction.enqueue(store.enqueue::<Work>(json!(hostile))).await);
        transaction.commit().await;
        for id in [by_sql, within.id()] {
            let task = ok("task", store.tasks().get(id).await);
            assert_eq!(serde_json::from_str::<String>(task.parameters.get()).unwrap(), *hostile);
        }
    }
}

/// Enqueues that cannot be.
fn bad(store: &Store) -> Vec<EnqueueOne> {
    let good = || store.enqueue::<Work>(json!(1));
    let long = "x".repeat(PARAMETERS_BYTES_MAX);
    vec![
        store.enqueue_by_alias("", "no\nalias", 1),
        store.enqueue_by_alias("", "nobody.knows.it", 1),
        store.enqueue::<Work>(json!(long)),
        good().queue("two words"),
        good().queue("x".repeat(65)),
        good().delay(Duration::MAX),
        good().at(clock::add(clock::now(), secs(101 * 366 * 86_400))),
        good().max_attempts(0),
        good().max_attempts(10_001),
        good().expires_in(Duration::ZERO),
        good().expires_in(secs(5)).delay(secs(5)),
        good().timeout(Duration::ZERO),
        good().unique(""),
        good().unique("k".repeat(1_025)),
        good().unique_in("s".repeat(1_025), "k"),
    ]
}

async fn given_values_that_cannot_be_when_enqueued_within_then_they_are_refused_as_by_the_store(
    c: &Context,
) {
    let (store, user) = shop(c).await;
    for enqueue in bad(&store) {
        let by_the_store = enqueue.clone().await.unwrap_err().to_string();
        let mut transaction = user.begin().await;
        let within = transaction.enqueue(enqueue.clone()).await.unwrap_err();
        let by_sql = transaction.enqueue_by_sql(enqueue).await.unwrap_err();
        transaction.commit().await;
        assert_eq!(within.to_string(), by_the_store);
        assert_eq!(by_sql.to_string(), by_the_store);
        assert!(matches!(within, Error::Invalid { .. } | Error::NotFound { .. }), "{within}");
    }
    c.nothing_to_claim().await;
}

async fn given_a_refusal_when_the_transaction_goes_on_then_the_rest_of_it_is_committed(
    c: &Context,
) {
    let (store, user) = shop(c).await;
    let mut transaction = user.begin().await;
    transaction.write(1).await;
    for enqueue in bad(&store) {
        assert!(transaction.enqueue(enqueue).await.is_err());
    }
    transaction.write(2).await;
    let notice = ok("enqueue", transaction.enqueue(store.enqueue::<Work>(json!(1))).await);
    transaction.commit().await;
    assert_eq!(user.written().await, [1, 2]);
    assert_eq!(c.take_one().await.lease.task, notice.id());
}

async fn given_a_definition_canceled_meanwhile_when_enqueued_within_then_refused(c: &Context) {
    let (store, user) = shop(c).await;
    ok("enqueue", store.enqueue::<Work>(json!(1)).await);
    // Behind the back of the store, which believes to know it.
    let was = c.definition().await;
    let mut canceled = was.clone();
    canceled.status = DefinitionStatus::Canceled;
    c.change_definition(&canceled, was).await;
    let mut transaction = user.begin().await;
    transaction.write(1).await;
    let error = transaction.enqueue(store.enqueue::<Work>(json!(2))).await.unwrap_err();
    assert_eq!(error.to_string(), "task definition is not valid: case.work is canceled");
    transaction.commit().await;
    assert_eq!(user.written().await, [1]);
}

async fn given_the_store_of_another_engine_when_enqueued_within_then_refused(c: &Context) {
    let (_, user) = shop(c).await;
    let other = Store::new(MemoryBackend::new());
    other.register_fn("case.work", |_, _: Value| async { Ok(()) }).await.unwrap();
    let mut transaction = user.begin().await;
    let refused = [
        transaction.enqueue(other.enqueue::<Work>(json!(1))).await.unwrap_err(),
        transaction.enqueue_by_sql(other.enqueue::<Work>(json!(1))).await.unwrap_err(),
        transaction.enqueue_many(other.enqueue_many::<Work>([json!(1)])).await.unwrap_err(),
    ];
    transaction.commit().await;
    for error in refused {
        assert!(matches!(error, Error::Invalid { field: "store", .. }), "{error}");
    }
}

async fn given_a_unique_key_when_enqueued_within_then_it_holds_from_the_commit_on(c: &Context) {
    let (store, user) = shop(c).await;
    let keyed = || store.enqueue::<Work>(json!(1)).unique("key");
    let mut transaction = user.begin().await;
    let first = ok("enqueue", transaction.enqueue(keyed()).await);
    let second = ok("enqueue", transaction.enqueue(keyed()).await);
    assert_eq!((second.id(), second.is_duplicate()), (first.id(), true));
    transaction.commit().await;
    let outcome = ok("enqueue", keyed().outcome().await);
    assert_eq!((outcome.id, outcome.duplicate), (first.id(), true));
    let mut transaction = user.begin().await;
    let third = ok("enqueue", transaction.enqueue(keyed()).await);
    assert_eq!((third.id(), third.is_duplicate()), (first.id(), true));
    transaction.commit().await;
    let held = c.take_one().await.lease;
    c.nothing_to_claim().await;
    c.end(held, success(), Status::Success).await;
    let mut transaction = user.begin().await;
    let free = ok("enqueue", transaction.enqueue(keyed()).await);
    assert!(!free.is_duplicate());
    transaction.commit().await;
}

async fn given_a_unique_key_when_rolled_back_then_it_is_free(c: &Context) {
    let (store, user) = shop(c).await;
    let mut transaction = user.begin().await;
    let keyed = || store.enqueue::<Work>(json!(1)).unique("key");
    drop(ok("enqueue", transaction.enqueue(keyed()).await));
    transaction.roll_back().await;
    assert!(!ok("enqueue", keyed().outcome().await).duplicate);
}

async fn given_a_held_key_when_enqueued_by_sql_then_left_out(c: &Context) {
    let (store, user) = shop(c).await;
    let keyed = || store.enqueue::<Work>(json!(1)).unique("key");
    let mut transaction = user.begin().await;
    let first = ok("enqueue", transaction.enqueue_by_sql(keyed()).await);
    ok("enqueue", transaction.enqueue_by_sql(keyed()).await);
    transaction.write(1).await;
    transaction.commit().await;
    assert_eq!(user.written().await, [1]);
    assert_eq!(c.take_one().await.lease.task, first);
    c.nothing_to_claim().await;
    let outcome = ok("enqueue", keyed().outcome().await);
    assert_eq!((outcome.id, outcome.duplicate), (first, true), "it is the same key");
}

async fn given_an_enqueue_when_sent_again_then_there_is_one_task(c: &Context) {
    let (store, user) = shop(c).await;
    let enqueue = store.enqueue::<Work>(json!(1));
    for _ in 0..2 {
        let mut transaction = user.begin().await;
        for _ in 0..2 {
            let notice = ok("enqueue", transaction.enqueue(enqueue.clone()).await);
            assert_eq!((notice.id(), notice.is_duplicate()), (enqueue.id(), false));
            ok("enqueue", transaction.enqueue_by_sql(enqueue.clone()).await);
        }
        transaction.commit().await;
    }
    assert_eq!(ok("enqueue", enqueue.clone().await), enqueue.id());
    assert_eq!(c.take_one().await.lease.task, enqueue.id());
    c.nothing_to_claim().await;
}

async fn given_many_when_enqueued_within_then_all_or_none(c: &Context) {
    let (store, user) = shop(c).await;
    let many = || store.enqueue_many::<Work>((0..25).map(|n| json!(n))).queue("mail");
    let mut transaction = user.begin().await;
    let rolled_back = ok("enqueue", transaction.enqueue_many(many()).await);
    transaction.roll_back().await;
    for id in rolled_back.ids() {
        assert!(!is_there(&store, *id).await);
    }
    let mut transaction = user.begin().await;
    let notices = ok("enqueue", transaction.enqueue_many(many()).await);
    transaction.commit().await;
    let mut claim = c.claim_of(100);
    claim.queues[0].queue = queue("mail");
    let claimed = c.claim(&claim).await.tasks;
    assert!(claimed.iter().map(|task| task.lease.task).eq(notices.ids().iter().copied()));
    assert_eq!(claimed.len(), 25);
    notices.send();
}

async fn given_many_of_which_some_cannot_be_stored_when_enqueued_within_then_none(c: &Context) {
    let (store, user) = shop(c).await;
    // More than go in one request: what is refused with the second must undo the first.
    let large = "x".repeat(PARAMETERS_BYTES_MAX - 2);
    let many = store.enqueue_many::<Work>((0..9).map(|_| json!(large)));
    let (was, mut canceled) = (c.definition().await, c.definition().await.clone());
    canceled.status = DefinitionStatus::Canceled;
    ok("enqueue", store.enqueue::<Work>(json!(1)).queue("warm").await);
    let mut transaction = user.begin().await;
    let mixed = store.enqueue_many::<Work>([json!(1), json!(large.clone() + "xxx")]);
    let error = transaction.enqueue_many(mixed).await.unwrap_err();
    assert!(error.to_string().contains("those of task 1"), "{error}");
    let notices = ok("enqueue", transaction.enqueue_many(many.clone()).await);
    assert_eq!(notices.ids().len(), 9);
    transaction.roll_back().await;
    c.change_definition(&canceled, was).await;
    let mut transaction = user.begin().await;
    transaction.write(1).await;
    assert!(transaction.enqueue_many(many).await.is_err());
    transaction.commit().await;
    c.nothing_to_claim().await;
    assert_eq!(user.written().await, [1]);
}

async fn given_a_wait_when_a_notice_is_sent_then_it_ends(c: &Context) {
    let (store, user) = shop(c).await;
    c.nothing_to_claim().await;
    let queues: [QueuePattern; 1] = [QueueName::default().into()];
    let far = Duration::from_secs(3_600);
    for delay in [Duration::ZERO, Duration::from_secs(1)] {
        let mut wait = pin!(c.backend().wait_for_work(&queues, far));
        while poll!(wait.as_mut()) == Poll::Ready(()) {
            wait.set(c.backend().wait_for_work(&queues, far));
        }
        let mut transaction = user.begin().await;
        let enqueue = store.enqueue::<Work>(json!(1)).delay(delay);
        let notice = ok("enqueue", transaction.enqueue(enqueue).await);
        transaction.commit().await;
        notice.send();
        assert!(tokio::time::timeout(c.soon(), wait).await.is_ok(), "nobody heard of it");
    }
}

async fn given_no_notice_when_polled_then_the_task_is_found(c: &Context) {
    let (store, user) = shop(c).await;
    let mut transaction = user.begin().await;
    let notice = ok("enqueue", transaction.enqueue(store.enqueue::<Work>(json!(1))).await);
    transaction.commit().await;
    let id = notice.id();
    drop(notice);
    assert_eq!(c.take_one().await.lease.task, id);
}
