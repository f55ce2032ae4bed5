//! A worker process for tests that kill and stop it: runs `work` tasks, `poison` tasks that kill it
//! from inside, and `pay` tasks that complete themselves in a transaction, and writes a ledger.
//!
//! `taskstore-test-worker URL FOLDER LEASE_MS CONCURRENCY`; ends at SIGTERM.

use std::{error::Error, path::Path, sync::Arc, time::Duration};

use taskstore::TaskContext;
use taskstore_tests::{
    ledger::{Ledger, What},
    pay::pay,
};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, folder, lease, concurrency] = arguments.as_slice() else {
        return Err("usage: taskstore-test-worker URL FOLDER LEASE_MS CONCURRENCY".into());
    };
    let ledger = Arc::new(Ledger::open(Path::new(folder))?);
    let last_words = Arc::clone(&ledger);
    let receipts = Arc::clone(&ledger);
    let database = url.trim_start_matches("sqlite://").to_owned();
    let store = taskstore::connect(url.as_str()).await?;
    store
        .register_fn("work", move |ctx: TaskContext, millis: u64| {
            let ledger = Arc::clone(&ledger);
            async move {
                ledger.write(ctx.id(), ctx.attempt(), What::Began)?;
                // The work itself: it takes this long.
                tokio::time::sleep(Duration::from_millis(millis)).await;
                ledger.write(ctx.id(), ctx.attempt(), What::Ended)?;
                Ok(())
            }
        })
        .await?;
    store
        .register_fn("poison", move |ctx: TaskContext, (): ()| {
            // No unwinding, no destructors: as a segmentation fault in a C library would end it.
            let _ = last_words.write(ctx.id(), ctx.attempt(), What::Began);
            std::process::abort();
            #[expect(unreachable_code, reason = "it gives the closure its type")]
            async {
                Ok(())
            }
        })
        .await?;
    store
        .register_blocking_fn("pay", move |ctx: TaskContext, dies: String| {
            receipts.write(ctx.id(), ctx.attempt(), What::Began)?;
            pay(&ctx, Path::new(&database), &dies)
        })
        .await?;
    store
        .runner()
        .lease(Duration::from_millis(lease.parse()?))
        .concurrency(concurrency.parse()?)
        .run_until(taskstore::shutdown_signal())
        .await?;
    Ok(())
}
