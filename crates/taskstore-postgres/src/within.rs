//! Work inside a transaction of the caller's.

use std::future::Future;

use futures_util::FutureExt as _;
use serde::Serialize;
use taskstore_core::{
    EnqueueMany, EnqueueOne, Notice, Notices, Result, TaskContext,
    within::{self, Completed, Completion, Enqueueing, Wake},
};

use crate::{
    backend::{PostgresBackend, Tell},
    theirs::{Connection, Theirs},
    write,
};

/// Enqueues inside a transaction of yours: your rows and the task are committed together, or not at
/// all.
///
/// ```no_run
/// # use taskstore_core::{self as taskstore, TaskKey};
/// # struct SendEmail;
/// # impl TaskKey for SendEmail { const KEY: &'static str = "email.send"; type Args = String; }
/// # async fn example(store: taskstore::Store, mut client: tokio_postgres::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use taskstore_postgres::Within as _; // taskstore::postgres in a program
///
/// let transaction = client.transaction().await?;
/// transaction.execute("INSERT INTO customer VALUES ('ada@example.org')", &[]).await?;
/// let notice = store
///     .enqueue::<SendEmail>("ada@example.org".into())
///     .queue("mail")
///     .within(&transaction)
///     .await?;
/// transaction.commit().await?;
/// notice.send();
/// # Ok(())
/// # }
/// ```
///
/// Two round trips on your connection: one that stores it in a savepoint, and one that ends the savepoint.
/// One more where it is not known which definition has the alias, where the task has a unique key that is held,
/// or where the transaction was begun by hand, on a client.
///
/// Nobody waits for your transaction but those who enqueue with the same unique key. They wait until it
/// ends, for 4 s at most.
pub trait Within: Enqueueing {
    /// Stores it in the transaction that is open on this connection to the store's own database,
    /// checked like any enqueue. It has the options of the builder. Whatever schemas the connection
    /// looks at, it is the store's own tables.
    ///
    /// Waits for locks as the connection does, but for 4 s at most where that would wait for ever. Do not drop the
    /// future before it has ended, unless you roll back.
    ///
    /// # Errors
    /// Nothing of it is stored, and the transaction can go on. What awaiting the builder says, and
    /// [`Invalid`](taskstore_core::Error::Invalid) with field `transaction`: none is open on this
    /// connection, it has failed before, or it is in another database; with field `store`: the store is
    /// not in PostgreSQL.
    /// [`Unavailable`](taskstore_core::Error::Unavailable): a lock was not to be had in time, or a
    /// deadlock was found; roll back and begin anew.
    fn within<C: Connection>(
        self,
        connection: &C,
    ) -> impl Future<Output = Result<Self::Notice>> + Send;
}

impl Within for EnqueueOne {
    async fn within<C: Connection>(self, connection: &C) -> Result<Notice> {
        let store = Enqueueing::store(&self).clone();
        let backend = PostgresBackend::of(&store)?;
        let mut theirs = Theirs::new(backend, connection);
        let tell = backend.tell().clone();
        let put = Enqueueing::put_in(self, &mut theirs, |theirs| wake(tell, theirs));
        let done = put.boxed().await;
        theirs.end(done).await
    }
}

impl Within for EnqueueMany {
    async fn within<C: Connection>(self, connection: &C) -> Result<Notices> {
        let store = Enqueueing::store(&self).clone();
        let backend = PostgresBackend::of(&store)?;
        let mut theirs = Theirs::new(backend, connection);
        let tell = backend.tell().clone();
        let put = Enqueueing::put_in(self, &mut theirs, |theirs| wake(tell, theirs));
        let done = put.boxed().await;
        theirs.end(done).await
    }
}

/// Ends a handler's task inside a transaction of the handler's: what the handler has done and that
/// its task is done are committed together, or not at all. So the handler's effect on this database
/// happens exactly once, whatever crashes.
///
/// ```no_run
/// # use taskstore_core::{Store, TaskContext, TaskHandler, TaskResult};
/// use taskstore_postgres::{CompleteWithin as _, deadpool_postgres}; // taskstore::postgres in a program
/// # struct Pay { pool: deadpool_postgres::Pool }
/// # impl TaskHandler for Pay {
/// # const ALIAS: &'static str = "pay";
/// # type Params = i64;
/// # type Output = i64;
/// # async fn run(&self, ctx: TaskContext, cents: i64) -> TaskResult<i64> {
/// let mut client = self.pool.get().await?;
/// let transaction = client.transaction().await?;
/// let row = transaction
///     .query_one("UPDATE account SET cents = cents - $1 RETURNING cents", &[&cents])
///     .await?;
/// let left = row.get(0);
/// let completion = ctx.complete_within(&transaction, left).await?;
/// transaction.commit().await?;
/// completion.committed();
/// Ok(left)
/// # }}
/// ```
///
/// Two round trips on your connection, one more for log lines and one more where the transaction was begun by hand.
/// Before, on a connection of the store's, one that gives the task a lease of its own, if it shares its lease
/// with other tasks: so the transaction may take its time, and costs no other task its lease.
pub trait CompleteWithin {
    /// Ends the task of this run as a success, with this output, in the transaction that is open on
    /// this connection to the store's own database. `()` is no output. What the handler has logged by
    /// then is stored with it, and what it logs later is not.
    ///
    /// If the transaction is rolled back, the task ends as the handler says, as usual; if it has
    /// committed, the task is a success, whatever the handler says. Say
    /// [`committed`](Completion::committed) then. A run without a queue has no task: there it does
    /// nothing. Do not drop the future before it has ended, unless you roll back.
    ///
    /// # Errors
    /// Nothing is stored. Roll back, and return the error:
    /// [`LeaseLost`](taskstore_core::Error::LeaseLost): another runner has the task, and does its work.
    /// [`InvalidTransition`](taskstore_core::Error::InvalidTransition): an earlier transaction of this
    /// run has committed the end of the task, although the handler may have heard an error.
    /// [`Invalid`](taskstore_core::Error::Invalid) with field `output`: no JSON, or above 1 MiB; with
    /// field `transaction`: it is not read committed, and so does not see the lease as it is; with that or
    /// field `store` as [`Within::within`].
    /// [`Unavailable`](taskstore_core::Error::Unavailable): the store cannot be reached, or a lock was
    /// not to be had in time.
    fn complete_within<C: Connection>(
        &self,
        connection: &C,
        output: impl Serialize,
    ) -> impl Future<Output = Result<Completion>> + Send;
}

impl CompleteWithin for TaskContext {
    fn complete_within<C: Connection>(
        &self,
        connection: &C,
        output: impl Serialize,
    ) -> impl Future<Output = Result<Completion>> + Send {
        // At once, so that the output need not be sent to another thread.
        let output = within::output(&output);
        async move {
            let output = output?;
            within::isolate(self).await?;
            within::complete(self, output, async |settlement| {
                let backend = PostgresBackend::of(self.store())?;
                let theirs = Theirs::new(backend, connection).seeing_others();
                let done = write::complete(&theirs, &settlement).await;
                let completed = theirs.end(done).await?;
                if let Completed::Lost | Completed::Before(_) = completed {
                    tracing::debug!(task = %self.id(), ?completed, "not completed");
                }
                Ok(completed)
            })
            .await
        }
    }
}

/// Tells those who wait what came into their queues, once it is committed.
fn wake(tell: Tell, theirs: &mut Theirs<'_>) -> Wake {
    let news = theirs.take_news();
    Box::new(move || tell.publish(&news))
}
