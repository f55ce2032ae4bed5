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
    session::{Row, Session, values},
    sql::Sql,
};

/// Stores tasks. An error leaves nothing of the request, because the transaction undoes it.
pub(crate) async fn enqueue(session: &mut Session, request: &Enqueue<'_>) -> Result<Vec<Enqueued>> {
    if request.tasks.is_empty() {
        return Ok(Vec::new());
    }
    let now = session.now(request.now).await?;
    let definitions = definitions_of(session, request.tasks).await?;
    let mut stored: HashSet<TaskId> =
        seqs_of(session, request.tasks.iter().map(|task| task.id)).await?.into_keys().collect();
    for task in request.tasks.iter().filter(|task| !stored.contains(&task.id)) {
        definitions.get(&task.definition).map_or_else(
            || Err(Error::not_found("task definition", &task.definition)),
            |found| found.usable(task.definition),
        )?;
    }
    let mut keys = Keys::take(session, request.tasks, &stored).await?;
    let mut fresh = Vec::new();
    let mut answers = Vec::with_capacity(request.tasks.len());
    for task in request.tasks {
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
    session: &mut Session,
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
        session: &mut Session,
        tasks: &[NewTask],
        stored: &HashSet<TaskId>,
    ) -> Result<Self> {
        let mut wanted: Vec<(UniqueHash, TaskId)> = Vec::new();
        let mut seen = HashSet::new();
        for task in tasks.iter().filter(|task| !stored.contains(&task.id)) {
            if let Some(key) = task.unique
                && seen.insert(key.0)
            {
                wanted.push((key, task.id));
            }
        }
        wanted.sort_unstable_by_key(|(key, _)| key.0);
        Ok(Self { holders: take_keys(session, &wanted).await? })
    }

    /// Who holds the key of this task, if that is another one.
    fn refuses(&mut self, task: &NewTask) -> Option<TaskId> {
        let key = task.unique?;
        self.holders.get(&key).copied().filter(|&holder| holder != task.id)
    }
}

/// Takes these keys, in their order, where they are free; answers who holds each now.
pub(crate) async fn take_keys(
    session: &mut Session,
    wanted: &[(UniqueHash, TaskId)],
) -> Result<HashMap<UniqueHash, TaskId>> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = wanted.iter().map(|(key, id)| values![&key.0[..], id.to_string()]).collect();
    session.execute_many(Sql::UniqueInsert, rows).await?;
    let list = json_list(wanted.iter().map(|(key, _)| format!("\"{}\"", hex(&key.0))));
    let read = |row: &Row| {
        let key = row.get::<Vec<u8>>(0)?.try_into();
        let key = key.map_err(|_| Error::backend("a unique key has no 32 bytes"))?;
        Ok((UniqueHash(key), row.get::<String>(1)?.parse()?))
    };
    Ok(session.all(Sql::UniqueHolders, values![list], read).await?.into_iter().collect())
}

async fn store(
    session: &mut Session,
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
    let seqs = seqs_of(session, tasks.iter().map(|task| task.id)).await?;
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
pub(crate) async fn clear_enqueued(session: &mut Session) -> Result<()> {
    let rows = session.all(Sql::EnqueuedLock, Vec::new(), |row| row.get::<i64>(0)).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let list = json_list(rows.iter().map(i64::to_string));
    session.execute(Sql::EnqueuedDelete, values![list]).await.map(drop)
}
