//! Leases: isolated, seen late, taken over.

use std::collections::{HashMap, HashSet};

use taskstore_core::{
    LeaseId, Result,
    backend::{Isolate, LateLease, Lease, LeasedTask, TakeOver, TakenOver},
};
use tokio_postgres::Row;

use super::leased::Leased;
use crate::{
    convert::{Uuid, duration, number, small, stamp},
    error::Mapped,
    session::Session,
    sql::Sql,
};

/// Moves tasks into leases of their own.
pub(crate) async fn isolate(session: &Session, request: &Isolate) -> Result<Vec<Option<Lease>>> {
    let now = stamp(request.now);
    let each = || request.tasks.iter();
    let tasks: Vec<_> = each().map(|(lease, _)| Uuid::of(lease.task.ulid())).collect();
    let leases: Vec<_> = each().map(|(lease, _)| Uuid::of(lease.batch.ulid())).collect();
    let turns: Vec<_> = each().map(|(lease, _)| small(lease.turn)).collect();
    let own: Vec<_> = each().map(|(_, own)| Uuid::of(own.ulid())).collect();
    let rows = session.rows(Sql::Isolate, &[&now, &tasks, &leases, &turns, &own]).await?;
    let mut alone = vec![None; request.tasks.len()];
    let mut say = |index: usize| {
        if let (Some(alone), Some(&(lease, own))) = (alone.get_mut(index), request.tasks.get(index))
        {
            *alone = Some(Lease { task: lease.task, batch: own, turn: lease.turn + 1 });
        }
    };
    let moved: HashSet<usize> = rows.iter().map(position).collect::<Result<_>>()?;
    moved.iter().copied().for_each(&mut say);
    let refused: Vec<_> = (0..request.tasks.len()).filter(|n| !moved.contains(n)).collect();
    if !refused.is_empty() {
        let tasks = picked(&tasks, &refused);
        let (turns, own) = (picked(&turns, &refused), picked(&own, &refused));
        let rows = session.rows(Sql::IsolatedBefore, &[&tasks, &turns, &own]).await?;
        for row in &rows {
            refused.get(position(row)?).copied().into_iter().for_each(&mut say);
        }
    }
    Ok(alone)
}

/// Which position of the request a row is about.
fn position(row: &Row) -> Result<usize> {
    Ok(usize::try_from(row.try_get::<_, i32>(0).mapped()? - 1).unwrap_or(usize::MAX))
}

fn picked<T: Copy>(all: &[T], positions: &[usize]) -> Vec<T> {
    positions.iter().filter_map(|&position| all.get(position).copied()).collect()
}

/// Leases that were not heard of for a third of their length, or whose beat lies in the future.
pub(crate) async fn late_leases(session: &Session, limit: u32) -> Result<Vec<LateLease>> {
    let rows = session.rows(Sql::LateLeases, &[&small(limit)]).await?;
    let late = |row: &Row| {
        Ok(LateLease {
            lease: row.try_get::<_, Uuid>(0).mapped()?.id(),
            beat: number(row.try_get::<_, i64>(1).mapped()?)?,
            lease_for: duration(row.try_get(2).mapped()?),
        })
    };
    rows.iter().map(late).collect()
}

/// A lease that was seen dead, under its lock.
struct Dead {
    owner: Uuid,
    length: i64,
    claimed_at: i64,
    alone: bool,
    beat: u64,
}

impl Dead {
    fn read(row: &Row) -> Result<(Uuid, Self)> {
        let dead = Self {
            owner: row.try_get(1).mapped()?,
            length: row.try_get(2).mapped()?,
            claimed_at: row.try_get(3).mapped()?,
            alone: row.try_get(4).mapped()?,
            beat: number(row.try_get::<_, i64>(5).mapped()?)?,
        };
        Ok((row.try_get(0).mapped()?, dead))
    }
}

