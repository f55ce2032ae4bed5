//! Stopping: no new claims; what waits goes back; what runs may finish; then tokens fire, then
//! futures are dropped; and stopped means that everything is saved.

use std::time::Duration;

use super::{Action, Machine, Moment};

/// How long a future that was told to go may take before it is named as one that cannot be dropped.
const DROP_WAIT: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    Running,
    /// What runs may finish.
    Draining {
        until: Moment,
    },
    /// Tokens have fired.
    Firing {
        until: Moment,
    },
    /// Futures are being dropped.
    Dropping {
        until: Moment,
    },
    /// It was said that everything is saved; what could not be dropped is still saved when it ends.
    Stopped,
}

impl Phase {
    pub(super) fn deadline(self) -> Option<Moment> {
        match self {
            Self::Draining { until } | Self::Firing { until } | Self::Dropping { until } => {
                Some(until)
            }
            Self::Running | Self::Stopped => None,
        }
    }
}

impl Machine {
    /// Stop twice is fine: the first has set the deadlines.
    pub(super) fn stop_requested(&mut self) {
        if matches!(self.phase, Phase::Running) {
            self.phase = Phase::Draining { until: self.now + self.config.drain_deadline };
            self.release_buffer();
        }
    }

    pub(super) fn advance_phase(&mut self) {
        let now = self.now;
        if let Phase::Draining { until } = self.phase
            && now >= until
        {
            self.phase = Phase::Firing { until: now + self.config.grace };
            self.slots.running().into_iter().for_each(|task| self.fire(task));
        }
        if let Phase::Firing { until } = self.phase
            && now >= until
        {
            self.phase = Phase::Dropping { until: now + DROP_WAIT };
            self.slots.running().into_iter().for_each(|task| self.act(Action::Drop(task)));
        }
    }

    /// Says that the runner has stopped, once, when it has.
    pub(super) fn finish_stop(&mut self) {
        if !self.is_saved() || self.slots.is_isolating() {
            return;
        }
        let idle = self.slots.is_empty();
        let done = match self.phase {
            Phase::Running => {
                let drained = self.claims.is_drained(self.now) && !self.wants_more();
                self.config.once && idle && drained
            }
            Phase::Draining { .. } | Phase::Firing { .. } => idle,
            Phase::Dropping { until } => idle || self.now >= until,
            Phase::Stopped => false,
        };
        if done {
            self.phase = Phase::Stopped;
            let left = self.slots.running();
            self.act(Action::Stopped { left });
        }
    }
}
