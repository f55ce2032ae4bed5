//! Tasks on their way to a runner.

use std::collections::HashMap;

use taskstore_core::{
    Error, LeaseId, Result,
    backend::{Claim, Claimed, Known, LeasedTask},
    clock,
};
use tokio_postgres::Row;

use super::leased::Leased;
use crate::{
    convert::{Uuid, micros, small, stamp, until},
    error::{Mapped, is_unique_violation},
    session::{Param, Session},
    sql::Sql,
    wakeup::News,
};

/// Leases ready tasks under a lease id that was never used. `events` is how much had been heard of
/// the store before.
pub(crate) async fn claim(
    session: &Session,
    claim: &Claim,
    events: u64,
) -> Result<(Claimed, News)> {
    let asked = Asked::of(claim, None);
    let used = |error| name_lease(error, claim.lease);
    loop {
        let rows = session.rows(Sql::ClaimReady, &asked.params()).await.map_err(used)?;
        if let Some(answer) = asked.answer(&rows, events)? {
            return Ok(answer);
        }
    }
}

/// Somebody else has made a lease of this id at the same moment.
pub(super) fn name_lease(error: Error, lease: LeaseId) -> Error {
    if is_unique_violation(&error) { Error::already_exists("lease", &lease) } else { error }
}

/// What a claim asks the statement for.
pub(super) struct Asked<'a> {
    claim: &'a Claim,
    now: Option<i64>,
    lease: Uuid,
    owner: Uuid,
    length: i64,
    queues: Vec<&'a str>,
    limits: Vec<i32>,
    skips: Vec<i32>,
    at_most: i32,
    bytes_max: i64,
    only: Option<Vec<Uuid>>,
    except: Vec<Uuid>,
}

impl<'a> Asked<'a> {
    /// `now` is that of the call around it.
    pub(super) fn of(claim: &'a Claim, now: Option<i64>) -> Self {
        let keys = |ids: &[taskstore_core::DefinitionId]| {
            ids.iter().map(|id| Uuid::of(id.ulid())).collect::<Vec<_>>()
        };
        let (only, except) = match &claim.known {
            Known::All => (None, Vec::new()),
            Known::Only(ids) => (Some(keys(ids)), Vec::new()),
            Known::Except(ids) => (None, keys(ids)),
        };
        // A queue that is named again goes on after what it gave before.
        let mut given: HashMap<&str, i32> = HashMap::new();
        let skips = claim.queues.iter().map(|share| {
            let given = given.entry(share.queue.as_str()).or_default();
            let skip = *given;
            *given = given.saturating_add(small(share.at_most));
            skip
        });
        let skips = skips.collect();
        Self {
            claim,
            now: stamp(claim.now).or(now),
            lease: Uuid::of(claim.lease.ulid()),
            owner: Uuid::of(claim.runner.ulid()),
            length: micros(claim.lease_for),
            queues: claim.queues.iter().map(|share| share.queue.as_str()).collect(),
            limits: claim.queues.iter().map(|share| small(share.at_most)).collect(),
            skips,
            at_most: small(claim.at_most),
            bytes_max: i64::try_from(claim.bytes_max).unwrap_or(i64::MAX),
            only,
            except,
        }
    }

    pub(super) fn params(&self) -> [Param<'_>; 11] {
        [
            &self.now,
            &self.lease,
            &self.owner,
            &self.length,
            &self.queues,
            &self.limits,
            &self.skips,
            &self.at_most,
            &self.bytes_max,
            &self.only,
            &self.except,
        ]
    }

    /// What was claimed; `None`: nothing, but rows without tasks were put out of the way, so there
    /// may be something behind them.
    pub(super) fn answer(&self, rows: &[Row], events: u64) -> Result<Option<(Claimed, News)>> {
        let Some(head) = rows.first() else {
            return Err(Error::backend("a claim answered nothing"));
        };
        let lease = self.claim.lease;
        let now: i64 = head.try_get(0).mapped()?;
        let next_due: Option<i64> = head.try_get(2).mapped()?;
        let dropped: i64 = head.try_get(3).mapped()?;
        let full: bool = head.try_get(4).mapped()?;
        let tasks: Vec<LeasedTask> = if Leased::is_in(head)? {
            rows.iter()
                .map(|row| Leased::read(row, lease).map(|leased| leased.task))
                .collect::<Result<_>>()?
        } else {
            Vec::new()
        };
        if dropped > 0 {
            tracing::error!(
                dropped,
                "ready rows without a task or its definition are out of the way"
            );
            if tasks.is_empty() {
                return Ok(None);
            }
        }
        let short = tasks.len() < self.claim.at_most as usize;
        let mut news = News::default();
        if short && !full && dropped == 0 {
            let seen = self.claim.queues.iter().map(|share| share.queue.clone());
            news.seen(seen, events);
        }
        let claimed = Claimed {
            tasks,
            at: Some(clock::from_micros(now)),
            due_in: next_due.map(|due| until(due, now)),
        };
        Ok(Some((claimed, news)))
    }
}

/// What is leased under this id, in claim order.
pub(crate) async fn recall(session: &Session, lease: LeaseId) -> Result<Vec<LeasedTask>> {
    let keys = vec![Uuid::of(lease.ulid())];
    let rows = session.rows(Sql::LeaseTasks, &[&None::<i64>, &keys]).await?;
    rows.iter().map(|row| Leased::read(row, lease).map(|leased| leased.task)).collect()
}
