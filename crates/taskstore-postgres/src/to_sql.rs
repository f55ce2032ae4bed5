//! An enqueue as a statement, for drivers that this crate does not know.

use std::{fmt::Write as _, future::Future, time::Duration};

use taskstore_core::{
    EnqueueOne, Result, UniqueHash,
    backend::{NewTask, When},
    clock,
    within::{self, EnqueueSql, SqlValue},
};

use crate::{backend::PostgresBackend, sql::Sql};

/// Gives an enqueue as a statement and the values to bind, for whoever has another driver (sqlx,
/// diesel, sea-orm) and wants the task in their own transaction.
///
/// ```no_run
/// # use taskstore_core::{self as taskstore, SqlValue, TaskKey};
/// # struct SendEmail;
/// # impl TaskKey for SendEmail { const KEY: &'static str = "email.send"; type Args = String; }
/// # async fn example(store: taskstore::Store) -> taskstore::Result<()> {
/// use taskstore_postgres::ToSql as _; // taskstore::postgres in a program
///
/// let enqueue = store.enqueue::<SendEmail>("ada@example.org".into()).queue("mail").to_sql().await?;
/// println!("{}", enqueue.text()); // INSERT INTO public.task_enqueue(..) VALUES($1::text,..)
/// for value in enqueue.values() {
///     match value {
///         SqlValue::Text(text) => println!("{text}"),
///         _ => println!("NULL"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// It is an INSERT into the view `task_enqueue` of the store's schema, with `$1`, `$2` and so on as
/// placeholders; every value is a text or NULL. It may be sent again: a task that is there, or whose unique
/// key another live task holds, is left out without an error. Runners of all processes are notified when
/// it is committed.
pub trait ToSql {
    /// Checks everything but that the definition is still there when the statement runs, which the
    /// statement checks itself.
    ///
    /// # Errors
    /// As awaiting the builder; [`Invalid`](taskstore_core::Error::Invalid) with field `store`: the
    /// store is not in PostgreSQL.
    fn to_sql(self) -> impl Future<Output = Result<EnqueueSql>> + Send;
}

impl ToSql for EnqueueOne {
    async fn to_sql(self) -> Result<EnqueueSql> {
        let store = within::Enqueueing::store(&self).clone();
        let backend = PostgresBackend::of(&store)?;
        let (alias, task) = within::checked(self).await?;
        let home = backend.home().await?;
        let text = home.text(Sql::EnqueuePlain).to_owned();
        Ok(EnqueueSql::new(task.id, text, values(alias.as_str(), &task)))
    }
}

fn values(alias: &str, task: &NewTask) -> Vec<SqlValue> {
    let (delay, run_at) = time(Some(task.when));
    let (expires_in, expires_at) = time(task.expires);
    [
        Some(task.id.to_string()),
        Some(alias.to_owned()),
        Some(task.parameters.get().to_owned()),
        Some(task.queue.as_str().to_owned()),
        Some(task.priority.to_string()),
        delay,
        run_at,
        task.max_attempts.map(|most| most.to_string()),
        expires_in,
        expires_at,
        task.timeout.map(seconds),
        task.unique.as_ref().map(hex),
    ]
    .into_iter()
    .map(|text| text.map_or(SqlValue::Null, SqlValue::Text))
    .collect()
}

/// The two columns of a time: from now, and by the calendar.
fn time(when: Option<When>) -> (Option<String>, Option<String>) {
    match when {
        None | Some(When::Now) => (None, None),
        Some(When::After(delay)) => (Some(seconds(delay)), None),
        Some(When::At(at)) => (None, Some(clock::to_text(at))),
    }
}

fn seconds(length: Duration) -> String {
    format!("{}.{:09}", length.as_secs(), length.subsec_nanos())
}

fn hex(UniqueHash(hash): &UniqueHash) -> String {
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
