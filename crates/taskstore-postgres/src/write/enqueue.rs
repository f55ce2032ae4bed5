//! Tasks on their way in.

use std::collections::{BTreeSet, HashSet};

use taskstore_core::{
    DefinitionId, Error, Result,
    backend::{Enqueue, Enqueued, NewTask, When},
    clock,
};
use tokio_postgres::Row;

use crate::{
    convert::{Uuid, delay, here, later, micros, small, stamp, until},
    error::Mapped,
    session::{Param, Run},
    sql::Sql,
    wakeup::News,
};

/// How often a key may have been freed just when it was looked at.
const ROUNDS_MAX: usize = 100;

/// Stores tasks.
pub(crate) async fn enqueue(
    session: &impl Run,
    request: &Enqueue<'_>,
) -> Result<(Vec<Enqueued>, News)> {
    let mut news = News::default();
    let mut answers = vec![Enqueued::Stored; request.tasks.len()];
    if request.tasks.is_empty() {
        return Ok((answers, news));
    }
    let all: Vec<_> = request.tasks.iter().enumerate().collect();
    // A statement sees nothing of what it stores itself: an id that is there twice comes again later.
    let mut seen = HashSet::new();
    let (mut tasks, mut rest): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, task)| seen.insert(task.id));
    // Without keys one statement is enough: what it does not store was stored before.
    let alone = rest.is_empty() && tasks.iter().all(|(_, task)| task.unique.is_none());
    if !alone {
        session.begin().await?;
    }
    for _ in 0..ROUNDS_MAX {
        let columns = Columns::of(&tasks, stamp(request.now));
        let rows = session.rows(Sql::Enqueue, &columns.params()).await?;
        let refused = stored(session, &tasks, &rows, &mut news).await?;
        if alone {
            return Ok((answers, news));
        }
        tasks = look_again(session, refused, &mut answers).await?;
        if tasks.is_empty() {
            tasks = std::mem::take(&mut rest);
        }
        if tasks.is_empty() {
            session.commit().await?;
            return Ok((answers, news));
        }
        let mut seen = HashSet::new();
        let (now, twice): (Vec<_>, Vec<_>) =
            tasks.into_iter().partition(|(_, task)| seen.insert(task.id));
        tasks = now;
        rest.extend(twice);
    }
    Err(Error::unavailable("the unique keys change hands too fast"))
}

type Positions<'a> = Vec<(usize, &'a NewTask)>;

/// Tells of what was stored; the positions that were not. A task whose key was taken, but whose id
/// was there, gives the key back.
async fn stored<'a>(
    session: &impl Run,
    tasks: &[(usize, &'a NewTask)],
    rows: &[Row],
    news: &mut News,
) -> Result<Positions<'a>> {
    let Some((head, rest)) = rows.split_first() else {
        return Err(Error::backend("an enqueue answered nothing"));
    };
    if let Some(bad) = head.try_get::<_, Option<Uuid>>(2).mapped()? {
        return Err(why_not(session, bad).await?);
    }
    let now: i64 = head.try_get(1).mapped()?;
    let mut refused = HashSet::new();
    let (mut hashes, mut seqs) = (Vec::new(), Vec::new());
    for row in rest {
        let n: i32 = row.try_get(0).mapped()?;
        let index = usize::try_from(n - 1).unwrap_or_default();
        refused.insert(index);
        if row.try_get(4).mapped()?
            && let Some((_, task)) = tasks.get(index)
            && let Some(key) = task.unique
        {
            hashes.push(key.0.to_vec());
            seqs.push(row.try_get::<_, i64>(3).mapped()?);
        }
    }
    if !seqs.is_empty() {
        session.rows(Sql::UniqueDelete, &[&hashes, &seqs]).await?;
    }
    let mut again = Vec::new();
    for (index, &(position, task)) in tasks.iter().enumerate() {
        if refused.contains(&index) {
            again.push((position, task));
        } else {
            tell(task, now, news);
        }
    }
    Ok(again)
}

fn tell(task: &NewTask, now: i64, news: &mut News) {
    let run_at = time_of(task.when, now);
    if run_at <= now {
        news.ready(&task.queue);
    } else {
        // By this machine's clock, by which runners wait.
        news.later(&task.queue, later(here(), until(run_at, now)));
    }
}

