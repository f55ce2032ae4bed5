//! Tasks on their way to a runner.

use std::collections::{HashMap, HashSet};

use mysql_async::Value;
use taskstore_core::{
    DefinitionId, Error, LeaseId, QueueName, Result,
    backend::{Claim, Claimed, Known, LeasedTask},
    clock,
};

use super::lease::{LeaseRow, NewLease, held_under};
use crate::{
    convert::{LeasedRow, json_list, micros, until},
    read::next_due,
    session::{Row, Session, values},
    sql::Sql,
};

/// How many records are read first: their parameters say how many more fit.
const FIRST_LOOK: usize = 64;

/// A claim that follows no settlement.
pub(crate) async fn claim_alone(session: &mut Session<'_>, request: &Claim) -> Result<Claimed> {
    let now = session.now(request.now).await?;
    claim(session, request, now).await
}

/// Leases ready tasks under a lease id that was never used.
pub(crate) async fn claim(session: &mut Session<'_>, claim: &Claim, now: i64) -> Result<Claimed> {
    if LeaseRow::find(session, claim.lease).await?.is_some() {
        return Err(Error::already_exists("lease", &claim.lease));
    }
    let definitions = Definitions::read(session).await?;
    let passed_by = definitions.passed_by(&claim.known);
    let mut taking =
        Taking { claim, definitions, passed_by, tasks: Vec::new(), bytes: 0, full: false };
    for share in &claim.queues {
        let room = (claim.at_most as usize).saturating_sub(taking.tasks.len());
        let room = room.min(share.at_most as usize);
        if taking.full || room == 0 {
            continue;
        }
        taking.take(session, &share.queue, room).await?;
    }
    let Taking { tasks, .. } = taking;
    let short = tasks.len() < claim.at_most as usize;
    let next_due = if short { next_due(session).await? } else { None };
    Ok(Claimed {
        tasks: lease_them(session, claim, tasks, now).await?,
        at: Some(clock::from_micros(now)),
        due_in: next_due.map(|due| until(due, now)),
    })
}

/// The definitions, as a claim must know them.
pub(crate) struct Definitions {
    by_seq: HashMap<i64, (DefinitionId, bool)>,
}

impl Definitions {
    pub(crate) async fn read(session: &mut Session<'_>) -> Result<Self> {
        let read = |row: &Row| {
            let id = row.get::<String>(1)?.parse()?;
            Ok((row.get(0)?, (id, row.get::<i64>(2)? == 0)))
        };
        let all = session.all(Sql::DefinitionsKnown, Vec::new(), read).await?;
        Ok(Self { by_seq: all.into_iter().collect() })
    }

    /// The id of the one with this key; `None`: somebody has deleted it by hand.
    pub(crate) fn find(&self, seq: i64) -> Option<DefinitionId> {
        self.by_seq.get(&seq).map(|&(id, _)| id)
    }

    /// The definitions whose tasks are not claimed, as a JSON array of their keys; `None`: there is
    /// none, and a claim goes straight down the queue.
    fn passed_by(&self, known: &Known) -> Option<String> {
        let knows = |id: &DefinitionId| match known {
            Known::All => true,
            Known::Only(only) => only.contains(id),
            Known::Except(except) => !except.contains(id),
        };
        let passed_by = self.by_seq.iter().filter(|(_, (id, active))| !active || !knows(id));
        let list = json_list(passed_by.map(|(seq, _)| seq.to_string()));
        (list != "[]").then_some(list)
    }
}

/// A claim at work.
struct Taking<'a> {
    claim: &'a Claim,
    definitions: Definitions,
    passed_by: Option<String>,
    tasks: Vec<Taken>,
    bytes: usize,
    full: bool,
}

/// A task that was taken from ready.
struct Taken {
    queue: QueueName,
    definition: DefinitionId,
    row: LeasedRow,
}

/// A row of ready: where it stands in its queue.
#[derive(Clone, Copy)]
struct Head {
    priority: i64,
    run_at: i64,
    task: i64,
    definition: i64,
}

