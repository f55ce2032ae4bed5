//! A handler whose effect is in the same database as its task, and that dies where it is told.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use taskstore::{TaskContext, TaskResult, sqlite::CompleteWithin as _};

/// Where a process can be when it is killed.
pub const DEATHS: [&str; 5] =
    ["before the effect", "after the effect", "after the end", "after the commit", "at last"];

/// Writes the task's id into the table `effect` and completes the task, in one transaction. The first
/// run of a task kills its process at that point.
///
/// # Errors
/// Whatever the database says.
pub fn pay(ctx: &TaskContext, database: &Path, dies: &str) -> TaskResult<()> {
    let id = ctx.id().to_string();
    let first = !database.with_file_name(&id).exists();
    let here = |point: &str| {
        if first && dies == point {
            // No unwinding, no destructors, no rollback: as kill -9 does it.
            std::process::abort();
        }
    };
    if first {
        std::fs::write(database.with_file_name(&id), "it began")?;
    }
    let mut connection = Connection::open(database)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    here("before the effect");
    transaction.execute("INSERT INTO effect(task) VALUES(?1)", [id])?;
    here("after the effect");
    let completion = ctx.complete_within(&transaction, ())?;
    here("after the end");
    transaction.commit()?;
    here("after the commit");
    completion.committed();
    here("at last");
    Ok(())
}
