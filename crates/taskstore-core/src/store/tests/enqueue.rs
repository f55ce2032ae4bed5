//! Tasks on their way in.

use std::{collections::HashMap, time::Duration};

use time::UtcDateTime;

use super::*;
use crate::{
    Status, TaskId,
    limits::{DELAY_MAX, ENQUEUE_TASKS_MAX, PARAMETERS_BYTES_MAX},
};

const HOUR: Duration = Duration::from_secs(3600);

struct Text;

impl TaskKey for Text {
    const KEY: &'static str = "text";
    type Args = String;
}

struct NoJson;

impl TaskKey for NoJson {
    const KEY: &'static str = "count";
    type Args = HashMap<(u8, u8), u8>;
}

struct BadAlias;

impl TaskKey for BadAlias {
    const KEY: &'static str = "two words";
    type Args = u64;
}

async fn text_store() -> (Store, Spy) {
    let (store, spy) = store().await;
    store.register_fn(Text::KEY, |_, _: String| async { Ok(()) }).await.unwrap();
    (store, spy)
}

#[tokio::test]
async fn every_option_is_stored() {
    let (store, _) = store().await;
    let at = clock::add(clock::now(), HOUR);
    let enqueue = store.enqueue::<Count>(7).queue("mail").priority(-10).at(at).max_attempts(3);
    let id = enqueue.id();
    assert_eq!(enqueue.await.unwrap(), id);

    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.status, task.queue.as_str()), (Status::Queued, "mail"));
    assert_eq!((task.priority, task.run_at, task.max_attempts), (-10, at, Some(3)));
    assert_eq!((task.alias.as_str(), task.parameters.get()), ("count", "7"));
}

#[tokio::test]
async fn a_task_without_options_is_due_at_once_in_the_default_queue() {
    let (store, spy) = store().await;
    let first = store.enqueue::<Count>(1).await.unwrap();
    let second = store.enqueue_by_alias("", "count", 2).await.unwrap();
    let claimed = claim(&spy, "default").await;
    assert_eq!(claimed.iter().map(|task| task.lease.task).collect::<Vec<_>>(), [first, second]);
    assert_eq!((claimed[0].priority, claimed[0].max_attempts), (0, None));
}

#[tokio::test]
async fn of_delay_and_at_the_last_one_counts() {
    let (store, _) = store().await;
    let past = UtcDateTime::UNIX_EPOCH;
    let due = |task: crate::Task| task.run_at <= clock::now();
    let id = store.enqueue::<Count>(1).delay(HOUR).at(past).await.unwrap();
    assert!(due(store.tasks().get(id).await.unwrap()));
    let id = store.enqueue::<Count>(1).at(past).delay(HOUR).await.unwrap();
    assert!(!due(store.tasks().get(id).await.unwrap()));
}

#[tokio::test]
async fn a_value_that_cannot_be_is_named_and_nothing_is_written() {
    let (store, spy) = text_store().await;
    let one = || store.enqueue::<Count>(1);
    let long = "k".repeat(1025);
    let far = clock::add(clock::now(), 2 * crate::limits::DELAY_MAX);
    for (refused, expected) in [
        (one().queue("two words").await, "queue"),
        (one().queue("q".repeat(65)).await, "queue"),
        (one().delay(Duration::MAX).await, "delay"),
        (one().at(far).await, "at"),
        (one().max_attempts(0).await, "max_attempts"),
        (one().max_attempts(10_001).await, "max_attempts"),
        (one().unique("").await, "unique key"),
        (one().unique(&long).await, "unique key"),
        (one().unique_in("all", "").await, "unique key"),
        (one().unique_in("all", &long).await, "unique key"),
        (one().unique_in(&long, "k").await, "unique scope"),
        (store.enqueue::<BadAlias>(1).await, "alias"),
        (store.enqueue::<NoJson>(HashMap::from([((1, 2), 3)])).await, "parameters"),
        (store.enqueue::<Text>("x".repeat(PARAMETERS_BYTES_MAX)).await, "parameters"),
        (store.enqueue_by_alias("two words", "count", 1).await, "queue"),
        (store.enqueue_by_alias("mail", "", 1).await, "alias"),
    ] {
        assert_eq!(field(refused), expected);
    }
    assert_eq!(spy.count("enqueue"), 0);
}

#[tokio::test]
async fn the_first_of_several_bad_values_is_reported_also_when_it_was_set_again() {
    let (store, _) = store().await;
    let refused = store.enqueue::<Count>(1).max_attempts(0).queue(" ").max_attempts(3).await;
    assert_eq!(field(refused), "max_attempts");
}

#[tokio::test]
async fn parameters_at_the_limit_pass() {
    let (store, spy) = text_store().await;
    store.enqueue::<Text>("x".repeat(PARAMETERS_BYTES_MAX - 2)).await.unwrap();
    let refused = store.enqueue::<Text>("x".repeat(PARAMETERS_BYTES_MAX - 1)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "parameters is not valid: it has 1048577 bytes, at most 1048576 are allowed"
    );
    assert_eq!(claim(&spy, "default").await.len(), 1);
}