impl Taking<'_> {
    /// Takes at most `room` tasks from one queue.
    async fn take(
        &mut self,
        session: &mut Session<'_>,
        queue: &QueueName,
        room: usize,
    ) -> Result<()> {
        if session.finds(Sql::QueuePaused, values![queue.as_str()]).await? {
            return Ok(());
        }
        let enough = self.tasks.len() + room;
        // What was dropped made no task, so there may be more behind it.
        while self.take_head(session, queue, enough - self.tasks.len()).await? > 0
            && self.tasks.len() < enough
            && !self.full
        {}
        Ok(())
    }

    /// Takes the head of the queue; answers how many rows were dropped, because somebody has deleted
    /// their record, parameters or definition by hand. The sweep finds their tasks.
    async fn take_head(
        &mut self,
        session: &mut Session<'_>,
        queue: &QueueName,
        room: usize,
    ) -> Result<usize> {
        let heads = self.lock_head(session, queue, room).await?;
        let (whole, broken): (Vec<_>, Vec<_>) =
            heads.into_iter().partition(|head| self.definitions.find(head.definition).is_some());
        let mut taken: Vec<Head> = Vec::with_capacity(whole.len());
        let mut dropped = broken;
        let mut rest = whole.as_slice();
        while !rest.is_empty() && !self.full {
            let (now, later) = rest.split_at(self.next_look().min(rest.len()));
            rest = later;
            let list = json_list(now.iter().map(|head| head.task.to_string()));
            let rows = session.all(Sql::ClaimTasks, values![list], LeasedRow::read).await?;
            let found: HashSet<i64> = rows.iter().map(|row| row.seq).collect();
            dropped.extend(now.iter().filter(|head| !found.contains(&head.task)));
            let mut fits = HashSet::new();
            for row in rows {
                let seq = row.seq;
                if self.add(queue, row, now) {
                    fits.insert(seq);
                }
            }
            taken.extend(now.iter().filter(|head| fits.contains(&head.task)));
        }
        taken.extend(&dropped);
        remove(session, queue, &taken).await?;
        if !dropped.is_empty() {
            let dropped = dropped.len();
            tracing::error!(%queue, dropped, "ready rows without a whole task are out of its way");
        }
        Ok(dropped.len())
    }

    async fn lock_head(
        &self,
        session: &mut Session<'_>,
        queue: &QueueName,
        room: usize,
    ) -> Result<Vec<Head>> {
        let read = |row: &Row| {
            Ok(Head {
                priority: row.get(0)?,
                run_at: row.get(1)?,
                task: row.get(2)?,
                definition: row.get(3)?,
            })
        };
        let limit = u64::try_from(room).unwrap_or(u64::MAX);
        match &self.passed_by {
            None => session.all(Sql::ClaimReady, values![queue.as_str(), limit], read).await,
            Some(list) => {
                let except = values![queue.as_str(), list.as_str(), limit];
                session.all(Sql::ClaimReadyExcept, except, read).await
            }
        }
    }

    /// How many records to read at once: by what the last ones were like, about as many as fit.
    fn next_look(&self) -> usize {
        if self.tasks.is_empty() {
            return FIRST_LOOK;
        }
        let each = (self.bytes / self.tasks.len()).max(1);
        (self.claim.bytes_max.saturating_sub(self.bytes) / each).max(FIRST_LOOK)
    }

    /// Whether the task is taken: its parameters may be too large for this claim, and then it is full.
    fn add(&mut self, queue: &QueueName, row: LeasedRow, heads: &[Head]) -> bool {
        let bytes = self.bytes.saturating_add(row.parameters.len());
        if self.full || (bytes > self.claim.bytes_max && !self.tasks.is_empty()) {
            self.full = true;
            return false;
        }
        let head = heads.iter().find(|head| head.task == row.seq);
        let Some(definition) = head.and_then(|head| self.definitions.find(head.definition)) else {
            return false;
        };
        self.bytes = bytes;
        self.tasks.push(Taken { queue: queue.clone(), definition, row });
        true
    }
}

/// Whoever deletes the row has the task.
async fn remove(session: &mut Session<'_>, queue: &QueueName, heads: &[Head]) -> Result<()> {
    if heads.is_empty() {
        return Ok(());
    }
    let list = json_list(
        heads.iter().map(|head| format!("[{},{},{}]", head.priority, head.run_at, head.task)),
    );
    let key: Vec<Value> = values![list, queue.as_str()];
    let removed = session.execute(Sql::ClaimDelete, key).await?;
    if removed == heads.len() as u64 {
        return Ok(());
    }
    Err(Error::backend(format!(
        "queue {queue}: {} tasks to claim, {removed} rows removed",
        heads.len()
    )))
}

async fn lease_them(
    session: &mut Session<'_>,
    claim: &Claim,
    taken: Vec<Taken>,
    now: i64,
) -> Result<Vec<LeasedTask>> {
    let mut tasks = Vec::with_capacity(taken.len());
    let mut pairs = Vec::with_capacity(taken.len());
    for Taken { queue, definition, row } in taken {
        pairs.push((row.seq, row.turn));
        tasks.push(row.into_task(claim.lease, definition, queue, now)?);
    }
    let lease = NewLease {
        id: claim.lease,
        owner: claim.runner.to_string(),
        length: micros(claim.lease_for),
        claimed_at: now,
        alone: false,
        taken_from: None,
        pairs,
    };
    NewLease::store_all(session, &[lease], now).await?;
    Ok(tasks)
}

/// What is leased under this id, in claim order.
pub(crate) async fn recall(session: &mut Session<'_>, lease: LeaseId) -> Result<Vec<LeasedTask>> {
    let now = session.now(None).await?;
    // Locked, so that it comes after a claim whose answer nobody waits for any more.
    LeaseRow::lock_all(session, [lease].into_iter()).await?;
    let definitions = Definitions::read(session).await?;
    held_under(session, &definitions, lease, now).await
}
