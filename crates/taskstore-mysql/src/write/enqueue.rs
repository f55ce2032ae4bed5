//! Tasks on their way in.

use std::collections::{HashMap, HashSet};

use taskstore_core::{
    DefinitionId, Error, Result, TaskId, UniqueHash,
    backend::{Enqueue, Enqueued, NewTask, When},
    clock,
};

use super::place::{Arrivals, Spot};
use crate::{
    convert::{hex, json_list, later, micros, seqs_of},
    error::or_key_busy,
    session::{Row, Session, values},
    sql::Sql,
};

/// Stores tasks. An error leaves nothing of the request, because the transaction undoes it.
pub(crate) async fn enqueue(
    session: &mut Session<'_>,
    request: &Enqueue<'_>,
) -> Result<Vec<Enqueued>> {
    if request.tasks.is_empty() {
        return Ok(Vec::new());
    }
    let now = session.now(request.now).await?;
    enqueue_at(session, request.tasks, now, &Elsewhere::default()).await
}

/// What is committed, for a transaction whose snapshot may be older, or that is not to lock it.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    /// Tasks that are there already.
    pub(crate) stored: HashSet<TaskId>,
    /// Keys that need not be asked for, and who holds them.
    pub(crate) held: HashMap<UniqueHash, TaskId>,
}

/// Stores tasks at this time.
pub(crate) async fn enqueue_at(
    session: &mut Session<'_>,
    tasks: &[NewTask],
    now: i64,
    elsewhere: &Elsewhere,
) -> Result<Vec<Enqueued>> {
    let definitions = definitions_of(session, tasks).await?;
    let mut stored: HashSet<TaskId> =
        seqs_of(session, tasks.iter().map(|task| task.id)).await?.into_keys().collect();
    stored.extend(&elsewhere.stored);
    for task in tasks.iter().filter(|task| !stored.contains(&task.id)) {
        definitions.get(&task.definition).map_or_else(
            || Err(Error::not_found("task definition", &task.definition)),
            |found| found.usable(task.definition),
        )?;
    }
    let mut keys = Keys::take(session, tasks, &stored, &elsewhere.held).await?;
    let mut fresh = Vec::new();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        if !stored.insert(task.id) {
            answers.push(Enqueued::Stored);
        } else if let Some(holder) = keys.refuses(task) {
            stored.remove(&task.id);
            answers.push(Enqueued::Duplicate(holder));
        } else {
            fresh.push(task);
            answers.push(Enqueued::Stored);
        }
    }
    store(session, &fresh, &definitions, now).await?;
    Ok(answers)
}

/// A definition, as far as an enqueue must know it.
struct Known {
    seq: i64,
    active: bool,
    deleted: bool,
}

impl Known {
    fn usable(&self, id: DefinitionId) -> Result<()> {
        if self.deleted {
            return Err(Error::not_found("task definition", &id));
        }
        if !self.active {
            return Err(Error::invalid("task definition", format!("{id} is canceled")));
        }
        Ok(())
    }
}

