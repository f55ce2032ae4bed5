//! A store that is away: wait and try again, ever less often, and never give up.

use std::time::Duration;

use super::Moment;

const FIRST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Trouble {
    failures: u32,
    until: Moment,
}

impl Trouble {
    pub(super) fn failed(&mut self, now: Moment) {
        // Several calls that were under way when the store went away are one failure.
        if now >= self.until {
            let wait = FIRST.saturating_mul(1 << self.failures.min(10)).min(MOST);
            self.failures += 1;
            self.until = now + wait;
        }
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
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

    #[test]
    fn waits_double_up_to_five_seconds() {
        let mut trouble = Trouble::default();
        let mut now = Moment::ZERO;
        let mut waits = Vec::new();
        for _ in 0..8 {
            trouble.failed(now);
            trouble.failed(now);
            let until = trouble.wake_at(now).unwrap();
            waits.push((until - now).as_millis());
            now = until;
        }
        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        trouble.succeeded();
        assert!(trouble.is_over(Moment::ZERO));
    }
}
