//! Leases: found, made, counted down, isolated, taken over.

use std::collections::{HashMap, HashSet};

use taskstore_core::{
    Error, LeaseId, QueueName, Result,
    backend::{Isolate, LateLease, Lease, LeasedTask, TakeOver, TakenOver},
};

use super::{claim::Definitions, record::Record};
use crate::{
    convert::{
        LeasedRow, duration, hex, json_list, lease_id, lease_key, leases_json, no_definition,
        number, seqs_json, seqs_of,
    },
    session::{Row, Session, values},
    sql::Sql,
};

/// A lease's row.
#[derive(Clone, Debug)]
pub(crate) struct LeaseRow {
    pub(crate) owner: String,
    pub(crate) length: i64,
    pub(crate) claimed_at: i64,
    open: i64,
    pub(crate) alone: bool,
    pub(crate) taken_from: Option<String>,
    beat: i64,
}

/// Leases by their ids.
pub(crate) type Leases = HashMap<LeaseId, LeaseRow>;

impl LeaseRow {
    /// The row, if the lease is there. Without a lock.
    pub(crate) async fn find(session: &mut Session<'_>, id: LeaseId) -> Result<Option<Self>> {
        session.first(Sql::LeaseFind, values![&lease_key(id)[..]], |row| Self::read(row, 0)).await
    }

    /// Those that are there, locked in their order: half of every fence.
    pub(crate) async fn lock_all(
        session: &mut Session<'_>,
        ids: impl Iterator<Item = LeaseId>,
    ) -> Result<Leases> {
        Self::lock(session, Sql::LeaseLock, ids).await
    }

    async fn lock(
        session: &mut Session<'_>,
        how: Sql,
        ids: impl Iterator<Item = LeaseId>,
    ) -> Result<Leases> {
        let list = leases_json(ids);
        if list == "[]" {
            return Ok(HashMap::new());
        }
        let read = |row: &Row| Ok((lease_id(row.get(0)?)?, Self::read(row, 1)?));
        Ok(session.all(how, values![list], read).await?.into_iter().collect())
    }

    fn read(row: &Row, from: usize) -> Result<Self> {
        Ok(Self {
            owner: row.get(from)?,
            length: row.get(from + 1)?,
            claimed_at: row.get(from + 2)?,
            open: row.get(from + 3)?,
            alone: row.get(from + 4)?,
            taken_from: row.get(from + 5)?,
            beat: row.get(from + 6)?,
        })
    }
}

/// So many tasks have left each of these leases, which are locked: at none a lease is gone.
pub(crate) async fn count_down(
    session: &mut Session<'_>,
    leases: &Leases,
    left: &HashMap<LeaseId, i64>,
) -> Result<()> {
    let mut less = Vec::new();
    let mut gone = Vec::new();
    for (&id, &n) in left.iter().filter(|&(_, &n)| n > 0) {
        match leases.get(&id) {
            Some(row) if n >= row.open => gone.push(id),
            Some(_) => less.push((hex(&lease_key(id)), n)),
            None => {}
        }
    }
    if !less.is_empty() {
        let list = json_list(less.iter().map(|(lease, n)| format!("[\"{lease}\",{n}]")));
        session.execute(Sql::LeaseCountDown, values![list]).await?;
    }
    remove(session, &gone).await
}

async fn remove(session: &mut Session<'_>, ids: &[LeaseId]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let list = leases_json(ids.iter().copied());
    session.execute(Sql::LeaseDelete, values![list.as_str()]).await?;
    session.execute(Sql::LeaseTasksDelete, values![list]).await.map(drop)
}

/// Tasks and their turns, by lease.
pub(crate) type Pairs = HashSet<(LeaseId, i64, i64)>;

/// The pairs of task and turn that each lease was made with.
pub(crate) async fn pairs_of(session: &mut Session<'_>, leases: &Leases) -> Result<Pairs> {
    let list = leases_json(leases.keys().copied());
    if list == "[]" {
        return Ok(HashSet::new());
    }
    let read = |row: &Row| Ok((lease_id(row.get(0)?)?, row.get::<String>(1)?));
    let mut all = HashSet::new();
    for (lease, tasks) in session.all(Sql::LeasePairs, values![list], read).await? {
        all.extend(pairs_in(lease, &tasks)?);
    }
    Ok(all)
}

