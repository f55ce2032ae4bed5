//! A runner that is asked to end finishes what it runs, gives the rest back, and loses nothing.
//!
//! Press Ctrl-C, or let it send itself the SIGTERM that systemd and Kubernetes send.
//!
//! ```console
//! $ cargo run --example graceful_shutdown
//! ```

use std::{collections::BTreeMap, process::Command, sync::Arc, time::Duration};

use tokio::sync::Notify;

#[tokio::main]
async fn main() -> taskstore::Result<()> {
    let store = taskstore::connect("memory:").await?;
    let working = Arc::new(Notify::new());
    let begun = Arc::clone(&working);
    store
        .register_fn("count", move |_, number: u32| {
            let begun = Arc::clone(&begun);
            async move {
                println!("{number} begins");
                begun.notify_one();
                tokio::time::sleep(Duration::from_secs(1)).await; // the work
                println!("{number} ends");
                Ok(())
            }
        })
        .await?;

    let mut tasks = Vec::new();
    for number in 1..=8 {
        tasks.push(store.enqueue_by_alias("default", "count", number).await?);
    }

    // Returns when what was running has ended and every status is saved.
    let asked_to_end = async {
        tokio::join!(taskstore::shutdown_signal(), terminate_myself(&working));
        println!("asked to end");
    };
    store.runner().concurrency(3).run_until(asked_to_end).await?;

    let mut statuses = BTreeMap::new();
    for id in tasks {
        *statuses.entry(store.tasks().get(id).await?.status.as_str()).or_insert(0) += 1;
    }
    println!("{statuses:?}: what had not begun is in the queue again");
    Ok(())
}

/// What an orchestrator does, as soon as there is work to interrupt.
async fn terminate_myself(working: &Notify) {
    working.notified().await;
    let me = std::process::id().to_string();
    if let Err(error) = Command::new("kill").args(["-TERM", &me]).status() {
        println!("there is no kill here ({error}): press Ctrl-C");
    }
}
