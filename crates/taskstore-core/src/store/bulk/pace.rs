//! How much goes into one pass and how long to rest after it, so that nobody else waits for long.

use std::time::Duration;

/// Chooses the size of the next pass by how long the last one took: some tasks are heavy, some
/// engines are slow, and others wait for the same lock.
#[derive(Debug)]
pub(crate) struct Pace {
    size: usize,
    most: usize,
    target: Duration,
    rest: f64,
}

/// The first pass: small, because nothing is known yet.
const FIRST: usize = 64;
/// The shortest rest.
const REST_MIN: Duration = Duration::from_millis(2);
/// However slow it is, so much is done in one pass.
const LEAST: usize = 8;

impl Pace {
    /// Passes of at most so many that take about so long, each followed by a rest of so many times as
    /// long as it took.
    pub(crate) fn new(most: usize, target: Duration, rest: f64) -> Self {
        let most = most.max(1);
        Self { size: FIRST.min(most), most, target, rest }
    }

    /// How many the next pass may have.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// A full pass took so long; says how long to rest. Other processes look every millisecond whether
    /// the lock is free: without a rest they might never find it so.
    pub(crate) fn took(&mut self, time: Duration) -> Duration {
        if time > self.target * 2 {
            self.size = (self.size / 2).max(LEAST.min(self.most));
        } else if time < self.target {
            self.size = (self.size * 2).min(self.most);
        }
        time.mul_f64(self.rest).max(REST_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Duration = Duration::from_millis(10);

    #[test]
    fn quick_passes_grow_to_the_most_and_slow_ones_shrink_to_the_least() {
        let mut pace = Pace::new(500, TARGET, 0.5);
        let mut sizes = Vec::new();
        for _ in 0..5 {
            sizes.push(pace.size());
            pace.took(TARGET / 2);
        }
        assert_eq!(sizes, [64, 128, 256, 500, 500]);
        pace.took(TARGET * 3 / 2);
        assert_eq!(pace.size(), 500, "about as long as it should");
        for _ in 0..10 {
            pace.took(TARGET * 3);
        }
        assert_eq!(pace.size(), 8);
    }

    #[test]
    fn a_rest_is_as_long_as_the_pass_asks_for_and_never_none() {
        let mut pace = Pace::new(500, TARGET, 3.0);
        assert_eq!(pace.took(TARGET), TARGET * 3);
        assert_eq!(pace.took(Duration::ZERO), REST_MIN);
    }

    #[test]
    fn never_more_than_the_most_and_never_none() {
        for most in [0, 1, 3] {
            let mut pace = Pace::new(most, TARGET, 0.5);
            pace.took(Duration::ZERO);
            assert_eq!(pace.size(), most.max(1));
            pace.took(TARGET * 9);
            assert!(pace.size() >= 1 && pace.size() <= most.max(1));
        }
    }
}
