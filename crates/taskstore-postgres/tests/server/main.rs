//! What is true of this engine alone, on a server, if there is one.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod away;
#[path = "../common/harness.rs"]
mod harness;
mod migrations;
mod pay;
mod plans;
mod pooler;
mod store;
mod stress;
mod tls;
mod view;
mod wakeups;
mod within;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

/// A test: its name, and what it does.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    if let Some(code) = pay::worker() {
        return code;
    }
    let has_server = harness::Postgres::from_env().is_some();
    let tests = [
        away::TESTS,
        migrations::TESTS,
        pay::TESTS,
        plans::TESTS,
        stress::TESTS,
        view::TESTS,
        wakeups::TESTS,
        within::TESTS,
    ]
    .concat();
    let trials = tests.into_iter().map(|(name, run)| trial(name, run, has_server));
    let trials = trials.chain(tls::trials()).chain(pooler::trials()).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, run: fn(), has_server: bool) -> Trial {
    if has_server {
        return Trial::test(name, move || {
            run();
            Ok(())
        });
    }
    let reason = "TASKSTORE_TEST_POSTGRES_URL names no server";
    Trial::ignorable_test(name, move || Ok(Completion::ignored_with(reason)))
        .with_kind(reason)
        .with_ignored_flag(true)
}
