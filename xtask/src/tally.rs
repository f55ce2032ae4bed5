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
    /// The tests that failed, by name, each with what it panicked with. Planted bugs panic by the
    /// hundred in a test that notices all but one, so this is what to read first.
    pub(crate) failures: Vec<String>,
}

/// A panic's message is cut here: what is longer is in the whole output.
const PANIC_LINES_MAX: usize = 12;

impl Tally {
    /// Reads the output of any number of test runners.
    pub(crate) fn read(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines() {
            if let Some(counts) = line.trim_start().strip_prefix("test result: ") {
                sum.passed += count(counts, "passed");
                sum.failed += count(counts, "failed");
            } else if let Some(test) = line.strip_prefix("test ") {
                if test.contains(" ... ignored") || test.contains(" ... \u{1b}[33mignored") {
                    sum.ignored.push(line.trim_end().to_owned());
                } else if let Some(name) = test.trim_end().strip_suffix(" ... FAILED") {
                    sum.failures.push(failure(name, output));
                }
            }
        }
        sum
    }
}

/// A failed test's name and its panic, if it panicked on a thread of that name.
fn failure(name: &str, output: &str) -> String {
    let thread = format!("thread '{name}' ");
    let mut lines = output.lines().skip_while(|line| !line.starts_with(&thread));
    let panic = lines.by_ref().take(PANIC_LINES_MAX).take_while(|line| {
        !line.is_empty() && !line.starts_with("stack backtrace") && !line.starts_with("note: ")
    });
    panic.fold(name.to_owned(), |text, line| text + "\n    " + line)
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored.extend(other.ignored);
        self.failures.extend(other.failures);
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
    fn a_failed_test_is_named_with_its_own_panic() {
        let tally = Tally::read(
            "test noticed ... ok\n\
             test all_bugs ... FAILED\n\
             thread 'case' (7) panicked at crates/a.rs:1:2:\n\
             a planted bug\n\
             stack backtrace:\n\
             thread 'all_bugs' (8) panicked at crates/b.rs:3:4:\n\
             nobody noticed:\n\
             two\n\
             stack backtrace:\n   0: std::panicking\n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored\n",
        );
        assert_eq!(
            tally.failures,
            ["all_bugs\n    thread 'all_bugs' (8) panicked at crates/b.rs:3:4:\n    \
              nobody noticed:\n    two"]
        );
    }

    #[test]
    fn the_summary_is_one_plain_line() {
        let tally = Tally { passed: 12, ..Tally::default() };
        assert_eq!(tally.to_string(), "12 passed, 0 failed");
    }
}
