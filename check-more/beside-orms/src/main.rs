//! taskstore-sqlite links into one program with sqlx, diesel and sea-orm, and they share a SQLite.

use std::error::Error;

use diesel::{Connection as _, RunQueryDsl as _, sql_query, sql_types::Text};
use sea_orm::ConnectionTrait as _;
use taskstore_sqlite as _;

const QUERY: &str = "SELECT sqlite_version() AS version";

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    version: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let pool = sqlx::SqlitePool::connect("sqlite::memory:").await?;
    let by_sqlx: String = sqlx::query_scalar(QUERY).fetch_one(&pool).await?;

    let mut connection = diesel::SqliteConnection::establish(":memory:")?;
    let by_diesel = sql_query(QUERY).get_result::<Row>(&mut connection)?.version;

    let database = sea_orm::Database::connect("sqlite::memory:").await?;
    let statement = sea_orm::Statement::from_string(database.get_database_backend(), QUERY);
    let row = database.query_one(statement).await?.ok_or("no row")?;
    let by_sea_orm: String = row.try_get("", "version")?;

    println!("sqlx {by_sqlx}, diesel {by_diesel}, sea-orm {by_sea_orm}");
    if by_sqlx != by_diesel || by_sqlx != by_sea_orm {
        return Err("they do not share one SQLite".into());
    }
    Ok(())
}
