//! Tasks, as people look at them and control them.

use std::time::Duration;

use time::UtcDateTime;

use super::*;
use crate::{
    LogLevel, LogLine, Status, TaskId,
    backend::{AttemptIs, Report, Requeue, Settle, Settlement, Transition},
};

const HOUR: Duration = Duration::from_secs(3600);

/// Runs the only due task to its end.
async fn end(spy: &Spy, to: Transition) {
    let [task] = &claim(spy, "default").await[..] else { panic!("not one due task") };
    spy.memory.settle(&Settle::new(vec![Settlement::new(task.lease, to)])).await.unwrap();
}

fn refused<T: std::fmt::Debug>(answer: Result<T>) -> (Status, &'static str) {
    match answer.unwrap_err() {
        Error::InvalidTransition { from, to, .. } => (from, to),
        other => panic!("not refused by the lifecycle: {other}"),
    }
}

#[tokio::test]
async fn a_waiting_task_is_paused_resumed_and_canceled() {
    let (store, spy) = store().await;
    let tasks = store.tasks();
    let id = store.enqueue::<Count>(1).await.unwrap();
    assert_eq!(tasks.pause(id).await.unwrap(), Status::Paused);
    assert!(claim(&spy, "default").await.is_empty());
    assert_eq!(refused(tasks.pause(id).await), (Status::Paused, "paused"));
    assert_eq!(tasks.resume(id).await.unwrap(), Status::Queued);
    assert_eq!(refused(tasks.resume(id).await), (Status::Queued, "resumed"));
    assert_eq!(tasks.cancel(id).await.unwrap(), Status::Canceled);
    assert_eq!(refused(tasks.cancel(id).await), (Status::Canceled, "canceled"));
    assert_eq!(tasks.get(id).await.unwrap().last_error.as_deref(), Some("canceled"));
}

#[tokio::test]
async fn a_running_task_is_asked_to_end() {
    let (store, spy) = store().await;
    let id = store.enqueue::<Count>(1).await.unwrap();
    assert_eq!(claim(&spy, "default").await.len(), 1);
    assert_eq!(store.tasks().cancel(id).await.unwrap(), Status::Running);
    assert!(store.tasks().get(id).await.unwrap().cancel_requested_at.is_some());
    assert_eq!(refused(store.tasks().pause(id).await), (Status::Running, "paused"));
    assert_eq!(refused(store.tasks().requeue(id).await), (Status::Running, "requeued"));
    let late = store.tasks().reschedule(id).now().await;
    assert_eq!(refused(late), (Status::Running, "rescheduled"));
}

#[tokio::test]
async fn a_reason_that_no_engine_could_store_is_tamed() {
    let (store, _) = store().await;
    let id = store.enqueue::<Count>(1).await.unwrap();
    store.tasks().cancel_because(id, "a\0".repeat(20_000)).await.unwrap();
    let reason = store.tasks().get(id).await.unwrap().last_error.unwrap();
    assert!(reason.len() <= 16 << 10 && !reason.contains('\0') && reason.ends_with("[cut]"));
}

#[tokio::test]
async fn an_ended_task_is_purged_and_then_unknown() {
    let (store, spy) = store().await;
    let id = store.enqueue::<Count>(1).await.unwrap();
    assert_eq!(refused(store.tasks().purge(id).await), (Status::Queued, "purged"));
    end(&spy, Transition::Success { output: None }).await;
    store.tasks().soft_delete(id).await.unwrap();
    store.tasks().purge(id).await.unwrap();
    assert_eq!(not_found(store.tasks().get(id).await), "task");
    assert_eq!(not_found(store.tasks().log(id).await), "task");
    assert_eq!(not_found(store.tasks().purge(id).await), "task");
}

#[tokio::test]
async fn an_ended_task_runs_again_with_its_own_or_other_parameters() {
    let (store, spy) = store().await;
    let id = store.enqueue::<Count>(1).await.unwrap();
    assert_eq!(refused(store.tasks().requeue(id).await), (Status::Queued, "requeued"));
    end(&spy, Transition::Failed { error: "no".into() }).await;

    assert_eq!(store.tasks().requeue(id).await.unwrap(), Status::Queued);
    assert_eq!(store.tasks().get(id).await.unwrap().parameters.get(), "1");
    end(&spy, Transition::Success { output: None }).await;
    assert_eq!(store.tasks().requeue_with(id, 2).await.unwrap(), Status::Queued);
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.parameters.get(), task.attempts), ("2", 0));
    let too_much = "x".repeat(1 << 20);
    assert_eq!(field(store.tasks().requeue_with(id, too_much).await), "parameters");
}

#[tokio::test]
async fn a_task_whose_key_was_taken_meanwhile_does_not_run_again() {
    let (store, spy) = store().await;
    let id = store.enqueue::<Count>(1).unique("k").await.unwrap();
    end(&spy, Transition::Success { output: None }).await;
    let holder = store.enqueue::<Count>(1).unique("k").await.unwrap();
    let refused = store.tasks().requeue(id).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("task with the same unique key {holder} exists already")
    );
    assert!(matches!(refused, Error::AlreadyExists { .. }));
}

#[tokio::test]
async fn a_waiting_task_is_rescheduled_and_what_is_not_named_stays() {
    let (store, _) = store().await;
    let id = store.enqueue::<Count>(1).priority(5).await.unwrap();
    let at = clock::add(clock::now(), HOUR);
    assert_eq!(store.tasks().reschedule(id).at(at).await.unwrap(), Status::Queued);
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.run_at, task.priority, task.queue.as_str()), (at, 5, "default"));

    store.tasks().pause(id).await.unwrap();
    let moved = store.tasks().reschedule(id).priority(-1).queue("mail").await.unwrap();
    assert_eq!(moved, Status::Paused);
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.run_at, task.priority, task.queue.as_str()), (at, -1, "mail"));
}

