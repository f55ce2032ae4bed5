//! The suite on the store that lives in memory.

#[path = "support/memory.rs"]
mod memory;

taskstore_conformance::conformance_suite!(memory::Memory);
