//! A person's program that moves many tasks, for tests that kill it half-way: makes one move of all
//! tasks of the queue `many`, and prints a line after each pass.
//!
//! `taskstore-test-bulk URL cancel|requeue|purge`

use std::{
    error::Error,
    io::{Write as _, stdout},
};

use taskstore::{BulkReport, Status};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, action] = arguments.as_slice() else {
        return Err("usage: taskstore-test-bulk URL cancel|requeue|purge".into());
    };
    let store = taskstore::connect(url.as_str()).await?;
    let many = store.tasks().queue("many");
    let bulk = match action.as_str() {
        "cancel" => many.cancel(),
        "requeue" => many.status(Status::Canceled).requeue(),
        "purge" => many.purge(),
        other => return Err(format!("{other} is no move").into()),
    };
    let tell = |so_far: &BulkReport| {
        // Whoever reads this may be gone.
        let _ = writeln!(stdout(), "{so_far}");
    };
    let report = bulk.on_progress(tell).await?;
    writeln!(stdout(), "done: {report}")?;
    Ok(())
}
