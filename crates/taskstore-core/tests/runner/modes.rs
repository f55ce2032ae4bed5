//! Which tasks run, when, and how many at a time.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use taskstore_core::{Error, QueueOptions, Status, Store};
use tokio::sync::{Notify, Semaphore};

use crate::common::{Flaky, store, until};

#[tokio::test]
async fn serial_means_one_at_a_time_in_order() {
    let store = store().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let running = Arc::new(AtomicUsize::new(0));
    let (order, busy) = (Arc::clone(&seen), Arc::clone(&running));
    store
        .register_fn("n", move |_, n: u32| {
            let (order, busy) = (Arc::clone(&order), Arc::clone(&busy));
            async move {
                assert_eq!(busy.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                tokio::task::yield_now().await;
                order.lock().unwrap().push(n);
                busy.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        })
        .await
        .unwrap();
    for n in 0..200_u32 {
        store.enqueue_by_alias("mail", "n", n).await.unwrap();
    }
    let summary = store.runner().queue("mail").serial().run_once().await.unwrap();
    assert_eq!(summary.succeeded, 200, "{summary}");
    assert_eq!(*seen.lock().unwrap(), (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn ten_run_at_the_same_time_by_default_and_never_more() {
    let store = store().await;
    let gate = Arc::new(Semaphore::new(0));
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let arrived = Arc::new(Notify::new());
    let all = (Arc::clone(&gate), Arc::clone(&running), Arc::clone(&most), Arc::clone(&arrived));
    store
        .register_fn("wait", move |_, (): ()| {
            let (gate, running, most, arrived) = all.clone();
            async move {
                let n = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(n, Ordering::SeqCst);
                if n == 10 {
                    arrived.notify_one();
                }
                let _pass = gate.acquire().await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        })
        .await
        .unwrap();
    for _ in 0..100 {
        store.enqueue_by_alias("", "wait", json!(null)).await.unwrap();
    }
    let run = tokio::spawn({
        let store = store.clone();
        async move { store.runner().run_once().await }
    });
    tokio::time::timeout(Duration::from_secs(10), arrived.notified()).await.expect("ten at once");
    gate.add_permits(1_000);
    assert_eq!(run.await.unwrap().unwrap().succeeded, 100);
    assert_eq!(most.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn several_queues_are_served_in_the_order_named() {
    let store = store().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let order = Arc::clone(&seen);
    store
        .register_fn("note", move |ctx, (): ()| {
            order.lock().unwrap().push(ctx.queue().to_string());
            async move { Ok(()) }
        })
        .await
        .unwrap();
    for queue in ["slow", "fast", "slow", "fast", "other"] {
        store.enqueue_by_alias(queue, "note", json!(null)).await.unwrap();
    }
    store.runner().queue("fast").queue("slow").serial().run_once().await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["fast", "fast", "slow", "slow"], "and others not at all");
}

#[tokio::test]
async fn a_task_enqueued_while_the_runner_sleeps_is_picked_up_at_once() {
    let store = store().await;
    store.register(Flaky).await.unwrap();
    let runner = store.runner().poll_every(Duration::from_secs(3_600)).start().await.unwrap();
    for _ in 0..50 {
        let id = store.enqueue::<Flaky>(0).await.unwrap();
        until(&store, id, Status::Success).await;
    }
    runner.stop().await;
}

#[tokio::test]
async fn a_delayed_task_runs_when_it_is_due_and_not_before() {
    let store = store().await;
    store.register(Flaky).await.unwrap();
    let runner = store.runner().poll_every(Duration::from_secs(3_600)).start().await.unwrap();
    let id = store.enqueue::<Flaky>(0).delay(Duration::from_millis(150)).await.unwrap();
    until(&store, id, Status::Success).await;
    let task = store.tasks().get(id).await.unwrap();
    assert!(task.started_at.unwrap() >= task.run_at);
    runner.stop().await;
}

#[tokio::test]
async fn the_same_queue_is_not_served_twice_until_it_was_stopped() {
    let store = store().await;
    let first = store.run_serial("mail").await.unwrap();
    let error = store.run_concurrent("mail").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "runner for queue mail exists already: a store has one for a queue, whose concurrency may be raised"
    );
    let other = store.run_default().await.unwrap();
    assert!(first.is_running() && other.is_running());
    assert!(store.stop_queue("mail").await.unwrap().is_some());
    assert!(!first.is_running() && other.is_running());
    let again = store.run_concurrent("mail").await.unwrap();
    assert_eq!(store.stop().await.len(), 2);
    assert!(!again.is_running() && !other.is_running());
    assert!(store.stop().await.is_empty(), "stopping twice is fine");
    first.stop().await;
}

/// Every task says from which queue it came.
async fn noting() -> (Store, Arc<Mutex<Vec<String>>>) {
    let store = store().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let order = Arc::clone(&seen);
    let note = move |ctx: taskstore_core::TaskContext, (): ()| {
        order.lock().unwrap().push(ctx.queue().to_string());
        async move { Ok(()) }
    };
    store.register_fn("note", note).await.unwrap();
    (store, seen)
}

#[tokio::test]
async fn queues_with_weights_share_a_runner_and_none_starves() {
    let (store, seen) = noting().await;
    for queue in ["mail", "reports"] {
        for _ in 0..200 {
            store.enqueue_by_alias(queue, "note", json!(null)).await.unwrap();
        }
    }
    let weight = |weight| QueueOptions::new().weight(weight);
    let runner = store.runner().queue_with("reports", weight(1)).queue_with("mail", weight(3));
    // What is claimed ahead comes queue by queue.
    assert_eq!(runner.serial().prefetch(0).run_once().await.unwrap().succeeded, 400);
    let seen = seen.lock().unwrap();
    // While both had work.
    let reports = seen[..240].iter().filter(|queue| *queue == "reports").count();
    assert!((55..=65).contains(&reports), "a quarter of 240: {reports}");
}

#[tokio::test]
async fn a_queue_with_a_limit_never_runs_more_and_keeps_no_others_out() {
    let store = store().await;
    let gate = Arc::new(Semaphore::new(0));
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let all = (Arc::clone(&gate), running, Arc::clone(&most));
    store
        .register_fn("slow", move |_, (): ()| {
            let (gate, running, most) = all.clone();
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                gate.acquire().await?.forget();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        })
        .await
        .unwrap();
    store.register(Flaky).await.unwrap();
    let mut slow = Vec::new();
    for _ in 0..30 {
        slow.push(store.enqueue_by_alias("slow", "slow", json!(null)).await.unwrap());
    }
    let runner = store
        .runner()
        .queue_with("slow", QueueOptions::new().concurrency(2))
        .queue("quick")
        .concurrency(5)
        .poll_every(Duration::from_secs(3_600))
        .start()
        .await
        .unwrap();
    for _ in 0..50 {
        let id = store.enqueue::<Flaky>(0).queue("quick").await.unwrap();
        until(&store, id, Status::Success).await;
    }
    gate.add_permits(30);
    for id in slow {
        until(&store, id, Status::Success).await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
    runner.stop().await;
}

#[tokio::test]
async fn queues_of_a_pattern_are_served_also_those_that_appear_later() {
    let (store, seen) = noting().await;
    let runner = store.runner().queues_matching("mail-*").poll_every(Duration::from_secs(3_600));
    let runner = runner.start().await.unwrap();
    let other = store.enqueue_by_alias("other", "note", json!(null)).await.unwrap();
    for n in 0..20 {
        let queue = format!("mail-{n}");
        let id = store.enqueue_by_alias(&queue, "note", json!(null)).await.unwrap();
        until(&store, id, Status::Success).await;
        assert_eq!(seen.lock().unwrap().last(), Some(&queue));
    }
    let late = store.enqueue_by_alias("mail-late", "note", json!(null));
    let late = late.delay(Duration::from_millis(100)).await.unwrap();
    until(&store, late, Status::Success).await;
    runner.stop().await;
    assert_eq!(store.tasks().get(other).await.unwrap().status, Status::Queued);
    assert_eq!(store.runner().all_queues().run_once().await.unwrap().succeeded, 1);
}

#[tokio::test]
async fn a_queue_that_is_resumed_is_served_at_once() {
    let (store, _) = noting().await;
    for pattern in ["mail", "*"] {
        store.queues().pause("mail").await.unwrap();
        let id = store.enqueue_by_alias("mail", "note", json!(null)).await.unwrap();
        let runner = store.runner().queues_matching(pattern).poll_every(Duration::from_secs(3_600));
        let runner = runner.start().await.unwrap();
        let last = store.enqueue_by_alias("other", "note", json!(null)).await.unwrap();
        if pattern == "*" {
            until(&store, last, Status::Success).await;
        }
        assert_eq!(store.tasks().get(id).await.unwrap().status, Status::Queued);
        store.queues().resume("mail").await.unwrap();
        until(&store, id, Status::Success).await;
        runner.stop().await;
    }
}

#[tokio::test]
async fn what_a_task_enqueues_into_a_queue_never_seen_runs_in_the_same_run_once() {
    let store = store().await;
    store
        .register_fn("chain", |ctx: taskstore_core::TaskContext, left: u32| async move {
            if left > 0 {
                let queue = format!("chain-{left}");
                ctx.store().enqueue_by_alias(&queue, "chain", left - 1).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
    store.enqueue_by_alias("start", "chain", 15).await.unwrap();
    assert_eq!(store.runner().all_queues().run_once().await.unwrap().succeeded, 16);
}

#[tokio::test]
async fn a_pattern_overlaps_what_it_could_serve_and_stops_with_each_of_its_queues() {
    let store = store().await;
    let mail = store.runner().queues_matching("mail-*").start().await.unwrap();
    for (builder, expected) in [
        (store.runner().queue("mail-eu"), "mail-eu, which overlaps mail-*,"),
        (store.runner().queues_matching("*-eu"), "*-eu, which overlaps mail-*,"),
        (store.runner().all_queues(), "*, which overlaps mail-*,"),
        (store.runner().queues_matching("mail-*"), "mail-*"),
    ] {
        let error = builder.start().await.unwrap_err();
        let expected = format!("runner for queue {expected} exists already: ");
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(matches!(error, Error::AlreadyExists { .. }));
    }
    let other = store.runner().queue("mail").queues_matching("pdf-*").start().await.unwrap();
    assert!(store.stop_queue("nobody").await.unwrap().is_none());
    assert!(store.stop_queue("mail-us").await.unwrap().is_some(), "it serves that queue too");
    assert!(!mail.is_running() && other.is_running());
    assert!(store.stop_queue("pdf-*").await.unwrap().is_some(), "by its pattern");
    assert!(!other.is_running());
    store.runner().all_queues().start().await.unwrap();
    assert_eq!(store.stop().await.len(), 1, "a runner of many queues is one runner");
}

#[tokio::test]
async fn settings_that_cannot_be_accepted_are_named_and_nothing_starts() {
    let store = store().await;
    let second = Duration::from_secs(1);
    let with = |options| store.runner().queue_with("a", options);
    for (builder, expected) in [
        (store.runner().concurrency(0), "concurrency is not valid"),
        (store.runner().concurrency(10_001), "concurrency is not valid"),
        (store.runner().prefetch(10_001), "prefetch is not valid"),
        (store.runner().lease(second), "lease is not valid"),
        (store.runner().lease(90_000 * second), "lease is not valid"),
        (store.runner().poll_every(Duration::ZERO), "poll_every is not valid"),
        (store.runner().drain_deadline(Duration::MAX), "drain_deadline is not valid"),
        (store.runner().grace(Duration::MAX), "grace is not valid"),
        (store.runner().queue("no spaces"), "queue is not valid"),
        (store.runner().queue("a").queue("a"), "queue is not valid"),
        (store.runner().queues_matching("a*").queues_matching("a*"), "queue is not valid"),
        (store.runner().queue("a").queues_matching("a"), "queue is not valid"),
        (store.runner().queues_matching(""), "queue pattern is not valid"),
        (store.runner().queues_matching("no spaces*"), "queue pattern is not valid"),
        (store.runner().queues_matching("*".repeat(65)), "queue pattern is not valid"),
        (with(QueueOptions::new().weight(0)), "weight is not valid"),
        (with(QueueOptions::new().weight(1_001)), "weight is not valid"),
        (with(QueueOptions::new().concurrency(0)), "concurrency is not valid"),
        (with(QueueOptions::new().concurrency(10_001)), "concurrency is not valid"),
    ] {
        let error = builder.start().await.unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    store.run_default().await.expect("no queue was left reserved");
    store.stop().await;
}
