//! At most one live task for a key: while one waits, runs or is paused, a second is not stored, and
//! whoever enqueues it is told the id of the first.
//!
//! ```console
//! $ cargo run --example unique
//! ```

use serde::{Deserialize, Serialize};
use taskstore::{Store, TaskContext, TaskHandler, TaskResult};

#[derive(Serialize, Deserialize)]
struct Customer {
    id: u32,
}

struct Invoice;

impl TaskHandler for Invoice {
    const ALIAS: &'static str = "invoice.write";
    type Params = Customer;
    type Output = String;

    async fn run(&self, _: TaskContext, customer: Customer) -> TaskResult<String> {
        Ok(format!("invoice for customer {}", customer.id))
    }
}

struct Reminder;

impl TaskHandler for Reminder {
    const ALIAS: &'static str = "reminder.write";
    type Params = Customer;
    type Output = ();

    async fn run(&self, _: TaskContext, _: Customer) -> TaskResult<()> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> taskstore::Result<()> {
    let store = taskstore::connect("memory:").await?;
    store.register(Invoice).await?;
    store.register(Reminder).await?;

    // The key is yours to choose. It counts among the tasks of the same definition.
    write_invoice(&store, 7).await?;
    write_invoice(&store, 7).await?; // somebody clicked twice
    write_invoice(&store, 8).await?;

    // Another definition, so another key.
    let reminder = store.enqueue::<Reminder>(Customer { id: 7 }).unique("7").outcome().await?;
    println!("reminder for customer 7: {}", said(reminder.duplicate));

    // Unless both name the same scope: then one letter a day is enough, of whatever kind.
    let scope = "letters of 2026-03-01";
    for kind in ["invoice", "reminder"] {
        let alias = format!("{kind}.write");
        let letter = store.enqueue_by_alias("letters", alias, Customer { id: 9 });
        let letter = letter.unique_in(scope, "9").outcome().await?;
        println!("{kind} for customer 9 as today's letter: {}", said(letter.duplicate));
    }

    // When a task has ended, its key is free.
    println!("the runner: {}", store.runner().queue("invoices").run_once().await?);
    write_invoice(&store, 7).await
}

async fn write_invoice(store: &Store, customer: u32) -> taskstore::Result<()> {
    let outcome = store
        .enqueue::<Invoice>(Customer { id: customer })
        .queue("invoices")
        .unique(customer.to_string())
        .outcome()
        .await?;
    println!("invoice for customer {customer}: {}", said(outcome.duplicate));
    Ok(())
}

fn said(duplicate: bool) -> &'static str {
    if duplicate { "there is one already" } else { "enqueued" }
}
