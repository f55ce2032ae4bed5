//! How far ahead to claim: as many tasks as 250 ms of work, at the measured rate.

use std::time::Duration;

/// The work that may wait in the buffer, by time.
const AHEAD: Duration = Duration::from_millis(250);

/// How much the newest handler counts in the mean.
const NEWEST: f64 = 0.1;

#[derive(Debug)]
pub(super) struct Pace {
    concurrency: usize,
    prefetch_max: usize,
    /// Mean seconds of a handler; `None` before the first has finished.
    mean: Option<f64>,
    /// Mean seconds of a round trip to the store.
    trip: f64,
}

impl Pace {
    pub(super) fn new(concurrency: usize, prefetch_max: usize) -> Self {
        Self { concurrency, prefetch_max, mean: None, trip: 0.0 }
    }

    /// A handler ran for so long.
    pub(super) fn ran(&mut self, time: Duration) {
        // A microsecond at least: below it the clock says nothing.
        let time = time.as_secs_f64().max(1e-6);
        self.mean = Some(self.mean.map_or(time, |mean| mean + NEWEST * (time - mean)));
    }

    /// A round trip to the store took so long.
    pub(super) fn traveled(&mut self, time: Duration) {
        self.trip += NEWEST * (time.as_secs_f64() - self.trip);
    }

    /// Tasks waited for far longer than the measured rate had promised: claim one by one until
    /// handlers finish again.
    pub(super) fn stalled(&mut self) {
        self.mean = None;
    }

    /// So many tasks may wait beyond those that have a slot.
    pub(super) fn prefetch(&self) -> usize {
        self.tasks_in(AHEAD.as_secs_f64()).min(self.prefetch_max)
    }

    /// When no more than so many wait, it is time to claim: what runs during one round trip, so that
    /// slots never starve. Where a round trip takes longer than the whole buffer lasts, the store is
    /// the bottleneck, and waiting for the buffer to run dry makes the larger batch.
    pub(super) fn low_water(&self) -> usize {
        let during_trip = self.tasks_in(self.trip);
        if during_trip < self.prefetch() { during_trip } else { 0 }
    }

    /// So many tasks run in so many seconds.
    fn tasks_in(&self, seconds: f64) -> usize {
        let Some(mean) = self.mean else { return 0 };
        #[expect(clippy::cast_precision_loss, reason = "at most 10,000 slots")]
        let tasks = seconds / mean * self.concurrency as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let tasks = tasks as usize;
        tasks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefetch(concurrency: usize, ran: Duration) -> usize {
        let mut pace = Pace::new(concurrency, 500);
        pace.ran(ran);
        pace.prefetch()
    }

    #[test]
    fn nothing_is_claimed_ahead_before_the_rate_is_known() {
        assert_eq!(Pace::new(10, 500).prefetch(), 0);
    }

    #[test]
    fn a_quarter_of_a_second_of_work_is_claimed_ahead() {
        assert_eq!(prefetch(10, Duration::from_millis(100)), 25);
        assert_eq!(prefetch(1, Duration::from_millis(10)), 25);
        assert_eq!(prefetch(10, Duration::from_secs(10)), 0, "slow tasks are never hoarded");
        assert_eq!(prefetch(10, Duration::ZERO), 500);
    }

    #[test]
    fn one_slow_task_among_quick_ones_slows_the_pace_at_once() {
        let mut pace = Pace::new(10, 500);
        (0..100).for_each(|_| pace.ran(Duration::from_millis(1)));
        pace.ran(Duration::from_secs(10));
        assert!(pace.prefetch() <= 2);
        (0..100).for_each(|_| pace.ran(Duration::from_millis(1)));
        assert_eq!(pace.prefetch(), 500);
    }

    #[test]
    fn claims_come_before_slots_starve_but_not_before_they_must() {
        let mut pace = Pace::new(10, 500);
        (0..100).for_each(|_| pace.traveled(Duration::from_millis(4)));
        (0..100).for_each(|_| pace.ran(Duration::from_millis(1)));
        assert!((35..=40).contains(&pace.low_water()), "{}", pace.low_water());
        (0..200).for_each(|_| pace.ran(Duration::ZERO));
        assert_eq!(pace.low_water(), 0, "the store is the bottleneck");
    }
}
