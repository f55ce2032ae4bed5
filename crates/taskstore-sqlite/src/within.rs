//! Work inside a transaction of the caller's: the same code as the writer thread runs, on the caller's
//! connection and in a savepoint, so that an error leaves nothing.
//!
//! Synchronous, as the driver is. Never commits, never waits for the writer thread: the caller may
//! have the lock that it needs.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use rusqlite::Connection;
use serde::Serialize;
use taskstore_core::{
    Alias, Definition, Error, Result, TaskContext,
    backend::{DefinitionKey, Enqueued, NewTask},
    within::{self, Completed, Completion, EnqueueIn, Enqueueing, Wake},
};

use crate::{
    backend::SqliteBackend,
    convert::now_or,
    error::{Mapped, came_of_a_lock},
    read,
    session::Session,
    sql::Sql,
    statements::Statements,
    write,
};

/// Enqueues inside a transaction of yours: your rows and the task are committed together, or not at
/// all.
///
/// ```
/// # use taskstore_core::{self as taskstore, TaskKey};
/// # struct SendEmail;
/// # impl TaskKey for SendEmail { const KEY: &'static str = "email.send"; type Args = String; }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("tasks.db");
/// # let backend = taskstore_sqlite::SqliteBackend::open(taskstore_sqlite::SqliteOptions::new(&file)).await?;
/// # let store = taskstore::Store::new(backend);
/// # store.migrate().await?;
/// # store.register_fn("email.send", |_, _: String| async { Ok(()) }).await?;
/// use taskstore_sqlite::{Within as _, rusqlite}; // taskstore::sqlite in a program
///
/// let mut connection = rusqlite::Connection::open(&file)?;
/// # connection.execute_batch("CREATE TABLE customer(email TEXT)")?;
/// let transaction = connection.transaction()?;
/// transaction.execute("INSERT INTO customer VALUES ('ada@example.org')", [])?;
/// let notice = store.enqueue::<SendEmail>("ada@example.org".into()).queue("mail").within(&transaction)?;
/// transaction.commit()?;
/// notice.send();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Two connections of one file wait for each other's writes. So while a transaction of yours has
/// written, do not await what writes through the store, such as an enqueue without `within`: it waits
/// for your transaction, up to 10 s, and then fails.
pub trait Within: Enqueueing {
    /// Stores it in the transaction that is open on this connection to the store's own file, checked
    /// like any enqueue. It has the options of the builder. A transaction that has only read fails
    /// when somebody else has written meanwhile, so begin it with `BEGIN IMMEDIATE`, in rusqlite
    /// [`TransactionBehavior::Immediate`](rusqlite::TransactionBehavior::Immediate).
    ///
    /// Changes what `last_insert_rowid` of the connection says.
    ///
    /// # Errors
    /// Nothing of it is stored, and the transaction can go on. What awaiting the builder says, and
    /// [`Invalid`](Error::Invalid) with field `transaction`: none is open on this connection, or it is
    /// one to another file; with field `store`: the store is not in a SQLite file.
    /// [`Unavailable`](Error::Unavailable): somebody else has the lock; roll back and begin anew.
    fn within(self, connection: &Connection) -> Result<Self::Notice>;
}

impl<E: Enqueueing> Within for E {
    fn within(self, connection: &Connection) -> Result<E::Notice> {
        let store = self.store().clone();
        let backend = SqliteBackend::of(&store)?;
        work_in(backend, connection, |session| {
            let wake = |theirs: &mut Theirs<'_, '_>| wake(backend, theirs.0);
            at_once(self.put_in(&mut Theirs(session), wake))
        })
    }
}

