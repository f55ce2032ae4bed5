//! The suite on a server, if there is one.

#[path = "common/harness.rs"]
mod harness;

use std::process::ExitCode;

fn main() -> ExitCode {
    match harness::Mysql::from_env() {
        Some(mysql) => taskstore_conformance::run(mysql),
        None => taskstore_conformance::ignore("TASKSTORE_TEST_MYSQL_URL names no server"),
    }
}
