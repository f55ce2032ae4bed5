//! Tasks are enqueued, run several at a time, retried, and fail; then one can look at them with SQL.
//!
//! ```console
//! $ cargo run --example quickstart
//! ```

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use taskstore::{
    Backoff, Status, Store, Task, TaskContext, TaskError, TaskHandler, TaskId, TaskResult,
};

/// Takes a while, and says how far it has come.
struct Resize;

#[derive(Serialize, Deserialize)]
struct Photo {
    file: String,
}

impl TaskHandler for Resize {
    const ALIAS: &'static str = "photo.resize";
    type Params = Photo;
    type Output = String;

    async fn run(&self, ctx: TaskContext, photo: Photo) -> TaskResult<String> {
        for size in 1..=10 {
            tokio::time::sleep(Duration::from_millis(300)).await; // the work
            ctx.progress(size, 10);
        }
        ctx.log_success("all sizes are there");
        Ok(format!("{} in 10 sizes", photo.file))
    }
}

/// Fails at first, as networks do: `?` and the handler's backoff make it try again.
struct Deliver;

impl TaskHandler for Deliver {
    const ALIAS: &'static str = "webhook.deliver";
    type Params = String;
    type Output = ();

    async fn run(&self, ctx: TaskContext, url: String) -> TaskResult<()> {
        ctx.log_info(format!("attempt {} to reach {url}", ctx.attempt()));
        if ctx.attempt() < 3 {
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))?;
        }
        Ok(())
    }

    fn backoff(&self) -> Backoff {
        Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60))
    }
}

/// Fails for good: trying again would not help.
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
async fn main() -> taskstore::Result<()> {
    let store = taskstore::connect("sqlite://quickstart.db").await?;
    store.migrate().await?;
    store.register(Resize).await?;
    store.register(Deliver).await?;
    store.register(Charge).await?;

    let photos = ["cat.png", "dog.png", "owl.png", "fox.png"].map(|f| Photo { file: f.into() });
    let mut tasks = store.enqueue_many::<Resize>(photos).await?;
    tasks.push(store.enqueue::<Deliver>("https://example.org/hook".into()).await?);
    tasks.push(store.enqueue::<Charge>(1_999).await?);
    println!("{} tasks are in quickstart.db; three run at a time\n", tasks.len());

    let runner = store.runner().concurrency(3).start().await?;
    watch(&store, &tasks).await?;
    let stopped = runner.stop().await;

    println!("\nwhat became of them ({}):\n", stopped.summary);
    for id in tasks {
        println!("{}", line(&store.tasks().get(id).await?));
    }
    println!(
        "\nthey stay there; look at them yourself:\n\n  \
         sqlite3 -box quickstart.db \"SELECT alias, status, attempts, output, error FROM task\""
    );
    Ok(())
}

/// Prints what changes until all tasks have ended.
async fn watch(store: &Store, tasks: &[TaskId]) -> taskstore::Result<()> {
    let began = Instant::now();
    let mut every = tokio::time::interval(Duration::from_millis(100));
    let mut shown: HashMap<TaskId, String> = HashMap::new();
    let mut live = tasks.len();
    while live > 0 {
        every.tick().await;
        live = 0;
        for &id in tasks {
            let task = store.tasks().get(id).await?;
            live += usize::from(!task.status.has_ended());
            let line = line(&task);
            if shown.get(&id) != Some(&line) {
                println!("{:4.1} s  {line}", began.elapsed().as_secs_f64());
                shown.insert(id, line);
            }
        }
    }
    Ok(())
}

/// One task as a line of a table.
fn line(task: &Task) -> String {
    let error = task.last_error.as_deref().unwrap_or_default();
    let said = match (task.status, task.progress) {
        (Status::Queued, _) if task.attempts > 0 => format!("tried again after: {error}"),
        (Status::Running, Some(progress)) => format!("{} of {}", progress.done, progress.total),
        (Status::Success, _) => task.output.as_deref().map_or("", |json| json.get()).to_owned(),
        (Status::Failed, _) => error.to_owned(),
        _ => String::new(),
    };
    let work = format!("{} {}", task.alias, task.parameters);
    format!("{work:<44} {:<8} attempt {}  {said}", task.status.as_str(), task.attempts)
        .trim_end()
        .to_owned()
}
