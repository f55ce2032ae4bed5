//! A handler that takes many tasks at once: one bulk insert instead of a thousand small ones.
//!
//! ```console
//! $ cargo run --example batches
//! ```

use std::{
    error::Error,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use taskstore::{BatchHandler, BatchTask, TaskError, TaskKey, TaskResult};

/// A reading of a sensor, enqueued by itself wherever it is taken.
#[derive(Serialize, Deserialize)]
struct Reading {
    sensor: u32,
    celsius: f64,
}

/// Stores readings, up to 200 of them in one transaction.
struct StoreReadings {
    database: Mutex<rusqlite::Connection>,
}

impl TaskKey for StoreReadings {
    const KEY: &'static str = "readings.store";
    type Args = Reading;
}

impl BatchHandler for StoreReadings {
    const AT_MOST: usize = 200;
    type Output = ();

    async fn run(&self, tasks: Vec<BatchTask<Reading>>) -> TaskResult<Vec<TaskResult<()>>> {
        // `?` is an error of the whole: the transaction is undone, and each task is tried again.
        let mut database = self.database();
        let bulk = database.transaction()?;
        let mut answers = Vec::with_capacity(tasks.len());
        for BatchTask { ctx, params: Reading { sensor, celsius } } in &tasks {
            // An answer of its own for each task, by position.
            answers.push(if *celsius < -273.15 {
                Err(TaskError::permanent(format!("{celsius} °C is colder than cold")))
            } else {
                bulk.execute("INSERT INTO reading VALUES (?1, ?2)", (sensor, celsius))?;
                ctx.log_info(format!("stored with {} others", tasks.len() - 1));
                Ok(())
            });
        }
        bulk.execute("INSERT INTO batch VALUES (?1)", [u32::try_from(tasks.len())?])?;
        bulk.commit()?;
        Ok(answers)
    }
}

impl StoreReadings {
    fn database(&self) -> MutexGuard<'_, rusqlite::Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let readings = folder.path().join("readings.db");
    let database = rusqlite::Connection::open(&readings)?;
    database.execute_batch(
        "CREATE TABLE reading (sensor INTEGER, celsius REAL); CREATE TABLE batch (tasks INTEGER);",
    )?;

    let file = folder.path().join("tasks.db");
    let store =
        taskstore::connect(format!("sqlite://{}", file.display())).auto_migrate(true).await?;
    store.register_batch(StoreReadings { database: Mutex::new(database) }).await?;

    let taken = (0..1_000).map(|n| Reading { sensor: n % 7, celsius: f64::from(n) - 280.0 });
    store.enqueue_many::<StoreReadings>(taken).await?;
    println!("{}", store.runner().run_once().await?);

    let look = rusqlite::Connection::open(&readings)?;
    let stored: u32 = look.query_row("SELECT count(*) FROM reading", [], |row| row.get(0))?;
    let batches: String =
        look.query_row("SELECT group_concat(tasks, ' + ') FROM batch", [], |row| row.get(0))?;
    println!("{stored} readings, in transactions of {batches} tasks");
    Ok(())
}