/// A lease and its list, both locked: a caller's snapshot may be older than either.
pub(crate) async fn lock_with_pairs(
    session: &mut Session<'_>,
    id: LeaseId,
) -> Result<(Leases, Pairs)> {
    let read = |row: &Row| Ok((LeaseRow::read(row, 0)?, row.get::<String>(7)?));
    let found = session.first(Sql::LeaseLockList, values![&lease_key(id)[..]], read).await?;
    let Some((lease, tasks)) = found else { return Ok((Leases::new(), Pairs::new())) };
    Ok((Leases::from([(id, lease)]), pairs_in(id, &tasks)?.collect()))
}

fn pairs_in(
    lease: LeaseId,
    tasks: &str,
) -> Result<impl Iterator<Item = (LeaseId, i64, i64)> + use<>> {
    let pairs: Vec<(i64, i64)> = serde_json::from_str(tasks).map_err(Error::backend)?;
    Ok(pairs.into_iter().map(move |(task, turn)| (lease, task, turn)))
}

/// A lease to make.
pub(crate) struct NewLease {
    pub(crate) id: LeaseId,
    pub(crate) owner: String,
    pub(crate) length: i64,
    pub(crate) claimed_at: i64,
    pub(crate) alone: bool,
    pub(crate) taken_from: Option<String>,
    /// Its tasks and their turns, in claim order.
    pub(crate) pairs: Vec<(i64, i64)>,
}

impl NewLease {
    /// Makes them; with no task there is no lease.
    pub(crate) async fn store_all(
        session: &mut Session<'_>,
        leases: &[Self],
        now: i64,
    ) -> Result<()> {
        let whole = || leases.iter().filter(|lease| !lease.pairs.is_empty());
        let row = |lease: &Self| {
            values![
                &lease_key(lease.id)[..],
                lease.owner.as_str(),
                now,
                lease.length,
                lease.claimed_at,
                lease.pairs.len(),
                lease.alone,
                lease.taken_from.as_deref(),
                0,
            ]
        };
        let list = |lease: &Self| {
            let pairs = lease.pairs.iter().map(|(task, turn)| format!("[{task},{turn}]"));
            values![&lease_key(lease.id)[..], json_list(pairs)]
        };
        session.execute_many(Sql::LeaseInsert, whole().map(row).collect()).await?;
        session.execute_many(Sql::LeaseTasksInsert, whole().map(list).collect()).await.map(drop)
    }
}

/// What is still held under a lease, as its holder is given it at this time.
pub(crate) async fn held_under(
    session: &mut Session<'_>,
    definitions: &Definitions,
    lease: LeaseId,
    now: i64,
) -> Result<Vec<LeasedTask>> {
    let rows = rows_under(session, lease).await?;
    rows.into_iter().map(|row| into_task(definitions, row, lease, now)).collect()
}

async fn rows_under(session: &mut Session<'_>, lease: LeaseId) -> Result<Vec<LeasedRow>> {
    session.all(Sql::LeaseTasks, values![&lease_key(lease)[..]], LeasedRow::read).await
}

fn into_task(
    definitions: &Definitions,
    row: LeasedRow,
    batch: LeaseId,
    now: i64,
) -> Result<LeasedTask> {
    // One that is gone stops nobody: the task goes back to its queue, and the sweep finds it there.
    let definition = definitions.find(row.definition).unwrap_or_else(no_definition);
    let queue = QueueName::new(&row.queue)?;
    row.into_task(batch, definition, queue, now)
}

/// Leases that were not heard of for a third of their length, or whose beat lies in the future, and
/// that nobody holds.
pub(crate) async fn late_leases(session: &mut Session<'_>, limit: u32) -> Result<Vec<LateLease>> {
    let now = session.now(None).await?;
    let late =
        session.all(Sql::LateLeases, values![now, now, limit], |row| lease_id(row.get(0)?)).await?;
    if late.is_empty() {
        return Ok(Vec::new());
    }
    let read = |row: &Row| {
        Ok(LateLease {
            lease: lease_id(row.get(0)?)?,
            beat: number(row.get::<i64>(1)?)?,
            lease_for: duration(row.get(2)?),
        })
    };
    session.all(Sql::LateLeasesFree, values![leases_json(late.into_iter())], read).await
}