/// Answers for what was not stored; what is left must be tried again.
async fn look_again<'a>(
    session: &impl Run,
    refused: Positions<'a>,
    answers: &mut [Enqueued],
) -> Result<Positions<'a>> {
    if refused.is_empty() {
        return Ok(refused);
    }
    let ids: Vec<_> = refused.iter().map(|(_, task)| Uuid::of(task.id.ulid())).collect();
    let hashes: Vec<_> =
        refused.iter().map(|(_, task)| task.unique.map(|key| key.0.to_vec())).collect();
    let rows = session.rows(Sql::EnqueueExisting, &[&ids, &hashes]).await?;
    let mut again = Vec::new();
    let mut stale = BTreeSet::new();
    for (row, (position, task)) in rows.iter().zip(refused) {
        let is_there: bool = row.try_get(1).mapped()?;
        let holder: Option<Uuid> = row.try_get(2).mapped()?;
        let is_stale: bool = row.try_get(3).mapped()?;
        let duplicate = holder.filter(|_| !is_stale);
        match duplicate {
            _ if is_there => {}
            Some(holder) => {
                if let Some(answer) = answers.get_mut(position) {
                    *answer = Enqueued::Duplicate(holder.id());
                }
            }
            None => {
                stale.extend(task.unique.filter(|_| is_stale).map(|key| key.0.to_vec()));
                again.push((position, task));
            }
        }
    }
    if !stale.is_empty() {
        let stale: Vec<_> = stale.into_iter().collect();
        session.rows(Sql::UniqueHeal, &[&stale]).await?;
    }
    Ok(again)
}

async fn why_not(session: &impl Run, definition: Uuid) -> Result<Error> {
    let row = session.first(Sql::DefinitionById, &[&definition]).await?;
    let deleted = match &row {
        Some(row) => row.try_get::<_, Option<i64>>(8).mapped()?.is_some(),
        None => true,
    };
    let id: DefinitionId = definition.id();
    Ok(if deleted {
        Error::not_found("task definition", &id)
    } else {
        Error::invalid("task definition", format!("{id} is canceled"))
    })
}

/// The request as the statement wants it, column by column.
struct Columns<'a> {
    now: Option<i64>,
    ids: Vec<Uuid>,
    definitions: Vec<Uuid>,
    queues: Vec<&'a str>,
    priorities: Vec<i16>,
    delays: Vec<Option<i64>>,
    times: Vec<Option<i64>>,
    hashes: Vec<Option<&'a [u8]>>,
    max_attempts: Vec<i32>,
    parameters: Vec<&'a str>,
    expiry_delays: Vec<Option<i64>>,
    expiry_times: Vec<Option<i64>>,
    timeouts: Vec<Option<i64>>,
    different: Vec<Uuid>,
}

impl<'a> Columns<'a> {
    fn of(tasks: &[(usize, &'a NewTask)], now: Option<i64>) -> Self {
        let each = || tasks.iter().map(|(_, task)| *task);
        let definitions: Vec<_> = each().map(|task| Uuid::of(task.definition.ulid())).collect();
        let different: BTreeSet<_> = definitions.iter().copied().collect();
        Self {
            now,
            ids: each().map(|task| Uuid::of(task.id.ulid())).collect(),
            queues: each().map(|task| task.queue.as_str()).collect(),
            priorities: each().map(|task| task.priority).collect(),
            delays: each().map(|task| delay_of(task.when)).collect(),
            times: each().map(|task| at_of(task.when)).collect(),
            hashes: each().map(|task| task.unique.as_ref().map(|key| &key.0[..])).collect(),
            max_attempts: each().map(|task| small(task.max_attempts.unwrap_or_default())).collect(),
            parameters: each().map(|task| task.parameters.get()).collect(),
            expiry_delays: each()
                .map(|task| task.expires.and_then(|when| delay_of(when).or_else(|| is_now(when))))
                .collect(),
            expiry_times: each().map(|task| task.expires.and_then(at_of)).collect(),
            timeouts: each().map(|task| task.timeout.map(micros)).collect(),
            different: different.into_iter().collect(),
            definitions,
        }
    }

    fn params(&self) -> [Param<'_>; 14] {
        [
            &self.now,
            &self.ids,
            &self.definitions,
            &self.queues,
            &self.priorities,
            &self.delays,
            &self.times,
            &self.hashes,
            &self.max_attempts,
            &self.parameters,
            &self.expiry_delays,
            &self.expiry_times,
            &self.timeouts,
            &self.different,
        ]
    }
}

fn delay_of(when: When) -> Option<i64> {
    if let When::After(length) = when { Some(delay(length)) } else { None }
}

fn at_of(when: When) -> Option<i64> {
    if let When::At(at) = when { Some(clock::to_micros(at)) } else { None }
}

const fn is_now(when: When) -> Option<i64> {
    if matches!(when, When::Now) { Some(0) } else { None }
}

/// The time that is meant.
pub(super) fn time_of(when: When, now: i64) -> i64 {
    match when {
        When::Now => now,
        When::After(delay) => later(now, delay),
        When::At(at) => clock::to_micros(at),
    }
}
