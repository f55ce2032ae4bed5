//! A store that is away: wait and try again, ever less often, and never give up. Often enough for
//! what was claimed just before it went away, of which nobody knows and for which nobody beats: when
//! the store is back it is asked for within a part of its lease.

use std::time::Duration;

use super::Moment;

const FIRST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Trouble {
    most: Duration,
    failures: u32,
    until: Moment,
}

impl Trouble {
    pub(super) fn new(lease_for: Duration) -> Self {
        Self { most: MOST.min(lease_for / 4), failures: 0, until: Moment::ZERO }
    }

    pub(super) fn failed(&mut self, now: Moment) {
        // Several calls that were under way when the store went away are one failure.
        if now >= self.until {
            let wait = FIRST.saturating_mul(1 << self.failures.min(10)).min(self.most);
            self.failures += 1;
            self.until = now + wait;
        }
    }

    pub(super) fn succeeded(&mut self) {
        (self.failures, self.until) = (0, Moment::ZERO);
    }

    pub(super) fn is_over(&self, now: Moment) -> bool {
        now >= self.until
    }

    /// `at`, but not while the trouble lasts.
    pub(super) fn not_before(&self, at: Moment) -> Moment {
        at.max(self.until)
    }

    /// When to try again.
    pub(super) fn wake_at(&self, now: Moment) -> Option<Moment> {
        (self.until > now).then_some(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(trouble: &mut Trouble) -> Vec<u128> {
        let mut now = Moment::ZERO;
        let wait = |_| {
            trouble.failed(now);
            trouble.failed(now);
            let until = trouble.wake_at(now).unwrap();
            let wait = until - now;
            now = until;
            wait.as_millis()
        };
        (0..8).map(wait).collect()
    }

    #[test]
    fn waits_double_up_to_five_seconds() {
        let mut trouble = Trouble::new(Duration::from_secs(60));
        assert_eq!(waits(&mut trouble), [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        trouble.succeeded();
        assert!(trouble.is_over(Moment::ZERO));
    }

    #[test]
    fn waits_are_never_longer_than_a_quarter_of_the_lease() {
        let mut trouble = Trouble::new(Duration::from_secs(2));
        assert_eq!(waits(&mut trouble), [100, 200, 400, 500, 500, 500, 500, 500]);
    }
}
