//! The same with sqlx on PostgreSQL, in a schema that is dropped at the end.

use std::{error::Error, time::Duration};

use taskstore::{EnqueueOne, SqlValue, postgres::ToSql as _};

const SCHEMA: &str = "taskstore_beside_orms";

/// Enqueues in a transaction that is rolled back and in one that is committed.
pub(crate) async fn enqueue_in_their_transactions(url: &str) -> Result<(), Box<dyn Error>> {
    let pool = sqlx::PgPool::connect(url).await?;
    sqlx::query(&format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")).execute(&pool).await?;
    sqlx::query(&format!("CREATE SCHEMA {SCHEMA}")).execute(&pool).await?;
    let and = if url.contains('?') { '&' } else { '?' };
    let store = taskstore::connect(format!("{url}{and}schema={SCHEMA}")).await?;
    store.migrate().await?;
    store.register_fn("double", |_, number: u32| async move { Ok(number * 2) }).await?;
    for commit in [false, true] {
        let mut transaction = pool.begin().await?;
        // With all kinds of values.
        let task = store.enqueue_by_alias("theirs", "double", 21).priority(-1).max_attempts(3);
        let task = task.timeout(Duration::from_millis(1500)).unique("21");
        by_sqlx(&mut transaction, task).await?;
        if commit { transaction.commit().await? } else { transaction.rollback().await? }
        let expected = if commit { "1 succeeded" } else { "nothing ran" };
        let summary = store.runner().queue("theirs").run_once().await?.to_string();
        println!("in a transaction on PostgreSQL: {summary}");
        if summary != expected {
            return Err(format!("{expected} was expected, not {summary}").into());
        }
    }
    sqlx::query(&format!("DROP SCHEMA {SCHEMA} CASCADE")).execute(&pool).await?;
    Ok(())
}

/// Every value is a text or NULL.
async fn by_sqlx(
    transaction: &mut sqlx::PgTransaction<'_>,
    task: EnqueueOne,
) -> Result<(), Box<dyn Error>> {
    let (text, values) = task.to_sql().await?.into_parts();
    let mut query = sqlx::query(&text);
    for value in values {
        query = match value {
            SqlValue::Text(text) => query.bind(Some(text)),
            _ => query.bind(None::<String>),
        };
    }
    query.execute(&mut **transaction).await?;
    Ok(())
}
