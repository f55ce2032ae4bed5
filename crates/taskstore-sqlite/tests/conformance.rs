//! The suite on a file.

#[path = "common/harness.rs"]
mod harness;

taskstore_conformance::conformance_suite!(harness::Sqlite::default());
