//! What the feature `metrics` counts, as a recorder sees it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod recorder;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use recorder::{counted, counter, described_and_used, gauge, histogram};
use taskstore::{
    Backoff, MemoryBackend, Status, Store, TaskContext, TaskError, testing::TestStore,
};
use taskstore_tests::faulty::{Fault, Faulty};
use tokio::sync::{Notify, Semaphore};

fn store() -> Store {
    recorder::start();
    Store::new(MemoryBackend::new())
}

/// Waits for it; fails after 20 s.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .unwrap_or_else(|_| panic!("{what}"));
}

struct Ends;

impl taskstore::TaskHandler for Ends {
    const ALIAS: &'static str = "ends";
    type Params = String;
    type Output = ();

    async fn run(&self, ctx: TaskContext, how: String) -> taskstore::TaskResult<()> {
        match &*how {
            "well" => Ok(()),
            "again" if ctx.attempt() > 1 => Ok(()),
            "again" => Err(TaskError::retryable("once more")),
            "never" => Err(TaskError::permanent("never")),
            "later" => Err(TaskError::snooze(Duration::from_secs(3_600))),
            _ => Err(TaskError::cancel("not wanted")),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::fixed(Duration::ZERO)
    }
}

#[tokio::test]
async fn tasks_are_counted_from_enqueue_to_every_end() {
    let store = store();
    store.register(Ends).await.unwrap();
    let how = ["well", "well", "again", "never", "later", "cancel"].map(str::to_owned);
    store.enqueue_many::<Ends>(how).queue("q_ends").await.unwrap();
    for _ in 0..2 {
        store.enqueue::<Ends>("well".into()).queue("q_ends").unique("one").await.unwrap();
    }
    let late = store.enqueue::<Ends>("well".into()).queue("q_ends");
    late.expires_at(std::time::UNIX_EPOCH).await.unwrap();
    store.runner().queue("q_ends").run_once().await.unwrap();
    let expected = [
        r#"taskstore_tasks_ended_total{queue="q_ends",alias="ends",status="canceled"} 1"#,
        r#"taskstore_tasks_ended_total{queue="q_ends",alias="ends",status="expired"} 1"#,
        r#"taskstore_tasks_ended_total{queue="q_ends",alias="ends",status="failed"} 1"#,
        r#"taskstore_tasks_ended_total{queue="q_ends",alias="ends",status="retried"} 1"#,
        r#"taskstore_tasks_ended_total{queue="q_ends",alias="ends",status="snoozed"} 1"#,
        r#"taskstore_tasks_ended_total{queue="q_ends",alias="ends",status="success"} 4"#,
        r#"taskstore_tasks_enqueued_total{queue="q_ends",alias="ends"} 8"#,
        r#"taskstore_tasks_started_total{queue="q_ends",alias="ends"} 8"#,
    ];
    assert_eq!(counted("q_ends"), expected);
    let durations = histogram(r#"taskstore_task_duration_seconds{queue="q_ends",alias="ends"}"#);
    assert_eq!(durations.len(), 8, "one for each attempt");
    let (described, used) = described_and_used();
    let without: Vec<_> = used.iter().filter(|name| !described.contains(name)).collect();
    assert!(without.is_empty() && used.len() > 7, "{without:?} have no text of {used:?}");
}

#[tokio::test]
async fn a_cancel_from_elsewhere_and_a_release_are_counted_as_what_they_came_to() {
    let store = store();
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let waits = move |ctx: TaskContext, hears: bool| {
        begins.notify_one();
        async move {
            ctx.cancelled().await;
            if !hears {
                std::future::pending::<()>().await;
            }
            Err::<(), _>(TaskError::retryable("asked to end"))
        }
    };
    store.register_fn("waits", waits).await.unwrap();
    let id = store.enqueue_by_alias("q_cancel", "waits", true).await.unwrap();
    store.enqueue_by_alias("q_cancel", "waits", false).priority(9).await.unwrap();
    let moment = Duration::from_millis(10);
    let runner = store.runner().queue("q_cancel").serial().drain_deadline(moment).grace(moment);
    let runner = runner.start().await.unwrap();
    begun.notified().await;
    store.tasks().cancel(id).await.unwrap();
    begun.notified().await;
    runner.stop().await;
    let expected = [
        r#"taskstore_tasks_ended_total{queue="q_cancel",alias="waits",status="canceled"} 1"#,
        r#"taskstore_tasks_ended_total{queue="q_cancel",alias="waits",status="released"} 1"#,
        r#"taskstore_tasks_enqueued_total{queue="q_cancel",alias="waits"} 2"#,
        r#"taskstore_tasks_started_total{queue="q_cancel",alias="waits"} 2"#,
    ];
    assert_eq!(counted("q_cancel"), expected);
}

#[tokio::test]
async fn gauges_show_what_runs_and_what_is_held_and_fall_back_to_nothing() {
    let store = store();
    let gate = Arc::new(Semaphore::new(0));
    let pass = Arc::clone(&gate);
    let gated = move |_, (): ()| {
        let pass = Arc::clone(&pass);
        async move {
            let _pass = pass.acquire().await;
            Ok(())
        }
    };
    store.register_fn("gated", gated).await.unwrap();
    let mut last = None;
    for _ in 0..4 {
        last = Some(store.enqueue_by_alias("q_gauge", "gated", ()).await.unwrap());
    }
    let runner = store.runner().queue("q_gauge").concurrency(3).start().await.unwrap();
    let running = || gauge(r#"taskstore_tasks_running{queue="q_gauge"}"#);
    let held = || gauge(r#"taskstore_tasks_held{queue="q_gauge"}"#);
    until("three run", || running() == 3.0 && held() >= 3.0).await;
    gate.add_permits(1);
    store.wait_for(last.unwrap(), Duration::from_secs(20)).await.unwrap();
    runner.stop().await;
    assert_eq!((running(), held()), (0.0, 0.0));
}

#[tokio::test]
async fn a_wait_is_the_time_since_the_task_was_due_by_the_clock_of_the_store() {
    recorder::start();
    let store = TestStore::new();
    store.register_fn("due", |_, (): ()| async { Ok(()) }).await.unwrap();
    store.enqueue_by_alias("q_wait", "due", ()).await.unwrap();
    let minute = Duration::from_secs(60);
    store.enqueue_by_alias("q_wait", "due", ()).delay(minute).await.unwrap();
    store.advance(2 * minute);
    store.drain().await.unwrap();
    let waits = histogram(r#"taskstore_task_wait_seconds{queue="q_wait",alias="due"}"#);
    assert_eq!(waits.len(), 2, "{waits:?}");
    assert!((120.0..125.0).contains(&waits[0]), "{waits:?}");
    assert!((60.0..65.0).contains(&waits[1]), "{waits:?}");
}

#[tokio::test]
async fn claims_their_sizes_and_errors_of_the_store_are_counted() {
    recorder::start();
    let away = AtomicBool::new(true);
    let backend = Faulty::new(Arc::new(MemoryBackend::new()), move |call| {
        let fails = call == "claim" && away.swap(false, Ordering::Relaxed);
        if fails { Fault::Before } else { Fault::None }
    });
    let store = Store::new(backend);
    store.register_fn("many", |_, _: u32| async { Ok(()) }).await.unwrap();
    let errors = || counter(r#"taskstore_store_errors_total{kind="unavailable"}"#);
    let (claims_before, errors_before) = (counter("taskstore_claims_total{}"), errors());
    for n in 0..7 {
        store.enqueue_by_alias("q_claims", "many", n).await.unwrap();
    }
    let runner = store.runner().queue("q_claims").prefetch(0).concurrency(7);
    assert_eq!(runner.run_once().await.unwrap().succeeded, 7);
    assert!(errors() > errors_before);
    assert!(counter("taskstore_claims_total{}") > claims_before);
    let sizes = histogram("taskstore_claim_tasks{}");
    assert!(sizes.contains(&7.0), "{sizes:?}");
    assert!(!sizes.contains(&0.0), "a claim that finds nothing has no size: {sizes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_lost_and_taken_over_is_counted_on_both_sides() {
    recorder::start();
    let backend = Arc::new(MemoryBackend::new());
    // It does not watch either, or it would take its own lease over.
    let is_mute = Arc::new(AtomicBool::new(true));
    let mute_for_now = Arc::clone(&is_mute);
    let mute = Store::new(Faulty::new(backend.clone(), move |call| match call {
        "beat" if mute_for_now.load(Ordering::Relaxed) => Fault::Before,
        "late_leases" => Fault::Before,
        _ => Fault::None,
    }));
    let over = Arc::new(Notify::new());
    let is_over = Arc::clone(&over);
    let stale = move |ctx: TaskContext, (): ()| {
        let is_over = Arc::clone(&is_over);
        async move {
            ctx.cancelled().await;
            is_over.notify_one();
            Ok(())
        }
    };
    mute.register_fn("stale", stale).await.unwrap();
    let id = mute.enqueue_by_alias("q_lost", "stale", ()).await.unwrap();
    let lease = Duration::from_secs(2);
    let runner = mute.runner().queue("q_lost").serial().lease(lease).start().await.unwrap();
    until("it runs", || gauge(r#"taskstore_tasks_running{queue="q_lost"}"#) == 1.0).await;

    let healthy = Store::from(backend as Arc<dyn taskstore::backend::Backend>);
    healthy.register_fn("stale", |_, (): ()| async { Ok(()) }).await.unwrap();
    let other = healthy.runner().queue("q_lost").lease(lease).start().await.unwrap();
    let task = healthy.wait_for(id, Duration::from_secs(20)).await;
    assert!(task.is_ok(), "{task:?}");
    is_mute.store(false, Ordering::Relaxed);
    over.notified().await;
    runner.stop().await;
    other.stop().await;
    assert!(counter("taskstore_leases_taken_over_total{}") >= 1);
    assert!(counter("taskstore_leases_lost_total{}") >= 1);
    let expected = [
        r#"taskstore_tasks_ended_total{queue="q_lost",alias="stale",status="lost"} 1"#,
        r#"taskstore_tasks_ended_total{queue="q_lost",alias="stale",status="success"} 1"#,
        r#"taskstore_tasks_enqueued_total{queue="q_lost",alias="stale"} 1"#,
        r#"taskstore_tasks_started_total{queue="q_lost",alias="stale"} 2"#,
    ];
    assert_eq!(counted("q_lost"), expected);
    assert_eq!(gauge(r#"taskstore_tasks_held{queue="q_lost"}"#), 0.0);
    assert_eq!(healthy.tasks().get(id).await.unwrap().status, Status::Success);
}
