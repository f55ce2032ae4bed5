//! What belongs nowhere: looked for without a lock, looked at once more under it, and taken care of.

mod look;

use taskstore_core::{
    Error, Result,
    backend::{Missing, Stray, Sweep, Swept},
};
use taskstore_sql::{PlaceRow, Seen, Wrong};

use self::look::{priority, wrong_with};
use super::{claim::name_lease, lease::NewLease, leased::Leased};
use crate::{
    convert::{Uuid, micros, no_definition, stamp},
    session::{Param, Session},
    sql::Sql,
};

/// Looks on from where the last look ended. Where it finds something, drops rows that are nobody's,
/// and leases tasks that are nowhere, where that is still so.
pub(crate) async fn sweep(session: &Session, request: &Sweep) -> Result<Swept> {
    let lease = vec![Uuid::of(request.lease.ulid())];
    if session.first(Sql::LeaseFind, &[&lease]).await?.is_some() {
        return Err(Error::already_exists("lease", &request.lease));
    }
    let found = look::look(session, request).await?;
    let mut swept = Swept { next: found.next.clone(), ..Swept::default() };
    if found.is_nothing() {
        return Ok(swept);
    }
    session.begin().await?;
    let seqs = drop_places(session, &found, &mut swept.dropped).await?;
    adopt(session, request, seqs, &mut swept.strays)
        .await
        .map_err(|error| name_lease(error, request.lease))?;
    session.commit().await?;
    Ok(swept)
}

/// Drops the rows that are still wrong, once all records are locked. The tasks that may be strays.
async fn drop_places(
    session: &Session,
    found: &Seen,
    dropped: &mut Vec<String>,
) -> Result<Vec<i64>> {
    let mut seqs = found.strays.clone();
    seqs.extend(found.places.iter().map(|row| row.task));
    seqs.sort_unstable();
    seqs.dedup();
    session.rows(Sql::SweepLock, &[&seqs]).await?;
    session.execute(Sql::LeaseListsPrune, &[]).await?;
    for row in &found.places {
        if let Some(wrong) = wrong_with(session, row).await?
            && let Some(words) = drop_place(session, row, wrong).await?
        {
            dropped.push(words);
        }
    }
    Ok(seqs)
}

/// `None`: somebody was faster.
async fn drop_place(session: &Session, row: &PlaceRow, wrong: Wrong) -> Result<Option<String>> {
    let (run_at, task) = (vec![row.run_at], vec![row.task]);
    let gone = if row.ready {
        let (queue, priority) = (vec![row.queue.as_str()], vec![priority(row)]);
        let key: [Param<'_>; 4] = [&queue, &priority, &run_at, &task];
        session.execute(Sql::ReadyDelete, &key).await?
    } else {
        session.execute(Sql::LaterDelete, &[&run_at, &task]).await?
    };
    Ok((gone > 0).then(|| row.dropped(wrong)))
}

/// Leases those of the tasks that are active and in no place.
async fn adopt(
    session: &Session,
    request: &Sweep,
    seqs: Vec<i64>,
    strays: &mut Vec<Stray>,
) -> Result<()> {
    let now = stamp(request.now);
    let mut adopted = Vec::new();
    for seq in seqs {
        let Some(row) = session.first(Sql::SweepTask, &[&now, &seq]).await? else { continue };
        let Ok(mut leased) = Leased::read(&row, request.lease) else {
            tracing::error!(
                task = seq,
                "it is in no place, and its record cannot be that of a task"
            );
            continue;
        };
        leased.task.lease.turn += 1;
        let no_definition_left = Leased::has_no_definition(&row)?;
        let missing = match () {
            () if !Leased::has_parameters(&row)? => Some(Missing::Parameters),
            () if no_definition_left => Some(Missing::Definition),
            () => None,
        };
        if no_definition_left {
            leased.task.definition = no_definition();
        }
        adopted.push((leased, missing));
    }
    let found: Vec<_> = adopted.iter().map(|(leased, _)| leased.seq).collect();
    session.execute(Sql::SweepAdopt, &[&now, &found]).await?;
    let lease = NewLease {
        id: Uuid::of(request.lease.ulid()),
        owner: Uuid::of(request.runner.ulid()),
        length: micros(request.lease_for),
        claimed_at: None,
        alone: false,
        taken_from: None,
    };
    lease.store(session, now, adopted.iter().map(|(leased, _)| (leased.seq, &leased.task))).await?;
    strays
        .extend(adopted.into_iter().map(|(leased, missing)| Stray { task: leased.task, missing }));
    Ok(())
}
