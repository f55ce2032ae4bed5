//! Where the store is, for work on connections that it did not open: those have other settings, and
//! may be to somewhere else.

use std::sync::Arc;

use taskstore_core::Result;
use tokio_postgres::types::Type;

use crate::{
    error::{Mapped, no_tables},
    session::Session,
    sql::{Sql, Texts},
};

/// What is run in transactions of callers'. Their connections keep no statement of ours, so the types
/// of the values are sent along, which saves the round trip of a preparation.
const WITHIN: &[Sql] = &[
    Sql::WithinBegin,
    Sql::DefinitionByAlias,
    Sql::DefinitionById,
    Sql::Enqueue,
    Sql::EnqueueExisting,
    Sql::UniqueDelete,
    Sql::UniqueHeal,
    Sql::Settle,
    Sql::SettledBefore,
    Sql::LogInsert,
    Sql::LogTrim,
];

/// The store's own place.
#[derive(Debug)]
pub(crate) struct Home {
    place: Place,
    /// With the schema before every name.
    texts: Texts,
    types: Vec<(Sql, Vec<Type>)>,
}

/// A database of a server that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// When it was started, which no two servers have in common.
    pub(crate) server: i64,
    pub(crate) database: i64,
}

impl Home {
    /// Asks on a connection of the store's own.
    pub(crate) async fn look(session: &Session) -> Result<Arc<Self>> {
        let row = session.first(Sql::Home, &[]).await?.ok_or_else(no_tables)?;
        let schema: Option<&str> = row.try_get(2).mapped()?;
        let types = session.types(WITHIN).await?;
        Ok(Arc::new(Self {
            place: Place { server: row.try_get(0).mapped()?, database: row.try_get(1).mapped()? },
            texts: session.texts().in_schema(schema.ok_or_else(no_tables)?),
            types: WITHIN.iter().copied().zip(types).collect(),
        }))
    }

    pub(crate) fn is(&self, place: Place) -> bool {
        self.place == place
    }

    /// The text of a statement that finds the store's tables from any connection.
    pub(crate) fn text(&self, sql: Sql) -> &str {
        self.texts.get(sql)
    }

    /// The types of its values.
    pub(crate) fn types(&self, sql: Sql) -> &[Type] {
        self.types.iter().find(|(of, _)| *of == sql).map_or(&[], |(_, types)| types)
    }
}