/// Ends a handler's task inside a transaction of the handler's: what the handler has done and that
/// its task is done are committed together, or not at all. So the handler's effect on this database
/// happens exactly once, whatever crashes.
///
/// For handlers that block, as this driver does: see
/// [`Store::register_blocking`](taskstore_core::Store::register_blocking).
///
/// ```
/// # use taskstore_core::{Store, TaskContext, TaskHandler, TaskResult};
/// use taskstore_sqlite::{CompleteWithin as _, rusqlite}; // taskstore::sqlite in a program
/// # use taskstore_sqlite::rusqlite::TransactionBehavior;
/// # struct Pay { file: std::path::PathBuf }
/// # impl TaskHandler for Pay {
/// # const ALIAS: &'static str = "pay";
/// # type Params = i64;
/// # type Output = i64;
/// # async fn run(&self, ctx: TaskContext, cents: i64) -> TaskResult<i64> {
/// let mut connection = rusqlite::Connection::open(&self.file)?;
/// let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
/// transaction.execute("UPDATE account SET cents = cents - ?1", [cents])?;
/// let left = transaction.query_row("SELECT cents FROM account", [], |row| row.get(0))?;
/// let completion = ctx.complete_within(&transaction, left)?;
/// transaction.commit()?;
/// completion.committed();
/// Ok(left)
/// # }}
/// ```
pub trait CompleteWithin {
    /// Ends the task of this run as a success, with this output, in the transaction that is open on
    /// this connection to the store's own file. `()` is no output. What the handler has logged by then
    /// is stored with it, and what it logs later is not.
    ///
    /// If the transaction is rolled back, the task ends as the handler says, as usual; if it has
    /// committed, the task is a success, whatever the handler says. Say
    /// [`committed`](Completion::committed) then. A run without a queue has no task: there it does
    /// nothing.
    ///
    /// # Errors
    /// Nothing is stored. Roll back, and return the error:
    /// [`LeaseLost`](Error::LeaseLost): another runner has the task, and does its work.
    /// [`InvalidTransition`](Error::InvalidTransition): an earlier transaction of this run has
    /// committed the end of the task, although the handler may have heard an error.
    /// [`Invalid`](Error::Invalid) with field `output`: no JSON, or above 1 MiB; with field
    /// `transaction` or `store` as [`Within::within`].
    /// [`Unavailable`](Error::Unavailable): somebody else has the lock.
    fn complete_within(
        &self,
        connection: &Connection,
        output: impl Serialize,
    ) -> Result<Completion>;
}

impl CompleteWithin for TaskContext {
    fn complete_within(
        &self,
        connection: &Connection,
        output: impl Serialize,
    ) -> Result<Completion> {
        let output = within::output(&output)?;
        at_once(within::complete(self, output, async |settlement| {
            let backend = SqliteBackend::of(self.store())?;
            work_in(backend, connection, |session| {
                let completed = write::complete(session, &settlement, now_or(None))?;
                if let Completed::Lost | Completed::Before(_) = completed {
                    tracing::debug!(task = %self.id(), ?completed, "not completed");
                }
                Ok(completed)
            })
        }))
    }
}

/// A transaction of somebody else's.
struct Theirs<'s, 'c>(&'s Session<'c>);

impl EnqueueIn for Theirs<'_, '_> {
    async fn definition(&mut self, alias: &Alias) -> Result<Option<Definition>> {
        read::definition(&self.0.statements, &DefinitionKey::Alias(alias.clone()))
    }

    async fn enqueue(&mut self, tasks: &[NewTask]) -> Result<Vec<Enqueued>> {
        write::enqueue(self.0, tasks, now_or(None))
    }
}

/// Tells those who wait in this process what came into their queues.
fn wake(backend: &SqliteBackend, session: &Session<'_>) -> Wake {
    let (wakeups, news) = (backend.wakeups().clone(), session.take_news());
    Box::new(move || wakeups.publish(&news))
}

/// Runs this in the transaction that is open there. An error undoes what it did and nothing else.
fn work_in<R>(
    backend: &SqliteBackend,
    connection: &Connection,
    work: impl FnOnce(&Session<'_>) -> Result<R>,
) -> Result<R> {
    check(backend, connection)?;
    connection.execute_batch("SAVEPOINT taskstore").mapped()?;
    let session = Session::new(Statements::new(connection, backend.texts()));
    // The first thing that is done: what has read before it writes is refused the lock at once.
    let done = session.statements.execute(Sql::LockFirst, []).and_then(|_| work(&session));
    let undo = if done.is_ok() { "" } else { "ROLLBACK TO taskstore;" };
    if connection.is_autocommit() {
        // Some errors end the whole transaction by themselves.
        return done;
    }
    let released = connection.execute_batch(&format!("{undo} RELEASE taskstore")).mapped();
    done.map_err(advised).and_then(|answer| released.map(|()| answer))
}

/// Whether a transaction is open there, on the store's file.
fn check(backend: &SqliteBackend, connection: &Connection) -> Result<()> {
    let wrong = |reason: String| Err(Error::invalid("transaction", reason));
    if connection.is_autocommit() {
        return wrong("none is open on this connection: begin it with BEGIN IMMEDIATE".into());
    }
    let file = connection.path().unwrap_or_default();
    let is_ours = backend.file().as_os_str() == file
        || std::fs::canonicalize(file).is_ok_and(|file| file == backend.file());
    if !is_ours {
        let ours = backend.file().display();
        return wrong(format!("its connection is to {file:?}, and the tasks are in {ours}"));
    }
    Ok(())
}

/// What to do about a lock that could not be had.
fn advised(error: Error) -> Error {
    match error {
        Error::Unavailable { source } if came_of_a_lock(&source) => Error::unavailable(format!(
            "{source}: another writer came first; roll back and begin anew, with BEGIN IMMEDIATE and a \
             busy timeout"
        )),
        error => error,
    }
}

/// What a future comes to that has nothing to wait for.
fn at_once<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err(Error::backend("it waits for something")),
    }
}
