//! The suite on a server, if there is one.

#[path = "common/harness.rs"]
mod harness;

use std::process::ExitCode;

fn main() -> ExitCode {
    match harness::Postgres::from_env() {
        Some(postgres) => taskstore_conformance::run(postgres),
        None => taskstore_conformance::ignore("TASKSTORE_TEST_POSTGRES_URL names no server"),
    }
}
