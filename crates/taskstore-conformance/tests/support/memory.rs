//! The harness of the store that lives in memory.

use std::sync::Arc;

use taskstore_conformance::{Harness, async_trait};
use taskstore_core::{Backend, MemoryBackend};

pub(crate) struct Memory;

#[async_trait]
impl Harness for Memory {
    async fn open(&self, _store: &str) -> Arc<dyn Backend> {
        Arc::new(MemoryBackend::new())
    }
}
