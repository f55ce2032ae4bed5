//! An enqueue as a statement, for drivers that this crate does not know.

use std::{future::Future, time::Duration};

use taskstore_core::{
    EnqueueOne, Error, Result, UniqueHash,
    backend::{NewTask, When},
    clock,
    within::{self, EnqueueSql, SqlValue},
};

use crate::{backend::MysqlBackend, sql::Sql};

/// Gives an enqueue as a statement and the values to bind, for whoever has another driver (sqlx,
/// diesel, sea-orm) and wants the task in their own transaction.
///
/// ```no_run
/// # use taskstore_core::{self as taskstore, TaskKey};
/// # struct SendEmail;
/// # impl TaskKey for SendEmail { const KEY: &'static str = "email.send"; type Args = String; }
/// # async fn example(store: taskstore_core::Store) -> taskstore_core::Result<()> {
/// use taskstore_mysql::ToSql as _; // taskstore::mysql in a program
///
/// let enqueue = store.enqueue::<SendEmail>("ada@example.org".into()).queue("mail").to_sql().await?;
/// assert!(enqueue.text().contains("INSERT INTO task_enqueue"));
/// assert_eq!(enqueue.values().len(), 12);
/// # Ok(())
/// # }
/// ```
///
/// It is an INSERT into the table `task_enqueue`, with `?` as placeholders, and may be sent again: a
/// task that is there, or whose unique key another live task holds, is left out without an error. A
/// runner hears of it when it next looks by itself.
///
/// Until your transaction ends, the live task with the same unique key cannot end; so send it last, and
/// commit soon. [`Within`](crate::Within) holds up nobody.
pub trait ToSql {
    /// Checks everything but that the definition is still there when the statement runs, which the
    /// statement checks itself.
    ///
    /// # Errors
    /// As awaiting the builder; [`Invalid`](taskstore_core::Error::Invalid) with field `store`: the
    /// store is not in a MySQL database, or its server did not allow the trigger that plain SQL needs.
    fn to_sql(self) -> impl Future<Output = Result<EnqueueSql>> + Send;
}

impl ToSql for EnqueueOne {
    async fn to_sql(self) -> Result<EnqueueSql> {
        let store = within::Enqueueing::store(&self).clone();
        let backend = MysqlBackend::of(&store)?;
        let (alias, task) = within::checked(self).await?;
        if !backend.has_plain_sql() {
            let reason = "it has no task_enqueue: its server did not allow the trigger";
            return Err(Error::invalid("store", reason));
        }
        let text = backend.texts().get(Sql::EnqueuePlain).to_owned();
        Ok(EnqueueSql::new(task.id, text, values(alias.as_str(), &task)))
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

/// As a text, which is exact; the server would write a number with an exponent.
fn seconds(length: Duration) -> SqlValue {
    SqlValue::Text(format!("{}.{:06}", length.as_secs(), length.subsec_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_exact() {
        let long = Duration::from_secs(3_153_600_000) - Duration::from_micros(1);
        assert_eq!(seconds(long), SqlValue::Text("3153599999.999999".into()));
        assert_eq!(seconds(Duration::from_micros(1)), SqlValue::Text("0.000001".into()));
    }
}
