//! The suite that proves a [`Backend`](taskstore_core::Backend) of **taskstore**, for the stores
//! that ship with it and for your own.
//!
//! Say how a fresh store is opened, hand that to [`conformance_suite!`] in a test with
//! `harness = false`, and every promise of the contract is tried:
//!
//! ```
//! use std::sync::Arc;
//! use taskstore_conformance::{Harness, async_trait};
//! use taskstore_core::{Backend, MemoryBackend};
//!
//! struct Memory;
//!
//! #[async_trait]
//! impl Harness for Memory {
//!     async fn open(&self, _store: &str) -> Arc<dyn Backend> {
//!         Arc::new(MemoryBackend::new())
//!     }
//! }
//!
//! taskstore_conformance::conformance_suite!(Memory);
//! ```
//!
//! with this in the `Cargo.toml` of the store:
//!
//! ```toml
//! [dev-dependencies]
//! taskstore-conformance = "0.1"
//!
//! [[test]]
//! name = "conformance"
//! harness = false
//! ```
//!
//! How a [`Backend`](taskstore_core::Backend) is written is on the page of
//! [`taskstore_core::backend`]. A store that several processes can share implements
//! [`Harness::reopen`], too; one with plain SQL [`Harness::enqueue_plain`], and one that works in
//! transactions of its users' [`Harness::begin`].
//!
//! Each case is a test of its own, named `noun::given_when_then`, so a filter (one) works:
//! `cargo test --test conformance -- lease::`. The nouns, in an order that suits a store that is
//! being written: `schema`, `definition`, `enqueue`, `unique`, `claim`, `settle`, `promote`, `retry`,
//! `lease`, `isolate`, `control`, `cancel`, `pause`, `report`, `sweep`, `plain`, `within`, `complete`, `wake`, `input`, `race`, `random`. A case that
//! [`Capabilities`](taskstore_core::backend::Capabilities) rule out is shown as ignored, with the
//! reason in brackets, and never as ok.
//!
//! The measure of the suite is not its cases but the [`promises`] that they prove: each case names
//! them, and a test fails when a promise has no case. That the cases can fail is shown by the
//! [`mutants`].
//!
//! For a store that is reached by TCP there is a [`Proxy`] to be put before its server, which falls
//! silent, loses answers, and cuts connections as it is told, and an [`Outage`] that says what every call
//! must do meanwhile and afterwards.
//!
//! Architecture invariant: nothing here knows a driver, and no case sleeps to wait for a thing.

// Cases are tests, although they are published: they say what is wrong by panicking.
#[expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a case fails by panicking")]
mod cases;
pub mod checker;
mod context;
mod harness;
pub mod model;
pub mod mutants;
mod outage;
pub mod promises;
mod proxy;
pub mod stress;
mod suite;

pub use async_trait::async_trait;

pub use context::Context;
pub use harness::{Damage, Harness, Plain, PlainEnd, PlainRow, UsersTransaction};
pub use outage::Outage;
pub use proxy::{Proxy, Weather};
pub use suite::{Case, Need, cases, ignore, run, try_case};
