//! Tasks in transactions of your own on PostgreSQL: a row and its task are there together or not at all,
//! and what a handler does and that its task is done, too. In a schema that is dropped at the end.
//!
//! ```console
//! $ cargo run --example transaction_postgres -- postgres://user@localhost/database
//! ```

use std::{error::Error, time::Duration};

use serde::{Deserialize, Serialize};
use taskstore::{
    Store, TaskContext, TaskError, TaskHandler, TaskResult,
    postgres::{
        CompleteWithin as _, Within as _,
        deadpool_postgres::{Manager, Pool},
        tokio_postgres::{Config, NoTls},
    },
};

const SCHEMA: &str = "taskstore_example";

#[derive(Serialize, Deserialize)]
struct Order {
    id: i64,
    cents: i64,
}

/// Takes the money for an order from an account in the same database.
struct Charge {
    pool: Pool,
}

impl TaskHandler for Charge {
    const ALIAS: &'static str = "order.charge";
    type Params = Order;
    type Output = i64;

    async fn run(&self, ctx: TaskContext, order: Order) -> TaskResult<i64> {
        let mut db = self.pool.get().await?;
        let transaction = db.transaction().await?;
        let take = "UPDATE account SET cents = cents - $1 RETURNING cents";
        let left: i64 = transaction.query_one(take, &[&order.cents]).await?.get(0);
        let completion = ctx.complete_within(&transaction, left).await?;
        if ctx.attempt() == 1 && order.id == 2 {
            // Dropped, the transaction is rolled back: no money was taken and the task is not done.
            return Err(TaskError::retryable("the power goes off"));
        }
        transaction.commit().await?;
        completion.committed();
        Ok(left)
    }
}

async fn place(store: &Store, pool: &Pool, order: Order, sure: bool) -> Result<(), Box<dyn Error>> {
    let mut db = pool.get().await?;
    let transaction = db.transaction().await?;
    let insert = "INSERT INTO orders VALUES ($1, $2)";
    transaction.execute(insert, &[&order.id, &order.cents]).await?;
    let notice = store.enqueue::<Charge>(order).queue("orders").within(&transaction).await?;
    if sure {
        transaction.commit().await?;
        notice.send();
    } // else it is dropped here, and neither the order nor its task was ever there
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let named = std::env::args().nth(1);
    let Some(url) = named.or_else(|| std::env::var("TASKSTORE_TEST_POSTGRES_URL").ok()) else {
        println!("say which database, as in postgres://user@localhost/database");
        return Ok(());
    };
    let mut config: Config = url.parse()?;
    config.options(format!("-c search_path={SCHEMA}"));
    let pool = Pool::builder(Manager::new(config, NoTls)).max_size(4).build()?;
    let db = pool.get().await?;
    db.batch_execute(&format!(
        "DROP SCHEMA IF EXISTS {SCHEMA} CASCADE;
         CREATE SCHEMA {SCHEMA};
         CREATE TABLE orders (id bigint PRIMARY KEY, cents bigint);
         CREATE TABLE account (cents bigint);
         INSERT INTO account VALUES (10000);"
    ))
    .await?;

    let and = if url.contains('?') { '&' } else { '?' };
    let store = taskstore::connect(format!("{url}{and}schema={SCHEMA}")).auto_migrate(true).await?;
    store.register(Charge { pool: pool.clone() }).await?;
    place(&store, &pool, Order { id: 1, cents: 1500 }, true).await?;
    place(&store, &pool, Order { id: 2, cents: 2500 }, true).await?;
    place(&store, &pool, Order { id: 3, cents: 9900 }, false).await?;
    let count = async |what: &str| db.query_one(what, &[]).await.map(|row| row.get::<_, i64>(0));
    println!("orders: {}", count("SELECT count(*) FROM orders").await?);
    println!("tasks:  {}", count("SELECT count(*) FROM task").await?);

    // The second order fails once, is put back, and is due a second later.
    let runner = store.runner().queue("orders").start().await?;
    for task in store.tasks().queue("orders").list().await?.items {
        store.wait_for(task.id, Duration::from_secs(30)).await?;
    }
    println!("\nthe runner: {}", runner.stop().await.summary);
    println!("account: {} of 10000 - 1500 - 2500", count("SELECT cents FROM account").await?);
    for task in store.tasks().queue("orders").list().await?.items {
        let output = task.output.map(|json| json.get().to_owned());
        println!("{} after {} attempts: {output:?} left", task.status, task.attempts);
    }
    db.batch_execute(&format!("DROP SCHEMA {SCHEMA} CASCADE")).await?;
    Ok(())
}
