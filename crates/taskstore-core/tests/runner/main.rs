//! The runner over the memory backend: what users see of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod batches;
mod common;
mod endings;
mod middleware;
mod modes;
mod outcomes;
mod stopping;
mod sweeping;
mod terms;
