//! Definitions are stored whole.

use taskstore_core::{
    Definition, DefinitionId, DefinitionStatus, Error, Result, backend::Expect, clock,
};

use crate::{
    convert::Uuid,
    error::{Mapped, is_unique_violation},
    session::Session,
    sql::Sql,
};

/// Stores a definition, if it is as the caller believes.
pub(crate) async fn put_definition(
    session: &Session,
    definition: &Definition,
    expect: Expect,
) -> Result<()> {
    let status = i16::from(definition.status == DefinitionStatus::Canceled);
    let (alias, title) = (definition.alias.as_str(), definition.title.as_str());
    let (description, memo) = (definition.description.as_str(), definition.memo.as_str());
    let created_at = clock::to_micros(definition.created_at);
    let updated_at = clock::to_micros(definition.updated_at);
    let deleted_at = definition.deleted_at.map(clock::to_micros);
    let id = Uuid::of(definition.id.ulid());
    match expect {
        Expect::Absent => {
            let row: &[crate::session::Param<'_>] = &[
                &id,
                &alias,
                &title,
                &description,
                &memo,
                &status,
                &created_at,
                &updated_at,
                &deleted_at,
            ];
            match session.execute(Sql::DefinitionInsert, row).await? {
                0 => Err(taken(session, definition).await?),
                _ => Ok(()),
            }
        }
        Expect::Unchanged { updated_at: was } => {
            let was = clock::to_micros(was);
            let row: &[crate::session::Param<'_>] = &[
                &id,
                &alias,
                &title,
                &description,
                &memo,
                &status,
                &created_at,
                &updated_at,
                &deleted_at,
                &was,
            ];
            match session.execute(Sql::DefinitionUpdate, row).await {
                Ok(0) => Err(Error::not_found("task definition", &definition.id)),
                Ok(_) => Ok(()),
                Err(error) if is_unique_violation(&error) => Err(taken(session, definition).await?),
                Err(error) => Err(error),
            }
        }
    }
}

/// Removes a definition that no live task needs. Its row stays for the tasks that have ended.
pub(crate) async fn delete_definition(session: &Session, id: DefinitionId) -> Result<()> {
    let (key, now) = (Uuid::of(id.ulid()), None::<i64>);
    let steps = [
        (Sql::DefinitionPatience, &[][..]),
        (Sql::DefinitionLock, &[][..]),
        (Sql::DefinitionInUse, &[&key as _][..]),
    ];
    let answers = session.together(true, &steps, false).await?;
    let row = answers.last().and_then(|rows| rows.first());
    match row.map(|row| row.try_get(0)).transpose().mapped()? {
        None => Err(Error::not_found("task definition", &id)),
        Some(true) => Err(Error::definition_in_use(&id)),
        Some(false) => {
            session.together(false, &[(Sql::DefinitionDelete, &[&key, &now])], true).await.map(drop)
        }
    }
}

/// What is there already: the id, or else the alias.
async fn taken(session: &Session, definition: &Definition) -> Result<Error> {
    let alias = definition.alias.as_str();
    let holder = session.first(Sql::DefinitionByAlias, &[&alias]).await?;
    let holder: Option<Uuid> = holder.map(|row| row.try_get(0)).transpose().mapped()?;
    Ok(match holder {
        Some(holder) if holder != Uuid::of(definition.id.ulid()) => {
            Error::already_exists("task definition", alias)
        }
        _ => Error::already_exists("task definition", &definition.id),
    })
}
