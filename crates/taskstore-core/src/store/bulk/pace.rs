//! How much goes into one pass, so that nobody else waits for long.

use std::time::Duration;

/// Chooses the size of the next pass by how long the last one took: some tasks are heavy, some
/// engines are slow, and others wait for the same lock.
#[derive(Debug)]
pub(crate) struct Pace {
    size: usize,
    most: usize,
    target: Duration,
}

/// The first pass: small, because nothing is known yet.
const FIRST: usize = 64;
/// However slow it is, so much is done in one pass.
const LEAST: usize = 8;

impl Pace {
    /// Passes of at most so many that take about so long.
    pub(crate) fn new(most: usize, target: Duration) -> Self {
        let most = most.max(1);
        Self { size: FIRST.min(most), most, target }
    }

    /// How many the next pass may have.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// A full pass took so long.
    pub(crate) fn took(&mut self, time: Duration) {
        if time > self.target * 2 {
            self.size = (self.size / 2).max(LEAST.min(self.most));
        } else if time < self.target {
            self.size = (self.size * 2).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Duration = Duration::from_millis(10);

    #[test]
    fn quick_passes_grow_to_the_most_and_slow_ones_shrink_to_the_least() {
        let mut pace = Pace::new(500, TARGET);
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
    fn never_more_than_the_most_and_never_none() {
        for most in [0, 1, 3] {
            let mut pace = Pace::new(most, TARGET);
            pace.took(Duration::ZERO);
            assert_eq!(pace.size(), most.max(1));
            pace.took(TARGET * 9);
            assert!(pace.size() >= 1 && pace.size() <= most.max(1));
        }
    }
}
