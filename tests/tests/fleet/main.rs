//! Several processes on one SQLite file, some of them killed and stopped: every task ends, none is
//! lost, no living worker's task runs twice, and no attempt is charged that did not start.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bulk;
mod burn;
mod complete;
mod ctrl_c;
mod kill;
mod poison;
mod processes;
mod stress;
