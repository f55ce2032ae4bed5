//! Definitions.

use taskstore_core::{
    Alias, Definition, DefinitionId, DefinitionStatus, Error, Result,
    backend::{Cursor, DefinitionKey, DefinitionQuery, Page},
    clock,
};

use crate::{
    convert::time,
    session::{Row, Session, values},
    sql::Sql,
};

/// The definition with this key.
pub(crate) async fn definition(
    session: &mut Session<'_>,
    key: &DefinitionKey,
) -> Result<Option<Definition>> {
    match key {
        DefinitionKey::Id(id) => {
            session.first(Sql::DefinitionById, values![id.to_string()], read).await
        }
        DefinitionKey::Alias(alias) => {
            session.first(Sql::DefinitionByAlias, values![alias.as_str()], read).await
        }
    }
}

/// A page of definitions, in the order of their ids, which is that of their making.
pub(crate) async fn definitions(
    session: &mut Session<'_>,
    query: &DefinitionQuery,
) -> Result<Page<Definition>> {
    let after = match &query.after {
        None => String::new(),
        Some(Cursor(text)) => text
            .parse::<DefinitionId>()
            .map_err(|_| Error::invalid("cursor", "it does not come from a page of definitions"))?
            .to_string(),
    };
    let one_more = u64::from(query.limit) + 1;
    let mut items =
        session.all(Sql::Definitions, values![after, query.with_deleted, one_more], read).await?;
    let has_more = items.len() > query.limit as usize;
    items.truncate(query.limit as usize);
    let next = items.last().filter(|_| has_more).map(|last| Cursor(last.id.to_string()));
    Ok(Page { items, next })
}

/// The columns of the definition statements.
fn read(row: &Row) -> Result<Definition> {
    let active = row.get::<i64>(5)? == 0;
    Ok(Definition {
        id: row.text(0)?.parse()?,
        alias: Alias::new(&row.text(1)?)?,
        title: row.text(2)?,
        description: row.text(3)?,
        memo: row.text(4)?,
        status: if active { DefinitionStatus::Active } else { DefinitionStatus::Canceled },
        created_at: clock::from_micros(row.get(6)?),
        updated_at: clock::from_micros(row.get(7)?),
        deleted_at: time(row.get(8)?).map(clock::from_micros),
    })
}