/// Replaces leases that were seen dead. Those whose row somebody holds are left alone.
pub(crate) async fn take_over(
    session: &mut Session<'_>,
    request: &TakeOver,
) -> Result<Vec<Option<TakenOver>>> {
    let now = session.now(request.now).await?;
    let both = request.leases.iter().flat_map(|(seen, by)| [seen.lease, *by]);
    let mut there = LeaseRow::lock(session, Sql::LeaseLockFree, both).await?;
    let definitions = Definitions::read(session).await?;
    let mut answers = Vec::with_capacity(request.leases.len());
    for &(seen, by) in &request.leases {
        if let Some(new) = there.get(&by) {
            // Sent again, unless the id is that of a lease which took nothing over.
            let answer = match &new.taken_from {
                None => None,
                Some(from) => Some(TakenOver {
                    from: from.parse()?,
                    alone: new.alone,
                    tasks: held_under(session, &definitions, by, now).await?,
                }),
            };
            answers.push(answer);
            continue;
        }
        let seen_beat = i64::try_from(seen.beat).unwrap_or(i64::MAX);
        // One that is named at another beat stays, for it may be named once more.
        let is_dead = there.get(&seen.lease).is_some_and(|lease| lease.beat == seen_beat);
        let Some(dead) = is_dead.then(|| there.remove(&seen.lease)).flatten() else {
            answers.push(None);
            continue;
        };
        let rows = rows_under(session, seen.lease).await?;
        remove(session, &[seen.lease]).await?;
        let lease = NewLease {
            id: by,
            owner: request.runner.to_string(),
            length: dead.length,
            claimed_at: dead.claimed_at,
            alone: dead.alone,
            taken_from: Some(dead.owner.clone()),
            pairs: rows.iter().map(|row| (row.seq, row.turn)).collect(),
        };
        NewLease::store_all(session, &[lease], now).await?;
        let tasks = rows.into_iter().map(|row| into_task(&definitions, row, by, now));
        let tasks = tasks.collect::<Result<_>>()?;
        answers.push(Some(TakenOver { from: dead.owner.parse()?, alone: dead.alone, tasks }));
    }
    Ok(answers)
}

/// Moves tasks into leases of their own.
pub(crate) async fn isolate(
    session: &mut Session<'_>,
    request: &Isolate,
) -> Result<Vec<Option<Lease>>> {
    let now = session.now(request.now).await?;
    let both = request.tasks.iter().flat_map(|(lease, into)| [lease.batch, *into]);
    let leases = LeaseRow::lock_all(session, both).await?;
    let pairs = pairs_of(session, &leases).await?;
    let seqs = seqs_of(session, request.tasks.iter().map(|(lease, _)| lease.task)).await?;
    let mut records = Record::lock_all(session, seqs.values().copied()).await?;
    let mut moved = Vec::new();
    let mut made: HashMap<LeaseId, NewLease> = HashMap::new();
    let mut left: HashMap<LeaseId, i64> = HashMap::new();
    let mut answers = Vec::with_capacity(request.tasks.len());
    for &(lease, into) in &request.tasks {
        let turn = i64::from(lease.turn);
        let seq = seqs.get(&lease.task).copied();
        let alone = Lease { task: lease.task, batch: into, turn: lease.turn + 1 };
        let fits = |record: &&mut Record, turn: i64| record.status == 0 && record.turn == turn;
        if leases.contains_key(&into) || made.contains_key(&into) {
            // Sent again, if it holds this task at the turn after.
            let holds = seq.is_some_and(|seq| {
                pairs.contains(&(into, seq, turn + 1))
                    || made.get(&into).is_some_and(|new| new.pairs == [(seq, turn + 1)])
            });
            let record = seq.and_then(|seq| records.get_mut(&seq));
            answers.push(record.filter(|r| holds && fits(r, turn + 1)).map(|_| alone));
            continue;
        }
        let held = seq.filter(|&seq| pairs.contains(&(lease.batch, seq, turn)));
        let record = held.and_then(|seq| records.get_mut(&seq)).filter(|r| fits(r, turn));
        let (Some(shared), Some(record)) = (leases.get(&lease.batch), record) else {
            answers.push(None);
            continue;
        };
        record.turn += 1;
        moved.push(record.seq);
        *left.entry(lease.batch).or_default() += 1;
        let own = NewLease {
            id: into,
            owner: shared.owner.clone(),
            length: shared.length,
            claimed_at: shared.claimed_at,
            alone: true,
            taken_from: None,
            pairs: vec![(record.seq, turn + 1)],
        };
        made.insert(into, own);
        answers.push(Some(alone));
    }
    if !moved.is_empty() {
        session.execute(Sql::Isolate, values![seqs_json(moved.into_iter()), now]).await?;
        let made: Vec<_> = made.into_values().collect();
        NewLease::store_all(session, &made, now).await?;
        count_down(session, &leases, &left).await?;
    }
    Ok(answers)
}