#[tokio::test]
async fn a_reschedule_that_cannot_be_is_named_and_changes_nothing() {
    let (store, spy) = store().await;
    let id = store.enqueue::<Count>(1).await.unwrap();
    let reschedule = || store.tasks().reschedule(id);
    assert_eq!(field(reschedule().await), "reschedule");
    assert_eq!(field(reschedule().queue("two words").await), "queue");
    assert_eq!(field(reschedule().delay(Duration::MAX).await), "delay");
    assert_eq!(field(reschedule().at(UtcDateTime::MAX).await), "at");
    assert_eq!(spy.count("control"), 0);
}

#[tokio::test]
async fn a_soft_deleted_task_is_hidden_from_every_move_but_restore() {
    let (store, _) = store().await;
    let tasks = store.tasks();
    let id = store.enqueue::<Count>(1).await.unwrap();
    assert_eq!(not_found(tasks.restore(id).await), "task", "it is not deleted");
    assert_eq!(tasks.soft_delete(id).await.unwrap(), Status::Canceled);
    assert!(tasks.get(id).await.unwrap().deleted_at.is_some());
    for answer in [
        tasks.cancel(id).await,
        tasks.requeue(id).await,
        tasks.soft_delete(id).await,
        tasks.reschedule(id).now().await,
    ] {
        assert_eq!(not_found(answer), "task");
    }
    assert_eq!(tasks.restore(id).await.unwrap(), Status::Canceled);
    assert!(tasks.get(id).await.unwrap().deleted_at.is_none());
}

#[tokio::test]
async fn a_task_that_is_not_there_is_not_found() {
    let (store, _) = store().await;
    let (tasks, id) = (store.tasks(), TaskId::new());
    assert_eq!(not_found(tasks.get(id).await), "task");
    assert_eq!(not_found(tasks.attempts(id).await), "task");
    assert_eq!(not_found(tasks.log(id).await), "task");
    for answer in [
        tasks.cancel(id).await,
        tasks.pause(id).await,
        tasks.resume(id).await,
        tasks.requeue(id).await,
        tasks.soft_delete(id).await,
        tasks.restore(id).await,
        tasks.reschedule(id).now().await,
    ] {
        assert_eq!(not_found(answer), "task");
    }
}

#[tokio::test]
async fn attempts_and_log_tell_what_happened() {
    let (store, spy) = store().await;
    let id = store.enqueue::<Count>(1).await.unwrap();
    assert!(store.tasks().attempts(id).await.unwrap().is_empty());
    assert!(store.tasks().log(id).await.unwrap().is_empty());

    let task = claim(&spy, "default").await.remove(0);
    let line = |n: u32| LogLine::new(n, clock::now(), LogLevel::Info, format!("line {n}"));
    let log = (0..1000).map(line).collect();
    spy.memory.report(&[Report { lease: task.lease, progress: None, log }]).await.unwrap();
    let failed = Transition::Failed { error: "no".into() };
    spy.memory.settle(&Settle::new(vec![Settlement::new(task.lease, failed)])).await.unwrap();

    let attempts = store.tasks().attempts(id).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].error.as_deref(), Some("no"));
    let log = store.tasks().log(id).await.unwrap();
    assert_eq!((log.len(), &*log[999].text), (1000, "line 999"));
    let page = store.tasks().log_page(id, 998, 10).await.unwrap();
    assert_eq!(page.iter().map(|line| line.n).collect::<Vec<_>>(), [998, 999]);
    assert_eq!(field(store.tasks().log_page(id, 0, 0).await), "limit");
    assert_eq!(field(store.tasks().log_page(id, 0, 1001).await), "limit");
}

#[tokio::test]
async fn a_log_of_many_attempts_is_read_to_its_end() {
    let (store, spy) = store().await;
    let id = store.enqueue::<Count>(1).await.unwrap();
    for attempt in 0..3 {
        let task = claim(&spy, "default").await.remove(0);
        let line = |n: u32| LogLine::new(n, clock::now(), LogLevel::Info, format!("{attempt} {n}"));
        let again = Transition::Requeue {
            to: Requeue::AsBefore,
            attempt: AttemptIs::Counted,
            suspect: false,
            error: None,
        };
        let mut settlement = Settlement::new(task.lease, again);
        settlement.log = (0..600).map(line).collect();
        spy.memory.settle(&Settle::new(vec![settlement])).await.unwrap();
    }
    let log = store.tasks().log(id).await.unwrap();
    let ends = [0, 599, 600, 1799].map(|n| log[n].text.as_str());
    assert_eq!((log.len(), ends), (1800, ["0 0", "0 599", "1 0", "2 599"]));
}

#[tokio::test]
async fn a_paused_queue_is_passed_by_until_it_is_resumed() {
    let (store, spy) = store().await;
    store.enqueue::<Count>(1).await.unwrap();
    store.queues().pause("").await.unwrap();
    assert!(claim(&spy, "default").await.is_empty(), "an empty name means the default queue");
    store.queues().resume("default").await.unwrap();
    assert_eq!(claim(&spy, "default").await.len(), 1);
    assert_eq!(field(store.queues().pause("two words").await), "queue");
    assert_eq!(field(store.queues().resume("ä").await), "queue");
    assert_eq!(spy.count("put_queue"), 2);
}
