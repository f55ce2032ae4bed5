//! Definitions.

use rusqlite::Row;
use taskstore_core::{
    Alias, Definition, DefinitionId, DefinitionStatus, Error, Result,
    backend::{Cursor, DefinitionKey, DefinitionQuery, Page},
    clock,
};

use crate::{sql::Sql, statements::Statements};

/// The definition with this key.
pub(crate) fn definition(
    statements: &Statements<'_>,
    key: &DefinitionKey,
) -> Result<Option<Definition>> {
    let row = match key {
        DefinitionKey::Id(id) => {
            statements.first(Sql::DefinitionById, [id.to_string()], Columns::read)?
        }
        DefinitionKey::Alias(alias) => {
            statements.first(Sql::DefinitionByAlias, [alias.as_str()], Columns::read)?
        }
    };
    row.map(Columns::into).transpose()
}

/// A page of definitions, in the order of their ids, which is that of their making.
pub(crate) fn definitions(
    statements: &Statements<'_>,
    query: &DefinitionQuery,
) -> Result<Page<Definition>> {
    let after = match &query.after {
        None => String::new(),
        Some(Cursor(text)) => text
            .parse::<DefinitionId>()
            .map_err(|_| Error::invalid("cursor", "it does not come from a page of definitions"))?
            .to_string(),
    };
    let one_more = i64::from(query.limit) + 1;
    let rows =
        statements.all(Sql::Definitions, (after, one_more, query.with_deleted), Columns::read)?;
    let has_more = rows.len() > query.limit as usize;
    let items: Vec<Definition> =
        rows.into_iter().take(query.limit as usize).map(Columns::into).collect::<Result<_>>()?;
    let next = items.last().filter(|_| has_more).map(|last| Cursor(last.id.to_string()));
    Ok(Page { items, next })
}

/// The columns of the definition statements, in their order.
struct Columns {
    id: String,
    alias: String,
    title: String,
    description: String,
    memo: String,
    status: i64,
    created_at: i64,
    updated_at: i64,
    deleted_at: Option<i64>,
}

impl Columns {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            alias: row.get(1)?,
            title: row.get(2)?,
            description: row.get(3)?,
            memo: row.get(4)?,
            status: row.get(5)?,
            created_at: row.get(6)?,
            updated_at: row.get(7)?,
            deleted_at: row.get(8)?,
        })
    }

    fn into(self) -> Result<Definition> {
        let active = self.status == 0;
        Ok(Definition {
            id: self.id.parse()?,
            alias: Alias::new(&self.alias)?,
            title: self.title,
            description: self.description,
            memo: self.memo,
            status: if active { DefinitionStatus::Active } else { DefinitionStatus::Canceled },
            created_at: clock::from_micros(self.created_at),
            updated_at: clock::from_micros(self.updated_at),
            deleted_at: self.deleted_at.map(clock::from_micros),
        })
    }
}
