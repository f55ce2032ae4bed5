//! How the server would run each statement: for tests, and not there in a release build.

use taskstore_core::{Error, Result};
use tokio_postgres::types::{FromSql, Type, accepts};

use crate::{error::Mapped, session::Session, sql::Sql};

/// The name of every statement, and its plan as JSON: the one that is kept, whatever is bound.
pub(crate) async fn of_statements(session: &Session) -> Result<Vec<[String; 2]>> {
    let mut plans = Vec::new();
    session.begin().await?;
    // Of a `LOCK TABLE` there is no plan.
    for (sql, name, _) in Sql::ALL.iter().filter(|(sql, ..)| *sql != Sql::DefinitionLock) {
        let named = |error| Error::backend(format!("{name}: {error}"));
        let text = session.texts().get(*sql);
        session.batch(&format!("PREPARE plan AS {text}")).await.map_err(named)?;
        plans.push([(*name).to_owned(), of_prepared(session).await.map_err(named)?]);
        session.batch("DEALLOCATE plan").await?;
    }
    session.commit().await?;
    Ok(plans)
}

async fn of_prepared(session: &Session) -> Result<String> {
    let count = "SELECT COALESCE(cardinality(parameter_types),0) FROM pg_prepared_statements WHERE name='plan'";
    let rows = session.rows_of(count, &[]).await?;
    let row = rows.first().ok_or_else(|| Error::backend("it was not prepared"))?;
    let values: i32 = row.try_get(0).mapped()?;
    let nulls = vec!["NULL"; usize::try_from(values).unwrap_or_default()].join(",");
    let values = if nulls.is_empty() { String::new() } else { format!("({nulls})") };
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE plan{values}");
    let rows = session.composed(&explain, &[]).await?;
    let lines = rows.iter().map(|row| Ok(row.try_get::<_, Json>(0).mapped()?.0));
    Ok(lines.collect::<Result<Vec<_>>>()?.concat())
}

/// A column of JSON as its text.
pub(crate) struct Json(pub(crate) String);

impl<'a> FromSql<'a> for Json {
    fn from_sql(
        _: &Type,
        raw: &'a [u8],
    ) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?.to_owned()))
    }

    accepts!(JSON);
}
