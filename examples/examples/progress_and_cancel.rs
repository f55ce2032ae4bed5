//! Following how far a task has come, and canceling it: while it waits, while it runs, from any
//! process that has the database.
//!
//! ```console
//! $ cargo run --example progress_and_cancel
//! ```

use std::time::Duration;

use taskstore::{Error, Status, Store, TaskContext, TaskHandler, TaskId, TaskResult};

/// Copies so many files.
struct Backup;

impl TaskHandler for Backup {
    const ALIAS: &'static str = "backup";
    type Params = u64;
    type Output = u64;

    async fn run(&self, ctx: TaskContext, files: u64) -> TaskResult<u64> {
        for file in 1..=files {
            tokio::select! {
                () = copy(file) => ctx.progress(file, files),
                // Somebody canceled it, or the runner shuts down: time to tidy up. What is returned
                // then counts only if it is a success or a final failure.
                () = ctx.cancelled() => {
                    ctx.log_info(format!("asked to end: {} copied files removed", file - 1));
                    return Err(std::io::Error::other("asked to end"))?;
                }
            }
        }
        Ok(files)
    }
}

/// The work.
async fn copy(_file: u64) {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::main]
async fn main() -> taskstore::Result<()> {
    let store = taskstore::connect("memory:").on_error(|_, _, _| {}).await?;
    store.register(Backup).await?;
    let runner = store.run_default().await?; // one at a time

    let small = store.enqueue::<Backup>(40).await?;
    let large = store.enqueue::<Backup>(1_000_000).await?;
    let waiting = store.enqueue::<Backup>(7).await?;

    // It has not begun, so it is canceled at once.
    println!("the third is {}", store.tasks().cancel(waiting).await?);

    follow(&store, small, 100).await?;
    println!("the first ended: {}", store.tasks().get(small).await?.status);

    // The second runs: it is asked to end, and does within two seconds.
    follow(&store, large, 0).await?;
    store.tasks().cancel(large).await?;
    match store.wait_for(large, Duration::from_secs(20)).await {
        Err(Error::Canceled { reason, .. }) => println!("the second was canceled: {reason}"),
        other => println!("the second ended otherwise: {other:?}"),
    }
    for line in store.tasks().log(large).await? {
        println!("its log: {}", line.text);
    }

    runner.stop().await;
    Ok(())
}

/// Prints the progress of a task until it has ended, or has come so far that `percent` are exceeded.
async fn follow(store: &Store, id: TaskId, percent: u64) -> taskstore::Result<()> {
    let mut shown = None;
    loop {
        let task = store.tasks().get(id).await?;
        if let Some(progress) = task.progress.filter(|progress| Some(*progress) != shown) {
            println!("{} of {} files", progress.done, progress.total);
            shown = Some(progress);
            if percent < 100 && progress.done * 100 > percent * progress.total {
                return Ok(());
            }
        }
        if !matches!(task.status, Status::Queued | Status::Running) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
