//! The walk of a bulk action: page after page of ids, pass after pass of moves.

use std::time::Duration;

use tokio::time::Instant;

use super::{BulkReport, Pace};
use crate::{
    Error, Result, Status, TaskId,
    backend::{Control, Move, Outcome, TaskFilter, TaskOrder, TaskQuery},
    limits::{BULK_PASS_MAX, ENQUEUE_BYTES_MAX, IDS_MAX},
    store::{Store, tasks::refusal},
};

/// About how long a pass may hold what others wait for.
const PASS_TARGET: Duration = Duration::from_millis(20);

/// A third of the time is left to others.
const REST: f64 = 0.5;

/// Told after each pass.
pub(super) type OnProgress = Box<dyn FnMut(&BulkReport) + Send>;

/// A bulk action at work.
pub(super) struct Walk {
    pub(super) store: Store,
    pub(super) to: Move,
    /// The statuses that it is made from.
    pub(super) from: Vec<Status>,
    /// Its participle.
    pub(super) asked: &'static str,
    pub(super) at_most: u64,
    pub(super) on_progress: Option<OnProgress>,
    pub(super) report: BulkReport,
}

impl Walk {
    /// Through all that match.
    pub(super) async fn through(&mut self, filter: TaskFilter) -> Result<()> {
        let mut pace = self.pace();
        let ids_max = u32::try_from(IDS_MAX).unwrap_or(u32::MAX);
        let mut query = TaskQuery::new(filter, TaskOrder::NewestFirst, ids_max);
        loop {
            let page = self.store.backend().task_ids(&query).await?;
            if !self.make_all(&mut pace, page.items).await? {
                return Ok(());
            }
            if page.next.is_none() {
                self.report.complete = true;
                return Ok(());
            }
            query.after = page.next;
        }
    }

    /// Through these, whatever they are.
    pub(super) async fn through_ids(&mut self, ids: Vec<TaskId>) -> Result<()> {
        let mut pace = self.pace();
        self.report.complete = self.make_all(&mut pace, ids).await?;
        Ok(())
    }

    /// Small passes where each task gets large parameters.
    fn pace(&self) -> Pace {
        let most = match &self.to {
            Move::Requeue { parameters: Some(parameters) } => {
                BULK_PASS_MAX.min(ENQUEUE_BYTES_MAX / parameters.get().len().max(1))
            }
            _ => BULK_PASS_MAX,
        };
        Pace::new(most, PASS_TARGET, REST)
    }

    /// Pass by pass; false when it was enough before the end.
    async fn make_all(&mut self, pace: &mut Pace, mut ids: Vec<TaskId>) -> Result<bool> {
        ids.reverse();
        while !ids.is_empty() {
            let room = self.at_most.saturating_sub(self.report.accepted());
            if room == 0 {
                return Ok(false);
            }
            let size = pace.size().min(usize::try_from(room).unwrap_or(usize::MAX));
            let mut pass = ids.split_off(ids.len().saturating_sub(size));
            pass.reverse();
            let began = Instant::now();
            self.pass(pass).await?;
            let rest = pace.took(began.elapsed());
            if let Some(on_progress) = &mut self.on_progress {
                on_progress(&self.report);
            }
            if !ids.is_empty() {
                tokio::time::sleep(rest).await;
            }
        }
        Ok(true)
    }

    /// One transaction.
    async fn pass(&mut self, ids: Vec<TaskId>) -> Result<()> {
        let mut request = Control::new(ids, self.to.clone());
        request.from.clone_from(&self.from);
        let outcomes = self.store.backend().control(&request).await?;
        if outcomes.len() != request.ids.len() {
            return Err(Error::backend("it did not answer for every task"));
        }
        let mut ended = Vec::new();
        for (&id, outcome) in request.ids.iter().zip(outcomes) {
            self.report.looked_at += 1;
            match outcome {
                Outcome::Moved { to, .. } => {
                    self.report.moved += 1;
                    if to.has_ended() {
                        ended.push(id);
                    }
                }
                Outcome::Requested => self.report.requested += 1,
                refused => self.report.refuse(id, refusal(id, refused, self.asked)),
            }
        }
        self.store.tell_ended(ended);
        Ok(())
    }
}