async fn definitions_of(
    session: &mut Session<'_>,
    tasks: &[NewTask],
) -> Result<HashMap<DefinitionId, Known>> {
    let mut ids: Vec<_> = tasks.iter().map(|task| task.definition.to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    let list = json_list(ids.iter().map(|id| format!("\"{id}\"")));
    let read = |row: &Row| {
        let (status, deleted) = (row.get::<i64>(2)?, row.get(3)?);
        let id: DefinitionId = row.get::<String>(1)?.parse()?;
        Ok((id, Known { seq: row.get(0)?, active: status == 0, deleted }))
    };
    Ok(session.all(Sql::DefinitionsForEnqueue, values![list], read).await?.into_iter().collect())
}

/// The unique keys of a request.
struct Keys {
    holders: HashMap<UniqueHash, TaskId>,
}

impl Keys {
    /// Takes those that are free, for the first task of the request that has each.
    async fn take(
        session: &mut Session<'_>,
        tasks: &[NewTask],
        stored: &HashSet<TaskId>,
        held: &HashMap<UniqueHash, TaskId>,
    ) -> Result<Self> {
        let mut wanted: Vec<(UniqueHash, TaskId)> = Vec::new();
        let mut seen: HashSet<_> = held.keys().map(|key| key.0).collect();
        for task in tasks.iter().filter(|task| !stored.contains(&task.id)) {
            if let Some(key) = task.unique
                && seen.insert(key.0)
            {
                wanted.push((key, task.id));
            }
        }
        wanted.sort_unstable_by_key(|(key, _)| key.0);
        let mut holders = take_keys(session, &wanted).await?;
        holders.extend(held);
        Ok(Self { holders })
    }

    /// Who holds the key of this task, if that is another one.
    fn refuses(&mut self, task: &NewTask) -> Option<TaskId> {
        let key = task.unique?;
        self.holders.get(&key).copied().filter(|&holder| holder != task.id)
    }
}

/// Takes these keys, in their order, where they are free; answers who holds each now.
pub(crate) async fn take_keys(
    session: &mut Session<'_>,
    wanted: &[(UniqueHash, TaskId)],
) -> Result<HashMap<UniqueHash, TaskId>> {
    let keys: Vec<_> = wanted.iter().map(|(key, _)| *key).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    // In a caller's transaction a key that is free would be locked, with all that lies beside it.
    let mut holders = if session.is_lent() {
        HashMap::new()
    } else {
        holders_of(session, Sql::UniqueLock, &keys).await.map_err(or_key_busy)?
    };
    let free = wanted.iter().filter(|(key, _)| !holders.contains_key(key));
    let rows: Vec<_> = free.map(|(key, id)| values![&key.0[..], id.to_string()]).collect();
    let count = rows.len();
    let taken = session.execute_many(Sql::UniqueInsert, rows).await?;
    // Whoever lends a connection may have had the driver count otherwise.
    if session.is_lent() || taken != count as u64 {
        return holders_of(session, Sql::UniqueHolders, &keys).await;
    }
    for &(key, id) in wanted {
        holders.entry(key).or_insert(id);
    }
    Ok(holders)
}

/// Who holds these keys, as far as this transaction sees. Locks nothing.
pub(crate) async fn held(
    session: &mut Session<'_>,
    keys: &[UniqueHash],
) -> Result<HashMap<UniqueHash, TaskId>> {
    holders_of(session, Sql::UniqueHeld, keys).await
}

async fn holders_of(
    session: &mut Session<'_>,
    how: Sql,
    keys: &[UniqueHash],
) -> Result<HashMap<UniqueHash, TaskId>> {
    let list = json_list(keys.iter().map(|key| format!("\"{}\"", hex(&key.0))));
    let read = |row: &Row| {
        let key = row.get::<Vec<u8>>(0)?.try_into();
        let key = key.map_err(|_| Error::backend("a unique key has no 32 bytes"))?;
        Ok((UniqueHash(key), row.get::<String>(1)?.parse()?))
    };
    Ok(session.all(how, values![list], read).await?.into_iter().collect())
}

async fn store(
    session: &mut Session<'_>,
    tasks: &[&NewTask],
    definitions: &HashMap<DefinitionId, Known>,
    now: i64,
) -> Result<()> {
    let seq_of = |id: &DefinitionId| definitions.get(id).map(|known| known.seq).unwrap_or_default();
    let record = |task: &&NewTask| {
        values![
            task.id.to_string(),
            task.queue.as_str(),
            seq_of(&task.definition),
            task.priority,
            time_of(task.when, now),
            task.unique.map(|key| key.0.to_vec()),
            task.max_attempts.unwrap_or_default(),
            now,
            now,
        ]
    };
    session.execute_many(Sql::EnqueueRecord, tasks.iter().map(record).collect()).await?;
    let seqs = match tasks {
        [] => return Ok(()),
        [one] => HashMap::from([(one.id, session.last_id()?)]),
        many => seqs_of(session, many.iter().map(|task| task.id)).await?,
    };
    let mut payloads = Vec::with_capacity(tasks.len());
    let mut arrivals = Arrivals::default();
    for task in tasks {
        let seq = seqs.get(&task.id).copied();
        let seq = seq.ok_or_else(|| Error::backend(format!("task {} was not stored", task.id)))?;
        let expires_at = task.expires.map(|when| time_of(when, now));
        payloads.push(values![seq, task.parameters.get(), expires_at, task.timeout.map(micros)]);
        let spot = Spot {
            task: seq,
            definition: seq_of(&task.definition),
            queue: task.queue.clone(),
            priority: task.priority.into(),
            run_at: time_of(task.when, now),
        };
        arrivals.place(session, &spot, now);
    }
    session.execute_many(Sql::PayloadInsert, payloads).await?;
    arrivals.store(session).await
}

/// The time that is meant.
pub(crate) fn time_of(when: When, now: i64) -> i64 {
    match when {
        When::Now => now,
        When::After(delay) => later(now, delay),
        When::At(at) => clock::to_micros(at),
    }
}

/// Clears away what plain SQL has left behind: a row without content for each task.
pub(crate) async fn clear_enqueued(session: &mut Session<'_>) -> Result<()> {
    let rows = session.all(Sql::EnqueuedLock, Vec::new(), |row| row.get::<i64>(0)).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let list = json_list(rows.iter().map(i64::to_string));
    session.execute(Sql::EnqueuedDelete, values![list]).await.map(drop)
}
