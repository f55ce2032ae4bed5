//! Tasks on their way in.

use std::collections::HashMap;

use taskstore_core::{
    DefinitionId, Error, Result, TaskId, UniqueHash,
    backend::{Enqueued, NewTask, When},
    clock,
};

use super::place::Spot;
use crate::{
    convert::{later, micros},
    session::Session,
    sql::Sql,
};

/// Stores tasks. An error leaves nothing of the request, because the transaction undoes it.
pub(crate) fn enqueue(session: &Session<'_>, tasks: &[NewTask], now: i64) -> Result<Vec<Enqueued>> {
    let definitions = definitions_of(session, tasks)?;
    tasks
        .iter()
        .map(|task| match definitions.get(&task.definition).copied().flatten() {
            Some(definition) => store(session, task, definition, now),
            // It is there already, or `definitions_of` would have failed.
            None => Ok(Enqueued::Stored),
        })
        .collect()
}

/// The key of each task's definition inside the file. `None`: its tasks cannot be stored any more,
/// but all of them are sent again.
fn definitions_of(
    session: &Session<'_>,
    tasks: &[NewTask],
) -> Result<HashMap<DefinitionId, Option<i64>>> {
    let mut found: HashMap<DefinitionId, Option<i64>> = HashMap::new();
    for task in tasks {
        let key = match found.get(&task.definition) {
            Some(Some(_)) => continue,
            Some(None) => None,
            None => session.definitions(|known| {
                Ok(known.get(task.definition).filter(|d| d.active && !d.deleted).map(|d| d.seq))
            })?,
        };
        if key.is_none() && !is_stored(session, task.id)? {
            return Err(refused(session, task.definition)?);
        }
        found.insert(task.definition, key);
    }
    Ok(found)
}

fn refused(session: &Session<'_>, id: DefinitionId) -> Result<Error> {
    session.definitions(|known| {
        Ok(match known.get(id).filter(|definition| !definition.deleted) {
            Some(_) => Error::invalid("task definition", format!("{id} is canceled")),
            None => Error::not_found("task definition", &id),
        })
    })
}

fn is_stored(session: &Session<'_>, id: TaskId) -> Result<bool> {
    session.statements.finds(Sql::TaskSeq, [id.to_string()])
}

fn store(session: &Session<'_>, task: &NewTask, definition: i64, now: i64) -> Result<Enqueued> {
    if let Some(key) = task.unique
        && let Some(holder) = holder_of(session, key)?
    {
        let again = holder == task.id || is_stored(session, task.id)?;
        return Ok(if again { Enqueued::Stored } else { Enqueued::Duplicate(holder) });
    }
    let run_at = time_of(task.when, now);
    let record = (
        task.id.to_string(),
        task.queue.as_str(),
        definition,
        task.priority,
        run_at,
        task.unique.map(|key| key.0),
        task.max_attempts.unwrap_or_default(),
        now,
    );
    if session.execute(Sql::EnqueueRecord, record)? == 0 {
        return Ok(Enqueued::Stored);
    }
    let seq = session.statements.connection().last_insert_rowid();
    let expires_at = task.expires.map(|when| time_of(when, now));
    let payload = (seq, task.parameters.get(), expires_at, task.timeout.map(micros));
    session.execute(Sql::PayloadInsert, payload)?;
    if let Some(key) = task.unique {
        session.execute(Sql::UniqueInsert, (key.0, seq))?;
    }
    let spot = Spot {
        task: seq,
        definition,
        queue: task.queue.clone(),
        priority: task.priority.into(),
        run_at,
    };
    spot.place(session, now)?;
    Ok(Enqueued::Stored)
}

/// The time that is meant.
pub(crate) fn time_of(when: When, now: i64) -> i64 {
    match when {
        When::Now => now,
        When::After(delay) => later(now, delay),
        When::At(at) => clock::to_micros(at),
    }
}

/// The live task that holds this key.
pub(crate) fn holder_of(session: &Session<'_>, key: UniqueHash) -> Result<Option<TaskId>> {
    let id: Option<String> =
        session.statements.first(Sql::UniqueHolder, [key.0], |row| row.get(0))?;
    id.map(|id| id.parse()).transpose()
}
