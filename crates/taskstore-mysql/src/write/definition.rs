//! Definitions are stored whole.
//!
//! Under the lock on the definition's row, which an enqueue and a requeue share: what is seen of its
//! tasks under it stays so until the end of the transaction.

use taskstore_core::{
    Definition, DefinitionId, DefinitionStatus, Error, Result, backend::Expect, clock,
};

use crate::{
    convert::NO_TIME,
    error::is_duplicate,
    session::{Session, values},
    sql::Sql,
};

/// Stores a definition, if it is as the caller believes.
pub(crate) async fn put_definition(
    session: &mut Session<'_>,
    definition: &Definition,
    expect: Expect,
) -> Result<()> {
    let id = definition.id.to_string();
    let status = i64::from(definition.status == DefinitionStatus::Canceled);
    let mut row = values![
        definition.alias.as_str(),
        &definition.title,
        &definition.description,
        &definition.memo,
        status,
        clock::to_micros(definition.created_at),
        clock::to_micros(definition.updated_at),
        definition.deleted_at.map_or(NO_TIME, clock::to_micros),
    ];
    let stored = match expect {
        Expect::Absent => {
            row.insert(0, id.as_str().into());
            session.execute(Sql::DefinitionInsert, row).await
        }
        Expect::Unchanged { updated_at } => {
            let is_unchanged = |known: &Known| known.updated_at == clock::to_micros(updated_at);
            if !lock(session, definition.id).await?.as_ref().is_some_and(is_unchanged) {
                return Err(Error::not_found("task definition", &id));
            }
            row.push(id.as_str().into());
            session.execute(Sql::DefinitionUpdate, row).await
        }
    };
    match stored {
        Err(error) if is_duplicate(&error) => Err(taken(session, definition).await?),
        stored => stored.map(|_| ()),
    }
}

/// Removes a definition that no live task needs. Its row stays for the tasks that have ended.
pub(crate) async fn delete_definition(session: &mut Session<'_>, id: DefinitionId) -> Result<()> {
    let Some(Known { seq, .. }) = lock(session, id).await? else {
        return Err(Error::not_found("task definition", &id));
    };
    let in_use = session
        .first(Sql::DefinitionInUse, values![seq, seq, seq, seq], |row| row.get::<bool>(0))
        .await?;
    if in_use.unwrap_or(true) {
        return Err(Error::definition_in_use(&id));
    }
    let now = session.now(None).await?;
    session.execute(Sql::DefinitionDelete, values![now, now, id.to_string()]).await.map(|_| ())
}

/// A definition that is there, and cannot change any more.
struct Known {
    seq: i64,
    updated_at: i64,
}

/// Locks a definition, unless it was deleted for good.
async fn lock(session: &mut Session<'_>, id: DefinitionId) -> Result<Option<Known>> {
    let known = session
        .first(Sql::DefinitionLock, values![id.to_string()], |row| {
            let known = Known { seq: row.get(0)?, updated_at: row.get(1)? };
            Ok(Some(known).filter(|_| row.get::<i64>(2).is_ok_and(|status| status < 2)))
        })
        .await?;
    Ok(known.flatten())
}

/// What is there already: the id, or else the alias.
async fn taken(session: &mut Session<'_>, definition: &Definition) -> Result<Error> {
    let id = definition.id.to_string();
    let alias = definition.alias.as_str();
    let holder = session.first(Sql::DefinitionByAlias, values![alias], |row| row.text(0)).await?;
    Ok(match holder {
        Some(holder) if holder != id => Error::already_exists("task definition", alias),
        _ => Error::already_exists("task definition", &id),
    })
}
