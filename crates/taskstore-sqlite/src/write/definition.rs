//! Definitions are stored whole.

use taskstore_core::{
    Definition, DefinitionId, DefinitionStatus, Error, Result, backend::Expect, clock,
};

use crate::{error::is_constraint, session::Session, sql::Sql};

/// Stores a definition, if it is as the caller believes.
pub(crate) fn put_definition(
    session: &Session<'_>,
    definition: &Definition,
    expect: Expect,
) -> Result<()> {
    session.forget_definitions();
    let id = definition.id.to_string();
    let status = i64::from(definition.status == DefinitionStatus::Canceled);
    let row = rusqlite::params![
        id,
        definition.alias.as_str(),
        definition.title,
        definition.description,
        definition.memo,
        status,
        clock::to_micros(definition.created_at),
        clock::to_micros(definition.updated_at),
        definition.deleted_at.map(clock::to_micros),
    ];
    let stored = match expect {
        Expect::Absent => session.execute(Sql::DefinitionInsert, row),
        Expect::Unchanged { updated_at } => {
            let guard = clock::to_micros(updated_at);
            let mut with_guard = row.to_vec();
            with_guard.push(&guard);
            session.execute(Sql::DefinitionUpdate, with_guard.as_slice())
        }
    };
    match stored {
        Ok(0) => Err(Error::not_found("task definition", &id)),
        Ok(_) => Ok(()),
        Err(error) if is_constraint(&error) => Err(taken(session, definition)?),
        Err(error) => Err(error),
    }
}

/// Removes a definition that no live task needs. Its row stays for the tasks that have ended.
pub(crate) fn delete_definition(session: &Session<'_>, id: DefinitionId, now: i64) -> Result<()> {
    session.forget_definitions();
    let key = id.to_string();
    // One lock serves the file: what is seen here is so until the end of the transaction.
    let needed = session.statements.first(Sql::DefinitionInUse, [&key], |row| row.get(0))?;
    match needed {
        None => Err(Error::not_found("task definition", &id)),
        Some(true) => Err(Error::definition_in_use(&id)),
        Some(false) => session.execute(Sql::DefinitionDelete, (&key, now)).map(|_| ()),
    }
}

/// What is there already: the id, or else the alias.
fn taken(session: &Session<'_>, definition: &Definition) -> Result<Error> {
    let id = definition.id.to_string();
    let holder: Option<String> =
        session
            .statements
            .first(Sql::DefinitionByAlias, [definition.alias.as_str()], |row| row.get(0))?;
    Ok(match holder {
        Some(holder) if holder != id => {
            Error::already_exists("task definition", definition.alias.as_str())
        }
        _ => Error::already_exists("task definition", &id),
    })
}
