//! How a task fails, is tried again, and in the end succeeds or fails for good.
//!
//! ```console
//! $ cargo run --example retries_and_failure
//! ```

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use taskstore::{Backoff, Error, TaskContext, TaskError, TaskHandler, TaskResult};

/// What the server of this page does.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Server {
    /// Refuses two connections, then answers.
    Flaky,
    /// Asks to come back in half a second, then answers.
    Busy,
    /// Never answers.
    Down,
    /// Has no such page.
    Missing,
    /// Answers with something that our code does not expect.
    Odd,
}

struct FetchPage;

impl TaskHandler for FetchPage {
    const ALIAS: &'static str = "page.fetch";
    type Params = Server;
    type Output = u32;

    async fn run(&self, ctx: TaskContext, server: Server) -> TaskResult<u32> {
        match (server, ctx.attempt()) {
            // `?` makes a failure of any error; it is tried again after the handler's backoff.
            (Server::Flaky, 1..=2) => Err(std::io::Error::other("connection refused"))?,
            (Server::Down, _) => Err(std::io::Error::other("no route to host"))?,
            // Its own delay instead of the backoff.
            (Server::Busy, 1) => {
                Err(TaskError::retry_in(Duration::from_millis(500), "429 Too Many Requests"))
            }
            // Not tried again, whatever attempts are left.
            (Server::Missing, _) => Err(TaskError::permanent("404 Not Found")),
            // A panic is a failure like any other.
            (Server::Odd, _) => panic!("a page without a title"),
            (Server::Flaky | Server::Busy, _) => Ok(200),
        }
    }

    /// Without this: 20, over about six days.
    fn max_attempts(&self) -> u32 {
        3
    }

    /// Without this: after 1 s, 16 s, 81 s and so on.
    fn backoff(&self) -> Backoff {
        Backoff::fixed(Duration::from_millis(300))
    }
}

#[tokio::main]
async fn main() -> taskstore::Result<()> {
    let began = Instant::now();
    let store = taskstore::connect("memory:")
        // Hears of every failure; without it they are logged with `tracing`.
        .on_error(move |_queue, _task, error| println!("{:>7.0?}  {error}", began.elapsed()))
        .await?;
    store.register(FetchPage).await?;
    // The message of a panic is in the task; the process need not print it, too.
    std::panic::set_hook(Box::new(|_| {}));
    let runner = store.runner().start().await?;

    for server in [Server::Flaky, Server::Busy, Server::Down, Server::Missing, Server::Odd] {
        println!("\n{server:?}");
        let id = store.enqueue::<FetchPage>(server).await?;
        match store.wait_for(id, Duration::from_secs(20)).await {
            Ok(Some(output)) => println!("  ended: {}", output.get()),
            Ok(None) => println!("  ended"),
            Err(Error::Failed { error, .. }) => println!("  failed for good: {error}"),
            Err(error) => return Err(error),
        }
        let attempts = store.tasks().attempts(id).await?;
        for (number, attempt) in (1..).zip(attempts) {
            let error = attempt.error.as_deref().unwrap_or("no error");
            println!("  attempt {number}: {error}");
        }
    }

    runner.stop().await;
    Ok(())
}
