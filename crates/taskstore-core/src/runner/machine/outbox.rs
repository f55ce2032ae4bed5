//! Ends of attempts that wait to be saved. Nothing leaves it but by a store's answer.

use std::{collections::VecDeque, time::Duration};

use super::Moment;
use crate::backend::{Settlement, Transition};

/// Most settlements in one request.
pub(super) const BATCH_MAX: usize = 1_000;
/// Most bytes of outputs, errors and log lines in one request, but for one that is larger alone.
const BATCH_BYTES_MAX: usize = 16 << 20;
/// How long an end waits for company while all slots are busy.
const LINGER: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Settlement>,
    /// Batches to be sent as they are, before anything else: sent again, or halves of one that the
    /// store refused.
    again: VecDeque<Vec<Settlement>>,
    /// What was refused when it was sent alone. The next batch is its substitute.
    refused: Option<Settlement>,
    oldest: Option<Moment>,
    departed: Option<Moment>,
}

impl Outbox {
    pub(super) fn push(&mut self, now: Moment, settlement: Settlement) {
        self.waiting.push_back(settlement);
        self.oldest.get_or_insert(now);
    }

    /// To be sent as it is, after the others of its kind; a substitute before them, so that it is
    /// always known which batch it is.
    pub(super) fn push_again(&mut self, batch: Vec<Settlement>) {
        if batch.is_empty() {
            return;
        }
        if self.refused.is_some() {
            self.again.push_front(batch);
        } else {
            self.again.push_back(batch);
        }
    }

    /// Sends `substitute` instead, and remembers what it stands for.
    pub(super) fn substitute(&mut self, refused: Settlement, substitute: Settlement) {
        self.refused = Some(refused);
        self.push_again(vec![substitute]);
    }

    /// What the batch that has just landed stood for, if it was a substitute.
    pub(super) fn take_refused(&mut self) -> Option<Settlement> {
        self.refused.take()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.has_waiting() && self.departed.is_none()
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty() || !self.again.is_empty()
    }

    pub(super) fn is_in_flight(&self) -> bool {
        self.departed.is_some()
    }

    /// The flight is over; says how long it took.
    pub(super) fn landed(&mut self, now: Moment) -> Duration {
        self.departed.take().map_or(Duration::ZERO, |departed| now.saturating_sub(departed))
    }

    /// Whether the next batch goes as it is.
    pub(super) fn is_resending(&self) -> bool {
        !self.again.is_empty()
    }

    /// When what waits must go, however little it is.
    pub(super) fn flush_at(&self) -> Option<Moment> {
        if self.departed.is_some() {
            return None;
        }
        if self.again.is_empty() { self.oldest.map(|at| at + LINGER) } else { Some(Moment::ZERO) }
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= BATCH_MAX
    }

    /// The next batch; marks the outbox as being in flight.
    pub(super) fn depart(&mut self, now: Moment) -> Vec<Settlement> {
        self.departed = Some(now);
        if let Some(batch) = self.again.pop_front() {
            return batch;
        }
        let mut bytes = 0;
        let mut batch = Vec::with_capacity(self.waiting.len().min(BATCH_MAX));
        while let Some(next) = self.waiting.front() {
            bytes += size(next);
            if batch.len() == BATCH_MAX || (bytes > BATCH_BYTES_MAX && !batch.is_empty()) {
                break;
            }
            batch.extend(self.waiting.pop_front());
        }
        self.oldest = (!self.waiting.is_empty()).then_some(now);
        batch
    }
}

fn size(settlement: &Settlement) -> usize {
    let said = match &settlement.to {
        Transition::Success { output } => output.as_ref().map_or(0, |output| output.get().len()),
        Transition::Failed { error } => error.len(),
        Transition::Canceled { reason, .. } => reason.len(),
        Transition::Requeue { error, .. } => error.as_ref().map_or(0, String::len),
    };
    said + settlement.log.iter().map(|line| line.text.len() + 64).sum::<usize>() + 128
}