/// Replaces leases that were seen dead.
pub(crate) async fn take_over(
    session: &Session,
    request: &TakeOver,
) -> Result<Vec<Option<TakenOver>>> {
    let now = stamp(request.now);
    let seen: Vec<_> = request.leases.iter().map(|(late, _)| Uuid::of(late.lease.ulid())).collect();
    let by: Vec<_> = request.leases.iter().map(|(_, by)| Uuid::of(by.ulid())).collect();
    let locks = [(Sql::LeaseAtBeat, &[&seen as _][..]), (Sql::LeaseFind, &[&by as _][..])];
    let answers = session.together(true, &locks, false).await?;
    let [locked, there] = answers.as_slice() else { return Ok(Vec::new()) };
    let mut dead: HashMap<_, _> = locked.iter().map(Dead::read).collect::<Result<_>>()?;
    let mut before: HashMap<Uuid, (Option<Uuid>, bool)> = HashMap::new();
    for row in there {
        let taken_from = row.try_get(1).mapped()?;
        before.insert(row.try_get(0).mapped()?, (taken_from, row.try_get(2).mapped()?));
    }
    let wanted: HashSet<_> = dead.keys().chain(before.keys()).copied().collect();
    let wanted: Vec<_> = wanted.into_iter().collect();
    let mut held: HashMap<Uuid, Vec<Row>> = HashMap::new();
    for row in session.rows(Sql::LeaseTasks, &[&now, &wanted]).await? {
        held.entry(row.try_get(1).mapped()?).or_default().push(row);
    }
    let (mut answers, mut gone) = (Vec::new(), Vec::new());
    for (late, new) in &request.leases {
        let (old_key, new_key) = (Uuid::of(late.lease.ulid()), Uuid::of(new.ulid()));
        if let Some(&(taken_from, alone)) = before.get(&new_key) {
            // Sent again, unless the id is that of a lease which took nothing over.
            let tasks = tasks_of(held.get(&new_key), *new)?;
            answers.push(taken_from.map(|from| TakenOver {
                from: from.id(),
                alone,
                tasks: tasks.into_iter().map(|leased| leased.task).collect(),
            }));
            continue;
        }
        // One that is named at another beat stays, for it may be named once more.
        let is_dead = dead.get(&old_key).is_some_and(|lease| lease.beat == late.beat);
        let Some(lease) = is_dead.then(|| dead.remove(&old_key)).flatten() else {
            answers.push(None);
            continue;
        };
        let tasks = tasks_of(held.get(&old_key), *new)?;
        gone.push(old_key);
        replace(session, request, &lease, new_key, &tasks).await?;
        before.insert(new_key, (Some(lease.owner), lease.alone));
        let rows = held.remove(&old_key).unwrap_or_default();
        held.insert(new_key, rows);
        answers.push(Some(TakenOver {
            from: lease.owner.id(),
            alone: lease.alone,
            tasks: tasks.into_iter().map(|leased| leased.task).collect(),
        }));
    }
    session.together(false, &[(Sql::LeaseDelete, &[&gone])], true).await?;
    Ok(answers)
}

fn tasks_of(rows: Option<&Vec<Row>>, batch: LeaseId) -> Result<Vec<Leased>> {
    rows.into_iter().flatten().map(|row| Leased::read(row, batch)).collect()
}

async fn replace(
    session: &Session,
    request: &TakeOver,
    dead: &Dead,
    by: Uuid,
    tasks: &[Leased],
) -> Result<()> {
    let lease = NewLease {
        id: by,
        owner: Uuid::of(request.runner.ulid()),
        length: dead.length,
        claimed_at: Some(dead.claimed_at),
        alone: dead.alone,
        taken_from: Some(dead.owner),
    };
    lease
        .store(session, stamp(request.now), tasks.iter().map(|leased| (leased.seq, &leased.task)))
        .await
}

/// A lease to make.
pub(super) struct NewLease {
    pub(super) id: Uuid,
    pub(super) owner: Uuid,
    pub(super) length: i64,
    /// `None`: now.
    pub(super) claimed_at: Option<i64>,
    pub(super) alone: bool,
    pub(super) taken_from: Option<Uuid>,
}

impl NewLease {
    /// Makes it, with these tasks at their turns; with none there is no lease.
    pub(super) async fn store<'a>(
        &self,
        session: &Session,
        now: Option<i64>,
        tasks: impl Iterator<Item = (i64, &'a LeasedTask)>,
    ) -> Result<()> {
        let (seqs, turns): (Vec<_>, Vec<_>) =
            tasks.map(|(seq, task)| (seq, small(task.lease.turn))).unzip();
        if seqs.is_empty() {
            return Ok(());
        }
        session
            .execute(
                Sql::LeaseInsert,
                &[
                    &now,
                    &self.id,
                    &self.owner,
                    &self.length,
                    &self.claimed_at,
                    &seqs,
                    &turns,
                    &self.alone,
                    &self.taken_from,
                ],
            )
            .await
            .map(drop)
    }
}
