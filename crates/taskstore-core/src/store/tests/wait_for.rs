//! Waiting for a task to end, on a clock that stands still while anything is to be done.

use std::time::Duration;

use futures_util::FutureExt;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};

use super::*;
use crate::{
    Status, TaskError, TaskId,
    backend::{AttemptIs, Fate, Settle, Settlement, Transition},
};

const LONG: Duration = Duration::from_secs(100);
/// As long as it takes until looks are a second apart.
const A_WHILE: Duration = Duration::from_secs(10);

async fn enqueued() -> (Store, Spy, TaskId) {
    let (store, spy) = store().await;
    let id = store.enqueue::<Count>(7).await.unwrap();
    (store, spy, id)
}

/// Ends a task as a runner in another process does.
async fn end(spy: &Spy, id: TaskId, to: Transition) {
    let task = claim(spy, "").await.pop().unwrap();
    assert_eq!(task.lease.task, id);
    let settled = spy.memory.settle(&Settle::new(vec![Settlement::new(task.lease, to)])).await;
    assert!(matches!(settled.unwrap().fates[..], [Fate::Applied { .. }]));
}

fn returned(json: &str) -> Transition {
    Transition::Success { output: Some(RawValue::from_string(json.into()).unwrap()) }
}

fn waiting(store: &Store, id: TaskId) -> tokio::task::JoinHandle<Result<Option<Box<RawValue>>>> {
    let store = store.clone();
    tokio::spawn(async move { store.wait_for(id, LONG).await })
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_answers_at_once() {
    let (store, spy, id) = enqueued().await;
    end(&spy, id, returned("42")).await;
    let began = Instant::now();
    let output = store.wait_for(id, Duration::ZERO).await.unwrap();
    assert_eq!((output.unwrap().get(), began.elapsed()), ("42", Duration::ZERO));
    let (store, spy, id) = enqueued().await;
    end(&spy, id, Transition::Success { output: None }).await;
    assert!(store.wait_for(id, LONG).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_end_in_this_process_is_heard_of_at_once_by_all_who_wait() {
    let (store, spy, id) = enqueued().await;
    let both = [waiting(&store, id), waiting(&store, id)];
    sleep(A_WHILE).await;
    end(&spy, id, returned("42")).await;
    let ended = Instant::now();
    store.tell_ended([TaskId::new(), id]);
    for waits in both {
        assert_eq!(waits.await.unwrap().unwrap().unwrap().get(), "42");
    }
    assert_eq!(ended.elapsed(), Duration::ZERO);
    assert!(store.inner.endings.is_idle());
}

#[tokio::test]
async fn a_runner_tells_of_what_has_ended_and_of_nothing_else() {
    let (store, _) = store().await;
    let snoozes = |_, snoozes: bool| async move {
        if snoozes { Err(TaskError::snooze(Duration::from_secs(3_600))) } else { Ok("done") }
    };
    store.register_fn("snoozes", snoozes).await.unwrap();
    let ends = store.enqueue_by_alias("", "snoozes", false).await.unwrap();
    let goes_on = store.enqueue_by_alias("", "snoozes", true).await.unwrap();
    let (first, second) = (store.inner.endings.listen(ends), store.inner.endings.listen(goes_on));
    let (heard, unheard) = (first.next(), second.next());
    store.runner().run_once().await.unwrap();
    assert!(heard.now_or_never().is_some(), "it has ended");
    assert!(unheard.now_or_never().is_none(), "it was snoozed");
}

#[tokio::test(start_paused = true)]
async fn an_end_in_another_process_is_found_within_a_second() {
    let (store, spy, id) = enqueued().await;
    let waits = waiting(&store, id);
    sleep(A_WHILE).await;
    let looks = spy.count("task");
    assert!((14..=20).contains(&looks), "{looks} looks in 10 s");
    end(&spy, id, returned("42")).await;
    let ended = Instant::now();
    assert_eq!(waits.await.unwrap().unwrap().unwrap().get(), "42");
    assert!(ended.elapsed() <= Duration::from_secs(1), "{:?}", ended.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_output_that_is_not_of_the_type_asked_for_is_refused() {
    let (store, spy, id) = enqueued().await;
    end(&spy, id, returned("[1,2]")).await;
    assert_eq!(store.wait_for_output::<Vec<u8>>(id, LONG).await.unwrap(), [1, 2]);
    let error = store.wait_for_output::<String>(id, LONG).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "output", .. }), "{error}");

    let (store, spy, id) = enqueued().await;
    end(&spy, id, Transition::Success { output: None }).await;
    store.wait_for_output::<()>(id, LONG).await.unwrap();
    assert_eq!(store.wait_for_output::<Option<u8>>(id, LONG).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn how_it_ended_is_the_error() {
    let (store, spy, id) = enqueued().await;
    let waits = waiting(&store, id);
    end(&spy, id, Transition::Failed { error: "no luck".into() }).await;
    let error = waits.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), format!("task {id} failed: no luck"));
    assert!(matches!(error, Error::Failed { task, .. } if task == id));

    let (store, spy, id) = enqueued().await;
    end(&spy, id, Transition::Canceled { reason: "no need".into(), attempt: AttemptIs::Counted })
        .await;
    let error = store.wait_for(id, LONG).await.unwrap_err();
    assert_eq!(error.to_string(), format!("task {id} was canceled: no need"));
    assert!(matches!(error, Error::Canceled { task, .. } if task == id));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_through_this_store_is_heard_of_at_once_and_a_deletion_too() {
    for deleted in [false, true] {
        let (store, _, id) = enqueued().await;
        let waits = waiting(&store, id);
        sleep(A_WHILE).await;
        let ended = Instant::now();
        if deleted {
            store.tasks().soft_delete(id).await.unwrap();
        } else {
            store.tasks().cancel_because(id, "no need").await.unwrap();
        }
        let error = waits.await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Canceled { .. }), "{error}");
        assert_eq!(ended.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_time_says_what_it_is_and_goes_on() {
    let (store, spy, id) = enqueued().await;
    let wait = Duration::from_millis(2_500);
    for (status, after) in [(Status::Queued, wait), (Status::Queued, Duration::ZERO)] {
        let began = Instant::now();
        let error = store.wait_for(id, after).await.unwrap_err();
        assert_eq!(began.elapsed(), after);
        let is = matches!(error, Error::NotEnded { task, status: s, after: a }
            if (task, s, a) == (id, status, after));
        assert!(is, "{error}");
    }
    store.tasks().pause(id).await.unwrap();
    let error = store.wait_for(id, wait).await.unwrap_err().to_string();
    assert_eq!(error, format!("task {id} did not end within 2.5s: it is paused"));
    store.tasks().resume(id).await.unwrap();
    end(&spy, id, returned("1")).await;
    assert!(store.wait_for(id, wait).await.is_ok());
    assert!(store.inner.endings.is_idle());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_waited_for_is_refused() {
    let (store, _, id) = enqueued().await;
    assert_eq!(not_found(store.wait_for(TaskId::new(), LONG).await), "task");
    assert_eq!(field(store.wait_for(id, Duration::MAX).await), "timeout");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_is_waited_for_until_the_time_is_over() {
    let (store, spy, id) = enqueued().await;
    let away = || (0..4).for_each(|_| spy.fail("task", Fault::Before));
    away();
    end(&spy, id, returned("42")).await;
    assert_eq!(store.wait_for(id, LONG).await.unwrap().unwrap().get(), "42");
    away();
    let error = store.wait_for(id, Duration::from_millis(50)).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(store.wait_for(id, LONG).await.is_ok());
    spy.fail("task", Fault::NoTables);
    let error = store.wait_for(id, LONG).await.unwrap_err();
    assert!(matches!(error, Error::Backend { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_of_who_stopped_waiting() {
    let (store, _, id) = enqueued().await;
    let (first, second) = (waiting(&store, id), waiting(&store, id));
    sleep(A_WHILE).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert!(!store.inner.endings.is_idle(), "the second still waits");
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    assert!(store.inner.endings.is_idle());
}
