//! The same on MySQL or MariaDB, if `TASKSTORE_TEST_MYSQL_URL` names a server: sqlx enqueues in a transaction
//! of its own.

use std::error::Error;

use sqlx::{Connection as _, MySqlConnection, MySqlTransaction};
use taskstore::{EnqueueOne, SqlValue, mysql::ToSql as _};

/// In a database that goes with it.
pub(crate) async fn enqueue() -> Result<(), Box<dyn Error>> {
    let Some(server) = std::env::var("TASKSTORE_TEST_MYSQL_URL").ok().filter(|url| !url.is_empty())
    else {
        println!("mysql:   only built, for TASKSTORE_TEST_MYSQL_URL names no server");
        return Ok(());
    };
    let server = server.replacen("mariadb://", "mysql://", 1);
    let name = format!("beside_orms_{}", std::process::id());
    let mut person = MySqlConnection::connect(&server).await?;
    sqlx::query(&format!("CREATE DATABASE {name}")).execute(&mut person).await?;
    let (place, _) = server.rsplit_once('/').ok_or("the URL names no database")?;
    let done = in_transactions(&format!("{place}/{name}")).await;
    sqlx::query(&format!("DROP DATABASE {name}")).execute(&mut person).await?;
    done
}

async fn in_transactions(url: &str) -> Result<(), Box<dyn Error>> {
    let store = taskstore::connect(url).auto_migrate(true).await?;
    store.register_fn("double", |_, number: u32| async move { Ok(number * 2) }).await?;
    let mut connection = MySqlConnection::connect(url).await?;
    for commit in [false, true] {
        let mut transaction = connection.begin().await?;
        for number in 1..=2 {
            // With all kinds of values. The second is left out, for its key is held.
            let task = store.enqueue_by_alias("theirs", "double", number).priority(-1);
            let task = task.timeout(std::time::Duration::from_millis(1500)).unique("one");
            put(&mut transaction, task).await?;
        }
        if commit { transaction.commit().await? } else { transaction.rollback().await? }

        let expected = if commit { "1 succeeded" } else { "nothing ran" };
        let summary = store.runner().queue("theirs").run_once().await?.to_string();
        println!("in sqlx's transactions on MySQL: {summary}");
        if summary != expected {
            return Err(format!("{expected} was expected, not {summary}").into());
        }
    }
    let read = "SELECT CONVERT(CONCAT(alias,' ',status,' ',output) USING utf8mb4) FROM task";
    let said: String = sqlx::query_scalar(read).fetch_one(&mut connection).await?;
    if said != "double success 2" {
        return Err(format!("sqlx reads {said:?}").into());
    }
    Ok(connection.close().await?)
}

async fn put(transaction: &mut MySqlTransaction<'_>, task: EnqueueOne) -> Result<(), Box<dyn Error>> {
    let (text, values) = task.to_sql().await?.into_parts();
    let mut query = sqlx::query(&text);
    for value in values {
        query = match value {
            SqlValue::Null => query.bind(None::<String>),
            SqlValue::Integer(number) => query.bind(number),
            SqlValue::Real(number) => query.bind(number),
            SqlValue::Text(text) => query.bind(text),
            SqlValue::Blob(bytes) => query.bind(bytes),
        };
    }
    query.execute(&mut **transaction).await?;
    Ok(())
}
