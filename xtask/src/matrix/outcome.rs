//! What the suite said of a store.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::promises::Promises;
use crate::Result;

/// What came of one run of the suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The promises that have a case.
    pub(crate) promises: usize,
    /// Those with a case that failed or was ignored.
    pub(crate) not_held: Vec<String>,
    pub(crate) passed: usize,
    pub(crate) failed: Vec<String>,
    pub(crate) ignored: Vec<Ignored>,
    /// How long the suite took, as it says.
    pub(crate) seconds: f64,
}

/// A case that was not tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ignored {
    pub(crate) case: String,
    pub(crate) reason: String,
}

impl Outcome {
    /// Reads the output of the suite. An error: it did not end, or left out a case.
    pub(crate) fn read(output: &str, promises: &Promises) -> Result<Self> {
        let (mut passed, mut failed, mut ignored) = (Vec::new(), Vec::new(), Vec::new());
        for (case, kind, result) in output.lines().filter_map(line) {
            match result {
                "ok" => passed.push(case.to_owned()),
                "ignored" => {
                    ignored.push(Ignored { case: case.to_owned(), reason: kind.to_owned() });
                }
                _ => failed.push(case.to_owned()),
            }
        }
        let seconds = output.lines().find_map(seconds).ok_or("the suite did not end")?;
        let tried: BTreeSet<&str> = passed
            .iter()
            .chain(&failed)
            .map(String::as_str)
            .chain(ignored.iter().map(|ignored| ignored.case.as_str()))
            .collect();
        if let Some(lost) = promises.cases().find(|case| !tried.contains(case)) {
            return Err(format!("the suite says nothing of {lost}").into());
        }
        Ok(Self {
            promises: promises.count(),
            not_held: promises.not_held(&passed).map(str::to_owned).collect(),
            passed: passed.len(),
            failed,
            ignored,
            seconds,
        })
    }

    /// How many promises are held.
    pub(crate) fn held(&self) -> usize {
        self.promises - self.not_held.len()
    }
}

/// The case, what its kind says, and the result: `test [not durable] noun::case ... ignored`.
fn line(line: &str) -> Option<(&str, &str, &str)> {
    let rest = line.strip_prefix("test ")?;
    let (kind, rest) = match rest.strip_prefix('[') {
        Some(kind) => kind.split_once(']')?,
        None => ("", rest),
    };
    let (case, result) = rest.rsplit_once(" ... ")?;
    Some((case.trim(), kind, result.trim()))
}

/// `test result: ok. 3 passed; ..; finished in 3.47s`
fn seconds(line: &str) -> Option<f64> {
    let (_, time) = line.strip_prefix("test result: ")?.split_once("finished in ")?;
    time.trim().strip_suffix('s')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "| **`a.one`** One. | `x::given_one` |\n\
        | **`a.two`** Two. | `x::given_two`<br>`x::given_one` |\n\
        | **`a.three`** Three. | `y::given_three` |\n";

    #[test]
    fn each_case_ends_in_one_of_three_ways_and_promises_follow() {
        let output = "running 3 tests\n\
            test               x::given_one     ... ok\n\
            test               x::given_two     ... FAILED\n\
            test [not durable] y::given_three   ... ignored\n\n\
            test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 3.47s\n";
        let outcome = Outcome::read(output, &Promises::read(PAGE)).unwrap();
        assert_eq!((outcome.passed, outcome.held(), outcome.promises), (1, 1, 3));
        assert_eq!(outcome.failed, ["x::given_two"]);
        assert_eq!(outcome.not_held, ["a.three", "a.two"]);
        assert_eq!(outcome.ignored[0].case, "y::given_three");
        assert_eq!(outcome.ignored[0].reason, "not durable");
        assert!((outcome.seconds - 3.47).abs() < 1e-9);
    }

    #[test]
    fn a_run_without_an_end_and_a_case_that_nobody_tried_are_errors() {
        let promises = Promises::read(PAGE);
        let cut = Outcome::read("test x::given_one ... ok\n", &promises).unwrap_err().to_string();
        assert_eq!(cut, "the suite did not end");
        let lost = "test x::given_one ... ok\ntest x::given_two ... ok\n\
            test result: ok. 2 passed; 0 failed; finished in 1.00s\n";
        let lost = Outcome::read(lost, &promises).unwrap_err().to_string();
        assert_eq!(lost, "the suite says nothing of y::given_three");
    }
}
