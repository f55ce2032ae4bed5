//! What is true where a server is killed, stopped, cut off, or set up as only some are: on servers of these
//! tests' own.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod away;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/own.rs"]
mod own;
mod rights;
mod settings;

use std::process::ExitCode;

/// A test: its name, and what it does.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    if !own::can_be_had() {
        return common::ignore("no MariaDB and no MySQL is installed");
    }
    let tests = [away::TESTS, rights::TESTS, settings::TESTS].concat();
    let trials = tests.into_iter().map(|(name, run)| {
        libtest_mimic::Trial::test(name, move || {
            run();
            Ok(())
        })
    });
    let mut arguments = libtest_mimic::Arguments::from_args();
    // They mostly wait for deadlines.
    arguments.test_threads = arguments.test_threads.or(Some(6));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
