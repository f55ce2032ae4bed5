//! Definitions.

use taskstore_core::{
    Alias, Definition, DefinitionId, DefinitionStatus, Error, Result,
    backend::{Cursor, DefinitionKey, DefinitionQuery, Page},
    clock,
};
use tokio_postgres::Row;

use crate::{
    convert::Uuid,
    error::Mapped,
    session::{Run, Session},
    sql::Sql,
};

/// The definition with this key.
pub(crate) async fn definition(
    session: &impl Run,
    key: &DefinitionKey,
) -> Result<Option<Definition>> {
    let row = match key {
        DefinitionKey::Id(id) => {
            session.first(Sql::DefinitionById, &[&Uuid::of(id.ulid())]).await?
        }
        DefinitionKey::Alias(alias) => {
            session.first(Sql::DefinitionByAlias, &[&alias.as_str()]).await?
        }
    };
    row.as_ref().map(read).transpose()
}

/// A page of definitions, in the order of their ids, which is that of their making.
pub(crate) async fn definitions(
    session: &Session,
    query: &DefinitionQuery,
) -> Result<Page<Definition>> {
    let after = match &query.after {
        None => Uuid([0; 16]),
        Some(Cursor(text)) => {
            let id: DefinitionId = text.parse().map_err(|_| {
                Error::invalid("cursor", "it does not come from a page of definitions")
            })?;
            Uuid::of(id.ulid())
        }
    };
    let one_more = i64::from(query.limit) + 1;
    let rows = session.rows(Sql::Definitions, &[&after, &one_more, &query.with_deleted]).await?;
    let has_more = rows.len() > query.limit as usize;
    let items: Vec<Definition> =
        rows.iter().take(query.limit as usize).map(read).collect::<Result<_>>()?;
    let next = items.last().filter(|_| has_more).map(|last| Cursor(last.id.to_string()));
    Ok(Page { items, next })
}

/// The columns of the definition statements, in their order.
fn read(row: &Row) -> Result<Definition> {
    let time = |column| row.try_get::<_, i64>(column).mapped().map(clock::from_micros);
    let active = row.try_get::<_, i16>(5).mapped()? == 0;
    Ok(Definition {
        id: row.try_get::<_, Uuid>(0).mapped()?.id(),
        alias: Alias::new(row.try_get::<_, &str>(1).mapped()?)?,
        title: row.try_get(2).mapped()?,
        description: row.try_get(3).mapped()?,
        memo: row.try_get(4).mapped()?,
        status: if active { DefinitionStatus::Active } else { DefinitionStatus::Canceled },
        created_at: time(6)?,
        updated_at: time(7)?,
        deleted_at: row.try_get::<_, Option<i64>>(8).mapped()?.map(clock::from_micros),
    })
}
