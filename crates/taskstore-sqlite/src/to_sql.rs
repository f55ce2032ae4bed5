//! An enqueue as a statement, for drivers that this crate does not know.

use std::{future::Future, time::Duration};

use taskstore_core::{
    EnqueueOne, Result, UniqueHash,
    backend::{NewTask, When},
    clock,
    within::{self, EnqueueSql, SqlValue},
};

use crate::{backend::SqliteBackend, sql::Sql};

/// Gives an enqueue as a statement and the values to bind, for whoever has another driver (sqlx,
/// diesel, sea-orm) and wants the task in their own transaction.
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
/// use taskstore_sqlite::ToSql as _; // taskstore::sqlite in a program
///
/// let enqueue = store.enqueue::<SendEmail>("ada@example.org".into()).queue("mail").to_sql().await?;
/// assert!(enqueue.text().contains("INSERT INTO task_enqueue"));
/// assert_eq!(enqueue.values().len(), 12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It is an INSERT into the view `task_enqueue`, with `?` as placeholders, and may be sent again: a
/// task that is there, or whose unique key another live task holds, is left out without an error.
/// Runners of all processes hear of it by the file.
pub trait ToSql {
    /// Checks everything but that the definition is still there when the statement runs, which the
    /// statement checks itself.
    ///
    /// # Errors
    /// As awaiting the builder; [`Invalid`](taskstore_core::Error::Invalid) with field `store`: the
    /// store is not in a SQLite file.
    fn to_sql(self) -> impl Future<Output = Result<EnqueueSql>> + Send;
}

impl ToSql for EnqueueOne {
    async fn to_sql(self) -> Result<EnqueueSql> {
        let store = within::Enqueueing::store(&self).clone();
        let backend = SqliteBackend::of(&store)?;
        let (alias, task) = within::checked(self).await?;
        let id = task.id;
        let text = backend.texts().get(Sql::EnqueuePlain).to_owned();
        Ok(EnqueueSql::new(id, text, values(alias.as_str(), &task)))
    }
}

fn values(alias: &str, task: &NewTask) -> Vec<SqlValue> {
    let (delay, run_at) = time(Some(task.when));
    let (expires_in, expires_at) = time(task.expires);
    let text = |text: &str| SqlValue::Text(text.to_owned());
    vec![
        text(&task.id.to_string()),
        text(alias),
        text(task.parameters.get()),
        text(task.queue.as_str()),
        SqlValue::Integer(task.priority.into()),
        delay,
        run_at,
        task.max_attempts.map_or(SqlValue::Null, |most| SqlValue::Integer(most.into())),
        expires_in,
        expires_at,
        task.timeout.map_or(SqlValue::Null, seconds),
        task.unique.map_or(SqlValue::Null, |UniqueHash(hash)| SqlValue::Blob(hash.to_vec())),
    ]
}

/// The two columns of a time: from now, and by the calendar.
fn time(when: Option<When>) -> (SqlValue, SqlValue) {
    match when {
        None | Some(When::Now) => (SqlValue::Null, SqlValue::Null),
        Some(When::After(delay)) => (seconds(delay), SqlValue::Null),
        Some(When::At(at)) => (SqlValue::Null, SqlValue::Text(clock::to_text(at))),
    }
}

fn seconds(length: Duration) -> SqlValue {
    SqlValue::Real(length.as_secs_f64())
}
