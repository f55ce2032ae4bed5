//! taskstore works with the oldest rusqlite that it allows.

use std::error::Error;

use rusqlite::Connection;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tasks.db");
    let store = taskstore::connect(&format!("sqlite://{}", file.display())).await?;
    store.migrate().await?;
    store.register_fn("double", |_, number: u32| async move { Ok(number * 2) }).await?;
    for number in 0..100_u32 {
        store.enqueue_by_alias("default", "double", number).await?;
    }
    let summary = store.runner().run_once().await?;

    let right: u32 = Connection::open(&file)?.query_row(
        "SELECT count(*) FROM task WHERE status = 'success' AND output = parameters * 2",
        [],
        |row| row.get(0),
    )?;
    println!("SQLite {}: {summary}, {right} outputs are right", rusqlite::version());
    if right == 100 { Ok(()) } else { Err("100 should be".into()) }
}
