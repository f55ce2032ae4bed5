//! What test runners say in the end, added up.
//!
//! libtest and libtest-mimic both close with `test result: ok. 3 passed; 0 failed; 1 ignored; ..`.

use std::{fmt, ops::AddAssign};

/// How many tests ended how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// The lines of tests that their runner left out, with the reason that it gave.
    pub(crate) ignored: Vec<String>,
}

impl Tally {
    /// Reads the output of any number of test runners.
    pub(crate) fn read(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines() {
            if let Some(counts) = line.trim_start().strip_prefix("test result: ") {
                sum.passed += count(counts, "passed");
                sum.failed += count(counts, "failed");
            } else if line.starts_with("test ")
                && (line.contains(" ... ignored") || line.contains(" ... \u{1b}[33mignored"))
            {
                sum.ignored.push(line.trim_end().to_owned());
            }
        }
        sum
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored.extend(other.ignored);
    }
}

/// The last line of `cargo xtask test`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The number before ` {what}` in `ok. 3 passed; 0 failed; 1 ignored`.
fn count(counts: &str, what: &str) -> u64 {
    counts
        .split([';', '.'])
        .filter_map(|part| part.trim().strip_suffix(what))
        .filter_map(|number| number.trim().parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_added_up_and_what_is_ignored_is_named() {
        let tally = Tally::read(
            "running 3 tests\n\
             test a ... ok\n\
             test b ... ignored, needs two hours\n\
             test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\
             \n\
             test result: FAILED. 40 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.00s\n",
        );
        assert_eq!((tally.passed, tally.failed), (42, 2));
        assert_eq!(tally.ignored, ["test b ... ignored, needs two hours"]);
    }

    #[test]
    fn what_a_test_prints_about_passing_is_not_counted() {
        assert_eq!(Tally::read("12 passed; 3 failed\n  ok. 1 passed\n"), Tally::default());
    }

    #[test]
    fn the_summary_is_one_plain_line() {
        let tally = Tally { passed: 12, failed: 0, ignored: Vec::new() };
        assert_eq!(tally.to_string(), "12 passed, 0 failed");
    }
}
