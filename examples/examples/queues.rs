//! Queues: one runner serves several by weight, with a limit, and by a pattern; they can be looked
//! at and paused from any process.
//!
//! ```console
//! $ cargo run --example queues
//! ```

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use taskstore::{QueueOptions, Store};

/// What ran, in the order in which it began, and how many reports ran at the same time.
#[derive(Default)]
struct Seen {
    order: Mutex<Vec<String>>,
    reports: AtomicUsize,
    reports_most: AtomicUsize,
}

#[tokio::main]
async fn main() -> taskstore::Result<()> {
    let store = taskstore::connect("sqlite://queues.db").auto_migrate(true).await?;
    let seen = Arc::new(Seen::default());
    register(&store, &seen).await?;

    let mut tasks = Vec::new();
    for n in 0..12 {
        tasks.push(store.enqueue_by_alias("mail", "work", n).await?);
        tasks.push(store.enqueue_by_alias("reports", "work", n).await?);
    }
    tasks.push(store.enqueue_by_alias("tenant-1", "work", 0).await?);
    store.enqueue_by_alias("tenant-2", "work", 0).delay(Duration::from_secs(3_600)).await?;
    store.queues().pause("tenant-1").await?;
    show("before", &store).await?;

    // Mail comes three times as often as reports, of which two run at a time at most. Tenants have
    // queues of their own, and new ones may come at any time.
    let runner = store
        .runner()
        .queue_with("mail", QueueOptions::new().weight(3))
        .queue_with("reports", QueueOptions::new().weight(1).concurrency(2))
        .queues_matching("tenant-*")
        .concurrency(4)
        .prefetch(0)
        .start()
        .await?;

    // A queue that the runner has never seen, and one that was paused.
    let new = store.enqueue_by_alias("tenant-3", "work", 0).await?;
    store.wait_for(new, Duration::from_secs(30)).await?;
    println!("tenant-3, a queue that is new, was served");
    assert_eq!(store.queues().get("tenant-1").await?.tasks.ready.seen(), 1, "paused");
    store.queues().resume("tenant-1").await?;

    for task in tasks {
        store.wait_for(task, Duration::from_secs(30)).await?;
    }
    println!("stopped: {}\n", runner.stop().await.summary);

    if let Ok(order) = seen.order.lock() {
        println!("in the order in which they began: {}", order.join(" "));
    }
    println!("reports at the same time: {} at most\n", seen.reports_most.load(Ordering::SeqCst));
    show("after", &store).await
}

async fn register(store: &Store, seen: &Arc<Seen>) -> taskstore::Result<()> {
    let seen = Arc::clone(seen);
    store
        .register_fn("work", move |ctx, _: u32| {
            let seen = Arc::clone(&seen);
            async move {
                let queue = ctx.queue().to_string();
                let is_report = queue == "reports";
                if let Ok(mut order) = seen.order.lock() {
                    order.push(queue);
                }
                if is_report {
                    let running = seen.reports.fetch_add(1, Ordering::SeqCst) + 1;
                    seen.reports_most.fetch_max(running, Ordering::SeqCst);
                }
                tokio::time::sleep(Duration::from_millis(20)).await; // the work
                if is_report {
                    seen.reports.fetch_sub(1, Ordering::SeqCst);
                }
                Ok(())
            }
        })
        .await?;
    Ok(())
}

/// What a dashboard would show.
async fn show(when: &str, store: &Store) -> taskstore::Result<()> {
    println!("{when}:\n  queue      ready  delayed  running  oldest waits");
    for queue in store.queues().list().await? {
        let tasks = queue.tasks;
        let oldest = queue.oldest_ready.map(|age| format!("{:.1} s", age.as_secs_f64()));
        println!(
            "  {:<9} {:>6} {:>8} {:>8}  {}{}",
            queue.name.as_str(),
            tasks.ready.seen(),
            tasks.delayed.seen(),
            tasks.running.seen(),
            oldest.as_deref().unwrap_or("-"),
            if queue.paused { "  (paused)" } else { "" },
        );
    }
    println!();
    Ok(())
}
