//! Testing a program that uses taskstore: a store in memory whose clock stands still.
//!
//! ```console
//! $ cargo run --example testing
//! ```
//!
//! In your own project this is the inside of a `#[tokio::test]`.

use std::time::Duration;

use taskstore::{Store, TaskContext, TaskError, TaskHandler, TaskResult, testing::TestStore};

/// The handler under test: the mail server refuses the first attempt.
struct Remind;

impl TaskHandler for Remind {
    const ALIAS: &'static str = "customer.remind";
    type Params = String;
    type Output = ();

    async fn run(&self, ctx: TaskContext, to: String) -> TaskResult<()> {
        if ctx.attempt() == 1 {
            return Err(TaskError::retryable("the mail server is busy"));
        }
        ctx.log_info(format!("reminded {to}"));
        Ok(())
    }
}

/// The code under test: it takes a store like any other.
async fn place_order(store: &Store, customer: &str) -> taskstore::Result<()> {
    let week = Duration::from_secs(7 * 24 * 60 * 60);
    store.enqueue::<Remind>(customer.into()).delay(week).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> taskstore::Result<()> {
    let store = TestStore::new();
    store.register(Remind).await?;

    // The handler by itself: no task, no queue.
    let alone = store.run::<Remind>("grace".into()).await?;
    println!("alone:            {}", alone.error());

    place_order(&store, "ada").await?;
    store.assert_enqueued::<Remind>(&"ada".into());
    println!("at once:          {}", store.drain().await?);

    store.advance(Duration::from_secs(7 * 24 * 60 * 60));
    println!("a week later:     {}", store.drain().await?);
    println!("and its retries:  {}", store.drain_all().await?);

    store.assert_none_enqueued::<Remind>();
    for task in store.all() {
        println!("{} {} after {} attempts", task.alias, task.status, task.attempts);
    }
    Ok(())
}
