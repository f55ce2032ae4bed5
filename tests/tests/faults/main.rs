//! Runners over stores that fail: no result of a finished handler is lost, no task runs twice while
//! its runner lives, and whoever is wrong is told.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
mod lost_lease;
mod outage;
mod replies;
mod user_transaction;
