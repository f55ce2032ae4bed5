//! Tasks on their way in.

use std::collections::HashMap;

use taskstore_core::{
    DefinitionId, DefinitionStatus, Error, Result, TaskId,
    backend::{Enqueued, NewTask, When},
    clock,
};

use crate::{
    definition::DefinitionRow,
    record::{Record, State},
    tx::Tx,
};

/// When that is, as the time of a task is counted.
pub fn time_of(when: When, now: i64) -> i64 {
    match when {
        When::Now => now,
        When::After(delay) => clock::to_micros(clock::add(clock::from_micros(now), delay)),
        When::At(at) => clock::to_micros(at),
    }
}

pub fn enqueue(tx: &mut Tx<'_>, tasks: &[NewTask], now: i64) -> Result<Vec<Enqueued>> {
    let mut checked = HashMap::new();
    let mut next = tx.meta.get("next", |next| next)?.unwrap_or(0);
    let answers = tasks
        .iter()
        .map(|task| {
            if tx.record_of(task.id)?.is_some() {
                return Ok(Enqueued::Stored);
            }
            if checked.insert(task.definition, ()).is_none() {
                check(tx, task.definition)?;
            }
            if let Some(holder) = task.unique.map(|key| holder(tx, &key.0)).transpose()?.flatten() {
                return Ok(Enqueued::Duplicate(holder));
            }
            next += 1;
            store(tx, task, next, now)?;
            Ok(Enqueued::Stored)
        })
        .collect::<Result<Vec<_>>>()?;
    if tx.meta.get("next", |next| next)?.unwrap_or(0) != next {
        tx.meta.insert("next", next)?;
    }
    Ok(answers)
}

/// The live task that holds a unique key.
pub fn holder(tx: &Tx<'_>, key: &[u8; 32]) -> Result<Option<TaskId>> {
    let Some(number) = tx.key.get(key, |number| number)? else { return Ok(None) };
    Ok(tx.record(number)?.map(|record| record.id))
}

fn check(tx: &Tx<'_>, id: DefinitionId) -> Result<()> {
    match tx.definition.get_json::<DefinitionRow>(id.into())? {
        Some(definition) if definition.is_live() => match definition.status() {
            DefinitionStatus::Active => Ok(()),
            DefinitionStatus::Canceled => Err(Error::invalid("task definition", "it is canceled")),
        },
        _ => Err(Error::not_found("task definition", &id)),
    }
}

fn store(tx: &mut Tx<'_>, task: &NewTask, number: i64, now: i64) -> Result<()> {
    let run_at = time_of(task.when, now);
    tx.number.insert(task.id.into(), number)?;
    tx.parameters.insert(number, task.parameters.get())?;
    tx.add(&Record {
        id: task.id,
        number,
        definition: task.definition,
        queue: task.queue.as_str().to_owned(),
        state: State::waiting(run_at, now),
        turn: 0,
        priority: task.priority,
        run_at,
        attempts: 0,
        max_attempts: task.max_attempts,
        suspect: false,
        unique: task.unique.map(|key| key.0),
        expires_at: task.expires.map(|when| time_of(when, now)),
        timeout: task.timeout.map(|for_| u64::try_from(for_.as_micros()).unwrap_or(u64::MAX)),
        progress: None,
        created_at: now,
        updated_at: now,
        started_at: None,
        completed_at: None,
        deleted_at: None,
        cancel_requested_at: None,
        lease: None,
        settled_by: None,
    })
}
