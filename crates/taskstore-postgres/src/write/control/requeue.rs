//! Ended tasks that are to run again, under their keys.

use std::collections::{HashMap, HashSet};

use taskstore_core::{Error, Result, Status, backend::Outcome};

use super::{
    Allowed, Made, Sql, Subject,
    change::{Change, moved, now, seqs},
};
use crate::{
    convert::Uuid,
    error::Mapped,
    session::{Param, Session, Step},
};

/// How often a key may have been freed just when it was looked at.
const ROUNDS_MAX: usize = 100;

impl Change<'_> {
    pub(super) async fn requeue(
        mut self,
        tasks: Vec<Allowed>,
        parameters: Option<&str>,
    ) -> Result<Made> {
        let mut made = Made::new();
        let known = definitions_left(self.session, &tasks).await?;
        let (tasks, gone): (Vec<_>, Vec<_>) =
            tasks.into_iter().partition(|(.., s)| known.contains(&s.definition));
        made.extend(gone.iter().map(|&(at, from, _)| (at, Outcome::Refused(from))));
        let tasks = take_keys(self.session, tasks, &mut made).await?;
        if tasks.is_empty() {
            return Ok(made);
        }
        self.leave(&tasks).await?;
        let (seqs, now) = (seqs(&tasks), now(&tasks));
        let again: [Param<'_>; 2] = [&seqs, &now];
        let lasts: [Param<'_>; 1] = [&seqs];
        let other: [Param<'_>; 2] = [&seqs, &parameters];
        let mut steps: Vec<Step<'_>> =
            vec![(Sql::ControlRequeue, &again), (Sql::PayloadLasts, &lasts)];
        if parameters.is_some() {
            steps.push((Sql::PayloadUpdate, &other));
        }
        self.session.together(false, &steps, false).await?;
        let placed: Vec<_> =
            tasks.iter().map(|(.., s)| Subject { run_at: now, ..s.clone() }).collect();
        self.place(placed.iter().map(|s| (s, true))).await?;
        made.extend(moved(&tasks, Status::Queued));
        Ok(made)
    }
}

/// Those that were not deleted for good.
async fn definitions_left(session: &Session, tasks: &[Allowed]) -> Result<HashSet<Uuid>> {
    let ids: HashSet<_> = tasks.iter().map(|(.., s)| s.definition).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let rows = session.rows(Sql::DefinitionsKnown, &[&ids]).await?;
    rows.iter().map(|row| row.try_get(0).mapped()).collect()
}

/// Takes the keys of tasks that had one; those whose key a live task holds stay behind.
async fn take_keys(
    session: &Session,
    tasks: Vec<Allowed>,
    made: &mut Made,
) -> Result<Vec<Allowed>> {
    let (mut wanting, mut free): (Vec<_>, Vec<_>) =
        tasks.into_iter().partition(|(.., s)| s.key.is_some());
    for _ in 0..ROUNDS_MAX {
        if wanting.is_empty() {
            return Ok(free);
        }
        let keys: Vec<_> = wanting.iter().map(|(.., s)| s.key.as_deref()).collect();
        let taken = session.rows(Sql::UniqueInsert, &[&keys, &seqs(&wanting)]).await?;
        let taken: HashSet<i64> =
            taken.iter().map(|row| row.try_get(0).mapped()).collect::<Result<_>>()?;
        let (got, rest): (Vec<_>, Vec<_>) =
            wanting.into_iter().partition(|(.., s)| taken.contains(&s.seq));
        free.extend(got);
        wanting = held_by_others(session, rest, made).await?;
    }
    Err(Error::unavailable("the unique keys change hands too fast"))
}

/// Says who holds the keys; those that nobody holds any more may be taken.
async fn held_by_others(
    session: &Session,
    tasks: Vec<Allowed>,
    made: &mut Made,
) -> Result<Vec<Allowed>> {
    if tasks.is_empty() {
        return Ok(tasks);
    }
    let keys: Vec<_> = tasks.iter().map(|(.., s)| s.key.as_deref()).collect();
    let mut holders: HashMap<Vec<u8>, Uuid> = HashMap::new();
    for row in session.rows(Sql::UniqueHolder, &[&keys]).await? {
        holders.insert(row.try_get(0).mapped()?, row.try_get(1).mapped()?);
    }
    let mut again = Vec::new();
    for task in tasks {
        match task.2.key.as_ref().and_then(|key| holders.get(key)) {
            Some(holder) => made.push((task.0, Outcome::KeyHeldBy(holder.id()))),
            None => again.push(task),
        }
    }
    Ok(again)
}
