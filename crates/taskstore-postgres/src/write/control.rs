//! What anyone may ask for, without a lease.
//!
//! Records are locked first, then what waits in later, then what waits in ready. A task goes from
//! later to ready to a lease, and back only under the lock of its record: so what is then found in
//! neither is running, and stays so until the end of the transaction.

mod change;
mod requeue;
mod subject;

use std::collections::HashSet;

use taskstore_core::{
    Result, Status, TaskId,
    backend::{Control, Move, Outcome},
    clock,
};

use self::{
    change::Change,
    subject::{Place, Subject, read},
};
use crate::{convert::stamp, session::Session, sql::Sql, wakeup::News};

/// Makes a move with each task, in the order of the request.
pub(crate) async fn control(session: &Session, request: &Control) -> Result<(Vec<Outcome>, News)> {
    let mut news = News::default();
    let mut outcomes = vec![Outcome::Missing; request.ids.len()];
    let mut rest: Vec<_> = request.ids.iter().copied().enumerate().collect();
    if rest.is_empty() {
        return Ok((outcomes, news));
    }
    session.begin().await?;
    while !rest.is_empty() {
        // One that is named again sees what became of it before.
        let mut seen = HashSet::new();
        let (round, again): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|&(_, id)| seen.insert(id));
        make(session, request, &round, &mut outcomes, &mut news).await?;
        rest = again;
    }
    session.commit().await?;
    Ok((outcomes, news))
}

async fn make(
    session: &Session,
    request: &Control,
    round: &[(usize, TaskId)],
    outcomes: &mut [Outcome],
    news: &mut News,
) -> Result<()> {
    let wants_deleted = matches!(request.to, Move::Restore);
    let wants_any = matches!(request.to, Move::Purge { .. });
    let mut allowed = Vec::new();
    let subjects = read(session, stamp(request.now), round).await?;
    for (position, subject) in subjects {
        if !wants_any && subject.deleted_at.is_some() != wants_deleted {
            continue;
        }
        let from = subject.from()?;
        if request.from.contains(&from) {
            allowed.push((position, from, subject));
        } else if let Some(outcome) = outcomes.get_mut(position) {
            *outcome = Outcome::Refused(from);
        }
    }
    if allowed.is_empty() {
        return Ok(());
    }
    let change = Change { session, news };
    let made = match &request.to {
        Move::Cancel { reason } => change.cancel(allowed, Some(reason), false).await?,
        Move::Delete => change.delete(allowed).await?,
        Move::Restore => change.hide(allowed, false).await?,
        Move::Purge { before } => change.purge(allowed, before.map(clock::to_micros)).await?,
        Move::Pause => change.pause(allowed).await?,
        Move::Resume => change.resume(allowed).await?,
        Move::Requeue { parameters } => {
            change.requeue(allowed, parameters.as_deref().map(|p| p.get())).await?
        }
        Move::Reschedule { when, priority, queue } => {
            change.reschedule(allowed, *when, *priority, queue.as_ref()).await?
        }
    };
    for (position, outcome) in made {
        if let Some(place) = outcomes.get_mut(position) {
            *place = outcome;
        }
    }
    Ok(())
}

/// A task that the lifecycle allows the move for: its position, and the status that it has.
type Allowed = (usize, Status, Subject);
/// What became of positions.
type Made = Vec<(usize, Outcome)>;
