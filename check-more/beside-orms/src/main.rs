//! taskstore links into one program with sqlx, diesel and sea-orm, each of them reads its tasks, and each
//! enqueues one in a transaction of its own. sqlx does it on PostgreSQL, too, where there is a server.

mod mysql;
mod postgres;

use std::error::Error;

use diesel::{
    Connection as _, QueryResult, RunQueryDsl as _, SqliteConnection, query_builder::BoxedSqlQuery,
    sql_query,
    sql_types::{BigInt, Binary, Double, Nullable, Text},
    sqlite::Sqlite,
};
use sea_orm::{ConnectionTrait as _, Statement, TransactionTrait as _, Value};
use taskstore::{EnqueueOne, SqlValue, sqlite::ToSql as _};

const QUERY: &str =
    "SELECT alias || ' ' || status || ' ' || output || ' ' || sqlite_version() AS said FROM task";

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    said: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tasks.db").display().to_string();
    let url = format!("sqlite://{file}");

    let store = taskstore::connect(&url).await?;
    store.migrate().await?;
    store.register_fn("double", |_, number: u32| async move { Ok(number * 2) }).await?;
    store.enqueue_by_alias("default", "double", 21).await?;
    store.runner().run_once().await?;

    let pool = sqlx::SqlitePool::connect(&url).await?;
    let by_sqlx: String = sqlx::query_scalar(QUERY).fetch_one(&pool).await?;

    let mut connection = diesel::SqliteConnection::establish(&file)?;
    let by_diesel = sql_query(QUERY).get_result::<Row>(&mut connection)?.said;

    let database = sea_orm::Database::connect(&url).await?;
    let statement = sea_orm::Statement::from_string(database.get_database_backend(), QUERY);
    let row = database.query_one(statement).await?.ok_or("sea-orm found no task")?;
    let by_sea_orm: String = row.try_get("", "said")?;

    enqueue_in_their_transactions(&store, &pool, &mut connection, &database).await?;
    mysql::enqueue().await?;
    match std::env::var("TASKSTORE_TEST_POSTGRES_URL") {
        Ok(url) => postgres::enqueue_in_their_transactions(&url).await?,
        Err(_) => println!("on PostgreSQL: TASKSTORE_TEST_POSTGRES_URL names no server"),
    }

    println!("sqlx:    {by_sqlx}\ndiesel:  {by_diesel}\nsea-orm: {by_sea_orm}");
    let expected = "double success 42 ";
    if by_sqlx.starts_with(expected) && by_sqlx == by_diesel && by_sqlx == by_sea_orm {
        Ok(())
    } else {
        Err(format!("each should say {expected}and the same version").into())
    }
}

/// Each driver enqueues in a transaction that is rolled back and in one that is committed.
async fn enqueue_in_their_transactions(
    store: &taskstore::Store,
    pool: &sqlx::SqlitePool,
    connection: &mut SqliteConnection,
    database: &sea_orm::DatabaseConnection,
) -> Result<(), Box<dyn Error>> {
    // With all kinds of values.
    let enqueue = |number: u32| {
        let task = store.enqueue_by_alias("theirs", "double", number);
        task.priority(-1).timeout(std::time::Duration::from_millis(1500)).unique(number.to_string())
    };
    for commit in [false, true] {
        let mut transaction = pool.begin().await?;
        by_sqlx(&mut transaction, enqueue(1)).await?;
        if commit { transaction.commit().await? } else { transaction.rollback().await? }

        let task = enqueue(2).to_sql().await?.into_parts();
        let done = connection.immediate_transaction(|connection| {
            by_diesel(connection, task)?;
            if commit { Ok(()) } else { Err(diesel::result::Error::RollbackTransaction) }
        });
        assert_eq!(done.is_ok(), commit, "{done:?}");

        let transaction = database.begin().await?;
        by_sea_orm(&transaction, enqueue(3)).await?;
        if commit { transaction.commit().await? } else { transaction.rollback().await? }

        let expected = if commit { "3 succeeded" } else { "nothing ran" };
        let summary = store.runner().queue("theirs").run_once().await?.to_string();
        println!("in their transactions: {summary}");
        if summary != expected {
            return Err(format!("{expected} was expected, not {summary}").into());
        }
    }
    Ok(())
}

async fn by_sqlx(
    transaction: &mut sqlx::SqliteTransaction<'_>,
    task: EnqueueOne,
) -> Result<(), Box<dyn Error>> {
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

fn by_diesel(
    connection: &mut SqliteConnection,
    (text, values): (String, Vec<SqlValue>),
) -> QueryResult<()> {
    let mut query: BoxedSqlQuery<'_, Sqlite, _> = sql_query(text).into_boxed();
    for value in values {
        query = match value {
            SqlValue::Null => query.bind::<Nullable<Text>, _>(None::<String>),
            SqlValue::Integer(number) => query.bind::<BigInt, _>(number),
            SqlValue::Real(number) => query.bind::<Double, _>(number),
            SqlValue::Text(text) => query.bind::<Text, _>(text),
            SqlValue::Blob(bytes) => query.bind::<Binary, _>(bytes),
        };
    }
    query.execute(connection).map(drop)
}

async fn by_sea_orm(
    transaction: &sea_orm::DatabaseTransaction,
    task: EnqueueOne,
) -> Result<(), Box<dyn Error>> {
    let (text, values) = task.to_sql().await?.into_parts();
    let values = values.into_iter().map(|value| match value {
        SqlValue::Null => Value::String(None),
        SqlValue::Integer(number) => number.into(),
        SqlValue::Real(number) => number.into(),
        SqlValue::Text(text) => text.into(),
        SqlValue::Blob(bytes) => bytes.into(),
    });
    let backend = transaction.get_database_backend();
    transaction.execute(Statement::from_sql_and_values(backend, text, values)).await?;
    Ok(())
}
