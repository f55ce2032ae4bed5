//! Handlers as closures: for work too small for a type of its own.
//!
//! ```console
//! $ cargo run --example closures
//! ```

use serde::{Deserialize, Serialize};
use serde_json::json;
use taskstore::TaskError;

#[derive(Serialize, Deserialize)]
struct Report {
    month: u8,
}

#[tokio::main]
async fn main() -> taskstore::Result<()> {
    let store = taskstore::connect("memory:").await?;

    // What it returns is its task's output.
    store
        .register_fn("report.build", |ctx, report: Report| async move {
            if report.month > 12 {
                return Err(TaskError::permanent(format!("there is no month {}", report.month)));
            }
            ctx.log_info("adding up");
            Ok(json!({ "total": u32::from(report.month) * 1_000 }))
        })
        .await?;

    let good = store.enqueue_by_alias("reports", "report.build", Report { month: 7 }).await?;
    let bad = store.enqueue_by_alias("reports", "report.build", Report { month: 13 }).await?;

    // Runs what is due and returns: for tests, cron jobs and lambdas.
    let summary = store.runner().queue("reports").run_once().await?;
    println!("{summary}");

    for id in [good, bad] {
        let task = store.tasks().get(id).await?;
        let output = task.output.as_deref().map_or("", |json| json.get());
        let error = task.last_error.as_deref().unwrap_or("");
        println!("{} {}: {}: {output}{error}", task.alias, task.parameters, task.status);
    }
    Ok(())
}
