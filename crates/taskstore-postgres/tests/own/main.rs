//! What is true where a server is killed, stopped, cut off, promoted, or set up as only some are: each test has
//! a server of its own.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod away;
mod chaos;
mod failover;
#[path = "../common/harness.rs"]
mod harness;
#[path = "../common/own.rs"]
mod own;
mod places;
#[path = "../server/store.rs"]
mod store;
mod work;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

/// A test: its name, and what it does.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    let missing = own::missing();
    let tests = [away::TESTS, chaos::TESTS, failover::TESTS, places::TESTS].concat();
    let trials = tests.into_iter().map(|(name, run)| trial(name, run, missing)).collect();
    let mut arguments = Arguments::from_args();
    // They mostly wait for deadlines.
    arguments.test_threads = arguments.test_threads.or(Some(6));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, run: fn(), missing: Option<&'static str>) -> Trial {
    match missing {
        None => Trial::test(name, move || {
            run();
            Ok(())
        }),
        Some(why) => Trial::ignorable_test(name, move || Ok(Completion::ignored_with(why)))
            .with_kind(why)
            .with_ignored_flag(true),
    }
}