#[tokio::test]
async fn hostile_text_comes_back_as_it_was() {
    let (store, spy) = text_store().await;
    let hostile = "'; DROP TABLE task_queue; -- \0 \u{202e} 🦀 \\\" \n".to_owned();
    store.enqueue::<Text>(hostile.clone()).await.unwrap();
    let claimed = claim(&spy, "default").await;
    assert_eq!(serde_json::from_str::<String>(claimed[0].parameters.get()).unwrap(), hostile);
}

#[tokio::test]
async fn a_definition_that_is_not_there_or_canceled_or_deleted_takes_no_tasks() {
    let (store, spy) = store().await;
    assert_eq!(not_found(store.enqueue::<Text>("x".into()).await), "task definition");
    assert_eq!(not_found(store.enqueue_by_alias("mail", "text", 1).await), "task definition");

    change(&spy, "count", cancel).await;
    let refused = store.enqueue::<Count>(1).await.unwrap_err();
    assert_eq!(refused.to_string(), "task definition is not valid: count is canceled");
    let asked = spy.count("enqueue");
    assert!(store.enqueue::<Count>(1).await.is_err());
    assert_eq!(spy.count("enqueue"), asked, "what was believed is forgotten");
    change(&spy, "count", soft_delete).await;
    assert_eq!(not_found(store.enqueue::<Count>(1).await), "task definition");
    assert!(claim(&spy, "default").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_producer_looks_for_a_definition_once_in_five_seconds() {
    let (_, spy) = store().await;
    let producer = Store::new(spy.clone());
    let before = spy.count("definition");
    for _ in 0..10 {
        producer.enqueue::<Count>(1).await.unwrap();
    }
    assert_eq!(spy.count("definition") - before, 1);
    tokio::time::advance(Duration::from_secs(5)).await;
    producer.enqueue::<Count>(1).await.unwrap();
    assert_eq!(spy.count("definition") - before, 2);
    assert_eq!(spy.count("enqueue"), 11);
}

#[tokio::test]
async fn a_definition_that_was_replaced_meanwhile_is_looked_for_again() {
    let (store, spy) = store().await;
    store.enqueue::<Count>(1).await.unwrap();
    change(&spy, "count", soft_delete).await;
    let made = Store::new(spy.clone()).register_fn("count", count).await.unwrap();

    let id = store.enqueue::<Count>(2).unique("k").await.unwrap();
    assert_eq!(store.tasks().get(id).await.unwrap().definition, made.id);
    let again = Store::new(spy.clone()).enqueue::<Count>(3).unique("k").outcome().await.unwrap();
    assert!(again.duplicate, "its key is in the scope of the definition that it has");
}

#[tokio::test]
async fn one_live_task_has_a_unique_key_within_its_definition() {
    let (store, spy) = text_store().await;
    let first = store.enqueue::<Count>(1).unique("k").outcome().await.unwrap();
    assert!(!first.duplicate);
    let second = store.enqueue::<Count>(2).unique("k").outcome().await.unwrap();
    assert_eq!((second.id, second.duplicate), (first.id, true));
    assert_eq!(store.enqueue::<Count>(3).unique("k").await.unwrap(), first.id);

    for other in [
        store.enqueue::<Count>(4).unique("other"),
        store.enqueue::<Text>("5".into()).unique("k"),
        store.enqueue::<Count>(6).unique_in("scope", "k"),
    ] {
        assert!(!other.outcome().await.unwrap().duplicate);
    }
    let shared = store.enqueue::<Text>("7".into()).unique_in("scope", "k").outcome().await;
    assert!(shared.unwrap().duplicate, "a scope of one's own reaches across definitions");
    assert_eq!(claim(&spy, "default").await.len(), 4);

    store.tasks().cancel(store.enqueue::<Count>(8).unique("z").await.unwrap()).await.unwrap();
    assert!(!store.enqueue::<Count>(9).unique("z").outcome().await.unwrap().duplicate);
}

#[tokio::test]
async fn a_lost_request_or_reply_can_be_sent_again_and_makes_one_task() {
    let (store, spy) = store().await;
    let enqueue = store.enqueue::<Count>(1).unique("k");
    for fault in [Fault::Before, Fault::After] {
        spy.fail("enqueue", fault);
        let lost = enqueue.clone().await.unwrap_err();
        assert!(lost.is_retryable(), "{lost}");
    }
    let stored = enqueue.clone().outcome().await.unwrap();
    assert_eq!((stored.id, stored.duplicate), (enqueue.id(), false));
    assert_eq!(claim(&spy, "default").await.len(), 1);
}

#[tokio::test]
async fn nothing_is_stored_by_a_builder_that_is_dropped() {
    let (store, spy) = store().await;
    drop(store.enqueue::<Count>(1).queue("mail"));
    assert_eq!(spy.count("enqueue"), 0);
}

#[tokio::test]
async fn many_tasks_go_in_few_requests_and_keep_their_order() {
    let (store, spy) = store().await;
    let many = 2 * ENQUEUE_TASKS_MAX as u64 + 1;
    let ids = store.enqueue_many::<Count>(0..many).queue("mail").await.unwrap();
    assert_eq!(ids.len() as u64, many);
    assert!(ids.is_sorted_by(|a, b| a < b), "no two are the same");
    assert_eq!(spy.count("enqueue"), 3);

    let claimed = claim(&spy, "mail").await;
    assert_eq!(claimed.iter().map(|task| task.lease.task).collect::<Vec<TaskId>>(), ids[..100]);
    assert_eq!(claimed[99].parameters.get(), "99");
}

#[tokio::test]
async fn large_parameters_are_spread_over_requests() {
    let (store, spy) = text_store().await;
    let megabyte = || "x".repeat(PARAMETERS_BYTES_MAX - 2);
    let ids = store.enqueue_many::<Text>((0..9).map(|_| megabyte())).await.unwrap();
    assert_eq!((ids.len(), spy.count("enqueue")), (9, 3), "four, four and one");
}

#[tokio::test]
async fn one_bad_task_of_many_is_named_and_none_is_stored() {
    let (store, spy) = text_store().await;
    let many = ["a".into(), "b".into(), "x".repeat(PARAMETERS_BYTES_MAX)];
    let refused = store.enqueue_many::<Text>(many).await.unwrap_err();
    assert!(
        refused.to_string().starts_with("parameters is not valid: those of task 2: it has"),
        "{refused}"
    );
    assert_eq!(field(store.enqueue_many::<Count>(0..3).max_attempts(0).await), "max_attempts");
    assert_eq!(field(store.enqueue_many::<BadAlias>(0..3).await), "alias");
    assert_eq!(spy.count("enqueue"), 0);
}

#[tokio::test]
async fn no_tasks_at_all_cost_nothing() {
    let (store, spy) = store().await;
    assert!(store.enqueue_many::<Count>([]).await.unwrap().is_empty());
    assert_eq!(spy.count("enqueue"), 0);
}

#[tokio::test]
async fn many_tasks_that_failed_halfway_can_be_sent_again() {
    let (store, spy) = store().await;
    let many = store.enqueue_many::<Count>(0..ENQUEUE_TASKS_MAX as u64 + 50).queue("mail");
    spy.fail("enqueue", Fault::After);
    assert!(many.clone().await.unwrap_err().is_retryable());
    let ids = many.await.unwrap();
    assert_eq!(ids.len(), ENQUEUE_TASKS_MAX + 50);
    let mut stored = 0;
    loop {
        let claimed = claim(&spy, "mail").await.len();
        stored += claimed;
        if claimed == 0 {
            break;
        }
    }
    assert_eq!(stored, ids.len());
}

#[tokio::test]
async fn terms_that_cannot_be_are_refused_by_name_and_nothing_is_stored() {
    let (store, spy) = store().await;
    let enqueue = || store.enqueue::<Count>(1);
    let second = Duration::from_secs(1);
    assert_eq!(field(enqueue().expires_in(Duration::ZERO).await), "expires_in");
    assert_eq!(field(enqueue().expires_in(DELAY_MAX + second).await), "expires_in");
    assert_eq!(
        field(enqueue().expires_at(clock::add(clock::now(), 2 * DELAY_MAX)).await),
        "expires_at"
    );
    assert_eq!(field(enqueue().timeout(Duration::ZERO).await), "timeout");
    assert_eq!(field(enqueue().timeout(DELAY_MAX + second).await), "timeout");
    // It would have expired by the time that it may run, in whatever order that is said.
    let hour = Duration::from_secs(3_600);
    assert_eq!(field(enqueue().expires_in(hour).delay(hour).await), "expires_in");
    assert_eq!(field(enqueue().delay(hour).expires_in(second).await), "expires_in");
    let at = clock::now();
    assert_eq!(field(enqueue().at(at + hour).expires_at(at + hour).await), "expires_at");
    assert_eq!(field(store.enqueue_many::<Count>(0..3).timeout(Duration::ZERO).await), "timeout");
    let by_alias = store.enqueue_by_alias("", Count::KEY, 1).delay(hour).expires_in(hour);
    assert_eq!(field(by_alias.await), "expires_in");
    assert_eq!(spy.count("enqueue"), 0);

    enqueue().delay(hour).expires_in(hour + second).timeout(DELAY_MAX).await.unwrap();
    let passed = enqueue().expires_at(at - hour).await.unwrap();
    let task = store.tasks().get(passed).await.unwrap();
    assert_eq!((task.status, task.expires_at), (crate::Status::Queued, Some(at - hour)));
}
