//! taskstore links into one program with sqlx, diesel and sea-orm, and each of them reads its tasks.

use std::error::Error;

use diesel::{Connection as _, RunQueryDsl as _, sql_query, sql_types::Text};
use sea_orm::ConnectionTrait as _;

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

    println!("sqlx:    {by_sqlx}\ndiesel:  {by_diesel}\nsea-orm: {by_sea_orm}");
    let expected = "double success 42 ";
    if by_sqlx.starts_with(expected) && by_sqlx == by_diesel && by_sqlx == by_sea_orm {
        Ok(())
    } else {
        Err(format!("each should say {expected}and the same version").into())
    }
}
