//! Work inside a transaction of the caller's: the same code as for the store's own transactions, on the
//! caller's connection and in a savepoint, so that an error leaves nothing.
//!
//! Never commits. What the caller's snapshot may be too old to show is read under a lock, or on a
//! connection of the store's own; what is not there is not locked, for at REPEATABLE READ, which is the
//! default, that would lock a gap, and everybody who inserts into it.

use std::{collections::HashSet, future::Future};

use driver::prelude::Queryable;
use mysql_async as driver;
use serde::Serialize;
use taskstore_core::{
    Alias, Backend as _, Definition, EnqueueMany, EnqueueOne, Notice, Notices, Result, TaskContext,
    UniqueHash,
    backend::{DefinitionKey, Enqueued, NewTask, Settlement},
    within::{self, Completed, Completion, EnqueueIn, Enqueueing, Wake},
};

use crate::{
    backend::MysqlBackend, convert::seqs_of, error::is_duplicate, lent::Lent, link::Link, write,
};

/// Enqueues inside a transaction of yours: your rows and the task are committed together, or not at
/// all.
///
/// ```no_run
/// # use taskstore_core::{self as taskstore, TaskKey};
/// # struct SendEmail;
/// # impl TaskKey for SendEmail { const KEY: &'static str = "email.send"; type Args = String; }
/// # async fn example(store: taskstore_core::Store) -> Result<(), Box<dyn std::error::Error>> {
/// use taskstore_mysql::{Within as _, mysql_async}; // taskstore::mysql in a program
/// use mysql_async::{TxOpts, prelude::Queryable as _};
///
/// let mut connection = mysql_async::Conn::from_url("mysql://app:secret@localhost/shop").await?;
/// let mut transaction = connection.start_transaction(TxOpts::default()).await?;
/// transaction.exec_drop("INSERT INTO customer VALUES (?)", ("ada@example.org",)).await?;
/// let notice =
///     store.enqueue::<SendEmail>("ada@example.org".into()).queue("mail").within(&mut transaction).await?;
/// transaction.commit().await?;
/// notice.send();
/// # Ok(())
/// # }
/// ```
///
/// Six statements go over your connection, and nine for a task with a unique key, which is also looked
/// for on a connection of the store's. Each is prepared when a connection first runs it.
///
/// Others go on as long as your transaction is open. Only who enqueues with the same new key waits for it,
/// and who changes or deletes the kind of task.
pub trait Within: Enqueueing {
    /// Stores it in the transaction that is open on this connection to the store's own database, at
    /// any isolation level, checked like any enqueue. It has the options of the builder.
    ///
    /// Changes what `LAST_INSERT_ID()` says. If this is dropped before it has answered, roll back and close
    /// the connection. A unique key that another open transaction has taken is waited for as long as the
    /// connection waits for any lock.
    ///
    /// # Errors
    /// Nothing of it is stored, and the transaction can go on. What awaiting the builder says, and
    /// [`Invalid`](taskstore_core::Error::Invalid) with field `transaction`: none is open on this
    /// connection, it only reads, or it is in another database; with field `store`: the store is not in
    /// a MySQL database.
    /// [`Unavailable`](taskstore_core::Error::Unavailable): after a deadlock the server has rolled back
    /// the whole transaction, and the error says so: begin anew.
    fn within<T: Queryable>(
        self,
        transaction: &mut T,
    ) -> impl Future<Output = Result<Self::Notice>> + Send;
}

impl Within for EnqueueOne {
    async fn within<T: Queryable>(self, transaction: &mut T) -> Result<Notice> {
        put(self, transaction).await
    }
}

impl Within for EnqueueMany {
    async fn within<T: Queryable>(self, transaction: &mut T) -> Result<Notices> {
        put(self, transaction).await
    }
}

async fn put<E: Enqueueing + Clone>(enqueue: E, link: &mut dyn Link) -> Result<E::Notice> {
    let store = enqueue.store().clone();
    let backend = MysqlBackend::of(&store)?;
    let mut looks_elsewhere = false;
    loop {
        let lent = Lent::open(backend, link).await?;
        let mut theirs = Theirs { backend, lent, looks_elsewhere };
        let done = enqueue.clone().put_in(&mut theirs, wake).await;
        match theirs.lent.close(done).await {
            // Somebody has stored it since the caller's snapshot was taken.
            Err(error) if is_duplicate(&error) && !looks_elsewhere => looks_elsewhere = true,
            answer => return answer,
        }
    }
}

