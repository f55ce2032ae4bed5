//! Several processes share one file. One of them is killed in the middle of its work, and the others
//! run its tasks again when its lease has died.
//!
//! ```console
//! $ cargo run --example multi_process
//! ```

use std::{process::Stdio, time::Duration};

use taskstore::{Status, Store, TaskId};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> Result<()> {
    match std::env::args().nth(1) {
        Some(url) => work(&url).await,
        None => direct().await,
    }
}

/// A worker process. It ends when its standard input does, so that it never outlives its director.
async fn work(url: &str) -> Result<()> {
    let store = open(url).await?;
    let director_is_gone = async {
        let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    };
    // A short lease: what this process holds runs elsewhere some 3 s after it was killed.
    let runner = store.runner().concurrency(2).prefetch(0).lease(Duration::from_secs(2));
    Ok(runner.run_until(director_is_gone).await?)
}

/// The process that enqueues, starts the workers, and kills one.
async fn direct() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("shared.db").display());
    let store = open(&url).await?;
    let mut tasks = Vec::new();
    for number in 1..=12 {
        tasks.push(store.enqueue_by_alias("default", "job", number).await?);
    }

    let mut victim = start_worker(&url, Stdio::piped())?;
    let mut said = BufReader::new(victim.stdout.take().ok_or("it has no output")?).lines();
    let line = said.next_line().await?.ok_or("it ended before it began")?;
    println!("{line}");
    println!("that worker is killed with SIGKILL, and two others start");
    victim.kill().await?;
    let others = [start_worker(&url, Stdio::inherit())?, start_worker(&url, Stdio::inherit())?];

    wait_for(&store, &tasks).await?;
    for mut worker in others {
        drop(worker.stdin.take());
        worker.wait().await?;
    }
    println!("all {} jobs have succeeded, and none was charged a second attempt", tasks.len());
    Ok(())
}

/// The store, with the handler that all processes know.
async fn open(url: &str) -> Result<Store> {
    let store = taskstore::connect(url).await?;
    store.migrate().await?;
    store
        .register_fn("job", |_, number: u32| async move {
            let me = std::process::id();
            println!("  worker {me}: job {number} begins");
            tokio::time::sleep(Duration::from_millis(500)).await; // the work
            println!("  worker {me}: job {number} ends");
            Ok(())
        })
        .await?;
    Ok(store)
}

fn start_worker(url: &str, stdout: Stdio) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    Ok(command.arg(url).stdin(Stdio::piped()).stdout(stdout).kill_on_drop(true).spawn()?)
}

/// Waits until all have succeeded, with one attempt each: the lost one is not charged.
async fn wait_for(store: &Store, tasks: &[TaskId]) -> Result<()> {
    let mut every = tokio::time::interval(Duration::from_millis(100));
    for &id in tasks {
        let mut task = store.tasks().get(id).await?;
        while !task.status.has_ended() {
            every.tick().await;
            task = store.tasks().get(id).await?;
        }
        if (task.status, task.attempts) != (Status::Success, 1) {
            Err(format!("job {}: {}, attempt {}", task.parameters, task.status, task.attempts))?;
        }
    }
    Ok(())
}
