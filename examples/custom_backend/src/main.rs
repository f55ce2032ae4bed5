//! The quickstart, on a store of your own: nothing but the first lines of `main` knows of it.
//!
//! ```console
//! $ cargo run -p taskstore-custom-backend
//! ```

use std::time::Duration;

use taskstore_core::{Backoff, Store, TaskContext, TaskError, TaskHandler, TaskResult};
use taskstore_custom_backend::RedbBackend;

/// Says how far it has come.
struct Resize;

impl TaskHandler for Resize {
    const ALIAS: &'static str = "photo.resize";
    type Params = String;
    type Output = String;

    async fn run(&self, ctx: TaskContext, file: String) -> TaskResult<String> {
        for size in 1..=3 {
            tokio::time::sleep(Duration::from_millis(100)).await; // the work
            ctx.progress(size, 3);
        }
        ctx.log_success("all sizes are there");
        Ok(format!("{file} in 3 sizes"))
    }
}

/// Fails at first, as networks do.
struct Deliver;

impl TaskHandler for Deliver {
    const ALIAS: &'static str = "webhook.deliver";
    type Params = String;
    type Output = ();

    async fn run(&self, ctx: TaskContext, _url: String) -> TaskResult<()> {
        if ctx.attempt() < 3 {
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))?;
        }
        Ok(())
    }

    fn backoff(&self) -> Backoff {
        Backoff::exponential(Duration::from_millis(200), Duration::from_secs(60))
    }
}

/// Fails for good.
struct Charge;

impl TaskHandler for Charge {
    const ALIAS: &'static str = "card.charge";
    type Params = u32;
    type Output = ();

    async fn run(&self, _: TaskContext, _cents: u32) -> TaskResult<()> {
        Err(TaskError::permanent("the card has expired"))
    }
}

#[tokio::main]
async fn main() -> taskstore_core::Result<()> {
    let store = Store::new(RedbBackend::open("tasks.redb").await?);
    store.migrate().await?;
    store.register(Resize).await?;
    store.register(Deliver).await?;
    store.register(Charge).await?;

    let photos = ["cat.png", "dog.png", "owl.png"].map(str::to_owned);
    let mut tasks = store.enqueue_many::<Resize>(photos).await?;
    tasks.push(store.enqueue::<Deliver>("https://example.org/hook".into()).await?);
    let charge = store.enqueue::<Charge>(1_999).await?;

    let runner = store.runner().concurrency(3).start().await?;
    let soon = Duration::from_secs(60);
    for id in &tasks {
        store.wait_for(*id, soon).await?;
    }
    // That one fails: waiting for it says so.
    if let Err(error) = store.wait_for(charge, soon).await {
        println!("{error}");
    }
    println!("{}", runner.stop().await.summary);

    tasks.push(charge);
    for id in tasks {
        let task = store.tasks().get(id).await?;
        let said = task.output.map(|json| json.get().to_owned()).or(task.last_error);
        let said = said.unwrap_or_default();
        println!("{:<16} {:<8} attempt {}  {said}", task.alias, task.status, task.attempts);
    }
    println!("they stay in tasks.redb");
    Ok(())
}
