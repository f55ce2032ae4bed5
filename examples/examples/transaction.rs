//! Tasks in transactions of your own: a row and its task are there together or not at all, and what a
//! handler does and that its task is done, too.
//!
//! ```console
//! $ cargo run --example transaction
//! ```

use std::{error::Error, path::PathBuf};

use serde::{Deserialize, Serialize};
use taskstore::{
    Store, TaskContext, TaskError, TaskHandler, TaskResult,
    sqlite::{
        CompleteWithin as _, Within as _,
        rusqlite::{Connection, TransactionBehavior},
    },
};

#[derive(Serialize, Deserialize)]
struct Order {
    id: i64,
    cents: i64,
}

/// Takes the money for an order from an account in the same database.
struct Charge {
    file: PathBuf,
}

impl TaskHandler for Charge {
    const ALIAS: &'static str = "order.charge";
    type Params = Order;
    type Output = i64;

    async fn run(&self, ctx: TaskContext, order: Order) -> TaskResult<i64> {
        let mut db = Connection::open(&self.file)?;
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("UPDATE account SET cents = cents - ?1", [order.cents])?;
        let left: i64 = transaction.query_row("SELECT cents FROM account", [], |r| r.get(0))?;
        let completion = ctx.complete_within(&transaction, left)?;
        if ctx.attempt() == 1 && order.id == 2 {
            // Dropped, the transaction is rolled back: no money was taken and the task is not done.
            return Err(TaskError::retryable("the power goes off"));
        }
        transaction.commit()?;
        completion.committed();
        Ok(left)
    }
}

fn place(
    store: &Store,
    db: &mut Connection,
    order: Order,
    sure: bool,
) -> Result<(), Box<dyn Error>> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("INSERT INTO orders VALUES (?1, ?2)", (order.id, order.cents))?;
    let notice = store.enqueue::<Charge>(order).queue("orders").within(&transaction)?;
    if sure {
        transaction.commit()?;
        notice.send();
    } // else it is dropped here, and neither the order nor its task was ever there
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("shop.db");
    let url = format!("sqlite://{}", file.display());
    let store = taskstore::connect(url).auto_migrate(true).await?;
    // This driver blocks its thread, so the handler gets one of its own.
    store.register_blocking(Charge { file: file.clone() }).await?;

    let mut db = Connection::open(&file)?;
    db.execute_batch(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, cents INTEGER);
         CREATE TABLE account (cents INTEGER);
         INSERT INTO account VALUES (10000);",
    )?;

    place(&store, &mut db, Order { id: 1, cents: 1500 }, true)?;
    place(&store, &mut db, Order { id: 2, cents: 2500 }, true)?;
    place(&store, &mut db, Order { id: 3, cents: 9900 }, false)?;
    let count = |what: &str| db.query_row(what, [], |row| row.get::<_, i64>(0));
    println!("orders: {}", count("SELECT count(*) FROM orders")?);
    println!("tasks:  {}", count("SELECT count(*) FROM task")?);

    // The second order fails once, is put back, and is due a second later.
    let runner = store.runner().queue("orders").start().await?;
    for id in store.tasks().queue("orders").list().await?.items.iter().map(|task| task.id) {
        store.wait_for(id, std::time::Duration::from_secs(30)).await?;
    }
    println!("\nthe runner: {}", runner.stop().await.summary);
    println!("account: {} of 10000 - 1500 - 2500", count("SELECT cents FROM account")?);

    for task in store.tasks().queue("orders").list().await?.items {
        let output = task.output.map(|json| json.get().to_owned());
        println!("{} after {} attempts: {output:?} left", task.status, task.attempts);
    }
    Ok(())
}