/// Ends a handler's task inside a transaction of the handler's: what the handler has done and that
/// its task is done are committed together, or not at all. So the handler's effect on this database
/// happens exactly once, whatever crashes.
///
/// ```no_run
/// # use taskstore_core::{Store, TaskContext, TaskHandler, TaskResult};
/// use taskstore_mysql::{CompleteWithin as _, mysql_async}; // taskstore::mysql in a program
/// use mysql_async::{TxOpts, prelude::Queryable as _};
/// # struct Pay { pool: mysql_async::Pool }
/// # impl TaskHandler for Pay {
/// # const ALIAS: &'static str = "pay";
/// # type Params = i64;
/// # type Output = i64;
/// # async fn run(&self, ctx: TaskContext, cents: i64) -> TaskResult<i64> {
/// let mut connection = self.pool.get_conn().await?;
/// let mut transaction = connection.start_transaction(TxOpts::default()).await?;
/// transaction.exec_drop("UPDATE account SET cents = cents - ?", (cents,)).await?;
/// let left: Option<i64> = transaction.query_first("SELECT cents FROM account").await?;
/// let left = left.unwrap_or_default();
/// let completion = ctx.complete_within(&mut transaction, left).await?;
/// transaction.commit().await?;
/// completion.committed();
/// Ok(left)
/// # }}
/// ```
///
/// A task that was claimed together with others is first given a lease of its own, in a transaction of
/// the store's. So nobody else waits for yours, however long it stays open. Seven statements and more go
/// over your connection.
pub trait CompleteWithin {
    /// Ends the task of this run as a success, with this output, in the transaction that is open on
    /// this connection to the store's own database. `()` is no output. What the handler has logged by
    /// then is stored with it, and what it logs later is not.
    ///
    /// If the transaction is rolled back, the task ends as the handler says, as usual; if it has
    /// committed, the task is a success, whatever the handler says. Say
    /// [`committed`](Completion::committed) then. A run without a queue has no task: there it does
    /// nothing.
    ///
    /// # Errors
    /// Nothing is stored. Roll back, and return the error:
    /// [`LeaseLost`](taskstore_core::Error::LeaseLost): another runner has the task, and does its work.
    /// [`InvalidTransition`](taskstore_core::Error::InvalidTransition): an earlier transaction of this
    /// run has committed the end of the task, although the handler may have heard an error.
    /// [`Invalid`](taskstore_core::Error::Invalid) with field `output`: no JSON, or above 1 MiB; with
    /// field `transaction` or `store` as [`Within::within`].
    /// [`Unavailable`](taskstore_core::Error::Unavailable): a deadlock, a lock that was not given, or a
    /// server that is away.
    fn complete_within<T: Queryable>(
        &self,
        transaction: &mut T,
        output: impl Serialize,
    ) -> impl Future<Output = Result<Completion>> + Send;
}

impl CompleteWithin for TaskContext {
    fn complete_within<T: Queryable>(
        &self,
        transaction: &mut T,
        output: impl Serialize,
    ) -> impl Future<Output = Result<Completion>> + Send {
        // At once, so that the output need not be sent to another thread.
        let output = within::output(&output);
        async move {
            let output = output?;
            within::isolate(self).await?;
            within::complete(self, output, async |settlement| {
                let backend = MysqlBackend::of(self.store())?;
                let completed = complete(backend, &settlement, transaction).await?;
                if let Completed::Lost | Completed::Before(_) = completed {
                    tracing::debug!(task = %self.id(), ?completed, "not completed");
                }
                Ok(completed)
            })
            .await
        }
    }
}

async fn complete(
    backend: &MysqlBackend,
    settlement: &Settlement,
    link: &mut dyn Link,
) -> Result<Completed> {
    // A lease that is gone is not sought in the caller's transaction.
    let before = backend
        .pool()
        .write("complete", settlement, |s, settlement| Box::pin(write::before(s, settlement)))
        .await?;
    if let Some(before) = before {
        return Ok(before);
    }
    let mut lent = Lent::open(backend, link).await?;
    let now = lent.now;
    let done = write::complete(&mut lent.session, settlement, now).await;
    lent.close(done).await
}

/// A transaction of somebody else's.
struct Theirs<'b, 'c> {
    backend: &'b MysqlBackend,
    lent: Lent<'c>,
    /// Whether the store's own connections are asked which tasks are stored.
    looks_elsewhere: bool,
}

impl EnqueueIn for Theirs<'_, '_> {
    async fn definition(&mut self, alias: &Alias) -> Result<Option<Definition>> {
        // The caller's snapshot may be older than it.
        self.backend.definition(&DefinitionKey::Alias(alias.clone())).await
    }

    async fn enqueue(&mut self, tasks: &[NewTask]) -> Result<Vec<Enqueued>> {
        let elsewhere = self.look_elsewhere(tasks).await?;
        let now = self.lent.now;
        write::enqueue_at(&mut self.lent.session, tasks, now, &elsewhere).await
    }
}

impl Theirs<'_, '_> {
    /// What is committed. A key that is held is not locked here: its holder could not end before the
    /// caller's transaction does. A snapshot may be old, so it is not believed alone; but what this
    /// transaction itself has taken or freed it alone sees.
    async fn look_elsewhere(&mut self, tasks: &[NewTask]) -> Result<write::Elsewhere> {
        let mut elsewhere = write::Elsewhere::default();
        let pool = self.backend.pool();
        if self.looks_elsewhere {
            let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
            let found = pool
                .read("enqueue", &ids, |s, ids| Box::pin(seqs_of(s, ids.iter().copied())))
                .await?;
            elsewhere.stored = found.into_keys().collect();
        }
        let keys: HashSet<[u8; 32]> = tasks.iter().filter_map(|t| Some(t.unique?.0)).collect();
        if keys.is_empty() {
            return Ok(elsewhere);
        }
        let keys: Vec<_> = keys.into_iter().map(UniqueHash).collect();
        let session = &mut self.lent.session;
        let (seen, now) = tokio::join!(
            write::held(session, &keys),
            pool.read("enqueue", &keys, |s, keys| Box::pin(write::held(s, keys)))
        );
        let (seen, now) = (seen?, now?);
        elsewhere.held.extend(now.iter().filter(|(key, id)| seen.get(key) == Some(id)));
        // Taken since the snapshot, or freed by this transaction: then it sees the task that had it.
        let news: Vec<_> = now.into_iter().filter(|(key, _)| !seen.contains_key(key)).collect();
        if !news.is_empty() {
            let known = seqs_of(session, news.iter().map(|(_, id)| *id)).await?;
            elsewhere.held.extend(news.into_iter().filter(|(_, id)| !known.contains_key(id)));
        }
        Ok(elsewhere)
    }
}

/// Tells those who wait in this process what came into their queues.
fn wake(theirs: &mut Theirs<'_, '_>) -> Wake {
    let (wakeups, news) = (theirs.backend.wakeups().clone(), theirs.lent.session.take_news());
    Box::new(move || wakeups.publish(&news))
}
